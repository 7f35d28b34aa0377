"""Who is told when a complaint's clock runs out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_appbuilder.security.sqla.models import Role, User
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, or_, select

from lims.aftersales.models import (
    OPEN_STATES,
    Complaint,
    Escalation,
)
from lims.aftersales.promises import promises
from lims.aftersales.schemas import (
    CLOCKS,
)
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, locked_row, transaction
from lims.base.display import show_time
from lims.base.laboratory import laboratory
from lims.base.services import RecordService
from lims.customers.regions import seen_through, seen_within, would_see
from lims.mail.service import write_mail


def escalate(actor: Actor, now: datetime | None = None) -> int:
    """Tell the named roles of every clock that has run out, once for each: of them who may know of the customer. Returns how
    many clocks."""
    now = now or utc_now()
    session = current_session()
    late = list(session.scalars(_late_complaints(now)).unique())
    count = 0
    for complaint in late:
        for clock in complaint.clocks:
            if clock.done_at is not None or clock.due_at is None or clock.due_at > now:
                continue
            count += _escalate_one(complaint.id, clock.name, clock.due_at, actor)
    return count


def something_is_late(now: datetime) -> bool:
    """Is there a clock to escalate? One statement."""
    return (
        current_session().scalar(_late_complaints(now).with_only_columns(Complaint.id).limit(1)) is not None
    )


def _late_complaints(now: datetime) -> Any:
    def told(clock: str, due: Any) -> Any:
        return (
            select(Escalation.id)
            .where(
                Escalation.complaint_id == Complaint.id, Escalation.clock == clock, Escalation.due_at == due
            )
            .exists()
        )

    unanswered = and_(Complaint.answered_at.is_(None), Complaint.answer_due_at < now)
    away = and_(Complaint.on_site_at.is_(None), Complaint.solved_at.is_(None), Complaint.on_site_due_at < now)
    unsolved = and_(Complaint.solved_at.is_(None), Complaint.solve_due_at < now)
    return select(Complaint).where(
        Complaint.state.in_(OPEN_STATES),
        Complaint.retired_at.is_(None),
        or_(
            and_(unanswered, ~told("answer", Complaint.answer_due_at)),
            and_(away, ~told("on_site", Complaint.on_site_due_at)),
            and_(unsolved, ~told("solve", Complaint.solve_due_at)),
        ),
    )


def _escalate_one(complaint_id: int, clock: str, due_at: datetime, actor: Actor) -> int:
    roles = promises().escalate_to
    with transaction(actor, "clock ran out") as session:
        # Held, so that two rounds at once write one record.
        complaint = locked_row(Complaint, complaint_id)
        known = session.scalar(
            select(Escalation.id).where(
                Escalation.complaint_id == complaint_id,
                Escalation.clock == clock,
                Escalation.due_at == due_at,
            )
        )
        # Done since the round looked: nobody is told that it is late.
        clocks = complaint.clocks if complaint is not None and complaint.is_open else []
        runs = any(c.name == clock and c.due_at == due_at and c.done_at is None for c in clocks)
        if known is not None or complaint is None or not runs:
            return 0
        people = session.scalars(
            select(User).join(User.roles).where(Role.name.in_(roles), User.active.is_(True)).order_by(User.id)
        ).unique()
        told = 0
        with force_locale(laboratory().language):
            for user in people:
                if not would_see(user.id, complaint.customer):
                    continue
                write_mail(
                    f"complaint:{complaint_id}:{clock}:{due_at:%Y%m%dT%H%M}:{user.id}",
                    user.email,
                    _(
                        "Clock ran out: %(code)s, %(clock)s",
                        code=complaint.code,
                        clock=CLOCKS[clock],
                    ),
                    _(
                        "%(code)s %(subject)s (%(customer)s)\n\n%(clock)s was due at %(time)s and is not done.",
                        code=complaint.code,
                        subject=complaint.subject,
                        customer=complaint.customer.name,
                        clock=CLOCKS[clock],
                        time=show_time(due_at),
                    ),
                    actor,
                )
                told += 1
        session.add(
            Escalation(
                complaint_id=complaint_id, clock=clock, due_at=due_at, roles=", ".join(roles)[:200], told=told
            )
        )
        session.flush()
    return 1


class EscalationService(RecordService[Escalation]):
    record = Escalation
    search_columns = ("complaint.code", "complaint.subject")
    filter_columns = ("complaint_id", "clock")
    order_columns = ("created_at", "due_at")
    shown_relations = ("complaint",)
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(Escalation.complaint_id, Complaint, seen_through(Complaint.customer_id))
