"""What comes in about trials and batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

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

TRIAL_STATES = {"planned": _l("Planned"), "running": _l("Running"), "finished": _l("Finished")}
CURING = {
    "standard": _l("Standard, 20 °C"),
    "same_condition": _l("Same condition as the structure"),
    "steam": _l("Steam"),
    "low_temperature": _l("Low temperature"),
    "other": _l("Other"),
}
SHAPES = {"cube": _l("Cube"), "cylinder": _l("Cylinder")}
SET_STATES = {
    "waiting": _l("Waiting"),
    "held": _l("Held"),
    "broken": _l("Broken"),
    "discarded": _l("Discarded"),
}
SET_PURPOSES = {
    "plan": _l("Sampling plan"),
    "hold": _l("Held for any age"),
    "site": _l("Reserved for the customer's site"),
    "retest": _l("Retest"),
}
SAMPLING_PLANS = {
    "per-volume": _l("A set for each so many cubic metres"),
    "gb50204": _l("GB 50204: a set for each 100 m³, 200 m³ in one pour above 1000 m³"),
}
#: One break day has its limits; more sets than this are a slip of the key.
MOST_SETS_OF_A_BATCH = 400
#: Specimens of a set: at least, but where a code makes a result of fewer (`least_per_set`), and at most.
LEAST_PER_SET, MOST_PER_SET = 3, 30


class PlanAges(Kind):
    """Ages of the sampling plan: whole days, separated by commas."""

    def parse(self, value: Any) -> tuple[int, ...]:
        parts = value if isinstance(value, list | tuple) else plain_text(value).replace("，", ",").split(",")
        texts = [plain_text(part).removesuffix("d").strip() for part in parts]
        if not texts or not all(
            text.isdecimal() and len(text) <= 6 and 0 < int(text) <= 3650 for text in texts
        ):
            message = _(
                "“%(value)s” is not a list of ages; accepted: whole days such as 3,7,28",
                value=str(value)[:60],
            )
            raise wrong(message)
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
    density_kg_m3: Annotated[
        Decimal | None, Quantity(places=0, minimum=500, maximum=5000, unit="kg/m³"), Ui(_l("Fresh density"))
    ] = None
    water_used_kg_m3: Annotated[
        Decimal | None,
        Quantity(places=1, maximum=400, unit="kg/m³"),
        Ui(
            _l("Water that went in"),
            help=_l("With what sand and stone brought; advice compares it with the mix"),
        ),
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
    site_id: Annotated[int | None, Reference("sites"), Ui(_l("Site"))] = None
    technician: Annotated[str | None, Text(80), Ui(_l("Sampled by"))] = None


_WHY = _l("Asked only when it applies: why the batch is cast all the same")
LotTooOld = Annotated[str | None, Text(400), Ui(_l("Lot over three months old"), help=_WHY)]
OtherProduct = Annotated[str | None, Text(400), Ui(_l("Lot of another cement"), help=_WHY)]
OutOfLimits = Annotated[str | None, Text(400), Ui(_l("Sample out of limits"), help=_WHY)]
NotCalibrated = Annotated[str | None, Text(400), Ui(_l("Scale not calibrated"), help=_WHY)]
NotChecked = Annotated[str | None, Text(400), Ui(_l("Moulds not checked"), help=_WHY)]
Tank = Annotated[int | None, Reference("curing-tanks"), Ui(_l("Curing tank"))]
ScaleUsed = Annotated[int | None, Reference("scales"), Ui(_l("Scale of the batching"))]
MouldsUsed = Annotated[int | None, Reference("moulds"), Ui(_l("Moulds"))]
#: What a batch was weighed, cast and cured in.
EQUIPMENT_FIELDS = ("curing_tank_id", "scale_id", "mould_id")


_BLANK = _l("Blank: as it was registered")


class BatchEdit(_BatchFacts):
    """Trial, mix and casting time stay: specimens and results hang on them. Another lot, sample, scale or set of moulds is
    asked about as at casting. Of the lots beside the cement (LOT_FIELDS) one that is not given stays. Of the equipment
    (EQUIPMENT_FIELDS) one that is not mentioned stays, one that is given blank is named no more; the tank is the sets'."""

    curing_tank_id: Tank = None
    scale_id: ScaleUsed = None
    mould_id: MouldsUsed = None

    coarse_aggregate_sample_id: Annotated[
        int | None, Reference("aggregate-samples"), Ui(_l("Sample of the stone"), help=_BLANK)
    ] = None
    fly_ash_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Fly ash lot"), help=_BLANK)] = None
    slag_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Slag powder lot"), help=_BLANK)] = None
    silica_fume_lot_id: Annotated[
        int | None, Reference("scm-lots"), Ui(_l("Silica fume lot"), help=_BLANK)
    ] = None
    other_scm_lot_id: Annotated[
        int | None, Reference("scm-lots"), Ui(_l("Other mineral admixture lot"), help=_BLANK)
    ] = None
    superplasticizer_lot_id: Annotated[
        int | None, Reference("admixture-lots"), Ui(_l("Water reducer lot"), help=_BLANK)
    ] = None
    other_admixture_lot_id: Annotated[
        int | None, Reference("admixture-lots"), Ui(_l("Other admixture lot"), help=_BLANK)
    ] = None
    answer_lot_too_old: LotTooOld = None
    answer_other_product: OtherProduct = None
    answer_sample_out_of_limits: OutOfLimits = None
    answer_scale_not_calibrated: NotCalibrated = None
    answer_moulds_not_checked: NotChecked = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        found = super().read(data)
        blank = [name for name in EQUIPMENT_FIELDS if name in data and name not in found.model_fields_set]
        return found.model_copy(update=dict.fromkeys(blank))

    def values(self) -> dict[str, Any]:
        kept = set(EQUIPMENT_FIELDS) - self.model_fields_set
        return {name: value for name, value in super().values().items() if name not in kept}


#: Field of BatchIn -> (component kind, attribute of BatchLot).
LOT_FIELDS = {
    "coarse_aggregate_sample_id": ("coarse_aggregate", "aggregate_sample_id"),
    "fly_ash_lot_id": ("fly_ash", "scm_lot_id"),
    "slag_lot_id": ("slag", "scm_lot_id"),
    "silica_fume_lot_id": ("silica_fume", "scm_lot_id"),
    "other_scm_lot_id": ("other_scm", "scm_lot_id"),
    "superplasticizer_lot_id": ("superplasticizer", "admixture_lot_id"),
    "other_admixture_lot_id": ("other_admixture", "admixture_lot_id"),
}


class BatchIn(_BatchFacts):
    """A batch, the lots that went into it, its sampling plan, and the answers to what was noticed."""

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
    sampling_plan: Annotated[str, Choice(SAMPLING_PLANS), Ui(_l("Sampling plan"))] = "per-volume"
    specimens_per_set: Annotated[int, WholeNumber(1, MOST_PER_SET), Ui(_l("Specimens in a set"))] = 3
    hold_sets: Annotated[
        int, WholeNumber(0, 20), Ui(_l("Sets to hold"), help=_l("Kept for any age that is asked for later"))
    ] = 0
    site_sets: Annotated[
        int,
        WholeNumber(0, 20),
        Ui(_l("Sets for the customer's site"), help=_l("Reserved; broken when the site asks")),
    ] = 0
    curing_tank_id: Tank = None
    scale_id: ScaleUsed = None
    mould_id: MouldsUsed = None
    coarse_aggregate_sample_id: Annotated[
        int | None, Reference("aggregate-samples"), Ui(_l("Sample of the stone"))
    ] = None
    fly_ash_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Fly ash lot"))] = None
    slag_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Slag powder lot"))] = None
    silica_fume_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Silica fume lot"))] = None
    other_scm_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Other mineral admixture lot"))] = (
        None
    )
    superplasticizer_lot_id: Annotated[
        int | None, Reference("admixture-lots"), Ui(_l("Water reducer lot"))
    ] = None
    other_admixture_lot_id: Annotated[
        int | None, Reference("admixture-lots"), Ui(_l("Other admixture lot"))
    ] = None
    answer_lot_too_old: LotTooOld = None
    answer_other_product: OtherProduct = None
    answer_sample_out_of_limits: OutOfLimits = None
    answer_scale_not_calibrated: NotCalibrated = None
    answer_moulds_not_checked: NotChecked = None
    shape: Annotated[str, Choice(SHAPES), Ui(_l("Shape"))] = "cube"
    width_mm: Annotated[
        Decimal, Quantity(places=1, minimum=40, maximum=300, unit="mm"), Ui(_l("Edge or diameter"))
    ] = Decimal(150)


class HeldSetIn(Schema):
    """A held or reserved set is to be broken at this age."""

    age_days: Annotated[int, WholeNumber(1, 3650), Ui(_l("Age"), unit="d")]


class DiscardIn(Schema):
    """Specimens thrown away, with the reason."""

    reason: Annotated[str, Text(200), Ui(_l("Reason"))]


SURFACES = {"wall": _l("Wall"), "overhead": _l("Overhead"), "panel": _l("Panel")}
SHOTCRETE_OUTCOMES = {"passed": _l("Within the limits"), "failed": _l("Out of limits")}


class ShotcreteTrialIn(Schema):
    """What was measured at a spraying."""

    trial_id: Annotated[int, Reference("trials"), Ui(_l("Trial"))]
    batch_id: Annotated[int | None, Reference("batches"), Ui(_l("Batch"))] = None
    sprayed_on: Annotated[date, Day(), Ui(_l("Sprayed on"))]
    surface: Annotated[str, Choice(SURFACES), Ui(_l("Surface"))] = "wall"
    accelerator_lot_id: Annotated[int | None, Reference("admixture-lots"), Ui(_l("Accelerator lot"))] = None
    accelerator_percent: Annotated[
        Decimal | None, Quantity(places=1, maximum=20, unit="%"), Ui(_l("Accelerator, of the cement"))
    ] = None
    sprayed_kg: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=1_000_000, unit="kg"), Ui(_l("Sprayed"))
    ] = None
    rebound_kg: Annotated[
        Decimal | None, Quantity(places=1, maximum=1_000_000, unit="kg"), Ui(_l("Rebound collected"))
    ] = None
    initial_set_min: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=3000, unit="min"), Ui(_l("Initial set"))
    ] = None
    final_set_min: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=5000, unit="min"), Ui(_l("Final set"))
    ] = None
    panels: Annotated[int | None, WholeNumber(0, 100), Ui(_l("Panels sprayed"))] = None
    curing_days: Annotated[int | None, WholeNumber(0, 365), Ui(_l("Days of curing"), unit="d")] = None
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None

    @model_validator(mode="after")
    def _pairs(self) -> ShotcreteTrialIn:
        if (self.sprayed_kg is None) != (self.rebound_kg is None):
            raise ValueError(_("give both the mass sprayed and the rebound, or neither"))
        if (self.initial_set_min is None) != (self.final_set_min is None):
            raise ValueError(_("give both setting times, or neither"))
        return self


class CuringTankIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Tank or room"))]
    temperature_c: Annotated[
        Decimal, Quantity(places=1, minimum=-30, maximum=100, unit="°C"), Ui(_l("Held at"))
    ] = Decimal(20)
    relative_humidity_percent: Annotated[
        Decimal | None, Quantity(places=0, maximum=100, unit="%"), Ui(_l("Relative humidity"))
    ] = None


class CuringReadingIn(Schema):
    """Of a tank, or of the place where one batch lies."""

    curing_tank_id: Annotated[int | None, Reference("curing-tanks"), Ui(_l("Curing tank"))] = None
    batch_id: Annotated[int | None, Reference("batches"), Ui(_l("Batch"))] = None
    read_at: Annotated[datetime, Instant(), Ui(_l("Read at"))]
    temperature_c: Annotated[
        Decimal, Quantity(places=1, minimum=-60, maximum=250, unit="°C"), Ui(_l("Temperature"))
    ]
    relative_humidity_percent: Annotated[
        Decimal | None, Quantity(places=0, maximum=100, unit="%"), Ui(_l("Relative humidity"))
    ] = None

    @model_validator(mode="after")
    def _one_place(self) -> CuringReadingIn:
        if (self.curing_tank_id is None) == (self.batch_id is None):
            raise ValueError(_("name one tank or one batch"))
        return self


class SpecimenSetEdit(Schema):
    """Sets follow from the batch; nothing of them is typed."""
