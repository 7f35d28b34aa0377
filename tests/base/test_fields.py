"""Whatever is given, a field answers with a value that can be stored, or with a short sentence."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from lims.base.fields import Code, Day, Instant, Kind, Quantity, Text, WholeNumber
from lims.base.problems import Refused
from lims.base.schemas import Schema
from tests.conftest import Person

HOUR = timezone(timedelta(hours=8))
#: What broke one kind or another, and its neighbours.
ODD = (
    None,
    True,
    "",
    "\ud800",
    "a\udfff",
    "\0",
    "\ufdfa" * 400,
    "9" * 6000,
    "28" + "0" * 6000,
    "0." + "0" * 6000,
    "1e999999999",
    "0001-01-01T00:00+08:00",
    "9999-12-31T23:59:59-08:00",
    10**5000,
    -(10**5000),
    1e308,
    float("nan"),
    float("inf"),
    Decimal("1e999999999"),
    Decimal("-1e999999999999999999"),
    Decimal("1e-999999999999999999"),
    Decimal("0e-999999999"),
    Decimal("0e999999999"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    datetime.min,  # noqa: DTZ901 - what carries no zone is odd
    datetime.max,  # noqa: DTZ901
    datetime.min.replace(tzinfo=HOUR),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-8))),
    date.min,
    date.max,
    b"\xff",
    [],
    ["\ud800"],
    [10**5000],
    [[10**5000]],
    [None],
    {"\ud800": 1},
    {"a": 10**5000},
    {"a": "\ud800"},
)


def every_kind() -> Iterator[Kind]:
    """Each kind of each field of each schema, and the general ones as they come."""
    waiting, seen = [Schema], set()
    while waiting:
        schema = waiting.pop()
        waiting += schema.__subclasses__()
        for item in schema.inputs():
            told = (type(item.kind), repr(vars(item.kind)))
            if told not in seen:
                seen.add(told)
                yield item.kind
    yield from (Quantity(minimum=None, maximum=None), WholeNumber(), Text(20_000, lines=True), Code(), Day())


@cache
def kinds() -> list[Kind]:
    return list(every_kind())


def answers_shortly(kind: Kind, value: Any) -> None:
    try:
        found = kind.parse(value)
    except PydanticCustomError as error:
        said = error.message()
        assert 0 < len(said) < 500, (kind, said)
        return
    if isinstance(found, str):
        found.encode()
    if isinstance(found, Decimal):
        assert len(f"{found:f}") < 10_000, kind


def test_odd_values_are_answered_by_every_kind(app: Flask) -> None:
    with app.test_request_context():
        assert len(kinds()) > 50
        for kind in kinds():
            for value in ODD:
                answers_shortly(kind, value)


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.decimals(allow_nan=True),
        st.text(st.characters()),  # surrogates too
        st.from_regex(r"[+-]?\d{1,30}([.,e]\d{1,30})?", fullmatch=True),
        st.from_regex(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d([+-]\d\d:\d\d)?)?", fullmatch=True),
        st.datetimes(timezones=st.none() | st.just(UTC) | st.just(HOUR)),
        st.dates(),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=5,
)


@given(value=anything)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_is_answered_by_every_kind(made_app: Flask, value: Any) -> None:
    with made_app.test_request_context():
        for kind in kinds():
            if type(kind).__name__ != "Staff":  # who works here stands in a database
                answers_shortly(kind, value)


@pytest.mark.parametrize("given", ["1e999999999", "-1e999999999", "1e-999999999", "0e-999999999"])
def test_a_number_with_a_vast_exponent_costs_no_memory(given: str) -> None:
    tracemalloc.start()
    try:
        if Decimal(given):
            with pytest.raises(PydanticCustomError, match="is not accepted"):
                Quantity().parse(Decimal(given))
        else:
            assert f"{Quantity().parse(Decimal(given)):f}" == "0"
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_days_at_the_ends_of_the_calendar_are_refused_with_what_is_accepted() -> None:
    for text in ("0001-01-01T00:00+08:00", "9999-12-31T23:59:59-08:00"):
        with pytest.raises(PydanticCustomError, match="a year from 1950 to 2150"):
            Instant().parse(text)
    assert Instant().parse("1950-01-01T07:59:00+07:59").year == 1950
    with pytest.raises(PydanticCustomError, match="1949-12-31T16:00"):
        Instant().parse("1950-01-01T00:00:00+08:00")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ('{"code": "K-1", "name": "\\ud800"}', "control character"),
        ('{"code": "K-1", "name": ["\\udfff"]}', "control character"),
        ('{"\\ud800": "K-1"}', "control character"),
        ('{"code": ' + "9" * 5000 + "}", "too many digits"),
        ('{"code": 1e99999999999999999999}', "too many digits"),
        ('{"code": "K-1", "name": 1e999999999}', "accepted"),
    ],
)
def test_odd_json_is_refused_with_and_without_a_key(administrator: Person, body: str, word: str) -> None:
    administrator.post("/profile/")
    for key in ("", "k-1"):
        answer = administrator.client.post(
            "/api/v1/customers/",
            data=body,
            content_type="application/json",
            headers={"X-CSRFToken": administrator.token, "Idempotency-Key": key},
        )
        assert answer.status_code == 422, answer.get_data(as_text=True)[:300]
        told = answer.get_json()
        assert word in told["message"]
        assert len(told["message"]) < 700


def test_a_pair_of_surrogates_is_the_character_that_it_stands_for(administrator: Person) -> None:
    administrator.post("/profile/")
    answer = administrator.client.post(
        "/api/v1/customers/",
        data='{"code": "K-1", "name": "\\ud83c\\udfed"}',
        content_type="application/json",
        headers={"X-CSRFToken": administrator.token},
    )
    assert answer.status_code == 201
    assert answer.get_json()["result"]["name"] == "\N{FACTORY}"


def test_a_field_that_no_schema_has_is_refused_whatever_its_name() -> None:
    class One(Schema):
        name: str

    for name in ("other", "\ud800"):
        with pytest.raises(Refused):
            One.read({"name": "x", name: 10**5000})


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ('{"\\ud800": 1, "\\ud800": 2}', 422, "given more than once"),
        (
            "{" + ",".join(f'"{n}":1' for n in range(100_000)) + "}",
            422,
            "has 100000 values; accepted: up to 1000",
        ),
        ('{"a":' + "[" * 20 + "[]," * 700_000 + "[]" + "]" * 20 + "}", 413, "larger than 2 MB"),
    ],
    ids=["half a pair of surrogates twice", "a hundred thousand names", "more than a form"],
)
def test_json_that_is_made_to_keep_the_server_busy_is_refused_before_anybody_signed_in(
    app: Flask, body: str, status: int, told: str
) -> None:
    begun = time.perf_counter()
    answer = app.test_client().post("/api/v1/security/login", data=body, content_type="application/json")
    assert time.perf_counter() - begun < 5  # by comparing each name with each it took minutes
    assert answer.status_code == status
    assert told in answer.get_json()["message"]


def test_text_that_no_xml_may_hold_is_refused() -> None:
    """A workbook with it is opened by no program, and a paper with its chart is not made."""
    for sign in ("\ufffe", "\uffff"):
        with pytest.raises(PydanticCustomError, match="control character"):
            Text(most=40, lines=True).parse(f"a{sign}b")
