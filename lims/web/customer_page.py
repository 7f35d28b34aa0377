"""Everything about a customer in the order of time, and the people one can call there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, select

from lims.aftersales.models import (
    OPEN_STATES,
    Complaint,
    Delivery,
    Objection,
    Seminar,
    Survey,
    Visit,
    VisitPlan,
)
from lims.aftersales.schemas import STATES
from lims.base.database import current_session
from lims.base.display import format_decimal, local_time
from lims.base.records import Record
from lims.base.security import may
from lims.base.services import SERVICES
from lims.base.views import address_of
from lims.customers.models import Contact, Customer, ScaleCheck, StageChange, UsageCard, UsageNote
from lims.customers.schemas import CONTACT_ROLES, CUSTOMER_STATUS, LAPSE_REASONS
from lims.sharing.models import ShareLink
from lims.trials.models import Trial
from lims.trials.schemas import TRIAL_STATES

#: Of each kind, and of the whole line.
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Event:
    """One point of the time line. `mark` is good, bad or plain."""

    day: date
    kind: str
    icon: str
    title: str
    href: str
    about: str = ""
    state: str = ""
    state_key: str = ""
    mark: str = "plain"


def customer_context(customer: Customer) -> dict[str, Any]:
    """The time line, the figures above it and the people: one statement for each kind that may be read."""
    events: list[Event] = []

    def of(record: type[Any], *conditions: Any) -> list[Any]:
        if not may("read", record.record_name):
            return []
        query = select(record).where(*_seen(record, *conditions))
        return list(current_session().scalars(query.order_by(record.id.desc()).limit(SHOWN)))

    def number(found: list[Any], record: type[Any], *conditions: Any) -> int:
        """Of what `of` gave, and of what it left out."""
        if len(found) < SHOWN:
            return len(found)
        seen = _seen(record, record.customer_id == customer.id, *conditions)
        return current_session().scalar(select(func.count()).select_from(record).where(*seen)) or 0

    def add(item: Record, day: date | None, kind: str, icon: str, title: str = "", **more: str) -> None:
        day = day or local_time(item.created_at).date()
        events.append(Event(day, kind, icon, title or item.title, address_of(item), **more))

    trials = of(Trial, Trial.customer_id == customer.id)
    complaints = of(Complaint, Complaint.customer_id == customer.id)
    visits = of(Visit, Visit.customer_id == customer.id)
    surveys = of(Survey, Survey.customer_id == customer.id)
    deliveries = of(Delivery, Delivery.customer_id == customer.id)
    cards = of(UsageCard, UsageCard.customer_id == customer.id)
    card_ids = [card.id for card in cards]
    for trial in trials:
        add(
            trial, trial.started_on, _("Trial"), "flask", about=trial.purpose or "",
            state=str(TRIAL_STATES[trial.state]), state_key=trial.state,
        )  # fmt: skip
    for visit in visits:
        add(visit, visit.visited_on, _("Visit"), "route", title=visit.purpose, about=visit.findings or "")
    for complaint in complaints:
        add(
            complaint,
            local_time(complaint.received_at).date(),
            _("Complaint"),
            "alert",
            about=complaint.cause or complaint.description or "",
            state=str(STATES[complaint.state]),
            state_key=complaint.state,
            mark="bad" if complaint.is_open else "plain",
        )
    for objection in of(Objection, Objection.customer_id == customer.id):
        add(objection, objection.raised_on, _("Objection"), "flag", about=objection.claim)
    for card in cards:
        about = _("%(mass)s kg/m³", mass=format_decimal(card.dosage_kg_m3)) if card.dosage_kg_m3 else ""
        add(card, card.recorded_on, _("Usage card"), "clipboard", about=about)
    for check in of(ScaleCheck, ScaleCheck.usage_card_id.in_(card_ids)) if card_ids else []:
        add(
            check,
            check.checked_on,
            _("Customer's scale"),
            "scale",
            title=check.scale,
            about=_(
                "delivered %(percent)s %% of what it showed", percent=format_decimal(check.delivered_percent)
            ),
            mark="bad" if check.wrong else "good",
        )
    for note in of(UsageNote, UsageNote.usage_card_id.in_(card_ids)) if card_ids else []:
        kind = _("Problem") if note.kind == "problem" else _("Follow-up")
        add(note, note.noted_on, kind, "eye", title=note.seen[:90], about=note.answer or "")
    for survey in surveys:
        score = _("mean %(score)s of 5", score=survey.mean_score)
        add(survey, survey.answered_on, _("Survey"), "star", title=score, about=survey.remarks or "")
    for delivery in deliveries:
        add(
            delivery,
            local_time(delivery.delivered_at).date(),
            _("Delivery"),
            "truck",
            about=_("%(mass)s t", mass=format_decimal(delivery.mass_t)),
        )
    for plan in of(VisitPlan, VisitPlan.customer_id == customer.id, VisitPlan.visit_id.is_(None)):
        if plan.dropped_reason is None:
            add(plan, plan.planned_on, _("Planned visit"), "calendar", title=plan.purpose)
    for seminar in of(Seminar, Seminar.customer_id == customer.id):
        add(seminar, seminar.held_on, _("Seminar"), "school")
    for link in of(ShareLink, ShareLink.customer_id == customer.id):
        add(link, None, _("Share"), "share", state=_("live") if link.live else _("ended"))
    for change in of(StageChange, StageChange.customer_id == customer.id):
        reason = str(LAPSE_REASONS.get(change.reason or "", ""))
        mark = {"active": "good", "lapsed": "bad"}.get(change.after, "plain")
        stage = str(CUSTOMER_STATUS[change.after])
        add(change, None, _("Stage"), "arrow-up", title=stage, about=reason, mark=mark)
    events.sort(key=lambda event: event.day, reverse=True)
    return {
        "events": events[:SHOWN],
        "people": of(Contact, Contact.customer_id == customer.id),
        "contact_roles": CONTACT_ROLES,
        "first_uses": [card for card in cards if card.followed_until_normal],
        "customer_figures": [
            (_("Trials"), number(trials, Trial)),
            (_("Visits"), number(visits, Visit)),
            (
                _("Open complaints"),
                number(complaints, Complaint, Complaint.state.in_(OPEN_STATES))
                if len(complaints) == SHOWN
                else sum(1 for item in complaints if item.is_open),
            ),
            (_("Surveys"), number(surveys, Survey)),
        ],
    }


def _seen(record: type[Any], *conditions: Any) -> list[ColumnElement[bool]]:
    """In use, and known to the asking person."""
    return [record.retired_at.is_(None), *conditions, *SERVICES[record.record_name].visible()]
