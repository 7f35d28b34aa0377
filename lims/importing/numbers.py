"""Numbers, units and days as people write them in sheets -> exact values, or a sentence. Nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

from flask_babel import gettext as _

from lims.importing.workbooks import Cell, Percentage, exact_text

#: kg in a pound and m in a foot and an inch: exact by the agreement of 1959 (NIST SP 811, B.8).
_POUND_KG = Fraction("0.45359237")
_INCH_MM = Fraction("25.4")
_YARD_M = Fraction("0.9144")
#: Newtons in a kilogram-force and a pound-force: by definition (ISO 80000-4; NIST SP 811, B.8).
_KGF_N = Fraction("9.80665")
_LBF_N = _POUND_KG * _KGF_N

#: Unit of the field -> what else a column may be in -> how many of the field's unit are in one of it, exactly.
FACTORS: dict[str, dict[str, Fraction]] = {
    "MPa": {
        "MPa": Fraction(1),
        "N/mm²": Fraction(1),
        "kPa": Fraction(1, 1000),
        "psi": _LBF_N / _INCH_MM**2,
        "ksi": 1000 * _LBF_N / _INCH_MM**2,
        "kgf/cm²": _KGF_N / 100,
    },
    "kN": {
        "kN": Fraction(1),
        "N": Fraction(1, 1000),
        "kgf": _KGF_N / 1000,
        "tf": _KGF_N,
        "lbf": _LBF_N / 1000,
    },
    "kg/m³": {
        "kg/m³": Fraction(1),
        "g/L": Fraction(1),
        "t/m³": Fraction(1000),
        "lb/yd³": _POUND_KG / _YARD_M**3,
        "lb/ft³": _POUND_KG / (_YARD_M / 3) ** 3,
    },
    "mm": {"mm": Fraction(1), "cm": Fraction(10), "m": Fraction(1000), "in": _INCH_MM},
    "t": {"t": Fraction(1), "kg": Fraction(1, 1000)},
    "m³": {"m³": Fraction(1), "yd³": _YARD_M**3},
}
#: How units are written, in small letters without blanks -> the unit.
SPELLINGS = {
    "mpa": "MPa", "n/mm2": "N/mm²", "n/mm²": "N/mm²", "n/mm^2": "N/mm²", "kpa": "kPa", "psi": "psi", "ksi": "ksi",
    "lbf/in2": "psi", "lb/in2": "psi", "kgf/cm2": "kgf/cm²", "kgf/cm²": "kgf/cm²", "kg/cm2": "kgf/cm²", "kg/cm²": "kgf/cm²",
    "kn": "kN", "n": "N", "kgf": "kgf", "tf": "tf", "lbf": "lbf", "lb": "lbf", "lbs": "lbf",
    "千牛": "kN", "牛": "N", "兆帕": "MPa",
    "公斤/平方厘米": "kgf/cm²", "千克/平方厘米": "kgf/cm²", "公斤/平方公分": "kgf/cm²",
    "kg/m3": "kg/m³", "kg/m³": "kg/m³", "kg/m^3": "kg/m³", "kg/cum": "kg/m³", "g/l": "g/L",
    "公斤/立方米": "kg/m³", "千克/立方米": "kg/m³", "公斤/立方公尺": "kg/m³",
    "t/m3": "t/m³", "t/m³": "t/m³", "lb/yd3": "lb/yd³", "lb/yd³": "lb/yd³", "lb/yd^3": "lb/yd³", "lbs/yd3": "lb/yd³",
    "lb/cy": "lb/yd³", "pcy": "lb/yd³", "lb/ft3": "lb/ft³", "lb/ft³": "lb/ft³", "pcf": "lb/ft³",
    "mm": "mm", "毫米": "mm", "公釐": "mm", "cm": "cm", "厘米": "cm", "公分": "cm", "m": "m", "米": "m", "公尺": "m",
    "in": "in", "in.": "in", "inch": "in", "inches": "in", '"': "in",
    "t": "t", "吨": "t", "噸": "t", "公噸": "t", "kg": "kg", "公斤": "kg", "千克": "kg", "m3": "m³", "m³": "m³", "方": "m³",
    "立方米": "m³", "立方公尺": "m³", "yd3": "yd³", "yd³": "yd³", "cy": "yd³",
}  # fmt: skip
#: Units that nothing is converted from: a column in one is its field's own, or left to a person.
OTHER_SPELLINGS = {
    "%": "%", "d": "d", "day": "d", "days": "d", "天": "d", "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "小时": "h", "小時": "h", "min": "min", "minutes": "min", "分钟": "min", "分鐘": "min", "s": "s", "秒": "s",
    "°c": "°C", "℃": "°C", "°f": "°F", "℉": "°F", "g": "g", "克": "g", "l": "L", "ml": "mL", "l/m3": "L/m³", "l/m³": "L/m³",
    "m2/kg": "m²/kg", "m²/kg": "m²/kg", "m^2/kg": "m²/kg", "cm2/g": "cm²/g", "cm²/g": "cm²/g", "mpa/s": "MPa/s",
    "kn/s": "kN/s",
}  # fmt: skip
DECIMAL_MARKS = (".", ",")
DATE_FORMS = ("auto", "ymd", "dmy", "mdy", "serial-1900", "serial-1904")

#: Full-width signs of an input method; superscripts and circled digits are not among them: 10³ is not 103.
_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WIDTH |= {0x3000: 0x20, 0x2212: 0x2D, 0xFE63: 0x2D, 0x2013: 0x2D, 0xA0: 0x20, 0x202F: 0x20, 0x2009: 0x20}
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_GROUPED = {
    ".": re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?"),
    ",": re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?"),
}
_COMMA = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
_WITH_UNIT = re.compile(r"([+-]?[0-9][0-9.,]*)\s*([^\W\d_%°][^\s]*)")
_DAY = re.compile(r"([0-9]{1,4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,4})\s*日?")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,6})?)?")
#: Serial numbers of 1950-01-01 and 2150-12-31: a number outside is no day of a laboratory.
_DAYS_1900 = (18264, 91676)
_EPOCHS = {"serial-1900": date(1899, 12, 30), "serial-1904": date(1904, 1, 1)}


class Unreadable(ValueError):
    """A cell that is not what its column wants; the message says what would be accepted."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a sheet writes its numbers and days. `decimal_mark` "" and `date_form` "auto": only what is unambiguous."""

    decimal_mark: str = ""
    date_form: str = "auto"
    #: HH:MM of days that come without a time; "": such a cell is refused where a time is needed.
    time_of_day: str = ""
    #: What has more places than are kept is rounded to them, half to even; else it is refused.
    rounds: bool = False
    mac_dates: bool | None = None


def plain(text: str) -> str:
    """Full-width signs and special blanks as the usual ones; nothing else is changed."""
    return text.translate(_WIDTH).strip()


def number_of(value: Cell, form: Form = Form(), unit: str = "") -> Decimal | None:
    """The exact number of a cell, None when it is blank. Raises: Unreadable."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise Unreadable(_("is yes or no; accepted: a number"))
    if isinstance(value, Percentage):
        if unit != "%":
            raise Unreadable(_("is formatted as a percentage; accepted: the cell formatted as a number"))
        return value.shown
    if isinstance(value, float | int):
        text = exact_text(value)
        if not _PLAIN.fullmatch(text):
            raise Unreadable(_("is not a number; accepted: digits with a decimal point"))
        return Decimal(text)
    if isinstance(value, date | time):
        raise Unreadable(_("is formatted as a date or time; accepted: the cell formatted as a number"))
    text = plain(value)
    if not text:
        return None
    return Decimal(_digits(text, form, unit))


def _digits(text: str, form: Form, unit: str) -> str:
    if unit == "%" and text.endswith("%"):
        text = text[:-1].rstrip()
    with_unit = _WITH_UNIT.fullmatch(text)
    if with_unit is not None:
        written = spelled(with_unit.group(2))
        if not unit or written != unit:
            raise Unreadable(
                _("carries the unit “%(unit)s”; accepted: the number alone, in %(wanted)s",
                  unit=with_unit.group(2)[:20], wanted=unit or _("the unit of the column"))
            )  # fmt: skip
        text = with_unit.group(1)
    mark = form.decimal_mark
    if mark == ",":
        if _COMMA.fullmatch(text):
            return text.replace(",", ".")
        if _GROUPED[","].fullmatch(text):
            return text.replace(".", "").replace(",", ".")
        raise Unreadable(_("is not a number; accepted: digits with a decimal comma"))
    if _PLAIN.fullmatch(text):
        return text
    if mark == "." and _GROUPED["."].fullmatch(text):
        return text.replace(",", "")
    if _COMMA.fullmatch(text) or any(grouped.fullmatch(text) for grouped in _GROUPED.values()):
        raise Unreadable(
            _("holds a comma that may mark decimals or thousands; accepted: a decimal point and no grouping")
        )
    raise Unreadable(_("is not a number; accepted: digits with a decimal point"))


def spelled(text: str) -> str:
    """The unit that is written so, "" when none is."""
    written = re.sub(r"\s+", "", plain(text)).lower()
    return SPELLINGS.get(written) or OTHER_SPELLINGS.get(written, "")


def units_for(unit: str) -> tuple[str, ...]:
    """What a column of a field in `unit` may be in, the field's own first."""
    return tuple(FACTORS.get(unit, {unit: Fraction(1)} if unit else {}))


def converted(value: Decimal, unit: str, wanted: str, places: int) -> Decimal:
    """A value in `unit` as one in `wanted`: exact, then rounded once to the places that are kept, half to even.

    Raises: KeyError for units that do not belong together.
    """
    if unit == wanted or not unit:
        return value
    exact = Fraction(value) * FACTORS[wanted][unit]
    return _rounded(exact, places)


def rounded(value: Decimal, places: int) -> Decimal:
    """To so many places, half to even, once."""
    return _rounded(Fraction(value), places)


def _rounded(exact: Fraction, places: int) -> Decimal:
    scaled = exact * 10**places
    whole = round(scaled)  # Python rounds halves of a Fraction to even
    with localcontext() as context:
        context.prec = 60
        context.rounding = ROUND_HALF_EVEN
        return Decimal(whole).scaleb(-places)


def day_of(value: Cell, form: Form = Form()) -> date | None:
    """The calendar day of a cell, None when it is blank. Raises: Unreadable."""
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.time() != time(0):
            raise Unreadable(_("carries a time; accepted: a day such as 2026-03-28"))
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, bool | time):
        raise Unreadable(_("is not a day; accepted: YYYY-MM-DD"))
    if isinstance(value, float | int):
        return _serial(value, form, whole=True).date()
    text = plain(value)
    return _written_day(text, form) if text else None


def _serial(value: float, form: Form, *, whole: bool) -> datetime:
    """A serial number of a day: by the workbook's own calendar, or by the one that the mapping names."""
    chosen = form.date_form
    if chosen not in _EPOCHS:
        if form.mac_dates is None:
            raise Unreadable(
                _("is a number; accepted: YYYY-MM-DD, or a mapping that says how days are counted")
            )
        chosen = "serial-1904" if form.mac_dates else "serial-1900"
    days = value + (1462 if chosen == "serial-1904" else 0)
    if not _DAYS_1900[0] <= days <= _DAYS_1900[1]:
        raise Unreadable(_("is no day from 1950 to 2150; accepted: YYYY-MM-DD"))
    if whole and value != int(value):
        raise Unreadable(_("carries a time; accepted: a day such as 2026-03-28"))
    seconds = round((value - int(value)) * 86400)
    start = _EPOCHS[chosen]
    return datetime(start.year, start.month, start.day) + timedelta(days=int(value), seconds=seconds)  # noqa: DTZ001


def _written_day(text: str, form: Form) -> date:
    found = _DAY.fullmatch(text)
    if found is None:
        raise Unreadable(_("is not a day; accepted: YYYY-MM-DD"))
    first, second, third = found.groups()
    if len(first) == 4:
        year, month, day = first, second, third
    elif form.date_form in {"dmy", "mdy"} and len(third) == 4:
        day, month = (first, second) if form.date_form == "dmy" else (second, first)
        year = third
    else:
        raise Unreadable(
            _("may be read in more than one way; accepted: YYYY-MM-DD, or a mapping that says the order")
        )
    if len(day) > 2:
        raise Unreadable(_("is not a day; accepted: YYYY-MM-DD"))
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise Unreadable(_("is not a day; accepted: YYYY-MM-DD")) from None


def moment_of(value: Cell, form: Form = Form()) -> datetime | None:
    """The time of a cell as written: with its zone, or naive by the laboratory's clock. None when it is blank.

    Raises: Unreadable, also for a day without a time unless the form says which hour is meant.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool | time):
        raise Unreadable(_("is not a time; accepted: 2026-03-28 10:00"))
    if isinstance(value, float | int):
        found = _serial(value, form, whole=False)
        return _at_hour(found.date(), form) if value == int(value) else found
    if isinstance(value, date):
        return _at_hour(value, form)
    text = plain(value)
    if not text:
        return None
    try:
        iso = datetime.fromisoformat(text)
    except ValueError:
        iso = None
    if iso is not None and ":" in text:
        return iso
    day, _blank, clock = text.replace("T", " ").rpartition(" ")
    found_clock = _CLOCK.fullmatch(clock)
    if found_clock is None:
        return _at_hour(_written_day(text, form), form)
    try:
        at = time(int(found_clock[1]), int(found_clock[2]), int(found_clock[3] or 0))
    except ValueError:
        raise Unreadable(_("is not a time; accepted: 2026-03-28 10:00")) from None
    return datetime.combine(_written_day(day.strip(), form), at)


def _at_hour(day: date, form: Form) -> datetime:
    found = _CLOCK.fullmatch(form.time_of_day)
    if found is None:
        raise Unreadable(_("carries no time; accepted: 2026-03-28 10:00"))
    return datetime.combine(day, time(int(found[1]), int(found[2])))
