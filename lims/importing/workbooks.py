"""Files -> sheets of cells as they stand: .xlsx, .xls, .ods and text. What a cell means is decided later.

A workbook is read by lims/importing/reading_process.py, which may use little memory and time and may die; what comes back
is cells, or a reason.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from lims.base.exports import text_is_formula
from lims.base.problems import Refused, refuse
from lims.importing.reading_process import letters_of

READER = Path(__file__).with_name("reading_process.py")
#: How a workbook begins: a zip, or the old compound file.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods", ".csv", ".txt", ".tsv")
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "gb18030": "GB 18030",
    "big5": "Big5",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
}
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MOST_COLUMNS = 500
#: Rows and columns of the largest sheet that Excel opens.
SHEET_ROWS, SHEET_COLUMNS = 1_048_576, 16_384
#: Characters of a text whose lines tell what parts its columns.
MOST_SNIFFED = 200_000


class Percentage(float):
    """The number of a cell that is formatted as a percentage: 0.048 where people read 4.8 %."""

    @property
    def shown(self) -> Decimal:
        """What stands before the sign."""
        return Decimal(exact_text(float(self))).scaleb(2)


#: A cell: blank, number, text, yes or no, or a day or time as the sheet's format says.
Cell = None | float | str | bool | date | datetime | time


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading may cost. `wall_seconds` counts when the machine is busy with something else."""

    file_bytes: int
    unpacked_bytes: int
    cells: int
    rows: int
    memory_bytes: int
    cpu_seconds: int
    wall_seconds: int


#: While a person waits; larger files run as a job.
AT_ONCE = Limits(10_000_000, 64_000_000, 600_000, 20_000, 320_000_000, 4, 30)
AS_A_JOB = Limits(64_000_000, 600_000_000, 10_000_000, 200_000, 3_000_000_000, 120, 600)


class Unread(Refused):
    """The reader did not take it; what it spent is 0 when it could not tell any more."""

    peak_kb: int = 0
    cpu_s: float = 0.0


class TooLarge(Unread):
    """It may be read by a job."""


@dataclass(slots=True)
class Sheet:
    """Rows from the first, columns from A; `errors` and `no_value` name cells such as B7."""

    name: str
    rows: list[list[Cell]]
    hidden: bool = False
    hidden_rows: tuple[int, ...] = ()
    #: (first row, first column, last row, last column), from 0.
    merged: tuple[tuple[int, int, int, int], ...] = ()
    errors: frozenset[str] = frozenset()
    no_value: frozenset[str] = frozenset()
    #: Cells that are formatted as a percentage; those with a number hold a `Percentage`.
    percent: tuple[str, ...] = ()
    #: Cells that show a day with the time 00:00, among others perhaps; those with a day hold its first moment.
    midnights: tuple[str, ...] = ()

    def cell(self, row: int, column: int) -> Cell:
        """Rows and columns count from 0; outside of the sheet is blank."""
        if row < len(self.rows) and column < len(self.rows[row]):
            return self.rows[row][column]
        return None


@dataclass(slots=True)
class Book:
    """A file's sheets. `mac_dates`: serial numbers of days count from 1904; None when the file does not tell."""

    name: str
    sheets: list[Sheet]
    mac_dates: bool | None = None
    #: Of text files.
    encoding: str = ""
    delimiter: str = ""
    remarks: list[str] = field(default_factory=list)
    #: Memory and time of a processor that reading it took; 0 where that is not known.
    peak_kb: int = 0
    cpu_s: float = 0.0

    @property
    def is_text(self) -> bool:
        return bool(self.encoding)

    def sheet(self, name: str) -> Sheet:
        """Raises: Refused naming the sheets there are."""
        for sheet in self.sheets:
            if sheet.name == name:
                return sheet
        names = ", ".join(sheet.name for sheet in self.sheets)
        raise refuse("sheet", _("is not in the file; accepted: %(what)s", what=names[:200]), name)


def column_letters(column: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    return letters_of(column + 1)


def column_of(letters: str) -> int:
    """A -> 0, AA -> 26; -1 for anything else."""
    text = letters.strip().upper()
    if not (text.isascii() and text.isalpha() and len(text) <= 3):
        return -1
    number = 0
    for letter in text:
        number = number * 26 + ord(letter) - 64
    return number - 1


def cell_name(row: int, column: int) -> str:
    """Rows and columns from 0 -> B7."""
    return f"{column_letters(column)}{row + 1}"


def place_of(name: str) -> tuple[int, int]:
    """B7 -> (row, column) from 0."""
    letters = name.rstrip("0123456789")
    return int(name[len(letters) :]) - 1, column_of(letters)


def shown(value: Cell) -> str:
    """A cell as a person reads it: numbers with the 15 digits that a sheet keeps."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Percentage):
        return f"{value.shown.normalize():f}%"
    if isinstance(value, float | int):
        return exact_text(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return value


def exact_text(value: float) -> str:
    """The digits of a number in a sheet. A binary fraction shows up to 17 digits; sheets show and keep 15."""
    text = repr(value)
    if len(text) > 16 and sum(sign.isdigit() for sign in text.partition("e")[0].lstrip("-0.")) > 15:
        text = f"{value:.15g}"
    try:
        number = Decimal(text)
    except ArithmeticError:  # pragma: no cover - repr of a float is always a number
        return text
    if not number.is_finite():
        return text
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def read_book(
    name: str, content: bytes, limits: Limits = AT_ONCE, *, encoding: str = "", delimiter: str = ""
) -> Book:
    """The sheets of a file. Raises: Refused with what would be accepted; TooLarge when a job may read it."""
    if not content:
        raise refuse("file", _("is empty"), name)
    if len(content) > limits.file_bytes:
        raise _too_large(_("is larger than %(mb)s MB", mb=limits.file_bytes // 1_000_000), name)
    if content.startswith(WORKBOOKS):
        book = _workbook(name, content, limits)
    elif Path(name).suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"):
        raise refuse("file", _("is no workbook; accepted: .xlsx, .xls, .ods or .csv as Excel saves it"), name)
    elif Path(name).suffix.lower() in SUFFIXES:
        book = _text(name, content, limits, encoding, delimiter)
    else:
        raise refuse("file", _("has an unknown ending; accepted: .csv, .xls, .xlsx"), name)
    rows = max((len(sheet.rows) for sheet in book.sheets), default=0)
    if rows > limits.rows:
        raise _too_large(_("has more than %(n)s rows", n=limits.rows), name)
    if any(len(row) > MOST_COLUMNS for sheet in book.sheets for row in sheet.rows):
        raise refuse("file", _("has more than %(n)s columns", n=MOST_COLUMNS), name)
    if not any(sheet.rows for sheet in book.sheets):
        raise refuse("file", _("has no cells; accepted: a sheet with a table"), name)
    return book


def _too_large(message: str, name: str) -> TooLarge:
    return TooLarge(refuse("file", message, name).problems)


def order_of(limits: Limits) -> bytes:
    """The first line of what the reader is told."""
    libraries = find_spec("python_calamine")
    assert libraries is not None
    assert libraries.origin is not None
    order = {
        "unpacked_bytes": limits.unpacked_bytes,
        "cells": limits.cells,
        "memory_bytes": limits.memory_bytes,
        "cpu_seconds": limits.cpu_seconds,
        "libraries": str(Path(libraries.origin).parents[1]),
    }
    return json.dumps(order).encode() + b"\n"


#: Neither the environment nor the folder nor site packages decide what it imports.
READS = (sys.executable, "-I", "-P", "-S", str(READER))


def _workbook(name: str, content: bytes, limits: Limits) -> Book:
    sheets: list[Sheet] = []
    answer: dict[str, Any] = {}
    with subprocess.Popen(  # noqa: S603 - our own program, the bytes go in as data
        READS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        patience = threading.Timer(limits.wall_seconds, reader.kill)
        patience.start()
        try:
            with contextlib.suppress(BrokenPipeError), reader.stdin as told:
                told.write(order_of(limits) + content)
            for line in reader.stdout:
                said = json.loads(line)
                if type(said) is list:
                    sheets[-1].rows += [_cells(row) for row in said]
                elif "name" in said:
                    sheets.append(_sheet(said))
                else:
                    answer |= said
        except ValueError:  # it died in the middle of a line
            answer = {}
        finally:
            late = patience.finished.is_set()
            patience.cancel()
            reader.kill()
    if "peak_kb" not in answer:
        raise _unfit("large" if late else "died", "", name)
    if "refused" in answer:
        refusal = _unfit(str(answer["refused"]), str(answer.get("detail", "")), name)
        refusal.peak_kb, refusal.cpu_s = answer["peak_kb"], answer["cpu_s"]
        raise refusal
    for sheet in sheets:
        _told(sheet)
    return Book(name, sheets, answer["mac_dates"], peak_kb=answer["peak_kb"], cpu_s=answer["cpu_s"])


def _unfit(reason: str, detail: str, name: str) -> Unread:
    if reason == "large":
        return _too_large(_("has too many cells to be read at once"), name)
    if reason == "protected":
        said = _("is protected by a password; accepted: a file without one")
    elif reason == "bomb":
        said = _("unpacks to far more than a workbook holds (%(what)s)", what=detail)
    else:
        said = _("is not a readable workbook (%(why)s)", why=detail[:120] or _("the reader gave up"))
    return Unread(refuse("file", said, name).problems)


_KINDS: dict[str, Any] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "duration": str,
}


def _cells(row: list[Any]) -> list[Cell]:
    return [_KINDS[v[0]](v[1]) if type(v) is list else None if v == "" else v for v in row]


def _sheet(item: dict[str, Any]) -> Sheet:
    return Sheet(
        item["name"],
        [],
        item["hidden"],
        tuple(item.get("hidden_rows", ())),
        tuple((a, b, c, d) for (a, b), (c, d) in item["merged"]),
        frozenset(item.get("errors", ())),
        frozenset(item.get("no_value", ())),
        tuple(item.get("percent", ())),
        tuple(item.get("midnights", ())),
    )


def _told(sheet: Sheet) -> None:
    """What stands at a cell's name is at the cell: it is there though it looks blank, below the last value too. Of the
    merged ranges those stay that a sheet can have."""
    for name in (*sheet.errors, *sheet.no_value):
        row, column = place_of(name)
        sheet.rows += [[] for _missing in range(row + 1 - len(sheet.rows))]
        cells = sheet.rows[row]
        cells += [None] * (min(column + 1, MOST_COLUMNS) - len(cells))
    for name in sheet.percent:
        row, column = place_of(name)
        found = sheet.cell(row, column)
        if isinstance(found, float | int) and not isinstance(found, bool):
            sheet.rows[row][column] = Percentage(found)
    for name in sheet.midnights:
        row, column = place_of(name)
        found = sheet.cell(row, column)
        if type(found) is date:
            sheet.rows[row][column] = datetime.combine(found, time())
    sheet.merged = tuple(_merged(sheet))


def _merged(sheet: Sheet) -> Iterator[tuple[int, int, int, int]]:
    """Those within the bounds of any sheet, of which no two begin at one cell and all together cover no more cells than it
    has: a file may say twenty thousand times that all of it is merged, or name a range that ends before it begins."""
    height, width = len(sheet.rows), max(map(len, sheet.rows), default=0)
    room, begun = height * width, set[tuple[int, int]]()
    for top, left, bottom, right in sheet.merged:
        if (
            not (0 <= top <= bottom < SHEET_ROWS and 0 <= left <= right < SHEET_COLUMNS)
            or (top, left) in begun
        ):
            continue
        cells = max(min(bottom + 1, height) - top, 0) * max(min(right + 1, width) - left, 0)
        if cells <= room:
            room -= cells
            begun.add((top, left))
            yield top, left, bottom, right


# --- text ------------------------------------------------------------------------------------------------------


def _text(name: str, content: bytes, limits: Limits, encoding: str, delimiter: str) -> Book:
    text, encoding = decoded(name, content, encoding)
    delimiter = delimiter or _sniffed(text)
    if "\0" in text:
        raise refuse("file", _("is not text"), name)
    rows: list[list[Cell]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], strict=True):
            if len(rows) == limits.rows:  # no more are kept: ten million empty lines would take 600 MB
                raise _too_large(_("has more than %(n)s rows", n=limits.rows), name)
            rows.append([_unquoted(cell) if cell.strip() else None for cell in row])
    except csv.Error as error:
        raise refuse("file", _("is not a csv table (%(why)s)", why=str(error)), name) from None
    return Book(name, [Sheet(Path(name).stem[:31] or "csv", rows)], None, encoding, delimiter)


def _unquoted(cell: str) -> str:
    """The apostrophe that our lists put before a text which a program would take for a formula is no part of it."""
    return cell[1:] if cell.startswith("'") and text_is_formula(cell[1:]) else cell


def decoded(name: str, content: bytes, encoding: str = "") -> tuple[str, str]:
    """(text, encoding). Without one given: a mark of order, then UTF-8, then the better of GB 18030 and Big5."""
    if encoding:
        try:
            return content.decode(encoding), encoding
        except UnicodeError:
            raise refuse(
                "file", _("is not text in %(encoding)s", encoding=ENCODINGS.get(encoding, encoding)), name
            ) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), "utf-16"
        except UnicodeError:
            raise refuse("file", _("is not text"), name) from None
    try:
        return content.decode("utf-8-sig"), "utf-8-sig"
    except UnicodeError:
        pass
    found = []
    for candidate in ("gb18030", "big5"):
        try:
            text = content.decode(candidate)
        except UnicodeError:
            continue
        found.append((_common(text, candidate), text, candidate))
    if not found:
        raise refuse("file", _("is neither UTF-8 nor GB 18030, Big5 or UTF-16 text"), name)
    _share, text, candidate = max(found, key=lambda item: item[0])
    return text, candidate


def _common(text: str, encoding: str) -> float:
    """Share of the characters beyond ASCII that are among the first few thousand of that character set."""
    legacy = "gb2312" if encoding == "gb18030" else "big5"
    beyond = [sign for sign in text[:20_000] if ord(sign) > 127]
    common = 0
    for sign in beyond:
        try:
            first = sign.encode(legacy)[0]
        except UnicodeError:
            continue
        common += 0xB0 <= first <= 0xD7 if legacy == "gb2312" else 0xA4 <= first <= 0xC6
    return common / len(beyond) if beyond else 1.0


def _sniffed(text: str) -> str:
    """The delimiter that cuts the first lines into most columns, the same number in most lines."""
    lines = [line for line in text[:MOST_SNIFFED].splitlines()[:40] if line.strip()]

    def merit(sign: str) -> tuple[int, int]:
        try:
            counts: Sequence[int] = [len(row) for row in csv.reader(lines, delimiter=sign) if row]
        except csv.Error:
            return 0, 0
        usual = max(set(counts), key=counts.count, default=1)
        return (usual > 1) * counts.count(usual), usual

    return max(DELIMITERS, key=lambda name: merit(DELIMITERS[name]))
