"""Alumina of a lot's clinker, the water that went into a batch, and past cases found by what was said in them.

Revision: 0017, after 0016.
"""

from __future__ import annotations

from dataclasses import replace

from alembic import op

from lims.base.columns import ExactDecimal
from lims.searching.triggers import NUMBERS, index_anew

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

#: (table, column, decimal places): added in place, because a table made anew on SQLite would lose its triggers.
ADDED = (("cement_lots", "al2o3_percent", 2), ("batches", "water_used_kg_m3", 1))
#: As it was at this revision: as many letters as an index of PostgreSQL holds.
CASES = replace(
    NUMBERS["complaints"],
    text="substr({row}.code || ' ' || {row}.subject || '\n' || coalesce({row}.cause, '')"
    " || ' ' || coalesce({row}.description, ''), 1, 500)",
    columns=("code", "subject", "description", "cause"),
)
#: As it was: code and subject alone.
TITLES = replace(CASES, text="{row}.code || ' ' || {row}.subject", columns=("code", "subject"))


def upgrade() -> None:
    dialect = op.get_bind().dialect
    for table, column, places in ADDED:
        kind = ExactDecimal(places=places).compile(dialect=dialect)
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    index_anew(op.get_bind(), CASES)


def downgrade() -> None:
    index_anew(op.get_bind(), TITLES)
    for table, column, _places in reversed(ADDED):
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
