"""All that is written in a complaint is searched, not its first 500 letters.

Revision: 0019, after 0018.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from lims.searching.triggers import NUMBERS, index_anew

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

WHOLE = replace(
    NUMBERS["complaints"],
    text="{row}.code || ' ' || {row}.subject || '\n' || coalesce({row}.cause, '')"
    " || ' ' || coalesce({row}.description, '') || ' ' || coalesce({row}.site_facts, '')"
    " || ' ' || coalesce({row}.answer, '') || ' ' || coalesce({row}.remedy, '')",
    columns=("code", "subject", "cause", "description", "site_facts", "answer", "remedy"),
)
#: As it was.
BEGINNING = replace(
    WHOLE,
    text="substr({row}.code || ' ' || {row}.subject || '\n' || coalesce({row}.cause, '')"
    " || ' ' || coalesce({row}.description, ''), 1, 500)",
    columns=("code", "subject", "description", "cause"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite heeds no length, and its index takes any
        op.execute("DROP INDEX search_beginnings")
        op.alter_column("search_entries", "title", type_=sa.Text())
        op.execute(
            "CREATE INDEX search_beginnings ON search_entries (kind, lower(left(title, 100)) text_pattern_ops)"
        )
    index_anew(op.get_bind(), WHOLE)


def downgrade() -> None:
    index_anew(op.get_bind(), BEGINNING)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX search_beginnings")
        op.alter_column("search_entries", "title", type_=sa.String(500))
        op.execute("CREATE INDEX search_beginnings ON search_entries (kind, lower(title) text_pattern_ops)")
