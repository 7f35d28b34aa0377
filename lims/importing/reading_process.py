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
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
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
_NUMBER_FORMAT = re.compile(
    rb"""<(?:\w+:)?numFmt\b(?=[^>]*\bnumFmtId=["'](\d+)["'])[^>]*\bformatCode=(?:"([^"]*)"|'([^']*)')"""
)
_CELL_STYLES = re.compile(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", re.DOTALL)
_STYLE = re.compile(rb"""<(?:\w+:)?xf\b(?:[^>]*?\bnumFmtId=["'](\d+)["'])?""")
#: 0 % and 0.00 %, which every workbook has without naming them; and the one of a day with its time.
_PERCENT_BUILT_IN = {b"9", b"10"}
_TIME_BUILT_IN = {b"22"}
#: What a cell holds that is a number without a part: of a day, its midnight.
_WHOLE = (
    rb"""[^>]*>\s*(?:<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*)?<(?:\w+:)?v>\s*\d+(?:\.0*)?\s*<"""
)
#: An .ods without any of these holds values and nothing else.
_SAYS_MORE = re.compile(
    rb"""["'](?:percentage|error)["']|table:(?:formula|visibility|number-rows-spanned)="""
)
#: What a formula of an .ods shows that gives no value.
_ERROR_TEXT = re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|(?:Err|错误|錯誤)[:：]\d{3}")
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


#: What a format says beside its signs: text in quotes, one letter behind a stroke, a colour or a length of time.
_QUOTED, _IN_BRACKETS = re.compile(rb"""\"[^\"]*\"|\\."""), re.compile(rb"\[[^\]]*\]")


def shows_percent(code: bytes) -> bool:
    """A sign in quotes, or behind a stroke, is text and changes no number."""
    return b"%" in _QUOTED.sub(b"", code)


def shows_day_and_time(code: bytes) -> bool:
    """Of such a cell people read 2026-03-01 00:00; of one that shows the day alone nobody knows the hour."""
    signs = _IN_BRACKETS.sub(b"", _QUOTED.sub(b"", code)).lower()
    return b"h" in signs and (b"d" in signs or b"y" in signs)


def percent_cells(styles: bytes) -> re.Pattern[bytes] | None:
    """What finds the cells that show a hundred times their number: 4.8 % is stored as 0.048. None when there are none."""
    return _cells_that_show(styles, _PERCENT_BUILT_IN, shows_percent)


def midnight_cells(styles: bytes) -> re.Pattern[bytes] | None:
    """What finds the cells that show a day with its time and hold a whole number, 00:00, which calamine gives as a day
    without one. None when no cell can be so."""
    return _cells_that_show(styles, _TIME_BUILT_IN, shows_day_and_time, _WHOLE)


def _cells_that_show(
    styles: bytes, built_in: set[bytes], shows: Callable[[bytes], bool], holding: bytes = b""
) -> re.Pattern[bytes] | None:
    """Finds the cells whose format `shows` something, in the sheets of the workbook that has these styles."""
    wanted = set(built_in)
    for number, code, other in _NUMBER_FORMAT.findall(styles):
        if shows((code or other).replace(b"&quot;", b'"')):
            wanted.add(number)
    section = _CELL_STYLES.search(styles)
    formats = _STYLE.findall(section.group(0)) if section is not None else []
    places = b"|".join(b"%d" % place for place, number in enumerate(formats) if number in wanted)
    if not places:
        return None
    return re.compile(
        rb"""<(?:\w+:)?c\b(?=[^>]*\bs=["'](?:"""
        + places
        + rb""")["'])[^>]*?\br=["']([A-Z]{1,3}\d{1,7})["']"""
        + holding
    )


# --- the same of an .ods, whose cells say it themselves ----------------------------------------------------------------


def ods_marks(xml: bytes, most_cells: int) -> dict[str, dict[str, Any]]:
    """Sheet name -> what the values alone do not tell. Raises: Unfit."""
    import pyexpat

    if _SAYS_MORE.search(xml) is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    of_sheet: dict[str, Any] = {}
    row = column = repeated = marked = 0
    #: The cell whose text is being read: (column, how many, its formula and no value?), and the text.
    cell: tuple[int, int, bool] | None = None
    text: list[str] = []

    def mark(kind: str, first: int, number: int) -> None:
        nonlocal marked
        marked += number * repeated
        if marked > most_cells:
            raise Unfit("large", f"{marked} cells")
        letters = [letters_of(at) for at in range(first, first + number)]
        of_sheet[kind] += [f"{at}{line}" for line in range(row - repeated + 1, row + 1) for at in letters]

    def begins(tag: str, given: dict[str, str]) -> None:
        nonlocal of_sheet, row, column, repeated, cell
        if tag in ("table:table-cell", "table:covered-table-cell"):
            number = int(given.get("table:number-columns-repeated", 1))
            kind = given.get("office:value-type", "")
            if kind == "percentage":
                mark("percent", column, number)
            if given.get("calcext:value-type") == "error":
                mark("errors", column, number)
            elif "table:formula" in given:
                cell = column, number, not kind
                text.clear()
            if "table:number-rows-spanned" in given and len(of_sheet["merged"]) < 20_000:
                down = int(given["table:number-rows-spanned"])
                across = int(given.get("table:number-columns-spanned", 1))
                of_sheet["merged"].append([[row - 1, column - 1], [row + down - 2, column + across - 2]])
            column += number
        elif tag == "table:table-row":
            repeated = int(given.get("table:number-rows-repeated", 1))
            row, column = row + repeated, 1
            if given.get("table:visibility", "visible") != "visible":
                of_sheet["hidden_rows"] += range(row - repeated + 1, row + 1)[:1000]
        elif tag == "table:table":
            of_sheet = {"errors": [], "no_value": [], "percent": [], "hidden_rows": [], "merged": []}
            found[given.get("table:name", "")] = of_sheet
            row = 0

    def ends(tag: str) -> None:
        nonlocal cell
        if cell is not None and tag == "table:table-cell":
            first, number, no_value = cell
            said = "".join(text).strip()
            if _ERROR_TEXT.fullmatch(said):
                mark("errors", first, number)
            elif no_value and not said:
                mark("no_value", first, number)
            cell = None

    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = begins, ends
    parser.CharacterDataHandler = lambda data: text.append(data) if cell is not None else None
    try:
        parser.Parse(xml, True)
    except (pyexpat.ExpatError, KeyError, ValueError) as error:
        raise Unfit("damaged", str(error)) from None
    for of_one in found.values():
        for kind, most in (("errors", 10_000), ("no_value", 10_000), ("hidden_rows", 1000)):
            of_one[kind] = of_one[kind][:most]
    return found


@cache
def letters_of(column: int) -> str:
    """1 -> A, 27 -> AA."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


# --- and of an .xls: a stream of records ([MS-XLS]) in a compound file ---------------------------------------------------

_FORMAT, _XF, _BOUND_SHEET, _DATE_MODE, _END, _BEGIN = 0x041E, 0x00E0, 0x0085, 0x0022, 0x000A, 0x0809
_ROW_OF, _NUMBER_CELL, _RK, _SEVERAL_RK, _FORMULA_CELL, _TRUE_OR_ERROR = (
    0x0208,
    0x0203,
    0x027E,
    0x00BD,
    0x0006,
    0x0205,
)


def xls_stream(content: bytes) -> bytes:
    """The stream of the workbook's records; empty where there is none. Raises: OSError for a damaged file."""
    import olefile

    with olefile.OleFileIO(content) as streams:
        name = next((one for one in ("Workbook", "Book") if streams.exists(one)), None)
        return bytes(streams.openstream(name).read()) if name else b""


def xls_marks(content: bytes) -> tuple[list[dict[str, Any]], bool | None]:
    """Of each sheet in its order what the values alone do not tell, and whether days count from 1904."""
    stream = xls_stream(content)

    def records(at: int) -> Iterator[tuple[int, bytes]]:
        depth = 0
        while at + 4 <= len(stream):
            kind, length = struct.unpack_from("<HH", stream, at)
            depth += (kind == _BEGIN) - (kind == _END)
            if depth == 1 or kind == _END:
                yield kind, stream[at + 4 : at + 4 + length]
            if depth <= 0:
                return
            at += 4 + length

    percent, timed = {9, 10}, {22}
    styles, places, mac_dates = [], [], None
    for kind, data in records(0):
        if kind == _FORMAT:
            number, code = int.from_bytes(data[:2], "little"), data[3:].replace(b"\0", b"")
            percent |= {number} if shows_percent(code) else set()
            timed |= {number} if shows_day_and_time(code) else set()
        elif kind == _XF:
            styles.append(int.from_bytes(data[2:4], "little"))
        elif kind == _BOUND_SHEET:
            places.append(int.from_bytes(data[:4], "little"))
        elif kind == _DATE_MODE:
            mac_dates = data[:1] == b"\1"
    shown, with_time = (
        {style for style, number in enumerate(styles) if number in numbers} for numbers in (percent, timed)
    )
    return [_xls_sheet(records(at), shown, with_time) for at in places], mac_dates


def _xls_sheet(records: Iterator[tuple[int, bytes]], shown: set[int], with_time: set[int]) -> dict[str, Any]:
    errors, percent, midnights, hidden = [], [], [], []
    for kind, data in records:
        if kind in (_NUMBER_CELL, _RK, _FORMULA_CELL, _TRUE_OR_ERROR):
            row, column, style = struct.unpack_from("<HHH", data)
            name = f"{letters_of(column + 1)}{row + 1}"
            if style in shown:
                percent.append(name)
            if style in with_time:  # what holds a part of a day is no day: the application sees it
                midnights.append(name)
            if (kind == _FORMULA_CELL and data[6:7] == b"\2" and data[12:14] == b"\xff\xff") or (
                kind == _TRUE_OR_ERROR and data[7:8] == b"\1"
            ):
                errors.append(name)
        elif kind == _SEVERAL_RK:
            row, first = struct.unpack_from("<HH", data)
            for place in range((len(data) - 6) // 6):
                style = int.from_bytes(data[4 + 6 * place : 6 + 6 * place], "little")
                name = f"{letters_of(first + place + 1)}{row + 1}"
                percent += [name] if style in shown else []
                midnights += [name] if style in with_time else []
        elif kind == _ROW_OF and data[12] & 0x20:
            hidden.append(int.from_bytes(data[:2], "little") + 1)
    return {
        "errors": errors[:10_000],
        "percent": percent,
        "midnights": midnights,
        "hidden_rows": hidden[:1000],
    }


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
        styles = parts.get("xl/styles.xml", b"")
        percent, midnight = percent_cells(styles), midnight_cells(styles)
        for name, xml in sheet_parts(parts).items():
            extra[name] = marks(xml, limits["cells"])
            if percent is not None:
                extra[name]["percent"] = [found.decode() for found in percent.findall(xml)]
            if midnight is not None:
                extra[name]["midnights"] = [found.decode() for found in midnight.findall(xml)]
        if b"spreadsheet" in parts.get("mimetype", b""):
            extra = ods_marks(parts.get("content.xml", b""), limits["cells"])
        if "xl/workbook.xml" in parts:
            mac_dates = bool(_MAC_DATES.search(parts["xl/workbook.xml"]))
        content = packed_again(parts)
        del parts
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        if not content.startswith(b"PK"):
            of_sheets, mac_dates = xls_marks(content)
            extra = dict(zip((meta.name for meta in book.sheets_metadata), of_sheets, strict=False))
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
    except (
        CalamineError,
        ValueError,
        OSError,
        KeyError,
        IndexError,
        OverflowError,
        TypeError,
        struct.error,
    ) as error:
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
