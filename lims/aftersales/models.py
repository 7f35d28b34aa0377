"""What happens after the sale: deliveries, visits, complaints against clocks, retests, objections, advice, surveys,
seminars, and what the service promises."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.aftersales.triggers import attach
from lims.base.auditing.policy import PERSONAL
from lims.base.columns import ExactDecimal, UtcDateTime, utc_now
from lims.base.files import StoredFile
from lims.base.records import Key, Record, exactly_one
from lims.base.words import reading_language
from lims.customers.models import Contact, Customer, Site
from lims.materials.models import CementLot, CementTest
from lims.trials.models import Batch, Trial

#: States in which a complaint still has something to be done.
OPEN_STATES = ("received", "answered", "on_site", "solved")


class Delivery(Record):
    """Cement that went to a customer: so that a complaint finds its lot."""

    __tablename__ = "deliveries"
    record_name = "deliveries"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    order_number: Mapped[str | None] = mapped_column(String(40), index=True)
    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"))
    cement_lot_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_lots.id"), nullable=False, index=True)
    delivered_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    mass_t: Mapped[Decimal] = mapped_column(ExactDecimal(places=2), nullable=False)
    packing: Mapped[str] = mapped_column(String(10), nullable=False)
    vehicle: Mapped[str | None] = mapped_column(String(40))
    accepted_by: Mapped[str | None] = mapped_column(String(80), info=PERSONAL)
    remarks: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    cement_lot: Mapped[CementLot] = relationship()

    __table_args__ = (
        CheckConstraint("mass_t > 0", name="mass_above_zero"),
        Index(None, "customer_id", "delivered_at"),
        Index(None, "site_id", "delivered_at"),
    )


class Visit(Record):
    __tablename__ = "visits"
    record_name = "visits"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    visited_on: Mapped[date] = mapped_column(Date, nullable=False)
    purpose: Mapped[str] = mapped_column(String(200), nullable=False)
    findings: Mapped[str | None] = mapped_column(Text)
    advice: Mapped[str | None] = mapped_column(Text)
    follow_up_on: Mapped[date | None] = mapped_column(Date, index=True)
    followed_up_on: Mapped[date | None] = mapped_column(Date)
    #: Who of our own people went.
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    complaint_id: Mapped[int | None] = mapped_column(Key, ForeignKey("complaints.id"), index=True)
    #: 1 to 5, as the customer says it.
    satisfaction: Mapped[int | None] = mapped_column(Integer)
    #: What came out of the call-back.
    call_back: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    complaint: Mapped[Complaint | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.visited_on:%Y-%m-%d} {self.purpose}"

    @property
    def follow_up_open(self) -> bool:
        return self.follow_up_on is not None and self.followed_up_on is None


class VisitPlan(Record):
    """A visit that is planned. Done when a visit names it; a plan that falls away says why."""

    __tablename__ = "visit_plans"
    record_name = "visit-plans"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    planned_on: Mapped[date] = mapped_column(Date, nullable=False, index=True)
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(200), nullable=False)
    visit_id: Mapped[int | None] = mapped_column(Key, ForeignKey("visits.id"), index=True)
    dropped_reason: Mapped[str | None] = mapped_column(String(200))

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    visit: Mapped[Visit | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.planned_on:%Y-%m-%d} {self.purpose}"

    @property
    def state(self) -> str:
        """done, dropped or planned."""
        return "done" if self.visit_id else "dropped" if self.dropped_reason else "planned"


class Photo(Record):
    """A picture of a visit or a complaint, without what the camera wrote into it."""

    __tablename__ = "photos"
    record_name = "photos"

    visit_id: Mapped[int | None] = mapped_column(Key, ForeignKey("visits.id"), index=True)
    complaint_id: Mapped[int | None] = mapped_column(Key, ForeignKey("complaints.id"), index=True)
    stored_file_id: Mapped[int] = mapped_column(
        Key, ForeignKey("stored_files.id"), nullable=False, index=True
    )
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    caption: Mapped[str | None] = mapped_column(String(200))
    width_px: Mapped[int] = mapped_column(Integer, nullable=False)
    height_px: Mapped[int] = mapped_column(Integer, nullable=False)

    visit: Mapped[Visit | None] = relationship()
    complaint: Mapped[Complaint | None] = relationship()
    stored_file: Mapped[StoredFile] = relationship()

    __table_args__ = (CheckConstraint(exactly_one("visit_id", "complaint_id"), name="one_subject"),)


class Complaint(Record):
    """A complaint or a feedback card with its clocks. The steps are in lims/aftersales/triggers.py; the database
    refuses every other one."""

    __tablename__ = "complaints"
    record_name = "complaints"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    cement_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_lots.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    channel: Mapped[str] = mapped_column(String(20), nullable=False)
    severity: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    subject: Mapped[str] = mapped_column(String(200), nullable=False)
    description: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    on_site_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    #: What was found to be the matter, in words.
    cause: Mapped[str | None] = mapped_column(Text)
    #: The corrective action.
    remedy: Mapped[str | None] = mapped_column(Text)
    #: received, answered, on_site, solved, closed or withdrawn
    state: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    category: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    #: complaint or feedback
    kind: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    contact_id: Mapped[int | None] = mapped_column(Key, ForeignKey("contacts.id"), index=True)
    phone: Mapped[str | None] = mapped_column(String(40), info=PERSONAL)
    owner_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    #: Fixed when the clock starts, by the settings of that moment.
    answer_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    on_site_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    solve_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    solved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(Text)
    site_facts: Mapped[str | None] = mapped_column(Text)
    #: cement, use, equipment, aggregate, weather or other
    root_cause: Mapped[str | None] = mapped_column(String(12), index=True)
    compensation: Mapped[str | None] = mapped_column(String(300))
    compensation_amount: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2), info={"money": True})
    agreed_on: Mapped[date | None] = mapped_column(Date)
    agreed_by: Mapped[str | None] = mapped_column(String(80), info=PERSONAL)
    #: 1 to 5, as the customer says it at the end.
    satisfaction: Mapped[int | None] = mapped_column(Integer)
    withdrawn_reason: Mapped[str | None] = mapped_column(String(300))
    #: Castings or sprayings before and after the correction.
    trial_id: Mapped[int | None] = mapped_column(Key, ForeignKey("trials.id"), index=True)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    trial: Mapped[Trial | None] = relationship()
    cement_lot: Mapped[CementLot | None] = relationship()
    contact: Mapped[Contact | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.code} {self.subject}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def clocks(self) -> list[Clock]:
        """Answer, on site, solved: each with its limit and what became of it."""
        return [
            Clock("answer", self.answer_due_at, self.answered_at, self.is_open),
            Clock(
                "on_site", self.on_site_due_at, self.on_site_at or self._solved_without_visit, self.is_open
            ),
            Clock("solve", self.solve_due_at, self.solved_at, self.is_open),
        ]

    @property
    def _solved_without_visit(self) -> datetime | None:
        return self.solved_at if self.on_site_at is None else None

    @property
    def overdue(self) -> bool:
        """Has a promised time passed without the step?"""
        return any(clock.state == "late" for clock in self.clocks)

    @property
    def next_due_at(self) -> datetime | None:
        """When the next running clock runs out."""
        running = [c.due_at for c in self.clocks if c.state in {"running", "late"} and c.due_at is not None]
        return min(running, default=None)


class Clock:
    """One promise: `name`, when it was or is due, and when it was done."""

    __slots__ = ("done_at", "due_at", "name", "open")

    def __init__(self, name: str, due_at: datetime | None, done_at: datetime | None, open_: bool) -> None:
        self.name, self.due_at, self.done_at, self.open = name, due_at, done_at, open_

    @property
    def state(self) -> str:
        """kept, missed, running, late, ended: it had a limit and nobody waits any more, or off: it has not started."""
        if self.due_at is None:
            return "off"
        if self.done_at is not None:
            return "kept" if self.done_at <= self.due_at else "missed"
        if not self.open:
            return "ended"
        return "late" if utc_now() > self.due_at else "running"


class ComplaintLot(Record):
    """A cement lot or a batch that a complaint is about."""

    __tablename__ = "complaint_lots"
    record_name = "complaint-lots"

    complaint_id: Mapped[int] = mapped_column(Key, ForeignKey("complaints.id"), nullable=False, index=True)
    cement_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_lots.id"), index=True)
    batch_id: Mapped[int | None] = mapped_column(Key, ForeignKey("batches.id"), index=True)
    #: A batch's role: made as the customer does it, before the correction or after it.
    part: Mapped[str | None] = mapped_column(String(10))
    remarks: Mapped[str | None] = mapped_column(String(300))

    complaint: Mapped[Complaint] = relationship()
    cement_lot: Mapped[CementLot | None] = relationship()
    batch: Mapped[Batch | None] = relationship()

    __table_args__ = (CheckConstraint(exactly_one("cement_lot_id", "batch_id"), name="one_thing"),)

    @property
    def title(self) -> str:
        found = self.cement_lot or self.batch
        return found.title if found is not None else str(self.id)


class ChecklistItem(Record):
    """Something to measure or ask about at a complaint of a category, in three languages."""

    __tablename__ = "checklist_items"
    record_name = "checklist-items"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    category: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    position: Mapped[int] = mapped_column(Integer, nullable=False)
    name_en: Mapped[str] = mapped_column(String(200), nullable=False)
    name_zh: Mapped[str | None] = mapped_column(String(200))
    name_zh_tw: Mapped[str | None] = mapped_column(String(200))
    unit: Mapped[str | None] = mapped_column(String(20))
    least: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    most: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    #: A complaint is not closed without it.
    required: Mapped[bool] = mapped_column(Boolean, nullable=False)

    @property
    def title(self) -> str:
        return in_own_language(self.name_en, self.name_zh, self.name_zh_tw)


class ComplaintFact(Record):
    """What was measured or seen at a complaint: an item of the checklist with its value."""

    __tablename__ = "complaint_facts"
    record_name = "complaint-facts"

    complaint_id: Mapped[int] = mapped_column(Key, ForeignKey("complaints.id"), nullable=False, index=True)
    checklist_item_id: Mapped[int] = mapped_column(
        Key, ForeignKey("checklist_items.id"), nullable=False, index=True
    )
    value: Mapped[str | None] = mapped_column(String(300))

    complaint: Mapped[Complaint] = relationship()
    checklist_item: Mapped[ChecklistItem] = relationship()

    __table_args__ = (UniqueConstraint("complaint_id", "checklist_item_id"),)

    @property
    def title(self) -> str:
        return self.checklist_item.title

    @property
    def number(self) -> Decimal | None:
        """The value as a number, None where it is words."""
        try:
            found = Decimal((self.value or "").strip())
        except ArithmeticError:
            return None
        return found if found.is_finite() else None

    @property
    def beyond(self) -> bool:
        """Outside what the checklist calls usual."""
        number, item = self.number, self.checklist_item
        return number is not None and (
            (item.least is not None and number < item.least) or (item.most is not None and number > item.most)
        )


class Escalation(Record):
    """A clock that ran out, and who was told. Once for each clock of a complaint."""

    __tablename__ = "escalations"
    record_name = "escalations"

    complaint_id: Mapped[int] = mapped_column(Key, ForeignKey("complaints.id"), nullable=False, index=True)
    clock: Mapped[str] = mapped_column(String(10), nullable=False)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: Names of the roles that were told, and how many persons have a mail.
    roles: Mapped[str] = mapped_column(String(200), nullable=False)
    told: Mapped[int] = mapped_column(Integer, nullable=False)

    complaint: Mapped[Complaint] = relationship()

    __table_args__ = (UniqueConstraint("complaint_id", "clock", "due_at"),)

    @property
    def title(self) -> str:
        return f"{self.complaint.code} {self.clock}"


class Retest(Record):
    """A lot tested again, for a complaint or because of its age."""

    __tablename__ = "retests"
    record_name = "retests"

    cement_lot_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_lots.id"), nullable=False, index=True)
    complaint_id: Mapped[int | None] = mapped_column(Key, ForeignKey("complaints.id"), index=True)
    ordered_on: Mapped[date] = mapped_column(Date, nullable=False)
    finished_on: Mapped[date | None] = mapped_column(Date)
    strength_3d_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    strength_28d_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    #: passed, failed or open
    outcome: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    remarks: Mapped[str | None] = mapped_column(Text)
    #: Setting and fineness as tested at our own bench.
    cement_test_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_tests.id"), index=True)

    cement_lot: Mapped[CementLot] = relationship()
    complaint: Mapped[Complaint | None] = relationship()
    cement_test: Mapped[CementTest | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.ordered_on:%Y-%m-%d}"


class Objection(Record):
    """A customer's objection to the quality of a lot: sampled again together, sealed, tested again, decided."""

    __tablename__ = "objections"
    record_name = "objections"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    complaint_id: Mapped[int | None] = mapped_column(Key, ForeignKey("complaints.id"), index=True)
    cement_lot_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_lots.id"), nullable=False, index=True)
    raised_on: Mapped[date] = mapped_column(Date, nullable=False)
    claim: Mapped[str] = mapped_column(Text, nullable=False)
    sampled_on: Mapped[date | None] = mapped_column(Date)
    #: Both parties stand beside the sample.
    sampled_by: Mapped[str | None] = mapped_column(String(80))
    witnessed_by: Mapped[str | None] = mapped_column(String(80), info=PERSONAL)
    seal_number: Mapped[str | None] = mapped_column(String(40))
    sealed_until: Mapped[date | None] = mapped_column(Date)
    tested_at_place: Mapped[str | None] = mapped_column(String(120))
    retest_id: Mapped[int | None] = mapped_column(Key, ForeignKey("retests.id"), index=True)
    #: upheld or rejected
    verdict: Mapped[str | None] = mapped_column(String(10), index=True)
    decided_on: Mapped[date | None] = mapped_column(Date)
    reason: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer] = relationship()
    complaint: Mapped[Complaint | None] = relationship()
    cement_lot: Mapped[CementLot] = relationship()
    retest: Mapped[Retest | None] = relationship()

    @property
    def state(self) -> str:
        """raised, sampled, tested or decided."""
        if self.verdict:
            return "decided"
        if self.retest_id:
            return "tested"
        return "sampled" if self.sampled_on else "raised"


class Seminar(Record):
    """A seminar for customers, or a training of our own people."""

    __tablename__ = "seminars"
    record_name = "seminars"

    name: Mapped[str] = mapped_column(String(200), nullable=False)
    held_on: Mapped[date] = mapped_column(Date, nullable=False)
    place: Mapped[str | None] = mapped_column(String(200))
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    participants: Mapped[int | None] = mapped_column(Integer)
    topics: Mapped[str | None] = mapped_column(Text)
    #: seminar or training
    kind: Mapped[str] = mapped_column(String(10), nullable=False, index=True)

    customer: Mapped[Customer | None] = relationship()


class Attendance(Record):
    """One person at a seminar: a customer's, or one of ours."""

    __tablename__ = "attendances"
    record_name = "attendances"

    seminar_id: Mapped[int] = mapped_column(Key, ForeignKey("seminars.id"), nullable=False, index=True)
    contact_id: Mapped[int | None] = mapped_column(Key, ForeignKey("contacts.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    attended: Mapped[bool] = mapped_column(Boolean, nullable=False)
    remarks: Mapped[str | None] = mapped_column(String(300))

    seminar: Mapped[Seminar] = relationship()
    contact: Mapped[Contact | None] = relationship()

    __table_args__ = (
        CheckConstraint(exactly_one("contact_id", "user_id"), name="one_person"),
        UniqueConstraint("seminar_id", "contact_id"),
        UniqueConstraint("seminar_id", "user_id"),
    )

    @property
    def title(self) -> str:
        return self.contact.name if self.contact is not None else f"{self.seminar.name}"


class Survey(Record):
    """How satisfied a customer or a dealer is, 1 to 5 each."""

    __tablename__ = "surveys"
    record_name = "surveys"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    answered_on: Mapped[date] = mapped_column(Date, nullable=False)
    quality: Mapped[int] = mapped_column(Integer, nullable=False)
    steadiness: Mapped[int] = mapped_column(Integer, nullable=False)
    delivery: Mapped[int] = mapped_column(Integer, nullable=False)
    service: Mapped[int] = mapped_column(Integer, nullable=False)
    remarks: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer] = relationship()

    @property
    def title(self) -> str:
        return f"{self.answered_on:%Y-%m-%d}"

    @property
    def asked(self) -> str:
        """dealer or customer."""
        return "dealer" if self.customer.kind == "dealer" else "customer"

    @property
    def mean_score(self) -> Decimal:
        return (Decimal(self.quality + self.steadiness + self.delivery + self.service) / 4).quantize(
            Decimal("0.01")
        )


class StaffSurvey(Record):
    """How satisfied our own people are, 1 to 5 each, without a name: no satisfied customer without them."""

    __tablename__ = "staff_surveys"
    record_name = "staff-surveys"

    answered_on: Mapped[date] = mapped_column(Date, nullable=False)
    department: Mapped[str] = mapped_column(String(80), nullable=False, index=True)
    workload: Mapped[int] = mapped_column(Integer, nullable=False)
    support: Mapped[int] = mapped_column(Integer, nullable=False)
    training: Mapped[int] = mapped_column(Integer, nullable=False)
    recognition: Mapped[int] = mapped_column(Integer, nullable=False)
    remarks: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return f"{self.answered_on:%Y-%m-%d} {self.department}"

    @property
    def mean_score(self) -> Decimal:
        return (Decimal(self.workload + self.support + self.training + self.recognition) / 4).quantize(
            Decimal("0.01")
        )


class AdviceCard(Record):
    """A page of advice on using cement, in one language. Cards of one rule say the same in several languages."""

    __tablename__ = "advice_cards"
    record_name = "advice-cards"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    language: Mapped[str] = mapped_column(String(8), nullable=False, index=True)
    body: Mapped[str] = mapped_column(Text, nullable=False)
    #: What the cards of several languages have in common.
    rule: Mapped[str | None] = mapped_column(String(40), index=True)
    #: Conditions of lims/aftersales/advice.py that bring the card up, and categories of complaints; comma-separated.
    conditions: Mapped[str | None] = mapped_column(String(200))
    categories: Mapped[str | None] = mapped_column(String(200))

    @property
    def title(self) -> str:
        return self.name


class ServiceSettings(Record):
    """What the service promises, and how it is measured: one row; lims/aftersales/promises.py has the defaults."""

    __tablename__ = "service_settings"
    record_name = "service-settings"

    answer_minutes: Mapped[int] = mapped_column(Integer, nullable=False)
    on_site_minutes: Mapped[int] = mapped_column(Integer, nullable=False)
    solve_minutes: Mapped[int] = mapped_column(Integer, nullable=False)
    #: calendar or working
    time_kind: Mapped[str] = mapped_column(String(10), nullable=False)
    #: Seven entries from Monday, "08:00-17:30" or "-", separated by commas.
    hours: Mapped[str] = mapped_column(String(120), nullable=False)
    #: Roles that are told when a clock runs out, separated by commas.
    escalate_to: Mapped[str] = mapped_column(String(200), nullable=False)
    #: Days between visits by the customer's stage.
    visit_prospect_days: Mapped[int] = mapped_column(Integer, nullable=False)
    visit_trial_days: Mapped[int] = mapped_column(Integer, nullable=False)
    visit_active_days: Mapped[int] = mapped_column(Integer, nullable=False)
    visit_lapsed_days: Mapped[int] = mapped_column(Integer, nullable=False)
    #: Weights of a service person's score.
    weight_clocks: Mapped[int] = mapped_column(Integer, nullable=False)
    weight_visits: Mapped[int] = mapped_column(Integer, nullable=False)
    weight_satisfaction: Mapped[int] = mapped_column(Integer, nullable=False)


class Holiday(Record):
    """A free day, or a working day that would be free (调休)."""

    __tablename__ = "holidays"
    record_name = "holidays"

    day: Mapped[date] = mapped_column(Date, nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False)
    #: Worked by the hours of a Monday.
    working: Mapped[bool] = mapped_column(Boolean, nullable=False)


def in_own_language(english: str, simplified: str | None, traditional: str | None) -> str:
    """Text that is data in three languages, as the reader's language has it."""
    language = reading_language()
    if language == "en":
        return english
    return (traditional if language == "zh_TW" else simplified) or simplified or english


attach(Complaint.__table__)
