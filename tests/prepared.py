"""What takes seconds to make and is the same for every test is made once a run; each test gets a copy of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fasteners
import pytest
import sqlalchemy


def once_a_run(
    factory: pytest.TempPathFactory, worker_id: str, name: str, prepare: Callable[[Path], None]
) -> Path:
    """The folder that `prepare` fills: whichever worker comes first fills it, the others wait. Copied, never used
    itself."""
    base = factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / f"prepared-{name}"
    ready = shared.with_suffix(".ready")
    with fasteners.InterProcessLock(str(shared.with_suffix(".lock"))):
        if not ready.exists():
            shared.mkdir(exist_ok=True)
            prepare(shared)
            ready.touch()
    return shared


def careless_postgresql(url: str) -> None:
    """No test on this server pulls its plug (tests/faults starts its own), so it need not wait for the disk."""
    admin = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "wal_init_zero"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    admin.dispose()


def careless_sqlite(engine: sqlalchemy.Engine) -> None:
    """The same for the SQLite files of this process: what was written is there for every reader, only not on the disk
    yet. tests/faults kills processes that do wait, and tests/base/test_database.py holds that the program's do."""
    if engine.dialect.name != "sqlite":
        return

    def on_connect(dbapi_connection: Any, record: Any) -> None:
        state = record.info["lims_audit"]
        state.exempt = True  # the guards let nobody change this afterwards
        dbapi_connection.execute("PRAGMA synchronous = OFF")
        state.exempt = False

    sqlalchemy.event.listen(engine, "connect", on_connect)
