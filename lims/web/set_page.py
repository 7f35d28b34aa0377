"""A set with its breaks, the verdict as the rule sees it, and who did what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.base.database import current_session
from lims.base.display import actor_names
from lims.base.security import may
from lims.reporting.views import certificate_actions
from lims.results.models import Break, SetResult
from lims.results.schemas import BASES, RESULT_STATES
from lims.results.views import signatures_of_set
from lims.standards.specimens import SET_TOLERANCE, SETS_OF_THREE
from lims.trials.models import SpecimenSet


def set_context(found: SpecimenSet) -> dict[str, Any]:
    """Breaks of every specimen (earlier ones kept), results with their persons and signatures."""
    session = current_session()
    if not may("read", "breaks"):
        return {"breaks": {}, "earlier": [], "verdict": None, "certificates": []}
    breaks: dict[int, list[Break]] = {}
    for item in session.scalars(
        select(Break)
        .where(Break.specimen_id.in_([specimen.id for specimen in found.specimens]))
        .options(joinedload(Break.press))
        .order_by(Break.number.desc())
    ):
        breaks.setdefault(item.specimen_id, []).append(item)
    results = list(
        session.scalars(
            select(SetResult).where(SetResult.specimen_set_id == found.id).order_by(SetResult.number.desc())
        )
    )
    people = {item.created_by for item in results}
    people |= {key for item in results for key in (item.verified_by, item.released_by) if key}
    present = next((item for item in results if item.superseded_at is None), None)
    return {
        "breaks": breaks,
        "earlier": [(item, _why_ended(item, results)) for item in results if item.superseded_at is not None],
        # The breaks under a result end with it, in the same moment.
        "retractions": {item.superseded_at for item in results if item.state == "retracted"},
        "present": present,
        "people": actor_names(people),
        "verdict": verdict_bar(found, breaks)
        if present is not None and present.rule_id in SETS_OF_THREE
        else None,
        "bases": BASES,
        "result_states": RESULT_STATES,
        **certificate_actions(found.batch_id, found.id),
        "signatures": signatures_of_set(found.id) if results else [],
    }


def _why_ended(ended: SetResult, results: Sequence[SetResult]) -> str:
    """Why a result counts no longer: it was retracted, or the one that followed it says why it was made."""
    if ended.state == "retracted":
        return ended.retract_reason or ""
    return next((item.reason or "" for item in results if item.number == ended.number + 1), "")


def verdict_bar(found: SpecimenSet, breaks: dict[int, list[Break]]) -> dict[str, Any] | None:
    """The specimens' strengths on a scale of per cent of the middle one, with the limits of the rule. By their loads, as the
    rule has it: strengths are kept to four places, and exactly 15 % would lie beyond."""
    newest = [
        (specimen.code, breaks[specimen.id][0]) for specimen in found.specimens if specimen.id in breaks
    ]
    loads = {code: item.load_kn for code, item in newest if item.load_kn}
    if len(loads) != 3:
        return None
    middle = sorted(loads.values())[1]
    return {
        "limit_percent": SET_TOLERANCE * 100,
        "middle_mpa": next(item.strength_mpa for _code, item in newest if item.load_kn == middle),
        "points": [
            {"code": code, "mpa": item.strength_mpa, "percent": float((loads[code] / middle - 1) * 100)}
            for code, item in newest
        ],
    }
