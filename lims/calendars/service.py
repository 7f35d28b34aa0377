"""Making and revoking calendar addresses, and what a calendar holds."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from flask import g
from flask_appbuilder.security.sqla.models import User
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from icalendar import Calendar, Event
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import joinedload

from lims.accounts.demo import has_printed_password
from lims.aftersales.models import Visit, VisitPlan
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_time, local_today
from lims.base.fields import Text, Ui
from lims.base.laboratory import laboratory
from lims.base.problems import refuse
from lims.base.repeats import add_once
from lims.base.schemas import Schema
from lims.base.security import may, principal
from lims.base.services import SERVICES, RecordService
from lims.calendars.models import CalendarFeed
from lims.comparison.programme import calendar_entries
from lims.maintenance.models import MaintenancePlan
from lims.results.equipment import in_force
from lims.results.models import Calibration
from lims.trials.models import SpecimenSet

#: What a calendar shows of the past and of the future.
BEHIND, AHEAD = timedelta(days=14), timedelta(days=120)
#: Entries of one kind; a telephone reads the whole file each time.
MOST = 400
#: Codes of sets that stand in one day's entry.
MOST_CODES = 40
#: Addresses of one person.
MOST_FEEDS = 10


class CalendarFeedIn(Schema):
    name: Annotated[
        str, Text(80), Ui(_l("For"), help=_l("For yourself: which telephone or program reads it"))
    ]


class CalendarFeedService(RecordService[CalendarFeed]):
    """Everybody has their own and sees no others."""

    record = CalendarFeed
    schema = CalendarFeedIn
    search_columns = ("name",)
    order_columns = ("created_at", "name")
    retirable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        user = principal()
        return [] if user is None else [CalendarFeed.user_id == user.id]

    def before_add(self, record: CalendarFeed, values: CalendarFeedIn, actor: Actor) -> None:
        if actor.user_id is None:
            raise refuse("", _("a calendar belongs to a person"))
        mine = select(CalendarFeed).where(
            CalendarFeed.user_id == actor.user_id, CalendarFeed.revoked_at.is_(None)
        )
        if len(list(current_session().scalars(mine))) >= MOST_FEEDS:
            raise refuse("name", _("is one too many; accepted: up to %(most)s addresses", most=MOST_FEEDS))
        record.user_id = actor.user_id
        # Handed out by `create`; an address made otherwise is one that nobody knows.
        record.token_sha256 = hash_token(secrets.token_urlsafe(32))

    def create(self, name: str, actor: Actor, key: str = "") -> tuple[CalendarFeed, str]:
        """An address and its token, shown once. With a key (lims.base.repeats) that made an address before: that one, and ""
        for its token. Raises: Refused."""
        token = ""

        def add(data: Mapping[str, Any], actor: Actor) -> CalendarFeed:
            nonlocal token
            token = secrets.token_urlsafe(32)
            feed = self.add(data, actor)
            feed.token_sha256 = hash_token(token)
            current_session().flush()
            return feed

        with transaction(actor, "calendar"):
            feed = add_once(self, {"name": name}, actor, key, add)
        return feed, token

    def revoke(self, feed_id: int, actor: Actor) -> CalendarFeed:
        """The address answers nothing from the next request on. Raises: NotFound."""
        with transaction(actor, "calendar revoked") as session:
            feed: CalendarFeed = self.locked(session, feed_id)
            feed.revoked_at = feed.revoked_at or utc_now()
            session.flush()
        return feed


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def reader_of(token: str) -> User | None:
    """Whose calendar this token opens; None for unknown, revoked, disabled and what anybody may have made in a demonstration
    alike."""
    session = current_session()
    feed = session.scalars(
        select(CalendarFeed).where(CalendarFeed.token_sha256 == hash_token(token))
    ).one_or_none()
    if feed is None or not feed.live:
        return None
    user = session.get(User, feed.user_id)
    return user if user is not None and user.active and not has_printed_password(user) else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One day's entry, or that of the days to `until`. `key` stays the same when the entry changes, so that calendars
    replace it."""

    key: str
    day: date
    title: str
    about: str
    changed_at: datetime
    until: date | None = None


def calendar_of(user: User) -> bytes:
    """Everything due for this person that they may read, as an iCalendar file."""
    g.user = user  # rights and regions are this person's
    made = Calendar()
    made.add("prodid", "-//lims//calendar//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", laboratory().name or _("Concrete trials"))
    made.add("x-wr-timezone", laboratory().timezone)
    for entry in entries(user.id):
        event = Event()
        event.add("uid", f"{entry.key}@lims")
        event.add("dtstamp", entry.changed_at)
        event.add("dtstart", entry.day)
        event.add("dtend", (entry.until or entry.day) + timedelta(days=1))  # the first day after it
        event.add("summary", entry.title)
        if entry.about:
            event.add("description", entry.about)
        event.add("transp", "TRANSPARENT")
        made.add_component(event)
    content: bytes = made.to_ical()
    return content


def entries(user_id: int) -> Iterator[Entry]:
    """Visits, call-backs, sets due, calibrations, maintenance and the weekly programme around today."""
    today = local_today()
    first, last = today - BEHIND, today + AHEAD
    session = current_session()
    if may("read", "visit-plans"):
        plans = (
            select(VisitPlan)
            .where(
                VisitPlan.planned_on.between(first, last),
                VisitPlan.visit_id.is_(None),
                VisitPlan.dropped_reason.is_(None),
                VisitPlan.retired_at.is_(None),
                or_(VisitPlan.user_id.is_(None), VisitPlan.user_id == user_id),
                *SERVICES["visit-plans"].visible(),
            )
            .options(joinedload(VisitPlan.customer), joinedload(VisitPlan.site))
        )
        for plan in session.scalars(plans.order_by(VisitPlan.planned_on).limit(MOST)):
            place = plan.site.name if plan.site is not None else ""
            yield Entry(
                f"visit-plan-{plan.id}",
                plan.planned_on,
                _("Visit: %(customer)s", customer=plan.customer.name),
                "\n".join(part for part in (plan.purpose, place) if part),
                plan.changed_at,
            )
    if may("read", "visits"):
        visits = (
            select(Visit)
            .where(
                Visit.follow_up_on.between(first, last),
                Visit.followed_up_on.is_(None),
                Visit.retired_at.is_(None),
                or_(Visit.user_id.is_(None), Visit.user_id == user_id),
                *SERVICES["visits"].visible(),
            )
            .options(joinedload(Visit.customer))
        )
        for visit in session.scalars(visits.order_by(Visit.follow_up_on).limit(MOST)):
            assert visit.follow_up_on is not None  # the conditions leave no others
            yield Entry(
                f"visit-{visit.id}",
                visit.follow_up_on,
                _("Call back: %(customer)s", customer=visit.customer.name),
                visit.purpose,
                visit.changed_at,
            )
    yield from _sets(first, last)
    yield from _equipment(first, last)
    if may("read", "programme-entries"):
        now = utc_now()
        for planned in calendar_entries(first, last)[:MOST]:
            yield Entry(planned.uid, planned.day, planned.title, planned.about, now, planned.until)


def _sets(first: date, last: date) -> Iterator[Entry]:
    if not may("read", "specimen-sets"):
        return
    by_day: dict[date, list[SpecimenSet]] = defaultdict(list)
    since = utc_now() - BEHIND
    query = (
        select(SpecimenSet)
        .where(
            SpecimenSet.state == "waiting",
            SpecimenSet.due_at.between(since, utc_now() + AHEAD),
            *SERVICES["specimen-sets"].visible(),
        )
        .order_by(SpecimenSet.due_at)
        .limit(10 * MOST)
    )
    for found in current_session().scalars(query).unique():
        assert found.due_at is not None
        by_day[local_time(found.due_at).date()].append(found)
    for day, sets in sorted(by_day.items()):
        if first <= day <= last:
            codes = [found.code for found in sets]
            more = [f"+ {len(codes) - MOST_CODES}"] if len(codes) > MOST_CODES else []
            yield Entry(
                f"sets-{day:%Y%m%d}",
                day,
                ngettext("%(num)s set to break", "%(num)s sets to break", len(sets)),
                "\n".join(codes[:MOST_CODES] + more),
                max(found.changed_at for found in sets),
            )


def _equipment(first: date, last: date) -> Iterator[Entry]:
    session = current_session()
    if may("read", "calibrations"):
        query = (
            select(Calibration)
            .where(Calibration.due_on.between(first, last), *in_force())
            .options(
                joinedload(Calibration.press), joinedload(Calibration.scale), joinedload(Calibration.mould)
            )
        )
        for item in session.scalars(query.order_by(Calibration.due_on).limit(MOST)):
            yield Entry(
                f"calibration-{item.id}",
                item.due_on,
                _("Calibration runs out: %(device)s", device=item.device),
                item.certificate_number,
                item.changed_at,
            )
    if may("read", "maintenance-plans"):
        plans = select(MaintenancePlan).where(
            MaintenancePlan.next_due_on.between(first, last), MaintenancePlan.retired_at.is_(None)
        )
        for plan in session.scalars(plans.order_by(MaintenancePlan.next_due_on).limit(MOST)):
            yield Entry(
                f"maintenance-{plan.id}-{plan.next_due_on:%Y%m%d}",
                plan.next_due_on,
                _("Maintenance: %(device)s", device=plan.device),
                plan.name,
                plan.changed_at,
            )
