"""`lims init` and `lims upgrade` that were killed: who starts is told, and running the command again finishes it.

An upgrade has the database for itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask import Flask

from lims.base.database import make_engine
from lims.base.migration import current_revision, head_revision
from lims.operations.checks import database_problems
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings
from tests.faults.conftest import LONG
from tests.programs import lims, run

POSTGRESQL = pytest.mark.postgresql
#: Each starts the program several times: twenty seconds.
IN_FULL = pytest.mark.skipif(not LONG, reason="several starts of the program: make faults")

#: Initialises, and is killed before what is named: after a migration, or in what comes after the last one.
KILLED = """
import os, sys
from lims.app import create_app
from lims.base import migration
from lims import initialise
from lims.settings import Settings

def die(*_given, **_more):
    os._exit(9)

step = sys.argv[1]
if step.isdecimal():
    whole = migration.command.upgrade

    def cut(config, _revision):
        whole(config, step)
        config.attributes["connection"].commit()
        die()

    migration.command.upgrade = cut
else:
    setattr(initialise if step == "sync_permissions" else migration, step, die)
initialise.initialise(create_app(Settings()))
"""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    url = "" if database_url.startswith("sqlite") else database_url
    return Settings(data=tmp_path / "data", database_url=url)


def _killed_before(step: str, settings: Settings) -> None:
    given = {"LIMS_DATA": str(settings.data), "LIMS_DATABASE_URL": settings.database_url}
    assert run(["-c", KILLED, step], {**os.environ, **given}).returncode == 9


def _lims(settings: Settings, *args: str) -> str:
    found = lims(*args, data=settings.data, LIMS_DATABASE_URL=settings.database_url)
    assert (found.returncode, "Traceback" in found.stderr) == (0, False), found.stderr
    return found.stdout


def _refused(settings: Settings, *args: str) -> str:
    found = lims(*args, data=settings.data, LIMS_DATABASE_URL=settings.database_url)
    assert (found.returncode, "Traceback" in found.stderr) == (2, False), found.stderr
    return found.stderr


@pytest.mark.parametrize(
    ("database_url", "step", "said"),
    [
        pytest.param("sqlite", "install_triggers", "triggers", marks=IN_FULL),
        ("sqlite", "sync_permissions", "roles"),
        pytest.param("postgresql", "install_triggers", "triggers", marks=POSTGRESQL),
        pytest.param("postgresql", "sync_permissions", "roles", marks=[POSTGRESQL, IN_FULL]),
    ],
    indirect=["database_url"],
)
def test_init_that_was_killed_after_its_migrations_is_told_and_finished_by_another(
    settings: Settings, step: str, said: str
) -> None:
    _killed_before(step, settings)
    told = "; ".join(problem.message for problem in database_problems(settings))
    assert said in told
    assert "run `lims init`" in told
    assert "run `lims init`" in _refused(settings, "worker", "--once")
    _lims(settings, "init")
    assert database_problems(settings) == []
    assert faults_of_record(settings.sqlalchemy_url) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL takes all of it back
@pytest.mark.parametrize("revision", ["0003", pytest.param("0012", marks=IN_FULL)])
def test_first_init_that_was_killed_between_migrations_is_finished_by_upgrade(
    settings: Settings, revision: str
) -> None:
    _killed_before(revision, settings)
    assert "run `lims upgrade`" in _refused(settings, "init")
    _lims(settings, "upgrade")
    assert database_problems(settings) == []
    assert faults_of_record(settings.sqlalchemy_url) == []


@pytest.fixture
def peopled(which: str, request: pytest.FixtureRequest) -> Flask:
    """A laboratory with accounts, which nobody has open yet."""
    app: Flask = request.getfixturevalue("app" if which == "sqlite" else "postgresql_app")
    app.extensions["lims.database"].engine.dispose()
    return app


@pytest.mark.parametrize("which", ["sqlite"])
def test_trigger_that_is_missing_where_people_work_is_made_anew_after_a_backup(peopled: Flask) -> None:
    from lims.base.database import sqlite_module

    settings: Settings = peopled.config["LIMS_SETTINGS"]
    with sqlite_module().connect(settings.data / "lims.sqlite3") as connection:
        connection.execute("DROP TRIGGER audit_entries_fixed")
    connection.close()
    said = [problem.message for problem in database_problems(settings)]
    for told in ("; ".join(said), _refused(settings, "init")):
        assert "audit_entries_fixed" in told
        assert "run `lims upgrade`" in told
    _lims(settings, "upgrade")
    assert len(list(settings.backups.glob("before-upgrade-*"))) == 1
    assert database_problems(settings) == []
    engine = make_engine(settings.sqlalchemy_url)
    assert current_revision(engine) == head_revision()
    engine.dispose()


@pytest.mark.parametrize("which", ["sqlite", pytest.param("postgresql", marks=[POSTGRESQL, IN_FULL])])
def test_upgrade_is_refused_while_a_server_has_the_database_open(peopled: Flask) -> None:
    settings: Settings = peopled.config["LIMS_SETTINGS"]
    with peopled.extensions["lims.database"].engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM ab_user").all()
        connection.rollback()
        assert "is in use: stop the server and the worker first" in _refused(settings, "upgrade")
        assert list(settings.backups.glob("*")) == []
    peopled.extensions["lims.database"].engine.dispose()
    _lims(settings, "upgrade")
