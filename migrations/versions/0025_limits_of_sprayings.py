"""The limits that a spraying's setting and curing were judged by stand with it, as that of its rebound does. Of those that
are there nobody knows them: they stay empty, and the verdict stands while nothing that was judged is corrected.

Revision: 0025, after 0024.
"""

from __future__ import annotations

from alembic import op

from lims.base.columns import ExactDecimal

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

LIMITS = ("initial_set_limit_min", "final_set_limit_min")


def upgrade() -> None:
    # In place: a table that is made anew on SQLite would lose its triggers.
    kind = ExactDecimal(places=1).compile(dialect=op.get_bind().dialect)
    for column in LIMITS:
        op.execute(f"ALTER TABLE shotcrete_trials ADD COLUMN {column} {kind}")
    op.execute("ALTER TABLE shotcrete_trials ADD COLUMN least_curing_days INTEGER")


def downgrade() -> None:
    for column in (*LIMITS, "least_curing_days"):
        op.execute(f"ALTER TABLE shotcrete_trials DROP COLUMN {column}")
