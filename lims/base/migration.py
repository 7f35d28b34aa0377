"""Bringing a database to the program's version. Only `lims init` (and the tests) call this."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

ROOT = Path(__file__).resolve().parents[2]


def alembic_config(engine_connection: object) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["connection"] = engine_connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply what is missing. Safe to repeat."""
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), revision)
        connection.commit()


def downgrade(engine: Engine, revision: str = "base") -> None:
    with engine.connect() as connection:
        command.downgrade(alembic_config(connection), revision)
        connection.commit()


def head_revision() -> str:
    """The revision that this program's tables are of."""
    return str(ScriptDirectory.from_config(alembic_config(None)).get_current_head())


def current_revision(engine: Engine) -> str | None:
    """The revision of the database's tables, None when it was never initialised."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def differences(engine: Engine) -> list[object]:
    """What `alembic check` would find: empty when tables and models agree."""
    from alembic.autogenerate import compare_metadata

    from lims.base.metadata import Model

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                # What is no model: the tables of FTS5 and the indexes of lims/searching/triggers.py.
                "include_name": lambda name, kind, _parents: (
                    kind not in {"table", "index"}
                    or not str(name).startswith(("search_trigrams", "search_beginnings"))
                ),
            },
        )
        return list(compare_metadata(context, Model.metadata))
