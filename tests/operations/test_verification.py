"""A backup is worth something once it was restored for proof: who cannot do that is told, and it counts as none."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy
from flask import Flask
from sqlalchemy.exc import DBAPIError

from lims.app import create_app
from lims.audit.grants import statements
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, sqlite_module
from lims.base.jobs import Job, enqueue, run_waiting
from lims.base.problems import Refused
from lims.initialise import initialise
from lims.operations import databases
from lims.operations.backup import (
    MANIFEST,
    VERIFIED,
    _is_of_the_place,
    back_up,
    is_verified,
    mark_verified,
    prune,
    verify,
)
from lims.operations.checks import configuration_problems, proof_problems
from lims.settings import Settings
from tests.programs import lims

TOKEN = "correct-horse-battery-staple"


def _as(url: str, role: str = "", name: str = "") -> str:
    made = sqlalchemy.make_url(url)
    made = made.set(username=role or made.username, database=name or made.database)
    return made.render_as_string(hide_password=False)


@contextmanager
def _owner(server: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(databases.conninfo(server), autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(postgresql_server: str) -> Iterator[str]:
    """One that may sign in and make no database."""
    name = f"web_{uuid4().hex[:8]}"
    with _owner(postgresql_server) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        yield name
        connection.execute(f"DROP ROLE {name}".encode())


@pytest.fixture
def lent(postgresql_server: str, role: str) -> Iterator[str]:
    """The address of an empty database that the role owns."""
    name = f"lent_{uuid4().hex[:8]}"
    with _owner(postgresql_server) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER {role}".encode())
        yield _as(postgresql_server, role, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def web(postgresql_app: Flask, role: str) -> Iterator[Flask]:
    """The application under the role of `lims audit grants`."""
    settings: Settings = postgresql_app.config["LIMS_SETTINGS"]
    with _owner(settings.database_url) as connection:
        for statement in statements(role):
            connection.execute(statement.encode())
        url = _as(settings.database_url, role)
        _settle(postgresql_app, database_url=url, metrics_token=TOKEN)
        postgresql_app.extensions["lims.database"].point_at(url)
        yield postgresql_app
        postgresql_app.extensions["lims.database"].engine.dispose()
        connection.execute(f"DROP OWNED BY {role}".encode())


def _settle(app: Flask, **update: str) -> Settings:
    found: Settings = app.config["LIMS_SETTINGS"].model_copy(update=update)
    app.config["LIMS_SETTINGS"] = found
    return found


def _night(app: Flask) -> Job:
    with app.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
    run_waiting(app)
    with app.app_context():
        job = current_session().get(Job, job_id)
        assert job is not None
        return job


def _metric(app: Flask) -> float:
    answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    found = re.search(r"^lims_last_backup_timestamp_seconds (\S+)$", answer.get_data(as_text=True), re.M)
    assert found is not None
    return float(found.group(1))


def _pretended(settings: Settings, day: int, name: str = "nightly") -> Path:
    folder = settings.backups / f"{name}-202601{day:02}T000000Z"
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text("{}", encoding="utf-8")
    return folder


def test_backup_of_a_clock_that_was_ahead_does_not_silence_the_alarm(app: Flask) -> None:
    settings = _settle(app, metrics_token=TOKEN)
    made: dict[str, datetime] = {
        "now": utc_now() - timedelta(days=1),
        "ahead": utc_now() + timedelta(days=400),
    }
    for name, at in made.items():
        folder = settings.backups / f"nightly-{name}"
        back_up(settings, folder)
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        (folder / MANIFEST).write_text(json.dumps({**manifest, "made_at": at.isoformat()}), encoding="utf-8")
        mark_verified(folder)
    assert _metric(app) == pytest.approx(made["now"].timestamp())
    (settings.backups / "nightly-now" / VERIFIED).unlink()
    assert _metric(app) == 0


@pytest.mark.postgresql
def test_night_that_cannot_verify_has_failed_says_what_to_do_and_lets_the_oldest_go(web: Flask) -> None:
    settings = _settle(web)
    old = [_pretended(settings, day) for day in range(1, settings.backups_kept + 3)]
    job = _night(web)
    assert job.state == "failed"
    assert "LIMS_VERIFY_DATABASE_URL" in str(job.message)
    assert len(list(settings.backups.glob("nightly-*"))) == settings.backups_kept
    assert not old[0].exists()
    assert _metric(web) == 0


@pytest.mark.postgresql
def test_role_that_may_make_no_database_verifies_in_the_one_that_is_lent_to_it(web: Flask, lent: str) -> None:
    settings = _settle(web, verify_database_url=lent)
    for _number in range(2):  # what the first left would be in the way of the second
        job = _night(web)
        assert (job.state, "restored and verified" in str(job.message)) == ("done", True), job.message
        with psycopg.connect(databases.conninfo(lent)) as connection:
            left = connection.execute(
                "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
                " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
            ).fetchone()
        assert left == (0,)
    assert all(is_verified(folder) for folder in settings.backups.glob("nightly-*"))
    assert _metric(web) > 0


@pytest.mark.postgresql
def test_database_that_is_named_for_one_verification_is_empty_again_after_it(web: Flask, lent: str) -> None:
    settings = _settle(web)
    folder = settings.backups / "first"
    back_up(settings, folder)
    for _number in range(2):  # what the first left would be in the way of the second
        assert verify(settings, folder, into=lent) == []
        _until_alone(lent)
        with psycopg.connect(databases.conninfo(lent)) as connection:
            assert databases.tables_of(connection) == []
        _until_alone(lent)


@pytest.mark.postgresql
def test_lent_database_is_emptied_of_a_killed_verification_and_of_nothing_else(web: Flask, lent: str) -> None:
    settings = _settle(web, verify_database_url=lent)
    folder = settings.backups / "first"
    back_up(settings, folder)
    for made, gone in (
        ("TABLE somebodys (id integer)", ""),
        ("VIEW somebodys AS SELECT 1 AS id", "VIEW somebodys"),
        ("FUNCTION somebodys() RETURNS integer LANGUAGE sql AS 'SELECT 1'", "FUNCTION somebodys()"),
    ):
        if gone:
            _run(lent, "DROP TABLE IF EXISTS somebodys")
        _run(lent, f"CREATE {made}")
        with pytest.raises(Refused, match="not empty"):
            verify(settings, folder)
        if gone:
            _run(lent, f"DROP {gone}")
    _run(lent, "CREATE TABLE somebodys (id integer)")
    _run(lent, f"CREATE TABLE {databases.LENT} ()")
    with psycopg.connect(databases.conninfo(lent), autocommit=True) as connection:
        with pytest.raises(Refused, match="others are connected"):  # a laboratory that works in such a copy
            verify(settings, folder)
        assert databases.tables_of(connection) == ["somebodys"]
    _until_alone(lent)
    assert verify(settings, folder) == []
    with psycopg.connect(databases.conninfo(lent), autocommit=True) as connection:
        assert databases.tables_of(connection) == []
        connection.execute("SELECT pg_advisory_lock(%s)", (databases.LENT_LOCK,))
        with pytest.raises(Refused, match="another verification"):
            verify(settings, folder)


def _run(url: str, statement: str) -> None:
    with psycopg.connect(databases.conninfo(url), autocommit=True) as connection:
        connection.execute(statement.encode())
    _until_alone(url)


def _until_alone(url: str) -> None:
    """The server ends the session of a client a moment after the client."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            databases.take_postgresql_alone(url)
        except Refused:
            continue
        return
    raise AssertionError("a session stays")


@pytest.mark.postgresql
def test_server_that_is_connected_as_another_role_is_seen_by_an_owner_who_is_no_superuser(
    lent: str, postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lims upgrade` and `restore` are run by the owner of the tables; who serves is another role (lims/audit/grants.py)."""
    monkeypatch.setattr(databases, "GONE_WITHIN_S", 0.0)
    databases.take_alone(lent)
    serving = _as(postgresql_server, name=str(sqlalchemy.make_url(lent).database))
    with (
        psycopg.connect(databases.conninfo(serving)),
        pytest.raises(Refused, match="is in use: stop the server and the worker first"),
    ):
        databases.take_alone(lent)


@pytest.mark.postgresql
def test_laboratory_is_not_lent_to_its_own_verification(web: Flask) -> None:
    settings = _settle(web)
    own = _settle(web, verify_database_url=settings.database_url)
    back_up(own, own.backups / "first")
    with pytest.raises(Refused, match="own database"):
        verify(own, own.backups / "first")
    (problem,) = [found for found in configuration_problems(own) if found.field == "LIMS_VERIFY_DATABASE_URL"]
    assert "own database" in problem.message


@pytest.mark.postgresql
def test_place_that_fails_is_no_fault_of_the_backup(web: Flask) -> None:
    settings = _settle(web)
    back_up(settings, settings.backups / "first")
    with pytest.raises(Refused, match="--into: this database cannot be reached"):
        verify(settings, settings.backups / "first", into="postgresql+psycopg://nobody@127.0.0.1:1/none")


def test_disk_that_is_full_or_away_is_no_fault_of_the_backup(tmp_path: Path) -> None:
    module = sqlite_module()
    with closing(module.connect(tmp_path / "x.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(module.Error, match="full") as full:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    with pytest.raises(module.Error, match="unable to open") as absent:
        databases.contents_of_sqlite(tmp_path / "none" / "x.sqlite3")
    (tmp_path / "y.sqlite3").write_bytes(b"no database " * 100)
    with pytest.raises(module.Error) as damaged:
        databases.contents_of_sqlite(tmp_path / "y.sqlite3")
    told = [_is_of_the_place(found.value) for found in (full, absent, damaged)]
    assert told == [True, True, False]
    assert _is_of_the_place(DBAPIError("SELECT 1", None, full.value))


def test_backup_folder_whose_disk_is_not_mounted_is_told_and_not_made(app: Flask, tmp_path: Path) -> None:
    absent = tmp_path / "mnt" / "safe"
    settings = _settle(app, backup_folder=str(absent))
    (problem,) = configuration_problems(settings)
    assert (problem.field, problem.value) == ("LIMS_BACKUP_FOLDER", str(absent))
    job = _night(app)
    assert (job.state, "is its disk mounted?" in str(job.message)) == ("failed", True)
    assert not absent.parent.exists()
    absent.mkdir(parents=True)
    assert configuration_problems(settings) == []
    assert _night(app).state == "done"
    folder = tmp_path / "by" / "hand"  # where somebody says so, it is made
    absent.rename(absent.with_name("gone"))
    assert back_up(settings, folder).rows["ab_user"] > 1


@pytest.mark.parametrize("url", ["", "postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_backup_that_cannot_be_made_says_why_on_the_command_line(
    url: str, initialised: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    if not url:
        file = data / "lims.sqlite3"
        file.write_bytes(b"no database " + file.read_bytes()[12:])
    found = lims("backup", str(tmp_path / "safe"), data=data, LIMS_DATABASE_URL=url)
    assert found.returncode == 2
    assert ("connection" if url else "is not a database") in found.stderr
    assert "Traceback" not in found.stderr
    assert not (tmp_path / "safe").exists()
    assert list(tmp_path.glob(".safe*")) == []


@pytest.mark.postgresql
def test_check_says_that_no_night_will_be_verified(web: Flask, lent: str) -> None:
    settings = _settle(web)
    (problem,) = proof_problems(settings)
    assert problem.field == "LIMS_VERIFY_DATABASE_URL"
    assert proof_problems(settings.model_copy(update={"verify_database_url": lent})) == []


def test_upgrade_by_a_program_that_is_older_than_the_database_makes_no_backup(app: Flask) -> None:
    settings: Settings = app.config["LIMS_SETTINGS"]
    app.extensions["lims.database"].engine.dispose()
    with sqlite_module().connect(settings.data / "lims.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    found = lims("upgrade", data=settings.data)
    assert found.returncode == 2
    assert "later than this program" in found.stderr
    assert not list(settings.backups.glob("*"))


@pytest.mark.postgresql
def test_lent_database_where_the_role_may_make_no_tables_is_told(
    web: Flask, lent: str, postgresql_server: str
) -> None:
    settings = _settle(web, verify_database_url=lent)
    back_up(settings, settings.backups / "first")
    name = sqlalchemy.make_url(lent).database
    with _owner(postgresql_server) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER".encode())
    with pytest.raises(Refused, match="a database that it owns"):
        verify(settings, settings.backups / "first")
    _settle(web, verify_database_url=_as(lent, name="no_such_database"))
    job = _night(web)
    assert job.state == "failed"
    assert "cannot be reached" in str(job.message)


@pytest.mark.postgresql
def test_upgrade_stops_when_its_backup_cannot_be_verified_unless_it_is_told_to_go_on(
    lent: str, role: str, postgresql_server: str, tmp_path: Path
) -> None:
    app = create_app(Settings(data=tmp_path, database_url=lent))
    initialise(app)
    app.extensions["lims.database"].engine.dispose()
    stopped = lims("upgrade", data=tmp_path, LIMS_DATABASE_URL=lent)
    assert stopped.returncode == 1
    assert "LIMS_VERIFY_DATABASE_URL" in stopped.stderr
    assert "Nothing was changed" in stopped.stderr
    assert "ready" not in stopped.stdout
    assert not list((tmp_path / "backups").iterdir())
    told = lims("upgrade", "--unverified", data=tmp_path, LIMS_DATABASE_URL=lent)
    assert told.returncode == 0, told.stderr
    assert "not verified" in told.stderr
    assert "ready" in told.stdout
    assert [is_verified(folder) for folder in (tmp_path / "backups").iterdir()] == [False]


def test_prune_keeps_the_newest_verified_backup_however_old(app: Flask) -> None:
    settings = _settle(app, backups_kept=2)  # type: ignore[arg-type]
    made = [_pretended(settings, day) for day in range(1, 7)]
    for folder in made[:2]:
        mark_verified(folder)
    assert prune(settings) == [folder.name for folder in (made[0], made[2], made[3])]
    assert sorted(settings.backups.iterdir()) == [made[1], *made[4:]]


def test_metric_tells_of_verified_backups_alone(app: Flask) -> None:
    settings = _settle(app, metrics_token=TOKEN)
    for name in ("nightly-20260101T000000Z", "before-upgrade-20260102T000000Z"):
        back_up(settings, settings.backups / name)
    assert _metric(app) == 0
    folder = settings.backups / "nightly-20260101T000000Z"
    assert verify(settings, folder) == []
    mark_verified(folder)
    assert verify(settings, folder) == []  # the mark is no foreign file
    first = _metric(app)
    assert first > 0
    back_up(settings, settings.backups / "nightly-20260103T000000Z")
    assert _metric(app) == first
    bent = (folder / MANIFEST).read_text(encoding="utf-8").replace('"format": 1', '"format":  1')
    (folder / MANIFEST).write_text(bent, encoding="utf-8")
    assert _metric(app) == 0
    assert (folder / VERIFIED).exists()
