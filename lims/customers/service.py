"""Every write about customers, their people, sites and usage cards."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, Row, func, inspect, or_, select
from sqlalchemy.orm import Session

from lims.base.actor import Actor
from lims.base.auditing.erasure import forget
from lims.base.auditing.policy import ERASED
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.numbering import next_code
from lims.base.problems import Problem, Refused, refuse
from lims.base.services import SERVICES, RecordService, hide_unknown, require_past
from lims.customers.models import (
    Competitor,
    Contact,
    Customer,
    RegionStaff,
    ScaleCheck,
    Site,
    SiteStock,
    StageChange,
    UsageCard,
    UsageMix,
    UsageNote,
    UsageTask,
)
from lims.customers.regions import own_regions, seen_customers, seen_through, seen_within
from lims.customers.schemas import (
    CUSTOMER_KINDS,
    USAGE_TASKS,
    CompetitorIn,
    ContactIn,
    CustomerIn,
    NormalIn,
    RegionStaffIn,
    ScaleCheckIn,
    SiteIn,
    SiteStockIn,
    UsageCardIn,
    UsageMixIn,
    UsageNoteIn,
    UsageTaskIn,
)

#: Called with (session, customer id, name, phone and e-mail as they were or None, pseudonym) when a person is erased:
#: subjects above take them out where they keep them.
ERASED_TOO: list[Callable[[Session, int, Mapping[str, str | None], str], None]] = []


class CustomerService(RecordService[Customer]):
    record = Customer
    schema = CustomerIn
    search_columns = ("code", "name", "contact_name", "region.name")
    filter_columns = ("kind", "status", "region_id", "owner_id", "dealer_id", "lapse_reason")
    order_columns = ("code", "name", "kind", "status", "changed_at")
    shown_relations = ("region", "dealer")
    default_order = "name"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_customers()

    def complete(self, records: Sequence[Customer]) -> None:
        hide_unknown(records, "dealer")  # who may be of another region

    def before_add(self, record: Customer, values: CustomerIn, actor: Actor) -> None:
        self.check(record)
        if not record.code:
            record.code = next_code(current_session(), Customer.code, "customer", "K-", 3)

    def check(self, record: Customer) -> None:
        regions = own_regions()
        history: Any = inspect(record).attrs.region_id.history
        moved = history.has_changes()  # whom one looks after may be anywhere
        if regions is not None and moved and record.region_id not in (None, *regions):
            raise refuse(
                "region_id",
                _("is not a region you work in; accepted: one of yours, or none yet"),
                record.region_id,
            )
        if record.dealer_id is not None:
            # Newly named, it is held: it stays a dealer until what names it can be counted.
            of_dealer = select(Customer.id, Customer.kind, Customer.name).where(
                Customer.id == record.dealer_id
            )
            if newly_named(record, "dealer_id"):
                of_dealer = of_dealer.with_for_update(read=True)
            dealer = current_session().execute(of_dealer).one_or_none()
            if dealer is not None and (dealer.kind != "dealer" or dealer.id == record.id):
                raise refuse(
                    "dealer_id", _("is no dealer; accepted: a customer of the kind dealer"), dealer.name
                )
        if record.status != "lapsed":
            record.lapse_reason = record.lapse_note = None

    def after_add(self, record: Customer, values: CustomerIn, actor: Actor) -> None:
        current_session().add(
            StageChange(customer_id=record.id, before="", after=record.status, reason=record.lapse_reason)
        )

    def before_edit(self, record: Customer, values: CustomerIn, actor: Actor) -> None:
        if record.kind == "dealer" != values.kind:
            served = select(func.count()).where(Customer.dealer_id == record.id)
            number = current_session().scalar(served) or 0
            if number:
                raise refuse(
                    "kind",
                    _("cannot change: customers name it as their dealer (%(n)s); accepted: dealer", n=number),
                    CUSTOMER_KINDS[values.kind],
                )
        if values.status != record.status:
            current_session().add(
                StageChange(
                    customer_id=record.id,
                    before=record.status,
                    after=values.status,
                    reason=values.lapse_reason if values.status == "lapsed" else None,
                )
            )

    def erase_contact(self, customer_id: int, actor: Actor) -> Customer:
        """Take the main contact's name, phone and e-mail out for good. Raises: NotFound."""
        with transaction(actor, "personal data erased") as session:
            record: Customer = self.locked(session, customer_id)
            named = record.contact_name and not record.contact_name.startswith(ERASED)
            name = record.contact_name if named else None
            known = {"name": name, "phone": record.phone, "email": record.email}
            if any(known.values()):
                mark = pseudonym(name or "")
                record.contact_name = mark if name else record.contact_name
                for replace in ERASED_TOO:
                    replace(session, record.id, known, mark)
            record.phone = record.email = None
            self._flush(session, record)
            forget(record.__tablename__, record.id, session)
        return record


class StageChangeService(RecordService[StageChange]):
    record = StageChange
    search_columns = ("customer.name",)
    filter_columns = ("customer_id", "reason")
    order_columns = ("created_at",)
    shown_relations = ("customer",)
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(StageChange.customer_id)


class RegionStaffService(RecordService[RegionStaff]):
    record = RegionStaff
    schema = RegionStaffIn
    search_columns = ("region.name",)
    filter_columns = ("region_id", "user_id")
    order_columns = ("region_id", "user_id")
    shown_relations = ("region",)
    default_order = "region_id"


class CompetitorService(RecordService[Competitor]):
    record = Competitor
    schema = CompetitorIn
    search_columns = ("name", "strengths", "region.name")
    filter_columns = ("region_id", "cement_product_id")
    order_columns = ("seen_on", "name", "share_percent")
    shown_relations = ("region", "cement_product")
    default_order = "-seen_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        regions = own_regions()
        return [] if regions is None else [Competitor.region_id.in_(sorted(regions))]

    def check(self, record: Competitor) -> None:
        require_past("seen_on", record.seen_on)
        regions = own_regions()
        if regions is not None and record.region_id not in regions:
            raise refuse("region_id", _("is not a region you work in"), record.region_id)


class ContactService(RecordService[Contact]):
    record = Contact
    schema = ContactIn
    search_columns = ("name", "phone", "email", "customer.name")
    filter_columns = ("customer_id", "site_id", "role", "emergency")
    order_columns = ("name", "role")
    shown_relations = ("customer", "site")
    default_order = "name"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Contact.customer_id)

    def check(self, record: Contact) -> None:
        require_own_site(record)
        if record.emergency and not record.phone:
            raise refuse("phone", _("is required of whoever is called when cement runs out"))

    def changeable(self, record: Contact) -> bool:
        return record.erased_at is None

    def before_edit(self, record: Contact, values: ContactIn, actor: Actor) -> None:
        if record.erased_at is not None:
            raise refuse("", _("This person was erased; accepted: a new contact"), record.name)
        require_unnamed(record, values.customer_id)

    def erase(self, contact_id: int, actor: Actor) -> Contact:
        """Replace what names this person by a pseudonym that leads nowhere. Raises: NotFound."""
        with transaction(actor, "personal data erased") as session:
            record: Contact = self.locked(session, contact_id)
            if record.erased_at is None:
                known = {"name": record.name, "phone": record.phone, "email": record.email}
                record.name = pseudonym(record.name)
                for replace in ERASED_TOO:
                    replace(session, record.customer_id, known, record.name)
                record.phone = record.email = record.notes = None
                record.emergency = False
                record.erased_at = utc_now()
            self._flush(session, record)
            forget(record.__tablename__, record.id, session)
        return record


class SiteService(RecordService[Site]):
    record = Site
    schema = SiteIn
    search_columns = ("code", "name", "customer.name")
    filter_columns = ("customer_id", "region_id")
    order_columns = ("code", "name")
    shown_relations = ("customer", "region")
    default_order = "name"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(Site.customer_id)

    def before_edit(self, record: Site, values: SiteIn, actor: Actor) -> None:
        require_unnamed(record, values.customer_id)


class SiteStockService(RecordService[SiteStock]):
    record = SiteStock
    schema = SiteStockIn
    search_columns = ("site.name",)
    filter_columns = ("site_id", "cement_product_id")
    order_columns = ("counted_on", "stock_t")
    shown_relations = ("site", "cement_product")
    default_order = "-counted_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_within(SiteStock.site_id, Site, seen_through(Site.customer_id))

    def check(self, record: SiteStock) -> None:
        require_past("counted_on", record.counted_on)


def _of_cards(column: Any) -> list[ColumnElement[bool]]:
    return seen_within(column, UsageCard, seen_through(UsageCard.customer_id))


class UsageCardService(RecordService[UsageCard]):
    record = UsageCard
    schema = UsageCardIn
    search_columns = ("purpose", "customer.name")
    filter_columns = ("customer_id", "site_id", "cement_product_id", "first_use")
    order_columns = ("recorded_on", "purpose", "monthly_use_t", "dosage_kg_m3")
    shown_relations = ("customer", "site", "cement_product")
    default_order = "-recorded_on"

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return seen_through(UsageCard.customer_id)

    def check(self, record: UsageCard) -> None:
        require_past("recorded_on", record.recorded_on)
        require_own_site(record)

    def before_add(self, record: UsageCard, values: UsageCardIn, actor: Actor) -> None:
        """The first card of a customer is a first use, whether the box was ticked or not."""
        self.check(record)
        known = select(UsageCard.id).where(UsageCard.customer_id == record.customer_id).limit(1)
        record.first_use = values.first_use or current_session().scalar(known) is None

    def after_add(self, record: UsageCard, values: UsageCardIn, actor: Actor) -> None:
        self._open_checklist(record)

    def after_edit(self, record: UsageCard, values: UsageCardIn, actor: Actor) -> None:
        self._open_checklist(record)

    def _open_checklist(self, record: UsageCard) -> None:
        if not record.first_use:
            return
        session = current_session()
        known = set(session.scalars(select(UsageTask.kind).where(UsageTask.usage_card_id == record.id)))
        session.add_all(
            UsageTask(usage_card_id=record.id, kind=kind) for kind in USAGE_TASKS if kind not in known
        )

    def confirm_normal(self, card_id: int, data: Mapping[str, Any] | NormalIn, actor: Actor) -> UsageCard:
        """The first use is normal: every step done, no scale wrong, the last follow-up normal.

        Raises: NotFound, Refused with every reason that still stands against it.
        """
        values = data if isinstance(data, NormalIn) else NormalIn.read(data)
        with transaction(actor, "first use normal") as session:
            record: UsageCard = self.locked(session, card_id)
            require_past("normal_since", values.normal_since)
            problems = self._against_normal(record, values.normal_since)
            if problems:
                raise Refused(problems)
            record.normal_since = values.normal_since
            self._flush(session, record)
        return record

    def _against_normal(self, record: UsageCard, since: date) -> list[Problem]:
        session = current_session()
        problems = []
        tasks = session.scalars(select(UsageTask).where(UsageTask.usage_card_id == record.id))
        problems += [
            Problem(task.kind, _("is not done yet"), task.title) for task in tasks if task.done_on is None
        ]
        for check in latest_scale_checks(record.id):
            if check.wrong:
                problems.append(
                    Problem(
                        "scale",
                        _(
                            "is off by %(percent)s %%; accepted: a check within the limit",
                            percent=check.error_percent,
                        ),
                        check.scale,
                    )
                )
        query = select(UsageNote).where(
            UsageNote.usage_card_id == record.id,
            UsageNote.kind == "follow_up",
            UsageNote.retired_at.is_(None),
        )
        last = session.scalars(
            query.order_by(UsageNote.noted_on.desc(), UsageNote.id.desc()).limit(1)
        ).first()
        if last is None or not last.normal:
            problems.append(
                Problem(
                    "follow_up",
                    _("needs a last follow-up that found the use normal"),
                    "" if last is None else last.title,
                )
            )
        elif since < last.noted_on:
            problems.append(Problem("normal_since", _("lies before the last follow-up"), f"{since}"))
        return problems


def latest_scale_checks(card_id: int) -> list[ScaleCheck]:
    """The last check of each scale of a card."""
    query = select(ScaleCheck).where(ScaleCheck.usage_card_id == card_id, ScaleCheck.retired_at.is_(None))
    latest: dict[str, ScaleCheck] = {}
    for check in current_session().scalars(query.order_by(ScaleCheck.checked_on, ScaleCheck.id)):
        latest[check.scale] = check
    return list(latest.values())


class UsageMixService(RecordService[UsageMix]):
    record = UsageMix
    schema = UsageMixIn
    search_columns = ("name", "admixture")
    filter_columns = ("usage_card_id",)
    order_columns = ("name", "cement_kg_m3")
    shown_relations = ("usage_card",)

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return _of_cards(UsageMix.usage_card_id)


class ScaleCheckService(RecordService[ScaleCheck]):
    record = ScaleCheck
    schema = ScaleCheckIn
    search_columns = ("scale", "checked_by")
    filter_columns = ("usage_card_id",)
    order_columns = ("checked_on", "scale")
    shown_relations = ("usage_card",)
    default_order = "-checked_on"

    def check(self, record: ScaleCheck) -> None:
        require_past("checked_on", record.checked_on)

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return _of_cards(ScaleCheck.usage_card_id)


class UsageTaskService(RecordService[UsageTask]):
    record = UsageTask
    search_columns = ("done_by", "remarks")
    filter_columns = ("usage_card_id", "kind")
    order_columns = ("id", "done_on")
    shown_relations = ("usage_card",)
    default_order = "id"
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return _of_cards(UsageTask.usage_card_id)

    def finish(self, task_id: int, data: Mapping[str, Any] | UsageTaskIn, actor: Actor) -> UsageTask:
        """Tick a step off, by whom and when. A scale is calibrated when its last check is within the limit.

        Raises: NotFound, Refused.
        """
        values = data if isinstance(data, UsageTaskIn) else UsageTaskIn.read(data)
        with transaction(actor, "first use") as session:
            record: UsageTask = self.locked(session, task_id)
            require_past("done_on", values.done_on)
            if record.kind == "scale":
                checks = latest_scale_checks(record.usage_card_id)
                wrong = next((check for check in checks if check.wrong), None)
                if not checks or wrong is not None:
                    raise refuse(
                        "done_on",
                        _("needs a check of the scale within the limit, shown against true"),
                        wrong.title if wrong is not None else "",
                    )
            record.done_on, record.remarks, record.done_by = values.done_on, values.remarks, actor.label
            self._flush(session, record)
        return record


class UsageNoteService(RecordService[UsageNote]):
    record = UsageNote
    schema = UsageNoteIn
    search_columns = ("seen", "answer")
    filter_columns = ("usage_card_id", "kind")
    order_columns = ("noted_on", "kind")
    shown_relations = ("usage_card",)
    default_order = "-noted_on"

    def check(self, record: UsageNote) -> None:
        require_past("noted_on", record.noted_on)

    def visible(self) -> Sequence[ColumnElement[bool]]:
        return _of_cards(UsageNote.usage_card_id)


def newly_named(record: Any, *names: str) -> bool:
    """Does this write change one of these? What is named already is held by what counts who names it (`require_unnamed`);
    asking for it again in each save would meet who holds it and wants this record."""
    attributes = inspect(record).attrs
    return any(attributes[name].history.has_changes() for name in names)


def require_own_site(record: Any) -> None:
    """Raises: Refused when the record's site belongs to another customer than its own."""
    site = named_of(Site, record.site_id, held=newly_named(record, "site_id", "customer_id"))
    if site is not None and site.customer_id != record.customer_id:
        raise refuse(
            "site_id", _("belongs to another customer; accepted: a site of this customer"), site.name
        )


def named_of(record: type[Site] | type[Contact], key: int | None, *, held: bool) -> Row[int, str] | None:
    """Whose this site or person is, and its name; `held`: it stays theirs until the transaction ends."""
    if key is None:
        return None
    wanted = select(record.customer_id, record.name).where(record.id == key)
    return current_session().execute(wanted.with_for_update(read=True) if held else wanted).one_or_none()


def require_unnamed(record: Site | Contact, customer_id: int) -> None:
    """Whose it is stays as long as a record names it: most are of the same customer, and could be saved no more. Raises:
    Refused, saying what names it."""
    if record.customer_id == customer_id:
        return
    from lims.base.views import VIEWS

    found = []
    for name, service in SERVICES.items():
        columns = service.record.__table__.columns
        keys = [key for key in columns if key.references(record.__table__.columns["id"])]
        if keys:
            query = (
                select(func.count())
                .select_from(service.record)
                .where(or_(*(key == record.id for key in keys)))
            )
            number = current_session().scalar(query)
            if number:
                found.append(f"{VIEWS[name].title if name in VIEWS else name} ({number})")
    if found:
        raise refuse(
            "customer_id",
            _(
                "cannot change, since records name it: %(what)s; accepted: the same customer, or a new record for the other",
                what=_(", ").join(found),
            ),
            record.title,
        )


def pseudonym(name: str) -> str:
    """What stands in a person's place after erasing: a mark with a salt that nobody keeps."""
    mark = hashlib.sha256(secrets.token_bytes(16) + name.encode()).hexdigest()[:8]
    return f"{ERASED}-{mark}"
