"""The write-ahead log of SQLite does not grow without end, and no write fails because it could not be emptied."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from lims.base import sqlite_log
from lims.base.actor import Actor
from lims.base.database import current_session, database, transaction
from lims.materials.models import Region


def _write(actor: Actor, code: str) -> None:
    with transaction(actor) as session:
        session.add(Region(code=code, name="x" * 200))


@pytest.fixture
def log_file(records: Flask, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sqlite_log, "LONGEST", 100_000)
    monkeypatch.setattr(sqlite_log, "AGAIN_S", 0.0)
    monkeypatch.setattr(sqlite_log, "PATIENCE_MS", 20)
    return Path(f"{database().engine.url.database}-wal")


def test_log_that_has_become_long_is_emptied_by_the_next_write(log_file: Path, actor: Actor) -> None:
    longest = 0
    for number in range(60):
        _write(actor, f"R{number}")
        longest = max(longest, log_file.stat().st_size)
    assert 0 < longest < 250_000
    assert current_session().scalar(select(func.count()).select_from(Region)) == 60


def test_reader_that_holds_the_log_up_fails_no_write_and_reads_on(log_file: Path, actor: Actor) -> None:
    _write(actor, "first")
    with database().engine.connect() as reader:
        count = select(func.count()).select_from(Region.__table__)
        assert reader.scalar(count) == 1
        for number in range(30):
            _write(actor, f"R{number}")
        assert log_file.stat().st_size > 250_000
        assert reader.scalar(count) == 1  # its snapshot, whatever was tried meanwhile
    _write(actor, "last")
    assert log_file.stat().st_size == 0
    assert current_session().scalar(count) == 32
