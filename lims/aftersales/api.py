"""REST of aftersales."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose, permission_name, protect
from flask_babel import gettext as _

from lims.aftersales.photos import FORMATS, MOST_BYTES, add_photo
from lims.aftersales.schemas import PhotoEdit
from lims.aftersales.views import (
    OBJECTION_STEPS,
    STEPS,
    AdviceCardView,
    AttendanceView,
    ChecklistItemView,
    ComplaintFactView,
    ComplaintLotView,
    ComplaintView,
    DeliveryView,
    EscalationView,
    HolidayView,
    ObjectionView,
    PhotoView,
    RetestView,
    SeminarView,
    StaffSurveyView,
    SurveyView,
    VisitPlanView,
    VisitView,
)
from lims.base.api import WHO_AND_WHEN, Place, RecordApi, Step, fields_of
from lims.base.files import download
from lims.base.problems import refuse
from lims.base.security import current_actor, may

#: The address that takes a picture of a visit or a complaint.
TAKES_PHOTO = Place(
    "{record_id}/photos",
    f"Add a picture: JPEG, PNG or WebP of up to {MOST_BYTES // 1_000_000} MB; sent twice it is kept once",
    {"type": "object", "properties": {"result": {"$ref": "#/components/schemas/Photos.out"}}},
    method="post",
    status="201",
    form={
        "photo": {"type": "string", "format": "binary", "description": "the file"},
        "caption": {"type": "string", "maxLength": 200, "description": "what is to be seen"},
    },
    required=("photo",),
)


def taken_photo(**owner: int) -> ResponseReturnValue:
    """The one picture of a multipart request, by the same way as from the page. Raises: NotFound, Refused."""
    given = request.files.getlist("photo")
    if len(given) != 1:
        accepted = _("accepted: one file a request, as multipart/form-data")
        if given:
            raise refuse(
                "photo", _("is given more than once; %(accepted)s", accepted=accepted), given[1].filename
            )
        raise refuse("photo", _("is not there; %(accepted)s", accepted=accepted), request.mimetype)
    stray = next((name for name in request.files if name != "photo"), None)
    if stray is not None:
        raise refuse(
            stray, _("is not a file of this request; accepted: photo"), request.files[stray].filename
        )
    words = PhotoEdit.read(request.form.to_dict())
    name = given[0].filename or "photo"
    photo = add_photo(given[0].read(), name, current_actor(), caption=words.caption or "", **owner)
    response = jsonify({"result": fields_of(photo, PhotoApi.fields)})
    response.status_code = 201
    return response


class DeliveryApi(RecordApi):
    service = DeliveryView.service
    fields = (
        "id", "version", "code", "order_number", "customer_id", "site_id", "cement_lot_id", "delivered_at", "mass_t",
        "packing", "vehicle", "accepted_by", "remarks", *WHO_AND_WHEN,
    )  # fmt: skip


class VisitApi(RecordApi):
    service = VisitView.service
    fields = (
        "id", "version", "customer_id", "site_id", "complaint_id", "visited_on", "user_id", "purpose", "findings",
        "advice", "satisfaction", "follow_up_on", "followed_up_on", "call_back", *WHO_AND_WHEN,
    )  # fmt: skip
    places = (
        TAKES_PHOTO,
        Place("{record_id}/report.pdf", "The service report of a visit", ("application/pdf",)),
    )

    @expose("/<int:record_id>/photos", methods=["POST"])
    @protect()
    @permission_name("write")
    def photos(self, record_id: int) -> ResponseReturnValue:
        """A picture of the visit."""
        return taken_photo(visit_id=record_id)

    @expose("/<int:record_id>/report.pdf", methods=["GET"])
    @protect()
    @permission_name("read")
    def report(self, record_id: int) -> ResponseReturnValue:
        """The service report as PDF."""
        from lims.web.visit_page import visit_pdf

        return visit_pdf(self.service.get(record_id))


class VisitPlanApi(RecordApi):
    service = VisitPlanView.service
    fields = (
        "id", "version", "customer_id", "site_id", "planned_on", "user_id", "purpose", "state", "visit_id",
        "dropped_reason", *WHO_AND_WHEN,
    )  # fmt: skip


class PhotoApi(RecordApi):
    """Pictures come in at their visit or complaint; here they are read, captioned and taken out of use."""

    service = PhotoView.service
    exclude_route_methods = {"post"}
    fields = (
        "id", "version", "visit_id", "complaint_id", "name", "caption", "width_px", "height_px", *WHO_AND_WHEN,
    )  # fmt: skip
    places = (Place("{record_id}/picture", "The picture itself", tuple(FORMATS.values())),)

    @expose("/<int:record_id>/picture", methods=["GET"])
    @protect()
    @permission_name("read")
    def picture(self, record_id: int) -> ResponseReturnValue:
        """The picture as it is kept."""
        photo = self.service.get(record_id)
        return download(photo.stored_file, photo.name, in_place=True)


class ComplaintApi(RecordApi):
    service = ComplaintView.service
    fields = (
        "id", "version", "code", "kind", "customer_id", "site_id", "contact_id", "cement_lot_id", "received_at",
        "channel", "severity", "category", "subject", "description", "phone", "owner_id", "state", "answer_due_at",
        "answered_at", "answer", "on_site_due_at", "on_site_at", "solve_due_at", "solved_at", "closed_at", "overdue",
        "site_facts", "root_cause", "cause", "remedy", "compensation", "compensation_amount", "agreed_on", "agreed_by",
        "satisfaction", "withdrawn_reason", "trial_id", *WHO_AND_WHEN,
    )  # fmt: skip
    steps = tuple(
        Step(step.name, str(step.name).capitalize(), "write", "complaints", step.run, step.schema)
        for step in STEPS.values()
    )
    places = (
        TAKES_PHOTO,
        Place("{record_id}/card.pdf", "The product quality feedback card", ("application/pdf",)),
    )

    @expose("/<int:record_id>/photos", methods=["POST"])
    @protect()
    @permission_name("take_in")
    def photos(self, record_id: int) -> ResponseReturnValue:
        """A picture of what is complained about, from whoever may take a complaint in."""
        return taken_photo(complaint_id=record_id)

    @expose("/<int:record_id>/card.pdf", methods=["GET"])
    @protect()
    @permission_name("read")
    def card(self, record_id: int) -> ResponseReturnValue:
        """The feedback card as PDF."""
        from lims.web.complaint_page import complaint_pdf

        return complaint_pdf(self.service.get(record_id))

    @expose("/", methods=["POST"])
    @protect()
    @permission_name("take_in")
    def post(self) -> ResponseReturnValue:
        """The intake. With an Idempotency-Key the same request, sent again, gets the same complaint."""
        return self.adding()

    def outward(self, record: Any) -> dict[str, Any]:
        """The amount of a compensation is a price."""
        found = super().outward(record)
        if not may("read", "prices"):
            found["compensation_amount"] = None
        return found


class ComplaintLotApi(RecordApi):
    service = ComplaintLotView.service
    fields = ("id", "version", "complaint_id", "cement_lot_id", "batch_id", "part", "remarks", *WHO_AND_WHEN)


class ComplaintFactApi(RecordApi):
    service = ComplaintFactView.service
    fields = ("id", "version", "complaint_id", "checklist_item_id", "title", "value", "beyond", *WHO_AND_WHEN)


class ChecklistItemApi(RecordApi):
    service = ChecklistItemView.service
    fields = (
        "id", "version", "code", "category", "position", "name_en", "name_zh", "name_zh_tw", "unit", "least", "most",
        "required", *WHO_AND_WHEN,
    )  # fmt: skip


class EscalationApi(RecordApi):
    service = EscalationView.service
    fields = ("id", "version", "complaint_id", "clock", "due_at", "roles", "told", "created_at", "created_by")


class RetestApi(RecordApi):
    service = RetestView.service
    fields = (
        "id", "version", "cement_lot_id", "complaint_id", "ordered_on", "finished_on", "cement_test_id",
        "strength_3d_mpa", "strength_28d_mpa", "outcome", "remarks", *WHO_AND_WHEN,
    )  # fmt: skip


class ObjectionApi(RecordApi):
    service = ObjectionView.service
    fields = (
        "id", "version", "code", "customer_id", "complaint_id", "cement_lot_id", "raised_on", "claim", "state",
        "sampled_on", "sampled_by", "witnessed_by", "seal_number", "sealed_until", "tested_at_place", "retest_id",
        "verdict", "decided_on", "reason", *WHO_AND_WHEN,
    )  # fmt: skip
    steps = tuple(
        Step(name, name.capitalize(), "write", "objections", run, schema)
        for name, (_title, schema, run) in OBJECTION_STEPS.items()
    )


class SeminarApi(RecordApi):
    service = SeminarView.service
    fields = (
        "id", "version", "name", "kind", "held_on", "place", "customer_id", "participants", "topics", *WHO_AND_WHEN,
    )  # fmt: skip


class AttendanceApi(RecordApi):
    service = AttendanceView.service
    fields = ("id", "version", "seminar_id", "contact_id", "user_id", "attended", "remarks", *WHO_AND_WHEN)


class SurveyApi(RecordApi):
    service = SurveyView.service
    fields = (
        "id", "version", "customer_id", "asked", "answered_on", "quality", "steadiness", "delivery", "service",
        "mean_score", "remarks", *WHO_AND_WHEN,
    )  # fmt: skip


class StaffSurveyApi(RecordApi):
    service = StaffSurveyView.service
    fields = (
        "id", "version", "answered_on", "department", "workload", "support", "training", "recognition", "mean_score",
        "remarks", *WHO_AND_WHEN,
    )  # fmt: skip


class AdviceCardApi(RecordApi):
    service = AdviceCardView.service
    fields = (
        "id", "version", "code", "rule", "name", "language", "body", "conditions", "categories", *WHO_AND_WHEN,
    )  # fmt: skip


class HolidayApi(RecordApi):
    service = HolidayView.service
    fields = ("id", "version", "day", "name", "working", *WHO_AND_WHEN)


APIS = (
    DeliveryApi,
    VisitApi,
    VisitPlanApi,
    PhotoApi,
    ComplaintApi,
    ComplaintLotApi,
    ComplaintFactApi,
    ChecklistItemApi,
    EscalationApi,
    RetestApi,
    ObjectionApi,
    SeminarApi,
    AttendanceApi,
    SurveyApi,
    StaffSurveyApi,
    AdviceCardApi,
    HolidayApi,
)
