"""Did a change at the works change the cement? Lots are the units: the batches of one lot share its luck.

Welch's interval for the difference of lot means, and a permutation test of Welch's statistic, which needs no normal
distribution and holds its false-alarm rate with a handful of lots. What else may explain a difference (season, other
changes, a drift that was there before) is looked for and named, not corrected.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lims.strength import student

Array = NDArray[np.float64]

LEVEL = 0.95
#: A difference is called one below this.
ALPHA = 0.05
#: Lots on each side below which nothing is tested.
LEAST_LOTS = 3
#: Two-sided p cannot get below 2 / arrangements: with fewer the test could never speak.
LEAST_ARRANGEMENTS = 40
#: Up to here every arrangement of lots is looked at; beyond, so many are drawn.
MOST_ARRANGEMENTS = 12_000
DRAWN = 9_999
SEED = 175
#: Power that the smallest visible difference is told for.
POWER = 0.80
#: Days of the year between the middles of two periods from which on they are other seasons.
SEASON_DAYS = 60
DAYS_OF_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class BatchValue:
    """One measurement: of which lot, when (days on any scale), and of which mix (values of other mixes differ)."""

    lot: str
    day: float
    after: bool
    value: float
    mix: str = ""


@dataclass(frozen=True, slots=True)
class LotValue:
    """The mean of a lot."""

    lot: str
    day: float
    after: bool
    value: float
    count: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Lots before and after. Without a test `p` and the interval are None and `needed` says how many lots are missing."""

    lots_before: int
    lots_after: int
    mean_before: float | None
    mean_after: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    #: The smallest difference that so many lots show four times out of five.
    detectable: float | None
    #: Lots that are missing on the thinner side for a test; 0 when there is one.
    needed: int

    @property
    def tested(self) -> bool:
        return self.p is not None

    @property
    def changed(self) -> bool:
        return self.p is not None and self.p < ALPHA


def lot_values(values: Sequence[BatchValue]) -> list[LotValue]:
    """Lot means with the mixes brought to one level: only mixes cast on both sides count, each against its own mean.

    The level and the effect are fitted together, so that a mix cast more often after the change does not eat the effect.
    While there is one side alone, its lots are shown as they are.
    """
    if len({item.after for item in values}) == 1:
        return _by_lot(values, {})
    sides: dict[str, set[bool]] = defaultdict(set)
    for item in values:
        sides[item.mix].add(item.after)
    kept = [item for item in values if len(sides[item.mix]) == 2]
    if not kept:
        return []
    mixes = sorted({item.mix for item in kept})
    y = np.array([item.value for item in kept])
    level = dict.fromkeys(mixes, 0.0)
    if len(mixes) > 1:
        X = np.array([[float(item.mix == mix) for mix in mixes] + [float(item.after)] for item in kept])
        found = np.linalg.lstsq(X, y, rcond=None)[0][:-1]
        weight = X[:, :-1].mean(axis=0)
        level = dict(zip(mixes, found - float(weight @ found), strict=True))
    return _by_lot(kept, level)


def _by_lot(values: Sequence[BatchValue], level: Mapping[str, float]) -> list[LotValue]:
    """Lot means of what is above the level of its mix, in the order of time."""
    by_lot: dict[tuple[str, bool], list[tuple[float, float]]] = defaultdict(list)
    for item in values:
        by_lot[item.lot, item.after].append((item.value - float(level.get(item.mix, 0.0)), item.day))
    lots = [
        LotValue(
            lot,
            float(np.mean([day for _value, day in rows])),
            after,
            float(np.mean([value for value, _day in rows])),
            len(rows),
        )
        for (lot, after), rows in by_lot.items()
    ]
    return sorted(lots, key=lambda item: (item.day, item.lot))


def effect(lots: Sequence[LotValue], level: float = LEVEL) -> Effect:
    """The difference of lot means after minus before, with its interval and p."""
    before = np.array([item.value for item in lots if not item.after])
    after = np.array([item.value for item in lots if item.after])
    n, m = len(before), len(after)
    mean_before = float(before.mean()) if n else None
    mean_after = float(after.mean()) if m else None
    difference = None if mean_before is None or mean_after is None else mean_after - mean_before
    needed = _missing(n, m)
    spread = 0.0
    if not needed:
        v, w = float(before.var(ddof=1)) / n, float(after.var(ddof=1)) / m
        spread = math.sqrt(v + w)
    if needed or spread == 0.0 or difference is None:
        # Lots without any scatter are copied figures: nothing can be tested.
        return Effect(n, m, mean_before, mean_after, difference, None, None, None, None, needed)
    nu = (v + w) ** 2 / (v**2 / (n - 1) + w**2 / (m - 1))
    half = student.quantile(0.5 + level / 2, nu) * spread
    visible = (student.quantile(1 - ALPHA / 2, nu) + student.quantile(POWER, nu)) * spread
    return Effect(
        n,
        m,
        mean_before,
        mean_after,
        difference,
        difference - half,
        difference + half,
        permutation_p(before, after),
        visible,
        0,
    )


def _missing(n: int, m: int) -> int:
    few, many = min(n, m), max(n, m)
    extra = 0
    while few + extra < LEAST_LOTS or math.comb(few + extra + max(many, few + extra), few + extra) < (
        LEAST_ARRANGEMENTS
    ):
        extra += 1
    return extra


def _welch(total: Array, squares: Array, count: int, all_total: float, all_squares: float, n: int) -> Array:
    """|t| of every arrangement from the sum and sum of squares of one side of it."""
    other = n - count
    mean, rest = total / count, (all_total - total) / other
    v = np.maximum(squares - count * mean**2, 0.0) / (count - 1) / count
    w = np.maximum(all_squares - squares - other * rest**2, 0.0) / (other - 1) / other
    return np.asarray(np.abs(mean - rest) / np.sqrt(np.maximum(v + w, 1e-300)))


def permutation_p(before: Array, after: Array) -> float:
    """Two-sided p of Welch's statistic over arrangements of the lots: all of them where they are few."""
    pooled = np.concatenate([before, after])
    pooled = pooled - pooled.mean()  # sums of squares keep their digits
    n, count = len(pooled), len(before)
    all_total, all_squares = float(pooled.sum()), float((pooled**2).sum())
    if math.comb(n, count) <= MOST_ARRANGEMENTS:
        picks = np.array(list(itertools.combinations(range(n), count)))
        added = 0
    else:
        chance = np.random.default_rng(SEED)
        picks = np.argsort(chance.random((DRAWN, n)), axis=1)[:, :count]
        added = 1  # the arrangement that was seen counts as one of them
    found = _welch(
        pooled[picks].sum(axis=1), (pooled[picks] ** 2).sum(axis=1), count, all_total, all_squares, n
    )
    seen = _welch(
        np.array([pooled[:count].sum()]),
        np.array([(pooled[:count] ** 2).sum()]),
        count,
        all_total,
        all_squares,
        n,
    )[0]
    return float((int((found >= seen * (1 - 1e-9)).sum()) + added) / (len(picks) + added))


@dataclass(frozen=True, slots=True)
class Doubts:
    """What else may explain a difference."""

    #: Days of the year between the middles of the two periods, when they are other seasons; None otherwise.
    season_days: int | None
    #: The values moved within the periods already: p of the common slope; None when they did not.
    drift_p: float | None
    #: Other changes between the first lot before and the last one after.
    other_changes: tuple[str, ...]


def doubts(lots: Sequence[LotValue], others: Sequence[tuple[str, float]] = ()) -> Doubts:
    """`others` are further changes with their day on the scale of the lots' days (days since a 1 January, say)."""
    before = [item for item in lots if not item.after]
    after = [item for item in lots if item.after]
    if not before or not after:
        return Doubts(None, None, ())
    gap = _season_gap([item.day for item in before], [item.day for item in after])
    days = [item.day for item in lots]
    named = tuple(name for name, day in others if min(days) <= day <= max(days))
    return Doubts(gap if gap >= SEASON_DAYS else None, _drift(before, after), named)


def _season_gap(before: Sequence[float], after: Sequence[float]) -> int:
    """Days between the middles of both periods around the circle of the year."""
    middles = []
    for days in (before, after):
        angle = 2 * math.pi * np.asarray(days) / DAYS_OF_YEAR
        middles.append(math.atan2(float(np.sin(angle).mean()), float(np.cos(angle).mean())))
    gap = abs(middles[0] - middles[1]) % (2 * math.pi)
    return round(min(gap, 2 * math.pi - gap) / (2 * math.pi) * DAYS_OF_YEAR)


def _drift(before: Sequence[LotValue], after: Sequence[LotValue]) -> float | None:
    """A slope common to both periods, each around its own mean: significant means that it drifted anyway."""
    days, values = [], []
    for side in (before, after):
        day, value = np.array([i.day for i in side]), np.array([i.value for i in side])
        days.append(day - day.mean())
        values.append(value - value.mean())
    x, y = np.concatenate(days), np.concatenate(values)
    if len(x) < 6 or float(np.ptp(x)) == 0.0 or float(np.ptp(y)) == 0.0:
        return None
    spread = float(x @ x)
    slope = float(x @ y) / spread
    left = y - slope * x
    freedom = len(x) - 3  # two means and a slope
    error = math.sqrt(float(left @ left) / freedom / spread)
    if error == 0.0:
        return None
    p = 2 * float(student.survival(abs(slope) / error, freedom))
    return p if p < ALPHA else None
