"""What takes seconds to make and is the same for every test is made once a run; each test gets a copy of its own."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import fasteners
import psutil
import pytest
import sqlalchemy
from flask import current_app

from lims.base.auditing.guards import GuardCheck
from lims.base.database import Database, database

#: A file system in memory, where there is one, and what has to be free in it: a run keeps well below 2 GB there.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
FREE_BYTES = 4_000_000_000

#: The first engine of each kind of database in this process.
_FIRST: dict[str, sqlalchemy.Engine] = {}
#: Of the first copy of the tables of each kind: what hangs on them was compared with the program's.
_GUARDS: dict[str, GuardCheck] = {}
#: What tests of this process begin with: who makes it of what in which application -> the database then, that of
#: before, and the answer.
_BEGUN: dict[tuple[Any, ...], tuple[Path, bytes, Any]] = {}

T = TypeVar("T")


def work_in_memory() -> None:
    """This run's temporary files lie in memory, those of its processes included: a PostgreSQL database is 1,200 files, and
    a busy disk takes thirty times as long to make them. Not where TMPDIR says another place, or memory is short."""
    if os.environ.get("TMPDIR") or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < FREE_BYTES:
        return
    for left in MEMORY.glob("lims-tests-*-*"):  # by a run that was killed
        owner = left.name.split("-")[2]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"lims-tests-{os.getpid()}-", dir=MEMORY)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    """The room is needed again. Registered first, so that it is done last; not by what was forked meanwhile."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


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


def same_statements(engine: sqlalchemy.Engine) -> None:
    """Statements that another engine of this process has compiled need not be compiled again: a program has one engine for
    all its life, but each test has its own."""
    first = _FIRST.get(engine.dialect.name)
    if first is None:
        engine.connect().close()  # from the first connection on a dialect knows its server
        _FIRST[engine.dialect.name] = engine
        return
    engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache


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


def same_guards(made: Database) -> None:
    """Copies of the same tables carry the same triggers: they are compared with the program's once a process, as any program
    does, not in each test. Who alters them later is found as in life: SQLite tells at once, PostgreSQL after a minute."""
    kind = made.engine.dialect.name
    if kind not in _GUARDS:
        with made.engine.connect() as connection:
            made.guards.check(connection)
        _GUARDS[kind] = made.guards
    made.guards = copy(_GUARDS[kind])
    if kind != "sqlite":
        made.guards._seen = made.guards._mark(made.engine)  # type: ignore[arg-type]


def begun_with(make: Callable[..., T], *given: Any) -> T:
    """What `make` makes in the database of this test, before anything else is written there. On SQLite the next test of this
    process that begins so gets a copy of the file: some twenty batches with their results take two seconds to make.

    `make` answers with keys, if with anything: its records belong to a session that is closed.
    """
    here = database()
    if not here.is_sqlite:
        return make(*given)
    place = Path(str(here.engine.url.database))
    empty = _closed(here, place)
    who = make, given, current_app.name
    if who not in _BEGUN:
        answer = make(*given)
        _closed(here, place)
        folder = Path(tempfile.mkdtemp(prefix="begun-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        shutil.copy(place, folder)
        _BEGUN[who] = folder / place.name, empty, answer
    kept, before, found = _BEGUN[who]
    assert empty == before, "something was written before what this test begins with"
    shutil.copy(kept, place)
    return found  # type: ignore[no-any-return]


def _closed(open_one: Database, place: Path) -> bytes:
    """A hash of the whole database, which is in one file once nobody has it open."""
    open_one.session.remove()
    open_one.engine.dispose()
    assert not place.with_name(f"{place.name}-wal").exists(), "somebody has the database open"
    return hashlib.sha256(place.read_bytes()).digest()
