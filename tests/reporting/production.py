"""A production to report on: batches of one grade with released 28-day sets, made through the services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lims.base.actor import system_actor
from lims.base.services import SERVICES
from lims.demonstration_production import add_production
from lims.results.models import SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from lims.trials.models import Batch, SpecimenSet
from tests.factories import ACTOR, RECIPE, a_customer

CHECKER = system_actor("checker")
AREA_MM2 = 22_500
#: The worked answer of GB/T 50107, method 2 (ten sets of C30, accepted): loads that give these set strengths.
ACCEPTED = ("38.9", "40.3", "35.2", "38.4", "43.1", "38.2", "36.9", "39.3", "37.4", "36.6")
REJECTED = ("21.3", "20.5", "19.6", "21.2", "21.3", "20.5", "19.6", "21.2", "20.5", "18.0")


def load_of(strength_mpa: str) -> str:
    return f"{float(strength_mpa) * AREA_MM2 / 1000:.2f}"


def set_of(batch: Batch, age_days: int = 28) -> SpecimenSet:
    return next(item for item in batch.sets if item.age_days == age_days)


def broken(
    batch: Batch, strength_mpa: str, *, age_days: int = 28, state: str = "released", **more: Any
) -> SetResult:
    """The set of this age, broken at its time and brought to the state."""
    found = set_of(batch, age_days)
    assert found.due_at is not None
    entry = SetBreaksIn.read(
        {"loads_kn": [load_of(strength_mpa)] * 3, "tested_at": found.due_at.isoformat(), **more}
    )
    result = record_set(found.id, entry, ACTOR)
    if state in {"verified", "released"}:
        result = verify(found.id, CHECKER)
    if state == "released":
        result = release(found.id, CHECKER)
    return result


def a_production(
    strengths: Sequence[str] = ACCEPTED,
    *,
    code: str = "C30-P",
    grade: str = "C30",
    first: datetime = datetime(2026, 1, 5, 2, 0, tzinfo=UTC),
    state: str = "released",
    kind: str = "concrete",
    **names: Any,
) -> list[Batch]:
    """A batch for each strength, a day apart, broken at 28 d."""
    mix = SERVICES["mix-designs"].add({"code": code, "strength_class": grade, "kind": kind, **RECIPE}, ACTOR)
    trial = SERVICES["trials"].add({"name": f"Production {code}", **names}, ACTOR)
    batches = []
    for number, strength in enumerate(strengths):
        batch = SERVICES["batches"].add(
            {
                "trial_id": trial.id,
                "mix_revision_id": mix.latest_revision_id,
                "cast_at": (first + timedelta(days=number)).isoformat(),
                "volume_m3": "40",
                "plan_ages": "28",
            },
            ACTOR,
        )
        broken(batch, strength, state=state)
        batches.append(batch)
    return batches


def a_season() -> None:
    """The season of the demonstration: twenty batches with four cement lots, the last one weaker."""
    region = SERVICES["regions"].add({"code": "R", "name": "Region"}, ACTOR)
    cement = SERVICES["cement-products"].add({"code": "PO", "name": "P.O 42.5"}, ACTOR)
    press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
    add_production(cement, region, a_customer(), press, ACTOR)


def worked_answer() -> None:
    """The ten batches of the worked answer of GB/T 50107 that is accepted."""
    a_production(ACCEPTED)
