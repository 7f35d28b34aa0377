"""Keys of requests that write once; indexes for the orders that long lists stand in.

Revision: 0014, after 0013.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

#: Orders of lists with a row for each set or result: the column, then the id that settles ties.
ORDERS = (("specimen_sets", "due_at"), ("set_results", "created_at"))


def upgrade() -> None:
    op.create_table(
        "request_keys",
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("sent_sha256", sa.String(length=64), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name=op.f("pk_request_keys")),
    )
    op.create_index(op.f("ix_request_keys_created_at"), "request_keys", ["created_at"])
    for table, column in ORDERS:
        op.create_index(op.f(f"ix_{table}_{column}_id"), table, [column, "id"])


def downgrade() -> None:
    for table, column in ORDERS:
        op.drop_index(op.f(f"ix_{table}_{column}_id"), table)
    op.drop_table("request_keys")
