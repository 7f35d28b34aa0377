"""What two people do in the same moment, or one with a double click."""

from __future__ import annotations

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User

from lims.aftersales.models import VisitPlan
from lims.aftersales.visits import VisitPlanService
from lims.base.database import current_session, transaction
from lims.base.display import local_today
from lims.base.preferences import choose, value_of
from lims.base.problems import Refused
from lims.base.services import SERVICES
from tests.at_once import at_once
from tests.factories import ACTOR, a_customer

pytestmark = pytest.mark.usefixtures("records_on_both")


def test_proposed_visits_are_planned_once_by_a_double_click(records_on_both: Flask) -> None:
    customer = a_customer(status="prospect")
    month, ids = local_today(), [customer.id]

    def plan() -> int:
        return VisitPlanService().plan_proposed(month, ids, ACTOR)

    assert sorted(at_once(records_on_both, customer, plan, plan)) == [0, 1]
    assert current_session().query(VisitPlan).count() == 1


def test_two_visits_at_once_do_one_plan_and_both_are_kept(records_on_both: Flask) -> None:
    customer_id = a_customer().id
    day = str(local_today())
    plan = SERVICES["visit-plans"].add(
        {"customer_id": customer_id, "planned_on": day, "purpose": "monthly"}, ACTOR
    )

    def visit() -> int:
        values = {"customer_id": customer_id, "visited_on": day, "purpose": "monthly"}
        found: int = SERVICES["visits"].add(values, ACTOR).id
        return found

    told = at_once(records_on_both, plan, visit, visit)
    assert sorted(told) == [1, 2]
    assert SERVICES["visit-plans"].get(plan.id).visit_id in told


def test_site_that_moves_to_another_customer_while_a_visit_names_it_is_of_the_visit_s_customer(
    records_on_both: Flask,
) -> None:
    here, there = a_customer(), a_customer("K-2")
    sites, visits = SERVICES["sites"], SERVICES["visits"]
    site = sites.add({"code": "S-1", "name": "Bridge", "customer_id": here.id}, ACTOR)
    moved = {"code": "S-1", "name": "Bridge", "customer_id": there.id}
    visit = {"customer_id": here.id, "site_id": site.id, "visited_on": str(local_today()), "purpose": "x"}
    told = at_once(
        records_on_both,
        site,
        lambda: sites.edit(site.id, moved, site.version, ACTOR),
        lambda: visits.add(visit, ACTOR),
    )
    assert [isinstance(came, Refused) for came in told] in ([True, False], [False, True])


def test_customer_names_no_dealer_that_ceases_to_be_one_in_the_same_moment(records_on_both: Flask) -> None:
    customers = SERVICES["customers"]
    dealer, customer = a_customer("D-1", kind="dealer"), a_customer()
    no_dealer = {"code": "D-1", "name": dealer.name, "kind": "precast"}
    names_it = {"code": customer.code, "name": customer.name, "dealer_id": dealer.id}
    told = at_once(
        records_on_both,
        dealer,
        lambda: customers.edit(dealer.id, no_dealer, dealer.version, ACTOR),
        lambda: customers.edit(customer.id, names_it, customer.version, ACTOR),
    )
    assert [isinstance(came, Refused) for came in told] in ([True, False], [False, True])


def test_choice_that_is_made_by_a_double_click_is_kept_once(records_on_both: Flask) -> None:
    with transaction(ACTOR) as session:
        user = User(username="li", first_name="Li", last_name="Wei", email="li@example.com", active=True)
        user.created_by_fk = user.changed_by_fk = None
        session.add(user)

    def choose_chinese() -> str:
        return choose(user.id, "language", "", "", "zh", ACTOR).kind

    assert at_once(records_on_both, user, choose_chinese, choose_chinese) == ["language", "language"]
    assert value_of(user.id, "language") == "zh"
