"""What a change at the works did to cement and concrete, by lots."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy import func, select

from lims.base.database import current_session
from lims.base.display import local_time, local_today
from lims.comparison.gathering import (
    AGGREGATES,
    SCMS,
    TrialRow,
    mean_price,
    of_one_shape,
    price_list,
    trial_rows,
)
from lims.comparison.models import ProcessChange
from lims.materials.models import CementLot, CementTest
from lims.strength.comparison import AGGREGATE_PER_BINDER
from lims.strength.effects import BatchValue, Doubts, Effect, LotValue, doubts, effect, lot_values

#: Lots produced so long before and after the change are looked at.
WINDOW = timedelta(days=200)
EPOCH = date(2000, 1, 1)
#: Ratios must span this much before strength can be turned into binder.
LEAST_SPAN = 0.05

#: Measure -> (unit, decimal places, of the price list).
MEASURES = {
    "concrete_28d": ("MPa", 1, False),
    "mortar_28d": ("MPa", 1, False),
    "mortar_3d": ("MPa", 1, False),
    "water_demand": ("%", 1, False),
    "admixture": ("%", 2, False),
    "initial_set": ("min", 0, False),
    "residue_45um": ("%", 1, False),
    "specific_surface": ("m²/kg", 0, False),
    "al2o3": ("%", 2, False),
    "scm_share": ("%", 1, False),
    "cost": ("yuan/m³", 2, True),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure by lots, before and after."""

    name: str
    unit: str
    places: int
    lots: list[LotValue]
    effect: Effect
    doubts: Doubts


def effects_of(change: ProcessChange, *, prices: bool) -> list[Measured]:
    """Every measure that has lots on at least one side; cost only when `prices`."""
    lots = _lots(change)
    if not lots:
        return []
    starts = _starts(change, lots)
    others = [
        (title, float((day - EPOCH).days))
        for title, day in current_session().execute(
            select(ProcessChange.name, ProcessChange.holds_from).where(
                ProcessChange.cement_product_id == change.cement_product_id,
                ProcessChange.id != change.id,
                ProcessChange.retired_at.is_(None),
            )
        )
    ]
    values = _of_cement(lots, starts)
    (rows,) = of_one_shape([row for row in trial_rows(change.cement_product_id, 28) if row.lot_id in lots])
    values["concrete_28d"] = [_batch(row, lots, starts, row.strength_mpa) for row in rows]
    values["admixture"] = [
        _batch(row, lots, starts, row.admixture_percent)
        for row in rows
        if row.admixture_percent is not None and row.slump_mm is not None
    ]
    if prices:
        values["cost"] = _costs(change, rows, lots, starts)
    found = []
    for name, (unit, places, _money) in MEASURES.items():
        means = lot_values(values.get(name, []))
        if means:
            found.append(Measured(name, unit, places, means, effect(means), doubts(means, others)))
    return found


def _lots(change: ProcessChange) -> dict[int, CementLot]:
    made = func.coalesce(CementLot.produced_on, CementLot.delivered_on)
    rows = current_session().scalars(
        select(CementLot)
        .where(
            CementLot.cement_product_id == change.cement_product_id,
            CementLot.retired_at.is_(None),
            made.between(change.holds_from - WINDOW, change.holds_from + WINDOW),
        )
        .order_by(made, CementLot.id)
    )
    return {lot.id: lot for lot in rows}


def _made_on(lot: CementLot) -> date:
    found = lot.produced_on or lot.delivered_on
    assert found is not None  # _lots has asked for it
    return found


def _starts(change: ProcessChange, lots: dict[int, CementLot]) -> date:
    """The first day of the new kind: of its first lot where it is named."""
    first = lots.get(change.first_lot_id) if change.first_lot_id is not None else None
    return _made_on(first) if first is not None else change.holds_from


def _day(day: date) -> float:
    return float((day - EPOCH).days)


def _of_cement(lots: dict[int, CementLot], starts: date) -> dict[str, list[BatchValue]]:
    """Mortar, water demand and setting of each lot: our own tests, or the mill certificates where these are of more lots on
    the thinner side. Never both in one measure: two laboratories differ without any change at the works."""
    tests = (
        current_session()
        .scalars(
            select(CementTest).where(
                CementTest.cement_lot_id.in_(list(lots)), CementTest.retired_at.is_(None)
            )
        )
        .all()
    )
    tested: dict[tuple[str, int], list[float]] = defaultdict(list)
    for test in tests:
        for name, value in (
            (f"mortar_{test.age_days}d", test.strength_mpa),
            ("water_demand", test.water_demand_percent),
            ("initial_set", test.initial_set_min),
            ("residue_45um", test.residue_45um_percent),
        ):
            if value is not None:
                tested[name, test.cement_lot_id].append(float(value))
    own: dict[str, list[BatchValue]] = defaultdict(list)
    certificates: dict[str, list[BatchValue]] = defaultdict(list)
    for lot_id, lot in lots.items():
        certified = {
            "mortar_28d": lot.strength_28d_mpa,
            "mortar_3d": lot.strength_3d_mpa,
            "initial_set": lot.initial_set_min,
            "water_demand": None,
            "residue_45um": lot.residue_45um_percent,
            "specific_surface": lot.specific_surface_m2_kg,
            "al2o3": lot.al2o3_percent,
            "scm_share": lot.scm_share_percent,
        }
        made = _made_on(lot)
        for name, value in certified.items():
            measured = tested.get((name, lot_id))
            if measured:
                own[name].append(BatchValue(lot.code, _day(made), made >= starts, float(np.mean(measured))))
            if value is not None:
                certificates[name].append(BatchValue(lot.code, _day(made), made >= starts, float(value)))
    return {
        name: max(own[name], certificates[name], key=_lots_to_compare)
        for name in dict.fromkeys([*own, *certificates])
    }


def _lots_to_compare(values: Sequence[BatchValue]) -> tuple[int, int]:
    """Lots of the thinner side, then all."""
    after = sum(item.after for item in values)
    return min(after, len(values) - after), len(values)


def _batch(row: TrialRow, lots: dict[int, CementLot], starts: date, value: float) -> BatchValue:
    assert row.lot_id is not None  # only rows of known lots come here
    return BatchValue(
        row.lot,
        _day(local_time(row.cast_at).date()),
        _made_on(lots[row.lot_id]) >= starts,
        value,
        # Less cement and more fly ash is another concrete, whatever was changed at the works.
        mix=row.recipe,
    )


def _costs(
    change: ProcessChange, rows: Sequence[TrialRow], lots: dict[int, CementLot], starts: date
) -> list[BatchValue]:
    """Materials of a cubic metre at equal strength: each batch's binder moved along ln f over ln(b/w) to the mean
    strength of its mix. Prices of today on both sides, so that only the cement differs."""
    if not rows:
        return []
    ratio = np.array([row.ratio for row in rows])
    if float(np.ptp(ratio)) < LEAST_SPAN:
        return []
    x, y = -np.log(ratio), np.log([row.strength_mpa for row in rows])
    after = np.array([_batch(row, lots, starts, 0.0).after for row in rows], dtype=float)
    X = np.column_stack([np.ones_like(x), x, after])
    if np.linalg.matrix_rank(X) < 3:
        return []
    level, slope, step = np.linalg.lstsq(X, y, rcond=None)[0]
    if slope <= 0:
        return []
    prices = price_list(local_today(), None)
    cement = prices.get(("cement", change.cement_product_id))
    if cement is None:
        return []
    found = []
    for row, strength in zip(rows, y, strict=True):
        said = level + slope * -math.log(row.ratio) + step * after.mean()
        binder = row.binder_kg_m3 * math.exp((said - strength) / slope)
        share = row.scm_share
        scm, admixture = (
            mean_price(prices, row.masses, SCMS),
            mean_price(prices, row.masses, ("superplasticizer",)),
        )
        if share > 0.001 and scm is None:
            return []
        aggregate = mean_price(prices, row.masses, AGGREGATES) or 0.0
        money = binder * ((1 - share) * float(cement) + share * (scm or 0.0))
        money += binder * (row.admixture_percent or 0.0) / 100 * (admixture or 0.0)
        money += (row.mass(*AGGREGATES) - (binder - row.binder_kg_m3) * AGGREGATE_PER_BINDER) * aggregate
        found.append(_batch(row, lots, starts, money / 1000))
    return found
