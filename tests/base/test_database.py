"""The engine's settings and the one way to open a write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import text

from lims.base.actor import Actor
from lims.base.database import (
    SqliteTooOld,
    check_sqlite_version,
    current_session,
    database,
    make_engine,
    sqlite_module,
    transaction,
)
from lims.base.numbering import next_number
from lims.base.problems import Conflict
from lims.base.records import AnonymousWrite
from lims.base.services import SERVICES
from lims.materials.models import Region
from tests.factories import ACTOR, a_customer


def test_sqlite_below_3_51_3_is_refused_because_of_the_wal_bug() -> None:
    with pytest.raises(SqliteTooOld, match=r"3\.40\.1 can corrupt"):
        check_sqlite_version((3, 40, 1))
    with pytest.raises(SqliteTooOld):
        check_sqlite_version((3, 51, 2))
    check_sqlite_version((3, 51, 3))


def test_sqlite_is_recent_in_wal_mode_with_foreign_keys_on(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert (
            connection.scalar(text("PRAGMA synchronous")) == 2
        )  # FULL: an acknowledged result is on the disk
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA recursive_triggers")) == 1
        version = connection.scalar(text("SELECT sqlite_version()"))
    engine.dispose()
    assert tuple(map(int, str(version).split("."))) >= (3, 51, 3)
    assert sqlite_module().sqlite_version == version


def test_who_read_a_record_before_another_changed_it_is_told_what_stands_there(
    records_on_both: Flask,
) -> None:
    """As the page of a form does: it reads the record, and waits for its turn to write."""
    customers = SERVICES["customers"]
    read = customers.get(a_customer().id)
    with records_on_both.app_context():
        customers.edit(read.id, {"code": "K-1", "name": "Theirs Ltd"}, 1, ACTOR)
    with pytest.raises(Conflict) as told:
        customers.edit(read.id, {"code": "K-1", "name": "Ours Ltd"}, read.version, ACTOR)
    assert (told.value.theirs, told.value.yours) == ({"name": "Theirs Ltd"}, {"name": "Ours Ltd"})
    assert told.value.current_version == 2


def test_what_repeats_is_not_prepared_anew_however_much_ran_before(records: Flask, actor: Actor) -> None:
    current_session().close()
    database().engine.dispose()
    driver = current_session().connection().connection.driver_connection
    for number in range(300):
        for _twice in range(2):
            driver.execute(f"SELECT {number}").fetchall()
    prepared: list[tuple[object, ...]] = []

    def write(code: str) -> int:
        with transaction(actor) as session:
            session.add(Region(code=code, name="Region"))
        said = [item for item in prepared if item[1] not in {"COMMIT", "busy_timeout", "schema_version"}]
        prepared.clear()
        return len(said)

    driver.set_authorizer(lambda *asked: prepared.append(asked) or 0)
    assert write("R1") > 0
    write("R2")
    assert write("R3") == 0


def test_record_cannot_be_written_without_an_actor(records: Flask) -> None:
    current_session().add(Region(code="R1", name="Region"))
    with pytest.raises(AnonymousWrite):
        current_session().flush()


def test_record_carries_actor_and_utc_time(records: Flask, actor: Actor) -> None:
    with transaction(actor) as session:
        region = Region(code="R1", name="Region")
        session.add(region)
    assert region.created_by == "system:test"
    assert region.created_at.tzinfo is not None
    assert region.version == 1


def test_record_is_never_deleted(records: Flask, actor: Actor) -> None:
    with transaction(actor) as session:
        region = Region(code="R1", name="Region")
        session.add(region)
    with pytest.raises(AnonymousWrite, match="retired, never deleted"), transaction(actor) as session:
        session.delete(region)
    assert current_session().get(Region, region.id) is not None


def test_failed_transaction_leaves_nothing(records_on_both: Flask, actor: Actor) -> None:
    def half_way() -> None:
        with transaction(actor) as session:
            session.add(Region(code="R1", name="Region"))
            session.flush()
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half_way()
    assert current_session().query(Region).count() == 0


def test_inner_transaction_joins_the_outer(records: Flask, actor: Actor) -> None:
    def outer() -> None:
        with transaction(actor) as session:
            with transaction(actor) as inner:
                inner.add(Region(code="R1", name="Region"))
            assert inner is session
            raise RuntimeError("after the inner one")

    with pytest.raises(RuntimeError):
        outer()
    assert current_session().query(Region).count() == 0


def test_numbers_of_a_series_are_consecutive(records_on_both: Flask, actor: Actor) -> None:
    with transaction(actor) as session:
        assert [next_number(session, "B26"), next_number(session, "B26"), next_number(session, "T26")] == [
            1,
            2,
            1,
        ]


def test_what_is_left_of_the_patience_is_that_of_the_connection_that_writes(
    records: Flask, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several in the pool: the one that was told it is given back before the write, and another one is next."""
    both = [database().engine.connect() for _each in range(2)]
    for one in both:
        one.close()

    @contextmanager
    def turn(_wait_s: float) -> Iterator[float]:
        yield 0.25

    monkeypatch.setattr(database().writers, "turn", turn)
    for _write in range(3):
        with transaction(actor) as session:
            assert session.scalar(text("PRAGMA busy_timeout")) == 300


def test_locked_sqlite_answers_busy_instead_of_waiting_for_ever(
    records: Flask, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lims.base import database as module
    from lims.base.problems import Unavailable

    monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 50)

    other = database().engine.connect().execution_options(lims_write=True)
    other.begin()
    try:
        database().session.remove()
        with pytest.raises(Unavailable), transaction(actor):
            pass
    finally:
        other.rollback()
        other.close()
