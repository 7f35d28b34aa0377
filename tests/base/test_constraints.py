"""What a constraint refuses is told with its field and value, whichever statement wrote it; never a failure of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lims.base.database import database, transaction
from lims.base.problems import Conflict, Refused
from lims.base.services import SERVICES
from lims.mixes.models import MixComponent
from lims.trials.models import Trial
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix, a_trial

TAKEN = "is already taken; accepted: a value that no other record has"


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def refused(call: Any, *args: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as refusal:
        call(*args)
    return [(p.field, p.message, p.value) for p in refusal.value.problems]


def deliveries() -> tuple[Any, dict[str, Any]]:
    """The second of two deliveries to a site, and what it holds."""
    customer = a_customer()
    site = add("sites", customer_id=customer.id, code="S-1", name="North")
    product = add("cement-products", code="P-1", name="One")
    lot = add("cement-lots", code="L-1", cement_product_id=product.id)
    values = {
        "customer_id": customer.id,
        "site_id": site.id,
        "cement_lot_id": lot.id,
        "delivered_at": "2026-03-01T08:00:00+00:00",
        "mass_t": "20",
    }
    add("deliveries", code="N-1", **values)
    return add("deliveries", code="N-2", **values), values


def test_edit_to_a_taken_code_is_refused_where_the_check_reads_the_database(records_on_both: Flask) -> None:
    delivery, values = deliveries()
    edit = SERVICES["deliveries"].edit
    assert refused(edit, delivery.id, {**values, "code": "N-1"}, delivery.version, ACTOR) == [
        ("code", TAKEN, "N-1")
    ]
    dealer = a_customer("K-2", kind="dealer")
    shop = a_customer("K-3", dealer_id=dealer.id)
    values = {"code": "K-2", "name": "Shop", "dealer_id": dealer.id}
    assert refused(SERVICES["customers"].edit, shop.id, values, shop.version, ACTOR) == [
        ("code", TAKEN, "K-2")
    ]


def test_edit_page_keeps_what_was_typed_beside_the_taken_code(app: Flask, administrator: Person) -> None:
    with app.app_context():
        delivery, values = deliveries()
    posted = {**values, "code": "N-1", "version": delivery.version, "packing": "bulk", "remarks": "by night"}
    answer = administrator.post(f"/deliveries/{delivery.id}/edit", posted)
    assert answer.status_code == 422
    told = answer.get_data(as_text=True)
    assert TAKEN in told
    assert "by night" in told


def two_of_one_code(session: Session) -> None:
    session.add(Trial(code="T-1", name="Second", state="planned"))


def a_code_changed_by_hand(session: Session) -> None:
    session.execute(text("UPDATE trials SET code = 'T-1' WHERE code = 'T-2'"))


def a_code_changed_before_something_is_read(session: Session) -> None:
    trial = session.query(Trial).filter_by(code="T-2").one()
    trial.code = "T-1"
    session.query(Trial).count()


@pytest.mark.parametrize("write", [two_of_one_code, a_code_changed_before_something_is_read])
def test_taken_code_is_refused_whoever_writes_it(records_on_both: Flask, write: Any) -> None:
    a_trial(code="T-1")
    a_trial(code="T-2")

    def call() -> None:
        with transaction(ACTOR) as session:
            write(session)

    assert refused(call) == [("code", TAKEN, "T-1")]
    assert SERVICES["trials"].page().total == 2


def test_taken_code_of_a_statement_by_hand_names_the_field(records_on_both: Flask) -> None:
    a_trial(code="T-1")
    a_trial(code="T-2")

    def call() -> None:
        with transaction(ACTOR) as session:
            a_code_changed_by_hand(session)

    ((field, message, value),) = refused(call)
    assert (field, message) == ("code", TAKEN)
    assert value == ("" if database().is_sqlite else "T-1")  # SQLite does not say, and no parameter held it


def test_other_constraints_are_told_in_words_without_their_names(records_on_both: Flask) -> None:
    revision = a_mix().latest

    def write(**values: Any) -> None:
        with transaction(ACTOR) as session:
            session.add(MixComponent(**{"revision_id": revision.id, "kind": "filler", **values}))

    limits = refused(lambda: write(mass_kg_m3=Decimal(-1)))
    assert [(field, message) for field, message, _value in limits] == [
        ("mass_kg_m3", "is outside the limits of this field")
    ]
    assert Decimal(limits[0][2]) == -1
    assert refused(lambda: write(mass_kg_m3=None)) == [("mass_kg_m3", "is required", "")]
    ((field, message, value),) = refused(lambda: write(mass_kg_m3=Decimal(1), cement_product_id=99))
    if database().is_sqlite:  # it does not say which reference it was
        assert (field, message) == ("", "does not fit the records that exist already; nothing was saved")
    else:
        assert (field, message, value) == ("cement_product_id", "there is no such record", "99")


def test_a_check_over_several_columns_names_the_first(records_on_both: Flask) -> None:
    def write() -> None:
        with transaction(ACTOR) as session:
            session.execute(
                text(
                    "INSERT INTO prices (kind, valid_from, price_per_t, version, created_at, created_by, changed_at,"
                    " changed_by) VALUES ('cement', '2026-01-01', '1', 1, :now, 'x', :now, 'x')"
                ),
                {"now": "2026-01-01 00:00:00"},
            )

    ((field, message, _value),) = refused(write)
    assert message == "does not fit the other values of this record"
    assert field in {"kind", "cement_product_id"}


def test_a_record_that_somebody_else_changed_meanwhile_is_a_conflict_at_the_commit_too(
    records_on_both: Flask,
) -> None:
    trial = a_trial()

    def call() -> None:
        with transaction(ACTOR) as session:
            found = session.get_one(Trial, trial.id)
            session.execute(text("UPDATE trials SET version = version + 1"))
            found.name = "Other"

    with pytest.raises(Conflict):
        call()


def test_what_a_trigger_refuses_stays_a_failure_of_ours(records_on_both: Flask) -> None:
    a_batch()

    def call() -> None:
        with transaction(ACTOR) as session:
            session.execute(text("UPDATE mix_revisions SET reason = 'x'"))

    with pytest.raises(DatabaseError, match="frozen"):
        call()
