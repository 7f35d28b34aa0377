"""Writers of SQLite wait in a queue, not in its busy handler.

SQLite serves one writer at a time; the others ask again after pauses that grow to 100 ms, so that a late one may starve
while the database idles. Here threads of a process wait for a lock that wakes them at once, and processes for one
another on a locked file beside the database. Whoever has waited BUSY_TIMEOUT_MS in all is told that it is busy.
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
LOOK_AGAIN_S = 0.001


class WriterQueue:
    """The turn to write one SQLite file."""

    def __init__(self, database_file: Path) -> None:
        self._file = Path(f"{database_file}-writers")
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
            handle = self._take_file(until)
            try:
                yield max(0.0, until - time.monotonic())
            finally:
                if handle is not None:
                    os.close(handle)
        finally:
            self._lock.release()

    def _take_file(self, until: float) -> int | None:
        if sys.platform == "win32":  # one process (waitress): its threads' lock is enough
            return None
        # Opened for each turn: a handle that a fork copied would share its lock.
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(handle)
                    raise Unavailable("other writers hold the database") from None
                time.sleep(LOOK_AGAIN_S)
            else:
                return handle
