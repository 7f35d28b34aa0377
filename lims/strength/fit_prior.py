"""Writes prior.json from the public data: `python -m lims.strength.fit_prior DATA_FOLDER`.

Standard curing only; a mix's strength at an age is the combined value of its specimens; composition in kg/m^3.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lims.strength.history import COMPOSITION, STANDARD_CURING_FROM_C, combine
from lims.strength.prior import PATH
from lims.strength.tables import MPA_PER_PSI

BOXCRETE = {
    "cement_kg_m3": "Cement (kg/m3)",
    "slag_kg_m3": "Slag (kg/m3)",
    "fly_ash_kg_m3": "Fly Ash (kg/m3)",
    "water_kg_m3": "Water (kg/m3)",
    "superplasticizer_kg_m3": "HRWR (kg/m3)",
    "coarse_aggregate_kg_m3": "Coarse Aggregates (kg/m3)",
    "fine_aggregate_kg_m3": "Fine Aggregate (kg/m3)",
}
#: Columns of the UCI sheet; None where it has no such material.
UCI = (0, 1, 2, None, None, None, 3, 4, 5, 6)


def mixes_of_boxcrete(path: Path) -> Iterable[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["Temp (C)"]) < STANDARD_CURING_FROM_C:
                continue
            mix = found.setdefault(
                row["Mix Name"],
                {
                    "lab": "BOxCrete-" + row["Mortar or Concrete"].lower(),
                    "mix_id": row["Mix Name"],
                    "composition": [
                        float(row[BOXCRETE[name]]) if name in BOXCRETE else 0.0 for name in COMPOSITION
                    ],
                    "curing_temperature_c": float(row["Temp (C)"]),
                    "breaks": [],
                },
            )
            psi = [float(row[f"Strength{i} (psi)"]) for i in (1, 2, 3) if row[f"Strength{i} (psi)"].strip()]
            if psi:
                strength = combine(psi) * MPA_PER_PSI
                mix["breaks"].append([float(row["Time"]), round(strength, 3), len(psi)])
    return [mix for mix in found.values() if mix["breaks"]]


def mixes_of_uci(path: Path) -> Iterable[dict[str, Any]]:
    from python_calamine import CalamineWorkbook

    rows: list[list[Any]] = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()[1:]
    strengths: dict[tuple[float, ...], dict[float, list[float]]] = {}
    for row in dict.fromkeys(tuple(row) for row in rows):
        by_age = strengths.setdefault(tuple(float(v) for v in row[:7]), {})
        by_age.setdefault(float(row[7]), []).append(float(row[8]))
    for number, (masses, by_age) in enumerate(strengths.items(), start=1):
        yield {
            "lab": "UCI",
            "mix_id": f"UCI-{number:03d}",
            "composition": [0.0 if column is None else masses[column] for column in UCI],
            "breaks": [
                [age, round(combine(values), 3), len(values)] for age, values in sorted(by_age.items())
            ],
        }


def main(folder: Path) -> None:
    mixes = [
        *mixes_of_boxcrete(folder / "boxcrete_data.csv"),
        *(mix for mix in mixes_of_uci(folder / "uci_Concrete_Data.xls") if len(mix["breaks"]) > 1),
    ]
    data = {
        "sources": [
            "BOxCrete, Meta Platforms and University of Illinois Urbana-Champaign, MIT",
            "I-C. Yeh, Concrete Compressive Strength, UCI Machine Learning Repository, 1998, CC BY 4.0",
        ],
        "columns": list(COMPOSITION),
        "mixes": mixes,
    }
    PATH.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(mixes)} mixes, {PATH.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "importing" / "data")
