"""What the forecast knows of a mix: its composition and its strengths by age."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lims.standards.specimens import SET_TOLERANCE

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
#: Above this it is heat: codes of warm countries call 27 +- 2 standard, and their histories are learned from.
STANDARD_CURING_UNTIL_C = 29.0
#: A strength below this, MPa, is that of concrete which has hardly set, at the press's least count: no basis for a
#: ratio. A strength of 0 is one of these.
LEAST_TELLING_MPA = 0.5
#: A mix that is still below SET_MPA at SET_BY_DAYS or later did not set as concrete does: not learned from.
SET_MPA, SET_BY_DAYS = 1.0, 3.0
#: Strength does not fall by more than this share from one age to a later one up to 28 d; where it does, one of the two
#: is wrong and the mix is not learned from.
LARGEST_FALL = 0.20
#: A specimen further from the middle one of three than this share does not speak for the set.
_TOLERANCE = float(SET_TOLERANCE)


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
    def recipe(self) -> tuple[float, ...]:
        """The composition to 0.1 kg/m^3, to tell whether two mixes are one; () without a composition."""
        if not any(self.composition.values()):
            return ()
        return tuple(round(self.composition.get(name, 0.0), 1) for name in COMPOSITION)

    @property
    def standard(self) -> bool:
        return (
            self.curing_temperature_c is None
            or STANDARD_CURING_FROM_C <= self.curing_temperature_c <= STANDARD_CURING_UNTIL_C
        )

    @property
    def plausible(self) -> bool:
        """Does its strength grow as concrete's does? Mixes that do not are forecast, but not learned from."""
        known = [b for b in self.breaks if b.age_days <= 28 and b.strength_mpa > 0]
        if any(b.strength_mpa < SET_MPA and b.age_days >= SET_BY_DAYS for b in known):
            return False
        return all(
            later.strength_mpa >= (1 - LARGEST_FALL) * earlier.strength_mpa
            for earlier, later in pairwise(sorted(known, key=lambda b: b.age_days))
        )

    def strength_at(self, age_days: float) -> AgeStrength | None:
        """The strength at this age; one below 0.5 MPa tells nothing about a ratio and counts as none."""
        for item in self.breaks:
            if item.age_days == age_days and item.strength_mpa >= LEAST_TELLING_MPA:
                return item
        return None

    def ages_before(self, age_days: float) -> tuple[float, ...]:
        return tuple(
            sorted(
                {
                    b.age_days
                    for b in self.breaks
                    if b.age_days < age_days - 1e-9 and b.strength_mpa >= LEAST_TELLING_MPA
                }
            )
        )


def combine(strengths_mpa: Sequence[float]) -> float:
    """One value for the specimens of an age.

    The mean; from three on the middle one (of an even number the mean of both) when one or more lie beyond 15 % of it
    (SET_TOLERANCE of lims/standards/specimens.py).
    A slip of the pen (22.9 among 55.9) then does not move the mix.
    """
    if len(strengths_mpa) == 1:
        return float(strengths_mpa[0])
    values = sorted(strengths_mpa)
    middle = statistics.median(values)
    if len(values) < 3 or middle <= 0:
        return math.fsum(values) / len(values)
    spread = any(abs(value - middle) > _TOLERANCE * middle for value in values)
    return middle if spread else math.fsum(values) / len(values)
