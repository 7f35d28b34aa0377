"""Every write about visits, the month's plan of them, and what was delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, select

from lims.aftersales.models import (
    Complaint,
    Delivery,
    Visit,
    VisitPlan,
)
from lims.aftersales.promises import named_days, promises
from lims.aftersales.schemas import (
    DeliveryIn,
    VisitIn,
    VisitPlanIn,
)
from lims.base.actor import Actor
from lims.base.database import among, current_session, transaction
from lims.base.display import local_today
from lims.base.problems import refuse
from lims.base.services import LARGEST_KEY, RecordService, require_past
from lims.base.staff import staff_names
from lims.customers.models import Customer
from lims.customers.regions import seen_customers, seen_through
from lims.customers.service import require_own_site

#: A visit within so many days of a plan does it.
PLAN_REACH_DAYS = 31
#: As `date.weekday` counts.
SATURDAY = 5


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
        require_own_site(record)


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
        if record.followed_up_on is not None:
            # It ends the follow-up: what is still to be done belongs into `follow_up_on`.
            require_past("followed_up_on", record.followed_up_on)
            if record.followed_up_on < record.visited_on:
                raise refuse(
                    "followed_up_on",
                    _("the follow-up lies before the visit; accepted: a later day"),
                    record.followed_up_on,
                )
        require_own_site(record)
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
        require_own_site(record)
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
        named = named_days()
        # A weekend or a holiday at its end moves to a day of the next month.
        last_day = workday(after - timedelta(days=1), named)
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
                found.append((customer, workday(max(due, first, today), named), visited))
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
            people = staff_names(active=True)
            for customer, day, _last in proposed:
                self.add(
                    VisitPlanIn.read(
                        {
                            "customer_id": customer.id,
                            "planned_on": day,
                            # Whose customer it was may have left: then the plan is nobody's yet.
                            "user_id": customer.owner_id if str(customer.owner_id) in people else None,
                            "purpose": _("Regular visit"),
                        }
                    ),
                    actor,
                )
        return len(proposed)


def workday(day: date, named: Mapping[date, bool] = {}) -> date:
    """This day, or the next that is worked: Monday to Friday, but for what `named` says (day -> is it worked?): a holiday,
    or a Saturday that is worked in place of one (调休)."""
    while not named.get(day, day.weekday() < SATURDAY):
        day += timedelta(days=1)
    return day
