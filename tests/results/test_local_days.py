"""Days are those of the laboratory's clock: in Shanghai, what happens before eight in the morning is UTC's day before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lims.base.services import SERVICES
from lims.results.entry import EntryIn, entry_warnings, save_entry
from tests.factories import ACTOR, a_batch

pytestmark = pytest.mark.usefixtures("records")
#: 2 March, half past seven in Shanghai.
EARLY = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def cast_three_days_before() -> Any:
    return a_batch("40", plan_ages="3", cast_at="2026-02-26T23:30:00+00:00").sets[0]


@pytest.mark.parametrize(
    ("calibrated_on", "due_on", "warned"),
    [
        ("2026-03-02", "2027-03-01", False),
        ("2026-03-03", "2027-03-02", True),
        ("2025-03-03", "2026-03-02", False),
        ("2025-03-02", "2026-03-01", True),
    ],
    ids=["calibrated on that day", "calibrated the day after", "its last day", "ran out the day before"],
)
def test_calibration_of_the_press_is_asked_for_the_day_of_the_test(
    calibrated_on: str, due_on: str, warned: bool
) -> None:
    press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
    certificate = {"certificate_number": "Z1", "calibrated_by": "Institute"}
    SERVICES["calibrations"].add(
        {"press_id": press.id, "calibrated_on": calibrated_on, "due_on": due_on, **certificate}, ACTOR
    )
    found = cast_three_days_before()
    loads = {"loads_kn": ["424", "401", "396"], "tested_at": EARLY.isoformat(), "press_id": press.id}
    said = save_entry(EntryIn.read({"key": "k", "set_id": found.id, **loads}), ACTOR)["warnings"]
    assert bool(said) is warned
    assert entry_warnings(found.id) == said


def test_code_of_a_batch_bears_the_year_in_which_it_was_cast() -> None:
    batch = a_batch("40", cast_at="2025-12-31T23:00:00+00:00")
    assert batch.code.startswith("B26-")
