"""The summary read back: figures, verdicts, native charts, filters; layouts that a laboratory changed."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask_babel import force_locale
from python_calamine import CalamineWorkbook

from lims.base.papers import REPORTS
from lims.base.problems import Refused
from lims.reporting.layouts import read_layout
from lims.reporting.schemas import SummaryFilters
from lims.reporting.workbook import write_summary
from tests.prepared import begun_with
from tests.reporting.production import ACCEPTED, a_production, worked_answer

EVIL = '=HYPERLINK("http://x")'


@pytest.fixture
def here(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        yield app


def made(language: str = "en", **given: Any) -> bytes:
    target = io.BytesIO()
    with force_locale(language):
        write_summary(
            target, SummaryFilters.read({"released": "true", "age_days": "28", **given}), "Chen Jing"
        )
    return target.getvalue()


def table(content: bytes, sheet: str) -> list[dict[str, Any]]:
    rows = list(openpyxl.load_workbook(io.BytesIO(content))[sheet].iter_rows(values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def facts(content: bytes, sheet: str) -> dict[str, str]:
    found = openpyxl.load_workbook(io.BytesIO(content))[sheet].iter_rows(values_only=True)
    return {row[0]: row[1] for row in found}


def charts(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        return [package.read(name).decode() for name in sorted(package.namelist()) if "charts/chart" in name]


def own_layout(app: Flask, text: str) -> Path:
    folder = Path(app.config["LIMS_DATA"]) / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "monthly-summary.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_golden_summary_of_the_worked_answer(here: Flask) -> None:
    begun_with(worked_answer)
    content = made(since="2026-01-01", until="2026-06-30")
    (row,) = table(content, "By grade")
    assert (row["Grade"], row["Grade (MPa)"]) == ("C30", 30)
    assert (row["Results"], round(row["Mean (MPa)"], 2), round(row["Standard deviation (MPa)"], 3)) == (
        10,
        38.43,
        2.199,
    )
    assert row["GB/T 50107"] == "accepted"
    assert row["GB/T 50107: rule"] == "GB/T 50107-2010 (gbt50107-2010/lot), statistical, σ0 unknown"
    assert row["ACI 318"] == "not judged: it judges cylinders, and these are cubes"
    assert row["ACI 318: rule"].startswith("ACI 318-19 (aci318/acceptance)")
    assert row["EN 206: rule"].startswith("EN 206:2013+A2:2021 (en206/initial)")
    checks = [item for item in table(content, "Verdicts") if item["Code"] == "GB/T 50107"]
    assert [(item["Value (MPa)"], item["Limit (MPa)"], item["Kept"]) for item in checks] == [
        (38.4, 32.875, "yes"),
        (35.2, 27, "yes"),
    ]
    raw = table(content, "Results")
    assert [item["Strength (MPa)"] for item in raw] == [float(value) for value in ACCEPTED]
    assert {item["Rule"] for item in raw} == {"gbt50081-2019/cube-set"}


def test_filters_of_the_page_stand_in_the_workbook(here: Flask) -> None:
    a_production(ACCEPTED[:3])
    told = facts(made(since="2026-01-01", grade_mpa="30"), "Summary")
    assert told["Tested from"] == "2026-01-01"
    assert told["Tested until"] == "all"
    assert told["Grade"] == "30 MPa"
    assert told["Only released results"] == "yes"
    assert told["Made by"] == "Chen Jing"
    assert "Asia/Shanghai" in told["Made at"]
    assert "gbt50107-2010/lot" in told["Decision rules"]
    assert "gbt50107-2010/lot" in told["Rules not confirmed by the laboratory"]


def test_charts_are_native_and_refer_to_cells(here: Flask) -> None:
    begun_with(worked_answer)
    found = charts(made())
    layout = read_layout("monthly-summary")
    assert len(found) == sum(len(sheet.charts) for sheet in layout.sheets)
    kinds = {kind for text in found for kind in re.findall(r"<c:(barChart|lineChart|scatterChart)>", text)}
    assert kinds == {"barChart", "lineChart", "scatterChart"}
    references = [ref for text in found for ref in re.findall(r"<c:f>([^<]+)</c:f>", text)]
    names = openpyxl.load_workbook(io.BytesIO(made())).sheetnames
    assert references
    assert all(ref.split("!")[0].strip("'") in names for ref in references)


def test_control_sheet_has_limits_means_sums_and_signals(here: Flask) -> None:
    a_production((*["38", "39"] * 4, "20"))
    rows = table(made(), "Control charts")
    assert len(rows) == 9
    assert rows[3]["Moving mean of four (MPa)"] == 38.5
    assert rows[3]["Group of four (MPa)"] == 38.5
    assert rows[4]["Group of four (MPa)"] is None
    assert rows[-1]["Sums below (MPa)"] > rows[-2]["Sums below (MPa)"]
    assert "rule 1, below" in rows[-1]["Signals"]
    assert rows[0]["Signals"] in {None, ""}


def test_other_reader_sees_the_same_numbers_and_chinese(here: Flask) -> None:
    begun_with(worked_answer)
    book = CalamineWorkbook.from_filelike(io.BytesIO(made("zh")))
    assert book.sheet_names[:2] == ["说明", "按强度等级"]
    grade = book.get_sheet_by_name("按强度等级").to_python()
    assert 10 in grade[1]
    assert book.get_sheet_by_name("原始数据").height == 11


def test_text_of_people_is_never_a_formula_in_cells_or_charts(here: Flask) -> None:
    from lims.base.services import SERVICES
    from tests.factories import ACTOR

    customer = SERVICES["customers"].add({"code": "K-1", "name": EVIL}, ACTOR)
    region = SERVICES["regions"].add({"code": "R-1", "name": EVIL}, ACTOR)
    a_production(ACCEPTED, customer_id=customer.id, region_id=region.id)
    own_layout(
        here, (REPORTS / "monthly-summary.toml").read_text(encoding="utf-8").replace('each = "series"', "")
    )
    content = made()
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in cells if cell.data_type == "f"] == []
    assert any(cell.value == EVIL for cell in cells)
    assert not any(
        "HYPERLINK" in ref for text in charts(content) for ref in re.findall(r"<c:f>([^<]+)<", text)
    )


def test_laboratory_changes_sheets_columns_titles_and_charts_without_code(here: Flask) -> None:
    begun_with(worked_answer)
    own_layout(
        here,
        """
file_name = "month"
[titles.mean_mpa]
en = "Average"
zh = "平均强度"
[[sheets]]
name = { en = "Only this", zh = "只此" }
shows = "groups"
by = "mix"
columns = ["n", "mean_mpa", "name"]
[[sheets.charts]]
kind = "line"
title = { en = "=Mine" }
x = "name"
y = ["mean_mpa"]
""",
    )
    content = made()
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["Only this"]
    assert [cell.value for cell in book["Only this"][1]] == ["Results", "Average (MPa)", "Name"]
    assert [cell.value for cell in book["Only this"][2]] == [10, 38.43, "C30-P"]
    (chart,) = charts(content)
    assert "lineChart" in chart
    assert "<c:f>Mine" not in chart
    zh = openpyxl.load_workbook(io.BytesIO(made("zh")))
    assert zh.sheetnames == ["只此"]
    assert zh["只此"]["B1"].value == "平均强度 (MPa)"
    assert openpyxl.load_workbook(io.BytesIO(made("zh_TW"))).sheetnames == ["只此"]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("file_name = ", "", "is not TOML"),
        ('file_name = "x"', "sheets", "is required"),
        ('file_name = "x"\nsheets = [{name = {en = "a"}, shows = "pie"}]', "sheets[1].shows", "groups"),
        (
            'file_name = "x"\nsheets = [{name = {en = "a"}, shows = "groups", by = "moon"}]',
            "sheets[1].by",
            "grade, region, customer, cement",
        ),
        (
            'file_name = "x"\nsheets = [{name = {en = "a"}, shows = "groups", by = "grade", columns = ["n", "price"]}]',
            "sheets[1].columns[2]",
            "mean_mpa",
        ),
        (
            'file_name = "x"\nsheets = [{name = {en = "a"}, shows = "results", colums = []}]',
            "sheets[1].colums",
            "is not a key",
        ),
        (
            'file_name = "x"\nsheets = [{name = {en = "a"}, shows = "months", '
            'charts = [{kind = "line", title = {en = "t"}, x = "day", y = ["mean_mpa"]}]}]',
            "sheets[1].charts[1].x",
            "month",
        ),
        (
            'file_name = "x"\nsheets = [{name = {en = "a", zh = "月"}, shows = "results"}, '
            '{name = {en = "b", zh = "月"}, shows = "months"}]',
            "",
            "two sheets are called “月”",
        ),
        (
            'file_name = "x"\nsheets = [{name = {en = "a/B"}, shows = "results"}, '
            '{name = {en = "A b"}, shows = "months"}]',
            "",
            "two sheets are called “a B”",
        ),
        ('file_name = "../x"\nsheets = [{name = {en = "a"}, shows = "results"}]', "file_name", "pattern"),
        (
            'file_name = "x"\nsheets = [{name = {en = "a"}, shows = "results"}]\n[titles.moon]\nen = "m"',
            "titles.moon",
            "accepted",
        ),
    ],
)
def test_wrong_layout_is_told_with_file_and_key(here: Flask, text: str, key: str, said: str) -> None:
    path = own_layout(here, text)
    with pytest.raises(Refused) as refusal:
        made()
    problem = refusal.value.problems[0]
    assert str(path) in problem.field
    assert key in problem.field
    assert said in problem.message


def test_empty_period_makes_a_workbook_without_rows(here: Flask) -> None:
    content = made()
    assert table(content, "By grade") == []
    assert facts(content, "Summary")["Results"] == "0"
