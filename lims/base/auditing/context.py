"""Who writes, told to the triggers; and the seal, the last act of a transaction that changed something.

The state hangs on the driver's connection. On SQLite the triggers ask the function `lims_audit_txid`, which exists on
connections of the application alone; on PostgreSQL they read the setting `lims.txid`, which ends with the transaction.
Opening and sealing run on the driver's cursor: they belong to begin and commit, and cost a few microseconds that way.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from psycopg.errors import Error, OperationalError, error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, Escaping, ExecStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from lims.base.actor import Actor
from lims.base.auditing.lims_verify import chained_hash, context_text, leaf_hash, leaf_hashes, merkle_root
from lims.base.auditing.policy import ERASED
from lims.base.auditing.triggers import ZEROS

#: Key of the execution option that opens a context when a transaction begins.
OPTION = "lims_audit"

_LEAVES_SQLITE = (
    "SELECT seq || '\t' || op || '\t' || table_name || '\t' || pk || '\t' || payload "
    "FROM audit_entries WHERE seq > ? ORDER BY seq"
)
_OPEN_SQLITE = (
    "SELECT id, hash, (SELECT max(seq) FROM audit_entries) FROM audit_transactions ORDER BY id DESC LIMIT 1"
)
#: The same where nothing was ever sealed.
_FIRST_SQLITE = f"SELECT 0, '{ZEROS}', max(seq) FROM audit_entries"
_OPEN_POSTGRESQL = b"BEGIN; SELECT set_config('lims.txid', nextval('audit_entries_seq_seq')::text, true)"
_SEAL_SQLITE = (
    "INSERT INTO audit_transactions (id, txid, actor, at, reason, source, entries, root, previous, hash, leaves) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
#: What this leaves out, and what it gives as `leaves`, the guard of seals makes (triggers.py, `audit_appended`).
_SEAL_POSTGRESQL = (
    "(bigint, text, timestamptz, text, text, bytea) AS INSERT INTO audit_transactions "
    "(txid, actor, at, reason, source, leaves) VALUES ($1, $2, $3, $4, $5, $6)"
)
_NUMBERS = itertools.count()


@dataclass(slots=True)
class Opening:
    """In whose name and why. `before_migration`: the tables of the record may not be there yet."""

    actor: Actor
    reason: str = ""
    source: str = ""
    before_migration: bool = False


@dataclass(slots=True)
class State:
    """The open context of one driver connection; `txid` None refuses every write. On PostgreSQL it is known by the first
    statement of the transaction, not before."""

    txid: int | None = None
    opening: Opening | None = None
    last: int = 0
    last_hash: str = ZEROS
    #: Migrations and the making of tables may do what web connections may not (guards.py).
    exempt: bool = False
    #: SQLite: the one on which the record opens and seals. Whoever asks on it takes all rows, or the snapshot stays open.
    cursor: Any = None

    def clear(self) -> None:
        self.txid = self.opening = None


def state_of(connection: Connection) -> State:
    info = connection.connection.info
    state: State | None = info.get("lims_audit")
    if state is None:
        state = info["lims_audit"] = State()
    return state


def digest(salt: str | None, column: str, value: Any) -> str | None:
    """What the record keeps of a personal value."""
    if value is None:
        return None
    text = str(value)
    if text.startswith(ERASED):
        return text
    return "sha256:" + hashlib.sha256(f"{salt or ''}:{column}:{text}".encode()).hexdigest()


def _sha256_of(content: Any) -> str | None:
    if content is None:
        return None
    return hashlib.sha256(content if isinstance(content, bytes) else str(content).encode()).hexdigest()


def add_functions(dbapi_connection: Any, state: State) -> None:
    """What the triggers of SQLite call."""
    dbapi_connection.create_function("lims_audit_txid", 0, lambda: state.txid)
    dbapi_connection.create_function("lims_digest", 3, digest)
    dbapi_connection.create_function("lims_sha256", 1, _sha256_of)


def open_context(connection: Connection, opening: Opening) -> None:
    """Let the triggers of this transaction write in the name of `opening.actor`."""
    state = state_of(connection)
    if opening.before_migration and not _has_tables(connection):
        return
    if connection.dialect.name == "sqlite":
        rows = state.cursor.execute(_OPEN_SQLITE).fetchall() or state.cursor.execute(_FIRST_SQLITE).fetchall()
        state.last, state.last_hash, seq = rows[0]
        state.txid = seq or 0
    else:
        driver: Any = connection.connection.driver_connection
        with _Told(connection, driver):
            # On libpq, because psycopg would wait for a BEGIN of its own first: the record costs no round trip.
            driver.unread = partial(_opened, driver, state)
            _send(driver, _OPEN_POSTGRESQL)
    state.opening = opening


def _opened(driver: Any, state: State, results: list[PGresult]) -> None:
    """What opening a transaction has brought, before its first statement. Raises: psycopg.Error."""
    number = int(_good(driver, results[-1]).get_value(0, 0) or 0)
    if state.opening is not None:  # not given up meanwhile
        state.txid = number


def _send(driver: Any, statement: bytes) -> None:
    """One message to the server; its answer is to be read later. Raises: OperationalError when the server went away."""
    try:
        driver.pgconn.send_query(statement)
    except Error as error:
        driver.unread = None
        raise OperationalError(str(error)) from error


def _answer(driver: Any, statement: bytes) -> Any:
    """The last result of one message to the server.

    Raises: psycopg.Error, an OperationalError when the server went away.
    """
    return _good(driver, driver.pgconn.exec_(statement))


def _good(driver: Any, result: Any) -> Any:
    """Raises: psycopg.Error, an OperationalError when the server went away."""
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        if driver.pgconn.status == ConnStatus.BAD or result.error_field(DiagnosticField.SQLSTATE) is None:
            # Without a code it is libpq's own word, not the server's: there is nobody to write to.
            raise OperationalError(result.error_message.decode("utf-8", "replace"))
        raise error_from_result(result)
    return result


class _Told:
    """What fails on the driver, fails as SQLAlchemy tells it: a server that went away is a 503. Raises: DBAPIError."""

    __slots__ = ("connection", "driver")

    def __init__(self, connection: Connection, driver: Any) -> None:
        self.connection, self.driver = connection, driver

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: Any, _trace: object) -> None:
        dialect: Any = self.connection.dialect
        if error is None or not isinstance(error, dialect.loaded_dbapi.Error):
            return
        gone = dialect.is_disconnect(error, self.driver, None)
        raise DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=gone, dialect=dialect
        ) from error


def _has_tables(connection: Connection) -> bool:
    cursor: Any = connection.connection.cursor()
    cursor.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'audit_transactions'"
        if connection.dialect.name == "sqlite"
        else "SELECT count(to_regclass('audit_transactions'))"
    )
    return bool(cursor.fetchone()[0])


def seal(connection: Connection) -> None:
    """Chain what the transaction changed to all before it. A transaction that changed nothing leaves nothing."""
    state = state_of(connection)
    if state.opening is None:
        return
    try:
        if connection.dialect.name == "sqlite":
            _seal_sqlite(state)
        else:
            _seal_postgresql(connection, state)
    finally:  # a commit that fails is not followed by a rollback that would clear it
        state.clear()


def _seal_sqlite(state: State) -> None:
    opening, txid = state.opening, state.txid
    assert opening is not None
    assert txid is not None
    leaves = leaf_hashes(row[0] for row in state.cursor.execute(_LEAVES_SQLITE, (txid,)))
    if leaves:
        count, number, at = len(leaves), state.last + 1, present_text()
        actor, reason, source = opening.actor.key, opening.reason, opening.source
        context = context_text(txid, actor, at, reason, source, count)
        root = merkle_root([leaf_hash(context), *leaves])
        chained = chained_hash(number, bytes.fromhex(state.last_hash), root).hex()
        stored_at = at[:-1].replace("T", " ")
        state.cursor.execute(
            _SEAL_SQLITE,
            (number, txid, actor, stored_at, reason, source, count, root.hex(), state.last_hash, chained,
             b"".join(leaves)),
        )  # fmt: skip


def _seal_postgresql(connection: Connection, state: State) -> None:
    """The database hashes (triggers.py, `audit_appended`), so that no row travels, and commits in the same message: the
    commit of SQLAlchemy that follows finds nothing to do. When the seal fails, nothing is committed. The statement is
    prepared once a connection: to read and plan it would take a seventh of the cost of the record."""
    opening = state.opening
    assert opening is not None
    driver: Any = connection.connection.driver_connection
    with _Told(connection, driver):
        driver.read_answer()  # unread yet where nothing was written
        txid = state.txid
        if txid is None:  # its opening was refused, and somebody went on
            raise OperationalError("the record of changes was not opened")
        at, actor, reason, source = present_text(), opening.actor.key, opening.reason, opening.source
        context = context_text(txid, actor, at, reason, source, 0).removesuffix("0]")  # the database counts
        given = ", ".join([_literal(driver, text) for text in (actor, at, reason, source)])
        message, name = "", driver.sealing
        if name is None:
            name = f"lims_seal_{next(_NUMBERS)}"  # a name of its own: one that failed may have been prepared or not
            message = f"PREPARE {name} {_SEAL_POSTGRESQL}; "
        driver.sealing = None
        message += f"EXECUTE {name}({txid}, {given}, '\\x{context.encode().hex()}'); COMMIT"
        _answer(driver, message.encode())
        driver.sealing = name


def _literal(driver: Any, text: str) -> str:
    """A text as SQL."""
    if "'" in text or "\\" in text:
        quoted: bytes = Escaping(driver.pgconn).escape_literal(text.encode())
        return quoted.decode()
    return f"'{text}'"


def instant_text(at: datetime) -> str:
    """A UTC instant as it is hashed."""
    return at.replace(tzinfo=None).isoformat("T", "microseconds") + "Z"  # strftime takes ten times as long


@lru_cache(maxsize=8)
def _second_text(second: int) -> str:
    """`instant_text` of a whole second, up to and with its point."""
    return instant_text(datetime.fromtimestamp(second, UTC)).removesuffix("000000Z")


def present_text() -> str:
    """`instant_text` of now, in half its time: what all writes of a second share is put together once."""
    second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second_text(second)}{nanoseconds // 1000:06d}Z"
