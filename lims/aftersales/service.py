"""Every write of the after-sales service."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from lims.aftersales.models import AdviceCard, Complaint, Retest, Seminar, Survey, Visit
from lims.aftersales.schemas import AdviceCardIn, ComplaintIn, RetestIn, SeminarIn, SurveyIn, VisitIn
from lims.base.actor import Actor
from lims.base.database import current_session
from lims.base.numbering import next_number
from lims.base.problems import refuse
from lims.base.services import RecordService
from lims.customers.service import require_own_site


class VisitService(RecordService[Visit]):
    record = Visit
    schema = VisitIn
    search_columns = ("purpose", "findings", "customer.name")
    filter_columns = ("customer_id", "site_id")
    order_columns = ("visited_on", "follow_up_on")
    shown_relations = ("customer", "site")
    default_order = "-visited_on"

    def check(self, record: Visit) -> None:
        require_own_site(record.customer_id, record.site_id)


class ComplaintService(RecordService[Complaint]):
    record = Complaint
    schema = ComplaintIn
    search_columns = ("code", "subject", "customer.name")
    filter_columns = ("customer_id", "cement_lot_id", "severity", "channel", "site_id")
    order_columns = ("code", "received_at", "severity", "closed_at")
    shown_relations = ("customer", "site", "cement_lot")
    default_order = "-received_at"

    def before_add(self, record: Complaint, values: ComplaintIn, actor: Actor) -> None:
        require_own_site(record.customer_id, record.site_id)
        if not record.code:
            year = values.received_at.year % 100
            record.code = f"K{year:02d}-{next_number(current_session(), f'complaint-{year}'):04d}"

    def before_edit(self, record: Complaint, values: Any, actor: Actor) -> None:
        if record.closed_at is not None and values.closed_at is None:
            raise refuse(
                "closed_at", _("was closed; accepted: a new complaint that refers to it"), record.code
            )

    def check(self, record: Complaint) -> None:
        require_own_site(record.customer_id, record.site_id)


class RetestService(RecordService[Retest]):
    record = Retest
    schema = RetestIn
    search_columns = ("cement_lot.code", "remarks")
    filter_columns = ("cement_lot_id", "complaint_id", "outcome")
    order_columns = ("ordered_on", "finished_on", "outcome")
    shown_relations = ("cement_lot", "complaint")
    default_order = "-ordered_on"


class SeminarService(RecordService[Seminar]):
    record = Seminar
    schema = SeminarIn
    search_columns = ("name", "place", "topics")
    filter_columns = ("customer_id",)
    order_columns = ("held_on", "name", "participants")
    shown_relations = ("customer",)
    default_order = "-held_on"


class SurveyService(RecordService[Survey]):
    record = Survey
    schema = SurveyIn
    search_columns = ("customer.name", "remarks")
    filter_columns = ("customer_id",)
    order_columns = ("answered_on", "quality", "service")
    shown_relations = ("customer",)
    default_order = "-answered_on"


class AdviceCardService(RecordService[AdviceCard]):
    record = AdviceCard
    schema = AdviceCardIn
    search_columns = ("code", "name", "body")
    filter_columns = ("language",)
    order_columns = ("code", "name", "language")
    default_order = "code"
