"""The effect of a change, by lots: false alarms as often as said, real changes seen, doubts named."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from lims.strength.effects import (
    BatchValue,
    LotValue,
    doubts,
    effect,
    lot_values,
    permutation_p,
)


def lots(before: list[float], after: list[float]) -> list[LotValue]:
    return [LotValue(f"B{i}", 10.0 * i, False, v, 1) for i, v in enumerate(before)] + [
        LotValue(f"A{i}", 200.0 + 10.0 * i, True, v, 1) for i, v in enumerate(after)
    ]


def drawn(seed: int, n: int, m: int, shift: float, spread: float = 1.0) -> list[LotValue]:
    chance = np.random.default_rng(seed)
    return lots(list(chance.normal(0, 1, n)), list(chance.normal(shift, spread, m)))


@pytest.mark.parametrize(("n", "m", "spread"), [(4, 4, 1.0), (3, 7, 2.0), (8, 8, 2.0), (12, 5, 1.0)])
def test_false_alarms_come_no_more_often_than_one_in_twenty(n: int, m: int, spread: float) -> None:
    runs = 400
    alarms = sum(effect(drawn(seed, n, m, 0.0, spread)).changed for seed in range(runs))
    assert alarms <= 32  # 20 expected at 5 %; more than 32 comes about once in 250 times


@pytest.mark.parametrize(("n", "m"), [(6, 6), (12, 5)])
def test_interval_holds_the_true_difference_and_large_changes_are_seen(n: int, m: int) -> None:
    runs = 300
    found = [effect(drawn(seed, n, m, 2.5)) for seed in range(runs)]
    held = sum((item.low or 0) <= 2.5 <= (item.high or 0) for item in found)
    assert held >= 275  # 285 expected
    assert sum(item.changed for item in found) >= 0.85 * runs


def test_what_is_called_visible_is_seen_about_four_times_of_five() -> None:
    visible = float(np.mean([effect(drawn(seed, 8, 8, 0.0)).detectable or 0 for seed in range(50)]))
    seen = sum(effect(drawn(500 + seed, 8, 8, visible)).changed for seed in range(200))
    assert 0.68 <= seen / 200 <= 0.92


@pytest.mark.parametrize(
    ("n", "m", "needed"), [(2, 6, 1), (3, 3, 1), (0, 5, 3), (3, 7, 0), (4, 4, 0), (1, 1, 3)]
)
def test_too_few_lots_are_not_tested_and_say_how_many_are_missing(n: int, m: int, needed: int) -> None:
    found = effect(drawn(1, n, m, 5.0))
    assert found.needed == needed
    assert found.tested is (needed == 0)


def test_lots_without_scatter_are_not_tested() -> None:
    assert not effect(lots([40.0] * 5, [41.0] * 5)).tested


def test_p_of_three_against_four_is_that_of_counting_by_hand() -> None:
    before, after = np.array([1.0, 2.0, 4.0]), np.array([3.0, 7.0, 8.0, 9.0])

    def welch(a: np.ndarray, b: np.ndarray) -> float:
        return float(abs(a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b)))

    pooled, seen, count = np.concatenate([before, after]), welch(before, after), 0
    for pick in itertools.combinations(range(7), 3):
        rest = [i for i in range(7) if i not in pick]
        count += welch(pooled[list(pick)], pooled[rest]) >= seen * (1 - 1e-9)
    assert permutation_p(before, after) == pytest.approx(count / 35)


def test_interval_and_visible_difference_are_welchs() -> None:
    before, after = [1.0, 2.0, 4.0, 5.0], [3.0, 7.0, 8.0, 9.0]
    found = effect(lots(before, after))
    v, w = 10 / 3 / 4, 83 / 12 / 4  # variances 10/3 and 83/12
    spread, nu = math.sqrt(v + w), (v + w) ** 2 / (v**2 / 3 + w**2 / 3)
    assert (found.lots_before, found.lots_after, found.difference) == (4, 4, 3.75)
    half = float(stdtrit(nu, 0.975)) * spread
    assert (found.low, found.high) == pytest.approx((3.75 - half, 3.75 + half))
    assert found.detectable == pytest.approx(half + float(stdtrit(nu, 0.8)) * spread)


def test_lots_that_are_quite_apart_have_a_small_p_and_none_of_zero() -> None:
    p = permutation_p(np.arange(10.0), np.arange(10.0) + 100)
    assert 1 / 10_000 <= p <= 4 / 10_000


@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.1, 100))
@settings(max_examples=25, deadline=None)
def test_unit_and_zero_of_the_measure_do_not_move_p(shift: float, scale: float) -> None:
    one = drawn(3, 4, 5, 1.0)
    other = [LotValue(i.lot, i.day, i.after, i.value * scale + shift, 1) for i in one]
    assert effect(other).p == pytest.approx(effect(one).p)


def test_a_mix_that_was_cast_more_often_after_is_not_taken_for_an_effect() -> None:
    values = []
    for after in (False, True):
        for lot in range(6):
            noise = 0.1 * ((lot * 7) % 5 - 2)
            for mix, level, count in (("weak", 30.0, 1 if after else 4), ("strong", 60.0, 4 if after else 1)):
                values += [
                    BatchValue(f"{after}{lot}", float(lot), after, level + noise, mix) for _i in range(count)
                ]
    found = effect(lot_values(values))
    assert found.difference == pytest.approx(0.0, abs=1e-9)


def test_mixes_of_one_side_alone_do_not_count() -> None:
    values = [
        BatchValue("L1", 1.0, False, 40.0, "both"),
        BatchValue("L2", 2.0, True, 41.0, "both"),
        BatchValue("L2", 2.0, True, 70.0, "only after"),
    ]
    assert [item.value for item in lot_values(values)] == [40.0, 41.0]


def test_batches_of_one_lot_are_one_lot() -> None:
    """Ten batches of two lots a side are no more than two lots a side."""
    chance = np.random.default_rng(5)
    values = [
        BatchValue(f"{after}{lot}", float(lot), after, 40 + after + chance.normal(), "M")
        for after in (False, True)
        for lot in range(2)
        for _batch in range(10)
    ]
    assert not effect(lot_values(values)).tested


def test_other_seasons_are_named() -> None:
    winter = [LotValue(f"B{i}", 15.0 + i, False, 1.0, 1) for i in range(4)]
    summer = [LotValue(f"A{i}", 190.0 + i, True, 1.0, 1) for i in range(4)]
    assert doubts(winter + summer).season_days == 175
    next_winter = [LotValue(f"A{i}", 15.0 + 365.25 + i, True, 1.0, 1) for i in range(4)]
    assert doubts(winter + next_winter).season_days is None


def test_a_drift_that_was_there_before_is_named() -> None:
    chance = np.random.default_rng(6)
    drifting = [
        LotValue(f"L{i}", 10.0 * i, i >= 8, 0.2 * i + float(chance.normal(0, 0.1)), 1) for i in range(16)
    ]
    assert doubts(drifting).drift_p is not None
    steady = [LotValue(f"L{i}", 10.0 * i, i >= 8, float(i >= 8) + 0.1 * (i % 3), 1) for i in range(16)]
    assert doubts(steady).drift_p is None


def test_other_changes_in_the_same_time_are_named() -> None:
    found = doubts(drawn(1, 4, 4, 0.0), [("gypsum", 100.0), ("long after", 900.0)])
    assert found.other_changes == ("gypsum",)
