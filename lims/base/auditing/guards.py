"""What guards the triggers: SQLite connections that may not take them off, and a look at their text before writing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection

from lims.base.auditing.context import State, state_of
from lims.base.auditing.triggers import differences
from lims.base.problems import WritesStopped

#: PRAGMAs that may be given a value by any connection; every other may only be read.
HARMLESS_PRAGMAS = {
    "analysis_limit", "busy_timeout", "data_version", "foreign_key_check", "foreign_key_list", "index_info", "index_list",
    "index_xinfo", "integrity_check", "optimize", "query_only", "quick_check", "table_info", "table_list", "table_xinfo",
    "wal_checkpoint",
}  # fmt: skip
DENIED = {
    sqlite3.SQLITE_ATTACH,
    sqlite3.SQLITE_DETACH,
    sqlite3.SQLITE_DROP_TRIGGER,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
}
#: PostgreSQL tells nothing when a trigger changes: looked at again after this many seconds.
LOOK_AGAIN_S = 60.0


def authorizer(state: State) -> Callable[..., int]:
    """Refuses to take triggers off, to loosen the database or to bring in another one, except for migrations."""

    def decide(action: int, first: str | None, second: str | None, *_rest: object) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            denied = second is not None and first not in HARMLESS_PRAGMAS
        else:
            denied = action in DENIED
        return sqlite3.SQLITE_DENY if denied and not state.exempt else sqlite3.SQLITE_OK

    return decide


@contextmanager
def exempt(connection: Connection) -> Iterator[None]:
    """A migration, or tables being made: may do what web connections may not."""
    state = state_of(connection)
    state.exempt = True
    try:
        yield
    finally:
        state.exempt = False


class GuardCheck:
    """Compares the triggers with the program's before the first write of a process, and when they may have changed."""

    def __init__(self) -> None:
        self._seen: object = None
        self._differing: list[str] = []

    def check(self, connection: Connection) -> None:
        """Raises: WritesStopped naming what differs."""
        mark = self._mark(connection)
        if mark != self._seen:
            self._differing = differences(connection)
            self._seen = mark
        if self._differing:
            shown = ", ".join(self._differing[:5])
            raise WritesStopped(shown + (" …" if len(self._differing) > 5 else ""))

    def _mark(self, connection: Connection) -> object:
        if connection.dialect.name != "sqlite":
            return int(time.monotonic() / LOOK_AGAIN_S)
        found: object = state_of(connection).cursor.execute("PRAGMA schema_version").fetchall()
        return found
