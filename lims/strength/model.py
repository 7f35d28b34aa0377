"""Fit on a history, forecast a mix: median, intervals, probability of the grade, and what it rests on.

One sub-model for each set of early ages (none, {1}, {3}, {3, 7}, ...), fitted when first asked for: the median of members
whose target is ln f28, or ln f28 - ln f_last, standardised; see "The forecast" in docs/architecture.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, eigh

from lims.strength.features import (
    CLIP,
    COMPOSITION_FEATURES,
    Scaler,
    composition_features,
    composition_matrix,
    early_features,
)
from lims.strength.history import LEAST_TELLING_MPA, AgeStrength, MixHistory
from lims.strength.intervals import (
    CONFORMAL_FROM,
    DEFAULT_C,
    DEFAULT_NU,
    LABORATORIES_FROM,
    UNKNOWN_LAB_C,
    conformal_quantile,
    conformal_survival,
    fit_lab_t,
    lab_scale,
    student_quantile,
    student_survival,
)
from lims.strength.kernel import JITTER, Hyper, cross_kernel, fit_hyper, own_variance

Array = NDArray[np.float64]

MOST_ROWS = 500
MOST_ROWS_OF_A_LAB = 40
#: From so many rows on the members with a radial part (HGPR) join.
RADIAL_FROM = 30
#: With so many own usable mixes the shipped prior is left out: own history has taken over.
PRIOR_UNTIL = 60
#: Where the history lacks the age asked for, this one is forecast and moved along the mean curve.
STANDARD_AGE = 28.0
#: A set of early ages needs this many mixes that have all of them and the target.
LEAST_ROWS = 12
#: Scatter of a specimen within its set: a share of the strength (the floor of any forecast), and MPa.
SPECIMEN_CV = 0.029
SPECIMEN_MPA = 0.1
#: A break at an age that the history lacks may stand for one this close (ratio of ages), at a price in width.
NEAREST_AGE_RATIO = 1.6
#: Scatter (ln) of what mixes gain beyond 28 d until that age has doubled, and later: UCI, 28 to 56 and to 90 d (134 mixes:
#: 0.097 with the specimens' own, 0.09 without). Less, because Student's tails come on top.
LATE_GAIN_SD = 0.08
DEFAULT_LEVELS = (0.5, 0.9)
CHUNK = 1000
#: Histories up to this size are cross-fitted: honest intervals at the price of FOLDS more fits.
CROSS_FIT_UNTIL = 160
FOLDS = 5
#: Hyperparameters are fitted on at most so many rows.
HYPER_ROWS = 200
#: Beyond so many rows one member is as good as all.
ALL_MEMBERS_UNTIL = 400
#: Leading directions of K that the variance is computed from.
DIRECTIONS = 96
#: A feature this many standard deviations beyond the history is worth a word.
OUTSIDE_FROM = 0.5
#: A stored sub-model whose rows have moved further than this (ln of the strength) was fitted on a slip that was put right;
#: one that moved less than the second is as good as it was.
LARGEST_MOVE, LEAST_MOVE = 0.10, 0.01
#: The same of their composition, in standard deviations of a feature.
LARGEST_SHIFT, LEAST_SHIFT = 0.5, 0.05


@dataclass(frozen=True)
class Forecast:
    """A forecast or a refusal (`strength_mpa` None), with what it rests on."""

    lab: str
    mix_id: str
    age_days: float
    strength_mpa: float | None
    intervals: dict[float, tuple[float, float]] = field(default_factory=dict)
    p_grade: float | None = None
    early_ages: tuple[float, ...] = ()
    local_mixes: int = 0
    history_mixes: int = 0
    method: str = "none"
    note: str = ""


class Kind(NamedTuple):
    """What makes a member: level or ratio, with a radial part or without, and how many features it looks at."""

    level: bool
    rbf: bool
    features: int


@dataclass
class Member:
    """One Gaussian process of a sub-model: of the level ln f, or of the ratio ln f - ln f_last."""

    level: bool
    #: The features that it looks at: all, or all but the gains between early ages (a slip in one moves both).
    features: int
    hyper: Hyper
    m0: float
    ys: float

    def centre(self, last: Array) -> Array:
        """What stands for a standardised 0, in ln MPa."""
        return self.m0 + (np.zeros_like(last) if self.level else last)


@dataclass
class SubModel:
    """The fit for one set of early ages and one target age: the median of its members, in ln MPa.

    A ridge and a ridge with a radial part, each on the level and on the ratio: they err differently, and their median
    errs less than nearly any of them (docs/benchmarks.md).
    """

    early: tuple[float, ...]
    target: float
    members: list[Member]
    x: Array
    labs: NDArray[np.int64]
    lab_names: list[str]
    keys: list[tuple[str, str]]
    #: ln MPa at the target and at the last early age (0 without one), and the variance known beforehand, (n,).
    reached: Array
    last: Array
    noise: Array
    mean: Array
    scale: Array
    low: Array
    high: Array
    #: Scatter (ln^2) of a result of the history: what is promised is a result of the same kind.
    promised: float = SPECIMEN_CV**2 / 3
    nu: float = DEFAULT_NU
    c: float = DEFAULT_C
    informative: bool = True
    #: (n,) ln MPa said of each row, and its deviation, with its fold left out of everything; None: leave-one-out.
    fold_mu: Array | None = None
    fold_sd: Array | None = None

    def __post_init__(self) -> None:
        self.scaler = Scaler(self.mean, self.scale, self.low, self.high)
        self.lab_index = {name: i for i, name in enumerate(self.lab_names)}
        self.conditioned = [
            _Conditioned(m, self.x, self.labs, self.reached, self.last, self.noise) for m in self.members
        ]
        mu, sd = self.leave_one_out()
        #: Standardised residuals of rows that were left out.
        self.z: Array = (self.reached - mu) / sd

    @property
    def method(self) -> str:
        names = dict.fromkeys(member.hyper.method for member in self.members)
        return "+".join(names)

    def predict(self, raw: Array, labs: NDArray[np.int64], last: Array, known: Array) -> tuple[Array, Array]:
        """(mu, sd) of ln f for raw features (m, d), in chunks so that memory stays small.

        Args: last (m,) ln MPa of the last early break; known (m,) variance (ln^2) known beforehand.
        """
        x = self.scaler.apply(raw)
        mu, sd = np.empty(len(x)), np.empty(len(x))
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            said = [one.predict(x[part], labs[part], last[part]) for one in self.conditioned]
            mu[part], sd[part] = _combined(said)
        return mu, np.sqrt(sd**2 + known)

    def leave_one_out(self) -> tuple[Array, Array]:
        """(mu, sd) of ln f for each training row from the others: by folds where fitted so, else in closed form,
        which shares the hyperparameters."""
        if self.fold_mu is not None and self.fold_sd is not None:
            return self.fold_mu, self.fold_sd
        return _combined([one.leave_one_out() for one in self.conditioned])

    def to_dict(self) -> dict[str, Any]:
        return {
            "early": list(self.early),
            "target": self.target,
            "members": [asdict(member) for member in self.members],
            "x": self.x.round(9).tolist(),
            "labs": self.labs.tolist(),
            "lab_names": self.lab_names,
            "keys": [list(key) for key in self.keys],
            "reached": self.reached.round(9).tolist(),
            "last": self.last.round(9).tolist(),
            "noise": self.noise.round(9).tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "fold_mu": None if self.fold_mu is None else self.fold_mu.round(9).tolist(),
            "fold_sd": None if self.fold_sd is None else self.fold_sd.round(9).tolist(),
            "promised": self.promised,
            "nu": self.nu,
            "c": self.c,
            "informative": self.informative,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SubModel:
        members = [
            Member(
                item["level"],
                item["features"],
                Hyper(**{**item["hyper"], "l": tuple(item["hyper"]["l"])}),
                item["m0"],
                item["ys"],
            )
            for item in data["members"]
        ]

        def array(name: str) -> Array | None:
            return None if data[name] is None else np.array(data[name], dtype=float)

        return cls(
            early=tuple(data["early"]),
            target=data["target"],
            members=members,
            x=np.array(data["x"], dtype=float).reshape(len(data["reached"]), -1),
            labs=np.array(data["labs"], dtype=np.int64),
            lab_names=list(data["lab_names"]),
            keys=[(lab, mix) for lab, mix in data["keys"]],
            reached=np.array(data["reached"], dtype=float),
            last=np.array(data["last"], dtype=float),
            noise=np.array(data["noise"], dtype=float),
            mean=np.array(data["mean"], dtype=float),
            scale=np.array(data["scale"], dtype=float),
            low=np.array(data["low"], dtype=float),
            high=np.array(data["high"], dtype=float),
            fold_mu=array("fold_mu"),
            fold_sd=array("fold_sd"),
            promised=data.get("promised", SPECIMEN_CV**2 / 3),
            nu=data["nu"],
            c=data["c"],
            informative=data["informative"],
        )


class _Conditioned:
    """A member given its rows: what is needed to predict."""

    def __init__(
        self, member: Member, x: Array, labs: NDArray[np.int64], reached: Array, last: Array, noise: Array
    ) -> None:
        x = x[:, : member.features]
        self.member, self.x, self.labs = member, x, labs
        hyper = member.hyper
        k = cross_kernel(hyper, x, labs, x, labs)
        k[np.diag_indices_from(k)] += hyper.s2 + noise / member.ys**2 + JITTER
        y = (reached - member.centre(last)) / member.ys
        inverse = cho_solve(cho_factor(k, lower=True), np.eye(len(k)))
        self.alpha: Array = inverse @ y
        diagonal = np.diag(inverse)
        self._loo = (
            (y - self.alpha / diagonal) * member.ys + member.centre(last),
            member.ys / np.sqrt(diagonal),
        )
        # k' K^-1 k with the leading directions of K alone: the rest of K is noise, which k hardly touches.
        values, vectors = eigh(k, subset_by_index=(max(0, len(k) - DIRECTIONS), len(k) - 1))
        self.half: Array = (vectors / np.sqrt(values)).astype(np.float32)
        self.x32, self.alpha32 = x.astype(np.float32), self.alpha.astype(np.float32)

    def predict(self, x: Array, labs: NDArray[np.int64], last: Array) -> tuple[Array, Array]:
        """(mu, sd) in ln MPa. Single precision: it moves a forecast by less than 0.01 % and halves the time."""
        hyper, member = self.member.hyper, self.member
        x = x[:, : member.features].astype(np.float32)
        k = cross_kernel(hyper, x, labs, self.x32, self.labs)
        projected = k @ self.half
        var = own_variance(hyper, x) - np.einsum("ij,ij->i", projected, projected)
        sd = np.sqrt(np.maximum(var, 1e-6) + hyper.s2)
        return (k @ self.alpha32).astype(float) * member.ys + member.centre(last), sd * member.ys

    def leave_one_out(self) -> tuple[Array, Array]:
        return self._loo


def _combined(said: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    """The median of the members (one that runs astray moves nothing), with their mean variance and their disagreement."""
    mu = np.array([item[0] for item in said])
    var = np.array([item[1] for item in said]) ** 2
    return np.median(mu, axis=0), np.sqrt(var.mean(axis=0) + mu.var(axis=0))


def raw_features(mixes: Sequence[MixHistory], early: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """(features (n, d) with NaN for unknown, ln f_last (n,), its variance by specimen scatter (n,))."""
    found = [[mix.strength_at(age) for age in early] for mix in mixes]
    strengths = np.array(
        [[item.strength_mpa for item in row if item is not None] for row in found], dtype=float
    ).reshape(len(mixes), len(early))
    variance = np.zeros(len(mixes))
    if early:
        counts = np.array([row[-1].count for row in found if row[-1] is not None], dtype=float)
        variance = (SPECIMEN_CV**2 + (SPECIMEN_MPA / strengths[:, -1]) ** 2) / np.maximum(counts, 1)
    composition = composition_features(composition_matrix(mixes))
    last = np.log(strengths[:, -1]) if early else np.zeros(len(mixes))
    return np.column_stack([composition, early_features(strengths)]), last, variance


def specimen_variance(item: AgeStrength) -> float:
    """Variance of ln f of a mean of specimens: a share of the strength, and the press's and the hour's part."""
    share: float = SPECIMEN_CV**2 + (SPECIMEN_MPA / item.strength_mpa) ** 2
    return share / max(item.count, 1)


def select_rows(
    mixes: Sequence[MixHistory], asked_labs: frozenset[str], most: int = MOST_ROWS
) -> list[MixHistory]:
    """At most `most` rows: everything if it fits, else up to 40 of each other laboratory in a third of the room and
    the rest for those asked about, shared out evenly.

    Evenly spaced in the order given, so that the choice is the same each time.
    """
    if len(mixes) <= most:
        return list(mixes)
    by_lab: dict[str, list[MixHistory]] = {}
    for mix in mixes:
        by_lab.setdefault(mix.lab, []).append(mix)
    others = {lab: rows for lab, rows in by_lab.items() if lab not in asked_labs}
    asked = {lab: rows for lab, rows in by_lab.items() if lab in asked_labs}
    room_for_others = most // 3 if asked else most
    most_each = MOST_ROWS_OF_A_LAB if len(by_lab) > 1 else most
    chosen = _shared_out({lab: _spaced(rows, most_each) for lab, rows in others.items()}, room_for_others)
    return chosen + _shared_out(asked, most - len(chosen))


def _shared_out(by_lab: dict[str, list[MixHistory]], room: int) -> list[MixHistory]:
    """Up to `room` rows, as evenly over the laboratories as their numbers allow."""
    share, left = 0, room
    for waiting, size in zip(range(len(by_lab), 0, -1), sorted(map(len, by_lab.values())), strict=True):
        if size > left // waiting:  # this one and the larger ones take alike
            share = left // waiting
            break
        share, left = size, left - size
    more = room - sum(min(len(rows), share) for rows in by_lab.values())
    chosen = []
    for rows in by_lab.values():  # what cannot be shared out evenly goes to the first
        one_more = len(rows) > share and more > 0
        more -= one_more
        chosen += _spaced(rows, share + one_more)
    return chosen


def _spaced(items: list[MixHistory], most: int) -> list[MixHistory]:
    if len(items) <= most:
        return items
    return [items[int(i * len(items) / most)] for i in range(most)]


def fit_submodel(mixes: Sequence[MixHistory], early: tuple[float, ...], target: float) -> SubModel:
    """Fit one set of early ages on mixes that have all of them and the target."""
    raw, last, early_variance = raw_features(mixes, early)
    found = [mix.strength_at(target) for mix in mixes]
    targets = [item for item in found if item is not None]
    reached = np.array([math.log(item.strength_mpa) for item in targets])
    target_variance = np.array([specimen_variance(item) for item in targets])
    noise = early_variance + target_variance
    scaler = Scaler.of(raw)
    x = scaler.apply(raw)
    lab_names = sorted({mix.lab for mix in mixes})
    index = {name: i for i, name in enumerate(lab_names)}
    labs = np.array([index[mix.lab] for mix in mixes], dtype=np.int64)
    kinds = [
        Kind(level, rbf, features)
        for level in ((False, True) if early else (True,))
        for rbf in ((False, True) if len(mixes) >= RADIAL_FROM else (False,))
        for features in sorted({x.shape[1], x.shape[1] - max(len(early) - 1, 0)})
    ]

    members = [fit_member(x, labs, reached, last, noise, kind) for kind in kinds]
    if len(mixes) > ALL_MEMBERS_UNTIL:
        members = [best_alone(members, x, labs, reached, last, noise)]
    mu, sd = (
        cross_fit(raw, labs, reached, last, noise, kinds) if len(mixes) <= CROSS_FIT_UNTIL else (None, None)
    )
    best = SubModel(
        early,
        target,
        members,
        x,
        labs,
        lab_names,
        [m.key for m in mixes],
        reached,
        last,
        noise,
        scaler.mean,
        scaler.scale,
        scaler.low,
        scaler.high,
        fold_mu=mu,
        fold_sd=sd,
        promised=float(np.median(target_variance)),
    )
    best.nu, best.c = fit_lab_t([best.z[labs == i] for i in range(len(lab_names))])
    best.informative = _beats_the_mean(best)
    return best


def fit_member(
    x: Array,
    labs: NDArray[np.int64],
    reached: Array,
    last: Array,
    noise: Array,
    kind: Kind,
) -> Member:
    """Hyperparameters of one member; on a spread of rows where there are many, since they hardly move after that."""
    target = reached if kind.level else reached - last
    m0 = float(target.mean())
    ys = float(max(target.std(ddof=1), 0.02)) if len(target) > 1 else 0.2
    x = x[:, : kind.features]
    rows = spread_rows(len(x))
    hyper = fit_hyper(x[rows], labs[rows], (target[rows] - m0) / ys, noise[rows] / ys**2, rbf=kind.rbf)
    return Member(kind.level, kind.features, hyper, m0, ys)


def best_alone(
    members: list[Member], x: Array, labs: NDArray[np.int64], reached: Array, last: Array, noise: Array
) -> Member:
    """With many rows the members agree: the one with the best leave-one-out density goes on alone, so that a large
    forecast takes a fraction of the time."""
    rows = spread_rows(len(x))

    def score(member: Member) -> float:
        one = _Conditioned(member, x[rows], labs[rows], reached[rows], last[rows], noise[rows])
        mu, sd = one.leave_one_out()
        return float((-0.5 * ((reached[rows] - mu) / sd) ** 2 - np.log(sd)).mean())

    return max(members, key=score)


def spread_rows(n: int) -> NDArray[np.int64]:
    """At most HYPER_ROWS of n rows, evenly spaced."""
    if n <= HYPER_ROWS:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, HYPER_ROWS).astype(np.int64))


def cross_fit(
    raw: Array,
    labs: NDArray[np.int64],
    reached: Array,
    last: Array,
    noise: Array,
    kinds: Sequence[Kind],
) -> tuple[Array, Array]:
    """What is said of each row when its fold is left out of everything, scaling and hyperparameters included.

    Leave-one-out in closed form shares the hyperparameters and is too sure of itself on small histories.
    Returns: (n,) ln MPa and (n,) its deviation.
    """
    n = len(reached)
    order = np.random.RandomState(0).permutation(n)
    mu, sd = np.empty(n), np.empty(n)
    for fold in np.array_split(order, min(FOLDS, n)):
        rest = np.setdiff1d(order, fold)
        scaler = Scaler.of(raw[rest])
        xa, xb = scaler.apply(raw[rest]), scaler.apply(raw[fold])
        said = []
        for kind in kinds:
            member = fit_member(xa, labs[rest], reached[rest], last[rest], noise[rest], kind)
            one = _Conditioned(member, xa, labs[rest], reached[rest], last[rest], noise[rest])
            said.append(one.predict(xb, labs[fold], last[fold]))
        mu[fold], spread = _combined(said)
        sd[fold] = np.sqrt(spread**2 + noise[fold])
    return mu, sd


def _beats_the_mean(model: SubModel) -> bool:
    """Is the leave-one-out error smaller than that of saying the laboratory's running mean of f28?"""
    mu, _sd = model.leave_one_out()
    reached = model.reached
    error = np.abs(mu - reached)
    total = np.zeros(len(reached))
    for lab in np.unique(model.labs):
        rows = model.labs == lab
        n = rows.sum()
        if n < 2:
            total[rows] = np.abs(reached[rows] - reached.mean())
        else:
            total[rows] = np.abs(reached[rows] - (reached[rows].sum() - reached[rows]) / (n - 1))
    return bool(error.mean() < total.mean())


def _still_holds(model: SubModel, rows: Sequence[MixHistory], stale_after: float) -> bool:
    """Do the results and recipes that it was fitted on still stand? One that was taken back, or put right, is not learned
    from any longer; another batch that moves its mix's mean a little counts as a new mix does."""
    known = {mix.key: mix for mix in rows}
    if not all(key in known for key in model.keys):
        return False
    now = [known[key] for key in model.keys]
    raw, last, _variance = raw_features(now, model.early)
    strengths = [mix.strength_at(model.target) for mix in now]
    reached = np.log([item.strength_mpa for item in strengths if item is not None])
    recipe = len(COMPOSITION_FEATURES)
    x = np.abs(np.clip(model.scaler.standardised(raw), -CLIP, CLIP) - model.x)
    # The gains between early ages are logarithms, as the strengths are.
    gains = (x * model.scale)[:, recipe:].max(axis=1, initial=0.0)
    move = np.maximum(np.maximum(np.abs(reached - model.reached), np.abs(last - model.last)), gains)
    shift = x[:, :recipe].max(axis=1, initial=0.0)
    if (move > LARGEST_MOVE).any() or (shift > LARGEST_SHIFT).any():
        return False
    moved = int(((move > LEAST_MOVE) | (shift > LEAST_SHIFT)).sum())
    return moved <= len(model.keys) * stale_after + 1


class FittedModel:
    """All of a history, ready to forecast. Sub-models are fitted when first needed and then kept."""

    def __init__(
        self,
        history: Sequence[MixHistory],
        prior: Sequence[MixHistory] = (),
        asked: Sequence[MixHistory] = (),
        labs: frozenset[str] | None = None,
    ) -> None:
        """`labs`: whose mixes the rows of every sub-model are chosen for; None: for whoever is asked about."""
        self.labs = labs
        self.history = [mix for mix in history if mix.standard and mix.plausible]
        # A mix that is itself in the prior must not be forecast from its own result.
        known = {mix.recipe for mix in (*history, *asked)} - {()}
        self.prior = [mix for mix in prior if mix.standard and mix.plausible and mix.recipe not in known]
        self._models: dict[tuple[tuple[float, ...], float, frozenset[str]], SubModel | None] = {}
        self._curve: dict[float, float] | None = None
        self._usable: dict[tuple[tuple[float, ...], float], tuple[list[MixHistory], int]] = {}

    # --- what there is ------------------------------------------------------------------------------------

    def usable(self, early: tuple[float, ...], target: float) -> tuple[list[MixHistory], int]:
        """Mixes with all early ages and the target: own history first, the prior while that is short."""
        if (early, target) not in self._usable:
            self._usable[early, target] = self._find_usable(early, target)
        return self._usable[early, target]

    def _find_usable(self, early: tuple[float, ...], target: float) -> tuple[list[MixHistory], int]:
        def fits(mix: MixHistory) -> bool:
            return mix.strength_at(target) is not None and all(
                mix.strength_at(age) is not None for age in early
            )

        own = [mix for mix in self.history if fits(mix)]
        known = {mix.key for mix in own}
        more = (
            [mix for mix in self.prior if fits(mix) and mix.key not in known]
            if len(own) < PRIOR_UNTIL
            else []
        )
        return own + more, len(own)

    def submodel(self, early: tuple[float, ...], target: float, asked: frozenset[str]) -> SubModel | None:
        """The fitted sub-model, or None when too few mixes have these ages."""
        rows, _own = self.usable(early, target)
        key = self._key(early, target, asked)
        if key not in self._models:
            self._models[key] = (
                fit_submodel(select_rows(rows, key[2]), early, target) if len(rows) >= LEAST_ROWS else None
            )
        return self._models[key]

    def _key(
        self, early: tuple[float, ...], target: float, asked: frozenset[str] = frozenset()
    ) -> tuple[tuple[float, ...], float, frozenset[str]]:
        """What a sub-model is kept by: whose rows were chosen matters only where there are too many."""
        rows, _own = self.usable(early, target)
        chosen_for = asked if self.labs is None else self.labs
        return early, target, chosen_for if len(rows) > MOST_ROWS else frozenset()

    def choose_ages(self, ages: tuple[float, ...], target: float) -> tuple[float, ...] | None:
        """The subset of a mix's early ages that the history supports best.

        More ages and later ones tell more, as long as enough mixes have them; None when no mix has any.
        """
        best: tuple[float, tuple[float, ...]] | None = None
        # An age that too few have by itself is in no set that enough have: of 27 early ages there are 20,000 sets of four.
        ages = tuple(age for age in ages if len(self.usable((age,), target)[0]) >= LEAST_ROWS)
        for size in range(min(len(ages), 4), 0, -1):
            for subset in combinations(ages, size):
                rows, own = self.usable(subset, target)
                if len(rows) < LEAST_ROWS:
                    continue
                enough = min(len(rows), 60) / 60
                worth = (
                    math.log(subset[-1]) + 0.25 * size + 1.5 * enough + (0.5 if own >= LEAST_ROWS else 0.0)
                )
                if best is None or worth > best[0]:
                    best = (worth, subset)
        return best[1] if best else None

    def route(self, ages: tuple[float, ...], target: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(early ages of the sub-model that serves these ages, the ages that stand for them)."""
        return self._route(ages, target)

    def has(self, early: tuple[float, ...], target: float) -> bool:
        """Is this sub-model fitted already?"""
        return self._key(early, target) in self._models

    def put(self, model: SubModel, stale_after: float) -> bool:
        """Use a stored sub-model unless the history has outgrown it by this share, or no longer holds what it was fitted
        on. Returns whether it is used."""
        rows, _own = self.usable(model.early, model.target)
        key = self._key(model.early, model.target)
        wanted = select_rows(rows, key[2])
        fresh = len(wanted) <= len(model.keys) * (1 + stale_after) + 1
        if fresh:
            # A laboratory that has just begun counts for itself: its first mixes matter most.
            known = Counter(lab for lab, _mix in model.keys)
            now = Counter(mix.lab for mix in wanted)
            fresh = all(n <= known[lab] * (1 + stale_after) for lab, n in now.items())
        if fresh and _still_holds(model, rows, stale_after):
            self._models[key] = model
            return True
        return False

    def adopt(self, other: FittedModel, stale_after: float) -> None:
        """Take over the fitted sub-models of an earlier history that are not stale."""
        for model in other._models.values():
            if model is not None:
                self.put(model, stale_after)

    # --- forecasting --------------------------------------------------------------------------------------

    def forecast(
        self,
        mixes: Sequence[MixHistory],
        age_days: float = 28.0,
        levels: Sequence[float] = DEFAULT_LEVELS,
    ) -> list[Forecast]:
        """One forecast a mix, in the same order. Never raises for a mix it cannot forecast: it says why."""
        results: list[Forecast | None] = [None] * len(mixes)
        groups: dict[tuple[tuple[float, ...], tuple[float, ...]], list[int]] = {}
        choices: dict[tuple[float, ...], tuple[tuple[float, ...], tuple[float, ...]]] = {}
        for index, mix in enumerate(mixes):
            ages = mix.ages_before(age_days)
            if ages and ages[-1] >= STANDARD_AGE and self._takes_standard_age(age_days):
                # It has reached what would be forecast first.
                results[index] = self._carried(mix, ages[-1], age_days, levels)
                continue
            if ages not in choices:
                choices[ages] = self._route(ages, age_days)
            groups.setdefault(choices[ages], []).append(index)
        asked = frozenset(mix.lab for mix in mixes)
        for (early, moved_from), rows in groups.items():
            picked = [mixes[i] for i in rows]
            if moved_from != early:
                picked = [self._moved(mix, moved_from, early) for mix in picked]
            for i, found in zip(
                rows, self._group(picked, early, age_days, levels, asked, moved_from), strict=True
            ):
                results[i] = found
        return [item for item in results if item is not None]

    def _route(self, ages: tuple[float, ...], target: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(early ages of the sub-model, the mix's own ages that stand for them)."""
        if self._takes_standard_age(target):
            target, ages = STANDARD_AGE, tuple(age for age in ages if age < STANDARD_AGE)
        chosen = self.choose_ages(ages, target)
        if chosen is not None:
            return chosen, chosen
        if ages:
            last = ages[-1]
            known = sorted(
                {
                    b.age_days
                    for mix in (*self.history, *self.prior)
                    for b in mix.breaks
                    if b.age_days < target
                },
                key=lambda age: abs(math.log(age / last)),
            )
            for age in known:
                if abs(math.log(age / last)) <= math.log(NEAREST_AGE_RATIO) and self.choose_ages(
                    (age,), target
                ):
                    return (age,), (last,)
        return (), ()

    def _takes_standard_age(self, target: float) -> bool:
        """Forecast 28 d and move it along the mean curve: where nobody has results at the age asked for, or others
        have and this laboratory has them at 28 d only."""
        if target == STANDARD_AGE:
            return False
        rows, own = self.usable((), target)
        return len(rows) < LEAST_ROWS or (own < LEAST_ROWS <= self.usable((), STANDARD_AGE)[1])

    def mean_curve(self) -> dict[float, float]:
        """Mean of ln(f(t)/f28) over the history, by age: moves a break to a neighbouring age. It never falls, though other
        mixes stand behind each age (those with 100 d gained more than those with 180 d)."""
        if self._curve is None:
            found: dict[float, list[float]] = {STANDARD_AGE: [0.0]}
            for mix in (*self.history, *self.prior):
                reached = mix.strength_at(STANDARD_AGE)
                if reached is not None:
                    for item in mix.breaks:
                        if item.strength_mpa >= LEAST_TELLING_MPA:
                            found.setdefault(item.age_days, []).append(
                                math.log(item.strength_mpa / reached.strength_mpa)
                            )
            young = {age: found[age] for age in sorted(found) if age < STANDARD_AGE}
            old = {age: found[age] for age in sorted(found) if age > STANDARD_AGE}
            self._curve = {
                **dict(zip(young, (min(level, 0.0) for level in _rising([*young.values()])), strict=True)),
                STANDARD_AGE: 0.0,
                **dict(zip(old, (max(level, 0.0) for level in _rising([*old.values()])), strict=True)),
            }
        return self._curve

    def level_at(self, age_days: float) -> float:
        """ln(f(t)/f28) at any age, linear in ln t between the ages of the history, on from its ends as EC2 (s 0.25) goes."""
        curve = self.mean_curve()
        ages = list(curve)
        within = min(max(age_days, ages[0]), ages[-1])
        known = float(np.interp(math.log(within), np.log(ages), list(curve.values())))
        return known + 0.25 * (math.sqrt(28 / within) - math.sqrt(28 / age_days))

    def _moved(self, mix: MixHistory, own: tuple[float, ...], early: tuple[float, ...]) -> MixHistory:
        found = mix.strength_at(own[-1])
        assert found is not None
        factor = math.exp(self.level_at(early[-1]) - self.level_at(own[-1]))
        moved = AgeStrength(early[-1], found.strength_mpa * factor, found.count)
        return MixHistory(
            mix.lab, mix.mix_id, (moved,), mix.composition, mix.curing_temperature_c, mix.grade_mpa
        )

    def _carried(self, mix: MixHistory, own: float, target: float, levels: Sequence[float]) -> Forecast:
        """A mix that is 28 d old or older, for an age at which there are no results: its last break along the mean curve."""
        last = mix.strength_at(own)
        assert last is not None  # it is one of the mix's ages
        centre = math.log(last.strength_mpa) + self.level_at(target) - self.level_at(own)
        gain = LATE_GAIN_SD * min(1.0, math.log(target / own) / math.log(2))
        sd = math.sqrt(gain**2 + specimen_variance(last) + SPECIMEN_CV**2 / 3)
        rule = _Rule("student-t", 0, np.empty(0), DEFAULT_NU, DEFAULT_C)
        return Forecast(
            lab=mix.lab,
            mix_id=mix.mix_id,
            age_days=target,
            strength_mpa=math.exp(centre),
            intervals={
                float(level): (
                    math.exp(centre - rule.quantile(float(level)) * sd),
                    math.exp(centre + rule.quantile(float(level)) * sd),
                )
                for level in levels
            },
            p_grade=rule.survival((math.log(mix.grade_mpa) - centre) / sd) if mix.grade_mpa else None,
            early_ages=(own,),
            local_mixes=sum(item.lab == mix.lab for item in self.history),
            history_mixes=len(self.history) + len(self.prior),
            method=f"mean curve/{rule.name}",
            note=f"break at {own:g} d taken to {target:g} d by the mean curve, widened",
        )

    def _group(
        self,
        mixes: list[MixHistory],
        early: tuple[float, ...],
        target: float,
        levels: Sequence[float],
        asked: frozenset[str],
        moved_from: tuple[float, ...],
    ) -> list[Forecast]:
        model = self.submodel(early, target, asked)
        scaled_from: float | None = None
        if target != STANDARD_AGE and (model is None or self._takes_standard_age(target)):
            model, scaled_from = self.submodel(early, STANDARD_AGE, asked), target
        if model is None:
            note = "no history has these ages, add one with results at the target age"
            return [Forecast(m.lab, m.mix_id, target, None, note=note, early_ages=moved_from) for m in mixes]
        raw, last, early_variance = raw_features(mixes, early)
        labs = np.array([model.lab_index.get(mix.lab, -1) for mix in mixes], dtype=np.int64)
        known = early_variance + model.promised
        widened = 1.0
        if moved_from != early:
            # Half of what separates the two ages is not known.
            widened = 1.0 + abs(math.log(moved_from[-1] / early[-1]))
        if scaled_from is not None:
            widened *= 1.0 + 0.5 * abs(math.log(scaled_from / 28.0))
        centre, sd = model.predict(raw, labs, last, known)
        sd = sd * widened
        if scaled_from is not None:
            centre = centre + self.level_at(target)
        outside = model.scaler.excess(raw)
        spread = sd * (1 + 0.25 * np.minimum(outside, 4.0))
        bare = ~np.isfinite(raw[:, :1]).ravel() if raw.shape[1] else np.ones(len(mixes), dtype=bool)
        own_names = {mix.lab for mix in self.history}
        rules = {int(lab): _Rule.of(model, int(lab)) for lab in np.unique(labs)}
        median = np.exp(centre).tolist()
        bounds = {}
        for level in levels:
            quantiles = {lab: rule.quantile(float(level)) for lab, rule in rules.items()}
            half = np.array([quantiles[int(lab)] for lab in labs]) * spread
            bounds[float(level)] = (np.exp(centre - half).tolist(), np.exp(centre + half).tolist())
        p_grades = self._grade_probabilities(mixes, labs, rules, centre, spread)
        common = []
        if moved_from != early:
            common.append(
                f"break at {moved_from[-1]:g} d taken to {early[-1]:g} d by the mean curve, widened"
            )
        if scaled_from is not None:
            common.append("no history at this age: 28-d forecast moved along the mean curve, widened")
        results = []
        for i, mix in enumerate(mixes):
            rule = rules[int(labs[i])]
            unused = () if early else mix.ages_before(min(target, STANDARD_AGE))
            notes = list(common)
            if unused:
                ages = ",".join(f"{age:g}" for age in unused)
                notes.append(
                    f"breaks at {ages} d are not used: too few mixes of the history have an age near them"
                )
            if not early and bare[i]:
                if any(mix.composition.values()):
                    nothing = (
                        "water or binder unknown" if unused else "no breaks, and water or binder unknown"
                    )
                else:
                    nothing = "no composition either" if unused else "neither breaks nor a composition"
                note = "; ".join([*notes, f"{nothing}: nothing to forecast from"])
                results.append(Forecast(mix.lab, mix.mix_id, target, None, note=note))
                continue
            if outside[i] > OUTSIDE_FROM:
                notes.append("outside what the history has seen, treat with care")
            if bare[i] and early:
                told = any(mix.composition.values())
                notes.append("water or binder unknown" if told else "composition unknown, strengths alone")
            if not model.informative:
                notes.append("no better than the running mean: these early tests carry little information")
            if mix.lab not in own_names and not rule.local:
                notes.append("no mixes of this laboratory in the history, interval for a new laboratory")
            results.append(
                Forecast(
                    lab=mix.lab,
                    mix_id=mix.mix_id,
                    age_days=target,
                    strength_mpa=median[i],
                    intervals={level: (low[i], high[i]) for level, (low, high) in bounds.items()},
                    p_grade=p_grades[i],
                    early_ages=moved_from,
                    local_mixes=rule.local,
                    history_mixes=len(model.keys),
                    method=f"{model.method}/{rule.name}",
                    note="; ".join(notes) if notes else "",
                )
            )
        return results

    @staticmethod
    def _grade_probabilities(
        mixes: list[MixHistory],
        labs: NDArray[np.int64],
        rules: dict[int, _Rule],
        centre: Array,
        spread: Array,
    ) -> list[float | None]:
        """P(f >= grade) for each mix that has one; laboratory by laboratory, since each has its own rule."""
        grades = np.array([mix.grade_mpa or np.nan for mix in mixes], dtype=float)
        found: list[float | None] = [None] * len(mixes)
        with np.errstate(invalid="ignore"):
            z = (np.log(grades) - centre) / spread
        for lab, rule in rules.items():
            rows = np.flatnonzero((labs == lab) & np.isfinite(z))
            for row, p in zip(rows.tolist(), rule.survivals(z[rows]).tolist(), strict=True):
                found[row] = p
        return found

    def held_out(self, early: tuple[float, ...], target: float = 28.0) -> dict[tuple[str, str], Forecast]:
        """For each mix of the history that has these ages and the target: what would have been said without
        its own result. Leave-one-out in closed form; only the hyperparameters have seen it."""
        model = self.submodel(early, target, frozenset())
        if model is None:
            return {}
        mixes = {mix.key: mix for mix in (*self.history, *self.prior)}
        picked = [mixes[key] for key in model.keys]
        mu, sd = model.leave_one_out()
        found = {}
        for i, mix in enumerate(picked):
            rule = _Rule.of(model, int(model.labs[i]), without=i)
            centre, spread = float(mu[i]), float(sd[i])
            found[mix.key] = Forecast(
                lab=mix.lab,
                mix_id=mix.mix_id,
                age_days=target,
                strength_mpa=math.exp(centre),
                intervals={
                    level: (
                        math.exp(centre - rule.quantile(level) * spread),
                        math.exp(centre + rule.quantile(level) * spread),
                    )
                    for level in DEFAULT_LEVELS
                },
                p_grade=rule.survival((math.log(mix.grade_mpa) - centre) / spread) if mix.grade_mpa else None,
                early_ages=early,
                local_mixes=rule.local,
                history_mixes=len(model.keys) - 1,
                method=f"{model.method}/{rule.name}",
                note="" if model.informative else "no better than the running mean",
            )
        return found

    # --- keeping ------------------------------------------------------------------------------------------

    def to_json(self, early: tuple[float, ...], target: float = 28.0) -> str:
        """The sub-model that forecasts from these ages, whole: the same forecast comes out of `from_json`."""
        model = self.submodel(early, target, frozenset())
        if model is None:
            raise ValueError(f"no sub-model for early ages {early}")
        return json.dumps(model.to_dict(), sort_keys=True, separators=(",", ":"))


def _rising(values: Sequence[Sequence[float]]) -> list[float]:
    """The means of these in order, none below the one before it: least squares, each value counting once."""
    if not values:
        return []
    from scipy.optimize import isotonic_regression

    means = [math.fsum(found) / len(found) for found in values]
    return [float(level) for level in isotonic_regression(means, weights=[*map(len, values)]).x]


def version_of(parameters: str) -> str:
    """SHA-256 of a stored sub-model."""
    return hashlib.sha256(parameters.encode()).hexdigest()


@dataclass(frozen=True)
class _Rule:
    """How a laboratory's interval is made: conformal from its own residuals, or Student-t."""

    name: str
    local: int
    z: Array
    nu: float
    c: float

    @classmethod
    def of(cls, model: SubModel, lab: int, without: int | None = None) -> _Rule:
        rows = model.labs == lab if lab >= 0 else np.zeros(len(model.labs), dtype=bool)
        if without is not None:
            rows = rows.copy()
            rows[without] = False
        z = model.z[rows]
        if len(z) >= CONFORMAL_FROM:
            return cls("conformal", len(z), z, *lab_scale(model.nu, model.c, z))
        few = len(model.lab_names) < LABORATORIES_FROM
        nu, c = lab_scale(model.nu, UNKNOWN_LAB_C if few and not len(z) else model.c, z)
        return cls("student-t", len(z), z, nu, c)

    def quantile(self, level: float) -> float:
        by_student = self.c * student_quantile(level, self.nu)
        if self.name != "conformal":
            return by_student
        quantile = conformal_quantile(self.z, level)
        # Thirty residuals say nothing of one case in a hundred: beyond the largest of them the tail is Student's.
        return quantile if level <= len(self.z) / (len(self.z) + 1) else max(quantile, by_student)

    def survival(self, bound: float) -> float:
        return float(self.survivals(np.array([bound]))[0])

    def survivals(self, bounds: Array) -> Array:
        if self.name == "conformal":
            return conformal_survival(self.z, bounds)
        return student_survival(bounds / self.c, self.nu)


def fit(
    history: Sequence[MixHistory],
    *,
    prior: Sequence[MixHistory] | None = None,
    asked: Sequence[MixHistory] = (),
    labs: frozenset[str] | None = None,
) -> FittedModel:
    """A model of this history. `prior` None takes the one that ships; () takes none. Mixes of the prior with the
    recipe of one that is `asked` about, or of the history, are left out. `labs` as for `FittedModel`."""
    if prior is None:
        from lims.strength.prior import shipped_prior

        prior = shipped_prior()
    return FittedModel(history, prior, asked, labs)
