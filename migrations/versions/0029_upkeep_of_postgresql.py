"""On PostgreSQL the seal of a write gathers its entries without parallel workers, and sets that were broken are swept from
the index of what waits by the thousand. Functions are made anew before the first revision runs (lims/base/migration.py).

Left alone, PostgreSQL sweeps once a fifth of a table changed: of a million sets two hundred thousand that wait no longer
would be stepped over by every list of the day.

Revision: 0029, after 0028.
"""

from __future__ import annotations

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SWEPT = "autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        share, rows = SWEPT
        op.execute(f"ALTER TABLE specimen_sets SET ({share} = 0, {rows} = 2000)")


def downgrade() -> None:
    """The program of before brings its own functions."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE specimen_sets RESET ({', '.join(SWEPT)})")
