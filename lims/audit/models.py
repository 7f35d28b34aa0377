"""Checkpoints of the record of changes: append only."""

from __future__ import annotations

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.records import Record


class Checkpoint(Record):
    """A root over all results at one time, to be kept outside."""

    __tablename__ = "checkpoints"
    record_name = "checkpoints"

    number: Mapped[int] = mapped_column(Integer, nullable=False, unique=True)
    result_count: Mapped[int] = mapped_column(Integer, nullable=False)
    root_sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    note: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return f"{self.number}"
