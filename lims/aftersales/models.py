"""What happens after the sale: visits, complaints against a clock, retests, seminars, surveys, advice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime, utc_now
from lims.base.records import Key, Record
from lims.customers.models import Customer, Site
from lims.materials.models import CementLot

#: The service promise of the source document: an answer within a day, on the spot within three.
ANSWER_WITHIN = timedelta(hours=24)
ON_SITE_WITHIN = timedelta(hours=72)


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

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.visited_on:%Y-%m-%d} {self.purpose}"

    @property
    def follow_up_open(self) -> bool:
        return self.follow_up_on is not None and self.followed_up_on is None


class Complaint(Record):
    """A complaint and its clock. States follow the times that are set, so they cannot disagree."""

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
    cause: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    cement_lot: Mapped[CementLot | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.code} {self.subject}"

    @property
    def state(self) -> str:
        """open, answered or closed."""
        return "closed" if self.closed_at else "answered" if self.answered_at else "open"

    @property
    def answer_due_at(self) -> datetime:
        return self.received_at + ANSWER_WITHIN

    @property
    def on_site_due_at(self) -> datetime:
        return self.received_at + ON_SITE_WITHIN

    @property
    def overdue(self) -> bool:
        """Has a promised time passed without the step?"""
        now = utc_now()
        late_answer = self.answered_at is None and now > self.answer_due_at
        late_visit = self.on_site_at is None and now > self.on_site_due_at
        return self.closed_at is None and (late_answer or late_visit)


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

    cement_lot: Mapped[CementLot] = relationship()
    complaint: Mapped[Complaint | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.ordered_on:%Y-%m-%d}"


class Seminar(Record):
    """A course for customers."""

    __tablename__ = "seminars"
    record_name = "seminars"

    name: Mapped[str] = mapped_column(String(200), nullable=False)
    held_on: Mapped[date] = mapped_column(Date, nullable=False)
    place: Mapped[str | None] = mapped_column(String(200))
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    participants: Mapped[int | None] = mapped_column(Integer)
    topics: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer | None] = relationship()


class Survey(Record):
    """How satisfied a customer is, 1 to 5 each."""

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
    def mean_score(self) -> Decimal:
        return (Decimal(self.quality + self.steadiness + self.delivery + self.service) / 4).quantize(
            Decimal("0.01")
        )


class AdviceCard(Record):
    """A page of advice on using cement, in one language."""

    __tablename__ = "advice_cards"
    record_name = "advice-cards"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    language: Mapped[str] = mapped_column(String(8), nullable=False, index=True)
    body: Mapped[str] = mapped_column(Text, nullable=False)

    @property
    def title(self) -> str:
        return self.name
