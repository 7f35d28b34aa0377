"""Whole databases, out and in, past the application: what backups and moves stand on.

Nothing here goes through services, sessions or triggers: rows are copied as they are, the record of changes with
them. Work on a laboratory's records never comes this way.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lims.base.database import sqlite_module
from lims.base.problems import Problem, Refused, refuse

log = logging.getLogger(__name__)

#: Of a folder that somebody has named for backups.
NOT_MOUNTED = (
    "does not exist; is its disk mounted? accepted: a folder that is there, or empty for LIMS_DATA/backups"
)
#: Bytes that are moved at once.
CHUNK = 1 << 20


class Unreadable(Refused):
    """What stands in the place of the database cannot be read as a laboratory's: damaged, empty or something else."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds."""

    revision: str
    #: table -> rows
    rows: dict[str, int] = field(default_factory=dict)
    #: Number and hash of the last sealed transaction of the record of changes.
    audit_head: tuple[int, str] | None = None


#: Driver of every address of PostgreSQL.
POSTGRESQL = "postgresql+psycopg"
NO_ADDRESS = f"is not an address; accepted: empty, or {POSTGRESQL}://user:password@host/name"


def driver_of(url: str) -> str:
    """The driver that an address names, "" for what is no address."""
    try:
        return make_url(url).drivername
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        return ""


def refuse_no_postgresql(url: str, field: str) -> None:
    """Raises: Refused for what is no address of a PostgreSQL database. It may hold a password: it is not repeated."""
    if driver_of(url) != POSTGRESQL:
        raise refuse(field, f"is not accepted; accepted: {POSTGRESQL}://user:password@host/name")


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite address, None for another database."""
    made = make_url(url)
    return Path(made.database or "") if made.drivername.startswith("sqlite") else None


def sqlite_url(path: Path) -> str:
    """The address of this file, the other way."""
    return URL.create("sqlite", database=path.as_posix()).render_as_string()


def conninfo(url: str | URL) -> str:
    """A SQLAlchemy address in libpq's words."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# --- SQLite ----------------------------------------------------------------------------------------------------


#: Results of SQLite that tell of the place and its rights, none of what stands in the file.
_OF_THE_PLACE = {
    3: "PERM",
    5: "BUSY",
    6: "LOCKED",
    7: "NOMEM",
    8: "READONLY",
    10: "IOERR",
    13: "FULL",
    14: "CANTOPEN",
}
#: The driver gives no result where it could not even open the file.
_NOT_OPENED = "unable to open database file"


def is_of_the_place(error: BaseException) -> bool:
    """No room, no right, nothing that could be opened: says an error of SQLite that?"""
    if not isinstance(error, sqlite_module().Error):
        return False
    result = getattr(error, "sqlite_errorcode", None)
    return _NOT_OPENED in str(error) if result is None else (result & 0xFF) in _OF_THE_PLACE


def _read_only(path: Path) -> str:
    """The address of this file for SQLite, to whom # ? and % in a name would be more than letters."""
    return f"{path.absolute().as_uri()}?mode=ro"


def copy_sqlite(source: Path, target: Path) -> None:
    """One consistent copy while others write: the backup API in a single step, so that it sees one snapshot.

    The copy is one file (no write-ahead log) and stands on the disk when this returns.
    """
    module = sqlite_module()
    with (
        contextlib.closing(module.connect(_read_only(source), uri=True, timeout=30)) as reading,
        contextlib.closing(module.connect(str(target))) as writing,
    ):
        reading.backup(writing, pages=-1)
        writing.execute("PRAGMA journal_mode = DELETE")
    _to_disk(target)


def contents_of_sqlite(path: Path) -> Contents:
    with contextlib.closing(sqlite_module().connect(_read_only(path), uri=True)) as reading:
        names = [
            name
            for (name,) in reading.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                " AND name NOT LIKE 'search!_trigrams%' ESCAPE '!' ORDER BY name"
            )
        ]
        rows = {name: reading.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
        found = None
        if "alembic_version" in rows:
            found = reading.execute("SELECT version_num FROM alembic_version").fetchone()
        if found is None:
            said = "holds no laboratory: run `lims init` first"
            raise Unreadable([Problem("database", said, str(path))])
        head = None
        if "audit_transactions" in rows:
            head = reading.execute(
                "SELECT id, hash FROM audit_transactions ORDER BY id DESC LIMIT 1"
            ).fetchone()
    return Contents(found[0], rows, tuple(head) if head else None)


def faults_of_sqlite(path: Path) -> list[str]:
    """What SQLite itself finds wrong with this file; empty when all is well. Raises: its error when the place fails."""
    module = sqlite_module()
    try:
        with contextlib.closing(module.connect(_read_only(path), uri=True)) as reading:
            found = [row[0] for row in reading.execute("PRAGMA integrity_check")]
            dangling = reading.execute("PRAGMA foreign_key_check").fetchmany(5)
    except module.DatabaseError as error:
        if is_of_the_place(error):
            raise
        return [f"integrity_check: {error}"]
    faults = [f"integrity_check: {line}" for line in found if line != "ok"]
    return faults + [
        f"foreign_key_check: {table} row {row} refers to nothing" for table, row, *_rest in dangling
    ]


def files_of_sqlite(path: Path) -> list[Path]:
    """The database's own file and those that SQLite may have beside it, which belong to it alone."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))]


def take_sqlite_alone(path: Path) -> None:
    """Raises: Refused while another program has the file open, Unreadable when it is damaged."""
    module = sqlite_module()
    try:
        with contextlib.closing(module.connect(str(path), timeout=1, isolation_level=None)) as alone:
            # Leaving the write-ahead log needs the file for oneself.
            mode = alone.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    except module.DatabaseError as error:
        mode = str(error)
        if not is_of_the_place(error):
            mode = "locked" if _others_hold(path) else "damaged"
        if mode == "damaged":
            said = f"cannot be read ({error}); `lims restore --replace` puts a backup in its place"
            raise Unreadable([Problem("database", said, str(path))]) from None
    if mode not in {"delete", "wal"} and "locked" not in mode:
        raise refuse("database", f"cannot be opened: {mode}", str(path))
    if mode != "delete":
        raise refuse("database", "is in use: stop the server and the worker first", str(path))


#: Where SQLite's locks lie in every file, and how many bytes they are.
_LOCKS = 0x40000000
_LOCKS_LENGTH = 512


def _others_hold(path: Path) -> bool:
    """Has another process a lock of SQLite's on this file, as whoever uses a write-ahead log has all the time? For files
    that SQLite cannot read any more."""
    try:
        import fcntl
    except ImportError:  # Windows, where a file that is open cannot be moved away
        return False
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS_LENGTH, _LOCKS)
        except OSError:
            return True
    return False


@contextlib.contextmanager
def arriving_sqlite(source: Path, target: Path) -> Iterator[Path]:
    """This copy beside the database whose place it shall take, to be looked at first. Gone afterwards if it did not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    waiting = target.with_name(target.name + ".arriving")
    try:
        for left in files_of_sqlite(waiting):  # by one that was killed
            left.unlink(missing_ok=True)
        shutil.copyfile(source, waiting)
        yield waiting
    finally:
        for left in files_of_sqlite(waiting):
            left.unlink(missing_ok=True)


def put_sqlite(waiting: Path, target: Path) -> None:
    """Put what has arrived in the place of the database: there is always either the old one or the new one."""
    take_sqlite_alone(waiting)  # one file again, whatever looked at it
    _to_disk(waiting)
    for left in files_of_sqlite(target)[1:]:
        left.unlink(missing_ok=True)
    os.replace(waiting, target)
    _to_disk(target.parent)


def _to_disk(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- PostgreSQL ------------------------------------------------------------------------------------------------

#: Table that stands in a lent database while a verification has it: what a killed one left there may go.
LENT = "lims_verification"
#: Number of the lock that lets one verification at a time have it.
LENT_LOCK = 7_301_140_530_224_915
#: Table that stands in a database while a backup is put into it; its one row is the folder of what was there, "" for none.
RESTORING = "lims_restoring"
#: Table that stands in a database while a laboratory is moved into it.
MOVING = "lims_moving"
#: Tables that every laboratory has, of whatever revision.
LABORATORY = {"alembic_version", "specimens"}
_TABLES = (
    "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
    " AND c.relname NOT IN ('lims_verification', 'lims_restoring', 'lims_moving') ORDER BY c.relname"
)


def tables_of(connection: psycopg.Connection[Any]) -> list[str]:
    return [name for (name,) in connection.execute(_TABLES)]


def columns_of(connection: psycopg.Connection[Any], table: str) -> list[str]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
        " AND attgenerated = '' ORDER BY attnum",
        (table,),
    )
    return [name for (name,) in rows]


def export_postgresql(url: str, folder: Path) -> tuple[Contents, dict[str, list[str]]]:
    """Every table as `<table>.copy.gz`, all of one moment: COPY inside one read-only snapshot. Writers go on.

    Not pg_dump: it must be as new as the server, and is not there where PostgreSQL was not installed by the system.
    Returns what was exported, and the columns of each table in their order.
    """
    rows: dict[str, int] = {}
    columns: dict[str, list[str]] = {}
    with psycopg.connect(conninfo(url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        names = tables_of(connection)
        found = None
        if "alembic_version" in names:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if found is None:
            raise refuse("database", "holds no laboratory: run `lims init` first", make_url(url).database)
        head = None
        if "audit_transactions" in names:
            head = connection.execute(
                "SELECT id, hash FROM audit_transactions ORDER BY id DESC LIMIT 1"
            ).fetchone()
        for name in names:
            columns[name] = columns_of(connection, name)
            listed = sql.SQL(", ").join(map(sql.Identifier, columns[name]))
            query = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(name), listed)
            with (
                connection.cursor() as cursor,
                gzip.open(folder / f"{name}.copy.gz", "wb", compresslevel=1) as file,
            ):
                with cursor.copy(query) as copy:
                    for block in copy:
                        file.write(block)
                rows[name] = cursor.rowcount
    for name in names:
        _to_disk(folder / f"{name}.copy.gz")
    return Contents(found[0], rows, (head[0], head[1]) if head else None), columns


@contextlib.contextmanager
def loading(url: str) -> Iterator[psycopg.Connection[Any]]:
    """An open transaction over a database whose tables are empty and whose triggers and foreign keys rest.

    All of it comes back, and every reference is checked, before the transaction ends: all or nothing. Needs no more
    rights than the owner of the tables has.
    """
    with psycopg.connect(conninfo(url)) as connection:
        names = [name for name in tables_of(connection) if name != "alembic_version"]
        keys = connection.execute(
            "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2"
        ).fetchall()
        for table, name, _definition in keys:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        for table in names:
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
        for table in names:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        yield connection
        for table, name, definition in keys:
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}".encode())
        for table in names:
            connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)))
        _set_sequences(connection)
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("ANALYZE")


def _set_sequences(connection: psycopg.Connection[Any]) -> None:
    """Numbers go on after the largest that came in."""
    owned = connection.execute(
        "SELECT quote_ident(s.relname), t.relname, a.attname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid"
        " AND d.deptype IN ('a', 'i') JOIN pg_class t ON t.oid = d.refobjid"
        " JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid"
        " WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace"
    ).fetchall()
    for sequence, table, column in owned:
        largest: list[sql.Composable] = [sql.SQL("max({})").format(sql.Identifier(column))]
        if table == "audit_entries":  # its numbers also name transactions
            largest.append(sql.SQL("max(txid)"))
        query = sql.SQL("SELECT setval({}, greatest({}, 1), {} IS NOT NULL) FROM {}").format(
            sql.Literal(sequence), sql.SQL(", ").join(largest), largest[0], sql.Identifier(table)
        )
        connection.execute(query)


def import_postgresql(url: str, folder: Path, columns: dict[str, list[str]]) -> dict[str, int]:
    """Load what `export_postgresql` wrote into tables of the same revision. Returns table -> rows."""
    rows: dict[str, int] = {}
    with loading(url) as connection:
        for name, listed in columns.items():
            if name == "alembic_version":
                rows[name] = 1
                continue
            query = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, listed))
            )
            with connection.cursor() as cursor, gzip.open(folder / f"{name}.copy.gz", "rb") as file:
                with cursor.copy(query) as copy:
                    while block := file.read(CHUNK):
                        copy.write(block)
                rows[name] = cursor.rowcount
    return rows


def contents_of_postgresql(url: str) -> Contents | None:
    """What this database holds, None when it is empty."""
    with psycopg.connect(conninfo(url)) as connection:
        names = tables_of(connection)
        if "alembic_version" not in names:
            return None
        rows = {}
        for name in names:
            found = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
            ).fetchone()
            rows[name] = found[0] if found else 0
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        head = None
        if "audit_transactions" in names:
            head = connection.execute(
                "SELECT id, hash FROM audit_transactions ORDER BY id DESC LIMIT 1"
            ).fetchone()
    return Contents(revision[0] if revision else "", rows, (head[0], head[1]) if head else None)


#: Who connects in the name of another role has no kind there for a role that may not see it, but a person; what the server
#: runs for itself has none.
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'"
)


#: The server ends the session of a client a moment after the client has gone.
GONE_WITHIN_S = 3.0


def take_postgresql_alone(url: str) -> None:
    """Raises: Refused while another program is connected to the database."""
    until = time.monotonic() + GONE_WITHIN_S
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        while True:
            found = connection.execute(_OTHERS).fetchone()
            if not found or not found[0]:
                return
            if time.monotonic() > until:
                break
            time.sleep(0.05)
    raise refuse("database", "is in use: stop the server and the worker first", make_url(url).database)


def take_alone(url: str) -> None:
    """Nobody else has this laboratory's database open, as far as can be told; a file that is not there is nobody's.

    Raises: Refused."""
    path = sqlite_path(url)
    if path is None:
        take_postgresql_alone(url)
    elif path.exists():
        take_sqlite_alone(path)


def begin_restoring(url: str, kept: str) -> None:
    """Take every table away for a restore that replaces them, and leave the mark of one that has not ended."""
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} (kept text NOT NULL)").format(sql.Identifier(RESTORING))
        )
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(RESTORING)))
        connection.execute(sql.SQL("INSERT INTO {} VALUES (%s)").format(sql.Identifier(RESTORING)), (kept,))
        _drop_tables(connection)
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(MOVING)))


def end_restoring(url: str) -> None:
    """What came in was found whole: the mark goes."""
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(RESTORING)))


def half_restored(url: str) -> str | None:
    """Where what stood in this database before is kept, when a restore into it has begun and not ended; "" for nowhere.
    None for every other database."""
    with psycopg.connect(conninfo(url)) as connection:
        marked = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (RESTORING,)).fetchone()
        if not marked or not marked[0]:
            return None
        found = connection.execute(
            sql.SQL("SELECT kept FROM {}").format(sql.Identifier(RESTORING))
        ).fetchone()
    return str(found[0]) if found else ""


def begin_moving(url: str, field: str) -> None:
    """Leave the mark of a move that has not ended in this empty database, or empty what a killed one has left.

    Raises: Refused for one that holds anything else, or that somebody works in."""
    with psycopg.connect(conninfo(url)) as connection:
        if _half_moved(connection):
            used = connection.execute(_OTHERS).fetchone()
            if used and used[0]:
                said = "others are connected to this database, in which a move has not ended; accepted: one that nobody uses"
                raise refuse(field, said, make_url(url).database)
            _empty(connection)
        elif found := _things(connection):
            said = f"this database is not empty, it has {some_of(found)}; accepted: one that holds nothing"
            raise refuse(field, said, make_url(url).database)
        connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ()").format(sql.Identifier(MOVING)))


def end_moving(url: str, *, whole: bool) -> None:
    """The mark goes; so does everything else where it is not the whole laboratory: the database is empty again."""
    with psycopg.connect(conninfo(url)) as connection:
        if not whole:
            _empty(connection)
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(MOVING)))


def half_moved(url: str) -> bool:
    """Has a move into this database begun and not ended?"""
    with psycopg.connect(conninfo(url)) as connection:
        return _half_moved(connection)


def _half_moved(connection: psycopg.Connection[Any]) -> bool:
    marked = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (MOVING,)).fetchone()
    return bool(marked and marked[0])


def _drop_tables(connection: psycopg.Connection[Any]) -> None:
    for name in tables_of(connection):
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))


def may_make_databases(url: str) -> bool:
    """Has this role the right to? Raises: psycopg.Error."""
    with psycopg.connect(conninfo(url)) as connection:
        found = connection.execute(
            "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    return bool(found and found[0])


@contextlib.contextmanager
def passing_database(url: str) -> Iterator[str]:
    """A database on the same server that goes away afterwards. Raises: Refused without the right to make one.

    Somebody is connected to it for as long as it is used: one without is left by a process that was killed."""
    name = f"lims_verify_{os.getpid()}_{int(time.time())}_{os.urandom(3).hex()}"
    try:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    except psycopg.errors.InsufficientPrivilege:
        raise refuse(
            "database",
            "this role may not make a database to restore into; set LIMS_VERIFY_DATABASE_URL to an empty one",
            make_url(url).username,
        ) from None
    except psycopg.Error as error:
        raise refuse("database", f"none could be made to restore into: {first_line(error)}") from None
    made = make_url(url).set(database=name).render_as_string(hide_password=False)
    try:
        with psycopg.connect(conninfo(made), autocommit=True):
            yield made
    finally:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def drop_left_databases(url: str, made_before: datetime) -> list[str]:
    """Drop what `passing_database` of killed processes left on this server. Returns the names."""
    gone = []
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        unused = connection.execute(
            "SELECT datname FROM pg_database d WHERE datname ~ '^lims_verify_[0-9]+_([0-9]+_)?[0-9a-f]{6}$'"
            " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname) ORDER BY datname"
        ).fetchall()
        for (name,) in unused:
            parts = name.split("_")
            if len(parts) == 5 and int(parts[3]) > made_before.timestamp():
                continue  # one that nobody has connected to yet
            try:
                # Not by force: the server refuses when somebody uses it after all.
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                gone.append(name)
            except psycopg.Error as error:
                log.warning("database %s, left by a killed verification, stays: %s", name, error)
    return gone


@contextlib.contextmanager
def lent_database(url: str, setting: str) -> Iterator[str]:
    """The empty database that a verification may use and empties again, named by this setting or option. What stands in it
    without the mark of a verification is somebody's, and stays. Raises: Refused."""
    name = make_url(url).database
    try:
        connection = psycopg.connect(conninfo(url), autocommit=True)
    except psycopg.Error as error:
        raise refuse(setting, f"this database cannot be reached: {first_line(error)}", name) from None
    with contextlib.closing(connection):
        free = connection.execute("SELECT pg_try_advisory_lock(%s)", (LENT_LOCK,)).fetchone()
        if not free or not free[0]:
            raise refuse(setting, "another verification uses this database; try again when it is over", name)
        marked = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (LENT,)).fetchone()
        if not (marked and marked[0]) and (found := _things(connection)):
            said = f"this database is not empty, it has {some_of(found)}; accepted: one that holds nothing"
            raise refuse(setting, said, name)
        used = connection.execute(_OTHERS).fetchone()
        if used and used[0]:
            raise refuse(
                setting, "others are connected to this database; accepted: one that nobody else uses", name
            )
        try:
            connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ()").format(sql.Identifier(LENT)))
            _empty(connection)
        except psycopg.errors.InsufficientPrivilege:
            said = f"the role {make_url(url).username} may not make tables there; accepted: a database that it owns"
            raise refuse(setting, said, name) from None
        try:
            yield url
        finally:
            _empty(connection)
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(LENT)))


def are_one(url: str, other: str) -> bool:
    """Do both addresses name the same database of the same server, as far as they tell?"""
    told = [make_url(one) for one in (url, other)]
    first, second = ((one.host or one.query.get("host"), one.port or 5432, one.database) for one in told)
    return first == second


def _routines(connection: psycopg.Connection[Any]) -> list[str]:
    """Functions and procedures that belong to no extension."""
    found = connection.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
    )
    return [name for (name,) in found]


def _things(connection: psycopg.Connection[Any]) -> list[str]:
    """Names of tables, views, functions and whatever else stands there, but for what belongs to an extension."""
    found = connection.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relkind <> 'r', 1"
    )
    return [*(name for (name,) in found), *_routines(connection)]


def things_of_others(url: str) -> list[str]:
    """Names of what stands in a database that is neither empty nor a laboratory's: nothing may be taken away there.

    A table of Alembic alone is no sign of a laboratory: other programs have one too."""
    with psycopg.connect(conninfo(url)) as connection:
        if set(tables_of(connection)) >= LABORATORY:
            return []
        marked = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (RESTORING,)).fetchone()
        return [] if marked and marked[0] else _things(connection)


def some_of(names: list[str]) -> str:
    """The first of them, for a sentence."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _empty(connection: psycopg.Connection[Any]) -> None:
    """Take tables and functions away; what belongs to an extension stays."""
    _drop_tables(connection)
    for routine in _routines(connection):
        connection.execute(f"DROP ROUTINE {routine} CASCADE".encode())


def first_line(error: BaseException) -> str:
    """What an error says, for a sentence: not the statement and its values, which SQLAlchemy adds."""
    error = getattr(error, "orig", None) or error
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
