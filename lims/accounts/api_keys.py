"""API keys: for programs that act with the rights of one account. Shown once; only a hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated, Any

from flask_appbuilder.security.sqla.models import ApiKey, User
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.accounts.demo import has_printed_password
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_day
from lims.base.fields import Text, Ui, WholeNumber
from lims.base.problems import NotFound
from lims.base.repeats import add_once
from lims.base.schemas import Schema

PREFIX = "lims_"
LONGEST_DAYS = 730


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _now() -> datetime:
    return utc_now().replace(tzinfo=None)  # Flask-AppBuilder's table keeps naive times; here always UTC


class ApiKeyIn(Schema):
    name: Annotated[str, Text(200), Ui(_l("What it is for"))]
    days: Annotated[int, WholeNumber(1, LONGEST_DAYS), Ui(_l("Valid for, days"))]


class _Keys:
    """What `add_once` asks of a service: keys are Flask-AppBuilder's table and no record of ours."""

    record = SimpleNamespace(record_name="api-keys")
    schema = ApiKeyIn

    def get(self, key_id: int) -> ApiKey | None:
        return current_session().get(ApiKey, key_id)


_KEYS: Any = _Keys()


def create_api_key(
    user_id: int, name: str, days: int | str, actor: Actor, form_key: str = ""
) -> tuple[ApiKey, str]:
    """A new key of this user for `days` (1 to 730). Returns the row and the key itself, which is not stored. With a
    `form_key` (lims.base.repeats) that made one before: that row, and "" for its key.

    Raises: Refused.
    """
    key = ""

    def add(data: Mapping[str, Any], _actor: Actor) -> ApiKey:
        nonlocal key
        values = ApiKeyIn.read(data)
        key = PREFIX + secrets.token_urlsafe(32)
        row = ApiKey(
            name=values.name,
            key_hash=_hash(key),
            lookup_hash=_hash(key),
            key_prefix=key[:12],
            user_id=user_id,
            active=True,
            created_on=_now(),
            expires_on=_now() + timedelta(days=values.days),
        )
        current_session().add(row)
        current_session().flush()
        return row

    with transaction(actor, "API key"):
        row = add_once(_KEYS, {"name": name, "days": days}, actor, form_key, add)
    return row, key


def revoke_api_key(key_id: int, user_id: int, actor: Actor) -> None:
    """Raises: NotFound when this user has no such key."""
    with transaction(actor, "API key revoked") as session:
        row = session.get(ApiKey, key_id) if key_id < 2**31 else None
        if row is None or row.user_id != user_id:
            raise NotFound(f"API key {key_id}")
        row.active = False
        row.revoked_on = row.revoked_on or _now()


def api_keys_of(user_id: int) -> list[ApiKey]:
    return list(
        current_session().scalars(select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id))
    )


def working_keys_of(user_id: int) -> list[ApiKey]:
    """Those of this account that open something: a new password ends none of them."""
    return [key for key in api_keys_of(user_id) if _works(key)]


def valid_until(key: ApiKey) -> date | None:
    """The day of its end by the laboratory's clock."""
    return local_day(key.expires_on.replace(tzinfo=UTC)) if key.expires_on is not None else None


def _works(key: ApiKey) -> bool:
    ended = key.expires_on is not None and key.expires_on < _now()
    return bool(key.active) and key.revoked_on is None and not ended


def user_of_api_key(key: str) -> Any | None:
    """The active account behind a valid key, else None. The keys of an account whose password `lims demo` prints are made
    by anybody, and open nothing outside demo mode either."""
    query = select(ApiKey).options(joinedload(ApiKey.user)).where(ApiKey.lookup_hash == _hash(key))
    row = current_session().scalars(query).one_or_none()
    if row is None or not _works(row):
        return None
    user: User = row.user
    return user if user.active and not has_printed_password(user) else None
