"""Importing strength history: exact counts, all or nothing, once."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from flask import Flask

import lims.importing
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.importing.history import import_history
from lims.importing.readers import read_history
from lims.mixes.models import MixDesign
from lims.results.models import Break, SetResult
from tests.factories import ACTOR

DATA = Path(lims.importing.__file__).parent / "data"
BOXCRETE = "boxcrete_data.csv"
UCI = "uci_Concrete_Data.xls"


def test_boxcrete_holds_174_mixes_with_2127_strengths_of_which_six_are_a_true_zero(records: Flask) -> None:
    found = read_history(BOXCRETE, (DATA / BOXCRETE).read_bytes())
    assert len(found.mixes) == 174
    assert sum(mix.kind == "concrete" for mix in found.mixes) == 94
    assert sum(mix.kind == "mortar" for mix in found.mixes) == 80
    assert sum(bool(mix.breaks) for mix in found.mixes) == 159
    values = [value for mix in found.mixes for values in mix.breaks.values() for value in values]
    assert len(values) == 2127
    assert values.count(Decimal(0)) == 6
    first = found.mixes[0]
    assert first.breaks[1][0] == (Decimal(5098) * Decimal("0.006894757293168")).quantize(Decimal("0.0001"))


def test_uci_holds_428_mixes_from_1030_rows_with_25_duplicates_reported(records: Flask) -> None:
    found = read_history(UCI, (DATA / UCI).read_bytes())
    assert (len(found.mixes), found.rows, len(found.duplicate_rows)) == (428, 1030, 25)
    assert sum(mix.specimen_count for mix in found.mixes) == 1005
    assert any("lies below" in remark for remark in found.remarks)


def test_import_writes_every_mix_once_and_a_second_time_changes_nothing(records: Flask) -> None:
    content = (DATA / BOXCRETE).read_bytes()
    run = import_history(BOXCRETE, content, ACTOR)
    assert (run.mixes_added, run.specimens_added) == (174, 2127)
    session = current_session()
    assert session.query(MixDesign).count() == 174
    assert session.query(Break).count() == 2127
    assert session.query(Break).filter(Break.reported.is_(False)).count() == 0
    cold = SERVICES["batches"].page(filters={"curing": "low_temperature"}).total
    assert cold == sum(1 for mix in read_history(BOXCRETE, content).mixes if mix.curing_temperature_c < 18)  # type: ignore[operator]
    again = import_history("renamed.csv", content, ACTOR)
    assert again.id == run.id
    assert session.query(Break).count() == 2127


LONG = "lab,mix_id,age_days,strength_mpa,cement_kg_m3,water_kg_m3\n"


def test_long_table_is_read_with_blanks_left_blank(records_on_both: Flask) -> None:
    text = LONG + "Plant,A,3,21.5,350,175\nPlant,A,28,,350,175\nPlant,A,3,22.1,350,175\nPlant,B,28,40,,\n"
    run = import_history("plant.csv", text.encode(), ACTOR)
    assert (run.mixes_added, run.specimens_added) == (2, 3)
    result = current_session().query(SetResult).order_by(SetResult.id).first()
    assert result is not None
    assert result.strength_mpa == Decimal("21.800")
    assert result.rule_id == "history/mean-as-reported"


def test_long_table_takes_from_a_later_row_what_the_first_left_blank(records: Flask) -> None:
    heads = LONG.strip() + ",curing_temperature_c,grade_mpa\n"
    (mix,) = read_history(
        "p.csv", (heads + "P,A,3,21,,,,\nP,A,7,30,350,175,5,30\nP,A,28,40,,,,\n").encode()
    ).mixes
    assert (mix.composition["cement_kg_m3"], mix.curing_temperature_c, mix.grade_mpa) == (350, 5, 30)
    for row, value in (("P,A,28,40,,,20,", "20"), ("P,A,28,40,,,,40", "40")):
        with pytest.raises(Refused) as refusal:
            read_history("p.csv", (heads + "P,A,3,21,,,5,30\n" + row + "\n").encode())
        (problem,) = refusal.value.problems
        assert problem.field.startswith("row 3, ")
        assert (problem.value, "one for each mix" in problem.message) == (value, True)


def test_history_with_a_head_twice_or_a_row_longer_than_its_heads_is_refused(records: Flask) -> None:
    """A decimal comma would leave 21 MPa of 21,5 and lose the rest."""
    for text, where in (
        ("lab,mix_id,age_days,strength_mpa,strength_mpa\nP,A,3,21,30\n", "header, strength_mpa"),
        ("lab,mix_id,age_days,strength_mpa\nP,A,3,21,5\nP,A,7,30,\n", "row 2"),
    ):
        with pytest.raises(Refused) as refusal:
            read_history("p.csv", text.encode())
        assert [item.field for item in refusal.value.problems] == [where]


@pytest.mark.parametrize(
    ("rows", "where", "accepted"),
    [
        ("P,A,3,abc,350,175\n", "row 2, strength_mpa", "digits"),
        ("\nP,A,3,20,350,175\n,,\n\nP,A,3,abc,350,175\n", "row 6, strength_mpa", "digits"),
        ("P,A,3,-5,350,175\n", "row 2, strength_mpa", "at least 0"),
        ("P,A,3,5000,350,175\n", "row 2, strength_mpa", "psi"),
        ("P,A,2.5,20,350,175\n", "row 2, age_days", "whole days"),
        ("P,A,,20,350,175\n", "row 2, age_days", "an age"),
        (",A,3,20,350,175\n", "row 2, lab", "names"),
        ("P,A,3,20,350,175\nP,A,7,30,360,175\n", "row 3, mix_id", "one for each mix"),
        ("P,A,3,20,350,175\nQ,B,7,30,360,175\n", "lab", "one file for each"),
        ("P,A,3,20,350,175\nP,B,7,30,360,\n", "mix B", "water"),
        ("P,A,3,20,nan,175\n", "row 2, cement_kg_m3", "number"),
    ],
)
def test_bad_history_names_row_and_column_and_saves_nothing(
    records: Flask, rows: str, where: str, accepted: str
) -> None:
    with pytest.raises(Refused) as refusal:
        import_history("plant.csv", (LONG + rows).encode(), ACTOR)
    assert where in refusal.value.problems[0].field
    assert accepted in str(refusal.value)
    assert current_session().query(MixDesign).count() == 0
    assert SERVICES["import-runs"].page().total == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"a,b\n1,2\n"),
        ("x.csv", b"\x00\x01\x02"),
        ("x.csv", b"\xff\xfe\xff"),
        ("x.xls", b"not a workbook"),
        ("x.xlsx", b"PK\x03\x04broken"),
        ("x.pdf", b"%PDF"),
        ("x.csv", b""),
    ],
)
def test_unreadable_file_is_refused_with_a_sentence(records: Flask, name: str, content: bytes) -> None:
    with pytest.raises(Refused):
        import_history(name, content, ACTOR)


def test_quotation_mark_that_is_never_closed_takes_no_rows_away(records: Flask) -> None:
    rows = LONG + 'P,"A,3,20,350,175\nP,B,3,20,350,175\n'
    with pytest.raises(Refused, match="is not a csv table"):
        read_history("p.csv", rows.encode())


def workbook_of(*rows: list[object]) -> bytes:
    made = io.BytesIO()
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(made)
    return made.getvalue()


HEADS: list[object] = ["lab", "mix_id", "age_days", "strength_mpa", "cement_kg_m3", "water_kg_m3"]


def test_history_in_a_workbook_reads_as_its_text_does(records: Flask) -> None:
    rows: list[list[object]] = [
        ["P", "A", 3, 21.5, 350, 175],
        ["P", "A", 28, None, 350, 175],
        [],
        ["P", 7, 28, 40, None, None],
    ]
    text = LONG + "P,A,3,21.5,350,175\nP,A,28,,350,175\n,,\nP,7,28,40,,\n"
    assert read_history("p.xlsx", workbook_of(HEADS, *rows)) == read_history("p.csv", text.encode())
    with pytest.raises(Refused, match="row 3, strength_mpa: is not a number"):
        read_history("p.xlsx", workbook_of(HEADS, rows[0], ["P", "A", 28, "=1/0", 350, 175]))


def test_history_is_read_beside_the_program_that_a_harmful_workbook_would_end(records: Flask) -> None:
    book = openpyxl.Workbook()
    book.active.append(HEADS)
    book.active["XFD1048576"] = 1
    made = io.BytesIO()
    book.save(made)
    with pytest.raises(Refused, match="too many cells"):
        read_history("p.xlsx", made.getvalue())
