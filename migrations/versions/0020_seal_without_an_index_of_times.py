"""The seal costs less: an index goes that served nothing but the time of the very first seal.

Revision: 0020, after 0019.
"""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_audit_transactions_at"), "audit_transactions")


def downgrade() -> None:
    op.create_index(op.f("ix_audit_transactions_at"), "audit_transactions", ["at"])
