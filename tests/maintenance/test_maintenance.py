"""Maintenance of the laboratory's machines: what is due follows what was done."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.maintenance.schemas import MaintenancePlanIn
from lims.maintenance.service import months_later
from tests.factories import ACTOR

pytestmark = pytest.mark.usefixtures("records")


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def a_plan(**more: Any) -> Any:
    press = SERVICES["presses"].find(code="P-1") or add("presses", code="P-1", name="Press")
    return add(
        "maintenance-plans",
        press_id=press.id,
        starts_on="2026-01-31",
        **{"name": "Oil", "every_months": "1", **more},
    )


def due(plan: Any) -> date:
    found: date = SERVICES["maintenance-plans"].get(plan.id).next_due_on
    return found


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 12, date(2027, 12, 15)),
    ],
)
def test_an_interval_ends_on_the_same_day_or_the_last_of_the_month(
    day: date, months: int, later: date
) -> None:
    assert months_later(day, months) == later


def test_next_time_follows_the_last_record_and_falls_back_when_it_is_taken_out() -> None:
    plan = a_plan(every_months="3")
    assert due(plan) == date(2026, 1, 31)
    first = add("maintenance-records", maintenance_plan_id=plan.id, done_on="2026-02-10", done_by="Li Wei")
    assert due(plan) == date(2026, 5, 10)
    second = add("maintenance-records", maintenance_plan_id=plan.id, done_on="2026-05-20", done_by="Li Wei")
    assert due(plan) == date(2026, 8, 20)
    SERVICES["maintenance-records"].retire(second.id, ACTOR)
    assert due(plan) == date(2026, 5, 10)
    SERVICES["maintenance-records"].retire(first.id, ACTOR)
    assert due(plan) == date(2026, 1, 31)
    SERVICES["maintenance-records"].restore(second.id, ACTOR)
    assert due(plan) == date(2026, 8, 20)


def test_plan_at_which_another_s_maintenance_was_noted_is_due_again_when_that_is_corrected() -> None:
    ours, theirs = a_plan(), a_plan(name="Plates")
    values = {"maintenance_plan_id": ours.id, "done_on": "2026-03-10", "done_by": "Li Wei"}
    record = add("maintenance-records", **values)
    assert (due(ours), due(theirs)) == (date(2026, 4, 10), date(2026, 1, 31))
    moved = {**values, "maintenance_plan_id": theirs.id}
    SERVICES["maintenance-records"].edit(record.id, moved, record.version, ACTOR)
    assert (due(ours), due(theirs)) == (date(2026, 1, 31), date(2026, 4, 10))


def test_interval_is_described_as_the_number_that_is_given_and_taken() -> None:
    described = next(item.kind for item in MaintenancePlanIn.inputs() if item.name == "every_months")
    assert described.json_schema() == {"type": "integer", "enum": [1, 3, 6, 12]}
    assert a_plan(every_months=3).every_months == 3


def test_plan_is_of_exactly_one_machine() -> None:
    press = add("presses", code="P-1", name="Press")
    scale = add("scales", code="W-1", name="Scale")
    for devices in ({}, {"press_id": press.id, "scale_id": scale.id}):
        with pytest.raises(Refused, match="one machine"):
            add("maintenance-plans", name="Oil", starts_on="2026-01-31", **devices)


def test_maintenance_of_tomorrow_is_not_done_yet() -> None:
    with pytest.raises(Refused, match="future"):
        add("maintenance-records", maintenance_plan_id=a_plan().id, done_on="2149-01-01", done_by="Li Wei")
