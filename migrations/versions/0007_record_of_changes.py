"""The record of changes: sealed transactions, captured rows, salts and clear text of personal data; signed checkpoints.

The triggers themselves are made after every migration (lims/base/migration.py), which also records the rows that are
there already as they stand.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_transactions",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_transactions")),
        sa.UniqueConstraint("txid", name=op.f("uq_audit_transactions_txid")),
    )
    op.create_index(op.f("ix_audit_transactions_actor"), "audit_transactions", ["actor"])
    op.create_index(op.f("ix_audit_transactions_at"), "audit_transactions", ["at"])
    op.create_table(
        "audit_entries",
        sa.Column("seq", KEY, sa.Identity(always=True), nullable=False),
        sa.Column("txid", sa.BigInteger(), nullable=False),
        sa.Column("op", sa.String(length=1), nullable=False),
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("pk", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_table_name_pk", "audit_entries", ["table_name", "pk"])
    op.create_table(
        "audit_salts",
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("pk", sa.String(length=200), nullable=False),
        sa.Column("salt", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("table_name", "pk", name=op.f("pk_audit_salts")),
    )
    op.create_table(
        "audit_personal",
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("pk", sa.String(length=200), nullable=False),
        sa.Column("column_name", sa.String(length=63), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_audit_personal")),
    )
    op.create_index("ix_audit_personal_table_name_pk", "audit_personal", ["table_name", "pk"])
    op.execute("ALTER TABLE checkpoints ADD COLUMN transaction_count BIGINT DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE checkpoints ADD COLUMN text TEXT DEFAULT '' NOT NULL")
    op.execute("ALTER TABLE checkpoints DROP COLUMN result_count")


def downgrade() -> None:
    op.execute("ALTER TABLE checkpoints ADD COLUMN result_count INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE checkpoints DROP COLUMN text")
    op.execute("ALTER TABLE checkpoints DROP COLUMN transaction_count")
    op.drop_table("audit_personal")
    op.drop_table("audit_salts")
    op.drop_table("audit_entries")
    op.drop_table("audit_transactions")
