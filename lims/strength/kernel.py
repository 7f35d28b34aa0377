"""The hierarchical Gaussian process: a ridge over all laboratories and a part of each laboratory's own.

K = 1 + a_l x.x'/d + a_r exp(-1/2 sum (x_k-x'_k)^2 / l_k^2) + [same lab] (t0 + t1 exp(-|x-x'|^2 / (2 d ls^2))) + s2 I

"HRidge" leaves the a_r term out, "HGPR" has it. Fitted by marginal likelihood with weak priors on the logarithms of
the hyperparameters: L-BFGS-B with the analytic gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lims.strength.pace import step

Array = NDArray[np.float64]

#: (mean, precision) of the Gaussian prior on each log-hyperparameter.
PRIORS = {
    "a_l": (-1.0, 0.3),
    "a_r": (-0.5, 0.3),
    "s2": (-1.5, 0.3),
    "t0": (-2.0, 0.3),
    "t1": (-2.0, 0.3),
    "ls": (0.0, 1.0),
    "l": (1.2, 1.0),
}
#: Logarithms stay where exp and the Cholesky factor are well behaved.
BOUNDS = (-9.0, 6.0)
JITTER = 1e-8
MOST_ITERATIONS = 60


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters, natural scale. `l` is empty for HRidge."""

    a_l: float
    s2: float
    t0: float
    t1: float
    ls: float
    a_r: float
    l: tuple[float, ...]  # noqa: E741 - the length scales' usual name

    @property
    def method(self) -> str:
        return "HGPR" if self.l else "HRidge"


def squared_distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """(n, m) squared Euclidean distances of the rows."""
    found: NDArray[Any] = a @ (b.dtype.type(-2) * b.T)
    found += (a * a).sum(1)[:, None]
    found += (b * b).sum(1)[None, :]
    np.maximum(found, 0.0, out=found)
    return found


def _exponential(distance: NDArray[Any], factor: float) -> NDArray[Any]:
    """exp(factor * distance), in place: the two exponentials are most of a large forecast's time."""
    distance *= distance.dtype.type(factor)
    np.exp(distance, out=distance)
    return distance


def cross_kernel(
    hyper: Hyper, xa: NDArray[Any], labs_a: NDArray[np.int64], xb: NDArray[Any], labs_b: NDArray[np.int64]
) -> NDArray[Any]:
    """(n, m) covariance without noise, in the precision of `xa`. Laboratory -1 is one that the model has not seen."""
    d = max(xa.shape[1], 1)
    xb = xb.astype(xa.dtype, copy=False)
    k: NDArray[Any] = xa @ (xa.dtype.type(hyper.a_l / d) * xb.T)
    k += 1.0
    if hyper.l:
        scale = np.asarray(hyper.l, dtype=xa.dtype)
        shape = _exponential(squared_distance(xa / scale, xb / scale), -0.5)
        shape *= hyper.a_r
        k += shape
    for lab in np.unique(labs_a):
        columns = np.flatnonzero(labs_b == lab) if lab >= 0 else np.empty(0, dtype=np.int64)
        if not len(columns):
            continue
        rows = np.flatnonzero(labs_a == lab)
        own = _exponential(squared_distance(xa[rows], xb[columns]), -1 / (2 * d * hyper.ls**2))
        own *= hyper.t1
        own += hyper.t0
        if len(rows) == len(xa) and len(columns) == len(xb):
            k += own
        else:
            k[np.ix_(rows, columns)] += own
    return k


def own_variance(hyper: Hyper, x: NDArray[Any]) -> Array:
    """(n,) prior variance of each row, without noise."""
    d = max(x.shape[1], 1)
    shared = 1.0 + hyper.t0 + hyper.t1 + (hyper.a_r if hyper.l else 0.0)
    return np.asarray(shared + hyper.a_l * (x * x).sum(1) / d)


def fit_hyper(x: Array, labs: NDArray[np.int64], y: Array, known_noise: Array, *, rbf: bool) -> Hyper:
    """Maximise the penalised marginal likelihood.

    Args: x (n, d) standardised; labs (n,) integers; y (n,) standardised target; known_noise (n,) variance that is
    known beforehand (few specimens), in units of y; rbf, HGPR instead of HRidge.
    """
    n, d = x.shape
    names = ["a_l", "s2", "t0", "t1", "ls"] + (["a_r"] + ["l"] * d if rbf else [])
    prior_mean = np.array([PRIORS[name][0] for name in names])
    precision = np.array([PRIORS[name][1] for name in names])
    linear = x @ x.T / max(d, 1)
    distance = squared_distance(x, x)
    same = labs[:, None] == labs[None, :]
    squares = [(x[:, k][:, None] - x[:, k][None, :]) ** 2 for k in range(d)] if rbf else []
    noise = np.diag(known_noise + JITTER)

    def objective(theta: Array) -> tuple[float, Array]:
        step()
        value = np.exp(theta)
        a_l, s2, t0, t1, ls = value[:5]
        lab_rbf = same * np.exp(-distance / (2 * max(d, 1) * ls**2))
        k = 1.0 + a_l * linear + t0 * same + t1 * lab_rbf + noise
        if rbf:
            a_r, lengths = value[5], value[6:]
            shape = np.exp(-0.5 * sum(sq / length**2 for sq, length in zip(squares, lengths, strict=True)))
            k = k + a_r * shape
        k[np.diag_indices(n)] += s2
        factor = cho_factor(k, lower=True, check_finite=False)
        alpha = cho_solve(factor, y, check_finite=False)
        inverse = cho_solve(factor, np.eye(n), check_finite=False)
        off = theta - prior_mean
        loss = (
            0.5 * float(y @ alpha)
            + float(np.log(np.diag(factor[0])).sum())
            + 0.5 * float((precision * off**2).sum())
        )
        w = inverse - np.outer(alpha, alpha)  # d loss / d K = w / 2
        gradient = np.empty_like(theta)
        gradient[0] = 0.5 * a_l * float((w * linear).sum())
        gradient[1] = 0.5 * s2 * float(np.trace(w))
        gradient[2] = 0.5 * t0 * float((w * same).sum())
        w_lab = w * lab_rbf
        gradient[3] = 0.5 * t1 * float(w_lab.sum())
        gradient[4] = 0.5 * t1 * float((w_lab * distance).sum()) / (max(d, 1) * ls**2)
        if rbf:
            w_shape = w * shape
            gradient[5] = 0.5 * a_r * float(w_shape.sum())
            for index, (sq, length) in enumerate(zip(squares, lengths, strict=True)):
                gradient[6 + index] = 0.5 * a_r * float((w_shape * sq).sum()) / length**2
        return loss, gradient + precision * off

    # Loaded when a fit needs it: a third of a second that no page waits for.
    from scipy.optimize import minimize

    found = minimize(
        objective,
        prior_mean,
        jac=True,
        method="L-BFGS-B",
        bounds=[BOUNDS] * len(names),
        options={"maxiter": MOST_ITERATIONS, "ftol": 1e-7},
    )
    value = np.exp(found.x)
    lengths = tuple(float(v) for v in value[6:]) if rbf else ()
    a_l, s2, t0, t1, ls = (float(v) for v in value[:5])
    return Hyper(a_l=a_l, s2=s2, t0=t0, t1=t1, ls=ls, a_r=float(value[5]) if rbf else 0.0, l=lengths)
