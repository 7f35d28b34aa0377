"""The engine, the session and the one way to open a write.

SQLite comes from a bundled recent library: 3.7.0 to 3.51.2 can corrupt a WAL database, so older ones are refused.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Engine,
    String,
    Table,
    any_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal_column,
    select,
)
from sqlalchemy.engine import Connection, Dialect, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from lims.base.actor import Actor
from lims.base.auditing.context import OPTION, Opening, State, add_functions, open_context, seal, state_of
from lims.base.auditing.guards import GuardCheck, authorizer
from lims.base.constraints import problem_of
from lims.base.problems import Conflict, Refused, Unavailable
from lims.base.reading import READS, asked_before_use, keep_prepared
from lims.base.sqlite_log import LogLength
from lims.base.writers import WriterQueue

log = logging.getLogger(__name__)
T = TypeVar("T")

#: First release without the WAL corruption bug (shared finding; sqlite.org/wal.html, "WAL-reset").
MINIMUM_SQLITE = (3, 51, 3)
BUSY_TIMEOUT_MS = 5000
#: Prepared statements that a connection keeps. The driver's 128 are full of what ran first, and it then gives up only the
#: last of them: every statement of a busy process would be prepared anew, its triggers with it.
KEPT_STATEMENTS = 1000
#: How old a connection may get: it knows the rows' statistics (lims/operations/statistics.py) of when it was opened.
OPENED_ANEW_S = 3600
#: What `_is_plain` admits to an insert of many rows.
_AS_JSON = frozenset({str, int, type(None)})
#: What `insert_rows` gives PostgreSQL as lists. Of others a cast may cut (CHAR) or unnest flatten (arrays).
_LISTED = frozenset(
    {"BIGINT", "INTEGER", "NUMERIC", "BOOLEAN", "VARCHAR", "TEXT", "DATE", "TIMESTAMP WITH TIME ZONE"}
)
#: Pages (64 MB) that the log may hold before a commit moves them into the database. At SQLite's own 1,000 a page that many
#: writes touch, such as the end of the record of changes, is copied sixteen times as often.
LOG_PAGES = 16000
#: KiB of pages that a connection keeps in memory, as it comes to need them. At SQLite's own 2,000 the history of one mix,
#: spread over a million specimens, is read anew each time: four times as long.
KEPT_PAGES_KIB = 8000
#: Option of a connection that writes on SQLite: how long it may wait for whoever writes past the queue, ms.
PATIENCE = "lims_patience_ms"
#: Of a session: what is called once its write is over and the next writer has the turn.
AFTERWARDS = "lims_afterwards"
#: Actors that write no captured table: who wants to read while writes are stopped must be able to sign in.
WRITES_NO_RECORD = {"system:sign-in"}


class SqliteTooOld(RuntimeError):
    """The SQLite library that was found must not be used for a write-ahead log."""


def sqlite_module() -> ModuleType:
    """The bundled SQLite where its wheel exists, else the interpreter's own.

    Raises: SqliteTooOld below 3.51.3.
    """
    try:
        import pysqlite3.dbapi2 as module
    except ImportError:
        module = sqlite3
    check_sqlite_version(module.sqlite_version_info)
    return module  # type: ignore[no-any-return]


def check_sqlite_version(version: tuple[int, ...]) -> None:
    """Raises: SqliteTooOld when `version` lies inside the range of the WAL corruption bug."""
    if version < MINIMUM_SQLITE:
        found = ".".join(map(str, version))
        needed = ".".join(map(str, MINIMUM_SQLITE))
        raise SqliteTooOld(
            f"SQLite {found} can corrupt a database in WAL mode; {needed} or later is needed. "
            "Install the pysqlite3 wheel, or use PostgreSQL through LIMS_DATABASE_URL."
        )


def make_engine(url: str) -> Engine:
    """An engine with the settings that every process must share."""
    if not make_url(url).drivername.startswith("sqlite"):
        engine = create_engine(url, pool_size=5, max_overflow=10, pool_use_lifo=True)

        @event.listens_for(engine, "connect")
        def _clock(dbapi_connection: Any, _record: Any) -> None:
            # Times in the record of changes are written by the server, by the session's clock. Who waits for a lock, as on
            # SQLite, is told that the database is busy: a table that somebody holds for an hour would take every thread.
            dbapi_connection.execute(f"SET timezone = 'UTC'; SET lock_timeout = {BUSY_TIMEOUT_MS}")
            dbapi_connection.commit()

        keep_prepared(engine)
        asked_before_use(engine)

        @event.listens_for(engine, "begin")
        def _open(connection: Connection) -> None:
            _open_audit(connection)

        _sealed(engine)
        _given_up(engine)
        return engine
    engine = create_engine(
        url,
        module=sqlite_module(),
        connect_args={"check_same_thread": False, "cached_statements": KEPT_STATEMENTS},
        pool_recycle=OPENED_ANEW_S if _file_of(url) else -1,
    )

    @event.listens_for(engine, "connect")
    def _pragmas(dbapi_connection: Any, record: Any) -> None:
        # Transactions are opened by _begin below: the driver's own legacy mode starts them too late.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # an acknowledged result outlives a power cut
        cursor.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        cursor.execute(f"PRAGMA cache_size = -{KEPT_PAGES_KIB}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA recursive_triggers = ON")
        state = record.info["lims_audit"] = State(cursor=cursor)
        add_functions(dbapi_connection, state)
        dbapi_connection.set_authorizer(authorizer(state))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A write takes its lock at once: an upgrade from a read snapshot cannot wait and fails instead.
        options = connection.get_execution_options()
        writes = options.get("lims_write")
        if writes and PATIENCE in options:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {options[PATIENCE]}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
        _open_audit(connection)

    _sealed(engine)
    _given_up(engine)
    return engine


def _open_audit(connection: Connection) -> None:
    opening = connection.get_execution_options().get(OPTION)
    if opening is not None:
        with _NamedErrors(connection):
            open_context(connection, opening)


class _NamedErrors:
    """What works on the driver's own cursor fails with the driver's errors: a full disk, a server that went away. They
    get the name that everything else of the database has. Raises: OperationalError.

    A class, because every write enters it three times and a generator takes three times as long.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: Any, _trace: object) -> None:
        driver: Any = self.connection.dialect.loaded_dbapi
        if error is None or not isinstance(error, driver.OperationalError):
            return
        gone = self.connection.dialect.is_disconnect(error, None, None)
        if gone:
            self.connection.invalidate(error)
        raise OperationalError("record of changes", None, error, connection_invalidated=gone) from error


def _sealed(engine: Engine) -> None:
    """What a transaction changed is sealed as it commits; a context ends with its transaction."""

    @event.listens_for(engine, "commit")
    def _seal(connection: Connection) -> None:
        with _NamedErrors(connection):
            seal(connection)

    @event.listens_for(engine, "rollback")
    def _forget(connection: Connection) -> None:
        if not connection.invalidated:  # the server went away: what belonged to its connection went with it
            state_of(connection).clear()


def _given_up(engine: Engine) -> None:
    """A transaction that could not be ended takes its connection with it. One that is only forgotten is missing from the
    pool until the collector runs."""

    @event.listens_for(engine, "handle_error")
    def _not_ended(context: ExceptionContext) -> None:
        if context.statement is None:  # a commit or a rollback
            context.is_disconnect = True
            context.invalidate_pool_on_disconnect = False


class Database:
    """Engine and per-request session of one application."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _that_reads(url)
        self.factory = sessionmaker(self.engine, expire_on_commit=False, autoflush=True)
        self.session: scoped_session[Session] = scoped_session(self.factory, scopefunc=_scope)
        self.guards = GuardCheck()
        self._find_file(url)

    def _find_file(self, url: str) -> None:
        file = _file_of(url)
        self.writers = WriterQueue(file) if file else None
        self.log_length = LogLength(file) if file else None

    def point_at(self, url: str) -> None:
        """Another database for the same application: sessions come from there from now on. No session may be open."""
        self.engine.dispose()
        self.url = url
        self.engine = _that_reads(url)
        self._find_file(url)
        self.factory.configure(bind=self.engine)

    def init_app(self, app: Flask) -> None:
        app.extensions["lims.database"] = self

        @app.teardown_appcontext
        def _end(_error: BaseException | None) -> None:
            try:
                self.session.remove()
            except DBAPIError as error:
                _not_rolled_back(error)
                self.session.registry.clear()

    def undo(self) -> None:
        """Roll back what this request, command or job has open, also when the server went away meanwhile."""
        session = self.session()
        try:
            session.rollback()
        except DBAPIError as error:
            _not_rolled_back(error)
            session.invalidate()

    @contextmanager
    def turn(self) -> Iterator[dict[str, Any]]:
        """The turn to write; PostgreSQL serves several writers at once. Yields the options of the connection that writes.
        Raises: Unavailable."""
        if self.writers is None or self.log_length is None:
            yield {"lims_write": True}
            return
        with self.writers.turn(BUSY_TIMEOUT_MS / 1000) as left_s:
            # What is left of the patience is for whoever writes past the queue (another program, a backup). In whole tenths
            # of a second: each text is a statement of its own to keep.
            yield {"lims_write": True, PATIENCE: max(1, math.ceil(left_s * 10)) * 100}
            self.log_length.keep_short(self.engine, BUSY_TIMEOUT_MS)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def _that_reads(url: str) -> Engine:
    """An engine whose connections only read until one says that it writes, as `transaction` does."""
    engine = make_engine(url)
    # Not `execution_options`, which makes an engine over this one: each event would look at the listeners of both.
    engine.update_execution_options(**{READS: True})
    return engine


def _not_rolled_back(error: DBAPIError) -> None:
    """The connection is given up, and the database rolls back by itself; the answer that was made is still right."""
    log.warning("rolling back failed: %s", error.orig)


def _file_of(url: str) -> Path | None:
    """The file of a SQLite database; None on PostgreSQL and in memory."""
    made = make_url(url)
    if not made.drivername.startswith("sqlite") or made.database in {None, "", ":memory:"}:
        return None
    return Path(str(made.database))


def _scope() -> int:
    # One session an application context: a request, a command or a job.
    context = g._get_current_object()
    return id(context)


def database() -> Database:
    found: Database = current_app.extensions["lims.database"]
    return found


def current_session() -> Session:
    """The session of this request, command or job. For reading; writes go through `transaction`."""
    return database().session()


def locked_row(record: type[T], key: int) -> T | None:
    """The record as it is now, held until the transaction ends, or None. `Session.get` would fail where another has changed
    it since this session read it: nobody could be told what, and who only waited for the turn would be turned away."""
    model: Any = record
    query = select(model).where(model.id == key).with_for_update(of=model)
    rows = current_session().scalars(query.execution_options(populate_existing=True))
    found: T | None = rows.unique().one_or_none()
    return found


@contextmanager
def transaction(actor: Actor, reason: str = "") -> Iterator[Session]:
    """All or nothing, in the name of `actor`. Services that call one another join the outermost.

    The only way to write: the triggers of lims/base/auditing refuse every other, and the commit seals what changed.

    Raises: Unavailable when the database stays locked or is away, WritesStopped when its triggers were altered, Refused
    for what a constraint does not take, Conflict where somebody else was faster; what a trigger refuses is ours to find.
    """
    session = current_session()
    if session.info.get("actor") is not None:
        yield session
        return
    session.commit()  # ends the snapshot that reading has opened
    # PostgreSQL's texts end at a zero byte: what is hashed and what is stored must be the same.
    reason = reason.replace("\0", "\N{REPLACEMENT CHARACTER}")
    opening = Opening(actor, reason, (request.endpoint or "")[:120] if has_request_context() else "")
    try:
        with database().turn() as writing:
            connection = session.connection(execution_options={**writing, OPTION: opening})
            if actor.key not in WRITES_NO_RECORD:
                with _NamedErrors(connection):
                    database().guards.check(connection)
            session.info.update(actor=actor, reason=reason)
            yield session
            session.commit()
    except OperationalError as error:
        database().undo()
        raise Unavailable(str(error.orig)) from error
    except IntegrityError as error:  # written by autoflush, by the commit or past a service
        database().undo()
        problem = problem_of(error)
        if problem is None:
            raise
        raise Refused([problem]) from error
    except StaleDataError as error:
        database().undo()
        raise Conflict(0) from error
    except BaseException:
        database().undo()
        raise
    finally:
        session.info.pop("actor", None)
        session.info.pop("reason", None)
    for call in session.info.pop(AFTERWARDS, ()):
        call()


def among(column: Any, keys: Iterable[int | str]) -> ColumnElement[bool]:
    """`column IN keys` as one parameter, however many they are: no limit of a driver, and no statement of a thousand
    marks to be made again for every other number of keys."""
    dialect = database().engine.dialect.name
    return _among(column, bindparam(None, given_keys(keys), _kind_of_keys(column, dialect)), dialect)


def among_given(column: Any, name: str, dialect: str, *, one: bool = False) -> ColumnElement[bool]:
    """The same in a statement that is made beforehand and asked with `{name: given_keys(keys)}`, or of `one` with the
    key itself (`one_or_many`): PostgreSQL then knows how many rows there will be, and keeps its plan."""
    if one:
        equal: ColumnElement[bool] = column == bindparam(name, type_=column.type)
        return equal
    return _among(column, bindparam(name, type_=_kind_of_keys(column, dialect)), dialect)


def given_keys(keys: Iterable[int | str]) -> Any:
    """Keys as the database takes them in one parameter."""
    return json.dumps(list(keys)) if database().is_sqlite else list(keys)


def one_or_many(keys: Collection[int]) -> tuple[bool, Any]:
    """Is it one key, and what a statement of `among_given` is asked with for these."""
    return (True, next(iter(keys))) if len(keys) == 1 else (False, given_keys(keys))


def number_of_rows(rows: int) -> ColumnElement[int]:
    """For `limit`, in the text of a statement. Were it a parameter, PostgreSQL would not know how few rows are wanted, and
    would plan the joins anew each time."""
    return literal_column(str(rows))


def _kind_of_keys(column: Any, dialect: str) -> Any:
    if dialect == "sqlite":
        return String()
    return ARRAY(BigInteger if column.type.python_type is int else String)


def _among(column: Any, given: Any, dialect: str) -> ColumnElement[bool]:
    if dialect == "sqlite":
        found: ColumnElement[bool] = column.in_(select(func.json_each(given).table_valued("value").c.value))
        return found
    return column == any_(cast(given, given.type))  # type: ignore[no-any-return]


def _is_plain(values: Sequence[Any]) -> bool:
    """Does JSON carry these values to SQLite as they are? Not a float, whose last digit its reader may round otherwise,
    nor a number of more than 64 bits, nor a text with a zero byte."""
    kinds = set(map(type, values))
    if not kinds <= _AS_JSON:
        return False
    if str in kinds:
        return not any("\0" in value for value in values if type(value) is str)
    return int not in kinds or all(-(2**63) <= value < 2**63 for value in values if value is not None)


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    alike: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Thousands of rows with the same columns in one call of the driver, inside a transaction.

    The values go through the columns' types, as every write's do, but each distinct one only once: times, names and
    codes repeat. `alike` holds the columns that are the same in every row. Server defaults apply; relations, versions and
    stamps are the caller's.
    """
    if not rows:
        return
    if not rows[0]:  # nothing differs: what is alike then stands in each row
        rows, alike = [alike] * len(rows), {}
    dialect = connection.dialect
    bound = _bound(table, dialect)
    shared = {name: process(value) if (process := bound[name]) else value for name, value in alike.items()}
    columns: dict[str, list[Any]] = {}
    for name in (
        column.name for column in table.columns if column.name in rows[0] and column.name not in alike
    ):
        columns[name], process = list(map(itemgetter(name), rows)), bound[name]
        if process is not None:
            known = {value: process(value) for value in set(columns[name])}
            columns[name] = list(map(known.__getitem__, columns[name]))
    if dialect.name == "sqlite" and all(map(_is_plain, columns.values())):
        # One statement and one value for all rows: half of the time of a statement a row.
        written = ", ".join((*columns, *shared))
        given = ", ".join(
            (*(f"value ->> {position}" for position in range(len(columns))), *("?" * len(shared)))
        )
        of_rows = json.dumps(list(zip(*columns.values(), strict=True)), ensure_ascii=False)
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({written}) SELECT {given} FROM jsonb_each(?)",  # noqa: S608 - the model's own names
            (*shared.values(), of_rows),
        )
        return
    if dialect.name == "sqlite":
        columns |= {name: [value] * len(rows) for name, value in shared.items()}
        rows_of = list(zip(*columns.values(), strict=True))
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - the model's own names
            rows_of,
        )
        return
    connection.exec_driver_sql(
        _insert_of_lists(table, tuple(columns), tuple(shared), dialect),
        (*shared.values(), *columns.values()),  # in the order of the text
    )


@lru_cache(maxsize=64)
def _bound(table: Table, dialect: Dialect) -> dict[str, Callable[[Any], Any] | None]:
    """What each column's type does to a value on its way to the driver."""
    return {c.name: c.type.dialect_impl(dialect).bind_processor(dialect) for c in table.columns}


@lru_cache(maxsize=64)
def _insert_of_lists(table: Table, columns: tuple[str, ...], alike: tuple[str, ...], dialect: Dialect) -> str:
    """One statement of PostgreSQL however many the rows, of a list a column: it is prepared once, planned once, and the
    triggers that record the change fire once."""

    def kind(name: str) -> str:
        # Without a length: a cast would cut a text that is too long, which the column refuses.
        found = str(table.c[name].type.compile(dialect)).partition("(")[0]
        if found not in _LISTED:
            raise NotImplementedError(f"{table.name}.{name}: a list of {found} would be cut or flattened")
        return found

    given = [*(f"of_row.c{place}" for place in range(len(columns))), *(f"%s::{kind(name)}" for name in alike)]
    lists = ", ".join(f"%s::{kind(name)}[]" for name in columns)
    names = ", ".join(f"c{place}" for place in range(len(columns)))
    return (
        f"INSERT INTO {table.name} ({', '.join((*columns, *alike))}) "  # noqa: S608 - the model's own names
        f"SELECT {', '.join(given)} FROM unnest({lists}) AS of_row({names})"
    )
