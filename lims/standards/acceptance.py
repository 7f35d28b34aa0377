"""Acceptance of a lot of concrete by its strengths, and the control of its production.

Codes: GB/T 50107-2010, ACI 318, ACI 214R, EN 206; cumulative sums. Verdicts compare full values, and means and
deviations are rounded only where they are shown; but GB/T 50107 says to what place its own are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from lims.standards.checks import Check, all_passed, at_least
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number, round_half_even
from lims.standards.statistics import mean, sample_deviation
from lims.standards.words import N_, said

#: GB/T 50107-2010: least standard deviation, MPa (sigma0 R, S of method 2 S).
GB_LEAST_DEVIATION_MPA = Decimal("2.5")
#: 5.1.2, 5.1.3, 5.2.2: m_fcu is taken to 0.1 MPa; 5.1.2, 5.1.3: sigma0 and S_fcu to 0.01 MPa; and so compared (R).
GB_MEAN_TO_MPA, GB_DEVIATION_TO_MPA = Decimal("0.1"), Decimal("0.01")
#: Method 1: share of sigma0 in mean and minimum (S); batches of three consecutive sets.
GB_KNOWN_SIGMA_FACTOR = Decimal("0.7")
GB_KNOWN_SIGMA_SETS = 3
#: Method 1: least share of fk for the minimum, up to C20 and above (S).
GB_KNOWN_SIGMA_MINIMUM = (Decimal("0.85"), Decimal("0.90"))
GB_KNOWN_SIGMA_LOW_GRADE_MPA = Decimal(20)
#: sigma0 is found from at least this many sets (S).
GB_SIGMA_SETS = 45
#: Method 2: (from n sets, lambda1, lambda2) (S).
GB_UNKNOWN_SIGMA = (
    (20, Decimal("0.95"), Decimal("0.85")),
    (15, Decimal("1.05"), Decimal("0.85")),
    (10, Decimal("1.15"), Decimal("0.90")),
)
GB_STATISTICAL_FROM = 10
#: Non-statistical: lambda3 below C60 and from C60 on; lambda4 (S).
GB_NON_STATISTICAL_MEAN = (Decimal("1.15"), Decimal("1.10"))
GB_NON_STATISTICAL_HIGH_GRADE_MPA = Decimal(60)
GB_NON_STATISTICAL_MINIMUM = Decimal("0.95")

#: ACI 318: grade up to which the margin is a difference, MPa; the margin; the share above it (S).
ACI_SHARE_ABOVE_MPA = Decimal(35)
ACI_MARGIN_MPA = Decimal("3.45")
ACI_SHARE = Decimal("0.90")
ACI_CONSECUTIVE_TESTS = 3
#: ACI 318: factors of s in the required average (S).
ACI_MEAN_FACTOR = Decimal("1.34")
ACI_TEST_FACTOR = Decimal("2.33")
#: ACI 318: n -> factor on s, linear between; below 15 tests s may not be used (S).
ACI_SAMPLE_FACTORS = (
    (15, Decimal("1.16")),
    (20, Decimal("1.08")),
    (25, Decimal("1.03")),
    (30, Decimal("1.00")),
)
#: ACI 318 without data: below 21, 21 to 35, above: f'c + 7.0, f'c + 8.3, 1.10 f'c + 5.0 (S).
ACI_NO_DATA_MPA = (Decimal(21), Decimal("7.0"), Decimal("8.3"), Decimal("1.10"), Decimal("5.0"))

#: ACI 214R, overall standard deviation up to, MPa -> standard of control; below 2.8 excellent (S).
ACI214_EXCELLENT_BELOW_MPA = Decimal("2.8")
ACI214_CONTROL = (
    (Decimal("3.4"), "very good"),
    (Decimal("4.1"), "good"),
    (Decimal("4.8"), "fair"),
)
#: ACI 214R-11, table 4.4: above this f'c, MPa, the overall coefficient of variation up to, %; below 7.0 excellent (R).
ACI214_VARIATION_ABOVE_MPA = Decimal("34.5")
ACI214_EXCELLENT_BELOW_PERCENT = Decimal("7.0")
ACI214_VARIATION = (
    (Decimal("9.0"), "very good"),
    (Decimal("11.0"), "good"),
    (Decimal("14.0"), "fair"),
)
#: ACI 214R: specimens of a test -> d2 (R).
ACI214_D2 = {2: Decimal("1.128"), 3: Decimal("1.693")}

#: EN 206 initial production: three results, margins of mean and each, MPa (S).
EN206_INITIAL_RESULTS = 3
EN206_MARGIN_MPA = Decimal(4)
#: EN 206 continuous production: results, share of s in the mean, least s, results that s comes from (S).
EN206_CONTINUOUS_RESULTS = 15
EN206_SIGMA_FACTOR = Decimal("1.48")
EN206_LEAST_SIGMA_MPA = Decimal(3)
EN206_SIGMA_RESULTS = 35

#: Cumulative sums: slack k in s; decision h in s -> average run length without a shift, about (S).
CUSUM_SLACK = Decimal("0.5")
CUSUM_DECISIONS = {Decimal(4): 168, Decimal(5): 465}


@dataclass(frozen=True, slots=True)
class LotVerdict:
    """Acceptance of a lot. `s_mpa` is the deviation used (floored), `s_computed_mpa` the one found; None if unused.
    Mean and computed deviation stand in full; what a code compares stands in the checks."""

    method: str
    n: int
    mean_mpa: Decimal
    least_mpa: Decimal
    s_mpa: Decimal | None
    s_computed_mpa: Decimal | None
    accepted: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class RequiredAverage:
    """ACI 318 required average: unrounded MPa, the factor on s (None without data), the candidates by formula."""

    fcr_mpa: Decimal
    sample_factor: Decimal | None
    candidates: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class CusumVerdict:
    """Cumulative sums above and below the target; `signal` is "high", "low" or None, `signal_at` counts from 1."""

    k_mpa: Decimal
    h_mpa: Decimal
    high_mpa: tuple[Decimal, ...]
    low_mpa: tuple[Decimal, ...]
    signal: str | None
    signal_at: int | None


def _strengths(field: str, values: Sequence[Decimal]) -> tuple[Decimal, ...]:
    if not values:
        raise RuleInputError(field, "no values", "strengths in MPa")
    return tuple(require_number(field, value, above=0) for value in values)


def _wrong_count(field: str, values: Sequence[Decimal], accepted: str) -> RuleInputError:
    return RuleInputError(field, said(N_("%(n)s values"), n=len(values)), accepted)


def _taken_mean(values: Sequence[Decimal]) -> Decimal:
    """m_fcu as it is compared, to 0.1 MPa. Source: GB/T 50107-2010 5.1.2 (R)."""
    return round_half_even(mean(values), GB_MEAN_TO_MPA)


def _taken_deviation(computed_mpa: Decimal) -> Decimal:
    """S_fcu or sigma0 as it is used: to 0.01 MPa, at least 2.5. Source: GB/T 50107-2010 5.1.2, 5.1.3 (R)."""
    return max(round_half_even(computed_mpa, GB_DEVIATION_TO_MPA), GB_LEAST_DEVIATION_MPA)


def gbt50107_lot(
    grade_mpa: Decimal, strengths_mpa: Sequence[Decimal], sigma0_mpa: Decimal | None = None
) -> LotVerdict:
    """Accept or reject a lot by the method that its data allow.

    sigma0 given: statistical-known, three consecutive sets, m >= fk + 0.7 s0, min >= fk - 0.7 s0 and
    min >= 0.85 fk (to C20) or 0.90 fk. Otherwise n >= 10: statistical-unknown, m >= fk + l1 S, min >= l2 fk,
    S at least 2.5. Otherwise non-statistical: m >= l3 fk, min >= 0.95 fk. m to 0.1, S and s0 to 0.01 MPa.

    Args: grade_mpa, fcu,k; strengths_mpa, one for a set, MPa; sigma0_mpa, from at least 45 sets of 60 to 90 d.
    Raises: RuleInputError.
    Source: GB/T 50107-2010 5.1, 5.2 (S; least sigma0 and the places R).
    """
    grade = require_number("grade_mpa", grade_mpa, above=0)
    values = _strengths("strengths_mpa", strengths_mpa)
    n, least = len(values), min(values)
    with localcontext(exact_context()):
        centre, taken = mean(values), _taken_mean(values)
        if sigma0_mpa is not None:
            sigma0 = require_number("sigma0_mpa", sigma0_mpa, above=0)
            if n != GB_KNOWN_SIGMA_SETS:
                raise _wrong_count(
                    "strengths_mpa", values, N_("exactly three consecutive sets when sigma0 is known")
                )
            s = _taken_deviation(sigma0)
            share = GB_KNOWN_SIGMA_MINIMUM[0 if grade <= GB_KNOWN_SIGMA_LOW_GRADE_MPA else 1]
            checks: tuple[Check, ...] = (
                at_least(N_("mean >= fk + 0.7 sigma0"), taken, grade + GB_KNOWN_SIGMA_FACTOR * s),
                at_least(N_("minimum >= fk - 0.7 sigma0"), least, grade - GB_KNOWN_SIGMA_FACTOR * s),
                at_least(said(N_("minimum >= %(share)s fk"), share=share), least, share * grade),
            )
            return LotVerdict("statistical-known", n, centre, least, s, sigma0, all_passed(checks), checks)
        if n >= GB_STATISTICAL_FROM:
            computed = sample_deviation(values)
            s = _taken_deviation(computed)
            factor, share = next((l1, l2) for start, l1, l2 in GB_UNKNOWN_SIGMA if n >= start)
            checks = (
                at_least(said(N_("mean >= fk + %(factor)s S"), factor=factor), taken, grade + factor * s),
                at_least(said(N_("minimum >= %(share)s fk"), share=share), least, share * grade),
            )
            return LotVerdict(
                "statistical-unknown", n, centre, least, s, computed, all_passed(checks), checks
            )
        factor = GB_NON_STATISTICAL_MEAN[0 if grade < GB_NON_STATISTICAL_HIGH_GRADE_MPA else 1]
        checks = (
            at_least(said(N_("mean >= %(factor)s fk"), factor=factor), taken, factor * grade),
            at_least(
                said(
                    N_("minimum >= %(share)s fk"),
                    share=GB_NON_STATISTICAL_MINIMUM,
                ),
                least,
                GB_NON_STATISTICAL_MINIMUM * grade,
            ),
        )
        return LotVerdict("non-statistical", n, centre, least, None, None, all_passed(checks), checks)


def gbt50107_sigma0(strengths_mpa: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """sigma0 from at least 45 sets of 60 to 90 d, MPa: (used, to 0.01 and at least 2.5; computed, unrounded).

    Raises: RuleInputError. Source: GB/T 50107-2010 5.1.2 (S; least value and place R).
    """
    values = _strengths("strengths_mpa", strengths_mpa)
    if len(values) < GB_SIGMA_SETS:
        raise _wrong_count("strengths_mpa", values, said(N_("at least %(least)s sets"), least=GB_SIGMA_SETS))
    computed = sample_deviation(values)
    return _taken_deviation(computed), computed


def aci318_acceptance(fc_mpa: Decimal, strengths_mpa: Sequence[Decimal]) -> LotVerdict:
    """Every mean of three consecutive tests >= f'c; no test below f'c - 3.45 MPa (f'c <= 35) or 0.90 f'c.

    Args: strengths_mpa, at least three strength tests in the order of sampling, MPa.
    Raises: RuleInputError. Source: ACI 318-19 26.12.3.1 (S).
    """
    fc = require_number("fc_mpa", fc_mpa, above=0)
    values = _strengths("strengths_mpa", strengths_mpa)
    if len(values) < ACI_CONSECUTIVE_TESTS:
        raise _wrong_count("strengths_mpa", values, N_("at least three consecutive strength tests"))
    with localcontext(exact_context()):
        means = [mean(values[i : i + 3]) for i in range(len(values) - 2)]
        if fc <= ACI_SHARE_ABOVE_MPA:
            limit, name = fc - ACI_MARGIN_MPA, N_("lowest test >= f'c - 3.45")
        else:
            limit, name = ACI_SHARE * fc, N_("lowest test >= 0.90 f'c")
        checks = (
            at_least(N_("lowest mean of three consecutive tests >= f'c"), min(means), fc),
            at_least(name, min(values), limit),
        )
        centre = mean(values)
    return LotVerdict("aci318", len(values), centre, min(values), None, None, all_passed(checks), checks)


def aci318_sample_factor(n: int) -> Decimal:
    """Factor on s for n tests: 1.16 at 15, 1.08 at 20, 1.03 at 25, 1.00 from 30 on, linear between.

    Raises: RuleInputError below 15. Source: ACI 318 (S).
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < ACI_SAMPLE_FACTORS[0][0]:
        raise RuleInputError(
            "n",
            n,
            N_("at least 15 tests; with fewer leave out s_mpa and n, and the margin without data applies"),
        )
    with localcontext(exact_context()):
        for (low, at_low), (high, at_high) in pairwise(ACI_SAMPLE_FACTORS):
            if low <= n <= high:
                return at_low + (at_high - at_low) * (n - low) / (high - low)
    return ACI_SAMPLE_FACTORS[-1][1]


def aci318_required_average(
    fc_mpa: Decimal, s_mpa: Decimal | None = None, n: int | None = None
) -> RequiredAverage:
    """f'cr, unrounded. With k(n) s: f'c <= 35: max(f'c + 1.34 k s, f'c + 2.33 k s - 3.45); above:
    max(f'c + 1.34 k s, 0.9 f'c + 2.33 k s). Without data: f'c + 7.0 below 21, + 8.3 to 35, 1.10 f'c + 5.0 above.

    Args: fc_mpa, f'c; s_mpa, sample deviation; n, tests it comes from; both or neither.
    Raises: RuleInputError. Source: ACI 318 / ACI 301 (S).
    """
    fc = require_number("fc_mpa", fc_mpa, above=0)
    with localcontext(exact_context()):
        if s_mpa is None and n is None:
            low, plus_low, plus_middle, share, plus_high = ACI_NO_DATA_MPA
            if fc < low:
                name, value = f"f'c + {plus_low}", fc + plus_low
            elif fc <= ACI_SHARE_ABOVE_MPA:
                name, value = f"f'c + {plus_middle}", fc + plus_middle
            else:
                name, value = f"{share} f'c + {plus_high}", share * fc + plus_high
            return RequiredAverage(value, None, ((name, value),))
        if s_mpa is None:
            raise RuleInputError(
                "s_mpa", None, N_("the deviation of the n tests, MPa, or neither s_mpa nor n")
            )
        if n is None:
            raise RuleInputError("n", None, N_("the number of tests that s_mpa comes from"))
        factor = aci318_sample_factor(n)
        ks = factor * require_number("s_mpa", s_mpa, above=0)
        first = ("f'c + 1.34 k s", fc + ACI_MEAN_FACTOR * ks)
        if fc <= ACI_SHARE_ABOVE_MPA:
            second = ("f'c + 2.33 k s - 3.45", fc + ACI_TEST_FACTOR * ks - ACI_MARGIN_MPA)
        else:
            second = ("0.90 f'c + 2.33 k s", ACI_SHARE * fc + ACI_TEST_FACTOR * ks)
        return RequiredAverage(max(first[1], second[1]), factor, (first, second))


def aci214_standard_of_control(
    s_mpa: Decimal, fc_mpa: Decimal | None = None, mean_mpa: Decimal | None = None
) -> str:
    """excellent below 2.8, very good to 3.4, good to 4.1, fair to 4.8, poor above, by the overall s in MPa; above an f'c of
    34.5 MPa by s as % of the mean: excellent below 7, very good to 9, good to 11, fair to 14.

    Args: fc_mpa, f'c, taken as up to 34.5 where it is not given; mean_mpa, needed above.
    Raises: RuleInputError. Source: ACI 214R-11 tables 4.3 (S), 4.4 (R).
    """
    s = require_number("s_mpa", s_mpa, minimum=0)
    fc = None if fc_mpa is None else require_number("fc_mpa", fc_mpa, above=0)
    if fc is None or fc <= ACI214_VARIATION_ABOVE_MPA:
        value, excellent, limits = s, ACI214_EXCELLENT_BELOW_MPA, ACI214_CONTROL
    else:
        if mean_mpa is None:
            what = N_("the mean strength, MPa: above 34.5 MPa the coefficient of variation tells")
            raise RuleInputError("mean_mpa", None, what)
        mean_of_all = require_number("mean_mpa", mean_mpa, above=0)
        with localcontext(exact_context()):
            value = 100 * s / mean_of_all
        excellent, limits = ACI214_EXCELLENT_BELOW_PERCENT, ACI214_VARIATION
    if value < excellent:
        return "excellent"
    return next((name for limit, name in limits if value <= limit), "poor")


def aci214_within_test_deviation(ranges_mpa: Sequence[Decimal], specimens_per_test: int) -> Decimal:
    """Within-test s = mean range / d2, MPa, unrounded; d2 1.128 for two specimens, 1.693 for three.

    Raises: RuleInputError. Source: ACI 214R (R).
    """
    if specimens_per_test not in ACI214_D2 or isinstance(specimens_per_test, bool):
        raise RuleInputError("specimens_per_test", specimens_per_test, "2 or 3")
    if not ranges_mpa:
        raise RuleInputError("ranges_mpa", "no values", "the range of each test, MPa")
    values = [require_number("ranges_mpa", value, minimum=0) for value in ranges_mpa]
    with localcontext(exact_context()):
        return mean(values) / ACI214_D2[specimens_per_test]


def en206_each(fck_mpa: Decimal, strengths_mpa: Sequence[Decimal]) -> Check:
    """Criterion 2, for every single result whatever group it stands in: each >= fck - 4.

    Raises: RuleInputError. Source: EN 206 8.2.1.3 (initial S, continuous R).
    """
    fck = require_number("fck_mpa", fck_mpa, above=0)
    with localcontext(exact_context()):
        return at_least(
            N_("each >= fck - 4"), min(_strengths("strengths_mpa", strengths_mpa)), fck - EN206_MARGIN_MPA
        )


def en206_initial(fck_mpa: Decimal, strengths_mpa: Sequence[Decimal]) -> LotVerdict:
    """Initial production: the mean of three results >= fck + 4 and each >= fck - 4.

    Raises: RuleInputError. Source: EN 206 8.2.1.3 (S).
    """
    fck = require_number("fck_mpa", fck_mpa, above=0)
    values = _strengths("strengths_mpa", strengths_mpa)
    if len(values) != EN206_INITIAL_RESULTS:
        raise _wrong_count("strengths_mpa", values, N_("exactly three results"))
    with localcontext(exact_context()):
        checks = (
            at_least(N_("mean >= fck + 4"), mean(values), fck + EN206_MARGIN_MPA),
            en206_each(fck, values),
        )
    return LotVerdict("en206-initial", 3, mean(values), min(values), None, None, all_passed(checks), checks)


def en206_continuous(
    fck_mpa: Decimal,
    strengths_mpa: Sequence[Decimal],
    s_mpa: Decimal | None = None,
    initial_strengths_mpa: Sequence[Decimal] | None = None,
) -> LotVerdict:
    """Continuous production: the mean of at least 15 results >= fck + 1.48 s and each >= fck - 4; s at least 3.

    Args: s_mpa, from at least 35 results, or initial_strengths_mpa, those results; with neither,
        strengths_mpa must themselves be at least 35.
    Raises: RuleInputError.
    Source: EN 206 8.2.1.3 (mean and s: S; each result: R).
    """
    fck = require_number("fck_mpa", fck_mpa, above=0)
    values = _strengths("strengths_mpa", strengths_mpa)
    if len(values) < EN206_CONTINUOUS_RESULTS:
        raise _wrong_count(
            "strengths_mpa",
            values,
            said(
                N_("at least %(least)s results"),
                least=EN206_CONTINUOUS_RESULTS,
            ),
        )
    if s_mpa is not None and initial_strengths_mpa is not None:
        raise RuleInputError("s_mpa", s_mpa, N_("either s_mpa or initial_strengths_mpa, not both"))
    if s_mpa is not None:
        computed = require_number("s_mpa", s_mpa, above=0)
    elif initial_strengths_mpa is not None:
        earlier = _strengths("initial_strengths_mpa", initial_strengths_mpa)
        if len(earlier) < EN206_SIGMA_RESULTS:
            raise _wrong_count(
                "initial_strengths_mpa",
                earlier,
                said(N_("at least %(least)s results"), least=EN206_SIGMA_RESULTS),
            )
        computed = sample_deviation(earlier)
    elif len(values) >= EN206_SIGMA_RESULTS:
        computed = sample_deviation(values)
    else:
        raise RuleInputError(
            "s_mpa",
            None,
            said(
                N_("s in MPa from at least %(least)s results, or initial_strengths_mpa"),
                least=EN206_SIGMA_RESULTS,
            ),
        )
    s = max(computed, EN206_LEAST_SIGMA_MPA)
    with localcontext(exact_context()):
        centre = mean(values)
        checks = (
            at_least(N_("mean >= fck + 1.48 s"), centre, fck + EN206_SIGMA_FACTOR * s),
            en206_each(fck, values),
        )
    return LotVerdict(
        "en206-continuous", len(values), centre, min(values), s, computed, all_passed(checks), checks
    )


def cusum(
    target_mpa: Decimal, s_mpa: Decimal, strengths_mpa: Sequence[Decimal], h_multiple: Decimal
) -> CusumVerdict:
    """Two-sided cumulative sums: C+ = max(0, C+ + x - T - k), C- = max(0, C- + T - x - k); a sum above h signals.

    Args: target_mpa, T; s_mpa, deviation in control; strengths_mpa in order of time; h_multiple, 4 or 5 (h in s).
    Returns: every sum; the first signal.
    Raises: RuleInputError. Source: k = 0.5 s, h = 4 s or 5 s (S).
    """
    target = require_number("target_mpa", target_mpa, above=0)
    s = require_number("s_mpa", s_mpa, above=0)
    multiple = require_number("h_multiple", h_multiple)
    if multiple not in CUSUM_DECISIONS:
        raise RuleInputError("h_multiple", h_multiple, "4 or 5")
    values = _strengths("strengths_mpa", strengths_mpa)
    highs: list[Decimal] = []
    lows: list[Decimal] = []
    signal: str | None = None
    signal_at: int | None = None
    with localcontext(exact_context()):
        k, h = CUSUM_SLACK * s, multiple * s
        high = low = Decimal(0)
        for position, value in enumerate(values, start=1):
            high = max(Decimal(0), high + value - target - k)
            low = max(Decimal(0), low + target - value - k)
            highs.append(high)
            lows.append(low)
            if signal is None and (high > h or low > h):
                signal, signal_at = ("high" if high > h else "low"), position
    return CusumVerdict(k, h, tuple(highs), tuple(lows), signal, signal_at)


def fcr_reported(average: RequiredAverage) -> Decimal:
    """f'cr to 0.1 MPa, rounded once."""
    return round_half_even(average.fcr_mpa, Decimal("0.1"))
