"""Fit on a history, forecast a mix: median, intervals, probability of the grade, and what it rests on.

One sub-model for each set of early ages (none, {1}, {3}, {3, 7}, ...), fitted when first asked for. The target is
ln f28 - ln f_last, standardised; see forecasting notes in docs/architecture.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lims.strength.features import Scaler, composition_features, composition_matrix, early_features
from lims.strength.history import MixHistory
from lims.strength.intervals import (
    CONFORMAL_FROM,
    DEFAULT_C,
    DEFAULT_NU,
    conformal_quantile,
    conformal_survival,
    fit_lab_t,
    lab_scale,
    student_quantile,
    student_survival,
)
from lims.strength.kernel import JITTER, Hyper, cross_kernel, fit_hyper, own_variance

Array = NDArray[np.float64]

MOST_ROWS = 900
MOST_ROWS_OF_A_LAB = 40
#: From here on a laboratory's own rows may carry length scales of their own (HGPR).
HGPR_FROM = 60
#: With so many own usable mixes the shipped prior is left out: own history has taken over.
PRIOR_UNTIL = 60
#: A set of early ages needs this many mixes that have all of them and the target.
LEAST_ROWS = 12
#: Within-set coefficient of variation of a specimen (the floor of any forecast), as a logarithm.
SPECIMEN_CV = 0.029
#: A break at an age that the history lacks may stand for one this close (ratio of ages), at a price in width.
NEAREST_AGE_RATIO = 1.6
DEFAULT_LEVELS = (0.5, 0.9)
CHUNK = 4000
#: Histories up to this size are cross-fitted: honest intervals at the price of FOLDS more fits.
CROSS_FIT_UNTIL = 300
FOLDS = 5
#: A feature this many standard deviations beyond the history is worth a word.
OUTSIDE_FROM = 0.5


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


@dataclass
class SubModel:
    """The fit for one set of early ages and one target age."""

    early: tuple[float, ...]
    target: float
    hyper: Hyper
    x: Array
    labs: NDArray[np.int64]
    lab_names: list[str]
    keys: list[tuple[str, str]]
    y: Array
    m0: float
    ys: float
    noise: Array
    mean: Array
    scale: Array
    low: Array
    high: Array
    nu: float = DEFAULT_NU
    c: float = DEFAULT_C
    #: The target's strengths and the last early strengths, MPa, for the honest comparison with doing nothing.
    informative: bool = True
    #: Standardised residuals of rows left out with their fold, hyperparameters included; None: leave-one-out.
    z_folds: Array | None = None

    def __post_init__(self) -> None:
        k = cross_kernel(self.hyper, self.x, self.labs, self.x, self.labs)
        k[np.diag_indices_from(k)] += self.hyper.s2 + self.noise + JITTER
        factor = cho_factor(k, lower=True)
        self.inverse: Array = cho_solve(factor, np.eye(len(k)))
        self.alpha: Array = self.inverse @ self.y
        diagonal = np.diag(self.inverse)
        #: Standardised residuals of rows that were left out.
        self.z: Array = self.alpha / np.sqrt(diagonal) if self.z_folds is None else self.z_folds
        self.scaler = Scaler(self.mean, self.scale, self.low, self.high)
        self.lab_index = {name: i for i, name in enumerate(self.lab_names)}

    @property
    def method(self) -> str:
        return self.hyper.method

    def log_score(self) -> float:
        """Mean leave-one-out log density: chooses between HRidge and HGPR."""
        diagonal = np.diag(self.inverse)
        z = self.alpha / np.sqrt(diagonal)
        return float((-0.5 * z**2 + 0.5 * np.log(diagonal)).mean())

    def predict(self, raw: Array, labs: NDArray[np.int64], noise: Array) -> tuple[Array, Array]:
        """(mu, sd) of the standardised target for raw features (m, d), in chunks so that memory stays small."""
        x = self.scaler.apply(raw)
        mu, var = np.empty(len(x)), np.empty(len(x))
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            k = cross_kernel(self.hyper, x[part], labs[part], self.x, self.labs)
            mu[part] = k @ self.alpha
            var[part] = own_variance(self.hyper, x[part]) - np.einsum("ij,ij->i", k @ self.inverse, k)
        return mu, np.sqrt(np.maximum(var, 1e-9) + self.hyper.s2 + noise)

    def leave_one_out(self) -> tuple[Array, Array]:
        """(mu, sd) for each training row from all others: closed form, hyperparameters shared."""
        diagonal = np.diag(self.inverse)
        return self.y - self.alpha / diagonal, 1 / np.sqrt(diagonal)

    def to_dict(self) -> dict[str, Any]:
        return {
            "early": list(self.early),
            "target": self.target,
            "hyper": asdict(self.hyper),
            "x": self.x.round(9).tolist(),
            "labs": self.labs.tolist(),
            "lab_names": self.lab_names,
            "keys": [list(key) for key in self.keys],
            "y": self.y.round(9).tolist(),
            "m0": self.m0,
            "ys": self.ys,
            "noise": self.noise.round(9).tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "z_folds": None if self.z_folds is None else self.z_folds.round(9).tolist(),
            "nu": self.nu,
            "c": self.c,
            "informative": self.informative,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SubModel:
        hyper = Hyper(**{**data["hyper"], "l": tuple(data["hyper"]["l"])})
        return cls(
            early=tuple(data["early"]),
            target=data["target"],
            hyper=hyper,
            x=np.array(data["x"], dtype=float).reshape(len(data["y"]), -1),
            labs=np.array(data["labs"], dtype=np.int64),
            lab_names=list(data["lab_names"]),
            keys=[(lab, mix) for lab, mix in data["keys"]],
            y=np.array(data["y"], dtype=float),
            m0=data["m0"],
            ys=data["ys"],
            noise=np.array(data["noise"], dtype=float),
            mean=np.array(data["mean"], dtype=float),
            scale=np.array(data["scale"], dtype=float),
            low=np.array(data["low"], dtype=float),
            high=np.array(data["high"], dtype=float),
            z_folds=None if data["z_folds"] is None else np.array(data["z_folds"], dtype=float),
            nu=data["nu"],
            c=data["c"],
            informative=data["informative"],
        )


def raw_features(mixes: Sequence[MixHistory], early: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """(features (n, d) with NaN for unknown, ln f_last (n,), 1/count of the last break (n,))."""
    strengths = np.empty((len(mixes), len(early)))
    inverse_count = np.zeros(len(mixes))
    for row, mix in enumerate(mixes):
        for column, age in enumerate(early):
            found = mix.strength_at(age)
            assert found is not None
            strengths[row, column] = found.strength_mpa
            inverse_count[row] = 1 / max(found.count, 1)
    composition = composition_features(composition_matrix(mixes))
    last = np.log(strengths[:, -1]) if early else np.zeros(len(mixes))
    return np.column_stack([composition, early_features(strengths)]), last, inverse_count


def select_rows(mixes: Sequence[MixHistory], asked_labs: frozenset[str]) -> list[MixHistory]:
    """At most 900 rows: everything if it fits, else 40 a laboratory and as many as fit of those asked about.

    Evenly spaced in the order given, so that the choice is the same each time.
    """
    if len(mixes) <= MOST_ROWS:
        return list(mixes)
    by_lab: dict[str, list[MixHistory]] = {}
    for mix in mixes:
        by_lab.setdefault(mix.lab, []).append(mix)
    others = [lab for lab in by_lab if lab not in asked_labs]
    asked = [lab for lab in by_lab if lab in asked_labs]
    room_for_others = MOST_ROWS // 3 if asked else MOST_ROWS
    each = max(1, min(MOST_ROWS_OF_A_LAB, room_for_others // max(len(others), 1)))
    chosen: list[MixHistory] = []
    for lab in others:
        chosen += _spaced(by_lab[lab], each)
    chosen = chosen[: MOST_ROWS if not asked else room_for_others]
    share = (MOST_ROWS - len(chosen)) // max(len(asked), 1)
    for lab in asked:
        chosen += _spaced(by_lab[lab], max(share, 1))
    return chosen[:MOST_ROWS]


def _spaced(items: list[MixHistory], most: int) -> list[MixHistory]:
    if len(items) <= most:
        return items
    return [items[int(i * len(items) / most)] for i in range(most)]


def fit_submodel(mixes: Sequence[MixHistory], early: tuple[float, ...], target: float) -> SubModel:
    """Fit one set of early ages on mixes that have all of them and the target."""
    raw, last, inverse_count = raw_features(mixes, early)
    reached = [mix.strength_at(target) for mix in mixes]
    logs = np.array([math.log(item.strength_mpa) for item in reached if item is not None]) - last
    count28 = np.array([1 / max(item.count, 1) for item in reached if item is not None])
    m0, ys = float(logs.mean()), float(max(logs.std(ddof=1), 0.02)) if len(logs) > 1 else 0.2
    y = (logs - m0) / ys
    noise = (SPECIMEN_CV / ys) ** 2 * (count28 + inverse_count)
    scaler = Scaler.of(raw)
    x = scaler.apply(raw)
    lab_names = sorted({mix.lab for mix in mixes})
    index = {name: i for i, name in enumerate(lab_names)}
    labs = np.array([index[mix.lab] for mix in mixes], dtype=np.int64)

    def build(hyper: Hyper, z_folds: Array | None = None) -> SubModel:
        return SubModel(
            early,
            target,
            hyper,
            x,
            labs,
            lab_names,
            [m.key for m in mixes],
            y,
            m0,
            ys,
            noise,
            scaler.mean,
            scaler.scale,
            scaler.low,
            scaler.high,
            z_folds=z_folds,
        )

    candidates = [False, True] if np.bincount(labs).max() >= HGPR_FROM else [False]
    if len(y) <= CROSS_FIT_UNTIL:
        fitted = []
        for rbf in candidates:
            z, score = cross_fit(raw, labs, y, noise, rbf=rbf)
            fitted.append((score, rbf, z))
        _score, rbf, z = max(fitted, key=lambda item: item[0])
        best = build(fit_hyper(x, labs, y, noise, rbf=rbf), z)
    else:
        best = max(
            (build(fit_hyper(x, labs, y, noise, rbf=rbf)) for rbf in candidates), key=SubModel.log_score
        )
    best.nu, best.c = fit_lab_t([best.z[labs == i] for i in range(len(lab_names))])
    best.informative = _beats_the_mean(best, last, logs)
    return best


def cross_fit(
    raw: Array, labs: NDArray[np.int64], y: Array, noise: Array, *, rbf: bool
) -> tuple[Array, float]:
    """Residuals of rows whose fold was left out of everything, scaling and hyperparameters included.

    Leave-one-out in closed form shares the hyperparameters and is too sure of itself on small histories.
    Returns: (n,) standardised residuals, and their mean log density (to choose between HRidge and HGPR).
    """
    n = len(y)
    order = np.random.RandomState(0).permutation(n)
    z, score = np.empty(n), 0.0
    for fold in np.array_split(order, min(FOLDS, n)):
        rest = np.setdiff1d(order, fold)
        scaler = Scaler.of(raw[rest])
        xa, xb = scaler.apply(raw[rest]), scaler.apply(raw[fold])
        hyper = fit_hyper(xa, labs[rest], y[rest], noise[rest], rbf=rbf)
        k = cross_kernel(hyper, xa, labs[rest], xa, labs[rest])
        k[np.diag_indices_from(k)] += hyper.s2 + noise[rest] + JITTER
        factor = cho_factor(k, lower=True)
        across = cross_kernel(hyper, xb, labs[fold], xa, labs[rest])
        mu = across @ cho_solve(factor, y[rest])
        var = own_variance(hyper, xb) - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
        sd = np.sqrt(np.maximum(var, 1e-9) + hyper.s2 + noise[fold])
        z[fold] = (y[fold] - mu) / sd
        score += float((-0.5 * z[fold] ** 2 - np.log(sd)).sum())
    return z, score / n


def _beats_the_mean(model: SubModel, last: Array, logs: Array) -> bool:
    """Is the leave-one-out error smaller than that of saying the laboratory's running mean of f28?"""
    mu, _sd = model.leave_one_out()
    error = np.abs(mu * model.ys + model.m0 - logs)
    reached = logs + last
    total = np.zeros(len(reached))
    for lab in np.unique(model.labs):
        rows = model.labs == lab
        n = rows.sum()
        if n < 2:
            total[rows] = np.abs(reached[rows] - reached.mean())
        else:
            total[rows] = np.abs(reached[rows] - (reached[rows].sum() - reached[rows]) / (n - 1))
    return bool(error.mean() < total.mean())


class FittedModel:
    """All of a history, ready to forecast. Sub-models are fitted when first needed and then kept."""

    def __init__(self, history: Sequence[MixHistory], prior: Sequence[MixHistory] = ()) -> None:
        self.history = [mix for mix in history if mix.standard]
        self.prior = [mix for mix in prior if mix.standard]
        self._models: dict[tuple[tuple[float, ...], float, frozenset[str]], SubModel | None] = {}
        self._curve: dict[float, float] | None = None

    # --- what there is ------------------------------------------------------------------------------------

    def usable(self, early: tuple[float, ...], target: float) -> tuple[list[MixHistory], int]:
        """Mixes with all early ages and the target: own history first, the prior while that is short."""

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
        asked = asked if len(rows) > MOST_ROWS else frozenset()
        key = (early, target, asked)
        if key not in self._models:
            self._models[key] = (
                fit_submodel(select_rows(rows, asked), early, target) if len(rows) >= LEAST_ROWS else None
            )
        return self._models[key]

    def choose_ages(self, ages: tuple[float, ...], target: float) -> tuple[float, ...] | None:
        """The subset of a mix's early ages that the history supports best.

        More ages and later ones tell more, as long as enough mixes have them; None when no mix has any.
        """
        best: tuple[float, tuple[float, ...]] | None = None
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
        return (early, target, frozenset[str]()) in self._models

    def put(self, model: SubModel, stale_after: float) -> bool:
        """Use a stored sub-model unless the history has outgrown it by this share. Returns whether it is used."""
        rows, _own = self.usable(model.early, model.target)
        fresh = min(len(rows), MOST_ROWS) <= len(model.keys) * (1 + stale_after) + 1
        if fresh:
            self._models[(model.early, model.target, frozenset())] = model
        return fresh

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

    def mean_curve(self) -> dict[float, float]:
        """Mean of ln(f(t)/f28) over the history, by age: moves a break to a neighbouring age."""
        if self._curve is None:
            sums: dict[float, list[float]] = {28.0: [0.0]}
            for mix in (*self.history, *self.prior):
                reached = mix.strength_at(28.0)
                if reached is not None:
                    for item in mix.breaks:
                        if item.strength_mpa > 0:
                            sums.setdefault(item.age_days, []).append(
                                math.log(item.strength_mpa / reached.strength_mpa)
                            )
            self._curve = {age: float(np.mean(values)) for age, values in sorted(sums.items())}
        return self._curve

    def level_at(self, age_days: float) -> float:
        """ln(f(t)/f28) at any age, linear in ln t between the ages of the history, EC2 (s 0.25) beyond them."""
        curve = self.mean_curve()
        ages = np.array(list(curve))
        if len(ages) < 2 or not ages[0] <= age_days <= ages[-1]:
            return 0.25 * (1 - math.sqrt(28 / age_days))
        return float(np.interp(math.log(age_days), np.log(ages), np.array(list(curve.values()))))

    def _moved(self, mix: MixHistory, own: tuple[float, ...], early: tuple[float, ...]) -> MixHistory:
        from lims.strength.history import AgeStrength

        found = mix.strength_at(own[-1])
        assert found is not None
        factor = math.exp(self.level_at(early[-1]) - self.level_at(own[-1]))
        moved = AgeStrength(early[-1], found.strength_mpa * factor, found.count)
        return MixHistory(
            mix.lab, mix.mix_id, (moved,), mix.composition, mix.curing_temperature_c, mix.grade_mpa
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
        if model is None and target != 28.0:
            model, scaled_from = self.submodel(early, 28.0, asked), target
        if model is None:
            note = "no history has these ages; add a history with results at the target age"
            return [Forecast(m.lab, m.mix_id, target, None, note=note, early_ages=moved_from) for m in mixes]
        raw, last, inverse_count = raw_features(mixes, early)
        labs = np.array([model.lab_index.get(mix.lab, -1) for mix in mixes], dtype=np.int64)
        noise = (SPECIMEN_CV / model.ys) ** 2 * (inverse_count + 1 / 3)
        widened = 1.0
        if moved_from != early:
            # Half of what separates the two ages is not known.
            widened = 1.0 + abs(math.log(moved_from[-1] / early[-1]))
        if scaled_from is not None:
            widened *= 1.0 + 0.5 * abs(math.log(scaled_from / 28.0))
        mu, sd = model.predict(raw, labs, noise)
        sd = sd * widened
        shift = last + model.m0 + (self.level_at(target) if scaled_from is not None else 0.0)
        outside = model.scaler.excess(raw)
        sd = sd * (1 + 0.25 * np.minimum(outside, 4.0))
        bare = ~np.isfinite(raw[:, :1]).ravel() if raw.shape[1] else np.ones(len(mixes), dtype=bool)
        own_names = {mix.lab for mix in self.history}
        rules: dict[int, _Rule] = {}
        results = []
        for i, mix in enumerate(mixes):
            lab = int(labs[i])
            if lab not in rules:
                rules[lab] = _Rule.of(model, lab)
            rule = rules[lab]
            if not early and bare[i]:
                note = "neither breaks nor a composition: nothing to forecast from"
                results.append(Forecast(mix.lab, mix.mix_id, target, None, note=note))
                continue
            centre = float(mu[i] * model.ys + shift[i])
            spread = float(sd[i] * model.ys)
            intervals = {
                float(level): (
                    math.exp(centre - rule.quantile(level) * spread),
                    math.exp(centre + rule.quantile(level) * spread),
                )
                for level in levels
            }
            p_grade = None
            if mix.grade_mpa is not None and mix.grade_mpa > 0:
                p_grade = rule.survival((math.log(mix.grade_mpa) - centre) / spread)
            notes = []
            if moved_from != early:
                notes.append(
                    f"break at {moved_from[-1]:g} d taken to {early[-1]:g} d by the mean curve; widened"
                )
            if scaled_from is not None:
                notes.append("no history at this age: 28-d forecast moved along the mean curve; widened")
            if outside[i] > OUTSIDE_FROM:
                notes.append("outside what the history has seen; treat with care")
            if bare[i] and early:
                notes.append("composition unknown; strengths alone")
            if not model.informative:
                notes.append("no better than the running mean: these early tests carry little information")
            if mix.lab not in own_names and not rule.local:
                notes.append("no mixes of this laboratory in the history; interval for a new laboratory")
            results.append(
                Forecast(
                    lab=mix.lab,
                    mix_id=mix.mix_id,
                    age_days=target,
                    strength_mpa=math.exp(centre),
                    intervals=intervals,
                    p_grade=p_grade,
                    early_ages=moved_from,
                    local_mixes=rule.local,
                    history_mixes=len(model.keys),
                    method=f"{model.method}/{rule.name}",
                    note="; ".join(notes),
                )
            )
        return results

    def held_out(self, early: tuple[float, ...], target: float = 28.0) -> dict[tuple[str, str], Forecast]:
        """For each mix of the history that has these ages and the target: what would have been said without
        its own result. Leave-one-out in closed form; only the hyperparameters have seen it."""
        model = self.submodel(early, target, frozenset())
        if model is None:
            return {}
        mixes = {mix.key: mix for mix in (*self.history, *self.prior)}
        picked = [mixes[key] for key in model.keys]
        _raw, last, _count = raw_features(picked, early)
        mu, sd = model.leave_one_out()
        found = {}
        for i, mix in enumerate(picked):
            rule = _Rule.of(model, int(model.labs[i]), without=i)
            centre = float(mu[i] * model.ys + model.m0 + last[i])
            spread = float(sd[i] * model.ys)
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
            return cls("conformal", len(z), z, 0.0, 1.0)
        nu, c = lab_scale(model.nu, model.c, z)
        return cls("student-t", len(z), z, nu, c)

    def quantile(self, level: float) -> float:
        if self.name == "conformal":
            return conformal_quantile(self.z, level)
        return self.c * student_quantile(level, self.nu)

    def survival(self, bound: float) -> float:
        if self.name == "conformal":
            return conformal_survival(self.z, bound)
        return student_survival(bound / self.c, self.nu)


def fit(history: Sequence[MixHistory], *, prior: Sequence[MixHistory] | None = None) -> FittedModel:
    """A model of this history. `prior` None takes the one that ships; () takes none."""
    if prior is None:
        from lims.strength.prior import shipped_prior

        prior = shipped_prior()
    return FittedModel(history, prior)
