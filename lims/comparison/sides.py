"""Both sides of a comparison row by row, as the page and the paper draw them."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _

from lims.comparison.outcome import Outcome, Triple
from lims.comparison.words import signed


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, and what stands in brackets behind it: its interval, or what it was rounded from."""

    value: str
    bracket: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.bracket})" if self.bracket else self.value


@dataclass(frozen=True, slots=True)
class SideRow:
    """Own cement, the other one, own minus other. `name` is for programs, `label` and `unit` for the reader."""

    name: str
    label: str
    unit: str
    own: Figure | None
    other: Figure | None
    difference: Figure


def side_rows(found: Outcome) -> list[SideRow]:
    """What a cubic metre takes of either side; money only where `found` holds it."""
    rows = [
        _measured(
            "binder", _("Binder"), "kg/m³", found.binder_own, found.binder_other, found.binder_difference
        ),
        SideRow(
            "ratio",
            _("Water/binder"),
            "",
            _span(found.ratio_own, 3),
            _span(found.ratio_other, 3),
            Figure(signed(found.ratio_own[0] - found.ratio_other[0], 3)),
        ),
        SideRow(
            "cement",
            _("Cement"),
            "kg/m³",
            Figure(f"{found.cement_own:.0f}"),
            Figure(f"{found.cement_other:.0f}"),
            Figure(signed(found.cement_own - found.cement_other)),
        ),
        SideRow(
            "bags",
            _("Bags of %(kg)s kg", kg=f"{found.bag_kg:g}"),
            "",
            Figure(str(found.bags_own), f"{found.cement_own / found.bag_kg:.1f}"),
            Figure(str(found.bags_other), f"{found.cement_other / found.bag_kg:.1f}"),
            Figure(signed(found.bags_own - found.bags_other)),
        ),
    ]
    if found.admixture_own and found.admixture_other and found.admixture_difference:
        sides = (found.admixture_own, found.admixture_other, found.admixture_difference)
        rows.append(_measured("admixture", _("Admixture, of the binder"), "%", *sides, places=2))
    if found.cost_own and found.cost_other and found.cost_difference:
        sides = (found.cost_own, found.cost_other, found.cost_difference)
        rows.append(_measured("cost", _("Materials"), _("yuan/m³"), *sides, places=1))
    strength = span_signed(found.strength_percent, 1)
    rows.append(SideRow("strength", _("Strength of the same mix"), "%", None, None, strength))
    return rows


def _measured(
    name: str, label: str, unit: str, own: Triple, other: Triple, difference: Triple, places: int = 0
) -> SideRow:
    return SideRow(
        name, label, unit, _span(own, places), _span(other, places), span_signed(difference, places)
    )


def _span(value: Triple, places: int) -> Figure:
    middle, low, high = (f"{part:.{places}f}" for part in value)
    return Figure(middle, f"{low} – {high}")


def span_signed(value: Triple, places: int = 0) -> Figure:
    """A difference with its interval."""
    middle, low, high = (signed(part, places) for part in value)
    return Figure(middle, _("%(low)s to %(high)s", low=low, high=high))
