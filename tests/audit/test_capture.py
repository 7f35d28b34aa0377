"""Every way in is captured or refused, whatever wrote; what was captured gives the rows again."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import sqlalchemy
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from lims.audit.service import CheckpointService
from lims.audit.source import check_database, reading
from lims.base.auditing.context import state_of
from lims.base.auditing.lims_verify import Report, verify
from lims.base.auditing.models import AuditEntry, AuditSalt, AuditTransaction, PersonalValue
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.files import keep_file
from lims.base.reading import not_only_reading
from lims.materials.models import Region
from tests.factories import ACTOR, a_batch, a_customer

pytestmark = pytest.mark.usefixtures("records_on_both")


def _stamps() -> dict[str, Any]:
    now = utc_now()
    return {
        "version": 1,
        "created_at": now,
        "created_by": "user:1",
        "changed_at": now,
        "changed_by": "user:1",
    }


def _region(code: str) -> int:
    with transaction(ACTOR, "made") as session:
        region = Region(code=code, name=f"Region {code}")
        session.add(region)
    return region.id


def _last() -> tuple[AuditTransaction, list[AuditEntry]]:
    session = current_session()
    sealed = session.scalars(select(AuditTransaction).order_by(AuditTransaction.id.desc()).limit(1)).one()
    entries = select(AuditEntry).where(AuditEntry.txid == sealed.txid).order_by(AuditEntry.seq)
    return sealed, list(session.scalars(entries))


def _verified() -> Report:
    with reading(database().engine) as source:
        report = verify(source)
        check_database(source, report)
    return report


WAYS: dict[str, tuple[str, Callable[[Any, int], None]]] = {
    "ORM add": ("I", lambda s, _id: s.add(Region(code="N", name="new"))),
    "ORM change": ("U", lambda s, id_: setattr(s.get(Region, id_), "name", "new")),
    "update()": ("U", lambda s, id_: s.execute(update(Region).where(Region.id == id_).values(name="new"))),
    "query.update": ("U", lambda s, id_: s.query(Region).filter_by(id=id_).update({"name": "new"})),
    "query.delete": ("D", lambda s, id_: s.query(Region).filter_by(id=id_).delete()),
    "insert()": ("I", lambda s, _id: s.execute(insert(Region).values(code="N", name="new", **_stamps()))),
    "bulk_insert_mappings": (
        "I",
        lambda s, _id: s.bulk_insert_mappings(Region, [{"code": "N", "name": "new", **_stamps()}]),
    ),
    "Core executemany": (
        "I",
        lambda s, _id: s.connection().execute(
            insert(Region.__table__), [{"code": f"N{n}", "name": "new", **_stamps()} for n in range(3)]
        ),
    ),
    "raw update": ("U", lambda s, id_: s.execute(text(f"UPDATE regions SET name = 'new' WHERE id = {id_}"))),
    "raw delete": ("D", lambda s, id_: s.execute(text(f"DELETE FROM regions WHERE id = {id_}"))),
    "driver": (
        "U",
        lambda s, id_: s.connection().exec_driver_sql(f"UPDATE regions SET name = 'new' WHERE id = {id_}"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_in_the_application_is_captured(way: str) -> None:
    found = _region("R")
    op, write = WAYS[way]
    with transaction(ACTOR, way) as session:
        write(session, found)
    sealed, entries = _last()
    assert (sealed.actor, sealed.reason, sealed.entries) == ("system:test", way, len(entries))
    assert {(entry.op, entry.table_name) for entry in entries} == {(op, "regions")}
    said = json.loads(entries[0].payload)
    assert said["name"] == {"I": "new", "U": ["Region R", "new"], "D": "Region R"}[op]
    assert _verified().findings == []


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_without_a_context_is_refused(way: str) -> None:
    found = _region("R")

    def refused(session: Session, told: str) -> None:
        def write() -> None:
            WAYS[way][1](session, found)
            session.flush()

        with pytest.raises((DBAPIError, RuntimeError), match=told):
            write()
        session.rollback()
        assert session.get(Region, found, populate_existing=True).name == "Region R"  # type: ignore[union-attr]

    current_session().commit()
    # PostgreSQL already knows of a request's session that it only reads.
    refused(current_session(), "no open audit context|without an actor|in a read-only transaction")
    with Session(not_only_reading(database().engine)) as of_another_program:
        refused(of_another_program, "no open audit context|without an actor")
    assert _verified().findings == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE regions SET name = 'outside'",
        "DELETE FROM regions",
        "INSERT INTO audit_entries (txid, op, table_name, pk, payload) VALUES (0, 'D', 'regions', '1', '{}')",
        "DELETE FROM audit_entries",
        "UPDATE audit_entries SET payload = '{}'",
        "DELETE FROM audit_transactions",
        "UPDATE audit_transactions SET actor = 'user:9'",
        "DELETE FROM audit_salts",
        "UPDATE audit_personal SET value = 'x'",
    ],
)
def test_plain_connection_from_outside_is_refused(statement: str) -> None:
    a_customer(contact_name="Person")
    _region("R")
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        _outside(statement)
    assert _verified().findings == []


def _outside(*statements: str) -> None:
    """What a person with a database tool does."""
    url = sqlalchemy.make_url(database().url)
    database().session.remove()
    if database().is_sqlite:
        connection: Any = sqlite3.connect(str(url.database))
    else:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def test_replacing_insert_from_outside_does_not_slip_past_the_guards() -> None:
    _region("R")
    _sealed, (entry,) = _last()
    if not database().is_sqlite:
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    for table, columns in (
        ("audit_entries", f"{entry.seq}, {entry.txid}, 'I', 'regions', '1', '{{}}'"),
        ("audit_transactions", "1, 0, 'user:9', '2026-01-01', '', '', 1, 'r', 'p', 'h', x'00'"),
    ):
        with pytest.raises(sqlite3.Error):
            _outside("PRAGMA recursive_triggers = OFF", f"INSERT OR REPLACE INTO {table} VALUES ({columns})")
    assert _verified().findings == []


def test_replacing_insert_of_the_application_is_a_deletion_and_an_insertion() -> None:
    if not database().is_sqlite:
        pytest.skip("PostgreSQL has no INSERT OR REPLACE")
    found = _region("R")
    with transaction(ACTOR) as session:
        session.execute(
            text("INSERT OR REPLACE INTO regions SELECT * FROM regions WHERE id = :id"), {"id": found}
        )
    assert [entry.op for entry in _last()[1]] == ["D", "I"]
    assert _verified().findings == []


def test_changed_key_is_the_end_of_one_row_and_the_beginning_of_another() -> None:
    found = _region("R")
    with transaction(ACTOR) as session:
        session.execute(text("UPDATE regions SET id = 77 WHERE id = :id"), {"id": found})
    assert {(entry.op, entry.pk) for entry in _last()[1]} == {("D", str(found)), ("I", "77")}
    assert _verified().findings == []


def test_transaction_that_changes_nothing_leaves_nothing() -> None:
    _region("R")
    before, _entries = _last()
    with transaction(ACTOR, "looked") as session:
        session.execute(select(Region)).all()
    assert _last()[0].id == before.id


@pytest.mark.parametrize(
    "reason", ['it\'s \\ "all" 100 %s', "坍落度\u2028复测 🧪", "before\0after", "x" * 5000]
)
def test_reason_in_any_letters_is_stored_as_it_is_hashed(reason: str) -> None:
    with transaction(ACTOR, reason) as session:
        session.add(Region(code="R", name="r"))
    assert _last()[0].reason == reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert _verified().findings == []


def test_seal_that_does_not_follow_the_last_one_is_refused_or_made_to_follow() -> None:
    """PostgreSQL hashes and chains, whatever it is given; on SQLite it compares: digits may not move over."""
    _region("R")
    _region("S")
    last, _entries = _last()
    values = {"actor": "user:1", "at": utc_now(), "reason": "", "source": "", "entries": 1, "root": "0" * 64,
              "hash": "0" * 64, "leaves": b""}  # fmt: skip
    first, rest = last.hash[0], last.hash[1:]
    number, previous = (int(f"{last.id + 1}{first}"), rest) if first.isdecimal() else (last.id + 2, last.hash)

    def forge() -> None:
        with transaction(ACTOR, "forged") as session:
            session.execute(insert(Region).values(code="T", name="t", **_stamps()))
            txid = state_of(session.connection()).txid
            session.execute(
                insert(AuditTransaction).values(id=number, previous=previous, txid=txid, **values)
            )
            made = session.scalars(
                select(AuditTransaction).order_by(AuditTransaction.id.desc()).limit(1)
            ).one()
            assert (made.id, made.previous) == (last.id + 1, last.hash)
            assert "0" * 64 not in {made.root, made.hash}
            session.rollback()

    if database().is_sqlite:
        with pytest.raises(DBAPIError):
            forge()
    else:
        forge()
    assert _last()[0].id == last.id
    assert _verified().findings == []


@pytest.mark.parametrize("kept", [(), ("B",), ("B", "C")])
def test_what_a_savepoint_took_back_is_not_sealed_and_what_followed_is(kept: tuple[str, ...]) -> None:
    """PostgreSQL finds a single entry by its number; those that were taken back have used numbers up."""
    _region("R")
    before, _entries = _last()
    with transaction(ACTOR, "half") as session:
        taken_back = session.begin_nested()
        session.execute(insert(Region).values(code="A", name="a", **_stamps()))
        taken_back.rollback()
        for code in kept:
            session.execute(insert(Region).values(code=code, name="b", **_stamps()))
    sealed, entries = _last()
    if kept:
        assert sealed.id == before.id + 1
        assert [json.loads(entry.payload)["code"] for entry in entries] == list(kept)
    else:
        assert sealed.id == before.id
    assert _verified().findings == []


def test_rolled_back_transaction_and_savepoint_leave_nothing() -> None:
    _region("R")
    with transaction(ACTOR, "half") as session:
        two = [{"code": "A", "name": "a", **_stamps()}, {"code": "R", "name": "taken", **_stamps()}]
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(Region), two)
        session.execute(insert(Region).values(code="B", name="b", **_stamps()))
    sealed, entries = _last()
    assert [json.loads(entry.payload)["code"] for entry in entries] == ["B"]
    assert sealed.entries == 1
    assert _verified().findings == []


def test_personal_data_is_no_part_of_the_chain_and_bytes_are_their_hash() -> None:
    customer = a_customer(contact_name="Wang Fang", phone="13800000000")
    with transaction(ACTOR) as session:
        keep_file(session, b"\x00\xffpaper", "application/pdf")
    session = current_session()
    everything = "\n".join(session.scalars(select(AuditEntry.payload)))
    assert "Wang Fang" not in everything
    assert "13800000000" not in everything
    file = session.scalars(select(AuditEntry).where(AuditEntry.table_name == "stored_files")).one()
    assert json.loads(file.payload)["content"] == hashlib.sha256(b"\x00\xffpaper").hexdigest()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.table_name == "customers")).one()
    said = json.loads(entry.payload)["contact_name"]
    assert session.get(PersonalValue, said).value == "Wang Fang"  # type: ignore[union-attr]
    assert session.get(AuditSalt, ("customers", str(customer.id))) is not None
    assert _verified().findings == []


def test_seal_names_the_rows_that_a_batch_wrote() -> None:
    batch = a_batch("40")
    tables = set(current_session().scalars(select(AuditEntry.table_name)))
    assert {"batches", "specimen_sets", "specimens", "mix_revisions", "mix_components", "trials"} <= tables
    entry = (
        current_session()
        .scalars(
            select(AuditEntry).where(
                AuditEntry.table_name == "batches", AuditEntry.pk == str(batch.id), AuditEntry.op == "I"
            )
        )
        .one()
    )
    assert json.loads(entry.payload)["code"] == batch.code
    assert CheckpointService().take(ACTOR).transaction_count > 0


NAMES = st.text(
    st.characters(blacklist_characters="\x00", blacklist_categories=("Cs",)), min_size=1, max_size=40
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("IUD"), st.integers(0, 5), NAMES), min_size=1, max_size=12))
def test_any_series_of_changes_gives_the_rows_again(records_on_both: Flask, series: list[Any]) -> None:
    with transaction(ACTOR, "series") as session:
        for op, number, name in series:
            code = f"S{number}"
            there = session.scalar(select(Region.id).where(Region.code == code))
            if op == "I" and there is None:
                session.execute(insert(Region).values(code=code, name=name[:80], **_stamps()))
            elif op == "U":
                session.execute(update(Region).where(Region.code == code).values(name=name[:80]))
            elif there is not None:
                session.execute(text("DELETE FROM regions WHERE id = :id"), {"id": there})
    assert _verified().findings == []


@pytest.mark.postgresql
def test_concurrent_writers_on_postgresql_give_a_gapless_chain(records_on_both: Flask) -> None:
    if database().is_sqlite:
        pytest.skip("one writer at a time")

    def work(worker: int) -> None:
        with records_on_both.app_context():
            for number in range(15):
                with transaction(ACTOR, f"worker {worker}") as session:
                    session.add_all([Region(code=f"{worker}-{number}-{n}", name="n") for n in range(3)])
            database().session.remove()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    numbers = list(current_session().scalars(select(AuditTransaction.id).order_by(AuditTransaction.id)))
    assert numbers == list(range(1, 121))
    assert _verified().findings == []


def test_edit_past_the_triggers_is_found_and_named() -> None:
    found = _region("R")
    a_customer(contact_name="Person")
    where = "" if database().is_sqlite else " ON {0}"
    names = (("capture_regions_update", "regions"), ("capture_customers_update", "customers"))
    _outside(*(f"DROP TRIGGER {name}{where.format(table)}" for name, table in names),
             "UPDATE regions SET name = 'Forged'", "UPDATE customers SET contact_name = 'Another'")  # fmt: skip
    report = _verified()
    assert {(finding.kind, finding.table) for finding in report.findings} == {
        ("row", "regions"), ("row", "customers"),
        ("trigger", "capture_regions_update"), ("trigger", "capture_customers_update"),
    }  # fmt: skip
    message = next(finding.message for finding in report.findings if finding.table == "regions")
    assert f"regions {found} was altered past the record" in message
    assert "Forged" in message
    assert "Region R" in message
