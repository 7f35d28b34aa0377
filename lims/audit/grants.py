"""What the role of the web processes may do on PostgreSQL: add to the record, never change it.

The tables belong to the role that runs `lims init`; whoever serves is another one, so it can neither take a trigger off
nor truncate.
"""

from __future__ import annotations

import re

from lims.base.auditing.triggers import AUDIT_TABLES
from lims.base.metadata import Model
from lims.base.problems import refuse

#: The record itself: what is written stays.
APPENDED = ("audit_transactions", "audit_entries")
#: Rows of these are deleted by the application: a person is erased, grants and preferences change.
DELETED_FROM = (
    "audit_salts", "audit_personal", "ab_permission_view_role", "ab_user_role", "preferences", "search_entries",
)  # fmt: skip


def statements(role: str) -> list[str]:
    """Raises: Refused when `role` is not a plain name."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise refuse("role", "is not a plain name; accepted: small letters, digits and _", role)
    made = [
        f"GRANT USAGE ON SCHEMA public TO {role};",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};",
        f"GRANT SELECT ON alembic_version TO {role};",
    ]
    for table in sorted(Model.metadata.tables):
        if table in APPENDED:
            rights = "SELECT, INSERT"
        elif table in AUDIT_TABLES:
            rights = "SELECT, INSERT, DELETE"
        else:
            rights = "SELECT, INSERT, UPDATE" + (", DELETE" if table in DELETED_FROM else "")
        made.append(f"GRANT {rights} ON {table} TO {role};")
    return made
