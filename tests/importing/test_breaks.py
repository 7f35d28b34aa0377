"""Breaks by the hundred: one write, a link for a run of rows, and a job for what nobody waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from numpy.linalg import LinAlgError
from sqlalchemy import CHAR, BigInteger, Column, MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from lims.base.database import _insert_of_lists, current_session, insert_rows, transaction
from lims.base.files import bytes_of
from lims.base.jobs import Job, enqueue, run_waiting
from lims.base.problems import Conflict, NotFound, Refused
from lims.customers.models import Customer
from lims.forecasts import service as forecasts
from lims.importing import imports
from lims.importing.imports import TEMPLATES, NotApplied, came_from, import_file, look, remember, upload
from lims.importing.mapping import propose
from lims.importing.models import ImportRow, ImportRun
from lims.importing.workbooks import AT_ONCE, read_book
from lims.materials.models import Region
from lims.results.models import Break, SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import SetEntries, facts_of_sets, record_set
from lims.trials.models import Specimen
from lims.trials.short_codes import CHECKS, short_code
from tests.conftest import counting_sql
from tests.factories import ACTOR, a_batch, a_forecast, a_mix
from tests.importing.workbooks import filled


def entry(*loads: str) -> SetBreaksIn:
    tested = datetime.now(UTC) - timedelta(minutes=5)
    return SetBreaksIn.read(
        {"loads_kn": list(loads or ("424", "401", "396")), "tested_at": tested.isoformat()}
    )


def rows_of(batch: Any) -> list[dict[str, Any]]:
    """Every specimen of the batch with its load, as a sheet of breaks has them."""
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"
    return [
        {"specimen": specimen.code, "load_kn": 400 + specimen.number, "tested_at": now}
        for found in batch.sets
        for specimen in found.specimens
    ]


@pytest.mark.usefixtures("records_on_both")
def test_every_break_says_its_row_though_a_run_of_rows_has_one_link() -> None:
    rows = rows_of(a_batch("150"))
    run, plan = import_file("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    assert plan.count("new") == len(rows) == 27
    assert current_session().query(ImportRow).count() == 1
    for row, found in zip(plan.rows, current_session().query(Break).order_by(Break.id), strict=True):
        assert came_from("breaks", found.id) == [("b.xlsx", run.id, plan.reading.sheet, row.number, "new")]
    assert came_from("breaks", found.id + 1) == []
    assert came_from("set-results", found.id) == []


def test_specimen_that_two_rows_spell_differently_is_refused_the_second_time(records: Flask) -> None:
    rows = rows_of(a_batch("50"))[:3]
    short = short_code(current_session().query(Specimen).filter_by(code=rows[0]["specimen"]).one().id)
    for spelled in (rows[0]["specimen"].lower(), short):
        again = [*rows, {**rows[0], "specimen": spelled, "load_kn": 300}]
        plan = look("b.xlsx", filled("breaks", *again), ACTOR, template="breaks")
        (refusal,) = plan.refusals()
        assert (refusal.cell, refusal.value) == ("A9", spelled)
        assert "row 6 already" in refusal.message


def test_every_short_code_of_a_label_names_a_specimen_in_a_sheet() -> None:
    kind = TEMPLATES["breaks"].columns["specimen"].kind
    for specimen_id in range(5000, 5000 + len(CHECKS)):
        assert kind.parse(short_code(specimen_id)) == short_code(specimen_id)


@pytest.mark.usefixtures("records_on_both")
def test_rows_in_another_order_than_their_breaks_keep_links_of_their_own() -> None:
    rows = list(reversed(rows_of(a_batch("50"))))
    import_file("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    codes = {number: row["specimen"] for number, row in enumerate(rows, start=6)}
    for found in current_session().query(Break):
        ((_file, _run, _sheet, number, _action),) = came_from("breaks", found.id)
        assert codes[number] == found.specimen.code


def recorded(entries: list[tuple[int, SetBreaksIn]]) -> dict[int, dict[int, int]]:
    """All of these sets in one write, as an import writes them."""
    with transaction(ACTOR, "breaks"):
        found = SetEntries(facts_of_sets(set_id for set_id, _entry in entries))
        for set_id, given in entries:
            found.check(set_id, given)
        return found.write_telling(ACTOR)


@pytest.mark.usefixtures("records_on_both")
def test_many_sets_are_written_at_once_or_not_at_all() -> None:
    sets = a_batch("150").sets
    good = [(item.id, entry()) for item in sets[:8]]
    with pytest.raises(Refused):
        recorded([*good, (sets[8].id, entry("424", "401"))])
    with pytest.raises(NotFound):
        recorded([*good, (999_999, entry())])
    assert current_session().query(Break).count() == 0
    written = recorded(good)
    assert {key: len(ids) for key, ids in written.items()} == {item.id: 3 for item in sets[:8]}
    one = record_set(sets[8].id, entry(), ACTOR)
    assert {result.strength_mpa for result in current_session().query(SetResult)} == {one.strength_mpa}
    assert recorded(good) == {}
    with pytest.raises(Conflict):
        recorded([(sets[0].id, entry("500", "501", "502"))])


@pytest.mark.usefixtures("records_on_both")
def test_rows_of_one_call_take_their_alike_columns_and_the_database_its_defaults() -> None:
    now = datetime.now(UTC)
    alike = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    with transaction(ACTOR) as session:
        insert_rows(session.connection(), Region.__table__, [], alike)
        insert_rows(
            session.connection(),
            Region.__table__,
            [{"code": f"R{n}", "name": f"{n}"} for n in range(3)],
            alike,
        )
    assert [(region.code, region.created_by) for region in current_session().query(Region).order_by(Region.code)] == [
        ("R0", "a"), ("R1", "a"), ("R2", "a"),
    ]  # fmt: skip


@pytest.mark.usefixtures("records_on_both")
def test_rows_of_one_call_keep_every_sign_and_digit() -> None:
    now = datetime.now(UTC)
    alike = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    names = ['"quoted" \\ and {curly}', "二十八天 \U00020bb7", "a\nb\tc", "7.50", "null", "[1, 2]"]
    with transaction(ACTOR) as session:
        rows = [{"code": f"S{n}", "name": name} for n, name in enumerate(names)]
        insert_rows(session.connection(), Region.__table__, rows, alike)
    found = current_session().query(Region).filter(Region.code.like("S%")).order_by(Region.code)
    assert [region.name for region in found] == names


@pytest.mark.usefixtures("records_on_both")
def test_rows_of_one_call_get_their_numbers_in_order_and_keep_what_is_empty() -> None:
    now = datetime.now(UTC)
    alike = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    retired = [now if n % 3 else None for n in range(200)]
    with transaction(ACTOR) as session:
        rows = [{"code": f"T{n:03d}", "name": "r", "retired_at": at} for n, at in enumerate(retired)]
        insert_rows(session.connection(), Region.__table__, rows, alike)
    found = current_session().query(Region).filter(Region.code.like("T%")).order_by(Region.id).all()
    assert [region.code for region in found] == [f"T{n:03d}" for n in range(200)]
    assert [region.retired_at for region in found] == retired


@pytest.mark.usefixtures("records_on_both")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
def test_text_that_is_too_long_for_its_column_is_refused_not_cut() -> None:
    now = datetime.now(UTC)
    alike = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    with pytest.raises(DBAPIError, match="too long"), transaction(ACTOR) as session:
        insert_rows(session.connection(), Region.__table__, [{"code": "x" * 500, "name": "y"}], alike)


def test_rows_that_json_would_alter_go_in_one_by_one(app: Flask) -> None:
    now = datetime.now(UTC)
    alike = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    with app.app_context(), transaction(ACTOR) as session:
        connection = session.connection()
        insert_rows(connection, Region.__table__, [{"code": "Z", "name": "zero \0 byte"}], alike)
        stored = connection.exec_driver_sql("SELECT hex(name) FROM regions WHERE code = 'Z'").scalar()
        assert stored == b"zero \0 byte".hex().upper()
        with pytest.raises(OverflowError):  # SQLite's JSON would make a rounded number of it
            insert_rows(connection, Region.__table__, [{"id": 2**63, "code": "Y", "name": "y"}], alike)


def test_specimens_that_nobody_knows_are_looked_for_one_by_one_five_hundred_times_at_most(app: Flask) -> None:
    def statements(unknown: int) -> int:
        rows = [
            {"specimen": f"NONE-{n}", "load_kn": 400, "tested_at": "2026-03-05 10:10"} for n in range(unknown)
        ]
        with counting_sql(app) as seen, pytest.raises(NotApplied):
            import_file(f"{unknown}.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
        return len(seen)

    with app.app_context():
        statements(1)  # what the first look of a process costs
        assert 500 < statements(520) == statements(700)


def test_file_that_nobody_waits_for_is_imported_by_a_job(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", replace(AT_ONCE, rows=8))
    customers = [{"code": f"K{n:03d}", "name": f"Customer {n}", "kind": "mixing_station"} for n in range(30)]
    with app.app_context():
        run = upload("k.xlsx", filled("customers", *customers), ACTOR, template="customers")
        assert run.remarks == imports.LARGE
        run_id = run.id
        job = enqueue("import-workbook", {"run_id": run_id}, ACTOR).id
    assert run_waiting(app) == ["done"]
    with app.app_context():
        assert current_session().query(Customer).count() == 30
        told = current_session().get_one(Job, job)
        assert (told.href, told.message) == (f"/import/{run_id}", "30 new, 0 changed, 0 the same.")


def test_large_file_is_read_by_its_mapping_whatever_it_is_called_and_however_it_is_cut(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        book = read_book("customers-2025.csv", "客户编号,客户名称\nK-0,甲\n".encode("gb18030"))
        remember("crm", book, propose(book, [TEMPLATES["customers"]]), ACTOR)
        monkeypatch.setattr(imports, "AT_ONCE", replace(AT_ONCE, rows=8))
        lines = "".join(f"K-{n};乙{n}\n" for n in range(1, 21))
        content = ("客户编号;客户名称\n" + lines).encode()
        run = upload("customers-2026.csv", content, ACTOR, mapping="crm")
        assert run.remarks == imports.LARGE
        job = enqueue("import-workbook", {"run_id": run.id}, ACTOR).id
    assert run_waiting(app) == ["done"]
    with app.app_context():
        assert current_session().get_one(Job, job).message == "20 new, 0 changed, 0 the same."
        assert current_session().query(Customer).filter_by(code="K-7").one().name == "乙7"
        link = current_session().query(ImportRow).first()
        assert link is not None
        assert link.sheet == "customers-2026"


def test_breaks_that_a_job_imports_have_their_mixes_forecast_by_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecast: list[int] = []
    monkeypatch.setattr(forecasts, "_refresh", forecast.append)
    with app.app_context():
        batch = a_batch("40", plan_ages="3")
        mix_id = batch.mix_revision.mix_design_id
        rows = [
            {"specimen": specimen.code, "load_kn": 400, "tested_at": datetime.now(UTC).isoformat()}
            for item in batch.sets
            for specimen in item.specimens
        ]
        run = upload("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
        enqueue("import-workbook", {"run_id": run.id}, ACTOR)
    assert run_waiting(app) == ["done"]
    with app.app_context():
        assert current_session().query(SetResult).count() == 1
        assert forecast == [mix_id]
        # The worker is killed between the import's commit and the job's end: the job is taken up again.
        with transaction(ACTOR) as session:
            job = session.query(Job).one()
            job.state, told = "queued", job.message
    forecast.clear()
    assert run_waiting(app) == ["done"]
    with app.app_context():
        assert current_session().query(Job).one().message == told == "3 new, 0 changed, 0 the same."
        assert current_session().query(SetResult).count() == 1
    assert forecast == [mix_id]


def test_grades_that_a_job_changed_before_its_worker_was_killed_are_forecast_by_the_next(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    forecast: list[int] = []
    with app.app_context():
        said, unsaid = a_mix("C30-1"), a_mix("C30-2")
        a_forecast(said.id)
        rows = [{"code": mix.code, "grade_mpa": 35} for mix in (said, unsaid)]
        run = upload("m.xlsx", filled("mixes", *rows), ACTOR, template="mixes")
        enqueue("import-workbook", {"run_id": run.id}, ACTOR)

    def fails(mix_id: int) -> None:
        forecast.append(mix_id)
        raise LinAlgError("singular matrix")

    monkeypatch.setattr(forecasts, "_refresh", fails)
    assert run_waiting(app) == ["done"]  # what was written stands: it is not said that nothing was
    assert forecast == [said.id]
    with app.app_context(), transaction(ACTOR) as session:
        session.query(Job).one().state = "queued"
    forecast.clear()
    assert run_waiting(app) == ["done"]
    assert forecast == [said.id]


def test_job_tells_what_it_refuses_with_a_marked_workbook_and_writes_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "AT_ONCE", replace(AT_ONCE, rows=8))
    customers = [{"code": f"K{n:03d}", "name": f"Customer {n}", "kind": "mixing_station"} for n in range(30)]
    customers[17]["kind"] = "quarry"
    with app.app_context():
        run_id = upload("k.xlsx", filled("customers", *customers), ACTOR, template="customers").id
        job = enqueue("import-workbook", {"run_id": run_id}, ACTOR).id
    assert run_waiting(app) == ["done"]
    with app.app_context():
        assert current_session().query(Customer).count() == 0
        assert current_session().get_one(ImportRun, run_id).state == imports.UPLOADED
        told = current_session().get_one(Job, job)
        assert told.file_name == "k-marked.xlsx"
        assert bytes_of(told.file_id or 0).startswith(b"PK")
        assert "1 cells are refused" in (told.message or "")


@pytest.mark.usefixtures("records_on_both")
def test_rows_that_differ_in_nothing_are_written_all_the_same() -> None:
    now = datetime.now(UTC)
    stamps = {"created_at": now, "created_by": "a", "changed_at": now, "changed_by": "a", "version": 1}
    with transaction(ACTOR) as session:
        insert_rows(session.connection(), Region.__table__, [{}], {"code": "alone", "name": "r", **stamps})
    assert [region.code for region in current_session().query(Region).filter_by(name="r")] == ["alone"]


def test_kind_of_column_that_a_list_would_cut_or_flatten_is_refused() -> None:
    table = Table("t", MetaData(), Column("id", BigInteger), Column("short", CHAR(3)))
    with pytest.raises(NotImplementedError, match=r"t\.short"):
        _insert_of_lists(table, ("id", "short"), (), postgresql.dialect())
