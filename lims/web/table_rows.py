"""A line of a table of records: a list has two hundred values, and a template takes twice as long for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup, escape

from lims.base.display import Cell
from lims.base.views import Column, address_of

#: States and their colours; what is not named here is grey.
STATE_COLOURS = {
    "entered": "azure", "verified": "teal", "released": "green", "waiting": "yellow", "broken": "secondary",
    "open": "red", "received": "red", "answered": "yellow", "on_site": "orange", "solved": "teal", "closed": "green",
    "withdrawn": "secondary", "dropped": "secondary", "upheld": "orange", "rejected": "green", "sent": "green",
    "sending": "azure", "running": "azure", "planned": "secondary", "finished": "green", "prospect": "purple",
    "trial": "azure", "active": "green", "lapsed": "secondary", "own": "azure", "competitor": "orange", "mean": "green",
    "middle": "yellow", "invalid": "red", "spread": "red", "high": "red", "normal": "azure", "low": "secondary",
    "passed": "green", "failed": "red", "queued": "yellow", "done": "green", "cancelled": "secondary",
}  # fmt: skip
#: Kinds of values whose markup is not kept: texts hardly repeat, and they and links may name persons.
UNKEPT = frozenset({"text", "link"})
#: A choice that is shorter stays on one line.
SHORT = 20


def badge(text: Any, key: str = "") -> Markup:
    """A state in its colour, which the words say too."""
    colour = STATE_COLOURS.get(key, "secondary")
    return Markup(f'<span class="badge bg-{colour}-lt">{escape(text)}</span>')  # noqa: S704 - escaped


def value(cell: Cell) -> Markup:
    """One value: as a link, a badge, a time or plain text."""
    text, kind, href, raw = cell
    if kind == "link" and href:
        return Markup(f'<a href="{escape(href)}">{escape(text)}</a>')  # noqa: S704 - escaped
    if kind == "choice" and raw in STATE_COLOURS:
        return badge(text, raw)
    if kind == "time" and raw:
        return Markup(f'<time datetime="{escape(raw)}">{escape(text)}</time>')  # noqa: S704 - escaped
    return escape(text)


def with_numbers(columns: Sequence[Column], rows: Sequence[tuple[Any, Sequence[Cell]]]) -> Sequence[Column]:
    """The columns, those numeric that hold a number in any of these rows: a ratio and a count have no unit that would tell,
    and their head and their empty cells stand where their numbers stand."""
    kinds = [{cells[place].kind for _record, cells in rows} for place in range(len(columns))]
    return [
        replace(column, numeric=column.numeric or "number" in found)
        for column, found in zip(columns, kinds, strict=True)
    ]


def line(record: Any, cells: Sequence[Cell], columns: Sequence[Column]) -> Markup:
    """The cells of a record's line: the first leads to the record."""
    if not cells:
        return Markup()
    shown = f'<a class="fw-medium" href="{escape(address_of(record))}">{escape(cells[0].text)}</a>'
    if getattr(record, "superseded_at", None) and getattr(record, "state", "") != "retracted":
        # Not by +: with markup on its right a text is escaped.
        shown = f"{shown} {badge(_('Superseded'), 'lapsed')}"
    parts = [f"<td{_style(cells[0], columns[0].numeric)}>{shown}</td>"]
    for column, cell in zip(columns[1:], cells[1:], strict=True):
        made = _data.__wrapped__ if cell.kind in UNKEPT else _data
        parts.append(made(cell, column.numeric))
    return Markup("".join(parts))  # noqa: S704 - of escaped parts


@lru_cache(maxsize=8192)  # the lines of a list share most of such values, and everybody opens the same lists
def _data(cell: Cell, numeric: bool) -> str:
    return f"<td{_style(cell, numeric)}>{value(cell)}</td>"


def _style(cell: Cell, numeric: bool) -> str:
    if numeric or cell.kind == "number":
        return ' class="text-end num"'
    if cell.kind == "time":
        return ' class="num"'
    return ' class="text-nowrap"' if cell.kind == "choice" and len(cell.text) < SHORT else ""
