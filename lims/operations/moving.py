"""Moving a laboratory from SQLite to PostgreSQL: every row as it is, compared row by row, the record of changes too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from psycopg import sql
from sqlalchemy import Engine, String, Table, Text, select
from sqlalchemy.dialects import postgresql

from lims.base.database import make_engine
from lims.base.metadata import Model
from lims.base.migration import current_revision, head_revision, upgrade
from lims.base.problems import Refused, refuse
from lims.operations import databases
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings

#: Rows that are fetched at once.
ROWS = 5_000
Told = Callable[[str, int], None]


def move(settings: Settings, to: str, told: Told) -> dict[str, int]:
    """Copy the laboratory's SQLite database into the PostgreSQL database at `to`, which is empty or holds what a killed
    move has left. Returns table -> rows.

    The old database stays as it is. Nothing is there when anything fails. `told` hears each table that is done.
    Raises: Refused.
    """
    path = databases.sqlite_path(settings.sqlalchemy_url)
    if path is None or not path.exists():
        raise refuse("LIMS_DATABASE_URL", "moving begins at a SQLite laboratory; there is none here")
    databases.refuse_no_postgresql(to, "--to")
    databases.take_sqlite_alone(path)
    source, target = make_engine(settings.sqlalchemy_url), make_engine(to)
    if current_revision(source) != head_revision():
        source.dispose()
        raise refuse("database", "is of another version of this program: run `lims upgrade` first")
    whole = False
    # Before the `try`, whose end empties the target: what is refused here stays as it is.
    databases.begin_moving(to, "--to")
    try:
        upgrade(target)
        rows = _copy(source, to, told)
        faults = [*differing_rows(source, target), *faults_of_record(to)]
        whole = not faults
    finally:
        source.dispose()
        target.dispose()
        databases.end_moving(to, whole=whole)
    if faults:
        raise Refused([p for fault in faults[:5] for p in refuse("--to", fault).problems])
    return rows


def _copy(source: Engine, to: str, told: Told) -> dict[str, int]:
    rows: dict[str, int] = {}
    with databases.loading(to) as connection:
        for table in Model.metadata.sorted_tables:
            query = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table.name), sql.SQL(", ").join(sql.Identifier(c.name) for c in table.columns)
            )
            dialect = postgresql.dialect()
            binds = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in table.columns]
            count = 0
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                for row in _rows(source, table):
                    copy.write_row(
                        [bind(value) if bind else value for bind, value in zip(binds, row, strict=True)]
                    )
                    count += 1
            rows[table.name] = count
            told(table.name, count)
    return rows


def _rows(engine: Engine, table: Table) -> Generator[tuple[Any, ...]]:
    """Every row in the order of its key: bytes of text, whatever the database's collation."""
    order = [
        column.collate("C")
        if engine.dialect.name == "postgresql" and isinstance(column.type, String | Text)
        else column
        for column in table.primary_key.columns
    ]
    query = select(*table.columns).order_by(*order)
    with engine.connect().execution_options(yield_per=ROWS) as connection, connection.execute(query) as rows:
        for row in rows:
            yield tuple(row)


def differing_rows(source: Engine, target: Engine) -> list[str]:
    """Rows that are not the same on both, the first of each table; empty when all are."""
    faults = []
    for table in Model.metadata.sorted_tables:
        keys = [table.columns.keys().index(column.key) for column in table.primary_key.columns]
        with closing(_rows(source, table)) as ours, closing(_rows(target, table)) as theirs:
            for here, there in itertools.zip_longest(ours, theirs):
                if here != there:
                    row = here or there or ()
                    faults.append(f"{table.name} {'/'.join(str(row[place]) for place in keys)} differs")
                    break
    return faults
