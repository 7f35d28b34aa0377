"""What is due around now is counted and found without reading what is not, however large the backlog.

Revision: 0021, after 0020.
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

NARROW = "ix_specimen_sets_state_due_at"
WIDE = "ix_specimen_sets_state_due_at_due_from_due_until"


def upgrade() -> None:
    op.create_index(op.f(WIDE), "specimen_sets", ["state", "due_at", "due_from", "due_until"])
    op.drop_index(op.f(NARROW), "specimen_sets")


def downgrade() -> None:
    op.create_index(op.f(NARROW), "specimen_sets", ["state", "due_at"])
    op.drop_index(op.f(WIDE), "specimen_sets")
