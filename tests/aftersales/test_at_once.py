"""What two people do in the same moment, or one with a double click."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from lims.aftersales.models import VisitPlan
from lims.aftersales.visits import VisitPlanService
from lims.base.database import current_session
from lims.base.display import local_today
from lims.base.problems import Conflict, Refused
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from tests.factories import ACTOR, a_customer
from tests.operations.test_family import until

pytestmark = pytest.mark.usefixtures("records_on_both")


def at_once(app: Flask, held: Any, *calls: Callable[[], Any]) -> list[Any]:
    """What each call gives, or what it was told: on PostgreSQL all have begun while a third holds this record."""
    told: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        with app.app_context():
            try:
                told[place] = calls[place]()
            except (Refused, Conflict) as error:
                told[place] = error

    people = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    table, key = held.__tablename__, held.id
    current_session().commit()
    engine = app.extensions["lims.database"].engine
    with not_only_reading(engine).connect() as third:
        on_postgresql = third.dialect.name == "postgresql"
        if on_postgresql:
            third.execute(text(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE"), {"id": key})
        for person in people:
            person.start()
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        if on_postgresql:
            with engine.connect() as looking:

                def wait() -> bool:
                    looking.rollback()  # within a transaction the server tells the same again and again
                    return looking.scalar(waiting) == len(people)

                until(wait, "they do not wait for the third")
    for person in people:
        person.join()
    current_session().expire_all()
    return told


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
