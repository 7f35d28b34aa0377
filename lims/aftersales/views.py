"""Pages of aftersales."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from lims.aftersales.service import (
    AdviceCardService,
    ComplaintService,
    RetestService,
    SeminarService,
    SurveyService,
    VisitService,
)
from lims.base.views import MenuPlace, RecordView, Related


class VisitView(RecordView):
    service = VisitService()
    title = _l("Visits")
    title_one = _l("Visit")
    menu = MenuPlace("customers", order=40, icon="truck")
    list_columns = ("visited_on", "customer", "site", "purpose", "follow_up_on", "follow_up_open")
    labels = {"follow_up_open": _l("Follow-up open")}
    show_sections = (
        (
            _l("Visit"),
            (
                "customer",
                "site",
                "visited_on",
                "purpose",
                "findings",
                "advice",
                "follow_up_on",
                "followed_up_on",
            ),
        ),
    )


class ComplaintView(RecordView):
    service = ComplaintService()
    title = _l("Complaints")
    title_one = _l("Complaint")
    menu = MenuPlace("customers", order=35, icon="alert")
    list_columns = (
        "code",
        "customer",
        "subject",
        "severity",
        "received_at",
        "state",
        "answer_due_at",
        "overdue",
    )
    labels = {
        "state": _l("State"),
        "answer_due_at": _l("Answer due"),
        "on_site_due_at": _l("On site due"),
        "overdue": _l("Overdue"),
    }
    show_sections = (
        (
            _l("Complaint"),
            ("code", "customer", "site", "cement_lot", "subject", "severity", "channel", "description"),
        ),
        (
            _l("Clock"),
            (
                "state",
                "received_at",
                "answer_due_at",
                "answered_at",
                "on_site_due_at",
                "on_site_at",
                "closed_at",
                "overdue",
            ),
        ),
        (_l("Outcome"), ("cause", "remedy")),
    )
    related = (Related("retests", "complaint_id"),)


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
                "cement_lot",
                "complaint",
                "ordered_on",
                "finished_on",
                "strength_3d_mpa",
                "strength_28d_mpa",
                "outcome",
                "remarks",
            ),
        ),
    )


class SeminarView(RecordView):
    service = SeminarService()
    title = _l("Seminars")
    title_one = _l("Seminar")
    menu = MenuPlace("customers", order=70, icon="school")
    list_columns = ("held_on", "name", "place", "customer", "participants")
    show_sections = ((_l("Seminar"), ("name", "held_on", "place", "customer", "participants", "topics")),)


class SurveyView(RecordView):
    service = SurveyService()
    title = _l("Surveys")
    title_one = _l("Survey")
    menu = MenuPlace("customers", order=65, icon="star")
    list_columns = ("answered_on", "customer", "quality", "steadiness", "delivery", "service", "mean_score")
    labels = {"mean_score": _l("Mean")}
    show_sections = (
        (
            _l("Survey"),
            (
                "customer",
                "answered_on",
                "quality",
                "steadiness",
                "delivery",
                "service",
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
    list_columns = ("code", "name", "language")
    show_sections = ((_l("Advice"), ("code", "name", "language", "body")),)


VIEWS = (
    VisitView,
    ComplaintView,
    RetestView,
    SeminarView,
    SurveyView,
    AdviceCardView,
)
