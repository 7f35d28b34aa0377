"""The cases of the workbook list: each is refused with a message, or read right; never a silently changed number."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import subprocess
import time
import tracemalloc
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from openpyxl.drawing.image import Image
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.importing.imports import NotApplied, Plan, import_file, look
from lims.importing.models import ImportRow, ImportRun
from lims.importing.reading_process import Unfit, marks
from lims.importing.sheets import export_template, marked_workbook
from lims.importing.workbooks import AT_ONCE, READS, TooLarge, order_of, read_book
from lims.importing.workbooks import shown as shown_
from lims.materials.models import CementLot
from lims.mixes.models import MixDesign
from tests.aftersales.test_photos import a_picture
from tests.factories import ACTOR, a_customer
from tests.importing.workbooks import FIRST, filled, filled_book, letter_of, ods, saved, workbook, xls

RECIPE: dict[str, Any] = {"code": "M-1", "cement_kg_m3": 300, "water_kg_m3": 170}


def plan_of(content: bytes, template: str = "mixes", name: str = "x.xlsx") -> Plan:
    return look(name, content, ACTOR, template=template)


def rewritten(content: bytes, parts: dict[str, tuple[str, str]]) -> bytes:
    """The same workbook with one text of these parts in another's place."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.infolist():
            old, new = parts.get(entry.filename, ("", ""))
            target.writestr(entry, source.read(entry).replace(old.encode(), new.encode(), 1))
    return made.getvalue()


def mix_with(cell: Any, **style: Any) -> Plan:
    """A mix whose cement is this cell."""
    book, sheet = filled_book("mixes", RECIPE)
    target = sheet[f"{letter_of('mixes', 'cement_kg_m3')}{FIRST}"]
    target.value = cell
    for name, value in style.items():
        setattr(target, name, value)
    return plan_of(saved(book))


@pytest.mark.parametrize(
    "cell", ["1_000", "1E5", True, "3,5", "1.234,5", "150 mm", "3OO", "10³", "nan", "-5", "−3.5"], ids=str
)
def test_a_number_that_is_none_is_refused_with_its_cell_and_value(records: Flask, cell: Any) -> None:
    plan = mix_with(cell)
    (refusal,) = plan.refusals()
    assert refusal.sheet == "Data"
    assert refusal.cell == f"{letter_of('mixes', 'cement_kg_m3')}{FIRST}"
    assert refusal.value
    assert "accepted" in refusal.message
    assert plan.count("refused") == 1


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("３００．５", "300.5"), ("300", "300"), (300.5, "300.5"), ("300 kg/m³", "300"), (1e2, "100")],
)
def test_a_number_in_other_clothes_is_read_right(records: Flask, cell: Any, kept: str) -> None:
    plan = mix_with(cell)
    assert plan.count("new") == 1
    assert plan.rows[0].values["cement_kg_m3"] == Decimal(kept)


def test_minus_sign_of_typesetting_is_a_minus(records: Flask) -> None:
    book, _sheet = filled_book(
        "history",
        {"lab": "L", "mix_id": "A", "age_days": 3, "strength_mpa": 20, "curing_temperature_c": "−3.5"},
    )
    plan = plan_of(saved(book), "history")
    assert plan.rows[0].values["curing_temperature_c"] == Decimal("-3.5")


def test_a_formula_without_a_stored_value_is_refused_not_blank(records: Flask) -> None:
    (refusal,) = mix_with("=150*2").refusals()
    assert "formula" in refusal.message


@pytest.mark.parametrize(
    ("cell", "refused"),
    [
        ('<c r="A7" t="str"><f>IF(B7="","",B7)</f><v></v></c>', 0),  # as Excel and WPS store it
        ("<c t='str' r='A7'><f>IF(B7=\"\",\"\",B7)</f><v/></c>", 0),
        ('<c r="A7" t="str"><f>B7</f></c>', 1),
        ('<c r="A7"><f>B7</f><v></v></c>', 1),
        ('<c r="A7" s="1"><f t="shared" si="0"/></c>', 1),
    ],
)
def test_a_formula_that_gives_an_empty_text_is_blank_and_one_without_its_value_is_not(
    records: Flask, cell: str, refused: int
) -> None:
    """Ledgers have such formulas down to rows that nobody filled yet."""
    sheets = {"xl/worksheets/sheet1.xml": ("</sheetData>", f'<row r="7">{cell}</row></sheetData>')}
    plan = plan_of(rewritten(saved(filled_book("mixes", RECIPE)[0]), sheets))
    assert (plan.count("new"), len(plan.refusals())) == (1, refused)


@pytest.mark.parametrize("form", ["0%", "0.00%", '0.0" "%;[Red]-0.0%'])
def test_a_cell_formatted_as_a_percentage_is_read_as_people_read_it(records: Flask, form: str) -> None:
    """30 % is stored as 0.3, which the column would take for 0.3 %."""
    SERVICES["aggregate-sources"].add({"code": "S", "name": "S"}, ACTOR)
    names = {"code": "S-1", "aggregate_source_id": "S", "sampled_on": "2026-03-01", "moisture_percent": 0.3}
    book, sheet = filled_book("aggregate-samples", names)
    sheet[f"{letter_of('aggregate-samples', 'moisture_percent')}{FIRST}"].number_format = form
    plan = plan_of(saved(book), "aggregate-samples")
    assert (plan.count("new"), plan.rows[0].values["moisture_percent"]) == (1, Decimal(30))


def test_a_percentage_where_no_percent_are_wanted_is_refused(records: Flask) -> None:
    (refusal,) = mix_with(3, number_format="0%").refusals()
    assert refusal.value == "300%"
    assert "percentage" in refusal.message
    assert mix_with(300, number_format='0"%"').count("new") == 1  # a sign that changes nothing


def test_an_error_of_the_sheet_is_refused_not_blank(records: Flask) -> None:
    (refusal,) = mix_with("#DIV/0!", data_type="e").refusals()
    assert "error of the sheet" in refusal.message


def test_an_error_is_seen_however_the_workbook_names_its_sheet(records: Flask) -> None:
    book, sheet = filled_book("mixes", RECIPE)
    cell = sheet[f"{letter_of('mixes', 'slag_kg_m3')}{FIRST}"]
    cell.value, cell.data_type, sheet.title = "#N/A", "e", "数据"
    named = {"xl/workbook.xml": ('"数据"', '"&#25968;&#x636E;"')}
    (refusal,) = plan_of(rewritten(saved(book), named)).refusals()
    assert "error of the sheet" in refusal.message


def test_an_ods_tells_its_percentages_errors_merged_and_hidden_cells(records: Flask) -> None:
    """What no value can be computed for reads as 0 there, and 4.8 % as 0.048."""

    def cell(given: str, text: str) -> str:
        return f"<table:table-cell {given}><text:p>{text}</text:p></table:table-cell>"

    error = 'table:formula="of:=1/0" office:value-type="float" office:value="0" calcext:value-type="error"'
    percent = 'office:value-type="percentage" office:value="0.048" table:number-columns-repeated="2"'
    shown = 'table:formula="of:=NA()" office:value-type="string" office:string-value=""'
    first = cell(percent, "4.80%") + cell(error, "#DIV/0!") + cell(shown, "#N/A")
    first += '<table:table-cell table:formula="of:=A1"/>' + cell('office:value-type="string"', "#N/A")
    merged = cell('table:number-rows-spanned="2" office:value-type="float" office:value="7"', "7")
    hidden = '<table:covered-table-cell/></table:table-row><table:table-row table:visibility="filter">'
    (sheet,) = read_book("x.ods", ods(first, merged, hidden + cell(percent, "4.80%"))).sheets
    assert [shown_(value) for value in sheet.rows[0][:3]] == ["4.8%", "4.8%", "0"]
    assert shown_(sheet.rows[3][1]) == "4.8%"
    assert (sheet.errors, sheet.no_value) == ({"C1", "D1"}, {"E1"})
    assert (sheet.merged, sheet.hidden_rows) == (((1, 0, 2, 0),), (4,))


@pytest.mark.parametrize("padded", [True, False], ids=["as Excel lays it out", "in small pieces"])
def test_an_xls_tells_its_percentages_errors_hidden_rows_and_calendar(records: Flask, padded: bool) -> None:
    def number(row: int, column: int, style: int) -> tuple[int, bytes]:
        return 0x0203, struct.pack("<HHHd", row, column, style, 0.048)

    cells = (
        (0x0208, struct.pack("<HHHHHHI", 2, 0, 5, 0, 0, 0, 0x20)),
        *(number(0, style, style) for style in range(4)),
        (0x0205, struct.pack("<HHHBB", 1, 0, 0, 7, 1)),  # #DIV/0!
        (0x0205, struct.pack("<HHHBB", 1, 1, 0, 1, 0)),  # TRUE
        (
            0x0006,
            struct.pack("<HHHBBBBBBHHIH", 1, 2, 0, 2, 0, 42, 0, 0, 0, 0xFFFF, 0, 0, 0),
        ),  # a formula that is #N/A
        (0x0006, struct.pack("<HHHdHIH", 1, 3, 1, 0.048, 0, 0, 0)),
        (0x00BD, struct.pack("<HHHiHiH", 2, 0, 0, (5 << 2) | 2, 1, (1 << 2) | 2, 1)),
    )
    formats = ((164, '0.0" "%;[Red]-0.0%'), (165, '0"%"'))
    book = read_book("x.xls", xls(*cells, formats=formats, mac_dates=True, padded=padded))
    (sheet,) = book.sheets
    assert [shown_(value) for value in sheet.rows[0]] == ["0.048", "4.8%", "4.8%", "0.048"]
    assert [shown_(value) for value in sheet.rows[1]] == ["", "TRUE", "", "4.8%"]
    assert [shown_(value) for value in sheet.rows[2][:2]] == ["5", "100%"]
    assert (sheet.errors, sheet.hidden_rows, book.mac_dates) == ({"A2", "C2"}, (3,), True)
    assert read_book("x.xls", xls(*cells, padded=padded)).mac_dates is False


def test_a_number_formatted_as_a_date_is_refused(records: Flask) -> None:
    (refusal,) = mix_with(300, number_format="yyyy-mm-dd").refusals()
    assert "formatted as a date" in refusal.message


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("yyyy-mm-dd hh:mm", True),
        ('yyyy"年"m"月"d"日" h"时"mm"分"', True),
        ("m/d/yy h:mm", True),  # one that every workbook has
        ("yyyy-mm-dd", False),
        ('yyyy-mm-dd" h"', False),
    ],
)
def test_a_cell_that_shows_midnight_is_that_time_and_one_that_shows_a_day_has_none(
    records: Flask, form: str, read: bool
) -> None:
    """Both hold the same whole number; saved as text, the first says 00:00."""
    book, sheet = filled_book("batches", {"code": "B-1"})
    cell = sheet[f"{letter_of('batches', 'cast_at')}{FIRST}"]
    cell.value, cell.number_format = datetime(2026, 3, 1), form  # noqa: DTZ001 - as a sheet has it
    (row,) = plan_of(saved(book), "batches").rows
    says_no_time = any("carries no time" in str(problem.message) for problem in row.problems)
    assert ("cast_at" in row.values, says_no_time) == (read, not read)
    if read:
        assert row.values["cast_at"].isoformat() == "2026-02-28T16:00:00+00:00"


def test_an_xls_tells_a_midnight_from_a_day(records: Flask) -> None:
    cells = [(0x0203, struct.pack("<HHHd", 0, style, style, 46082)) for style in (2, 3)]
    cells.append((0x00BD, struct.pack("<HHHiHiH", 1, 0, 2, (46082 << 2) | 2, 3, (46082 << 2) | 2, 1)))
    formats = ((164, "yyyy-mm-dd hh:mm"), (165, "yyyy-mm-dd"))
    (sheet,) = read_book("x.xls", xls(*cells, formats=formats)).sheets
    assert [shown_(value) for value in sheet.rows[0][2:4]] == ["2026-03-01 00:00:00", "2026-03-01"]
    assert [shown_(value) for value in sheet.rows[1][:2]] == ["2026-03-01 00:00:00", "2026-03-01"]


def test_a_code_that_excel_made_a_date_is_refused(records: Flask) -> None:
    book, sheet = filled_book("mixes", RECIPE)
    sheet[f"A{FIRST}"] = datetime(2026, 3, 1)  # noqa: DTZ001 - as a sheet has it
    (refusal,) = plan_of(saved(book)).refusals()
    assert "formatted as text" in refusal.message


def test_a_code_with_more_digits_than_a_sheet_keeps_is_refused(records: Flask) -> None:
    book, sheet = filled_book("mixes", RECIPE)
    sheet[f"A{FIRST}"] = 12345678901234567
    (refusal,) = plan_of(saved(book)).refusals()
    assert "digits" in refusal.message


def test_merged_keys_count_for_every_row_and_merged_measurements_are_refused(records: Flask) -> None:
    rows = [{"lab": "L", "mix_id": "A", "age_days": 7, "strength_mpa": value} for value in (30.1, 30.2, 30.3)]
    book, sheet = filled_book("history", *rows)
    column = letter_of("history", "mix_id")
    sheet.merge_cells(f"{column}{FIRST}:{column}{FIRST + 2}")
    plan = plan_of(saved(book), "history")
    assert [row.values["mix_id"] for row in plan.rows] == ["A", "A", "A"]
    assert plan.count("new") == 3
    assert any("Merged" in remark for remark in plan.remarks)
    value = letter_of("history", "strength_mpa")
    sheet.merge_cells(f"{value}{FIRST}:{value}{FIRST + 1}")
    refused = plan_of(saved(book), "history")
    assert {item.cell for item in refused.refusals()} >= {f"{value}{FIRST}", f"{value}{FIRST + 1}"}


def test_a_head_that_reaches_down_into_the_rows_is_nobodys_value(records: Flask) -> None:
    strength = {"lab": "L", "age_days": 7, "strength_mpa": 30}
    book, sheet = filled_book("history", strength, {**strength, "mix_id": "A"})
    column = letter_of("history", "mix_id")
    sheet.merge_cells(f"{column}{FIRST - 1}:{column}{FIRST}")
    assert ["mix_id" in row.values for row in plan_of(saved(book), "history").rows] == [False, True]


def test_hidden_rows_are_read_and_told_hidden_sheets_are_not_read_and_told(records: Flask) -> None:
    book, sheet = filled_book("mixes", RECIPE, {**RECIPE, "code": "M-2"})
    sheet.row_dimensions[FIRST + 1].hidden = True
    other = book.create_sheet("Old")
    other["A1"] = "x"
    other.sheet_state = "hidden"
    plan = plan_of(saved(book))
    assert plan.count("new") == 2
    assert any("Hidden rows" in remark and str(FIRST + 1) in remark for remark in plan.remarks)
    assert any("Hidden sheets" in remark and "Old" in remark for remark in plan.remarks)


def test_a_second_sheet_with_rows_is_told_and_the_sheets_of_the_template_are_not(records: Flask) -> None:
    """Months lie in sheets side by side; one is read."""
    book, _sheet = filled_book("mixes", RECIPE)
    for name in ("Examples", "Notes"):
        book.create_sheet(name)["A1"] = "x"
    assert plan_of(saved(book)).remarks == []
    book.copy_worksheet(book["Data"]).title = "二月"
    plan = plan_of(saved(book))
    assert plan.count("new") == 1
    assert plan.remarks == ["Other sheets are not read: 二月."]


def test_a_name_that_stands_above_two_columns_is_refused(records: Flask) -> None:
    with pytest.raises(Refused, match="“name” names two columns"):
        plan_of(b"code,name,name\nK-1,One,Two\n", "customers", "k.csv")


def test_a_row_of_text_with_more_cells_than_heads_is_refused(records: Flask) -> None:
    """Of 350,5 kg of cement and 175 of water, 5 kg would be the water and 175 nobody's."""
    plan = plan_of(b"code,cement_kg_m3,water_kg_m3\nM-1,350,5,175\nM-2,350,175,,\n", name="m.csv")
    (refusal,) = plan.refusals()
    assert (refusal.cell, refusal.value) == ("A2", "175")
    assert "has 4 cells and the row of heads 3" in refusal.message
    assert plan.rows[1].outcome == "new"


def test_a_name_that_several_records_have_is_refused_with_what_tells_them_apart(records: Flask) -> None:
    for code in ("R1", "R2"):
        SERVICES["regions"].add({"code": code, "name": "West"}, ACTOR)
    (refusal,) = plan_of(b"code,name,region_id\nK-1,One,West\n", "customers", "k.csv").refusals()
    assert refusal.message == "names several records of “Region”; accepted: its code"


def test_days_of_both_calendars_are_the_same_day(records: Flask) -> None:
    from lims.base.services import SERVICES

    SERVICES["cement-products"].add({"code": "P", "name": "P"}, ACTOR)
    for mac in (False, True):
        for raw in (False, True):
            book, sheet = filled_book("cement-lots", {"code": f"L{mac}{raw}", "cement_product_id": "P"})
            if mac:
                book.epoch = CALENDAR_MAC_1904
            cell = sheet[f"{letter_of('cement-lots', 'produced_on')}{FIRST}"]
            cell.value = datetime(2026, 3, 28) if not raw else 44647 if mac else 46109  # noqa: DTZ001
            import_file("lots.xlsx", saved(book), ACTOR, template="cement-lots")
    days = set(current_session().query(CementLot.produced_on).all())
    assert len(days) == 1
    assert str(days.pop()[0]) == "2026-03-28"


def test_blank_is_not_zero_and_a_blank_leaves_what_is_stored(records: Flask) -> None:
    import_file("a.xlsx", filled("mixes", {**RECIPE, "slump_mm": 180}), ACTOR, template="mixes")
    design = current_session().query(MixDesign).one()
    kinds = {part.kind for part in design.revisions[0].components}
    assert kinds == {"cement", "water"}
    plan = plan_of(filled("mixes", {"code": "M-1", "cement_kg_m3": 300, "water_kg_m3": 170}))
    assert plan.changes_nothing
    sieves = plan_of(
        filled(
            "aggregate-samples",
            {"code": "S", "aggregate_source_id": "X", "sampled_on": "2026-03-01", "retained_pan_g": 5},
        ),
        "aggregate-samples",
    )
    assert any("accepted" in item.message for item in sieves.refusals())


def test_duplicates_in_the_file_and_against_the_database_are_told(records: Flask) -> None:
    a_customer("K-1", name="One")
    content = filled(
        "customers",
        {"code": "K-1", "name": "One"},
        {"code": "K-2", "name": "Two"},
        {"code": "K-2", "name": "Deux"},
    )
    plan = plan_of(content, "customers")
    assert [row.outcome for row in plan.rows] == ["same", "new", "refused"]
    assert "row 7" in plan.refusals()[0].message


def test_one_refused_cell_keeps_everything_out(records: Flask) -> None:
    content = filled("customers", {"code": "K-1", "name": "One"}, {"code": "K 2", "name": "Two"})
    with pytest.raises(NotApplied) as refusal:
        import_file("k.xlsx", content, ACTOR, template="customers")
    assert refusal.value.problems[0].field == f"Data A{FIRST + 1}"
    from lims.customers.models import Customer

    assert current_session().query(Customer).count() == 0
    assert current_session().query(ImportRow).count() == 0
    assert current_session().query(ImportRun).one().state == "uploaded"


def test_text_never_becomes_a_formula_in_what_we_write(records: Flask) -> None:
    for number, text in enumerate(("=1+1", "+49 23", "-x", "@SUM(A1)", "\t=2", "=cmd|' /C calc'!A0")):
        a_customer(f"K-{number}", name=text if text.strip() == text else "plain", notes=text)
    content = export_template("customers")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Data"]
    assert sheet[f"B{FIRST}"].value == "=1+1"
    assert sheet[f"B{FIRST}"].data_type == "s"
    assert sheet[f"B{FIRST}"].quotePrefix
    assert plan_of(content, "customers").changes_nothing
    plan = plan_of(b"code,name,kind\nK 1,=1+1,=2\n", "customers", "k.csv")
    marked = marked_workbook(plan, None)
    with zipfile.ZipFile(io.BytesIO(marked)) as archive:
        assert all(
            b"<f>" not in archive.read(n) for n in archive.namelist() if n.startswith("xl/worksheets/")
        )


def test_marked_copy_that_is_read_again_says_what_the_original_said(records: Flask) -> None:
    """Of a file whose looks are not kept: an .xls, a large one, one that a job read."""
    SERVICES["aggregate-sources"].add({"code": "S", "name": "S"}, ACTOR)
    row = {"aggregate_source_id": "S", "sampled_on": 44647, "moisture_percent": 0.3, "mud_percent": "=1+1"}
    rows = [{**row, "code": "S 1"}, {"code": "S-2", "sampled_on": 44648, "clay_lumps_percent": 0.2}]
    book, sheet = filled_book("aggregate-samples", *rows)
    book.epoch = CALENDAR_MAC_1904
    at = {name: letter_of("aggregate-samples", name) for name in (*row, "clay_lumps_percent")}
    sheet[f"{at['moisture_percent']}{FIRST}"].number_format = "0%"
    error = sheet[f"{at['clay_lumps_percent']}{FIRST}"]
    error.value, error.data_type = "#N/A", "e"
    source = at["aggregate_source_id"]
    sheet.merge_cells(f"{source}{FIRST}:{source}{FIRST + 1}")
    first = plan_of(saved(book), "aggregate-samples")
    again = plan_of(marked_workbook(first, None), "aggregate-samples")
    assert [row.values for row in again.rows] == [row.values for row in first.rows]
    assert [item.cell for item in again.refusals()] == [item.cell for item in first.refusals()]
    assert first.rows[0].values["moisture_percent"] == Decimal(30)
    assert first.rows[1].values["aggregate_source_id"] == 1


def test_marked_copy_of_a_file_whose_name_no_sheet_may_have_is_marked(records: Flask) -> None:
    plan = plan_of(b"code,name\nK 1,One\n", "customers", "export[1].csv")
    marked = openpyxl.load_workbook(io.BytesIO(marked_workbook(plan, None))).worksheets[0]
    assert "not a code" in marked["A2"].comment.text


def test_marked_copy_keeps_its_looks_where_its_file_asks_for_little(records: Flask) -> None:
    book, sheet = filled_book("customers", {"code": "K 1", "name": "One"})
    sheet.column_dimensions["B"].width = 47
    sheet.add_image(Image(io.BytesIO(a_picture("PNG"))), "H2")
    content = saved(book)
    marked = marked_workbook(plan_of(content, "customers"), content)
    again = openpyxl.load_workbook(io.BytesIO(marked))
    assert again["Data"].column_dimensions["B"].width == 47
    assert "not a code" in again["Data"][f"A{FIRST}"].comment.text
    assert [cell.value for cell in again["Refused 未通过"][2]][:2] == ["Data", f"A{FIRST}"]
    assert parts_of(marked)["xl/media/image1.png"] == parts_of(content)["xl/media/image1.png"]


# --- files that are made to harm -----------------------------------------------------------------------------------


def spent(content: bytes) -> tuple[str, float, float]:
    """(what was said, seconds, MB that the reader held)."""
    begun = time.perf_counter()
    ran = subprocess.run(READS, input=order_of(AT_ONCE) + content, capture_output=True, check=False)
    answer = json.loads(ran.stdout.splitlines()[-1]) if ran.stdout else {"refused": "died", "peak_kb": 0}
    try:
        read_book("x.xlsx", content)
        said = ""
    except Refused as error:
        said = str(error)
    assert said or "refused" not in answer
    return said, time.perf_counter() - begun, answer["peak_kb"] / 1000


def packed(parts: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return made.getvalue()


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip_bomb_is_refused_before_it_unpacks(records: Flask) -> None:
    parts = parts_of(workbook([["a", "b"], [1, 2]]))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            with archive.open(name, "w", force_zip64=True) as target:
                target.write(part)
                for _chunk in range(629 if name.endswith("sheet1.xml") else 0):
                    target.write(b" " * 1_000_000)
    content = made.getvalue()
    assert len(content) < 1_000_000
    said, _seconds, megabytes = spent(content)
    assert "unpacks" in said
    assert megabytes <= 200


def test_a_zip_that_lies_about_its_size_is_counted_while_it_unpacks(records: Flask) -> None:
    parts = parts_of(workbook([["a", "b"], [1, 2]]))
    parts["xl/worksheets/sheet1.xml"] += b" " * 100_000_000
    content = bytearray(packed(parts))
    size = len(parts["xl/worksheets/sheet1.xml"]).to_bytes(4, "little")
    while (at := content.find(size)) >= 0:
        content[at : at + 4] = (1000).to_bytes(4, "little")
    said, _seconds, megabytes = spent(bytes(content))
    assert said
    assert megabytes <= 200


@pytest.mark.parametrize("reference", ["XFD1048576", "A1048576", "XFD1"])
def test_a_cell_far_away_does_not_make_the_reader_allocate_the_whole_sheet(
    records: Flask, reference: str
) -> None:
    parts = parts_of(workbook([["a", "b"], [1, 2]]))
    sheet = parts["xl/worksheets/sheet1.xml"]
    row = "".join(sign for sign in reference if sign.isdigit())
    far = f'<row r="{row}"><c r="{reference}"><v>1</v></c></row></sheetData>'.encode()
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", far)
    said, _seconds, megabytes = spent(packed(parts))
    assert said
    assert megabytes <= 200


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="XFD1048576"><v>1</v></c>',
        b"<c r='XFD1048576'><v>1</v></c>",
        b'<c s="1" r="XFD1048576"><v>1</v></c>',
        b'<c\n r="XFD1048576"/>',
        b'<x:c r="XFD1048576"><v>1</v></x:c>',
    ],
)
def test_a_cell_far_away_is_seen_however_it_is_written(cell: bytes) -> None:
    usual = b'<row r="1" hidden="1"><c r="A1"><v>1</v></c></row>'
    assert marks(b"<sheetData>" + usual + b"</sheetData>", 100)["hidden_rows"] == [1]
    with pytest.raises(Unfit) as refused:
        marks(b"<sheetData>" + usual + b'<row r="2">' + cell + b"</row></sheetData>", 100)
    assert refused.value.reason == "large"


def test_cells_without_a_place_are_counted() -> None:
    with pytest.raises(Unfit) as refused:
        marks(b"<sheetData><row>" + b"<c><v>1</v></c>" * 200 + b"</row></sheetData>", 100)
    assert refused.value.reason == "large"


def a_refused_row(part: str, begin: str, more: bytes) -> bytes:
    """A workbook with one refused row, and something more in this part, before this."""
    parts = parts_of(filled("customers", {"code": "K 1", "name": "One"}))
    parts[part] = parts[part].replace(begin.encode(), more + begin.encode(), 1)
    return packed(parts)


SHEET = "xl/worksheets/sheet1.xml"
LINKED = b'<hyperlinks><hyperlink ref="A1:XFD1048576" location="x"/></hyperlinks>'
MERGED = b'<mergeCells count="1"><mergeCell ref="A9:XFD1048576"/></mergeCells>'


@pytest.mark.parametrize(
    ("part", "begin", "more"),
    [
        (SHEET, "<pageMargins", MERGED),
        (SHEET, "<pageMargins", LINKED),
        ("xl/styles.xml", "</cellXfs>", b"<xf/>" * 1_000_000),
    ],
    ids=["a merged sheet", "a linked sheet", "a million styles"],
)
def test_marked_copy_of_a_file_that_asks_for_gigabytes_has_its_values_and_costs_the_server_little(
    records: Flask, part: str, begin: str, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lims.importing.sheets.MARKING", {"memory_bytes": 300_000_000, "cpu_seconds": 5})
    content = a_refused_row(part, begin, more)
    plan = plan_of(content, "customers")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    marked = marked_workbook(plan, content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    again = openpyxl.load_workbook(io.BytesIO(marked))
    assert "not a code" in again["Data"][f"A{FIRST}"].comment.text
    assert again["Data"][f"B{FIRST}"].value == "One"


def test_picture_that_another_program_would_draw_starts_none_and_is_not_in_the_marked_copy(
    records: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {started}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    book, sheet = filled_book("customers", {"code": "K 1", "name": "One"})
    sheet.add_image(Image(io.BytesIO(a_picture("PNG"))), "H2")
    parts = parts_of(saved(book))
    parts["xl/media/image1.png"] = (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\nshowpage\n"
    )
    content = packed(parts)
    marked = marked_workbook(plan_of(content, "customers"), content)
    assert not started.exists()
    assert not [name for name in parts_of(marked) if name.startswith("xl/media/")]
    assert "not a code" in openpyxl.load_workbook(io.BytesIO(marked))["Data"][f"A{FIRST}"].comment.text


def test_ranges_that_no_sheet_can_have_are_not_merged_and_all_others_are(records: Flask) -> None:
    """Twenty thousand times all of a sheet took minutes; a range that ends before it begins, another into any size."""
    book, sheet = filled_book("customers", *({"code": f"K {n}", "name": "One"} for n in range(3)))
    sheet.merge_cells(f"E{FIRST}:F{FIRST + 1}")
    whole = b"".join(b'<mergeCell ref="A%d:XFD20000"/>' % (n % 5 + 1) for n in range(20_000))
    parts = parts_of(saved(book))
    parts[SHEET] = parts[SHEET].replace(b"</mergeCells>", whole + b"</mergeCells>")
    begun = time.perf_counter()
    (read,) = read_book("x.xlsx", packed(parts)).sheets
    assert read.merged[0] == (FIRST - 1, 4, FIRST, 5)
    assert len(read.merged) <= 2
    plan_of(packed(parts), "customers")
    assert time.perf_counter() - begun < 20
    text = "<table:table-cell office:value-type='string'><text:p>K 1</text:p></table:table-cell>"
    odd = (
        f"<table:table-cell table:number-rows-spanned='{down}' table:number-columns-spanned='{across}'/>"
        for down, across in (
            ("-1000000000000", "1000"),
            ("0", "1"),
            ("1048577", "1"),
            ("1", "90000"),
            ("1", "2"),
        )
    )
    content = ods("".join(odd) + text)
    (read,) = read_book("x.ods", content).sheets
    assert read.merged == ((0, 4, 0, 5),)


def test_lines_beyond_those_that_are_read_are_not_kept(records: Flask) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="has more than 20000 rows"):
            read_book("x.csv", b"\n" * 3_000_000)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


def test_entities_and_doctypes_are_refused(records: Flask) -> None:
    parts = parts_of(workbook([["a", "b"], [1, 2]]))
    parts["xl/sharedStrings.xml"] = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><sst><si><t>&b;</t></si></sst>'
    )
    assert spent(packed(parts))[0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.xlsx", b""),
        ("x.xlsx", b"PK\x03\x04"),
        ("x.xlsx", b"not a workbook"),
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000),
        ("x.pdf", b"%PDF"),
        ("x.csv", b"\x00\x01\x02"),
        ("x.csv", b'a,b\n"1,2\n'),
        ("x.csv", b"\xff\xfe\xff"),
        ("x", b"a,b\n1,2"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence(records: Flask, name: str, content: bytes) -> None:
    with pytest.raises(Refused):
        read_book(name, content)


def test_a_workbook_with_a_password_says_so(records: Flask) -> None:
    from lims.importing.workbooks import _unfit

    assert "password" in str(_unfit("protected", "", "x.xlsx"))


def test_more_rows_than_one_waits_for_are_left_to_a_job(records: Flask) -> None:
    text = "code,name\n" + "".join(f"K-{n},N\n" for n in range(20_001))
    with pytest.raises(TooLarge):
        read_book("k.csv", text.encode())


def test_old_excel_and_text_of_four_encodings_are_read(records: Flask) -> None:
    old = Path(__file__).parents[2] / "lims" / "importing" / "data" / "uci_Concrete_Data.xls"
    book = read_book("uci.xls", old.read_bytes())
    assert len(book.sheets[0].rows) == 1031
    simplified, traditional = (
        "编号,客户名称,备注\nK-1,江北混凝土搅拌站,试验混凝土强度\n",
        "編號,客戶名稱,備註\nK-1,江北混凝土攪拌站,試驗混凝土強度\n",
    )
    for encoding, text in (
        ("utf-8", simplified),
        ("utf-8-sig", simplified),
        ("gb18030", simplified),
        ("big5", traditional),
        ("utf-16", traditional),
    ):
        found = read_book("k.csv", text.encode(encoding))
        assert found.sheets[0].rows[1][1] == text.splitlines()[1].split(",")[1], encoding


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(records: Flask, sign: str) -> None:
    text = sign.join(["code", "name", "phone"]) + "\n" + sign.join(["K-1", "One", "023"]) + "\n"
    assert read_book("k.csv", text.encode()).sheets[0].rows[1] == ["K-1", "One", "023"]


def test_a_large_honest_file_is_read_within_its_time_and_memory(records: Flask) -> None:
    rows = [["Mix", "Age", "Strength"], *([f"M-{n}", 28, n % 50 + 0.5] for n in range(19_000))]
    said, seconds, megabytes = spent(workbook(rows))
    assert said == ""
    assert megabytes <= 200
    assert seconds <= 20  # a busy machine; make bench-workbooks measures it alone
