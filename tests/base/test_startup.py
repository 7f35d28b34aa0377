"""Start-up and migrations: what Flask-AppBuilder gets wrong by default, held in place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from lims.accounts.roles import ROLES
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.database import make_engine, transaction
from lims.base.metadata import Model
from lims.base.migration import differences, downgrade, upgrade
from lims.initialise import initialise, permissions_of
from lims.settings import Settings
from tests.programs import run

WORKER = """
import sys, sqlalchemy
statements = []
sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
from lims.app import create_app
from lims.settings import Settings
create_app(Settings(data=sys.argv[1], database_url=sys.argv[2]))
print(len(statements))
"""


def test_naming_convention_is_set_before_any_table_exists() -> None:
    lines = [
        line.strip()
        for table in Model.metadata.tables.values()
        for line in str(CreateTable(table).compile(dialect=postgresql.dialect())).splitlines()
    ]
    rules = [
        line
        for line in lines
        if line.startswith(("UNIQUE", "FOREIGN KEY", "PRIMARY KEY", "CHECK", "CONSTRAINT"))
    ]
    unnamed = [line for line in rules if not line.startswith("CONSTRAINT")]
    assert len(rules) > 100
    assert unnamed == []


def test_web_worker_starts_with_no_sql_statement(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    done = run(["-c", WORKER, str(tmp_path), url])
    assert done.stdout.strip() == "0", done.stderr


def test_one_history_goes_up_and_down_and_agrees_with_the_models(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine)
    assert differences(engine) == []
    assert "frozen" in _triggers(engine)
    downgrade(engine)
    left = set(sqlalchemy.inspect(engine).get_table_names()) - {"alembic_version"}
    assert left == set()
    upgrade(engine)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is not None
    assert differences(engine) == []
    engine.dispose()


def test_migrated_triggers_are_those_that_the_models_declare(database_url: str, tmp_path: Path) -> None:
    migrated = make_engine(database_url)
    upgrade(migrated)
    found = _triggers(migrated)
    migrated.dispose()
    if database_url.startswith("sqlite"):
        declared = make_engine(f"sqlite:///{tmp_path / 'declared.sqlite3'}")
        Model.metadata.create_all(declared)
        assert found == _triggers(declared)
        declared.dispose()
    else:
        assert "mix_revisions_frozen" in found


def _triggers(engine: sqlalchemy.Engine) -> str:
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname || tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
    )
    with engine.connect() as connection:
        return "\n".join(connection.scalars(sqlalchemy.text(query)))


def _grants(url: str) -> set[tuple[str, str, str]]:
    engine = make_engine(url)
    query = sqlalchemy.text(
        "SELECT r.name, p.name, v.name FROM ab_permission_view_role g JOIN ab_role r ON r.id = g.role_id "
        "JOIN ab_permission_view pv ON pv.id = g.permission_view_id "
        "JOIN ab_permission p ON p.id = pv.permission_id JOIN ab_view_menu v ON v.id = pv.view_menu_id"
    )
    with engine.connect() as connection:
        rows = {(a, b, c) for a, b, c in connection.execute(query)}
    engine.dispose()
    return rows


@pytest.mark.postgresql
def test_four_workers_starting_cold_on_postgresql_leave_every_grant_in_place(
    postgresql_url: str, tmp_path: Path
) -> None:
    app = create_app(Settings(data=tmp_path, database_url=postgresql_url))
    initialise(app)
    app.extensions["lims.database"].engine.dispose()
    before = _grants(postgresql_url)

    def worker(_number: int) -> str:
        return run(["-c", WORKER, str(tmp_path), postgresql_url]).stdout.strip()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(worker, range(4))) == ["0"] * 4
    assert _grants(postgresql_url) == before
    assert before == {
        (role, permission, view) for role, grants in ROLES.items() for permission, view in grants
    }


def test_init_is_safe_to_repeat_and_keeps_a_role_that_the_laboratory_made(
    database_url: str, tmp_path: Path
) -> None:
    app = create_app(Settings(data=tmp_path, database_url=database_url))
    initialise(app)
    engine = app.extensions["lims.database"].engine
    with app.app_context(), transaction(system_actor("test")) as session:
        session.execute(sqlalchemy.text("INSERT INTO ab_role (id, name) VALUES (900, 'Night shift')"))
    first = _grants(database_url)
    initialise(app)
    assert _grants(database_url) == first
    with engine.connect() as connection:
        assert (
            connection.scalar(sqlalchemy.text("SELECT count(*) FROM ab_role WHERE name = 'Night shift'")) == 1
        )
    engine.dispose()


def test_every_permission_that_a_view_asks_for_is_granted_to_some_role(tmp_path: Path) -> None:
    asked = permissions_of(create_app(Settings(data=tmp_path)))
    granted = set().union(*ROLES.values())
    assert asked - granted == set()
