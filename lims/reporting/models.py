"""Certificates that went out: append only. A reissued one names the old one and the reason."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import UtcDateTime
from lims.base.records import Key, Record
from lims.trials.models import Batch


class Certificate(Record):
    __tablename__ = "certificates"
    record_name = "certificates"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    file_name: Mapped[str] = mapped_column(String(200), nullable=False)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    replaces_id: Mapped[int | None] = mapped_column(Key, ForeignKey("certificates.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(Text)

    batch: Mapped[Batch] = relationship()
    replaces: Mapped[Certificate | None] = relationship(remote_side="Certificate.id")
