"""`lims export`: the summary and any list into a file; what is wrong is said in a sentence."""

from __future__ import annotations

import csv
import errno
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from flask import Flask

from lims.base.exports import SheetWriter
from lims.base.problems import Refused
from lims.cli import sentence_of_the_place
from lims.importing.imports import look
from lims.reporting.commands import export
from tests.factories import ACTOR, a_customer
from tests.prepared import begun_with
from tests.reporting.production import worked_answer


@pytest.fixture
def data(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Path:
    with app.app_context():
        begun_with(worked_answer)
    monkeypatch.setenv("LIMS_DATA", str(app.config["LIMS_DATA"]))
    return Path(app.config["LIMS_DATA"])


def run(*arguments: str) -> str:
    done = CliRunner().invoke(export, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(export, arguments)
    assert done.exit_code != 0
    if isinstance(done.exception, Refused):
        return str(done.exception)
    return done.output


def test_summary_of_a_period(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "half-year.xlsx"
    said = run(
        "summary", "--from", "2026-01-01", "--to", "2026-06-30", "--grade", "C30", "--output", str(target)
    )
    assert "10 results" in said
    book = openpyxl.load_workbook(target)
    assert book["By grade"]["A2"].value == "C30"
    run("summary", "--from", "2027-01-01", "--output", str(target), "--language", "zh")
    assert openpyxl.load_workbook(target).sheetnames[0] == "说明"


def test_breaks_as_csv_and_workbook(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "breaks.csv"
    assert "30 rows" in run(
        "breaks", "--output", str(target), "--order", "-strength_mpa", "--columns", "specimen,strength_mpa"
    )
    rows = list(csv.reader(target.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["Specimen", "Strength (MPa)"]
    assert rows[1][1] == "43.1022" or float(rows[1][1]) == pytest.approx(43.1, abs=0.01)
    run(
        "set-results",
        "--output",
        str(tmp_path / "r.xlsx"),
        "--filter",
        "state=released",
        "--filter",
        "state=entered",
    )
    assert openpyxl.load_workbook(tmp_path / "r.xlsx").worksheets[0].max_row == 11


@pytest.mark.parametrize(("what", "name"), [("summary", "x.xlsx"), ("breaks", "x.xlsx"), ("breaks", "x.csv")])
def test_export_that_fails_on_its_way_leaves_what_stood_there_and_nothing_beside_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, name: str
) -> None:
    def full(*_given: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SheetWriter, "write", full)
    monkeypatch.setattr("lims.base.exports.format_decimal", full)  # of a row of CSV
    target = tmp_path / "out" / name
    target.parent.mkdir()
    target.write_text("of yesterday", encoding="utf-8")
    done = CliRunner().invoke(export, (what, "--output", str(target)))
    assert done.exception is not None
    assert sentence_of_the_place(done.exception) == "The system: No space left on device"
    assert target.read_text(encoding="utf-8") == "of yesterday"
    assert list(target.parent.iterdir()) == [target]


def test_what_is_stored_comes_out_as_the_import_reads_it(app: Flask, data: Path, tmp_path: Path) -> None:
    target = tmp_path / "stored.xlsx"
    run("template", "breaks", "--output", str(target))
    with app.app_context():
        plan = look(target.name, target.read_bytes(), ACTOR, template="breaks")
    assert (plan.count("same"), plan.refusals()) == (30, [])
    assert "'breaks'" in refused("template", "prices", "--output", str(target))


def test_mistakes_are_sentences(app: Flask, data: Path, tmp_path: Path) -> None:
    good = str(tmp_path / "x.xlsx")
    with app.app_context():
        for code in ("K-1", "K-2"):
            a_customer(code, name="Twin")
    assert "is the name of several; accepted: a code" in refused(
        "summary", "--output", good, "--customer", "Twin"
    )
    assert "ends in none of .xlsx, .csv" in refused("breaks", "--output", "x.pdf")
    assert "ends in none of .xlsx" in refused("summary", "--output", "x.csv")
    assert "there is no folder" in refused("breaks", "--output", "/nowhere/x.xlsx")
    assert "accepted: summary" in refused("moons", "--output", good)
    assert "accepted" in refused("breaks", "--output", good, "--order", "moon")
    assert "is not NAME=VALUE" in refused("breaks", "--output", good, "--filter", "moon")
    assert "is not a filter" in refused("breaks", "--output", good, "--filter", "moon=1")
    assert "is no column" in refused("breaks", "--output", good, "--columns", "password")
    assert "YYYY-MM-DD" in refused("summary", "--output", good, "--from", "2026-13-01")
    assert "ends before" in refused("summary", "--output", good, "--from", "2026-02-01", "--to", "2026-01-01")
    assert "none of this code" in refused("summary", "--output", good, "--region", "nowhere")
