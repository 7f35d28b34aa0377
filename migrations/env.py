"""One history over one metadata, `ab_*` tables of Flask-AppBuilder included."""

from __future__ import annotations

from alembic import context
from alembic.autogenerate.api import AutogenContext

import lims.base.metadata
import lims.records
from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.database import make_engine
from lims.searching.triggers import INDEXES
from lims.settings import Settings

METADATA = lims.base.metadata.Model.metadata


def render_item(kind: str, item: object, autogen: AutogenContext) -> str | bool:
    """Our column types by their names, so that a migration reads like the model."""
    if kind == "type" and isinstance(item, ExactDecimal | UtcDateTime):
        autogen.imports.add(f"from lims.base.columns import {type(item).__name__}")
        if isinstance(item, ExactDecimal):
            return f"ExactDecimal(places={item.places}, digits={item.digits})"
        return "UtcDateTime()"
    return False


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """What is no model: the tables of FTS5 and the indexes of lims/searching/triggers.py."""
    return not (kind in {"table", "index"} and str(name).startswith(INDEXES))


def run(connection: object) -> None:
    context.configure(
        connection=connection,  # type: ignore[arg-type]
        target_metadata=METADATA,
        render_as_batch=True,
        render_item=render_item,
        include_name=include_name,
        compare_type=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with make_engine(Settings().sqlalchemy_url).connect() as opened:
        run(opened)
