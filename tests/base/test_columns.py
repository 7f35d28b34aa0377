"""What is written is what is read: decimals and instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, literal_column, select

from lims.base import columns
from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.database import make_engine


@pytest.fixture(scope="module")
def table() -> Table:
    return Table(
        "measured",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("mass", ExactDecimal(places=4, digits=15)),
        Column("at", UtcDateTime()),
    )


def test_decimal_is_read_back_exactly_on_both_databases(database_url: str, table: Table) -> None:
    engine = make_engine(database_url)
    table.metadata.create_all(engine)
    values = [Decimal("0.4567"), Decimal("28.175"), Decimal("-0.0001"), Decimal("99999999999.9999")]
    with engine.begin() as connection:
        connection.execute(insert(table), [{"mass": value} for value in values])
        found = list(connection.scalars(select(table.c.mass).order_by(table.c.id)))
        larger = list(connection.scalars(select(table.c.mass).where(table.c.mass > Decimal("28.1"))))
    engine.dispose()
    assert found == values
    assert all(isinstance(value, Decimal) for value in found)
    assert sorted(larger) == [Decimal("28.175"), Decimal("99999999999.9999")]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False, allow_infinity=False)
)
def test_every_decimal_of_the_kept_places_survives_sqlite(number: Decimal, table: Table) -> None:
    kind = ExactDecimal(places=4)
    dialect = create_engine("sqlite://").dialect
    stored = kind.process_bind_param(number, dialect)
    assert isinstance(stored, int)
    assert kind.result_processor(dialect, None)(stored) == number


def test_decimal_with_more_places_than_kept_is_refused_not_rounded() -> None:
    dialect = create_engine("sqlite://").dialect
    with pytest.raises(ValueError, match="more than 2 decimal places"):
        ExactDecimal(places=2).process_bind_param(Decimal("0.456"), dialect)


def test_float_is_refused_where_a_decimal_is_kept() -> None:
    dialect = create_engine("sqlite://").dialect
    with pytest.raises(TypeError, match="float"):
        ExactDecimal(places=2).process_bind_param(0.45, dialect)


def test_instant_is_read_back_in_utc_on_both_databases(database_url: str, table: Table) -> None:
    engine = make_engine(database_url)
    table.metadata.create_all(engine)
    moment = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    with engine.begin() as connection:
        connection.execute(insert(table).values(at=moment))
        found = connection.scalar(select(table.c.at))
    engine.dispose()
    assert found == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert found is not None
    assert found.tzinfo is UTC


def test_naive_time_is_refused() -> None:
    dialect = create_engine("sqlite://").dialect
    with pytest.raises(ValueError, match="no time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 3, 29, 3, 30), dialect)  # noqa: DTZ001 - the case


def test_values_that_are_remembered_are_forgotten_before_they_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(columns, "MOST_KEPT", 10)
    dialect = create_engine("sqlite://").dialect
    read = ExactDecimal(places=3).result_processor(dialect, None)
    assert [read(stored) for stored in range(35)] == [Decimal(stored) / 1000 for stored in range(35)]
    assert read(None) is None
    assert len(read.__self__) <= 10


def test_number_of_another_kind_than_numeric_is_a_decimal_all_the_same_on_postgresql(
    database_url: str,
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite keeps whole numbers, scaled")
    engine = make_engine(database_url)
    with engine.connect() as connection:
        found = connection.scalar(select(literal_column("1", ExactDecimal(places=3))))
    engine.dispose()
    assert (found, type(found)) == (Decimal(1), Decimal)
