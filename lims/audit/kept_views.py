"""Pages for auditors: findings, signatures, denied attempts, samples, the log, retention, self-tests."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import xlsxwriter
from flask import current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.audit.kept import DeniedAttemptService, FindingService, SelftestRunService, SignatureService
from lims.audit.log import OPERATIONS, Asked, changes, kind_of_table, readable_tables
from lims.audit.models import Finding
from lims.audit.retention import kept_for
from lims.audit.sampling import QUESTIONS, of_now, rows_of, sample, usual_period
from lims.audit.schemas import DENIALS, FINDING_STATES, SEVERITIES, AnswerIn, RemarkIn, SampleIn
from lims.audit.service import head_of_record, latest_checkpoint
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import actor_names, day_begins, local_time, local_today, show_day, show_time
from lims.base.exports import XLSX
from lims.base.fields import Day
from lims.base.files import download, file_response, stored_file
from lims.base.forms import build_form, posted_values
from lims.base.papers import pdf
from lims.base.problems import Forbidden, Refused, refuse
from lims.base.security import current_actor, may, principal
from lims.base.services import SERVICES
from lims.base.signatures import MEANINGS
from lims.base.staff import staff_names
from lims.base.views import GuardedView, MenuPlace, RecordView, address_of, bounded_int

#: What the address of the record of changes may narrow it by. No other word goes on to the next page: `url_for` takes some
#: for itself, and would write a link of any scheme.
WORDS_OF_LOG = ("kind", "key", "who", "op", "first", "last", "unanchored")
#: Steps of a finding, as its page names them.
STEPS = {"answer": _l("Answer"), "close": _l("Close the finding"), "reopen": _l("Open again")}


class FindingView(RecordView):
    service = FindingService()
    title = _l("Findings")
    title_one = _l("Finding")
    menu = MenuPlace("audit", order=5, icon="flag")
    list_columns = ("code", "subject", "about", "severity", "due_on", "responsible_id", "state")
    labels = {"about": _l("Record concerned"), "state": _l("State"), "answered_at": _l("Answered"),
              "closed_at": _l("Closed"),
              "answer": _l("Answer"), "remark": _l("Remark of the auditor"), "answered_by": _l("Answered by"),
              "closed_by": _l("Closed by"), "code": _l("Number")}  # fmt: skip
    choices = {"state": FINDING_STATES}
    show_sections = (
        (_l("Finding"), ("subject", "about", "severity", "due_on", "responsible_id", "state", "sample")),
    )
    form_sections = (
        (_l("Finding"), ("subject", "severity", "due_on", "responsible_id", "description")),
        (_l("Record concerned"), ("about_record", "about_id", "sample")),
    )
    list_links = ((_l("Overdue findings"), "FindingView.overdue"),)
    empty_hint = _l("Draw an audit sample, or open a record and write a finding about it.")
    show_template = "lims/finding_show.html"

    def defaults(self) -> dict[str, Any]:
        return {"due_on": (local_time(utc_now()) + timedelta(days=14)).date()}

    def show_context(self, record: Any) -> dict[str, Any]:
        about = None
        if record.about_record in SERVICES and may("read", record.about_record):
            about = SERVICES[record.about_record].find(id=record.about_id)
        names = actor_names({key for key in (record.answered_by, record.closed_by) if key})
        return {
            **super().show_context(record),
            "about_href": address_of(about) if about is not None else "",
            "names": names,
            "may_answer": record.state == "open" and self._answers(record),
            "may_close": record.state == "answered" and may("write", "findings"),
            "states": FINDING_STATES,
            "may_edit": record.state == "open" and may("write", "findings"),
        }

    @expose("/overdue")
    @permission_name("read")
    def overdue(self) -> ResponseReturnValue:
        self.allow("read")
        return self.page(
            "lims/findings_overdue.html",
            rows=self.service.overdue(),
            staff=staff_names(),
            severities=SEVERITIES,
            today=local_today(),
        )

    @expose("/<int:record_id>/answer", methods=["POST"])
    @permission_name("answer")
    def answer(self, record_id: int) -> ResponseReturnValue:
        """The responsible person answers, or one who may answer for all."""
        self.allow("read")
        if not self._answers(self.service.get(record_id)):
            raise Forbidden("answer findings")

        def run() -> Any:
            values = AnswerIn.read(posted_values(AnswerIn, request.form))
            return self.service.answer(record_id, values, current_actor())

        return self._taken("answer", record_id, run, _("Answered."))

    @expose("/<int:record_id>/close", methods=["POST"])
    @permission_name("write")
    def close(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")

        def run() -> Any:
            values = RemarkIn.read(posted_values(RemarkIn, request.form))
            return self.service.close(record_id, values, current_actor())

        return self._taken("close", record_id, run, _("Closed."))

    @expose("/<int:record_id>/reopen", methods=["POST"])
    @permission_name("write")
    def reopen(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")

        def run() -> Any:
            values = RemarkIn.read(posted_values(RemarkIn, request.form))
            due_on = _day("due_on", request.form.get("due_on", ""))
            return self.service.reopen(record_id, values, due_on, current_actor())

        return self._taken("reopen", record_id, run, _("Open again."), "warning")

    def _taken(
        self, name: str, record_id: int, run: Callable[[], Any], said: str, category: str = "success"
    ) -> ResponseReturnValue:
        """A step, or the page with what was typed: in its form, or beside it where another has gone on and it is offered no
        more."""
        try:
            record = run()
        except Refused as error:
            shown = self.show_context(self.service.get(record_id))
            problems = [
                _("%(name)s: %(what)s", name=self.label(item.field), what=item.message)
                for item in error.problems
            ]
            step = {
                "name": name,
                "title": STEPS[name],
                "problems": problems,
                "typed": self._typed(),
                "form": request.form,
            }
            offered = shown["may_answer" if name == "answer" else "may_close"]
            shown |= {"refused" if offered else "not_taken": step}
            return self.page(self.show_template, **shown), 422
        flash(said, category)
        return redirect(address_of(record))

    def _typed(self) -> list[tuple[str, str]]:
        """(label, text) of what stood in the form."""
        names = ("answer", "remark", "due_on")
        return [(self.label(name), text) for name in names if (text := request.form.get(name, ""))]

    @staticmethod
    def _answers(record: Finding) -> bool:
        user = principal()
        return may("answer", "findings") or (user is not None and user.id == record.responsible_id)


class SignatureView(RecordView):
    service = SignatureService()
    title = _l("Signatures")
    title_one = _l("Signature")
    menu = MenuPlace("audit", order=30, icon="edit")
    list_columns = ("signed_at", "meaning", "signed_record", "signed_id", "signed_by")
    labels = {"signed_at": _l("Signed"), "meaning": _l("Meaning"), "signed_record": _l("Kind of record"),
              "signed_id": _l("Its number"), "signed_by": _l("Signed by"), "reason": _l("Reason"),
              "content_sha256": _l("SHA-256 of what was signed")}  # fmt: skip
    #: What is signed so far (lims/results/service.py).
    choices = {"meaning": MEANINGS, "signed_record": {"set-results": _l("Result")}}
    show_sections = (
        (
            _l("Signature"),
            ("signed_at", "meaning", "signed_by", "reason", "signed_record", "signed_id", "content_sha256"),
        ),
    )

    def cells(self, record: Any, names: Any) -> Any:
        return _with_names(super().cells(record, names), names, record, ("signed_by",))


class DeniedAttemptView(RecordView):
    service = DeniedAttemptService()
    title = _l("Denied attempts")
    title_one = _l("Denied attempt")
    menu = MenuPlace("audit", order=40, icon="lock")
    list_columns = ("attempted_at", "kind", "who", "asked", "target", "repeats")
    labels = {"attempted_at": _l("Attempted"), "kind": _l("Kind"), "who": _l("Account"),
              "asked": _l("What was missing"), "target": _l("Address asked for"), "repeats": _l("Times"),
              "address": _l("Network address")}  # fmt: skip
    choices = {"kind": DENIALS}
    show_sections = (
        (_l("Denied attempt"), ("attempted_at", "kind", "who", "asked", "target", "repeats", "address")),
    )
    empty_hint = _l("Refused permissions, failed sign-ins and refused signatures will stand here.")

    def cells(self, record: Any, names: Any) -> Any:
        return _with_names(super().cells(record, names), names, record, ("who",))


class SelftestRunView(RecordView):
    service = SelftestRunService()
    title = _l("Self-tests")
    title_one = _l("Self-test")
    menu = MenuPlace("audit", order=50, icon="clipboard")
    list_columns = ("run_at", "passed", "checks", "failed", "seconds", "program")
    labels = {"run_at": _l("Run at"), "passed": _l("Passed"), "checks": _l("Checks"), "failed": _l("Failed"),
              "seconds": _l("Took"), "program": _l("Program"), "outcome": _l("Outcome"), "file": _l("Paper")}  # fmt: skip
    units = {"seconds": "s"}
    show_sections = ((_l("Self-test"), ("run_at", "passed", "checks", "failed", "seconds", "program")),)
    empty_hint = _l("Run `lims selftest` on the server; each run keeps a dated paper here.")
    show_template = "lims/selftest_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        return {**super().show_context(record), "outcome": json.loads(record.outcome)}

    @expose("/<int:record_id>/paper.pdf")
    @permission_name("read")
    def paper(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        record = self.service.get(record_id)
        name = f"selftest-{record.run_at:%Y-%m-%d-%H%M}.pdf"
        return download(stored_file(record.file_id), name, in_place=True)


class SampleView(GuardedView):
    """A random sample with its checklist."""

    route_base = "/audit-sample"
    default_view = "show"
    permission_on = "audit-sample"
    title = _l("Audit sample")
    menu = MenuPlace("audit", order=3, icon="target")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        first, last = usual_period()
        given: dict[str, Any] = {
            "first": first,
            "last": last,
            "seed": local_today().toordinal(),
        }
        problems: Any = ()
        rows: list[dict[str, Any]] = []
        asked = None
        if request.args.get("go"):
            given = posted_values(SampleIn, request.args)
            try:
                asked = of_now(SampleIn.read(given))
                rows = rows_of(sample(asked))
                given["newest"] = ""  # of this sample alone: the next is drawn of what is registered then
            except Refused as error:
                problems = error.problems
        return self._page(
            "lims/audit_sample.html",
            form=build_form(SampleIn, given, problems=problems),
            asked=asked,
            rows=rows,
            questions=QUESTIONS,
            query=_words(asked) if asked is not None else {},
            address=_sample_address(asked) if asked is not None else "",
            about=_about(asked) if asked is not None else "",
            may_write=may("write", "findings"),
        ), (400 if problems else 200)

    @expose("/checklist.pdf")
    @permission_name("read")
    def checklist(self) -> ResponseReturnValue:
        asked = self._asked()
        now = utc_now().replace(microsecond=0)
        paper = {
            "title": _("Audit sample"),
            "about": _about(asked),
            "made": _("Made %(when)s", when=show_time(now)),
            "specimen": _("Specimen"),
            "heads": [str(text) for text in QUESTIONS.values()],
            "remark": _("Remark, finding"),
            "rows": [
                {
                    "code": row["specimen"].code,
                    "about": f"{row['mix']} · {show_time(row['tested_at']) if row['tested_at'] else '–'}",
                    "answers": [text for _key, _holds, text in row["answers"]],
                }
                for row in rows_of(sample(asked))
            ],
        }
        return file_response(
            pdf("checklist", paper, made_at=now), "application/pdf", "audit-sample.pdf", in_place=True
        )

    @expose("/checklist.xlsx")
    @permission_name("read")
    def workbook(self) -> ResponseReturnValue:
        asked = self._asked()
        content = io.BytesIO()
        book = xlsxwriter.Workbook(content, {"in_memory": True, "strings_to_formulas": False})
        sheet, bold = book.add_worksheet(_("Audit sample")[:31]), book.add_format({"bold": True})
        sheet.write_string(0, 0, _about(asked), bold)
        heads = [
            _("Specimen"),
            _("Mix"),
            _("Strength") + ", MPa",
            _("Tested at"),
            *map(str, QUESTIONS.values()),
        ]
        for place, text in enumerate([*heads, _("Remark, finding")]):
            sheet.write_string(2, place, text, bold)
        for number, row in enumerate(rows_of(sample(asked)), start=3):
            sheet.write_string(number, 0, row["specimen"].code)
            sheet.write_string(number, 1, row["mix"])
            if row["strength"] is not None:
                sheet.write_number(number, 2, float(row["strength"]))
            sheet.write_string(number, 3, show_time(row["tested_at"]) if row["tested_at"] else "")
            for place, (_key, _holds, text) in enumerate(row["answers"], start=4):
                sheet.write_string(number, place, text)
        sheet.set_column(0, 0, 22)
        sheet.set_column(1, len(heads), 16)
        sheet.freeze_panes(3, 1)
        book.close()
        return file_response(content.getvalue(), XLSX, "audit-sample.xlsx")

    def _asked(self) -> SampleIn:
        self.allow("read")
        return of_now(SampleIn.read(posted_values(SampleIn, request.args)))

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, address_of=address_of, **context)
        return rendered


class AuditLogView(GuardedView):
    """The record of changes, read by people."""

    route_base = "/audit-log"
    default_view = "show"
    permission_on = "audit-log"
    title = _l("Record of changes")
    menu = MenuPlace("audit", order=8, icon="history")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        asked = self._asked()
        found, following = changes(asked)
        kinds = sorted(
            ((kind_of_table(table), table) for table in readable_tables()), key=lambda pair: pair[0]
        )
        kept: dict[str, Any] = {key: value for key in WORDS_OF_LOG if (value := request.args.get(key))}
        return self._page(
            "lims/audit_log.html",
            changes=found,
            following=url_for("AuditLogView.show", **kept, before=following) if following else "",
            newest=url_for("AuditLogView.show", **kept) if asked.before else "",
            kinds=kinds,
            operations=OPERATIONS,
            staff=staff_names(),
            given=request.args,
            checkpoint=latest_checkpoint(),
            head=head_of_record()[0],
        )

    @expose("/<name>/<int:key>")
    @permission_name("read")
    def record(self, name: str, key: int) -> ResponseReturnValue:
        """The history of one record: for all who may read the record."""
        if name not in SERVICES or not may("read", name):
            self.allow("read")
        record = SERVICES[name].get(key) if name in SERVICES else None
        if record is None:
            raise refuse("name", _("is no kind of record"), name)
        before = bounded_int("before", 0, 1, 999_999_999) or None
        found, following = changes(Asked(name, key, before=before))
        return self._page(
            "lims/audit_history.html",
            record=record,
            kind=kind_of_table(record.__tablename__),
            record_href=address_of(record),
            changes=found,
            following=url_for("AuditLogView.record", name=name, key=key, before=following)
            if following
            else "",
        )

    def _asked(self) -> Asked:
        args = request.args
        op = args.get("op", "")
        if op and op not in OPERATIONS:
            raise refuse("op", _("is no kind of change; accepted: %(what)s", what=", ".join(OPERATIONS)), op)
        who = args.get("who", "")[:80]
        first, last = args.get("first", ""), args.get("last", "")
        return Asked(
            name=args.get("kind", "")[:63],
            key=bounded_int("key", 0, 0, 999_999_999) or None if args.get("key") else None,
            who=f"user:{who}" if who.isdecimal() else who,
            op=op,
            first=day_begins(_day("first", first)) if first else None,
            last=day_begins(_day("last", last) + timedelta(days=1)) if last else None,
            before=bounded_int("before", 0, 1, 999_999_999) if args.get("before") else None,
            unanchored=args.get("unanchored") == "1",
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, address_of=address_of, **context)
        return rendered


class RetentionView(GuardedView):
    """What is kept, and for how long."""

    route_base = "/retention"
    default_view = "show"
    permission_on = "retention"
    title = _l("Retention")
    menu = MenuPlace("audit", order=60, icon="archive")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        rendered: str = self.render_template(
            "lims/retention.html",
            view=self,
            rows=kept_for(current_app.config["LIMS_SETTINGS"], current_session()),
        )
        return rendered


def _day(name: str, given: str) -> date:
    from pydantic_core import PydanticCustomError

    try:
        return Day().parse(given)
    except PydanticCustomError as error:
        raise refuse(name, str((error.context or {})["message"]), given[:40]) from None


def _about(asked: SampleIn) -> str:
    return str(
        _(
            "%(size)s specimens cast from %(first)s to %(last)s, seed %(seed)s, up to specimen no. %(newest)s",
            size=asked.size,
            first=show_day(asked.first),
            last=show_day(asked.last),
            seed=asked.seed,
            newest=asked.newest or 0,
        )
    )


def _words(asked: SampleIn) -> dict[str, Any]:
    """The sample as the words of an address."""
    return {name: value for name, value in asked.values().items() if value is not None}


def _sample_address(asked: SampleIn) -> str:
    return url_for("SampleView.show", **_words(asked), go=1)


def _with_names(cells: Any, names: Any, record: Any, columns: tuple[str, ...]) -> Any:
    """Persons instead of the keys of accounts; one statement for a whole list, since names are read once a request."""
    shown = []
    for cell, name in zip(cells, names, strict=True):
        key = getattr(record, name, None) if name in columns else None
        shown.append(cell._replace(text=_person(key)) if key else cell)
    return shown


def _person(key: str) -> str:
    return staff_names().get(key[5:], key) if key.startswith("user:") else key.partition(":")[2]


KEPT_VIEWS = (
    FindingView, SignatureView, DeniedAttemptView, SelftestRunView, SampleView, AuditLogView, RetentionView,
)  # fmt: skip
