"""The entry page's data: what is due with all that is needed to type it without a connection, and what it sends back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import show_time
from lims.base.fields import Flag, Reference, Text, Ui
from lims.base.laboratory import laboratory
from lims.results.equipment import calibration_warnings
from lims.results.events import EXPECTATIONS
from lims.results.models import SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import breaks_of, get_set, record_set
from lims.standards.errors import RuleInputError
from lims.standards.specimens import loaded_area_mm2, loading_rate_limits, size_factor
from lims.trials.models import Batch, SpecimenSet
from lims.trials.schemas import SHAPES
from lims.trials.short_codes import short_code

#: A strength below this part of the mix's least or above this multiple of its most at the same age is asked about.
USUAL_FROM, USUAL_TO = Decimal("0.6"), Decimal("1.5")


class EntryIn(SetBreaksIn):
    """One set as the entry page sends it. `key` names the entry, so that sending it twice writes it once."""

    key: Annotated[str, Text(60), Ui(_l("Key"))]
    set_id: Annotated[int, Reference("specimen-sets"), Ui(_l("Set"))]
    code: Annotated[str | None, Text(90), Ui(_l("Code"))] = None
    confirmed: Annotated[bool, Flag(), Ui(_l("Asked and confirmed"))] = False


def due_entry(sets: Sequence[SpecimenSet]) -> list[dict[str, Any]]:
    """Sets as the entry page keeps them: specimens, areas, factor, and the range that nobody would wonder at."""
    now = utc_now()
    usual = usual_ranges(sets)
    # Looked up once: a translation costs more than all else that a row of this says.
    words = when_words()
    shapes = {name: str(said) for name, said in SHAPES.items()}
    return [
        {
            "id": item.id,
            "code": item.code,
            "age_days": item.age_days,
            "when": when_due(item, now),
            "when_text": _when_text(item, words[when_due(item, now)]),
            "mix": item.batch.mix_revision.code,
            "shape": _shape(item, shapes),
            "rule": "cube-set" if item.specimens and item.specimens[0].shape == "cube" else "mean",
            "factor": _factor(item),
            "expected": usual.get(item.id),
            "specimens": [
                {
                    "code": specimen.code,
                    "short": short_code(specimen.id),
                    "area_mm2": _area(specimen.shape, specimen.width_mm),
                }
                for specimen in item.specimens
            ],
        }
        for item in sets
    ]


def when_words() -> dict[str, str]:
    """What `when_due` says, in the reader's words."""
    return {"late": _("past its tolerance"), "now": _("due now"), "next": ""}


def when_due(item: SpecimenSet, now: Any) -> str:
    """late, now or next."""
    if item.due_until is not None and item.due_until < now:
        return "late"
    return "now" if item.due_from is not None and item.due_from <= now else "next"


def _when_text(item: SpecimenSet, word: str) -> str:
    """Words beside the colour: due when, and whether that is now or past."""
    day = show_time(item.due_at, year=False) if item.due_at else ""
    return f"{word} · {day}" if word else day


def _shape(item: SpecimenSet, shapes: dict[str, str]) -> str:
    if not item.specimens:
        return ""
    first = item.specimens[0]
    return f"{shapes.get(first.shape, first.shape)} {first.width_mm:f} mm" if first.width_mm else first.shape


def _area(shape: str, width_mm: Decimal | None) -> str:
    return "" if width_mm is None else f"{loaded_area_mm2(shape, width_mm):.6f}"


def _factor(item: SpecimenSet) -> str:
    first = item.specimens[0] if item.specimens else None
    if first is None or first.shape != "cube" or first.width_mm is None:
        return "1"
    try:
        return f"{size_factor('cube', first.width_mm, item.batch.mix_revision.mix_design.grade_mpa):f}"
    except RuleInputError:
        return "1"  # the server will say what is missing


def usual_ranges(sets: Sequence[SpecimenSet]) -> dict[int, tuple[float, float]]:
    """Set id -> MPa between which a result surprises nobody: by the forecast, else by the same mix at the same age."""
    found: dict[int, tuple[float, float]] = {}
    wanted = {(item.batch.mix_revision.mix_design_id, item.age_days) for item in sets}
    said: dict[tuple[int, int], tuple[float, float]] = {}
    for ask in EXPECTATIONS:
        said.update(ask(wanted))
    revisions: dict[tuple[int, int], list[int]] = defaultdict(list)
    for item in sets:
        revisions[item.batch.mix_revision_id, item.age_days].append(item.id)
    rows = current_session().execute(
        select(
            Batch.mix_revision_id,
            SpecimenSet.age_days,
            func.min(SetResult.strength_mpa),
            func.max(SetResult.strength_mpa),
        )
        .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
        .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
        .where(
            Batch.mix_revision_id.in_({revision for revision, _age in revisions}),
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
        )
        .group_by(Batch.mix_revision_id, SpecimenSet.age_days)
    )
    for revision, age, least, most in rows:
        assert least is not None  # the condition leaves no others
        assert most is not None
        for set_id in revisions.get((revision, age), ()):
            found[set_id] = (float(least * USUAL_FROM), float(most * USUAL_TO))
    for item in sets:
        key = (item.batch.mix_revision.mix_design_id, item.age_days)
        if key in said:
            found[item.id] = said[key]
    return found


def save_entry(entry: EntryIn, actor: Actor) -> dict[str, Any]:
    """Write the set and say what the page shows. Raises: NotFound, Refused, Conflict."""
    result = record_set(entry.set_id, entry, actor)
    return {
        "key": entry.key,
        "result_id": result.id,
        "strength_mpa": None if result.strength_mpa is None else f"{result.strength_mpa:.1f}",
        "basis": result.basis,
        "warnings": entry_warnings(entry.set_id),
    }


def entry_warnings(set_id: int) -> list[str]:
    """What the certificate will have to say about this set: age, calibration."""
    found = get_set(set_id)
    breaks = list(breaks_of([specimen.id for specimen in found.specimens]).values())
    warnings = []
    if any(item.age_within is False for item in breaks):
        warnings.append(_("The age is outside the tolerance of the code; the certificate will say so."))
    for press_id, day in {
        (item.press_id, item.tested_at.date())
        for item in breaks
        if item.press_id is not None and item.tested_at
    }:
        warnings += calibration_warnings(press_id, day)
    rates = {item.loading_rate_mpa_s for item in breaks if item.loading_rate_mpa_s is not None}
    for rate in sorted(rates):
        warnings += rate_warnings(rate, found.batch.mix_revision.mix_design.grade_mpa)
    return warnings


def rate_warnings(rate_mpa_s: Decimal, grade_mpa: Decimal | None) -> list[str]:
    """The loading rate against the range of the laboratory's codes."""
    try:
        low, high = loading_rate_limits(laboratory().codes.rate_code, grade_mpa)
    except RuleInputError:
        return []  # without a grade GB/T 50081 names no range
    if low <= rate_mpa_s <= high:
        return []
    return [
        _(
            "The loading rate of %(rate)s MPa/s is outside %(low)s to %(high)s MPa/s; the certificate will say so.",
            rate=f"{rate_mpa_s:f}",
            low=f"{low:f}",
            high=f"{high:f}",
        )
    ]


def reservations_of(batch_id: int) -> list[str]:
    """What a certificate of this batch has to say: every warning of its sets, each with the set's code."""
    rows = current_session().execute(
        select(SpecimenSet.id, SpecimenSet.code)
        .where(SpecimenSet.batch_id == batch_id, SpecimenSet.state == "broken")
        .order_by(SpecimenSet.age_days, SpecimenSet.number)
    )
    return [f"{code}: {warning}" for set_id, code in rows for warning in entry_warnings(set_id)]
