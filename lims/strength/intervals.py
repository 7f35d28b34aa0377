"""Intervals that keep their word: conformal within a known laboratory, Student-t for a new one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lims.strength import student

Array = NDArray[np.float64]

#: Below so many own mixes the laboratory's residuals say too little by themselves.
CONFORMAL_FROM = 30
#: Degrees of freedom and scale of a little-known laboratory's standardised error, when too few laboratories are known
#: to estimate them: found on the public data, each laboratory left out in turn (benchmarks/forecast.py).
DEFAULT_NU, DEFAULT_C = 4.0, 1.0
#: Of a laboratory without any mix of its own then: the process cannot tell the spread of laboratories from three of
#: them and keeps its cautious prior, about twice too wide.
UNKNOWN_LAB_C = 0.5
#: Laboratories needed to estimate them.
LABORATORIES_FROM = 5


def conformal_quantile(z: Array, level: float) -> float:
    """The (n+1) level-th smallest |z| of left-out residuals, between neighbours by a straight line: `level` of new
    ones lie within. Rounding the rank up, as usual, covers more than is said where mixes are few."""
    ordered = np.sort(np.abs(z))
    rank = (len(ordered) + 1) * level
    return float(np.interp(rank, np.arange(1, len(ordered) + 1), ordered))


def conformal_survival(z: Array, bounds: Array) -> Array:
    """P(z_new >= bound) for each bound from the residuals, smoothed so that it is never exactly 0 or 1."""
    above = len(z) - np.searchsorted(np.sort(z), bounds, side="left")
    return np.asarray((above + 0.5) / (len(z) + 1))


def lab_scale(nu: float, c: float, z_local: Array) -> tuple[float, float]:
    """Degrees of freedom and scale for a laboratory of which `z_local` residuals are known (may be none)."""
    k = len(z_local)
    total = float((z_local**2).sum()) / c**2
    return nu + k, c * math.sqrt((nu + total) / (nu + k))


def student_quantile(level: float, nu: float) -> float:
    return student.quantile(0.5 + level / 2, nu)


def student_survival(bounds: Array, nu: float) -> Array:
    return student.survival(bounds, nu)


def fit_lab_t(z_by_lab: list[Array]) -> tuple[float, float]:
    """(nu, c) that maximise the laboratory-weighted Student-t density of the residuals.

    Each laboratory counts once however many mixes it has.
    """
    # Loaded when a fit needs it: a third of a second that no page waits for.
    from scipy.optimize import minimize

    groups = [z for z in z_by_lab if len(z)]
    if len(groups) < LABORATORIES_FROM:
        return DEFAULT_NU, DEFAULT_C

    z = np.concatenate(groups)
    weight = np.concatenate([np.full(len(group), 1 / len(group)) for group in groups]) / len(groups)

    def loss(theta: Array) -> float:
        nu, c = float(np.exp(theta[0])) + 1.0, float(np.exp(theta[1]))
        score = float(weight @ student.log_density(z / c, nu)) - math.log(c)
        return -score + 0.01 * float((theta[0] - 1.1) ** 2 + (theta[1] - 0.1) ** 2)

    found = minimize(loss, np.array([1.1, 0.1]), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-5})
    return float(np.exp(found.x[0])) + 1.0, float(np.exp(found.x[1]))
