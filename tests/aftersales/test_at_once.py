"""What two people do in the same moment, or one with a double click."""

from __future__ import annotations

import pytest
from flask import Flask

from lims.aftersales.models import VisitPlan
from lims.aftersales.visits import VisitPlanService
from lims.base.database import current_session
from lims.base.display import local_today
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
