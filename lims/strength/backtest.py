"""What the forecast would have said of mixes whose result is known, beside what codes and regressions say.

By mix: ten folds, each fold's mixes giving their early ages alone. By laboratory: each laboratory left out whole,
its mixes forecast from the others and the shipped prior.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lims.strength.baselines import BASELINES, strengths
from lims.strength.history import MixHistory
from lims.strength.model import LEAST_ROWS, FittedModel, fit

Array = NDArray[np.float64]

FOLDS = 10
LEVELS = (0.5, 0.9)
#: A set of early ages needs this many mixes to be judged.
LEAST_MIXES = 12
OURS = "this forecast"


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of one method from one set of early ages: MPa and %, coverage as a share, widths in MPa."""

    early: tuple[float, ...]
    method: str
    n: int
    mae_mpa: float
    mape_percent: float
    rmse_mpa: float
    bias_mpa: float
    coverage_50: float | None = None
    coverage_90: float | None = None
    width_50_mpa: float | None = None
    width_90_mpa: float | None = None


def early_sets(mixes: Sequence[MixHistory], target: float) -> list[tuple[float, ...]]:
    """Single ages and pairs of ages that enough mixes have beside the target, most first within each size."""
    have = [set(mix.ages_before(target)) for mix in mixes if mix.strength_at(target) is not None]
    ages = sorted({age for found in have for age in found})

    def count(*wanted: float) -> int:
        return sum(1 for found in have if found.issuperset(wanted))

    singles = [(age,) for age in ages if count(age) >= LEAST_MIXES]
    pairs = [
        (a[0], b[0])
        for i, a in enumerate(singles)
        for b in singles[i + 1 :]
        if count(a[0], b[0]) >= LEAST_MIXES
    ]
    return [*singles, *pairs]


def only_early(mix: MixHistory, early: tuple[float, ...]) -> MixHistory:
    """The mix as it stands on the day of its last early break."""
    kept = tuple(item for item in mix.breaks if item.age_days in early)
    return MixHistory(mix.lab, mix.mix_id, kept, mix.composition, mix.curing_temperature_c, mix.grade_mpa)


def folds(n: int, seed: int = 0, count: int = FOLDS) -> Iterator[NDArray[np.int64]]:
    """Index sets of a shuffled partition."""
    order = np.random.RandomState(seed).permutation(n)
    for part in np.array_split(order, min(count, n)):
        if len(part):
            yield part.astype(np.int64)


def backtest(
    history: Sequence[MixHistory],
    *,
    by: str = "mix",
    target: float = 28.0,
    prior: Sequence[MixHistory] | None = (),
    sets: Sequence[tuple[float, ...]] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Scores of the forecast and of every baseline, a set of early ages after the other.

    Args: by, "mix" or "lab"; prior, mixes that belong to no fold (None: those that ship); sets, early ages (None:
    those that occur often enough).
    """
    mixes = [mix for mix in history if mix.standard]
    chosen = list(sets) if sets is not None else early_sets(mixes, target)
    jobs = []
    for early in chosen:
        usable = [
            mix for mix in mixes if mix.strength_at(target) and all(mix.strength_at(age) for age in early)
        ]
        if by == "lab":
            labs = sorted({mix.lab for mix in usable})
            parts = [np.array([i for i, mix in enumerate(usable) if mix.lab == lab]) for lab in labs]
        else:
            parts = list(folds(len(usable), seed))
        jobs.append((early, usable, parts))
    total = sum(len(parts) for _early, _usable, parts in jobs)
    done = 0
    scores = []
    for early, usable, parts in jobs:
        actual = strengths(usable, target)
        ours = np.full(len(usable), np.nan)
        bounds = {level: np.full((len(usable), 2), np.nan) for level in LEVELS}
        others = {name: np.full(len(usable), np.nan) for name in BASELINES}
        for part in parts:
            test = [usable[i] for i in part]
            left_out = {mix.key for mix in test}
            labs_out = {mix.lab for mix in test} if by == "lab" else set()
            train = [mix for mix in mixes if mix.key not in left_out and mix.lab not in labs_out]
            model: FittedModel = fit(train, prior=prior, asked=test)
            for i, found in zip(
                part, model.forecast([only_early(mix, early) for mix in test], target, LEVELS), strict=True
            ):
                if found.strength_mpa is not None:
                    ours[i] = found.strength_mpa
                    for level in LEVELS:
                        bounds[level][i] = found.intervals[level]
            if early:
                for name, baseline in BASELINES.items():
                    with np.errstate(all="ignore"):
                        others[name][part] = _quietly(baseline, train, test, early, target)
            done += 1
            if progress is not None:
                progress(done, total)
        scores.append(_score(early, OURS, actual, ours, bounds))
        if early:
            scores += [_score(early, name, actual, values, {}) for name, values in others.items()]
    return [score for score in scores if score.n]


def _quietly(baseline: Callable[..., Array], *given: object) -> Array:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mean of nothing is NaN, which is what is meant
        return baseline(*given)


def _score(
    early: tuple[float, ...], method: str, actual: Array, said: Array, bounds: dict[float, Array]
) -> Score:
    use = np.isfinite(said)
    a, f = actual[use], said[use]
    if not len(a):
        return Score(early, method, 0, math.nan, math.nan, math.nan, math.nan)
    error = f - a
    coverage: dict[float, float | None] = dict.fromkeys(LEVELS)
    width: dict[float, float | None] = dict.fromkeys(LEVELS)
    for level, pairs in bounds.items():
        low, high = pairs[use].T
        coverage[level] = float(((a >= low) & (a <= high)).mean())
        width[level] = float((high - low).mean())
    return Score(
        early,
        method,
        len(a),
        float(np.abs(error).mean()),
        float(100 * np.abs(error / a).mean()),
        float(np.sqrt((error**2).mean())),
        float(error.mean()),
        coverage[0.5],
        coverage[0.9],
        width[0.5],
        width[0.9],
    )


def enough(mixes: Sequence[MixHistory], target: float = 28.0) -> bool:
    """Is there anything to test with?"""
    return sum(1 for mix in mixes if mix.strength_at(target) and mix.ages_before(target)) >= LEAST_ROWS
