"""Maturity: one number for a history of temperatures (ASTM C1074, EN 13670, ASTM C918)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number
from lims.standards.words import N_

#: The value of Q = E/R that ASTM C1074 suggests, K (R).
ASTM_Q_K = Decimal(5000)
GAS_CONSTANT_J_MOL_K = Decimal("8.314")
KELVIN = Decimal("273.15")
REFERENCE_TEMPERATURE_C = Decimal(20)
#: EN 1992-1-1 (B.10): exp(13.65 - 4000/(273 + T)) (S).
EC2_MATURITY = (Decimal("13.65"), Decimal(4000), Decimal(273))

#: A spell of constant temperature: hours and degC.
Interval = tuple[Decimal, Decimal]


def _spells(intervals: Sequence[Interval]) -> list[Interval]:
    if not intervals:
        raise RuleInputError("intervals", "no values", "at least one interval of hours and temperature_c")
    return [
        (
            require_number(f"intervals[{i}].hours", hours, above=0, maximum=100_000),
            require_number(f"intervals[{i}].temperature_c", temperature, minimum=-50, maximum=100),
        )
        for i, (hours, temperature) in enumerate(intervals)
    ]


def nurse_saul(intervals: Sequence[Interval], datum_c: Decimal) -> Decimal:
    """M = sum (T - T0) dt, degC h, not rounded; a spell below the datum adds nothing.

    Args: intervals of (hours, degC); datum_c, T0, -10 or 0 degC or one found by test.
    Raises: RuleInputError. Source: ASTM C1074 6.2 (S).
    """
    datum = require_number("datum_c", datum_c, minimum=-20, maximum=20)
    with localcontext(exact_context()):
        return sum(
            (max(temperature - datum, Decimal(0)) * hours for hours, temperature in _spells(intervals)),
            Decimal(0),
        )


def equivalent_age(
    intervals: Sequence[Interval], q_k: Decimal, reference_c: Decimal = REFERENCE_TEMPERATURE_C
) -> Decimal:
    """te = sum dt exp(-Q (1/T - 1/Ts)), hours at the reference temperature, not rounded.

    Args: intervals of (hours, degC); q_k, Q = E/R in kelvin; reference_c, Ts.
    Raises: RuleInputError. Source: ASTM C1074 6.3 (form S; Q 5000 K R, E 33 500 J/mol S).
    """
    q = require_number("q_k", q_k, above=0, maximum=20_000)
    reference = require_number("reference_c", reference_c, minimum=-20, maximum=60)
    with localcontext(exact_context()):
        standard = 1 / (reference + KELVIN)
        return sum(
            (
                hours * (-q * (1 / (temperature + KELVIN) - standard)).exp()
                for hours, temperature in _spells(intervals)
            ),
            Decimal(0),
        )


def q_of_activation_energy(activation_energy_j_mol: Decimal) -> Decimal:
    """Q = E / R, kelvin, not rounded. Raises: RuleInputError. Source: ASTM C1074 (S)."""
    energy = require_number("activation_energy_j_mol", activation_energy_j_mol, above=0, maximum=200_000)
    with localcontext(exact_context()):
        return energy / GAS_CONSTANT_J_MOL_K


def ec2_adjusted_age(intervals: Sequence[Interval]) -> Decimal:
    """tT = sum dt exp(13.65 - 4000/(273 + T)), hours, not rounded.

    Raises: RuleInputError. Source: EN 1992-1-1 annex B (B.10) (S).
    """
    constant, slope, zero = EC2_MATURITY
    with localcontext(exact_context()):
        return sum(
            (
                hours * (constant - slope / (zero + temperature)).exp()
                for hours, temperature in _spells(intervals)
            ),
            Decimal(0),
        )


def c918_strength(
    strength_mpa: Decimal, maturity_c_h: Decimal, later_maturity_c_h: Decimal, slope_mpa: Decimal
) -> Decimal:
    """S_M = S_m + b lg(M/m), MPa, not rounded.

    Args: strength_mpa at maturity_c_h (m); later_maturity_c_h (M); slope_mpa, b, from the same materials.
    Raises: RuleInputError. Source: ASTM C918 (formula R; linear in log maturity from 24 h to 28 d S).
    """
    strength = require_number("strength_mpa", strength_mpa, above=0)
    early = require_number("maturity_c_h", maturity_c_h, above=0)
    later = require_number("later_maturity_c_h", later_maturity_c_h, above=0)
    slope = require_number("slope_mpa", slope_mpa, above=0)
    if later < early:
        raise RuleInputError(
            "later_maturity_c_h", later_maturity_c_h, N_("a maturity of at least maturity_c_h")
        )
    with localcontext(exact_context()):
        return strength + slope * (later / early).log10()
