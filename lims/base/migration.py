"""Bringing a database to the program's version, for `lims init`, `lims upgrade`, the demonstration, and databases that a
restore, a move or a verification has just made."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from lims.base.actor import system_actor
from lims.base.auditing.context import OPTION, Opening
from lims.base.auditing.guards import exempt
from lims.base.auditing.triggers import (
    columns_of,
    install,
    make_functions,
    make_seal,
    record_baselines,
    remove,
)

MIGRATION = system_actor("migration")
ROOT = Path(__file__).resolve().parents[2]


def alembic_config(engine_connection: object) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["connection"] = engine_connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing. Safe to repeat.

    Triggers of the record of changes stay on, so that what a migration writes is captured in its name; they are brought
    up to date afterwards. A migration that one stands in the way of takes it off: `auditing.triggers.remove`.
    """
    opening = Opening(MIGRATION, "migration", before_migration=True)
    with (
        engine.connect().execution_options(lims_write=True, **{OPTION: opening}) as connection,
        exempt(connection),
    ):
        make_functions(connection)
        command.upgrade(alembic_config(connection), revision)
        make_seal(connection)
        connection.commit()
    install_triggers(engine)
    engine.dispose()  # a new connection keeps none of the thousand statements that ran here once


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Go back. Capture is off meanwhile; rows are recorded as they stand when it begins again."""
    with engine.connect().execution_options(lims_write=True) as connection, exempt(connection):
        remove(connection)
        connection.commit()
        command.downgrade(alembic_config(connection), revision)
        connection.commit()
    install_triggers(engine)


def install_triggers(engine: Engine) -> None:
    """Capture every table as the models have it; rows that capture did not see coming are recorded as they stand."""
    opening = Opening(MIGRATION, "capture begins", before_migration=True)
    with (
        engine.connect().execution_options(lims_write=True, **{OPTION: opening}) as connection,
        exempt(connection),
    ):
        existing = columns_of(connection)
        if "audit_transactions" in existing:
            record_baselines(connection, existing, install(connection, existing))
        connection.commit()


def known_revisions() -> frozenset[str]:
    """All that this program has migrations for."""
    script = ScriptDirectory.from_config(alembic_config(None))
    return frozenset(found.revision for found in script.walk_revisions())


def head_revision() -> str:
    """The revision that this program's tables are of."""
    return str(ScriptDirectory.from_config(alembic_config(None)).get_current_head())


def current_revision(engine: Engine) -> str | None:
    """The revision of the database's tables, None when it was never initialised."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()
