"""Every write about complaints: their steps and clocks, the facts they need, the lots they involve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import User
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session

from lims.aftersales.clocks import due_after
from lims.aftersales.models import (
    ChecklistItem,
    Complaint,
    ComplaintFact,
    ComplaintLot,
    Delivery,
    Objection,
    Retest,
)
from lims.aftersales.promises import promises
from lims.aftersales.schemas import (
    STATES,
    AgreementIn,
    AnswerIn,
    ArrivalIn,
    ChecklistItemIn,
    ComplaintEdit,
    ComplaintFactIn,
    ComplaintIn,
    ComplaintLotIn,
    FindingsIn,
    ReasonIn,
    SolvedIn,
)
from lims.aftersales.triggers import NEXT_STATES
from lims.base.actor import Actor
from lims.base.auditing.erasure import forget
from lims.base.columns import utc_now
from lims.base.database import current_session, locked_row, transaction
from lims.base.display import form_text, local_day, local_time, local_today, show_time
from lims.base.fields import listed
from lims.base.laboratory import laboratory
from lims.base.numbering import next_code
from lims.base.problems import Problem, Refused, refuse
from lims.base.schemas import Input, Schema
from lims.base.security import require_shown, rights_of
from lims.base.services import LARGEST_KEY, R, RecordService
from lims.base.staff import staff_names
from lims.customers.models import Contact, Customer
from lims.customers.regions import seen_through, seen_within, would_see
from lims.customers.service import ERASED_TOO, named_of, newly_named, require_own_site
from lims.mail.service import write_mail

#: A clock of a telephone or a laboratory PC may run a little ahead.
CLOCK_SLACK = timedelta(minutes=5)
#: Deliveries so far before a complaint are proposed as its lots.
LOTS_OF_LAST = timedelta(days=90)
PROPOSED_LOTS = 8


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
        customer = session.get(Customer, record.customer_id)
        wanted = record.owner_id or (customer.owner_id if customer is not None else None)
        self._tell(record, wanted, record.subject, actor)

    def changeable(self, record: Complaint) -> bool:
        return record.is_open

    def before_edit(self, record: Complaint, values: ComplaintEdit, actor: Actor) -> None:
        if not record.is_open:
            raise refuse("", _("is over; accepted: a new complaint that refers to it"), record.code)
        if values.owner_id not in (None, record.owner_id):
            self._tell(record, values.owner_id, values.subject, actor)

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
        values = AnswerIn.as_read(data)
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
        values = ArrivalIn.as_read(data)
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
        values = FindingsIn.as_read(data)
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
        values = SolvedIn.as_read(data)
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
        values = AgreementIn.as_read(data)
        with transaction(actor, "customer agrees") as session:
            record = self._solved(session, complaint_id)
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
        values = ReasonIn.as_read(data)
        with transaction(actor, values.reason) as session:
            record = self._solved(session, complaint_id)
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
        values = ReasonIn.as_read(data)
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
            accepted = _(", ").join(str(STATES[name]) for name in NEXT_STATES[record.state]) or "–"
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

    def _solved(self, session: Session, complaint_id: int) -> Complaint:
        """It, held, while the customer has not spoken yet. Raises: NotFound, Refused."""
        record: Complaint = self.locked(session, complaint_id)
        if record.state != "solved":
            raise refuse(
                "state", _("is “%(state)s”; accepted: solved", state=STATES[record.state]), record.code
            )
        return record

    def _note(self, record: Complaint, values: Schema, opened: Mapping[str, str] | None) -> None:
        """Write the fields of a step; of a form only what was changed in it, a field that was emptied too. Raises: Refused
        for what another changed meanwhile, Forbidden for what its writer is not shown."""
        opened = opened or {}
        require_shown(Complaint, (name for name, value in values.values().items() if value is not None))
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
        require_own_site(record)
        held = newly_named(record, "contact_id", "customer_id")
        contact = named_of(Contact, record.contact_id, held=held)
        if contact is not None and contact.customer_id != record.customer_id:
            raise refuse("contact_id", _("is of another customer"), contact.name)
        if record.owner_id is not None and newly_named(record, "owner_id"):
            _require_handler(record.owner_id, current_session().get(Customer, record.customer_id))

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

    def _tell(self, record: Complaint, wanted: int | None, subject: str, actor: Actor) -> None:
        """Who handles the complaint from now on, or looks after the customer, gets a mail unless they typed it themselves:
        one, however often it comes back to them."""
        session = current_session()
        customer = session.get(Customer, record.customer_id)
        user = session.get(User, wanted) if wanted is not None and wanted != actor.user_id else None
        if user is None or not user.active or customer is None:
            return
        with force_locale(laboratory().language):
            write_mail(
                f"complaint:{record.id}:new:{user.id}",
                user.email,
                _("New complaint %(code)s: %(subject)s", code=record.code, subject=subject),
                _(
                    "%(customer)s: %(subject)s\n\nAnswer by %(time)s.",
                    customer=customer.name,
                    subject=subject,
                    time=show_time(record.answer_due_at) if record.answer_due_at else "–",
                ),
                actor,
            )


def may_handle(user_id: int, customer: Customer | None) -> bool:
    """Can this person open a complaint of this customer (None: it is not named yet)? Who cannot would be told of it and
    could do nothing."""
    if ("can_read", Complaint.record_name) not in rights_of(user_id):
        return False
    return customer is None or would_see(user_id, customer)


def handlers(customer: Customer | None) -> dict[str, str]:
    """Account id as text -> name of those who may sign in and handle a complaint of this customer."""
    people = staff_names(active=True)
    return {key: name for key, name in people.items() if may_handle(int(key), customer)}


def _require_handler(user_id: int, customer: Customer | None) -> None:
    """Raises: Refused."""
    if may_handle(user_id, customer):
        return
    name = staff_names().get(str(user_id), str(user_id))
    message = _(
        "“%(value)s” cannot see the complaints of this customer; accepted: %(what)s",
        value=name,
        what=listed(handlers(customer).values()) or _("nobody has an account yet"),
    )
    raise refuse("owner_id", message, name)


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


def replace_person(session: Session, customer_id: int, known: Mapping[str, str | None], mark: str) -> None:
    """Where a person of this customer is named in a delivery, an agreement or a joint sample, the mark stands; where their
    number is noted, or they are named as who says it, no number."""
    named_in = (
        (Delivery, "accepted_by"),
        (Complaint, "agreed_by"),
        (Objection, "witnessed_by"),
    )
    for record, column in named_in if known["name"] else ():
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


class PartOfComplaint(RecordService[R]):
    """What a complaint rests on is fixed with it; `complaint_id` may be none."""

    def locked(self, session: Session, record_id: int) -> R:
        """The complaint is held before what belongs to it, as its own steps do: otherwise two would wait for each other."""
        if 0 < record_id <= LARGEST_KEY:
            part: Any = self.record
            complaint_id = select(part.complaint_id).where(part.id == record_id).scalar_subquery()
            session.execute(select(Complaint.id).where(Complaint.id == complaint_id).with_for_update())
        return super().locked(session, record_id)

    def changeable(self, record: Any) -> bool:
        return record.complaint is None or record.complaint.is_open

    def require_free(self, record: Any) -> None:
        """Nothing that is over rests on it. Raises: Refused."""
        require_open_complaint(record.complaint_id)

    def before_edit(self, record: R, values: Any, actor: Actor) -> None:
        self.require_free(record)

    def before_retire(self, record: R, actor: Actor) -> None:
        self.require_free(record)

    def before_restore(self, record: R, actor: Actor) -> None:
        self.require_free(record)


class ComplaintLotService(PartOfComplaint[ComplaintLot]):
    record = ComplaintLot
    schema = ComplaintLotIn
    search_columns = ("remarks",)
    filter_columns = ("complaint_id", "cement_lot_id", "batch_id", "part")
    order_columns = ("id",)
    shown_relations = ("complaint", "cement_lot", "batch")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(ComplaintLot.complaint_id, Complaint, seen_through(Complaint.customer_id))

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
        complaint = locked_row(Complaint, complaint_id)
    if complaint is not None and not complaint.is_open:
        raise refuse(
            "complaint_id", _("is “%(state)s” and fixed", state=STATES[complaint.state]), complaint.code
        )


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


class ComplaintFactService(PartOfComplaint[ComplaintFact]):
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

    def before_add(self, record: ComplaintFact, values: ComplaintFactIn, actor: Actor) -> None:
        raise refuse("", _("comes from the checklist of the complaint's category"))

    def before_retire(self, record: ComplaintFact, actor: Actor) -> None:
        raise refuse("", _("stays in its list; accepted: another value, or none"), record.title)
