"""What a list shows, as a workbook or as CSV: streamed, exact, and never a formula.

A list's columns become one SELECT where they are columns or many-to-one relations; a property of the record needs the
record itself. Rows are read over a connection of their own, so that a job may write its progress meanwhile.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from zoneinfo import ZoneInfo

from flask import Response, current_app, g
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import DateTime, String, cast, func, select
from sqlalchemy.orm import RelationshipProperty, Session, aliased
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from lims.base.actor import Actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import current_session, database, transaction
from lims.base.display import actor_names, format_decimal, is_actor, laboratory_zone
from lims.base.fields import Choice, Several
from lims.base.files import file_response, keep_file
from lims.base.jobs import RunningJob, enqueue, job_kind
from lims.base.problems import Forbidden
from lims.base.records import Record
from lims.base.security import User, require

FORMATS = ("xlsx", "csv")
#: Rows that a request writes itself; more run as a job.
MOST_ROWS_AT_ONCE = 5_000
#: Rows of a chunk: what stands in memory at one time.
CHUNK = 1_000
#: Excel's own limits.
MOST_SHEET_ROWS, MOST_CELL_CHARACTERS = 1_048_576, 32_767
#: A cell of a workbook or CSV file that begins so is read as a formula by some program; the full-width signs by those that
#: are set to Chinese or Japanese (OWASP, CSV injection).
FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Day 0 of Excel's calendar, for days after February 1900.
EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a calendar without zones
DAY_SECONDS = 86_400

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list was asked for: the words of its address, without the page."""

    search: str = ""
    #: Of a column the value, or several of them.
    filters: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    order: str = ""
    retired: bool = False

    def words(self) -> dict[str, Any]:
        """As keyword arguments of the service, and as JSON."""
        return {
            "search": self.search,
            "filters": dict(self.filters),
            "order": self.order,
            "retired": self.retired,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """What goes out: a title, heads, and rows of None, text, numbers, days and local times."""

    title: str
    heads: Sequence[str]
    rows: Iterable[Sequence[Any]]
    #: Number of rows, where it is known, for the progress.
    total: int = 0
    #: (what, value) beside the rows: filters, order, when and from where.
    facts: Sequence[tuple[str, str]] = ()


# --- reading ---------------------------------------------------------------------------------------------------------


def rows_of(view: Any, names: Sequence[str], query: ListQuery) -> Iterator[list[Any]]:
    """Every row of the list in its order, in constant memory. Raises: Refused."""
    record = view.service.record
    columns = record.__mapper__.columns
    relations = {r.key: r for r in record.__mapper__.relationships if not r.uselist}
    if all(name in columns or name in relations for name in names):
        return _selected_rows(view, names, query, relations)
    return _record_rows(view, names, query)


def _selected_rows(
    view: Any, names: Sequence[str], query: ListQuery, relations: Mapping[str, RelationshipProperty[Any]]
) -> Iterator[list[Any]]:
    """Columns and titles of relations by one statement; titles that Python makes are looked up by the chunk."""
    record = view.service.record
    selected: list[Any] = []
    joins: list[tuple[Any, Any]] = []
    looked_up: dict[int, type[Record]] = {}
    for place, name in enumerate(names):
        relation = relations.get(name)
        if relation is None:
            selected.append(getattr(record, name))
            continue
        target = relation.mapper.class_
        (local,) = relation.local_columns
        if target.title is not Record.title:
            looked_up[place] = target
            selected.append(local)
            continue
        other = aliased(target)
        titles = [getattr(other, part) for part in ("code", "name") if part in target.__mapper__.columns]
        selected.append(func.coalesce(*titles, cast(other.id, String)) if titles else cast(other.id, String))
        joins.append((other, other.id == local))
    statement = select(*selected).select_from(record)
    for other, condition in joins:
        statement = statement.outerjoin(other, condition)
    statement = view.service.narrowed(statement, **query.words())
    converters = [None if place in looked_up else converter(view, name) for place, name in enumerate(names)]
    plain = [(place, convert) for place, convert in enumerate(converters) if convert is not None]
    titles_by_id: dict[int, dict[int, str]] = {place: {} for place in looked_up}
    with Session(database().engine) as session:
        result = session.execute(statement.execution_options(yield_per=CHUNK))
        for chunk in result.partitions():
            rows = [list(row) for row in chunk]
            for place, target in looked_up.items():
                _look_up(session, target, {row[place] for row in rows}, titles_by_id[place])
                for row in rows:
                    row[place] = titles_by_id[place].get(row[place])
            for row in rows:
                for place, convert in plain:
                    value = row[place]
                    if value is not None:
                        row[place] = convert(value)
                yield row


def _look_up(session: Session, target: type[Record], ids: set[Any], known: dict[int, str]) -> None:
    """Titles of records that are not known yet. The memory stays that of a few chunks."""
    missing = {key for key in ids if key is not None and key not in known}
    if not missing:
        return
    if len(known) > 10 * CHUNK:
        known.clear()
        missing = {key for key in ids if key is not None}
    for found in session.scalars(select(target).where(target.id.in_(missing))):
        known[found.id] = found.title


def _record_rows(view: Any, names: Sequence[str], query: ListQuery) -> Iterator[list[Any]]:
    """Rows whose columns are properties of the record."""
    converters = [converter(view, name) for name in names]
    statement = view.service.narrowed(view.service.base_query(), **query.words())
    with Session(database().engine) as session:
        result = session.scalars(statement.execution_options(yield_per=CHUNK))
        for chunk in result.partitions():
            view.service.complete(chunk)
            for record in chunk:
                row = []
                for name, convert in zip(names, converters, strict=True):
                    value: Any = record
                    for part in name.split("."):
                        value = getattr(value, part) if value is not None else None
                    row.append(None if value is None or value == "" else (convert or _as_it_is)(value))
                yield row


def _as_it_is(value: Any) -> Any:
    return value


def converter(view: Any, name: str) -> Callable[[Any], Any] | None:
    """What makes a stored value one of text, number, day or local time; None where it is one already."""
    words = view.choices.get(name)
    item = view.inputs.get(name)
    if words is None and item is not None and isinstance(item.kind, Choice | Several):
        words = item.kind.options
    if words is not None:
        texts = {str(key): str(text) for key, text in words.items()}
        if item is not None and isinstance(item.kind, Several):
            between = _(", ")
            return lambda value: between.join(texts.get(word, word) for word in str(value).split(","))
        return lambda value: texts.get(str(value), str(value))
    if name.endswith("_by"):
        return _person
    column = view.service.record.__mapper__.columns.get(name)
    zone = laboratory_zone()
    if column is not None and isinstance(column.type, UtcDateTime | DateTime):
        return lambda value: value.astimezone(zone).replace(tzinfo=None)
    yes, no = _("yes"), _("no")

    def of_any(value: Any) -> Any:
        if isinstance(value, bool):
            return yes if value else no
        if isinstance(value, Record):
            return value.title
        if isinstance(value, datetime):
            return value.astimezone(zone).replace(tzinfo=None)
        if isinstance(value, str | int | Decimal | date):
            return value
        return str(value)

    if column is not None:
        kind = _python_type(column)
        if kind is bool:
            return lambda value: yes if value else no
        if kind in {str, int, Decimal, date}:
            return None
    return of_any


def _person(value: Any) -> Any:
    """The name behind an actor's key; each person is asked for once."""
    return actor_names({value})[value] if is_actor(value) else value


def _python_type(column: Any) -> Any:
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


def heads_of(view: Any, names: Sequence[str]) -> list[str]:
    """Heads with their units; a time says whose clock it is."""
    columns = view.service.record.__mapper__.columns
    zone = laboratory_zone().key
    heads = []
    for column in view.columns(names):
        known = columns.get(column.name)
        is_time = known is not None and isinstance(known.type, UtcDateTime)
        unit = zone if is_time else column.unit
        heads.append(f"{column.label} ({unit})" if unit else column.label)
    return heads


# --- writing ---------------------------------------------------------------------------------------------------------


def text_is_formula(text: str) -> bool:
    """Would a spreadsheet take this text for a formula?"""
    return text.startswith(FORMULA_BEGINS)


def csv_chunks(table: Table, progress: Progress | None = None) -> Iterator[bytes]:
    """The table as CSV: UTF-8 with a mark so that Excel reads Chinese, numbers with all their digits, a text that looks
    like a formula behind an apostrophe."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([_csv_value(head) for head in table.heads])
    yield b"\xef\xbb\xbf"
    for number, row in enumerate(table.rows, start=1):
        writer.writerow([_csv_value(value) for value in row])
        if number % CHUNK == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
            if progress is not None:
                progress(number, table.total)
    yield buffer.getvalue().encode()


def _csv_value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    text = str(value)
    return "'" + text if isinstance(value, str) and text_is_formula(text) else text


class SheetWriter:
    """Cells of a worksheet by the type of their value. Text is always text."""

    def __init__(self, book: Workbook) -> None:
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.day = book.add_format({"num_format": "yyyy-mm-dd"})
        self.time = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        #: Editing the cell later must not make a formula of it either.
        self.quoted = book.add_format({"quote_prefix": True})

    def write(self, sheet: Worksheet, row: int, place: int, value: Any, form: Any = None) -> None:
        """One cell; None leaves it blank."""
        kind = type(value)
        if kind is str:
            if value.startswith(FORMULA_BEGINS):
                form = form or self.quoted
            sheet.write_string(row, place, _fitting(value), form)
        elif kind is Decimal or kind is int or kind is float:
            sheet.write_number(row, place, value, form)
        elif kind is datetime:
            sheet.write_number(row, place, excel_day(value), form or self.time)
        elif kind is date:
            sheet.write_number(row, place, (value - EXCEL_EPOCH.date()).days, form or self.day)
        elif value is not None:
            sheet.write_string(row, place, _fitting(str(value)), form)


def excel_day(moment: datetime) -> float:
    """A local time as Excel counts it: days, to the second."""
    since = moment - EXCEL_EPOCH
    return since.days + since.seconds / DAY_SECONDS


def _fitting(text: str) -> str:
    return text if len(text) <= MOST_CELL_CHARACTERS else text[: MOST_CELL_CHARACTERS - 1] + "…"


def write_workbook(target: Path | IO[bytes], table: Table, progress: Progress | None = None) -> None:
    """The table as .xlsx in constant memory: XlsxWriter keeps one row. More rows than a sheet holds go on to the next."""
    with Workbook(target, {"constant_memory": True}) as book:
        book.set_properties({"title": table.title})
        cells = SheetWriter(book)
        rows = iter(table.rows)
        number, sheet_number = 0, 0
        row: Sequence[Any] | None = next(rows, None)
        while sheet_number == 0 or row is not None:
            sheet_number += 1
            sheet = book.add_worksheet(
                sheet_name(table.title if sheet_number == 1 else f"{table.title[:26]} {sheet_number}")
            )
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, max(0, len(table.heads) - 1), 16)
            for place, head in enumerate(table.heads):
                cells.write(sheet, 0, place, head, cells.head)
            line = 0
            text, day, write = sheet.write_string, sheet.write_number, cells.write
            time_form, epoch = cells.time, EXCEL_EPOCH
            while row is not None and line < MOST_SHEET_ROWS - 1:
                line += 1
                for place, value in enumerate(row):
                    # The commonest kinds without a further call: this loop runs a million times.
                    kind = type(value)
                    if kind is str:
                        if value.startswith(FORMULA_BEGINS) or len(value) > MOST_CELL_CHARACTERS:
                            write(sheet, line, place, value)
                        else:
                            text(line, place, value)
                    elif kind is Decimal or kind is int:
                        day(line, place, value)
                    elif kind is datetime:
                        since = value - epoch
                        day(line, place, since.days + since.seconds / DAY_SECONDS, time_form)
                    elif value is not None:
                        write(sheet, line, place, value)
                number += 1
                if progress is not None and number % CHUNK == 0:
                    progress(number, table.total)
                row = next(rows, None)
            sheet.autofilter(0, 0, line, max(0, len(table.heads) - 1))
        if table.facts:
            about = book.add_worksheet(sheet_name(_("About")))
            about.set_column(0, 0, 28)
            about.set_column(1, 1, 60)
            for line, (what, value) in enumerate(table.facts):
                cells.write(about, line, 0, what, cells.head)
                cells.write(about, line, 1, value)


def sheet_name(text: str) -> str:
    """A name that Excel takes: at most 31 characters, none of []:*?/\\, no apostrophe at an end."""
    kept = "".join(" " if character in "[]:*?/\\" else character for character in text)
    return kept.strip().strip("'")[:31].strip().strip("'") or "1"


def local_now(zone: ZoneInfo, moment: datetime) -> str:
    """A time with its zone named, for the facts."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


# --- a list, asked for by a page, a job or the command line -----------------------------------------------------------


def table_of(view: Any, names: Sequence[str], query: ListQuery, total: int) -> Table:
    """The list of a view as it is shown, with what narrowed it."""
    zone = laboratory_zone()
    facts = [(_("List"), str(view.title)), (_("Exported at"), local_now(zone, utc_now()))]
    facts += [(str(chip["label"]), str(chip["text"])) for chip in view.conditions(query)]
    facts.append((_("Entries"), str(total)))
    return Table(str(view.title), heads_of(view, names), rows_of(view, names, query), total, facts)


def file_name(title: str, kind: str) -> str:
    """Of a download: the list, the day, the format."""
    kept = "".join(character if character.isalnum() else "-" for character in title).strip("-")
    return f"{kept[:60] or 'list'}-{utc_now().astimezone(laboratory_zone()):%Y-%m-%d}.{kind}"


def answer_with(table: Table, kind: str) -> Response:
    """A short table as a download."""
    name = file_name(table.title, kind)
    if kind == "xlsx":
        target = io.BytesIO()
        write_workbook(target, table)
        return file_response(target.getvalue(), XLSX, name)
    return file_response(b"".join(csv_chunks(table)), "text/csv", name)


def write_file(path: Path, table: Table, kind: str, progress: Progress | None = None) -> None:
    """The table into a file, for a job or the command line."""
    if kind == "xlsx":
        write_workbook(path, table, progress)
        return
    with path.open("wb") as target:
        for chunk in csv_chunks(table, progress):
            target.write(chunk)


def export_later(view: Any, names: Sequence[str], query: ListQuery, kind: str, actor: Actor) -> Any:
    """A job that makes the file; its page shows the progress and the download."""
    arguments = {
        "record": view.class_permission_name,
        "format": kind,
        "columns": list(names),
        "query": query.words(),
    }
    return enqueue("list-export", arguments, actor)


@contextmanager
def as_person(actor: Actor) -> Iterator[None]:
    """A job in the name of a person sees what that person may see now; a system actor sees everything.

    Raises: Forbidden for an account that was closed meanwhile.
    """
    if actor.user_id is None:
        yield
        return
    user = current_session().get(User, actor.user_id)
    if user is None or not user.active:
        raise Forbidden("account closed")
    with current_app.test_request_context() as asked:
        asked.request.url_rule = (
            None  # the record of changes would name the first page as where it was written
        )
        g.user = user
        try:
            yield
        finally:
            g.pop("user", None)


@job_kind("list-export", title=_l("Export of a list"))
def export_list(job: RunningJob, **arguments: Any) -> dict[str, Any]:
    """The list as the person may see it when the job runs. Raises: Forbidden, Refused."""
    from lims.base.views import VIEWS

    view = VIEWS[arguments["record"]]
    kind = arguments["format"]
    query = ListQuery(**arguments["query"])
    with as_person(job.actor), TemporaryDirectory() as folder:
        if job.actor.user_id is not None:
            require("read", view.class_permission_name)
        known = view.known_columns()  # rights may have been taken away since it was asked for
        names = [name for name in arguments["columns"] if name in known] or known
        table = table_of(view, names, query, view.service.count(**query.words()))
        path = Path(folder) / f"list.{kind}"
        write_file(path, table, kind, job.progress)
        with transaction(job.actor, "export") as session:
            stored = keep_file(session, path.read_bytes(), XLSX if kind == "xlsx" else "text/csv")
            session.flush()
            file_id = stored.id
        return {"file_id": file_id, "file_name": file_name(table.title, kind)}
