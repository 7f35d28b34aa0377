"""The outbox: every mail that goes out, before and after it went."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.auditing.policy import PERSONAL
from lims.base.columns import UtcDateTime
from lims.base.records import Record


class OutgoingMail(Record):
    """One mail to one address. `occasion` names why it is sent: the same occasion is written once."""

    __tablename__ = "outgoing_mails"
    record_name = "outgoing-mails"

    occasion: Mapped[str] = mapped_column(String(200), nullable=False, unique=True)
    to_address: Mapped[str] = mapped_column(String(200), nullable=False, info=PERSONAL)
    subject: Mapped[str] = mapped_column(String(300), nullable=False)
    body: Mapped[str] = mapped_column(Text, nullable=False)
    #: Made with the mail and sent with every attempt: a receiver that gets it twice shows it once.
    message_id: Mapped[str] = mapped_column(String(120), nullable=False, unique=True)
    #: waiting, sending, sent or failed
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    attempts: Mapped[int] = mapped_column(Integer, nullable=False)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (Index(None, "state", "next_try_at"),)

    @property
    def title(self) -> str:
        return self.subject
