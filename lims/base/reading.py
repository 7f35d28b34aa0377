"""PostgreSQL's connections: what only reads is said to only read, what was prepared stays prepared, and the first message
of a write is not waited for.

psycopg prepares a statement that it has run five times, and forgets all of them at every ROLLBACK, since one may undo what
they rest on. Each request that reads ends with one: planning was half of what PostgreSQL did. A transaction that was begun
READ ONLY has nothing to undo, so it may end with COMMIT instead.

The message that opens a write needs an answer only by the time of its first statement. What the application does between
the two takes longer than the server does for the answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.generators import execute
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import Engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import InvalidatePoolError

#: Statements that a connection keeps prepared; a busy process has some three hundred.
KEPT_STATEMENTS = 500
#: Seconds in the pool after which a connection is asked whether it still serves, and where it keeps since when.
ASKED_AFTER_S, GIVEN_BACK = 0.05, "lims_given_back"
#: A machine that has vanished (no power, no network) answers nothing, not even that it is gone, and the system waits for it
#: for a quarter of an hour: a thread each. In seconds but for the last; an address may say otherwise.
GIVEN_UP = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
#: Option of a connection that only reads, unless it has `lims_write` beside it.
READS = "lims_reads"


class LimsConnection(psycopg.Connection[Any]):
    """Takes back what only read without forgetting what was prepared; may have an answer that is still to be read."""

    #: Takes the results of what was sent before.
    unread: Callable[[list[PGresult]], None] | None = None
    #: Name under which the statement that seals is prepared here, None when it is not.
    sealing: str | None = None

    def read_answer(self) -> None:
        """Of what was sent before, if nobody has read it. Raises: psycopg.Error."""
        if self.unread is not None:
            take, self.unread = self.unread, None
            self.pgconn.consume_input()
            results: list[PGresult] = []
            while not self.pgconn.is_busy():  # it has come: nothing to wait for
                result = self.pgconn.get_result()
                if result is None:
                    break
                results.append(result)
            else:
                results += super().wait(execute(self.pgconn))
            take(results)

    def wait(self, *given: Any, **named: Any) -> Any:
        """All that is said to the server goes through here."""
        self.read_answer()
        return super().wait(*given, **named)

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        """psycopg forgets one statement that it prepared or, at the end of what may have undone something, all of this
        connection: ours as well. There is no public place to learn of it; tests/base/test_reading.py holds it."""
        if name is None:
            self.sealing = None
        return super()._deallocate(name)

    def commit(self) -> None:
        """Nothing is left to commit after a seal, which brought its COMMIT: psycopg would find that out more slowly."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().commit()

    def rollback(self) -> None:
        status = self.pgconn.transaction_status
        if self.read_only and status == TransactionStatus.INTRANS:
            self.commit()
        elif status != TransactionStatus.IDLE:
            super().rollback()


def asked_before_use(engine: Engine) -> None:
    """A connection that lay in the pool for a while is asked whether its server still answers, and made anew when it does
    not. SQLAlchemy's `pool_pre_ping` asks each time: a write takes a connection two or three times. What dies within
    ASKED_AFTER_S of its use would as likely have died in use, and is told in the same way."""

    @event.listens_for(engine, "checkin")
    def _given_back(_connection: Any, record: Any) -> None:
        record.info[GIVEN_BACK] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _taken(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(GIVEN_BACK, time.monotonic()) < ASKED_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError("the server does not answer on this connection") from error


def not_only_reading(engine: Engine) -> Engine:
    """For who writes past the sessions: PostgreSQL's triggers and rights decide, not the kind of the transaction."""
    return engine.execution_options(**{READS: False})


def keep_prepared(engine: Engine) -> None:
    """What says that it reads (READS) does so in transactions that cannot write, unless it says that it writes."""

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, given: Any, named: Any) -> Any:
        made = LimsConnection.connect(*given, **{**GIVEN_UP, **named})
        made.prepared_max = KEPT_STATEMENTS
        return made

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        reads = bool(options.get(READS)) and not options.get("lims_write")
        driver: Any = connection.connection.driver_connection
        if bool(driver.read_only) is not reads:
            driver.read_only = reads
