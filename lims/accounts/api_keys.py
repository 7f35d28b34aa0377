"""API keys: for programs that act with the rights of one account. Shown once; only a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import ApiKey, User
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.problems import NotFound, refuse

PREFIX = "lims_"
LONGEST_DAYS = 730


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _now() -> datetime:
    return utc_now().replace(tzinfo=None)  # Flask-AppBuilder's table keeps naive times; here always UTC


def create_api_key(user_id: int, name: str, days: int, actor: Actor) -> tuple[ApiKey, str]:
    """A new key of this user for `days` (1 to 730). Returns the row and the key itself, which is not stored.

    Raises: Refused.
    """
    if not name.strip() or len(name) > 200:
        raise refuse("name", _("is required: what the key is for, up to 200 characters"), name)
    if not 1 <= days <= LONGEST_DAYS:
        raise refuse("days", _("is not accepted; accepted: 1 to %(most)s days", most=LONGEST_DAYS), days)
    key = PREFIX + secrets.token_urlsafe(32)
    with transaction(actor, "API key") as session:
        row = ApiKey(
            name=name.strip(),
            key_hash=_hash(key),
            lookup_hash=_hash(key),
            key_prefix=key[:12],
            user_id=user_id,
            active=True,
            created_on=_now(),
            expires_on=_now() + timedelta(days=days),
        )
        session.add(row)
    return row, key


def revoke_api_key(key_id: int, user_id: int, actor: Actor) -> None:
    """Raises: NotFound when this user has no such key."""
    with transaction(actor, "API key revoked") as session:
        row = session.get(ApiKey, key_id)
        if row is None or row.user_id != user_id:
            raise NotFound(f"API key {key_id}")
        row.active = False
        row.revoked_on = row.revoked_on or _now()


def api_keys_of(user_id: int) -> list[ApiKey]:
    return list(
        current_session().scalars(select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id))
    )


def user_of_api_key(key: str) -> Any | None:
    """The active account behind a valid key, else None."""
    query = select(ApiKey).options(joinedload(ApiKey.user)).where(ApiKey.lookup_hash == _hash(key))
    row = current_session().scalars(query).one_or_none()
    if row is None or not row.active or row.revoked_on is not None:
        return None
    if row.expires_on is not None and row.expires_on < _now():
        return None
    user: User = row.user
    return user if user.active else None
