"""Figures beside targets: printed as a table, exit code 1 when one is missed."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.stolen import processor_times


@dataclass
class Report:
    """Rows of (what, figure, target, held?)."""

    title: str
    rows: list[tuple[str, str, str, bool | None]] = field(default_factory=list)
    _began: tuple[float, float] = field(default_factory=processor_times)

    def at_most(self, what: str, figure: float, target: float, unit: str = "") -> None:
        self._add(what, figure, f"<= {target:g}{unit}", figure <= target, unit)

    def at_least(self, what: str, figure: float, target: float, unit: str = "") -> None:
        self._add(what, figure, f">= {target:g}{unit}", figure >= target, unit)

    def within(self, what: str, figure: float, low: float, high: float, unit: str = "") -> None:
        self._add(what, figure, f"{low:g}-{high:g}{unit}", low <= figure <= high, unit)

    def tell(self, what: str, figure: float | str, unit: str = "") -> None:
        self.rows.append((what, figure if isinstance(figure, str) else f"{figure:.2f}{unit}", "", None))
        self._say()

    def _add(self, what: str, figure: float, target: str, held: bool, unit: str) -> None:
        self.rows.append((what, f"{figure:.2f}{unit}", target, held))
        self._say()

    def _say(self) -> None:
        what, figure, target, held = self.rows[-1]
        mark = "" if held is None else ("ok" if held else "MISSED")
        print(f"{what:<58} {figure:>14}  {target:<14} {mark}", flush=True)

    def head(self) -> None:
        print(
            f"{self.title}: {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )

    def close(self) -> None:
        stolen, every = (now - then for now, then in zip(processor_times(), self._began, strict=True))
        if stolen > 0:
            print(f"processor that the machine's host gave to others meanwhile: {100 * stolen / every:.1f} %")
        missed = [row for row in self.rows if row[3] is False]
        print(f"{len(missed)} missed" if missed else "every target held")
        sys.exit(1 if missed else 0)
