"""How many sets to cast."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext

from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number

#: The source document: every shift, a set for each 50 m^3 or part of it; a setting of the laboratory.
DEFAULT_CUBIC_METRES_PER_SET = Decimal(50)
#: Specimens of a set, at least (S).
LEAST_SPECIMENS = 3
#: GB 50204-2015: a set for each 100 batches and each 100 m^3 of the same mix (S).
GB50204_VOLUME_M3 = Decimal(100)
GB50204_BATCHES = Decimal(100)
#: In one continuous pour above 1000 m^3, a set for each 200 m^3 of the whole pour (S).
GB50204_CONTINUOUS_ABOVE_M3 = Decimal(1000)
GB50204_CONTINUOUS_VOLUME_M3 = Decimal(200)
#: Shotcrete: at least one set per 50-100 m^3 of mix, or per independent job below 50 m^3 (S).
SHOTCRETE_VOLUME_M3 = (Decimal(50), Decimal(100))
#: Same-condition specimens: 600 degC.d, between 14 and 60 d (S); strength divided by 0.88 (R).
SAME_CONDITION_DEGREE_DAYS = Decimal(600)
SAME_CONDITION_AGE_DAYS = (14, 60)
SAME_CONDITION_DIVISOR = Decimal("0.88")


@dataclass(frozen=True, slots=True)
class SetsRequired:
    sets: int
    specimens: int


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(rounding=ROUND_CEILING))


def sets_per_volume(
    volume_m3: Decimal,
    per_m3: Decimal = DEFAULT_CUBIC_METRES_PER_SET,
    specimens_per_set: int = LEAST_SPECIMENS,
) -> SetsRequired:
    """ceil(V / per_m3) sets of at least three specimens.

    Args: volume_m3, above 0; per_m3, cubic metres that one set stands for; specimens_per_set, 3 or more.
    Raises: RuleInputError. Source: the laboratory's sampling plan.
    """
    volume = require_number("volume_m3", volume_m3, above=0)
    per = require_number("per_m3", per_m3, above=0)
    if isinstance(specimens_per_set, bool) or not isinstance(specimens_per_set, int):
        raise RuleInputError("specimens_per_set", specimens_per_set, "a whole number")
    if not LEAST_SPECIMENS <= specimens_per_set <= 30:
        raise RuleInputError(
            "specimens_per_set",
            specimens_per_set,
            f"{LEAST_SPECIMENS} to 30",
        )
    with localcontext(exact_context()):
        sets = _ceiling(volume / per)
    return SetsRequired(sets, sets * specimens_per_set)


def gb50204_sets_required(
    volume_m3: Decimal,
    *,
    continuous: bool = False,
    batches: int | None = None,
    shifts: int | None = None,
    floors: int | None = None,
) -> int:
    """Sets to cast in place: the largest that any of the counts asks for.

    Args: volume_m3 of the same mix; continuous, one uninterrupted pour; batches, shifts, floors when known.
    Raises: RuleInputError. Source: GB 50204-2015 7.4.1 (S).
    """
    volume = require_number("volume_m3", volume_m3, above=0)
    if not isinstance(continuous, bool):
        raise RuleInputError("continuous", continuous, "true or false")
    counts = {"batches": batches, "shifts": shifts, "floors": floors}
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
            raise RuleInputError(name, count, "a whole number of at least 1")
    with localcontext(exact_context()):
        if continuous and volume > GB50204_CONTINUOUS_ABOVE_M3:
            by_volume = _ceiling(volume / GB50204_CONTINUOUS_VOLUME_M3)
        else:
            by_volume = _ceiling(volume / GB50204_VOLUME_M3)
            if batches is not None:
                by_volume = max(by_volume, _ceiling(batches / GB50204_BATCHES))
    return max(1, by_volume, shifts or 0, floors or 0)


def shotcrete_sets_required(volume_m3: Decimal, per_m3: Decimal = SHOTCRETE_VOLUME_M3[0]) -> int:
    """At least one set per 50 to 100 m^3 of mix, or per independent job below 50 m^3.

    Args: per_m3, the laboratory's choice within 50 to 100.
    Raises: RuleInputError. Source: shotcrete codes (S).
    """
    volume = require_number("volume_m3", volume_m3, above=0)
    per = require_number("per_m3", per_m3, minimum=SHOTCRETE_VOLUME_M3[0], maximum=SHOTCRETE_VOLUME_M3[1])
    with localcontext(exact_context()):
        return max(1, _ceiling(volume / per))


def same_condition_due(degree_days: Decimal, age_days: int) -> bool:
    """May same-condition specimens be broken? Source: GB 50204-2015 10.1.2 (S)."""
    total = require_number("degree_days", degree_days, minimum=0)
    if isinstance(age_days, bool) or not isinstance(age_days, int) or age_days < 0:
        raise RuleInputError("age_days", age_days, "a whole number of days")
    earliest, latest = SAME_CONDITION_AGE_DAYS
    return age_days >= latest or (age_days >= earliest and total >= SAME_CONDITION_DEGREE_DAYS)


def same_condition_strength(strength_mpa: Decimal) -> Decimal:
    """Strength to judge by: divided by 0.88, MPa, not rounded. Source: GB 50204-2015 C.0.3 (R)."""
    strength = require_number("strength_mpa", strength_mpa, minimum=0)
    with localcontext(exact_context()):
        return strength / SAME_CONDITION_DIVISOR
