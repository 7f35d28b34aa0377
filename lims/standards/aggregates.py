"""Sand and stone: fineness modulus, zones, limits of mud and lumps.

Codes: GB/T 14684-2011, JGJ 52-2006 (S), ASTM C136 and C33.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number, round_half_even
from lims.standards.words import N_, said

#: Sieves of sand, mm; the seventh mass is the pan.
SAND_SIEVES_MM = ("4.75", "2.36", "1.18", "0.60", "0.30", "0.15")
#: Class of sand by fineness modulus: (name, low, high) (S).
SAND_CLASSES = (
    ("coarse", Decimal("3.1"), Decimal("3.7")),
    ("medium", Decimal("2.3"), Decimal("3.0")),
    ("fine", Decimal("1.6"), Decimal("2.2")),
    ("extra-fine", Decimal("0.7"), Decimal("1.5")),
)
#: Cumulative % retained by zone, in the order of SAND_SIEVES_MM (S; 80 at 0.30 mm of zone I R: a summary has 85).
SAND_ZONES: dict[str, tuple[tuple[int, int], ...]] = {
    "I": ((0, 10), (5, 35), (35, 65), (71, 85), (80, 95), (90, 100)),
    "II": ((0, 10), (0, 25), (10, 50), (41, 70), (70, 92), (90, 100)),
    "III": ((0, 10), (0, 15), (0, 25), (16, 40), (55, 85), (90, 100)),
}
#: The zone is set by the 0.60 mm sieve.
ZONE_SIEVE = 3
#: Sieves that must lie inside the zone without allowance: 4.75 and 0.60 mm.
STRICT_SIEVES = (0, 3)
#: Total excess allowed on the other sieves, % (R).
ZONE_EXCESS_PERCENT = Decimal(5)
#: JGJ 52 limits, %: at >= C60, C55-C30, <= C25 (R).
MUD_LIMITS: dict[str, dict[str, tuple[Decimal | int, Decimal | int, Decimal | int]]] = {
    "sand": {"mud": (2, 3, 5), "lumps": (Decimal("0.5"), 1, 2)},
    "stone": {
        "mud": (Decimal("0.5"), 1, 2),
        "lumps": (Decimal("0.2"), Decimal("0.5"), Decimal("0.7")),
        "flaky": (8, 15, 25),
    },
}
#: ASTM C33 fine aggregate, % passing by sieve mm (R); FM 2.3-3.1 (S).
ASTM_C33_PASSING = {
    "9.5": (100, 100),
    "4.75": (95, 100),
    "2.36": (80, 100),
    "1.18": (50, 85),
    "0.60": (25, 60),
    "0.30": (5, 30),
    "0.15": (0, 10),
}
ASTM_C33_FINENESS_MODULUS = (Decimal("2.3"), Decimal("3.1"))
#: ASTM C33: most that may pass a sieve and stay on the next one, % (R).
ASTM_C33_BETWEEN_PERCENT = Decimal(45)


@dataclass(frozen=True, slots=True)
class SandGrading:
    """Cumulative % retained on the six sieves, the modulus (full and reported), class and zone.

    `size_class` or `zone` is None when the sand fits none.
    """

    cumulative_percent: tuple[Decimal, ...]
    modulus: Decimal
    reported: Decimal
    size_class: str | None
    zone: str | None


def cumulative_retained(retained_g: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Cumulative % retained on the six sieves from seven masses (six sieves and the pan), g.

    Raises: RuleInputError.
    """
    if len(retained_g) != len(SAND_SIEVES_MM) + 1:
        raise RuleInputError(
            "retained_g",
            said(N_("%(n)s values"), n=len(retained_g)),
            "seven masses in g: six sieves and the pan",
        )
    masses = [require_number("retained_g", mass, minimum=0) for mass in retained_g]
    with localcontext(exact_context()):
        total = sum(masses, Decimal(0))
        if total <= 0:
            raise RuleInputError("retained_g", total, N_("masses whose sum is above 0 g"))
        running = Decimal(0)
        found = []
        for mass in masses[:-1]:
            running += mass
            found.append(running * 100 / total)
    return tuple(found)


def fineness_modulus(retained_g: Sequence[Decimal]) -> SandGrading:
    """Mx = ((A2+A3+A4+A5+A6) - 5 A1) / (100 - A1), reported to 0.01, class from the value to 0.1.

    Args: retained_g, seven masses in g on 4.75, 2.36, 1.18, 0.60, 0.30, 0.15 mm and in the pan.
    Raises: RuleInputError.
    Source: GB/T 14684-2011, JGJ 52-2006 (S).
    """
    cumulative = cumulative_retained(retained_g)
    with localcontext(exact_context()):
        first = cumulative[0]
        if first >= 100:
            raise RuleInputError("retained_g", first, N_("sand: less than all of it on 4.75 mm"))
        modulus = (sum(cumulative[1:], Decimal(0)) - 5 * first) / (100 - first)
    return SandGrading(
        cumulative,
        modulus,
        round_half_even(modulus, Decimal("0.01")),
        sand_class(modulus),
        sand_zone(cumulative),
    )


def astm_fineness_modulus(retained_g: Sequence[Decimal]) -> Decimal:
    """Sum of the cumulative % retained / 100, not rounded. Source: ASTM C136 (S)."""
    cumulative = cumulative_retained(retained_g)
    with localcontext(exact_context()):
        return sum(cumulative, Decimal(0)) / 100


def sand_class(modulus: Decimal) -> str | None:
    """Coarse 3.7-3.1, medium 3.0-2.3, fine 2.2-1.6, extra fine 1.5-0.7, by the modulus to 0.1 (S)."""
    value = round_half_even(require_number("modulus", modulus, minimum=0), Decimal("0.1"))
    return next((name for name, low, high in SAND_CLASSES if low <= value <= high), None)


def sand_zone(cumulative_percent: Sequence[Decimal]) -> str | None:
    """The zone of the grading, set by the 0.60 mm sieve; a total excess of 5 % elsewhere is allowed (S; excess R).

    Values are taken to whole per cent, as the table states them. None when the sand lies in no zone.
    """
    if len(cumulative_percent) != len(SAND_SIEVES_MM):
        raise RuleInputError(
            "cumulative_percent", said(N_("%(n)s values"), n=len(cumulative_percent)), "six values"
        )
    values = [
        round_half_even(require_number("cumulative_percent", v, minimum=0, maximum=100), Decimal(1))
        for v in cumulative_percent
    ]
    for zone, limits in SAND_ZONES.items():
        low, high = limits[ZONE_SIEVE]
        if not low <= values[ZONE_SIEVE] <= high:
            continue
        excess = Decimal(0)
        for index, (value, (least, most)) in enumerate(zip(values, limits, strict=True)):
            beyond = max(least - value, value - most, Decimal(0))
            if beyond and index in STRICT_SIEVES:
                return None
            excess += beyond
        return zone if excess <= ZONE_EXCESS_PERCENT else None
    return None


def impurity_limits(aggregate: str, grade_mpa: Decimal) -> dict[str, Decimal]:
    """Limits of mud, clay lumps (and flaky particles of stone), %, for this grade.

    Args: aggregate, "sand" or "stone". Raises: RuleInputError. Source: JGJ 52 (R).
    """
    if aggregate not in MUD_LIMITS:
        raise RuleInputError("aggregate", aggregate, "sand or stone")
    grade = require_number("grade_mpa", grade_mpa, above=0)
    column = 0 if grade >= 60 else 1 if grade >= 30 else 2
    return {name: Decimal(limits[column]) for name, limits in MUD_LIMITS[aggregate].items()}
