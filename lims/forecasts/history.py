"""What the database knows of each mix, as the strength model reads it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from flask import has_request_context
from sqlalchemy import Select, and_, func, or_, select

from lims.base.auditing.models import AuditEntry, AuditTransaction
from lims.base.database import among, current_session
from lims.base.security import may
from lims.mixes.models import RECIPE, MixComponent, MixDesign, MixRevision
from lims.results.models import SetResult
from lims.standards.grades import grade_of_shape
from lims.standards.specimens import ANY_STANDARD_CURING_C, commonest_shape, shape_of_rule
from lims.strength.history import COMPOSITION, AgeStrength, MixHistory, combine
from lims.trials.models import Batch, SpecimenSet, cured_as_standard, where_cured_as_standard

#: What is learned from, and what a forecast is judged by. Not the laboratory's own window: the histories of others, under
#: other codes, are learned from as well, and the model (lims/strength/maturity.py) takes this range as one temperature.
LEARNED_FROM_C = ANY_STANDARD_CURING_C


def laboratory_key(laboratory: str, kind: str) -> str:
    """Mortars gain strength otherwise than concretes: they count as a laboratory of their own."""
    return laboratory if kind == "concrete" else f"{laboratory} ({kind})"


#: Where more has happened since the last look, everything is read anew.
MOST_TRANSACTIONS, MOST_ENTRIES, MOST_MIXES = 2_000, 50_000, 300


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the record of changes had come when histories were last read. It holds what every process and way in has
    written, and numbers its transactions as they were committed: none comes in late, whatever a clock says."""

    transaction: int = 0

    @classmethod
    def now(cls) -> Seen:
        """One statement that reads an index's end."""
        return cls(current_session().scalar(select(func.max(AuditTransaction.id))) or 0)

    def changed_since(self, before: Seen) -> set[int] | None:
        """Mix designs whose history may differ from what it was; None when too much has happened to tell. What it costs
        grows with what was written since, not with the laboratory."""
        if self.transaction <= before.transaction:
            return set()
        if self.transaction - before.transaction > MOST_TRANSACTIONS:
            return None
        session = current_session()
        began, entries = session.execute(
            select(func.min(AuditTransaction.txid), func.sum(AuditTransaction.entries)).where(
                AuditTransaction.id > before.transaction
            )
        ).one()
        if entries > MOST_ENTRIES:
            return None
        changed: dict[str, set[int]] = defaultdict(set)
        for table, key in session.execute(_of_histories(began)):
            changed[table].add(int(key))
        found = changed["mix_designs"]
        of_revisions = select(MixRevision.mix_design_id).distinct()
        of_batches = of_revisions.join(Batch, Batch.mix_revision_id == MixRevision.id)
        of_results = of_batches.join(SpecimenSet, SpecimenSet.batch_id == Batch.id).join(
            SetResult, SetResult.specimen_set_id == SpecimenSet.id
        )
        for table, column, query in (
            ("mix_revisions", MixRevision.id, of_revisions),
            ("batches", Batch.id, of_batches),
            ("set_results", SetResult.id, of_results),
        ):
            if changed[table]:
                found |= set(session.scalars(query.where(among(column, changed[table]))))
        return found if len(found) <= MOST_MIXES else None


def _of_histories(seq: int) -> Select[str, str]:
    """(table, key) of what was written after this entry and can make the history of a mix another: a mix or a recipe, a
    result that came or was taken back, curing that was put right."""
    # Fenced off by the offset: otherwise every entry there ever was of these tables is looked at, by the index of tables.
    recent = (
        select(AuditEntry.table_name, AuditEntry.pk, AuditEntry.op, AuditEntry.payload)
        .where(AuditEntry.seq > seq)
        .offset(0)
        .subquery()
    ).c
    came = recent.op == "I"
    return select(recent.table_name, recent.pk).where(
        or_(
            recent.table_name.in_(("mix_designs", "mix_revisions")),
            and_(recent.table_name == "set_results", or_(came, recent.payload.contains('"superseded_at"'))),
            and_(recent.table_name == "batches", ~came, recent.payload.contains('"curing')),
        )
    )


#: Masses of RECIPE, kg/m³.
Recipe = tuple[int, ...]


@dataclass(slots=True)
class _Revision:
    id: int
    frozen_at: datetime | None
    retired_at: datetime | None
    masses: dict[str, float] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """() where no binder and no water is known."""
        found = tuple(round(self.masses.get(f"{kind}_kg_m3", 0.0)) for kind in RECIPE)
        return found if any(found) else ()


def _revisions(mix_design_ids: Collection[int] | None) -> dict[int, list[_Revision]]:
    """mix_design id -> its revisions with their masses, oldest first. Two statements."""
    session = current_session()
    query = select(
        MixRevision.id, MixRevision.mix_design_id, MixRevision.frozen_at, MixRevision.retired_at
    ).order_by(MixRevision.id)
    components = select(MixComponent.revision_id, MixComponent.kind, MixComponent.mass_kg_m3)
    if mix_design_ids is not None:
        query = query.where(among(MixRevision.mix_design_id, mix_design_ids))
        components = components.join(MixRevision, MixRevision.id == MixComponent.revision_id).where(
            among(MixRevision.mix_design_id, mix_design_ids)
        )
    by_id: dict[int, _Revision] = {}
    found: dict[int, list[_Revision]] = defaultdict(list)
    for key, design_id, frozen_at, retired_at in session.execute(query):
        by_id[key] = _Revision(key, frozen_at, retired_at)
        found[design_id].append(by_id[key])
    for revision_id, kind, mass in session.execute(components):
        name = f"{kind}_kg_m3"
        if name in COMPOSITION and revision_id in by_id:
            masses = by_id[revision_id].masses
            if not masses:
                masses.update(dict.fromkeys(COMPOSITION, 0.0))
            masses[name] += float(mass)
    return found


def _as_it_is(revisions: Sequence[_Revision]) -> _Revision | None:
    """The revision that says what the mix is: the newest in use that was cast. A draft says what somebody thinks of; before
    anything was cast, the newest draft that is in use."""
    in_use = [item for item in revisions if item.retired_at is None] or list(revisions)
    cast = [item for item in in_use if item.frozen_at is not None]
    return next(reversed(cast or in_use), None)


@dataclass(frozen=True, slots=True)
class AsCast:
    """The revisions that share the recipe by which a mix is cast now, and since when it is."""

    revisions: frozenset[int]
    since: datetime | None


def as_cast(mix_design_ids: Collection[int] | None = None) -> dict[int, AsCast]:
    """mix_design id -> how it is cast now, of those that were cast by more than one revision: their older results and
    forecasts may be of another concrete."""
    found = {}
    for design_id, revisions in _of_several(mix_design_ids).items():
        present = _as_it_is(revisions)
        if present is not None:
            same = [item for item in revisions if item.recipe in ((), present.recipe)]
            cast_at = [item.frozen_at for item in same if item.frozen_at is not None]
            found[design_id] = AsCast(frozenset(item.id for item in same), min(cast_at, default=None))
    return found


def recipes_of_revised(mix_design_ids: Collection[int] | None = None) -> dict[int, Recipe]:
    """Revision id -> its recipe, of the mixes (of these, or all) that were cast by more than one revision."""
    return {item.id: item.recipe for revisions in _of_several(mix_design_ids).values() for item in revisions}


def shapes_forecast(mix_design_ids: Collection[int]) -> dict[int, str]:
    """Revision id -> "cube" or "cylinder", of these mixes: what a mix was broken as more often by this recipe, at any age,
    is what is forecast of it. Two statements, two more where mixes were revised."""
    recipe_of: dict[int, Recipe] = {}
    for revisions in _of_several(mix_design_ids).values():
        present = _as_it_is(revisions)
        recipe_of |= {item.id: item.recipe or (present.recipe if present else ()) for item in revisions}
    query = (
        select(MixRevision.mix_design_id, MixRevision.id, SetResult.rule_id, func.count())
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
        .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
        .where(
            among(MixRevision.mix_design_id, mix_design_ids),
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
            where_cured_as_standard(LEARNED_FROM_C),
        )
        .group_by(MixRevision.mix_design_id, MixRevision.id, SetResult.rule_id)
    )
    broken: dict[tuple[int, Recipe], Counter[str]] = defaultdict(Counter)
    concrete: dict[int, tuple[int, Recipe]] = {}
    for mix_id, revision_id, rule_id, number in current_session().execute(query):
        concrete[revision_id] = (mix_id, recipe_of.get(revision_id, ()))
        broken[concrete[revision_id]][shape_of_rule(rule_id)] += number
    return {key: commonest_shape(broken[one].elements()) for key, one in concrete.items()}


def is_of_shape(shape: str, revision_id: int, shapes: Mapping[int, str]) -> bool:
    """May a result of this shape, "" of what was reported, be held against the forecast of its mix? `shapes`: those of
    `shapes_forecast`; of a revision that it does not name any may."""
    return shape in ("", shapes.get(revision_id, shape))


@dataclass(frozen=True, slots=True)
class Recast:
    """A mix that was cast by more than one revision, newest first."""

    revisions: tuple[_Revision, ...]

    def so_cast(self, revision_id: int, at: datetime) -> bool:
        """At this time, was the mix cast by the recipe of this revision? A forecast stands for the recipe of its day."""
        wanted = next((item.recipe for item in self.revisions if item.id == revision_id), ())
        for item in self.revisions:
            cast = item.frozen_at is not None and item.frozen_at <= at
            if cast and (item.retired_at is None or at < item.retired_at):
                return item.recipe in ((), wanted)
        return False


def recasts(mix_design_ids: Collection[int]) -> dict[int, Recast]:
    """mix_design id -> by which recipe it was cast when, of those of these that were cast by more than one revision."""
    return {key: Recast(tuple(reversed(found))) for key, found in _of_several(mix_design_ids).items()}


def _of_several(mix_design_ids: Collection[int] | None) -> dict[int, list[_Revision]]:
    several = (
        select(MixRevision.mix_design_id)
        .where(MixRevision.frozen_at.is_not(None))
        .group_by(MixRevision.mix_design_id)
        .having(func.count() > 1)
    )
    if mix_design_ids is not None:
        several = several.where(among(MixRevision.mix_design_id, mix_design_ids))
    wanted = list(current_session().scalars(several))
    return _revisions(wanted) if wanted else {}


def sees_unreleased() -> bool:
    """What is learned from is every result; whoever reads none is told of released ones. Where nobody asks, as on the
    command line, all count."""
    return not has_request_context() or may("read", "set-results")


def mix_histories(mix_design_id: int | None = None, *, released: bool = False) -> dict[int, MixHistory]:
    """mix_design id -> its history by the recipe that it is cast by now, the newest cast revision's: results of sets under
    standard curing, by age; the released ones alone, if asked for."""
    return {key: recipes[0] for key, recipes in recipe_histories(mix_design_id, released=released).items()}


def recipe_histories(
    mix_design_id: int | None = None, *, released: bool = False
) -> dict[int, list[MixHistory]]:
    """mix_design id -> its histories: as it is cast now, then by the recipes that it was cast by before, which are mixes of
    their own to learn from. Four statements, whatever the number of mixes."""
    session = current_session()
    designs = select(
        MixDesign.id, MixDesign.laboratory, MixDesign.kind, MixDesign.grade_mpa, MixDesign.strength_class
    )
    results = (
        select(
            MixRevision.mix_design_id,
            MixRevision.id,
            SpecimenSet.age_days,
            SetResult.strength_mpa,
            SetResult.specimen_count,
            SetResult.rule_id,
            Batch.curing,
            Batch.curing_temperature_c,
        )
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(SetResult.superseded_at.is_(None), SetResult.strength_mpa.is_not(None))
    )
    if mix_design_id is not None:
        designs = designs.where(MixDesign.id == mix_design_id)
        results = results.where(MixRevision.mix_design_id == mix_design_id)
    if released:
        results = results.where(SetResult.state == "released")
    broken: dict[int, list[_Broken]] = defaultdict(list)
    for design_id, revision_id, age, strength, count, rule_id, curing, temperature in session.execute(
        results
    ):
        standard = cured_as_standard(curing, temperature, LEARNED_FROM_C)
        broken[design_id].append(
            _Broken(revision_id, age, float(strength or 0), int(count), shape_of_rule(rule_id), standard)
        )
    revisions = _revisions(None if mix_design_id is None else [mix_design_id])
    found = {}
    for design_id, laboratory, kind, of_mix_mpa, strength_class in session.execute(designs):
        lab, of_mix = laboratory_key(laboratory, kind), revisions.get(design_id, [])
        present = _as_it_is(of_mix)
        recipe_of = {item.id: item.recipe for item in of_mix}
        recipe = present.recipe if present is not None else ()
        # A composition that was written down later is that of what was cast before.
        told = present if recipe else next((item for item in reversed(of_mix) if item.recipe), present)
        by_recipe: dict[Recipe, list[_Broken]] = defaultdict(list)
        for item in broken[design_id]:
            by_recipe[recipe_of.get(item.revision_id) or recipe].append(item)
        now = by_recipe.pop(recipe, [])
        shape = _shape(now)
        breaks = _breaks(now, shape)
        # Of a class of two numbers the chance is said of the one that its breaks are held against.
        grade = grade_of_shape(strength_class, of_mix_mpa, shape)
        histories = [
            MixHistory(
                lab=lab,
                mix_id=str(design_id),
                breaks=breaks,
                composition=told.masses if told is not None else {},
                curing_temperature_c=0.0 if now and not breaks else None,
                grade_mpa=float(grade) if grade is not None else None,
            )
        ]
        for items in by_recipe.values():
            if former := _breaks(items, _shape(items)):
                first = min(item.revision_id for item in items)
                masses = next(item.masses for item in of_mix if item.id == first)
                histories.append(MixHistory(lab, f"{design_id}/{first}", former, masses))
        found[design_id] = histories
    return found


class _Broken(NamedTuple):
    """A result of a set: of which revision, days, MPa, specimens, cube or cylinder, and whether cured as standard."""

    revision_id: int
    age_days: int
    strength_mpa: float
    specimens: int
    shape: str
    standard: bool


def _shape(results: Sequence[_Broken]) -> str:
    """ "cube" or "cylinder", the commoner of what was cured as standard; "" where nothing tells."""
    return commonest_shape(item.shape for item in results if item.standard)


def _breaks(results: Sequence[_Broken], shape: str) -> tuple[AgeStrength, ...]:
    """One strength an age of what was cured as standard; of cubes and cylinders of one mix those of this shape alone."""
    by_age: dict[int, list[_Broken]] = defaultdict(list)
    for item in results:
        if item.standard and item.shape in ("", shape):
            by_age[item.age_days].append(item)
    return tuple(
        AgeStrength(
            float(age), combine([item.strength_mpa for item in items]), sum(item.specimens for item in items)
        )
        for age, items in sorted(by_age.items())
    )
