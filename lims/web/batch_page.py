"""The sampling plan of a batch with what has come of it, and what it was weighed, cast and cured in."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import select

from lims.aftersales.advice import matching_cards, situation_of_batch
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import format_decimal, show_time
from lims.base.security import may
from lims.mixes.schemas import COMPONENT_KINDS
from lims.reporting.views import certificate_actions
from lims.results.models import Mould, Scale, SetResult
from lims.results.schemas import RESULT_STATES
from lims.trials.curing import maturity_of
from lims.trials.models import Batch, CuringTank, SpecimenSet
from lims.trials.schemas import SET_STATES
from lims.trials.warnings import WARNING_KINDS


def batch_context(batch: Batch) -> dict[str, Any]:
    """Sets in the order of their ages, each with its due time, state and strength, and what stands beside them."""
    session = current_session()
    rows: Any = session.execute(  # of sets without a result the second is None
        select(SpecimenSet, SetResult)
        .outerjoin(
            SetResult, (SetResult.specimen_set_id == SpecimenSet.id) & SetResult.superseded_at.is_(None)
        )
        .where(SpecimenSet.batch_id == batch.id)
        .order_by(SpecimenSet.age_days, SpecimenSet.number)
    ).all()
    enter = may("write", "breaks")
    # Outside the laboratory a result exists once it is released.
    inside = may("read", "breaks")
    plan = []
    for found, result in rows:
        strength = ""
        if result is not None and (inside or result.state == "released"):
            strength = (
                format_decimal(result.strength_mpa) if result.strength_mpa is not None else _("invalid")
            )
        elif result is None and found.state == "broken" and inside:
            strength = str(RESULT_STATES["retracted"])  # no other result ceases to count without another
        plan.append(
            {
                "set": found,
                "age_days": found.age_days,
                "due": show_time(found.due_at) if found.due_at else "–",
                "state": SET_STATES[found.state],
                "state_key": found.state,
                # What is broken weeks before its day is broken by a slip: its button does not stand out.
                "due_now": found.state == "waiting"
                and (found.due_from is None or found.due_from <= utc_now()),
                "strength": strength,
                "unit": "MPa" if strength and result is not None and result.strength_mpa is not None else "",
                "entry_url": url_for("BreaksView.enter", set_id=found.id)
                if enter and found.due_at and found.has_breaks
                else "",
            }
        )
    return {
        "plan": plan,
        "equipment": _equipment(batch),
        "maturity": maturity_of(batch),
        "warning_kinds": WARNING_KINDS,
        "component_kinds": COMPONENT_KINDS,
        "advice": matching_cards(situation_of_batch(batch)) if may("read", "advice-cards") else [],
        "released": any(result is not None and result.state == "released" for _set, result in rows),
        **certificate_actions(batch.id),
    }


def _equipment(batch: Batch) -> list[tuple[str, Any]]:
    """(what it was used for, the scale, moulds or tank); a set may lie in a tank of its own."""
    session = current_session()
    tanks = sorted({found.curing_tank_id for found in batch.sets if found.curing_tank_id is not None})
    used = [
        (_("Scale of the batching"), Scale, batch.scale_id),
        (_("Moulds"), Mould, batch.mould_id),
        *((_("Curing tank"), CuringTank, key) for key in tanks),
    ]
    return [(str(what), session.get(record, key)) for what, record, key in used if key is not None]
