"""Two cements at equal strength: how much more binder one needs, and whether the trials tell them apart at all.

A strength law common to both cements (one slope over the water/binder ratio, an offset between the cements, a spread of
lots) is fitted to the trials of both, and read backwards at the target strength. Which of three laws is taken is decided
by leave-one-out error on the trials themselves. Everything is uncertain together: draws from the posterior are sent
through the inverse, so the interval of a difference holds slope, offset, lots and scatter.

Given the ratio of lot spread to batch spread the posterior of the coefficients is a Student-t in closed form; the ratio
itself has a half-Cauchy prior and is summed over a grid, because a handful of lots does not fix it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: What an interval promises.
LEVEL = 0.90
#: Fewer batches of a cement than this say nothing about it.
LEAST_BATCHES = 4
#: The water/binder ratios of the trials must span this much, or their slope is noise.
LEAST_SPAN = 0.06
#: How far beyond the tested ratios the target may lie, as a share of their span.
EXTRAPOLATION = 0.10
#: A share of mineral admixtures that spans less than this hardly moves; shares closer than the second are one, since masses
#: are rounded.
LEAST_SHARE_SPAN, ONE_SHARE = 0.04, 0.01
#: Slumps of the two cements' trials that differ by more than this were not cast to equal slump.
EQUAL_SLUMP_MM = 20.0
#: Doses are not known better than this, % of the binder: about what 10 mm of slump are worth.
LEAST_DOSE_SD = 0.05
#: A law with a slope for each cement is taken only when it errs less by this share than the law with one slope.
OWN_SLOPE_GAIN = 0.05
#: kg/m³ of solid aggregate that give way to 1 kg/m³ of binder at equal volume (2.65 against 3.05 kg/l).
AGGREGATE_PER_BINDER = 2.65 / 3.05
DRAWS = 4000
SEED = 50081
#: Points of the grid over the lot spread; equal steps of the angle are a half-Cauchy prior of scale 1.
GRID = 24


#: Why no figure is given.
Reason = Literal["few_batches", "narrow_span", "no_overlap", "shares_differ", "flat_law", "out_of_range"]


class NotComparable(Exception):
    """The trials do not allow a comparison. `facts` fill the sentence of `reason`."""

    def __init__(self, reason: Reason, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts


@dataclass(frozen=True, slots=True)
class TrialBatch:
    """One batch as the comparison reads it: a ratio by mass, kg/m³, MPa, mm, and % of the binder."""

    own: bool
    water_binder_ratio: float
    strength_mpa: float
    #: The cement lot; batches of one lot share its good or bad luck.
    lot: str
    scm_share: float = 0.0
    slump_mm: float | None = None
    admixture_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The middle of a posterior and its interval."""

    median: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high

    @staticmethod
    def of(draws: Array, level: float = LEVEL) -> Span:
        low, middle, high = np.quantile(draws, [0.5 - level / 2, 0.5, 0.5 + level / 2])
        return Span(float(middle), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Law:
    """How strength and ratio are straightened: `x` of the ratio, `y` of the strength, and back."""

    name: str
    logarithmic: bool

    def x(self, ratio: Array) -> Array:
        if self.name == "power":
            return -np.log(ratio)
        return -ratio if self.name == "abrams" else 1.0 / ratio

    def ratio(self, x: Array) -> Array:
        """Water/binder; not a number where no ratio gives this x."""
        with np.errstate(divide="ignore", over="ignore"):
            if self.name == "power":
                return np.exp(-x)
            found = -x if self.name == "abrams" else 1.0 / x
        return np.where(found > 0, found, np.nan)

    def y(self, strength: Array) -> Array:
        return np.log(strength) if self.logarithmic else strength

    def strength(self, y: Array) -> Array:
        return np.exp(y) if self.logarithmic else y


#: ln f over ln(b/w); Abrams, ln f over w/b; Bolomey, f over b/w.
LAWS = (Law("power", True), Law("abrams", True), Law("bolomey", False))


@dataclass(frozen=True, slots=True)
class Posterior:
    """A linear model with a spread of groups: a mixture of Student-t distributions over the grid of that spread."""

    weights: Array
    means: Array
    roots: Array
    scales: Array
    nu: int
    #: Leave-one-out residuals in y, weighted over the grid.
    left_out: Array
    #: Lot spread and batch spread, in y.
    lot_sd: float
    batch_sd: float

    def draw(self, seed: int = SEED, count: int = DRAWS) -> Array:
        """`count` x coefficients."""
        chance = np.random.default_rng(seed)
        place = chance.choice(len(self.weights), size=count, p=self.weights)
        sigma = np.sqrt(self.scales[place] / chance.chisquare(self.nu, size=count))
        z = chance.standard_normal((count, self.means.shape[1]))
        return np.asarray(self.means[place] + sigma[:, None] * np.einsum("nij,nj->ni", self.roots[place], z))


def linear_posterior(X: Array, y: Array, groups: Sequence[str], least_sd: float = 1e-6) -> Posterior:
    """The posterior of `y = X b + group + error` under flat priors of b and ln sigma. One group, or none that repeats,
    means no group spread. Scatter below `least_sd` is not believed (recipes copied from one another have none)."""
    n, p = X.shape
    names = sorted(set(groups))
    grouped = 1 < len(names) < n
    place = np.array([names.index(g) for g in groups])
    counts = np.bincount(place, minlength=len(names)).astype(float)
    sums = np.zeros((len(names), n))
    sums[place, np.arange(n)] = 1.0
    angles = (np.arange(GRID) + 0.5) / GRID * (math.pi / 2) if grouped else np.zeros(1)
    logs, means, roots, scales, left_out, batch, lot = [], [], [], [], [], [], []
    for angle in angles:
        ratio = math.tan(angle)
        # V = I + ratio^2 Z Z'. Groups are apart, so its inverse takes a share of each group's sum away.
        share = ratio**2 / (1 + ratio**2 * counts)
        Vx = X - share[place, None] * (sums @ X)[place]
        Vy = y - share[place] * (sums @ y)[place]
        A = X.T @ Vx
        inverse = np.linalg.inv(A)
        mean = inverse @ (X.T @ Vy)
        total = max(float((y - X @ mean) @ (Vy - Vx @ mean)), (n - p) * least_sd**2)
        logs.append(
            -0.5 * float(np.log1p(ratio**2 * counts).sum())
            - 0.5 * float(np.linalg.slogdet(A)[1])
            - 0.5 * (n - p) * math.log(total)
        )
        means.append(mean)
        roots.append(np.linalg.cholesky((inverse + inverse.T) / 2))
        scales.append(total)
        left_out.append((Vy - Vx @ mean) / (1 - share[place] - ((Vx @ inverse) * Vx).sum(axis=1)))
        batch.append(math.sqrt(total / (n - p)))
        lot.append(ratio * batch[-1])
    weights = np.exp(np.array(logs) - max(logs))
    weights /= weights.sum()
    return Posterior(
        weights,
        np.array(means),
        np.array(roots),
        np.array(scales),
        n - p,
        weights @ np.array(left_out),
        float(weights @ np.array(lot)),
        float(weights @ np.array(batch)),
    )


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted law between the tested ratios, for the chart."""

    ratios: Array
    median: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the trials say at one strength. Binder in kg/m³ at equal water; differences are own minus other."""

    law: str
    #: Leave-one-out error of each law, % of the strength.
    errors_percent: dict[str, float]
    own_slopes: bool
    target_mpa: float
    water_kg_m3: float
    scm_share: float
    binder_own: Span
    binder_other: Span
    binder_difference: Span
    ratio_own: Span
    ratio_other: Span
    #: Own over other at the same mix, %.
    strength_percent: Span
    told_apart: bool
    #: P(own needs more binder).
    probability_more: float
    lot_sd_percent: float
    batch_sd_percent: float
    admixture: Admixture
    notes: tuple[str, ...]
    curve_own: Curve
    curve_other: Curve
    draws: Draws


@dataclass(frozen=True, slots=True)
class Draws:
    """Posterior draws, for what is computed from several of them at once."""

    binder_own: Array
    binder_other: Array
    admixture_own: Array | None
    admixture_other: Array | None


@dataclass(frozen=True, slots=True)
class Admixture:
    """Admixture in % of the binder at equal slump; without figures `reason` says why."""

    own: Span | None = None
    other: Span | None = None
    difference: Span | None = None
    slump_mm: float | None = None
    #: "", few_batches or slumps_differ.
    reason: str = ""
    draws: tuple[Array, Array] | None = field(default=None, repr=False)


def compare(
    batches: Sequence[TrialBatch],
    target_mpa: float,
    water_kg_m3: float,
    *,
    scm_share: float | None = None,
    slump_mm: float | None = None,
    law: str = "",
    level: float = LEVEL,
) -> Comparison:
    """Own against other at `target_mpa`. `law` fixes the law; otherwise the trials choose. Raises: NotComparable."""
    _check(batches)
    own = np.array([b.own for b in batches], dtype=float)
    ratio = np.array([b.water_binder_ratio for b in batches])
    strength = np.array([b.strength_mpa for b in batches])
    share = np.array([b.scm_share for b in batches])
    reference = float(share.mean()) if scm_share is None else scm_share
    lots = [f"{b.own}|{b.lot}" for b in batches]
    lots_own, lots_other = len({b.lot for b in batches if b.own}), len({b.lot for b in batches if not b.own})
    notes = []
    if lots_own == lots_other == 1:
        lots = [
            str(i) for i in range(len(batches))
        ]  # an offset of cements and one of lots cannot be told apart
        notes.append("one_lot_each")
    elif min(lots_own, lots_other) < 3:
        notes.append("few_lots")

    fits = {
        (found.name, separate): _fit(found, ratio, strength, own, share, lots, separate)
        for found in LAWS
        for separate in (False, True)
        if not law or found.name == law
    }
    chosen, separate = _choose(fits)
    fitted = fits[chosen, separate]
    if separate:
        notes.append("own_slopes")
    shape = next(found for found in LAWS if found.name == chosen)
    coefficients = fitted.posterior.draw()

    target = float(shape.y(np.array([target_mpa]))[0])
    needed = {}
    for mine in (1.0, 0.0):
        slope = fitted.slope(coefficients, mine)
        if float((slope <= 0).mean()) > 0.01:
            raise NotComparable("flat_law", own=bool(mine))
        level_at = fitted.level(coefficients, mine, reference)
        x = fitted.centre + (target - level_at) / np.where(slope > 0, slope, np.nan)
        found_ratio = shape.ratio(x)
        middle = float(np.nanmedian(found_ratio)) if np.isfinite(found_ratio).any() else math.nan
        tested = ratio[own == mine]
        margin = EXTRAPOLATION * float(tested.max() - tested.min())
        if not tested.min() - margin <= middle <= tested.max() + margin:
            raise NotComparable(
                "out_of_range",
                own=bool(mine),
                strength_from=float(strength[own == mine].min()),
                strength_until=float(strength[own == mine].max()),
                ratio=middle,
                ratio_from=float(tested.min()),
                ratio_until=float(tested.max()),
            )
        needed[mine] = np.where(np.isfinite(found_ratio), found_ratio, middle)
    binder_own, binder_other = water_kg_m3 / needed[1.0], water_kg_m3 / needed[0.0]
    difference = Span.of(binder_own - binder_other, level)
    if difference.holds_zero:
        notes.append("not_told_apart")

    middle_x = fitted.centre + (target - fitted.level(coefficients, 0.0, reference)) / fitted.slope(
        coefficients, 0.0
    )
    both = [
        shape.strength(
            fitted.level(coefficients, mine, reference)
            + fitted.slope(coefficients, mine) * (np.median(middle_x) - fitted.centre)
        )
        for mine in (1.0, 0.0)
    ]
    per_mpa = 1.0 if shape.logarithmic else 1.0 / target_mpa
    admixture = _admixture(batches, slump_mm, level)
    return Comparison(
        law=chosen,
        errors_percent={name: fit.error_percent for (name, own_slope), fit in fits.items() if not own_slope},
        own_slopes=separate,
        target_mpa=target_mpa,
        water_kg_m3=water_kg_m3,
        scm_share=reference,
        binder_own=Span.of(binder_own, level),
        binder_other=Span.of(binder_other, level),
        binder_difference=difference,
        ratio_own=Span.of(needed[1.0], level),
        ratio_other=Span.of(needed[0.0], level),
        strength_percent=Span.of(100 * (both[0] / both[1] - 1), level),
        told_apart=not difference.holds_zero,
        probability_more=float((binder_own > binder_other).mean()),
        lot_sd_percent=100 * fitted.posterior.lot_sd * per_mpa,
        batch_sd_percent=100 * fitted.posterior.batch_sd * per_mpa,
        admixture=admixture,
        notes=tuple(notes),
        curve_own=fitted.curve(shape, coefficients, ratio[own == 1], 1.0, reference, level),
        curve_other=fitted.curve(shape, coefficients, ratio[own == 0], 0.0, reference, level),
        draws=Draws(
            binder_own,
            binder_other,
            admixture.draws[0] if admixture.draws else None,
            admixture.draws[1] if admixture.draws else None,
        ),
    )


def _check(batches: Sequence[TrialBatch]) -> None:
    groups = {mine: [b for b in batches if b.own is mine] for mine in (True, False)}
    for mine, found in groups.items():
        if len(found) < LEAST_BATCHES:
            raise NotComparable("few_batches", own=mine, count=len(found), least=LEAST_BATCHES)
    bounds = {
        mine: (min(b.water_binder_ratio for b in found), max(b.water_binder_ratio for b in found))
        for mine, found in groups.items()
    }
    for mine, (low, high) in bounds.items():
        if high - low < LEAST_SPAN:
            raise NotComparable("narrow_span", own=mine, span=high - low, least=LEAST_SPAN)
    if min(bounds[True][1], bounds[False][1]) <= max(bounds[True][0], bounds[False][0]):
        raise NotComparable(
            "no_overlap",
            own_from=bounds[True][0],
            own_until=bounds[True][1],
            other_from=bounds[False][0],
            other_until=bounds[False][1],
        )
    _check_shares(batches)


def _check_shares(batches: Sequence[TrialBatch]) -> None:
    """Where the mineral admixtures go with the cements, what they do would be taken for the cement's doing."""
    own = np.array([b.own for b in batches], dtype=float)
    share = np.array([b.scm_share for b in batches])
    X = np.column_stack([np.ones_like(own), own, [b.water_binder_ratio for b in batches]])
    told = np.linalg.lstsq(X, share, rcond=None)[0]
    if abs(told[1]) > LEAST_SHARE_SPAN and float(np.ptp(share - X @ told)) <= ONE_SHARE:
        raise NotComparable(
            "shares_differ",
            own_percent=100 * float(share[own == 1].mean()),
            other_percent=100 * float(share[own == 0].mean()),
        )


@dataclass(frozen=True, slots=True)
class _Fit:
    """Coefficients: level, own offset, slope, then (own slope), then (share of mineral admixture)."""

    posterior: Posterior
    centre: float
    share_centre: float
    separate: bool
    with_share: bool
    error_percent: float

    def slope(self, b: Array, mine: float) -> Array:
        return np.asarray(b[:, 2] + (b[:, 3] * mine if self.separate else 0.0))

    def level(self, b: Array, mine: float, share: float) -> Array:
        found = b[:, 0] + b[:, 1] * mine
        return np.asarray(found + b[:, -1] * (share - self.share_centre) if self.with_share else found)

    def curve(self, shape: Law, b: Array, tested: Array, mine: float, share: float, level: float) -> Curve:
        ratios = np.linspace(float(tested.min()), float(tested.max()), 25)
        x = shape.x(ratios) - self.centre
        y = self.level(b, mine, share)[:, None] + self.slope(b, mine)[:, None] * x[None, :]
        low, middle, high = np.quantile(shape.strength(y), [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
        return Curve(ratios, middle, low, high)


def _fit(
    law: Law, ratio: Array, strength: Array, own: Array, share: Array, lots: Sequence[str], separate: bool
) -> _Fit:
    x, y = law.x(ratio), law.y(strength)
    centre, share_centre = float(x.mean()), float(share.mean())
    columns = [np.ones_like(x), own, x - centre]
    if separate:
        columns.append(own * (x - centre))
    # A share that hardly moves is not a column: it would only follow the scatter.
    with_share = float(np.ptp(share)) > LEAST_SHARE_SPAN and len(set(np.round(share, 2))) > 1
    if with_share:
        columns.append(share - share_centre)
    X = np.column_stack(columns)
    if len(y) <= X.shape[1] + 1 or np.linalg.matrix_rank(X) < X.shape[1]:
        if with_share:
            return _fit(law, ratio, strength, own, np.full_like(share, share_centre), lots, separate)
        raise NotComparable("few_batches", own=True, count=len(y), least=X.shape[1] + 2)
    posterior = linear_posterior(X, y, lots)
    said = law.strength(y - posterior.left_out)
    error = np.log(strength) - np.log(np.maximum(said, 0.1))
    return _Fit(
        posterior, centre, share_centre, separate, with_share, 100 * float(np.sqrt((error**2).mean()))
    )


def _choose(fits: dict[tuple[str, bool], _Fit]) -> tuple[str, bool]:
    """The law that errs least on batches it has not seen; one slope unless two are clearly better."""
    name = min((key[0] for key in fits if not key[1]), key=lambda law: fits[law, False].error_percent)
    one, two = fits[name, False].error_percent, fits[name, True].error_percent
    return name, two < (1 - OWN_SLOPE_GAIN) * one


def _admixture(batches: Sequence[TrialBatch], slump_mm: float | None, level: float) -> Admixture:
    known = [b for b in batches if b.slump_mm is not None and b.admixture_percent is not None]
    own = np.array([b.own for b in known], dtype=float)
    if min(own.sum(), (1 - own).sum()) < LEAST_BATCHES if len(known) else True:
        return Admixture(reason="few_batches")
    slump = np.array([b.slump_mm or 0.0 for b in known])
    dose = np.array([b.admixture_percent or 0.0 for b in known])
    if abs(float(slump[own == 1].mean() - slump[own == 0].mean())) > EQUAL_SLUMP_MM:
        return Admixture(reason="slumps_differ")
    reference = float(slump.mean()) if slump_mm is None else slump_mm
    x = -np.log(np.array([b.water_binder_ratio for b in known]))
    by_ratio = [x - x.mean()] if float(np.ptp(x)) > 1e-9 else []
    X = np.column_stack([np.ones_like(own), own, *by_ratio])
    if float(np.ptp(dose)) == 0.0 or np.linalg.matrix_rank(X) < X.shape[1]:
        return Admixture(reason="few_batches")  # each cement at a ratio of its own, say
    if np.ptp(slump) > 15:
        with_slump = np.column_stack([X[:, :2], slump - reference, *by_ratio])
        # Two cements with a slump each say nothing of what slump costs; so close together they count as equal.
        if np.linalg.matrix_rank(with_slump) == with_slump.shape[1]:
            X = with_slump
    one_lot = len({b.lot for b in known if b.own}) == len({b.lot for b in known if not b.own}) == 1
    lots = [str(i) if one_lot else f"{b.own}|{b.lot}" for i, b in enumerate(known)]
    b = linear_posterior(X, dose, lots, LEAST_DOSE_SD).draw(SEED + 1)
    other, mine = b[:, 0], b[:, 0] + b[:, 1]
    return Admixture(
        Span.of(mine, level),
        Span.of(other, level),
        Span.of(mine - other, level),
        reference,
        "",
        (mine, other),
    )


# --- cost ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prices:
    """Money per tonne; None where no price is known."""

    cement_own: float | None = None
    cement_other: float | None = None
    scm: float | None = None
    admixture: float | None = None
    aggregate: float | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """Cost of materials per m³ at equal strength, or the prices that are missing for it."""

    own: Span | None
    other: Span | None
    difference: Span | None
    missing: tuple[str, ...]
    #: What was left out of both sides for want of a price.
    left_out: tuple[str, ...]


def costs(found: Comparison, prices: Prices, aggregate_kg_m3: float, level: float = LEVEL) -> Costs:
    """What a cubic metre costs with each. Binder that is added takes the room of aggregate."""
    missing = [name for name in ("cement_own", "cement_other") if getattr(prices, name) is None]
    if found.scm_share > 0.001 and prices.scm is None:
        missing.append("scm")
    left_out = []
    dosed = found.draws.admixture_own is not None
    if dosed and prices.admixture is None:
        left_out.append("admixture")
    if prices.aggregate is None:
        left_out.append("aggregate")
    if missing:
        return Costs(None, None, None, tuple(missing), tuple(left_out))
    middle = (found.binder_own.median + found.binder_other.median) / 2

    def side(binder: Array, dose: Array | None, cement_price: float) -> Array:
        total = binder * (1 - found.scm_share) * cement_price + binder * found.scm_share * (prices.scm or 0.0)
        if dose is not None:
            total = total + binder * dose / 100 * (prices.admixture or 0.0)
        aggregate = aggregate_kg_m3 - (binder - middle) * AGGREGATE_PER_BINDER
        return np.asarray((total + aggregate * (prices.aggregate or 0.0)) / 1000)

    own = side(found.draws.binder_own, found.draws.admixture_own, prices.cement_own or 0.0)
    other = side(found.draws.binder_other, found.draws.admixture_other, prices.cement_other or 0.0)
    return Costs(Span.of(own, level), Span.of(other, level), Span.of(own - other, level), (), tuple(left_out))
