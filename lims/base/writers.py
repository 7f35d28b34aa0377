"""Writers of SQLite wait in a queue, not in its busy handler.

SQLite serves one writer at a time; the others ask again after pauses that grow to 100 ms, so that a late one may starve
while the database idles. Here threads of a process wait for a lock that wakes them at once, and processes for one
another on locked files beside the database. Whoever has waited BUSY_TIMEOUT_MS in all is told that it is busy.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lims.base.problems import Unavailable

if sys.platform != "win32":
    import fcntl

#: Between two looks at the file that another process holds.
LOOK_AGAIN_S = 0.0005


class WriterQueue:
    """The turn to write one SQLite file.

    Two locked files: who holds `-next` comes after who holds `-writers`. With one alone, the process that gives up its turn
    takes it again for another of its threads before the others have looked, ten times over.
    """

    def __init__(self, database_file: Path) -> None:
        self._file, self._next = Path(f"{database_file}-writers"), Path(f"{database_file}-next")
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, wait_s: float) -> Iterator[float]:
        """Inside, no other transaction of this program writes. Yields the seconds that are left of `wait_s`.

        Raises: Unavailable when the turn does not come.
        """
        until = time.monotonic() + wait_s
        if not self._lock.acquire(timeout=wait_s):
            raise Unavailable("other writers hold the database")
        try:
            with self._among_processes(until):
                yield max(0.0, until - time.monotonic())
        finally:
            self._lock.release()

    @contextmanager
    def _among_processes(self, until: float) -> Iterator[None]:
        if sys.platform == "win32":  # one process (waitress): its threads' lock is enough
            yield
            return
        coming = _locked(self._next, until)
        try:
            writing = _locked(self._file, until)
        finally:
            os.close(coming)
        try:
            yield
        finally:
            os.close(writing)


def _locked(file: Path, until: float) -> int:
    """A handle that holds the lock until it is closed. Raises: Unavailable."""
    # Opened for each turn: a handle that a fork copied would share its lock.
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Unavailable("other writers hold the database") from None
                time.sleep(LOOK_AGAIN_S)
            else:
                return handle
    except BaseException:
        os.close(handle)
        raise
