"""A file on its way in: uploaded, read, previewed, applied; all of it or nothing, through the services."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import and_, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, insert_rows, transaction
from lims.base.exports import as_person
from lims.base.files import bytes_of, keep_file
from lims.base.jobs import Job, RunningJob, job_kind
from lims.base.problems import NotFound, Problem, Refused, refuse
from lims.base.security import require
from lims.base.services import SERVICES
from lims.importing.columns import Row
from lims.importing.mapping import (
    Reading,
    fingerprint,
    fits,
    heads_of,
    keys_of_heads,
    once_each,
    own_reading,
    propose,
    rows_of,
    same_heads,
)
from lims.importing.models import LINKED, ImportMapping, ImportRow, ImportRun
from lims.importing.service import ImportRunService
from lims.importing.strengths import BreakTemplate, HistoryTemplate
from lims.importing.templates import (
    AggregateSampleTemplate,
    BatchTemplate,
    CementLotTemplate,
    CustomerTemplate,
    MixTemplate,
    Progress,
    Template,
)
from lims.importing.workbooks import AS_A_JOB, AT_ONCE, Book, Limits, TooLarge, cell_name, read_book, shown
from lims.mixes.models import MixDesign, MixRevision
from lims.mixes.service import GRADE_CHANGED
from lims.results.models import Break
from lims.trials.models import Batch, Specimen, SpecimenSet

TEMPLATES: dict[str, Template] = {
    made.name: made
    for made in (
        HistoryTemplate(),
        MixTemplate(),
        BatchTemplate(),
        BreakTemplate(),
        AggregateSampleTemplate(),
        CementLotTemplate(),
        CustomerTemplate(),
    )
}
MEDIA_TYPES = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xls": "application/vnd.ms-excel",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}
UPLOADED, APPLIED = "uploaded", "applied"
#: Remark of a file that only a job reads.
LARGE = "large"


def template_of(name: str) -> Template:
    """Raises: Refused naming the templates."""
    if name not in TEMPLATES:
        raise refuse("template", _("is not known; accepted: %(what)s", what=", ".join(TEMPLATES)), name)
    return TEMPLATES[name]


def rights_to(template: Template) -> list[tuple[str, str]]:
    """What a person needs to import a file of this template."""
    return [("write", name) for name in template.writes] + [("release", "breaks")] * template.releases


@dataclass(frozen=True, slots=True)
class Refusal:
    """A cell that is not accepted, and what would be."""

    sheet: str
    cell: str
    row: int
    column: str
    value: str
    message: str


@dataclass(slots=True)
class Plan:
    """What a file would do, or did."""

    template: Template
    book: Book
    reading: Reading
    rows: list[Row]
    remarks: list[str] = field(default_factory=list)

    def of(self, outcome: str) -> list[Row]:
        return [row for row in self.rows if row.outcome == outcome]

    def count(self, outcome: str) -> int:
        return sum(row.outcome == outcome for row in self.rows)

    @property
    def changes_nothing(self) -> bool:
        return all(row.outcome == "same" for row in self.rows)

    @property
    def mark(self) -> str:
        """The same for a plan that reads the file so and does the same to each row: what somebody looked at, and what is
        written then."""
        told = [(row.number, row.outcome, [(c.old, c.new) for c in row.changes]) for row in self.rows]
        return hashlib.sha256(repr((self.reading.to_json(), told)).encode()).hexdigest()

    def said(self, row: Row, name: str) -> str:
        """What stands in a row's cell of this column, or what every row has: of a record that is named, its code or name."""
        place = row.place_of(name)
        if place is None or place.column < 0:
            return self.reading.constants.get(name, "")
        return shown(self.book.sheet(self.reading.sheet).cell(place.row, place.column))

    def refusals(self) -> list[Refusal]:
        """Every problem with its cell. One of no single column stands at the row's first key."""
        found = []
        for row in self.rows:
            for problem in row.problems:
                column = self.template.columns.get(problem.field.split(".")[0])
                place = row.place_of(problem.field.split(".")[0])
                if place is None or place.column < 0:
                    keys = (row.place_of(name) for name in (*self.template.key, *row.columns, *row.places))
                    place = next((key for key in keys if key is not None and key.column >= 0), None)
                named = self.said(row, column.name) if column is not None and column.reference else ""
                found.append(
                    Refusal(
                        self.reading.sheet,
                        cell_name(row.number - 1, place.column if place is not None else 0),
                        row.number,
                        str(column.label) if column is not None else "",
                        named[:200] or problem.value,  # a service knows a record by its number
                        str(problem.message),
                    )
                )
        return found


class NotApplied(Refused):
    """The file has refusals; nothing of it was written."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        refusals = plan.refusals()
        problems = [
            Problem(
                f"{item.sheet} {item.cell}",
                f"{item.column}: {item.message}" if item.column else item.message,
                item.value,
            )
            for item in refusals[:50]
        ]
        if len(refusals) > 50:
            problems.append(Problem("", _("and %(n)s more", n=len(refusals) - 50)))
        super().__init__(problems)


class NotAsSeen(Refused):
    """What the file would change has changed since somebody looked; nothing of it was written."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        message = _(
            "What is stored has changed since this was shown; accepted: the import as it stands here now."
        )
        super().__init__([Problem("", message)])


# --- uploading -------------------------------------------------------------------------------------------------


def upload(
    name: str, content: bytes, actor: Actor, *, template: str = "", mapping: str = "", encoding: str = ""
) -> ImportRun:
    """Keep the bytes and find out how they are read. Files too large to be read at once wait for a job.

    Raises: Refused for what is no readable table.
    """
    return _upload(name, content, actor, template, mapping, encoding)[0]


def _upload(
    name: str, content: bytes, actor: Actor, template: str, mapping: str, encoding: str = ""
) -> tuple[ImportRun, Book | None]:
    """The kept file, and its sheets where they were read at once."""
    name = Path(name.replace("\\", "/")).name[-200:] or "file"
    if template:
        template_of(template)
    reading: Reading | None = None
    book: Book | None = None
    try:
        book = read_book(name, content, AT_ONCE, encoding=encoding)
    except TooLarge:
        if len(content) > AS_A_JOB.file_bytes:
            raise refuse(
                "file", _("is larger than %(mb)s MB", mb=AS_A_JOB.file_bytes // 1_000_000), name
            ) from None
    else:
        reading = find_reading(book, template, mapping)
    if reading is None and mapping:
        # How its text is cut is found out when the job reads it, as of a file that is read at once.
        reading = replace(mapping_named(mapping), encoding="", delimiter="")
    if encoding:  # what a person said of the file, whoever says later how it reads
        reading = replace(reading or Reading(template, "", 0, ()), encoding=encoding)
    digest = hashlib.sha256(content).hexdigest()
    with transaction(actor, f"upload {name}"[:200]) as session:
        kept = keep_file(
            session, content, MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
        )
        run = ImportRun(
            kind=reading.template if reading is not None else template,
            file_name=name,
            sha256=digest,
            size_bytes=len(content),
            rows_read=0,
            mixes_added=0,
            specimens_added=0,
            duplicate_rows=0,
            file_id=kept.id,
            state=UPLOADED,
            reading=reading.to_json() if reading is not None else None,
            remarks=None if book is not None else LARGE,
        )
        session.add(run)
        session.flush()
    return run, book


def find_reading(book: Book, template: str = "", mapping: str = "") -> Reading | None:
    """How the file is read without asking: by the mapping that is named, as one of our templates, or as a sheet with the
    same heads was read before. None when a person has to say."""
    chosen = [TEMPLATES[template]] if template else list(TEMPLATES.values())
    if mapping:
        return for_this_file(mapping_named(mapping), book)
    own = own_reading(book, chosen)
    if own is not None:
        return own
    try:
        proposal = propose(book, chosen)
    except Refused:
        return None
    marks = fingerprint(heads_of(book.sheet(proposal.sheet), proposal.header_row))
    query = select(ImportMapping).where(ImportMapping.heads == marks, ImportMapping.retired_at.is_(None))
    if template:
        query = query.where(ImportMapping.template == template)
    found = current_session().scalars(query.order_by(ImportMapping.id.desc()).limit(1)).one_or_none()
    if found is None:
        return None
    remembered = for_this_file(Reading.of_json(found.reading), book)
    if not fits(book, remembered):  # the same heads stand further up or down, or in another sheet
        remembered = replace(remembered, sheet=proposal.sheet, header_row=proposal.header_row)
    return remembered


def mapping_named(code: str) -> Reading:
    """Raises: Refused."""
    found = SERVICES["import-mappings"].find(code=code)
    if found is None:
        raise refuse("mapping", _("there is no such record"), code)
    _in_use(found)
    return Reading.of_json(found.reading)


def _in_use(mapping: ImportMapping) -> None:
    """Raises: Refused for a mapping that somebody has put away: it reads no file, and is not changed in passing."""
    if mapping.retired_at is not None:
        raise refuse("mapping", _("is out of use; accepted: a record in use"), mapping.code)


def for_this_file(reading: Reading, book: Book) -> Reading:
    """A remembered reading for a file whose sheet may have another name: the first with the heads that were remembered."""
    names = [sheet.name for sheet in book.sheets if not sheet.hidden and sheet.rows]
    if reading.sheet not in names and names:
        fitting = (name for name in names if fits(book, replace(reading, sheet=name)))
        reading = replace(reading, sheet=next(fitting, names[0]))
    return replace(reading, encoding=book.encoding, delimiter=book.delimiter)


def remember(code: str, book: Book, reading: Reading, actor: Actor) -> ImportMapping:
    """Keep how this source reads under a name; the same name is read anew from now on. Raises: Refused."""
    service = SERVICES["import-mappings"]
    reading = replace(reading, heads=keys_of_heads(book, reading))
    heads = fingerprint(heads_of(book.sheet(reading.sheet), reading.header_row))
    data = {"code": code, "template": reading.template, "heads": heads, "reading": reading.to_json()}
    with transaction(actor, "mapping") as session:
        found: ImportMapping | None = service.find(code=code)
        if found is None:
            made: ImportMapping = service.add(data, actor)
            return made
        _in_use(found)
        found.template, found.heads, found.reading = reading.template, heads, data["reading"]
        session.flush()
    return found


def reading_of(run: ImportRun) -> Reading | None:
    """How the file is read. None while nobody has said which column is what: what is kept before that names at most the
    characters of a text file."""
    found = Reading.of_json(run.reading) if run.reading else None
    return found if found is not None and found.columns else None


def settle(run: ImportRun, reading: Reading, actor: Actor) -> ImportRun:
    """The file is read so. Raises: Refused for one that was applied."""
    with transaction(actor, "mapping of a file") as session:
        found = ImportRunService().locked(session, run.id)
        if found.state == APPLIED:
            raise refuse("", _("was imported already"), found.file_name)
        found.kind, found.reading = reading.template, reading.to_json()
        session.flush()
    return found


# --- reading and applying --------------------------------------------------------------------------------------


def book_of(run: ImportRun, limits: Limits = AT_ONCE) -> Book:
    """The file's sheets, read again from the kept bytes. Raises: Refused."""
    if run.file_id is None:
        raise refuse("file", _("was not kept: it came before files were"), run.file_name)
    reading = Reading.of_json(run.reading) if run.reading else None
    return read_book(
        run.file_name,
        bytes_of(run.file_id),
        limits,
        encoding=reading.encoding if reading else "",
        delimiter=reading.delimiter if reading else "",
    )


def prepare(name: str, book: Book, reading: Reading) -> Plan:
    """The rows with their values, before anything is compared. Raises: Refused."""
    template = template_of(reading.template)
    same_heads(book, reading)
    once_each(template, reading)
    rows, remarks = rows_of(book, template, reading)
    if not rows:
        raise refuse("file", _("has no rows below its heads"), name)
    return Plan(template, book, reading, rows, [*book.remarks, *remarks])


def _run(plan: Plan, actor: Actor, *, write: bool, progress: Progress | None = None) -> None:
    plan.template.run(plan.rows, actor, write=write, progress=progress)
    plan.remarks += plan.template.told(plan.rows)


class _TakenBack(Exception):
    """Ends a preview: what the services wrote to find out is not kept."""


def compare(plan: Plan, actor: Actor) -> Plan:
    """What the rows would do. Nothing is kept: where only a service can tell, it writes in a transaction that is taken
    back."""
    if not plan.template.dry_run_writes:
        _run(plan, actor, write=False)
        return plan
    session = current_session()
    pending = set(session.info.get("forecast_mixes", ()))
    try:
        with transaction(actor, "preview of an import"):
            _run(plan, actor, write=True)
            raise _TakenBack
    except _TakenBack:
        session.info["forecast_mixes"] = pending
        session.expire_all()
    return plan


def preview(run: ImportRun, actor: Actor, limits: Limits = AT_ONCE) -> Plan:
    """Every row of the file as new, changed, same or refused. Raises: Refused when the file cannot be read so."""
    reading = reading_of(run)
    if reading is None:
        raise refuse("mapping", _("nobody has said yet how this file reads"), run.file_name)
    return compare(prepare(run.file_name, book_of(run, limits), reading), actor)


def apply(
    run: ImportRun,
    actor: Actor,
    progress: Progress | None = None,
    limits: Limits = AT_ONCE,
    book: Book | None = None,
    seen: str = "",
) -> Plan:
    """Write the file: all of its rows or none. `seen`: the mark of the preview that was looked at.

    Raises: NotApplied with the refusals, NotAsSeen where it would do something else by now; Refused, Unavailable.
    """
    reading = reading_of(run)
    if reading is None:
        raise refuse("mapping", _("nobody has said yet how this file reads"), run.file_name)
    book = book or book_of(run, limits)
    if run.remarks == LARGE:  # nobody had its sheets when the mapping was named
        reading = for_this_file(reading, book)
    plan = prepare(run.file_name, book, reading)
    with transaction(actor, f"import {run.id}") as session:
        found = ImportRunService().locked(session, run.id)
        if found.state == APPLIED:
            raise refuse("", _("was imported already"), run.file_name)
        _run(plan, actor, write=True, progress=progress)
        if any(row.problems for row in plan.rows):
            raise NotApplied(plan)
        if seen and plan.mark != seen:
            raise NotAsSeen(plan)
        link(session, found.id, plan)
        found = ImportRunService().locked(session, run.id)
        found.state, found.finished_at = APPLIED, utc_now()
        found.rows_read = len(plan.rows)
        found.rows_new, found.rows_changed, found.rows_same = (
            plan.count(o) for o in ("new", "changed", "same")
        )
        found.mixes_added = sum(
            name == "mix-designs" and action == "new"
            for row in plan.rows
            for name, _id, action in row.links()
        )
        found.specimens_added = sum(name == "breaks" for row in plan.rows for name, _id in row.written)
        found.remarks = "\n".join(plan.remarks) or None
        session.flush()
    return plan


def link(session: Any, run_id: int, plan: Plan) -> None:
    """Every record that was written, with the row that wrote it: runs of neighbours under one link."""
    links: list[dict[str, Any]] = []
    open_links: dict[tuple[str, str], dict[str, Any]] = {}
    for row in plan.rows:
        for name, record_id, action in row.links():
            link = open_links.get((name, action))
            if link is not None:
                further = link["more"] + 1
                if (
                    further < LINKED
                    and record_id == link["record_id"] + further
                    and row.number == link["row"] + further
                ):
                    link["more"] = further
                    continue
            link = open_links[name, action] = {
                "record_name": name,
                "record_id": record_id,
                "row": row.number,
                "more": 0,
                "action": action,
            }
            links.append(link)
    of_all = {"import_run_id": run_id, "sheet": plan.reading.sheet[:100]}
    insert_rows(session.connection(), ImportRow.__table__, links, of_all)


def import_file(
    name: str,
    content: bytes,
    actor: Actor,
    *,
    template: str,
    mapping: str = "",
    progress: Progress | None = None,
) -> tuple[ImportRun, Plan]:
    """Upload and apply, as the command line does. A file that came in before and would change nothing leaves no new trace.

    Raises: NotApplied, Refused.
    """
    digest = hashlib.sha256(content).hexdigest()
    earlier: ImportRun | None = SERVICES["import-runs"].find(sha256=digest, kind=template, state=APPLIED)
    if earlier is not None and earlier.reading:
        plan = look(name, content, actor, template=template, mapping=mapping)
        if plan.changes_nothing:
            return earlier, plan
    run, book = _upload(name, content, actor, template, mapping)
    if reading_of(run) is None:
        run = settle(run, reading_by_itself(run, template), actor)
    limits = AS_A_JOB if run.remarks == LARGE else AT_ONCE
    plan = apply(run, actor, progress, limits, book)
    return run, plan


def look(name: str, content: bytes, actor: Actor, *, template: str, mapping: str = "") -> Plan:
    """What a file would do, without keeping even its bytes. Raises: Refused."""
    try:
        book = read_book(name, content)
    except TooLarge:
        book = read_book(name, content, AS_A_JOB)
    reading = find_reading(book, template, mapping) or propose(book, [template_of(template)])
    return compare(prepare(name, book, reading), actor)


def reading_by_itself(run: ImportRun, template: str) -> Reading:
    """Where nobody can be asked: as a template, by known heads, else as proposed from the heads."""
    book = book_of(run, AS_A_JOB)
    return find_reading(book, template) or propose(book, [template_of(template)])


@job_kind("import-workbook", title=_l("Import of a workbook"))
def run_import(job: RunningJob, run_id: int) -> dict[str, Any]:
    """A file too large to wait for: it knows of what the person may know of when it runs, and writes what they may write
    then. Raises: Forbidden, NotFound, Refused."""
    from lims.forecasts.service import forecast_pending
    from lims.importing.sheets import marked_workbook

    run = current_session().get(ImportRun, run_id)
    if run is None:
        raise NotFound(f"import-runs {run_id}")
    if run.state == APPLIED and current_session().get_one(Job, job.id).attempts > 1:
        # Its worker died when the rows were written and the job did not say so yet.
        current_session().info.setdefault("forecast_mixes", set()).update(_mixes_of_breaks(run_id))
        for mix_id in _mixes_written(run_id):  # of which no row says whether it was their grade
            for listener in GRADE_CHANGED:
                listener(mix_id)
        forecast_pending()
        return _told(run_id, run.rows_new, run.rows_changed, run.rows_same)
    with as_person(job.actor):
        for right, name in rights_to(template_of(run.kind)) if job.actor.user_id is not None else ():
            require(right, name)
        if reading_of(run) is None:
            run = settle(run, reading_by_itself(run, run.kind), job.actor)
        try:
            plan = apply(run, job.actor, job.progress, AS_A_JOB)
        except NotApplied as error:
            content = marked_workbook(error.plan, None)
            with transaction(job.actor, "refusals of an import") as session:
                kept = keep_file(session, content, MEDIA_TYPES[".xlsx"])
            count = len(error.plan.refusals())
            return {
                "file_id": kept.id,
                "file_name": f"{Path(run.file_name).stem}-marked.xlsx",
                "href": f"/import/{run_id}",
                "message": _(
                    "%(n)s cells are refused; nothing was written. The marked workbook tells which.", n=count
                ),
            }
    forecast_pending()
    return _told(run_id, plan.count("new"), plan.count("changed"), plan.count("same"))


def _told(run_id: int, new: int, changed: int, same: int) -> dict[str, Any]:
    message = _("%(new)s new, %(changed)s changed, %(same)s the same.", new=new, changed=changed, same=same)
    return {"href": f"/import/{run_id}", "message": message}


def _mixes_of_breaks(run_id: int) -> Sequence[int]:
    """Mixes of which this file brought breaks."""
    linked = and_(
        ImportRow.record_name == Break.record_name,
        Break.id.between(ImportRow.record_id, ImportRow.record_id + ImportRow.more),
    )
    query = (
        select(MixRevision.mix_design_id)
        .distinct()
        .select_from(ImportRow)
        .join(Break, linked)
        .join(Specimen, Specimen.id == Break.specimen_id)
        .join(SpecimenSet, SpecimenSet.id == Specimen.specimen_set_id)
        .join(Batch, Batch.id == SpecimenSet.batch_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(ImportRow.import_run_id == run_id)
    )
    return current_session().scalars(query).all()


def _mixes_written(run_id: int) -> Sequence[int]:
    """Mixes that this file made or changed."""
    linked = and_(
        ImportRow.record_name == MixDesign.record_name,
        MixDesign.id.between(ImportRow.record_id, ImportRow.record_id + ImportRow.more),
    )
    query = select(MixDesign.id).distinct().join(ImportRow, linked).where(ImportRow.import_run_id == run_id)
    return current_session().scalars(query).all()


def came_from(record_name: str, record_id: int) -> Sequence[tuple[str, int, str, int, str]]:
    """(file, run id, sheet, row, action) of every file that made or changed the record, the newest first."""
    rows = current_session().execute(
        select(
            ImportRun.file_name,
            ImportRun.id,
            ImportRow.sheet,
            ImportRow.row + (record_id - ImportRow.record_id),
            ImportRow.action,
        )
        .join(ImportRun, ImportRun.id == ImportRow.import_run_id)
        .where(
            ImportRow.record_name == record_name,
            ImportRow.record_id.between(record_id - LINKED + 1, record_id),
            ImportRow.record_id + ImportRow.more >= record_id,
        )
        .order_by(ImportRow.id.desc())
        .limit(20)
    )
    return [(name, run_id, sheet, row, action) for name, run_id, sheet, row, action in rows]
