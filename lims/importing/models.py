"""Every import that ran: the file by its hash, what came of it, what was left out and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.columns import UtcDateTime
from lims.base.records import Record


class ImportRun(Record):
    __tablename__ = "import_runs"
    record_name = "import-runs"

    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    file_name: Mapped[str] = mapped_column(String(200), nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    rows_read: Mapped[int] = mapped_column(Integer, nullable=False)
    mixes_added: Mapped[int] = mapped_column(Integer, nullable=False)
    specimens_added: Mapped[int] = mapped_column(Integer, nullable=False)
    duplicate_rows: Mapped[int] = mapped_column(Integer, nullable=False)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: One remark a line: what was left out or looks odd, with its row.
    remarks: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return self.file_name
