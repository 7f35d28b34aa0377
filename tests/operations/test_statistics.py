"""SQLite plans by what it knows of its rows, and plans a statement once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

import lims.base.database
from lims.base.database import database
from lims.operations.statistics import refresh_statistics
from tests.factories import a_batch

OF_RANGES = "SELECT count(*) FROM specimen_sets WHERE state = ? AND due_at BETWEEN ? AND ?"


@pytest.fixture
def filled(app: Flask) -> Iterator[Flask]:
    with app.app_context():
        a_batch()
        yield app


def test_statistics_name_every_table_with_rows_and_keep_no_samples_of_values(filled: Flask) -> None:
    refresh_statistics()
    with database().engine.connect() as connection:
        known = {row[0] for row in connection.exec_driver_sql("SELECT tbl FROM sqlite_stat1")}
        assert {"specimens", "specimen_sets", "batches", "audit_entries"} <= known
        kept = connection.exec_driver_sql("SELECT count(*) FROM sqlite_stat4").scalar_one()
        assert kept == 0


def test_statement_is_not_planned_anew_for_other_values(filled: Flask) -> None:
    refresh_statistics()
    planned = []
    with database().engine.connect() as connection:
        connection.connection.driver_connection.set_authorizer(lambda *what: planned.append(what) or 0)
        for month in range(1, 4):
            before = len(planned)
            given = ("waiting", f"2026-0{month}-01", f"2026-0{month}-28")
            connection.exec_driver_sql(OF_RANGES, given)
            assert (len(planned) > before) is (month == 1)


def test_connection_learns_the_statistics_of_a_later_night(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lims.base.database, "OPENED_ANEW_S", 0)
    with app.app_context():
        database().point_at(database().url)
        used = []
        for _time in range(2):
            with database().engine.connect() as connection:
                used.append(connection.connection.driver_connection)
        assert used[0] is not used[1]


def test_night_goes_on_when_an_index_is_damaged(filled: Flask, caplog: pytest.LogCaptureFixture) -> None:
    where = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_specimen_sets_due_at_id'"
    with database().engine.connect() as connection:
        page = connection.exec_driver_sql(where).scalar_one()
        size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database().session.remove()
    database().engine.dispose()
    with Path(str(database().engine.url.database)).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    refresh_statistics()
    assert "statistics were not refreshed" in caplog.text
    assert "malformed" in caplog.text


def test_night_goes_on_when_the_database_stays_locked(
    filled: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lims.base.database, "BUSY_TIMEOUT_MS", 100)
    with database().engine.connect() as other:
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN IMMEDIATE")
        refresh_statistics()
        other.exec_driver_sql("ROLLBACK")
        other.exec_driver_sql("BEGIN")
    assert "statistics were not refreshed" in caplog.text
    refresh_statistics()
    assert caplog.text.count("statistics were not refreshed") == 1
