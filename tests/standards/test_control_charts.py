"""Control charts: limits from moving ranges, Western Electric signals, moving means and groups."""

from __future__ import annotations

import statistics
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.control_charts import (
    MOVING_RANGE_D2,
    Signal,
    groups_of,
    individuals_chart,
    moving_means,
    western_electric,
)
from lims.standards.errors import RuleInputError

STRENGTH = st.decimals(min_value=5, max_value=90, places=1)


def d(*values: str) -> list[Decimal]:
    return [Decimal(value) for value in values]


def signals(*values: str) -> list[tuple[int, int, str]]:
    return [(item.rule, item.at, item.side) for item in western_electric(d(*values), Decimal(0), Decimal(1))]


def test_limits_stand_three_deviations_of_the_mean_moving_range_from_the_mean() -> None:
    chart = individuals_chart(d("38", "40.256", "39.128", "38"))
    assert list(chart.moving_ranges) == d("2.256", "1.128", "1.128")
    assert chart.mean_range == Decimal("1.504")
    assert chart.sigma * MOVING_RANGE_D2 == pytest.approx(chart.mean_range)
    assert chart.upper - chart.centre == chart.centre - chart.lower
    assert chart.upper - chart.centre == pytest.approx(3 * chart.sigma)
    assert chart.upper_range == Decimal("4.913568")


def test_two_values_make_no_limits() -> None:
    with pytest.raises(RuleInputError, match="at least 3 values"):
        individuals_chart(d("38", "40"))


def test_rule_1_one_point_beyond_three_deviations_and_exactly_three_is_within() -> None:
    assert signals("0", "3", "-3") == []
    assert (1, 2, "high") in signals("0", "3.01")
    assert (1, 2, "low") in signals("0", "-3.01")


def test_rule_2_two_of_three_beyond_two_deviations_on_one_side() -> None:
    assert signals("2.1", "0", "2.1") == [(2, 3, "high")]
    assert signals("2.1", "0", "-2.1") == []
    assert signals("2.1", "0", "0", "2.1") == []


def test_rule_3_four_of_five_beyond_one_deviation() -> None:
    assert signals("1.1", "1.1", "0", "1.1", "1.1") == [(3, 5, "high")]
    assert signals("1.1", "1.1", "0", "0", "1.1", "1.1") == []


def test_rule_4_eight_in_a_row_on_one_side() -> None:
    assert signals(*["-0.1"] * 7) == []
    assert signals(*["-0.1"] * 8) == [(4, 8, "low")]
    assert signals(*["-0.1"] * 7, "0.1", "-0.1") == []


def test_point_that_only_ends_the_window_does_not_signal() -> None:
    # Two of the last three lie beyond 2 deviations, but the last one itself is back.
    assert [item for item in signals("2.1", "2.1", "0") if item[0] == 2] == [(2, 2, "high")]


def test_without_scatter_only_a_run_can_signal() -> None:
    found = western_electric(d(*["31"] * 9), Decimal(30), Decimal(0))
    assert {item.rule for item in found} == {4}
    assert found[0] == Signal(4, 8, "high")


@given(st.lists(STRENGTH, min_size=3, max_size=40))
def test_limits_agree_with_floating_point(values: list[Decimal]) -> None:
    chart = individuals_chart(values)
    floats = [float(value) for value in values]
    ranges = [abs(b - a) for a, b in pairwise(floats)]
    assert float(chart.centre) == pytest.approx(statistics.fmean(floats))
    assert float(chart.sigma) == pytest.approx(statistics.fmean(ranges) / 1.128)


@given(st.lists(STRENGTH, min_size=3, max_size=40))
def test_mirrored_values_give_mirrored_signals(values: list[Decimal]) -> None:
    chart = individuals_chart(values)
    mirrored = [2 * chart.centre - value for value in values]
    other = {"high": "low", "low": "high"}
    here = western_electric(values, chart.centre, chart.sigma)
    there = western_electric(mirrored, chart.centre, chart.sigma)
    assert sorted((s.rule, s.at, s.side) for s in here) == sorted(
        (s.rule, s.at, other[s.side]) for s in there
    )


def test_moving_mean_begins_when_four_values_are_there() -> None:
    assert moving_means(d("1", "2", "3", "4", "9")) == (None, None, None, Decimal("2.5"), Decimal("4.5"))


def test_groups_of_four_do_not_overlap_and_leave_out_what_does_not_fill_one() -> None:
    found = groups_of(d("1", "2", "3", "4", "5", "6", "7", "8", "100"))
    assert [(item.first, item.last, item.mean, item.range) for item in found] == [
        (1, 4, Decimal("2.5"), Decimal(3)),
        (5, 8, Decimal("6.5"), Decimal(3)),
    ]


@pytest.mark.parametrize("of", [0, -1, True])
def test_group_of_no_size_is_refused(of: int) -> None:
    with pytest.raises(RuleInputError):
        groups_of(d("1"), of)
    with pytest.raises(RuleInputError):
        moving_means(d("1"), of)
