"""`make bench-forecast`: error, coverage and speed of the forecast on the two licensed data sets.

Scored as issue 4 says: strengths of a mix are the mean of its specimens (BOxCrete) or the median of its rows (UCI); only
standard curing; ten folds by mix, mean of five seeds; the test fold gives its early ages alone. The shipped prior, which
holds these very mixes, is left out. A mix still below 1 MPa at 3 d (M97) is neither learned from nor scored.
"""

from __future__ import annotations

import csv
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from benchmarks.report import Report
from lims.strength.backtest import folds, only_early
from lims.strength.baselines import BASELINES, by_curve_fit, strengths
from lims.strength.curves import hyperbolic
from lims.strength.fit_prior import BOXCRETE, MPA_PER_PSI
from lims.strength.history import COMPOSITION, SET_BY_DAYS, SET_MPA, AgeStrength, MixHistory
from lims.strength.model import fit, raw_features

DATA = Path(__file__).parents[1] / "lims" / "importing" / "data"
SEEDS = 5
#: data set -> early ages -> MAPE to reach, %.
TARGETS = {
    "UCI": {(3.0,): 10.3, (7.0,): 8.0, (3.0, 7.0): 7.6},
    "BOxCrete": {(1.0,): 9.0, (3.0,): 7.6, (1.0, 3.0): 7.6},
}
#: Gradient boosting as measured for ../shared/forecasting.md (its library is no dependency of ours), %.
BOOSTING = {
    "UCI": {(3.0,): 13.0, (7.0,): 9.5, (3.0, 7.0): 9.3},
    "BOxCrete": {(1.0,): 20.0, (3.0,): 11.0, (1.0, 3.0): 11.5},
}


def boxcrete(kind: str = "Concrete") -> list[MixHistory]:
    mixes: dict[str, tuple[dict[str, float], list[AgeStrength]]] = {}
    with (DATA / "boxcrete_data.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["Mortar or Concrete"] != kind or float(row["Temp (C)"]) < 20:
                continue
            masses = {name: float(row[column]) for name, column in BOXCRETE.items()}
            values = [
                float(row[f"Strength{i} (psi)"]) * MPA_PER_PSI
                for i in (1, 2, 3)
                if row[f"Strength{i} (psi)"].strip()
            ]
            _masses, breaks = mixes.setdefault(row["Mix Name"], (masses, []))
            if values:
                breaks.append(AgeStrength(float(row["Time"]), sum(values) / len(values), len(values)))
    return [
        MixHistory(f"BOxCrete {kind}", name, tuple(breaks), masses)
        for name, (masses, breaks) in mixes.items()
    ]


def uci() -> list[MixHistory]:
    from python_calamine import CalamineWorkbook

    columns = ("cement_kg_m3", "slag_kg_m3", "fly_ash_kg_m3", "water_kg_m3", "superplasticizer_kg_m3")
    columns += ("coarse_aggregate_kg_m3", "fine_aggregate_kg_m3")
    rows = (
        CalamineWorkbook.from_path(str(DATA / "uci_Concrete_Data.xls")).get_sheet_by_index(0).to_python()[1:]
    )
    mixes: dict[tuple[float, ...], dict[float, list[float]]] = {}
    for row in rows:
        numbers = [float(value) for value in row]
        mixes.setdefault(tuple(numbers[:7]), {}).setdefault(numbers[7], []).append(numbers[8])
    return [
        MixHistory(
            "UCI",
            f"UCI-{i}",
            tuple(AgeStrength(age, statistics.median(v), len(v)) for age, v in sorted(by_age.items())),
            dict(zip(columns, masses, strict=True)),
        )
        for i, (masses, by_age) in enumerate(mixes.items())
    ]


def set_in_time(mix: MixHistory) -> bool:
    return not any(
        b.age_days >= SET_BY_DAYS and 0 < b.strength_mpa < SET_MPA for b in mix.breaks if b.age_days <= 28
    )


def scores(report: Report, name: str, mixes: Sequence[MixHistory]) -> None:
    for early, target in TARGETS[name].items():
        label = f"{name} {{{','.join(f'{age:g}' for age in early)}}}"
        usable = [
            mix
            for mix in mixes
            if set_in_time(mix) and mix.strength_at(28.0) and all(mix.strength_at(age) for age in early)
        ]
        actual = strengths(usable, 28.0)
        methods = {**BASELINES, "two-point curve_fit": by_curve_fit}
        ours, inside, width = [], {0.5: [], 0.9: []}, {0.5: [], 0.9: []}  # type: ignore[var-annotated]
        others: dict[str, list[float]] = {method: [] for method in methods}
        for seed in range(SEEDS):
            said = np.full(len(usable), np.nan)
            for part in folds(len(usable), seed):
                left = {usable[i].key for i in part}
                train = [mix for mix in mixes if mix.key not in left]
                test = [only_early(usable[i], early) for i in part]
                for i, found in zip(part, fit(train, prior=()).forecast(test), strict=True):
                    said[i] = found.strength_mpa or np.nan
                    for level, (low, high) in found.intervals.items():
                        inside[level].append(float(low <= actual[i] <= high))
                        width[level].append(float(high - low))
                for method, baseline in methods.items():
                    if seed == 0:
                        values = baseline(train, test, early, 28.0)
                        others[method] += list(100 * np.abs(values / actual[part] - 1))
            ours.append(float(100 * np.abs(said / actual - 1).mean()))
        error = statistics.mean(ours)
        report.at_most(f"{label} n={len(usable)}: MAPE", error, target, " %")
        for method, errors in others.items():
            if np.isfinite(errors).any():
                report.at_most(f"{label}: below {method}", error, round(float(np.nanmean(errors)), 2), " %")
        report.at_most(f"{label}: below gradient boosting (published)", error, BOOSTING[name][early], " %")
        report.within(f"{label}: in the 90 % interval", 100 * statistics.mean(inside[0.9]), 87, 93, " %")
        report.within(f"{label}: in the 50 % interval", 100 * statistics.mean(inside[0.5]), 45, 55, " %")
        report.tell(
            f"{label}: mean width of 90 % and 50 %",
            f"{statistics.mean(width[0.9]):.1f} / {statistics.mean(width[0.5]):.1f} MPa",
        )


def new_laboratory(
    report: Report, mixes: Sequence[MixHistory], other: Sequence[MixHistory], name: str
) -> None:
    """The laboratory left out, the other data as prior, 0, 3 and 10 of its mixes known; beside a line through ten."""
    early = (3.0,)
    usable = [m for m in mixes if set_in_time(m) and m.strength_at(28.0) and m.strength_at(3.0)]
    actual = strengths(usable, 28.0)
    linear = BASELINES["linear regression"]
    errors: dict[int, list[float]] = {0: [], 3: [], 10: []}
    inside: dict[int, list[float]] = {0: [], 3: [], 10: []}
    line: list[float] = []
    for seed in range(SEEDS):
        order = np.random.RandomState(seed).permutation(len(usable))
        for known in errors:
            local, rest = [usable[i] for i in order[:known]], order[known:]
            test = [only_early(usable[i], early) for i in rest]
            found = fit(local, prior=other).forecast(test)
            said = np.array([item.strength_mpa or np.nan for item in found])
            bounds = np.array([item.intervals[0.9] for item in found])
            inside[known].append(
                float(((actual[rest] >= bounds[:, 0]) & (actual[rest] <= bounds[:, 1])).mean())
            )
            errors[known].append(float(np.nanmean(100 * np.abs(said / actual[rest] - 1))))
            if known == 10:
                values = linear(local, test, early, 28.0)
                line.append(float(np.nanmean(100 * np.abs(values / actual[rest] - 1))))
    for known in inside:
        report.tell(
            f"{name} as a new laboratory, {known} own mixes {{3}}: in 90 %",
            100 * statistics.mean(inside[known]),
            " %",
        )
    for known in (0, 3):
        report.tell(
            f"{name} as a new laboratory, {known} own mixes {{3}}: MAPE", statistics.mean(errors[known]), " %"
        )
    report.at_most(
        f"{name} as a new laboratory, 10 own mixes {{3}}: 0.8 x line",
        statistics.mean(errors[10]),
        round(0.8 * statistics.mean(line), 2),
        " %",
    )


def synthetic(path: Path, n: int, *, early_only: bool, seed: int) -> None:
    """Mixes that gain strength as the laws say, with scatter; a row a set at 3, 7 (and 28) d."""
    chance = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["lab", "mix_id", "age_days", "strength_mpa", *COMPOSITION])
        for i in range(n):
            ratio, binder = chance.uniform(0.3, 0.65), chance.uniform(280, 500)
            slag, ash = binder * chance.choice([0, 0.2, 0.4]), binder * chance.choice([0, 0.15])
            masses = [binder - slag - ash, slag, ash, 0, 0, 0, ratio * binder, 0.01 * binder, 1000, 750]
            f28 = 120 / 7.5 ** (1.5 * ratio) * float(np.exp(chance.normal(0, 0.05)))
            three = 0.55 - 0.2 * (slag + ash) / binder
            for age, share in ((3, three), (7, three + 0.18), (28, 1.0)):
                if age < 28 or not early_only:
                    strength = f28 * share * float(np.exp(chance.normal(0, 0.03)))
                    writer.writerow(
                        [f"L{i % 3}", f"X{i}", age, round(strength, 2), *(round(m, 1) for m in masses)]
                    )


def speed(report: Report, folder: Path) -> None:
    from lims.strength.tables import read_table

    history, early, output = folder / "history.csv", folder / "early.csv", folder / "out.csv"
    synthetic(history, 900, early_only=False, seed=1)
    synthetic(early, 100_000, early_only=True, seed=2)
    lims = [sys.executable, "-m", "lims", "forecast", "--history", str(history), "--early", str(early)]
    whole = []
    for _run in range(3):
        started = time.perf_counter()
        subprocess.run([*lims, "--output", str(output)], check=True, capture_output=True)
        whole.append(time.perf_counter() - started)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    report.at_most("100,000 mixes CSV to CSV (median of 3)", statistics.median(whole), 10, " s")
    report.at_most("... memory", used, 1024, " MB")
    known, asked = read_table(history).mixes, read_table(early).mixes
    gc.disable()  # as the command does
    fits, models, numbers = [], [], []
    for _run in range(3):
        model = fit(known, prior=())
        started = time.perf_counter()
        sub = model.submodel((3.0, 7.0), 28.0, frozenset({"L0", "L1", "L2"}))
        fits.append(time.perf_counter() - started)
        assert sub is not None
        started = time.perf_counter()
        model.forecast(asked)
        models.append(time.perf_counter() - started)
        raw, last, variance = raw_features(asked, (3.0, 7.0))
        labs = np.array([sub.lab_index[mix.lab] for mix in asked])
        started = time.perf_counter()
        sub.predict(raw, labs, last, variance)
        numbers.append(time.perf_counter() - started)
    report.at_most("refit on 900 mixes (median of 3)", statistics.median(fits), 10, " s")
    report.at_most(
        "the model with its words, 100,000 mixes (median of 3)", statistics.median(models), 2, " s"
    )
    report.tell("... its numbers alone (median of 3)", statistics.median(numbers), " s")
    by_loop = statistics.median(curve_fit_loop(asked[:1000]) for _run in range(3))
    report.tell("a curve_fit loop, 1,000 of the same mixes (median of 3)", by_loop, " s")
    report.at_least(
        "times the speed of the curve_fit loop, numbers beside numbers",
        (by_loop / 1000) / (statistics.median(numbers) / len(asked)),
        200,
    )


def curve_fit_loop(mixes: Sequence[MixHistory]) -> float:
    """Seconds for a hyperbola through the early points of each mix, one after the other."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # two points and two parameters leave no covariance
        for mix in mixes:
            ages = np.array([b.age_days for b in mix.breaks])
            values = np.array([b.strength_mpa for b in mix.breaks])
            found, _cov = curve_fit(
                hyperbolic, ages, values, p0=(values[-1] * 1.3, 3.0), bounds=([0.1, 0.01], [500, 200])
            )
            hyperbolic(np.array([28.0]), *found)
    return time.perf_counter() - started


def main() -> None:
    warnings.simplefilter("ignore", OptimizeWarning)  # a curve through two points has no covariance
    report = Report("Forecast of the 28-day strength")
    report.head()
    box, other = boxcrete(), uci()
    scores(report, "UCI", other)
    scores(report, "BOxCrete", box)
    mortars = boxcrete("Mortar")
    new_laboratory(report, box, [*other, *mortars], "BOxCrete")
    new_laboratory(report, other, [*box, *mortars], "UCI")
    with tempfile.TemporaryDirectory() as folder:
        speed(report, Path(folder))
    report.close()


if __name__ == "__main__":
    main()
