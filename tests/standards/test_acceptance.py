"""Acceptance of lots: the places that a code takes its means and deviations to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.acceptance import LotVerdict, gbt50107_lot, gbt50107_sigma0

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


def test_gbt50107_5_1_3_takes_sigma0_to_a_hundredth() -> None:
    used, computed = gbt50107_sigma0([Decimal(value) for value in ("30", "40", "35")] * 15)
    assert used == Decimal("4.13")
    assert computed != used
    assert lot("30", "33", "33", "33", sigma0="4.129").checks[0].limit == 30 + Decimal("0.7") * Decimal(
        "4.13"
    )


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
