"""Bytes are kept once, whoever brings them, and however many at the same time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.files import StoredFile, bytes_of, keep_file
from lims.base.records import AnonymousWrite
from lims.base.whole_files import whole_file
from tests.at_once import at_once
from tests.factories import ACTOR


def test_the_same_bytes_are_kept_once_under_the_one_who_brought_them(records_on_both: Flask) -> None:
    with transaction(ACTOR) as session:
        first = keep_file(session, b"one", "text/csv")
        again = keep_file(session, b"one", "text/plain")
        other = keep_file(session, b"two", "text/csv")
    assert first.id == again.id != other.id
    assert bytes_of(first.id) == b"one"
    assert (first.created_by, first.version, first.media_type, first.size_bytes) == (
        ACTOR.key,
        1,
        "text/csv",
        3,
    )
    assert current_session().scalar(select(func.count()).select_from(StoredFile)) == 2


def test_bytes_are_kept_by_nobody_outside_a_transaction(records: Flask) -> None:
    with pytest.raises(AnonymousWrite):
        keep_file(current_session(), b"one", "text/csv")


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_two_who_bring_the_same_bytes_at_once_get_the_same_row(records_on_both: Flask) -> None:
    kept, may_commit = Event(), Event()

    def first() -> int:
        with records_on_both.app_context(), transaction(ACTOR) as session:
            found = keep_file(session, b"same", "text/csv").id
            kept.set()
            assert may_commit.wait(20)
            return found

    def second() -> int:
        assert kept.wait(20)
        with records_on_both.app_context(), transaction(ACTOR) as session:
            return keep_file(session, b"same", "text/csv").id

    def one_waits() -> bool:
        current_session().rollback()
        return bool(current_session().scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(first), threads.submit(second)
        until = time.monotonic() + 20
        while not one_waits() and not other.done() and time.monotonic() < until:
            time.sleep(0.02)
        may_commit.set()
        assert one.result() == other.result()
    assert current_session().scalar(select(func.count()).select_from(StoredFile)) == 1


def test_file_that_fails_halfway_leaves_what_stood_there_and_nothing_beside(tmp_path: Path) -> None:
    place, link = tmp_path / "real.csv", tmp_path / "link.csv"
    place.write_text("old", encoding="utf-8")
    link.symlink_to(place)
    with pytest.raises(FileNotFoundError), whole_file(link) as arriving:
        arriving.rename(tmp_path / "missing" / "folder")
    assert (place.read_text(encoding="utf-8"), sorted(tmp_path.iterdir())) == ("old", [link, place])
    with whole_file(link) as arriving:
        arriving.write_text("new", encoding="utf-8")
    assert (place.read_text(encoding="utf-8"), link.is_symlink()) == ("new", True)


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_two_who_bring_bytes_back_that_were_taken_away_do_not_wait_for_each_other(
    records_on_both: Flask,
) -> None:
    def keep() -> int:
        with transaction(ACTOR) as session:
            return keep_file(session, b"same", "text/csv").id

    key = keep()
    with transaction(ACTOR) as session:
        file = session.get_one(StoredFile, key)
        file.content, file.removed_at = b"", utc_now()
    assert at_once(records_on_both, file, keep, keep) == [key, key]
    assert bytes_of(key) == b"same"
