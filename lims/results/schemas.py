"""What comes in about presses, calibrations and breaks."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from lims.base.fields import (
    Choice,
    Code,
    Day,
    Instant,
    Kind,
    Quantity,
    Reference,
    Text,
    Ui,
    WholeNumber,
    plain_text,
    wrong,
)
from lims.base.schemas import Schema
from lims.trials.schemas import SHAPES

RESULT_STATES = {
    "entered": _l("Entered"),
    "verified": _l("Verified"),
    "released": _l("Released"),
    "retracted": _l("Retracted"),
}
ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "gb18030": "GB 18030",
    "utf-16": "UTF-16",
    "big5": "Big5",
    "cp1252": "Windows-1252",
}
DELIMITERS = {"comma": _l("Comma"), "semicolon": _l("Semicolon"), "tab": _l("Tabulator")}
DECIMAL_MARKS = {".": _l("Point"), ",": _l("Comma")}
#: kN in one of the unit. kgf and lbf by definition (ISO 80000-4; NIST SP 811).
LOAD_UNITS = {
    "kN": Decimal(1),
    "N": Decimal("0.001"),
    "kgf": Decimal("0.00980665"),
    "tf": Decimal("9.80665"),
    "lbf": Decimal("0.0044482216152605"),
}
ROW_STATES = {"waiting": _l("To be settled"), "used": _l("Used"), "dismissed": _l("Dismissed")}
BASES = {
    "mean": _l("Mean of the set"),
    "middle": _l("Middle value: one beyond 15 %"),
    "invalid": _l("Invalid: two beyond 15 %"),
    "spread": _l("Invalid: range of more than 15 %"),
}

LOAD = Quantity(places=3, above=0, maximum=20000, unit="kN")
#: A time that a form writes and reads again, to see whether it can.
TRIED = datetime(2026, 3, 28, 10, 4, 5, tzinfo=UTC)
#: A reported strength may be 0: frozen young specimens have none.
STRENGTH = Quantity(places=4, minimum=0, maximum=300, unit="MPa")


class QuantityList(Kind):
    """Several measured numbers; each problem names the position (1, 2, 3)."""

    def __init__(self, item: Quantity) -> None:
        self.item = item

    def parse(self, value: Any) -> tuple[Decimal, ...]:
        if not isinstance(value, list | tuple):
            message = _("is not a list of numbers; accepted: a list such as [424, 401, 396]")
            raise wrong(message)
        found = []
        for position, item in enumerate(value, start=1):
            if item is None or (isinstance(item, str) and not item.strip()):
                message = _("no. %(n)s is missing; accepted: %(what)s", n=position, what=self.item.accepted())
                raise wrong(message)
            try:
                found.append(self.item.parse(item))
            except PydanticCustomError as error:
                message = _("no. %(n)s: %(what)s", n=position, what=str((error.context or {})["message"]))
                raise wrong(message) from None
        return tuple(found)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.json_schema()}


class TimeForm(Text):
    """How a press writes its times, in the letters of `strptime`: a day is in it, and no part twice (%M is no month)."""

    def parse(self, value: Any) -> str:
        form = plain_text(super().parse(value))  # as the times of a file are looked at
        written = re.sub("%[A-Za-z%]", lambda part: TRIED.strftime(part[0]), form)
        read: datetime | None = None
        with suppress(ValueError, re.error):
            read = datetime.strptime(written, form)  # noqa: DTZ007 - its day is looked at alone
        if read is None or read.date() != TRIED.date():
            what = "%Y-%m-%d %H:%M:%S"
            message = _("%(value)s is not accepted; accepted: %(what)s", value=form, what=what)
            raise wrong(message)
        return form


class SetBreaksIn(Schema):
    """All breaks of one set: either loads or, for history, strengths as reported."""

    tested_at: Annotated[datetime | None, Instant(), Ui(_l("Tested at"))] = None
    press_id: Annotated[int | None, Reference("presses"), Ui(_l("Press"))] = None
    tested_by: Annotated[str | None, Text(80), Ui(_l("Tested by"))] = None
    loads_kn: Annotated[tuple[Decimal, ...] | None, QuantityList(LOAD), Ui(_l("Loads"), unit="kN")] = None
    strengths_mpa: Annotated[
        tuple[Decimal, ...] | None, QuantityList(STRENGTH), Ui(_l("Reported strengths"), unit="MPa")
    ] = None
    loading_rate_mpa_s: Annotated[
        Decimal | None, Quantity(places=3, above=0, maximum=10, unit="MPa/s"), Ui(_l("Loading rate"))
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


class CorrectIn(SetBreaksIn):
    """The set as it should have been entered, and why."""

    reason: Annotated[str, Text(2000), Ui(_l("Reason"))]


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
    mould_id: Annotated[int | None, Reference("moulds"), Ui(_l("Moulds"))] = None
    certificate_number: Annotated[str, Text(80), Ui(_l("Certificate"))]
    calibrated_on: Annotated[date, Day(), Ui(_l("Calibrated on"))]
    due_on: Annotated[date, Day(), Ui(_l("Valid until"))]
    calibrated_by: Annotated[str, Text(120), Ui(_l("Calibrated by"))]
    error_percent: Annotated[
        Decimal | None, Quantity(places=2, minimum=-20, maximum=20, unit="%"), Ui(_l("Largest error"))
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> CalibrationIn:
        if sum(key is not None for key in (self.press_id, self.scale_id, self.mould_id)) != 1:
            raise ValueError(_("name one press, one scale or one set of moulds"))
        if self.due_on <= self.calibrated_on:
            raise ValueError(_("valid until lies before the calibration; accepted: a later day"))
        return self


class MouldIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    shape: Annotated[str, Choice(SHAPES), Ui(_l("Shape"))] = "cube"
    width_mm: Annotated[
        Decimal, Quantity(places=1, minimum=40, maximum=300, unit="mm"), Ui(_l("Edge or diameter"))
    ] = Decimal(150)
    count: Annotated[int, WholeNumber(1, 1000), Ui(_l("Moulds in the set"))] = 3


class PressMappingIn(Schema):
    """How the files of a press read. Columns are named as the file's own head names them."""

    code: Annotated[str, Code(), Ui(_l("Name"), help=_l("Such as YES-2000-csv"))]
    press_id: Annotated[int | None, Reference("presses"), Ui(_l("Press"))] = None
    encoding: Annotated[
        str, Choice(ENCODINGS), Ui(_l("Characters"), help=_l("Of text files; workbooks know theirs"))
    ] = "utf-8-sig"
    delimiter: Annotated[str, Choice(DELIMITERS), Ui(_l("Between columns"))] = "comma"
    decimal_mark: Annotated[str, Choice(DECIMAL_MARKS), Ui(_l("Decimal mark"))] = "."
    header_row: Annotated[int, WholeNumber(1, 100), Ui(_l("Row of the column names"))] = 1
    code_column: Annotated[str, Text(80), Ui(_l("Column of the specimen"))]
    load_column: Annotated[str, Text(80), Ui(_l("Column of the load"))]
    load_unit: Annotated[str, Choice({name: name for name in LOAD_UNITS}), Ui(_l("Unit of the load"))] = "kN"
    time_column: Annotated[
        str | None, Text(80), Ui(_l("Column of the time"), help=_l("Blank: the time the file is read"))
    ] = None
    time_format: Annotated[
        str | None,
        TimeForm(40),
        Ui(_l("Form of the time"), help=_l("Such as %Y-%m-%d %H:%M:%S; blank: ISO 8601")),
    ] = None
    tester_column: Annotated[str | None, Text(80), Ui(_l("Column of the tester"))] = None


class TrayIn(Schema):
    """What a waiting row is: the specimen's code, or why it is put away."""

    code: Annotated[str | None, Text(90), Ui(_l("Specimen"))] = None
    reason: Annotated[str | None, Text(400), Ui(_l("Reason"))] = None

    @model_validator(mode="after")
    def _one(self) -> TrayIn:
        if (self.code is None) == (self.reason is None):
            raise ValueError(_("give the specimen's code, or the reason to put the row away"))
        return self


class RetestIn(Schema):
    """What is broken in place of a set whose result was taken back."""

    held_set_id: Annotated[int, Reference("specimen-sets"), Ui(_l("Held set for the retest"))]
    age_days: Annotated[int, WholeNumber(1, 3650), Ui(_l("Age of the retest"), unit="d")]


class RetractIn(Schema):
    """Why a released result is taken back, and what is broken in its place."""

    reason: Annotated[str, Text(400), Ui(_l("Reason"))]
    held_set_id: Annotated[int | None, Reference("specimen-sets"), Ui(_l("Held set for the retest"))] = None
    age_days: Annotated[int | None, WholeNumber(1, 3650), Ui(_l("Age of the retest"), unit="d")] = None
