"""Strength with age by the codes: ratios to the 28-day strength, and early estimates.

EN 1992-1-1, fib Model Code 2010, ACI 209R, Chinese practice, JGJ/T 15-2008. These are references for the chart and for
estimates by the book; the forecast of new mixes is lims/strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from lims.standards.checks import Check, all_passed, at_least
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number
from lims.standards.statistics import least_squares
from lims.standards.words import N_, said

#: EN 1992-1-1 (3.2): s by cement class (S).
EC2_S = {"R": Decimal("0.20"), "N": Decimal("0.25"), "S": Decimal("0.38")}
#: EN 1992-1-1 table 3.1: fcm = fck + 8 MPa (S).
EC2_MEAN_MARGIN_MPA = Decimal(8)
#: fib MC2010 table 5.1-9: s by strength class of the cement (S).
MC2010_S = {
    "32.5N": Decimal("0.38"),
    "32.5R": Decimal("0.25"),
    "42.5N": Decimal("0.25"),
    "42.5R": Decimal("0.20"),
    "52.5N": Decimal("0.20"),
    "52.5R": Decimal("0.20"),
}
#: Above this mean strength, MPa, s is 0.20 whatever the cement (S).
MC2010_HIGH_STRENGTH_MPA = Decimal(60)
MC2010_HIGH_STRENGTH_S = Decimal("0.20")
#: ACI 209R-92 (2-1): a (days) and b by curing and cement type (moist S, steam R).
ACI209_CONSTANTS = {
    ("moist", "I"): (Decimal("4.0"), Decimal("0.85")),
    ("moist", "III"): (Decimal("2.3"), Decimal("0.92")),
    ("steam", "I"): (Decimal("1.0"), Decimal("0.95")),
    ("steam", "III"): (Decimal("0.70"), Decimal("0.98")),
}
#: Chinese practice: the lg law holds from this age on, days (S).
LG_LAW_FROM_DAYS = Decimal(3)
#: f28 = f7 + r sqrt(f7): range of r, sqrt(MPa) (S).
ROOT_LAW_R = (Decimal("1.5"), Decimal("3.0"))
#: JGJ/T 15-2008: pairs, water/cement levels, their span, and the least correlation (R, low confidence).
JGJT15_PAIRS = 30
JGJT15_LEVELS = 5
JGJT15_SPAN = Decimal("0.2")
JGJT15_CORRELATION = Decimal("0.85")

#: Largest ln of a power law's parts: a coefficient or a power beyond e^100 says that its points do not make one.
LARGEST_LN = Decimal(100)

TWENTY_EIGHT = Decimal(28)


@dataclass(frozen=True, slots=True)
class Regression:
    """f28 = a + b fe ("linear") or a fe^b ("power"), its correlation, and the conditions it must meet."""

    form: str
    a: Decimal
    b: Decimal
    correlation: Decimal | None
    checks: tuple[Check, ...]
    accepted: bool


def _age(age_days: Decimal) -> Decimal:
    return require_number("age_days", age_days, above=0, maximum=36525)


def growth_ratio(age_days: Decimal, s: Decimal) -> Decimal:
    """exp(s (1 - sqrt(28 / t))), not rounded. Args: age_days above 0; s, coefficient of the cement."""
    age = _age(age_days)
    with localcontext(exact_context()):
        return (s * (1 - (TWENTY_EIGHT / age).sqrt())).exp()


def ec2_strength_ratio(age_days: Decimal, cement_class: str) -> Decimal:
    """f(t)/f28 by cement class R, N or S, not rounded.

    Raises: RuleInputError. Source: EN 1992-1-1 3.1.2 (3.1), (3.2) (S).
    """
    if cement_class not in EC2_S:
        raise RuleInputError("cement_class", cement_class, "R, N or S")
    return growth_ratio(age_days, EC2_S[cement_class])


def ec2_mean_strength(fck_mpa: Decimal) -> Decimal:
    """fcm = fck + 8 MPa. Raises: RuleInputError. Source: EN 1992-1-1 table 3.1 (S)."""
    return require_number("fck_mpa", fck_mpa, above=0) + EC2_MEAN_MARGIN_MPA


def mc2010_strength_ratio(age_days: Decimal, cement_class: str, fcm_mpa: Decimal | None = None) -> Decimal:
    """f(t)/f28 by strength class of the cement, not rounded; s is 0.20 when fcm is above 60 MPa.

    Raises: RuleInputError. Source: fib Model Code 2010 5.1.9.1 (5.1-51), table 5.1-9 (S).
    """
    if cement_class not in MC2010_S:
        raise RuleInputError(
            "cement_class", cement_class, said(N_("one of %(options)s"), options=", ".join(MC2010_S))
        )
    s = MC2010_S[cement_class]
    if fcm_mpa is not None and require_number("fcm_mpa", fcm_mpa, above=0) > MC2010_HIGH_STRENGTH_MPA:
        s = MC2010_HIGH_STRENGTH_S
    return growth_ratio(age_days, s)


def aci209_strength_ratio(age_days: Decimal, curing: str, cement_type: str) -> Decimal:
    """f(t)/f28 = t / (a + b t), not rounded.

    Raises: RuleInputError. Source: ACI 209R-92 (2-1) (moist S, steam R).
    """
    age = _age(age_days)
    if (curing, cement_type) not in ACI209_CONSTANTS:
        field, value = (
            ("curing", curing) if curing not in {"moist", "steam"} else ("cement_type", cement_type)
        )
        raise RuleInputError(field, value, "curing moist or steam, cement_type I or III")
    a, b = ACI209_CONSTANTS[curing, cement_type]
    with localcontext(exact_context()):
        return age / (a + b * age)


def lg_law_strength(f28_mpa: Decimal, age_days: Decimal) -> Decimal:
    """f_n = f28 lg n / lg 28, MPa, not rounded; n at least 3 d, standard curing.

    Raises: RuleInputError. Source: Chinese practice (S).
    """
    f28 = require_number("f28_mpa", f28_mpa, above=0)
    age = _age(age_days)
    if age < LG_LAW_FROM_DAYS:
        raise RuleInputError("age_days", age_days, N_("at least 3 days"))
    with localcontext(exact_context()):
        return f28 * age.log10() / TWENTY_EIGHT.log10()


def root_law_strength(f7_mpa: Decimal, r: Decimal) -> Decimal:
    """f28 = f7 + r sqrt(f7), MPa, not rounded. Args: r, 1.5 to 3.0 by cement, in sqrt(MPa): 30 of Slater is in psi.

    Raises: RuleInputError. Source: Chinese practice after Slater (S).
    """
    f7 = require_number("f7_mpa", f7_mpa, above=0)
    coefficient = require_number("r", r, minimum=ROOT_LAW_R[0], maximum=ROOT_LAW_R[1])
    with localcontext(exact_context()):
        return f7 + coefficient * f7.sqrt()


def two_age_strength(
    age_a_days: Decimal,
    strength_a_mpa: Decimal,
    age_b_days: Decimal,
    strength_b_mpa: Decimal,
    age_days: Decimal,
) -> Decimal:
    """f_n = f_a + m (f_b - f_a), m = (lg(1+lg n) - lg(1+lg a)) / (lg(1+lg b) - lg(1+lg a)), MPa, not rounded.

    Args: ages of at least 1 d, b later than a. Raises: RuleInputError. Source: Chinese practice (S).
    """
    a = require_number("age_a_days", age_a_days, minimum=1, maximum=36525)
    b = require_number("age_b_days", age_b_days, minimum=1, maximum=36525)
    n = require_number("age_days", age_days, minimum=1, maximum=36525)
    if b <= a:
        raise RuleInputError("age_b_days", age_b_days, N_("an age later than age_a_days"))
    fa = require_number("strength_a_mpa", strength_a_mpa, above=0)
    fb = require_number("strength_b_mpa", strength_b_mpa, above=0)
    with localcontext(exact_context()):

        def double_log(age: Decimal) -> Decimal:
            return (1 + age.log10()).log10()

        m = (double_log(n) - double_log(a)) / (double_log(b) - double_log(a))
        return fa + m * (fb - fa)


def _exp(exponent: Decimal, pairs: int) -> Decimal:
    """e^exponent of a regression's line. Raises: RuleInputError where that is no strength: early strengths that hardly
    differ make any slope, up to a number that no decimal holds."""
    if exponent > LARGEST_LN:
        raise RuleInputError(
            "early_mpa", said(N_("%(n)s points"), n=pairs), N_("points that differ in the first quantity")
        )
    return exponent.exp()


def jgjt15_predicted(found: Regression, early_mpa: Decimal, pairs: int) -> Decimal:
    """f28 of an early strength by the regression of so many pairs, MPa, not rounded.

    Raises: RuleInputError. Source: JGJ/T 15-2008 (R, low confidence).
    """
    early = require_number("predict_from_mpa", early_mpa, above=0)
    with localcontext(exact_context()):
        if found.form == "linear":
            return found.a + found.b * early
        return found.a * _exp(found.b * early.ln(), pairs)


def jgjt15_regression(
    early_mpa: Sequence[Decimal],
    f28_mpa: Sequence[Decimal],
    water_cement_ratios: Sequence[Decimal],
    form: str,
) -> Regression:
    """The regression of f28 on an accelerated or early strength, with the conditions under which it may be used.

    Args: three sequences of equal length; form, "linear" f28 = a + b fe or "power" f28 = a fe^b.
    Raises: RuleInputError. Source: JGJ/T 15-2008 (R, low confidence).
    """
    if form not in {"linear", "power"}:
        raise RuleInputError("form", form, "linear or power")
    n = len(early_mpa)
    if len(f28_mpa) != n:
        raise RuleInputError(
            "f28_mpa",
            said(N_("%(n)s values"), n=len(f28_mpa)),
            said(N_("%(n)s values, one for each early strength"), n=n),
        )
    if len(water_cement_ratios) != n:
        raise RuleInputError(
            "water_cement_ratios",
            said(N_("%(n)s values"), n=len(water_cement_ratios)),
            said(N_("%(n)s values, one for each early strength"), n=n),
        )
    if n < 2:
        raise RuleInputError("early_mpa", said(N_("%(n)s values"), n=n), N_("at least two pairs"))
    xs = [require_number("early_mpa", value, above=0) for value in early_mpa]
    ys = [require_number("f28_mpa", value, above=0) for value in f28_mpa]
    ratios = [require_number("water_cement_ratios", value, above=0) for value in water_cement_ratios]
    with localcontext(exact_context()):
        if form == "power":
            line = least_squares("early_mpa", [x.ln() for x in xs], [y.ln() for y in ys])
            a = _exp(line.intercept, n)
        else:
            line = least_squares("early_mpa", xs, ys)
            a = line.intercept
        correlation = line.correlation
        checks = (
            at_least(N_("pairs"), Decimal(n), Decimal(JGJT15_PAIRS)),
            at_least(N_("water/cement levels"), Decimal(len(set(ratios))), Decimal(JGJT15_LEVELS)),
            at_least(N_("span of water/cement"), max(ratios) - min(ratios), JGJT15_SPAN),
            at_least(
                N_("correlation r"), Decimal(0) if correlation is None else correlation, JGJT15_CORRELATION
            ),
        )
    return Regression(form, a, line.slope, correlation, checks, all_passed(checks))
