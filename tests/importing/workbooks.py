"""Workbooks as people make them, for the tests of importing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet

from lims.importing.imports import TEMPLATES

#: First row of data in a template.
FIRST = 6


def saved(book: openpyxl.Workbook) -> bytes:
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def sheet_of(rows: Sequence[Sequence[Any]], title: str = "Sheet") -> tuple[openpyxl.Workbook, Worksheet]:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    return book, sheet


def workbook(rows: Sequence[Sequence[Any]], title: str = "Sheet") -> bytes:
    return saved(sheet_of(rows, title)[0])


def filled(template: str, *rows: dict[str, Any]) -> bytes:
    """The template's sheet with these rows, as a person would fill it."""
    book, sheet = filled_book(template, *rows)
    assert sheet
    return saved(book)


def filled_book(template: str, *rows: dict[str, Any]) -> tuple[openpyxl.Workbook, Worksheet]:
    names = list(TEMPLATES[template].columns)
    book, sheet = sheet_of([["Title"], ["Head"], ["头"], ["頭"], names], "Data")
    for number, row in enumerate(rows, start=FIRST):
        for name, value in row.items():
            sheet.cell(number, names.index(name) + 1, value)
    return book, sheet


def letter_of(template: str, name: str) -> str:
    return openpyxl.utils.get_column_letter(list(TEMPLATES[template].columns).index(name) + 1)
