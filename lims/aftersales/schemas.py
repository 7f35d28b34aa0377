"""What comes in about visits, complaints, retests, seminars, surveys and advice."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Code, Day, Instant, Quantity, Reference, Text, Ui, WholeNumber
from lims.base.schemas import Schema

CHANNELS = {
    "phone": _l("Phone"),
    "wechat": _l("WeChat"),
    "email": _l("E-mail"),
    "visit": _l("Visit"),
    "letter": _l("Letter"),
}
SEVERITIES = {"low": _l("Low"), "normal": _l("Normal"), "high": _l("High")}
OUTCOMES = {"open": _l("Open"), "passed": _l("Passed"), "failed": _l("Failed")}
STATES = {"open": _l("Open"), "answered": _l("Answered"), "closed": _l("Closed")}
CARD_LANGUAGES = {"en": "English", "zh": "简体中文", "zh_TW": "繁體中文"}


class VisitIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    visited_on: Annotated[date, Day(), Ui(_l("Visited on"))]
    purpose: Annotated[str, Text(200), Ui(_l("Purpose"))]
    findings: Annotated[str | None, Text(4000, lines=True), Ui(_l("Findings"))] = None
    advice: Annotated[str | None, Text(4000, lines=True), Ui(_l("Advice given"))] = None
    follow_up_on: Annotated[date | None, Day(), Ui(_l("Follow up on"))] = None
    followed_up_on: Annotated[date | None, Day(), Ui(_l("Followed up on"))] = None

    @model_validator(mode="after")
    def _later(self) -> VisitIn:
        if self.follow_up_on and self.follow_up_on < self.visited_on:
            raise ValueError(_("the follow-up lies before the visit; accepted: a later day"))
        return self


class ComplaintIn(Schema):
    code: Annotated[
        str | None, Code(), Ui(_l("Number"), help=_l("Leave blank: the next number is given"))
    ] = None
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    cement_lot_id: Annotated[int | None, Reference("cement-lots"), Ui(_l("Cement lot"))] = None
    received_at: Annotated[datetime, Instant(), Ui(_l("Received"))]
    channel: Annotated[str, Choice(CHANNELS), Ui(_l("By"))] = "phone"
    severity: Annotated[str, Choice(SEVERITIES), Ui(_l("Severity"))] = "normal"
    subject: Annotated[str, Text(200), Ui(_l("Subject"))]
    description: Annotated[str | None, Text(8000, lines=True), Ui(_l("What the customer says"))] = None
    answered_at: Annotated[datetime | None, Instant(), Ui(_l("Answered"))] = None
    on_site_at: Annotated[datetime | None, Instant(), Ui(_l("On site"))] = None
    closed_at: Annotated[datetime | None, Instant(), Ui(_l("Closed"))] = None
    cause: Annotated[str | None, Text(4000, lines=True), Ui(_l("Cause found"))] = None
    remedy: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remedy"))] = None

    @model_validator(mode="after")
    def _clock(self) -> ComplaintIn:
        for moment, label in (
            (self.answered_at, _("answered")),
            (self.on_site_at, _("on site")),
            (self.closed_at, _("closed")),
        ):
            if moment is not None and moment < self.received_at:
                raise ValueError(_("%(what)s before it was received; accepted: a later time", what=label))
        if self.closed_at is not None and (self.answered_at is None or not self.remedy):
            raise ValueError(_("to close it needs the time of the answer and the remedy"))
        return self


class RetestIn(Schema):
    cement_lot_id: Annotated[int, Reference("cement-lots"), Ui(_l("Cement lot"))]
    complaint_id: Annotated[int | None, Reference("complaints"), Ui(_l("Complaint"))] = None
    ordered_on: Annotated[date, Day(), Ui(_l("Ordered on"))]
    finished_on: Annotated[date | None, Day(), Ui(_l("Finished on"))] = None
    strength_3d_mpa: Annotated[
        Decimal | None, Quantity(places=1, maximum=150, unit="MPa"), Ui(_l("Mortar, 3 d"))
    ] = None
    strength_28d_mpa: Annotated[
        Decimal | None, Quantity(places=1, maximum=150, unit="MPa"), Ui(_l("Mortar, 28 d"))
    ] = None
    outcome: Annotated[str, Choice(OUTCOMES), Ui(_l("Outcome"))] = "open"
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None

    @model_validator(mode="after")
    def _finished(self) -> RetestIn:
        if self.finished_on and self.finished_on < self.ordered_on:
            raise ValueError(_("finished before it was ordered; accepted: a later day"))
        if self.outcome != "open" and self.finished_on is None:
            raise ValueError(_("an outcome needs the day it was finished"))
        return self


class SeminarIn(Schema):
    name: Annotated[str, Text(200), Ui(_l("Seminar"))]
    held_on: Annotated[date, Day(), Ui(_l("Held on"))]
    place: Annotated[str | None, Text(200), Ui(_l("Place"))] = None
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    participants: Annotated[int | None, WholeNumber(0, 10000), Ui(_l("Participants"))] = None
    topics: Annotated[str | None, Text(4000, lines=True), Ui(_l("Topics"))] = None


class SurveyIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    answered_on: Annotated[date, Day(), Ui(_l("Answered on"))]
    quality: Annotated[int, WholeNumber(1, 5), Ui(_l("Quality"), help=_l("1 poor to 5 very good"))]
    steadiness: Annotated[int, WholeNumber(1, 5), Ui(_l("Steadiness"))]
    delivery: Annotated[int, WholeNumber(1, 5), Ui(_l("Delivery"))]
    service: Annotated[int, WholeNumber(1, 5), Ui(_l("Service"))]
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


class AdviceCardIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(200), Ui(_l("Title"))]
    language: Annotated[str, Choice(CARD_LANGUAGES), Ui(_l("Language"))] = "zh"
    body: Annotated[str, Text(20000, lines=True), Ui(_l("Advice"))]
