"""Every write about maintenance."""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select

from lims.base.actor import Actor
from lims.base.database import current_session
from lims.base.display import local_today
from lims.base.problems import refuse
from lims.base.services import RecordService
from lims.maintenance.models import MaintenancePlan, MaintenanceRecord
from lims.maintenance.schemas import MaintenancePlanIn, MaintenanceRecordIn


class MaintenancePlanService(RecordService[MaintenancePlan]):
    record = MaintenancePlan
    schema = MaintenancePlanIn
    search_columns = ("name", "steps")
    filter_columns = ("every_months", "press_id", "scale_id", "mould_id", "curing_tank_id", "user_id")
    order_columns = ("next_due_on", "name", "every_months")
    shown_relations = ("press", "scale", "mould", "curing_tank")
    default_order = "next_due_on"

    def before_add(self, record: MaintenancePlan, values: MaintenancePlanIn, actor: Actor) -> None:
        record.next_due_on = values.starts_on

    def after_edit(self, record: MaintenancePlan, values: MaintenancePlanIn, actor: Actor) -> None:
        set_next_due(record)


class MaintenanceRecordService(RecordService[MaintenanceRecord]):
    record = MaintenanceRecord
    schema = MaintenanceRecordIn
    search_columns = ("done_by", "findings", "maintenance_plan.name")
    filter_columns = ("maintenance_plan_id",)
    order_columns = ("done_on",)
    shown_relations = ("maintenance_plan",)
    default_order = "-done_on"

    def check(self, record: MaintenanceRecord) -> None:
        if record.done_on > local_today():
            raise refuse("done_on", _("lies in the future; accepted: a day up to today"), record.done_on)

    def after_add(self, record: MaintenanceRecord, values: Any, actor: Actor) -> None:
        self._follow(record)

    def after_edit(self, record: MaintenanceRecord, values: Any, actor: Actor) -> None:
        self._follow(record)

    def retire(self, record_id: int, actor: Actor, version: int | None = None) -> MaintenanceRecord:
        from lims.base.database import transaction

        with transaction(actor):
            record = super().retire(record_id, actor, version)
            self._follow(record)
        return record

    def _follow(self, record: MaintenanceRecord) -> None:
        plan = current_session().get(MaintenancePlan, record.maintenance_plan_id)
        assert plan is not None  # the reference was resolved
        set_next_due(plan)
        current_session().flush()


def set_next_due(plan: MaintenancePlan) -> None:
    """An interval after the last time, the first day while there was none."""
    last = current_session().scalar(
        select(func.max(MaintenanceRecord.done_on)).where(
            MaintenanceRecord.maintenance_plan_id == plan.id, MaintenanceRecord.retired_at.is_(None)
        )
    )
    plan.next_due_on = plan.starts_on if last is None else months_later(last, plan.every_months)


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
