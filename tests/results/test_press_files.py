"""Files of compression machines: read by a mapping, entered when a set is whole, waiting otherwise, never twice."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from flask import Flask
from markupsafe import escape

from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.results.models import Break, PressFile, PressRow, SetResult
from lims.results.press_files import Outcome, read_file, settle
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, result_of
from lims.trials.short_codes import short_code
from lims.web.watch import watch
from tests.conftest import Person
from tests.factories import ACTOR, a_batch

HEAD = "试件编号,最大荷载(kN),试验时间,试验员"
CHINESE = {
    "code": "YES-2000",
    "encoding": "gb18030",
    "code_column": "试件编号",
    "load_column": "最大荷载(kN)",
    "time_column": "试验时间",
    "time_format": "%Y-%m-%d %H:%M:%S",
    "tester_column": "试验员",
}


def a_mapping(**more: Any) -> Any:
    return SERVICES["press-mappings"].add({**CHINESE, **more}, ACTOR)


def the_set(batch: Any) -> Any:
    return next(item for item in batch.sets if item.age_days == 3)


def now_text() -> str:
    return f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"  # the laboratory's clock


def lines(codes: list[str], loads: tuple[str, ...] = ("424", "401", "396"), head: str = HEAD) -> bytes:
    stamp = now_text()
    rows = [f"{code},{load},{stamp},王工" for code, load in zip(codes, loads, strict=False)]
    return ("\n".join([head, *rows]) + "\n").encode("gb18030")


def codes_of(found: Any) -> list[str]:
    return [specimen.code for specimen in found.specimens]


def test_gb18030_file_enters_a_whole_set_with_its_person_and_time(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    outcome = read_file(a_mapping().id, "day.csv", lines(codes_of(found)), ACTOR)
    assert (outcome.sets, outcome.used, outcome.waiting) == (1, 3, 0)
    result = result_of(found.id)
    assert result is not None
    assert result.strength_mpa == Decimal("18.1")
    assert {item.tested_by for item in current_session().query(Break)} == {"王工"}


def test_same_file_and_the_same_rows_in_another_file_change_nothing(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    mapping, content = a_mapping(), lines(codes_of(found))
    read_file(mapping.id, "day.csv", content, ACTOR)
    assert read_file(mapping.id, "copy.csv", content, ACTOR).again
    longer = read_file(mapping.id, "day2.csv", content + b"\n", ACTOR)
    assert (longer.sets, longer.known) == (0, 3)
    assert current_session().query(SetResult).count() == 1
    assert current_session().query(Break).count() == 3


def test_set_is_entered_when_its_last_load_comes_in_a_later_file(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    mapping, codes = a_mapping(), codes_of(found)
    first = read_file(mapping.id, "a.csv", lines(codes[:2]), ACTOR)
    assert (first.sets, first.waiting) == (0, 2)
    assert "2 of 3" in str(current_session().query(PressRow).first().message)
    assert result_of(found.id) is None
    assert read_file(mapping.id, "b.csv", lines(codes[2:], ("396",)), ACTOR).sets == 1


def test_unknown_code_waits_in_the_tray_until_someone_says_what_it_is(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    mapping, codes = a_mapping(), codes_of(found)
    outcome = read_file(mapping.id, "a.csv", lines([*codes[:2], "B26-WRONG"]), ACTOR)
    assert (outcome.sets, outcome.waiting) == (0, 3)
    stray = current_session().query(PressRow).filter_by(code="B26-WRONG").one()
    with pytest.raises(Refused, match="no specimen"):
        settle(stray.id, {"code": "B26-ALSO-WRONG"}, ACTOR)
    assert settle(stray.id, {"code": codes[2]}, ACTOR).state == "used"
    assert result_of(found.id) is not None


def test_row_is_put_away_with_a_reason_and_only_once(records_on_both: Flask) -> None:
    read_file(a_mapping().id, "a.csv", lines(["TRIAL-PIECE"]), ACTOR)
    row = current_session().query(PressRow).one()
    with pytest.raises(Refused):
        settle(row.id, {}, ACTOR)
    assert settle(row.id, {"reason": "trial run of the press"}, ACTOR).state == "dismissed"
    with pytest.raises(Refused, match="settled"):
        settle(row.id, {"reason": "again"}, ACTOR)


def test_row_that_could_not_be_settled_stands_in_the_tray_with_what_was_typed(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        read_file(a_mapping().id, "a.csv", lines(["TRIAL-PIECE"]), ACTOR)
        row_id = current_session().query(PressRow).one().id
    for typed, message in (
        ({"code": "B26-<WRONG>"}, "no specimen has this code"),
        ({"reason": "x" * 401}, "400"),
        ({"code": ""}, "give the specimen&#39;s code"),
    ):
        answer = technician.post(f"/press/tray/{row_id}", typed)
        page = answer.get_data(as_text=True)
        assert answer.status_code == 422
        assert message in page
        assert f'value="{escape(next(iter(typed.values())))}"' in page
    technician.post(f"/press/tray/{row_id}", {"reason": "trial run of the press"})
    answer = technician.post(f"/press/tray/{row_id}", {"reason": "again"})
    assert answer.status_code == 422
    assert "is settled already" in answer.get_data(as_text=True)


def test_short_codes_of_labels_name_specimens_too(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    shorts = [short_code(specimen.id) for specimen in found.specimens]
    assert read_file(a_mapping().id, "a.csv", lines(shorts), ACTOR).sets == 1


@pytest.mark.parametrize(
    ("unit", "loads"),
    [
        ("N", ("424000", "401000", "396000")),
        ("tf", ("43.236", "40.891", "40.381")),
        ("lbf", ("95319", "90148", "89024")),
        ("kgf", ("43236", "40891", "40381")),
    ],
)
def test_other_units_give_the_same_strength(
    records_on_both: Flask, unit: str, loads: tuple[str, ...]
) -> None:
    found = the_set(a_batch("40"))
    read_file(a_mapping(load_unit=unit).id, "a.csv", lines(codes_of(found), loads), ACTOR)
    result = result_of(found.id)
    assert result is not None
    assert result.strength_mpa == Decimal("18.1")


def test_semicolons_and_decimal_commas_are_read_as_the_mapping_says(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    mapping = a_mapping(
        delimiter="semicolon",
        decimal_mark=",",
        encoding="utf-8-sig",
        header_row="2",
        time_column=None,
        tester_column=None,
    )
    rows = [
        f"{code};{load}" for code, load in zip(codes_of(found), ("1.424,5", "1.401,0", "1.396"), strict=True)
    ]
    content = ("﻿Press 7\n试件编号;最大荷载(kN)\n" + "\n".join(rows)).encode()
    assert read_file(mapping.id, "a.csv", content, ACTOR).sets == 1
    loads = [item.load_kn for item in current_session().query(Break).order_by(Break.id)]
    assert loads == [Decimal("1424.5"), Decimal(1401), Decimal(1396)]


def test_workbook_of_a_press_is_read_like_its_text(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    for code, load in zip(codes_of(found), (424, 401.0, 396), strict=True):
        sheet.append([code, load, datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=8), "Li"])
    file = io.BytesIO()
    book.save(file)
    assert read_file(a_mapping().id, "day.xlsx", file.getvalue(), ACTOR).sets == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "looks for names in row 1"),
        (b"a,b\n1,2\n", "has no column"),
        (b"PK\x03\x04 broken", "no workbook"),
        (b"\xff\xff\xff\xff", "not text"),
        (b"x" * 10_000_001, "larger than"),
    ],
)
def test_file_that_does_not_fit_the_mapping_is_refused_and_leaves_nothing(
    records_on_both: Flask, content: bytes, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        read_file(a_mapping(encoding="utf-8-sig").id, "a.csv", content, ACTOR)
    assert current_session().query(PressFile).count() == 0


def test_load_that_is_no_number_waits_with_its_reason(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    outcome: Outcome = read_file(
        a_mapping().id, "a.csv", lines(codes_of(found), ("424", "4O1", "396")), ACTOR
    )
    assert (outcome.sets, outcome.waiting) == (0, 3)
    assert any("4O1" in str(row.message) for row in current_session().query(PressRow))


def test_values_that_were_typed_meanwhile_are_not_overwritten(app: Flask, technician: Person) -> None:
    with app.app_context():
        found = the_set(a_batch("40"))
        set_id, content, mapping_id = found.id, lines(codes_of(found), ("500", "501", "502")), a_mapping().id
    technician.post(
        f"/press/sets/{set_id}",
        {"load_1": "424", "load_2": "401", "load_3": "396", "tested_at": now_text()[:16].replace(" ", "T")},
    )
    answer = technician.post(
        "/press/tray",
        {"mapping": str(mapping_id), "file": (io.BytesIO(content), "day.csv")},
        content_type="multipart/form-data",
    )
    assert answer.status_code == 302
    page = technician.get("/press/tray").get_data(as_text=True)
    assert "entered already with 424, 401, 396" in page


def test_file_with_the_loads_that_were_typed_already_is_used_and_says_what_differs(
    records_on_both: Flask,
) -> None:
    found = the_set(a_batch("40"))
    typed = {"loads_kn": ["424", "401", "396"], "tested_at": datetime.now(UTC).isoformat(), "remark": "dry"}
    record_set(found.id, SetBreaksIn.read(typed), ACTOR)
    outcome = read_file(a_mapping().id, "day.csv", lines(codes_of(found)), ACTOR)
    assert (outcome.sets, outcome.used, outcome.waiting) == (0, 3, 0)
    for row in current_session().query(PressRow):
        assert (row.state, str(row.message)[-17:]) == ("used", "Tested at, Remark")
    assert {item.remark for item in current_session().query(Break)} == {"dry"}


def test_watched_folder_reads_each_file_once(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        found = the_set(a_batch("40"))
        content = lines(codes_of(found))
        a_mapping()
        data = app.config["LIMS_DATA"]
    folder = tmp_path / "press"
    folder.mkdir()
    (folder / "day.csv").write_bytes(content)
    (folder / "notes.docx").write_bytes(b"not for us")
    (folder / "broken.csv").write_bytes(b"a,b\n")
    monkeypatch.setenv("LIMS_DATA", str(data))
    arguments = [str(folder), "--mapping", "YES-2000", "--once"]
    first = CliRunner().invoke(watch, arguments)
    assert "day.csv: 1 sets entered" in first.output
    assert "broken.csv: not read" in first.output
    assert "day.csv: read before" in CliRunner().invoke(watch, arguments).output
    assert CliRunner().invoke(watch, [str(folder), "--mapping", "nobody", "--once"]).exit_code == 2
