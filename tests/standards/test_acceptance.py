"""Acceptance of lots: the places that a code takes its means and deviations to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.acceptance import (
    LotVerdict,
    aci214_standard_of_control,
    aci318_acceptance,
    aci318_required_average,
    cusum,
    en206_continuous,
    en206_initial,
    gbt50107_lot,
    gbt50107_sigma0,
)
from lims.standards.errors import RuleInputError

strengths = st.decimals(min_value=20, max_value=60, places=1)


def lot(grade: str, *values: str, sigma0: str | None = None) -> LotVerdict:
    return gbt50107_lot(
        Decimal(grade), [Decimal(value) for value in values], None if sigma0 is None else Decimal(sigma0)
    )


@pytest.mark.parametrize(
    ("values", "taken", "accepted"),
    [
        (("34.4", "34.5", "34.5"), "34.5", True),  # 34.467
        (("34.4", "34.4", "34.5"), "34.4", False),  # 34.433
        (("34.4", "34.5"), "34.4", False),  # 34.45: a half goes to the even one
        (("34.5", "34.6"), "34.6", True),
    ],
)
def test_gbt50107_5_1_2_compares_the_mean_to_a_tenth(
    values: tuple[str, ...], taken: str, accepted: bool
) -> None:
    found = lot("30", *values)
    check = found.checks[0]
    assert (check.value, check.limit) == (Decimal(taken), Decimal("34.50"))
    assert (check.passed, found.accepted) == (accepted, accepted)


def test_gbt50107_5_2_2_takes_the_deviation_to_a_hundredth_before_it_is_used() -> None:
    values = ["30", "38", "36", "41", "33", "35", "39", "32", "37", "40.5"]
    found = lot("30", *values)
    assert found.s_computed_mpa is not None
    assert found.s_mpa == round(found.s_computed_mpa, 2) == Decimal("3.67")
    assert found.checks[0].limit == 30 + Decimal("1.15") * Decimal("3.67")


def test_gbt50107_5_1_2_takes_sigma0_to_a_hundredth() -> None:
    used, computed = gbt50107_sigma0([Decimal(value) for value in ("30", "40", "35")] * 15)
    assert used == Decimal("4.13")
    assert computed != used
    assert lot("30", "33", "33", "33", sigma0="4.129").checks[0].limit == 30 + Decimal("0.7") * Decimal(
        "4.13"
    )


@pytest.mark.parametrize(
    ("grade", "n", "sigma0", "limits"),
    [
        ("20", 3, "4", "22.8 17.2 17"),
        ("25", 3, "4", "27.8 22.2 22.5"),
        ("55", 9, None, "63.25 52.25"),
        ("60", 9, None, "66 57"),
        ("30", 10, None, "32.875 27"),
        ("30", 14, None, "32.875 27"),
        ("30", 15, None, "32.625 25.5"),
        ("30", 19, None, "32.625 25.5"),
        ("30", 20, None, "32.375 25.5"),
    ],
)
def test_gbt50107_factors_change_with_the_grade_and_the_number_of_sets(
    grade: str, n: int, sigma0: str | None, limits: str
) -> None:
    found = lot(grade, *["70"] * n, sigma0=sigma0)
    assert [check.limit for check in found.checks] == decimals(limits)


@given(st.lists(strengths, min_size=1, max_size=30), st.sampled_from([20, 30, 60]))
def test_gbt50107_what_is_shown_decides(values: list[Decimal], grade: int) -> None:
    """A reader who compares the numbers as they stand comes to the same verdict."""
    found = gbt50107_lot(Decimal(grade), values)
    centre = found.checks[0]
    assert centre.value == round(centre.value, 1)
    assert abs(centre.value - found.mean_mpa) <= Decimal("0.05")
    assert centre.passed is (centre.value >= centre.limit)
    if found.s_mpa is not None:
        assert found.s_mpa == round(found.s_mpa, 2) >= Decimal("2.5")


def decimals(text: str) -> list[Decimal]:
    return [Decimal(value) for value in text.split()]


@pytest.mark.parametrize(
    ("fc", "values", "accepted"),
    [
        ("30", "30 30 30", True),
        ("30", "30 30 29.9", False),
        ("30", "26.55 31.7 31.75", True),
        ("30", "26.54 40 40", False),
        ("35", "31.55 40 40", True),  # up to 35 MPa a difference, 0.90 of it would be 31.5
        ("35", "31.54 40 40", False),
        ("36", "32.4 40 40", True),
        ("36", "32.39 40 40", False),
        ("30", "40 40 40 30 30 28", False),  # the last three of six
    ],
)
def test_aci318_holds_every_mean_of_three_and_each_test_against_its_limit(
    fc: str, values: str, accepted: bool
) -> None:
    assert aci318_acceptance(Decimal(fc), decimals(values)).accepted is accepted


@pytest.mark.parametrize(
    ("fc", "s", "n", "fcr"),
    [
        ("20.9", None, None, "27.9"),
        ("21", None, None, "29.3"),
        ("35", None, None, "43.3"),
        ("35.1", None, None, "43.61"),
        ("30", "2", 30, "32.68"),
        ("35", "5", 30, "43.2"),
        ("40", "3.5", 30, "44.69"),
        ("40", "5", 30, "47.65"),
        ("30", "2", 17, "33.02304"),  # a factor of 1.128
        ("30", "2", 31, "32.68"),
    ],
)
def test_aci318_required_average_takes_the_larger_of_its_formulas(
    fc: str, s: str | None, n: int | None, fcr: str
) -> None:
    found = aci318_required_average(Decimal(fc), None if s is None else Decimal(s), n)
    assert found.fcr_mpa == Decimal(fcr)


def test_aci318_refuses_a_deviation_without_its_number_of_tests() -> None:
    for s, n, field in ((Decimal(3), None, "n"), (None, 20, "s_mpa"), (Decimal(3), 14, "n")):
        with pytest.raises(RuleInputError) as error:
            aci318_required_average(Decimal(30), s, n)
        assert error.value.field == field


def test_aci214_standard_of_control_changes_at_its_limits() -> None:
    classes = {"2.79": "excellent", "2.8": "very good", "3.4": "very good", "3.41": "good", "4.1": "good"}
    classes |= {"4.11": "fair", "4.8": "fair", "4.81": "poor"}
    assert {s: aci214_standard_of_control(Decimal(s)) for s in classes} == classes
    at_most = Decimal("34.5")  # from there on the coefficient of variation tells, here of a mean of 50 MPa
    assert {s: aci214_standard_of_control(Decimal(s), at_most, Decimal(50)) for s in classes} == classes
    classes = {"3.49": "excellent", "3.5": "very good", "4.5": "very good", "4.51": "good", "5.5": "good"}
    classes |= {"5.51": "fair", "7": "fair", "7.01": "poor"}
    above = Decimal("34.6")
    assert {s: aci214_standard_of_control(Decimal(s), above, Decimal(50)) for s in classes} == classes
    with pytest.raises(RuleInputError) as refusal:
        aci214_standard_of_control(Decimal(3), above)
    assert refusal.value.field == "mean_mpa"


@pytest.mark.parametrize(
    ("values", "accepted"),
    [("34 34 34", True), ("34 34 33.9", False), ("26 38 38", True), ("25.9 40 40", False)],
)
def test_en206_initial_asks_for_4_above_in_the_mean_and_4_below_at_worst(values: str, accepted: bool) -> None:
    assert en206_initial(Decimal(30), decimals(values)).accepted is accepted


@pytest.mark.parametrize(
    ("s", "each", "accepted"),
    [("2", "34.44", True), ("2", "34.43", False), ("4", "35.92", True), ("4", "35.91", False)],
)
def test_en206_continuous_takes_a_deviation_of_at_least_3(s: str, each: str, accepted: bool) -> None:
    assert en206_continuous(Decimal(30), [Decimal(each)] * 15, Decimal(s)).accepted is accepted


def test_en206_continuous_takes_its_deviation_from_35_results_of_its_own_or_earlier_ones() -> None:
    results = decimals("35 36 37 38 39") * 7
    own = en206_continuous(Decimal(30), results)
    earlier = en206_continuous(Decimal(30), results[:15], None, results)
    assert own.s_computed_mpa == earlier.s_computed_mpa
    assert (own.s_mpa, own.accepted, earlier.accepted) == (3, True, True)


@pytest.mark.parametrize(
    ("n", "s", "earlier", "field"),
    [
        (14, "3", 0, "strengths_mpa"),
        (15, None, 0, "s_mpa"),
        (34, None, 0, "s_mpa"),
        (15, "3", 35, "s_mpa"),
        (15, None, 34, "initial_strengths_mpa"),
    ],
)
def test_en206_continuous_refuses_what_gives_no_deviation_or_two(
    n: int, s: str | None, earlier: int, field: str
) -> None:
    given_s, before = (None if s is None else Decimal(s)), [Decimal(35)] * earlier or None
    with pytest.raises(RuleInputError) as error:
        en206_continuous(Decimal(30), [Decimal(35)] * n, given_s, before)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("values", "high", "low", "signal"),
    [
        ("35 35 30", "4 8 7", "0 0 0", (None, None)),  # h itself is no signal
        ("35 35 31.1 20 20", "4 8 8.1 0 0", "0 0 0 9 18", ("high", 3)),  # the first one stays
        ("25 25 28.9", "0 0 0", "4 8 8.1", ("low", 3)),
    ],
)
def test_cumulative_sums_signal_above_their_decision_interval(
    values: str, high: str, low: str, signal: tuple[str | None, int | None]
) -> None:
    found = cusum(Decimal(30), Decimal(2), decimals(values), Decimal(4))
    assert (found.k_mpa, found.h_mpa) == (1, 8)
    assert (list(found.high_mpa), list(found.low_mpa)) == (decimals(high), decimals(low))
    assert (found.signal, found.signal_at) == signal
