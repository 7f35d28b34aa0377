"""The record as a whole: seal, signed checkpoints, export and verifier, guards, erasure, migrations, a killed writer."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from lims.accounts.service import find_user
from lims.audit.exporting import export
from lims.audit.grants import statements
from lims.audit.keys import verifier_key
from lims.audit.service import (
    CheckpointService,
    head_of_record,
    latest_checkpoint_text,
)
from lims.audit.source import DatabaseSource, check_database, reading
from lims.base.auditing import triggers
from lims.base.auditing.erasure import erase
from lims.base.auditing.guards import GuardCheck, exempt
from lims.base.auditing.lims_verify import (
    Report,
    ed25519_valid,
    entry_line,
    leaf_hashes,
    merkle_root,
    note_is_signed,
    read_entry,
    read_note,
    verify,
)
from lims.base.auditing.models import AuditEntry, AuditSalt, PersonalValue
from lims.base.auditing.values import decoded
from lims.base.columns import utc_now
from lims.base.database import current_session, database, make_engine, transaction
from lims.base.migration import downgrade, upgrade
from lims.base.problems import NotFound, Refused, WritesStopped
from lims.base.reading import not_only_reading
from lims.materials.models import Region
from tests.conftest import PASSWORD, Person
from tests.factories import ACTOR, a_batch, a_customer
from tests.programs import Program


def _verified(engine: Any = None, notes: Any = ()) -> Report:
    with reading(engine or database().engine) as source:
        report = verify(source, notes)
        check_database(source, report)
    return report


# --- Merkle root, signatures, lines ----------------------------------------------------------------------------


def _rfc_6962(leaves: list[bytes]) -> bytes:
    """The definition, word for word: split at the largest power of two below the number of leaves."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    pair = _rfc_6962(leaves[:split]) + _rfc_6962(leaves[split:])
    return hashlib.sha256(b"\x01" + pair).digest()


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=70))
def test_root_is_that_of_rfc_6962(texts: list[str]) -> None:
    try:
        leaves = leaf_hashes(texts)
    except UnicodeEncodeError:
        return
    assert leaves == [hashlib.sha256(b"\0" + text.encode()).digest() for text in texts]
    assert merkle_root(leaves) == _rfc_6962(leaves)


def test_signature_of_rfc_8032_is_accepted_and_no_other() -> None:
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert ed25519_valid(public, b"\x72", signature)
    assert not ed25519_valid(public, b"\x73", signature)
    assert not ed25519_valid(public, b"\x72", signature[:-1] + b"\x01")
    assert not ed25519_valid(b"\xff" * 32, b"\x72", signature)


@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511))
def test_pure_python_agrees_with_the_library(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = private.sign(message)
    assert ed25519_valid(public, message, signature)
    wrong = bytearray(signature)
    wrong[bit // 8] ^= 1 << bit % 8
    assert not ed25519_valid(public, message, bytes(wrong))


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=20), st.text(max_size=3))
@example("x,{", "1")
@example("", ",{")
def test_line_of_an_export_gives_every_letter_back(payload: str, pk: str) -> None:
    for written in (payload, '{"name":"' + payload.replace("\\", "").replace('"', "") + '"}'):
        entry = (7, 3, "I", "regions", pk, written)
        line = entry_line(*entry)
        assert line.count("\n") == 1
        assert tuple(read_entry(line)) == entry


# --- checkpoints -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records")
def test_checkpoint_is_a_signed_note_that_fits_a_qr_code(tmp_path: Path) -> None:
    assert latest_checkpoint_text() == ""
    a_batch("40")
    size, head = head_of_record()
    taken = CheckpointService().take(ACTOR)
    note = read_note(taken.text)
    assert (note.size, note.root) == (size, head)
    assert note_is_signed(note, verifier_key())
    assert not note_is_signed(note._replace(body=note.body.replace(str(size), str(size + 1))), verifier_key())
    assert len(taken.text.encode()) < 300
    assert latest_checkpoint_text() == taken.text
    assert os.stat(tmp_path / "audit.key").st_mode & 0o777 == 0o600


# --- export and the verifier of one file -----------------------------------------------------------------------


@pytest.mark.usefixtures("records_on_both")
def test_export_is_verified_by_python_alone_and_an_altered_one_is_not(tmp_path: Path) -> None:
    a_batch("40")
    a_customer(contact_name="Wang Fang")
    kept = tmp_path / "kept.txt"
    kept.write_text(CheckpointService().take(ACTOR).text, encoding="utf-8")
    a_customer("K-2")
    folder = tmp_path / "export"
    counts = export(folder)
    assert counts["checkpoints"] == 1
    assert "Wang Fang" not in (folder / "entries.jsonl").read_text(encoding="utf-8")
    assert "Wang Fang" not in (folder / "rows.jsonl").read_text(encoding="utf-8")
    # -I -S: neither our packages nor any other.
    command = [sys.executable, "-I", "-S", "lims_verify.py", ".", "--checkpoint", str(kept), "--list"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)

    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was altered" in done.stdout
    assert "I customers 2" in done.stdout  # has no anchor yet
    assert "I customers 1" not in done.stdout
    entries = folder / "entries.jsonl"
    good = entries.read_text(encoding="utf-8")
    entries.write_text(good.replace("Customer K-2", "Customer K-3"), encoding="utf-8")
    done = run()
    assert done.returncode == 1
    assert "customers 2" in done.stdout
    entries.write_text(good, encoding="utf-8")
    (folder / "transactions.jsonl").write_text("no JSON\n", encoding="utf-8")
    done = run()
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.usefixtures("records_on_both")
def test_export_that_fails_on_its_way_leaves_the_one_of_before_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_customer()
    folder = tmp_path / "export"
    export(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    a_customer("K-2")

    def full(_self: object) -> Iterator[tuple[str, str, str]]:
        yield ("customers", "1", "{}")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DatabaseSource, "rows", full)
    with pytest.raises(OSError, match="No space"):
        export(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.usefixtures("records_on_both")
def test_values_of_an_entry_are_those_of_the_row() -> None:
    batch = a_batch("40")
    found = (
        current_session()
        .scalars(select(AuditEntry).where(AuditEntry.table_name == "batches", AuditEntry.op == "I"))
        .one()
    )
    said = {
        name: decoded(batch.__table__.c[name], stored) for name, stored in json.loads(found.payload).items()
    }
    current_session().refresh(batch)
    later = {"version", "changed_at", "changed_by"}
    assert {name: value for name, value in said.items() if name not in later} == {
        name: getattr(batch, name) for name in said if name not in later
    }


# --- guards ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER capture_regions_insert",
        "DROP TABLE audit_entries",
        "ALTER TABLE audit_entries RENAME TO gone",
        "ATTACH DATABASE ':memory:' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA foreign_keys = OFF",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON main.audit_entries BEGIN SELECT RAISE(IGNORE); END",
    ],
)
def test_connection_of_the_application_cannot_take_the_guards_off(statement: str) -> None:
    with pytest.raises(sqlalchemy.exc.DatabaseError, match="not authorized"):
        current_session().execute(text(statement))


def test_web_worker_refuses_writes_while_a_trigger_differs_and_reads_go_on(
    app: Flask, administrator: Person
) -> None:
    path = app.extensions["lims.database"].engine.url.database
    form = {"code": "R1", "name": "Region"}
    assert administrator.post("/regions/add", form).status_code == 302
    with sqlite3.connect(path) as outside:
        (text_,) = outside.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'capture_regions_update'"
        ).fetchone()
        outside.execute("DROP TRIGGER capture_regions_update")
    answer = administrator.post("/regions/add", {"code": "R2", "name": "Region"})
    assert answer.status_code == 503
    said = answer.get_data(as_text=True)
    assert "capture_regions_update" in said
    # `lims init` leaves the guards of a laboratory in which people work to `lims upgrade` (lims/operations/checks.py).
    assert "lims upgrade" in said
    assert "lims init" not in said
    assert administrator.get("/regions/").status_code == 200
    visitor = app.test_client()
    assert visitor.post(
        "/api/v1/security/login", json={"username": "auditor", "password": PASSWORD}
    ).status_code == 200  # fmt: skip
    with sqlite3.connect(path) as outside:
        outside.execute(text_)
    assert administrator.post("/regions/add", {"code": "R2", "name": "Region"}).status_code == 302


SWALLOWS = (
    "CREATE OR REPLACE FUNCTION swallow() RETURNS trigger AS 'BEGIN RETURN NULL; END' LANGUAGE plpgsql; "
)
#: What an administrator of the database may add, so that what is written afterwards leaves no entry.
ADDED = {
    "sqlite": [
        "CREATE TRIGGER swallows BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(IGNORE); END",
        """CREATE TRIGGER "it swallows" INSERT ON "audit_entries" BEGIN SELECT RAISE(IGNORE); END""",
    ],
    "postgresql": [
        f"{SWALLOWS}CREATE TRIGGER swallows BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION swallow()",
        # Under the name of one of ours, which stands on another table.
        f"{SWALLOWS}CREATE TRIGGER capture_regions_insert BEFORE INSERT ON audit_entries FOR EACH ROW "
        "EXECUTE FUNCTION swallow()",
        "CREATE RULE swallows AS ON INSERT TO audit_entries DO INSTEAD NOTHING",
    ],
}


def test_trigger_that_was_added_to_the_record_stops_writes_until_it_is_taken_off(
    records_on_both: Flask,
) -> None:
    engine = not_only_reading(database().engine)
    url = sqlalchemy.make_url(database().url)
    for number, statement in enumerate(ADDED[engine.dialect.name]):
        database().session.remove()
        outside: Any = (
            sqlite3.connect(str(url.database))
            if database().is_sqlite
            else psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
        )
        outside.execute(statement)
        outside.commit()
        outside.close()
        database().guards = GuardCheck()  # PostgreSQL is looked at once a minute
        with pytest.raises(WritesStopped, match=r"swallows|capture_regions_insert"), transaction(ACTOR):
            pass
        with engine.connect() as connection, exempt(connection):
            triggers.install(connection)
            assert triggers.differences(connection) == []
            connection.commit()
        database().guards = GuardCheck()
        with transaction(ACTOR) as session:
            session.add(Region(code=f"R{number}", name="Region"))
        assert _verified().findings == []


def test_role_of_the_web_processes_may_add_to_the_record_and_no_more() -> None:
    given_ = statements("lims_web")
    for table in ("audit_entries", "audit_transactions"):
        assert [line for line in given_ if f" ON {table} " in line] == [
            f"GRANT SELECT, INSERT ON {table} TO lims_web;"
        ]
    with pytest.raises(Refused):
        statements("lims; DROP TABLE audit_entries")


@pytest.mark.postgresql
def test_role_with_those_grants_writes_and_cannot_alter_the_record(
    postgresql_url: str, tmp_path: Path
) -> None:
    owner = make_engine(postgresql_url)
    upgrade(owner)
    with owner.begin() as connection:
        role = f"web_{os.getpid()}"
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN")
        for statement in statements(role):
            connection.exec_driver_sql(statement)
    app = Flask("lims-web")
    address = sqlalchemy.make_url(postgresql_url)
    from lims.base.database import Database

    web = Database(address.set(username=role).render_as_string(hide_password=False))
    web.init_app(app)
    with app.app_context():
        with transaction(ACTOR, "by the role") as session:
            session.add(Region(code="R", name="Region"))
        for statement in (
            "UPDATE audit_entries SET payload = '{}'",
            "DELETE FROM audit_transactions",
            "TRUNCATE audit_entries",
            "ALTER TABLE regions DISABLE TRIGGER ALL",
            "DROP TRIGGER capture_regions_insert ON regions",
            "SET session_replication_role = replica",
        ):
            with (
                pytest.raises(sqlalchemy.exc.DBAPIError, match=r"permission denied|must be owner"),
                not_only_reading(web.engine).begin() as past_the_sessions,
            ):
                past_the_sessions.execute(text(statement))
    web.engine.dispose()
    assert _verified(owner).findings == []
    with owner.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    owner.dispose()


@pytest.mark.postgresql
def test_sealing_starts_no_parallel_workers_where_any_other_statement_would(postgresql_app: Flask) -> None:
    """A session that is opened once the record has grown plans for a third of it: each write took 15 ms more."""
    cheap = "; ".join(
        f"SET LOCAL {name} = 0"
        for name in (
            "parallel_setup_cost",
            "parallel_tuple_cost",
            "min_parallel_table_scan_size",
            "min_parallel_index_scan_size",
        )
    )

    def launched() -> int:
        with not_only_reading(database().engine).connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
            connection.commit()
            workers = (
                "SELECT parallel_workers_launched FROM pg_stat_database WHERE datname = current_database()"
            )
            return int(connection.scalar(text(workers)))

    def write(codes: range) -> None:
        with transaction(ACTOR, "regions") as session:
            session.execute(text(cheap))
            session.add_all([Region(code=f"R-{number}", name="Region") for number in codes])

    with postgresql_app.app_context():
        write(range(2000))
        database().engine.dispose()  # the next session plans by what is there now
        before = launched()
        write(range(2000, 2003))
        assert launched() == before
        with not_only_reading(database().engine).begin() as connection:
            connection.execute(text(cheap))
            connection.execute(text("SELECT string_agg(payload, '') FROM audit_entries WHERE seq > 0"))
        assert launched() > before  # they would have been counted


# --- erasure ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records_on_both")
def test_erased_person_is_gone_everywhere_and_the_chain_still_verifies() -> None:
    customer = a_customer(contact_name="Wang Fang", phone="13800000000")
    note = ("kept", CheckpointService().take(ACTOR).text)
    erase("customers", customer.id, ACTOR, "asked for it")
    session = current_session()
    row = session.execute(text("SELECT contact_name, phone, email FROM customers")).one()
    assert tuple(row) == (None, None, None)
    assert session.scalars(select(PersonalValue)).all() == []
    assert session.scalars(select(AuditSalt)).all() == []
    report = _verified(notes=[note])
    assert report.findings == []
    assert report.anchored > 0
    session.rollback()
    # The row lives on: new personal values get a new salt.
    with transaction(ACTOR, "a new contact") as session:
        session.execute(text("UPDATE customers SET contact_name = 'Li Na'"))
    assert _verified(notes=[note]).findings == []
    with pytest.raises(NotFound):
        erase("customers", 999, ACTOR, "nobody")


def test_erased_account_cannot_sign_in_and_names_nobody(app: Flask) -> None:
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        user_id = user.id
        erase("ab_user", user_id, ACTOR, "left the works")
        assert find_user("sales") is None
        assert _verified().findings == []
    signed = app.test_client().post(
        "/api/v1/security/login", json={"username": f"erased-{user_id}", "password": PASSWORD}
    )
    assert signed.status_code == 401


# --- migrations and a killed writer ----------------------------------------------------------------------------


def test_migrations_up_and_down_keep_triggers_and_chain(database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    upgrade(engine, "0006")
    now = utc_now()
    with engine.connect().execution_options(lims_write=True) as connection:
        connection.execute(
            insert(Region.__table__),
            [
                {"code": f"R{n}", "name": "old", "version": 1, "created_at": now, "created_by": "user:1",
                 "changed_at": now, "changed_by": "user:1"}
                for n in range(200)
            ],
        )  # fmt: skip
        connection.commit()
    before = _rows(engine)
    upgrade(engine)
    assert _rows(engine) == before
    with engine.connect() as connection:
        assert triggers.differences(connection) == []
        baselines = connection.scalar(
            text("SELECT count(*) FROM audit_entries WHERE op = 'B' AND table_name = 'regions'")
        )
    assert baselines == 200
    assert _verified(engine).findings == []
    downgrade(engine, "0007")
    upgrade(engine)
    assert _rows(engine) == before
    assert _verified(engine).findings == []
    upgrade(engine)  # nothing to do, nothing written
    assert _verified(engine).findings == []
    engine.dispose()


def _rows(engine: Any) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM regions ORDER BY id").all())


WRITER = """
import sys
from flask import Flask
import lims.records
from lims.base.actor import system_actor
from lims.base.database import Database, transaction
from lims.materials.models import Region
app = Flask("writer")
Database(sys.argv[1]).init_app(app)
with app.app_context():
    for number in range(100000):
        with transaction(system_actor("writer"), "writing") as session:
            session.add_all([Region(code=f"{number}-{n}", name="n") for n in range(20)])
        print(number + 1, flush=True)
"""


def test_chain_verifies_after_kill_9_of_a_writer_and_nothing_acknowledged_is_lost(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine)
    acknowledged = 0
    with Program(["-c", WRITER, database_url]) as writer:
        for line in writer.stdout:
            acknowledged = int(line)
            if acknowledged >= 8:
                writer.kill()
                break
        acknowledged = max([acknowledged, *(int(line) for line in writer.stdout)])
    report = _verified(engine)
    assert report.findings == []
    with engine.connect() as connection:
        rows = connection.scalar(text("SELECT count(*) FROM regions"))
    assert rows is not None
    assert rows % 20 == 0
    assert rows // 20 >= acknowledged
    engine.dispose()
