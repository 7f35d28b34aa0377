"""Pages of the after-sales service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.aftersales.complaints import (
    ChecklistItemService,
    ComplaintFactService,
    ComplaintLotService,
    ComplaintService,
    changed_meanwhile,
    handlers,
    in_form,
)
from lims.aftersales.desk import ServiceView
from lims.aftersales.escalation import EscalationService
from lims.aftersales.models import Complaint, ComplaintLot
from lims.aftersales.photos import PhotoService, add_photo
from lims.aftersales.retests import ObjectionService, RetestService
from lims.aftersales.schemas import (
    CLOCKS,
    OBJECTION_STATES,
    PARTS,
    PLAN_STATES,
    STATES,
    AgreementIn,
    AnswerIn,
    ArrivalIn,
    FindingsIn,
    ObjectionTestIn,
    ReasonIn,
    SamplingIn,
    SolvedIn,
    VerdictIn,
)
from lims.aftersales.service import (
    AdviceCardService,
    AttendanceService,
    HolidayService,
    SeminarService,
    StaffSurveyService,
    SurveyService,
)
from lims.aftersales.visits import DeliveryService, VisitPlanService, VisitService
from lims.base.display import laboratory_zone, local_today
from lims.base.files import download
from lims.base.forms import Form, posted_values
from lims.base.problems import NotFound, Refused
from lims.base.schemas import Input, Schema, localise
from lims.base.security import current_actor, may, principal
from lims.base.services import SERVICES
from lims.base.views import MenuPlace, RecordView, Related


class DeliveryView(RecordView):
    service = DeliveryService()
    title = _l("Deliveries")
    title_one = _l("Delivery")
    menu = MenuPlace("customers", order=25, icon="truck")
    list_columns = (
        "code",
        "delivered_at",
        "customer",
        "site",
        "cement_lot",
        "mass_t",
        "vehicle",
        "accepted_by",
    )
    more_columns = ("order_number", "packing", "created_at", "changed_at")
    show_sections = (
        (
            _l("Delivery"),
            (
                "code", "order_number", "customer", "site", "cement_lot", "delivered_at", "mass_t", "packing",
                "vehicle", "accepted_by", "remarks",
            ),
        ),
    )  # fmt: skip


class VisitView(RecordView):
    service = VisitService()
    title = _l("Visits")
    title_one = _l("Visit")
    menu = MenuPlace("customers", order=40, icon="route")
    list_columns = (
        "visited_on", "customer", "site", "purpose", "user_id", "satisfaction", "follow_up_on", "follow_up_open",
    )  # fmt: skip
    labels = {"follow_up_open": _l("Call-back open")}
    show_sections = (
        (
            _l("Visit"),
            (
                "customer",
                "site",
                "complaint",
                "visited_on",
                "user_id",
                "purpose",
                "findings",
                "advice",
                "satisfaction",
            ),
        ),
        (_l("Call-back"), ("follow_up_on", "followed_up_on", "call_back")),
    )
    form_sections = (
        (_l("Visit"), ("customer_id", "site_id", "complaint_id", "visited_on", "user_id", "purpose")),
        (_l("What it led to"), ("findings", "advice", "satisfaction")),
        (_l("Call-back"), ("follow_up_on", "followed_up_on", "call_back")),
    )
    show_template = "lims/visit_show.html"

    def defaults(self) -> dict[str, Any]:
        user = principal()
        return {"visited_on": local_today(), "user_id": str(user.id) if user is not None else ""}

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.visit_page import photos_of

        return {**super().show_context(record), "photos": photos_of(visit_id=record.id)}

    @expose("/<int:record_id>/photos", methods=["POST"])
    @permission_name("write")
    def add_photos(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        return take_photos(self, record_id, visit_id=record_id)

    @expose("/<int:record_id>/report.pdf")
    @permission_name("read")
    def report(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        from lims.web.visit_page import visit_pdf

        return visit_pdf(self.service.get(record_id))


def take_photos(view: RecordView, record_id: int, **owner: int) -> ResponseReturnValue:
    """The pictures of a form, all or the first that is wrong named; then the page again."""
    given = [item for item in request.files.getlist("photo") if item.filename]
    actor = current_actor()
    for item in given:
        try:
            add_photo(
                item.read(),
                item.filename or "photo",
                actor,
                caption=request.form.get("caption", ""),
                **owner,
            )
        except Refused as error:
            problem = error.problems[0]
            flash(_("%(name)s: %(what)s", name=problem.value, what=problem.message), "danger")
            return redirect(url_for(f"{view.endpoint}.show", record_id=record_id))
    if not given:
        flash(_("Choose a picture first."), "danger")
    else:
        flash(_("Saved: %(title)s", title=", ".join(item.filename or "" for item in given)[:200]), "success")
    return redirect(url_for(f"{view.endpoint}.show", record_id=record_id))


class VisitPlanView(RecordView):
    service = VisitPlanService()
    title = _l("Planned visits")
    title_one = _l("Planned visit")
    list_columns = ("planned_on", "customer", "site", "purpose", "user_id", "state", "visit")
    labels = {"state": _l("State")}
    choices = {"state": PLAN_STATES}
    show_sections = (
        (
            _l("Planned visit"),
            ("customer", "site", "planned_on", "user_id", "purpose", "state", "visit", "dropped_reason"),
        ),
    )


class PhotoView(RecordView):
    service = PhotoService()
    title = _l("Photos")
    title_one = _l("Photo")
    list_columns = ("name", "visit", "complaint", "caption", "width_px", "height_px")
    labels = {
        "name": _l("Name"),
        "visit": _l("Visit"),
        "complaint": _l("Complaint"),
        "width_px": _l("Width"),
        "height_px": _l("Height"),
    }
    units = {"width_px": "px", "height_px": "px"}
    show_sections = ((_l("Photo"), ("name", "visit", "complaint", "caption", "width_px", "height_px")),)
    show_template = "lims/photo_show.html"

    def may_add(self) -> bool:
        return False

    @expose("/<int:record_id>/picture")
    @permission_name("read")
    def picture(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        photo = self.service.get(record_id)
        return download(photo.stored_file, photo.name, in_place=True)


@dataclass(frozen=True, slots=True)
class ComplaintStep:
    """A step that the page offers. `schema` None: a button alone. `run` is given what stood in the form as well, where
    its fields are kept in the record."""

    name: str
    title: Any
    icon: str
    schema: type[Schema] | None
    run: Callable[..., Any]

    @property
    def kept(self) -> list[Input]:
        """The fields that are the record's own; of those that the person may know of."""
        if self.schema is None:
            return []
        known = may("read", "prices")
        found = [item for item in self.schema.inputs() if hasattr(Complaint, item.name)]
        return [item for item in found if known or item.name != "compensation_amount"]


_COMPLAINTS = ComplaintService()
#: Name -> step; which of them fit a state says lims/web/complaint_page.py.
STEPS = {
    step.name: step
    for step in (
        ComplaintStep("answer", _l("Answer the customer"), "phone", AnswerIn, _COMPLAINTS.answer),
        ComplaintStep("arrive", _l("We are on site"), "map", ArrivalIn, _COMPLAINTS.arrive),
        ComplaintStep("findings", _l("Note findings"), "edit", FindingsIn, _COMPLAINTS.note_findings),
        ComplaintStep("solve", _l("Solved"), "check", SolvedIn, _COMPLAINTS.solve),
        ComplaintStep("agree", _l("The customer agrees"), "thumb-up", AgreementIn, _COMPLAINTS.agree),
        ComplaintStep(
            "close",
            _l("Close the complaint"),
            "lock",
            None,
            lambda key, _v, actor: _COMPLAINTS.close(key, actor),
        ),
        ComplaintStep("reopen", _l("Send back to the site"), "undo", ReasonIn, _COMPLAINTS.reopen),
        ComplaintStep("withdraw", _l("Withdraw"), "x", ReasonIn, _COMPLAINTS.withdraw),
    )
}


class ComplaintView(RecordView):
    service = _COMPLAINTS
    title = _l("Complaints")
    title_one = _l("Complaint")
    menu = MenuPlace("customers", order=35, icon="alert")
    list_columns = (
        "code",
        "customer",
        "subject",
        "category",
        "severity",
        "received_at",
        "state",
        "next_due_at",
        "overdue",
    )
    more_columns = ("owner_id", "root_cause", "created_at", "changed_at")
    labels = {
        "state": _l("State"),
        "next_due_at": _l("Due next"),
        "answer_due_at": _l("Answer due"),
        "on_site_due_at": _l("On site due"),
        "overdue": _l("Overdue"),
        "site_facts": _l("What was found on site"),
        "root_cause": _l("Root cause"),
        "cause": _l("The cause in words"),
        "remedy": _l("Corrective action"),
        "compensation": _l("Compensation"),
        "compensation_amount": _l("Its amount"),
        "agreed_on": _l("Agreed on"),
        "agreed_by": _l("Agreed by"),
        "answer": _l("What was answered"),
        "satisfaction": _l("Satisfaction"),
        "withdrawn_reason": _l("Why it was withdrawn"),
    }
    choices = {"state": STATES}
    show_sections = (
        (
            _l("Particulars"),
            (
                "customer",
                "site",
                "contact",
                "phone",
                "kind",
                "category",
                "severity",
                "channel",
                "received_at",
                "owner_id",
            ),
        ),
    )
    show_template = "lims/complaint_show.html"
    form_template = "lims/complaint_form.html"
    empty_hint = _l("One intake: who, what, and the clocks run.")

    def __init__(self) -> None:
        super().__init__()
        self.inputs.update({item.name: item for item in FindingsIn.inputs()})

    @expose("/add", methods=["GET", "POST"])
    @permission_name("take_in")
    def add(self) -> ResponseReturnValue:
        """Whoever the customer calls writes it down; the steps afterwards are the service's."""
        self.allow("take_in")
        return self.adding()

    def may_add(self) -> bool:
        return may("take_in", "complaints")

    def may_retire(self) -> bool:
        return may("write", "complaints")

    def render_form(self, form: Form, record: Any) -> str:
        """Offers as its handler who can see the complaint, and who handles it already."""
        customer = record.customer if record is not None else _customer_of(form)
        for field in form.fields:
            if field.name == "owner_id":
                known = handlers(customer)
                field.options = [
                    (key, name) for key, name in field.options if key in known or key == field.value
                ]
        return super().render_form(form, record)

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.complaint_page import complaint_context

        return {**super().show_context(record), **complaint_context(self, record)}

    @expose("/<int:record_id>/steps/<name>", methods=["POST"])
    @permission_name("write")
    def step(self, record_id: int, name: str) -> ResponseReturnValue:
        self.allow("write")
        found = STEPS.get(name)
        if found is None:
            raise NotFound(f"complaints step {name}")
        posted = posted_values(found.schema, request.form) if found.schema is not None else {}
        opened = {
            item.name: request.form[f"was_{item.name}"]
            for item in found.kept
            if f"was_{item.name}" in request.form
        }
        try:
            values = (
                found.schema.read(localise(found.schema, posted, laboratory_zone()))
                if found.schema is not None
                else None
            )
            found.run(record_id, values, current_actor(), *([opened] if opened else []))
        except Refused as error:
            return self._refused(record_id, name, posted, error, opened)
        flash(_("Saved: %(title)s", title=found.title), "success")
        return redirect(url_for("ComplaintView.show", record_id=record_id) + "#next")

    @expose("/<int:record_id>/facts", methods=["POST"])
    @permission_name("write")
    def facts(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        given, opened = _by_item("fact_"), _by_item("was_")
        try:
            self.service.write_facts(record_id, given, current_actor(), opened)
        except Refused as error:
            from lims.web.complaint_page import CHECKLIST

            typed = {
                f"fact_{key}": text
                for key, text in given.items()
                if text.strip() != opened.get(key, "").strip()
            }
            return self._refused(record_id, CHECKLIST, typed, error)
        flash(_("The checklist is saved."), "success")
        return redirect(url_for("ComplaintView.show", record_id=record_id) + "#facts")

    def _refused(
        self,
        record_id: int,
        name: str,
        typed: Mapping[str, Any],
        error: Refused,
        opened: Mapping[str, str] | None = None,
    ) -> ResponseReturnValue:
        """The page again, with what was typed into the step or the checklist `name` and why it was not taken. Controls that
        were left alone show what the record holds by now."""
        from lims.web.complaint_page import complaint_context

        record = self.service.get(record_id)
        schema = STEPS[name].schema if name in STEPS else None
        if schema is not None and opened:
            more = changed_meanwhile(record, schema, typed, opened)
            error = Refused(
                [*error.problems, *(problem for problem in more if problem not in error.problems)]
            )
            typed = {
                item.name: typed[item.name]
                for item in schema.inputs()
                if item.name in typed
                and (
                    item.name not in opened
                    or in_form(item, typed[item.name]) != in_form(item, opened[item.name])
                )
            }
        context = super().show_context(record)
        context.update(complaint_context(self, record, refused=(name, typed, error.problems)))
        return self.page(self.show_template, **context), 422

    @expose("/<int:record_id>/lots", methods=["POST"])
    @permission_name("write")
    def lots(self, record_id: int) -> ResponseReturnValue:
        """Take proposed lots as involved."""
        self.allow("write")
        ids = [
            int(text) for text in request.form.getlist("cement_lot_id") if text.isdecimal() and len(text) < 19
        ]
        for lot_id in ids[:20]:
            try:
                ComplaintLotService().add(
                    {"complaint_id": record_id, "cement_lot_id": lot_id}, current_actor()
                )
            except Refused as error:
                lot, problem = SERVICES["cement-lots"].find(id=lot_id), error.problems[0]
                named = lot.title if lot is not None else lot_id
                flash(_("%(name)s: %(what)s", name=named, what=problem.message), "danger")
        return redirect(url_for("ComplaintView.show", record_id=record_id) + "#lots")

    @expose("/<int:record_id>/photos", methods=["POST"])
    @permission_name("take_in")
    def add_photos(self, record_id: int) -> ResponseReturnValue:
        self.allow("take_in")
        return take_photos(self, record_id, complaint_id=record_id)

    @expose("/<int:record_id>/card.pdf")
    @permission_name("read")
    def card(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        from lims.web.complaint_page import complaint_pdf

        return complaint_pdf(self.service.get(record_id))


def _customer_of(form: Form) -> Any:
    """The customer that the form of an intake names by now, as far as its writer knows of them."""
    given = next((field.value for field in form.fields if field.name == "customer_id"), "")
    return SERVICES["customers"].find(id=int(given)) if given.isdecimal() and len(given) < 19 else None


def _by_item(prefix: str) -> dict[int, str]:
    """Controls of the checklist: their names end with the id of the item."""
    found = {
        name.removeprefix(prefix): text for name, text in request.form.items() if name.startswith(prefix)
    }
    return {int(key): text for key, text in found.items() if key.isdecimal() and len(key) < 19}


class ComplaintLotView(RecordView):
    service = ComplaintLotService()
    title = _l("Lots and batches of complaints")
    title_one = _l("Lot or batch of a complaint")
    list_columns = ("complaint", "cement_lot", "batch", "part", "remarks")
    choices = {"part": PARTS}
    show_sections = (
        (_l("Lot or batch of a complaint"), ("complaint", "cement_lot", "batch", "part", "remarks")),
    )

    def after_add(self, record: ComplaintLot) -> str:
        return url_for("ComplaintView.show", record_id=record.complaint_id) + "#lots"


class ChecklistItemView(RecordView):
    service = ChecklistItemService()
    title = _l("Checklists of complaints")
    title_one = _l("Line of a checklist")
    menu = MenuPlace("setup", order=64, icon="list")
    list_columns = ("title", "category", "position", "unit", "least", "most", "required", "code")
    labels = {"title": _l("What is measured or asked")}
    show_sections = (
        (
            _l("Line of a checklist"),
            (
                "code",
                "category",
                "position",
                "name_en",
                "name_zh",
                "name_zh_tw",
                "unit",
                "least",
                "most",
                "required",
            ),
        ),
    )


class ComplaintFactView(RecordView):
    service = ComplaintFactService()
    title = _l("Facts of complaints")
    title_one = _l("Fact of a complaint")
    list_columns = ("title", "complaint", "value", "beyond")
    labels = {
        "title": _l("What is measured or asked"),
        "complaint": _l("Complaint"),
        "beyond": _l("Out of the usual"),
    }
    show_sections = ((_l("Fact of a complaint"), ("title", "complaint", "value", "beyond")),)

    def may_add(self) -> bool:
        return False


class EscalationView(RecordView):
    service = EscalationService()
    title = _l("Escalations")
    title_one = _l("Escalation")
    menu = MenuPlace("customers", order=37, icon="bell")
    list_columns = ("created_at", "complaint", "clock", "due_at", "roles", "told")
    labels = {
        "created_at": _l("Told at"),
        "complaint": _l("Complaint"),
        "clock": _l("Clock"),
        "due_at": _l("Was due"),
        "roles": _l("Roles"),
        "told": _l("Persons told"),
    }
    choices = {"clock": CLOCKS}
    show_sections = ((_l("Escalation"), ("complaint", "clock", "due_at", "roles", "told", "created_at")),)


class RetestView(RecordView):
    service = RetestService()
    title = _l("Retests")
    title_one = _l("Retest")
    menu = MenuPlace("customers", order=60, icon="refresh")
    list_columns = ("ordered_on", "cement_lot", "complaint", "finished_on", "strength_28d_mpa", "outcome")
    show_sections = (
        (
            _l("Retest"),
            (
                "cement_lot", "complaint", "ordered_on", "finished_on", "cement_test", "strength_3d_mpa",
                "strength_28d_mpa", "outcome", "remarks",
            ),
        ),
    )  # fmt: skip
    show_template = "lims/retest_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.retest_page import beside_certificate

        return {**super().show_context(record), "comparison": beside_certificate(record)}

    def after_add(self, record: Any) -> str:
        if record.complaint_id is not None:
            return url_for("ComplaintView.show", record_id=record.complaint_id) + "#retests"
        return super().after_add(record)


_OBJECTIONS = ObjectionService()
OBJECTION_STEPS: dict[str, tuple[Any, type[Schema], Callable[..., Any]]] = {
    "sample": (_l("Sampled together"), SamplingIn, _OBJECTIONS.sample),
    "test": (_l("Tested again"), ObjectionTestIn, _OBJECTIONS.test),
    "decide": (_l("Decide"), VerdictIn, _OBJECTIONS.decide),
}


class ObjectionView(RecordView):
    service = _OBJECTIONS
    title = _l("Objections to quality")
    title_one = _l("Objection to quality")
    menu = MenuPlace("customers", order=38, icon="flag")
    list_columns = ("code", "customer", "cement_lot", "raised_on", "state", "verdict")
    labels = {"state": _l("State"), "retest": _l("Retest")}
    choices = {"state": OBJECTION_STATES}
    show_sections = (
        (_l("Objection"), ("code", "customer", "complaint", "cement_lot", "raised_on", "claim")),
        (_l("Joint sample"), ("sampled_on", "sampled_by", "witnessed_by", "seal_number", "sealed_until")),
        (_l("Verdict"), ("tested_at_place", "retest", "verdict", "decided_on", "reason")),
    )
    show_template = "lims/objection_show.html"

    def __init__(self) -> None:
        super().__init__()
        for schema in (SamplingIn, ObjectionTestIn, VerdictIn):
            self.inputs.update({item.name: item for item in schema.inputs()})

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.retest_page import objection_context

        return {**super().show_context(record), **objection_context(self, record)}

    @expose("/<int:record_id>/steps/<name>", methods=["POST"])
    @permission_name("write")
    def step(self, record_id: int, name: str) -> ResponseReturnValue:
        self.allow("write")
        if name not in OBJECTION_STEPS:
            raise NotFound(f"objections step {name}")
        title, schema, run = OBJECTION_STEPS[name]
        posted = posted_values(schema, request.form)
        try:
            values = localise(schema, posted, laboratory_zone())
            run(record_id, values, current_actor(), request.form.get("state"))
        except Refused as error:
            from lims.web.retest_page import objection_context

            record = self.service.get(record_id)
            context = super().show_context(record)
            context.update(objection_context(self, record, refused=(name, posted, error.problems)))
            return self.page(self.show_template, **context), 422
        flash(_("Saved: %(title)s", title=title), "success")
        return redirect(url_for("ObjectionView.show", record_id=record_id))


class SeminarView(RecordView):
    service = SeminarService()
    title = _l("Seminars and trainings")
    title_one = _l("Seminar")
    menu = MenuPlace("customers", order=70, icon="school")
    list_columns = ("held_on", "name", "kind", "place", "customer", "participants")
    show_sections = (
        (_l("Seminar"), ("name", "kind", "held_on", "place", "customer", "participants", "topics")),
    )
    related = (Related("attendances", "seminar_id"),)


class AttendanceView(RecordView):
    service = AttendanceService()
    title = _l("Attendance")
    title_one = _l("Attendance")
    list_columns = ("title", "seminar", "contact", "user_id", "attended", "remarks")
    labels = {"title": _l("Name")}
    show_sections = ((_l("Attendance"), ("seminar", "contact", "user_id", "attended", "remarks")),)

    def after_add(self, record: Any) -> str:
        return url_for("SeminarView.show", record_id=record.seminar_id)


class SurveyView(RecordView):
    service = SurveyService()
    title = _l("Surveys")
    title_one = _l("Survey")
    menu = MenuPlace("customers", order=65, icon="star")
    list_columns = (
        "answered_on",
        "customer",
        "asked",
        "quality",
        "steadiness",
        "delivery",
        "service",
        "mean_score",
    )
    labels = {"mean_score": _l("Mean"), "asked": _l("Asked")}
    choices = {"asked": {"customer": _l("Customer"), "dealer": _l("Dealer")}}
    show_sections = (
        (
            _l("Survey"),
            (
                "customer", "asked", "answered_on", "quality", "steadiness", "delivery", "service", "mean_score",
                "remarks",
            ),
        ),
    )  # fmt: skip


class StaffSurveyView(RecordView):
    service = StaffSurveyService()
    title = _l("Surveys of our own people")
    title_one = _l("Survey of our own people")
    menu = MenuPlace("customers", order=66, icon="users")
    list_columns = (
        "answered_on",
        "department",
        "workload",
        "support",
        "training",
        "recognition",
        "mean_score",
    )
    labels = {"mean_score": _l("Mean")}
    show_sections = (
        (
            _l("Survey of our own people"),
            (
                "answered_on",
                "department",
                "workload",
                "support",
                "training",
                "recognition",
                "mean_score",
                "remarks",
            ),
        ),
    )


class AdviceCardView(RecordView):
    service = AdviceCardService()
    title = _l("Advice cards")
    title_one = _l("Advice card")
    menu = MenuPlace("customers", order=75, icon="book")
    list_columns = ("code", "name", "language", "conditions", "categories")
    show_sections = (
        (_l("Advice"), ("code", "rule", "name", "language", "body", "conditions", "categories")),
    )


class HolidayView(RecordView):
    service = HolidayService()
    title = _l("Holidays")
    title_one = _l("Holiday")
    menu = MenuPlace("setup", order=62, icon="calendar")
    list_columns = ("day", "name", "working")
    show_sections = ((_l("Holiday"), ("day", "name", "working")),)


VIEWS = (
    ServiceView,
    DeliveryView,
    VisitView,
    VisitPlanView,
    PhotoView,
    ComplaintView,
    ComplaintLotView,
    ComplaintFactView,
    ChecklistItemView,
    EscalationView,
    RetestView,
    ObjectionView,
    SeminarView,
    AttendanceView,
    SurveyView,
    StaffSurveyView,
    AdviceCardView,
    HolidayView,
)
