"""Who writes, told to the triggers; and the seal, the last act of a transaction that changed something.

The state hangs on the driver's connection. On SQLite the triggers ask the function `lims_audit_txid`, which exists on
connections of the application alone; on PostgreSQL they read the setting `lims.txid`, which ends with the transaction.
Opening and sealing run on the driver's cursor: they belong to begin and commit, and cost a few microseconds that way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from lims.base.actor import Actor
from lims.base.auditing.lims_verify import chained_hash, context_text, leaf_hash, leaf_hashes, merkle_root
from lims.base.auditing.policy import ERASED
from lims.base.auditing.triggers import ZEROS
from lims.base.columns import utc_now

#: Key of the execution option that opens a context when a transaction begins.
OPTION = "lims_audit"

LEAF_SQL = "seq || char(9) || op || char(9) || table_name || char(9) || pk || char(9) || payload"
LEAF_POSTGRESQL = "seq || E'\\t' || op || E'\\t' || table_name || E'\\t' || pk || E'\\t' || payload"
_OPEN_SQLITE = (
    "SELECT t.id, t.hash, e.seq FROM (SELECT 1) "
    "LEFT JOIN (SELECT id, hash FROM audit_transactions ORDER BY id DESC LIMIT 1) t "
    "LEFT JOIN (SELECT seq FROM audit_entries ORDER BY seq DESC LIMIT 1) e"
)
_OPEN_POSTGRESQL = "SELECT set_config('lims.txid', nextval('audit_entries_seq_seq')::text, true)"
_SEAL_SQLITE = (
    "INSERT INTO audit_transactions (id, txid, actor, at, reason, source, entries, root, previous, hash, leaves) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(slots=True)
class Opening:
    """In whose name and why. `before_migration`: the tables of the record may not be there yet."""

    actor: Actor
    reason: str = ""
    source: str = ""
    before_migration: bool = False


@dataclass(slots=True)
class State:
    """The open context of one driver connection; `txid` None refuses every write."""

    txid: int | None = None
    opening: Opening | None = None
    last: int = 0
    last_hash: str = ZEROS
    #: Migrations and the making of tables may do what web connections may not (guards.py).
    exempt: bool = False
    #: What the database told about its schema when its triggers were last compared.
    checked: Any = field(default=None)

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
    cursor: Any = connection.connection.cursor()
    sqlite = connection.dialect.name == "sqlite"
    if opening.before_migration and not _has_tables(cursor, sqlite):
        return
    if sqlite:
        cursor.execute(_OPEN_SQLITE)
        last, last_hash, seq = cursor.fetchone()
        state.last, state.last_hash, state.txid = last or 0, last_hash or ZEROS, seq or 0
    else:
        cursor.execute(_OPEN_POSTGRESQL)
        state.txid = int(cursor.fetchone()[0])
    cursor.close()
    state.opening = opening


def _has_tables(cursor: Any, sqlite: bool) -> bool:
    cursor.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'audit_transactions'"
        if sqlite
        else "SELECT count(to_regclass('audit_transactions'))"
    )
    return bool(cursor.fetchone()[0])


def seal(connection: Connection) -> None:
    """Chain what the transaction changed to all before it. A transaction that changed nothing leaves nothing."""
    state = state_of(connection)
    if state.txid is None or state.opening is None:
        return
    cursor: Any = connection.connection.cursor()
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        cursor.execute(
            f"SELECT {LEAF_SQL} FROM audit_entries WHERE seq > ? ORDER BY seq",
            (state.txid,),
        )
    else:
        cursor.execute(
            f"SELECT {LEAF_POSTGRESQL} FROM audit_entries WHERE seq > %s AND txid = %s ORDER BY seq",
            (state.txid, state.txid),
        )
    leaves = leaf_hashes(row[0] for row in cursor)
    if leaves:
        _write_seal(cursor, state, leaves, sqlite)
    cursor.close()
    state.clear()


def _write_seal(cursor: Any, state: State, leaves: list[bytes], sqlite: bool) -> None:
    opening, txid = state.opening, state.txid
    assert opening is not None
    assert txid is not None
    now, count = utc_now(), len(leaves)
    said = (opening.actor.key, instant_text(now), opening.reason, opening.source)
    root = merkle_root([leaf_hash(context_text(txid, *said, count)), *leaves])
    packed = b"".join(leaves)
    if not sqlite:
        cursor.execute(
            "SELECT audit_seal(%s, %s, %s, %s, %s, %s, %s, %s)",
            (txid, said[0], now, opening.reason, opening.source, count, root.hex(), packed),
        )
        return
    number = state.last + 1
    chained = chained_hash(number, bytes.fromhex(state.last_hash), root).hex()
    stored_at = now.replace(tzinfo=None).isoformat(" ", "microseconds")
    cursor.execute(
        _SEAL_SQLITE,
        (number, txid, said[0], stored_at, opening.reason, opening.source, count, root.hex(), state.last_hash,
         chained, packed),
    )  # fmt: skip


def instant_text(at: datetime) -> str:
    """A UTC instant as it is hashed."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
