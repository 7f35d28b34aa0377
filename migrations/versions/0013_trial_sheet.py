"""The living trial sheet: what a link shows and says as it was sent, its owner, language and password; views by day and
the prospects' answers.

Revision: 0013, after 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _record(*columns: sa.Column[object]) -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("id", KEY, nullable=False),
        *columns,
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime()),
    )


def upgrade() -> None:
    # In place: a table that others refer to is not made anew under them.
    for column in (
        "owner_id INTEGER CONSTRAINT fk_share_links_owner_id_ab_user REFERENCES ab_user (id)",
        "note TEXT",
        "language VARCHAR(8) DEFAULT 'en' NOT NULL",
        "password_hash VARCHAR(200)",
        "frozen TEXT DEFAULT '{}' NOT NULL",
    ):
        op.execute(f"ALTER TABLE share_links ADD COLUMN {column}")
    op.create_index(op.f("ix_share_links_owner_id"), "share_links", ["owner_id"])
    op.execute(
        "UPDATE share_links SET owner_id = (SELECT id FROM ab_user WHERE 'user:' || id = share_links.created_by)"
    )
    op.create_table(
        "share_batches",
        *_record(
            sa.Column("share_link_id", KEY, nullable=False),
            sa.Column("batch_id", KEY, nullable=False),
            sa.Column("part", sa.Integer(), nullable=False),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_share_batches_batch_id_batches")),
        sa.ForeignKeyConstraint(
            ["share_link_id"], ["share_links.id"], name=op.f("fk_share_batches_share_link_id_share_links")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_batches")),
        sa.UniqueConstraint(
            "share_link_id", "batch_id", name=op.f("uq_share_batches_share_link_id_batch_id")
        ),
    )
    op.create_index(op.f("ix_share_batches_share_link_id"), "share_batches", ["share_link_id"])
    op.create_index(op.f("ix_share_batches_batch_id"), "share_batches", ["batch_id"])
    op.create_table(
        "share_views",
        sa.Column("share_link_id", KEY, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("views", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["share_link_id"], ["share_links.id"], name=op.f("fk_share_views_share_link_id_share_links")
        ),
        sa.PrimaryKeyConstraint("share_link_id", "day", name=op.f("pk_share_views")),
    )
    op.create_table(
        "share_answers",
        *_record(
            sa.Column("share_link_id", KEY, nullable=False),
            sa.Column("kind", sa.String(length=10), nullable=False),
            sa.Column("name", sa.String(length=120), nullable=False),
            sa.Column("company", sa.String(length=200)),
            sa.Column("contact", sa.String(length=200), nullable=False),
            sa.Column("message", sa.Text()),
            sa.Column("customer_id", KEY),
            sa.Column("handled_at", UtcDateTime()),
        ),
        sa.ForeignKeyConstraint(
            ["share_link_id"], ["share_links.id"], name=op.f("fk_share_answers_share_link_id_share_links")
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_share_answers_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_answers")),
    )
    for column in ("share_link_id", "kind", "customer_id", "handled_at"):
        op.create_index(op.f(f"ix_share_answers_{column}"), "share_answers", [column])


def downgrade() -> None:
    op.drop_table("share_answers")
    op.drop_table("share_views")
    op.drop_table("share_batches")
    op.drop_index(op.f("ix_share_links_owner_id"), table_name="share_links")
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("PRAGMA defer_foreign_keys = ON")
    with op.batch_alter_table("share_links") as batch_op:
        if dialect != "sqlite":
            batch_op.drop_constraint(op.f("fk_share_links_owner_id_ab_user"), type_="foreignkey")
        for column in ("owner_id", "note", "language", "password_hash", "frozen"):
            batch_op.drop_column(column)
