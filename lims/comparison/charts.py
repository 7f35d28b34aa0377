"""Specs of the charts: two laws with their bands and batches, lots before and after a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _

from lims.base.display import show_day
from lims.comparison.outcome import Outcome
from lims.comparison.works import EPOCH, Measured
from lims.strength.effects import LotValue


def laws_chart(found: Outcome, batches: Sequence[dict[str, Any]], own: str, other: str) -> dict[str, Any]:
    """For static/js/laws.js."""
    ratios = [float(item["ratio"]) for item in batches] + [found.ratio_own[0], found.ratio_other[0]]
    pad = 0.05 * (max(ratios) - min(ratios))
    return {
        "laws": [
            {
                "name": _("%(cement)s: law", cement=name),
                "band": _("%(cement)s: 90 %% interval", cement=name),
                "points_name": _("%(cement)s: batches", cement=name),
                **_curve(found.curves[side]),
                "points": [
                    [item["ratio"], round(item["strength_mpa"], 2), item["batch"]]
                    for item in batches
                    if item["own"] is (side == "own")
                ],
            }
            for side, name in (("own", own), ("other", other))
        ],
        "target": found.target_mpa,
        "range": [round(min(ratios) - pad, 3), round(max(ratios) + pad, 3)],
        "labels": {"x": _("w/b"), "target": _("Strength to reach")},
    }


def _curve(rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    ratios, median, low, high = rows
    return {
        name: [[ratio, round(value, 2)] for ratio, value in zip(ratios, values, strict=True)]
        for name, values in (("median", median), ("low", low), ("high", high))
    }


def lots_chart(measured: Measured) -> dict[str, Any]:
    """For static/js/series.js: lot means in their order, with the mean of each side as a dashed line."""
    lots, found = measured.lots, measured.effect

    def side(after: bool, value: Any) -> list[float | None]:
        return [round(value(lot), 3) if lot.after is after else None for lot in lots]

    def mean(after: bool) -> list[float | None]:
        level = found.mean_after if after else found.mean_before
        return [None if level is None or lot.after is not after else round(level, 3) for lot in lots]

    return {
        "x": [lot.lot for lot in lots],
        "least": True,
        "paired": True,
        "series": [
            {"name": _("Lots before"), "data": side(False, _value)},
            {"name": _("Mean before"), "data": mean(False), "dashed": True},
            {"name": _("Lots after"), "data": side(True, _value)},
            {"name": _("Mean after"), "data": mean(True), "dashed": True},
        ],
        "labels": {"x": _("Cement lot"), "y": measured.unit},
    }


def _value(lot: LotValue) -> float:
    return lot.value


def day_of(lot: LotValue) -> str:
    return show_day(EPOCH.fromordinal(EPOCH.toordinal() + round(lot.day)))
