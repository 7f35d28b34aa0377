"""What operations ask of the record of changes (lims/base/auditing): does it verify, and what is its signed head?"""

from __future__ import annotations

import itertools

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from lims.audit.keys import note_in
from lims.base.auditing import triggers
from lims.base.auditing.context import LEAF_POSTGRESQL, LEAF_SQL, instant_text
from lims.base.auditing.lims_verify import chained_hash, context_text, leaf_hash, leaf_hashes, merkle_root
from lims.base.auditing.models import AuditTransaction
from lims.base.auditing.triggers import ZEROS
from lims.base.database import make_engine
from lims.settings import Settings

#: Rows that are fetched at once.
AT_ONCE = 5_000


def faults_of_record(url: str) -> list[str]:
    """Where the chain of the record of changes does not hold in this database; empty when it verifies."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return _walk(connection)
    finally:
        engine.dispose()


def _walk(connection: Connection) -> list[str]:
    """The chain in its order, then every entry: one pass over each table, in the order that needs no look-up."""
    table = AuditTransaction.__table__
    columns = [column for column in table.columns if column.name != "leaves"]
    number, previous = 0, ZEROS
    wanted: dict[int, tuple[int, bytes, str]] = {}
    query = select(*columns).order_by(table.c.id)
    with connection.execution_options(yield_per=AT_ONCE).execute(query) as rows:
        for row in rows:
            if row.id != number + 1:
                return [f"record of changes: transaction {number + 1} is missing"]
            if row.previous != previous or row.hash != _chained(row.id, previous, row.root):
                return [f"record of changes: transaction {row.id} does not follow the one before it"]
            said = context_text(
                row.txid, row.actor, instant_text(row.at), row.reason, row.source, row.entries
            )
            wanted[row.txid] = (row.id, leaf_hash(said), row.root)
            number, previous = row.id, row.hash
    return _faults_of_entries(connection, wanted)


def _faults_of_entries(connection: Connection, wanted: dict[int, tuple[int, bytes, str]]) -> list[str]:
    leaf = LEAF_SQL if connection.dialect.name == "sqlite" else LEAF_POSTGRESQL
    query = f"SELECT txid, {leaf} AS leaf FROM audit_entries ORDER BY txid, seq"  # noqa: S608 - fixed text
    with connection.execution_options(yield_per=AT_ONCE).execute(text(query)) as rows:
        for txid, entries in itertools.groupby(rows, lambda row: row.txid):
            found = wanted.pop(txid, None)
            if found is None:
                return [f"record of changes: entries of a transaction {txid} that was never sealed"]
            number, said, root = found
            if merkle_root([said, *leaf_hashes(row.leaf for row in entries)]).hex() != root:
                return [f"record of changes: transaction {number} was altered"]
    for number, said, root in wanted.values():
        if merkle_root([said]).hex() != root:
            return [f"record of changes: entries of transaction {number} are missing"]
    return []


def _chained(number: int, previous: str, root: str) -> str:
    return chained_hash(number, bytes.fromhex(previous), bytes.fromhex(root)).hex()


def guards_that_differ(connection: Connection) -> list[str]:
    """Names of triggers that are not as the program made them."""
    return triggers.differences(connection)


def checkpoint_text(settings: Settings, head: tuple[int, str] | None) -> str:
    """The signed checkpoint over this head, "" where there is no record yet."""
    return note_in(settings.data, settings.laboratory, *head) if head is not None else ""
