"""`make bench-comparison`: which strength law public data prefer, and what the comparison's intervals and the test of a
change keep of their word."""

from __future__ import annotations

import math
import time

import numpy as np

from benchmarks.forecast import boxcrete, uci
from benchmarks.report import Report
from lims.strength.comparison import LAWS, TrialBatch, compare, linear_posterior
from lims.strength.effects import LotValue, effect

SCMS = ("slag_kg_m3", "fly_ash_kg_m3", "silica_fume_kg_m3", "other_scm_kg_m3")
RUNS = 400
BETA, LEVEL, WATER, TARGET = 1.2, 18.0, 175.0, 42.0


def laws(report: Report) -> None:
    """Leave-one-out error of ln f28, %, by law; the share of mineral admixtures is a column where it varies."""
    for name, mixes in (("UCI", uci()), ("BOxCrete", boxcrete())):
        rows = []
        for mix in mixes:
            strength = mix.strength_at(28.0)
            scm = sum(mix.composition.get(kind, 0.0) for kind in SCMS)
            binder = mix.composition.get("cement_kg_m3", 0.0) + scm
            if strength is not None and binder:
                rows.append((mix.composition["water_kg_m3"] / binder, strength.strength_mpa, scm / binder))
        for label, chosen in (
            ("cement alone", [r for r in rows if r[2] == 0]),
            ("with admixtures", [r for r in rows if r[2]]),
        ):
            if len(chosen) < 20:
                continue
            ratio, strength_mpa, share = (np.array(column) for column in zip(*chosen, strict=True))
            for law in LAWS:
                x, y = law.x(ratio), law.y(strength_mpa)
                columns = [np.ones_like(x), x - x.mean()]
                if float(np.ptp(share)) > 0.04:
                    columns.append(share - share.mean())
                found = linear_posterior(np.column_stack(columns), y, [""] * len(y))
                said = np.maximum(law.strength(y - found.left_out), 0.1)
                error = 100 * math.sqrt(float(((np.log(strength_mpa) - np.log(said)) ** 2).mean()))
                report.tell(f"{name}, {label} ({len(chosen)}), {law.name}", error, " %")


def trials(seed: int, offset: float, lots: int, lot_sd: float) -> list[TrialBatch]:
    chance = np.random.default_rng(seed)
    found = []
    for own in (True, False):
        for lot in range(lots):
            luck = chance.normal(0, lot_sd)
            for ratio in (0.40, 0.47, 0.54):
                level = math.log(LEVEL) - BETA * math.log(ratio) + (offset if own else 0) + luck
                found.append(TrialBatch(own, ratio, math.exp(level + chance.normal(0, 0.025)), f"L{lot}"))
    return found


def coverage(report: Report) -> None:
    offset = -0.045
    needed = (TARGET / LEVEL) ** (1 / BETA)
    truth = WATER * needed * (math.exp(-offset / BETA) - 1)
    for lots, lot_sd in ((2, 0.02), (3, 0.02), (5, 0.015), (8, 0.0)):
        spans = [compare(trials(seed, offset, lots, lot_sd), TARGET, WATER) for seed in range(RUNS)]
        held = sum(s.binder_difference.low <= truth <= s.binder_difference.high for s in spans)
        width = float(np.mean([s.binder_difference.high - s.binder_difference.low for s in spans]))
        report.within(
            f"90 % interval holds the truth, {lots} lots each, lot sd {lot_sd}",
            100 * held / RUNS,
            86,
            97,
            " %",
        )
        report.tell("... mean width", width, " kg/m³")
    begun = time.perf_counter()
    for seed in range(20):
        compare(trials(seed, offset, 6, 0.01), TARGET, WATER)
    report.at_most("one comparison of 36 batches", (time.perf_counter() - begun) / 20 * 1000, 300, " ms")


def alarms(report: Report) -> None:
    for before, after, spread in ((4, 4, 1.0), (6, 6, 1.0), (3, 7, 2.0), (12, 5, 1.0)):

        def changed(shift: float, before: int = before, after: int = after, spread: float = spread) -> float:
            count = 0
            for seed in range(RUNS):
                chance = np.random.default_rng(seed)
                lots = [LotValue(f"B{i}", i, False, v, 1) for i, v in enumerate(chance.normal(0, 1, before))]
                lots += [
                    LotValue(f"A{i}", i, True, v, 1)
                    for i, v in enumerate(chance.normal(shift, spread, after))
                ]
                count += effect(lots).changed
            return 100 * count / RUNS

        label = f"{before} lots before, {after} after, spread x{spread:g}"
        report.at_most(f"false alarms, {label}", changed(0.0), 7.5, " %")
        report.tell("... seen of a change of 2.5 lot deviations", changed(2.5), " %")


if __name__ == "__main__":
    made = Report("comparison of cements")
    made.head()
    laws(made)
    coverage(made)
    alarms(made)
    made.close()
