"""Links that show one trial to someone outside, what they show, who looked and what was answered. Only the token's hash
is kept."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any, ClassVar

from flask_appbuilder.security.sqla.models import User
from sqlalchemy import Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.auditing.policy import ERASED, PERSONAL
from lims.base.columns import UtcDateTime, utc_now
from lims.base.metadata import Model
from lims.base.names import name_of
from lims.base.records import Key, Record
from lims.customers.models import Customer
from lims.trials.models import Batch, Trial


class ShareLink(Record):
    __tablename__ = "share_links"
    record_name = "share-links"

    token_sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    trial_id: Mapped[int] = mapped_column(Key, ForeignKey("trials.id"), nullable=False, index=True)
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    #: Whose link it is: his contact stands on the sheet, and it shows nothing once his account is disabled. None: the
    #: system's own.
    owner_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    #: What the salesperson writes to the prospect.
    note: Mapped[str | None] = mapped_column(Text)
    #: Comma-separated names of what may be seen (lims.sharing.redaction.SHAREABLE).
    shows: Mapped[str] = mapped_column(String(200), nullable=False)
    language: Mapped[str] = mapped_column(String(8), nullable=False, server_default="en")
    #: As lims.base.passwords keeps them. None: the link alone opens the sheet.
    password_hash: Mapped[str | None] = mapped_column(String(200))
    #: JSON of what was said when the link was sent and stays as it was: forecast, comparison, cards of advice.
    frozen: Mapped[str] = mapped_column(Text, nullable=False, server_default="{}")
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    trial: Mapped[Trial] = relationship()
    customer: Mapped[Customer | None] = relationship()
    owner: Mapped[User | None] = relationship(User)
    batches: Mapped[list[ShareBatch]] = relationship(back_populates="share_link", order_by="ShareBatch.id")

    @property
    def live(self) -> bool:
        return (
            self.revoked_at is None
            and self.retired_at is None
            and self.expires_at > utc_now()
            and (self.owner is None or bool(self.owner.active))
        )

    #: Views, answers, open answers; filled by the service for lists and pages.
    counted: ClassVar[tuple[int, int, int]] = (0, 0, 0)

    @property
    def views(self) -> int:
        return self.counted[0]

    @property
    def answers(self) -> int:
        return self.counted[1]

    @property
    def open_answers(self) -> int:
        return self.counted[2]

    @property
    def state(self) -> str:
        """active or lapsed, in the words of the badges."""
        return "active" if self.live else "lapsed"

    @property
    def owner_name(self) -> str:
        return name_of(self.owner) if self.owner is not None else ""

    @property
    def asks_password(self) -> bool:
        return self.password_hash is not None

    @property
    def as_sent(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.frozen)
        return found


class ShareBatch(Record):
    """A batch whose results a link shows: part 0 is the trial itself, 1 and up the mixes near it."""

    __tablename__ = "share_batches"
    record_name = "share-batches"

    share_link_id: Mapped[int] = mapped_column(Key, ForeignKey("share_links.id"), nullable=False, index=True)
    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    part: Mapped[int] = mapped_column(Integer, nullable=False)

    share_link: Mapped[ShareLink] = relationship(back_populates="batches")
    batch: Mapped[Batch] = relationship()

    __table_args__ = (UniqueConstraint("share_link_id", "batch_id"),)


class ShareView(Model):
    """How often a link was opened on one day; no trace of who opened it."""

    __tablename__ = "share_views"

    share_link_id: Mapped[int] = mapped_column(Key, ForeignKey("share_links.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    views: Mapped[int] = mapped_column(Integer, nullable=False)


class ShareAnswer(Record):
    """What a prospect sent back from the sheet."""

    __tablename__ = "share_answers"
    record_name = "share-answers"

    share_link_id: Mapped[int] = mapped_column(Key, ForeignKey("share_links.id"), nullable=False, index=True)
    #: question, trial or accept
    kind: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False, info=PERSONAL)
    company: Mapped[str | None] = mapped_column(String(200))
    contact: Mapped[str] = mapped_column(String(200), nullable=False, info=PERSONAL)
    message: Mapped[str | None] = mapped_column(Text)
    #: The prospect that a request for a trial opened, or the customer the link was for.
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)

    share_link: Mapped[ShareLink] = relationship()
    customer: Mapped[Customer | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.company or self.name} – {self.share_link.name}"

    @property
    def state(self) -> str:
        """open or answered."""
        return "open" if self.handled_at is None else "answered"

    @property
    def erased(self) -> bool:
        """Was the person who answered taken out, name and number?"""
        return self.name.startswith(ERASED) and self.contact.startswith(ERASED)
