"""Strength-age curves for the picture: fitted through a mix's points, with a band; and the codes' for reference.

They are drawn, not used to predict: a curve through two early points is among the worst predictors of f28.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Half-width (ln) of the band where a break is known: about twice the specimen scatter over sqrt(3).
KNOWN_HALF_WIDTH = 0.033


def hyperbolic(t: Array, limit: float, k: float) -> Array:
    """f = limit * t / (k + t). Source: ASTM C1074 annex (hyperbolic, no dormant time)."""
    return np.asarray(limit * t / (k + t))


def exponential(t: Array, limit: float, tau: float, beta: float) -> Array:
    """f = limit * exp(-(tau / t)^beta). Source: Freiesleben Hansen and Pedersen 1985; ASTM C1074."""
    return np.asarray(limit * np.exp(-((tau / t) ** beta)))


def power(t: Array, a: float, b: float) -> Array:
    """f = a * t^b."""
    return np.asarray(a * t**b)


def ec2(t: Array, f28: float, s: float = 0.25) -> Array:
    """f = f28 * exp(s (1 - sqrt(28/t))). Source: EN 1992-1-1 (3.1), fib MC2010 (5.1-51)."""
    return np.asarray(f28 * np.exp(s * (1 - np.sqrt(28 / t))))


def aci209(t: Array, f28: float, a: float = 4.0, b: float = 0.85) -> Array:
    """f = f28 * t / (a + b t), moist cured, type I. Source: ACI 209R-92 (2-1)."""
    return np.asarray(f28 * t / (a + b * t))


@dataclass(frozen=True)
class Curve:
    """A fitted curve: kind, parameters, and its values by calling it with ages in days."""

    kind: str
    parameters: tuple[float, ...]

    def __call__(self, ages: Array) -> Array:
        functions: dict[str, Callable[..., Array]] = {
            "exponential": exponential,
            "hyperbolic": hyperbolic,
            "power": power,
            "ec2": ec2,
        }
        return functions[self.kind](np.asarray(ages, dtype=float), *self.parameters)


def _fit(
    function: Callable[..., Array],
    t: Array,
    f: Array,
    w: Array,
    start: Sequence[float],
    bounds: tuple[Sequence[float], Sequence[float]],
) -> tuple[float, ...]:
    """Least squares. As many points as parameters leave no covariance to estimate; nobody asks for it."""
    # Loaded when a fit needs it: a third of a second that no page waits for.
    from scipy.optimize import OptimizeWarning, curve_fit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        found, _cov = curve_fit(function, t, f, p0=start, sigma=1 / np.sqrt(w), bounds=bounds, maxfev=4000)
    return tuple(float(value) for value in found)


def fit_curve(
    ages_days: Sequence[float], strengths_mpa: Sequence[float], weights: Sequence[float] | None = None
) -> Curve:
    """The curve through these points: exponential from three ages on, hyperbolic for two, EC2 for one.

    Args: ages_days and strengths_mpa, above 0; weights, relative (specimens behind each point).
    Raises: ValueError without a point.
    """
    t, f = np.asarray(ages_days, dtype=float), np.asarray(strengths_mpa, dtype=float)
    keep = (t > 0) & (f > 0)
    t, f = t[keep], f[keep]
    w = np.ones_like(t) if weights is None else np.asarray(weights, dtype=float)[keep]
    if len(t) == 0:
        raise ValueError("a curve needs at least one strength above 0")
    distinct = len(np.unique(t))
    if distinct == 1:
        f28 = float(np.average(f, weights=w)) / float(ec2(t[:1], 1.0)[0])
        return Curve("ec2", (f28, 0.25))
    top = float(f.max())
    try:
        if distinct >= 3:
            bounds = ([top * 0.8, 0.01, 0.15], [top * 4, 60.0, 2.5])
            return Curve("exponential", _fit(exponential, t, f, w, (top * 1.15, 1.5, 0.6), bounds))
        return Curve(
            "hyperbolic", _fit(hyperbolic, t, f, w, (top * 1.2, 3.0), ([top * 0.8, 0.01], [top * 6, 100.0]))
        )
    except RuntimeError:  # no convergence: a straight line in the logarithms always exists
        slope, start = np.polyfit(np.log(t), np.log(f), 1)
        return Curve("power", (float(np.exp(start)), float(slope)))


def band(
    ages: Array, middle: Array, known_age: float | None, target: float, half_width: tuple[float, float]
) -> tuple[Array, Array]:
    """Lower and upper bounds of a curve whose forecast at `target` has the half-widths (ln) below and above.

    Narrow where the last break is known, as wide as the forecast's interval at the target, growing beyond it.
    """
    start = known_age if known_age is not None and known_age < target else target / 28
    share = np.clip(
        (np.log(ages) - math.log(start)) / max(math.log(target) - math.log(start), 1e-9), 0.0, 1.6
    )

    def width(at_target: float) -> Array:
        floor = KNOWN_HALF_WIDTH if known_age is not None else at_target
        return np.asarray(
            floor + (at_target - floor) * share if at_target > floor else np.full_like(ages, at_target)
        )

    return middle * np.exp(-width(half_width[0])), middle * np.exp(width(half_width[1]))
