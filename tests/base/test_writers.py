"""Writers of one SQLite file take turns, threads and processes alike."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from lims.base.problems import Unavailable
from lims.base.writers import WriterQueue

fcntl = pytest.importorskip("fcntl", reason="one process on Windows")


def _waits(file: Path) -> None:
    """Until somebody waits for the turn to come."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        finally:
            os.close(handle)
    raise AssertionError("nobody waits")


def test_process_that_waits_comes_before_the_next_thread_of_the_one_that_wrote(tmp_path: Path) -> None:
    queue, told = WriterQueue(tmp_path / "lims.sqlite3"), tmp_path / "told"

    def write(who: str) -> None:
        with queue.turn(30), told.open("a", encoding="utf-8") as lines:
            lines.write(f"{who}\n")

    with queue.turn(5):
        child = os.fork()
        if child == 0:
            try:
                os.closerange(3, 1024)  # a copy of the turn's handle would hold it too
                WriterQueue.__init__(queue, tmp_path / "lims.sqlite3")
                write("other process")
            finally:
                os._exit(0)
        _waits(tmp_path / "lims.sqlite3-next")
        thread = threading.Thread(target=write, args=("next thread",))
        thread.start()
    thread.join()
    os.waitpid(child, 0)
    assert told.read_text(encoding="utf-8").split("\n") == ["other process", "next thread", ""]


def test_turn_that_does_not_come_is_told_in_time_and_leaves_nothing_locked(tmp_path: Path) -> None:
    here, there = WriterQueue(tmp_path / "lims.sqlite3"), WriterQueue(tmp_path / "lims.sqlite3")
    with here.turn(1):
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="other writers"), there.turn(0.2):
            pass
        assert time.monotonic() - begun >= 0.2
    with there.turn(0.2) as left_s:
        assert left_s > 0
    with here.turn(0.2):
        pass
