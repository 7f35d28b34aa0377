"""Student's t from scipy's special functions: as scipy.stats has it, without the second that importing it takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import poch, stdtr, stdtrit

Array = NDArray[np.float64]


def quantile(probability: float, nu: float) -> float:
    return float(stdtrit(nu, probability))


def survival(bounds: Array | float, nu: float) -> Array:
    return np.asarray(stdtr(nu, -np.asarray(bounds, dtype=float)))


def log_density(x: Array, nu: float) -> Array:
    scale = np.log(poch(0.5 * nu, 0.5)) - 0.5 * (np.log(nu) + np.log(np.pi))
    return np.asarray(scale - (nu + 1) / 2 * np.log1p(x * x / nu))
