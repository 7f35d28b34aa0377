"""PostgreSQL's connections: what only reads is said to only read, and what was prepared stays prepared.

psycopg prepares a statement that it has run five times, and forgets all of them at every ROLLBACK, since one may undo what
they rest on. Each request that reads ends with one: planning was half of what PostgreSQL did. A transaction that was begun
READ ONLY has nothing to undo, so it may end with COMMIT instead.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection

#: Statements that a connection keeps prepared; a busy process has some three hundred.
KEPT_STATEMENTS = 500
#: Option of a connection that a session opens. Without `lims_write` beside it, it only reads.
SESSION = "lims_session"


class KeepsPrepared(psycopg.Connection[Any]):
    """Takes back what only read without forgetting what was prepared."""

    def rollback(self) -> None:
        if self.read_only and self.pgconn.transaction_status == TransactionStatus.INTRANS:
            self.commit()
        else:
            super().rollback()


def keep_prepared(engine: Engine) -> None:
    """Sessions of this engine read in transactions that cannot write, unless they say that they write."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        made = KeepsPrepared.connect(*given, **named)
        made.prepared_max = KEPT_STATEMENTS
        return made

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        reads = bool(options.get(SESSION)) and not options.get("lims_write")
        driver: Any = connection.connection.driver_connection
        if bool(driver.read_only) is not reads:
            driver.read_only = reads
