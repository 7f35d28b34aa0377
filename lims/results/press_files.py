"""Files that compression machines write: read by a mapping the laboratory made, matched to specimens, kept once.

A row whose specimen is not known, or whose set is not whole yet, waits in the tray. A set is entered when all its
specimens have a load, by the same service as typing it. The same file, or the same row in another file, changes nothing; but
a file that is sent again goes on with what still waits of it, and one that is sent with another mapping is read anew.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

from flask_babel import gettext as _
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import format_decimal, laboratory_zone
from lims.base.fields import Instant, plain_text, too_many_cells
from lims.base.problems import Conflict, NotFound, Refused, Unavailable, refuse
from lims.base.services import SERVICES
from lims.results.models import PressFile, PressMapping, PressRow
from lims.results.schemas import LOAD, LOAD_UNITS, SetBreaksIn, TrayIn
from lims.results.service import besides_loads, get_set, named, record_set
from lims.trials.models import Specimen, SpecimenSet
from lims.trials.service import as_given_out
from lims.trials.short_codes import specimen_id_of

MOST_BYTES = 10_000_000
MOST_ROWS = 20_000
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
#: How workbooks begin: zip, and the old compound file.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: Reads the first sheet of a workbook, or refuses it: lims/importing, which stands above, does so in a process of its own.
#: One cell at the end of a sheet asks for more memory than there is, and calamine then ends the program that called it.
FIRST_SHEET: list[Callable[[bytes], Sequence[Sequence[Any]]]] = []
KEPT_KN = Decimal("0.001")
#: Where the comma is the decimal mark: points stand between whole thousands alone. 424.5 is no 4245.
WITH_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")


@dataclass(slots=True)
class Outcome:
    """What came of a file: sets entered, rows used, rows that wait, rows that were there before."""

    file: PressFile
    sets: int = 0
    used: int = 0
    waiting: int = 0
    known: int = 0
    again: bool = False


def table_of(content: bytes, mapping: PressMapping) -> list[list[str]]:
    """The cells of the first sheet or of the text, as text. Raises: Refused."""
    if len(content) > MOST_BYTES:
        raise refuse("file", _("is larger than %(mb)s MB", mb=MOST_BYTES // 1_000_000))
    if content.startswith(WORKBOOKS):
        (first_sheet,) = FIRST_SHEET
        return [[_cell(value, mapping.decimal_mark) for value in row] for row in first_sheet(content)]
    try:
        text = content.decode(mapping.encoding)
    except UnicodeError:
        raise refuse(
            "file",
            _(
                "is not text in %(encoding)s; accepted: the characters of the mapping",
                encoding=mapping.encoding,
            ),
        ) from None
    if "\x00" in text:
        raise refuse("file", _("is not text; accepted: CSV, .xlsx or .xls"))
    try:
        # Strictly: a quotation mark that is never closed would take the rows behind it into its cell.
        rows = csv.reader(io.StringIO(text), delimiter=DELIMITERS[mapping.delimiter], strict=True)
        table = list(islice(rows, MOST_ROWS))
        more = sum(1 for _row in rows)  # counted, not kept: ten million empty lines would take 600 MB
    except csv.Error as error:
        raise refuse("file", _("is no table that can be read (%(why)s)", why=str(error)[:80])) from None
    _require_rows(len(table) + more)
    return table


def _require_rows(number: int) -> None:
    """Raises: Refused."""
    if number > MOST_ROWS:
        raise refuse("file", _("has %(n)s rows; accepted: up to %(most)s", n=number, most=MOST_ROWS))


def _cell(value: Any, decimal_mark: str) -> str:
    """A number of a workbook as the mapping writes numbers: the mark is of what is text, there as in a text file."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value).replace(".", decimal_mark)
    if isinstance(value, date):  # of midnight it is a day; ISO 8601 with its T, whatever form texts have
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return moment.isoformat()
    return str(value)


def read_file(
    mapping_id: int, name: str, content: bytes, actor: Actor, *, nobody_asks: bool = False
) -> Outcome:
    """Keep the file's rows and enter every set that is whole. `nobody_asks`: what a person has had read by another
    mapping stays as it was read. Raises: NotFound, Refused, Unavailable.
    """
    session = current_session()
    known = 0 < mapping_id < 2**63
    mapping = session.get(PressMapping, mapping_id, populate_existing=True) if known else None
    if mapping is None:
        raise NotFound(f"press-mappings {mapping_id}")
    if mapping.retired_at is not None:
        raise refuse("mapping", _("is out of use; accepted: a record in use"), mapping.code)
    digest = hashlib.sha256(content).hexdigest()
    earlier = _of_these_bytes(session, digest)
    by_a_person = earlier is not None and nobody_asks and earlier.changed_by != actor.key
    chosen = by_a_person and earlier is not None and earlier.press_mapping_id != mapping.id
    if earlier is not None and (chosen or _stands_as_read(earlier, mapping)):
        return _gone_on(Outcome(earlier, known=earlier.row_count, again=True), set(), actor)
    rows = _data_rows(table_of(content, mapping), mapping, of_text=not content.startswith(WORKBOOKS))
    try:
        with transaction(actor, f"press file {name}"[:200]) as writing:
            # Held: a mapping that is put right while a file is read would be earlier than what was read by the wrong one.
            version = select(PressMapping.version).where(PressMapping.id == mapping.id)
            if writing.scalar(version.with_for_update(read=True)) != mapping.version:
                raise Unavailable("how the file reads was changed meanwhile")
            said: dict[int, int] = {}
            if earlier is None:
                found = PressFile(sha256=digest, size_bytes=len(content))
                writing.add(found)
            else:
                found = SERVICES["press-files"].locked(writing, earlier.id)
                said = _put_away(writing, found, mapping)
                flag_modified(found, "row_count")  # so that it is later than the mapping
            found.press_mapping_id = mapping.id
            found.name, found.row_count = name[-200:] or "file", len(rows)
            writing.flush()
            outcome = Outcome(found)
            come_again = _keep(writing, found, mapping, rows, outcome, said)
    except Refused as error:
        if not isinstance(error.__cause__, IntegrityError):
            raise
        # The same file from two machines at once: the first one counts.
        earlier = _of_these_bytes(current_session(), digest)
        if earlier is None or not _stands_as_read(earlier, mapping):
            raise Unavailable("the same rows come in from another file") from error
        outcome, come_again = Outcome(earlier, known=earlier.row_count, again=True), set()
    return _gone_on(outcome, come_again, actor)


def _of_these_bytes(session: Session, digest: str) -> PressFile | None:
    return session.scalars(select(PressFile).where(PressFile.sha256 == digest)).one_or_none()


def _stands_as_read(found: PressFile, mapping: PressMapping) -> bool:
    """Was the file read by this mapping, and as the mapping is now?"""
    return found.press_mapping_id == mapping.id and mapping.changed_at <= found.changed_at


def _put_away(session: Session, found: PressFile, mapping: PressMapping) -> dict[int, int]:
    """What still waits of an earlier reading of this file: it was read wrongly. Returns line -> specimen where a person has
    said which one it is."""
    said: dict[int, int] = {}
    for row in _waiting_of(session, PressRow.press_file_id == found.id):
        # What was found by itself stands there as it came, and the other mapping may look elsewhere.
        cells = {plain_text(cell) for cell in json.loads(row.content).values()}
        if row.specimen_id is not None and row.code not in cells:
            said[row.number] = row.specimen_id
        row.state = "dismissed"
        row.message = _("the file was read again as %(mapping)s", mapping=mapping.code)
        # The mark is free again: should the earlier reading have been the right one, its rows come once more.
        row.mark = hashlib.sha256(f"{row.mark} {row.id}".encode()).hexdigest()
    session.flush()
    return said


def _gone_on(outcome: Outcome, come_again: set[int], actor: Actor) -> Outcome:
    """Enter what is whole of the file's waiting rows: all of a new file, and what a failure left of one that was read.
    `come_again`: specimens whose rows wait since an earlier file."""
    session = current_session()
    waiting = (PressRow.press_file_id == outcome.file.id, PressRow.state == "waiting")
    known = select(PressRow.specimen_id).where(*waiting, PressRow.specimen_id.is_not(None))
    here = {key for key in session.scalars(known) if key is not None}
    enter_whole_sets(here | come_again, actor, outcome)
    outcome.waiting = current_session().scalar(select(func.count()).where(*waiting)) or 0
    return outcome


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of the file: its number from 1, head -> cell, and why nothing of it is sure, if so."""

    number: int
    cells: dict[str, str]
    wrong: str = ""


def _data_rows(table: Sequence[Sequence[str]], mapping: PressMapping, *, of_text: bool) -> list[_Line]:
    if len(table) < mapping.header_row:
        raise refuse(
            "file",
            _(
                "has %(n)s rows; the mapping looks for names in row %(row)s",
                n=len(table),
                row=mapping.header_row,
            ),
        )
    names = [plain_text(cell) for cell in table[mapping.header_row - 1]]
    wanted = [mapping.code_column, mapping.load_column, mapping.time_column, mapping.tester_column]
    for column in wanted:
        if column and plain_text(column) not in names:
            raise refuse(
                "file",
                _(
                    "has no column “%(name)s”; its columns: %(what)s",
                    name=column,
                    what=", ".join(n for n in names if n)[:200],
                ),
                column,
            )
        if column and names.count(plain_text(column)) > 1:
            raise refuse(
                "file",
                _("“%(what)s” names two columns; accepted: each once", what=plain_text(column)),
                column,
            )
    _require_rows(len(table))
    rows = []
    for number, cells in enumerate(table[mapping.header_row :], start=mapping.header_row + 1):
        row = {name: str(cell).strip() for name, cell in zip(names, cells, strict=False) if name}
        over = [cell for cell in cells[len(names) :] if cell.strip()] if of_text else []
        if over:  # no column is called so
            row[""] = ", ".join(over)
        if any(row.values()):
            rows.append(_Line(number, row, too_many_cells(len(cells), len(names)) if over else ""))
    return rows


def _keep(
    session: Session,
    found: PressFile,
    mapping: PressMapping,
    rows: Sequence[_Line],
    outcome: Outcome,
    said: Mapping[int, int],
) -> set[int]:
    """Rows that are new; returns the specimens of those that were there before and still wait. `said`: line -> specimen, by
    hand at an earlier reading, for lines whose code names none."""
    come_again: set[int] = set()
    marks: set[str] = set()
    for row in rows:
        parsed = _parsed(row, mapping)
        told: tuple[str, ...] = (parsed.code, str(parsed.load_kn), parsed.time_text)
        if row.wrong:  # none of these is sure
            told = tuple(row.cells.values())
        mark = hashlib.sha256(repr((mapping.id, *told)).encode()).hexdigest()
        if mark in marks:
            outcome.known += 1
            continue
        known = select(PressRow.specimen_id, PressRow.state).where(PressRow.mark == mark)
        if (earlier := session.execute(known).one_or_none()) is not None:
            outcome.known += 1
            if earlier.state == "waiting" and earlier.specimen_id is not None:
                come_again.add(earlier.specimen_id)
            continue
        marks.add(mark)
        specimen = find_specimen(session, parsed.code)
        code = parsed.code
        if specimen is None and not parsed.problem and row.number in said:
            specimen = session.get_one(Specimen, said[row.number])
            code = specimen.code
        message = parsed.problem or (
            "" if specimen is not None else _("no specimen has this code: %(code)s", code=parsed.code[:60])
        )
        item = PressRow(
            press_file_id=found.id,
            number=row.number,
            content=json.dumps(row.cells, ensure_ascii=False),
            mark=mark,
            state="waiting",
            message=message[:400] or None,
            specimen_id=specimen.id if specimen is not None and not parsed.problem else None,
            code=code[:90] or None,
            load_kn=parsed.load_kn,
            tested_at=parsed.tested_at,
            tested_by=parsed.tested_by,
        )
        session.add(item)
    session.flush()
    return come_again


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    load_kn: Decimal | None
    tested_at: datetime | None
    time_text: str
    tested_by: str | None
    problem: str


def _parsed(line: _Line, mapping: PressMapping) -> _Row:
    row, problem = line.cells, ""
    load: Decimal | None = None
    text = plain_text(row.get(plain_text(mapping.load_column), ""))
    plain = text
    if mapping.decimal_mark == ",":
        plain = text.replace(".", "").replace(",", ".") if WITH_COMMA.fullmatch(text) else ""
    try:
        load = LOAD.parse((Decimal(plain) * LOAD_UNITS[mapping.load_unit]).quantize(KEPT_KN))
    except ArithmeticError:
        problem = _("“%(value)s” is not a load in %(unit)s", value=text[:40], unit=mapping.load_unit)
    except PydanticCustomError:
        problem = _(
            "%(value)s is not accepted; accepted: %(what)s",
            value=f"{text[:40]} {mapping.load_unit}",
            what=LOAD.accepted(),
        )
    time_text = _time_text(row, mapping)
    tested_at: datetime | None = None
    if time_text:
        try:
            moment = _moment(time_text, mapping.time_format)
            tested_at = Instant().parse(moment if moment.tzinfo else moment.replace(tzinfo=laboratory_zone()))
        except PydanticCustomError as error:
            problem = problem or str((error.context or {})["message"])
        except (ValueError, OverflowError):  # of year 1 too, which has no moment in UTC
            problem = problem or _(
                "“%(value)s” is not a time of the form %(form)s",
                value=time_text[:40],
                form=mapping.time_format or "ISO 8601",
            )
    tester = row.get(plain_text(mapping.tester_column), "")[:80] if mapping.tester_column else ""
    code = plain_text(row.get(plain_text(mapping.code_column), ""))
    if line.wrong:  # of 424,5 kN the load would be 424; who settles the row in the tray would have it entered
        load, tested_at, problem = None, None, line.wrong
    return _Row(code, load, tested_at, time_text, tester or None, problem)


def _time_text(row: Mapping[str, str], mapping: PressMapping) -> str:
    """The time of a row as it came; nothing of a file that has none."""
    return plain_text(row.get(plain_text(mapping.time_column), "")) if mapping.time_column else ""


def _moment(text: str, form: str | None) -> datetime:
    """A time in the form that the mapping names; in ISO 8601 without one, and from a workbook's cell (`_cell`), whatever
    form texts have. Raises: ValueError."""
    if form:
        with suppress(ValueError, re.error):  # the latter of a mapping that is older than `TimeForm`
            return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the laboratory's
        if "T" not in text:
            raise ValueError(text)
    return datetime.fromisoformat(text.replace("/", "-"))


def find_specimen(session: Session, code: str) -> Specimen | None:
    """By its code or its short code, in the width of any input method; None for anything else."""
    code = plain_text(code)
    if not code:
        return None
    found = session.scalars(select(Specimen).where(Specimen.code == code)).one_or_none()
    if found is None:
        found = session.scalars(select(Specimen).where(Specimen.code == as_given_out(code))).one_or_none()
    if found is None:
        try:
            found = session.get(Specimen, specimen_id_of(code))
        except Refused:
            return None
    return found


def enter_whole_sets(specimen_ids: set[int], actor: Actor, outcome: Outcome) -> None:
    """Enter the sets of these specimens whose every specimen has a waiting row; the others go on waiting."""
    session = current_session()
    set_ids = set(session.scalars(select(Specimen.specimen_set_id).where(Specimen.id.in_(specimen_ids))))
    for set_id in sorted(set_ids):
        _enter_if_whole(set_id, actor, outcome)


def _enter_if_whole(set_id: int, actor: Actor, outcome: Outcome) -> None:
    ids: list[int] = []
    try:
        with transaction(actor, "press file") as writing:
            found = get_set(set_id)
            of_specimens: dict[int, list[PressRow]] = {specimen.id: [] for specimen in found.specimens}
            for row in _waiting_of(writing, PressRow.specimen_id.in_(of_specimens)):
                assert row.specimen_id is not None  # the condition leaves no others
                of_specimens[row.specimen_id].append(row)
            waiting = [row for rows in of_specimens.values() for row in rows]
            ids = [row.id for row in waiting]
            if message := _undecided(found, of_specimens):
                for row in waiting:
                    row.message = message[:400]
                return
            # The same load once more, as of a file that was written twice, is one test: the last time that was noted.
            here = [of_specimens[specimen.id][-1] for specimen in found.specimens]
            times = [row.tested_at for row in here if row.tested_at is not None]
            presses = {row.press_file.press_mapping.press_id for row in here} - {None}
            if len(presses) > 1:
                message = _(
                    "differs within the set %(set)s; accepted: one for all its specimens", set=found.code
                )
                raise refuse("press_id", message)
            testers = dict.fromkeys(row.tested_by for row in here if row.tested_by)
            entry = {
                "loads_kn": [row.load_kn for row in here],
                "tested_at": (max(times) if times else utc_now()).isoformat(),
                "press_id": next(iter(presses), None),
                "tested_by": ", ".join(testers)[:80],
            }
            # Who brings the press's file stands there, as who types; a program does not, nor who settles another's row.
            brought = actor.user_id is not None and all(
                row.press_file.changed_by == actor.key for row in here
            )
            record_set(set_id, SetBreaksIn.read(entry), actor, typed=brought)
            for row in waiting:
                row.state, row.message = "used", None
            writing.flush()
    except Refused as error:
        _say(ids, str(_("; ")).join(map(named, error.problems)), actor)
    except Conflict as conflict:
        if what := besides_loads(conflict):  # typed before the file came: what was typed stays
            message = _("the set was entered already with these loads; what differs: %(what)s", what=what)
            outcome.used += _say(ids, message, actor, state="used")
        else:
            loads = conflict.theirs.get("loads_kn", "")
            _say(ids, _("the set was entered already with %(loads)s kN", loads=loads), actor)
    else:
        outcome.sets += 1
        outcome.used += len(ids)


def _undecided(found: SpecimenSet, of_specimens: Mapping[int, Sequence[PressRow]]) -> str:
    """Why a set cannot be entered yet: a specimen has no load, or several that differ; nothing when it can."""
    here = [specimen for specimen in found.specimens if of_specimens[specimen.id]]
    for specimen in here:
        loads = dict.fromkeys(row.load_kn for row in of_specimens[specimen.id] if row.load_kn is not None)
        if len(loads) > 1:
            several: str = _(
                "%(specimen)s has several loads here: %(loads)s kN; put away what is not its own",
                specimen=specimen.code,
                loads=", ".join(format_decimal(load) for load in loads),
            )
            return several
    if len(here) == len(found.specimens):
        return ""
    some: str = _(
        "%(n)s of %(all)s loads of %(set)s are here", n=len(here), all=len(found.specimens), set=found.code
    )
    return some


def _waiting_of(session: Session, which: ColumnElement[bool]) -> Sequence[PressRow]:
    """These rows, as far as they wait, held until the transaction ends: somebody may be settling one in the tray."""
    query = select(PressRow).where(which, PressRow.state == "waiting").order_by(PressRow.id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).all()


def _say(row_ids: Sequence[int], message: str, actor: Actor, state: str = "waiting") -> int:
    """Why these rows wait, or what became of them; of how many that still waited."""
    with transaction(actor, "press file") as session:
        rows = _waiting_of(session, PressRow.id.in_(row_ids))
        for row in rows:
            row.state, row.message = state, message[:400]
        return len(rows)


def settle(row_id: int, data: Mapping[str, Any], actor: Actor) -> PressRow:
    """Say what a waiting row is, or put it away with a reason. Raises: NotFound, Refused."""
    values = TrayIn.read(data)
    with transaction(actor, values.reason or "press row assigned") as session:
        row: PressRow = SERVICES["press-rows"].locked(session, row_id)
        if row.state != "waiting":
            raise refuse("row", _("is settled already"), row.title)
        # Its set is one row short, or rid of one too many.
        touched = set() if row.specimen_id is None else {row.specimen_id}
        if values.reason is not None:
            row.state, row.message = "dismissed", values.reason
        else:
            specimen = find_specimen(session, values.code or "")
            if specimen is None:
                raise refuse("code", _("no specimen has this code: %(code)s", code=values.code), values.code)
            if row.load_kn is None:
                raise refuse(
                    "code", _("the row has no load that can be read; put it away and type the set"), row.title
                )
            if row.tested_at is None and _time_text(json.loads(row.content), row.press_file.press_mapping):
                raise refuse(
                    "code", _("the row has no time that can be read; put it away and type the set"), row.title
                )
            row.specimen_id, row.code = specimen.id, specimen.code
            touched.add(specimen.id)
    enter_whole_sets(touched, actor, Outcome(row.press_file))
    settled: PressRow = SERVICES["press-rows"].get(row_id)
    return settled
