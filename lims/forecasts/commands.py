"""`lims forecast` and `lims backtest`: CSV to CSV, without a database."""

from __future__ import annotations

import csv
import gc
import io
import math
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console

from lims.base.whole_files import whole_file, with_rights_of_the_shell

FILE = click.Path(dir_okay=False, path_type=Path)


def _levels(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        levels = tuple(float(part) for part in value.split(","))
    except ValueError:
        levels = ()
    if not levels or not all(0.01 <= level <= 0.999 for level in levels) or len(set(levels)) != len(levels):
        raise click.BadParameter(
            f"{value!r} is not accepted; accepted: shares between 0.01 and 0.999, as 0.5,0.9"
        )
    return levels


class _Age(click.FloatRange):
    """Days. Not a number is neither below nor above a bound."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not accepted; accepted: {self.min} to {self.max} days", param, ctx)
        return found


AGE = _Age(0.1, 3650)


@click.command()
@click.option(
    "--history", type=FILE, help="Known strengths, a row a specimen or set. Without it: the shipped prior."
)
@click.option("--early", type=FILE, required=True, help="Mixes to forecast with the breaks they have.")
@click.option("--output", type=FILE, required=True, help="Where the forecasts go, as CSV.")
@click.option("--age", default=28.0, show_default=True, type=AGE, help="Age in days.")
@click.option("--levels", default="0.5,0.9", show_default=True, callback=_levels, help="Interval levels.")
@click.option("--strict", is_flag=True, help="Refuse the files when any row is doubtful.")
def forecast(
    history: Path | None, early: Path, output: Path, age: float, levels: tuple[float, ...], strict: bool
) -> None:
    """Forecast the strength of each mix of EARLY; doubtful rows are told on standard error."""
    from lims.strength.model import fit
    from lims.strength.tables import write_forecasts

    gc.disable()  # a short-lived process with a million live objects: collecting would only look at them again

    known = _read(history, "--history") if history is not None and history.exists() else None
    if history is not None and known is None:
        click.echo(f"--history: {history}: no such file; forecasting from the shipped prior alone", err=True)
    asked = _read(early, "--early")
    doubtful = len(asked.remarks) + (len(known.remarks) if known else 0)
    if strict and doubtful:
        click.echo(f"{doubtful} doubtful entries; nothing written (--strict)", err=True)
        sys.exit(2)
    left_out = sum(1 for mix in known.mixes if not mix.standard) if known else 0
    if left_out:
        click.echo(f"{left_out} mixes of the history were not cured as standard and are left out", err=True)
    from lims.strength.maturity import corrected

    temperatures: dict[str, list[float]] = defaultdict(list)
    reached = set()
    for mix in known.mixes if known else ():
        if mix.standard and mix.curing_temperature_c is not None:
            temperatures[mix.lab].append(mix.curing_temperature_c)
        if mix.strength_at(age) is not None:
            reached.add(mix.key)
    mixes, words = [], []
    for mix in asked.mixes:
        of_lab = temperatures.get(mix.lab)
        mix, word = corrected(mix, median(of_lab) if of_lab else None)
        if mix.key in reached:
            word = "; ".join(
                filter(None, [word, f"its result at {age:g} d stands in the history: no forecast of it"])
            )
        own = asked.notes.get(mix.key, "")
        if any(b.age_days >= age for b in mix.breaks):
            word = "; ".join(filter(None, [word, f"breaks from {age:g} d on are not used"]))
        mixes.append(mix)
        words.append("; ".join(filter(None, [own, word])))
    with Console(stderr=True).status(f"Forecasting {len(mixes)} mixes"):
        model = fit(known.mixes if known else (), asked=mixes)
        found = model.forecast(mixes, age, levels)
    found = [
        replace(item, note="; ".join(filter(None, [item.note, word]))) if word else item
        for item, word in zip(found, words, strict=True)
    ]
    text = io.StringIO()
    write_forecasts(text, found, levels)
    _write_whole(output, text.getvalue())
    refused = sum(1 for item in found if item.strength_mpa is None)
    if refused:
        click.echo(
            f"{refused} of {len(found)} mixes could not be forecast; the column note says why", err=True
        )


@click.command()
@click.argument("history", type=FILE)
@click.option(
    "--by", type=click.Choice(["mix", "lab"]), default="mix", show_default=True, help="What is left out."
)
@click.option("--age", default=28.0, show_default=True, type=AGE, help="Age in days.")
@click.option("--output", type=FILE, help="Also write the scores here, as CSV.")
def backtest(history: Path, by: str, age: float, output: Path | None) -> None:
    """What the forecast would have said of HISTORY, beside codes and regressions: a table and CSV."""
    from rich.table import Table

    from lims.base.progress import progress_bar
    from lims.strength.backtest import Score, enough
    from lims.strength.backtest import backtest as run

    table = _read(history, "HISTORY")
    if not enough([mix for mix in table.mixes if mix.standard], age):
        click.echo(
            f"{history.name}: too few mixes with an early break and a result at {age:g} d; accepted: at least 12",
            err=True,
        )
        sys.exit(2)
    with progress_bar() as bar:
        task = bar.add_task("Back-test", total=None)
        scores = run(
            table.mixes,
            by=by,
            target=age,
            prior=() if by == "mix" else None,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if not scores:
        click.echo(f"{history.name}: no set of early ages is shared by at least 12 mixes", err=True)
        sys.exit(2)

    def shown(value: float | None, places: int = 2) -> str:
        return "" if value is None else f"{value:.{places}f}"

    grid = Table(title=f"{history.name}, left out by {by}")
    for name in (
        "early d",
        "method",
        "n",
        "MAE MPa",
        "MAPE %",
        "RMSE MPa",
        "bias MPa",
        "50 %",
        "90 %",
        "width 90 MPa",
    ):
        grid.add_column(name, justify="left" if name in {"early d", "method"} else "right")
    for score in scores:
        grid.add_row(
            _ages(score),
            score.method,
            str(score.n),
            shown(score.mae_mpa),
            shown(score.mape_percent),
            shown(score.rmse_mpa),
            shown(score.bias_mpa),
            shown(None if score.coverage_50 is None else 100 * score.coverage_50, 0),
            shown(None if score.coverage_90 is None else 100 * score.coverage_90, 0),
            shown(score.width_90_mpa),
        )
    Console(stderr=True, width=None if sys.stderr.isatty() else 120).print(grid)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name for name in Score.__dataclass_fields__ if name != "early"]
    writer.writerow(["early_ages_days", *names])
    for score in scores:
        cells = [getattr(score, name) for name in names]
        writer.writerow(
            [_ages(score), *(f"{c:.4f}" if isinstance(c, float) else ("" if c is None else c) for c in cells)]
        )
    if output is not None:
        _write_whole(output, text.getvalue())
    else:
        click.echo(text.getvalue(), nl=False)


def _ages(score: object) -> str:
    return "+".join(f"{age:g}" for age in score.early)  # type: ignore[attr-defined]


def _read(path: Path, option: str):  # type: ignore[no-untyped-def]
    from lims.strength.tables import TableError, read_table

    try:
        with Console(stderr=True).status(f"Reading {path.name}"):
            table = read_table(path)
    except TableError as error:
        click.echo(f"{option}: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"{option}: {path}: {error.strerror or error}; accepted: a readable CSV file", err=True)
        sys.exit(2)
    for line in table.remarks.lines():
        click.echo(f"{path.name}: {line}", err=True)
    return table


def _write_whole(path: Path, text: str) -> None:
    """The whole file or none of it."""
    try:
        with with_rights_of_the_shell(), whole_file(path) as arriving:
            arriving.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        click.echo(
            f"--output: {path}: {error.strerror or error}; accepted: a file that can be written", err=True
        )
        sys.exit(2)
