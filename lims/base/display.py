"""How a stored value reads on a page: local time, exact decimals, names of choices, links to records."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal as format_number
from babel.numbers import get_decimal_symbol
from flask import g
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from sqlalchemy import select

from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.fields import Choice, Quantity, Several
from lims.base.laboratory import laboratory
from lims.base.names import full_name
from lims.base.records import Record
from lims.base.schemas import Input
from lims.base.security import may
from lims.base.words import spoken_locale


class Cell(NamedTuple):
    """One value: what is shown, where it leads, and its kind (for alignment and badges)."""

    text: str
    kind: str = "text"
    href: str = ""
    raw: str = ""


EMPTY = Cell("–", "empty")
#: Kinds of values that are looked up by what they say.
_ALIKE = frozenset({bool, int, str, Decimal, date, datetime})
#: Cells that are kept of a record's columns.
MOST_KEPT = 4096


def laboratory_zone() -> ZoneInfo:
    return ZoneInfo(laboratory().timezone)


def local_time(moment: datetime) -> datetime:
    return moment.astimezone(laboratory_zone())


def local_day(moment: datetime) -> date:
    """The day of a moment by the laboratory's clock, which is not UTC's for a third of it."""
    return local_time(moment).date()


def local_today() -> date:
    return local_day(utc_now())


def day_begins(day: date, zone: ZoneInfo | None = None) -> datetime:
    """Midnight by the laboratory's clock (or that of `zone`), in UTC: a day is 23 or 25 h long when the clock is changed."""
    return datetime.combine(day, time.min, zone or laboratory_zone()).astimezone(UTC)


_BRITISH = Locale.parse("en_GB")


def _locale() -> Locale:
    """English dates in the British order: a day first, its month as a word, so that nobody reads 03/04 the other way."""
    found = spoken_locale()
    return _BRITISH if found is None or found.language == "en" else found


def show_day(day: date) -> str:
    """A day as the reader writes it: 5 Mar 2026, 2026年3月5日."""
    return _written_day(day, _locale())


@lru_cache(maxsize=4096)
def _written_day(day: date, locale: Locale) -> str:
    text: str = format_date(day, "d MMM y" if locale.language == "en" else "medium", locale)
    return text


def show_time(moment: datetime, *, year: bool = True) -> str:
    """A moment by the laboratory's clock, as the reader writes it; without the year where it is this week."""
    return _written(moment, laboratory().timezone, year, _locale())


@lru_cache(maxsize=4096)  # the rows of a list share most of their times
def _written(moment: datetime, timezone: str, year: bool, locale: Locale) -> str:
    pattern = "d MMM y, HH:mm" if locale.language == "en" else "y年M月d日 HH:mm"
    if not year:
        pattern = pattern.replace(" y,", ",").replace("y年", "")
    local = moment.astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
    text: str = format_datetime(local, pattern, locale=locale)
    return text


def show_number(value: Decimal | int) -> str:
    """Exact digits with the reader's grouping; zeros that are only storage are left out."""
    plain = format_decimal(Decimal(value)) if isinstance(value, Decimal) else str(value)
    whole, dot, rest = plain.partition(".")
    grouped: str = format_number(int(whole), locale=_locale()) if abs(int(whole)) >= 10_000 else whole
    if whole.startswith("-") and not grouped.startswith("-"):
        grouped = "-" + grouped
    return grouped + (get_decimal_symbol(_locale()) if dot else "") + rest


def format_decimal(value: Decimal) -> str:
    """Plain digits, without exponents; trailing zeros of storage are not precision and are left out."""
    shown = f"{value:f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def tenths(value: float) -> str:
    """A stored decimal that was made a binary fraction to reckon with, to a tenth and half to even, as papers, lists and
    sheets say it: 38.45 is no 38.5."""
    return f"{Decimal(repr(float(value))):.1f}"


class Told(dict[Any, Cell]):
    """Values of a record's columns as cells, in one language and by one clock: the rows of a list share most of them, from
    one request to the next too."""

    def keep(self, key: Any, found: Cell) -> Cell:
        if len(self) >= MOST_KEPT:
            self.clear()
        self[key] = found
        return found


def cell(
    record: Any,
    name: str,
    inputs: dict[str, Input],
    choices: dict[str, dict[str, Any]] | None = None,
    told: Told | None = None,
) -> Cell:
    """The value of attribute `name` (a column, a property or a many-to-one relation). `told`: of this reader, these inputs
    and these choices."""
    value: Any = record
    for part in name.split(".") if "." in name else (name,):
        value = getattr(value, part) if value is not None else None
    if value is None or value == "":
        return EMPTY
    if isinstance(value, Record):
        from lims.base.views import address_of

        href = address_of(value) if may("read", value.record_name) else ""
        return Cell(value.title, "link", href)
    item, labels = inputs.get(name), choices.get(name) if choices else None
    is_text = type(value) is str and labels is None and (item is None or not isinstance(item.kind, Choice))
    if is_text and name.endswith("_by") and is_actor(value):
        return Cell(actor_names({value})[value])
    if told is None or is_text or type(value) not in _ALIKE:
        return _plain(value, item, labels)  # a text is told as it stands: there is nothing to keep
    key = (name, type(value), value)
    found = told.get(key)
    if found is None:
        found = told.keep(key, _plain(value, item, labels))
    return found


def _plain(value: Any, item: Input | None, labels: dict[str, Any] | None) -> Cell:
    """Of nothing but the value, what its column is, and the reader."""
    if isinstance(value, bool):
        return Cell(_("yes") if value else _("no"), "flag", raw=str(value).lower())
    if labels is not None:
        return Cell(str(labels.get(str(value), value)), "choice", raw=str(value))
    if item is not None and isinstance(item.kind, Choice):
        return Cell(str(item.kind.options.get(str(value), value)), "choice", raw=str(value))
    if item is not None and isinstance(item.kind, Several):
        return Cell(_(", ").join(str(item.kind.options.get(word, word)) for word in value.split(",")))
    if isinstance(value, Decimal):
        return Cell(show_number(value), "number")
    if isinstance(value, int):
        return Cell(show_number(value), "number")
    if isinstance(value, datetime):
        return Cell(show_time(value), "time", raw=value.isoformat(timespec="seconds").replace("+00:00", "Z"))
    if isinstance(value, date):
        return Cell(show_day(value), "time", raw=value.isoformat())
    return Cell(str(value), "text")


def show_ages(early_ages: str) -> str:
    """Ages in days as they are stored beside a forecast, "3,7" -> "3, 7": closed up they read as a decimal."""
    return early_ages.replace(",", ", ")


def form_text(item: Input, value: Any) -> str:
    """A stored value as the text of its form control; saving it unchanged gives the same value back."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{local_time(value):%Y-%m-%dT%H:%M:%S}".removesuffix(":00")
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(item.kind, Quantity):
        return item.kind.text(value)
    return str(value)


#: How an actor is stored; who broke or sampled something may also be a name that was typed.
_ACTOR = re.compile(r"user:\d{1,18}|system:[\w-]+")


def is_actor(value: Any) -> bool:
    """Is this the key of an actor, and no name that somebody typed?"""
    return isinstance(value, str) and _ACTOR.fullmatch(value) is not None


def actor_names(keys: set[str]) -> dict[str, str]:
    """`user:7` -> "Li Wei"; one statement for all, none for system actors."""
    cached: dict[str, str] = g.setdefault("lims_actor_names", {})
    missing = {int(key[5:]) for key in keys if key.startswith("user:") and key not in cached}
    if missing:
        rows = current_session().execute(
            select(User.id, User.first_name, User.last_name).where(User.id.in_(missing))
        )
        cached.update({f"user:{i}": full_name(first, last) for i, first, last in rows})
    return {key: cached.get(key, key.partition(":")[2]) for key in keys}
