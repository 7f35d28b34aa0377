"""Curves of the chart, what the forecast is measured against, and how it is scored: all by figures that are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from lims.standards.growth import aci209_strength_ratio, ec2_strength_ratio
from lims.strength import baselines, curves
from lims.strength.backtest import _score, early_sets, enough, folds, only_early
from lims.strength.history import AgeStrength, MixHistory

AGES = (1, 3, 7, 14, 28, 56, 90)


@pytest.mark.parametrize("age", AGES)
def test_curves_of_the_codes_are_those_of_the_register(age: int) -> None:
    at = np.array([float(age)])
    by_ec2, by_aci = (
        ec2_strength_ratio(Decimal(age), "N"),
        aci209_strength_ratio(Decimal(age), "moist", "I"),
    )
    assert curves.ec2(at, 40.0)[0] == pytest.approx(40 * float(by_ec2))
    assert curves.aci209(at, 40.0)[0] == pytest.approx(40 * float(by_aci))


def test_fitted_curves_are_what_their_formulas_say() -> None:
    t = np.array([3.0])
    assert curves.hyperbolic(t, 40.0, 3.0)[0] == pytest.approx(20.0)
    assert curves.exponential(t, 40.0, 3.0, 0.7)[0] == pytest.approx(40 / math.e)
    assert curves.exponential(t, 40.0, 6.0, 0.5)[0] == pytest.approx(40 * math.exp(-math.sqrt(2)))
    assert curves.power(t, 10.0, 0.5)[0] == pytest.approx(10 * math.sqrt(3))


@pytest.mark.parametrize(
    ("ages", "law", "kind"),
    [
        ((1, 3, 7, 28), lambda t: curves.exponential(t, 50.0, 1.8, 0.7), "exponential"),
        ((3, 28), lambda t: curves.hyperbolic(t, 45.0, 3.5), "hyperbolic"),
        ((7,), lambda t: curves.ec2(t, 38.0), "ec2"),
        ((7, 7), lambda t: curves.ec2(t, 38.0), "ec2"),
    ],
    ids=["four ages", "two ages", "one age", "one age twice"],
)
def test_curve_goes_through_the_points_of_its_own_law(
    ages: tuple[int, ...], law: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    t = np.array(ages, dtype=float)
    # What cannot stand in a curve is left out: a break at casting, one of nothing.
    found = curves.fit_curve([*t, 0.0, 2.0], [*law(t), 9.0, 0.0])
    assert found.kind == kind
    everywhere = np.array(AGES, dtype=float)
    assert found(everywhere) == pytest.approx(law(everywhere), rel=0.01)


def test_curve_lies_nearer_to_the_point_that_more_specimens_stand_behind() -> None:
    ages, strengths = [1.0, 3.0, 7.0, 14.0, 28.0, 28.0], [8.0, 17.0, 26.0, 33.0, 36.0, 44.0]
    light = curves.fit_curve(ages, strengths, [1, 1, 1, 1, 9, 1])(np.array([28.0]))[0]
    heavy = curves.fit_curve(ages, strengths, [1, 1, 1, 1, 1, 9])(np.array([28.0]))[0]
    assert 36 < light < 38.5 < 41.5 < heavy < 44
    assert curves.fit_curve([3.0, 3.0], [10.0, 20.0], [1, 3])(np.array([3.0]))[0] == pytest.approx(17.5)


def test_curve_that_does_not_converge_is_a_line_of_the_logarithms(monkeypatch: pytest.MonkeyPatch) -> None:
    def astray(*_what: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(curves, "_fit", astray)
    found = curves.fit_curve([1.0, 4.0, 16.0], [10.0, 20.0, 40.0])
    assert found(np.array([64.0]))[0] == pytest.approx(80.0)
    with pytest.raises(ValueError, match="at least one strength"):
        curves.fit_curve([3.0], [0.0])


def test_band_is_narrow_at_the_last_break_and_as_wide_as_the_forecast_at_its_age() -> None:
    ages, middle = np.array([1.0, 3.0, 28.0, 90.0]), np.array([10.0, 20.0, 40.0, 50.0])
    low, high = curves.band(ages, middle, 3.0, 28.0, (0.2, 0.3))
    assert np.log(middle / low)[:3] == pytest.approx([0.033, 0.033, 0.2])
    assert np.log(high / middle)[:3] == pytest.approx([0.033, 0.033, 0.3])
    assert 0.3 < np.log(high / middle)[3] < 0.033 + 1.6 * (0.3 - 0.033) + 1e-9
    assert np.log(middle / low)[3] == pytest.approx(0.033 + 0.167 * math.log(90 / 3) / math.log(28 / 3))
    for known, half in ((None, 0.2), (3.0, 0.01)):
        low, high = curves.band(ages, middle, known, 28.0, (half, half))
        assert np.log(high / middle) == pytest.approx([half] * 4)
        assert np.log(middle / low) == pytest.approx([half] * 4)


def mixes(law: Callable[[float, float], float]) -> list[MixHistory]:
    """Of strengths at 1, 3 and 28 d, the last by a law of the first two; and one that lacks 3 d."""
    found = []
    for i in range(8):
        one, three = 5.0 + i, 14.0 + (i * i) % 7
        breaks = (AgeStrength(1.0, one), AgeStrength(3.0, three), AgeStrength(28.0, law(one, three)))
        found.append(MixHistory("L", f"M{i}", breaks))
    return [*found, MixHistory("L", "other", (AgeStrength(7.0, 20.0), AgeStrength(28.0, 99.0)))]


@pytest.mark.parametrize(
    ("method", "early", "law"),
    [
        ("ACI 209", (3.0,), lambda _one, three: three / (3 / (4 + 0.85 * 3)) * (28 / (4 + 0.85 * 28))),
        ("EC2 s=0.25", (3.0,), lambda _one, three: three / math.exp(0.25 * (1 - math.sqrt(28 / 3)))),
        ("C918 semi-log", (3.0,), lambda _one, three: three + 21.0),
        ("power law", (3.0,), lambda _one, three: 3 * three**0.8),
        ("power law", (1.0, 3.0), lambda one, three: 2 * one**0.3 * three**0.6),
        ("linear regression", (3.0,), lambda _one, three: 12 + 1.3 * three),
        ("linear regression", (1.0, 3.0), lambda one, three: 10 + 0.7 * one + 1.1 * three),
    ],
)
def test_method_forecasts_what_follows_its_own_law(
    method: str, early: tuple[float, ...], law: Callable[[float, float], float]
) -> None:
    known = mixes(law)
    asked = [only_early(mix, early) for mix in known]
    assert all(mix.strength_at(28.0) is None for mix in asked)
    said = baselines.BASELINES[method](known, asked, early, 28.0)
    assert said[:-1] == pytest.approx(baselines.strengths(known[:-1], 28.0))
    assert np.isnan(said[-1])


@pytest.mark.filterwarnings("ignore:Covariance of the parameters")
def test_what_spreadsheets_do_takes_a_hyperbola_through_two_points() -> None:
    breaks = tuple(AgeStrength(t, float(curves.hyperbolic(np.array([t]), 45.0, 4.0)[0])) for t in (3.0, 7.0))
    mix = MixHistory("L", "x", breaks)
    assert baselines.by_curve_fit([], [mix], (3.0, 7.0), 28.0) == pytest.approx([45 * 28 / 32], rel=1e-3)
    assert np.isnan(baselines.by_curve_fit([], [mix], (3.0,), 28.0)).all()
    assert np.isnan(baselines.by_linear([mix], [mix], (3.0,), 28.0)).all()


def test_score_is_that_of_a_calculation_by_hand() -> None:
    actual, said = np.array([40.0, 50.0, 20.0, 30.0]), np.array([44.0, 45.0, 20.0, np.nan])
    bounds = {
        0.5: np.array([[43, 46], [44, 50], [19, 21], [np.nan, np.nan]]),
        0.9: np.array([[40, 48], [40, 49], [15, 25], [np.nan, np.nan]]),
    }
    found = _score((3.0,), "ours", actual, said, bounds)
    assert (found.n, found.early, found.method) == (3, (3.0,), "ours")
    assert found.mae_mpa == pytest.approx(3.0)
    assert found.mape_percent == pytest.approx(100 * (0.1 + 0.1 + 0) / 3)
    assert found.rmse_mpa == pytest.approx(math.sqrt((16 + 25) / 3))
    assert found.bias_mpa == pytest.approx(-1 / 3)
    assert (found.coverage_50, found.coverage_90) == pytest.approx((2 / 3, 2 / 3))
    assert (found.width_50_mpa, found.width_90_mpa) == pytest.approx((11 / 3, 9.0))
    assert _score((), "none", actual, np.full(4, np.nan), {}).n == 0


def test_folds_leave_each_mix_out_once_and_are_the_same_each_time() -> None:
    parts = list(folds(37))
    assert sorted(np.concatenate(parts)) == list(range(37))
    assert {len(part) for part in parts} == {3, 4}
    assert [list(part) for part in parts] == [list(part) for part in folds(37)]
    assert [len(part) for part in folds(4)] == [1] * 4


def test_sets_of_early_ages_are_those_that_enough_mixes_have_beside_the_result() -> None:
    def some(number: int, *ages: float) -> list[MixHistory]:
        return [
            MixHistory("L", f"{ages}{i}", tuple(AgeStrength(a, 20.0) for a in ages)) for i in range(number)
        ]

    known = [*some(12, 3.0, 28.0), *some(11, 1.0, 28.0), *some(50, 2.0), *some(11, 5.0, 7.0, 28.0, 56.0)]
    assert early_sets(known, 28.0) == [(3.0,)]
    assert early_sets([*known, *some(1, 5.0, 7.0, 28.0)], 28.0) == [(3.0,), (5.0,), (7.0,), (5.0, 7.0)]
    assert enough(some(12, 3.0, 28.0))
    assert not enough([*some(11, 3.0, 28.0), *some(20, 3.0), *some(20, 28.0)])
