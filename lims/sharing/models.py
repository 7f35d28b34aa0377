"""Links that show one trial to someone outside. Only the token's hash is kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import UtcDateTime, utc_now
from lims.base.records import Key, Record
from lims.customers.models import Customer
from lims.trials.models import Trial


class ShareLink(Record):
    __tablename__ = "share_links"
    record_name = "share-links"

    token_sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    trial_id: Mapped[int] = mapped_column(Key, ForeignKey("trials.id"), nullable=False, index=True)
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    #: Comma-separated names of what may be seen (lims.sharing.schemas.SHAREABLE).
    shows: Mapped[str] = mapped_column(String(200), nullable=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    trial: Mapped[Trial] = relationship()
    customer: Mapped[Customer | None] = relationship()

    @property
    def live(self) -> bool:
        return self.revoked_at is None and self.retired_at is None and self.expires_at > utc_now()
