"""A choice of one of our own people: the accounts of this installation, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from sqlalchemy import select

from lims.base.database import current_session
from lims.base.fields import Choice, listed, plain_text, wrong
from lims.base.names import full_name


class Staff(Choice):
    """The id of an account; a service takes anew only who may sign in. Names are read once a request, however many rows show
    one."""

    def __init__(self) -> None:
        """Nothing is fixed: the options are whoever works here."""

    def __hash__(self) -> int:
        """By kind: the people are not asked for when a schema is made."""
        return hash(Staff)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Staff)

    @property
    def options(self) -> Mapping[str, Any]:
        return staff_names()

    def offered(self, present: str) -> Mapping[str, Any]:
        """Who may sign in, and whom the field names already: nobody who has left is taken anew."""
        named = staff_names()
        kept = {present: named[present]} if present in named else {}
        return staff_names(active=True) | kept

    def parse(self, value: Any) -> int:  # type: ignore[override]
        text = plain_text(value)
        if isinstance(value, bool) or text not in staff_names():
            raise wrong(self.refusal(text))
        return int(text)

    def refusal(self, text: str) -> str:
        """Why this account is not taken, and who is."""
        told: str = _(
            "“%(value)s” is not one of our people; accepted: %(what)s",
            value=text[:40],
            what=listed(staff_names(active=True).values()) or _("nobody has an account yet"),
        )
        return told

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "description": "id of an account of this laboratory"}


def staff_names(*, active: bool = False) -> dict[str, str]:
    """Account id as text -> the person's name. Who may no longer sign in is still named, but not `active`."""
    known: list[tuple[int, str, bool]] | None = g.get("lims_staff")
    if known is None:
        query = select(User.id, User.first_name, User.last_name, User.active).order_by(User.first_name)
        known = [
            (key, full_name(first, last), bool(may_sign_in))
            for key, first, last, may_sign_in in current_session().execute(query)
        ]
        g.lims_staff = known
    return {str(key): name for key, name, may_sign_in in known if may_sign_in or not active}
