"""SQLite's write-ahead log is emptied when it has become long.

SQLite itself moves what a log holds into the database, but begins the log anew only when no reader looks at it just then.
With a process a core, all of them at work, somebody always does: 680 MB in six minutes, and no end to be told.
"""

from __future__ import annotations

import logging
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

#: Bytes. Half as much again as is gathered before SQLite moves it (LOG_PAGES in lims/base/database.py).
LONGEST = 100_000_000
#: Those who read when it is emptied are waited for: their statements take milliseconds, an export's seconds.
PATIENCE_MS = 250
#: Seconds until it is tried again after somebody read for longer.
AGAIN_S = 10.0


class LogLength:
    """Of one database file."""

    def __init__(self, database_file: Path) -> None:
        self._file = Path(f"{database_file}-wal")
        self._not_before = 0.0

    def keep_short(self, engine: Engine, usual_patience_ms: int) -> None:
        """Called by who has the turn to write and has committed. Never fails: what was written is written."""
        now = time.monotonic()
        if now < self._not_before or not self._is_long():
            return
        self._not_before = now + AGAIN_S
        driver: Any = engine.dialect.loaded_dbapi
        try:
            with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
                try:
                    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    held_up, pages, moved = cursor.fetchall()[0]
                finally:
                    cursor.execute(f"PRAGMA busy_timeout = {usual_patience_ms}")
        except (driver.Error, SQLAlchemyError) as error:
            log.warning("the write-ahead log could not be emptied: %s", error)
        else:
            log.info("write-ahead log: %s of %s pages moved, held up by a reader: %s", moved, pages, held_up)

    def _is_long(self) -> bool:
        try:
            return self._file.stat().st_size > LONGEST
        except OSError:
            return False
