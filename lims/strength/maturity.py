"""Ages corrected for temperature: a break at 10 degC stands for an earlier one at 20 degC.

Q = E/R with E 33 500 J/mol (ASTM C1074, form S in the register); float, since it feeds a forecast, not a verdict.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lims.strength.history import STANDARD_CURING_FROM_C, AgeStrength, MixHistory

ACTIVATION_ENERGY_J_MOL = 33_500.0
GAS_CONSTANT_J_MOL_K = 8.314
REFERENCE_C = 20.0
KELVIN = 273.15
#: Warmer than this is not standard curing either; the correction applies from here on.
STANDARD_CURING_TO_C = 25.0
#: A curing temperature this close to that of the laboratory's own history, degC, is the same curing.
AS_USUAL_C = 2.0
#: Below this hardly anything hydrates, and the law has no data.
LEAST_C = -5.0


def age_factor(temperature_c: float) -> float:
    """Equivalent days at 20 degC for each day at this temperature. Source: ASTM C1074 (Arrhenius form)."""
    q = ACTIVATION_ENERGY_J_MOL / GAS_CONSTANT_J_MOL_K
    return math.exp(-q * (1 / (temperature_c + KELVIN) - 1 / (REFERENCE_C + KELVIN)))


def corrected(mix: MixHistory, usual_c: float | None = None) -> tuple[MixHistory, str]:
    """A mix with its breaks at equivalent ages and a word about it; unchanged (and no word) when cured as standard, or as
    its laboratory's history was (`usual_c`): ages of 27 degC are learned from as they are.

    The forecast that follows is for standard curing.
    """
    temperature = mix.curing_temperature_c
    if temperature is None or STANDARD_CURING_FROM_C <= temperature <= STANDARD_CURING_TO_C:
        return mix, ""
    if usual_c is not None and abs(temperature - usual_c) <= AS_USUAL_C:
        return mix, ""
    if temperature < LEAST_C:
        return replace(mix, breaks=(), curing_temperature_c=None), (
            f"cured at {temperature:g} degC: its breaks say nothing about standard curing and are not used"
        )
    factor = age_factor(temperature)
    moved = tuple(
        AgeStrength(max(round(b.age_days * factor, 3), 0.001), b.strength_mpa, b.count) for b in mix.breaks
    )
    return replace(mix, breaks=moved, curing_temperature_c=None), (
        f"cured at {temperature:g} degC: ages multiplied by {factor:.3g} to 20 degC; forecast for standard curing"
    )
