"""What the forecast is measured against: code curves with fixed constants, and regressions on the same history.

Each takes the training mixes and the early ages and returns forecasts of f28 in MPa; NaN where it has no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from lims.strength.curves import aci209, ec2, hyperbolic
from lims.strength.history import MixHistory

Array = NDArray[np.float64]
Baseline = Callable[[Sequence[MixHistory], Sequence[MixHistory], tuple[float, ...], float], Array]


def strengths(mixes: Sequence[MixHistory], age_days: float) -> Array:
    """(n,) strengths at one age, NaN where unknown."""
    found = [mix.strength_at(age_days) for mix in mixes]
    return np.array([np.nan if item is None else item.strength_mpa for item in found], dtype=float)


def by_aci209(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """The last early strength along ACI 209R-92 (2-1), moist cured, type I."""
    ratio = float(aci209(np.array([early[-1]]), 1.0)[0] / aci209(np.array([target]), 1.0)[0])
    return strengths(test, early[-1]) / ratio


def by_ec2(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """The last early strength along EN 1992-1-1 (3.1), s = 0.25."""
    ratio = float(ec2(np.array([early[-1]]), 1.0)[0] / ec2(np.array([target]), 1.0)[0])
    return strengths(test, early[-1]) / ratio


def by_c918(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """ASTM C918: f = f_last + b lg(t/t_last), b the mean slope of the history."""
    last = early[-1]
    span = np.log10(target / last)
    slope = float(np.nanmean((strengths(train, target) - strengths(train, last)) / span))
    return np.asarray(strengths(test, last) + slope * span)


def by_power(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """ln f28 = a + b ln f_last (+ c ln f_first): a power law fitted on the history."""
    return np.exp(_regress(train, test, early, target, np.log))


def by_linear(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """f28 = a + b f_last (+ c f_first) by least squares on the history."""
    return _regress(train, test, early, target, lambda values: values)


def _regress(
    train: Sequence[MixHistory],
    test: Sequence[MixHistory],
    early: tuple[float, ...],
    target: float,
    scale: Callable[[Array], Array],
) -> Array:
    def design(mixes: Sequence[MixHistory]) -> Array:
        return np.column_stack([np.ones(len(mixes)), *(scale(strengths(mixes, age)) for age in early)])

    a, y = design(train), scale(strengths(train, target))
    use = np.isfinite(a).all(axis=1) & np.isfinite(y)
    if use.sum() < 2:
        return np.full(len(test), np.nan)
    found, *_rest = np.linalg.lstsq(a[use], y[use], rcond=None)
    return np.asarray(design(test) @ found)


def by_curve_fit(
    train: Sequence[MixHistory], test: Sequence[MixHistory], early: tuple[float, ...], target: float
) -> Array:
    """A hyperbola through each mix's own early points, one `curve_fit` at a time: what spreadsheets do."""
    out = np.full(len(test), np.nan)
    ages = np.array(early)
    if len(early) < 2:
        return out
    for row, mix in enumerate(test):
        points = np.array([float(strengths([mix], age)[0]) for age in early])
        try:
            found, _cov = curve_fit(
                hyperbolic, ages, points, p0=(points[-1] * 1.3, 3.0), bounds=([0.1, 0.01], [500, 200])
            )
        except (RuntimeError, ValueError):
            continue
        out[row] = float(hyperbolic(np.array([target]), *found)[0])
    return out


BASELINES: dict[str, Baseline] = {
    "ACI 209": by_aci209,
    "EC2 s=0.25": by_ec2,
    "C918 semi-log": by_c918,
    "power law": by_power,
    "linear regression": by_linear,
}
