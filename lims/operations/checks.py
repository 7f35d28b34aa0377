"""What must be right before a laboratory is served: each with a sentence that says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lims.base.database import SqliteTooOld, make_engine, sqlite_module
from lims.base.migration import current_revision, head_revision, known_revisions
from lims.base.problems import Problem, Refused, refuse
from lims.operations import databases
from lims.operations.surroundings import key_problems
from lims.settings import SHORTEST_SECRET, Settings

#: Characters of a token that cannot be guessed.
SHORTEST_TOKEN = 16
#: Redis stands in the same network: who waits longer for it waits for nobody.
PATIENCE_S = 2.0
#: Parts of secrets that stand in somebody's instructions.
WELL_KNOWN = ("secret", "changeme", "change-me", "password", "example", "lims")


def configuration_problems(settings: Settings) -> list[Problem]:
    """What is wrong with the switches and the folder, before the database is asked."""
    found = [*_secrets(settings), *_hosts(settings), *_folder(settings), *_library_of_redis(settings)]
    found += key_problems(settings)
    addresses = address_problems(settings)
    found += addresses
    if (
        settings.verify_database_url
        and not addresses
        and databases.are_one(settings.verify_database_url, settings.sqlalchemy_url)
    ):
        said = (
            "is the laboratory's own database; accepted: an empty one, which each verification empties again"
        )
        found.append(Problem("LIMS_VERIFY_DATABASE_URL", said))
    return found


def address_problems(settings: Settings) -> list[Problem]:
    """Addresses of databases that are none. They may hold a password, so that they are not repeated."""
    said, found = databases.NO_ADDRESS, []
    if databases.driver_of(settings.sqlalchemy_url) not in {"sqlite", databases.POSTGRESQL}:
        found.append(Problem("LIMS_DATABASE_URL", said))
    proof = settings.verify_database_url
    if proof and databases.driver_of(proof) != databases.POSTGRESQL:
        found.append(Problem("LIMS_VERIFY_DATABASE_URL", said))
    return found


def _secrets(settings: Settings) -> list[Problem]:
    found = []
    key = settings.secret_key
    if key and len(key) < SHORTEST_SECRET:
        said = f"is too short; accepted: {SHORTEST_SECRET} random characters, or empty for one that is made and kept"
        found.append(Problem("LIMS_SECRET_KEY", said))
    elif key and (len(set(key)) < 10 or any(key.lower().startswith(word) for word in WELL_KNOWN)):
        found.append(Problem("LIMS_SECRET_KEY", "can be guessed; accepted: random characters, or empty"))
    if settings.metrics_token and len(settings.metrics_token) < SHORTEST_TOKEN:
        said = f"is too short; accepted: {SHORTEST_TOKEN} random characters, or empty for no metrics"
        found.append(Problem("LIMS_METRICS_TOKEN", said))
    return found


def _hosts(settings: Settings) -> list[Problem]:
    hosts = [host.strip() for host in settings.allowed_hosts.split(",") if host.strip()]
    found = []
    if not hosts or "*" in hosts:
        said = "is not accepted; accepted: the names people type into their browser, e.g. lims.works.example,localhost"
        found.append(Problem("LIMS_ALLOWED_HOSTS", said, settings.allowed_hosts))
    local = settings.host in {"127.0.0.1", "localhost", "::1"}
    if settings.demo and not local:
        said = "is not accepted for a demonstration, whose passwords everybody knows; accepted: 127.0.0.1"
        found.append(Problem("LIMS_HOST", said, settings.host))
    return found


def _folder(settings: Settings) -> list[Problem]:
    if settings.backup_folder and not settings.backups.is_dir():  # made, it would fill the disk of the system
        return [Problem("LIMS_BACKUP_FOLDER", databases.NOT_MOUNTED, settings.backup_folder)]
    for folder in (settings.data, settings.backups):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            proof = folder / f".writable-{os.getpid()}"
            proof.touch()
            proof.unlink()
        except OSError as error:
            name = "LIMS_DATA" if folder == settings.data else "LIMS_BACKUP_FOLDER"
            return [Problem(name, f"cannot be written: {error.strerror}", str(folder))]
    return []


def _library_of_redis(settings: Settings) -> list[Problem]:
    if not settings.redis_url or find_spec("redis"):
        return []
    return [
        Problem("LIMS_REDIS_URL", "needs Redis' library: pip install -r requirements.txt, or set it empty")
    ]


def carrier_problems(settings: Settings) -> list[Problem]:
    """Does Redis answer, where jobs go by it? No reason not to serve: people go on, and their jobs wait for it."""
    if not settings.redis_url:
        return []
    import redis

    try:
        with redis.Redis.from_url(settings.redis_url, socket_timeout=PATIENCE_S) as asked:
            asked.ping()
    except (redis.RedisError, OSError) as error:
        return [Problem("LIMS_REDIS_URL", f"Redis does not answer, jobs wait until it does: {error}")]
    return []


def proof_problems(settings: Settings) -> list[Problem]:
    """Can a backup be restored for proof on PostgreSQL? No reason not to serve, but each night would fail."""
    if databases.sqlite_path(settings.sqlalchemy_url) is not None or settings.verify_database_url:
        return []
    try:
        if databases.may_make_databases(settings.sqlalchemy_url):
            return []
    except psycopg.Error as error:
        return [Problem("database", f"cannot be reached: {databases.first_line(error)}")]
    said = "no backup can be verified: the role may make no database; name an empty one that it owns"
    return [Problem("LIMS_VERIFY_DATABASE_URL", said)]


def database_problems(settings: Settings) -> list[Problem]:
    """Is the database there, of this version of the program, and was its preparing finished?"""
    path = databases.sqlite_path(settings.sqlalchemy_url)
    if path is not None and not path.exists():
        return [Problem("database", "there is none yet: run `lims init`", str(path))]
    try:
        found = _revision(settings)
        if found is None:
            return [Problem("database", "is empty: run `lims init`")]
        return _of_another_version(found) or _unfinished(settings)
    except Refused as error:
        return error.problems


def _unfinished(settings: Settings) -> list[Problem]:
    """Triggers and permissions come after the last migration: what was killed in between has its revision and serves
    nobody. Their texts and 800 grants are compared, no rows of the laboratory. Raises: Refused."""
    # Each subject's tables have their triggers; whoever serves has imported them all anyway.
    import lims.records  # noqa: F401
    from lims.accounts.roles import ROLES
    from lims.accounts.service import grants_of_roles

    found = _altered_guards(settings)
    with _reading(settings) as connection:
        granted = grants_of_roles(connection)
    lacking = [name for name, grants in ROLES.items() if not grants <= granted.get(name, set())]
    if lacking:
        said = f"roles are missing or lack permissions ({databases.some_of(lacking)}): run `lims init`"
        found.append(Problem("database", said))
    return found


def _altered_guards(settings: Settings, *, of_accounts: bool = False) -> list[Problem]:
    """Where triggers are not the program's. Where people work the database is backed up before they are made anew: it may
    be all that tells what was done without them. `of_accounts` looks for that case alone. Raises: Refused."""
    import lims.records  # noqa: F401
    from lims.operations.record_of_changes import guards_that_differ

    with _reading(settings) as connection:
        guards = guards_that_differ(connection)
        people = connection.exec_driver_sql("SELECT 1 FROM ab_user LIMIT 1").first() is not None
    if not guards or (of_accounts and not people):
        return []
    run = "`lims upgrade`, which backs up first and" if people else "`lims init`, which"
    said = f"triggers are missing, altered or added ({databases.some_of(guards)}): run {run} makes them anew"
    return [Problem("database", f"{said}; if no such command was cut off before, ask who altered them")]


@contextmanager
def _reading(settings: Settings) -> Iterator[Connection]:
    """Raises: Refused when the database cannot be read."""
    engine = make_engine(settings.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise refuse("database", f"cannot be read: {databases.first_line(error)}") from None
    finally:
        engine.dispose()


def refuse_to_migrate_without_backup(settings: Settings) -> None:
    """Whoever prepares a database may make one and may bring rights in line; a laboratory's rows are backed up first.

    Raises: Refused.
    """
    path = databases.sqlite_path(settings.sqlalchemy_url)
    found = None if path is not None and not path.exists() else _revision(settings)
    problems = (
        [] if found is None else _of_another_version(found) or _altered_guards(settings, of_accounts=True)
    )
    if problems:
        raise Refused(problems)


def _revision(settings: Settings) -> str | None:
    """What the database is of, None for an empty one. Raises: Refused when it cannot be asked."""
    try:
        engine = make_engine(settings.sqlalchemy_url)
    except SqliteTooOld as error:
        raise refuse("database", str(error)) from None
    try:
        found = current_revision(engine)
        if databases.sqlite_path(settings.sqlalchemy_url) is None:
            _refuse_half_filled(settings)
        return found
    except psycopg.Error as error:
        raise refuse("database", f"cannot be reached: {databases.first_line(error)}") from None
    except SQLAlchemyError as error:
        driver = error.orig if isinstance(error, DBAPIError) else None
        if isinstance(driver, sqlite_module().Error) and not databases.is_of_the_place(driver):
            said = f"cannot be read ({driver}); `lims restore --replace` puts a backup in its place"
            raise refuse("database", said) from None
        raise refuse("database", f"cannot be reached: {databases.first_line(error)}") from None
    finally:
        engine.dispose()


def _refuse_half_filled(settings: Settings) -> None:
    kept = databases.half_restored(settings.sqlalchemy_url)
    if kept is not None:
        said = "a restore into it has not ended: run `lims restore` again"
        raise refuse("database", f"{said}; what was there before is in {kept}" if kept else said)
    if databases.half_moved(settings.sqlalchemy_url):
        said = "a move into it has not ended: run `lims move` again, with LIMS_DATABASE_URL not set"
        raise refuse("database", said)


def refuse_a_later_version(settings: Settings) -> None:
    """An older program on a newer database, as when an older image is started by mistake. Raises: Refused."""
    path = databases.sqlite_path(settings.sqlalchemy_url)
    found = None if path is not None and not path.exists() else _revision(settings)
    if found is not None and found not in known_revisions():
        raise Refused(_of_another_version(found))


def _of_another_version(found: str) -> list[Problem]:
    if found == head_revision():
        return []
    if found not in known_revisions():
        return [
            Problem(
                "database",
                f"is of revision {found}, which is later than this program: use the program of then",
            )
        ]
    said = (
        f"is of revision {found}, the program needs {head_revision()}: run `lims upgrade` (it backs up first)"
    )
    return [Problem("database", said)]


def free_megabytes(folder: Path) -> int:
    import shutil

    return shutil.disk_usage(folder).free // 1_000_000
