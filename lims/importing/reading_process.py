"""Reads one workbook in a process of its own and writes its cells as JSON. Run by lims/importing/workbooks.py.

A workbook comes from outside and may be damaged or made to harm. Here it may use little memory and little time, and when
it breaks the reader, only this process ends. Nothing of the application is imported: it starts in a tenth of a second.

In: one line of JSON (limits, and where the libraries lie), then the bytes. Out, a line of JSON each: a sheet without its
rows, then lists of its rows, further sheets; at the end {"mac_dates": ...} or {"refused": reason, "detail": ...}.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

#: Rows that go out together: the application turns them into cells while the next are written.
ROWS_OF_A_LINE = 500
#: A cell's column letters and row digits.
_CELL = re.compile(rb"""<(?:\w+:)?c\b[^>]*?\br=["']([A-Z]{1,3})(\d{1,7})["']""")
_CELL_OF_ERROR = re.compile(rb"""<(?:\w+:)?c\b(?=[^>]*\bt=["']e["'])[^>]*?\br=["']([A-Z]{1,3}\d{1,7})["']""")
#: Every cell, with a reference or without.
_CELLS = re.compile(rb"<(?:\w+:)?c\b")
#: The same as nearly every program writes it, and a cell that is written in any other way.
_PLAIN_CELL = re.compile(rb"""<c r="([A-Z]{1,3}\d{1,7})\"""")
_LETTERS, _DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789"
_OTHER_CELL = re.compile(rb"""<c(?! r=")\b""")
_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_NUMBER = re.compile(rb"""\br=["'](\d{1,9})["']""")
_HIDDEN = re.compile(rb"""\bhidden=["'](?:1|true)["']""")
#: A formula whose value was never stored: <c r="B7"><f>…</f></c> or with an empty <v>. With t="str" an empty <v>
#: is the value: Excel, WPS and LibreOffice store so what =IF(A7="","",…) gives.
#: Not the <formula1> of a list to choose from, which every template of ours has.
_PLAIN_FORMULA = re.compile(rb"<f[\s/>]")
_FORMULA = rb"""[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"""
_NO_VALUE = re.compile(
    rb"""<(?:\w+:)?c\b(?:(?![^>]*\bt=["']str["'])[^>]*?\br=["']([A-Z]{1,3}\d{1,7})["']"""
    + _FORMULA
    + rb"""(?:</(?:\w+:)?c>|<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)|"""
    rb"""[^>]*?\br=["']([A-Z]{1,3}\d{1,7})["']""" + _FORMULA + rb"""</(?:\w+:)?c>)"""
)
_PERCENT_FORMAT = re.compile(
    rb"""<(?:\w+:)?numFmt\b(?=[^>]*\bnumFmtId=["'](\d+)["'])[^>]*\bformatCode=(?:"([^"]*)"|'([^']*)')"""
)
_CELL_STYLES = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"""<(?:\w+:)?xf\b(?:[^>]*?\bnumFmtId=["'](\d+)["'])?""")
#: 0 % and 0.00 %, which every workbook has without naming them.
_PERCENT_BUILT_IN = {b"9", b"10"}
_MAC_DATES = re.compile(rb"""<(?:\w+:)?workbookPr\b[^>]*\bdate1904=["'](?:1|true)["']""")
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b([^>]*)>")
#: A sign by its number, as some programs write Chinese names.
_BY_NUMBER = re.compile(r"&#([xX]?)([0-9a-fA-F]{1,5});")
_RELATION = re.compile(rb"<Relationship\b([^>]*)>")


class Unfit(Exception):
    """The file is not read: `reason` is a word that the application makes a sentence of."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def limit_resources(memory_bytes: int, cpu_seconds: int) -> None:
    """Where the system knows such limits (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def unpacked(content: bytes, most_bytes: int) -> dict[str, bytes]:
    """The parts that hold cells, counted while they are unpacked: what the directory says is not believed."""
    parts: dict[str, bytes] = {}
    left = most_bytes
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, EOFError) as error:
        raise Unfit("damaged", str(error)) from None
    entries = archive.infolist()
    if len(entries) > 2000:
        raise Unfit("bomb", f"{len(entries)} parts")
    if sum(entry.file_size for entry in entries) > most_bytes:
        raise Unfit("bomb", f"{sum(entry.file_size for entry in entries) // 1_000_000} MB")
    for entry in entries:
        if entry.flag_bits & 1:
            raise Unfit("protected")
        if not entry.filename.lower().endswith((".xml", ".rels", "mimetype")):
            continue
        try:
            with archive.open(entry) as packed:
                part = packed.read(left + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            OSError,
            NotImplementedError,
            EOFError,
            KeyError,
        ) as error:
            raise Unfit("damaged", str(error)) from None
        left -= len(part)
        if left < 0:
            raise Unfit("bomb", f"more than {most_bytes // 1_000_000} MB")
        if b"<!DOCTYPE" in part[:4096] or b"<!ENTITY" in part[:4096]:
            raise Unfit("damaged", "DOCTYPE")
        parts[entry.filename] = part
    return parts


def packed_again(parts: dict[str, bytes]) -> bytes:
    """The same parts, not compressed: the reader sees only what was counted."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return made.getvalue()


def attribute(text: bytes, name: bytes) -> str:
    found = re.search(rb"""\b""" + name + rb"""=["']([^"']*)["']""", text)
    return found.group(1).decode("utf-8", "replace") if found else ""


def sheet_parts(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Sheet name -> its XML, through the relations of the workbook."""
    book = parts.get("xl/workbook.xml", b"")
    relations = {
        attribute(found.group(1), b"Id"): attribute(found.group(1), b"Target")
        for found in _RELATION.finditer(parts.get("xl/_rels/workbook.xml.rels", b""))
    }
    sheets = {}
    for found in _SHEET.finditer(book):
        target = relations.get(attribute(found.group(1), rb"\w+:id"), "").lstrip("/")
        path = target if target.startswith("xl/") else f"xl/{target}"
        name = attribute(found.group(1), b"name")
        name = _BY_NUMBER.sub(lambda code: chr(int(code[2], 16 if code[1] else 10)), name)
        for code, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
            name = name.replace(code, sign)
        sheets[name] = parts.get(path, b"")
    return sheets


def column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def marks(xml: bytes, most_cells: int) -> dict[str, Any]:
    """What the values alone do not tell: hidden rows, errors, formulas without a value. Refuses a far-away cell."""
    hidden, row, last_row = [], 0, 0
    # A tenth of the time: where every cell tells its place in the usual way, rows matter only when some are hidden.
    references = _PLAIN_CELL.findall(xml)
    usual = len(references) == xml.count(b'<c r="') and b":c" not in xml and _OTHER_CELL.search(xml) is None
    for found in () if usual and b"hidden" not in xml else _ROW.finditer(xml):
        given = _NUMBER.search(found.group(1))
        row = int(given.group(1)) if given else row + 1
        last_row = max(last_row, row)
        if _HIDDEN.search(found.group(1)):
            hidden.append(row)
    if not usual:
        references = [letters + digits for letters, digits in _CELL.findall(xml)]
    together = b" ".join(references)
    last_row = max(last_row, max(map(int, set(together.translate(None, _LETTERS).split())), default=0))
    last_column = max(map(column_number, set(together.translate(None, _DIGITS).split())), default=1)
    count = len(references) if usual else len(_CELLS.findall(xml))
    errors = b'"e"' in xml or b"'e'" in xml
    formulas = _PLAIN_FORMULA.search(xml) is not None or b":f" in xml
    if last_row > 1_048_576 or last_column > 16_384:
        raise Unfit("damaged", "a cell outside of any sheet")
    if max(count, last_row * last_column) > most_cells:
        raise Unfit("large", f"{last_row} x {last_column}")
    return {
        "hidden_rows": hidden[:1000],
        "errors": [name.decode() for name in _CELL_OF_ERROR.findall(xml)[:10_000]] if errors else [],
        "no_value": [(one or other).decode() for one, other in _NO_VALUE.findall(xml)[:10_000]]
        if formulas
        else [],
    }


def percent_cells(styles: bytes) -> re.Pattern[bytes] | None:
    """What finds the cells that show a hundred times their number: 4.8 % is stored as 0.048. None when there are none."""
    percent = set(_PERCENT_BUILT_IN)
    for number, code, other in _PERCENT_FORMAT.findall(styles):
        plain = (code or other).replace(b"&quot;", b'"')
        if b"%" in re.sub(rb"""\"[^\"]*\"|\\.""", b"", plain):
            percent.add(number)
    section = _CELL_STYLES.search(styles)
    formats = _STYLE.findall(section.group(0)) if section is not None else []
    places = b"|".join(b"%d" % place for place, number in enumerate(formats) if number in percent)
    if not places:
        return None
    return re.compile(
        rb"""<(?:\w+:)?c\b(?=[^>]*\bs=["'](?:"""
        + places
        + rb""")["'])[^>]*?\br=["']([A-Z]{1,3}\d{1,7})["']"""
    )


def as_json(value: Any) -> list[str]:
    """What JSON does not know, a day, a time or a length of time, as [kind, ISO text]."""
    kind = type(value).__name__
    if kind in ("datetime", "date", "time"):
        return [kind, value.isoformat()]
    return ["duration", str(value)]


def read(content: bytes, limits: dict[str, int]) -> Iterator[dict[str, Any] | list[list[Any]]]:
    """What goes out, a line each. Raises: Unfit, also after the first lines."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    extra: dict[str, dict[str, Any]] = {}
    mac_dates: bool | None = None
    if content.startswith(b"PK"):
        parts = unpacked(content, limits["unpacked_bytes"])
        percent = percent_cells(parts.get("xl/styles.xml", b""))
        for name, xml in sheet_parts(parts).items():
            extra[name] = marks(xml, limits["cells"])
            if percent is not None:
                extra[name]["percent"] = [found.decode() for found in percent.findall(xml)]
        if "xl/workbook.xml" in parts:
            mac_dates = bool(_MAC_DATES.search(parts["xl/workbook.xml"]))
        content = packed_again(parts)
        del parts
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        cells = 0
        for meta in book.sheets_metadata:
            if not str(meta.typ).endswith("WorkSheet"):
                continue
            sheet = book.get_sheet_by_name(meta.name)
            # A sheet without cells has no last one, and cannot be asked for its rows.
            last = sheet.end
            height, width = (last[0] + 1, last[1] + 1) if last is not None else (0, 0)
            cells += height * width
            if cells > limits["cells"]:
                raise Unfit("large", f"{height} x {width}")
            rows = sheet.to_python(skip_empty_area=False) if height else []
            yield {
                "name": meta.name,
                "hidden": not str(meta.visible).endswith(".Visible"),
                "merged": [list(map(list, merged)) for merged in sheet.merged_cell_ranges or []][:20_000],
                **extra.get(meta.name, {}),
            }
            for first in range(0, len(rows), ROWS_OF_A_LINE):
                yield rows[first : first + ROWS_OF_A_LINE]
    except PasswordError:
        raise Unfit("protected") from None
    except (CalamineError, ValueError, OSError, KeyError, IndexError, OverflowError, TypeError) as error:
        raise Unfit("damaged", str(error)) from None
    yield {"mac_dates": mac_dates}


def peak_kb() -> int:
    """The most memory that this program has held; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1])
    return 0


def main() -> None:
    limits = json.loads(sys.stdin.buffer.readline())
    # Without the interpreter's search for site packages it starts in a third of the time.
    sys.path.append(limits.pop("libraries"))
    limit_resources(limits["memory_bytes"], limits["cpu_seconds"])
    last: dict[str, Any] = {}
    with contextlib.suppress(BrokenPipeError):
        try:
            for line in read(sys.stdin.buffer.read(), limits):
                sys.stdout.write(json.dumps(line, default=as_json))
                sys.stdout.write("\n")
                sys.stdout.flush()
        except Unfit as error:
            last = {"refused": error.reason, "detail": error.detail[:200]}
        except MemoryError:
            last = {"refused": "large", "detail": "memory"}
        except BaseException as error:  # noqa: BLE001 - a panic of the reader is no Exception; this process is its fence
            last = {"refused": "damaged", "detail": type(error).__name__}
        spent = {"peak_kb": peak_kb(), "cpu_s": time.process_time()}
        sys.stdout.write(json.dumps({**last, **spent}) + "\n")


if __name__ == "__main__":
    main()
