"""What a comparison says, as plain numbers that are kept, charted and put into words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lims.comparison.gathering import TrialRow
from lims.strength.comparison import Comparison, Costs, Span

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Medians with their 90 % intervals (middle, low, high); kg/m³, %, MPa, money per m³."""

    law: str
    errors_percent: dict[str, float]
    own_slopes: bool
    age_days: int
    target_mpa: float
    water_kg_m3: float
    scm_share_percent: float
    batches_own: int
    batches_other: int
    lots_own: int
    lots_other: int
    binder_own: Triple
    binder_other: Triple
    binder_difference: Triple
    ratio_own: Triple
    ratio_other: Triple
    strength_percent: Triple
    told_apart: bool
    probability_more: float
    lot_sd_percent: float
    batch_sd_percent: float
    cement_own: float
    cement_other: float
    bag_kg: float
    admixture_own: Triple | None
    admixture_other: Triple | None
    admixture_difference: Triple | None
    admixture_reason: str
    slump_mm: float | None
    notes: tuple[str, ...]
    curves: dict[str, list[list[float]]]
    #: Changes of either cement at the works between the batches.
    changes: tuple[str, ...] = ()
    cost_own: Triple | None = None
    cost_other: Triple | None = None
    cost_difference: Triple | None = None
    prices_missing: tuple[str, ...] = ()
    prices_left_out: tuple[str, ...] = ()

    @property
    def bags_own(self) -> int:
        """Whole bags of a cubic metre."""
        return math.ceil(self.cement_own / self.bag_kg - 1e-9)

    @property
    def bags_other(self) -> int:
        return math.ceil(self.cement_other / self.bag_kg - 1e-9)

    @property
    def cost_told_apart(self) -> bool:
        return self.cost_difference is not None and not (
            self.cost_difference[1] <= 0 <= self.cost_difference[2]
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Outcome:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


def outcome_of(
    found: Comparison,
    costs: Costs,
    own: Sequence[TrialRow],
    other: Sequence[TrialRow],
    age_days: int,
    bag_kg: float,
    changes: Sequence[str] = (),
) -> Outcome:
    adm = found.admixture
    return Outcome(
        law=found.law,
        errors_percent={name: round(value, 2) for name, value in found.errors_percent.items()},
        own_slopes=found.own_slopes,
        age_days=age_days,
        target_mpa=found.target_mpa,
        water_kg_m3=round(found.water_kg_m3, 1),
        scm_share_percent=round(100 * found.scm_share, 1),
        batches_own=len(own),
        batches_other=len(other),
        lots_own=len({row.lot for row in own}),
        lots_other=len({row.lot for row in other}),
        binder_own=_triple(found.binder_own, 1),
        binder_other=_triple(found.binder_other, 1),
        binder_difference=_triple(found.binder_difference, 1),
        ratio_own=_triple(found.ratio_own, 3),
        ratio_other=_triple(found.ratio_other, 3),
        strength_percent=_triple(found.strength_percent, 1),
        told_apart=found.told_apart,
        probability_more=round(found.probability_more, 4),
        lot_sd_percent=round(found.lot_sd_percent, 2),
        batch_sd_percent=round(found.batch_sd_percent, 2),
        cement_own=round(found.binder_own.median * (1 - found.scm_share), 1),
        cement_other=round(found.binder_other.median * (1 - found.scm_share), 1),
        bag_kg=bag_kg,
        admixture_own=_maybe(adm.own, 2),
        admixture_other=_maybe(adm.other, 2),
        admixture_difference=_maybe(adm.difference, 2),
        admixture_reason=adm.reason,
        slump_mm=None if adm.slump_mm is None else round(adm.slump_mm),
        notes=found.notes,
        curves={
            name: [
                [round(float(v), 4) for v in values]
                for values in (curve.ratios, curve.median, curve.low, curve.high)
            ]
            for name, curve in (("own", found.curve_own), ("other", found.curve_other))
        },
        changes=tuple(changes),
        cost_own=_maybe(costs.own, 2),
        cost_other=_maybe(costs.other, 2),
        cost_difference=_maybe(costs.difference, 2),
        prices_missing=costs.missing,
        prices_left_out=costs.left_out,
    )


def _triple(span: Span, places: int) -> Triple:
    return round(span.median, places), round(span.low, places), round(span.high, places)


def _maybe(span: Span | None, places: int) -> Triple | None:
    return None if span is None else _triple(span, places)
