"""What comes in about maintenance."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Day, Reference, Text, Ui
from lims.base.schemas import Schema
from lims.base.staff import Staff
from lims.maintenance.models import DEVICES

INTERVALS = {
    "1": _l("Monthly"),
    "3": _l("Quarterly"),
    "6": _l("Half-yearly"),
    "12": _l("Yearly"),
}


class Interval(Choice):
    """Months between two times, kept as a number."""

    def __init__(self) -> None:
        super().__init__(INTERVALS)

    def parse(self, value: Any) -> int:  # type: ignore[override]
        return int(super().parse(value))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "enum": [int(months) for months in INTERVALS]}


class MaintenancePlanIn(Schema):
    name: Annotated[str, Text(120), Ui(_l("Maintenance"))]
    press_id: Annotated[int | None, Reference("presses"), Ui(_l("Press"))] = None
    scale_id: Annotated[int | None, Reference("scales"), Ui(_l("Scale"))] = None
    mould_id: Annotated[int | None, Reference("moulds"), Ui(_l("Moulds"))] = None
    curing_tank_id: Annotated[int | None, Reference("curing-tanks"), Ui(_l("Curing tank"))] = None
    every_months: Annotated[int, Interval(), Ui(_l("How often"))] = 1
    starts_on: Annotated[date, Day(), Ui(_l("First time on"))]
    user_id: Annotated[int | None, Staff(), Ui(_l("Who does it"))] = None
    steps: Annotated[str | None, Text(4000, lines=True), Ui(_l("What is done"))] = None

    @model_validator(mode="after")
    def _one_device(self) -> MaintenancePlanIn:
        if sum(getattr(self, name) is not None for name in DEVICES) != 1:
            raise ValueError(_("name one machine: a press, a scale, moulds or a tank"))
        return self


class MaintenanceRecordIn(Schema):
    maintenance_plan_id: Annotated[int, Reference("maintenance-plans"), Ui(_l("Maintenance"))]
    done_on: Annotated[date, Day(), Ui(_l("Done on"))]
    done_by: Annotated[str, Text(80), Ui(_l("Done by"))]
    findings: Annotated[str | None, Text(4000, lines=True), Ui(_l("What was seen"))] = None
    parts: Annotated[str | None, Text(300), Ui(_l("Parts replaced"))] = None
