"""What comes in about presses, calibrations and breaks."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from lims.base.fields import Code, Day, Instant, Kind, Quantity, Reference, Text, Ui
from lims.base.schemas import Schema

RESULT_STATES = {"entered": _l("Entered"), "verified": _l("Verified"), "released": _l("Released")}
BASES = {
    "mean": _l("Mean of the set"),
    "middle": _l("Middle value: one beyond 15 %"),
    "invalid": _l("Invalid: two beyond 15 %"),
}

LOAD = Quantity(places=3, above=0, maximum=20000, unit="kN")
#: A reported strength may be 0: frozen young specimens have none.
STRENGTH = Quantity(places=4, minimum=0, maximum=300, unit="MPa")


class QuantityList(Kind):
    """Several measured numbers; each problem names the position (1, 2, 3)."""

    def __init__(self, item: Quantity) -> None:
        self.item = item

    def parse(self, value: Any) -> tuple[Decimal, ...]:
        if not isinstance(value, list | tuple):
            message = _("is not a list of numbers; accepted: a list such as [424, 401, 396]")
            raise PydanticCustomError("lims", "{message}", {"message": message})
        found = []
        for position, item in enumerate(value, start=1):
            if item is None or not str(item).strip():
                message = _("no. %(n)s is missing; accepted: %(what)s", n=position, what=self.item.accepted())
                raise PydanticCustomError("lims", "{message}", {"message": message})
            try:
                found.append(self.item.parse(item))
            except PydanticCustomError as error:
                message = _("no. %(n)s: %(what)s", n=position, what=str((error.context or {})["message"]))
                raise PydanticCustomError("lims", "{message}", {"message": message}) from None
        return tuple(found)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.json_schema()}


class SetBreaksIn(Schema):
    """All breaks of one set: either loads or, for history, strengths as reported."""

    tested_at: Annotated[datetime | None, Instant(), Ui(_l("Tested at"))] = None
    press_id: Annotated[int | None, Reference("presses"), Ui(_l("Press"))] = None
    tested_by: Annotated[str | None, Text(80), Ui(_l("Tested by"))] = None
    loads_kn: Annotated[tuple[Decimal, ...] | None, QuantityList(LOAD), Ui(_l("Loads"), unit="kN")] = None
    strengths_mpa: Annotated[
        tuple[Decimal, ...] | None, QuantityList(STRENGTH), Ui(_l("Reported strengths"), unit="MPa")
    ] = None
    remark: Annotated[str | None, Text(400), Ui(_l("Remark"))] = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> SetBreaksIn:
        if (self.loads_kn is None) == (self.strengths_mpa is None):
            raise ValueError(_("give loads in kN, or strengths as reported, not both and not neither"))
        if self.loads_kn is not None and self.tested_at is None:
            raise ValueError(_("loads need the time of the test (tested_at)"))
        return self


class SetBreaksApiIn(SetBreaksIn):
    """The same over REST, with the set it belongs to."""

    specimen_set_id: Annotated[int, Reference("specimen-sets"), Ui(_l("Set"))]


class PressIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Press"))]
    serial_number: Annotated[str | None, Text(80), Ui(_l("Serial number"))] = None
    capacity_kn: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=50000, unit="kN"), Ui(_l("Capacity"))
    ] = None


class ScaleIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Scale"))]
    serial_number: Annotated[str | None, Text(80), Ui(_l("Serial number"))] = None
    capacity_kg: Annotated[
        Decimal | None, Quantity(places=3, above=0, maximum=100000, unit="kg"), Ui(_l("Capacity"))
    ] = None


class CalibrationIn(Schema):
    press_id: Annotated[int | None, Reference("presses"), Ui(_l("Press"))] = None
    scale_id: Annotated[int | None, Reference("scales"), Ui(_l("Scale"))] = None
    certificate_number: Annotated[str, Text(80), Ui(_l("Certificate"))]
    calibrated_on: Annotated[date, Day(), Ui(_l("Calibrated on"))]
    due_on: Annotated[date, Day(), Ui(_l("Valid until"))]
    calibrated_by: Annotated[str, Text(120), Ui(_l("Calibrated by"))]
    error_percent: Annotated[
        Decimal | None, Quantity(places=2, minimum=-20, maximum=20, unit="%"), Ui(_l("Largest error"))
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> CalibrationIn:
        if (self.press_id is None) == (self.scale_id is None):
            raise ValueError(_("name one press or one scale"))
        if self.due_on <= self.calibrated_on:
            raise ValueError(_("valid until lies before the calibration; accepted: a later day"))
        return self
