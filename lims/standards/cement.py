"""Cement: strength classes, setting, mortar prisms, lots, age of a lot, uniformity.

Codes: GB 175-2023, GB/T 17671, ASTM C917.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext

from lims.standards.checks import Check, at_least, at_most
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number, round_half_even
from lims.standards.statistics import mean
from lims.standards.words import N_, said

#: GB 175-2023: least strengths at 3 d and 28 d, MPa (42.5 S, the rest R).
CLASSES = {
    "32.5": (Decimal("12.0"), Decimal("32.5")),
    "32.5R": (Decimal("17.0"), Decimal("32.5")),
    "42.5": (Decimal("17.0"), Decimal("42.5")),
    "42.5R": (Decimal("22.0"), Decimal("42.5")),
    "52.5": (Decimal("22.0"), Decimal("52.5")),
    "52.5R": (Decimal("27.0"), Decimal("52.5")),
    "62.5": (Decimal("27.0"), Decimal("62.5")),
    "62.5R": (Decimal("32.0"), Decimal("62.5")),
}
#: Of these types alone: slag, pozzolana and fly-ash cement (R). Composite cement P.C lost them with the edition of 2023 (S).
LOW_CLASSES = ("32.5", "32.5R")
LOW_CLASS_TYPES = ("P.S.A", "P.S.B", "P.P", "P.F")
#: Of these types alone: Portland and ordinary Portland cement (R).
HIGH_CLASSES = ("62.5", "62.5R")
PORTLAND_TYPES = ("P.I", "P.II")
HIGH_CLASS_TYPES = (*PORTLAND_TYPES, "P.O")
CEMENT_TYPES = (*HIGH_CLASS_TYPES, *LOW_CLASS_TYPES, "P.C")
#: GB 175: initial set at least, minutes (S); final set at most, of P.I and P.II (R) and of every other type (P.O S, rest R).
INITIAL_SET_MIN = Decimal(45)
PORTLAND_FINAL_SET_MAX = Decimal(390)
FINAL_SET_MAX = Decimal(600)
#: GB/T 17671: values of a set; share from the mean beyond which one is dropped (R).
MORTAR_VALUES = 6
MORTAR_TOLERANCE = Decimal("0.10")
#: Lot size at most, t (S).
LOT_TONNES = {"bulk": Decimal(500), "bagged": Decimal(200)}
#: A lot older than this is tested again before use (S).
RETEST_MONTHS = 3


@dataclass(frozen=True, slots=True)
class MortarVerdict:
    """Strength of six mortar values, MPa to 0.1; None when two lie out. `dropped` are the values left out."""

    strength_mpa: Decimal | None
    mean_of_six_mpa: Decimal
    dropped: tuple[Decimal, ...]


def class_limits(strength_class: str, cement_type: str | None = None) -> tuple[Decimal, Decimal] | None:
    """Least strengths at 3 d and 28 d, MPa; None where the code has no such class, of this type, or not this type.

    Source: GB 175-2023 7.4.3 (42.5 and the end of composite 32.5 S, others R).
    """
    if cement_type is not None and cement_type not in CEMENT_TYPES:
        return None  # masonry cement, or one of another country's code
    return CLASSES[strength_class] if strength_class in _classes_of(cement_type) else None


def _classes_of(cement_type: str | None) -> tuple[str, ...]:
    """The classes that a type has; of one that is not known, those that need no word about it."""
    low = cement_type in LOW_CLASS_TYPES
    high = cement_type is None or cement_type in HIGH_CLASS_TYPES
    return tuple(
        name for name in CLASSES if (low or name not in LOW_CLASSES) and (high or name not in HIGH_CLASSES)
    )


def class_checks(
    strength_class: str,
    strength_3d_mpa: Decimal | None,
    strength_28d_mpa: Decimal | None,
    cement_type: str | None = None,
) -> tuple[Check, ...]:
    """The strengths of a cement against its class; at least one of the two ages. `cement_type`, one of CEMENT_TYPES, is
    needed for 32.5 and 32.5R.

    Raises: RuleInputError. Source: GB 175-2023 7.4.3 (42.5 S, others R).
    """
    _require_type(cement_type)
    limits = class_limits(strength_class, cement_type)
    if limits is None and strength_class in HIGH_CLASSES:
        raise RuleInputError(
            "strength_class",
            strength_class,
            said(N_("one of %(options)s"), options=", ".join(_classes_of(cement_type))),
        )
    if limits is None:
        usual = ", ".join(name for name in CLASSES if name not in LOW_CLASSES)
        low, types = " and ".join(LOW_CLASSES), ", ".join(LOW_CLASS_TYPES)
        raise RuleInputError(
            "strength_class",
            strength_class,
            said(
                N_("one of %(usual)s; %(low)s of the cement types %(types)s alone"),
                usual=usual,
                low=low,
                types=types,
            ),
        )
    if strength_3d_mpa is None and strength_28d_mpa is None:
        raise RuleInputError("strength_3d_mpa", None, N_("a strength at 3 d or 28 d, MPa"))
    at_3d, at_28d = limits
    checks = []
    if strength_3d_mpa is not None:
        strength = require_number("strength_3d_mpa", strength_3d_mpa, above=0)
        checks.append(at_least(N_("strength at 3 d, MPa"), strength, at_3d))
    if strength_28d_mpa is not None:
        strength = require_number("strength_28d_mpa", strength_28d_mpa, above=0)
        checks.append(at_least(N_("strength at 28 d, MPa"), strength, at_28d))
    return tuple(checks)


def _require_type(cement_type: str | None) -> None:
    """Raises: RuleInputError for one that is named and that the code has not."""
    if cement_type not in (None, *CEMENT_TYPES):
        raise RuleInputError(
            "cement_type", cement_type, said(N_("one of %(options)s"), options=", ".join(CEMENT_TYPES))
        )


def final_set_max(cement_type: str | None = None) -> Decimal | None:
    """Latest final set, min: 390 of P.I and P.II, 600 of the other types and where none is named; None of a type that the
    code has not.

    Source: GB 175-2023 7.4.1 (P.O S, others R).
    """
    if cement_type in PORTLAND_TYPES:
        return PORTLAND_FINAL_SET_MAX
    return FINAL_SET_MAX if cement_type is None or cement_type in CEMENT_TYPES else None


def setting_checks(
    initial_set_min: Decimal, final_set_min: Decimal, cement_type: str | None = None
) -> tuple[Check, ...]:
    """Initial set at least 45 min, final set at most 600 min, or 390 min of P.I and P.II, both ends within.

    Raises: RuleInputError. Source: GB 175-2023 7.4.1 (P.O S, others R).
    """
    _require_type(cement_type)
    latest = final_set_max(cement_type)
    assert latest is not None  # by the line before the last
    initial = require_number("initial_set_min", initial_set_min, above=0)
    final = require_number("final_set_min", final_set_min, above=0)
    if final < initial:
        raise RuleInputError("final_set_min", final_set_min, N_("a time of at least initial_set_min"))
    return (
        at_least(N_("initial set, min"), initial, INITIAL_SET_MIN),
        at_most(N_("final set, min"), final, latest),
    )


def mortar_strength(strengths_mpa: Sequence[Decimal]) -> MortarVerdict:
    """The mean of six; one value beyond +-10 % of it is dropped for the mean of five; a second one voids the test.

    Exactly 10 % is within. Args: six values, MPa. Raises: RuleInputError. Source: GB/T 17671 (R).
    """
    if len(strengths_mpa) != MORTAR_VALUES:
        raise RuleInputError(
            "strengths_mpa", said(N_("%(n)s values"), n=len(strengths_mpa)), "exactly six values"
        )
    values = [require_number("strengths_mpa", value, above=0) for value in strengths_mpa]
    with localcontext(exact_context()):
        of_six = mean(values)
        out = _beyond(values, of_six)
        if not out:
            return MortarVerdict(round_half_even(of_six, Decimal("0.1")), of_six, ())
        if len(out) > 1:
            return MortarVerdict(None, of_six, tuple(out))
        five = list(values)
        five.remove(out[0])
        of_five = mean(five)
        second = _beyond(five, of_five)
        if second:
            return MortarVerdict(None, of_six, (out[0], *second))
        return MortarVerdict(round_half_even(of_five, Decimal("0.1")), of_six, (out[0],))


def _beyond(values: Sequence[Decimal], centre: Decimal) -> list[Decimal]:
    return [value for value in values if abs(value - centre) > MORTAR_TOLERANCE * centre]


def lots(mass_t: Decimal, delivery: str) -> int:
    """Lots that a delivery is tested in: at most 500 t in bulk, 200 t in bags.

    Raises: RuleInputError. Source: GB 50204 (S).
    """
    mass = require_number("mass_t", mass_t, above=0)
    if delivery not in LOT_TONNES:
        raise RuleInputError("delivery", delivery, "bulk or bagged")
    with localcontext(exact_context()):
        return int((mass / LOT_TONNES[delivery]).to_integral_value(rounding=ROUND_CEILING))


def retest_due_on(made_on: date) -> date:
    """The last day on which the lot may be used without a retest: three months after it was made.

    Source: GB 50204 (S), and the source document: 3个月后的水泥使用要复检合格再做使用，或降低强度等级使用.
    """
    month = made_on.month - 1 + RETEST_MONTHS
    year, month = made_on.year + month // 12, month % 12 + 1
    return date(year, month, min(made_on.day, calendar.monthrange(year, month)[1]))


def retest_needed(made_on: date, use_on: date) -> bool:
    """Is the lot older than three months on the day of use? Raises: RuleInputError. Source: GB 50204 (S)."""
    if use_on < made_on:
        raise RuleInputError("use_on", use_on.isoformat(), N_("a day on or after made_on"))
    return use_on > retest_due_on(made_on)


def oldest_usable(use_on: date) -> date:
    """The earliest day of making whose lots may be used on this day without a retest, as `retest_due_on` counts months."""
    made_on = use_on - timedelta(days=31 * RETEST_MONTHS + 1)
    while retest_due_on(made_on) < use_on:
        made_on += timedelta(days=1)
    return made_on


def uniformity(total_deviation_mpa: Decimal, testing_deviation_mpa: Decimal) -> Decimal:
    """s_c = sqrt(s_t^2 - s_e^2), MPa, not rounded: the cement's own variation; 0 when testing explains it all.

    Raises: RuleInputError. Source: ASTM C917 (R).
    """
    total = require_number("total_deviation_mpa", total_deviation_mpa, minimum=0)
    testing = require_number("testing_deviation_mpa", testing_deviation_mpa, minimum=0)
    with localcontext(exact_context()):
        return max(total * total - testing * testing, Decimal(0)).sqrt()
