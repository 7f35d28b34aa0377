"""Column types that keep what was written: exact decimals and instants in UTC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Numeric
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

#: PostgreSQL's number of its type NUMERIC.
NUMERIC_OID = 1700
#: Values of a kind that are remembered as read.
MOST_KEPT = 8192


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal with a fixed number of places. SQLite would keep Numeric as a float, so there it is an integer
    scaled by 10**places: exact, ordered and comparable. PostgreSQL has NUMERIC."""

    impl = Numeric
    cache_ok = True
    python_type = Decimal

    def __init__(self, places: int = 3, digits: int = 15) -> None:
        super().__init__(digits, places)
        self.places = places
        self.digits = digits

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(Numeric(self.digits, self.places, asdecimal=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError(f"a float ({value!r}) where a Decimal is kept")
        scaled = Decimal(value).scaleb(self.places)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{value} has more than {self.places} decimal places")
        return int(scaled) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return _unscaled(self.places)[value] if dialect.name == "sqlite" else Decimal(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """A look into a dict on SQLite, nothing on PostgreSQL for what its driver brings as decimals: lists are full of
        numbers."""
        if dialect.name == "sqlite":
            return _unscaled(self.places).__getitem__
        return None if coltype == NUMERIC_OID else _as_decimal


class _Read(dict[Any, Any]):
    """Stored value -> what it says. The rows of a list share most of their values, from one request to the next too: what
    was read before costs no call."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, stored: Any) -> Any:
        if len(self) >= MOST_KEPT:
            self.clear()
        found = self[stored] = None if stored is None else self._read(stored)
        return found


@cache
def _unscaled(places: int) -> _Read:
    return _Read(lambda stored: Decimal(int(stored)).scaleb(-places))


def _as_decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


#: Text of SQLite, "2026-03-05 06:07:08.000000", which is UTC.
_INSTANTS = _Read(lambda stored: datetime.fromisoformat(stored + "+00:00"))


def _in_utc(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses a naive time, stores UTC, reads back with the zone."""

    impl = DateTime
    cache_ok = True
    python_type = datetime

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=dialect.name != "sqlite"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} carries no time zone")
        instant = value.astimezone(UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return _in_utc(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """A look into a dict on SQLite, one call on PostgreSQL: lists are full of times."""
        return _INSTANTS.__getitem__ if dialect.name == "sqlite" else _in_utc


def utc_now() -> datetime:
    """The present instant, with its zone."""
    return datetime.now(UTC)
