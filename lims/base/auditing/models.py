"""Tables of the record of changes; the package's docstring tells what they hold."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.columns import UtcDateTime
from lims.base.metadata import Model
from lims.base.records import Key


class AuditTransaction(Model):
    """The seal of one transaction."""

    __tablename__ = "audit_transactions"

    id: Mapped[int] = mapped_column(Key, primary_key=True, autoincrement=False)
    txid: Mapped[int] = mapped_column(BigInteger, nullable=False, unique=True)
    actor: Mapped[str] = mapped_column(String(80), nullable=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    reason: Mapped[str] = mapped_column(Text, nullable=False)
    source: Mapped[str] = mapped_column(String(120), nullable=False)
    entries: Mapped[int] = mapped_column(Integer, nullable=False)
    root: Mapped[str] = mapped_column(String(64), nullable=False)
    previous: Mapped[str] = mapped_column(String(64), nullable=False)
    hash: Mapped[str] = mapped_column(String(64), nullable=False)
    leaves: Mapped[bytes] = mapped_column(LargeBinary, nullable=False, deferred=True)


class AuditEntry(Model):
    """One changed row."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_table_name_pk", "table_name", "pk"),)

    seq: Mapped[int] = mapped_column(Key, Identity(always=True), primary_key=True)
    txid: Mapped[int] = mapped_column(BigInteger, nullable=False)
    op: Mapped[str] = mapped_column(String(1), nullable=False)
    table_name: Mapped[str] = mapped_column(String(63), nullable=False)
    pk: Mapped[str] = mapped_column(String(200), nullable=False)
    payload: Mapped[str] = mapped_column(Text, nullable=False)


class AuditSalt(Model):
    """What makes the digests of one row's personal data unguessable, until it is erased."""

    __tablename__ = "audit_salts"

    table_name: Mapped[str] = mapped_column(String(63), primary_key=True)
    pk: Mapped[str] = mapped_column(String(200), primary_key=True)
    salt: Mapped[str] = mapped_column(String(40), nullable=False)


class PersonalValue(Model):
    """The clear text behind a digest of the record of changes, until it is erased."""

    __tablename__ = "audit_personal"
    __table_args__ = (Index("ix_audit_personal_table_name_pk", "table_name", "pk"),)

    digest: Mapped[str] = mapped_column(String(80), primary_key=True)
    table_name: Mapped[str] = mapped_column(String(63), nullable=False)
    pk: Mapped[str] = mapped_column(String(200), nullable=False)
    column_name: Mapped[str] = mapped_column(String(63), nullable=False)
    value: Mapped[str] = mapped_column(Text, nullable=False)
