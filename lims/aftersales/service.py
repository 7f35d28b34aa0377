"""Every write of the after-sales service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import Role, User
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session

from lims.accounts.roles import ROLES
from lims.aftersales.clocks import due_after
from lims.aftersales.models import (
    OPEN_STATES,
    AdviceCard,
    Attendance,
    ChecklistItem,
    Complaint,
    ComplaintFact,
    ComplaintLot,
    Delivery,
    Escalation,
    Holiday,
    Objection,
    Photo,
    Retest,
    Seminar,
    ServiceSettings,
    StaffSurvey,
    Survey,
    Visit,
    VisitPlan,
)
from lims.aftersales.promises import forget_promises, promises
from lims.aftersales.schemas import (
    CLOCKS,
    OBJECTION_STATES,
    STATES,
    AdviceCardIn,
    AgreementIn,
    AnswerIn,
    ArrivalIn,
    AttendanceIn,
    ChecklistItemIn,
    ComplaintEdit,
    ComplaintFactIn,
    ComplaintIn,
    ComplaintLotIn,
    DeliveryIn,
    FindingsIn,
    HolidayIn,
    ObjectionEdit,
    ObjectionIn,
    ObjectionTestIn,
    PhotoEdit,
    ReasonIn,
    RetestIn,
    SamplingIn,
    SeminarIn,
    ServiceSettingsIn,
    SolvedIn,
    StaffSurveyIn,
    SurveyIn,
    VerdictIn,
    VisitIn,
    VisitPlanIn,
)
from lims.aftersales.triggers import NEXT_STATES
from lims.base.actor import Actor
from lims.base.auditing.erasure import forget
from lims.base.columns import utc_now
from lims.base.database import among, current_session, transaction
from lims.base.display import form_text, local_day, local_time, local_today, show_day, show_time
from lims.base.laboratory import laboratory
from lims.base.numbering import next_code
from lims.base.problems import Conflict, Problem, Refused, refuse
from lims.base.schemas import Input, Schema
from lims.base.services import LARGEST_KEY, RecordService, require_past
from lims.customers.models import Contact, Customer
from lims.customers.regions import seen_customers, seen_through, seen_within
from lims.customers.service import ERASED_TOO, require_own_site
from lims.mail.service import write_mail
from lims.materials.models import CementTest

#: A clock of a telephone or a laboratory PC may run a little ahead.
CLOCK_SLACK = timedelta(minutes=5)
#: Deliveries so far before a complaint are proposed as its lots.
LOTS_OF_LAST = timedelta(days=90)
PROPOSED_LOTS = 8
#: A visit within so many days of a plan does it.
PLAN_REACH_DAYS = 31


class DeliveryService(RecordService[Delivery]):
    record = Delivery
    schema = DeliveryIn
    search_columns = ("code", "order_number", "vehicle", "customer.name", "cement_lot.code")
    filter_columns = ("customer_id", "site_id", "cement_lot_id", "packing")
    order_columns = ("delivered_at", "code", "mass_t")
    shown_relations = ("customer", "site", "cement_lot")
    default_order = "-delivered_at"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Delivery.customer_id)

    def check(self, record: Delivery) -> None:
        require_own_site(record.customer_id, record.site_id)


class VisitService(RecordService[Visit]):
    record = Visit
    schema = VisitIn
    search_columns = ("purpose", "findings", "customer.name")
    filter_columns = ("customer_id", "site_id", "user_id", "complaint_id", "satisfaction")
    order_columns = ("visited_on", "follow_up_on", "satisfaction")
    shown_relations = ("customer", "site", "complaint")
    default_order = "-visited_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Visit.customer_id)

    def check(self, record: Visit) -> None:
        require_past("visited_on", record.visited_on)
        require_own_site(record.customer_id, record.site_id)
        if record.complaint_id is not None:
            complaint = current_session().get(Complaint, record.complaint_id)
            if complaint is not None and complaint.customer_id != record.customer_id:
                raise refuse("complaint_id", _("is of another customer"), complaint.code)

    def after_add(self, record: Visit, values: VisitIn, actor: Actor) -> None:
        if record.user_id is None:
            record.user_id = actor.user_id
        self._do_plan(record.id, record.customer_id, record.visited_on)

    def before_edit(self, record: Visit, values: VisitIn, actor: Actor) -> None:
        """A visit that was another customer's did that one's plan. Any other correction leaves the plans alone: one that
        was made since is for the next visit."""
        if values.customer_id != record.customer_id:
            self._free_plans(record.id)
            self._do_plan(record.id, values.customer_id, values.visited_on)

    def before_retire(self, record: Visit, actor: Actor) -> None:
        self._free_plans(record.id)

    def before_restore(self, record: Visit, actor: Actor) -> None:
        if record.retired_at is not None:
            self._do_plan(record.id, record.customer_id, record.visited_on)

    def _do_plan(self, visit_id: int, customer_id: int, visited_on: date) -> None:
        """The open plan of this customer that lies nearest is done by this visit."""
        open_plans = self._held_plans(
            VisitPlan.customer_id == customer_id,
            VisitPlan.visit_id.is_(None),
            VisitPlan.dropped_reason.is_(None),
            VisitPlan.retired_at.is_(None),
        )
        near = min(open_plans, key=lambda p: abs((p.planned_on - visited_on).days), default=None)
        if near is not None and abs((near.planned_on - visited_on).days) <= PLAN_REACH_DAYS:
            near.visit_id = visit_id

    def _free_plans(self, visit_id: int) -> None:
        """What this visit did is to be done again."""
        for plan in self._held_plans(VisitPlan.visit_id == visit_id):
            plan.visit_id = None

    def _held_plans(self, *conditions: ColumnElement[bool]) -> Sequence[VisitPlan]:
        """Held, so that of two visits at once one does the plan and the other finds it done."""
        query = select(VisitPlan).where(*conditions).order_by(VisitPlan.id).with_for_update()
        return current_session().scalars(query.execution_options(populate_existing=True)).all()


class VisitPlanService(RecordService[VisitPlan]):
    record = VisitPlan
    schema = VisitPlanIn
    search_columns = ("purpose", "customer.name")
    filter_columns = ("customer_id", "site_id", "user_id")
    order_columns = ("planned_on",)
    shown_relations = ("customer", "site", "visit")
    default_order = "planned_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(VisitPlan.customer_id)

    def check(self, record: VisitPlan) -> None:
        require_own_site(record.customer_id, record.site_id)
        if record.visit_id is not None:
            visit = current_session().get(Visit, record.visit_id)
            if visit is not None and visit.customer_id != record.customer_id:
                raise refuse("visit_id", _("is of another customer"), visit.title)

    def propose(self, month: date) -> list[tuple[Customer, date, date | None]]:
        """Customers to be visited in the month of this day: (customer, day, last visit), the most urgent first.

        A customer's next visit follows the last one by the days of its stage; who was never visited is due at once.
        Who has an open plan in or before the month is left out.
        """
        first = month.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        # A weekend at its end moves to a Monday of the next month.
        last_day = workday(after - timedelta(days=1))
        session = current_session()
        last = (
            select(Visit.customer_id, func.max(Visit.visited_on).label("day"))
            .where(Visit.retired_at.is_(None))
            .group_by(Visit.customer_id)
            .subquery()
        )
        planned = select(VisitPlan.customer_id).where(
            VisitPlan.planned_on <= last_day,
            VisitPlan.visit_id.is_(None),
            VisitPlan.dropped_reason.is_(None),
            VisitPlan.retired_at.is_(None),
        )
        rows = session.execute(
            select(Customer, last.c.day)
            .outerjoin(last, last.c.customer_id == Customer.id)
            .where(Customer.retired_at.is_(None), Customer.id.not_in(planned), *seen_customers())
        )
        days = promises().visit_days
        today = local_today()
        found = []
        for customer, visited in rows:
            due = max(first, today) if visited is None else visited + timedelta(days=days[customer.status])
            if due < after:
                found.append((customer, workday(max(due, first, today)), visited))
        found.sort(key=lambda item: (item[2] or date.min, item[0].name))
        return found

    def plan_proposed(self, month: date, customer_ids: Sequence[int], actor: Actor) -> int:
        """Make plans of what is proposed for these customers. Returns how many."""
        wanted = {key for key in customer_ids if 0 < key <= LARGEST_KEY}
        with transaction(actor, "visits planned") as session:
            # Held: who was planned for by somebody else, or by the click before, is proposed no more.
            held = select(Customer.id).where(among(Customer.id, wanted)).order_by(Customer.id)
            session.execute(held.with_for_update())
            proposed = [item for item in self.propose(month) if item[0].id in wanted]
            for customer, day, _last in proposed:
                self.add(
                    VisitPlanIn.read(
                        {
                            "customer_id": customer.id,
                            "planned_on": day,
                            "user_id": customer.owner_id,
                            "purpose": _("Regular visit"),
                        }
                    ),
                    actor,
                )
        return len(proposed)


def workday(day: date) -> date:
    """This day, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)


class PhotoService(RecordService[Photo]):
    """Pictures come in by lims/aftersales/photos.py; what is written under one may change."""

    record = Photo
    schema = PhotoEdit
    edit_schema = PhotoEdit
    search_columns = ("name", "caption")
    filter_columns = ("visit_id", "complaint_id")
    order_columns = ("id", "name")
    shown_relations = ("visit", "complaint")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        of_customer = seen_through(Visit.customer_id)
        return [
            *seen_within(Photo.visit_id, Visit, of_customer),
            *seen_within(Photo.complaint_id, Complaint, seen_through(Complaint.customer_id)),
        ]

    def locked(self, session: Session, record_id: int) -> Photo:
        _hold_complaint_of(session, Photo, record_id)
        return super().locked(session, record_id)

    def before_add(self, record: Photo, values: PhotoEdit, actor: Actor) -> None:
        raise refuse("photo", _("comes with a visit or a complaint: send the picture there"))

    def changeable(self, record: Photo) -> bool:
        return record.complaint is None or record.complaint.is_open

    def before_edit(self, record: Photo, values: PhotoEdit, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)

    def before_retire(self, record: Photo, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)

    def before_restore(self, record: Photo, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)
        twin = select(Photo.id).where(
            Photo.visit_id.is_not_distinct_from(record.visit_id),
            Photo.complaint_id.is_not_distinct_from(record.complaint_id),
            Photo.stored_file_id == record.stored_file_id,
            Photo.id != record.id,
            Photo.retired_at.is_(None),
        )
        if current_session().scalar(twin.limit(1)) is not None:
            raise refuse("photo", _("is there already"), record.name)


class ComplaintService(RecordService[Complaint]):
    record = Complaint
    schema = ComplaintIn
    edit_schema = ComplaintEdit
    search_columns = (
        "code", "subject", "description", "cause", "site_facts", "answer", "remedy", "customer.name",
    )  # fmt: skip
    filter_columns = (
        "customer_id", "cement_lot_id", "severity", "channel", "site_id", "state", "category", "kind", "root_cause",
        "owner_id",
    )  # fmt: skip
    order_columns = ("code", "received_at", "severity", "closed_at", "state", "answer_due_at")
    shown_relations = ("customer", "site", "cement_lot")
    default_order = "-received_at"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Complaint.customer_id)

    def before_add(self, record: Complaint, values: ComplaintIn, actor: Actor) -> None:
        now = utc_now()
        record.received_at = values.received_at or now
        if record.received_at > now + CLOCK_SLACK:
            raise refuse(
                "received_at", _("lies in the future; accepted: a time up to now"), record.received_at
            )
        self._require_own(record)
        self._start_clocks(record)
        record.state = "received"
        if not record.code:
            year = local_day(record.received_at).year % 100
            record.code = next_code(current_session(), Complaint.code, f"complaint-{year}", f"K{year:02d}-")

    def after_add(self, record: Complaint, values: ComplaintIn, actor: Actor) -> None:
        session = current_session()
        if record.cement_lot_id is not None:
            session.add(
                ComplaintLot(complaint_id=record.id, cement_lot_id=record.cement_lot_id, part="involved")
            )
        self._open_checklist(record)
        self._tell_owner(record, actor)

    def changeable(self, record: Complaint) -> bool:
        return record.is_open

    def before_edit(self, record: Complaint, values: ComplaintEdit, actor: Actor) -> None:
        if not record.is_open:
            raise refuse("", _("is over; accepted: a new complaint that refers to it"), record.code)

    def check(self, record: Complaint) -> None:
        self._require_own(record)

    def after_edit(self, record: Complaint, values: ComplaintEdit, actor: Actor) -> None:
        self._open_checklist(record)

    # --- steps ---------------------------------------------------------------------------------------------

    # Of a form comes `opened` too: what stood in its controls when it was opened (`changed_meanwhile`).

    def answer(
        self,
        complaint_id: int,
        data: Mapping[str, Any] | Schema,
        actor: Actor,
        opened: Mapping[str, str] | None = None,
    ) -> Complaint:
        """The customer has an answer. Raises: NotFound, Refused."""
        values = _read(AnswerIn, data)
        with transaction(actor, "complaint answered") as session:
            record = self._step(session, complaint_id, "answered")
            record.answered_at = self._moment(record, values.at, record.received_at)
            self._note(record, values, opened)
            record.owner_id = record.owner_id or actor.user_id
            self._flush(session, record)
        return record

    def arrive(
        self,
        complaint_id: int,
        data: Mapping[str, Any] | Schema,
        actor: Actor,
        opened: Mapping[str, str] | None = None,
    ) -> Complaint:
        """Someone of ours is on site; the clock of the solution starts. Raises: NotFound, Refused."""
        values = _read(ArrivalIn, data)
        with transaction(actor, "on site") as session:
            record = self._step(session, complaint_id, "on_site")
            moment = self._moment(record, values.at, record.answered_at or record.received_at)
            record.on_site_at = record.on_site_at or moment
            record.answered_at = record.answered_at or moment
            record.solved_at = record.agreed_on = record.agreed_by = None
            self._note(record, values, opened)
            record.owner_id = record.owner_id or actor.user_id
            promise = promises()
            record.solve_due_at = due_after(moment, promise.solve_minutes, promise.week)
            self._flush(session, record)
        return record

    def note_findings(
        self,
        complaint_id: int,
        data: Mapping[str, Any] | Schema,
        actor: Actor,
        opened: Mapping[str, str] | None = None,
    ) -> Complaint:
        """Site facts, cause, remedy and compensation, as far as they are known. Raises: NotFound, Refused."""
        values = _read(FindingsIn, data)
        with transaction(actor, "findings") as session:
            record: Complaint = self.locked(session, complaint_id)
            self._require_open(record)
            self._note(record, values, opened)
            self._flush(session, record)
        return record

    def solve(
        self,
        complaint_id: int,
        data: Mapping[str, Any] | Schema,
        actor: Actor,
        opened: Mapping[str, str] | None = None,
    ) -> Complaint:
        """What was wrong is put right. Raises: NotFound, Refused."""
        values = _read(SolvedIn, data)
        with transaction(actor, "complaint solved") as session:
            record = self._step(session, complaint_id, "solved")
            self._note(record, values, opened)
            if not record.remedy:
                raise refuse("remedy", _("is required: what was done about it"))
            earliest = max(t for t in (record.received_at, record.answered_at, record.on_site_at) if t)
            record.solved_at = self._moment(record, values.at, earliest)
            self._flush(session, record)
        return record

    def agree(
        self,
        complaint_id: int,
        data: Mapping[str, Any] | Schema,
        actor: Actor,
        opened: Mapping[str, str] | None = None,
    ) -> Complaint:
        """The customer agrees with the solution. Raises: NotFound, Refused."""
        values = _read(AgreementIn, data)
        with transaction(actor, "customer agrees") as session:
            record: Complaint = self.locked(session, complaint_id)
            if record.state != "solved":
                raise refuse(
                    "state", _("is “%(state)s”; accepted: solved", state=STATES[record.state]), record.code
                )
            if record.solved_at and values.agreed_on < local_time(record.solved_at).date():
                raise refuse("agreed_on", _("lies before the solution"), values.agreed_on)
            if values.agreed_on > local_today():
                raise refuse("agreed_on", _("lies in the future"), values.agreed_on)
            self._note(record, values, opened)
            self._flush(session, record)
        return record

    def close(self, complaint_id: int, actor: Actor) -> Complaint:
        """Close it when every fact is there. Raises: NotFound, Refused naming each that is missing."""
        with transaction(actor, "complaint closed") as session:
            record = self._step(session, complaint_id, "closed")
            record.closed_at = utc_now()
            with session.no_autoflush:  # what is missing is named before the database refuses
                missing = self.missing_facts(record)
            if missing:
                raise Refused(missing)
            self._flush(session, record)
        return record

    def reopen(self, complaint_id: int, data: Mapping[str, Any] | Schema, actor: Actor) -> Complaint:
        """The customer does not agree: back to the site, with a new limit. Raises: NotFound, Refused."""
        values = _read(ReasonIn, data)
        with transaction(actor, values.reason) as session:
            record: Complaint = self.locked(session, complaint_id)
            if record.state != "solved":
                raise refuse(
                    "state", _("is “%(state)s”; accepted: solved", state=STATES[record.state]), record.code
                )
            now = utc_now()
            promise = promises()
            record.state = "on_site"
            # Solved without a visit, its clock of the arrival ended there: it stays kept or missed as it was.
            record.on_site_at = record.on_site_at or record.solved_at
            record.solved_at = record.agreed_on = record.agreed_by = record.satisfaction = None
            record.solve_due_at = due_after(now, promise.solve_minutes, promise.week)
            day = show_time(now)
            record.site_facts = f"{record.site_facts or ''}\n{day}: {values.reason}".strip()
            self._flush(session, record)
        return record

    def withdraw(self, complaint_id: int, data: Mapping[str, Any] | Schema, actor: Actor) -> Complaint:
        """It was none, or the customer takes it back. Raises: NotFound, Refused."""
        values = _read(ReasonIn, data)
        with transaction(actor, values.reason) as session:
            record = self._step(session, complaint_id, "withdrawn")
            record.withdrawn_reason = values.reason
            self._flush(session, record)
        return record

    def write_facts(
        self,
        complaint_id: int,
        given: Mapping[int, str],
        actor: Actor,
        opened: Mapping[int, str] | None = None,
    ) -> Complaint:
        """Values of checklist items, by the id of the item; `opened` are the values that the form was opened with.

        Of a form only what was changed in it is written: several people fill one checklist, and what one left alone
        another may have measured meanwhile. Raises: NotFound, Refused.
        """
        with transaction(actor, "checklist") as session:
            record: Complaint = self.locked(session, complaint_id)
            self._require_open(record)
            facts = session.scalars(
                select(ComplaintFact)
                .where(ComplaintFact.complaint_id == complaint_id)
                .execution_options(populate_existing=True)
            )
            by_item = {fact.checklist_item_id: fact for fact in facts}
            problems: list[Problem] = []
            for item_id, text in given.items():
                if item_id not in by_item:
                    raise refuse("fact", _("is not on the checklist of this complaint"), item_id)
                problems += self._write_fact(by_item[item_id], text, (opened or {}).get(item_id))
            if problems:
                raise Refused(problems)
            session.flush()
        return record

    def _write_fact(self, fact: ComplaintFact, text: str, opened: str | None) -> list[Problem]:
        """One value; why it is not taken. A value from a form (`opened` is what it stood there with) overwrites nothing
        that its writer did not see."""
        name = f"fact_{fact.checklist_item_id}"
        try:
            value = ComplaintFactIn.read({"value": text}).value
        except Refused as error:
            return [Problem(name, problem.message, fact.title) for problem in error.problems]
        if opened is not None:
            before = opened.strip() or None
            if value == before:
                return []
            if fact.value not in (before, value):
                message = _(
                    "was changed meanwhile to “%(theirs)s”; you typed “%(yours)s”. Save again to keep yours.",
                    theirs=fact.value or "–",
                    yours=value or "–",
                )
                return [Problem(name, message, fact.title)]
        fact.value = value
        return []

    # --- what is asked --------------------------------------------------------------------------------------

    def missing_facts(self, record: Complaint) -> list[Problem]:
        """Everything that stands between this complaint and its end."""
        session = current_session()
        problems = []
        for name, words in (
            ("root_cause", _("is required: cement, use, equipment, aggregate or weather")),
            ("cause", _("is required: what was found to be the matter")),
            ("remedy", _("is required: what was done about it")),
            ("agreed_on", _("is required: who agreed, and on which day")),
        ):
            if not getattr(record, name):
                problems.append(Problem(name, words))
        for fact in self.facts(record):
            item = fact.checklist_item
            if item.required and item.retired_at is None and not fact.value:
                problems.append(Problem("facts", _("is to be measured"), fact.title))
        open_retests = session.scalars(
            select(Retest)
            .where(Retest.complaint_id == record.id, Retest.retired_at.is_(None), Retest.outcome == "open")
            .order_by(Retest.id)
        )
        for retest in open_retests:
            problems.append(Problem("retest", _("is not finished"), retest.title))
        if record.root_cause == "cement" and not self.lots(record):
            problems.append(Problem("lots", _("is required: the cement lots it is about")))
        undecided = session.scalars(
            select(Objection.code).where(
                Objection.complaint_id == record.id,
                Objection.verdict.is_(None),
                Objection.retired_at.is_(None),
            )
        )
        problems += [Problem("objection", _("is not decided"), code) for code in undecided]
        return problems

    def facts(self, record: Complaint) -> list[ComplaintFact]:
        """The checklist in its order."""
        query = (
            select(ComplaintFact)
            .join(ChecklistItem, ChecklistItem.id == ComplaintFact.checklist_item_id)
            .where(ComplaintFact.complaint_id == record.id)
            .order_by(ChecklistItem.position, ChecklistItem.id)
        )
        facts = list(current_session().scalars(query))
        return [f for f in facts if f.value or f.checklist_item.category == record.category]

    def lots(self, record: Complaint) -> list[ComplaintLot]:
        query = select(ComplaintLot).where(
            ComplaintLot.complaint_id == record.id, ComplaintLot.retired_at.is_(None)
        )
        return list(current_session().scalars(query.order_by(ComplaintLot.id)))

    def proposed_lots(self, record: Complaint) -> list[Delivery]:
        """Deliveries to this site (or, without one, to this customer) before the complaint, the latest first, of lots
        that it does not name yet."""
        known = {item.cement_lot_id for item in self.lots(record)}
        place = (
            Delivery.site_id == record.site_id
            if record.site_id is not None
            else Delivery.customer_id == record.customer_id
        )
        query = (
            select(Delivery)
            .where(
                place,
                Delivery.delivered_at <= record.received_at,
                Delivery.delivered_at >= record.received_at - LOTS_OF_LAST,
                Delivery.retired_at.is_(None),
            )
            .order_by(Delivery.delivered_at.desc(), Delivery.id.desc())
        )
        found: dict[int, Delivery] = {}
        for delivery in current_session().scalars(query.limit(200)):
            if delivery.cement_lot_id not in known:
                found.setdefault(delivery.cement_lot_id, delivery)
        return list(found.values())[:PROPOSED_LOTS]

    # --- inside ---------------------------------------------------------------------------------------------

    def _step(self, session: Any, complaint_id: int, state: str) -> Complaint:
        """The record, moved to `state` if that may follow."""
        record: Complaint = self.locked(session, complaint_id)
        if state not in NEXT_STATES[record.state]:
            accepted = ", ".join(str(STATES[name]) for name in NEXT_STATES[record.state]) or "–"
            raise refuse(
                "state",
                _(
                    "is “%(state)s”; what can follow: %(what)s",
                    state=STATES[record.state],
                    what=accepted,
                ),
                record.code,
            )
        if record.state == "solved" and state == "on_site":
            raise refuse("state", _("is solved; send it back with a reason"), record.code)
        record.state = state
        return record

    def _note(self, record: Complaint, values: Schema, opened: Mapping[str, str] | None) -> None:
        """Write the fields of a step; of a form only what was changed in it, a field that was emptied too. Raises: Refused
        for what another changed meanwhile."""
        opened = opened or {}
        problems = changed_meanwhile(record, type(values), values.values(), opened)
        if problems:
            raise Refused(problems)
        for item in type(values).inputs():
            value = getattr(values, item.name)
            if not hasattr(record, item.name):
                continue  # when it was, and the like
            if item.name in opened:
                if in_form(item, value) != in_form(item, opened[item.name]):
                    setattr(record, item.name, value)
            elif value is not None:
                setattr(record, item.name, value)

    def _require_open(self, record: Complaint) -> None:
        if not record.is_open:
            raise refuse("state", _("is “%(state)s” and fixed", state=STATES[record.state]), record.code)

    def _moment(self, record: Complaint, given: datetime | None, earliest: datetime) -> datetime:
        now = utc_now()
        moment = given or now
        if moment > now + CLOCK_SLACK:
            raise refuse("at", _("lies in the future; accepted: a time up to now"), moment.isoformat())
        if moment < earliest:
            raise refuse(
                "at", _("lies before the step before it; accepted: a later time"), moment.isoformat()
            )
        return moment

    def _require_own(self, record: Complaint) -> None:
        require_own_site(record.customer_id, record.site_id)
        if record.contact_id is not None:
            contact = current_session().get(Contact, record.contact_id)
            if contact is not None and contact.customer_id != record.customer_id:
                raise refuse("contact_id", _("is of another customer"), contact.name)

    def _start_clocks(self, record: Complaint) -> None:
        promise = promises()
        record.answer_due_at = due_after(record.received_at, promise.answer_minutes, promise.week)
        record.on_site_due_at = due_after(record.received_at, promise.on_site_minutes, promise.week)

    def _open_checklist(self, record: Complaint) -> None:
        session = current_session()
        known = set(
            session.scalars(
                select(ComplaintFact.checklist_item_id).where(ComplaintFact.complaint_id == record.id)
            )
        )
        items = session.scalars(
            select(ChecklistItem.id).where(
                ChecklistItem.category == record.category, ChecklistItem.retired_at.is_(None)
            )
        )
        session.add_all(
            ComplaintFact(complaint_id=record.id, checklist_item_id=key) for key in items if key not in known
        )

    def _tell_owner(self, record: Complaint, actor: Actor) -> None:
        """Who looks after the customer, or handles the complaint, gets a mail unless they typed it themselves."""
        session = current_session()
        customer = session.get(Customer, record.customer_id)
        wanted = record.owner_id or (customer.owner_id if customer is not None else None)
        user = session.get(User, wanted) if wanted is not None and wanted != actor.user_id else None
        if user is None or not user.active or customer is None:
            return
        with force_locale(laboratory().language):
            write_mail(
                f"complaint:{record.id}:new:{user.id}",
                user.email,
                _("New complaint %(code)s: %(subject)s", code=record.code, subject=record.subject),
                _(
                    "%(customer)s: %(subject)s\n\nAnswer by %(time)s.",
                    customer=customer.name,
                    subject=record.subject,
                    time=show_time(record.answer_due_at) if record.answer_due_at else "–",
                ),
                actor,
            )


def in_form(item: Input, value: Any) -> str:
    """A stored value, or what was typed, as its control shows it."""
    if isinstance(value, str):
        try:
            value = None if not value.strip() else item.kind.parse(value)
        except ValueError:
            return str(value).replace("\r\n", "\n").strip()
    return form_text(item, value)


def changed_meanwhile(
    record: Complaint, schema: type[Schema], values: Mapping[str, Any], opened: Mapping[str, str]
) -> list[Problem]:
    """What the writer of a form changed and another changed too, since the form was `opened` with these texts: nobody
    overwrites what they did not see."""
    problems = []
    for item in schema.inputs():
        if item.name not in opened or item.name not in values or not hasattr(record, item.name):
            continue
        before, yours = in_form(item, opened[item.name]), in_form(item, values[item.name])
        theirs = in_form(item, getattr(record, item.name))
        if yours != before and theirs not in (before, yours):
            options = getattr(item.kind, "options", {})
            message = _(
                "was changed meanwhile to “%(theirs)s”; you typed “%(yours)s”. Save again to keep yours.",
                theirs=options.get(theirs, theirs) or "–",
                yours=options.get(yours, yours) or "–",
            )
            problems.append(Problem(item.name, message, yours[:200]))
    return problems


def _read(schema: type[Any], data: Mapping[str, Any] | Schema) -> Any:
    return data if isinstance(data, Schema) else schema.read(data)


def escalate(actor: Actor, now: datetime | None = None) -> int:
    """Tell the named roles of every clock that has run out, once for each. Returns how many clocks."""
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
        complaint = session.get(
            Complaint, complaint_id, populate_existing=True, with_for_update={"of": Complaint}
        )
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


def replace_person(session: Session, customer_id: int, known: Mapping[str, str | None], mark: str) -> None:
    """Where a person of this customer is named in a delivery, an agreement or a joint sample, the mark stands; where their
    number is noted, or they are named as who says it, no number."""
    for record, column in (
        (Delivery, "accepted_by"),
        (Complaint, "agreed_by"),
        (Objection, "witnessed_by"),
    ):
        rows = session.scalars(
            select(record).where(record.customer_id == customer_id, getattr(record, column) == known["name"])
        )
        for row in rows.all():
            setattr(row, column, mark)
            if isinstance(row, Complaint):
                row.phone = None
            forget(row.__tablename__, row.id, session)
    theirs = select(Contact.id).where(Contact.customer_id == customer_id, Contact.name == mark)
    told_by = Complaint.contact_id.in_(theirs)
    same_number = Complaint.phone == known["phone"] if known["phone"] else false()
    rows = session.scalars(
        select(Complaint).where(
            Complaint.customer_id == customer_id, Complaint.phone.is_not(None), or_(told_by, same_number)
        )
    )
    for complaint in rows.all():
        complaint.phone = None
        forget(Complaint.__tablename__, complaint.id, session)


ERASED_TOO.append(replace_person)


class ComplaintLotService(RecordService[ComplaintLot]):
    record = ComplaintLot
    schema = ComplaintLotIn
    search_columns = ("remarks",)
    filter_columns = ("complaint_id", "cement_lot_id", "batch_id", "part")
    order_columns = ("id",)
    shown_relations = ("complaint", "cement_lot", "batch")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(ComplaintLot.complaint_id, Complaint, seen_through(Complaint.customer_id))

    def locked(self, session: Session, record_id: int) -> ComplaintLot:
        _hold_complaint_of(session, ComplaintLot, record_id)
        return super().locked(session, record_id)

    def changeable(self, record: ComplaintLot) -> bool:
        return record.complaint.is_open

    def before_edit(self, record: ComplaintLot, values: ComplaintLotIn, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)

    def before_retire(self, record: ComplaintLot, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)

    def before_restore(self, record: ComplaintLot, actor: Actor) -> None:
        self.check(record)

    def check(self, record: ComplaintLot) -> None:
        require_open_complaint(record.complaint_id)
        twin = select(ComplaintLot.id).where(
            ComplaintLot.complaint_id == record.complaint_id,
            ComplaintLot.cement_lot_id == record.cement_lot_id
            if record.cement_lot_id is not None
            else ComplaintLot.batch_id == record.batch_id,
            ComplaintLot.retired_at.is_(None),
        )
        with current_session().no_autoflush:
            if current_session().scalar(twin.where(ComplaintLot.id != (record.id or 0))) is not None:
                name = "cement_lot_id" if record.cement_lot_id is not None else "batch_id"
                raise refuse(name, _("is named already"), getattr(record, name))


def require_open_complaint(complaint_id: int | None) -> None:
    """What a complaint rests on is fixed with it. The complaint is held, so that nobody closes it meanwhile. Raises:
    Refused."""
    if complaint_id is None:
        return
    session = current_session()
    with session.no_autoflush:
        complaint = session.get(Complaint, complaint_id, populate_existing=True, with_for_update=True)
    if complaint is not None and not complaint.is_open:
        raise refuse(
            "complaint_id", _("is “%(state)s” and fixed", state=STATES[complaint.state]), complaint.code
        )


def _hold_complaint_of(session: Session, record: type[Any], record_id: int) -> None:
    """The complaint is held before what belongs to it, as its own steps do: otherwise two would wait for each other."""
    if 0 < record_id <= LARGEST_KEY:
        complaint_id = select(record.complaint_id).where(record.id == record_id).scalar_subquery()
        session.execute(select(Complaint.id).where(Complaint.id == complaint_id).with_for_update())


class ChecklistItemService(RecordService[ChecklistItem]):
    record = ChecklistItem
    schema = ChecklistItemIn
    search_columns = ("code", "name_en", "name_zh", "name_zh_tw")
    filter_columns = ("category", "required")
    order_columns = ("category", "position", "code")
    default_order = "position"

    def check(self, record: ChecklistItem) -> None:
        if record.least is not None and record.most is not None and record.least > record.most:
            raise refuse("most", _("lies below what it is at least"), record.most)


class ComplaintFactService(RecordService[ComplaintFact]):
    record = ComplaintFact
    schema = ComplaintFactIn
    edit_schema = ComplaintFactIn
    search_columns = ("value",)
    filter_columns = ("complaint_id", "checklist_item_id")
    order_columns = ("id",)
    shown_relations = ("complaint", "checklist_item")
    default_order = "id"
    retirable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(ComplaintFact.complaint_id, Complaint, seen_through(Complaint.customer_id))

    def locked(self, session: Session, record_id: int) -> ComplaintFact:
        _hold_complaint_of(session, ComplaintFact, record_id)
        return super().locked(session, record_id)

    def before_add(self, record: ComplaintFact, values: ComplaintFactIn, actor: Actor) -> None:
        raise refuse("", _("comes from the checklist of the complaint's category"))

    def before_retire(self, record: ComplaintFact, actor: Actor) -> None:
        raise refuse("", _("stays in its list; accepted: another value, or none"), record.title)

    def changeable(self, record: ComplaintFact) -> bool:
        return record.complaint.is_open

    def before_edit(self, record: ComplaintFact, values: ComplaintFactIn, actor: Actor) -> None:
        require_open_complaint(record.complaint_id)


class EscalationService(RecordService[Escalation]):
    record = Escalation
    search_columns = ("complaint.code", "complaint.subject")
    filter_columns = ("complaint_id", "clock")
    order_columns = ("created_at", "due_at")
    shown_relations = ("complaint",)
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(Escalation.complaint_id, Complaint, seen_through(Complaint.customer_id))


class RetestService(RecordService[Retest]):
    record = Retest
    schema = RetestIn
    search_columns = ("cement_lot.code", "remarks")
    filter_columns = ("cement_lot_id", "complaint_id", "outcome")
    order_columns = ("ordered_on", "finished_on", "outcome")
    shown_relations = ("cement_lot", "complaint", "cement_test")
    default_order = "-ordered_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(Retest.complaint_id, Complaint, seen_through(Complaint.customer_id))

    def locked(self, session: Session, record_id: int) -> Retest:
        _hold_complaint_of(session, Retest, record_id)
        return super().locked(session, record_id)

    def changeable(self, record: Retest) -> bool:
        is_open = record.complaint is None or record.complaint.is_open
        return is_open and self._decided_by(record) is None

    def before_edit(self, record: Retest, values: RetestIn, actor: Actor) -> None:
        self._require_free(record)

    def before_retire(self, record: Retest, actor: Actor) -> None:
        self._require_free(record)

    def before_restore(self, record: Retest, actor: Actor) -> None:
        self._require_free(record)

    def _require_free(self, record: Retest) -> None:
        """Nothing that is over rests on it. Raises: Refused."""
        require_open_complaint(record.complaint_id)
        code = self._decided_by(record)
        if code is not None:
            raise refuse("", _("is fixed: objection %(code)s was decided by it", code=code), record.title)

    def _decided_by(self, record: Retest) -> str | None:
        """The objection that was decided by it."""
        decided = select(Objection.code).where(
            Objection.retest_id == record.id, Objection.verdict.is_not(None)
        )
        return current_session().scalar(decided.order_by(Objection.id).limit(1))

    def check(self, record: Retest) -> None:
        """A test at our bench is of the same lot, and gives its strength where none was typed."""
        require_open_complaint(record.complaint_id)
        if record.cement_test_id is None:
            return
        with current_session().no_autoflush:
            test = current_session().get(CementTest, record.cement_test_id)
        if test is None:
            return
        if test.cement_lot_id != record.cement_lot_id:
            raise refuse("cement_test_id", _("is of another lot"), record.cement_test_id)
        if test.age_days == 28 and record.strength_28d_mpa is None:
            record.strength_28d_mpa = test.strength_mpa
        if test.age_days == 3 and record.strength_3d_mpa is None:
            record.strength_3d_mpa = test.strength_mpa


class ObjectionService(RecordService[Objection]):
    record = Objection
    schema = ObjectionIn
    edit_schema = ObjectionEdit
    search_columns = ("code", "claim", "customer.name", "cement_lot.code")
    filter_columns = ("customer_id", "complaint_id", "cement_lot_id", "verdict")
    order_columns = ("raised_on", "code", "decided_on")
    shown_relations = ("customer", "complaint", "cement_lot", "retest")
    default_order = "-raised_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Objection.customer_id)

    def before_add(self, record: Objection, values: ObjectionIn, actor: Actor) -> None:
        self._require_same_customer(record)
        if not record.code:
            year = values.raised_on.year % 100
            record.code = next_code(current_session(), Objection.code, f"objection-{year}", f"O{year:02d}-")

    def changeable(self, record: Objection) -> bool:
        return record.verdict is None

    def before_edit(self, record: Objection, values: Any, actor: Actor) -> None:
        self._require_undecided(record)

    def sample(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """Both parties have sampled the lot again and sealed a part. Raises: NotFound, Refused."""
        values = _read(SamplingIn, data)
        with transaction(actor, "sampled together") as session:
            record = self._undecided(session, objection_id, opened)
            if record.retest_id is not None:
                raise refuse("state", _("is tested; the sample cannot be another one"), record.code)
            require_past("sampled_on", values.sampled_on)
            if values.sampled_on < record.raised_on:
                raise refuse("sampled_on", _("lies before the objection"), values.sampled_on)
            for name, value in values.values().items():
                setattr(record, name, value)
            self._flush(session, record)
        return record

    def test(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """The joint sample was tested. Raises: NotFound, Refused."""
        values = _read(ObjectionTestIn, data)
        with transaction(actor, "tested again") as session:
            record = self._undecided(session, objection_id, opened)
            if record.sampled_on is None:
                raise refuse("sampled_on", _("is missing: sample the lot together first"), record.code)
            retest = session.get(Retest, values.retest_id)
            if (
                retest is None
                or retest.retired_at is not None
                or retest.cement_lot_id != record.cement_lot_id
            ):
                raise refuse("retest_id", _("is not a retest of this lot"), values.retest_id)
            _require_of_sample(record, retest)
            record.retest_id, record.tested_at_place = retest.id, values.tested_at_place
            self._flush(session, record)
        return record

    def decide(
        self, objection_id: int, data: Mapping[str, Any] | Schema, actor: Actor, opened: str | None = None
    ) -> Objection:
        """The verdict, once the retest has an outcome. Raises: NotFound, Refused."""
        values = _read(VerdictIn, data)
        with transaction(actor, "objection decided") as session:
            record = self._undecided(session, objection_id, opened)
            # Held: it is fixed from now on (RetestService), and as it is now it was not read before.
            retest = session.get(Retest, record.retest_id or 0, populate_existing=True, with_for_update=True)
            if retest is None or retest.retired_at is not None or retest.outcome == "open":
                raise refuse("retest_id", _("needs a finished retest of the joint sample"), record.code)
            _require_of_sample(record, retest)
            require_past("decided_on", values.decided_on)
            if retest.finished_on is not None and values.decided_on < retest.finished_on:
                raise refuse("decided_on", _("lies before the end of the retest"), values.decided_on)
            if values.verdict == "rejected" and retest.outcome == "failed":
                raise refuse("verdict", _("contradicts the retest, which failed"), values.verdict)
            for name, value in values.values().items():
                setattr(record, name, value)
            self._flush(session, record)
        return record

    def _undecided(self, session: Session, objection_id: int, opened: str | None) -> Objection:
        """The record, held. A form says in which state it was `opened`: it does not do again, otherwise, what another did
        meanwhile."""
        record = self.locked(session, objection_id)
        self._require_undecided(record)
        if opened not in (None, record.state):
            raise refuse(
                "state", _("is “%(state)s” meanwhile", state=OBJECTION_STATES[record.state]), record.code
            )
        return record

    def _require_undecided(self, record: Objection) -> None:
        if record.verdict is not None:
            raise refuse("state", _("is decided and fixed"), record.code)

    def _require_same_customer(self, record: Objection) -> None:
        if record.complaint_id is None:
            return
        complaint = current_session().get(Complaint, record.complaint_id)
        if complaint is not None and complaint.customer_id != record.customer_id:
            raise refuse("complaint_id", _("is of another customer"), complaint.code)


def _require_of_sample(record: Objection, retest: Retest) -> None:
    """What was finished before both parties sampled was of another sample. Raises: Refused."""
    if record.sampled_on and retest.finished_on and retest.finished_on < record.sampled_on:
        raise refuse(
            "retest_id",
            _("was finished on %(day)s, before the joint sample was taken", day=show_day(retest.finished_on)),
            retest.title,
        )


class SeminarService(RecordService[Seminar]):
    record = Seminar
    schema = SeminarIn
    search_columns = ("name", "place", "topics")
    filter_columns = ("customer_id", "kind")
    order_columns = ("held_on", "name", "participants")
    shown_relations = ("customer",)
    default_order = "-held_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Seminar.customer_id)


class AttendanceService(RecordService[Attendance]):
    record = Attendance
    schema = AttendanceIn
    search_columns = ("contact.name", "seminar.name", "remarks")
    filter_columns = ("seminar_id", "contact_id", "user_id", "attended")
    order_columns = ("id",)
    shown_relations = ("seminar", "contact")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return [
            *seen_within(Attendance.seminar_id, Seminar, seen_through(Seminar.customer_id)),
            *seen_within(Attendance.contact_id, Contact, seen_through(Contact.customer_id)),
        ]


class SurveyService(RecordService[Survey]):
    record = Survey
    schema = SurveyIn
    search_columns = ("customer.name", "remarks")
    filter_columns = ("customer_id",)
    order_columns = ("answered_on", "quality", "service")
    shown_relations = ("customer",)
    default_order = "-answered_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Survey.customer_id)


class StaffSurveyService(RecordService[StaffSurvey]):
    record = StaffSurvey
    schema = StaffSurveyIn
    search_columns = ("department", "remarks")
    filter_columns = ("department",)
    order_columns = ("answered_on", "department")
    default_order = "-answered_on"


class AdviceCardService(RecordService[AdviceCard]):
    record = AdviceCard
    schema = AdviceCardIn
    search_columns = ("code", "name", "body")
    filter_columns = ("language", "rule")
    order_columns = ("code", "name", "language")
    default_order = "code"


class HolidayService(RecordService[Holiday]):
    record = Holiday
    schema = HolidayIn
    search_columns = ("name",)
    filter_columns = ("working",)
    order_columns = ("day", "name")
    default_order = "-day"

    def after_add(self, record: Holiday, values: HolidayIn, actor: Actor) -> None:
        forget_promises()

    def after_edit(self, record: Holiday, values: HolidayIn, actor: Actor) -> None:
        forget_promises()


class ServiceSettingsService(RecordService[ServiceSettings]):
    """One row: adding writes it anew when it is there."""

    record = ServiceSettings
    schema = ServiceSettingsIn
    retirable = False

    def save(
        self, data: Mapping[str, Any] | Schema, actor: Actor, version: int | None = None
    ) -> ServiceSettings:
        """Write the promises that were read at `version` (0: those of the program). They hold for clocks that start from now
        on. Raises: Refused, and Conflict when another wrote them meanwhile."""
        values = _read(ServiceSettingsIn, data)
        unknown = [
            role
            for part in values.escalate_to.split(",")
            if (role := part.strip()) and role not in ROLES and not _is_role(role)
        ]
        if unknown:
            raise refuse(
                "escalate_to",
                _("is no role here; accepted: %(what)s", what=", ".join(ROLES)),
                ", ".join(unknown),
            )
        with transaction(actor, "service promises") as session:
            query = select(ServiceSettings).order_by(ServiceSettings.id).limit(1).with_for_update()
            row = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
            stands = row.version if row is not None else 0
            if version not in (None, stands):
                raise Conflict(row.id if row is not None else 0, current_version=stands)
            if row is None:
                row = ServiceSettings()
                session.add(row)
            columns = set(ServiceSettings.__mapper__.columns.keys())
            for name, value in values.values().items():
                if name in columns:
                    setattr(row, name, value)
            row.hours = values.hours
            session.flush()
        forget_promises()
        return row

    def before_add(self, record: ServiceSettings, values: ServiceSettingsIn, actor: Actor) -> None:
        raise refuse("", _("is one row: write it on the page of the promises"))

    def changeable(self, record: ServiceSettings) -> bool:
        return False

    def before_edit(self, record: ServiceSettings, values: Any, actor: Actor) -> None:
        raise refuse("", _("is one row: write it on the page of the promises"))


def _is_role(name: str) -> bool:
    return current_session().scalar(select(Role.id).where(Role.name == name)) is not None
