"""Batches and prices as comparisons read them. Only released results under standard curing count: what a comparison
says may leave the laboratory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, exists, func, or_, select

from lims.base.database import among, current_session
from lims.base.display import local_day
from lims.base.services import SERVICES
from lims.comparison.models import Price, ProcessChange
from lims.materials.models import AggregateSample, CementLot
from lims.mixes.models import BINDERS, RECIPE, MixComponent, MixDesign, MixRevision
from lims.results.models import SetResult
from lims.standards.specimens import commonest_shape, shape_of_rule
from lims.strength.comparison import Prices, TrialBatch
from lims.trials.models import Batch, BatchLot, SpecimenSet, Trial, where_cured_as_standard

AGGREGATES = ("fine_aggregate", "coarse_aggregate")
SCMS = tuple(kind for kind in BINDERS if kind != "cement")


@dataclass(slots=True)
class TrialRow:
    """A batch with its recipe and its strength at one age."""

    batch_id: int
    code: str
    cast_at: datetime
    lot_id: int | None
    lot: str
    mix_id: int
    mix: str
    revision_id: int
    slump_mm: float | None
    strength_mpa: float
    sets: int
    #: cube or cylinder; "" where strengths were reported.
    shape: str = ""
    masses: dict[str, float] = field(default_factory=dict)

    def mass(self, *kinds: str) -> float:
        return sum(self.masses.get(kind, 0.0) for kind in kinds)

    @property
    def binder_kg_m3(self) -> float:
        return self.mass(*BINDERS)

    @property
    def ratio(self) -> float:
        return self.mass("water") / self.binder_kg_m3

    @property
    def scm_share(self) -> float:
        return self.mass(*SCMS) / self.binder_kg_m3

    @property
    def recipe(self) -> str:
        """The mix with each of its binders and its water: revisions that differ in the admixture alone share it."""
        return "/".join([str(self.mix_id), *(f"{self.mass(kind):.0f}" for kind in RECIPE)])

    @property
    def admixture_percent(self) -> float | None:
        """Water reducer in % of the binder; None where the recipe holds none."""
        dose = self.mass("superplasticizer")
        return 100 * dose / self.binder_kg_m3 if dose else None

    def as_trial(self, *, own: bool) -> TrialBatch:
        return TrialBatch(
            own=own,
            water_binder_ratio=self.ratio,
            strength_mpa=self.strength_mpa,
            lot=self.lot or self.code,
            scm_share=self.scm_share,
            slump_mm=self.slump_mm,
            admixture_percent=self.admixture_percent,
        )


def of_cement(cement_product_id: int) -> ColumnElement[bool]:
    """Which batches of a statement that joins their cement lots from outside are of this cement. The lot says which it was,
    a recipe only which was meant."""
    named = exists().where(
        MixComponent.revision_id == Batch.mix_revision_id,
        MixComponent.cement_product_id == cement_product_id,
    )
    return or_(
        CementLot.cement_product_id == cement_product_id,
        Batch.cement_lot_id.is_(None) & named,
    )


def trial_rows(
    cement_product_id: int,
    age_days: int,
    *,
    region_id: int | None = None,
    trial_id: int | None = None,
    customer_id: int | None = None,
    aggregate_source_id: int | None = None,
    admixture_lot_id: int | None = None,
    scm: str | None = None,
    cast_from: date | None = None,
    cast_until: date | None = None,
) -> list[TrialRow]:
    """Batches of concrete with this cement whose sets of this age are released, oldest first; one that was broken as cubes
    and as cylinders comes twice. Two statements and one for each 500 recipes."""
    query = (
        select(
            Batch.id,
            Batch.code,
            Batch.cast_at,
            CementLot.id,
            CementLot.code,
            MixDesign.id,
            MixDesign.code,
            Batch.mix_revision_id,
            Batch.slump_mm,
            SetResult.strength_mpa,
            SetResult.rule_id,
        )
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(Trial, Trial.id == Batch.trial_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .outerjoin(CementLot, CementLot.id == Batch.cement_lot_id)
        .where(
            SpecimenSet.age_days == age_days,
            SetResult.superseded_at.is_(None),
            SetResult.state == "released",
            SetResult.strength_mpa > 0,
            MixDesign.kind == "concrete",
            where_cured_as_standard(),
            Batch.cast_at.is_not(None),
            Batch.retired_at.is_(None),
            *SERVICES["batches"].visible(),  # a salesperson compares within the own regions
            of_cement(cement_product_id),
        )
        .order_by(Batch.cast_at, Batch.id, SetResult.id)
    )
    if region_id is not None:
        query = query.where(Trial.region_id == region_id)
    if trial_id is not None:
        query = query.where(Batch.trial_id == trial_id)
    if customer_id is not None:
        query = query.where(Trial.customer_id == customer_id)
    if aggregate_source_id is not None:
        samples = select(AggregateSample.id).where(AggregateSample.aggregate_source_id == aggregate_source_id)
        query = query.where(
            or_(
                Batch.aggregate_sample_id.in_(samples),
                exists().where(
                    BatchLot.batch_id == Batch.id,
                    BatchLot.retired_at.is_(None),
                    BatchLot.aggregate_sample_id.in_(samples),
                ),
            )
        )
    if admixture_lot_id is not None:
        query = query.where(
            exists().where(
                BatchLot.batch_id == Batch.id,
                BatchLot.retired_at.is_(None),
                BatchLot.admixture_lot_id == admixture_lot_id,
            )
        )
    if cast_from is not None:
        query = query.where(Batch.cast_at >= _start(cast_from))
    if cast_until is not None:
        query = query.where(Batch.cast_at < _start(cast_until + timedelta(days=1)))

    found: dict[tuple[int, str], TrialRow] = {}
    strengths: dict[tuple[int, str], list[float]] = defaultdict(list)
    for row in current_session().execute(query):
        batch_id, shape = int(row[0]), shape_of_rule(row[10])
        assert row[2] is not None  # the conditions leave no others
        assert row[9] is not None
        strengths[batch_id, shape].append(float(row[9]))
        if (batch_id, shape) not in found:
            slump = float(row[8]) if row[8] is not None else None
            found[batch_id, shape] = TrialRow(
                batch_id, row[1], row[2], row[3], row[4] or "", row[5], row[6], row[7], slump, 0.0, 0, shape
            )
    masses = masses_of({item.revision_id for item in found.values()})
    rows = []
    for key, item in found.items():
        item.masses = masses.get(item.revision_id, {})
        if not item.binder_kg_m3 or not item.mass("water"):
            continue
        item.strength_mpa = sum(strengths[key]) / len(strengths[key])
        item.sets = len(strengths[key])
        if scm is None or _holds(item, scm):
            rows.append(item)
    return rows


def of_one_shape(*sides: list[TrialRow]) -> list[list[TrialRow]]:
    """Each side without what was broken as cylinders where most were cubes, or the other way round: a cylinder bears about
    four fifths of what a cube does, whatever the cement."""
    wanted = commonest_shape(row.shape for rows in sides for row in rows)
    return [[row for row in rows if row.shape in ("", wanted)] for rows in sides]


def made_on(lots: Iterable[int]) -> dict[int, date]:
    """Cement lot id -> the day it was made, or else delivered."""
    made = func.coalesce(CementLot.produced_on, CementLot.delivered_on)
    rows = current_session().execute(select(CementLot.id, made).where(among(CementLot.id, set(lots))))
    return {lot_id: day for lot_id, day in rows if day is not None}


class Casting(Protocol):
    """A batch, as far as it tells which kind of its cement went in."""

    @property
    def lot_id(self) -> int | None: ...

    @property
    def cast_at(self) -> datetime: ...


C = TypeVar("C", bound=Casting)


def cast_after(change: ProcessChange, rows: Sequence[C]) -> list[C]:
    """Batches with cement of the new kind: by the day their lot was made, where it is known, else by their own. A silo
    holds the old cement for a while."""
    days = made_on(row.lot_id for row in rows if row.lot_id is not None)
    first = made_on([change.first_lot_id]) if change.first_lot_id is not None else {}
    starts = next(iter(first.values()), change.holds_from)
    return [row for row in rows if (days.get(row.lot_id or 0) or local_day(row.cast_at)) >= starts]


def _start(day: date) -> datetime:
    from lims.base.display import laboratory_zone

    return datetime(day.year, day.month, day.day, tzinfo=laboratory_zone())


def _holds(row: TrialRow, scm: str) -> bool:
    wanted = set() if scm == "none" else set(scm.split("+"))
    return {kind for kind in SCMS if row.masses.get(kind)} == wanted


def masses_of(revision_ids: set[int]) -> dict[int, dict[str, float]]:
    """revision id -> kg/m³ by kind."""
    found: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    rows = current_session().execute(
        select(MixComponent.revision_id, MixComponent.kind, func.sum(MixComponent.mass_kg_m3))
        .where(among(MixComponent.revision_id, revision_ids))
        .group_by(MixComponent.revision_id, MixComponent.kind)
    )
    for revision_id, kind, mass in rows:
        found[revision_id][kind] += float(mass)
    return found


def changes_within(cement_product_id: int, rows: Sequence[TrialRow]) -> list[ProcessChange]:
    """Changes of this cement at the works between the oldest and the newest of these batches."""
    if not rows:
        return []
    return [
        change
        for change in changes_of(cement_product_id)
        if local_day(rows[0].cast_at) < change.holds_from <= local_day(rows[-1].cast_at)
    ]


def changes_of(cement_product_id: int) -> Sequence[ProcessChange]:
    """Changes of this cement, oldest first."""
    return (
        current_session()
        .scalars(
            select(ProcessChange)
            .where(ProcessChange.cement_product_id == cement_product_id, ProcessChange.retired_at.is_(None))
            .order_by(ProcessChange.holds_from)
        )
        .all()
    )


# --- prices --------------------------------------------------------------------------------------------------


def price_list(on: date, region_id: int | None) -> dict[tuple[str, int | None], Decimal]:
    """(kind, cement product) -> money per tonne on that day; the region's own price goes before the general one."""
    rows = current_session().execute(
        select(Price.kind, Price.cement_product_id, Price.region_id, Price.price_per_t)
        .where(
            Price.valid_from <= on,
            Price.retired_at.is_(None),
            or_(Price.region_id.is_(None), Price.region_id == region_id),
        )
        .order_by(Price.valid_from, Price.id)
    )
    general: dict[tuple[str, int | None], Decimal] = {}
    regional: dict[tuple[str, int | None], Decimal] = {}
    for kind, product_id, of_region, price in rows:
        (general if of_region is None else regional)[kind, product_id] = price
    return {**general, **regional}


def mean_price(
    prices: dict[tuple[str, int | None], Decimal], masses: dict[str, float], kinds: tuple[str, ...]
) -> float | None:
    """Money per tonne of these kinds together, in the proportion of `masses`; None while one is missing."""
    used = {kind: masses[kind] for kind in kinds if masses.get(kind)}
    if not used or any((kind, None) not in prices for kind in used):
        return None
    total = sum(used.values())
    return sum(mass * float(prices[kind, None]) for kind, mass in used.items()) / total


def prices_for(
    prices: dict[tuple[str, int | None], Decimal], own_id: int, other_id: int, masses: dict[str, float]
) -> Prices:
    """The prices that a comparison of these two cements needs; `masses` say which mineral admixtures and aggregates."""

    def cement(product_id: int) -> float | None:
        found = prices.get(("cement", product_id))
        return None if found is None else float(found)

    return Prices(
        cement_own=cement(own_id),
        cement_other=cement(other_id),
        scm=mean_price(prices, masses, SCMS),
        admixture=mean_price(prices, masses, ("superplasticizer",)),
        aggregate=mean_price(prices, masses, AGGREGATES),
    )


def cost_of(
    masses: dict[str, float], cement_product_id: int | None, prices: dict[tuple[str, int | None], Decimal]
) -> float | None:
    """Materials of a cubic metre in money; None while a price is missing. Water costs nothing."""
    total = 0.0
    for kind, mass in masses.items():
        if not mass or kind == "water":
            continue
        price: Any = prices.get((kind, cement_product_id if kind == "cement" else None))
        if price is None:
            return None
        total += mass * float(price) / 1000
    return total
