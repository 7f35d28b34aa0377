"""How good the forecasts were: error and coverage of what was stored, beside what came out; and early alarms by lot."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, true

from lims.base.database import current_session
from lims.base.display import laboratory_zone
from lims.forecasts.history import (
    LEARNED_FROM_C,
    Recipe,
    as_cast,
    is_of_shape,
    recipes_of_revised,
    sees_unreleased,
    shapes_forecast,
)
from lims.forecasts.models import Forecast
from lims.forecasts.service import TARGET_DAYS
from lims.materials.models import CementLot, CementProduct, Region
from lims.mixes.models import MixDesign, MixRevision
from lims.results.models import SetResult
from lims.standards.specimens import shape_of_rule
from lims.strength.control import Sums, cumulative_sums
from lims.trials.models import Batch, SpecimenSet, Trial, where_cured_as_standard

#: Latest forecasts looked at.
MOST_FORECASTS = 20_000
#: Fewer than this say nothing.
LEAST_JUDGED = 5
#: An early residual needs this many earlier batches of its mix.
LEAST_EARLIER = 3
#: Deviation of ln f of an early set from its mix's mean, at least (a laboratory's batch-to-batch scatter).
LEAST_DEVIATION = 0.03
#: Early ages whose sets are watched, days.
EARLY_DAYS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Judged:
    """A stored forecast whose result is known."""

    mix_id: int
    mix_code: str
    early_ages: str
    said_mpa: float
    came_mpa: float
    in_50: bool
    in_90: bool
    width_90_mpa: float
    laboratory: str
    cement: str
    region: str
    at: datetime

    @property
    def error_percent(self) -> float:
        return 100 * (self.said_mpa / self.came_mpa - 1)


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of a group of judged forecasts. `skill` is 1 - error / error of the group's running mean."""

    name: str
    n: int
    mape_percent: float
    bias_percent: float
    coverage_50_percent: float
    coverage_90_percent: float
    width_90_mpa: float
    skill: float

    @property
    def informative(self) -> bool:
        return self.skill > 0

    @property
    def keeps_its_word(self) -> bool:
        """Does the 90 % interval hold as often as it says, within what n cases can tell?"""
        spread = 100 * 2 * math.sqrt(0.9 * 0.1 / self.n)
        return abs(self.coverage_90_percent - 90) <= spread + 3


@dataclass(frozen=True, slots=True)
class LotWatch:
    """Early sets of batches with one cement lot against what their mixes gave before."""

    lot: str
    codes: tuple[str, ...]
    z: tuple[float, ...]
    sums: Sums
    days_early: int | None


def judged_forecasts() -> list[Judged]:
    """The newest forecast of each mix and set of early ages whose 28-d result is known, under standard curing: that is what
    was forecast; both of the recipe by which the mix is cast now. Who reads no results is told of what is released. Three
    statements, two more where mixes were revised, and those of `shapes_forecast` where cylinders were broken at 28 d."""
    session = current_session()
    revised = as_cast()
    about = (
        select(
            MixRevision.mix_design_id.label("mix_id"),
            func.min(Trial.region_id).label("region_id"),
            func.min(func.coalesce(CementLot.cement_product_id, Trial.cement_product_id)).label("cement_id"),
        )
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(Trial, Trial.id == Batch.trial_id)
        .outerjoin(CementLot, CementLot.id == Batch.cement_lot_id)
        .group_by(MixRevision.mix_design_id)
        .subquery()
    )
    results: dict[int, list[tuple[int, str, Decimal]]] = defaultdict(list)
    seen = true() if sees_unreleased() else SetResult.state == "released"
    for mix_id, revision_id, strength, rule_id in session.execute(
        select(MixRevision.mix_design_id, MixRevision.id, SetResult.strength_mpa, SetResult.rule_id)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
        .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
        .where(
            SpecimenSet.age_days == TARGET_DAYS,
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
            where_cured_as_standard(LEARNED_FROM_C),
            seen,
        )
    ):
        if mix_id not in revised or revision_id in revised[mix_id].revisions:
            results[int(mix_id)].append((revision_id, shape_of_rule(rule_id), strength or Decimal(0)))
    # What was forecast is one shape; so it alone is what came.
    several = {
        mix_id
        for mix_id, of_mix in results.items()
        if any(shape == "cylinder" for _revision, shape, _mpa in of_mix)
    }
    shapes = shapes_forecast(several) if several else {}
    came = {}
    for mix_id, of_mix in results.items():
        values = [mpa for revision_id, shape, mpa in of_mix if is_of_shape(shape, revision_id, shapes)]
        if values:
            came[mix_id] = float(sum(values, Decimal(0)) / len(values))
    query = (
        select(
            Forecast.mix_design_id,
            MixDesign.code,
            MixDesign.laboratory,
            Forecast.early_ages,
            Forecast.strength_mpa,
            Forecast.lower_50_mpa,
            Forecast.upper_50_mpa,
            Forecast.lower_90_mpa,
            Forecast.upper_90_mpa,
            Region.name,
            CementProduct.name,
            Forecast.created_at,
        )
        .join(MixDesign, MixDesign.id == Forecast.mix_design_id)
        .outerjoin(about, about.c.mix_id == Forecast.mix_design_id)
        .outerjoin(Region, Region.id == about.c.region_id)
        .outerjoin(CementProduct, CementProduct.id == about.c.cement_id)
        .where(Forecast.strength_mpa.is_not(None), Forecast.age_days == TARGET_DAYS)
        .order_by(Forecast.id.desc())
        .limit(MOST_FORECASTS)
    )
    found: dict[tuple[int, str], Judged] = {}
    for mix_id, code, lab, ages, said, low50, high50, low90, high90, region, cement, at in session.execute(
        query
    ):
        actual = came.get(int(mix_id), 0.0)
        if actual <= 0 or (mix_id, ages) in found:
            continue
        since = revised[mix_id].since if mix_id in revised else None
        if since is not None and at < since:
            continue
        bounds = [float(bound) for bound in (low50, high50, low90, high90) if bound is not None]
        if len(bounds) != 4 or said is None:
            continue
        found[mix_id, ages] = Judged(
            mix_id,
            code,
            ages,
            float(said),
            actual,
            bounds[0] <= actual <= bounds[1],
            bounds[2] <= actual <= bounds[3],
            bounds[3] - bounds[2],
            lab,
            cement or "",
            region or "",
            at,
        )
    return list(found.values())


def figures(name: str, items: Sequence[Judged]) -> Quality | None:
    """Figures of a group; None when it is too small to say anything."""
    if len(items) < LEAST_JUDGED:
        return None
    n = len(items)
    errors = [item.error_percent for item in items]
    mean = sum(item.came_mpa for item in items) / n
    own = sum(abs(item.said_mpa - item.came_mpa) for item in items)
    # The running mean of all others of the group: what one would say without any test.
    others = sum(abs((mean * n - item.came_mpa) / (n - 1) - item.came_mpa) for item in items)
    return Quality(
        name,
        n,
        sum(abs(error) for error in errors) / n,
        sum(errors) / n,
        100 * sum(item.in_50 for item in items) / n,
        100 * sum(item.in_90 for item in items) / n,
        sum(item.width_90_mpa for item in items) / n,
        1 - own / others if others else 0.0,
    )


def grouped(items: Iterable[Judged], key: Callable[[Judged], str]) -> list[Quality]:
    """Figures by a property, largest group first; groups too small or without a name are left out."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for item in items:
        if key(item):
            groups[key(item)].append(item)
    found = [figures(name, group) for name, group in groups.items()]
    return sorted((item for item in found if item is not None), key=lambda item: (-item.n, item.name))


def by_month(items: Sequence[Judged]) -> list[Quality]:
    """Figures by the month in which the forecast was made, by the laboratory's clock."""
    zone = laboratory_zone()
    return sorted(
        grouped(items, lambda item: f"{item.at.astimezone(zone):%Y-%m}"), key=lambda item: item.name
    )


def watched_lots(days: int = 3) -> list[LotWatch]:
    """CUSUM of early sets by cement lot, in the order of casting: ln of the set over the mean of earlier batches of
    its mix at that age by the same recipe and shape of specimen, under standard curing (neither a weaker recipe nor cold is
    the cement's doing). An alarm from a 3-d set comes up to 25 days before the 28-d one. Two statements, two more where
    mixes were revised."""
    recipes = recipes_of_revised()
    rows = current_session().execute(
        select(
            CementLot.code,
            Batch.code,
            MixRevision.mix_design_id,
            SpecimenSet.age_days,
            SetResult.strength_mpa,
            Batch.mix_revision_id,
            SetResult.rule_id,
        )
        .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(CementLot, CementLot.id == Batch.cement_lot_id)
        .where(
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
            SpecimenSet.age_days.in_([age for age in EARLY_DAYS if age <= days]),
            Batch.cast_at.is_not(None),
            where_cured_as_standard(LEARNED_FROM_C),
        )
        .order_by(Batch.cast_at, SetResult.id)
    )
    earlier: dict[tuple[int, Recipe, str, int], list[tuple[str, float]]] = defaultdict(list)
    residuals: list[tuple[str, str, int, float]] = []
    steps: list[float] = []
    for lot, batch, mix_id, age, strength, revision_id, rule_id in rows:
        if not strength:
            continue
        before = earlier[mix_id, recipes.get(revision_id, ()), shape_of_rule(rule_id), age]
        value = math.log(float(strength))
        # Against other lots: a weak lot must not become its own yardstick.
        others = [one for other, one in before if other != lot]
        if len(others) >= LEAST_EARLIER:
            residuals.append((lot, batch, age, value - sum(others) / len(others)))
        if before and before[-1][0] == lot:
            steps.append(abs(value - before[-1][1]))
        before.append((lot, value))
    if not residuals:
        return []
    # From steps between neighbours of a lot (moving range): a shift between lots does not widen it.
    deviation = max(sum(steps) / len(steps) / 1.128 if steps else 0.0, LEAST_DEVIATION)
    by_lot: dict[str, list[tuple[str, int, float]]] = defaultdict(list)
    for lot, batch, age, residual in residuals:
        by_lot[lot].append((batch, age, residual / deviation))
    found = []
    for lot, items in by_lot.items():
        z = tuple(value for _batch, _age, value in items)
        sums = cumulative_sums(z)
        early = TARGET_DAYS - items[sums.alarm[0]][1] if sums.alarm else None
        found.append(LotWatch(lot, tuple(batch for batch, _age, _z in items), z, sums, early))
    return found


def chart_of_lots(watched: Sequence[LotWatch], words: dict[str, str]) -> dict[str, Any]:
    """The sums as lines for static/js/series.js."""
    longest = max((len(item.z) for item in watched), default=0)
    series: list[dict[str, Any]] = []
    for item in watched[-6:]:
        series.append({"name": f"{item.lot} +", "data": [round(v, 2) for v in item.sums.high]})
        series.append(
            {"name": f"{item.lot} −", "data": [round(-v, 2) for v in item.sums.low], "dashed": True}
        )
    return {"x": [str(i + 1) for i in range(longest)], "series": series, "limits": [5, -5], "labels": words}
