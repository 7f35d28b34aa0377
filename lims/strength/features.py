"""From a mix to numbers: ratios of the composition, and logarithms of the early strengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lims.strength.history import COMPOSITION, MixHistory

Array = NDArray[np.float64]

COMPOSITION_FEATURES = (
    "ln(water/binder)",
    "slag/binder",
    "fly ash/binder",
    "silica fume/binder",
    "other SCM/binder",
    "filler/binder",
    "superplasticizer, % of binder",
    "ln(binder)",
    "aggregate/binder",
    "sand ratio",
)
#: Dosages above are typing errors or other products; they would pull the scale.
LARGEST_DOSAGE_PERCENT = 8.0
#: Added to both strengths of a gain, MPa: from 1 to 2 MPa is the hour of setting, not a doubling.
GAIN_OFFSET_MPA = 5.0
CLIP = 4.0
#: Deviation of each feature from mix to mix of a laboratory that varies it (UCI and BOxCrete; by judgement where these have
#: none): the measure of how far a mix is from a history that never varied it, one without any fly ash say.
USUAL_SPREAD = (0.2, 0.2, 0.15, 0.03, 0.1, 0.15, 1.0, 0.25, 1.4, 0.04)
#: A history that varies a feature less than this share of that does not vary it: masses are rounded.
LEAST_SPREAD = 0.1
#: The scale of a feature that no mix of the history has: what is asked tells nothing there, nor is it outside of anything.
NEVER_KNOWN = 1e9


def composition_matrix(mixes: Sequence[MixHistory]) -> Array:
    """(n, 10) kg/m^3 in the order of COMPOSITION, NaN where unknown."""
    unknown = float("nan")
    rows = []
    for mix in mixes:
        given = mix.composition.get
        rows.append([given(name, unknown) for name in COMPOSITION])
    return np.array(rows, dtype=float).reshape(len(mixes), len(COMPOSITION))


def composition_features(masses: Array) -> Array:
    """(n, 10) ratios from (n, 10) masses; NaN where a needed mass is unknown.

    A binder beside the cement that was not given counts as absent once the cement is known.
    """
    cement, slag, fly_ash, fume, other, filler, water, sp, coarse, fine = masses.T
    known = ~np.isnan(cement)

    def absent_is_zero(mass: Array) -> Array:
        return np.where(known & np.isnan(mass), 0.0, mass)

    slag, fly_ash, fume, other = (absent_is_zero(m) for m in (slag, fly_ash, fume, other))
    binder = cement + slag + fly_ash + fume + other
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = np.column_stack(
            [
                np.log(water / binder),
                slag / binder,
                fly_ash / binder,
                fume / binder,
                other / binder,
                absent_is_zero(filler) / binder,
                np.clip(100 * sp / binder, 0, LARGEST_DOSAGE_PERCENT),
                np.log(binder),
                (np.nan_to_num(coarse) + fine) / binder,
                fine / (coarse + fine),
            ]
        )
    columns[~np.isfinite(columns)] = np.nan
    return columns


def early_features(strengths_mpa: Array) -> Array:
    """(n, k) strengths at ascending ages -> [ln f_last, ln (f_2 + 5) - ln (f_1 + 5), ...], (n, k)."""
    if strengths_mpa.shape[1] == 0:
        return np.empty((strengths_mpa.shape[0], 0))
    gains = np.diff(np.log(strengths_mpa + GAIN_OFFSET_MPA), axis=1)
    return np.column_stack([np.log(strengths_mpa[:, -1]), gains])


class Scaler:
    """Standardised on the training set, missing -> 0 (the mean), clipped to what the training set holds.

    A mix beyond the history is forecast as the nearest one within it: a straight line that runs on outside the data
    is the worst guess of all. `outside` tells, so that the interval is widened and the user told.
    """

    def __init__(self, mean: Array, scale: Array, low: Array, high: Array) -> None:
        self.mean, self.scale, self.low, self.high = mean, scale, low, high

    @classmethod
    def of(cls, raw: Array) -> Scaler:
        known = ~np.isnan(raw)
        counts = known.sum(axis=0)
        mean = np.where(counts > 0, np.nansum(raw, axis=0) / np.maximum(counts, 1), 0.0)
        centred = np.where(known, raw - mean, 0.0)
        spread = np.sqrt((centred**2).sum(axis=0) / np.maximum(counts - 1, 1))
        usual = np.zeros(raw.shape[1])
        usual[: len(USUAL_SPREAD)] = USUAL_SPREAD[: raw.shape[1]]
        scale = np.where(
            spread > 1e-9, np.maximum(spread, LEAST_SPREAD * usual), np.where(usual > 0, usual, 1.0)
        )
        scale = np.where(counts > 0, scale, NEVER_KNOWN)
        scaled = np.where(known, centred / scale, 0.0)
        low = np.maximum(scaled.min(axis=0, initial=0.0), -CLIP)
        high = np.minimum(scaled.max(axis=0, initial=0.0), CLIP)
        return cls(mean, scale, low, high)

    def standardised(self, raw: Array) -> Array:
        """As `apply`, wherever it lies."""
        return np.where(np.isnan(raw), 0.0, (raw - self.mean) / self.scale)

    def apply(self, raw: Array) -> Array:
        return np.clip(self.standardised(raw), self.low, self.high)

    def excess(self, raw: Array) -> Array:
        """(n,) how far a row lies beyond the training set, in standard deviations of the worst feature."""
        scaled = self.standardised(raw)
        beyond = np.maximum(np.maximum(self.low - scaled, scaled - self.high), 0.0)
        return np.asarray(beyond.max(axis=1, initial=0.0))
