"""What the database knows of each mix, as the strength model reads it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from lims.base.database import current_session
from lims.mixes.models import MixComponent, MixDesign, MixRevision
from lims.results.models import SetResult
from lims.standards.specimens import ANY_STANDARD_CURING_C
from lims.strength.history import COMPOSITION, AgeStrength, MixHistory, combine
from lims.trials.models import Batch, SpecimenSet, cured_as_standard

#: What is learned from, and what a forecast is judged by. Not the laboratory's own window: the histories of others, under
#: other codes, are learned from as well, and the model (lims/strength/maturity.py) takes this range as one temperature.
LEARNED_FROM_C = ANY_STANDARD_CURING_C


def laboratory_key(laboratory: str, kind: str) -> str:
    """Mortars gain strength otherwise than concretes: they count as a laboratory of their own."""
    return laboratory if kind == "concrete" else f"{laboratory} ({kind})"


#: Results that committed late may carry a number below the newest: so many are looked at again.
LOOKED_AT_AGAIN = 500
ALSO_BEFORE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the results, corrections and mixes had come when they were last read."""

    results: frozenset[int] = frozenset()
    corrected: frozenset[int] = frozenset()
    revision: int = 0
    design: int = 0

    @classmethod
    def now(cls) -> Seen:
        """Four statements that each read an index's end: what they cost does not grow with the laboratory."""
        session = current_session()
        last = session.scalar(select(func.max(SetResult.id))) or 0
        newest = session.scalars(select(SetResult.id).where(SetResult.id > last - LOOKED_AT_AGAIN))
        latest = session.scalar(
            select(func.max(SetResult.superseded_at)).where(SetResult.superseded_at.is_not(None))
        )
        corrected = (
            session.scalars(select(SetResult.id).where(SetResult.superseded_at >= latest - ALSO_BEFORE)).all()
            if latest is not None
            else ()
        )
        return cls(
            frozenset(newest),
            frozenset(corrected),
            session.scalar(select(func.max(MixRevision.id))) or 0,
            session.scalar(select(func.max(MixDesign.id))) or 0,
        )

    def changed_since(self, before: Seen) -> set[int] | None:
        """Mix designs whose history may differ from what it was; None when too much has happened to tell."""
        if before.results and self.results and min(self.results) > max(before.results):
            return None  # whole results lie between the two looks
        session = current_session()
        changed = list((self.results - before.results) | (self.corrected - before.corrected))
        if len(changed) > LOOKED_AT_AGAIN:
            return None
        of_results = (
            select(MixRevision.mix_design_id)
            .join(Batch, Batch.mix_revision_id == MixRevision.id)
            .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
            .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
            .where(SetResult.id.in_(changed))
        )
        found = set(session.scalars(of_results)) if changed else set()
        if self.revision > before.revision:
            query = select(MixRevision.mix_design_id).where(MixRevision.id > before.revision)
            found |= set(session.scalars(query))
        if self.design > before.design:
            found |= set(session.scalars(select(MixDesign.id).where(MixDesign.id > before.design)))
        return found


def mix_histories(mix_design_id: int | None = None) -> dict[int, MixHistory]:
    """mix_design id -> its history: results of sets under standard curing, by age; composition of the newest
    revision. Three statements, whatever the number of mixes."""
    session = current_session()
    designs = select(MixDesign.id, MixDesign.laboratory, MixDesign.kind, MixDesign.grade_mpa)
    results = (
        select(
            MixRevision.mix_design_id,
            SpecimenSet.age_days,
            SetResult.strength_mpa,
            SetResult.specimen_count,
            Batch.curing,
            Batch.curing_temperature_c,
        )
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(SetResult.superseded_at.is_(None), SetResult.strength_mpa.is_not(None))
    )
    newest = select(func.max(MixRevision.id)).group_by(MixRevision.mix_design_id)
    if mix_design_id is not None:
        designs = designs.where(MixDesign.id == mix_design_id)
        results = results.where(MixRevision.mix_design_id == mix_design_id)
        newest = newest.where(MixRevision.mix_design_id == mix_design_id)
    components = (
        select(MixRevision.mix_design_id, MixComponent.kind, MixComponent.mass_kg_m3)
        .join(MixRevision, MixRevision.id == MixComponent.revision_id)
        .where(MixRevision.id.in_(newest))
    )
    strengths: dict[int, dict[int, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    otherwise: set[int] = set()
    for design_id, age, strength, count, curing, temperature in session.execute(results):
        if cured_as_standard(curing, temperature, LEARNED_FROM_C):
            strengths[design_id][age].append((float(strength or 0), int(count)))
        else:
            otherwise.add(design_id)
    masses: dict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COMPOSITION, 0.0))
    for design_id, kind, mass in session.execute(components):
        name = f"{kind}_kg_m3"
        if name in COMPOSITION:
            masses[design_id][name] += float(mass)
    found = {}
    for design_id, laboratory, kind, grade in session.execute(designs):
        breaks = tuple(
            AgeStrength(float(age), combine([value for value, _n in values]), sum(n for _value, n in values))
            for age, values in sorted(strengths[design_id].items())
        )
        found[design_id] = MixHistory(
            lab=laboratory_key(laboratory, kind),
            mix_id=str(design_id),
            breaks=breaks,
            composition=masses.get(design_id, {}),
            curing_temperature_c=0.0 if design_id in otherwise and not breaks else None,
            grade_mpa=float(grade) if grade is not None else None,
        )
    return found
