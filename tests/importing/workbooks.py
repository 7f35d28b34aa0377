"""Workbooks as people make them, for the tests of importing."""

from __future__ import annotations

import io
import struct
import zipfile
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


def ods(*rows: str) -> bytes:
    """An .ods as LibreOffice writes it, each row given as its cells' XML."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    calcext = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces} {calcext}><office:body><office:spreadsheet>'
        f'<table:table table:name="数据">{body}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
        archive.writestr("content.xml", content)
    return made.getvalue()


def xls(
    *cells: tuple[int, bytes],
    formats: Sequence[tuple[int, str]] = (),
    mac_dates: bool = False,
    padded: bool = True,
) -> bytes:
    """An .xls of one sheet ([MS-CFB], [MS-XLS]) with these records of cells. Style 0 is General, 1 is 0 %, then `formats`
    by their number. `padded` as Excel does it; else the workbook lies in pieces of 64 bytes, as short streams may."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(of: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, of, 0, 0, 0, 0))

    def style(number: int) -> bytes:
        return record(0xE0, struct.pack("<HH", 0, number) + b"\0" * 16)

    def entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le") + b"\0\0"
        places = struct.pack("<HBBIII36xIQ", len(text), kind, 1, NONE, NONE, child, start, size)
        return text.ljust(64, b"\0") + places

    head = begin(5) + record(0x22, struct.pack("<H", mac_dates))
    for number, code in formats:
        head += record(0x041E, struct.pack("<HHB", number, len(code), 0) + code.encode())
    head += style(0) + style(9) + b"".join(style(number) for number, _code in formats)
    place = len(head) + 17  # behind what follows
    head += record(0x85, struct.pack("<IBBBB", place, 0, 0, 1, 0) + b"S") + record(0x0A, b"")
    stream = head + begin(16) + b"".join(record(kind, data) for kind, data in cells) + record(0x0A, b"")
    if padded:
        stream = stream.ljust(4096, b"\0")
    size, sectors = len(stream), stream + b"\0" * (-len(stream) % 512)
    count, pieces = len(sectors) // 512, -(-size // 64)
    # Sectors: which follows which, the folder, which piece follows which, the stream.
    follows = [0xFFFFFFFD, END, END, *(at + 4 for at in range(count - 1)), END]
    of_pieces = [*range(1, pieces), END]
    root = (END, 0) if padded else (3, pieces * 64)
    folder = entry("Root Entry", 5, 1, *root) + entry("Workbook", 2, NONE, 3 if padded else 0, size)
    header = bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 16 + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, 1, 1, 0, 4096, 2, 1, END, 0) + struct.pack("<109I", 0, *[NONE] * 108)
    tables = (struct.pack("<128I", *of, *[NONE] * (128 - len(of))) for of in (follows, of_pieces[:128]))
    return header + next(tables) + folder.ljust(512, b"\0") + next(tables) + sectors


#: Of a compound file: the last of a chain, and nothing.
END, NONE = 0xFFFFFFFE, 0xFFFFFFFF
