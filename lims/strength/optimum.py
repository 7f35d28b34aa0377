"""The water/binder ratio that a grade needs with one cement, so that a new mix reaches it with a stated certainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lims.strength import student
from lims.strength.comparison import (
    EXTRAPOLATION,
    LAWS,
    LEAST_SPAN,
    SEED,
    Law,
    NotComparable,
    Posterior,
    linear_posterior,
)

Array = NDArray[np.float64]

#: How sure a mix must be to reach its target.
CONFIDENCE = 0.90
#: Batches below which no law is fitted.
LEAST_BATCHES = 5


@dataclass(frozen=True, slots=True)
class MixBatch:
    """One batch of one mix: ratio by mass, MPa, share of mineral admixtures."""

    mix: str
    water_binder_ratio: float
    strength_mpa: float
    scm_share: float = 0.0


@dataclass(frozen=True, slots=True)
class StrengthLaw:
    """The law of one cement with its materials; mixes scatter around it as well as batches."""

    law: Law
    posterior: Posterior
    centre: float
    share_centre: float
    with_share: bool
    ratios: tuple[float, float]
    error_percent: float

    def strengths(self, ratio: float, share: float) -> Array:
        """Draws of the mean strength of a new mix, MPa."""
        b = self.posterior.draw()
        x = float(self.law.x(np.array([ratio]))[0]) - self.centre
        y = b[:, 0] + b[:, 1] * x
        if self.with_share:
            y = y + b[:, 2] * (share - self.share_centre)
        # A new mix has a deviation of its own, as the tested ones had.
        own = np.random.default_rng(SEED + 2).standard_normal(len(y)) * self.posterior.lot_sd
        return self.law.strength(y + own)

    def ratio_for(self, target_mpa: float, share: float, certainty: float) -> float | None:
        """The largest ratio at which a new mix reaches the target with this certainty; None outside what was tested."""
        margin = EXTRAPOLATION * (self.ratios[1] - self.ratios[0])
        low, high = self.ratios[0] - margin, self.ratios[1] + margin

        def reached(ratio: float) -> bool:
            return float(np.quantile(self.strengths(ratio, share), 1 - certainty)) >= target_mpa

        if not reached(low) or reached(high):
            return None
        for _step in range(14):
            middle = (low + high) / 2
            if reached(middle):
                low = middle
            else:
                high = middle
        return low


def fit_strength_law(batches: Sequence[MixBatch]) -> StrengthLaw:
    """The law that errs least when each batch is left out. Raises: NotComparable."""
    if len(batches) < LEAST_BATCHES:
        raise NotComparable("few_batches", own=True, count=len(batches), least=LEAST_BATCHES)
    ratio = np.array([b.water_binder_ratio for b in batches])
    strength = np.array([b.strength_mpa for b in batches])
    share = np.array([b.scm_share for b in batches])
    span = float(np.ptp(ratio))
    if span < LEAST_SPAN:
        raise NotComparable("narrow_span", own=True, span=span, least=LEAST_SPAN)
    found: StrengthLaw | None = None
    for law in LAWS:
        x, y = law.x(ratio), law.y(strength)
        columns = [np.ones_like(x), x - x.mean()]
        with_share = float(np.ptp(share)) > 0.04
        if with_share:
            columns.append(share - share.mean())
        X = np.column_stack(columns)
        if len(y) <= X.shape[1] + 1 or np.linalg.matrix_rank(X) < X.shape[1]:
            X, with_share = X[:, :2], False
        posterior = linear_posterior(X, y, [b.mix for b in batches])
        if float(posterior.weights @ posterior.means[:, 1]) <= 0:
            raise NotComparable("flat_law", own=True)
        error = np.log(strength) - np.log(np.maximum(law.strength(y - posterior.left_out), 0.1))
        percent = 100 * math.sqrt(float((error**2).mean()))
        if found is None or percent < found.error_percent:
            bounds = (float(ratio.min()), float(ratio.max()))
            found = StrengthLaw(
                law, posterior, float(x.mean()), float(share.mean()), with_share, bounds, percent
            )
    assert found is not None  # LAWS is not empty
    return found


def lower_bound(
    strengths: Sequence[float], batch_cv: float, freedom: int, certainty: float = CONFIDENCE
) -> float:
    """The strength that a mix with these batch results reaches with this certainty; `batch_cv` is of the whole trial."""
    n = len(strengths)
    step = student.quantile(certainty, max(freedom, 1)) * batch_cv / math.sqrt(n)
    return float(np.mean(strengths)) * math.exp(-step)
