"""What the role of the web processes may do on PostgreSQL: add to the record, never change it.

The tables belong to the role that runs `lims init`; whoever serves is another one, so it can neither take a trigger off
nor truncate.
"""

from __future__ import annotations

import re

from lims.base.auditing import policy
from lims.base.auditing.triggers import AUDIT_TABLES
from lims.base.metadata import Model
from lims.base.problems import refuse
from lims.base.records import Record

#: The record itself: what is written stays.
APPENDED = ("audit_transactions", "audit_entries")


def deleted_from() -> set[str]:
    """Tables that the application takes rows out of: what is derived or erasable (policy.py), and links that are nothing
    but keys (a role's permissions, an account's roles). Records never are."""
    records = {
        mapper.class_.__tablename__ for mapper in Model.registry.mappers if issubclass(mapper.class_, Record)
    }
    links = {
        table.name
        for table in Model.metadata.tables.values()
        if table.name not in records
        and all(column.primary_key or column.foreign_keys for column in table.columns)
    }
    return (set(policy.NOT_CAPTURED) | links) - set(APPENDED)


def statements(role: str) -> list[str]:
    """A grant a table, of every table of the laboratory. Raises: Refused when `role` is not a plain name."""
    import lims.records  # noqa: F401 - a command that makes no application has imported hardly any of them

    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise refuse("role", "is not a plain name; accepted: small letters, digits and _", role)
    made = [
        f"GRANT USAGE ON SCHEMA public TO {role};",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};",
        f"GRANT SELECT ON alembic_version TO {role};",
    ]
    deleted = deleted_from()
    for table in sorted(Model.metadata.tables):
        if table in APPENDED:
            rights = "SELECT, INSERT"
        elif table in AUDIT_TABLES:
            rights = "SELECT, INSERT, DELETE"
        else:
            rights = "SELECT, INSERT, UPDATE" + (", DELETE" if table in deleted else "")
        made.append(f"GRANT {rights} ON {table} TO {role};")
    return made
