"""Everything about a customer in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select

from lims.aftersales.models import Complaint, Survey, Visit
from lims.base.database import current_session
from lims.base.display import local_time
from lims.base.records import Record
from lims.base.security import may
from lims.base.views import address_of
from lims.customers.models import Customer, UsageCard
from lims.sharing.models import ShareLink
from lims.trials.models import Trial

SHOWN = 40


@dataclass(frozen=True, slots=True)
class Event:
    """One point of the time line."""

    day: date
    kind: str
    icon: str
    title: str
    href: str
    about: str = ""
    state: str = ""


def customer_context(customer: Customer) -> dict[str, Any]:
    """The time line and the figures above it: one statement for each kind that may be read."""
    session = current_session()
    events: list[Event] = []

    def of(record: type[Any]) -> list[Any]:
        if not may("read", record.record_name):
            return []
        query = select(record).where(record.customer_id == customer.id, record.retired_at.is_(None))
        return list(session.scalars(query.order_by(record.id.desc()).limit(SHOWN)))

    def add(item: Record, day: date | None, kind: str, icon: str, about: str = "", state: str = "") -> None:
        events.append(
            Event(
                day or local_time(item.created_at).date(),
                kind,
                icon,
                item.title,
                address_of(item),
                about,
                state,
            )
        )

    trials, complaints, visits = of(Trial), of(Complaint), of(Visit)
    for trial in trials:
        add(trial, trial.started_on, _("Trial"), "flask", trial.purpose or "", trial.state)
    for visit in visits:
        add(visit, visit.visited_on, _("Visit"), "truck", visit.findings or "")
    for complaint in complaints:
        add(
            complaint,
            local_time(complaint.received_at).date(),
            _("Complaint"),
            "alert",
            complaint.cause or complaint.description or "",
            complaint.state,
        )
    for card in of(UsageCard):
        add(card, card.recorded_on, _("Usage card"), "clipboard", card.purpose)
    for survey in of(Survey):
        add(
            survey, survey.answered_on, _("Survey"), "star", _("mean %(score)s of 5", score=survey.mean_score)
        )
    for link in of(ShareLink):
        add(link, None, _("Share"), "share", "", "active" if link.live else "lapsed")
    events.sort(key=lambda event: event.day, reverse=True)
    surveys = [event for event in events if event.icon == "star"]
    return {
        "events": events[:SHOWN],
        "customer_figures": [
            (_("Trials"), len(trials)),
            (_("Visits"), len(visits)),
            (_("Open complaints"), sum(1 for item in complaints if item.closed_at is None)),
            (_("Surveys"), len(surveys)),
        ],
    }
