"""Consecutive numbers without gaps between committed records, safe under concurrent writers."""

from __future__ import annotations

from sqlalchemy import Integer, String, insert, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.metadata import Model


class NumberSeries(Model):
    """The last number given out in each series."""

    __tablename__ = "number_series"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    last: Mapped[int] = mapped_column(Integer, nullable=False)


def next_number(session: Session, series: str) -> int:
    """The next number of `series`, from 1. The row stays locked until the transaction ends."""
    table = NumberSeries.__table__
    statement = (
        update(table).where(table.c.name == series).values(last=table.c.last + 1).returning(table.c.last)
    )
    found = session.execute(statement).scalar_one_or_none()
    if found is not None:
        return int(found)
    session.execute(insert(table).values(name=series, last=1))
    return 1
