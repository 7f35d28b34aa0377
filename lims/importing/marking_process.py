"""Marks the refused cells of a workbook that keeps its looks, in a process of its own. Run by lims/importing/sheets.py.

For its looks everything of the workbook is taken, and a few letters of it ask for much: an object at each place of a merged
sheet or of a linked range, a style a million times, a picture that another program draws. Here that may use little memory
and little time, and only this process ends. What is marked elsewhere, a workbook of ours, is marked by the same functions.

In: one line of JSON (`main`), then the bytes. Out: the marked workbook, or nothing where it cannot be copied.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

if __name__ == "__main__":
    sys.path += sys.argv[1:]  # where the libraries lie, and the application
    sys.modules["numpy"] = None  # type: ignore[assignment]  # openpyxl would import it, for numbers that no sheet holds

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill

from lims.importing.reading_process import limit_resources

#: A fixed time in the files, so that making them again changes nothing.
MADE = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = PatternFill("solid", fgColor="DCE9E7")
REFUSED = PatternFill("solid", fgColor="F8B4B4")
BOLD = Font(bold=True)
#: Pictures that are written as they came. Others Pillow would draw anew, some of them by a program that the file tells.
KEPT_AS_THEY_CAME = frozenset({"png", "jpeg", "gif"})

#: (sheet, cell, column, value, message) of a refused cell.
RefusedCell = Sequence[str]


def put_text(cell: Any, text: str, formula_begins: Sequence[str]) -> None:
    """Text into a cell; it stays text whatever it begins with."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:32_767]
    cell.data_type = "s"
    if text.startswith(tuple(formula_begins)):
        cell.quotePrefix = True


def mark(book: Workbook, sheet: str, refusals: Sequence[RefusedCell], formula_begins: Sequence[str]) -> None:
    """Colour the refused cells of this sheet, with a comment at each, and list all of them on a sheet of their own."""
    if sheet in book.sheetnames:
        _colour(book[sheet], refusals)
    listed = book.create_sheet(_free_name(book.sheetnames))
    heads = ("Sheet", "Cell", "Column", "Value", "What would be accepted")
    for number, words in enumerate((heads, *refusals), start=1):
        for position, text in enumerate(words, start=1):
            put_text(listed.cell(number, position), text, formula_begins)
            if number == 1:
                listed.cell(1, position).font, listed.cell(1, position).fill = BOLD, HEAD
    for letter, width in zip("ABCDE", (18, 8, 24, 24, 90), strict=True):
        listed.column_dimensions[letter].width = width


def _colour(sheet: Any, refusals: Sequence[RefusedCell]) -> None:
    said: dict[str, list[str]] = {}
    for _sheet, name, column, _value, message in refusals:
        said.setdefault(name, []).append(f"{column}: {message}" if column else message)
    for name, messages in said.items():
        cell = sheet[name]
        if type(cell).__name__ == "MergedCell":
            continue
        cell.fill = REFUSED
        comment = Comment(ILLEGAL_CHARACTERS_RE.sub("\ufffd", "\n".join(messages))[:2000], "lims")
        comment.width, comment.height = 320, 110
        cell.comment = comment


def _free_name(names: Sequence[str]) -> str:
    name, number = "Refused 未通过", 1
    while name in names:
        number += 1
        name = f"Refused 未通过 {number}"
    return name


def saved(book: Workbook) -> bytes:
    """The workbook's bytes, the same for the same content: no clock of this machine in them."""
    book.properties.creator = "lims"
    book.properties.created = MADE.replace(tzinfo=None)
    raw = io.BytesIO()
    book.save(raw)
    made = io.BytesIO()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            part = source.read(entry)
            if entry.filename == "docProps/core.xml":
                part = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2026-01-01T00:00:00Z", part)
            fixed = zipfile.ZipInfo(entry.filename, (2026, 1, 1, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            fixed.external_attr = 0o644 << 16
            target.writestr(fixed, part)
    return made.getvalue()


def _copied(content: bytes, names: Sequence[str]) -> Workbook | None:
    """The workbook with its looks; None where these sheets are not all in it, or it cannot be written as it is."""
    book = load_workbook(io.BytesIO(content))
    pictures = [picture for sheet in book.worksheets for picture in getattr(sheet, "_images", ())]
    if any(picture.format not in KEPT_AS_THEY_CAME for picture in pictures):
        return None
    return book if set(names) <= set(book.sheetnames) else None


def main() -> None:
    """What is told: memory_bytes, cpu_seconds, names (of the sheets that were read), sheet, refusals, formula_begins."""
    told = json.loads(sys.stdin.buffer.readline())
    limit_resources(told["memory_bytes"], told["cpu_seconds"])
    book = _copied(sys.stdin.buffer.read(), told["names"])
    if book is not None:
        mark(book, told["sheet"], told["refusals"], told["formula_begins"])
        sys.stdout.buffer.write(saved(book))


if __name__ == "__main__":
    main()
