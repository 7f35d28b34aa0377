"""The record of changes as the verifier reads it, out of the database: one snapshot, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from lims.base.auditing import policy
from lims.base.auditing.context import digest, instant_text
from lims.base.auditing.lims_verify import Report, Sealed, Source
from lims.base.auditing.triggers import differences, key_sql, row_sql, selected_sql
from lims.base.metadata import Model

ENTRIES = "SELECT seq, txid, op, table_name, pk, payload FROM audit_entries ORDER BY seq"
TRANSACTIONS = (
    "SELECT id, txid, actor, at, reason, source, entries, root, previous, hash, leaves "
    "FROM audit_transactions ORDER BY id"
)
NOTES = "SELECT number, text FROM checkpoints WHERE text <> '' ORDER BY number"


class DatabaseSource(Source):
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect.name

    def _stream(self, query: str) -> Iterator[Any]:
        """On the driver's cursor: a row costs a third of what it costs through SQLAlchemy."""
        driver: Any = self.connection.connection.driver_connection
        cursor = driver.cursor() if self.dialect == "sqlite" else driver.cursor(name="audit_reading")
        try:
            if self.dialect != "sqlite":
                cursor.itersize = 5000
            cursor.execute(query)
            yield from cursor
        finally:
            cursor.close()

    def entries(self) -> Iterator[Any]:
        return self._stream(ENTRIES)

    def transactions(self) -> Iterator[Sealed]:
        for row in self._stream(TRANSACTIONS):
            yield Sealed._make([*row[:3], _instant(row[3]), *row[4:10], bytes(row[10])])

    def rows(self) -> Iterator[Any]:
        for table in Model.metadata.sorted_tables:
            if policy.is_captured(table):
                for pk, text in self._stream(rows_sql(table, self.dialect)):
                    yield table.name, pk, text

    def notes(self) -> Iterator[tuple[str, str]]:
        for number, text in self._stream(NOTES):
            yield f"checkpoint {number}", text


def check_database(source: DatabaseSource, report: Report) -> None:
    """What an export does not hold: the triggers, and the clear text beside the digests of personal data."""
    for name in differences(source.connection):
        report.found("trigger", f"the trigger {name} is missing, was altered or was added", name)
    query = (
        "SELECT p.digest, p.table_name, p.pk, p.column_name, p.value, s.salt FROM audit_personal p "
        "LEFT JOIN audit_salts s ON s.table_name = p.table_name AND s.pk = p.pk"
    )
    for kept, table, pk, column, value, salt in source.connection.exec_driver_sql(query):
        if digest(salt, column, value) != kept:
            report.found("personal", f"{table} {pk}: the clear text of {column} was altered", table, pk)


def rows_sql(table: Any, dialect: str) -> str:
    """(pk, JSON) of every row as it stands, in the words of the triggers: equal values give equal text."""
    columns = policy.captured_columns(table)
    order = ", ".join(column.name for column in policy.key_columns(table))
    if dialect == "sqlite":
        key, row = key_sql(table, table.name, dialect), row_sql(table, columns, table.name, dialect)
        return f"SELECT {key}, {row} FROM {table.name} ORDER BY {order}"  # noqa: S608 - names of the metadata
    inner = selected_sql(table, columns, table.name)
    return f"SELECT {key_sql(table, 'n', dialect)}, row_to_json(n)::text FROM {inner} n ORDER BY {order}"  # noqa: S608


def _instant(stored: Any) -> str:
    """As it was hashed; what cannot be read as a time is left, and will not match."""
    if isinstance(stored, datetime):
        return instant_text(stored.astimezone(UTC))
    try:
        return instant_text(datetime.fromisoformat(str(stored)))
    except ValueError:
        return str(stored)


@contextmanager
def reading(engine: Engine) -> Iterator[DatabaseSource]:
    """One snapshot of the whole record."""
    sqlite = engine.dialect.name == "sqlite"
    options = {} if sqlite else {"isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection:
        if sqlite:
            connection.exec_driver_sql("SELECT 1 FROM audit_transactions LIMIT 1")
            driver: Any = connection.connection.driver_connection
            # Bytes that are no text must be found, not stumbled over.
            driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        else:
            connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
        try:
            yield DatabaseSource(connection)
        finally:
            if sqlite:
                driver.text_factory = str
