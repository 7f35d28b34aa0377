"""`lims forecast` and `lims backtest`: CSV in, CSV out, and a word for every doubtful row."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lims.cli import group
from lims.strength.backtest import backtest
from lims.strength.history import COMPOSITION, MixHistory
from lims.strength.model import FittedModel, Forecast
from lims.strength.tables import TableError, parse_table
from tests.strength.test_model import HISTORY, NEW

HEADER = ["lab", "mix_id", "age_days", "strength_mpa", *COMPOSITION, "curing_temperature_c", "grade_mpa"]


def rows_of(mixes, ages=None):  # type: ignore[no-untyped-def]
    for mix in mixes:
        masses = [mix.composition.get(name, "") for name in COMPOSITION]
        for item in mix.breaks:
            if ages is None or item.age_days in ages:
                yield [mix.lab, mix.mix_id, item.age_days, f"{item.strength_mpa:.2f}", *masses, "", 30]


def write(path: Path, rows) -> Path:  # type: ignore[no-untyped-def]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows)
    return path


def forecast(
    tmp_path: Path, early: Path, *more: str, history: Path | None = None
) -> tuple[Result, list[dict[str, str]]]:
    output = tmp_path / "out.csv"
    args = ["forecast", "--early", str(early), "--output", str(output), *more]
    if history is not None:
        args += ["--history", str(history)]
    result = CliRunner().invoke(group, args, catch_exceptions=False)
    found = list(csv.DictReader(io.StringIO(output.read_text(encoding="utf-8")))) if output.exists() else []
    return result, found


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return write(tmp_path / "history.csv", rows_of(HISTORY))


def test_output_has_a_row_a_mix_in_order_with_bounds_and_chance(tmp_path: Path, history: Path) -> None:
    early = write(tmp_path / "early.csv", rows_of(reversed(NEW), (3.0,)))
    result, found = forecast(tmp_path, early, "--levels", "0.5,0.9,0.975", history=history)
    assert result.exit_code == 0
    assert [row["mix_id"] for row in found] == [mix.mix_id for mix in reversed(NEW)]
    assert list(found[0]) == [
        "lab", "mix_id", "age_days", "strength_mpa", "lower_50", "upper_50", "lower_90", "upper_90",
        "lower_97.5", "upper_97.5", "p_grade", "local_mixes", "history_mixes", "method", "note",
    ]  # fmt: skip
    for row in found:
        bounds = [
            float(row[name]) for name in ("lower_90", "lower_50", "strength_mpa", "upper_50", "upper_90")
        ]
        assert bounds == sorted(bounds)
        assert 0 < float(row["p_grade"]) < 1
        assert row["local_mixes"] == "60"


def test_two_runs_write_the_same_bytes(tmp_path: Path, history: Path) -> None:
    early = write(tmp_path / "early.csv", rows_of(NEW, (3.0, 7.0)))
    forecast(tmp_path, early, history=history)
    first = (tmp_path / "out.csv").read_bytes()
    forecast(tmp_path, early, history=history)
    assert (tmp_path / "out.csv").read_bytes() == first


def test_without_history_the_shipped_prior_forecasts_and_says_so(tmp_path: Path) -> None:
    early = write(tmp_path / "early.csv", rows_of(NEW[:2], (3.0,)))
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    for known in (None, empty, tmp_path / "missing.csv"):
        result, found = forecast(tmp_path, early, history=known)
        assert result.exit_code == 0
        assert found[0]["strength_mpa"]
        assert found[0]["local_mixes"] == "0"
        assert "new laboratory" in found[0]["note"]


def test_mix_with_blank_age_and_strength_is_forecast_from_its_composition(
    tmp_path: Path, history: Path
) -> None:
    masses = [NEW[0].composition.get(name, "") for name in COMPOSITION]
    early = write(
        tmp_path / "early.csv", [["L", "A", "", "", *masses, "", ""], ["L", "B", "", "", *[""] * 12]]
    )
    result, found = forecast(tmp_path, early, history=history)
    assert result.exit_code == 0
    assert float(found[0]["strength_mpa"]) > 10
    assert found[0]["p_grade"] == ""
    assert found[1]["strength_mpa"] == ""
    assert "nothing to forecast from" in found[1]["note"]


def test_age_other_than_28_d_and_mixed_early_ages(tmp_path: Path, history: Path) -> None:
    rows = [*rows_of(NEW[:1], (3.0,)), *rows_of(NEW[1:2], (7.0,)), *rows_of(NEW[2:3], (3.0, 7.0))]
    result, found = forecast(tmp_path, write(tmp_path / "early.csv", rows), "--age", "56", history=history)
    assert result.exit_code == 0
    assert [row["age_days"] for row in found] == ["56"] * 3
    at_28 = forecast(tmp_path, write(tmp_path / "early.csv", rows), history=history)[1]
    assert all(float(a["strength_mpa"]) > float(b["strength_mpa"]) for a, b in zip(found, at_28, strict=True))


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        (["L", "A", "3", "-5"], "strength_mpa", "not accepted"),
        (["L", "A", "3", "abc"], "strength_mpa", "not accepted"),
        (["L", "A", "3", "nan"], "strength_mpa", "not accepted"),
        (["L", "A", "3", "2600"], "strength_mpa", "psi"),
        (["L", "A", "3", "0"], "strength_mpa", "nothing about a ratio"),
        (["L", "A", "0", "20"], "age_days", "not accepted"),
        (["L", "A", "3", ""], "strength_mpa", "blank is not zero"),
        (["L", "", "3", "20"], "mix_id", "is blank"),
    ],
)
def test_doubtful_row_is_told_with_row_and_column_and_never_becomes_a_number(
    tmp_path: Path, history: Path, cells: list[str], column: str, words: str
) -> None:
    early = write(tmp_path / "early.csv", [[*cells, *[""] * 12]])
    result, found = forecast(tmp_path, early, history=history)
    assert result.exit_code == 0
    assert f"row 2, {column}" in result.stderr
    assert words in result.stderr
    assert all(row["strength_mpa"] == "" for row in found)


def test_strict_refuses_the_files_and_writes_nothing(tmp_path: Path, history: Path) -> None:
    early = write(tmp_path / "early.csv", [["L", "A", "3", "-5", *[""] * 12]])
    result, found = forecast(tmp_path, early, "--strict", history=history)
    assert result.exit_code == 2
    assert found == []


def test_duplicates_two_compositions_falling_strength_and_unknown_columns_are_told() -> None:
    text = (
        "lab,mix_id,age_days,strength_mpa,cement_kg_m3,colour\n"
        "L,A,3,20,300,red\nL,A,3,20,300,red\nL,A,28,15,310,red\n"
    )
    table = parse_table(text)
    told = "\n".join(table.remarks.lines())
    for words in ("repeats an earlier row", "differs from 300", "lies below", "colour: is not known"):
        assert words in told
    (mix,) = table.mixes
    assert mix.composition == {"cement_kg_m3": 300.0}
    assert mix.breaks[0].count == 2


def test_break_cured_at_another_temperature_is_left_out_and_told() -> None:
    table = parse_table(
        "lab,mix_id,age_days,strength_mpa,curing_temperature_c,grade_mpa\n"
        "L,A,3,20,20,30\nL,A,7,26,22,\nL,A,28,15,5,30\nL,A,28,38,,40\n"
    )
    (mix,) = table.mixes
    assert [(item.age_days, item.strength_mpa) for item in mix.breaks] == [(3, 20), (7, 26), (28, 38)]
    told = "\n".join(table.remarks.lines())
    assert "row 4, curing_temperature_c: 5 differs from 20 of row 2 for mix A; the break is left out" in told
    assert "row 5, grade_mpa: 40 differs from 30 of row 2 for mix A; the first is kept" in told


def test_doubtful_cell_of_a_later_row_of_a_mix_is_told_as_one_of_the_first_is() -> None:
    table = parse_table(
        "lab,mix_id,age_days,strength_mpa,cement_kg_m3,water_kg_m3,curing_temperature_c,grade_mpa\n"
        "L,A,3,20,,,,\nL,A,7,26,abc,-5,500,9999\nL,A,28,38,350,170,20,30\n"
    )
    told = table.remarks.lines()
    for start in (
        "cement_kg_m3: 'abc'",
        "water_kg_m3: '-5'",
        "curing_temperature_c: '500'",
        "grade_mpa: '9999'",
    ):
        assert any(line.startswith(f"row 3, {start} is not accepted; accepted: ") for line in told)
    (mix,) = table.mixes
    assert (mix.composition, mix.curing_temperature_c, mix.grade_mpa) == (
        {"cement_kg_m3": 350.0, "water_kg_m3": 170.0},
        20.0,
        30.0,
    )


@pytest.fixture
def nothing_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said beside a number, without the second that a number takes."""

    def refused(_model: FittedModel, mixes: list[MixHistory], *_more: object) -> list[Forecast]:
        return [Forecast(mix.lab, mix.mix_id, 28.0, None) for mix in mixes]

    monkeypatch.setattr(FittedModel, "forecast", refused)


@pytest.mark.usefixtures("nothing_is_fitted")
def test_mix_cured_as_its_laboratory_cures_keeps_its_ages_and_steam_is_not_learned_from(
    tmp_path: Path,
) -> None:
    def cured(mixes, temperature: int, *ages: float):  # type: ignore[no-untyped-def]
        return [[*row[:-2], temperature, row[-1]] for row in rows_of(mixes, ages or None)]

    history = write(tmp_path / "history.csv", cured(HISTORY[:3], 27) + cured(HISTORY[3:5], 60))
    early = write(tmp_path / "early.csv", cured(NEW[:1], 26, 3.0) + cured(NEW[1:2], 35, 3.0))
    result, (as_usual, warmer) = forecast(tmp_path, early, history=history)
    assert "2 mixes of the history were not cured as standard" in result.stderr
    assert "ages multiplied" not in as_usual["note"]
    assert "ages multiplied" in warmer["note"]


@pytest.mark.usefixtures("nothing_is_fitted")
def test_mix_whose_result_stands_in_the_history_is_told_from_a_forecast(
    tmp_path: Path, history: Path
) -> None:
    early = write(tmp_path / "early.csv", [*rows_of(HISTORY[:1], (3.0,)), *rows_of(NEW[:1], (3.0,))])
    known, new = forecast(tmp_path, early, history=history)[1]
    assert "its result at 28 d stands in the history" in known["note"]
    assert "stands in the history" not in new["note"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,c\n1,2,3\n", "no column lab"),
        ("lab,mix_id,age_days,strength_mpa,strength_mpa\n", "twice"),
        ("lab\0,mix_id\n", "binary"),
        ('lab,mix_id,age_days,strength_mpa\nL,A,3,20\nL,"B,3,20\n' + "L,C,3,20\n" * 3, "row 3: .*quotation"),
        ('lab,mix_id,age_days,strength_mpa\nL,"B,3,20\n' + "L,C,3,20\n" * 20_000, "row 2: .*quotation"),
    ],
    ids=["other columns", "a column twice", "binary", "cell that never ends", "and is long"],
)
def test_file_that_is_no_table_is_refused(text: str, words: str) -> None:
    with pytest.raises(TableError, match=words):
        parse_table(text)


def test_encodings_and_separators_of_chinese_spreadsheets_are_read(tmp_path: Path) -> None:
    text = "lab;mix_id;age_days;strength_mpa\n江北站;配合比一;3;20,5\n江北站;配合比一;7;25\n"
    file = tmp_path / "cn.csv"
    file.write_bytes(text.encode("gb18030"))
    result, found = forecast(tmp_path, file)
    assert result.exit_code == 0
    assert found[0]["lab"] == "江北站"
    assert "20,5" in result.stderr


def test_wrong_levels_and_missing_files_are_refused(tmp_path: Path) -> None:
    early = write(tmp_path / "early.csv", rows_of(NEW[:1], (3.0,)))
    for more in (["--levels", "1.5"], ["--levels", "x"], ["--age", "-3"], ["--age", "nan"]):
        assert forecast(tmp_path, early, *more)[0].exit_code == 2
    assert forecast(tmp_path, tmp_path / "none.csv")[0].exit_code == 2
    assert forecast(tmp_path, early, "--output", str(tmp_path / "no" / "out.csv"))[0].exit_code == 2


@pytest.mark.parametrize("by", ["mix", "lab"])
def test_backtest_prints_our_error_beside_codes_and_regressions(tmp_path: Path, by: str) -> None:
    labs = [type(m)(f"L{i % 2}", m.mix_id, m.breaks, m.composition) for i, m in enumerate(HISTORY[:40])]
    file = write(tmp_path / "history.csv", rows_of(labs))
    result = CliRunner().invoke(group, ["backtest", str(file), "--by", by], catch_exceptions=False)
    assert result.exit_code == 0
    found = list(csv.DictReader(io.StringIO(result.stdout)))
    methods = {row["method"] for row in found}
    assert {
        "this forecast",
        "ACI 209",
        "EC2 s=0.25",
        "C918 semi-log",
        "power law",
        "linear regression",
    } <= methods
    best = {
        row["early_ages_days"]: float(row["mape_percent"])
        for row in found
        if row["method"] == "this forecast"
    }
    aci = {row["early_ages_days"]: float(row["mape_percent"]) for row in found if row["method"] == "ACI 209"}
    assert set(best) == {"3", "7", "3+7"}
    if by == "mix":
        assert all(best[ages] < aci[ages] for ages in best)
    else:
        assert all(error < 30 for error in best.values())
    assert all(row["coverage_90"] for row in found if row["method"] == "this forecast")


def test_backtest_by_laboratory_forecasts_no_mix_from_its_own_result_in_the_prior(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Asked(Exception):
        pass

    def asked(model: FittedModel, mixes: list[MixHistory], *_more: object) -> None:
        assert not {mix.recipe for mix in mixes} & {mix.recipe for mix in model.prior}
        raise Asked

    monkeypatch.setattr(FittedModel, "forecast", asked)
    with pytest.raises(Asked):
        backtest(HISTORY[:20], by="lab", prior=HISTORY, sets=[(3.0,)])


def test_backtest_of_too_few_mixes_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "history.csv", rows_of(HISTORY[:3]))
    result = CliRunner().invoke(group, ["backtest", str(file)], catch_exceptions=False)
    assert result.exit_code == 2
    assert "at least 12" in result.stderr
