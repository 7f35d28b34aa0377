"""Pages of importing: upload, mapping, preview, apply; the files that came in and how sources read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import local_today
from lims.base.exports import MOST_ROWS_AT_ONCE
from lims.base.files import bytes_of, file_response, stored_file
from lims.base.jobs import enqueue
from lims.base.problems import NotFound, Problem, Refused, refuse
from lims.base.records import Record
from lims.base.security import current_actor, may, require
from lims.base.services import SERVICES
from lims.base.views import ORIGINS, GuardedView, MenuPlace, Origin, RecordView
from lims.importing.columns import Column, Row, text_of
from lims.importing.imports import (
    APPLIED,
    LARGE,
    MEDIA_TYPES,
    TEMPLATES,
    NotApplied,
    NotAsSeen,
    Plan,
    apply,
    book_of,
    came_from,
    preview,
    reading_of,
    remember,
    rights_to,
    settle,
    template_of,
    upload,
)
from lims.importing.mapping import (
    FREE_HEAD_ROWS,
    Reading,
    fits,
    has_units,
    heads_of,
    needs_hour,
    propose,
    proposed,
    read_twice,
    row_of_heads,
    settled,
)
from lims.importing.models import ImportRun
from lims.importing.numbers import units_for
from lims.importing.service import ImportMappingService, ImportRunService
from lims.importing.sheets import export_template, marked_workbook, template_workbook
from lims.importing.templates import Template
from lims.importing.workbooks import ENCODINGS, Book, Sheet, column_letters, shown

IMPORT_STATES = {"uploaded": _l("Uploaded, not imported"), "applied": _l("Imported")}
DATE_FORM_LABELS = {
    "auto": _l("As the cells say; text as 2026-03-28"),
    "dmy": _l("Text as 28.03.2026: day, month, year"),
    "mdy": _l("Text as 03/28/2026: month, day, year"),
    "serial-1900": _l("Numbers that count days from 1900"),
    "serial-1904": _l("Numbers that count days from 1904"),
}
DECIMAL_MARK_LABELS = {
    "": _l("Point; commas are refused"),
    ".": _l("Point; commas group thousands"),
    ",": _l("Comma; points group thousands"),
}
#: Rows of each kind that a preview shows; the counts tell the rest.
MOST_ROWS_SHOWN = 60
SAMPLE_ROWS, SAMPLE_COLUMNS = 10, 12
#: Beginnings of the names that hold what one column is: its field, unit, age and number.
OF_COLUMNS = ("field_", "unit_", "age_", "number_")


def may_import(template: Template) -> bool:
    return all(may(action, name) for action, name in rights_to(template))


class ImportView(GuardedView):
    """A file comes in: /import/."""

    route_base = "/import"
    default_view = "start"
    permission_on = "imports"
    title = _l("Import workbooks")
    menu = MenuPlace("trials", order=95, icon="upload")

    @expose("/", methods=["GET", "POST"])
    @permission_name("write")
    def start(self) -> ResponseReturnValue:
        """Upload a file, or take a template."""
        self.allow("write")
        if request.method == "GET":
            return self._start()
        given = request.files.get("file")
        template, mapping = request.form.get("template", ""), request.form.get("mapping", "")
        encoding = request.form.get("encoding", "")
        try:
            if given is None or not given.filename:
                raise refuse("file", _("is required: the workbook"))
            if template:
                self._require(template_of(template))
            if encoding and encoding not in ENCODINGS:
                raise refuse(
                    "encoding", _("is not known; accepted: %(what)s", what=", ".join(ENCODINGS)), encoding
                )
            run = upload(
                given.filename,
                given.read(),
                current_actor(),
                template=template,
                mapping=mapping,
                encoding=encoding,
            )
        except Refused as error:
            return self._start(error.problems), 422
        return redirect(url_for("ImportView.show", run_id=run.id))

    @expose("/templates/<name>.xlsx")
    @permission_name("read")
    def template(self, name: str) -> ResponseReturnValue:
        """The empty template of a subject."""
        self.allow("read")
        if name not in TEMPLATES:
            raise NotFound(f"template {name}")
        return file_response(template_workbook(name), MEDIA_TYPES[".xlsx"], f"{name}.xlsx")

    @expose("/templates/<name>/filled.xlsx")
    @permission_name("write")
    def filled(self, name: str) -> ResponseReturnValue:
        """The template with what is stored, to be changed and imported again: for who may import it."""
        self.allow("write")
        if name not in TEMPLATES:
            raise NotFound(f"template {name}")
        template = TEMPLATES[name]
        self._require(template)
        for record_name in template.writes:
            require("read", record_name)
        content = export_template(name, most=MOST_ROWS_AT_ONCE)
        return file_response(content, MEDIA_TYPES[".xlsx"], f"{name}-{local_today():%Y-%m-%d}.xlsx")

    @expose("/<int:run_id>")
    @permission_name("write")
    def show(self, run_id: int) -> ResponseReturnValue:
        """The next step of this file: its mapping, its preview, or what came of it."""
        self.allow("write")
        run = self._run(run_id)
        if run.state == APPLIED:
            return self._page("lims/import_done.html", run=run, subject=TEMPLATES.get(run.kind))
        if run.remarks == LARGE:
            return self._page("lims/import_large.html", run=run, templates=self._templates())
        if reading_of(run) is None:
            return redirect(url_for("ImportView.mapping", run_id=run.id))
        try:
            plan = preview(run, current_actor())
        except Refused as error:
            return self._page("lims/import_unreadable.html", run=run, problems=error.problems), 422
        return self._preview(run, plan)

    @expose("/<int:run_id>/mapping", methods=["GET", "POST"])
    @permission_name("write")
    def mapping(self, run_id: int) -> ResponseReturnValue:
        """Which column is what: proposed from the heads, settled here, remembered under a name."""
        self.allow("write")
        run = self._run(run_id)
        if run.state == APPLIED:
            return redirect(url_for("ImportView.show", run_id=run.id))
        book = book_of(run)
        if request.method == "GET":
            kept = None if request.args else reading_of(run)
            if kept is None or not fits(book, kept):
                try:
                    kept = self._proposal(book, run.kind, request.args)
                except Refused as error:  # nothing to settle: another file can be chosen
                    return self._start(error.problems), 422
            return self._mapping(run, book, kept, [*read_twice(kept.columns)])
        template = template_of(request.form.get("template", ""))
        self._require(template)
        try:
            if "look" in request.form or request.form.get("shown", _looked_at()) != _looked_at():
                return self._looked_again(run, book)
            reading = settled(book, template, request.form)
            if name := request.form.get("code", "").strip():
                require("write", "import-mappings")
                remember(name, book, reading, current_actor())
        except Refused as error:
            number = request.form.get("header_row", "")
            header_row = int(number) if number.isdecimal() and len(number) < 5 else 1
            reading = Reading(template.name, request.form.get("sheet", ""), header_row, ())
            return self._mapping(run, book, reading, error.problems, request.form), 422
        settle(run, reading, current_actor())
        return redirect(url_for("ImportView.show", run_id=run.id))

    @expose("/<int:run_id>/apply", methods=["POST"])
    @permission_name("write")
    def apply(self, run_id: int) -> ResponseReturnValue:
        """Write the file, all of it or nothing. A large one runs as a job."""
        self.allow("write")
        run = self._run(run_id)
        if run.remarks == LARGE:
            template = request.form.get("template", "") or run.kind
            self._require(template_of(template))
            if not run.kind:
                run = self._of_kind(run, template)
            job = enqueue("import-workbook", {"run_id": run.id}, current_actor())
            return redirect(f"/jobs/{job.id}")
        try:
            plan = apply(run, current_actor(), seen=request.form.get("seen", ""))
        except NotApplied as error:
            return self._preview(run, error.plan), 422
        except NotAsSeen as error:
            return self._preview(run, error.plan, str(error.problems[0].message)), 409
        flash(
            _(
                "Imported: %(new)s new, %(changed)s changed, %(same)s the same.",
                new=plan.count("new"),
                changed=plan.count("changed"),
                same=plan.count("same"),
            ),
            "success",
        )
        return redirect(url_for("ImportView.show", run_id=run.id))

    @expose("/<int:run_id>/marked.xlsx")
    @permission_name("write")
    def marked(self, run_id: int) -> ResponseReturnValue:
        """The file with its refusals coloured and explained."""
        self.allow("write")
        run = self._run(run_id)
        plan = preview(run, current_actor())
        content = marked_workbook(plan, bytes_of(run.file_id or 0))
        return file_response(content, MEDIA_TYPES[".xlsx"], f"{Path(run.file_name).stem}-marked.xlsx")

    @expose("/<int:run_id>/file")
    @permission_name("read")
    def file(self, run_id: int) -> ResponseReturnValue:
        """The bytes as they came."""
        self.allow("read")
        require("read", "import-runs")
        run: ImportRun = ImportRunService().get(run_id)
        if run.kind in TEMPLATES:
            for name in TEMPLATES[run.kind].writes:
                require("read", name)
        self._known(run)
        if run.file_id is None:
            raise NotFound(f"file of import-runs {run_id}")
        stored = stored_file(run.file_id)
        return file_response(stored.content, stored.media_type, run.file_name)

    # --- inside -------------------------------------------------------------------------------------------

    def _require(self, template: Template) -> None:
        for action, name in rights_to(template):
            require(action, name)

    def _run(self, run_id: int) -> ImportRun:
        run: ImportRun = ImportRunService().get(run_id)
        if run.kind in TEMPLATES:
            self._require(TEMPLATES[run.kind])
        elif run.created_by != current_actor().key:
            raise NotFound(f"import-runs {run_id}")
        self._known(run)
        return run

    def _known(self, run: ImportRun) -> None:
        """Who may know of some records of a subject only, customers of own regions, knows of own files only: another's may
        hold any. Raises: NotFound."""
        names = TEMPLATES[run.kind].writes if run.kind in TEMPLATES else ()
        if run.created_by != current_actor().key and any(SERVICES[name].visible() for name in names):
            raise NotFound(f"import-runs {run.id}")

    def _of_kind(self, run: ImportRun, template: str) -> ImportRun:
        from lims.base.database import transaction

        with transaction(current_actor(), "template of a file") as session:
            found = session.get(ImportRun, run.id, populate_existing=True)
            assert found is not None  # it was read a moment ago
            found.kind = template
        return found

    def _templates(self) -> list[Template]:
        return [template for template in TEMPLATES.values() if may_import(template)]

    def _start(self, problems: Any = ()) -> str:
        mappings = SERVICES["import-mappings"].page(size=200).items if may("read", "import-mappings") else []
        return self._page(
            "lims/import_start.html",
            templates=self._templates(),
            mappings=mappings,
            encodings=ENCODINGS,
            problems=problems,
            chosen=request.args.get("template", "") or request.form.get("template", ""),
            chosen_mapping=request.form.get("mapping", ""),
            chosen_encoding=request.form.get("encoding", ""),
        )

    def _preview(self, run: ImportRun, plan: Plan, problem: str = "") -> str:
        columns = [
            column
            for column in plan.template.columns.values()
            if any(column.name in row.values for row in plan.rows[:200])
        ]
        return self._page(
            "lims/import_preview.html",
            run=run,
            plan=plan,
            problem=problem,
            refusals=plan.refusals()[:MOST_ROWS_SHOWN],
            refused_cells=len(plan.refusals()),
            changed=plan.of("changed")[:MOST_ROWS_SHOWN],
            new=plan.of("new")[:MOST_ROWS_SHOWN],
            columns=columns[:6],
            read=lambda row, column: _as_read(plan, row, column),
            most=MOST_ROWS_SHOWN,
        )

    def _looked_again(self, run: ImportRun, book: Book) -> str:
        """Another template, sheet or row of heads: what was chosen stays where it still means the same."""
        posted = request.form.to_dict()
        row_of_heads(book.sheet(posted.get("sheet", "")), posted.get("header_row", ""))
        reading = self._proposal(book, run.kind, posted)
        if posted.get("shown") != _shown(reading):
            posted = {name: text for name, text in posted.items() if not name.startswith(OF_COLUMNS)}
            for item in reading.columns:
                values = (item.field, item.unit, item.age_days, item.number)
                posted |= {
                    f"{start}{item.at}": str(value or "")
                    for start, value in zip(OF_COLUMNS, values, strict=True)
                }
            if "look" not in posted:
                flash(_("These columns are proposed for what you chose above; look at them first."), "info")
        return self._mapping(run, book, reading, posted=posted)

    def _proposal(self, book: Book, kind: str | None, given: Mapping[str, str]) -> Reading:
        """What the person asked to look at, or what the heads say."""
        asked = given.get("template", "") or kind
        chosen = [template_of(asked)] if asked else self._templates()
        for template in chosen:
            self._require(template)
        sheet_name = given.get("sheet", "")
        part = replace(book, sheets=[book.sheet(sheet_name)]) if sheet_name else book
        number = given.get("header_row", "")
        if number.isdecimal() and len(number) < 6 and sheet_name:
            sheet = part.sheets[0]
            header_row = max(1, min(int(number), len(sheet.rows)))
            template = max(chosen, key=lambda item: proposed(sheet, item, header_row)[1])
            columns, _merit = proposed(sheet, template, header_row)
            return Reading(template.name, sheet.name, header_row, columns)
        return propose(part, chosen)

    def _mapping(
        self, run: ImportRun, book: Book, reading: Reading, problems: Any = (), posted: Any = None
    ) -> str:
        template = template_of(reading.template)
        sheet = book.sheet(reading.sheet)
        by_column = {item.at: item for item in reading.columns}
        rows = []
        for head in heads_of(sheet, reading.header_row):
            item = by_column.get(head.at)
            rows.append(
                {
                    "head": head,
                    "field": posted.get(f"field_{head.at}", "") if posted else item.field if item else "",
                    "unit": posted.get(f"unit_{head.at}", "") if posted else item.unit if item else "",
                    "age": posted.get(f"age_{head.at}", "")
                    if posted
                    else (item.age_days or "")
                    if item
                    else "",
                    "number": posted.get(f"number_{head.at}", "")
                    if posted
                    else (item.number or "")
                    if item
                    else "",
                }
            )
        return self._page(
            "lims/import_mapping.html",
            run=run,
            book=book,
            reading=reading,
            shown=_shown(reading),
            subject=template,
            templates=self._templates(),
            rows=rows,
            sample=_sample(sheet, reading.header_row),
            units={
                name: units_for(column.unit) for name, column in template.columns.items() if has_units(column)
            },
            all_units=sorted(
                {unit for c in template.columns.values() if has_units(c) for unit in units_for(c.unit)}
            ),
            constants=posted or {f"every_{name}": text for name, text in reading.constants.items()},
            date_forms=DATE_FORM_LABELS,
            decimal_marks=DECIMAL_MARK_LABELS,
            needs_hour=needs_hour(template),
            posted=posted or {},
            problems=[_named(item, template) for item in problems],
            wrong={item.field for item in problems},
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered


def _shown(reading: Reading) -> str:
    """What the columns of a page were proposed for."""
    return f"{reading.template}|{reading.sheet}|{reading.header_row}"


def _looked_at() -> str:
    """The same of what is chosen in the form that came."""
    return "|".join(request.form.get(name, "") for name in ("template", "sheet", "header_row"))


def _as_read(plan: Plan, row: Row, column: Column) -> str:
    """A value as it was understood; a record that is named by its code as the sheet names it."""
    if column.name not in row.values:
        return ""
    return plan.said(row, column.name) if column.reference else text_of(column, row.values[column.name])


def _named(problem: Problem, template: Template) -> str:
    """A problem of a choice with the name of what it is about."""
    kind, _line, name = problem.field.partition("_")
    if kind == "every" and name in template.columns:
        return str(problem.message)
    if f"{kind}_" in OF_COLUMNS:
        return str(_("Column %(at)s: %(what)s", at=name, what=problem.message))
    return f"{problem.value} {problem.message}".strip()


def _sample(sheet: Sheet, header_row: int) -> dict[str, Any]:
    """The rows around the heads, so that a person sees what is meant."""
    first = max(0, min(header_row - 4, FREE_HEAD_ROWS))
    width = min(max((len(cells) for cells in sheet.rows), default=0), SAMPLE_COLUMNS)
    return {
        "letters": [column_letters(column) for column in range(width)],
        "rows": [
            (number + 1, [shown(sheet.cell(number, column))[:18] for column in range(width)])
            for number in range(first, min(first + SAMPLE_ROWS, len(sheet.rows)))
        ],
    }


class ImportRunView(RecordView):
    service = ImportRunService()
    title = _l("Imports")
    title_one = _l("Import")
    menu = MenuPlace("audit", order=30, icon="upload")
    list_columns = (
        "file_name",
        "kind",
        "state",
        "finished_at",
        "rows_read",
        "rows_new",
        "rows_changed",
        "specimens_added",
    )
    more_columns = ("rows_same", "mixes_added", "duplicate_rows", "created_at", "changed_at")
    labels = {
        "finished_at": _l("Finished"),
        "file_name": _l("File"),
        "kind": _l("Template"),
        "state": _l("State"),
        "rows_read": _l("Rows"),
        "rows_new": _l("New"),
        "rows_changed": _l("Changed"),
        "rows_same": _l("The same"),
        "mixes_added": _l("Mixes"),
        "specimens_added": _l("Specimens"),
        "duplicate_rows": _l("Duplicate rows"),
        "size_bytes": _l("Size"),
        "sha256": _l("SHA-256"),
        "remarks": _l("Remarks"),
    }
    units = {"size_bytes": "B"}
    choices = {"state": IMPORT_STATES, "kind": {name: made.title for name, made in TEMPLATES.items()}}
    show_sections = (
        (_l("Import"), ("file_name", "kind", "state", "sha256", "size_bytes", "finished_at")),
        (
            _l("What came of it"),
            (
                "rows_read",
                "rows_new",
                "rows_changed",
                "rows_same",
                "mixes_added",
                "specimens_added",
                "duplicate_rows",
                "remarks",
            ),
        ),
    )
    show_template = "lims/import_run_show.html"


class ImportMappingView(RecordView):
    service = ImportMappingService()
    title = _l("How sheets read")
    title_one = _l("How a sheet reads")
    menu = MenuPlace("setup", order=46, icon="upload")
    list_columns = ("code", "template", "changed_at")
    choices = {"template": {name: made.title for name, made in TEMPLATES.items()}}
    show_sections = ((_l("Mapping"), ("code", "template")),)
    show_template = "lims/import_mapping_show.html"
    empty_hint = _l("Upload a sheet of your own form; what you settle about its columns is remembered here.")

    def may_add(self) -> bool:
        return False  # a mapping is made beside the sheet it reads

    def show_context(self, record: Any) -> dict[str, Any]:
        reading = Reading.of_json(record.reading)
        return super().show_context(record) | {"reading": reading, "subject": TEMPLATES.get(record.template)}

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        self.allow("write")
        raise refuse("", _("a mapping is made on the import page, beside the sheet it reads"))


def _origins(record: Record) -> list[Origin]:
    """“Came from file X, row n” on the page of every record that an import made or changed."""
    if not may("read", "import-runs"):
        return []
    return [
        Origin(
            _("%(file)s, %(sheet)s, row %(row)s", file=name, sheet=sheet, row=row),
            url_for("ImportRunView.show", record_id=run_id),
            action,
        )
        for name, run_id, sheet, row, action in came_from(record.record_name, record.id)
    ]


ORIGINS.append(_origins)

VIEWS = (ImportView, ImportRunView, ImportMappingView)
