"""Checkpoints of the record of changes: append only."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.display import local_today
from lims.base.files import StoredFile
from lims.base.records import Key, Record


class Checkpoint(Record):
    """The signed head of the record of changes at one time, to be kept outside (lims/audit/keys.py signs it)."""

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


class Finding(Record):
    """Something that an auditor wants answered: open, answered, closed."""

    __tablename__ = "findings"
    record_name = "findings"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    #: The record that it is about, and how that was called when the finding was written.
    about_record: Mapped[str | None] = mapped_column(String(60))
    about_id: Mapped[int | None] = mapped_column(Key)
    about: Mapped[str | None] = mapped_column(String(200))
    #: The audit sample that led here, as the address of its page.
    sample: Mapped[str | None] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(200), nullable=False)
    description: Mapped[str | None] = mapped_column(Text)
    #: observation, minor or major
    severity: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    due_on: Mapped[date] = mapped_column(Date, nullable=False, index=True)
    responsible_id: Mapped[int] = mapped_column(Integer, ForeignKey("ab_user.id"), nullable=False, index=True)
    #: open, answered or closed
    state: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[str | None] = mapped_column(String(80))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: What the auditor said to the answer, closing it or not.
    remark: Mapped[str | None] = mapped_column(Text)
    closed_by: Mapped[str | None] = mapped_column(String(80))
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index(None, "about_record", "about_id"),)

    @property
    def title(self) -> str:
        return f"{self.code} {self.subject}"

    @property
    def overdue(self) -> bool:
        """No answer by the day that was asked for."""
        return self.state == "open" and self.due_on < local_today()


class SelftestRun(Record):
    """One run of `lims selftest`, with its paper."""

    __tablename__ = "selftest_runs"
    record_name = "selftest-runs"

    run_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)
    seconds: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    passed: Mapped[bool] = mapped_column(Boolean, nullable=False)
    program: Mapped[str] = mapped_column(String(60), nullable=False)
    checks: Mapped[int] = mapped_column(Integer, nullable=False)
    failed: Mapped[int] = mapped_column(Integer, nullable=False)
    #: JSON list of what was checked: name, passed, detail.
    outcome: Mapped[str] = mapped_column(Text, nullable=False)
    file_id: Mapped[int] = mapped_column(Key, ForeignKey("stored_files.id"), nullable=False, index=True)

    file: Mapped[StoredFile] = relationship()

    @property
    def title(self) -> str:
        return f"{self.run_at:%Y-%m-%d %H:%M} UTC"
