"""The index of titles. Triggers write it (triggers.py), so that no way of writing a record can forget it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.metadata import Model


class SearchEntry(Model):
    """One record that can be found. Its id holds the kind and the record's id: kind * 2**40 + record id."""

    __tablename__ = "search_entries"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    kind: Mapped[int] = mapped_column(SmallInteger, nullable=False)
    #: Compared without regard to case: by its collation on SQLite, by an index of lower-case beginnings on PostgreSQL
    #: (triggers.BEGINNINGS, made by the migration: no model can say both). SQLite heeds no length.
    title: Mapped[str] = mapped_column(
        Text().with_variant(String(500, collation="NOCASE"), "sqlite"), nullable=False
    )
