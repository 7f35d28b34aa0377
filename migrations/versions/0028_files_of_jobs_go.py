"""Files that jobs made go after a while: since when, on the job and on the file, whose row stays.

Revision: 0028, after 0027.
"""

from __future__ import annotations

from alembic import op

from lims.base.columns import UtcDateTime

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ADDED = (("jobs", "file_removed_at"), ("stored_files", "removed_at"))


def upgrade() -> None:
    # In place: a table that others refer to is not made anew under them.
    kind = UtcDateTime().compile(dialect=op.get_bind().dialect)
    for table, column in ADDED:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")


def downgrade() -> None:
    # A program that knows nothing of it would take the empty row for the bytes of that hash.
    op.execute("UPDATE stored_files SET sha256 = 'removed-' || id WHERE removed_at IS NOT NULL")
    for table, column in ADDED:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
