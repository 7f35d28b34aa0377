"""Files that compression machines write: read by a mapping the laboratory made, matched to specimens, kept once.

A row whose specimen is not known, or whose set is not whole yet, waits in the tray. A set is entered when all its
specimens have a load, by the same service as typing it. The same file, or the same row in another file, changes nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _
from python_calamine import CalamineError, load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import laboratory_zone
from lims.base.fields import plain_text
from lims.base.problems import Conflict, NotFound, Refused, refuse
from lims.results.models import PressFile, PressMapping, PressRow
from lims.results.schemas import LOAD_UNITS, SetBreaksIn, TrayIn
from lims.results.service import besides_loads, get_set, record_set
from lims.trials.models import Specimen
from lims.trials.service import as_given_out
from lims.trials.short_codes import specimen_id_of

MOST_BYTES = 10_000_000
MOST_ROWS = 20_000
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}
#: How workbooks begin: zip, and the old compound file.
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
KEPT_KN = Decimal("0.001")


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
        try:
            rows = load_workbook(io.BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
        except (CalamineError, ValueError, OSError, IndexError) as error:
            raise refuse(
                "file", _("is no workbook that can be read (%(why)s)", why=str(error)[:80])
            ) from None
        return [[_cell(value) for value in row] for row in rows]
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
        return [list(row) for row in csv.reader(io.StringIO(text), delimiter=DELIMITERS[mapping.delimiter])]
    except csv.Error as error:
        raise refuse("file", _("is no table that can be read (%(why)s)", why=str(error)[:80])) from None


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else str(value)


def read_file(mapping_id: int, name: str, content: bytes, actor: Actor) -> Outcome:
    """Keep the file's rows and enter every set that is whole. Raises: NotFound, Refused."""
    session = current_session()
    mapping = session.get(PressMapping, mapping_id) if 0 < mapping_id < 2**63 else None
    if mapping is None:
        raise NotFound(f"press-mappings {mapping_id}")
    digest = hashlib.sha256(content).hexdigest()
    earlier = session.scalars(select(PressFile).where(PressFile.sha256 == digest)).one_or_none()
    if earlier is not None:
        return Outcome(earlier, known=earlier.row_count, again=True)
    rows = _data_rows(table_of(content, mapping), mapping)
    try:
        with transaction(actor, f"press file {name}"[:200]) as writing:
            found = PressFile(
                press_mapping_id=mapping.id,
                name=name[-200:] or "file",
                sha256=digest,
                size_bytes=len(content),
                row_count=len(rows),
            )
            writing.add(found)
            writing.flush()
            outcome = Outcome(found)
            kept = _keep(writing, found, mapping, rows, outcome)
    except Refused:  # the same file from two machines at once: the first one counts
        earlier = session.scalars(select(PressFile).where(PressFile.sha256 == digest)).one_or_none()
        if earlier is None:
            raise
        return Outcome(earlier, known=earlier.row_count, again=True)
    enter_whole_sets({row.specimen_id for row in kept if row.specimen_id is not None}, actor, outcome)
    outcome.waiting = sum(1 for row in kept if row.state == "waiting")
    return outcome


def _data_rows(table: Sequence[Sequence[str]], mapping: PressMapping) -> list[tuple[int, dict[str, str]]]:
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
    if len(table) > MOST_ROWS:
        raise refuse("file", _("has %(n)s rows; accepted: up to %(most)s", n=len(table), most=MOST_ROWS))
    rows = []
    for number, cells in enumerate(table[mapping.header_row :], start=mapping.header_row + 1):
        row = {name: str(cell).strip() for name, cell in zip(names, cells, strict=False) if name}
        if any(row.values()):
            rows.append((number, row))
    return rows


def _keep(
    session: Session,
    found: PressFile,
    mapping: PressMapping,
    rows: Sequence[tuple[int, Mapping[str, str]]],
    outcome: Outcome,
) -> list[PressRow]:
    kept: list[PressRow] = []
    marks: set[str] = set()
    for number, row in rows:
        parsed = _parsed(row, mapping)
        mark = hashlib.sha256(
            repr((mapping.id, parsed.code, str(parsed.load_kn), parsed.time_text)).encode()
        ).hexdigest()
        if mark in marks or session.scalar(select(PressRow.id).where(PressRow.mark == mark)) is not None:
            outcome.known += 1
            continue
        marks.add(mark)
        specimen = find_specimen(session, parsed.code)
        message = parsed.problem or (
            "" if specimen is not None else _("no specimen has this code: %(code)s", code=parsed.code[:60])
        )
        item = PressRow(
            press_file_id=found.id,
            number=number,
            content=json.dumps(dict(row), ensure_ascii=False),
            mark=mark,
            state="waiting",
            message=message[:400] or None,
            specimen_id=specimen.id if specimen is not None and not parsed.problem else None,
            code=parsed.code[:90] or None,
            load_kn=parsed.load_kn,
            tested_at=parsed.tested_at,
            tested_by=parsed.tested_by,
        )
        session.add(item)
        kept.append(item)
    session.flush()
    return kept


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    load_kn: Decimal | None
    tested_at: datetime | None
    time_text: str
    tested_by: str | None
    problem: str


def _parsed(row: Mapping[str, str], mapping: PressMapping) -> _Row:
    problem = ""
    load: Decimal | None = None
    text = plain_text(row.get(plain_text(mapping.load_column), ""))
    plain = text.replace(".", "").replace(",", ".") if mapping.decimal_mark == "," else text
    try:
        number = Decimal(plain)
        if not number.is_finite() or number <= 0:
            raise InvalidOperation
        load = (number * LOAD_UNITS[mapping.load_unit]).quantize(KEPT_KN)
    except InvalidOperation:
        problem = _("“%(value)s” is not a load in %(unit)s", value=text[:40], unit=mapping.load_unit)
    time_text = plain_text(row.get(plain_text(mapping.time_column), "")) if mapping.time_column else ""
    tested_at: datetime | None = None
    if time_text:
        try:
            moment = (
                datetime.strptime(time_text, mapping.time_format)  # noqa: DTZ007 - the zone is the laboratory's
                if mapping.time_format and "T" not in time_text
                else datetime.fromisoformat(time_text.replace("/", "-"))
            )
            tested_at = moment if moment.tzinfo else moment.replace(tzinfo=laboratory_zone())
        except ValueError:
            problem = problem or _(
                "“%(value)s” is not a time of the form %(form)s",
                value=time_text[:40],
                form=mapping.time_format or "ISO 8601",
            )
    tester = row.get(plain_text(mapping.tester_column), "")[:80] if mapping.tester_column else ""
    code = plain_text(row.get(plain_text(mapping.code_column), ""))
    return _Row(code, load, tested_at, time_text, tester or None, problem)


def find_specimen(session: Session, code: str) -> Specimen | None:
    """By its code or its short code; None for anything else."""
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
        found = get_set(set_id)
        by_specimen: dict[int, list[PressRow]] = defaultdict(list)
        for row in session.scalars(
            select(PressRow)
            .where(
                PressRow.specimen_id.in_([specimen.id for specimen in found.specimens]),
                PressRow.state == "waiting",
            )
            .order_by(PressRow.id)
        ):
            by_specimen[row.specimen_id or 0].append(row)
        here = [by_specimen[specimen.id][-1] for specimen in found.specimens if by_specimen[specimen.id]]
        if len(here) < len(found.specimens):
            _say(
                here,
                _(
                    "%(n)s of %(all)s loads of %(set)s are here",
                    n=len(here),
                    all=len(found.specimens),
                    set=found.code,
                ),
                actor,
            )
            continue
        mapping = here[0].press_file.press_mapping
        times = [row.tested_at for row in here if row.tested_at is not None]
        entry = {
            "loads_kn": [row.load_kn for row in here],
            "tested_at": (max(times) if times else utc_now()).isoformat(),
            "press_id": mapping.press_id,
            "tested_by": here[0].tested_by,
        }
        try:
            with transaction(actor, "press file") as writing:
                record_set(set_id, SetBreaksIn.read(entry), actor)
                for row in here:
                    row.state, row.message = "used", None
                writing.flush()
        except Refused as error:
            _say(here, str(error), actor)
        except Conflict as conflict:
            if what := besides_loads(conflict):  # typed before the file came: what was typed stays
                message = _("the set was entered already with these loads; what differs: %(what)s", what=what)
                _say(here, message, actor, state="used")
                outcome.used += len(here)
                continue
            _say(
                here,
                _("the set was entered already with %(loads)s kN", loads=conflict.theirs.get("loads_kn", "")),
                actor,
            )
        else:
            outcome.sets += 1
            outcome.used += len(here)


def _say(rows: Sequence[PressRow], message: str, actor: Actor, state: str = "waiting") -> None:
    with transaction(actor, "press file"):
        for row in rows:
            row.state, row.message = state, message[:400]


def settle(row_id: int, data: Mapping[str, Any], actor: Actor) -> PressRow:
    """Say what a waiting row is, or put it away with a reason. Raises: NotFound, Refused."""
    values = TrayIn.read(data)
    session = current_session()
    row = session.get(PressRow, row_id) if 0 < row_id < 2**63 else None
    if row is None:
        raise NotFound(f"press-rows {row_id}")
    if row.state != "waiting":
        raise refuse("row", _("is settled already"), row.title)
    if values.reason is not None:
        with transaction(actor, values.reason):
            row.state, row.message = "dismissed", values.reason
        return row
    specimen = find_specimen(session, values.code or "")
    if specimen is None:
        raise refuse("code", _("no specimen has this code: %(code)s", code=values.code), values.code)
    if row.load_kn is None:
        raise refuse(
            "code", _("the row has no load that can be read; put it away and type the set"), row.title
        )
    with transaction(actor, "press row assigned"):
        row.specimen_id, row.code = specimen.id, specimen.code
    enter_whole_sets({specimen.id}, actor, Outcome(row.press_file))
    return row
