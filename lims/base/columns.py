"""Column types that keep what was written: exact decimals and instants in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Numeric
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class ExactDecimal(TypeDecorator[Decimal]):
    """A Decimal with a fixed number of places. SQLite would keep Numeric as a float, so there it is an integer
    scaled by 10**places: exact, ordered and comparable. PostgreSQL has NUMERIC."""

    impl = Numeric
    cache_ok = True

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
        return _unscaled(value, self.places) if dialect.name == "sqlite" else Decimal(value)


@lru_cache(maxsize=4096)  # grades, sizes and volumes repeat
def _unscaled(value: int, places: int) -> Decimal:
    return Decimal(int(value)).scaleb(-places)


def _instant(stored: str | None) -> datetime | None:
    """Text of SQLite, "2026-03-05 06:07:08.000000", which is UTC."""
    return None if stored is None else datetime.fromisoformat(stored + "+00:00")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses a naive time, stores UTC, reads back with the zone."""

    impl = DateTime
    cache_ok = True

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
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Any:
        """On SQLite one call from the stored text to the instant instead of three: lists are full of times."""
        if dialect.name == "sqlite":
            return _instant
        return super().result_processor(dialect, coltype)


def utc_now() -> datetime:
    """The present instant, with its zone."""
    return datetime.now(UTC)
