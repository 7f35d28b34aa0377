"""Signatures: who said what about a record, when, bound to the hash of what the record held.

The password is asked for again each time (`signer`). An API key cannot sign: nobody stands before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import g
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from limits import parse
from sqlalchemy import Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.actor import Actor, user_actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import current_session
from lims.base.denials import denied
from lims.base.names import name_of
from lims.base.passwords import password_matches
from lims.base.problems import Forbidden, refuse
from lims.base.rate_limits import tries
from lims.base.records import Key, Record
from lims.base.refusals import attach_statements, postgresql_refusals, sqlite_refusals
from lims.base.security import User, principal

#: What a signature says, in the signer's words.
MEANINGS = {
    "verified": _l("I compared this entry with the observation and found it right."),
    "released": _l("I release this result; it may leave the laboratory."),
    "amended": _l("I replace this released result, for the reason that I gave."),
    "retracted": _l("I take this released result back, for the reason that I gave."),
}
#: Wrong passwords of one person before signing, and changing the password, is refused for a while.
MOST_WRONG = 5
WRONG_TRIES = parse(f"{MOST_WRONG} per 10 minutes")

#: record_name -> what of the record is signed. Filled by the subjects: only what never changes afterwards.
CONTENTS: dict[str, Callable[[int], Mapping[str, Any]]] = {}


class Signature(Record):
    """One person's word about one record. Never changed."""

    __tablename__ = "signatures"
    record_name = "signatures"

    signed_record: Mapped[str] = mapped_column(String(60), nullable=False)
    signed_id: Mapped[int] = mapped_column(Key, nullable=False)
    #: One of MEANINGS.
    meaning: Mapped[str] = mapped_column(String(12), nullable=False)
    signed_by: Mapped[str] = mapped_column(String(80), nullable=False, index=True)
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    content_sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, "signed_record", "signed_id"),)

    @property
    def title(self) -> str:
        return f"{self.meaning} {self.signed_record} {self.signed_id}"


def _rules(_table: str, _different: str) -> list[tuple[str, str, str, str]]:
    return [
        ("fixed", "UPDATE", "1 = 1", "a signature is never changed"),
        ("delete", "DELETE", "1 = 1", "a signature is never deleted"),
    ]


def sqlite_guards() -> list[str]:
    return sqlite_refusals(Signature.__tablename__, _rules)


def postgresql_guards() -> list[str]:
    return postgresql_refusals(Signature.__tablename__, _rules)


attach_statements(Signature.__table__, sqlite_guards(), postgresql_guards())


@dataclass(frozen=True, slots=True)
class Seen:
    """A signature beside what the record holds now."""

    signature: Signature
    holds: bool


def content_sha256(record_name: str, record_id: int) -> str:
    """The hash of what of this record is signed: canonical JSON, decimals and times as text."""
    content = CONTENTS[record_name](record_id)
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        shown = f"{value:f}"
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def sign(
    session: Session, record: Record, meaning: str, actor: Actor, reason: str | None = None
) -> Signature:
    """Write a signature in the transaction of what is signed."""
    session.flush()
    found = Signature(
        signed_record=record.record_name,
        signed_id=record.id,
        meaning=meaning,
        signed_by=actor.key,
        signed_at=utc_now(),
        content_sha256=content_sha256(record.record_name, record.id),
        reason=reason,
    )
    session.add(found)
    session.flush()
    return found


def signatures_of(record_name: str, ids: Sequence[int]) -> list[Seen]:
    """The signatures of these records in order of time, each with whether it still fits."""
    if not ids:
        return []
    query = (
        select(Signature)
        .where(Signature.signed_record == record_name, Signature.signed_id.in_(ids))
        .order_by(Signature.signed_at, Signature.id)
    )
    now = {key: content_sha256(record_name, key) for key in ids}
    return [
        Seen(item, item.content_sha256 == now[item.signed_id]) for item in current_session().scalars(query)
    ]


def signer(password: Any) -> Actor:
    """The signed-in person, who has just given the password again.

    Raises: Forbidden for a visitor and for an API key; Refused for a wrong password, and for a while after several.
    """
    user = principal()
    if user is None:
        raise Forbidden("not signed in")
    if g.get("_api_key_user"):
        denied("signature", user, "sign with an API key")
        raise Forbidden("an API key cannot sign")
    if wrong_too_often(user, "signature", "sign"):
        raise refuse("password", _("was wrong too often; wait ten minutes, then sign again"))
    if not isinstance(password, str) or not password:
        raise refuse("password", _("is required: your own, again, to sign"))
    if own_hash(user, password, "signature", "sign") is None:
        raise refuse("password", _("is not your password; nothing was signed"))
    return user_actor(user.id, name_of(user))


def wrong_too_often(user: Any, kind: str, doing: str) -> bool:
    """Is this person's password compared no more for a while? Counted by person, whatever it is asked for: who sits at a
    session that was left open would guess it where nobody counts, and sign. Noted as a denied attempt of this `kind`."""
    if tries().test(WRONG_TRIES, "signature", str(user.id)):
        return False
    denied(kind, user, f"{doing} after too many wrong passwords")
    return True


def own_hash(user: Any, password: str, kind: str, doing: str) -> str | None:
    """The stored hash that this password fits; None for a wrong one, which is counted and noted."""
    hashed: str | None = current_session().scalar(select(User.password).where(User.id == user.id))
    if not password_matches(hashed, password):
        tries().hit(WRONG_TRIES, "signature", str(user.id))
        denied(kind, user, f"{doing} with a wrong password")
        return None
    tries().clear(WRONG_TRIES, "signature", str(user.id))
    return hashed
