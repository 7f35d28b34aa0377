"""Calendars that someone subscribes to. Only the token's hash is kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.columns import UtcDateTime
from lims.base.records import Record


class CalendarFeed(Record):
    """An address under which a person's telephone reads what is due for them."""

    __tablename__ = "calendar_feeds"
    record_name = "calendar-feeds"

    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("ab_user.id"), nullable=False, index=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    token_sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def live(self) -> bool:
        return self.revoked_at is None and self.retired_at is None
