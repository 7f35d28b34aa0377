"""Consecutive numbers without gaps between committed records, safe under concurrent writers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, String, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from lims.base.metadata import Model


class NumberSeries(Model):
    """The last number given out in each series."""

    __tablename__ = "number_series"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    last: Mapped[int] = mapped_column(Integer, nullable=False)


def next_number(session: Session, series: str) -> int:
    """The next number of `series`, from 1. The row stays locked until the transaction ends."""
    return int(session.execute(_next(session.get_bind().dialect.name), {"series": series}).scalar_one())


def next_code(
    session: Session, column: InstrumentedAttribute[str], series: str, prefix: str, digits: int = 4
) -> str:
    """`prefix` and the next number of `series` with at least so many digits. Codes that `column` holds already, typed or
    imported, are passed over; the statement that counts looks for them too."""
    counting = _next(session.get_bind().dialect.name, column, digits)
    while True:
        number, taken = session.execute(counting, {"series": series, "prefix": prefix}).one()
        if not taken:
            return f"{prefix}{number:0{digits}d}"


@lru_cache(maxsize=64)
def _next(dialect: str, column: InstrumentedAttribute[str] | None = None, digits: int = 0) -> Any:
    """The first number of a series is made by the same statement as all others: of two sessions at once the second
    waits for the first, and counts on."""
    table = NumberSeries.__table__
    upsert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = upsert(table).values(name=bindparam("series"), last=1)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.name], set_={"last": table.c.last + literal_column("1")}
    )
    if column is None:
        return statement.returning(table.c.last)
    # By its name: it is no table of the inner SELECT.
    number = cast(literal_column("number_series.last"), String)
    # Both databases have substr, and no format in common.
    zeros = func.substr("0" * digits, func.length(number) + 1)
    codes = column.property.columns[0]
    taken = select(codes).where(codes == bindparam("prefix", type_=String) + zeros + number).exists()
    return statement.returning(table.c.last, taken)
