"""Indexes over the rows that were corrected, so that nobody reads a million others to find them.

Revision: 0016, after 0015.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = ("breaks", "set_results")
CORRECTED = sa.text("superseded_at IS NOT NULL")


def upgrade() -> None:
    for table in TABLES:
        op.create_index(
            op.f(f"ix_{table}_superseded_at"),
            table,
            ["superseded_at"],
            sqlite_where=CORRECTED,
            postgresql_where=CORRECTED,
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(op.f(f"ix_{table}_superseded_at"), table)
