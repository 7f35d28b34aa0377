"""Taking a person out for good, while the chain goes on to verify.

The record of changes holds salted digests of personal values. What reads them again is the clear text beside it and the
salt of the row; both are deleted here, so that what stays in the record is a digest that nobody can guess. The row
itself loses the values by an ordinary, recorded change, which comes first: it is written under the old salt.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update

from lims.base.actor import Actor
from lims.base.auditing import policy
from lims.base.auditing.models import AuditSalt, PersonalValue
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.metadata import Model
from lims.base.problems import NotFound


def erase(table_name: str, row_id: int, actor: Actor, reason: str) -> None:
    """Take every personal value and secret of this row out: empty where the column may be, else `erased-<id>`.

    An account also loses the right to sign in. Raises: NotFound.
    """
    table = Model.metadata.tables[table_name]
    given: dict[str, Any] = {
        column.name: None if column.nullable else policy.erased_mark(row_id)
        for column in table.columns
        if policy.is_committed(column)
    }
    if "version" in table.c:
        given.update(version=table.c.version + 1, changed_at=utc_now(), changed_by=actor.key)
    if "active" in table.c:
        given["active"] = False
    with transaction(actor, reason) as session:
        done: Any = session.execute(update(table).where(table.c.id == row_id).values(given))
        if done.rowcount != 1:
            raise NotFound(f"{table_name} {row_id}")
        forget(table_name, row_id, session)
        session.expire_all()


def forget(table_name: str, row_id: int, session: Any) -> None:
    """Delete salt and clear text of a row whose personal values were taken out before, in the same transaction.

    The salt is that of the whole row. What the row still tells of others (who agreed, beside the number of who called) is
    put aside meanwhile and written again, under a new salt: its digest would fit the record of changes no more, and the
    verifier would call the row altered.
    """
    session.flush()
    table = Model.metadata.tables[table_name]
    this_row = table.c.id == row_id
    committed = [column for column in table.columns if policy.is_committed(column)]
    row = session.execute(select(*committed).where(this_row)).mappings().one()
    others = {
        name: value
        for name, value in row.items()
        if value is not None and not str(value).startswith(policy.ERASED)
    }
    if others:
        aside = {name: None if table.c[name].nullable else policy.erased_mark(row_id) for name in others}
        session.execute(update(table).where(this_row).values(aside))
    for kept in (PersonalValue, AuditSalt):
        session.execute(delete(kept).where(kept.table_name == table_name, kept.pk == str(row_id)))
    if others:
        session.execute(update(table).where(this_row).values(others))
