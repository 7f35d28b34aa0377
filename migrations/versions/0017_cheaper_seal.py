"""The seal costs less: an index that nothing reads goes, and PostgreSQL hashes in the function that seals.

Revision: 0017, after 0014.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index(op.f("ix_audit_transactions_actor"), "audit_transactions")


def downgrade() -> None:
    op.create_index(op.f("ix_audit_transactions_actor"), "audit_transactions", ["actor"])
