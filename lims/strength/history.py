"""What the forecast knows of a mix: its composition and its strengths by age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

#: Columns of the composition, kg/m^3.
COMPOSITION = (
    "cement_kg_m3",
    "slag_kg_m3",
    "fly_ash_kg_m3",
    "silica_fume_kg_m3",
    "other_scm_kg_m3",
    "filler_kg_m3",
    "water_kg_m3",
    "superplasticizer_kg_m3",
    "coarse_aggregate_kg_m3",
    "fine_aggregate_kg_m3",
)
#: Below this curing temperature (degC) a strength is not a standard one (GB/T 50081: 20 +- 2).
STANDARD_CURING_FROM_C = 18.0
#: A specimen further from the middle one of three than this share does not speak for the set (GB/T 50081-2019).
SET_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class AgeStrength:
    """Strength at one age: MPa, and how many specimens it stands for."""

    age_days: float
    strength_mpa: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class MixHistory:
    """One mix of one laboratory. `composition` may lack columns: missing is not zero."""

    lab: str
    mix_id: str
    breaks: tuple[AgeStrength, ...]
    composition: Mapping[str, float] = field(default_factory=dict)
    curing_temperature_c: float | None = None
    grade_mpa: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.lab, self.mix_id

    @property
    def standard(self) -> bool:
        return self.curing_temperature_c is None or self.curing_temperature_c >= STANDARD_CURING_FROM_C

    def strength_at(self, age_days: float) -> AgeStrength | None:
        """The strength at this age; a strength of 0 tells nothing about a ratio and counts as none."""
        for item in self.breaks:
            if abs(item.age_days - age_days) < 1e-9 and item.strength_mpa > 0:
                return item
        return None

    def ages_before(self, age_days: float) -> tuple[float, ...]:
        return tuple(
            sorted({b.age_days for b in self.breaks if b.age_days < age_days - 1e-9 and b.strength_mpa > 0})
        )


def combine(strengths_mpa: Sequence[float]) -> float:
    """One value for the specimens of an age.

    Up to three: the mean, or the middle one when exactly one lies beyond 15 % of it; more: the median when they
    scatter as widely, else the mean. A slip of the pen (22.9 among 55.9) then does not move the mix.
    """
    values = np.sort(np.asarray(strengths_mpa, dtype=float))
    middle = float(np.median(values))
    if len(values) < 3 or middle <= 0:
        return float(values.mean())
    spread = np.abs(values - middle) > SET_TOLERANCE * middle
    return middle if spread.any() else float(values.mean())
