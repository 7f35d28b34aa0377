"""Visits planned from the last ones, done by visits; figures and scores that count what is there."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask_appbuilder.security.sqla.models import User

from lims.aftersales import figures
from lims.aftersales.advice import Situation, matching_cards, similar_complaints
from lims.aftersales.service import ComplaintService, ServiceSettingsService, VisitPlanService, workday
from lims.aftersales.shipped import RULES, ship
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.display import local_time
from lims.base.services import SERVICES
from lims.materials.models import CementLot
from tests.factories import ACTOR, a_customer

pytestmark = pytest.mark.usefixtures("records")


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def today() -> date:
    return local_time(utc_now()).date()


def a_person(name: str) -> int:
    with transaction(ACTOR) as session:
        user = User(
            username=name,
            first_name=name,
            last_name="X",
            email=f"{name}@example.com",
            active=True,
            password="x",
        )
        user.created_by_fk = user.changed_by_fk = None
        session.add(user)
        session.flush()
    return int(user.id)


def test_due_visits_follow_the_last_visit_by_the_stage_and_never_visited_come_first() -> None:
    new = a_customer("K-NEW", status="prospect")
    trial = a_customer("K-TRIAL", status="trial")
    active = a_customer("K-ACTIVE", status="active")
    for customer in (trial, active):
        add(
            "visits", customer_id=customer.id, visited_on=str(today() - timedelta(days=20)), purpose="monthly"
        )
    far = today() + timedelta(days=300)
    assert next(c.code for c, _day, _last in VisitPlanService().propose(far)) == "K-NEW"
    proposed = {c.code: day for c, day, _last in VisitPlanService().propose(today())}
    assert proposed["K-NEW"] == workday(today())
    assert proposed["K-TRIAL"] == workday(today())  # 14 days after the last visit lie behind us
    due = today() - timedelta(days=20) + timedelta(days=30)
    assert ("K-ACTIVE" in proposed) == (due.month == today().month)
    assert new.id


def test_planned_customers_are_proposed_no_more_and_a_visit_does_the_plan() -> None:
    customer = a_customer(status="prospect")
    service = VisitPlanService()
    assert service.plan_proposed(today(), [customer.id], ACTOR) == 1
    assert service.propose(today()) == []
    assert service.plan_proposed(today(), [customer.id], ACTOR) == 0
    visit = add("visits", customer_id=customer.id, visited_on=str(today()), purpose="monthly")
    plan = service.page().items[0]
    assert (plan.state, plan.visit_id) == ("done", visit.id)


def test_weekend_moves_to_monday() -> None:
    assert (
        workday(date(2026, 5, 9))
        == workday(date(2026, 5, 10))
        == workday(date(2026, 5, 11))
        == date(2026, 5, 11)
    )


def test_clocks_kept_satisfaction_and_visits_are_counted() -> None:
    customer = a_customer()
    service = ComplaintService()
    for minutes in (10, 20, 90):
        complaint = add(
            "complaints",
            customer_id=customer.id,
            subject="Cracks",
            received_at=(utc_now() - timedelta(hours=3)).isoformat(),
        )
        when = complaint.received_at + timedelta(minutes=minutes)
        service.answer(complaint.id, {"answer": "x", "at": when.isoformat()}, ACTOR)
    found = figures.clocks_kept(figures.complaints_since(utc_now() - timedelta(days=1)))
    assert (found["answer"].counts["kept"], found["answer"].counts["missed"], found["answer"].percent) == (
        2,
        1,
        67,
    )
    assert found["on_site"].percent is None
    add("visits", customer_id=customer.id, visited_on=str(today()), purpose="x", satisfaction="4")
    add(
        "surveys",
        customer_id=customer.id,
        answered_on=str(today()),
        quality=5,
        steadiness=5,
        delivery=5,
        service=3,
    )
    assert figures.satisfaction_since(today()) == (Decimal("4.25"), 2)
    assert figures.visits_of_month(today())["made"] == 1


def test_customers_won_and_lost_by_month_with_reasons() -> None:
    customer = a_customer(status="trial")
    for status, more in (("active", {}), ("lapsed", {"lapse_reason": "price"})):
        row = SERVICES["customers"].get(customer.id)
        SERVICES["customers"].edit(
            row.id, {"code": row.code, "name": row.name, "status": status, **more}, row.version, ACTOR
        )
    months, reasons = figures.won_and_lost(today())
    assert len(months) == 12
    assert months[-1][1:] == (1, 1)
    assert reasons == {"price": 1}


def test_score_weighs_the_measures_that_have_a_case() -> None:
    good, idle = a_person("good"), a_person("idle")
    customer = a_customer()
    service = ComplaintService()
    complaint = add("complaints", customer_id=customer.id, subject="Cracks", owner_id=good)
    service.answer(complaint.id, {"answer": "x"}, ACTOR)
    for days in (3, 5):
        add(
            "visit-plans",
            customer_id=customer.id,
            planned_on=str(today() - timedelta(days=days)),
            user_id=good,
            purpose="x",
        )
    add(
        "visits", customer_id=customer.id, visited_on=str(today() - timedelta(days=3)), user_id=good, purpose="x",
        satisfaction="5",
    )  # fmt: skip
    score = figures.scores(utc_now() - timedelta(days=30))[0]
    assert (score.user_id, score.clocks, score.visits, score.satisfaction) == (good, 100, 50, 100)
    assert score.total == 85  # 40 x 100 + 30 x 50 + 30 x 100, of 100
    ServiceSettingsService().save({"weight_clocks": 0, "weight_visits": 100, "weight_satisfaction": 0}, ACTOR)
    assert figures.scores(utc_now() - timedelta(days=30))[0].total == 50
    assert idle not in {s.user_id for s in figures.scores(utc_now() - timedelta(days=30))}


def test_every_rule_of_use_is_shipped_in_three_languages() -> None:
    ship(ACTOR)
    cards = SERVICES["advice-cards"].page(size=200).items
    assert len([rule for rule in RULES if rule.name.startswith("use-") and rule.name[4:].isdigit()]) == 14
    for rule in RULES:
        assert {card.language for card in cards if card.rule == rule.name} == {"en", "zh", "zh_TW"}


def rules_for(case: Situation, category: str = "") -> dict[str, tuple[str, ...]]:
    return {match.card.rule or "": match.reasons for match in matching_cards(case, category=category)}


def test_cards_come_up_with_the_fact_that_brought_them() -> None:
    ship(ACTOR)
    day = date(2026, 7, 1)
    old = CementLot(code="L-9", produced_on=date(2026, 3, 1))
    young = CementLot(code="L-8", produced_on=date(2026, 6, 1))
    assert rules_for(Situation(day=day)) == {}
    assert rules_for(Situation(day=day, lots=[young])) == {}
    assert rules_for(Situation(day=day, lots=[old])) == {"use-02": ("Lot L-9 was 122 days old.",)}
    water = Situation(day=day, water_used_kg_m3=Decimal(210), water_planned_kg_m3=Decimal(175))
    assert rules_for(water)["use-09"] == ("210 kg/m³ of water instead of 175.",)
    assert set(rules_for(Situation(day=day, temperature_c=Decimal(34)))) == {"use-04", "use-06"}
    assert set(rules_for(Situation(day=day, temperature_c=Decimal(2)))) == {"use-05"}
    assert set(rules_for(Situation(day=day, temperature_c=Decimal(15)))) == set()
    assert "use-14" in rules_for(Situation(day=day, scale_checks=[]))


def test_cards_of_the_category_come_with_it() -> None:
    ship(ACTOR)
    found = rules_for(Situation(day=date(2026, 7, 1)), "rebound")
    assert set(found) == {"use-07", "use-shotcrete"}


def test_past_cases_like_this_one_come_first() -> None:
    customer = a_customer()
    service = ComplaintService()

    def solved(subject: str, category: str) -> Any:
        made = add("complaints", customer_id=customer.id, subject=subject, category=category)
        service.answer(made.id, {"answer": "x"}, ACTOR)
        service.solve(made.id, {"remedy": "x"}, ACTOR)
        return made

    alike = solved("Shotcrete falls off the wall", "rebound")
    same_kind = solved("喷浆掉落严重", "rebound")
    solved("Bags torn at unloading", "other")
    still_open = add(
        "complaints", customer_id=customer.id, subject="Shotcrete falls off too", category="rebound"
    )
    asked = add(
        "complaints", customer_id=customer.id, subject="Shotcrete falls off again", category="rebound"
    )
    found = [other.id for other, _percent in similar_complaints(asked)]
    assert found == [alike.id, same_kind.id]
    assert still_open.id not in found
    chinese = add("complaints", customer_id=customer.id, subject="喷浆掉落", category="other")
    assert similar_complaints(chinese)[0][0].id == same_kind.id
