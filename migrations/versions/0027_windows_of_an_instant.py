"""Sets that wait for an age whose code stated no tolerance were due at one instant, and missed a second later. They get the
window that a set cast now gets: the day itself, or that of a code which states one (GB/T 50081: 56 d).

Revision: 0027, after 0026.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

from lims.base.columns import UtcDateTime
from lims.base.laboratory import CODE_FAMILIES
from lims.settings import Settings
from lims.standards.specimens import due_window

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SETS = sa.table(
    "specimen_sets",
    sa.column("id", sa.BigInteger),
    sa.column("age_days", sa.Integer),
    sa.column("state", sa.String),
    sa.column("due_from", UtcDateTime),
    sa.column("due_at", UtcDateTime),
    sa.column("due_until", UtcDateTime),
)


def upgrade() -> None:
    connection = op.get_bind()
    row = connection.exec_driver_sql("SELECT timezone, code_family FROM laboratory ORDER BY id").first()
    zone = ZoneInfo(row[0] if row is not None else Settings().timezone)
    code = CODE_FAMILIES[row[1] if row is not None else "gb"].age_code
    of_an_instant = sa.select(SETS.c.id, SETS.c.age_days, SETS.c.due_at).where(
        SETS.c.state == "waiting", SETS.c.due_from == SETS.c.due_until, SETS.c.age_days > 0
    )
    found = []
    for key, age_days, due_at in connection.execute(of_an_instant).all():
        begins, _due, ends = due_window(code, age_days, due_at - timedelta(days=age_days))
        if begins == ends:
            day = due_at.astimezone(zone).date()
            begins = datetime.combine(day, time.min, zone).astimezone(UTC)
            ends = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
            ends -= timedelta(seconds=1)
        found.append({"key": key, "begins": begins, "ends": ends})
    if found:
        changed = sa.update(SETS).where(SETS.c.id == sa.bindparam("key"))
        window = {"due_from": sa.bindparam("begins"), "due_until": sa.bindparam("ends")}
        connection.execute(changed.values(**window), found)


def downgrade() -> None:
    """A window does no harm to a program that would have planned an instant."""
