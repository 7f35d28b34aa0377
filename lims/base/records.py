"""What every record carries: identity, version, who and when. Stamped here so that no write path can forget it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Integer, String, event
from sqlalchemy.orm import Mapped, Session, declared_attr, mapped_column
from sqlalchemy_utils.aggregates import manager as aggregates

from lims.base.actor import Actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.metadata import Model

#: 64-bit keys; SQLite gives its rowid only to INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")

# Comes along with Flask-AppBuilder and walks through every loaded record after every flush, for a kind of column that no
# table here has: a tenth of an import's time.
event.remove(Session, "after_flush", aggregates.construct_aggregate_queries)


class AnonymousWrite(RuntimeError):
    """A record was flushed outside `lims.base.database.transaction`."""


class Record(Model):
    """Base of all records. Rows are never deleted: `retired_at` takes them out of use and keeps the trace."""

    __abstract__ = True
    #: Name in addresses, permissions and the API, e.g. "cement-lots". Set by each record.
    record_name: ClassVar[str] = ""
    #: Properties that tell money, shown to who reads prices, as columns with `info={"money": True}` are.
    money: ClassVar[tuple[str, ...]] = ()

    id: Mapped[int] = mapped_column(Key, primary_key=True, sort_order=-10)
    #: Counted by the ORM; a form carries the version it was rendered from.
    version: Mapped[int] = mapped_column(Integer, nullable=False, sort_order=90)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, sort_order=91)
    created_by: Mapped[str] = mapped_column(String(80), nullable=False, sort_order=92)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, sort_order=93)
    changed_by: Mapped[str] = mapped_column(String(80), nullable=False, sort_order=94)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime, sort_order=95)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - a directive gets the class
        return {"version_id_col": cls.__table__.c.version} if hasattr(cls, "__table__") else {}

    @property
    def title(self) -> str:
        """How the record is called in lists and links."""
        return str(getattr(self, "code", None) or getattr(self, "name", None) or self.id)

    def __str__(self) -> str:
        return self.title


@event.listens_for(Session, "before_flush")
def _stamp(session: Session, _context: Any, _instances: Any) -> None:
    actor: Actor | None = session.info.get("actor")
    now = utc_now()
    for record in session.new:
        if isinstance(record, Record):
            _require(actor, record)
            record.created_at = record.changed_at = now
            record.created_by = record.changed_by = actor.key  # type: ignore[union-attr]
    for record in session.dirty:
        if isinstance(record, Record) and session.is_modified(record):
            _require(actor, record)
            record.changed_at = now
            record.changed_by = actor.key  # type: ignore[union-attr]
    for record in session.deleted:
        if isinstance(record, Record):
            raise AnonymousWrite(f"{type(record).__name__} {record.id}: records are retired, never deleted")


def stamps(actor: Actor | None) -> dict[str, Any]:
    """Version, times and persons of a row that is written as a statement. Raises: AnonymousWrite."""
    if actor is None:
        raise AnonymousWrite("a row written without an actor")
    now = utc_now()
    return {
        "version": 1,
        "created_at": now,
        "created_by": actor.key,
        "changed_at": now,
        "changed_by": actor.key,
    }


def _require(actor: Actor | None, record: Record) -> None:
    if actor is None:
        raise AnonymousWrite(f"{type(record).__name__} written without an actor")


def exactly_one(*columns: str) -> str:
    """A CHECK that one of these columns is given and the others are not, in the words of both databases."""
    return " + ".join(f"CASE WHEN {name} IS NULL THEN 0 ELSE 1 END" for name in columns) + " = 1"
