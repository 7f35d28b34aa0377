"""Workbooks that we make: empty templates, exports in the form of a template, and a file with its refusals marked.

Text is always text: a cell that begins with = + - or @ never becomes a formula, here or in a program that reads it later.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from flask_babel import force_locale
from flask_babel import gettext as _
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.datavalidation import DataValidation

from lims.base.database import current_session
from lims.base.display import laboratory_zone
from lims.base.exports import FORMULA_BEGINS
from lims.base.fields import Choice, Day, Instant, Quantity, WholeNumber
from lims.base.problems import refuse
from lims.importing.columns import LANGUAGES, Column, choice_text, in_all_languages, value_of
from lims.importing.imports import TEMPLATES, Plan, template_of
from lims.importing.mapping import AROUND
from lims.importing.marking_process import BOLD, HEAD, RefusedCell, mark, put_text, saved
from lims.importing.numbers import Form
from lims.importing.templates import Template
from lims.importing.workbooks import Book, Percentage

#: Rows that the drop-down lists of a template reach over.
LIST_ROWS = 2000
#: A marked copy keeps the looks of the original up to this size; above, it holds the values.
MOST_TO_COPY = 1_500_000
#: Cells that merged ranges of a marked copy cover: each is an object, and a file may merge a whole sheet.
MOST_MERGED = 100_000
MARKER = Path(__file__).with_name("marking_process.py")
#: What copying with looks may cost; what asks for more is written by its values.
MARKING = {"memory_bytes": 1_000_000_000, "cpu_seconds": 30}
MARKED_WITHIN_S = 60

REQUIRED = PatternFill("solid", fgColor="F6D9A8")
QUIET = Font(color="8A9493", size=8)
TITLE = Font(bold=True, size=14)
WRAP = Alignment(wrap_text=True, vertical="top")

DATA, LISTS = "Data", "_lists"
EXAMPLES, NOTES = AROUND

#: What every template says about itself: English, simplified and traditional Chinese.
SAYINGS = (
    (
        "Fill in “Data” from the first empty row, a row a record. A blank means not known, or as it is; never 0.",
        "请从“Data”表的第一空行开始填写。每行一条记录；空白表示未知或不变。空白不等于零。",
        "請從「Data」表的第一空列開始填寫。每列一筆記錄；空白表示未知或不變。空白不等於零。",
    ),
    (
        "Amber heads are needed. Numbers are numbers: no units in the cells, a decimal point, no thousands marks.",
        "表头为琥珀色的列必填。数字只填数字：不带单位，用小数点，不用千位分隔符。",
        "表頭為琥珀色的欄必填。數字只填數字：不帶單位，用小數點，不用千分位符號。",
    ),
    (
        "Days as 2026-03-28, times as 2026-03-28 10:00 by the laboratory's clock. Save formulas with their values.",
        "日期写作 2026-03-28，时间写作 2026-03-28 10:00（本试验室时间）。公式须连同计算值一起保存。",
        "日期寫作 2026-03-28，時間寫作 2026-03-28 10:00（本試驗室時間）。公式須連同計算值一起儲存。",
    ),
    (
        "Leave the row of small grey names: columns are known by them. Columns may be moved or left out.",
        "请勿改动灰色小字的列名行：程序据此识别各列。列可以移动或省略。",
        "請勿改動灰色小字的欄名列：程式據此識別各欄。欄可以移動或省略。",
    ),
    (
        "The same file twice changes nothing. Everything is shown before anything is written.",
        "同一文件导入两次不会改变任何内容。写入之前会先显示全部结果。",
        "同一檔案匯入兩次不會改變任何內容。寫入之前會先顯示全部結果。",
    ),
)
NOTE_HEADS = (
    ("Column", "列", "欄"),
    ("Unit", "单位", "單位"),
    ("Needed", "必填", "必填"),
    ("Accepted", "可接受的内容", "可接受的內容"),
    ("Remark", "说明", "說明"),
)


# --- templates and exports -------------------------------------------------------------------------------------


def template_workbook(name: str) -> bytes:
    """The empty sheet of a subject with its examples, notes and drop-down lists."""
    return _workbook(template_of(name), ())


def export_template(subject: str, query: Any = None, *, most: int | None = None) -> bytes:
    """Records in the form of their template, which reads them again without a change.

    `query` is a select of the template's record (`TEMPLATES[subject].query()` with conditions); None is everything that the
    asking person may know of. Raises: Refused where there are more than `most`.
    """
    template = template_of(subject)
    query = template.query() if query is None else query
    if most is not None:
        query = query.limit(most + 1)
    records = current_session().scalars(query).unique().all()
    if most is not None and len(records) > most:
        message = _(
            "holds more than %(most)s records; accepted: fewer, or the command lims export template",
            most=most,
        )
        raise refuse("template", message, subject)
    template.complete(records)
    return _workbook(template, (values for record in records for values in template.exported(record)))


def _workbook(template: Template, rows: Iterable[dict[str, Any]]) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = DATA
    first = _heads(sheet, template)
    _fill(sheet, template, rows, first)
    lists = book.create_sheet(LISTS)
    lists.sheet_state = "hidden"
    _drop_downs(sheet, lists, template, first)
    examples = book.create_sheet(EXAMPLES)
    first = _heads(examples, template)
    _fill(examples, template, _examples(template), first)
    _notes(book.create_sheet(NOTES), template)
    book.move_sheet(LISTS, offset=2)
    return saved(book)


def _heads(sheet: Any, template: Template) -> int:
    """Title, heads in three languages, the names by which columns are known. Returns the first row of data."""
    _put(sheet.cell(1, 1), " · ".join(dict.fromkeys(in_all_languages(template.title))))
    sheet.cell(1, 1).font = TITLE
    for position, column in enumerate(template.columns.values(), start=1):
        unit = f", {column.unit}" if column.unit else ""
        for row, label in enumerate(in_all_languages(column.label), start=2):
            cell = sheet.cell(row, position)
            _put(cell, f"{label}{unit}" + (" *" if column.required else ""))
            cell.fill = REQUIRED if column.required else HEAD
            cell.font, cell.alignment = BOLD, WRAP
        names = sheet.cell(2 + len(LANGUAGES), position)
        _put(names, column.name)
        names.font = QUIET
        sheet.column_dimensions[get_column_letter(position)].width = _width(column)
    first: int = 3 + len(LANGUAGES)
    sheet.freeze_panes = sheet.cell(first, 2)
    return first


def _width(column: Column) -> float:
    if isinstance(column.kind, Quantity | WholeNumber):
        return 13
    return 18 if isinstance(column.kind, Choice | Day | Instant) else 16


def _fill(sheet: Any, template: Template, rows: Iterable[dict[str, Any]], first: int) -> None:
    for number, values in enumerate(rows, start=first):
        for position, column in enumerate(template.columns.values(), start=1):
            value = values.get(column.name)
            if value is not None:
                _put(sheet.cell(number, position), _written(column, value))


def _written(column: Column, value: Any) -> Any:
    """A stored value as a cell that reads back as the same value."""
    kind = column.kind
    if isinstance(kind, Choice):
        return choice_text(kind, value)
    if isinstance(value, datetime):
        local = value.astimezone(laboratory_zone())
        twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if twice:
            return local.isoformat()
        # A sheet's serial number keeps seconds, and in an .ods a midnight is a day without a time.
        plain = local.replace(tzinfo=None)
        return (
            plain.isoformat(sep=" ")
            if local.microsecond or (local.hour, local.minute, local.second) == (0, 0, 0)
            else plain
        )
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    if isinstance(value, Decimal):
        shown = f"{value:f}"
        return Decimal(shown.rstrip("0").rstrip(".") if "." in shown else shown)
    return value


def _examples(template: Template) -> Iterable[dict[str, Any]]:
    count = max((len(column.example) for column in template.columns.values()), default=0)
    for number in range(count):
        row: dict[str, Any] = {}
        for column in template.columns.values():
            given = column.example[number] if number < len(column.example) else None
            if given is None:
                continue
            moves = isinstance(column.kind, Quantity | WholeNumber | Choice | Day)
            row[column.name] = value_of(column, given, Form()) if moves else given
        yield row


def _drop_downs(sheet: Any, lists: Any, template: Template, first: int) -> None:
    """Choices as lists to choose from; what is no choice gets none, since the import says more than Excel could."""
    used = 0
    for position, column in enumerate(template.columns.values(), start=1):
        if not isinstance(column.kind, Choice):
            continue
        used += 1
        texts = [choice_text(column.kind, key) for key in column.kind.options]
        for row, text in enumerate(texts, start=1):
            _put(lists.cell(row, used), text)
        letter = get_column_letter(used)
        rule = DataValidation(
            type="list",
            formula1=f"{LISTS}!${letter}$1:${letter}${len(texts)}",
            allow_blank=True,
            showErrorMessage=True,
        )
        rule.errorTitle = column.name
        rule.error = "; ".join(texts)[:250]
        sheet.add_data_validation(rule)
        here = get_column_letter(position)
        rule.add(f"{here}{first}:{here}{first + LIST_ROWS}")


def _notes(sheet: Any, template: Template) -> None:
    row = 1
    for language, saying in enumerate(zip(*SAYINGS, strict=True)):
        with force_locale(LANGUAGES[language]):
            _put(sheet.cell(row, 1), str(template.title))
            sheet.cell(row, 1).font = TITLE
            _put(sheet.cell(row + 1, 1), str(template.about))
            row += 2
            for sentence in saying:
                _put(sheet.cell(row, 1), sentence)
                row += 1
            for position, head in enumerate(NOTE_HEADS, start=1):
                _put(sheet.cell(row, position), head[language])
                sheet.cell(row, position).font, sheet.cell(row, position).fill = BOLD, HEAD
            row += 1
            for column in template.columns.values():
                note = in_all_languages(column.note)[language] if column.note is not None else ""
                cells = (
                    f"{in_all_languages(column.label)[language]} ({column.name})",
                    column.unit,
                    "*" if column.required else "",
                    column.accepted(),
                    note,
                )
                for position, text in enumerate(cells, start=1):
                    if text:
                        _put(sheet.cell(row, position), text)
                        sheet.cell(row, position).alignment = WRAP
                row += 1
            row += 1
    for letter, width in (("A", 44), ("B", 10), ("C", 9), ("D", 70), ("E", 34)):
        sheet.column_dimensions[letter].width = width


def _put(cell: Any, value: Any) -> None:
    """A value into a cell; text stays text whatever it begins with."""
    if isinstance(value, str):
        put_text(cell, value, FORMULA_BEGINS)
        return
    cell.value = value
    if isinstance(value, datetime):
        cell.number_format = "yyyy-mm-dd hh:mm:ss" if value.second else "yyyy-mm-dd hh:mm"
    elif isinstance(value, date):
        cell.number_format = "yyyy-mm-dd"
    elif isinstance(value, Percentage):
        cell.number_format = "0.00%"


# --- refusals --------------------------------------------------------------------------------------------------


def marked_workbook(plan: Plan, original: bytes | None) -> bytes:
    """The file with every refused cell coloured, a comment at it, and a sheet that lists them all.

    The original keeps its looks where it is an .xlsx of moderate size; else its values stand in a new workbook.
    """
    refusals = [(item.sheet, item.cell, item.column, item.value, item.message) for item in plan.refusals()]
    looks = _with_its_looks(plan, original, refusals)
    if looks is not None:
        return looks
    book, sheet = _values(plan)
    mark(book, sheet, refusals, FORMULA_BEGINS)
    return saved(book)


def _with_its_looks(plan: Plan, original: bytes | None, refusals: Sequence[RefusedCell]) -> bytes | None:
    """The original, marked in a process of its own, which may die; None where its values are to do."""
    book = plan.book
    if original is None or book.is_text or not original.startswith(b"PK") or len(original) > MOST_TO_COPY:
        return None
    if sum(len(sheet.rows) for sheet in book.sheets) > 5000 or _merged(book) > MOST_MERGED:
        return None
    told = {
        **MARKING,
        "names": [sheet.name for sheet in book.sheets],
        "sheet": plan.reading.sheet,
        "refusals": refusals,
        "formula_begins": FORMULA_BEGINS,
    }
    # Neither the environment nor the folder nor site packages decide what it imports.
    libraries, application = Path(openpyxl.__file__).parents[1], MARKER.parents[2]
    marks = (sys.executable, "-I", "-P", "-S", str(MARKER), str(libraries), str(application))
    try:
        ran = subprocess.run(  # noqa: S603 - our own program, the bytes go in as data
            marks,
            input=json.dumps(told).encode() + b"\n" + original,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MARKED_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return ran.stdout if ran.returncode == 0 and ran.stdout else None


def _merged(book: Book) -> int:
    """Cells that are merged."""
    ranges = [merged for sheet in book.sheets for merged in sheet.merged]
    return sum((bottom - top + 1) * (right - left + 1) for top, left, bottom, right in ranges)


def _values(plan: Plan) -> tuple[Workbook, str]:
    """The values in a new workbook, and how its sheet of this reading is called there. It is corrected and read again: what
    decides how a value reads goes along."""
    made, name, room = Workbook(), "", MOST_MERGED
    made.remove(made.worksheets[0])
    if plan.book.mac_dates:
        made.epoch = CALENDAR_MAC_1904
    for sheet in plan.book.sheets:
        target = made.create_sheet(re.sub(r"[\[\]:*?/\\]", "_", sheet.name)[:31] or "Sheet")
        if sheet.name == plan.reading.sheet:
            name = target.title
        if sheet.hidden:
            target.sheet_state = "hidden"
        for number, cells in enumerate(sheet.rows, start=1):
            for position, value in enumerate(cells, start=1):
                if value is not None:
                    _put(target.cell(number, position), value)
        for at in sheet.errors | sheet.no_value:  # blank it would be taken for not known
            target[at].value, target[at].data_type = "#N/A", "e"
        for top, left, bottom, right in sheet.merged:
            room -= (bottom - top + 1) * (right - left + 1)
            if room >= 0:
                target.merge_cells(None, top + 1, left + 1, bottom + 1, right + 1)
    return made, name


__all__ = ["TEMPLATES", "export_template", "marked_workbook", "template_workbook"]
