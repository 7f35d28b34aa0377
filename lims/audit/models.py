"""Checkpoints of the record of changes: append only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.records import Record


class Checkpoint(Record):
    """The signed head of the record of changes at one time, to be kept outside (lims/audit/checkpoints.py)."""

    __tablename__ = "checkpoints"
    record_name = "checkpoints"

    number: Mapped[int] = mapped_column(Integer, nullable=False, unique=True)
    #: The last transaction that it covers, and that one's hash.
    transaction_count: Mapped[int] = mapped_column(BigInteger, nullable=False, server_default="0")
    root_sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    #: The signed note: what goes outside.
    text: Mapped[str] = mapped_column(Text, nullable=False, server_default="")
    note: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return f"{self.number}"
