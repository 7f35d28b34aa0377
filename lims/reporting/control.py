"""One series of results as control charts: single values with moving range, groups of four, cumulative sums, signals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.reporting.schemas import ACCEPTANCE_DAYS
from lims.reporting.statistics import KEYS, ResultRow
from lims.rules.service import evaluate
from lims.standards.acceptance import CusumVerdict, cusum
from lims.standards.control_charts import (
    GROUP_OF,
    LEAST_VALUES,
    Group,
    IndividualsChart,
    Signal,
    groups_of,
    individuals_chart,
    moving_means,
    western_electric,
)
from lims.standards.register import REGISTER

#: Rules that these charts follow, for the papers.
INDIVIDUALS, WESTERN_ELECTRIC, CUSUM = "control/individuals", "control/western-electric", "control/cusum"
#: Results that a chart shows, the newest; older ones are in the raw data.
MOST_POINTS = 400

#: What a signal means, in words.
SIGNALS = {
    1: _l("a result beyond three deviations"),
    2: _l("two of three results beyond two deviations on one side"),
    3: _l("four of five results beyond one deviation on one side"),
    4: _l("eight results in a row on one side"),
}
SIDES = {"high": _l("above"), "low": _l("below")}


@dataclass(frozen=True, slots=True)
class Series:
    """Results in the order of casting with everything that the charts draw."""

    name: str
    rows: tuple[ResultRow, ...]
    values: tuple[Decimal, ...]
    chart: IndividualsChart
    means: tuple[Decimal | None, ...]
    groups: tuple[Group, ...]
    sums: CusumVerdict | None
    target_mpa: Decimal
    signals: tuple[Signal, ...]
    left_out: int

    def signals_at(self, number: int) -> list[str]:
        """Words of the signals of a result (from 1)."""
        found = [signal_in_words(item) for item in self.signals if item.at == number]
        if self.sums is not None and self.sums.signal_at == number:
            found.append(_("the cumulative sum %(side)s passes h", side=SIDES[self.sums.signal or "low"]))
        return found


def signal_in_words(signal: Signal) -> str:
    """E.g. "rule 2, below: two of three results beyond two deviations on one side"."""
    said: str = _(
        "rule %(rule)s, %(side)s: %(what)s",
        rule=signal.rule,
        side=SIDES[signal.side],
        what=SIGNALS[signal.rule],
    )
    return said


def names_of(rows: Iterable[ResultRow], by: str) -> list[tuple[str, int]]:
    """Names of series with their numbers of results, most results first; results of one age only."""
    counts = Counter(KEYS[by](row) for row in rows if row.counts and KEYS[by](row))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def addresses_of(rows: Iterable[ResultRow], by: str) -> dict[str, str]:
    """Name of a series -> what stands for it in an address, "C30 · cylinder", "C25 · shotcrete": a link leads to the same
    series in whichever language it is opened."""
    found: dict[str, str] = {}
    for row in rows:
        if (name := KEYS[by](row)) not in found:
            plain = replace(
                row, apart=row.shape if row.apart else "", sprayed="shotcrete" if row.sprayed else ""
            )
            found[name] = KEYS[by](plain)
    return found


def series_of(
    name: str, rows: Iterable[ResultRow], by: str, target_mpa: Decimal | None = None
) -> Series | None:
    """The newest results of one grade, mix or lot; None with fewer than make limits. The target of the cumulative sums
    is their own mean unless one is given."""
    members = [row for row in rows if KEYS[by](row) == name and row.counts]
    shown = members[-MOST_POINTS:]
    if len(shown) < LEAST_VALUES:
        return None
    values = tuple(row.strength_mpa for row in shown if row.strength_mpa is not None)
    chart = individuals_chart(values)
    target = target_mpa or chart.centre
    sums = None
    if chart.sigma:
        rule = REGISTER.by_id[CUSUM]
        # The laboratory's own edition may set h; the sums themselves come unrounded.
        answer, _own = evaluate(
            rule,
            {
                "target_mpa": _short(target),
                "s_mpa": _short(chart.sigma),
                "strengths_mpa": [f"{v:f}" for v in values],
            },
        )
        multiple = Decimal(answer["h_mpa"]) / (2 * Decimal(answer["k_mpa"]))
        sums = cusum(target, chart.sigma, values, Decimal(round(multiple)))
    return Series(
        name,
        tuple(shown),
        values,
        chart,
        moving_means(values),
        groups_of(values),
        sums,
        target,
        western_electric(values, chart.centre, chart.sigma),
        len(members) - len(shown),
    )


def _short(value: Decimal) -> str:
    """As an input of a rule: not the forty digits of a quotient."""
    return f"{value:.12f}"


def charted(rows: Sequence[ResultRow], age_days: int | None) -> list[ResultRow]:
    """Results of one age: a chart across ages would show the ages."""
    return [row for row in rows if row.age_days == (age_days or ACCEPTANCE_DAYS)]


def charts_of(series: Series) -> dict[str, dict[str, Any]]:
    """Descriptions for static/js/series.js."""
    x = [row.set_code for row in series.rows]
    chart = series.chart
    count = len(series.values)

    def flat(value: Decimal) -> list[float]:
        return [_f(value)] * count

    strengths: dict[str, Any] = {
        "x": x,
        "labels": {"x": _("Sets in the order of casting"), "y": "MPa"},
        "least": True,
        "limits": [_f(chart.lower), _f(chart.centre), _f(chart.upper)],
        "series": [
            {"name": _("Strength"), "data": [_f(value) for value in series.values]},
            {
                "name": _("Mean of %(n)s", n=GROUP_OF),
                "data": [None if value is None else _f(value) for value in series.means],
            },
        ],
    }
    grade = series.rows[-1].grade_mpa
    if grade is not None and all(row.grade_mpa == grade for row in series.rows):
        strengths["series"].append({"name": _("Grade"), "data": flat(grade), "dashed": True})
    ranges: dict[str, Any] = {
        "x": x,
        "labels": {"x": _("Sets in the order of casting"), "y": "MPa"},
        "limits": [_f(chart.mean_range), _f(chart.upper_range)],
        "series": [
            {"name": _("Moving range"), "data": [None, *(_f(value) for value in chart.moving_ranges)]}
        ],
    }
    found = {"strengths": strengths, "ranges": ranges}
    if series.sums is not None:
        h = _f(series.sums.h_mpa)
        found["sums"] = {
            "x": x,
            "labels": {"x": _("Sets in the order of casting"), "y": "MPa"},
            "limits": [h, -h],
            "series": [
                {"name": _("Sums above"), "data": [_f(value) for value in series.sums.high_mpa]},
                {"name": _("Sums below"), "data": [-_f(value) for value in series.sums.low_mpa]},
            ],
        }
    return found


def _f(value: Decimal) -> float:
    return round(float(value), 2)
