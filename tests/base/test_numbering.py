"""Numbers of a series: what was typed is passed over, and two sessions never get the same."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.numbering import next_code, next_number
from lims.base.services import SERVICES
from lims.trials.models import Trial
from tests.conftest import counting_sql
from tests.factories import ACTOR, a_batch, a_customer, a_mix, a_trial


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def a_process_change(**more: Any) -> Any:
    product = SERVICES["cement-products"].find(code="P-1") or add("cement-products", code="P-1", name="One")
    return add(
        "process-changes",
        name="Gypsum",
        cement_product_id=product.id,
        holds_from=f"{utc_now():%Y}-01-01",
        other_changes="gypsum",
        **more,
    )


def a_complaint(**more: Any) -> Any:
    customer = SERVICES["customers"].find(code="K-1") or a_customer()
    return add("complaints", customer_id=customer.id, subject="Sets late", **more)


def an_objection(**more: Any) -> Any:
    customer = SERVICES["customers"].find(code="K-1") or a_customer()
    product = SERVICES["cement-products"].find(code="P-1") or add("cement-products", code="P-1", name="One")
    lot = SERVICES["cement-lots"].find(code="L-1") or add(
        "cement-lots", code="L-1", cement_product_id=product.id
    )
    return add(
        "objections",
        customer_id=customer.id,
        cement_lot_id=lot.id,
        claim="Strength",
        raised_on=utc_now().date().isoformat(),
        **more,
    )


def a_batch_of_one_mix(**more: Any) -> Any:
    mix = SERVICES["mix-designs"].find(code="C30-1") or a_mix()
    return a_batch(mix=mix, cast_at=utc_now().isoformat(), **more)


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (a_trial, "T{:%y}-{:04d}"),
        (a_batch_of_one_mix, "B{:%y}-{:04d}"),
        (a_complaint, "K{:%y}-{:04d}"),
        (an_objection, "O{:%y}-{:04d}"),
        (a_process_change, "W{:%y}-{:03d}"),
    ],
)
def test_numbers_that_were_typed_are_passed_over(records_on_both: Flask, make: Any, form: str) -> None:
    def code(number: int) -> str:
        return form.format(utc_now(), number)

    assert make().code == code(1)
    for typed in (2, 3, 5):
        assert make(code=code(typed)).code == code(typed)
    assert [make().code for _number in range(3)] == [code(4), code(6), code(7)]


def test_a_code_is_counted_and_compared_by_one_statement(records_on_both: Flask) -> None:
    with transaction(ACTOR) as session, counting_sql(records_on_both) as seen:
        assert next_code(session, Trial.code, "trial-26", "T26-") == "T26-0001"
        assert next_code(session, Trial.code, "trial-26", "T26-") == "T26-0002"
    assert len(seen) == 2, seen


def test_a_series_goes_on_past_its_digits(records_on_both: Flask) -> None:
    a_trial(code="T26-10000")
    with transaction(ACTOR) as session:
        session.execute(text("INSERT INTO number_series (name, last) VALUES ('trial-26', 9998)"))
        found = [next_code(session, Trial.code, "trial-26", "T26-") for _number in range(2)]
    assert found == ["T26-9999", "T26-10001"]


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_first_number_of_a_series_from_two_sessions_at_once(records_on_both: Flask) -> None:
    counted, may_commit = Event(), Event()

    def first() -> int:
        with records_on_both.app_context(), transaction(ACTOR) as session:
            number = next_number(session, "trial-27")
            counted.set()
            assert may_commit.wait(20)
            return number

    def second() -> int:
        assert counted.wait(20)
        with records_on_both.app_context(), transaction(ACTOR) as session:
            return next_number(session, "trial-27")

    def one_waits() -> bool:
        current_session().rollback()
        query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(current_session().scalar(query))

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.submit(first), threads.submit(second)
        until = time.monotonic() + 20
        while not one_waits() and not other.done() and time.monotonic() < until:
            time.sleep(0.02)
        may_commit.set()
        assert (one.result(), other.result()) == (1, 2)
    assert not database().is_sqlite
