"""A retest beside the mill certificate of its lot, judged by GB 175; an objection with its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from lims.aftersales.models import Objection, Retest
from lims.aftersales.schemas import OBJECTION_STATES, OUTCOMES
from lims.aftersales.views import OBJECTION_STEPS, ObjectionView
from lims.base.database import current_session
from lims.base.display import format_decimal
from lims.base.forms import build_form
from lims.base.problems import Problem
from lims.base.security import may
from lims.standards.cement import INITIAL_SET_MIN, class_limits, final_set_max
from lims.web.complaint_page import refused_step

Row = dict[str, Any]


def beside_certificate(retest: Retest) -> list[Row]:
    """What the certificate says, what the retest found, the limit of GB 175, and whether it holds."""
    lot, test = retest.cement_lot, retest.cement_test
    product = lot.cement_product
    at_3d, at_28d = class_limits(product.strength_class, product.cement_type) or (None, None)
    latest = final_set_max(product.cement_type)
    rows = [
        (_("Mortar, 3 d"), "MPa", lot.strength_3d_mpa, retest.strength_3d_mpa, at_3d, None),
        (_("Mortar, 28 d"), "MPa", lot.strength_28d_mpa, retest.strength_28d_mpa, at_28d, None),
        (
            _("Initial set"),
            "min",
            lot.initial_set_min,
            test.initial_set_min if test else None,
            None if latest is None else INITIAL_SET_MIN,
            None,
        ),
        (_("Final set"), "min", lot.final_set_min, test.final_set_min if test else None, None, latest),
        (
            _("45 µm residue"),
            "%",
            lot.residue_45um_percent,
            test.residue_45um_percent if test else None,
            None,
            None,
        ),
    ]
    return [_row(*values) for values in rows if values[2] is not None or values[3] is not None]


def _row(name: str, unit: str, stated: Any, found: Any, least: Any, most: Any) -> Row:
    value = None if found is None else Decimal(found)
    holds = None
    if value is not None and (least is not None or most is not None):
        holds = (least is None or value >= least) and (most is None or value <= most)
    limit = f"≥ {format_decimal(least)}" if least is not None else f"≤ {format_decimal(most)}" if most else ""
    return {
        "name": name,
        "unit": unit,
        "stated": "–" if stated is None else format_decimal(Decimal(stated)),
        "found": "–" if value is None else format_decimal(value),
        "limit": limit or "–",
        "holds": holds,
    }


def objection_context(
    view: ObjectionView,
    record: Objection,
    refused: tuple[str, Mapping[str, Any], Sequence[Problem]] | None = None,
) -> dict[str, Any]:
    """The next step with its form, the retests that may answer it, the comparison."""
    name = {"raised": "sample", "sampled": "test", "tested": "decide"}.get(record.state, "")
    form = None
    values: Mapping[str, Any] = {}
    if name and may("write", "objections"):
        _title, schema, _run = OBJECTION_STEPS[name]
        problems = refused[2] if refused is not None and refused[0] == name else ()
        values = refused[1] if problems and refused is not None else {}
        form = build_form(schema, values, problems=problems)
    retests = current_session().scalars(
        select(Retest)
        .where(Retest.cement_lot_id == record.cement_lot_id, Retest.retired_at.is_(None))
        .order_by(Retest.id.desc())
        .limit(20)
    )
    return {
        "step_name": name,
        "step_title": OBJECTION_STEPS[name][0] if name else "",
        "step_form": form,
        "line": [
            (str(text), list(OBJECTION_STATES).index(key) <= list(OBJECTION_STATES).index(record.state))
            for key, text in OBJECTION_STATES.items()
        ],
        "typed": values,
        "lot_retests": list(retests),
        "outcomes": OUTCOMES,
        "comparison": beside_certificate(record.retest) if record.retest is not None else [],
        "not_taken": refused_step(*OBJECTION_STEPS[refused[0]][:2], refused)
        if refused is not None and (form is None or refused[0] != name)
        else None,
        "refused_problems": [str(p.message) for p in refused[2]] if refused is not None else [],
    }
