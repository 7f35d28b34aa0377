"""The strength curve as SVG, drawn on the server out of a redacted sheet: no script on the reader's phone, and nothing in
the picture that the sheet does not hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from flask_babel import gettext as _
from markupsafe import Markup, escape

from lims.base.axes import round_step
from lims.forecasts.service import TARGET_DAYS
from lims.sharing.redaction import Sheet
from lims.strength.curves import Curve, band, fit_curve

#: Ages of the axis, days; strength needs its early days wide, so the axis is logarithmic. It is as long as the curve, and
#: longer where something was broken later.
FROM_DAYS, TO_DAYS = 1.0, 91.0
TICKS = (1, 3, 7, 14, 28, 56, 91, 180, 365, 730, 1825, 3650)
GRID_POINTS = 40
#: Units of the picture.
WIDTH, HEIGHT = 640, 380
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 18, 46
#: Steps of the strength axis at most, of a whole number of MPa.
LINES = 7
#: The forecast weighs most: the curve is drawn through it.
FORECAST_WEIGHT = 9.0

Points = Sequence[tuple[float, float]]


def curve_of(sheet: Sheet) -> dict[str, Any] | None:
    """Curve and bands, MPa at ages in days: from the released strengths and the forecast that the sheet shows."""
    if not sheet.get("curve"):
        return None
    forecast = sheet.get("forecast") or {}
    median = float(forecast["mpa"]) if forecast.get("mpa") else None
    early = [item for item in sheet.get("strengths", ()) if item["age_days"] < TARGET_DAYS]
    ages = [float(item["age_days"]) for item in early]
    means = [float(item["mpa"]) for item in early]
    result = (sheet.get("result") or {}).get("mpa")
    if median is not None:
        ages, means = [*ages, float(TARGET_DAYS)], [*means, median]
    elif result is not None:
        ages, means = [*ages, float(TARGET_DAYS)], [*means, float(result)]
    if not any(mean > 0 for mean in means):
        return None
    weights = [1.0] * len(early) + ([FORECAST_WEIGHT] if len(ages) > len(early) else [])
    grid = np.geomspace(FROM_DAYS, TO_DAYS, GRID_POINTS)
    middle = _fitted(tuple(ages), tuple(means), tuple(weights))(grid)
    found: dict[str, Any] = {"ages_days": _rounded(grid), "mpa": _rounded(middle)}
    if median is not None:
        known = max(ages[: len(early)], default=None)
        for level in ("50", "90"):
            low, high = forecast.get(f"lower_{level}_mpa"), forecast.get(f"upper_{level}_mpa")
            if low and high:
                half = (math.log(median / float(low)), math.log(float(high) / median))
                lower, upper = band(grid, middle, known, float(TARGET_DAYS), half)
                found |= {f"lower_{level}_mpa": _rounded(lower), f"upper_{level}_mpa": _rounded(upper)}
    return found


@lru_cache(maxsize=1024)
def _fitted(ages: tuple[float, ...], means: tuple[float, ...], weights: tuple[float, ...]) -> Curve:
    """The same points give the same curve: a sheet that is looked at again is not fitted again."""
    return fit_curve(ages, means, weights)


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 2) for value in values]


def strength_svg(sheet: Sheet) -> Markup | None:
    """The picture; colours stand as attributes, so that it reads in a PDF too, and a style sheet may change them."""
    curve = sheet.get("drawn")
    if not curve:
        return None
    forecast, result = sheet.get("forecast") or {}, sheet.get("result") or {}
    grade = float(sheet["grade_mpa"]) if sheet.get("grade_mpa") else None
    points = [(float(item["age_days"]), float(item["mpa"])) for item in sheet.get("strengths", ())]
    highest = max(
        [*curve["mpa"], *curve.get("upper_90_mpa", ()), *(mpa for _age, mpa in points), grade or 0.0, 1.0]
    )
    step = round(round_step(highest, LINES, least=1))
    top = step * math.ceil(highest * 1.04 / step)
    last = max([TO_DAYS, *(age for age, _mpa in points)])

    def x(age: float) -> float:
        share: float = math.log(max(age, FROM_DAYS) / FROM_DAYS) / math.log(last / FROM_DAYS)
        return float(LEFT + share * (WIDTH - LEFT - RIGHT))

    def y(mpa: float) -> float:
        return float(HEIGHT - BOTTOM - mpa / top * (HEIGHT - TOP - BOTTOM))

    def path(pairs: Points) -> str:
        return " ".join(f"{x(age):.1f},{y(mpa):.1f}" for age, mpa in pairs)

    def area(level: str) -> str:
        low, high = curve.get(f"lower_{level}_mpa"), curve.get(f"upper_{level}_mpa")
        if not low or not high:
            return ""
        ages = curve["ages_days"]
        outline = [*zip(ages, high, strict=True), *reversed(list(zip(ages, low, strict=True)))]
        shade = "#bfe3dc" if level == "90" else "#7cc6b8"
        return f'<polygon class="band{level}" fill="{shade}" points="{path(outline)}"/>'

    tick = 'class="tick" fill="#4a5a57"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="Noto Sans CJK SC, sans-serif" font-size="14" aria-label="{escape(_("Strength with age"))}">'
    ]
    for mark in range(0, top + 1, step):
        drawn.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#d9e2e0"/>'
            f'<text {tick} x="{LEFT - 8}" y="{y(mark) + 5:.1f}" text-anchor="end">{mark}</text>'
        )
    for age in (tick_at for tick_at in TICKS if tick_at <= last):
        drawn.append(
            f'<text {tick} x="{x(age):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{age}</text>'
        )
    drawn.append(
        f'<text {tick} x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(_("Age, days"))}</text>'
        f'<text {tick} x="{LEFT + 4}" y="14">MPa</text>'
    )
    drawn += [area("90"), area("50")]
    line = path(list(zip(curve["ages_days"], curve["mpa"], strict=True)))
    drawn.append(f'<polyline class="curve" fill="none" stroke="#0b6e5f" stroke-width="2.5" points="{line}"/>')
    if grade is not None:
        drawn.append(
            f'<line class="grade" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(grade):.1f}" y2="{y(grade):.1f}" '
            'stroke="#b3541e" stroke-width="1.5" stroke-dasharray="7 5"/>'
            f'<text class="grade-text" x="{LEFT + 6}" y="{y(grade) - 6:.1f}" fill="#96440f">'
            f"{escape(_('Grade'))} {grade:g}</text>"
        )
    if forecast.get("mpa"):
        at, height = x(TARGET_DAYS), y(float(forecast["mpa"]))
        low, high = forecast.get("lower_90_mpa"), forecast.get("upper_90_mpa")
        if low and high:
            drawn.append(
                f'<line class="curve" x1="{at:.1f}" x2="{at:.1f}" y1="{y(float(low)):.1f}" y2="{y(float(high)):.1f}" '
                'stroke="#0b6e5f" stroke-width="2"/>'
            )
        drawn.append(
            f'<circle class="said" cx="{at:.1f}" cy="{height:.1f}" r="6" fill="#ffffff" stroke="#0b6e5f" stroke-width="3"/>'
        )
    for days, mpa in points:
        final = days == TARGET_DAYS and result.get("mpa")
        size, shade = (8, "#1d3fae") if final else (5, "#12211f")
        drawn.append(
            f'<circle class="{"final" if final else "broken"}" fill="{shade}" '
            f'cx="{x(days):.1f}" cy="{y(mpa):.1f}" r="{size}"/>'
        )
    drawn.append("</svg>")
    return Markup("".join(drawn))  # noqa: S704 - numbers and escaped words of our own
