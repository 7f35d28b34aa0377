"""Numbers, units and days as people write them: read right or refused, never silently another number."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lims.importing.numbers import (
    FACTORS,
    SPELLINGS,
    Form,
    Unreadable,
    converted,
    day_of,
    moment_of,
    number_of,
    plain,
    units_for,
)
from lims.importing.workbooks import cell_name, column_letters, column_of, exact_text

ROUTINE = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
POINT, COMMA = Form(decimal_mark="."), Form(decimal_mark=",")


@pytest.mark.parametrize(
    ("cell", "form", "number"),
    [
        ("４２４．５", Form(), "424.5"),
        ("−3.5", Form(), "-3.5"),
        ("－3.5", Form(), "-3.5"),
        (" 12 ", Form(), "12"),
        ("+7", Form(), "7"),
        (12.0, Form(), "12"),
        (0.1 + 0.2, Form(), "0.3"),
        (18.099999999999998, Form(), "18.1"),
        (1e5, Form(), "100000"),
        (0.0, Form(), "0"),
        ("0", Form(), "0"),
        ("3,5", COMMA, "3.5"),
        ("1.234,5", COMMA, "1234.5"),
        ("1,234.5", POINT, "1234.5"),
        ("12.345", POINT, "12.345"),
    ],
)
def test_numbers_that_are_read(records: Flask, cell: Any, form: Form, number: str) -> None:
    assert number_of(cell, form) == Decimal(number)


@pytest.mark.parametrize(
    ("cell", "form", "word"),
    [
        ("1_000", Form(), "digits"),
        ("1E5", Form(), "accepted"),
        ("3,5", Form(), "comma"),
        ("1.234,5", Form(), "comma"),
        ("1,234.5", Form(), "comma"),
        ("1,234", Form(), "comma"),
        ("1,23", POINT, "comma"),
        ("1.23.4", COMMA, "decimal comma"),
        ("12.5", COMMA, "decimal comma"),
        ("150 mm", Form(), "unit"),
        ("10³", Form(), "accepted"),
        ("①", Form(), "digits"),
        ("½", Form(), "digits"),
        ("٣", Form(), "digits"),
        ("nan", Form(), "digits"),
        ("inf", Form(), "digits"),
        ("0x10", Form(), "accepted"),
        ("12-13", Form(), "digits"),
        ("=1+1", Form(), "digits"),
        ("#DIV/0!", Form(), "digits"),
        (True, Form(), "yes or no"),
        (datetime(2026, 3, 28), Form(), "date"),  # noqa: DTZ001 - as a sheet gives it
        (date(1900, 1, 28), Form(), "date"),
        (time(10, 0), Form(), "date"),
        (float("inf"), Form(), "number"),
        (float("nan"), Form(), "number"),
    ],
)
def test_numbers_that_are_refused(records: Flask, cell: Any, form: Form, word: str) -> None:
    with pytest.raises(Unreadable, match=word):
        number_of(cell, form)


@pytest.mark.parametrize("cell", [None, "", "  ", "　"])
def test_blank_is_not_zero(records: Flask, cell: Any) -> None:
    assert number_of(cell) is None


def test_the_columns_own_unit_may_stand_in_a_cell_another_may_not(records: Flask) -> None:
    assert number_of("150 mm", Form(), "mm") == 150
    assert number_of("5000 PSI", Form(), "psi") == 5000
    assert number_of("28 天", Form(), "d") == 28
    assert number_of("4.8 %", Form(), "%") == Decimal("4.8")
    assert number_of("４.８％", Form(), "%") == Decimal("4.8")
    with pytest.raises(Unreadable, match="MPa"):
        number_of("5000 psi", Form(), "MPa")


@ROUTINE
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False))
def test_every_decimal_that_is_written_is_read_exactly(records: Flask, number: Decimal) -> None:
    text = f"{number:f}"
    full = "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() else sign for sign in text)
    assert number_of(text) == number
    assert number_of(full) == number
    assert number_of(text.replace(".", ","), COMMA) == number
    grouped = f"{number:,f}"
    assert number_of(grouped, POINT) == number


@ROUTINE
@given(st.decimals(min_value=0, max_value=99999, places=3, allow_nan=False))
def test_a_number_cell_reads_as_its_fifteen_digits(records: Flask, number: Decimal) -> None:
    assert number_of(float(number)) == number
    assert Decimal(exact_text(float(number))) == number


@ROUTINE
@given(st.text(max_size=12))
def test_any_text_is_a_number_or_refused_and_what_is_read_is_what_stands_there(
    records: Flask, text: str
) -> None:
    for form in (Form(), POINT, COMMA):
        try:
            number = number_of(text, form)
        except Unreadable:
            continue
        assert number is None or [s for s in plain(text) if s.isdigit()] == [
            s for s in plain(text) if s in "0123456789"
        ]
        assert number is not None or not plain(text)


def test_factors_are_those_of_the_definitions() -> None:
    assert FACTORS["MPa"]["psi"] == Fraction("4.4482216152605") / Fraction("645.16")
    assert FACTORS["kN"]["lbf"] == Fraction("0.0044482216152605")
    assert FACTORS["kN"]["kgf"] == Fraction("0.00980665")
    assert FACTORS["kg/m³"]["lb/yd³"] == Fraction("0.45359237") / Fraction("0.764554857984")
    assert FACTORS["mm"]["in"] == Fraction("25.4")
    assert FACTORS["MPa"]["N/mm²"] == 1


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "places", "result"),
    [
        ("5098", "psi", "MPa", 4, "35.1495"),
        ("1", "in", "mm", 1, "25.4"),
        ("590", "lb/yd³", "kg/m³", 3, "350.033"),
        ("95000", "lbf", "kN", 3, "422.581"),
        ("43236", "kgf", "kN", 3, "424.000"),
        ("0.25", "cm", "mm", 0, "2"),
        ("0.35", "cm", "mm", 0, "4"),
    ],
)
def test_conversions(value: str, unit: str, wanted: str, places: int, result: str) -> None:
    assert converted(Decimal(value), unit, wanted, places) == Decimal(result)


@ROUTINE
@given(
    st.sampled_from([(wanted, unit) for wanted, units in FACTORS.items() for unit in units]),
    st.decimals(min_value=0, max_value=10**6, places=3, allow_nan=False),
    st.integers(0, 4),
)
def test_a_conversion_is_the_nearest_that_can_be_kept(
    pair: tuple[str, str], value: Decimal, places: int
) -> None:
    wanted, unit = pair
    if unit == wanted:
        return
    exact = Fraction(value) * FACTORS[wanted][unit]
    assert abs(Fraction(converted(value, unit, wanted, places)) - exact) * 2 <= Fraction(1, 10**places)


def test_every_spelling_names_a_unit_that_some_field_may_have() -> None:
    known = {unit for units in FACTORS.values() for unit in units}
    assert set(SPELLINGS.values()) <= known
    assert units_for("MPa")[0] == "MPa"
    assert units_for("") == ()


@pytest.mark.parametrize(
    ("cell", "form", "day"),
    [
        (datetime(2026, 3, 28), Form(), date(2026, 3, 28)),  # noqa: DTZ001
        ("2026-03-28", Form(), date(2026, 3, 28)),
        ("2026/3/28", Form(), date(2026, 3, 28)),
        ("2026年3月28日", Form(), date(2026, 3, 28)),
        ("２０２６－０３－２８", Form(), date(2026, 3, 28)),
        ("28.03.2026", Form(date_form="dmy"), date(2026, 3, 28)),
        ("3/28/2026", Form(date_form="mdy"), date(2026, 3, 28)),
        (46109.0, Form(mac_dates=False), date(2026, 3, 28)),
        (44647.0, Form(mac_dates=True), date(2026, 3, 28)),
        (46109.0, Form(date_form="serial-1900"), date(2026, 3, 28)),
        (44647.0, Form(date_form="serial-1904"), date(2026, 3, 28)),
        (None, Form(), None),
        ("", Form(), None),
    ],
)
def test_days_that_are_read(records: Flask, cell: Any, form: Form, day: date | None) -> None:
    assert day_of(cell, form) == day


@pytest.mark.parametrize(
    ("cell", "form", "word"),
    [
        ("03/04/2026", Form(), "more than one way"),
        ("28.03.26", Form(date_form="dmy"), "accepted"),
        ("2026-02-30", Form(), "not a day"),
        (46109.0, Form(), "number"),
        (20260328.0, Form(mac_dates=False), "1950"),
        (46109.5, Form(mac_dates=False), "time"),
        (datetime(2026, 3, 28, 10), Form(), "time"),  # noqa: DTZ001
        (True, Form(), "day"),
        ("yesterday", Form(), "day"),
    ],
)
def test_days_that_are_refused(records: Flask, cell: Any, form: Form, word: str) -> None:
    with pytest.raises(Unreadable, match=word):
        day_of(cell, form)


def test_times_with_zones_without_and_days_that_need_an_hour(records: Flask) -> None:
    assert moment_of("2026-03-28 10:00") == datetime(2026, 3, 28, 10)  # noqa: DTZ001
    assert moment_of("2026年3月28日 9:05") == datetime(2026, 3, 28, 9, 5)  # noqa: DTZ001
    zoned = moment_of("2026-03-28T10:00:00+08:00")
    assert zoned is not None
    assert zoned.utcoffset() is not None
    assert moment_of(46109.5, Form(mac_dates=False)) == datetime(2026, 3, 28, 12)  # noqa: DTZ001
    with pytest.raises(Unreadable, match="no time"):
        moment_of(date(2026, 3, 28))
    assert moment_of(date(2026, 3, 28), Form(time_of_day="10:30")) == datetime(2026, 3, 28, 10, 30)  # noqa: DTZ001


@given(st.integers(0, 16383))
def test_columns_and_their_letters(column: int) -> None:
    assert column_of(column_letters(column)) == column
    assert cell_name(6, 1) == "B7"
