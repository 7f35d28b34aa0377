"""What comes in about deliveries, visits, complaints, retests, objections, seminars, surveys, advice and promises."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.aftersales.advice import CONDITIONS
from lims.base.fields import (
    Choice,
    Code,
    Day,
    Flag,
    Instant,
    Kind,
    Quantity,
    Reference,
    Several,
    Text,
    Ui,
    WholeNumber,
    plain_text,
    wrong,
)
from lims.base.schemas import Schema
from lims.base.staff import Staff
from lims.base.words import LANGUAGES

CHANNELS = {
    "phone": _l("Phone"),
    "wechat": _l("WeChat"),
    "email": _l("E-mail"),
    "visit": _l("Visit"),
    "letter": _l("Letter"),
}
SEVERITIES = {"low": _l("Low"), "normal": _l("Normal"), "high": _l("High")}
OUTCOMES = {"open": _l("Open"), "passed": _l("Passed"), "failed": _l("Failed")}
STATES = {
    "received": _l("Taken in"),
    "answered": _l("Answered"),
    "on_site": _l("At the site"),
    "solved": _l("Solved"),
    "closed": _l("Closed"),
    "withdrawn": _l("Withdrawn"),
}
KINDS = {"complaint": _l("Complaint"), "feedback": _l("Feedback card")}
CATEGORIES = {
    "rebound": _l("Shotcrete rebound"),
    "cracking": _l("Cracking"),
    "slow_setting": _l("Slow setting"),
    "dusting": _l("Dusting"),
    "low_strength": _l("Low strength"),
    "other": _l("Something else"),
}
ROOT_CAUSES = {
    "cement": _l("Cement"),
    "use": _l("Use on site"),
    "equipment": _l("Equipment"),
    "aggregate": _l("Aggregate"),
    "weather": _l("Weather"),
    "other": _l("Something else"),
}
PACKINGS = {"bulk": _l("Bulk"), "bagged": _l("Bagged")}
PARTS = {
    "involved": _l("Involved"),
    "before": _l("Before the correction"),
    "after": _l("After the correction"),
}
SEMINAR_KINDS = {"seminar": _l("Seminar for customers"), "training": _l("Training of our own people")}
VERDICTS = {"upheld": _l("The customer is right"), "rejected": _l("The lot conforms")}
OBJECTION_STATES = {
    "raised": _l("Raised"),
    "sampled": _l("Sampled together"),
    "tested": _l("Tested again"),
    "decided": _l("Decided"),
}
PLAN_STATES = {"planned": _l("Planned"), "done": _l("Done"), "dropped": _l("Fallen away")}
#: What each clock waits for, not what was done: it stands beside "3 h left" too.
CLOCKS = {"answer": _l("Answer"), "on_site": _l("Arrival on site"), "solve": _l("Solution")}
CLOCK_STATES = {
    "kept": _l("kept"),
    "missed": _l("missed"),
    "running": _l("running"),
    "late": _l("overdue"),
    "ended": _l("ended"),
    "off": _l("not started"),
}
TIME_KINDS = {"calendar": _l("Calendar time: day and night"), "working": _l("Working time")}
WEEKDAYS = {
    "monday": _l("Monday"),
    "tuesday": _l("Tuesday"),
    "wednesday": _l("Wednesday"),
    "thursday": _l("Thursday"),
    "friday": _l("Friday"),
    "saturday": _l("Saturday"),
    "sunday": _l("Sunday"),
}
Mark = WholeNumber(1, 5)


class DeliveryIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Delivery note"))]
    order_number: Annotated[str | None, Code(), Ui(_l("Order"))] = None
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    cement_lot_id: Annotated[int, Reference("cement-lots"), Ui(_l("Cement lot"))]
    delivered_at: Annotated[datetime, Instant(), Ui(_l("Delivered"))]
    mass_t: Annotated[Decimal, Quantity(places=2, above=0, maximum=100_000, unit="t"), Ui(_l("Mass"))]
    packing: Annotated[str, Choice(PACKINGS), Ui(_l("Packing"))] = "bulk"
    vehicle: Annotated[str | None, Text(40), Ui(_l("Vehicle"))] = None
    accepted_by: Annotated[str | None, Text(80), Ui(_l("Accepted by"))] = None
    remarks: Annotated[str | None, Text(2000, lines=True), Ui(_l("Remarks"))] = None


class VisitIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    complaint_id: Annotated[int | None, Reference("complaints"), Ui(_l("Complaint"))] = None
    visited_on: Annotated[date, Day(), Ui(_l("Visited on"))]
    user_id: Annotated[int | None, Staff(), Ui(_l("Visited by"))] = None
    purpose: Annotated[str, Text(200), Ui(_l("Purpose"))]
    findings: Annotated[str | None, Text(4000, lines=True), Ui(_l("What was seen"))] = None
    advice: Annotated[str | None, Text(4000, lines=True), Ui(_l("Advice given"))] = None
    satisfaction: Annotated[
        int | None, Mark, Ui(_l("Satisfaction"), help=_l("1 poor to 5 very good, as the customer says it"))
    ] = None
    follow_up_on: Annotated[date | None, Day(), Ui(_l("Call back on"))] = None
    followed_up_on: Annotated[date | None, Day(), Ui(_l("Called back on"))] = None
    call_back: Annotated[str | None, Text(2000, lines=True), Ui(_l("What the call-back said"))] = None

    @model_validator(mode="after")
    def _later(self) -> VisitIn:
        if self.follow_up_on and self.follow_up_on < self.visited_on:
            raise ValueError(_("the follow-up lies before the visit; accepted: a later day"))
        return self


class VisitPlanIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    planned_on: Annotated[date, Day(), Ui(_l("Planned on"))]
    user_id: Annotated[int | None, Staff(), Ui(_l("Who goes"))] = None
    purpose: Annotated[str, Text(200), Ui(_l("Purpose"))]
    visit_id: Annotated[
        int | None, Reference("visits"), Ui(_l("Visit"), help=_l("The visit that did it"))
    ] = None
    dropped_reason: Annotated[str | None, Text(200), Ui(_l("Why it falls away"))] = None

    @model_validator(mode="after")
    def _one_end(self) -> VisitPlanIn:
        if self.visit_id is not None and self.dropped_reason:
            raise ValueError(_("a plan is done or falls away, not both"))
        return self


class PhotoEdit(Schema):
    """What is written under a picture."""

    caption: Annotated[str | None, Text(200), Ui(_l("Caption"))] = None


class ComplaintIn(Schema):
    """The one intake: what a person can say while the customer is on the phone. The clocks start here."""

    code: Annotated[
        str | None, Code(), Ui(_l("Number"), help=_l("Leave blank: the next number is given"))
    ] = None
    kind: Annotated[str, Choice(KINDS), Ui(_l("Kind"))] = "complaint"
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    category: Annotated[str, Choice(CATEGORIES), Ui(_l("What it is about"))] = "other"
    subject: Annotated[str, Text(200), Ui(_l("Subject"))]
    description: Annotated[str | None, Text(8000, lines=True), Ui(_l("What the customer says"))] = None
    contact_id: Annotated[int | None, Reference("contacts"), Ui(_l("Who says it"))] = None
    phone: Annotated[str | None, Text(40), Ui(_l("Call back at"))] = None
    cement_lot_id: Annotated[
        int | None,
        Reference("cement-lots"),
        Ui(_l("Cement lot"), help=_l("If it stands on the bag or the note")),
    ] = None
    received_at: Annotated[datetime | None, Instant(), Ui(_l("Received"), help=_l("Blank: now"))] = None
    channel: Annotated[str, Choice(CHANNELS), Ui(_l("By"))] = "phone"
    severity: Annotated[str, Choice(SEVERITIES), Ui(_l("Severity"))] = "normal"
    owner_id: Annotated[int | None, Staff(), Ui(_l("Handled by"))] = None


class ComplaintEdit(Schema):
    """What may be corrected while it is open; times and states change by their steps."""

    kind: Annotated[str, Choice(KINDS), Ui(_l("Kind"))] = "complaint"
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    trial_id: Annotated[
        int | None, Reference("trials"), Ui(_l("Trial"), help=_l("Before and after the correction"))
    ] = None
    category: Annotated[str, Choice(CATEGORIES), Ui(_l("What it is about"))] = "other"
    subject: Annotated[str, Text(200), Ui(_l("Subject"))]
    description: Annotated[str | None, Text(8000, lines=True), Ui(_l("What the customer says"))] = None
    contact_id: Annotated[int | None, Reference("contacts"), Ui(_l("Who says it"))] = None
    phone: Annotated[str | None, Text(40), Ui(_l("Call back at"))] = None
    channel: Annotated[str, Choice(CHANNELS), Ui(_l("By"))] = "phone"
    severity: Annotated[str, Choice(SEVERITIES), Ui(_l("Severity"))] = "normal"
    owner_id: Annotated[int | None, Staff(), Ui(_l("Handled by"))] = None


class AnswerIn(Schema):
    answer: Annotated[str, Text(4000, lines=True), Ui(_l("What was answered"))]
    at: Annotated[datetime | None, Instant(), Ui(_l("When"), help=_l("Blank: now"))] = None


class ArrivalIn(Schema):
    at: Annotated[datetime | None, Instant(), Ui(_l("When"), help=_l("Blank: now"))] = None
    site_facts: Annotated[
        str | None,
        Text(4000, lines=True),
        Ui(_l("What is found there"), help=_l("Weather, base, mixing, curing, persons")),
    ] = None


class FindingsIn(Schema):
    site_facts: Annotated[str | None, Text(4000, lines=True), Ui(_l("What was found on site"))] = None
    root_cause: Annotated[str | None, Choice(ROOT_CAUSES), Ui(_l("Root cause"))] = None
    cause: Annotated[str | None, Text(4000, lines=True), Ui(_l("The cause in words"))] = None
    remedy: Annotated[str | None, Text(4000, lines=True), Ui(_l("Corrective action"))] = None
    compensation: Annotated[str | None, Text(300), Ui(_l("Compensation"))] = None
    compensation_amount: Annotated[
        Decimal | None, Quantity(places=2, maximum=100_000_000), Ui(_l("Its amount"), unit="¥")
    ] = None


class SolvedIn(Schema):
    at: Annotated[datetime | None, Instant(), Ui(_l("When"), help=_l("Blank: now"))] = None
    remedy: Annotated[str | None, Text(4000, lines=True), Ui(_l("Corrective action"))] = None


class AgreementIn(Schema):
    agreed_on: Annotated[date, Day(), Ui(_l("Agreed on"))]
    agreed_by: Annotated[str, Text(80), Ui(_l("Agreed by"))]
    satisfaction: Annotated[int | None, Mark, Ui(_l("Satisfaction"), help=_l("1 poor to 5 very good"))] = None


class ReasonIn(Schema):
    reason: Annotated[str, Text(300), Ui(_l("Reason"))]


class ComplaintLotIn(Schema):
    complaint_id: Annotated[int, Reference("complaints"), Ui(_l("Complaint"))]
    cement_lot_id: Annotated[int | None, Reference("cement-lots"), Ui(_l("Cement lot"))] = None
    batch_id: Annotated[int | None, Reference("batches"), Ui(_l("Batch"))] = None
    part: Annotated[str, Choice(PARTS), Ui(_l("Part"))] = "involved"
    remarks: Annotated[str | None, Text(300), Ui(_l("Remarks"))] = None

    @model_validator(mode="after")
    def _one(self) -> ComplaintLotIn:
        if (self.cement_lot_id is None) == (self.batch_id is None):
            raise ValueError(_("name a cement lot or a batch, one of them"))
        return self


class ChecklistItemIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    category: Annotated[str, Choice(CATEGORIES), Ui(_l("What it is about"))]
    position: Annotated[int, WholeNumber(1, 999), Ui(_l("Place in the list"))] = 50
    name_en: Annotated[str, Text(200), Ui(_l("In English"))]
    name_zh: Annotated[str | None, Text(200), Ui("简体中文")] = None
    name_zh_tw: Annotated[str | None, Text(200), Ui("繁體中文")] = None
    unit: Annotated[str | None, Text(20), Ui(_l("Unit"))] = None
    least: Annotated[
        Decimal | None, Quantity(places=3, minimum=-1000, maximum=1_000_000), Ui(_l("At least"))
    ] = None
    most: Annotated[
        Decimal | None, Quantity(places=3, minimum=-1000, maximum=1_000_000), Ui(_l("At most"))
    ] = None
    required: Annotated[bool, Flag(), Ui(_l("Needed to close the complaint"))] = False


class ComplaintFactIn(Schema):
    value: Annotated[str | None, Text(300), Ui(_l("Value"))] = None


class RetestIn(Schema):
    cement_lot_id: Annotated[int, Reference("cement-lots"), Ui(_l("Cement lot"))]
    complaint_id: Annotated[int | None, Reference("complaints"), Ui(_l("Complaint"))] = None
    ordered_on: Annotated[date, Day(), Ui(_l("Ordered on"))]
    finished_on: Annotated[date | None, Day(), Ui(_l("Finished on"))] = None
    cement_test_id: Annotated[
        int | None,
        Reference("cement-tests"),
        Ui(_l("Test at our bench"), help=_l("Strength, setting and fineness")),
    ] = None
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


class ObjectionIn(Schema):
    code: Annotated[
        str | None, Code(), Ui(_l("Number"), help=_l("Leave blank: the next number is given"))
    ] = None
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    complaint_id: Annotated[int | None, Reference("complaints"), Ui(_l("Complaint"))] = None
    cement_lot_id: Annotated[int, Reference("cement-lots"), Ui(_l("Cement lot"))]
    raised_on: Annotated[date, Day(), Ui(_l("Raised on"))]
    claim: Annotated[str, Text(4000, lines=True), Ui(_l("What is objected to"))]


class ObjectionEdit(Schema):
    raised_on: Annotated[date, Day(), Ui(_l("Raised on"))]
    claim: Annotated[str, Text(4000, lines=True), Ui(_l("What is objected to"))]


class SamplingIn(Schema):
    """Both parties stand beside the sample; half of it is sealed."""

    sampled_on: Annotated[date, Day(), Ui(_l("Sampled on"))]
    sampled_by: Annotated[str, Text(80), Ui(_l("For the works"))]
    witnessed_by: Annotated[str, Text(80), Ui(_l("For the customer"))]
    seal_number: Annotated[str, Text(40), Ui(_l("Seal"))]
    sealed_until: Annotated[date, Day(), Ui(_l("Sealed sample kept until"))]

    @model_validator(mode="after")
    def _kept(self) -> SamplingIn:
        if self.sealed_until < self.sampled_on:
            raise ValueError(_("the sealed sample is kept from the day of sampling on"))
        return self


class ObjectionTestIn(Schema):
    retest_id: Annotated[int, Reference("retests"), Ui(_l("Retest"))]
    tested_at_place: Annotated[str | None, Text(120), Ui(_l("Tested at"))] = None


class VerdictIn(Schema):
    verdict: Annotated[str, Choice(VERDICTS), Ui(_l("Verdict"))]
    decided_on: Annotated[date, Day(), Ui(_l("Decided on"))]
    reason: Annotated[str, Text(2000, lines=True), Ui(_l("Reason"))]


class SeminarIn(Schema):
    name: Annotated[str, Text(200), Ui(_l("Seminar"))]
    kind: Annotated[str, Choice(SEMINAR_KINDS), Ui(_l("Kind"))] = "seminar"
    held_on: Annotated[date, Day(), Ui(_l("Held on"))]
    place: Annotated[str | None, Text(200), Ui(_l("Place"))] = None
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    participants: Annotated[int | None, WholeNumber(0, 10000), Ui(_l("Participants"))] = None
    topics: Annotated[str | None, Text(4000, lines=True), Ui(_l("Topics"))] = None


class AttendanceIn(Schema):
    seminar_id: Annotated[int, Reference("seminars"), Ui(_l("Seminar"))]
    contact_id: Annotated[int | None, Reference("contacts"), Ui(_l("Contact"))] = None
    user_id: Annotated[int | None, Staff(), Ui(_l("Of our own people"))] = None
    attended: Annotated[bool, Flag(), Ui(_l("Was there"))] = False
    remarks: Annotated[str | None, Text(300), Ui(_l("Remarks"))] = None

    @model_validator(mode="after")
    def _one(self) -> AttendanceIn:
        if (self.contact_id is None) == (self.user_id is None):
            raise ValueError(_("name a contact or one of our own people, one of them"))
        return self


class SurveyIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    answered_on: Annotated[date, Day(), Ui(_l("Answered on"))]
    quality: Annotated[int, Mark, Ui(_l("Quality"), help=_l("1 poor to 5 very good"))]
    steadiness: Annotated[int, Mark, Ui(_l("Steadiness"))]
    delivery: Annotated[int, Mark, Ui(_l("Delivery"))]
    service: Annotated[int, Mark, Ui(_l("Service"))]
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


class StaffSurveyIn(Schema):
    answered_on: Annotated[date, Day(), Ui(_l("Answered on"))]
    department: Annotated[str, Text(80), Ui(_l("Department"))]
    workload: Annotated[int, Mark, Ui(_l("Workload"), help=_l("1 poor to 5 very good"))]
    support: Annotated[int, Mark, Ui(_l("Support"))]
    training: Annotated[int, Mark, Ui(_l("Training"))]
    recognition: Annotated[int, Mark, Ui(_l("Recognition"))]
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


class AdviceCardIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    rule: Annotated[
        str | None, Code(), Ui(_l("Rule"), help=_l("The same for one card in several languages"))
    ] = None
    name: Annotated[str, Text(200), Ui(_l("Title"))]
    language: Annotated[str, Choice(LANGUAGES), Ui(_l("Language"))] = "zh"
    body: Annotated[str, Text(20000, lines=True), Ui(_l("Advice"))]
    conditions: Annotated[str | None, Several(options=CONDITIONS), Ui(_l("Comes up when"))] = None
    categories: Annotated[str | None, Several(options=CATEGORIES), Ui(_l("Comes up at complaints about"))] = (
        None
    )


class HoursOfDay(Kind):
    """Working hours such as 08:00-17:30, or - for a free day."""

    def parse(self, value: Any) -> str:
        text = plain_text(value).replace("–", "-").replace(" ", "").replace("~", "-")
        if text == "-":
            return "-"
        found = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", text)
        try:
            if found is None:
                raise ValueError
            one, two, three, four = (int(part) for part in found.groups())
            begin, end = time(one, two), time(three, four)
        except ValueError:
            raise wrong(
                _("“%(value)s” is not a span; accepted: 08:00-17:30, or - for a free day", value=text[:30])
            ) from None
        if end <= begin:
            raise wrong(_("ends before it begins; accepted: 08:00-17:30"))
        return f"{begin:%H:%M}-{end:%H:%M}"


def minutes(most: int = 60 * 24 * 90) -> WholeNumber:
    return WholeNumber(1, most)


class ServiceSettingsIn(Schema):
    answer_minutes: Annotated[int, minutes(), Ui(_l("Answer within"), unit="min")] = 30
    on_site_minutes: Annotated[int, minutes(), Ui(_l("On site within"), unit="min")] = 1440
    solve_minutes: Annotated[
        int, minutes(), Ui(_l("Solved within"), unit="min", help=_l("From the arrival on site"))
    ] = 1440
    time_kind: Annotated[str, Choice(TIME_KINDS), Ui(_l("Counted in"))] = "calendar"
    monday: Annotated[str, HoursOfDay(), Ui(_l("Monday"))] = "08:00-17:30"
    tuesday: Annotated[str, HoursOfDay(), Ui(_l("Tuesday"))] = "08:00-17:30"
    wednesday: Annotated[str, HoursOfDay(), Ui(_l("Wednesday"))] = "08:00-17:30"
    thursday: Annotated[str, HoursOfDay(), Ui(_l("Thursday"))] = "08:00-17:30"
    friday: Annotated[str, HoursOfDay(), Ui(_l("Friday"))] = "08:00-17:30"
    saturday: Annotated[str, HoursOfDay(), Ui(_l("Saturday"))] = "-"
    sunday: Annotated[str, HoursOfDay(), Ui(_l("Sunday"))] = "-"
    escalate_to: Annotated[
        str, Text(200), Ui(_l("Told when a clock runs out"), help=_l("Roles, separated by commas"))
    ] = "Manager"
    visit_prospect_days: Annotated[int, WholeNumber(1, 730), Ui(_l("Visit prospects every"), unit="d")] = 30
    visit_trial_days: Annotated[int, WholeNumber(1, 730), Ui(_l("Visit trial customers every"), unit="d")] = (
        14
    )
    visit_active_days: Annotated[
        int, WholeNumber(1, 730), Ui(_l("Visit active customers every"), unit="d")
    ] = 30
    visit_lapsed_days: Annotated[
        int, WholeNumber(1, 730), Ui(_l("Visit lapsed customers every"), unit="d")
    ] = 90
    weight_clocks: Annotated[int, WholeNumber(0, 100), Ui(_l("Weight of clocks kept"))] = 40
    weight_visits: Annotated[int, WholeNumber(0, 100), Ui(_l("Weight of visits done"))] = 30
    weight_satisfaction: Annotated[int, WholeNumber(0, 100), Ui(_l("Weight of satisfaction"))] = 30

    @model_validator(mode="after")
    def _possible(self) -> ServiceSettingsIn:
        if self.time_kind == "working" and all(getattr(self, day) == "-" for day in WEEKDAYS):
            raise ValueError(_("working time needs a day on which somebody works"))
        if not self.weight_clocks + self.weight_visits + self.weight_satisfaction:
            raise ValueError(_("one of the weights must be above 0"))
        return self

    @property
    def hours(self) -> str:
        return ",".join(getattr(self, day) for day in WEEKDAYS)


class HolidayIn(Schema):
    day: Annotated[date, Day(), Ui(_l("Day"))]
    name: Annotated[str, Text(80), Ui(_l("Name"))]
    working: Annotated[bool, Flag(), Ui(_l("Is worked, though it would be free"))] = False
