"""All that is written in a complaint is searched, not its first 500 letters.

Revision: 0019, after 0018.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from alembic import op

from lims.searching.triggers import NUMBERS, Searched, key_sql, postgresql_triggers, sqlite_triggers

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
    _index(WHOLE)


def downgrade() -> None:
    _index(BEGINNING)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX search_beginnings")
        op.alter_column("search_entries", "title", type_=sa.String(500))
        op.execute("CREATE INDEX search_beginnings ON search_entries (kind, lower(title) text_pattern_ops)")


def _index(item: Searched) -> None:
    """The triggers of complaints anew, and the index of those that are there."""
    connection = op.get_bind()
    name = f"search_{item.table}"
    if connection.dialect.name == "sqlite":
        for action in ("insert", "update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}_{action}")
        made = sqlite_triggers(item)
    else:
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON {item.table}")
        made = postgresql_triggers(item)
    for statement in made:
        connection.exec_driver_sql(statement)
    text = item.text.format(row=item.table)
    key = key_sql(item, item.table)
    connection.exec_driver_sql(
        f"UPDATE search_entries SET title = (SELECT {text} FROM {item.table} WHERE {key} = search_entries.id) "
        f"WHERE kind = {item.number}"
    )
