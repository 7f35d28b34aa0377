"""Complaints: one intake, clocks, steps that service and database guard, facts before closing, escalation."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, User, ViewMenu
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from lims.aftersales import escalation
from lims.aftersales.complaints import ComplaintService
from lims.aftersales.escalation import _escalate_one, escalate
from lims.aftersales.models import Complaint, ComplaintFact, Escalation
from lims.aftersales.photos import add_photo
from lims.aftersales.service import ServiceSettingsService
from lims.aftersales.shipped import CHECKS, ship
from lims.aftersales.triggers import NEXT_STATES
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_time
from lims.base.problems import NotFound, Refused
from lims.base.services import SERVICES
from lims.mail.models import OutgoingMail
from tests.aftersales.test_photos import a_picture
from tests.factories import ACTOR, a_customer

pytestmark = pytest.mark.usefixtures("records_on_both")

service = ComplaintService()


def today() -> str:
    """By the laboratory's clock, as the agreement is dated."""
    return local_time(utc_now()).date().isoformat()


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def a_complaint(customer: Any = None, *, ago: timedelta = timedelta(), **more: Any) -> Complaint:
    customer = customer or a_customer()
    values = {
        "customer_id": customer.id,
        "subject": "Shotcrete falls off",
        "received_at": (utc_now() - ago).isoformat(),
        **more,
    }
    return service.add(values, ACTOR)


def a_lot(code: str = "L-1") -> Any:
    product = SERVICES["cement-products"].find(code="PO425") or add(
        "cement-products", code="PO425", name="P.O 42.5"
    )
    return add("cement-lots", code=code, cement_product_id=product.id, strength_28d_mpa="49.0")


def problems(call: Any, *args: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refusal:
        call(*args)
    return {p.field: p.value for p in refusal.value.problems}


def to_state(complaint: Complaint, state: str) -> Complaint:
    """Through the steps that lead there."""
    if state in {"answered", "on_site", "solved", "closed"}:
        service.answer(complaint.id, {"answer": "We come."}, ACTOR)
    if state in {"on_site", "solved", "closed"}:
        service.arrive(complaint.id, {}, ACTOR)
    if state in {"solved", "closed"}:
        service.solve(complaint.id, {"remedy": "Cohesion raised"}, ACTOR)
    if state == "closed":
        service.note_findings(complaint.id, {"root_cause": "use", "cause": "Too far from the wall"}, ACTOR)
        service.agree(complaint.id, {"agreed_on": today(), "agreed_by": "Gao"}, ACTOR)
        service.close(complaint.id, ACTOR)
    if state == "withdrawn":
        service.withdraw(complaint.id, {"reason": "Another works' cement"}, ACTOR)
    return service.get(complaint.id)


def test_default_promises_are_thirty_minutes_and_twenty_four_hours() -> None:
    complaint = a_complaint()
    assert complaint.answer_due_at == complaint.received_at + timedelta(minutes=30)
    assert complaint.on_site_due_at == complaint.received_at + timedelta(hours=24)
    assert complaint.solve_due_at is None
    service.arrive(complaint.id, {}, ACTOR)
    found = service.get(complaint.id)
    assert found.on_site_at is not None
    assert found.solve_due_at == found.on_site_at + timedelta(hours=24)


def test_changed_promises_hold_for_clocks_that_start_afterwards() -> None:
    before = a_complaint()
    ServiceSettingsService().save({"answer_minutes": 60}, ACTOR)
    after = a_complaint(a_customer("K-2"))
    assert service.get(before.id).answer_due_at == before.received_at + timedelta(minutes=30)
    assert after.answer_due_at == after.received_at + timedelta(minutes=60)


def test_working_time_moves_the_due_time_over_a_holiday() -> None:
    ServiceSettingsService().save({"time_kind": "working"}, ACTOR)
    add("holidays", day="2026-05-05", name="Works closed")
    complaint = a_complaint(received_at="2026-05-04T17:20:00+08:00")
    assert complaint.answer_due_at is not None
    assert complaint.answer_due_at.isoformat() == "2026-05-06T00:20:00+00:00"  # 08:20 in Shanghai


def test_complaint_from_the_future_is_refused() -> None:
    with pytest.raises(Refused):
        a_complaint(ago=timedelta(hours=-2))


def test_an_answer_before_it_was_received_is_refused() -> None:
    complaint = a_complaint(ago=timedelta(hours=1))
    early = (complaint.received_at - timedelta(minutes=1)).isoformat()
    assert "at" in problems(service.answer, complaint.id, {"answer": "x", "at": early}, ACTOR)
    assert service.get(complaint.id).state == "received"


def test_clocks_are_kept_missed_running_or_late() -> None:
    complaint = a_complaint(ago=timedelta(hours=2))
    assert [c.state for c in complaint.clocks] == ["late", "running", "off"]
    service.answer(
        complaint.id,
        {"answer": "x", "at": (complaint.received_at + timedelta(minutes=20)).isoformat()},
        ACTOR,
    )
    found = service.get(complaint.id)
    assert [c.state for c in found.clocks] == ["kept", "running", "off"]
    assert not found.overdue
    late = a_complaint(a_customer("K-2"), ago=timedelta(hours=2))
    service.answer(late.id, {"answer": "x"}, ACTOR)
    assert service.get(late.id).clocks[0].state == "missed"


def test_every_step_that_cannot_follow_is_refused_by_the_service() -> None:
    customer = a_customer()
    steps = {
        "answered": lambda key: service.answer(key, {"answer": "x"}, ACTOR),
        "on_site": lambda key: service.arrive(key, {}, ACTOR),
        "solved": lambda key: service.solve(key, {"remedy": "x"}, ACTOR),
        "closed": lambda key: service.close(key, ACTOR),
        "withdrawn": lambda key: service.withdraw(key, {"reason": "x"}, ACTOR),
    }
    for state, wanted in product(NEXT_STATES, steps):
        if wanted in NEXT_STATES[state]:
            continue
        complaint = to_state(a_complaint(customer), state)
        assert "state" in problems(steps[wanted], complaint.id), (state, wanted)


def test_every_state_that_cannot_follow_is_refused_by_the_database() -> None:
    customer = a_customer()
    made = {state: to_state(a_complaint(customer), state).id for state in NEXT_STATES}
    for state, wanted in product(NEXT_STATES, NEXT_STATES):
        if state == wanted or wanted in NEXT_STATES[state]:
            continue
        with pytest.raises((DatabaseError, Refused)), transaction(ACTOR) as session:
            session.execute(
                text("UPDATE complaints SET state = :wanted WHERE id = :id"),
                {"wanted": wanted, "id": made[state]},
            )
        current_session().expire_all()
        assert service.get(made[state]).state == state


def test_the_database_refuses_closing_without_cause_remedy_and_agreement() -> None:
    complaint = to_state(a_complaint(), "solved")
    with pytest.raises(DatabaseError, match="cause"), transaction(ACTOR) as session:
        session.execute(
            text("UPDATE complaints SET state = 'closed', closed_at = solved_at WHERE id = :id"),
            {"id": complaint.id},
        )


def test_a_closed_complaint_is_fixed_in_the_database_and_never_deleted() -> None:
    complaint = to_state(a_complaint(), "closed")
    for statement in (
        "UPDATE complaints SET subject = 'another' WHERE id = :id",
        "UPDATE complaints SET root_cause = 'cement' WHERE id = :id",
        "DELETE FROM complaints WHERE id = :id",
    ):
        with pytest.raises(DatabaseError), transaction(ACTOR) as session:
            session.execute(text(statement), {"id": complaint.id})


def test_closing_names_every_fact_that_is_missing() -> None:
    ship(ACTOR)
    complaint = a_complaint(category="rebound")
    to_state(complaint, "solved")
    lot = a_lot()
    add("retests", cement_lot_id=lot.id, complaint_id=complaint.id, ordered_on="2026-05-05")
    with pytest.raises(Refused) as refusal:
        service.close(complaint.id, ACTOR)
    named = [(p.field, p.value) for p in refusal.value.problems]
    assert {"root_cause", "cause", "agreed_on", "retest"} <= {field for field, _value in named}
    required = {check.en for check in CHECKS if check.code.startswith("rebound.") and check.required}
    assert {value for field, value in named if field == "facts"} == required
    assert service.get(complaint.id).state == "solved"


def test_closing_for_a_cause_in_the_cement_needs_the_lots() -> None:
    complaint = to_state(a_complaint(), "solved")
    service.note_findings(complaint.id, {"root_cause": "cement", "cause": "Poor cohesion"}, ACTOR)
    service.agree(complaint.id, {"agreed_on": today(), "agreed_by": "Gao"}, ACTOR)
    assert list(problems(service.close, complaint.id, ACTOR)) == ["lots"]
    add("complaint-lots", complaint_id=complaint.id, cement_lot_id=a_lot().id)
    assert service.close(complaint.id, ACTOR).state == "closed"


def test_checklist_of_the_category_is_opened_and_measured_values_beyond_it_are_marked() -> None:
    ship(ACTOR)
    complaint = a_complaint(category="rebound")
    facts = {fact.checklist_item.code: fact for fact in service.facts(complaint)}
    assert len(facts) == sum(1 for check in CHECKS if check.code.startswith("rebound."))
    given = {
        facts["rebound.percent"].checklist_item_id: "34",
        facts["rebound.initial_set_min"].checklist_item_id: "3.5",
    }
    service.write_facts(complaint.id, given, ACTOR)
    after = {fact.checklist_item.code: fact for fact in service.facts(complaint)}
    assert after["rebound.percent"].beyond
    assert not after["rebound.initial_set_min"].beyond
    other = current_session().scalars(select(ComplaintFact.checklist_item_id)).first()
    assert other is not None
    with pytest.raises(Refused):
        service.write_facts(complaint.id, {999_999: "1"}, ACTOR)


def test_shipping_again_adds_nothing_and_keeps_what_was_edited() -> None:
    first = ship(ACTOR)
    card = SERVICES["advice-cards"].find(code="use-09-en")
    SERVICES["advice-cards"].edit(
        card.id,
        {"code": card.code, "name": "Our own words", "language": "en", "body": "x"},
        card.version,
        ACTOR,
    )
    assert first > 0
    assert ship(ACTOR) == 0
    assert SERVICES["advice-cards"].find(code="use-09-en").name == "Our own words"


def test_lots_delivered_to_the_site_before_are_proposed_the_latest_first() -> None:
    customer = a_customer()
    site = add("sites", code="S-1", name="Heading 2", customer_id=customer.id)
    other = add("sites", code="S-2", name="Another", customer_id=customer.id)
    lots = [a_lot(f"L-{number}") for number in range(5)]
    for number, (place, days) in enumerate([(site, 40), (site, 3), (other, 2), (site, -1), (site, 200)]):
        add(
            "deliveries",
            code=f"D-{number}",
            customer_id=customer.id,
            site_id=place.id,
            cement_lot_id=lots[number].id,
            delivered_at=(utc_now() - timedelta(days=days)).isoformat(),
            mass_t="40",
        )
    complaint = a_complaint(customer, site_id=site.id)
    assert [d.cement_lot.code for d in service.proposed_lots(complaint)] == ["L-1", "L-0"]
    add("complaint-lots", complaint_id=complaint.id, cement_lot_id=lots[1].id)
    assert [d.cement_lot.code for d in service.proposed_lots(complaint)] == ["L-0"]


def test_a_customer_who_does_not_agree_sends_it_back_with_a_new_limit() -> None:
    complaint = to_state(a_complaint(ago=timedelta(hours=1)), "solved")
    first_limit = complaint.solve_due_at
    assert first_limit is not None
    service.agree(complaint.id, {"agreed_on": today(), "agreed_by": "Gao", "satisfaction": "5"}, ACTOR)
    found = service.reopen(complaint.id, {"reason": "It falls off again"}, ACTOR)
    assert found.state == "on_site"
    assert (found.solved_at, found.agreed_by, found.satisfaction) == (None, None, None)
    assert found.solve_due_at is not None
    assert found.solve_due_at > first_limit
    assert "It falls off again" in (found.site_facts or "")


@pytest.mark.parametrize(("solved_after", "kept"), [(2, "kept"), (30, "missed")])
def test_clock_of_the_arrival_stays_as_the_telephone_left_it_when_the_customer_does_not_agree(
    solved_after: int, kept: str
) -> None:
    complaint = a_complaint(ago=timedelta(hours=50))
    service.answer(complaint.id, {"answer": "by telephone"}, ACTOR)
    at = (complaint.received_at + timedelta(hours=solved_after)).isoformat()
    with transaction(ACTOR) as session:
        session.get_one(Complaint, complaint.id).answered_at = complaint.received_at
    found = service.solve(complaint.id, {"remedy": "stored dry", "at": at}, ACTOR)
    assert found.clocks[1].state == kept
    found = service.reopen(complaint.id, {"reason": "It falls off again"}, ACTOR)
    assert found.clocks[1].state == kept


def a_manager(email: str = "manager@example.com") -> User:
    with transaction(ACTOR) as session:
        role = session.scalars(select(Role).where(Role.name == "Manager")).one_or_none() or Role(
            name="Manager"
        )
        user = User(
            username=email.split("@")[0],
            first_name="Chen",
            last_name="Jing",
            email=email,
            active=True,
            password="x",
        )
        user.created_by_fk = user.changed_by_fk = None
        user.roles = [role]
        session.add(user)
        session.flush()
    return user


def test_a_clock_that_runs_out_is_told_once_to_the_named_roles_with_a_record() -> None:
    manager = a_manager()
    complaint = a_complaint(ago=timedelta(hours=30))
    assert escalate(ACTOR) == 2
    assert escalate(ACTOR) == 0
    session = current_session()
    records = session.scalars(select(Escalation).where(Escalation.complaint_id == complaint.id)).all()
    assert sorted(item.clock for item in records) == ["answer", "on_site"]
    assert all(item.told == 1 and item.roles == "Manager" for item in records)
    mails = session.scalars(select(OutgoingMail)).all()
    assert {mail.to_address for mail in mails} == {manager.email}
    assert len(mails) == 2
    assert all(complaint.code in mail.subject for mail in mails)


def test_a_clock_that_runs_out_is_told_to_those_of_the_role_who_may_know_of_the_customer() -> None:
    here, there, all_regions = (a_manager(f"{name}@example.com") for name in ("here", "there", "all"))
    region = add("regions", code="R-1", name="Here")
    add("region-staff", region_id=region.id, user_id=here.id)
    add("region-staff", region_id=add("regions", code="R-2", name="There").id, user_id=there.id)
    with transaction(ACTOR) as session:
        right = PermissionView(
            permission=Permission(name="can_read_all"), view_menu=ViewMenu(name="customers")
        )
        seer = session.get_one(User, all_regions.id)
        seer.roles = [*seer.roles, Role(name="Seer", permissions=[right])]
    complaint = a_complaint(a_customer(region_id=region.id), ago=timedelta(minutes=31))
    assert escalate(ACTOR) == 1
    session = current_session()
    assert {mail.to_address for mail in session.scalars(select(OutgoingMail))} == {
        here.email,
        all_regions.email,
    }
    assert [item.told for item in session.scalars(select(Escalation))] == [2]
    assert complaint.customer.region_id == region.id


def test_a_clock_that_was_kept_is_not_told_of() -> None:
    a_manager()
    complaint = a_complaint(ago=timedelta(hours=2))
    service.answer(complaint.id, {"answer": "x", "at": complaint.received_at.isoformat()}, ACTOR)
    assert escalate(ACTOR) == 0


def test_a_clock_that_was_stopped_since_the_round_looked_is_not_told_of() -> None:
    a_manager()
    complaint = a_complaint(ago=timedelta(hours=2))
    due_at = complaint.answer_due_at
    service.answer(complaint.id, {"answer": "x"}, ACTOR)
    assert due_at is not None
    assert _escalate_one(complaint.id, "answer", due_at, ACTOR) == 0
    assert current_session().scalars(select(OutgoingMail)).all() == []


def test_complaint_that_is_written_to_while_the_round_looks_fails_no_round(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = a_complaint(ago=timedelta(hours=30))
    look = escalation.promises

    def written_meanwhile() -> Any:
        monkeypatch.setattr(escalation, "promises", look)
        with records_on_both.app_context():
            service.note_findings(complaint.id, {"cause": "clay"}, ACTOR)
        return look()

    monkeypatch.setattr(escalation, "promises", written_meanwhile)
    assert escalate(ACTOR) == 2


def test_escalation_to_a_role_that_does_not_exist_is_refused() -> None:
    assert "escalate_to" in problems(ServiceSettingsService().save, {"escalate_to": "Manager, Pope"}, ACTOR)


def test_unknown_complaint_is_not_found() -> None:
    with pytest.raises(NotFound):
        service.answer(999, {"answer": "x"}, ACTOR)


def test_retest_takes_strength_and_setting_from_the_bench_and_refuses_another_lot() -> None:
    lot, other = a_lot("L-1"), a_lot("L-2")
    values = {f"value_{number}_mpa": "48.0" for number in range(1, 7)}
    test = add("cement-tests", cement_lot_id=lot.id, tested_on="2026-05-20", age_days="28", **values)
    retest = add("retests", cement_lot_id=lot.id, ordered_on="2026-05-04", cement_test_id=test.id)
    assert str(retest.strength_28d_mpa) == "48.0"
    with pytest.raises(Refused, match="another lot"):
        add("retests", cement_lot_id=other.id, ordered_on="2026-05-04", cement_test_id=test.id)


def test_objection_goes_through_joint_sample_retest_and_verdict_in_this_order() -> None:
    customer, lot = a_customer(), a_lot()
    objections = SERVICES["objections"]
    objection = add(
        "objections", customer_id=customer.id, cement_lot_id=lot.id, raised_on="2026-05-04", claim="Weak"
    )
    retest = add("retests", cement_lot_id=lot.id, ordered_on="2026-05-06")
    sampled = {
        "sampled_on": "2026-05-05",
        "sampled_by": "Li Wei",
        "witnessed_by": "Gao Feng",
        "seal_number": "A-17",
        "sealed_until": "2026-08-05",
    }
    verdict = {"verdict": "rejected", "decided_on": "2026-06-05", "reason": "All values conform"}
    assert "sampled_on" in problems(objections.test, objection.id, {"retest_id": retest.id}, ACTOR)  # type: ignore[attr-defined]
    without = {**sampled, "witnessed_by": ""}
    assert "witnessed_by" in problems(objections.sample, objection.id, without, ACTOR)  # type: ignore[attr-defined]
    objections.sample(objection.id, sampled, ACTOR)  # type: ignore[attr-defined]
    of_another = a_retest(lot, ordered_on="2026-04-01", finished_on="2026-05-04")
    assert "retest_id" in problems(objections.test, objection.id, {"retest_id": of_another.id}, ACTOR)  # type: ignore[attr-defined]
    objections.test(objection.id, {"retest_id": retest.id}, ACTOR)  # type: ignore[attr-defined]
    assert "retest_id" in problems(objections.decide, objection.id, verdict, ACTOR)  # type: ignore[attr-defined]
    done = {
        "cement_lot_id": lot.id,
        "ordered_on": "2026-05-06",
        "finished_on": "2026-06-04",
        "outcome": "passed",
    }
    SERVICES["retests"].edit(retest.id, done, retest.version, ACTOR)
    early = {**verdict, "decided_on": "2026-06-03"}
    assert "decided_on" in problems(objections.decide, objection.id, early, ACTOR)  # type: ignore[attr-defined]
    assert objections.decide(objection.id, verdict, ACTOR).state == "decided"  # type: ignore[attr-defined]


def test_objection_is_raised_up_to_today_and_not_after_its_joint_sample() -> None:
    customer, lot = a_customer(), a_lot()
    objections: Any = SERVICES["objections"]
    given = {"customer_id": customer.id, "cement_lot_id": lot.id, "claim": "Weak"}
    mistyped = str(utc_now().year + 36)
    assert problems(objections.add, {**given, "raised_on": f"{mistyped}-05-04"}, ACTOR) == {
        "raised_on": f"{mistyped}-05-04"
    }
    objection = add("objections", **given, raised_on="2026-05-04")
    assert objection.code == "O26-0001"  # the number of the year that was meant
    sampled = {
        "sampled_on": "2026-05-05",
        "sampled_by": "Li Wei",
        "witnessed_by": "Gao Feng",
        "seal_number": "A-17",
        "sealed_until": "2026-08-05",
    }
    version = objections.sample(objection.id, sampled, ACTOR).version

    def raised(day: str) -> Any:
        return objections.edit(objection.id, {"raised_on": day, "claim": "Weak"}, version, ACTOR)

    with pytest.raises(
        Refused, match="lies after the joint sample was taken; accepted: a day up to 5 May 2026"
    ):
        raised("2026-05-06")
    assert raised("2026-05-05").raised_on.isoformat() == "2026-05-05"


def test_verdict_against_a_failed_retest_is_refused() -> None:
    customer, lot = a_customer(), a_lot()
    objections: Any = SERVICES["objections"]
    objection = add(
        "objections", customer_id=customer.id, cement_lot_id=lot.id, raised_on="2026-05-04", claim="Weak"
    )
    retest = add(
        "retests", cement_lot_id=lot.id, ordered_on="2026-05-06", finished_on="2026-06-04", outcome="failed"
    )
    sampled = {
        "sampled_on": "2026-05-05",
        "sampled_by": "Li Wei",
        "witnessed_by": "Gao Feng",
        "seal_number": "A-17",
        "sealed_until": "2026-08-05",
    }
    objections.sample(objection.id, sampled, ACTOR)
    objections.test(objection.id, {"retest_id": retest.id}, ACTOR)
    verdict = {"verdict": "rejected", "decided_on": "2026-06-05", "reason": "x"}
    assert "verdict" in problems(objections.decide, objection.id, verdict, ACTOR)


def a_retest(lot: Any, **more: Any) -> Any:
    done = {"ordered_on": "2026-05-06", "finished_on": "2026-06-04", "outcome": "passed", **more}
    return add("retests", cement_lot_id=lot.id, **done)


def every_change(record: str, row: Any, **values: Any) -> None:
    """Editing, taking out of use and back are each refused, and nothing of the row is another than before. Its page does not
    offer the first."""
    service = SERVICES[record]
    assert not service.changeable(service.get(row.id))
    for call, args in (
        (service.edit, (row.id, values, row.version, ACTOR)),
        (service.retire, (row.id, ACTOR)),
        (service.restore, (row.id, ACTOR)),
    ):
        with pytest.raises(Refused, match="fixed"):
            call(*args)
    assert service.get(row.id).version == row.version


def test_what_a_closed_complaint_rests_on_is_neither_changed_nor_taken_out_nor_brought_back() -> None:
    complaint, lot = a_complaint(), a_lot()
    named = add("complaint-lots", complaint_id=complaint.id, cement_lot_id=lot.id)
    retest = a_retest(lot, complaint_id=complaint.id)
    picture = add_photo(a_picture(), "wall.jpg", ACTOR, complaint_id=complaint.id)
    for record, row in (("complaint-lots", named), ("retests", retest), ("photos", picture)):
        assert SERVICES[record].changeable(row)
    to_state(complaint, "closed")
    assert not service.changeable(complaint)
    every_change("complaint-lots", named, complaint_id=complaint.id, cement_lot_id=lot.id, part="before")
    retested = {"cement_lot_id": lot.id, "ordered_on": "2026-05-06", "finished_on": "2026-06-04"}
    every_change("retests", retest, **retested, outcome="failed", complaint_id=complaint.id)
    every_change("photos", picture, caption="Another wall")
    # Nor by way of another complaint, into it or out of it.
    other = a_complaint(a_customer("K-2"))
    every_change("complaint-lots", named, complaint_id=other.id, cement_lot_id=lot.id)
    free = a_retest(lot)
    with pytest.raises(Refused, match="fixed"):
        SERVICES["retests"].edit(free.id, {**retested, "complaint_id": complaint.id}, free.version, ACTOR)
    with pytest.raises(Refused, match="fixed"):
        add_photo(a_picture(size=(70, 40)), "late.jpg", ACTOR, complaint_id=complaint.id)
    # The telephone that did not hear the answer sends again.
    assert add_photo(a_picture(), "wall.jpg", ACTOR, complaint_id=complaint.id).id == picture.id


def test_retest_by_which_an_objection_was_decided_is_fixed_and_another_is_not() -> None:
    customer, lot = a_customer(), a_lot()
    objections: Any = SERVICES["objections"]
    objection = add(
        "objections", customer_id=customer.id, cement_lot_id=lot.id, raised_on="2026-05-04", claim="Weak"
    )
    retest, other = a_retest(lot), a_retest(lot)
    sampled = {
        "sampled_on": "2026-05-05",
        "sampled_by": "Li Wei",
        "witnessed_by": "Gao Feng",
        "seal_number": "A-17",
        "sealed_until": "2026-08-05",
    }
    verdict = {"verdict": "rejected", "decided_on": "2026-06-05", "reason": "All values conform"}
    objections.sample(objection.id, sampled, ACTOR)
    SERVICES["retests"].retire(other.id, ACTOR)
    assert "retest_id" in problems(objections.test, objection.id, {"retest_id": other.id}, ACTOR)
    objections.test(objection.id, {"retest_id": retest.id}, ACTOR)
    SERVICES["retests"].retire(retest.id, ACTOR)
    assert "retest_id" in problems(objections.decide, objection.id, verdict, ACTOR)
    SERVICES["retests"].restore(retest.id, ACTOR)
    objections.decide(objection.id, verdict, ACTOR)
    values = {"cement_lot_id": lot.id, "ordered_on": "2026-05-06", "finished_on": "2026-06-04"}
    every_change("retests", SERVICES["retests"].get(retest.id), **values, outcome="failed")
    assert SERVICES["retests"].restore(other.id, ACTOR).retired_at is None


def test_lot_and_picture_that_are_there_again_are_not_brought_back_beside_themselves() -> None:
    complaint, lot = a_complaint(), a_lot()
    lots, photos = SERVICES["complaint-lots"], SERVICES["photos"]
    named = [lots.retire(add("complaint-lots", complaint_id=complaint.id, cement_lot_id=lot.id).id, ACTOR)]
    named.append(add("complaint-lots", complaint_id=complaint.id, cement_lot_id=lot.id))
    pictures = [add_photo(a_picture(), "a.jpg", ACTOR, complaint_id=complaint.id)]
    photos.retire(pictures[0].id, ACTOR)
    pictures.append(add_photo(a_picture(), "a.jpg", ACTOR, complaint_id=complaint.id))
    for rows, service in ((named, lots), (pictures, photos)):
        with pytest.raises(Refused, match="already"):
            service.restore(rows[0].id, ACTOR)
        service.retire(rows[1].id, ACTOR)
        assert service.restore(rows[0].id, ACTOR).retired_at is None
    assert len(ComplaintService().lots(complaint)) == 1
