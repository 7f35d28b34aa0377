"""Every write about what stands around visits and complaints: seminars, surveys, advice, holidays, promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_appbuilder.security.sqla.models import Role
from flask_babel import gettext as _
from sqlalchemy import ColumnElement, select

from lims.accounts.roles import ROLES
from lims.aftersales.models import (
    AdviceCard,
    Attendance,
    Holiday,
    Seminar,
    ServiceSettings,
    StaffSurvey,
    Survey,
)
from lims.aftersales.promises import forget_promises
from lims.aftersales.schemas import (
    AdviceCardIn,
    AttendanceIn,
    HolidayIn,
    SeminarIn,
    ServiceSettingsIn,
    StaffSurveyIn,
    SurveyIn,
)
from lims.base.actor import Actor
from lims.base.database import current_session, transaction
from lims.base.problems import Conflict, refuse
from lims.base.schemas import Schema
from lims.base.services import RecordService, only_row, require_past
from lims.customers.models import Contact
from lims.customers.regions import seen_through, seen_within


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

    def check(self, record: Survey) -> None:
        require_past("answered_on", record.answered_on)


class StaffSurveyService(RecordService[StaffSurvey]):
    record = StaffSurvey
    schema = StaffSurveyIn
    search_columns = ("department", "remarks")
    filter_columns = ("department",)
    order_columns = ("answered_on", "department")
    default_order = "-answered_on"

    def check(self, record: StaffSurvey) -> None:
        require_past("answered_on", record.answered_on)


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
        values = ServiceSettingsIn.as_read(data)
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
            row = only_row(session, ServiceSettings)
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
