"""Every write about maintenance."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select

from lims.base.actor import Actor
from lims.base.database import current_session, transaction
from lims.base.schemas import Schema
from lims.base.services import LARGEST_KEY, RecordService, require_past
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
        require_past("done_on", record.done_on)

    def after_add(self, record: MaintenanceRecord, values: Any, actor: Actor) -> None:
        _follow(record.maintenance_plan_id)

    def edit(
        self, record_id: int, data: Mapping[str, Any] | Schema, version: int, actor: Actor
    ) -> MaintenanceRecord:
        with transaction(actor) as session:
            of_plan = select(MaintenanceRecord.maintenance_plan_id).where(MaintenanceRecord.id == record_id)
            before = session.scalar(of_plan) if 0 < record_id <= LARGEST_KEY else None
            record = super().edit(record_id, data, version, actor)
            # What was noted at another plan was not done there: that one is due again.
            for plan_id in {before, record.maintenance_plan_id} - {None}:
                _follow(plan_id)
        return record

    def after_retire(self, record: MaintenanceRecord, actor: Actor) -> None:
        _follow(record.maintenance_plan_id)

    def after_restore(self, record: MaintenanceRecord, actor: Actor) -> None:
        _follow(record.maintenance_plan_id)


def _follow(plan_id: int | None) -> None:
    """The plan's next day by the records that there are now."""
    plan = current_session().get(MaintenancePlan, plan_id)
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
