"""What a laboratory takes on disk: the database, and what of it is the record of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from lims.base.database import database, sqlite_module
from lims.operations.databases import sqlite_path


def bytes_on_disk(app: Flask) -> tuple[int, int]:
    """Bytes of the whole database, and of its record of changes (tables and indexes whose names begin with audit)."""
    with app.app_context(), database().engine.connect() as connection:
        if not database().is_sqlite:
            whole = connection.scalar(text("SELECT pg_database_size(current_database())"))
            record = connection.scalar(
                text(
                    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n"
                    " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'public'"
                    " AND c.relname LIKE 'audit%'"
                )
            )
            return int(whole), int(record)
        path = sqlite_path(app.config["LIMS_SETTINGS"].sqlalchemy_url)
        assert path is not None
        with sqlite_module().connect(str(path)) as plain:
            plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size, _pages_of_the_record(path)


def _pages_of_the_record(path: Path) -> int:
    """Bytes of the pages of its tables and their indexes. Only the interpreter's own library counts pages by table; it
    reads the file and nothing else. Raises: sqlite3.OperationalError where it was built without dbstat."""
    query = """SELECT coalesce(sum(s.pgsize), 0) FROM dbstat('main', 1) AS s
JOIN sqlite_schema AS t ON t.name = s.name WHERE t.tbl_name LIKE 'audit%'"""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as reading:
        return int(reading.execute(query).fetchone()[0])
