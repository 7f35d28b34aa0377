"""What the database knows of each mix, as the strength model reads it."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import func, select

from lims.base.database import current_session
from lims.mixes.models import MixComponent, MixDesign, MixRevision
from lims.results.models import SetResult
from lims.strength.history import COMPOSITION, AgeStrength, MixHistory, combine
from lims.trials.models import STANDARD_CURING_FROM_C, Batch, SpecimenSet


def laboratory_key(laboratory: str, kind: str) -> str:
    """Mortars gain strength otherwise than concretes: they count as a laboratory of their own."""
    return laboratory if kind == "concrete" else f"{laboratory} ({kind})"


def fingerprint() -> tuple[int, int, int]:
    """Changes whenever a result that counts does."""
    row = (
        current_session()
        .execute(
            select(func.count(SetResult.id), func.max(SetResult.id), func.count(SetResult.superseded_at))
        )
        .one()
    )
    return int(row[0]), int(row[1] or 0), int(row[2])


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
        .order_by(SetResult.id)
    )
    newest = select(func.max(MixRevision.id)).group_by(MixRevision.mix_design_id)
    components = (
        select(MixRevision.mix_design_id, MixComponent.kind, MixComponent.mass_kg_m3)
        .join(MixRevision, MixRevision.id == MixComponent.revision_id)
        .where(MixRevision.id.in_(newest))
    )
    if mix_design_id is not None:
        designs = designs.where(MixDesign.id == mix_design_id)
        results = results.where(MixRevision.mix_design_id == mix_design_id)
        components = components.where(MixRevision.mix_design_id == mix_design_id)
    strengths: dict[int, dict[int, list[tuple[float, int]]]] = defaultdict(lambda: defaultdict(list))
    cold: set[int] = set()
    for design_id, age, strength, count, curing, temperature in session.execute(results):
        standard = curing == "standard" and (temperature is None or temperature >= STANDARD_CURING_FROM_C)
        if standard:
            strengths[design_id][age].append((float(strength or 0), int(count)))
        else:
            cold.add(design_id)
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
            curing_temperature_c=0.0 if design_id in cold and not breaks else None,
            grade_mpa=float(grade) if grade is not None else None,
        )
    return found
