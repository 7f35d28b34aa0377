"""A comparison of two cements as paper: the answer, both sides, the two laws as a picture, the batches behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response
from flask_babel import gettext as _
from markupsafe import escape

from lims.base.axes import round_step
from lims.base.files import file_response
from lims.base.laboratory import laboratory
from lims.base.papers import pdf
from lims.comparison.outcome import Outcome
from lims.comparison.sides import SideRow, side_rows
from lims.comparison.words import LAW_NAMES, admixture_words, bag_words, headline, note_words

#: Units of the picture.
WIDTH, HEIGHT = 640, 330
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 44
COLOURS = {"own": "#0f766e", "other": "#b45309"}
TARGET_COLOUR = "#b91c1c"
FONT = "Noto Sans CJK SC"
#: Lines of a grid that an axis gets at most between its ends.
LINES = 5


def comparison_pdf(
    found: Outcome,
    batches: Sequence[Mapping[str, Any]],
    names: tuple[str, str],
    *,
    title: str,
    code: str,
    rows: Sequence[tuple[str, str]],
    earlier: tuple[str, Outcome] | None = None,
    prices: Mapping[str, float | None] | None = None,
) -> Response:
    """`found` is what the reader may see: without money where there is none to see. `rows` say whose question it was."""
    money = found.cost_difference is not None
    lab = laboratory()
    data = {
        "title": title,
        "code": code,
        "laboratory": lab.works or lab.name,
        "asked": _("%(mpa)s MPa at %(days)s d", mpa=f"{found.target_mpa:.1f}", days=found.age_days),
        "verdict": _("told apart") if found.told_apart else _("not told apart"),
        "told": found.told_apart,
        "headline": headline(found, prices=money),
        "sentences": [admixture_words(found), bag_words(found)],
        "notes": note_words(found),
        "rows": [list(row) for row in rows],
        "sides_title": _("Side by side"),
        "sides_heads": [_("Of a cubic metre"), *names, _("Own minus other")],
        "sides": [_side(row) for row in side_rows(found)],
        "intervals": _("In brackets the 90 % interval."),
        "before_title": _("Before and after"),
        "before_heads": [_("Comparison"), _("In words")],
        "before": []
        if earlier is None
        else [
            [earlier[0], headline(earlier[1], prices=money)],
            [code or title, headline(found, prices=money)],
        ],
        "chart_title": _("Strength over the water/binder ratio"),
        "chart": "laws.svg",
        "chart_words": _(
            "Law: %(law)s. Lots scatter by %(lots)s %%, batches by %(batches)s %%. At %(water)s kg/m³ of water and "
            "%(share)s %% mineral admixtures.",
            law=LAW_NAMES[found.law],
            lots=f"{found.lot_sd_percent:.1f}",
            batches=f"{found.batch_sd_percent:.1f}",
            water=f"{found.water_kg_m3:.0f}",
            share=f"{found.scm_share_percent:.0f}",
        ),
        "batches_title": _("The batches behind it"),
        "batches_heads": [
            _("Batch"), _("Cement"), _("Cement lot"), _("Water/binder"), f"{_('Admixture')} %",
            f"{_('Slump')} mm", f"{_('Strength')} MPa",
        ],
        "batches": [_batch(item, names) for item in batches],
        "prices_title": _("Prices it was counted with"),
        "prices_heads": [_("Material"), _("yuan/t")],
        "prices": _prices(prices, names) if money and prices is not None else [],
    }  # fmt: skip
    picture = laws_svg(found, batches, names).encode()
    name = f"{code or 'comparison'}.pdf"
    return file_response(
        pdf("comparison", data, files={"laws.svg": picture}), "application/pdf", name, in_place=True
    )


def _side(row: SideRow) -> list[str]:
    """A row as cells of text."""
    label = _("%(name)s, %(what)s", name=row.label, what=row.unit) if row.unit else row.label
    return [label, str(row.own or ""), str(row.other or ""), str(row.difference)]


def _batch(item: Mapping[str, Any], names: tuple[str, str]) -> list[str]:
    def number(value: float | None, places: int) -> str:
        return "–" if value is None else f"{value:.{places}f}"

    return [
        str(item["batch"]),
        names[0] if item["own"] else names[1],
        str(item["lot"] or "–"),
        number(item["ratio"], 3),
        number(item["admixture_percent"], 2),
        number(item["slump_mm"], 0),
        number(item["strength_mpa"], 1),
    ]


def _prices(prices: Mapping[str, float | None], names: tuple[str, str]) -> list[list[str]]:
    labels = {
        "cement_own": names[0],
        "cement_other": names[1],
        "scm": _("Mineral admixtures"),
        "admixture": _("Water reducer"),
        "aggregate": _("Aggregates"),
    }
    found = [(labels[key], prices.get(key)) for key in labels]
    return [[label, f"{price:.0f}"] for label, price in found if price is not None]


def laws_svg(found: Outcome, batches: Sequence[Mapping[str, Any]], names: tuple[str, str]) -> str:
    """Both laws with their 90 % bands, the batches and the strength to reach, as the page's chart shows them."""
    ratios = [float(item["ratio"]) for item in batches] + [found.ratio_own[0], found.ratio_other[0]]
    pad = 0.05 * (max(ratios) - min(ratios))
    low_x, high_x = min(ratios) - pad, max(ratios) + pad
    curves = {side: _inside(found.curves[side], low_x, high_x) for side in COLOURS}
    heights = [float(item["strength_mpa"]) for item in batches] + [found.target_mpa]
    heights += [value for rows in curves.values() for row in rows for value in row[2:]]
    step_y = round_step(max(heights) - min(heights), LINES)
    low_y = math.floor(min(heights) / step_y) * step_y
    high_y = math.ceil(max(heights) / step_y) * step_y

    def x(ratio: float) -> str:
        return f"{LEFT + (ratio - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT):.1f}"

    def y(mpa: float) -> str:
        return f"{HEIGHT - BOTTOM - (mpa - low_y) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM):.1f}"

    def line(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x(ratio)},{y(mpa)}" for ratio, mpa in points)

    def words(at_x: str, at_y: str, text: str, anchor: str = "middle", colour: str = "#334155") -> str:
        return (
            f'<text x="{at_x}" y="{at_y}" text-anchor="{anchor}" fill="{colour}" font-family="{FONT}" '
            f'font-size="11">{escape(text)}</text>'
        )

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">']
    for level in _ticks(low_y, high_y, step_y):
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(level)}" y2="{y(level)}" stroke="#e2e8f0"/>'
        )
        parts.append(words(str(LEFT - 6), f"{float(y(level)) + 4:.1f}", f"{level:g}", "end"))
    step_x = round_step(high_x - low_x, LINES)
    for ratio in _ticks(math.ceil(low_x / step_x) * step_x, high_x, step_x):
        parts.append(words(x(ratio), str(HEIGHT - BOTTOM + 16), f"{ratio:.2f}"))
    parts.append(words(str(WIDTH - RIGHT), str(HEIGHT - BOTTOM + 16), _("w/b"), "end"))
    parts.append(words(str(LEFT + 4), str(TOP + 10), "MPa", "start"))
    for side, colour in COLOURS.items():
        rows = curves[side]
        band = [(r[0], r[3]) for r in rows] + [(r[0], r[2]) for r in reversed(rows)]
        parts.append(f'<polygon points="{line(band)}" fill="{colour}" fill-opacity="0.13"/>')
    parts.append(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(found.target_mpa)}" y2="{y(found.target_mpa)}" '
        f'stroke="{TARGET_COLOUR}" stroke-dasharray="2 4"/>'
    )
    for side, colour in COLOURS.items():
        dash = "" if side == "own" else ' stroke-dasharray="7 4"'
        points = line([(r[0], r[1]) for r in curves[side]])
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}/>')
        for item in batches:
            if item["own"] is (side == "own"):
                parts.append(_mark(x(item["ratio"]), y(item["strength_mpa"]), side, colour))
    legend = str(HEIGHT - 8)
    for side, name, place in (("own", names[0], LEFT), ("other", names[1], LEFT + 230)):
        parts.append(_mark(str(place + 5), str(HEIGHT - 12), side, COLOURS[side]))
        parts.append(words(str(place + 14), legend, name[:34], "start", COLOURS[side]))
    target = _("Strength to reach")
    parts.append(words(str(WIDTH - RIGHT), legend, f"··· {target}", "end", TARGET_COLOUR))
    return "".join([*parts, "</svg>"])


def _mark(x: str, y: str, side: str, colour: str) -> str:
    """A batch: a disc of the own cement, a triangle of the other, so that a black and white print tells them apart."""
    if side == "own":
        return f'<circle cx="{x}" cy="{y}" r="3.4" fill="{colour}"/>'
    left, top = float(x), float(y)
    return (
        f'<polygon points="{left:.1f},{top - 4.2:.1f} {left - 4:.1f},{top + 3:.1f} {left + 4:.1f},{top + 3:.1f}" '
        f'fill="{colour}"/>'
    )


def _inside(
    rows: Sequence[Sequence[float]], low: float, high: float
) -> list[tuple[float, float, float, float]]:
    """(ratio, median, low, high) of a curve within the axis."""
    found = [(float(r), float(m), float(lo), float(hi)) for r, m, lo, hi in zip(*rows, strict=True)]
    return [row for row in found if low <= row[0] <= high]


def _ticks(low: float, high: float, step: float) -> list[float]:
    return [round(low + i * step, 6) for i in range(int((high - low) / step + 1e-6) + 1)]
