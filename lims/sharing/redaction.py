"""What may leave the laboratory, in one place: an allow-list that page, PDF, workbook, CSV, JSON and charts pass through.

Names are paths in what lims/sharing/gathering.py collects; `[]` stands for each entry of a list. A name that is not here
goes to nobody, whatever a salesperson chooses: other customers, prices, suppliers, makers, codes, persons of the
laboratory and results that are not released have no name here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import lazy_gettext as _l

#: What a salesperson may choose to show.
SHAREABLE = {
    "forecast": _l("Forecast"),
    "strengths": _l("Released strengths"),
    "curve": _l("Strength curve"),
    "mix": _l("Mix proportions"),
    "fresh": _l("Fresh concrete"),
    "near": _l("Nearest trials"),
    "cement": _l("Our cement"),
    "comparison": _l("Comparison of cements"),
    "aggregates": _l("Aggregates"),
    "advice": _l("Advice for first use"),
}

#: Group -> paths. The first goes out with every sheet.
ALLOWED: dict[str, tuple[str, ...]] = {
    "always": (
        "kind", "strength_class", "grade_mpa", "region", "recipient", "note", "sent_on", "valid_until",
        "laboratory.name", "laboratory.works", "laboratory.address", "laboratory.phone",
        "contact.name", "contact.email",
    ),
    "strengths": (
        "strengths[].age_days", "strengths[].mpa", "strengths[].sets", "strengths[].specimens",
        "result.mpa", "result.specimens", "result.released_on", "result.expected_on",
        "changes[].age_days", "changes[].what", "changes[].on",
    ),
    "forecast": (
        "forecast.mpa", "forecast.lower_50_mpa", "forecast.upper_50_mpa", "forecast.lower_90_mpa",
        "forecast.upper_90_mpa", "forecast.grade_probability", "forecast.grade_mpa", "forecast.early_ages",
        "forecast.local_mixes", "forecast.history_mixes", "forecast.note", "forecast.made_on",
    ),
    "curve": ("curve",),
    "mix": (
        "mix.water_binder_ratio", "mix.sand_ratio_percent", "mix.components[].kind", "mix.components[].mass_kg_m3",
    ),
    "fresh": (
        "fresh[].cast_on", "fresh[].slump_mm", "fresh[].air_percent", "fresh[].density_kg_m3",
        "fresh[].concrete_temperature_c",
    ),
    "near": (
        "near[].label", "near[].strength_class", "near[].water_binder_ratio", "near[].binder_kg_m3",
        "near[].strengths[].age_days", "near[].strengths[].mpa", "near[].strengths[].specimens",
    ),
    "cement": (
        "cement.name", "cement.cement_type", "cement.strength_class", "cement.specific_surface_m2_kg",
        "cement.initial_set_min", "cement.final_set_min", "cement.strength_3d_mpa", "cement.strength_28d_mpa",
    ),
    "comparison": (
        "comparison.own_cement", "comparison.other_cement", "comparison.age_days", "comparison.target_mpa",
        "comparison.batches", "comparison.told_apart", "comparison.binder_difference_kg_m3[]",
        "comparison.admixture_difference_percent[]", "comparison.bags_own", "comparison.bags_other",
    ),
    "aggregates": (
        "aggregates[].kind", "aggregates[].region", "aggregates[].season", "aggregates[].fineness_modulus",
        "aggregates[].sand_class", "aggregates[].zone", "aggregates[].mud_percent", "aggregates[].clay_lumps_percent",
        "aggregates[].largest_size_mm", "aggregates[].moisture_percent",
    ),
    "advice": ("advice[].name", "advice[].body"),
}  # fmt: skip

Sheet = dict[str, Any]


def redact(collected: Mapping[str, Any], shows: Collection[str]) -> Sheet:
    """A copy of what these groups let out, in plain values: text, whole numbers, ISO days, decimals as text.

    Raises: TypeError for any other kind of value, so that a record can never slip through whole.
    """
    paths = [path for group in ("always", *shows) for path in ALLOWED.get(group, ())]
    found: Sheet = _pick(collected, [path.split(".") for path in paths])
    return found


def _pick(value: Any, paths: list[list[str]]) -> Any:
    kept: Sheet = {}
    heads = dict.fromkeys(path[0] for path in paths)
    for head in heads:
        rest = [path[1:] for path in paths if path[0] == head and len(path) > 1]
        name = head.removesuffix("[]")
        found = value.get(name)
        if found is None:
            continue
        if head.endswith("[]"):
            kept[name] = [_pick(item, rest) if rest else _plain(item) for item in found]
        else:
            kept[name] = _pick(found, rest) if rest else _plain(found)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} may not leave the laboratory")
