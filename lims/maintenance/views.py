"""Pages of maintenance."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView, Related
from lims.maintenance.schemas import INTERVALS
from lims.maintenance.service import MaintenancePlanService, MaintenanceRecordService


class MaintenancePlanView(RecordView):
    service = MaintenancePlanService()
    title = _l("Maintenance")
    title_one = _l("Maintenance")
    menu = MenuPlace("setup", order=36, icon="settings")
    list_columns = ("name", "device", "every_months", "next_due_on", "user_id")
    labels = {"device": _l("Machine"), "next_due_on": _l("Due on")}
    choices = {"every_months": INTERVALS}
    show_sections = (
        (
            _l("Maintenance"),
            ("name", "device", "every_months", "starts_on", "next_due_on", "user_id", "steps"),
        ),
    )
    related = (Related("maintenance-records", "maintenance_plan_id"),)
    empty_hint = _l("Plan what presses, scales, moulds and tanks need each month and quarter.")


class MaintenanceRecordView(RecordView):
    service = MaintenanceRecordService()
    title = _l("Maintenance done")
    title_one = _l("Maintenance done")
    list_columns = ("done_on", "maintenance_plan", "done_by", "findings", "parts")
    show_sections = (
        (_l("Maintenance done"), ("maintenance_plan", "done_on", "done_by", "findings", "parts")),
    )

    def after_add(self, record: Any) -> str:
        return url_for("MaintenancePlanView.show", record_id=record.maintenance_plan_id)


VIEWS = (MaintenancePlanView, MaintenanceRecordView)
