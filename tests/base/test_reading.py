"""PostgreSQL: what only reads is begun READ ONLY, what was prepared outlives the end of a request, and what opens a write is
not waited for."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import psycopg
import pytest
from psycopg import Connection
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError

from lims.base import database as database_module
from lims.base import reading
from lims.base.actor import Actor
from lims.base.auditing import context, guards
from lims.base.auditing.models import AuditTransaction
from lims.base.auditing.triggers import SEAL_LOCK
from lims.base.database import current_session, database, make_engine, transaction
from lims.base.problems import Unavailable
from lims.base.reading import ASKED_AFTER_S, GIVEN_BACK, GIVEN_UP, LimsConnection, not_only_reading
from lims.materials.models import Region

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.usefixtures("records_on_both"),
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


def _prepared(driver: Connection[object]) -> int:
    found = driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert found is not None
    driver.commit()
    return int(found[0])  # type: ignore[call-overload,no-any-return]


def test_statement_of_many_requests_is_prepared_once(actor: Actor) -> None:
    database().engine.dispose()
    for number in range(8):
        current_session().scalar(select(func.count()).select_from(Region).where(Region.code == f"R{number}"))
        with transaction(actor) as session:
            session.add(Region(code=f"R{number}", name="Region"))
        current_session().scalar(select(Region.name).where(Region.code == f"R{number}"))
        database().session.remove()  # as the end of a request does
    driver = current_session().connection().connection.driver_connection
    assert driver is not None
    kept = _prepared(driver)
    assert kept >= 3  # two questions and the insert
    database().session.remove()
    assert _prepared(driver) >= kept


def test_session_of_a_request_cannot_write_outside_a_transaction(actor: Actor) -> None:
    with transaction(actor) as session:
        session.add(Region(code="R", name="before"))
    with pytest.raises(InternalError, match="read-only transaction"):
        current_session().execute(text("UPDATE ab_user SET first_name = 'x'"))
    current_session().rollback()
    with transaction(actor) as session:
        session.scalars(select(Region)).one().name = "after"
    assert current_session().scalar(select(Region.name)) == "after"


def test_failed_write_is_taken_back_and_the_connection_serves_on(actor: Actor) -> None:
    def fail() -> None:
        with transaction(actor) as session:
            session.add(Region(code="R", name="gone"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert current_session().scalar(select(func.count()).select_from(Region)) == 0
    with transaction(actor) as session:
        session.add(Region(code="R", name="there"))
    assert current_session().scalar(select(Region.name)) == "there"


def _driver() -> LimsConnection:
    driver = current_session().connection().connection.driver_connection
    assert isinstance(driver, LimsConnection)
    return driver


@pytest.fixture
def writes_before(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> LimsConnection:
    """The connection of a session that has looked at the triggers and will not look again."""
    monkeypatch.setattr(guards, "LOOK_AGAIN_S", 1e9)
    with transaction(actor, "looks at the triggers"):
        return _driver()


def test_answer_to_what_opened_a_write_is_read_with_its_first_statement(
    actor: Actor, writes_before: LimsConnection
) -> None:
    with transaction(actor, "some") as session:
        assert writes_before.unread is not None
        session.add(Region(code="R", name="Region"))
        session.flush()
        assert writes_before.unread is None
    with transaction(actor, "nothing"):
        assert writes_before.unread is not None
    assert writes_before.unread is None
    reasons = current_session().scalars(select(AuditTransaction.reason)).all()
    assert "some" in reasons
    assert "nothing" not in reasons


def test_write_that_ends_before_its_first_statement_leaves_a_connection_that_serves(
    actor: Actor, writes_before: LimsConnection
) -> None:
    def fail() -> None:
        with transaction(actor):
            assert writes_before.unread is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert writes_before.unread is None
    database().session.remove()
    _writes_on(actor)


@pytest.mark.parametrize("how", ["nothing written", "a statement", "a statement whose fault nobody heeds"])
def test_opening_that_the_server_refuses_is_told_and_the_next_write_is_served(
    actor: Actor, writes_before: LimsConnection, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def write() -> None:
        with transaction(actor) as session:
            if how == "a statement":
                session.execute(select(1))
            elif how != "nothing written":
                with suppress(DBAPIError), session.begin_nested():
                    session.execute(select(1))

    with monkeypatch.context() as refused:
        refused.setattr(context, "_OPEN_POSTGRESQL", b"BEGIN; SELECT 1 / 0")
        with pytest.raises((DBAPIError, Unavailable)):
            write()
    assert writes_before.unread is None
    database().session.remove()
    assert current_session().scalar(select(func.count()).select_from(Region)) == 0
    _writes_on(actor)


@pytest.mark.parametrize("how", ["a rollback", "a table dropped"])
def test_what_seals_is_prepared_once_a_connection_and_anew_when_psycopg_forgot_all(
    actor: Actor, writes_before: LimsConnection, how: str
) -> None:
    def write(code: str) -> str | None:
        with transaction(actor) as session:
            session.add(Region(code=code, name="Region"))
        return writes_before.sealing

    def forget() -> None:
        with transaction(actor) as session:
            session.add(Region(code="forgotten", name="Region"))
            session.flush()
            if how == "a rollback":
                raise ZeroDivisionError
            session.execute(text("CREATE TEMPORARY TABLE dropped (a integer)"))
            session.execute(text("DROP TABLE dropped"))

    names = {write(f"R{number}") for number in range(8)}  # psycopg prepares what it has said six times
    assert len(names) == 1
    (name,) = names
    assert name is not None
    with suppress(ZeroDivisionError):
        forget()
    again = write("after")
    assert again not in {None, name}
    assert write("later") == again
    assert _driver() is writes_before
    count = select(func.count()).select_from(AuditTransaction).where(AuditTransaction.actor == actor.key)
    assert current_session().scalar(count) == 10 + (how != "a rollback")


def _writes_on(actor: Actor) -> None:
    with transaction(actor) as session:
        session.add(Region(code="R", name="there"))
    assert current_session().scalar(select(Region.name)) == "there"


def test_whoever_uses_the_engine_without_saying_that_it_writes_cannot() -> None:
    engine = database().engine
    statement = text("CREATE TABLE scratch (number INTEGER)")
    with pytest.raises(InternalError, match="read-only transaction"), engine.begin() as connection:
        connection.execute(statement)
    for said in (not_only_reading(engine).connect(), engine.connect().execution_options(lims_write=True)):
        with said as connection:
            connection.execute(statement)
            connection.rollback()


def _given_back_ago(seconds: float) -> None:
    record = current_session().connection().connection._connection_record  # type: ignore[attr-defined]
    database().session.remove()
    record.info[GIVEN_BACK] = time.monotonic() - seconds


def _end_server_s_side_of(driver: LimsConnection) -> None:
    with psycopg.connect(driver.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [driver.info.backend_pid])
        for _attempt in range(1000):  # it ends in its own time
            query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            if other.execute(query, [driver.info.backend_pid]).fetchone() == (0,):
                return
    raise AssertionError("the server's process did not end")


def test_connection_that_died_in_the_pool_is_made_anew_before_it_is_used() -> None:
    database().engine.dispose()
    dead = _driver()
    _given_back_ago(ASKED_AFTER_S)
    _end_server_s_side_of(dead)
    assert current_session().scalar(select(func.count()).select_from(Region)) == 0
    assert _driver() is not dead


def test_write_on_a_connection_that_died_a_moment_after_its_use_is_refused_and_the_next_one_kept(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ASKED_AFTER_S", 3600.0)
    database().engine.dispose()
    dead = _driver()
    _given_back_ago(0)
    _end_server_s_side_of(dead)
    told = 0
    for number in range(3):
        try:
            with transaction(actor) as session:
                session.add(Region(code=f"R{number}", name="Region"))
        except Unavailable:
            told += 1
    assert told == 1
    assert current_session().scalars(select(Region.code).order_by(Region.code)).all() == ["R1", "R2"]
    database().session.remove()
    assert database().engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_server_that_stays_away_is_told_by_the_name_that_the_database_s_faults_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database().engine.dispose()
    dead = _driver()
    _given_back_ago(ASKED_AFTER_S)
    _end_server_s_side_of(dead)

    def refused(*_given: object, **_named: object) -> object:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(LimsConnection, "connect", refused)
    with pytest.raises(OperationalError, match="connection refused"):
        current_session().scalar(select(func.count()).select_from(Region))


def test_connection_in_steady_use_is_not_asked_whether_it_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(database().engine.dialect, "do_ping", asked.append)
    monkeypatch.setattr(reading, "ASKED_AFTER_S", 60.0)
    for ago, times in ((0.0, 0), (0.0, 0), (60.0, 1)):
        asked.clear()
        _given_back_ago(ago)
        current_session().scalar(select(func.count()).select_from(Region))
        assert len(asked) == times


@pytest.mark.parametrize(
    "held", ["LOCK TABLE regions", f"SELECT pg_advisory_lock({SEAL_LOCK})"], ids=["table", "seal"]
)
def test_who_waits_for_a_lock_is_told_in_time_that_the_database_is_busy(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    """As on SQLite. Every thread of the server would wait behind somebody who holds a table for an hour."""
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 100)
    database().session.remove()
    database().engine.dispose()
    address = database().engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute(held)
        gives_up = threading.Timer(3, other.close)
        gives_up.start()
        try:
            with pytest.raises(Unavailable, match="lock timeout"), transaction(actor) as session:
                session.add(Region(code="R", name="late"))
        finally:
            gives_up.cancel()
    with transaction(actor) as session:
        session.add(Region(code="R", name="in time"))
    assert current_session().scalar(select(Region.name)) == "in time"


def test_machine_that_has_vanished_is_given_up_within_seconds_unless_the_address_says_otherwise() -> None:
    assert {name: int(_driver().info.get_parameters()[name]) for name in GIVEN_UP} == GIVEN_UP
    database().session.remove()
    engine = make_engine(database().url + "&connect_timeout=9")
    with engine.connect() as connection:
        driver: object = connection.connection.driver_connection
        assert isinstance(driver, LimsConnection)
        assert driver.info.get_parameters()["connect_timeout"] == "9"
    engine.dispose()
