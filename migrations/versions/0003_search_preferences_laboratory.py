"""The index of the search box, people's preferences, and the laboratory's own facts.

Revision: 0003, after 0002.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime
from lims.searching.triggers import POSTGRESQL_TRIGRAMS, SEARCHED, Searched, fill_sql, statements


def _first(item: Searched) -> Searched:
    """As it was at this revision: of complaints the code and the subject alone."""
    if item.record_name != "complaints":
        return item
    return replace(item, text="{row}.code || ' ' || {row}.subject", columns=("code", "subject"))


#: What was searched at this revision; later kinds come with their own.
FIRST = tuple(_first(item) for item in SEARCHED if item.number <= 14)
BEGINNINGS = {
    "sqlite": "CREATE INDEX search_beginnings ON search_entries (kind, title)",
    "postgresql": "CREATE INDEX search_beginnings ON search_entries (kind, lower(title) text_pattern_ops)",
}

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def record_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=80), nullable=False),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
    ]


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        *record_columns(),
        sa.ForeignKeyConstraint(
            ["user_id"], ["ab_user.id"], name=op.f("fk_preferences_user_id_ab_user"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preferences")),
        sa.UniqueConstraint(
            "user_id", "kind", "scope", "name", name=op.f("uq_preferences_user_id_kind_scope_name")
        ),
    )
    op.create_table(
        "laboratory",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("works", sa.String(length=200), nullable=True),
        sa.Column("address", sa.String(length=300), nullable=True),
        sa.Column("phone", sa.String(length=60), nullable=True),
        sa.Column("accreditation_number", sa.String(length=80), nullable=True),
        sa.Column("timezone", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("code_family", sa.String(length=8), nullable=False),
        sa.Column("plan_ages", sa.String(length=80), nullable=False),
        sa.Column("set_up_at", UtcDateTime(), nullable=True),
        *record_columns(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_laboratory")),
    )
    op.create_table(
        "search_entries",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column(
            "title",
            sa.String(length=500).with_variant(sa.String(length=500, collation="NOCASE"), "sqlite"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_entries")),
    )
    connection = op.get_bind()
    connection.exec_driver_sql(BEGINNINGS[connection.dialect.name])
    for statement in statements(connection.dialect.name, FIRST):
        connection.exec_driver_sql(statement)
    for item in FIRST:
        connection.exec_driver_sql(fill_sql(item))
    if connection.dialect.name == "postgresql":
        offered = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
        ).scalar()
        if offered:  # a server without its contrib modules still finds codes by their beginning
            for statement in POSTGRESQL_TRIGRAMS:
                connection.exec_driver_sql(statement)


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for item in FIRST:
            for action in ("insert", "update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER search_{item.table}_{action}")
        connection.exec_driver_sql("DROP TABLE search_trigrams")
    else:
        for item in FIRST:
            connection.exec_driver_sql(f"DROP TRIGGER search_{item.table} ON {item.table}")
            connection.exec_driver_sql(f"DROP FUNCTION search_{item.table}()")
    op.drop_table("search_entries")
    op.drop_table("laboratory")
    op.drop_table("preferences")
