"""One specimen and one set: strength from load, size factors, the 15 % rule, age and loading rate.

Codes: GB/T 50081-2019 (cubes, cylinders), ASTM C39 and ACI 318 (cylinders), EN 206 (both). S seen, R recalled: see the
register.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import lru_cache
from itertools import pairwise

from lims.standards.checks import Check, at_least, at_most
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number, round_half_even
from lims.standards.words import N_, said

#: Standard curing, degC, by the code that the specimens are broken by, both ends within: GB/T 50081-2019 20 +- 2 (S);
#: EN 12390-2 20 +- 2 (R); ASTM C511 23 +- 2 (R).
STANDARD_CURING_C = {
    "gbt50081-2019": (Decimal(18), Decimal(22)),
    "en12390-3": (Decimal(18), Decimal(22)),
    "astm-c39": (Decimal(21), Decimal(25)),
}
#: What one of the codes calls standard: for results whose code is not known, as in history of other laboratories.
ANY_STANDARD_CURING_C = (
    min(low for low, _high in STANDARD_CURING_C.values()),
    max(high for _low, high in STANDARD_CURING_C.values()),
)
#: Relative humidity at least (S).
STANDARD_CURING_HUMIDITY_PERCENT = Decimal(95)
#: GB/T 50081-2019, set of three: a value further from the middle one than this share is an outlier; exactly 15 %
#: is within (S).
SET_TOLERANCE = Decimal("0.15")
#: EN 206: specimens of one sample whose range is more than this share of their mean are disregarded; exactly 15 % is
#: within (R).
SAMPLE_RANGE_TOLERANCE = Decimal("0.15")
#: Compressive strength is reported to 0.1 MPa (S).
REPORTED_TO_MPA = Decimal("0.1")
#: Size factor to the 150 mm cube below C60 (S).
CUBE_SIZE_FACTORS = {
    Decimal(100): Decimal("0.95"),
    Decimal(150): Decimal("1.00"),
    Decimal(200): Decimal("1.05"),
}
#: GB/T 50081, annex on cylinders of length 2 d: factor to the one of 150 mm by diameter, mm (R).
CYLINDER_SIZE_FACTORS = {
    Decimal(100): Decimal("0.95"),
    Decimal(150): Decimal("1.00"),
    Decimal(200): Decimal("1.05"),
}
#: From this grade on, the factor of a cube that is not 150 mm must be found by test (R).
HIGH_STRENGTH_GRADE_MPA = Decimal(60)
#: 5.0.6: the factor that may be taken for cubes of this edge, up to this grade, where none was found by test (R).
UNTESTED_FACTORS = {Decimal(100): Decimal("0.95")}
UNTESTED_FACTOR_TO_MPA = Decimal(100)
REFERENCE_CUBE_MM = Decimal(150)
#: ASTM C39 length/diameter correction, linear between; none at or above 1.8 (R).
CYLINDER_LENGTH_FACTORS = (
    (Decimal("1.00"), Decimal("0.87")),
    (Decimal("1.25"), Decimal("0.93")),
    (Decimal("1.50"), Decimal("0.96")),
    (Decimal("1.75"), Decimal("0.98")),
)
CYLINDER_NO_CORRECTION_FROM = Decimal("1.8")
#: pi to the digits that a cylinder's area needs.
PI = Decimal("3.14159265358979323846264338327950288420")
#: Loading rate, MPa/s: (grade below, low, high), GB/T 50081-2019 (S).
GB_LOADING_RATES = (
    (Decimal(30), Decimal("0.3"), Decimal("0.5")),
    (Decimal(60), Decimal("0.5"), Decimal("0.8")),
    (None, Decimal("0.8"), Decimal("1.0")),
)
#: ASTM C39 0.25 +- 0.05 (R); EN 12390-3 0.6 +- 0.2 (S).
OTHER_LOADING_RATES = {
    "astm-c39": (Decimal("0.20"), Decimal("0.30")),
    "en12390-3": (Decimal("0.4"), Decimal("0.8")),
}
#: Test-age tolerance in hours by code: age in days -> hours. GB/T 50081-2019 (R); ASTM C39 (S for 1-28 d, 90 d R).
AGE_TOLERANCE_HOURS = {
    "gbt50081-2019": {
        1: Decimal("0.5"),
        3: Decimal(2),
        7: Decimal(6),
        28: Decimal(20),
        56: Decimal(24),
        60: Decimal(24),
    },
    "astm-c39": {
        1: Decimal("0.5"),
        3: Decimal(2),
        7: Decimal(6),
        28: Decimal(20),
        90: Decimal(48),
    },
}
#: GB/T 50081-2019: from this age on, +- 48 h (R).
GB_LONG_AGE_DAYS, GB_LONG_AGE_HOURS = 84, Decimal(48)

CUBE_SET_RULE = "gbt50081-2019/cube-set"
SET_OF_THREE_RULE = "gbt50081-2019/set-of-three"
CYLINDER_MEAN_RULE = "aci318/strength-test"
CYLINDER_SET_RULE = "gbt50081-2019/cylinder-set"
#: Shape -> EN 206's rule of a sample: one rule, but results of the two shapes never stand beside each other.
SAMPLE_RULES = {"cube": "en206/cube-sample", "cylinder": "en206/cylinder-sample"}
SHAPES_OF_RULES = {
    CUBE_SET_RULE: "cube",
    CYLINDER_SET_RULE: "cylinder",
    CYLINDER_MEAN_RULE: "cylinder",
    **{rule_id: shape for shape, rule_id in SAMPLE_RULES.items()},
}
#: Rules that judge a set of three by its middle value.
SETS_OF_THREE = (CUBE_SET_RULE, CYLINDER_SET_RULE)


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """A set's strength and how it came about. `strength_mpa` is None when the set is invalid."""

    strength_mpa: Decimal | None
    basis: str
    specimen_strengths_mpa: tuple[Decimal, ...]
    rule_id: str
    low_deviation: Decimal | None = None
    high_deviation: Decimal | None = None
    #: What strengths of single specimens are multiplied by to stand beside the set's.
    size_factor: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class AgeVerdict:
    """Age at test against the tolerance. `tolerance_hours` is None where the code states none for this age."""

    age_hours: Decimal
    within: bool | None
    tolerance_hours: Decimal | None
    due_from: datetime
    due_at: datetime
    due_until: datetime


def loaded_area_mm2(shape: str, width_mm: Decimal, depth_mm: Decimal | None = None) -> Decimal:
    """Area under load, mm^2: cube edge x edge (or width x depth), cylinder pi d^2/4, half prism 40 x 40 platen.

    Raises: RuleInputError.
    """
    width = require_number("width_mm", width_mm, above=0, maximum=1000)
    with localcontext(exact_context()):
        if shape in {"cube", "core-cube"}:
            depth = width if depth_mm is None else require_number("depth_mm", depth_mm, above=0, maximum=1000)
            return width * depth
        if shape in {"cylinder", "core"}:
            return PI * width * width / 4
        if shape == "prism-half":
            return width * width
    raise RuleInputError("shape", shape, "cube, core-cube, cylinder, core or prism-half")


def compressive_strength(
    load_kn: Decimal, shape: str, width_mm: Decimal, depth_mm: Decimal | None = None
) -> Decimal:
    """f = F/A, in MPa = N/mm^2, not rounded.

    Args: load_kn, the maximum load, kN, above 0; shape, see `loaded_area_mm2`; width_mm, edge or diameter.
    Raises: RuleInputError.
    Source: GB/T 50081-2019 5.0.5 (S).
    """
    load = require_number("load_kn", load_kn, above=0, maximum=20000)
    with localcontext(exact_context()):
        return load * 1000 / loaded_area_mm2(shape, width_mm, depth_mm)


def size_factor(
    shape: str,
    width_mm: Decimal,
    grade_mpa: Decimal | None = None,
    length_mm: Decimal | None = None,
    stated: Decimal | None = None,
) -> Decimal:
    """Factor to the reference specimen: 150 mm cube (of cubes that were cut, as of shotcrete, too), or a cylinder of length
    2 d.

    Args: grade_mpa, the strength grade when known; length_mm, for cylinders; stated, a factor found by test.
    Raises: RuleInputError: other cube sizes, and cubes other than 150 mm from C60 on without a stated factor.
    Source: GB/T 50081-2019 5.0.6 (S below C60, R above); ASTM C39 L/D (R).
    """
    width = require_number("width_mm", width_mm, above=0)
    if stated is not None:
        return require_number("size_factor", stated, above=0, maximum=2)
    if shape in {"cube", "core-cube"}:
        if width not in CUBE_SIZE_FACTORS:
            raise RuleInputError("width_mm", width_mm, N_("100, 150 or 200 mm, or a factor found by test"))
        grade = None if grade_mpa is None else require_number("grade_mpa", grade_mpa, above=0)
        if width != REFERENCE_CUBE_MM and grade is not None and grade >= HIGH_STRENGTH_GRADE_MPA:
            may = untested_factor(shape, width, grade)
            raise RuleInputError(
                "size_factor",
                None,
                said(
                    N_("a factor found by test: from C60 on %(width)s mm cubes have no fixed one"),
                    width=width,
                )
                if may is None
                else said(
                    N_(
                        "a factor found by test: from C60 on %(width)s mm cubes have no fixed one; "
                        "without a test %(factor)s may be stated up to C%(grade)s"
                    ),
                    width=width,
                    factor=may,
                    grade=UNTESTED_FACTOR_TO_MPA,
                ),
            )
        return CUBE_SIZE_FACTORS[width]
    if shape in {"cylinder", "core"} and length_mm is not None:
        return cylinder_length_factor(width, length_mm)
    return Decimal(1)


def untested_factor(shape: str, width_mm: Decimal, grade_mpa: Decimal | None) -> Decimal | None:
    """The factor that may be taken, with a reservation, from C60 to C100 where none was found by test; None where the fixed
    one holds or none may be taken.

    Source: GB/T 50081-2019 5.0.6 (R).
    """
    if shape != "cube" or grade_mpa is None:
        return None
    if not HIGH_STRENGTH_GRADE_MPA <= grade_mpa <= UNTESTED_FACTOR_TO_MPA:
        return None
    return UNTESTED_FACTORS.get(width_mm)


def factor_beside_set(rule_id: str, width_mm: Decimal | None) -> Decimal:
    """What F/A of a specimen is multiplied by to stand beside the result of its set, which this rule gave: the size factor
    of its cubes, the same whatever the grade (from C60 on only 0.95 is taken, of 100 mm), or of its cylinders; 1 by ACI, by
    EN 206 and for what was reported.

    Source: GB/T 50081-2019 5.0.6.
    """
    tables = {CUBE_SET_RULE: CUBE_SIZE_FACTORS, CYLINDER_SET_RULE: CYLINDER_SIZE_FACTORS}
    if rule_id not in tables or width_mm is None:
        return Decimal(1)
    return tables[rule_id].get(width_mm, Decimal(1))


def shape_of_rule(rule_id: str) -> str:
    """ "cube" or "cylinder", by the rule that gave a set's strength: the two stand on different scales. "" of strengths that
    were reported."""
    return SHAPES_OF_RULES.get(rule_id, "")


def commonest_shape(shapes: Iterable[str]) -> str:
    """Of shapes by `shape_of_rule`, "" left out: results of the other one never stand beside it. "" where there is none."""
    counted = Counter(shape for shape in shapes if shape)
    return max(sorted(counted), key=lambda shape: counted[shape], default="")


def cylinder_length_factor(diameter_mm: Decimal, length_mm: Decimal) -> Decimal:
    """Correction for length/diameter below 1.8. Raises: RuleInputError below 1. Source: ASTM C39 (R)."""
    diameter = require_number("diameter_mm", diameter_mm, above=0)
    length = require_number("length_mm", length_mm, above=0)
    with localcontext(exact_context()):
        ratio = length / diameter
        if ratio >= CYLINDER_NO_CORRECTION_FROM:
            return Decimal(1)
        if ratio < CYLINDER_LENGTH_FACTORS[0][0]:
            raise RuleInputError("length_mm", length_mm, N_("a length of at least one diameter"))
        points = (*CYLINDER_LENGTH_FACTORS, (CYLINDER_NO_CORRECTION_FROM, Decimal(1)))
        for (low, at_low), (high, at_high) in pairwise(points):
            if low <= ratio <= high:
                return at_low + (at_high - at_low) * (ratio - low) / (high - low)
    raise RuleInputError("length_mm", length_mm, N_("a length of at least one diameter"))


def set_of_three(
    strengths_mpa: Sequence[Decimal], factor: Decimal = Decimal(1), rule_id: str = CUBE_SET_RULE
) -> SetVerdict:
    """The 15 % rule. Sorted a <= m <= b, lo = (m-a)/m, hi = (b-m)/m:
    both within 15 %: the mean; exactly one beyond: the middle value; both beyond: the set is invalid.

    Args: strengths_mpa, three unrounded strengths, MPa, above 0; factor, the size factor, applied before rounding.
    Returns: strength to 0.1 MPa, rounded once.
    Raises: RuleInputError.
    Source: GB/T 50081-2019 5.0.5 (S).
    """
    if len(strengths_mpa) != 3:
        raise RuleInputError(
            "strengths_mpa", said(N_("%(n)s values"), n=len(strengths_mpa)), "exactly three specimens"
        )
    values = tuple(require_number("strengths_mpa", value, above=0) for value in strengths_mpa)
    return replace(_judge(values, values, factor, Decimal(1), rule_id), size_factor=factor)


def _judge(
    measured: tuple[Decimal, ...],
    strengths_mpa: tuple[Decimal, ...],
    numerator: Decimal,
    denominator: Decimal,
    rule_id: str,
) -> SetVerdict:
    """The 15 % rule on measured values, of which numerator/denominator makes strengths.

    It looks at what was measured and divides once, at the end: a load over 22 500 mm^2 has no end as a decimal, and
    exactly 15 %, or exactly half of the last digit, would be missed.
    """
    with localcontext(exact_context()):
        a, m, b = sorted(measured)
        low, high = (m - a) / m, (b - m) / m
        low_out, high_out = m - a > SET_TOLERANCE * m, b - m > SET_TOLERANCE * m
        if low_out and high_out:
            return SetVerdict(None, "invalid", strengths_mpa, rule_id, low, high)
        basis, total, share = ("middle", m, 1) if low_out or high_out else ("mean", a + m + b, 3)
        strength = round_half_even(total * numerator / (denominator * share), REPORTED_TO_MPA)
        return SetVerdict(strength, basis, strengths_mpa, rule_id, low, high)


def cube_set(
    edge_mm: Decimal,
    loads_kn: Sequence[Decimal],
    grade_mpa: Decimal | None = None,
    size_factor_stated: Decimal | None = None,
) -> SetVerdict:
    """Strength of a set of three cubes of one edge from their loads.

    Args: edge_mm, 100, 150 or 200; loads_kn, three loads, kN, above 0; grade_mpa, for the size factor.
    Returns: SetVerdict, to 0.1 MPa of the 150 mm cube.
    Raises: RuleInputError.
    Source: GB/T 50081-2019 5.0.5, 5.0.6.
    """
    if len(loads_kn) != 3:
        raise RuleInputError("loads_kn", f"{len(loads_kn)} loads", "exactly three loads")
    edge = require_number("edge_mm", edge_mm, above=0, maximum=1000)
    if size_factor_stated is None and edge not in CUBE_SIZE_FACTORS:
        raise RuleInputError("edge_mm", edge_mm, N_("100, 150 or 200 mm, or a size factor found by test"))
    factor = size_factor("cube", edge_mm, grade_mpa, stated=size_factor_stated)
    loads = tuple([require_number("loads_kn", load, above=0, maximum=20000) for load in loads_kn])
    exact = exact_context()
    area = exact.multiply(edge, edge)
    strengths = tuple([exact.divide(exact.multiply(load, 1000), area) for load in loads])
    verdict = _judge(loads, strengths, exact.multiply(1000, factor), area, CUBE_SET_RULE)
    return verdict if factor == 1 else replace(verdict, size_factor=factor)


def cylinder_set(diameter_mm: Decimal, loads_kn: Sequence[Decimal]) -> SetVerdict:
    """Strength of a set of three cylinders, of length 2 d, from their loads: by the 15 % rule, as of cubes.

    Args: diameter_mm, 100, 150 or 200; loads_kn, three loads, kN, above 0.
    Returns: SetVerdict, to 0.1 MPa of the cylinder of 150 mm.
    Raises: RuleInputError.
    Source: GB/T 50081-2019, annex on the strength of cylinders, after 5.0.5 (R).
    """
    if len(loads_kn) != 3:
        raise RuleInputError("loads_kn", f"{len(loads_kn)} loads", "exactly three loads")
    diameter = require_number("diameter_mm", diameter_mm, above=0)
    if diameter not in CYLINDER_SIZE_FACTORS:
        raise RuleInputError("diameter_mm", diameter_mm, "100, 150 or 200 mm")
    factor = CYLINDER_SIZE_FACTORS[diameter]
    loads = tuple(require_number("loads_kn", load, above=0, maximum=20000) for load in loads_kn)
    strengths = tuple(compressive_strength(load, "cylinder", diameter) for load in loads)
    exact, area = exact_context(), loaded_area_mm2("cylinder", diameter)
    verdict = _judge(loads, strengths, exact.multiply(1000, factor), area, CYLINDER_SET_RULE)
    return replace(verdict, size_factor=factor)


def least_cylinders(diameter_mm: Decimal) -> int:
    """Cylinders of a strength test, at least. Raises: RuleInputError. Source: ACI 318 26.12 (S)."""
    return 2 if require_number("diameter_mm", diameter_mm, above=0) >= 150 else 3


def mean_of_cylinders(
    strengths_mpa: Sequence[Decimal], diameter_mm: Decimal, factor: Decimal = Decimal(1)
) -> SetVerdict:
    """A strength test: the mean of at least two 150 x 300 mm or three 100 x 200 mm cylinders of one sample.

    Raises: RuleInputError. Source: ACI 318 26.12, ASTM C39 (S).
    """
    least = least_cylinders(diameter_mm)
    if len(strengths_mpa) < least:
        raise RuleInputError(
            "strengths_mpa",
            said(N_("%(n)s values"), n=len(strengths_mpa)),
            said(
                N_("at least %(least)s cylinders of %(diameter_mm)s mm"), least=least, diameter_mm=diameter_mm
            ),
        )
    values = tuple(require_number("strengths_mpa", value, above=0) for value in strengths_mpa)
    with localcontext(exact_context()):
        mean = sum(values, Decimal(0)) / len(values) * factor
    return SetVerdict(
        round_half_even(mean, REPORTED_TO_MPA), "mean", values, CYLINDER_MEAN_RULE, size_factor=factor
    )


def mean_of_sample(shape: str, width_mm: Decimal, loads_kn: Sequence[Decimal]) -> SetVerdict:
    """A test result by EN 206: one specimen's strength, or the mean of those made from one sample and tested at one age.
    When their range is more than 15 % of the mean they are disregarded, unless an investigation finds a reason to leave a
    single one out: the set has no strength.

    The range is looked at in loads, as the area is the same: exactly 15 % would be missed in quotients. No factor between
    sizes: the code has none.
    Args: shape, cube or cylinder; width_mm, edge or diameter; loads_kn, kN, above 0.
    Raises: RuleInputError.
    Source: EN 206:2013+A2:2021 8.2.1.2 (R).
    """
    if shape not in SAMPLE_RULES:
        raise RuleInputError("shape", shape, "cube or cylinder")
    if not loads_kn:
        raise RuleInputError("loads_kn", said(N_("%(n)s values"), n=0), N_("a load for each specimen"))
    loads = [require_number("loads_kn", load, above=0, maximum=20000) for load in loads_kn]
    strengths = tuple(compressive_strength(load, shape, width_mm) for load in loads)
    with localcontext(exact_context()):
        total, count = sum(loads, Decimal(0)), len(loads)
        if (max(loads) - min(loads)) * count > SAMPLE_RANGE_TOLERANCE * total:
            return SetVerdict(None, "spread", strengths, SAMPLE_RULES[shape])
        mean = total * 1000 / (loaded_area_mm2(shape, width_mm) * count)
        return SetVerdict(round_half_even(mean, REPORTED_TO_MPA), "mean", strengths, SAMPLE_RULES[shape])


def tolerance_hours(code: str, age_days: int) -> Decimal | None:
    """Allowed deviation of the age at test, hours; None where the code states none for this age.

    Raises: RuleInputError for an unknown code or age. Source: GB/T 50081-2019 (R), ASTM C39 (S).
    """
    if code not in AGE_TOLERANCE_HOURS:
        raise RuleInputError("code", code, " or ".join(AGE_TOLERANCE_HOURS))
    if isinstance(age_days, bool) or not isinstance(age_days, int) or not 1 <= age_days <= 3650:
        raise RuleInputError("age_days", age_days, "a whole number of days from 1 to 3650")
    if code == "gbt50081-2019" and age_days >= GB_LONG_AGE_DAYS:
        return GB_LONG_AGE_HOURS
    return AGE_TOLERANCE_HOURS[code].get(age_days)


def due_window(code: str, age_days: int, cast_at: datetime) -> tuple[datetime, datetime, datetime]:
    """Earliest, nominal and latest time of the test, UTC. Without a stated tolerance all three are nominal."""
    start = _instant("cast_at", cast_at)
    nominal = start + timedelta(days=age_days)
    hours = tolerance_hours(code, age_days)
    margin = timedelta(seconds=int(hours * 3600)) if hours is not None else timedelta(0)
    return nominal - margin, nominal, nominal + margin


@lru_cache(maxsize=4096, typed=True)  # the sets of a batch are cast and broken together; True is no 1 d
def age_tolerance(code: str, age_days: int, cast_at: datetime, tested_at: datetime) -> AgeVerdict:
    """Elapsed time from casting to breaking against the tolerance of the age.

    Elapsed in UTC: a change of the clock between the two does not move it.
    Args: cast_at, tested_at, with their zones.
    Raises: RuleInputError for a naive time, a test before casting, an unknown code or age.
    Source: GB/T 50081-2019 (R), ASTM C39 (S).
    """
    start, end = _instant("cast_at", cast_at), _instant("tested_at", tested_at)
    if end < start:
        raise RuleInputError("tested_at", tested_at.isoformat(), N_("a time after casting"))
    elapsed = end - start
    hours = tolerance_hours(code, age_days)
    with localcontext(exact_context()):
        seconds = Decimal(elapsed.days * 86400 + elapsed.seconds) + Decimal(elapsed.microseconds) / 1_000_000
        deviation = abs(seconds - age_days * 86400)
        within = None if hours is None else deviation <= hours * 3600
        age_hours = (seconds / 3600).normalize()
    due_from, due_at, due_until = due_window(code, age_days, cast_at)
    return AgeVerdict(age_hours, within, hours, due_from, due_at, due_until)


def loading_rate_limits(code: str, grade_mpa: Decimal | None = None) -> tuple[Decimal, Decimal]:
    """Lowest and highest loading rate, MPa/s. A rate outside is a flag on the break, not a refusal.

    Raises: RuleInputError. Source: GB/T 50081-2019 5.0.4 (S); ASTM C39 (R); EN 12390-3 (S).
    """
    if code in OTHER_LOADING_RATES:
        return OTHER_LOADING_RATES[code]
    if code != "gbt50081-2019":
        raise RuleInputError("code", code, "gbt50081-2019, astm-c39 or en12390-3")
    if grade_mpa is None:
        raise RuleInputError("grade_mpa", None, N_("the strength grade: the rate depends on it"))
    grade = require_number("grade_mpa", grade_mpa, above=0)
    for below, low, high in GB_LOADING_RATES:
        if below is None or grade < below:
            return low, high
    raise RuleInputError(
        "grade_mpa", grade_mpa, N_("a strength grade")
    )  # pragma: no cover - the last row has no limit


def standard_curing(temperature_c: Decimal, relative_humidity_percent: Decimal) -> tuple[Check, ...]:
    """Standard curing: 20 +- 2 degC and at least 95 % relative humidity, both ends within.

    Raises: RuleInputError. Source: GB/T 50081-2019 (S).
    """
    temperature = require_number("temperature_c", temperature_c, minimum=-50, maximum=100)
    humidity = require_number("relative_humidity_percent", relative_humidity_percent, minimum=0, maximum=100)
    low, high = STANDARD_CURING_C["gbt50081-2019"]
    return (
        at_least(N_("temperature, degC"), temperature, low),
        at_most(N_("temperature, degC"), temperature, high),
        at_least(N_("relative humidity, %"), humidity, STANDARD_CURING_HUMIDITY_PERCENT),
    )


def _instant(field: str, moment: object) -> datetime:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise RuleInputError(
            field, str(moment), N_("a time with its zone, such as 2026-03-28T10:00:00+08:00")
        )
    return moment.astimezone(UTC)
