"""What a person likes: columns of a list, saved filters, language, hints put away. Theirs alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.actor import Actor
from lims.base.database import current_session, transaction
from lims.base.problems import refuse
from lims.base.records import Record

#: Saved filters of one list; more are no longer found at a glance.
MOST_SAVED_FILTERS = 20
MOST_NAME = 60
#: Characters of a list's address: a search of a hundred Chinese ones takes nine hundred.
MOST_QUERY = 2000


class Preference(Record):
    """One choice of one person. `scope` is the list or page it is for, `value` JSON."""

    __tablename__ = "preferences"
    record_name = "preferences"

    user_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("ab_user.id", ondelete="CASCADE"), nullable=False
    )
    #: columns, filter, language or hidden
    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    scope: Mapped[str] = mapped_column(String(60), nullable=False)
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    value: Mapped[str] = mapped_column(Text, nullable=False)

    __table_args__ = (UniqueConstraint("user_id", "kind", "scope", "name"),)


#: Made once: every list asks it.
_CHOICES = (
    select(Preference)
    .where(
        Preference.user_id == bindparam("user_id"),
        Preference.scope == bindparam("scope"),
        Preference.retired_at.is_(None),
    )
    .order_by(Preference.name)
)


def preferences_of(user_id: int, scope: str) -> list[Preference]:
    """All choices of this person for one list or page, by name."""
    return list(current_session().scalars(_CHOICES, {"user_id": user_id, "scope": scope}))


def _one(user_id: int, kind: str, scope: str, name: str) -> Preference | None:
    query = select(Preference).where(
        Preference.user_id == user_id,
        Preference.kind == kind,
        Preference.scope == scope,
        Preference.name == name,
    )
    return current_session().scalars(query.execution_options(populate_existing=True)).one_or_none()


def value_of(user_id: int, kind: str, scope: str = "", name: str = "") -> Any:
    """The stored value, None when nothing was chosen."""
    found = _one(user_id, kind, scope, name)
    return json.loads(found.value) if found is not None and found.retired_at is None else None


def choose(user_id: int, kind: str, scope: str, name: str, value: Any, actor: Actor) -> Preference:
    """Keep a choice in place of an earlier one of the same name."""
    with transaction(actor) as session:
        # One after the other: a double click would make the same choice twice, or meet its own.
        session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
        found = _one(user_id, kind, scope, name)
        if found is None:
            found = Preference(user_id=user_id, kind=kind, scope=scope, name=name)
            session.add(found)
        found.value = json.dumps(value, ensure_ascii=False, sort_keys=True)
        found.retired_at = None
    return found


def save_filter(user_id: int, scope: str, name: str, query: str, actor: Actor) -> Preference:
    """Keep a list's filters under a name. Raises: Refused."""
    name = name.strip()
    if not 0 < len(name) <= MOST_NAME:
        raise refuse(
            "name", _("is not accepted; accepted: a name of 1 to %(most)s characters", most=MOST_NAME), name
        )
    if len(query) > MOST_QUERY:
        told = _(
            "has %(n)s characters; accepted: %(least)s to %(most)s", n=len(query), least=0, most=MOST_QUERY
        )
        raise refuse("query", told, query)
    saved = [item for item in preferences_of(user_id, scope) if item.kind == "filter"]
    if len(saved) >= MOST_SAVED_FILTERS and all(item.name != name for item in saved):
        raise refuse(
            "name", _("there are %(most)s saved filters already: remove one first", most=len(saved)), name
        )
    return choose(user_id, "filter", scope, name, query, actor)


def forget(user_id: int, kind: str, scope: str, name: str, actor: Actor) -> None:
    """Put a choice away; the list is again as it came."""
    from lims.base.columns import utc_now

    with transaction(actor):
        found = _one(user_id, kind, scope, name)
        if found is not None:
            found.retired_at = utc_now()


def choose_columns(
    user_id: int, scope: str, names: Sequence[str], known: Sequence[str], actor: Actor
) -> None:
    """Which columns a list shows, in the list's own order. Raises: Refused for one that the list does not have."""
    for name in names:
        if name not in known:
            raise refuse(
                "columns", _("is no column of this list; accepted: %(what)s", what=", ".join(known)), name
            )
    if not names:
        raise refuse("columns", _("needs at least one column"), "")
    choose(user_id, "columns", scope, "", [name for name in known if name in names], actor)
