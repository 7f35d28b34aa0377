"""A request that is sent twice writes once: the second gets what the first made.

The client names its request: an `Idempotency-Key` header over REST, a hidden `form_key` in a form. The key is written
first, in the same transaction as the record: whoever comes second waits for it on PostgreSQL, and for the turn to write
on SQLite.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flask_babel import gettext as _
from sqlalchemy import BigInteger, String, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.actor import Actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import current_session, database, transaction
from lims.base.metadata import Model
from lims.base.problems import refuse

if TYPE_CHECKING:
    from lims.base.services import RecordService

LONGEST_KEY = 200
#: A request that comes again later writes again. A telephone may have been without a connection for weeks.
REMEMBERED = timedelta(days=90)


class RequestKey(Model):
    """A request that was answered: whose, for which record, what was sent (as a hash), what came of it."""

    __tablename__ = "request_keys"

    #: Hash of actor, record name and the client's key.
    key_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    sent_sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    record_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)


def add_once(
    service: RecordService[Any],
    data: Mapping[str, Any],
    actor: Actor,
    key: str,
    add: Callable[[Mapping[str, Any], Actor], Any] | None = None,
) -> Any:
    """`service.add`, or `add` in its place, once for this key of this actor. Raises: Refused, for a key that came with other
    data too."""
    add = add or service.add
    if not key:
        return add(data, actor)
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise refuse(
            "Idempotency-Key", _("is not accepted; accepted: up to 200 printable characters"), key[:60]
        )
    name = service.record.record_name
    mark = _sha256([actor.key, name, key])
    # A hash that is quick to make would tell who reads the table whether he guessed a password.
    schema = getattr(service, "schema", None)  # none where nothing is written
    secret = {item.name for item in schema.inputs() if item.widget == "password"} if schema else set()
    sent = _sha256({name: value for name, value in data.items() if name not in secret})
    with transaction(actor) as session:
        insert = (sqlite if database().is_sqlite else postgresql).insert(RequestKey)
        values = {"key_sha256": mark, "sent_sha256": sent, "created_at": utc_now()}
        statement = insert.values(values).on_conflict_do_nothing().returning(RequestKey.key_sha256)
        written = session.execute(statement).scalar_one_or_none()
        if written is not None:
            record = add(data, actor)
            session.execute(
                update(RequestKey).where(RequestKey.key_sha256 == mark).values(record_id=record.id)
            )
            return record
        found = session.get(RequestKey, mark, populate_existing=True)
        assert found is not None
        if found.sent_sha256 != sent:
            raise refuse("Idempotency-Key", _("came with other data before; take a new one"), key[:60])
        record_id = found.record_id
    assert record_id is not None
    current_session().expire_all()
    return service.get(record_id)


def forget_requests(session: Session, now: datetime) -> int:
    """Take away the keys of requests that nobody sends again. Returns how many. Inside a transaction."""
    gone = session.execute(delete(RequestKey).where(RequestKey.created_at < now - REMEMBERED))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _sha256(told: Any) -> str:
    return hashlib.sha256(
        json.dumps(told, sort_keys=True, default=str, ensure_ascii=False).encode()
    ).hexdigest()
