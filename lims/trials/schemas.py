"""What comes in about trials and batches."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
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
)
from lims.base.schemas import Schema

TRIAL_STATES = {"planned": _l("Planned"), "running": _l("Running"), "finished": _l("Finished")}
CURING = {
    "standard": _l("Standard, 20 °C"),
    "same_condition": _l("Same condition as the structure"),
    "steam": _l("Steam"),
    "low_temperature": _l("Low temperature"),
    "other": _l("Other"),
}
SHAPES = {"cube": _l("Cube"), "cylinder": _l("Cylinder")}
SET_STATES = {"waiting": _l("Waiting"), "broken": _l("Broken")}
#: One break day has its limits; more sets than this are a slip of the key.
MOST_SETS_OF_A_BATCH = 400


class PlanAges(Kind):
    """Ages of the sampling plan: whole days, separated by commas."""

    def parse(self, value: Any) -> tuple[int, ...]:
        parts = value if isinstance(value, list | tuple) else plain_text(value).replace("，", ",").split(",")
        texts = [plain_text(part).removesuffix("d").strip() for part in parts]
        if not texts or not all(text.isdecimal() and 0 < int(text[:6]) <= 3650 for text in texts):
            message = _(
                "“%(value)s” is not a list of ages; accepted: whole days such as 3,7,28",
                value=str(value)[:60],
            )
            raise PydanticCustomError("lims", "{message}", {"message": message})
        return tuple(sorted({int(text) for text in texts}))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3650}}


class TrialIn(Schema):
    code: Annotated[
        str | None, Code(), Ui(_l("Trial code"), help=_l("Leave blank: the next number is given"))
    ] = None
    name: Annotated[str, Text(200), Ui(_l("Title"))]
    purpose: Annotated[str | None, Text(2000, lines=True), Ui(_l("Purpose"))] = None
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement"))] = None
    started_on: Annotated[date | None, Day(), Ui(_l("Started on"))] = None
    state: Annotated[str, Choice(TRIAL_STATES), Ui(_l("State"))] = "running"
    notes: Annotated[str | None, Text(4000, lines=True), Ui(_l("Notes"))] = None


class _BatchFacts(Schema):
    """What may still be completed after casting."""

    cement_lot_id: Annotated[int | None, Reference("cement-lots"), Ui(_l("Cement lot"))] = None
    aggregate_sample_id: Annotated[int | None, Reference("aggregate-samples"), Ui(_l("Aggregate sample"))] = (
        None
    )
    slump_mm: Annotated[Decimal | None, Quantity(places=1, maximum=350, unit="mm"), Ui(_l("Slump"))] = None
    air_percent: Annotated[
        Decimal | None, Quantity(places=1, maximum=30, unit="%"), Ui(_l("Air content"))
    ] = None
    concrete_temperature_c: Annotated[
        Decimal | None, Quantity(places=1, minimum=-10, maximum=60, unit="°C"), Ui(_l("Concrete temperature"))
    ] = None
    ambient_temperature_c: Annotated[
        Decimal | None, Quantity(places=1, minimum=-50, maximum=60, unit="°C"), Ui(_l("Air temperature"))
    ] = None
    curing: Annotated[str, Choice(CURING), Ui(_l("Curing"))] = "standard"
    curing_temperature_c: Annotated[
        Decimal | None, Quantity(places=1, minimum=-60, maximum=250, unit="°C"), Ui(_l("Curing temperature"))
    ] = None
    element: Annotated[
        str | None, Text(200), Ui(_l("Element or place"), help=_l("Where the concrete goes"))
    ] = None
    technician: Annotated[str | None, Text(80), Ui(_l("Sampled by"))] = None


class BatchEdit(_BatchFacts):
    """Trial, mix and casting time stay: specimens and results hang on them."""


class BatchIn(_BatchFacts):
    """A batch and its sampling plan."""

    trial_id: Annotated[int, Reference("trials"), Ui(_l("Trial"))]
    mix_revision_id: Annotated[int, Reference("mix-revisions"), Ui(_l("Mix"))]
    code: Annotated[
        str | None, Code(60), Ui(_l("Batch code"), help=_l("Leave blank: the next number is given"))
    ] = None
    cast_at: Annotated[datetime, Instant(), Ui(_l("Cast at"))]
    volume_m3: Annotated[Decimal, Quantity(places=2, above=0, maximum=20000, unit="m³"), Ui(_l("Volume"))]
    plan_ages: Annotated[tuple[int, ...] | None, PlanAges(), Ui(_l("Ages to test"), unit="d")] = None
    cubic_metres_per_set: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=1000, unit="m³"), Ui(_l("One set for each"))
    ] = None
    specimens_per_set: Annotated[int, WholeNumber(3, 30), Ui(_l("Specimens in a set"))] = 3
    shape: Annotated[str, Choice(SHAPES), Ui(_l("Shape"))] = "cube"
    width_mm: Annotated[
        Decimal, Quantity(places=1, minimum=40, maximum=300, unit="mm"), Ui(_l("Edge or diameter"))
    ] = Decimal(150)


class SpecimenSetEdit(Schema):
    """Sets follow from the batch; nothing of them is typed."""
