"""A random sample for an audit, and what the records themselves say to the questions of its checklist."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import joinedload

from lims.audit.schemas import SampleIn
from lims.audit.trace import valid_on
from lims.base.database import current_session
from lims.base.display import day_begins, local_day, local_today
from lims.base.signatures import signatures_of
from lims.results.models import Break, Calibration, SetResult
from lims.results.service import KEPT_MPA
from lims.standards.errors import RuleInputError
from lims.standards.specimens import compressive_strength, size_factor, untested_factor
from lims.trials.models import Batch, Specimen, SpecimenSet

#: A result entered later than this after the test was back-dated, or forgotten: told either way.
ENTERED_LATE = timedelta(hours=24)

#: What the checklist asks; the machine answers what it can, the auditor looks at the rest.
QUESTIONS = {
    "label": _l("Label, cube and code agree"),
    "batch": _l("Cast time and mix are on record"),
    "lots": _l("The cement lot is named"),
    "press": _l("The press was calibrated on the day"),
    "age": _l("Broken within its window"),
    "strength": _l("The strength follows from load and size"),
    "entered": _l("Entered within a day of the test"),
    "second": _l("Another person checked it"),
    "signed": _l("The signatures still fit"),
}


@dataclass(slots=True)
class Sampled:
    """A specimen of the sample. `answers`: question -> True, False, or None where the record has nothing to say."""

    specimen: Specimen
    found: Break | None
    result: SetResult | None
    answers: dict[str, bool | None] = field(default_factory=dict)


def of_now(asked: SampleIn) -> SampleIn:
    """With the newest specimen that there is, where none is named: page, papers and findings then draw the same sample,
    whatever is registered meanwhile."""
    if asked.newest is not None:
        return asked
    newest = current_session().scalar(select(func.max(Specimen.id)))
    return asked.model_copy(update={"newest": newest})


def draw(asked: SampleIn) -> list[int]:
    """Ids of specimens cast in the period: drawn by the seed over the numbers of the period, in order of drawing.

    Specimens are never deleted and none is cast at another time than was said, so the same period, size, seed and newest
    specimen give the same specimens for ever.
    """
    session = current_session()
    begin, end = day_begins(asked.first), day_begins(asked.last + timedelta(days=1))
    chosen = (
        select(Specimen.id)
        .join(SpecimenSet, SpecimenSet.id == Specimen.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .where(Batch.cast_at >= begin, Batch.cast_at < end)
    )
    if asked.newest is not None:
        chosen = chosen.where(Specimen.id <= asked.newest)
    total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
    size = min(asked.size, total)
    if not size:
        return []
    # By place, not by id: every specimen of the period is as likely as any other.
    chance = random.Random(asked.seed)  # noqa: S311 - a repeatable sample, no secret
    places = chance.sample(range(total), size)
    numbered = chosen.add_columns(
        cast(func.row_number().over(order_by=Specimen.id), Integer).label("place")
    ).subquery()
    rows = session.execute(
        select(numbered.c.place, numbered.c.id).where(numbered.c.place.in_([place + 1 for place in places]))
    )
    by_place: dict[int, int] = {}
    for place, key in rows:
        by_place[place] = key
    return [by_place[place + 1] for place in places]


def sample(asked: SampleIn) -> list[Sampled]:
    """The drawn specimens, each with what the records say."""
    ids = draw(asked)
    session = current_session()
    specimens = {
        item.id: item
        for item in session.scalars(
            select(Specimen)
            .where(Specimen.id.in_(ids))
            .options(
                joinedload(Specimen.specimen_set)
                .joinedload(SpecimenSet.batch)
                .joinedload(Batch.mix_revision),
                joinedload(Specimen.specimen_set).joinedload(SpecimenSet.batch).joinedload(Batch.cement_lot),
            )
        )
    }
    breaks = {
        item.specimen_id: item
        for item in session.scalars(
            select(Break)
            .where(Break.specimen_id.in_(ids), Break.superseded_at.is_(None))
            .options(joinedload(Break.press))
        )
    }
    sets = {item.specimen_set_id for item in specimens.values()}
    results = {
        item.specimen_set_id: item
        for item in session.scalars(
            select(SetResult).where(SetResult.specimen_set_id.in_(sets), SetResult.superseded_at.is_(None))
        )
    }
    presses = {item.press_id for item in breaks.values() if item.press_id is not None}
    certificates: dict[int | None, list[Calibration]] = defaultdict(list)
    for item in session.scalars(
        select(Calibration)
        .where(Calibration.press_id.in_(presses))
        .order_by(Calibration.calibrated_on, Calibration.id)
    ):
        certificates[item.press_id].append(item)
    signed: dict[int, list[bool]] = defaultdict(list)
    for seen in signatures_of(SetResult.record_name, [item.id for item in results.values()]):
        signed[seen.signature.signed_id].append(seen.holds)
    found = []
    for key in ids:
        specimen = specimens[key]
        one = Sampled(specimen, breaks.get(key), results.get(specimen.specimen_set_id))
        one.answers = _answers(one, certificates, signed)
        found.append(one)
    return found


def _answers(
    one: Sampled, certificates: dict[int | None, list[Calibration]], signed: dict[int, list[bool]]
) -> dict[str, bool | None]:
    batch, broken, result = one.specimen.specimen_set.batch, one.found, one.result
    answers: dict[str, bool | None] = dict.fromkeys(QUESTIONS)
    answers["batch"] = batch.cast_at is not None and batch.mix_revision is not None
    answers["lots"] = batch.cement_lot_id is not None
    if broken is not None:
        if broken.press_id is not None and broken.tested_at is not None:
            answers["press"] = (
                valid_on(certificates[broken.press_id], local_day(broken.tested_at)) is not None
            )
        answers["age"] = broken.age_within
        answers["strength"] = recomputed(one.specimen, broken)
        if broken.tested_at is not None:
            answers["entered"] = broken.created_at - broken.tested_at <= ENTERED_LATE
    if result is not None:
        if result.verified_by is not None:
            answers["second"] = result.verified_by != result.created_by
        elif not (broken is not None and broken.reported):
            answers["second"] = False
        holds = signed.get(result.id)
        answers["signed"] = all(holds) if holds else None
    return answers


def recomputed(specimen: Specimen, broken: Break) -> bool | None:
    """Does the kept strength follow from load and size? None where a strength came without a load."""
    if broken.load_kn is None or specimen.width_mm is None:
        return None
    try:
        strength = compressive_strength(broken.load_kn, specimen.shape, specimen.width_mm)
    except RuleInputError:
        return None
    grade = specimen.specimen_set.batch.mix_revision.mix_design.grade_mpa
    wanted = [strength]
    if specimen.shape == "cube":
        with suppress(RuleInputError):
            taken = untested_factor("cube", specimen.width_mm, grade)
            wanted.append(strength * size_factor("cube", specimen.width_mm, grade, stated=taken))
    return any(value.quantize(KEPT_MPA, ROUND_HALF_EVEN) == broken.strength_mpa for value in wanted)


def rows_of(found: Sequence[Sampled]) -> list[dict[str, Any]]:
    """The checklist for page, PDF and Excel."""
    words = {True: _("yes"), False: _("no"), None: "–"}
    rows = []
    for one in found:
        batch = one.specimen.specimen_set.batch
        rows.append(
            {
                "specimen": one.specimen,
                "batch": batch,
                "mix": batch.mix_revision.code,
                "strength": one.found.strength_mpa if one.found is not None else None,
                "tested_at": one.found.tested_at if one.found is not None else None,
                "answers": [(key, one.answers[key], words[one.answers[key]]) for key in QUESTIONS],
            }
        )
    return rows


def usual_period() -> tuple[date, date]:
    """The last ninety days."""
    today = local_today()
    return today - timedelta(days=90), today
