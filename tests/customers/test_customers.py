"""Customers, sites and what the after-sales service keeps about them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from lims.base.problems import Refused
from lims.base.services import SERVICES
from tests.factories import ACTOR, a_customer

pytestmark = pytest.mark.usefixtures("records_on_both")


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def refused(record: str, **values: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        add(record, **values)
    return refusal.value


def a_complaint(customer: Any, **more: Any) -> Any:
    values = {
        "customer_id": customer.id,
        "received_at": "2026-05-04T08:00:00+08:00",
        "subject": "Shotcrete falls off",
        **more,
    }
    return add("complaints", **values)


def test_customer_code_is_taken_once() -> None:
    a_customer("K-1")
    assert refused("customers", code="K-1", name="Another").problems[0].field == "code"


def test_site_of_another_customer_is_refused_on_a_visit() -> None:
    ours, theirs = a_customer("K-1"), a_customer("K-2")
    site = add("sites", code="S-1", name="Their site", customer_id=theirs.id)
    problem = refused(
        "visits", customer_id=ours.id, site_id=site.id, visited_on="2026-05-04", purpose="monthly"
    ).problems[0]
    assert problem.field == "site_id"


def test_follow_up_before_the_visit_is_refused() -> None:
    customer = a_customer()
    found = refused(
        "visits",
        customer_id=customer.id,
        visited_on="2026-05-04",
        follow_up_on="2026-05-01",
        purpose="monthly",
    )
    assert "follow-up" in found.problems[0].message


def test_complaints_are_numbered_by_year_and_read_back() -> None:
    customer = a_customer()
    first, second = a_complaint(customer), a_complaint(customer)
    assert (first.code, second.code) == ("K26-0001", "K26-0002")


def test_retest_needs_the_day_it_was_finished_for_an_outcome() -> None:
    product = add("cement-products", code="PO425", name="Own P.O 42.5")
    lot = add("cement-lots", code="L-1", cement_product_id=product.id)
    assert refused("retests", cement_lot_id=lot.id, ordered_on="2026-05-04", outcome="passed").problems
    done = add(
        "retests", cement_lot_id=lot.id, ordered_on="2026-05-04", finished_on="2026-06-01", outcome="passed"
    )
    assert done.outcome == "passed"


def test_survey_marks_lie_between_1_and_5() -> None:
    customer = a_customer()
    marks = {"quality": 5, "steadiness": 4, "delivery": 3, "service": 6}
    found = refused("surveys", customer_id=customer.id, answered_on="2026-05-04", **marks)
    assert [problem.field for problem in found.problems] == ["service"]
    assert found.problems[0].value == "6"


def test_retired_customer_keeps_its_visits_and_takes_no_new_ones(records_on_both: Flask) -> None:
    customer = a_customer()
    visit = add("visits", customer_id=customer.id, visited_on="2026-05-04", purpose="monthly")
    SERVICES["customers"].retire(customer.id, ACTOR)
    assert SERVICES["visits"].get(visit.id).customer.code == "K-1"
    assert refused("visits", customer_id=customer.id, visited_on="2026-06-04", purpose="monthly").problems


def test_site_and_contact_that_records_name_stay_with_their_customer() -> None:
    ours, theirs = a_customer("K-1"), a_customer("K-2")
    site = add("sites", code="S-1", name="Heading 2", customer_id=ours.id)
    contact = add("contacts", customer_id=ours.id, name="Gao Feng")
    complaint = a_complaint(ours, site_id=site.id, contact_id=contact.id)
    visit = {"customer_id": ours.id, "site_id": site.id, "visited_on": "2026-05-04", "purpose": "monthly"}
    SERVICES["visits"].retire(add("visits", **visit).id, ACTOR)  # it may be taken back into use
    for row, values, named in (
        (site, {"code": "S-1", "name": "Heading 3"}, ("(1)", "2")),
        (contact, {"name": "Gao Feng"}, ("(1)", "1")),
    ):
        service = SERVICES[row.record_name]
        with pytest.raises(Refused) as refusal:
            service.edit(row.id, {**values, "customer_id": theirs.id}, row.version, ACTOR)
        (problem,) = refusal.value.problems
        assert (problem.field, problem.value) == ("customer_id", row.title)
        assert problem.message.count(named[0]) == int(named[1])
        service.edit(row.id, {**values, "customer_id": ours.id}, row.version, ACTOR)
    found = SERVICES["complaints"].get(complaint.id)
    edited = {"subject": "Still falls off", "site_id": site.id, "contact_id": contact.id}
    assert SERVICES["complaints"].edit(found.id, edited, found.version, ACTOR).subject == "Still falls off"
    free = add("sites", code="S-2", name="Entered at the wrong customer", customer_id=ours.id)
    values = {"code": "S-2", "name": "Heading 9", "customer_id": theirs.id}
    assert SERVICES["sites"].edit(free.id, values, free.version, ACTOR).customer_id == theirs.id


def test_dealer_whom_customers_name_stays_a_dealer() -> None:
    dealer = a_customer("K-1", kind="dealer")
    customer = a_customer("K-2", dealer_id=dealer.id)
    service = SERVICES["customers"]
    values = {"code": "K-1", "name": "Trader", "kind": "contractor"}
    with pytest.raises(Refused) as refusal:
        service.edit(dealer.id, values, dealer.version, ACTOR)
    assert [(p.field, p.value) for p in refusal.value.problems] == [("kind", "Contractor")]
    service.edit(customer.id, {"code": "K-2", "name": "Works"}, customer.version, ACTOR)
    assert service.edit(dealer.id, values, dealer.version, ACTOR).kind == "contractor"


def test_customer_without_a_code_gets_the_next_number_and_keeps_it(records_on_both: Flask) -> None:
    a_customer("K-001")
    made = SERVICES["customers"].add({"name": "New"}, ACTOR)
    assert made.code == "K-002"
    kept = SERVICES["customers"].edit(made.id, {"name": "New one", "code": ""}, made.version, ACTOR)
    assert (kept.code, kept.name) == ("K-002", "New one")
