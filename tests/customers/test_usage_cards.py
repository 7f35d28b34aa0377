"""Usage cards: what a scale delivered of what it showed, the checklist of a first use, followed until normal."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lims.base.display import local_today
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.customers.service import UsageCardService, UsageTaskService
from tests.factories import ACTOR, a_customer

pytestmark = pytest.mark.usefixtures("records")


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def a_card(customer: Any = None, **more: Any) -> Any:
    customer = customer or a_customer()
    cement = SERVICES["cement-products"].find(code="PC325R") or add(
        "cement-products", code="PC325R", name="P.C 32.5R", strength_class="32.5R"
    )
    return add(
        "usage-cards",
        customer_id=customer.id,
        cement_product_id=cement.id,
        recorded_on="2026-05-04",
        purpose="Unfired bricks",
        **more,
    )


def a_check(card: Any, shown: str, true: str, day: str = "2026-05-05", scale: str = "Cement scale") -> Any:
    return add(
        "scale-checks", usage_card_id=card.id, checked_on=day, scale=scale, shown_kg=shown, true_kg=true
    )


def tasks(card: Any) -> dict[str, Any]:
    return {
        task.kind: task for task in SERVICES["usage-tasks"].page(filters={"usage_card_id": card.id}).items
    }


def test_a_scale_that_delivers_half_of_what_it_shows_is_flagged() -> None:
    check = a_check(a_card(), "100", "50")
    assert check.delivered_percent == Decimal("50.0")
    assert check.error_percent == Decimal("100.0")
    assert check.wrong


@pytest.mark.parametrize(
    ("true", "wrong"),
    [
        ("100", False),
        ("98.1", False),
        ("98.04", False),
        ("98", True),  # 2.04 %, which reads as 2.0 %
        ("97.9", True),
        ("102.1", True),
        ("0", True),
    ],
)
def test_error_is_shown_less_true_of_the_true(true: str, wrong: bool) -> None:
    assert a_check(a_card(), "100", true).wrong is wrong


def test_dosage_is_shown_in_bags_of_fifty_kilograms() -> None:
    assert a_card(dosage_kg_m3="350").bags_per_m3 == Decimal("7.0")
    assert a_card(a_customer("K-2"), dosage_kg_m3="400").bags_per_m3 == Decimal("8.0")


def test_the_first_card_of_a_customer_opens_the_checklist_and_a_second_one_does_not() -> None:
    customer = a_customer()
    first, second = a_card(customer), a_card(customer)
    assert list(tasks(first)) == ["scale", "first_batch", "strengths"]
    assert first.followed_until_normal
    assert tasks(second) == {}
    assert not second.followed_until_normal


def test_scale_is_ticked_off_only_after_a_check_within_the_limit() -> None:
    card = a_card()
    finish = UsageTaskService().finish
    scale = tasks(card)["scale"].id
    with pytest.raises(Refused, match="check of the scale"):
        finish(scale, {"done_on": "2026-05-05"}, ACTOR)
    a_check(card, "100", "50")
    with pytest.raises(Refused, match="check of the scale"):
        finish(scale, {"done_on": "2026-05-05"}, ACTOR)
    a_check(card, "100", "99.5", "2026-05-06")
    assert finish(scale, {"done_on": "2026-05-06"}, ACTOR).done_by == "test"


def test_scale_that_is_wrong_is_the_one_that_the_refused_step_names() -> None:
    card = a_card()
    a_check(card, "100", "100", scale="Water scale")
    a_check(card, "100", "50")
    with pytest.raises(Refused) as refusal:
        UsageTaskService().finish(tasks(card)["scale"].id, {"done_on": "2026-05-06"}, ACTOR)
    assert [problem.value for problem in refusal.value.problems] == ["2026-05-05 Cement scale"]


def test_what_was_seen_or_done_lies_not_in_the_future() -> None:
    """A check of next year would be the last one of its scale until then."""
    card, day = a_card(), str(local_today() + timedelta(days=1))
    of_card = {"usage_card_id": card.id}
    for call, field in (
        (lambda: a_check(card, "100", "50", day), "checked_on"),
        (lambda: add("usage-notes", **of_card, noted_on=day, seen="Dry"), "noted_on"),
        (lambda: add("visits", customer_id=card.customer_id, visited_on=day, purpose="x"), "visited_on"),
        (
            lambda: UsageTaskService().finish(tasks(card)["first_batch"].id, {"done_on": day}, ACTOR),
            "done_on",
        ),
        (lambda: UsageCardService().confirm_normal(card.id, {"normal_since": day}, ACTOR), "normal_since"),
    ):
        with pytest.raises(Refused, match="future") as refusal:
            call()
        assert [problem.field for problem in refusal.value.problems] == [field]


def test_card_stock_competitor_survey_and_objection_are_of_days_that_have_been() -> None:
    """An objection would be numbered in the year that was typed, a competitor's share be the latest word until then."""
    customer, region = a_customer(), add("regions", code="R-1", name="West")
    cement = {"cement_product_id": a_card(customer).cement_product_id}
    of_customer = {"customer_id": customer.id}
    site, lot = add("sites", code="S-1", name="Yard", **of_customer), add("cement-lots", code="L-1", **cement)
    marks = dict.fromkeys(("workload", "support", "training", "recognition"), 3)
    today, tomorrow = (str(local_today() + timedelta(days=days)) for days in (0, 1))
    for record, field, values in (
        ("usage-cards", "recorded_on", {**of_customer, **cement, "purpose": "Bricks"}),
        ("site-stocks", "counted_on", {"site_id": site.id, **cement, "stock_t": "40"}),
        ("competitors", "seen_on", {"region_id": region.id, "name": "Other works"}),
        ("staff-surveys", "answered_on", {"department": "Sales", **marks}),
        ("objections", "raised_on", {**of_customer, "cement_lot_id": lot.id, "claim": "Weak"}),
    ):
        with pytest.raises(Refused, match="future") as refusal:
            add(record, **values, **{field: tomorrow})
        assert [problem.field for problem in refusal.value.problems] == [field]
        assert add(record, **values, **{field: today}).id


def test_use_is_normal_when_every_step_is_done_and_the_last_follow_up_says_so() -> None:
    card = a_card()
    service = UsageCardService()
    with pytest.raises(Refused) as refusal:
        service.confirm_normal(card.id, {"normal_since": "2026-05-10"}, ACTOR)
    assert {p.field for p in refusal.value.problems} == {"scale", "first_batch", "strengths", "follow_up"}
    a_check(card, "100", "100")
    for task in tasks(card).values():
        UsageTaskService().finish(task.id, {"done_on": "2026-05-08"}, ACTOR)
    add("usage-notes", usage_card_id=card.id, noted_on="2026-05-08", seen="Bricks crumble", normal=False)
    with pytest.raises(Refused, match="normal"):
        service.confirm_normal(card.id, {"normal_since": "2026-05-10"}, ACTOR)
    add("usage-notes", usage_card_id=card.id, noted_on="2026-05-09", seen="Set within a day", normal=True)
    with pytest.raises(Refused, match="before the last follow-up"):
        service.confirm_normal(card.id, {"normal_since": "2026-05-01"}, ACTOR)
    assert not service.confirm_normal(card.id, {"normal_since": "2026-05-10"}, ACTOR).followed_until_normal


def test_stock_lasts_for_the_days_that_its_use_leaves() -> None:
    customer = a_customer()
    site = add("sites", code="S-1", name="Yard", customer_id=customer.id)
    cement = add("cement-products", code="PO425", name="P.O 42.5")
    stock = add(
        "site-stocks",
        site_id=site.id,
        cement_product_id=cement.id,
        counted_on="2026-05-04",
        stock_t="18",
        daily_use_t="6",
    )
    assert stock.lasts_days == Decimal("3.0")


def test_lapsed_customer_needs_a_reason_and_the_step_is_kept() -> None:
    customer = a_customer(status="active")
    values = {"code": customer.code, "name": customer.name, "status": "lapsed"}
    with pytest.raises(Refused, match="reason"):
        SERVICES["customers"].edit(customer.id, values, customer.version, ACTOR)
    SERVICES["customers"].edit(customer.id, {**values, "lapse_reason": "strength"}, customer.version, ACTOR)
    steps = SERVICES["stage-changes"].page(filters={"customer_id": customer.id}, order="created_at").items
    assert [(step.before, step.after, step.reason) for step in steps] == [
        ("", "active", None),
        ("active", "lapsed", "strength"),
    ]


def test_dealer_is_a_customer_of_that_kind() -> None:
    plain, dealer = a_customer("K-1"), a_customer("K-2", kind="dealer")
    with pytest.raises(Refused, match="dealer"):
        a_customer("K-3", dealer_id=plain.id)
    assert a_customer("K-4", dealer_id=dealer.id).dealer.code == "K-2"
