"""The entry page's data: what is due with all that is needed to type it without a connection, and what it sends back."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from datetime import date
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import format_decimal, local_day, local_today, show_time
from lims.base.fields import Flag, Reference, Text, Ui, WholeNumber
from lims.base.laboratory import laboratory
from lims.base.problems import refuse
from lims.base.words import spoken_locale
from lims.mixes.models import MixDesign, MixRevision
from lims.results.due import DueSet, SetSpecimen, due_set, specimens_of
from lims.results.equipment import calibration_warnings
from lims.results.models import Break
from lims.results.schemas import SetBreaksIn
from lims.results.service import (
    assess,
    facts_of_presses,
    facts_of_sets,
    judged_by,
    record_telling,
)
from lims.results.usual import usual_ranges
from lims.standards.errors import RuleInputError
from lims.standards.specimens import (
    CYLINDER_SET_RULE,
    factor_beside_set,
    loaded_area_mm2,
    loading_rate_limits,
    size_factor,
    tolerance_hours,
    untested_factor,
)
from lims.trials.models import Batch, Specimen, SpecimenSet
from lims.trials.schemas import SHAPES
from lims.trials.short_codes import short_code


class EntryIn(SetBreaksIn):
    """One set as the entry page sends it. `key` names the entry, so that sending it twice writes it once."""

    key: Annotated[str, Text(60), Ui(_l("Key"))]
    set_id: Annotated[int, Reference("specimen-sets"), Ui(_l("Set"))]
    code: Annotated[str | None, Text(90), Ui(_l("Code"))] = None
    confirmed: Annotated[bool, Flag(), Ui(_l("Asked and confirmed"))] = False
    #: The account in whose session it was typed. A browser keeps it until there is a connection, and somebody else may have
    #: signed in by then.
    person_id: Annotated[int | None, WholeNumber(minimum=1), Ui(_l("Account"))] = None


def due_entry(sets: Sequence[DueSet]) -> str:
    """Sets as the entry page keeps them, a JSON array: specimens, areas, factor, and the range that nobody would wonder
    at."""
    now = utc_now()
    usual = usual_ranges().of(sets)
    specimens = specimens_of([item.id for item in sets])
    codes = laboratory().codes
    reader = (codes.tolerance_code, str(spoken_locale()), laboratory().timezone)
    rows = (
        _entry_row(
            item,
            tuple(specimens[item.id]),
            usual.get(item.id),
            item.when(now),
            judged_by(specimens[item.id], codes),
            *reader,
        )
        for item in sets
    )
    return f"[{','.join(rows)}]"


@lru_cache(maxsize=4096)  # a set waits for days, and everybody's page asks for it all day
def _entry_row(
    item: DueSet,
    specimens: tuple[SetSpecimen, ...],
    expected: tuple[float, float] | None,
    when: str,
    judging: str,
    age_code: str,
    _language: str,
    _timezone: str,
) -> str:
    row = {
        "id": item.id,
        "code": item.code,
        "age_days": item.age_days,
        "when": when,
        "when_text": _when_text(item, when_words()[when]),
        "due": _window(item, age_code),
        "mix": item.mix_code,
        "shape": _shape(specimens),
        "rule": judging,
        "factor": _factor(specimens, item.grade_mpa, judging),
        "expected": expected,
        "specimens": [
            {
                "code": specimen.code,
                "short": short_code(specimen.id),
                "area_mm2": _area(specimen.shape, specimen.width_mm),
            }
            for specimen in specimens
        ],
    }
    return json.dumps(row, separators=(",", ":"))


def when_words() -> dict[str, str]:
    """What `DueSet.when` says, in the reader's words."""
    late = _("past its tolerance") if laboratory().codes.age_judged else _("overdue")
    return {"late": late, "now": _("due now"), "next": ""}


def _when_text(item: DueSet, word: str) -> str:
    """Words beside the colour: due when, and whether that is now or past."""
    day = show_time(item.due_at, year=False) if item.due_at else ""
    return f"{word} · {day}" if word else day


def _window(item: DueSet, age_code: str) -> tuple[int, int] | None:
    """First and last moment of the code's tolerance, s since 1970: the page checks the age without a connection. None where
    the code states none: such a set is due all day, and no paper speaks of its age."""
    if item.due_from is None or item.due_until is None or not _has_tolerance(age_code, item.age_days):
        return None
    return int(item.due_from.timestamp()), int(item.due_until.timestamp())


def _has_tolerance(age_code: str, age_days: int) -> bool:
    try:
        return tolerance_hours(age_code, age_days) is not None
    except RuleInputError:
        return False


def _shape(specimens: Sequence[SetSpecimen]) -> str:
    if not specimens:
        return ""
    first = specimens[0]
    shape = str(SHAPES.get(first.shape, first.shape))
    return f"{shape} {format_decimal(first.width_mm)} mm" if first.width_mm else shape


def _area(shape: str, width_mm: Decimal | None) -> str:
    return "" if width_mm is None else f"{loaded_area_mm2(shape, width_mm):.6f}"


def judged_while_typed(
    specimens: Sequence[Specimen | SetSpecimen], grade_mpa: Decimal | None
) -> tuple[str, str]:
    """How a page judges a set while its loads are typed, until the server does: what `judged_by` says, and the size factor,
    as a plain number."""
    judging = judged_by(specimens, laboratory().codes)
    return judging, _factor(specimens, grade_mpa, judging)


def _factor(specimens: Sequence[Specimen | SetSpecimen], grade_mpa: Decimal | None, judging: str) -> str:
    first = specimens[0] if specimens else None
    if first is None or first.width_mm is None or judging == "range":
        return "1"
    if first.shape == "cylinder" and judging == "cube-set":
        return f"{factor_beside_set(CYLINDER_SET_RULE, first.width_mm):f}"
    if first.shape != "cube":
        return "1"
    try:
        taken = untested_factor("cube", first.width_mm, grade_mpa)
        return f"{size_factor('cube', first.width_mm, grade_mpa, stated=taken):f}"
    except RuleInputError:
        return "1"  # the server will say what is missing


#: A load so many times the others, or they it, is asked about: 285 for 28.5.
FAR = Decimal("1.6")


def doubts(set_id: int, entry: SetBreaksIn) -> list[str]:
    """What is asked once before a set is saved, because it is probably a slip of the key; the entry page asks the same
    without a connection (static/js/entry.js). Raises: Refused as `record_set`."""
    item, loads = due_set(set_id), entry.loads_kn or ()
    facts = facts_of_sets([set_id]).get(set_id)
    if item is None or facts is None or not loads:
        return []
    # First what is refused anyway: nobody is asked about a load that the press cannot give.
    verdict = assess(facts, entry, facts_of_presses(current_session(), entry.press_id)).verdict
    found = []
    for position, load in enumerate(loads):
        others = [*loads[:position], *loads[position + 1 :]]
        if len(loads) >= 3 and all(load > FAR * other or load < other / FAR for other in others):
            found.append(
                _(
                    "%(value)s kN is far from the others. Is it right? Press Save again to keep it.",
                    value=format_decimal(load),
                )
            )
    strengths = verdict.specimen_strengths_mpa
    mean = float(verdict.size_factor * sum(strengths, Decimal(0)) / len(strengths))
    usual = usual_ranges().of([item]).get(set_id)
    if usual is not None and not usual[0] <= mean <= usual[1]:
        found.append(
            _(
                "%(value)s MPa is far from the expected %(low)s to %(high)s MPa. Is it right? Press Save again to keep it.",
                value=f"{mean:.1f}",
                low=f"{usual[0]:.1f}",
                high=f"{usual[1]:.1f}",
            )
        )
    return found


def save_entry(entry: EntryIn, actor: Actor) -> dict[str, Any]:
    """Write the set and say what the page shows. Raises: NotFound, Refused (also what another person typed), Conflict."""
    if entry.person_id is not None and entry.person_id != actor.user_id:
        message = _(
            "was typed by another person and waits until that person signs in; correct it to save it in your name"
        )
        raise refuse("person_id", message, entry.person_id)
    result, facts, judged = record_telling(entry.set_id, entry, actor)
    if judged is None:
        warnings = entry_warnings(entry.set_id)
    else:  # what was written is known: nothing is read again
        day = None if entry.tested_at is None else local_day(entry.tested_at)
        pressed = set() if entry.press_id is None or day is None else {(entry.press_id, day)}
        rates = set() if entry.loading_rate_mpa_s is None else {(entry.loading_rate_mpa_s, facts.grade_mpa)}
        sizes = set() if entry.loads_kn is None else {(s.shape, s.width_mm) for s in facts.specimens}
        warnings = _warnings(judged.age_within is False, pressed, rates, sizes, facts.grade_mpa)
    return {
        "key": entry.key,
        "result_id": result.id,
        "strength_mpa": None if result.strength_mpa is None else f"{result.strength_mpa:.1f}",
        "basis": result.basis,
        "warnings": warnings,
    }


_OF_SET = (
    select(
        Break.age_within,
        Break.press_id,
        Break.tested_at,
        Break.loading_rate_mpa_s,
        Break.reported,
        Specimen.shape,
        Specimen.width_mm,
        MixDesign.grade_mpa,
    )
    .join(Specimen, Specimen.id == Break.specimen_id)
    .join(SpecimenSet, SpecimenSet.id == Specimen.specimen_set_id)
    .join(Batch, Batch.id == SpecimenSet.batch_id)
    .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
    .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
    .where(SpecimenSet.id == bindparam("set_id"))
)
#: Made once: the entry page asks the first after each set.
_TESTED = _OF_SET.where(Break.superseded_at.is_(None))
_TESTED_THEN = _OF_SET.where(Break.number == bindparam("number"))


def entry_warnings(set_id: int, number: int | None = None) -> list[str]:
    """What the certificate will have to say about this set: age, calibration, loading rate, size factor. Of the entry that
    counts, or of the one of this number, whatever came in its place."""
    connection = current_session().connection()
    if number is None:
        breaks = connection.execute(_TESTED, {"set_id": set_id}).all()
    else:
        breaks = connection.execute(_TESTED_THEN, {"set_id": set_id, "number": number}).all()
    return _warnings(
        laboratory().codes.age_judged and any(item.age_within is False for item in breaks),
        {
            (item.press_id, local_day(item.tested_at))
            for item in breaks
            if item.press_id is not None and item.tested_at
        },
        {(item.loading_rate_mpa_s, item.grade_mpa) for item in breaks if item.loading_rate_mpa_s is not None},
        {(item.shape, item.width_mm) for item in breaks if not item.reported},
        breaks[0].grade_mpa if breaks else None,
    )


def warnings_ahead(found: SpecimenSet, press_id: int | None) -> list[str]:
    """What the certificate would have to say of a test made now on this press, while another specimen can still be fetched
    or another press chosen."""
    if found.state != "waiting":
        return []
    begins, ends = found.due_from, found.due_until
    off = begins is not None and ends is not None and not begins <= utc_now() <= ends
    off = off and _has_tolerance(laboratory().codes.tolerance_code, found.age_days)
    pressed = {(press_id, local_today())} if press_id is not None else set()
    return _warnings(off, pressed, set(), set(), None)


def _warnings(
    outside_age: bool,
    pressed: Set[tuple[int, date]],
    rates: Set[tuple[Decimal, Decimal | None]],
    sizes: Set[tuple[str, Decimal | None]],
    grade_mpa: Decimal | None,
) -> list[str]:
    """`pressed`: (press id, day by the laboratory's clock); `rates`: (MPa/s, grade in MPa); `sizes`: (shape, mm) of what
    was loaded."""
    warnings = []
    if outside_age:
        warnings.append(_("The age is outside the tolerance of the code; the certificate will say so."))
    for press_id, day in pressed:
        warnings += calibration_warnings(press_id, day)
    for rate, grade in sorted(rates, key=itemgetter(0)):
        warnings += rate_warnings(rate, grade)
    for shape, width_mm in sizes:
        warnings += factor_warnings(shape, width_mm, grade_mpa)
    return warnings


def factor_warnings(shape: str, width_mm: Decimal | None, grade_mpa: Decimal | None) -> list[str]:
    """From C60 on a size factor should come from tests (GB/T 50081-2019 5.0.6); what was taken without one is said."""
    if width_mm is None or laboratory().codes.by_samples:
        return []
    factor = untested_factor(shape, width_mm, grade_mpa)
    if factor is None:
        return []
    return [
        _(
            "The size factor of %(factor)s for cubes of %(size)s mm was not found by test, as it should be from C60 on; "
            "the certificate will say so.",
            factor=f"{factor:f}",
            size=format_decimal(width_mm),
        )
    ]


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
            rate=format_decimal(rate_mpa_s),
            low=f"{low:f}",
            high=f"{high:f}",
        )
    ]
