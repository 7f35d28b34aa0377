"""REST of aftersales."""

from __future__ import annotations

from lims.aftersales.views import (
    AdviceCardView,
    ComplaintView,
    RetestView,
    SeminarView,
    SurveyView,
    VisitView,
)
from lims.base.api import RecordApi


class VisitApi(RecordApi):
    service = VisitView.service
    fields = (
        "id",
        "version",
        "customer_id",
        "site_id",
        "visited_on",
        "purpose",
        "findings",
        "advice",
        "follow_up_on",
        "followed_up_on",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class ComplaintApi(RecordApi):
    service = ComplaintView.service
    fields = (
        "id",
        "version",
        "code",
        "customer_id",
        "site_id",
        "cement_lot_id",
        "received_at",
        "channel",
        "severity",
        "subject",
        "description",
        "answered_at",
        "on_site_at",
        "closed_at",
        "cause",
        "remedy",
        "state",
        "answer_due_at",
        "on_site_due_at",
        "overdue",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class RetestApi(RecordApi):
    service = RetestView.service
    fields = (
        "id",
        "version",
        "cement_lot_id",
        "complaint_id",
        "ordered_on",
        "finished_on",
        "strength_3d_mpa",
        "strength_28d_mpa",
        "outcome",
        "remarks",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class SeminarApi(RecordApi):
    service = SeminarView.service
    fields = (
        "id",
        "version",
        "name",
        "held_on",
        "place",
        "customer_id",
        "participants",
        "topics",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class SurveyApi(RecordApi):
    service = SurveyView.service
    fields = (
        "id",
        "version",
        "customer_id",
        "answered_on",
        "quality",
        "steadiness",
        "delivery",
        "service",
        "mean_score",
        "remarks",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class AdviceCardApi(RecordApi):
    service = AdviceCardView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "language",
        "body",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


APIS = (
    VisitApi,
    ComplaintApi,
    RetestApi,
    SeminarApi,
    SurveyApi,
    AdviceCardApi,
)
