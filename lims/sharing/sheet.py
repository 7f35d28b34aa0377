"""The living trial sheet: what a link shows now, as plain data; and the same as sections of words, which page, PDF,
workbook and CSV share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import show_ages, show_day
from lims.forecasts.notes import in_words
from lims.materials.schemas import SEASONS
from lims.mixes.schemas import COMPONENT_KINDS, MIX_KINDS
from lims.sharing.drawing import curve_of
from lims.sharing.gathering import collect
from lims.sharing.models import ShareLink
from lims.sharing.redaction import Sheet, redact

CHANGES = {
    "amended": _l("The result at %(age)s d was amended on %(day)s; the sheet shows the new value."),
    "withdrawn": _l("The result at %(age)s d was taken back on %(day)s and is no longer shown."),
}
AGGREGATE_KINDS = {"fine": _l("Sand"), "coarse": _l("Stone")}


class Figure(str):
    """A quantity as it is read, "38.4 MPa", that knows its numbers as they are shown and its unit: a workbook keeps them in
    cells of their own. What is text stays a plain str, whatever it looks like."""

    numbers: tuple[str, ...]
    unit: str

    def __new__(cls, *numbers: str, unit: str = "", text: str = "") -> Figure:
        made = super().__new__(cls, text or f"{' – '.join(numbers)} {unit}".strip())
        made.numbers, made.unit = numbers, unit
        return made


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the sheet: rows under heads, or a text."""

    name: str
    title: str
    heads: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    text: str = ""


def sheet_of(link: ShareLink) -> Sheet:
    """What the link shows now: nothing that lims/sharing/redaction.py does not name."""
    sheet = redact(collect(link), link.shows.split(","))
    sheet["drawn"] = curve_of(sheet)
    return sheet


def headline(sheet: Sheet) -> str:
    """C30 with P.O 42.5, as far as the sheet tells."""
    what = sheet.get("strength_class") or str(MIX_KINDS.get(sheet.get("kind", ""), _("Concrete")))
    cement = sheet.get("cement") or {}
    if cement.get("cement_type"):
        return str(
            _(
                "%(what)s with %(cement)s",
                what=what,
                cement=f"{cement['cement_type']} {cement['strength_class']}",
            )
        )
    return str(what)


def day(text: str | None) -> str:
    return show_day(date.fromisoformat(text)) if text else "–"


def changes(sheet: Sheet) -> list[str]:
    """What became of results since the sheet was sent."""
    return [
        str(CHANGES[item["what"]]) % {"age": item["age_days"], "day": day(item["on"])}
        for item in sheet.get("changes", ())
        if item.get("what") in CHANGES
    ]


def inside(sheet: Sheet) -> bool | None:
    """Does the 28-day result lie in the forecast's 90 % interval? None while one of them is missing."""
    forecast, result = sheet.get("forecast") or {}, sheet.get("result") or {}
    if not result.get("mpa") or not forecast.get("lower_90_mpa"):
        return None
    return float(forecast["lower_90_mpa"]) <= float(result["mpa"]) <= float(forecast["upper_90_mpa"])


def said_of_mpa(sheet: Sheet) -> str | None:
    """The grade, in MPa, that the chance was said of: frozen with the forecast. Links of before froze none; of those it is
    the mix's."""
    return (sheet.get("forecast") or {}).get("grade_mpa") or sheet.get("grade_mpa")


def rests_on(sheet: Sheet) -> str:
    forecast = sheet.get("forecast") or {}
    if forecast.get("early_ages"):
        return str(_("breaks at %(ages)s d", ages=show_ages(forecast["early_ages"])))
    return str(_("the composition alone"))


def sections(sheet: Sheet) -> list[Section]:
    """In the order of the page; what is not shared or not known is left out."""
    made = (_forecast, _strengths, _curve, _mix, _fresh, _near, _cement, _comparison, _aggregates, _advice)
    return [section for make in made for section in make(sheet)]


def _forecast(sheet: Sheet) -> Iterator[Section]:
    found = sheet.get("forecast") or {}
    if not found.get("mpa"):
        return
    rows: list[tuple[str, str]] = [(_("Median"), _strength(found["mpa"]))]
    for level in ("50", "90"):
        low, high = found.get(f"lower_{level}_mpa"), found.get(f"upper_{level}_mpa")
        if low and high:
            rows.append((_("%(level)s %% interval", level=level), Figure(one(low), one(high), unit="MPa")))
    grade = said_of_mpa(sheet)
    if found.get("grade_probability") is not None and grade is not None:
        rows.append((f"P(f28 ≥ {_short(grade)} MPa)", percent(found["grade_probability"])))
    rows.append((_("Rests on"), rests_on(sheet)))
    rows.append(
        (
            _("Mixes behind it"),
            _(
                "%(own)s own mixes, %(all)s in all",
                own=found.get("local_mixes", 0),
                all=found.get("history_mixes", 0),
            ),
        )
    )
    rows.append((_("Said on"), day(found.get("made_on"))))
    if found.get("note"):
        rows.append((_("Note"), in_words(found["note"])))
    yield Section("forecast", _("Forecast of the 28-day strength"), ("", ""), rows)


def _strengths(sheet: Sheet) -> Iterator[Section]:
    rows = [
        tuple(
            Figure(shown)
            for shown in (str(item["age_days"]), one(item["mpa"]), str(item["sets"]), str(item["specimens"]))
        )
        for item in sheet.get("strengths", ())
    ]
    if rows:
        heads = (_("Age, days"), _("Mean, MPa"), _("Sets"), _("Specimens"))
        yield Section("strengths", _("Released strengths"), heads, rows)


def _curve(sheet: Sheet) -> Iterator[Section]:
    drawn = sheet.get("drawn")
    if not drawn:
        return
    columns = [
        (title, drawn[name])
        for title, name in (
            (_("Age, days"), "ages_days"), (_("Curve, MPa"), "mpa"),
            (_("Lower end of 90 %(sign)s", sign="%"), "lower_90_mpa"),
            (_("Upper end of 90 %(sign)s", sign="%"), "upper_90_mpa"),
        )
        if name in drawn
    ]  # fmt: skip
    every = range(0, len(drawn["ages_days"]), 4)
    rows = [tuple(Figure(f"{values[place]:.1f}") for _title, values in columns) for place in every]
    heads = tuple(str(title).replace("%%", "%") for title, _values in columns)
    yield Section("curve", _("Strength curve"), heads, rows)


def _mix(sheet: Sheet) -> Iterator[Section]:
    found = sheet.get("mix") or {}
    rows: list[tuple[str, str]] = [
        (str(COMPONENT_KINDS.get(item["kind"], item["kind"])), _figure(item["mass_kg_m3"], "kg/m³"))
        for item in found.get("components", ())
    ]
    if found.get("water_binder_ratio"):
        rows.append((_("Water to binder"), Figure(str(found["water_binder_ratio"]))))
    if found.get("sand_ratio_percent"):
        rows.append((_("Sand ratio"), Figure(str(found["sand_ratio_percent"]), unit="%")))
    if rows:
        yield Section("mix", _("Recipe for one cubic metre"), (_("Material"), _("Amount")), rows)


def _fresh(sheet: Sheet) -> Iterator[Section]:
    given = [item for item in sheet.get("fresh", ()) if len(item) > 1]
    columns: list[tuple[str, str, Callable[[str], str]]] = [
        ("cast_on", _("Cast on"), day),
        ("slump_mm", _("Slump, mm"), _figure),
        ("air_percent", _("Air, %(sign)s", sign="%"), _figure),
        ("density_kg_m3", _("Density, kg/m³"), _figure),
        ("concrete_temperature_c", _("Temperature, °C"), _figure),
    ]
    used = [column for column in columns if any(column[0] in item for item in given)]
    rows = [tuple(show(item[name]) if name in item else "–" for name, _t, show in used) for item in given]
    if rows:
        yield Section("fresh", _("Fresh concrete"), tuple(title for _n, title, _s in used), rows)


def _near(sheet: Sheet) -> Iterator[Section]:
    ages = sorted({s["age_days"] for item in sheet.get("near", ()) for s in item["strengths"]})
    rows = []
    for item in sheet.get("near", ()):
        by_age = {s["age_days"]: Figure(one(s["mpa"])) for s in item["strengths"]}
        rows.append(
            (
                " ".join(part for part in (item["label"], item.get("strength_class")) if part),
                *(
                    Figure(str(item[name])) if item.get(name) is not None else "–"
                    for name in ("water_binder_ratio", "binder_kg_m3")
                ),
                *(by_age.get(age, "–") for age in ages),
            )
        )
    if rows:
        heads = (
            _("Mix"),
            _("Water/binder"),
            _("Binder, kg/m³"),
            *(_("%(age)s d, MPa", age=age) for age in ages),
        )
        yield Section("near", _("Nearest trials"), heads, rows)


def _cement(sheet: Sheet) -> Iterator[Section]:
    found = sheet.get("cement") or {}
    if not found:
        return
    rows: list[tuple[str, str]] = [
        (_("Kind"), f"{found.get('cement_type', '')} {found.get('strength_class', '')}".strip())
    ]
    for name, title, unit in (
        ("specific_surface_m2_kg", _("Specific surface"), "m²/kg"),
        ("initial_set_min", _("Initial set"), "min"),
        ("final_set_min", _("Final set"), "min"),
        ("strength_3d_mpa", _("Mortar strength, 3 d"), "MPa"),
        ("strength_28d_mpa", _("Mortar strength, 28 d"), "MPa"),
    ):
        if found.get(name) is not None:
            rows.append((title, _figure(found[name], unit)))
    yield Section("cement", found.get("name") or _("Cement"), ("", ""), rows)


def _comparison(sheet: Sheet) -> Iterator[Section]:
    found = sheet.get("comparison") or {}
    if not found:
        return
    rows: list[tuple[str, str]] = []
    for name, title, unit in (
        ("binder_difference_kg_m3", _("Binder, ours minus theirs"), "kg/m³"),
        ("admixture_difference_percent", _("Water reducer, ours minus theirs"), "%"),
    ):
        if found.get(name):
            middle, low, high = (f"{float(value):+.1f}" for value in found[name])
            text = f"{middle} {unit} ({low} … {high})"
            rows.append((title, Figure(middle, low, high, unit=unit, text=text)))
    for name, title in (("bags_own", _("Bags of our cement")), ("bags_other", _("Bags of theirs"))):
        if found.get(name) is not None:
            rows.append((title, _figure(found[name])))
    rows.append((_("Batches behind it"), Figure(str(found.get("batches", 0)))))
    if not found.get("told_apart"):
        rows.append((_("Verdict"), _("not told apart by these trials")))
    title = _(
        "%(own)s against %(other)s for %(mpa)s MPa, one cubic metre",
        own=found.get("own_cement", ""),
        other=found.get("other_cement", ""),
        mpa=_short(found.get("target_mpa")),
    )
    yield Section("comparison", title, ("", ""), rows)


def _aggregates(sheet: Sheet) -> Iterator[Section]:
    for found in sheet.get("aggregates", ()):
        rows: list[tuple[str, str]] = []
        for name, title, unit in (
            ("region", _("Region"), ""),
            ("season", _("Season"), ""),
            ("fineness_modulus", _("Fineness modulus"), ""),
            ("zone", _("Grading zone"), ""),
            ("mud_percent", _("Mud"), "%"),
            ("clay_lumps_percent", _("Clay lumps"), "%"),
            ("moisture_percent", _("Moisture"), "%"),
            ("largest_size_mm", _("Largest size"), "mm"),
        ):
            value = found.get(name)
            if value is not None:
                named = name in {"region", "season", "zone"}  # a region may be called 12
                rows.append((title, str(SEASONS.get(value, value)) if named else _figure(value, unit)))
        if rows:
            kind = str(AGGREGATE_KINDS.get(found.get("kind", ""), _("Aggregate")))
            yield Section("aggregates", kind, ("", ""), rows)


def _advice(sheet: Sheet) -> Iterator[Section]:
    for card in sheet.get("advice", ()):
        yield Section("advice", card.get("name", ""), text=card.get("body", ""))


def _strength(value: Any) -> Figure:
    """MPa to a tenth, as strengths are reported."""
    return Figure(one(value), unit="MPa")


def _figure(value: Any, unit: str = "") -> str:
    """A measured value with its unit; a dash where there is none."""
    shown = _short(value)
    try:
        float(shown)
    except ValueError:
        return f"{shown} {unit}".strip()
    return Figure(shown, unit=unit)


def percent(share: Any) -> str:
    """A probability in whole per cent, never a certainty."""
    value = 100 * float(share)
    return "> 99 %" if value > 99 else "< 1 %" if value < 1 else Figure(f"{value:.0f}", unit="%")


def one(value: Any) -> str:
    """A decimal's text to a tenth, half to even, as the laboratory's own pages round it: of 38.45 a binary fraction makes
    38.5."""
    return f"{Decimal(value):.1f}"


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    try:
        shown = f"{float(text):f}"
    except ValueError:
        return text
    return shown.rstrip("0").rstrip(".") if "." in shown else shown
