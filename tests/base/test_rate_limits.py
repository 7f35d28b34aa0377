"""Tries are counted once for all processes of a machine, whatever happens to the file."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from lims.base import rate_limits
from lims.base.rate_limits import FileStorage

TEN = parse("10 per minute")


def _limiter(path: Path) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(FileStorage(path=str(path)))


def test_tries_in_two_processes_are_one_count(tmp_path: Path) -> None:
    path = tmp_path / "made" / "limits.sqlite3"
    here = _limiter(path)
    assert all(here.hit(TEN, "login", "10.0.0.1") for _try in range(6))
    child = os.fork() if hasattr(os, "fork") else None
    if child == 0:  # the same storage, whose connection belongs to the parent
        let_through = 99
        try:
            let_through = sum(here.hit(TEN, "login", "10.0.0.1") for _try in range(6))
        finally:
            os._exit(let_through)
    if child is not None:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    there = _limiter(path)
    assert there.hit(TEN, "login", "10.0.0.1") is (child is None)
    assert there.hit(TEN, "login", "10.0.0.2")
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_tries_of_many_threads_are_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    storages = [FileStorage(path=str(path)) for _process in range(3)]

    def try_often(number: int) -> None:
        for _try in range(40):
            storages[number % 3].incr("key", 60)

    threads = [threading.Thread(target=try_often, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storages[0].get("key") == 240


def test_count_begins_anew_when_its_time_is_over(tmp_path: Path) -> None:
    storage = FileStorage(path=str(tmp_path / "limits.sqlite3"))
    assert [storage.incr("short", 0) for _try in range(3)] == [1, 1, 1]
    assert storage.get("short") == 0
    assert [storage.incr("long", 60) for _try in range(3)] == [1, 2, 3]
    storage.clear("long")
    assert storage.get("long") == 0
    storage.incr("long", 60)
    assert storage.reset() == 2
    assert storage.get("long") == 0


def test_tries_that_a_clock_counted_which_was_ahead_are_not_counted_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = _limiter(tmp_path / "limits.sqlite3")
    a_year_on = time.time() + 365 * 86_400
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: a_year_on)
        assert not all(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(11))
        assert not limiter.test(TEN, "login", "10.0.0.1")
    assert _limiter(tmp_path / "limits.sqlite3").test(TEN, "login", "10.0.0.1")
    assert sum(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(11)) == 10


def test_file_that_is_damaged_is_made_anew_and_nobody_is_let_through_uncounted(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    path.write_bytes(b"not a database" * 1000)
    limiter = _limiter(path)
    assert sum(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(30)) <= 11
    assert _limiter(path).storage.get(TEN.key_for("login", "10.0.0.1")) >= 10


def test_processes_that_meet_the_same_damage_count_together_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    here, there = FileStorage(path=str(path)), FileStorage(path=str(path))
    for storage in (here, there):
        storage.incr("key", 60)
    path.write_bytes(b"not a database" * 1000)
    for _try in range(3):
        here.incr("key", 60)
        there.incr("key", 60)
    assert here.incr("key", 60) == there.incr("key", 60) - 1


def test_file_that_somebody_deleted_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    limiter = _limiter(path)
    assert limiter.hit(TEN, "login", "10.0.0.1")
    path.unlink()
    assert sum(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(30)) <= 11
    assert path.exists()


def test_file_that_can_be_read_but_not_written_lets_nobody_try_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = _limiter(tmp_path / "limits.sqlite3")
    assert all(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(9))
    monkeypatch.setattr(rate_limits, "_COUNT", "UPDATE missing SET count = 1")
    let_through = 0
    for _try in range(100):
        if limiter.test(TEN, "login", "10.0.0.1"):
            let_through += 1
            limiter.hit(TEN, "login", "10.0.0.1")
    assert let_through <= 10


def test_folder_that_cannot_be_written_counts_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    limiter = _limiter(tmp_path / "file" / "limits.sqlite3")
    assert sum(limiter.hit(TEN, "login", "10.0.0.1") for _try in range(30)) == 10
    assert not limiter.test(TEN, "login", "10.0.0.1")
    assert limiter.storage.check() is False
    assert limiter.get_window_stats(TEN, "login", "10.0.0.1").reset_time > time.time() + 30
    limiter.clear(TEN, "login", "10.0.0.1")  # as the right password does
    assert limiter.hit(TEN, "login", "10.0.0.1")
