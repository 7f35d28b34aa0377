"""Visits planned from the last ones, done by visits; figures and scores that count what is there."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import g
from flask_appbuilder.security.sqla.models import Permission, PermissionView, Role, User, ViewMenu

from lims.aftersales import figures
from lims.aftersales.advice import Situation, matching_cards, similar_complaints, situation_of_complaint
from lims.aftersales.complaints import ComplaintService
from lims.aftersales.models import Visit
from lims.aftersales.service import ServiceSettingsService
from lims.aftersales.shipped import RULES, ship
from lims.aftersales.visits import VisitPlanService, workday
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_time
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.materials.models import CementLot
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from tests.factories import ACTOR, a_batch, a_customer, a_forecast, a_mix, a_trial

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


def test_plan_of_a_customer_is_open_again_when_its_visit_was_another_customers_or_none() -> None:
    ours, theirs = a_customer("K-1"), a_customer("K-2")
    plans, visits = SERVICES["visit-plans"], SERVICES["visits"]
    plan, of_theirs = (
        add("visit-plans", customer_id=customer.id, planned_on=str(today()), purpose="monthly")
        for customer in (ours, theirs)
    )

    def done() -> tuple[int | None, int | None]:
        current_session().expire_all()
        return plans.get(plan.id).visit_id, plans.get(of_theirs.id).visit_id

    values = {"customer_id": ours.id, "visited_on": str(today()), "purpose": "monthly"}
    visit = visits.add(values, ACTOR)
    assert done() == (visit.id, None)
    visit = visits.edit(visit.id, {**values, "customer_id": theirs.id}, visit.version, ACTOR)
    assert done() == (None, visit.id)
    visits.retire(visit.id, ACTOR)
    assert done() == (None, None)
    visits.restore(visit.id, ACTOR)
    assert done() == (None, visit.id)
    visits.restore(visit.id, ACTOR)
    assert done() == (None, visit.id)


def test_visit_that_is_corrected_does_not_do_the_plan_of_the_next_one() -> None:
    customer = a_customer()
    values = {"customer_id": customer.id, "visited_on": str(today()), "purpose": "monthly"}
    visit = SERVICES["visits"].add(values, ACTOR)
    plan = add(
        "visit-plans", customer_id=customer.id, planned_on=str(today() + timedelta(days=14)), purpose="x"
    )
    SERVICES["visits"].edit(visit.id, {**values, "findings": "Dry"}, visit.version, ACTOR)
    assert SERVICES["visit-plans"].get(plan.id).visit_id is None


def test_customer_whose_visit_moved_over_the_end_of_the_month_is_planned_once() -> None:
    """Due on the weekend at the end of the month: planned for the Monday of the next one."""
    month = today().replace(day=1)
    while (last_day := (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)).weekday() < 5 or (
        month < today()
    ):
        month = last_day + timedelta(days=1)
    customer = a_customer(status="active")
    visited = last_day - timedelta(days=30)  # it may lie ahead of the clock of this run
    add_row(Visit(customer_id=customer.id, visited_on=visited, purpose="monthly"))
    service = VisitPlanService()
    assert [service.plan_proposed(month, [customer.id], ACTOR) for _click in range(2)] == [1, 0]
    assert service.page().items[0].planned_on == workday(last_day) > last_day


def test_plan_of_a_customer_whose_person_has_left_is_made_and_is_nobodys_yet() -> None:
    gone, stays = a_person("gone"), a_person("stays")
    orphan, kept = a_customer("K-GONE", owner_id=gone), a_customer("K-STAYS", owner_id=stays)
    with transaction(ACTOR) as session:
        session.get_one(User, gone).active = False
    g.pop("lims_staff")  # of the request that made the customers
    assert VisitPlanService().plan_proposed(today(), [orphan.id, kept.id], ACTOR) == 2
    plans = SERVICES["visit-plans"].page().items
    assert {plan.customer_id: plan.user_id for plan in plans} == {orphan.id: None, kept.id: stays}


def test_call_back_mark_and_outcome_are_of_days_that_have_been() -> None:
    """A call-back of next year would leave the list of those that wait; an outcome of then closes no complaint now."""
    customer, tomorrow = a_customer(), str(today() + timedelta(days=1))
    visit = {"customer_id": customer.id, "visited_on": str(today()), "purpose": "x"}
    lot = add("cement-lots", code="L-1", cement_product_id=add("cement-products", code="P", name="P").id)
    marks = dict.fromkeys(("quality", "steadiness", "delivery", "service"), 4)
    for record, values, field in (
        ("visits", {**visit, "followed_up_on": tomorrow}, "followed_up_on"),
        ("visits", {**visit, "followed_up_on": str(today() - timedelta(days=1))}, "followed_up_on"),
        ("surveys", {"customer_id": customer.id, "answered_on": tomorrow, **marks}, "answered_on"),
        (
            "retests",
            {
                "cement_lot_id": lot.id,
                "ordered_on": str(today()),
                "finished_on": tomorrow,
                "outcome": "passed",
            },
            "finished_on",
        ),
    ):
        with pytest.raises(Refused, match=r"future|before the visit") as refusal:
            add(record, **values)
        assert [problem.field for problem in refusal.value.problems] == [field]
    add("visits", **visit, followed_up_on=str(today()))


def test_weekend_moves_to_monday() -> None:
    assert (
        workday(date(2026, 5, 9))
        == workday(date(2026, 5, 10))
        == workday(date(2026, 5, 11))
        == date(2026, 5, 11)
    )


def test_visit_is_proposed_for_no_holiday_and_for_a_saturday_that_is_worked() -> None:
    named = {date(2026, 10, day): False for day in range(1, 9)} | {date(2026, 10, 10): True}
    assert workday(date(2026, 10, 3), named) == date(2026, 10, 9)
    assert workday(date(2026, 10, 10), named) == date(2026, 10, 10)
    a_customer("K-NEW", status="prospect")
    add("holidays", day=str(workday(today())), name="Day of the works")
    (_customer, day, _last), *_others = VisitPlanService().propose(today())
    assert day == workday(workday(today()) + timedelta(days=1))


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


def test_visits_of_a_month_are_those_of_its_days_and_a_plan_is_overdue_once_its_day_is_over() -> None:
    days = ("2025-03-31", "2025-04-01", "2025-04-30", "2025-05-01")
    planned, visited = a_customer("K-PLANNED"), a_customer("K-VISITED")
    for day in days:
        add("visits", customer_id=visited.id, visited_on=day, purpose="x")
        add("visit-plans", customer_id=planned.id, planned_on=day, purpose="x")
    add("visit-plans", customer_id=planned.id, planned_on=str(today()), purpose="x")
    assert figures.visits_of_month(date(2025, 4, 15)) == {"overdue": 2, "made": 2}
    assert figures.visits_of_month(today()) == {"planned": 1, "made": 0}


@pytest.mark.parametrize(
    ("case", "cards"),
    [
        ({"temperature_c": Decimal(30)}, {"use-04", "use-06"}),
        ({"temperature_c": Decimal("29.9")}, set()),
        ({"temperature_c": Decimal("4.9")}, {"use-05"}),
        ({"temperature_c": Decimal(5)}, set()),
        ({"slump_mm": Decimal(181), "slump_planned_mm": Decimal(150)}, {"use-09"}),
        ({"slump_mm": Decimal(180), "slump_planned_mm": Decimal(150)}, set()),
        ({"water_used_kg_m3": Decimal(175), "water_planned_kg_m3": Decimal(175)}, set()),
        ({"lots": [CementLot(code="L-1", produced_on=date(2026, 4, 1))]}, set()),
        ({"lots": [CementLot(code="L-1", produced_on=date(2026, 3, 31))]}, {"use-02"}),
        (
            {"lots": [CementLot(code="L-1", produced_on=date(2026, 3, 31), retested_on=date(2026, 7, 2))]},
            {"use-02"},  # what was complained of was used before it was tested again
        ),
    ],
)
def test_card_comes_up_from_its_limit_on(case: dict[str, Any], cards: set[str]) -> None:
    ship(ACTOR)
    assert set(rules_for(Situation(day=date(2026, 7, 1), **case))) == cards


def test_customers_won_and_lost_by_month_with_reasons() -> None:
    customer = a_customer(status="trial")
    for status, more in (("active", {}), ("lapsed", {"lapse_reason": "price"})):
        row = SERVICES["customers"].get(customer.id)
        SERVICES["customers"].edit(
            row.id, {"code": row.code, "name": row.name, "status": status, **more}, row.version, ACTOR
        )
    a_customer("K-OLD", status="active")  # was one before anybody entered it
    months, reasons = figures.won_and_lost(today())
    assert len(months) == 12
    assert months[-1][1:] == (1, 1)
    assert reasons == {"price": 1}


def test_score_weighs_the_measures_that_have_a_case() -> None:
    good, idle = a_person("good"), a_person("idle")
    with transaction(ACTOR) as session:
        right = PermissionView(permission=Permission(name="can_read"), view_menu=ViewMenu(name="complaints"))
        session.get_one(User, good).roles = [Role(name="Handler", permissions=[right])]
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
    add("visit-plans", customer_id=customer.id, planned_on=str(today()), user_id=good, purpose="x")
    assert figures.scores(utc_now() - timedelta(days=30))[0] == score  # the day of this plan is not over
    assert score.total == 85  # 40 x 100 + 30 x 50 + 30 x 100, of 100
    mistaken = {"customer_id": customer.id, "visited_on": str(today()), "purpose": "x", "user_id": good}
    SERVICES["visits"].retire(add("visits", **mistaken, satisfaction="1").id, ACTOR)
    assert figures.scores(utc_now() - timedelta(days=30))[0].satisfaction == 100
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


def test_retest_that_came_after_the_complaint_does_not_make_the_lot_younger_then() -> None:
    ship(ACTOR)
    lot = CementLot(code="L-9", produced_on=date(2026, 3, 1), retested_on=date(2026, 7, 5))
    assert rules_for(Situation(day=date(2026, 7, 1), lots=[lot])) == {
        "use-02": ("Lot L-9 was 122 days old.",)
    }
    assert rules_for(Situation(day=date(2026, 7, 5), lots=[lot])) == {}


def test_scale_of_a_usage_card_out_of_use_brings_no_advice() -> None:
    customer = a_customer()
    cement = add("cement-products", code="P", name="P")
    card = add(
        "usage-cards",
        customer_id=customer.id,
        cement_product_id=cement.id,
        recorded_on=str(today()),
        purpose="x",
    )
    weighed = {"scale": "Cement", "shown_kg": "100", "true_kg": "50"}
    add("scale-checks", usage_card_id=card.id, checked_on=str(today()), **weighed)
    complaint = add("complaints", customer_id=customer.id, subject="Bricks")
    assert [check.wrong for check in situation_of_complaint(complaint, [], []).scale_checks or ()] == [True]
    SERVICES["usage-cards"].retire(card.id, ACTOR)
    assert situation_of_complaint(complaint, [], []).scale_checks == []


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


def test_past_cases_are_found_by_what_was_said_in_them_however_many_came_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The newest two are all that may be read without the index; the old case is found by its words."""
    monkeypatch.setattr("lims.aftersales.advice.SIMILAR_READ", 2)
    customer, service = a_customer(), ComplaintService()

    def solved(subject: str, story: str) -> Any:
        made = add("complaints", customer_id=customer.id, subject=subject, description=story)
        service.answer(made.id, {"answer": "x"}, ACTOR)
        service.solve(made.id, {"remedy": "x"}, ACTOR)
        return made

    old = solved("Bricks", "Electronic scale delivered half of the cement: 免烧砖四十八小时不凝固")
    for number in range(4):
        solved(f"Invoice {number}", "Wrong address on the bill")
    asked = add(
        "complaints", customer_id=customer.id, subject="Pavers", description="Is the electronic scale wrong?"
    )
    assert similar_complaints(asked)[0][0].id == old.id
    chinese = add("complaints", customer_id=customer.id, subject="砖", description="四十八小时还不凝固")
    assert similar_complaints(chinese)[0][0].id == old.id
    again = service.edit(
        asked.id, {"subject": "Pavers", "description": "zzzz qqqq"}, service.get(asked.id).version, ACTOR
    )
    assert similar_complaints(again) == []


def test_complaints_are_found_in_their_list_by_story_and_cause_and_category() -> None:
    customer, service = a_customer(), ComplaintService()
    told = add(
        "complaints",
        customer_id=customer.id,
        subject="Bricks",
        description="Electronic scale never calibrated",
        category="slow_setting",
    )
    add("complaints", customer_id=customer.id, subject="Electronic invoice", category="other")
    service.note_findings(told.id, {"cause": "It weighs half"}, ACTOR)
    for words in ("electronic scale", "weighs half"):
        assert [item.id for item in service.page(search=words).items] == [told.id], words
    found = service.page(search="electronic", filters={"category": "slow_setting"}).items
    assert [item.id for item in found] == [told.id]


def add_row(row: Any) -> Any:
    with transaction(ACTOR) as session:
        session.add(row)
    return row


def say_of(mix: Any, median: str, low: str, high: str) -> None:
    a_forecast(mix.id, strength_mpa=Decimal(median), lower_90_mpa=Decimal(low), upper_90_mpa=Decimal(high))


def test_forecasts_of_new_customers_are_held_against_released_results_alone() -> None:
    since = utc_now() - timedelta(days=30)
    trial_customer = a_customer("K-TRIAL", status="trial")
    prospect = a_customer("K-PROSPECT")
    said = {
        "A": ("30", "25", "35"),
        "B": ("50", "45", "55"),
        "C": ("30", "25", "35"),
        "D": ("30", "25", "35"),
    }
    sets, mixes = {}, {}
    for name, (median, low, high) in said.items():
        mix = a_mix(name)
        customer = prospect if name == "D" else trial_customer
        batch = a_batch(
            mix=mix,
            plan_ages="28",
            trial_id=a_trial(customer_id=customer.id).id,
            cast_at=(utc_now() - timedelta(days=29)).isoformat(),
        )
        say_of(mix, median, low, high)
        sets[name], mixes[name] = batch.sets[0], mix
    for name, mpa in (("A", 33.0), ("B", 40.0), ("C", 30.0), ("D", 30.0)):
        entry = {
            "loads_kn": [f"{mpa * 22.5:.1f}"] * 3,
            "tested_at": (utc_now() - timedelta(days=1)).isoformat(),
            "tested_by": "Li Wei",
        }
        record_set(sets[name].id, SetBreaksIn.read(entry), ACTOR)
        if name != "C":
            verify(sets[name].id, system_actor("checker"))
            release(sets[name].id, system_actor("checker"))
    for name, mix in mixes.items():  # what is said afterwards knew the result
        median, low, high = said[name]
        say_of(mix, f"9{median}", low, high)
    # One that is broken as cylinders beside: a forecast of cubes is not held against it.
    cylinders = a_batch(
        mix=mixes["A"],
        plan_ages="28",
        shape="cylinder",
        trial_id=a_trial(customer_id=trial_customer.id).id,
        cast_at=(utc_now() - timedelta(days=29)).isoformat(),
    ).sets[0]
    broken_at = (utc_now() - timedelta(days=1)).isoformat()
    record_set(
        cylinders.id,
        SetBreaksIn.read({"loads_kn": ["353"] * 3, "tested_at": broken_at, "tested_by": "Li Wei"}),
        ACTOR,
    )
    verify(cylinders.id, system_actor("checker"))
    release(cylinders.id, system_actor("checker"))
    told = figures.forecasts_of_new_customers(since)
    assert [(row.mix, row.said, row.n) for row in told] == [
        ("A", Decimal(30), 1),
        ("B", Decimal(50), 1),
        ("C", Decimal(30), 0),
    ]
    found = figures.accuracy(told)
    assert (found.n, found.inside, found.banded, found.inside_percent) == (2, 1, 2, 50)
    assert found.signed_percent is not None
    assert found.mape_percent is not None
    assert round(found.signed_percent, 2) == Decimal("7.95")  # -9.09 and +25
    assert round(found.mape_percent, 2) == Decimal("17.05")
    assert figures.forecasts_of_new_customers(utc_now() + timedelta(days=1)) == []
    assert figures.accuracy([]) == figures.Accuracy(0, None, None, 0, 0)


@pytest.mark.parametrize("record", ["surveys", "staff-surveys"])
def test_survey_that_nobody_can_have_answered_yet_is_refused(record: str) -> None:
    asked = ("quality", "steadiness", "delivery", "service")
    given: dict[str, Any] = {"customer_id": a_customer().id, **dict.fromkeys(asked, 5)}
    if record == "staff-surveys":
        asked = ("workload", "support", "training", "recognition")
        given = {"department": "Laboratory", **dict.fromkeys(asked, 5)}
    with pytest.raises(Refused, match="lies in the future"):
        add(record, **given, answered_on=str(today() + timedelta(days=1)))
    assert add(record, **given, answered_on=str(today())).mean_score == 5
