"""REST of maintenance."""

from __future__ import annotations

from lims.base.api import WHO_AND_WHEN, RecordApi
from lims.maintenance.views import MaintenancePlanView, MaintenanceRecordView


class MaintenancePlanApi(RecordApi):
    service = MaintenancePlanView.service
    fields = (
        "id", "version", "name", "press_id", "scale_id", "mould_id", "curing_tank_id", "every_months", "starts_on",
        "next_due_on", "user_id", "steps", *WHO_AND_WHEN,
    )  # fmt: skip


class MaintenanceRecordApi(RecordApi):
    service = MaintenanceRecordView.service
    fields = (
        "id", "version", "maintenance_plan_id", "done_on", "done_by", "findings", "parts", *WHO_AND_WHEN,
    )  # fmt: skip


APIS = (MaintenancePlanApi, MaintenanceRecordApi)
