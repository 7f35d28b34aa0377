"""The columns of a template: what stands in a sheet under which name, and how a cell becomes a value of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from pydantic_core import PydanticCustomError

from lims.base.display import laboratory_zone
from lims.base.fields import (
    Choice,
    Code,
    Day,
    Flag,
    Instant,
    Kind,
    Quantity,
    Reference,
    Text,
    Ui,
    WholeNumber,
)
from lims.base.problems import Problem
from lims.base.schemas import Input, Schema
from lims.base.words import reading_language
from lims.importing.former_labels import FORMER_CHOICES
from lims.importing.numbers import Form, Unreadable, converted, day_of, moment_of, number_of, plain, rounded
from lims.importing.workbooks import Cell, shown

#: The languages of a sheet as Babel names them, in the order of its heads.
LANGUAGES = ("en", "zh", "zh_Hant_TW")


@dataclass(frozen=True, slots=True)
class Words:
    """A text of the sheets themselves: they carry all languages at once, whoever made them."""

    en: str
    zh: str = ""
    zh_hant: str = ""

    def __str__(self) -> str:
        en, simplified, traditional = self.all()
        return {"en": en, "zh": simplified, "zh_TW": traditional}[reading_language()]

    def all(self) -> tuple[str, str, str]:
        return self.en, self.zh or self.en, self.zh_hant or self.zh or self.en


def in_all_languages(text: Any) -> tuple[str, ...]:
    """A label of the application in the languages of a sheet."""
    if isinstance(text, Words):
        return text.all()
    found = []
    for language in LANGUAGES:
        with force_locale(language):
            found.append(str(text))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a template. `example` stands in the sheet of examples; `values` are measured ones, of which every
    row has its own: a merged cell over several rows is refused there."""

    name: str
    kind: Kind
    label: Any
    required: bool = False
    unit: str = ""
    example: tuple[Any, ...] = ()
    note: Words | None = None
    measured: bool = False
    #: Words by which the heads of other people's sheets call it, beside the label.
    aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, item: Input, **more: Any) -> Column:
        unit = str(item.ui.unit or getattr(item.kind, "unit", ""))
        given: dict[str, Any] = {"required": item.required, "unit": unit, **more}
        return cls(item.name, item.kind, given.pop("label", item.ui.label), **given)

    @property
    def places(self) -> int:
        return self.kind.places if isinstance(self.kind, Quantity) else 0

    @property
    def reference(self) -> str:
        """The record that the cell names by its code, "" when it does not."""
        return self.kind.record_name if isinstance(self.kind, Reference) else ""

    def accepted(self) -> str:
        """What the cell may hold, in the language of the moment."""
        return str(self._accepted())

    def _accepted(self) -> Any:
        kind = self.kind
        if isinstance(kind, Quantity):
            return kind.accepted()
        if isinstance(kind, WholeNumber):
            return _("a whole number from %(low)s to %(high)s", low=kind.minimum, high=kind.maximum)
        if isinstance(kind, Choice):
            return ", ".join(choice_text(kind, key) for key in kind.options)
        words = next((text for made, text in ACCEPTED.items() if isinstance(kind, made)), AS_SHOWN)
        return str(words).format(most=getattr(kind, "most", ""))


#: What else a cell may hold, by the kind of its field; the first that fits.
ACCEPTED: dict[type[Kind], Words] = {
    Day: Words("a day such as 2026-03-28", "日期，如 2026-03-28", "日期，如 2026-03-28"),
    Instant: Words(
        "a time such as 2026-03-28 10:00", "时间，如 2026-03-28 10:00", "時間，如 2026-03-28 10:00"
    ),
    Reference: Words("the code of a record that exists", "已有记录的编号", "已有記錄的編號"),
    Code: Words(
        "up to {most} letters, digits and - _ . / # +, without blanks",
        "最多 {most} 个字母、数字及 - _ . / # +，不含空格",
        "最多 {most} 個字母、數字及 - _ . / # +，不含空格",
    ),
    Flag: Words("yes or no", "是或否", "是或否"),
    Text: Words("text of up to {most} characters", "文字，最多 {most} 个字符", "文字，最多 {most} 個字元"),
}
AS_SHOWN = Words("as in the example", "同示例", "同範例")


def columns_of(schema: type[Schema], **more: Mapping[str, Any]) -> dict[str, Column]:
    """A column for each field of the schema; `more` gives examples, notes and aliases by name."""
    return {item.name: Column.of(item, **more.get(item.name, {})) for item in schema.inputs()}


def own_column(name: str, kind: Kind, label: Words, **more: Any) -> Column:
    """A column that no schema has."""
    return Column.of(Input(name, kind, Ui(label), bool(more.pop("required", False)), None), **more)


# --- choices ---------------------------------------------------------------------------------------------------


def choice_text(kind: Choice, key: str) -> str:
    """How a choice stands in the drop-down list: in English and Chinese, which is how it is read again."""
    return _ways(kind)[0][key]


def choice_key(kind: Choice, text: str) -> str:
    """The key of what was written (the key, a label of any language, the text of the list), or the text itself for the
    schema to refuse."""
    return _ways(kind)[1].get(_folded(text), text)


def _ways(kind: Choice) -> tuple[dict[str, str], dict[str, str]]:
    """(key -> text of the list, every way to write a choice -> key); translated once an application."""
    kept: dict[int, Any] = current_app.extensions.setdefault("lims.importing.choices", {})
    if id(kind) not in kept:
        listed: dict[str, str] = {}
        keys: dict[str, str] = {}
        for key, label in kind.options.items():
            texts = in_all_languages(label)
            listed[key] = texts[0] if texts[0] == texts[1] else f"{texts[0]} {texts[1]}"
            for text in (key, *texts, listed[key], *FORMER_CHOICES.get(texts[0], ())):
                keys.setdefault(_folded(text), key)
        kept[id(kind)] = (kind, listed, keys)  # with the kind itself, so that its id stays its own
    _kind, texts_of, keys_of = kept[id(kind)]
    return texts_of, keys_of


def _folded(text: str) -> str:
    return "".join(plain(text).lower().split())


# --- rows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: row and column from 0; column -1 for what the mapping gives to every row."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    old: str
    new: str


@dataclass(slots=True)
class Row:
    """One record as a sheet tells it, and what becomes of it. `number` is the sheet's row, from 1."""

    number: int
    #: Column name -> column of the sheet, the same for all rows; `places` holds what stands elsewhere.
    columns: Mapping[str, int] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: new, changed, same or refused
    outcome: str = ""
    title: str = ""
    changes: list[Change] = field(default_factory=list)
    #: (record name, id) of what was written, and of what was there and was changed beside something new.
    written: list[tuple[str, int]] = field(default_factory=list)
    changed_too: list[tuple[str, int]] = field(default_factory=list)

    def place_of(self, name: str) -> Place | None:
        """Where the value of a column stands; None for one that the sheet does not have."""
        if name in self.places:
            return self.places[name]
        return Place(self.number - 1, self.columns[name]) if name in self.columns else None

    def refuse(self, problems: Iterable[Problem]) -> None:
        self.problems += problems
        self.outcome = "refused"

    def same(self) -> None:
        self.outcome = self.outcome or "same"

    def links(self) -> Iterator[tuple[str, int, str]]:
        """(record name, id, new or changed) of every record that the row made or changed."""
        yield from ((name, record_id, self.outcome) for name, record_id in self.written)
        yield from ((name, record_id, "changed") for name, record_id in self.changed_too)


def value_of(column: Column, cell: Cell, form: Form, unit: str = "") -> Any:
    """The value of a cell as the schema's field takes it; None when it is blank. `unit` is that of the sheet.

    Raises: Unreadable, PydanticCustomError.
    """
    kind = column.kind
    if isinstance(kind, Quantity):
        number = number_of(cell, form, unit or column.unit)
        if number is None:
            return None
        if unit and unit != column.unit:
            number = converted(number, unit, column.unit, kind.places)
        elif form.rounds:
            number = rounded(number, kind.places)
        return kind.parse(number)
    if isinstance(kind, WholeNumber):
        number = number_of(cell, form, column.unit)
        if number is None:
            return None
        return kind.parse(str(int(number)) if number == int(number) else f"{number:f}")
    if isinstance(kind, Day):
        day = day_of(cell, form)
        return None if day is None else kind.parse(day)
    if isinstance(kind, Instant):
        moment = moment_of(cell, form)
        if moment is None:
            return None
        return kind.parse(moment if moment.tzinfo else moment.replace(tzinfo=laboratory_zone()))
    if cell is None:
        return None
    if isinstance(kind, Flag):
        return kind.parse(cell if isinstance(cell, bool) else shown(cell))
    if isinstance(cell, bool):
        raise Unreadable(_("is yes or no; accepted: text"))
    if isinstance(cell, date) or not isinstance(cell, str | float | int):
        raise Unreadable(_("is formatted as a date or time; accepted: the cell formatted as text"))
    text = cell if isinstance(cell, str) else shown(cell)
    if isinstance(cell, float) and abs(cell) >= 1e15:
        raise Unreadable(
            _("is a number of more digits than a sheet keeps; accepted: the cell formatted as text")
        )
    if not text.strip():
        return None
    if isinstance(kind, Reference):
        return text.strip()
    if isinstance(kind, Choice):
        return kind.parse(choice_key(kind, text))
    return kind.parse(text)


def fill(row: Row, column: Column, cell: Cell, form: Form, unit: str) -> None:
    """Put a cell's value into the row, or what is wrong with it."""
    try:
        value = value_of(column, cell, form, unit)
    except Unreadable as error:
        row.refuse([Problem(column.name, str(error), shown(cell)[:200])])
    except PydanticCustomError as error:
        row.refuse([Problem(column.name, str((error.context or {})["message"]), shown(cell)[:200])])
    except (OverflowError, ArithmeticError):
        row.refuse(
            [
                Problem(
                    column.name,
                    _("is not accepted; accepted: %(what)s", what=column.accepted()),
                    shown(cell)[:200],
                )
            ]
        )
    else:
        if value is not None:
            row.values[column.name] = value


def text_of(column: Column, value: Any) -> str:
    """A value as the preview shows it."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value.astimezone(laboratory_zone()):%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    if isinstance(column.kind, Choice):
        return str(column.kind.options.get(value, value))
    if isinstance(value, Decimal):
        return Quantity().text(value)
    if isinstance(value, tuple):
        return ", ".join(text_of(column, item) for item in value)
    return str(value)
