"""Files of compression machines: read by a mapping, entered when a set is whole, waiting otherwise, never twice."""

from __future__ import annotations

import io
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from flask import Flask
from markupsafe import escape
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from lims.base.actor import Actor, system_actor, user_actor
from lims.base.database import current_session, database
from lims.base.problems import Refused, Unavailable
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from lims.importing.watch import watch
from lims.results import press_files
from lims.results.models import Break, PressFile, PressRow, SetResult
from lims.results.press_files import Outcome, read_file, settle
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, result_of
from lims.trials.short_codes import short_code
from tests.conftest import Person
from tests.factories import ACTOR, a_batch
from tests.waiting import until

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


def with_a_cell(name: str) -> bytes:
    """A workbook of 5 kB whose one sheet ends at this cell."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    book.active[name] = 1
    book.save(file)
    return file.getvalue()


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


@pytest.mark.parametrize(
    ("actor", "tester"),
    [(system_actor("watch"), None), (user_actor(9, "Wang Gang"), "Wang Gang")],
    ids=["a program", "a person"],
)
def test_file_that_names_no_tester_was_tested_by_who_brought_it_and_by_no_program(
    records_on_both: Flask, actor: Actor, tester: str | None
) -> None:
    """A certificate would say that “watch” broke the cubes."""
    found = the_set(a_batch("40"))
    mapping = a_mapping(tester_column=None)
    assert read_file(mapping.id, "day.csv", lines(codes_of(found)), actor).sets == 1
    assert {item.tested_by for item in current_session().query(Break)} == {tester}


def test_who_settles_a_row_of_another_s_file_did_not_test_the_set(records: Flask) -> None:
    found = the_set(a_batch("40"))
    content = lines([*codes_of(found)[:2], "SMUDGED"])
    read_file(a_mapping(tester_column=None).id, "day.csv", content, system_actor("watch"))
    smudged = current_session().query(PressRow).filter_by(code="SMUDGED").one()
    settle(smudged.id, {"code": codes_of(found)[2]}, user_actor(9, "Wang Gang"))
    assert {item.tested_by for item in current_session().query(Break)} == {None}


def test_all_who_broke_specimens_of_a_set_are_named(records: Flask) -> None:
    found = the_set(a_batch("40"))
    names = iter(("王工", "李工", "王工"))
    rows = [
        f"{code},{load},{now_text()},{next(names)}"
        for code, load in zip(codes_of(found), (424, 401, 396), strict=True)
    ]
    read_file(a_mapping().id, "day.csv", "\n".join([HEAD, *rows]).encode("gb18030"), ACTOR)
    assert {item.tested_by for item in current_session().query(Break)} == {"王工, 李工"}


def test_set_that_two_presses_broke_waits_for_a_person(records: Flask) -> None:
    """The calibration of the first would have stood for all three."""
    found = the_set(a_batch("40"))
    presses = [SERVICES["presses"].add({"code": code, "name": "P"}, ACTOR).id for code in ("P-1", "P-2")]
    one, other = (a_mapping(code=f"M-{key}", press_id=key) for key in presses)
    codes = codes_of(found)
    read_file(one.id, "a.csv", lines(codes[:1]), ACTOR)
    assert read_file(other.id, "b.csv", lines(codes[1:], ("401", "396")), ACTOR).sets == 0
    (message,) = {row.message for row in current_session().query(PressRow)}
    assert message.startswith("Press: differs within the set")


def test_quotation_mark_that_is_never_closed_takes_no_rows_away(records: Flask) -> None:
    codes = codes_of(the_set(a_batch("40")))
    content = lines(codes[:1]).replace("王工".encode("gb18030"), b'"6 inch') + lines(codes[1:])
    with pytest.raises(Refused, match="no table that can be read"):
        read_file(a_mapping().id, "a.csv", content, ACTOR)
    assert current_session().query(PressFile).count() == 0


def test_number_that_its_own_mark_has_cut_in_two_is_no_load(records: Flask) -> None:
    """1,424.5 kN among commas: 1 kN, and a time that is none."""
    codes = codes_of(the_set(a_batch("40")))
    content = lines(codes, ("1,424.5", "1,401", "1,396"), "试件编号,最大荷载(kN)")
    mapping = a_mapping(time_column=None, tester_column=None)
    outcome = read_file(mapping.id, "a.csv", content, ACTOR)
    assert (outcome.sets, outcome.waiting) == (0, 3)
    row = current_session().query(PressRow).filter_by(code=codes[0]).one()
    assert "has 5 cells and the row of heads 2" in str(row.message)
    with pytest.raises(Refused, match="no load that can be read"):
        settle(row.id, {"code": codes[0]}, ACTOR)


def test_row_whose_time_cannot_be_read_is_not_one_of_now(records: Flask) -> None:
    codes = codes_of(the_set(a_batch("40")))
    wrong = a_mapping(time_format="%d.%m.%Y %H:%M")
    assert read_file(wrong.id, "a.csv", lines(codes), ACTOR).waiting == 3
    row = current_session().query(PressRow).filter_by(code=codes[0]).one()
    with pytest.raises(Refused, match="no time that can be read"):
        settle(row.id, {"code": codes[0]}, ACTOR)


def test_mapping_that_was_put_away_reads_no_file(records: Flask) -> None:
    mapping = a_mapping()
    SERVICES["press-mappings"].retire(mapping.id, ACTOR)
    with pytest.raises(Refused, match="is out of use"):
        read_file(mapping.id, "a.csv", lines(["STRAY"]), ACTOR)
    assert current_session().query(PressFile).count() == 0


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


def test_two_loads_of_one_specimen_wait_until_one_of_them_is_put_away_or_is_another_s(records: Flask) -> None:
    first, second = a_batch("120", plan_ages="3").sets[:2]
    mapping, codes = a_mapping(), codes_of(first)
    twice = lines([codes[0], *codes, codes[1]], ("242", "424", "401", "396", "401"))
    assert read_file(mapping.id, "a.csv", twice, ACTOR).sets == 0
    rows = current_session().query(PressRow).order_by(PressRow.id).all()
    said = f"{codes[0]} has several loads here: 242, 424 kN"
    assert {str(row.message).partition(";")[0] for row in rows} == {said}
    assert settle(rows[0].id, {"reason": "trial run of the press"}, ACTOR).state == "dismissed"
    assert [item.load_kn for item in current_session().query(Break).order_by(Break.id)] == [424, 401, 396]
    assert {row.state for row in rows[1:]} == {"used"}  # the same load once more is one test
    codes = codes_of(second)
    assert (
        read_file(mapping.id, "b.csv", lines([codes[0], *codes[:2]], ("390", "424", "401")), ACTOR).sets == 0
    )
    mistaken = current_session().query(PressRow).filter_by(load_kn=Decimal(390)).one()
    assert settle(mistaken.id, {"code": codes[2]}, ACTOR).state == "used"
    assert result_of(second.id) is not None


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


@pytest.mark.parametrize("mark", [".", ","])
def test_workbook_of_a_press_is_read_like_its_text(records_on_both: Flask, mark: str) -> None:
    found = the_set(a_batch("40"))
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    # A number of a workbook has no mark; a text has that of the mapping.
    for code, load in zip(codes_of(found), (424.5, 401.0, f"396{mark}25"), strict=True):
        sheet.append([code, load, datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=8), "Li"])
    sheet.append([None, None, None, None, "below the table"])
    settings = book.create_sheet("settings", 0)  # of the press's program, before what it shows
    settings.append(["press", "7"])
    settings.sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    assert read_file(a_mapping(decimal_mark=mark).id, "day.xlsx", file.getvalue(), ACTOR).sets == 1
    loads = [item.load_kn for item in current_session().query(Break).order_by(Break.id)]
    assert loads == [Decimal("424.5"), Decimal(401), Decimal("396.25")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "looks for names in row 1"),
        (b"a,b\n1,2\n", "has no column"),
        (b"PK\x03\x04 broken", "not a readable workbook"),
        (with_a_cell("XFD1048576"), "too many cells"),
        (b"\xff\xff\xff\xff", "not text"),
        (b"x" * 10_000_001, "larger than"),
    ],
    ids=["empty", "no column", "broken zip", "a cell at the end of a sheet", "no text", "too large"],
)
def test_file_that_does_not_fit_the_mapping_is_refused_and_leaves_nothing(
    records_on_both: Flask, content: bytes, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        read_file(a_mapping(encoding="utf-8-sig").id, "a.csv", content, ACTOR)
    assert current_session().query(PressFile).count() == 0


def test_rows_beyond_those_that_are_read_are_counted_and_not_kept(records: Flask) -> None:
    mapping = a_mapping(encoding="utf-8-sig")
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="has 2000000 rows; accepted: up to 20000"):
            read_file(mapping.id, "a.csv", b"\n" * 2_000_000, ACTOR)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000


def test_load_that_is_no_number_waits_with_its_reason(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    outcome: Outcome = read_file(
        a_mapping().id, "a.csv", lines(codes_of(found), ("424", "4O1", "396")), ACTOR
    )
    assert (outcome.sets, outcome.waiting) == (0, 3)
    assert any("4O1" in str(row.message) for row in current_session().query(PressRow))


@contextmanager
def second_set_fails(app: Flask) -> Iterator[None]:
    """The database goes away when the second result is written."""
    engine, written = app.extensions["lims.database"].engine, []

    def goes_away(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO set_results"):
            written.append(statement)
            if len(written) == 2:
                raise OperationalError(statement, {}, Exception("server closed the connection"))

    event.listen(engine, "before_cursor_execute", goes_away)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", goes_away)


@pytest.mark.parametrize("grown", [False, True])
def test_file_that_was_entered_by_half_goes_on_when_it_is_sent_again(
    records_on_both: Flask, grown: bool
) -> None:
    batch = a_batch("120", plan_ages="3")
    first, second = (item.id for item in batch.sets[:2])
    codes = [code for item in batch.sets[:2] for code in codes_of(item)]
    mapping_id, content = a_mapping().id, lines(codes, ("424", "401", "396") * 2)
    with second_set_fails(records_on_both), pytest.raises(Unavailable):
        read_file(mapping_id, "day.csv", content, ACTOR)
    assert (result_of(first) is not None, result_of(second)) == (True, None)
    if grown:  # the press has written a line more
        content += lines(["TRIAL-PIECE"]).split(b"\n", 1)[1]
    outcome = read_file(mapping_id, "day.csv", content, ACTOR)
    assert (outcome.sets, outcome.used, outcome.waiting, outcome.again) == (1, 3, int(grown), not grown)
    assert result_of(second) is not None
    assert current_session().query(SetResult).count() == 2


def test_page_says_what_a_file_that_goes_on_has_entered(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = a_batch("120", plan_ages="3")
        codes = [code for item in batch.sets[:2] for code in codes_of(item)]
        mapping_id, content = a_mapping().id, lines(codes, ("424", "401", "396") * 2)

    def sent() -> str:
        given = {"mapping": str(mapping_id), "file": (io.BytesIO(content), "day.csv")}
        technician.post("/press/tray", given, content_type="multipart/form-data")
        return technician.get("/press/tray").get_data(as_text=True)

    with second_set_fails(app):
        sent()
    assert "1 sets entered, 0 rows wait, 6 rows were known." in sent()
    assert "This file was read before; nothing has changed." in sent()


@pytest.mark.parametrize("edited", [False, True])
def test_file_that_was_read_by_a_wrong_mapping_is_read_anew_by_the_right_one(
    records_on_both: Flask, edited: bool
) -> None:
    found = the_set(a_batch("40"))
    content = lines([*codes_of(found), "TRIAL-PIECE"], ("424000", "401000", "396000", "1000"))
    wrong = a_mapping()
    first = read_file(wrong.id, "day.csv", content, ACTOR)
    assert (first.sets, first.waiting) == (0, 4)
    if edited:
        right = SERVICES["press-mappings"].edit(wrong.id, {**CHINESE, "load_unit": "N"}, wrong.version, ACTOR)
    else:
        right = a_mapping(code="YES-2000-N", load_unit="N")
    outcome = read_file(right.id, "day.csv", content, ACTOR)
    assert (outcome.sets, outcome.waiting, outcome.again) == (1, 1, False)
    result = result_of(found.id)
    assert result is not None
    assert result.strength_mpa == Decimal("18.1")
    rows = current_session().query(PressRow).order_by(PressRow.id).all()
    assert [row.state for row in rows] == ["dismissed"] * 4 + ["used"] * 3 + ["waiting"]
    assert f"read again as {right.code}" in str(rows[0].message)
    assert read_file(right.id, "day.csv", content, ACTOR).again
    assert current_session().query(PressFile).count() == 1


def test_file_is_not_kept_as_read_by_a_mapping_that_was_put_right_while_it_was_read(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = the_set(a_batch("40"))
    mapping, content = a_mapping(), lines(codes_of(found), ("424000", "401000", "396000"))
    reads = press_files.table_of

    def put_right_meanwhile(content: bytes, mapping: Any) -> Any:
        monkeypatch.setattr(press_files, "table_of", reads)
        with records_on_both.app_context():
            SERVICES["press-mappings"].edit(mapping.id, {**CHINESE, "load_unit": "N"}, mapping.version, ACTOR)
        return reads(content, mapping)

    monkeypatch.setattr(press_files, "table_of", put_right_meanwhile)
    with pytest.raises(Unavailable):
        read_file(mapping.id, "day.csv", content, ACTOR)
    assert current_session().query(PressFile).count() == 0
    assert read_file(mapping.id, "day.csv", content, ACTOR).sets == 1


def test_specimen_that_a_person_gave_to_a_row_stays_when_the_file_is_read_anew(
    records_on_both: Flask,
) -> None:
    found = the_set(a_batch("40"))
    codes, mapping = codes_of(found), a_mapping()
    content = lines([codes[0], "SMUDGED", "UNKNOWN"])
    read_file(mapping.id, "day.csv", content, ACTOR)
    smudged = current_session().query(PressRow).filter_by(code="SMUDGED").one()
    assert settle(smudged.id, {"code": codes[1]}, ACTOR).state == "waiting"
    edited = SERVICES["press-mappings"].edit(
        mapping.id, {**CHINESE, "tester_column": ""}, mapping.version, ACTOR
    )
    read_file(edited.id, "day.csv", content, ACTOR)
    waiting = current_session().query(PressRow).filter_by(state="waiting").order_by(PressRow.number)
    assert [row.code for row in waiting] == [*codes[:2], "UNKNOWN"]
    assert read_file(edited.id, "later.csv", lines([codes[2]], ("396",)), ACTOR).sets == 1


@pytest.mark.parametrize("by_a_person", [True, False])
def test_watch_that_is_started_anew_leaves_the_mapping_that_a_person_chose(
    records_on_both: Flask, by_a_person: bool
) -> None:
    content = lines(["UNKNOWN"], ("42",))
    watched, chosen = a_mapping(), a_mapping(code="YES-2000-TF", load_unit="tf")
    watching = system_actor("watch")
    read_file(watched.id, "day.csv", content, watching, nobody_asks=True)
    if by_a_person:
        read_file(chosen.id, "day.csv", content, ACTOR)
        assert read_file(watched.id, "day.csv", content, watching, nobody_asks=True).again
    else:  # the watch itself was started with the wrong one
        assert not read_file(chosen.id, "day.csv", content, watching, nobody_asks=True).again
    (row,) = current_session().query(PressRow).filter_by(state="waiting")
    assert row.press_file.press_mapping_id == chosen.id
    assert row.load_kn is not None
    assert row.load_kn > 400


def test_file_that_was_read_rightly_first_comes_back_from_a_wrong_mapping(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    content = lines(codes_of(found)[:2])
    right, wrong = a_mapping(), a_mapping(code="OTHER", load_unit="tf")
    for mapping, states in (
        (right, ["waiting"] * 2),
        (wrong, ["dismissed"] * 2 + ["waiting"] * 2),
        (right, ["dismissed"] * 4 + ["waiting"] * 2),
    ):
        assert read_file(mapping.id, "a.csv", content, ACTOR).waiting == 2
        assert [row.state for row in current_session().query(PressRow).order_by(PressRow.id)] == states
    assert read_file(right.id, "b.csv", lines(codes_of(found)[2:], ("396",)), ACTOR).sets == 1
    assert [item.load_kn for item in current_session().query(Break).order_by(Break.id)] == [424, 401, 396]


@pytest.mark.parametrize(
    ("more", "load", "stamp", "says"),
    [
        ({}, "424", "0001-01-01 00:00:00", "accepted: a year from 1950 to 2150"),
        ({}, "424", "9999-12-31 23:59:59", "accepted: a year from 1950 to 2150"),
        ({}, "424", "1949-12-31 00:00:00", "accepted: a year from 1950 to 2150"),
        ({}, "12345678901234567", None, "accepted: a number above 0 and up to 20000 kN"),
        ({}, "1e300", None, "“1e300” is not a load in kN"),
        ({}, "0.0001", None, "accepted: a number above 0 and up to 20000 kN"),
        ({"decimal_mark": ","}, "424.5", None, "“424.5” is not a load in kN"),
        ({"load_unit": "N"}, "20000001", None, "20000001 N is not accepted; accepted: a number above 0"),
        ({"load_unit": "kgf"}, "9e999999", None, "“9e999999” is not a load in kgf"),
        ({"load_unit": "tf"}, "9e999999", None, "“9e999999” is not a load in tf"),
        ({"load_unit": "tf"}, "NaN", None, "NaN tf is not accepted"),
        ({"load_unit": "lbf"}, "sNaN", None, "“sNaN” is not a load in lbf"),
        ({"load_unit": "tf"}, "Infinity", None, "“Infinity” is not a load in tf"),
    ],
)
def test_odd_row_waits_with_its_reason_beside_those_that_are_read(
    records_on_both: Flask, more: dict[str, str], load: str, stamp: str | None, says: str
) -> None:
    found = the_set(a_batch("40"))
    odd = f"{codes_of(found)[0]},{load},{stamp or now_text()},Li\n".encode("gb18030")
    outcome = read_file(a_mapping(**more).id, "a.csv", lines(["STRAY"], ("10",)) + odd, ACTOR)
    assert (outcome.sets, outcome.waiting) == (0, 2)
    row = current_session().query(PressRow).order_by(PressRow.id.desc()).first()
    assert row is not None
    assert says in str(row.message)
    assert row.specimen_id is None


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("%a %d %b %Y %H:%M", "%a %d %b %Y %H:%M"),  # Tuesdays and Thursdays have a T
        ("%d/%m/%YT%H:%M", "%d/%m/%YT%H:%M"),
        ("%Y年%m月%d日 %H：%M", "%Y年%m月%d日 %H:%M"),
        ("%d.%m.%Y", "%Y-%m-%dT%H:%M:%S"),  # as a cell of a workbook comes
    ],
)
def test_times_are_read_in_the_form_of_the_mapping_on_every_day(
    records: Flask, form: str, written: str
) -> None:
    mapping = a_mapping(time_format=form)
    for day in range(1, 8):
        at = datetime(2026, 10, day, 10, 4, tzinfo=UTC)
        assert press_files._moment(at.strftime(written), mapping.time_format).date() == at.date()


@pytest.mark.parametrize(
    "form", ["%Y-%M-%d %H:%M", "%H:%M:%S", "%d.%m. %H:%M", "%Q", "2026-03-28", "%Y-%m-%d %"]
)
def test_form_of_a_time_that_no_time_can_be_read_in_is_refused(records: Flask, form: str) -> None:
    """The month as %M, which is the minute: every file would end with an error of the program."""
    with pytest.raises(Refused, match="accepted: %Y-%m-%d %H:%M:%S"):
        a_mapping(time_format=form)
    with pytest.raises(ValueError, match="2026"):  # of a mapping that was made before
        press_files._moment("2026/03/28 10:04", "%Y/%M/%d %H:%M")


def test_day_of_a_workbook_is_read_whatever_form_texts_have(records: Flask) -> None:
    found = the_set(a_batch("40"))
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    today = (datetime.now(UTC) + timedelta(hours=8)).replace(hour=0, minute=0, second=0, microsecond=0)
    for code, load in zip(codes_of(found), (424, 401, 396), strict=True):
        sheet.append([code, load, today.replace(tzinfo=None), "Li"])
    file = io.BytesIO()
    book.save(file)
    assert read_file(a_mapping().id, "day.xlsx", file.getvalue(), ACTOR).sets == 1


def test_load_that_its_decimal_comma_parts_waits_and_is_not_entered_without_its_decimals(
    records_on_both: Flask,
) -> None:
    """Of 424,5 kN in a file that parts its cells by commas, 424 would have been entered, and 5 dropped."""
    found = the_set(a_batch("40"))
    mapping = a_mapping(time_column="", time_format="", tester_column="", decimal_mark=",")
    rows = "".join(f"{code},424,{tenth}\n" for tenth, code in enumerate(codes_of(found), start=5))
    content = ("试件编号,最大荷载(kN)\n" + rows + "STRAY,424,,\n").encode("gb18030")
    outcome = read_file(mapping.id, "day.csv", content, ACTOR)
    assert (outcome.sets, outcome.waiting) == (0, 4)
    *crowded, plain = current_session().query(PressRow).order_by(PressRow.id)
    assert {(row.load_kn, row.specimen_id) for row in crowded} == {(None, None)}
    assert {row.message for row in crowded} == {
        "has 3 cells and the row of heads 2; accepted: no more than that, what holds the separator in quotation marks"
    }
    assert plain.load_kn == 424
    with pytest.raises(Refused, match="no load that can be read"):
        settle(crowded[0].id, {"code": codes_of(found)[0]}, ACTOR)


def test_column_that_stands_twice_in_a_file_is_refused(records: Flask) -> None:
    """The last of two would have counted: the load at the end, when the press had let go."""
    twice = lines(["STRAY"], ("424,0",), "试件编号,最大荷载(kN),最大荷载(kN),试验时间,试验员")
    with pytest.raises(Refused, match="names two columns"):
        read_file(a_mapping().id, "a.csv", twice, ACTOR)
    assert current_session().query(PressFile).count() == 0


def test_refusal_of_a_set_stands_in_the_tray_without_names_of_the_schema(records_on_both: Flask) -> None:
    found = the_set(a_batch("40"))
    press = SERVICES["presses"].add({"code": "P-1", "name": "Press", "capacity_kn": "2000"}, ACTOR)
    content = lines(codes_of(found), ("424", "4010", "396"))
    read_file(a_mapping(press_id=press.id).id, "a.csv", content, ACTOR)
    (message,) = {row.message for row in current_session().query(PressRow)}
    assert message.startswith("Loads: no. 2: 4010 kN is more than this press can give")


@pytest.mark.postgresql
def test_row_that_two_settle_at_once_is_settled_by_one_and_the_other_is_told(postgresql_app: Flask) -> None:
    with postgresql_app.app_context():
        read_file(a_mapping().id, "a.csv", lines(["TRIAL-PIECE"]), ACTOR)
        row_id = current_session().query(PressRow).one().id
    told: list[str] = []

    def put_away(reason: str) -> None:
        with postgresql_app.app_context():
            try:
                told.append(str(settle(row_id, {"reason": reason}, ACTOR).message))
            except Refused as error:
                told.append(str(error))

    engine = postgresql_app.extensions["lims.database"].engine
    people = [threading.Thread(target=put_away, args=(reason,)) for reason in ("one", "other")]
    with not_only_reading(engine).connect() as third, engine.connect() as looking:
        third.execute(text("SELECT id FROM press_rows WHERE id = :id FOR UPDATE"), {"id": row_id})
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )

        def wait() -> bool:
            looking.rollback()
            return looking.scalar(waiting) == len(people)

        for person in people:
            person.start()
        until(wait, "they do not wait for the third")
    for person in people:
        person.join()
    assert sorted(told, key=len)[0] in {"one", "other"}
    assert sorted(told, key=len)[1] == "row: is settled already"


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
    assert CliRunner().invoke(watch, [*arguments, "--every", "-1"]).exit_code == 2
    with app.app_context():
        mapping = SERVICES["press-mappings"].find(code="YES-2000")
        assert mapping is not None
        SERVICES["press-mappings"].retire(mapping.id, ACTOR)
    assert CliRunner().invoke(watch, arguments).exit_code == 2


def test_watched_folder_goes_on_after_a_file_that_could_not_be_written(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        found = the_set(a_batch("40"))
        set_id, content = found.id, lines(codes_of(found))
        a_mapping()
        path, data = database().engine.url.database, app.config["LIMS_DATA"]
        sqlite: Any = (
            database().engine.dialect.dbapi
        )  # two copies of SQLite would not know each other's locks
    folder = tmp_path / "press"
    folder.mkdir()
    (folder / "a.csv").write_bytes(content)
    (folder / "b.csv").write_bytes(b"a,b\n")
    monkeypatch.setenv("LIMS_DATA", str(data))
    arguments = [str(folder), "--mapping", "YES-2000", "--once"]
    with closing(sqlite.connect(path, isolation_level=None)) as outside:
        guard = outside.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'capture_regions_insert'"
        ).fetchone()[0]
        outside.execute("DROP TRIGGER capture_regions_insert")  # nothing is written while it is missing
        done = CliRunner().invoke(watch, arguments)
        outside.execute(guard)
    assert done.exit_code == 0
    assert "a.csv: not read to its end yet: the database" in done.output
    assert "b.csv: not read: has no column" in done.output
    again = CliRunner().invoke(watch, arguments)
    assert "a.csv: 1 sets entered" in again.output
    with app.app_context():
        assert result_of(set_id) is not None
