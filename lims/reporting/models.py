"""Certificates that went out: append only. A reissued one names the old one and the reason; the old bytes stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from lims.base.columns import UtcDateTime
from lims.base.records import Key, Record
from lims.results.models import SetResult
from lims.trials.models import Batch, SpecimenSet


class Certificate(Record):
    __tablename__ = "certificates"
    record_name = "certificates"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    #: None: the whole batch.
    specimen_set_id: Mapped[int | None] = mapped_column(Key, ForeignKey("specimen_sets.id"), index=True)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    file_name: Mapped[str] = mapped_column(String(200), nullable=False)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False)
    replaces_id: Mapped[int | None] = mapped_column(Key, ForeignKey("certificates.id"), unique=True)
    reason: Mapped[str | None] = mapped_column(Text)
    #: The paper itself and a picture of its first page; None for papers from before they were kept.
    file_id: Mapped[int | None] = mapped_column(Key, ForeignKey("stored_files.id"), index=True)
    preview_id: Mapped[int | None] = mapped_column(Key, ForeignKey("stored_files.id"), index=True)
    #: What was printed, JSON, and its hash: the QR code carries the hash's beginning.
    content: Mapped[str | None] = deferred(mapped_column(Text))
    content_sha256: Mapped[str | None] = mapped_column(String(64))

    batch: Mapped[Batch] = relationship()
    specimen_set: Mapped[SpecimenSet | None] = relationship()
    replaces: Mapped[Certificate | None] = relationship(remote_side="Certificate.id")


class CertificateResult(Record):
    """A result that a certificate shows: when it is amended or retracted, the certificate is superseded."""

    __tablename__ = "certificate_results"
    record_name = "certificate-results"

    certificate_id: Mapped[int] = mapped_column(Key, ForeignKey("certificates.id"), nullable=False)
    set_result_id: Mapped[int] = mapped_column(Key, ForeignKey("set_results.id"), nullable=False, index=True)

    certificate: Mapped[Certificate] = relationship()
    set_result: Mapped[SetResult] = relationship()

    __table_args__ = (UniqueConstraint("certificate_id", "set_result_id"),)
