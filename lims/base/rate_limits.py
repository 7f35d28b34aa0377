"""How often an address has tried, counted in one file for all processes of a machine.

In memory each process would count for itself: with four of them a password could be guessed four times as often.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from flask import current_app
from limits.storage import MemoryStorage, Storage
from limits.strategies import RateLimiter

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Counters that have run out are thrown away this often.
CLEAR_EVERY_S = 60.0
#: No counter counts for longer, unless this process knows of one: what ends later was begun by a clock that was ahead, and
#: would gather tries until that time has come.
LONGEST_S = 86_400.0
#: Another process holds the file for microseconds; who waits longer counts in memory.
PATIENCE_S = 1.0

_TABLE = (
    "CREATE TABLE IF NOT EXISTS counts"
    " (key TEXT PRIMARY KEY, count INTEGER NOT NULL, ends_at REAL NOT NULL) WITHOUT ROWID"
)
_COUNT = """
INSERT INTO counts VALUES (:key, :amount, :ends_at)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN ends_at <= :now OR ends_at > :latest THEN 0 ELSE count END + :amount,
  ends_at = CASE WHEN ends_at <= :now OR ends_at > :latest THEN :ends_at ELSE ends_at END
"""


def tries() -> RateLimiter:
    """Counts what an address of a page does not tell apart: tries with one account, one link."""
    found: RateLimiter = current_app.appbuilder.sm.limiter.limiter  # type: ignore[attr-defined]
    return found


class FileStorage(Storage):
    """Counters of `limits` in a SQLite file. When it cannot be used (a full disk), this process counts in memory: a
    sign-in must not fail because its counter cannot be written.

    `path`: the file, made on first use and readable by its owner alone.
    """

    STORAGE_SCHEME = ["lims-file"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, *, path: str) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = self._inode = 0
        self._clear_at = 0.0
        self._longest_s = LONGEST_S
        self._memory = MemoryStorage()

    @property
    def base_exceptions(self) -> type[Exception]:
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        counted = self._on_file(lambda connection: self._count(connection, key, expiry, amount))
        return self._memory.incr(key, expiry, amount) if counted is None else counted

    def get(self, key: str) -> int:
        """The larger count: a file that can be read and not written any more says less than memory."""
        count, _ends_at = self._found(key)
        return max(count, self._memory.get(key))

    def get_expiry(self, key: str) -> float:
        _count, ends_at = self._found(key)
        return max(ends_at, self._memory.get_expiry(key))

    def check(self) -> bool:
        return self._on_file(lambda _connection: True) is not None

    def reset(self) -> int | None:
        self._memory.reset()
        return self._on_file(lambda connection: connection.execute("DELETE FROM counts").rowcount)

    def clear(self, key: str) -> None:
        self._memory.clear(key)
        self._on_file(lambda connection: connection.execute("DELETE FROM counts WHERE key = ?", (key,)))

    def _count(self, connection: sqlite3.Connection, key: str, expiry: int, amount: int) -> int:
        now = time.time()
        self._longest_s = max(self._longest_s, expiry)
        latest = now + self._longest_s
        if not now < self._clear_at <= now + CLEAR_EVERY_S:
            self._clear_at = now + CLEAR_EVERY_S
            connection.execute("DELETE FROM counts WHERE ends_at <= ? OR ends_at > ?", (now, latest))
        connection.execute("BEGIN IMMEDIATE")
        given = {"key": key, "amount": amount, "now": now, "latest": latest, "ends_at": now + expiry}
        connection.execute(_COUNT, given)
        counted = connection.execute("SELECT count FROM counts WHERE key = ?", (key,)).fetchone()[0]
        connection.execute("COMMIT")
        return int(counted)

    def _found(self, key: str) -> tuple[int, float]:
        """(count, when it ends) in the file."""
        query, now = (
            "SELECT count, ends_at FROM counts WHERE key = ? AND ends_at > ? AND ends_at <= ?",
            time.time(),
        )
        asked = (key, now, now + self._longest_s)
        return self._on_file(lambda file: file.execute(query, asked).fetchone()) or (0, 0.0)

    def _on_file(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `work` finds there; None when the file cannot be used, which is told and given up."""
        try:
            with self._lock:
                return work(self._open())
        except (sqlite3.Error, OSError) as error:
            log.warning("rate limits are counted in memory: %s", error)
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        """The next try opens the file anew. A damaged one is thrown away, it is worth less than the next count; unless
        another process has done so, and what lies there is new."""
        with self._lock, suppress(OSError, sqlite3.Error):
            inode, self._inode = self._inode, 0
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(
                error, sqlite3.OperationalError
            )
            if damaged and self._path.stat().st_ino == inode:
                self._path.unlink()

    def _open(self) -> sqlite3.Connection:
        """Of this process: what a fork copied belongs to its parent."""
        if self._connection is None or self._process != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._inode = self._path.stat().st_ino
            made = sqlite3.connect(
                self._path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
            )
            # Not WAL: the interpreter's own SQLite may be one with the WAL bug. A count that a power cut takes is no loss.
            made.execute("PRAGMA journal_mode = TRUNCATE")
            made.execute("PRAGMA synchronous = OFF")
            made.execute(_TABLE)
            self._connection, self._process = made, os.getpid()
        return self._connection
