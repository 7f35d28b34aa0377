"""What comes in about prices, comparisons, changes at the works and trials for a customer."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Code, Day, Quantity, Reference, Text, Ui, WholeNumber
from lims.base.schemas import Schema
from lims.mixes.schemas import COMPONENT_KINDS
from lims.trials.schemas import PlanAges

#: What has a price of its own.
PRICED_KINDS = {kind: label for kind, label in COMPONENT_KINDS.items() if kind != "water"}
#: Which mineral admixtures the batches of a comparison may hold.
SCM_FILTERS = {
    "none": _l("None: cement alone"),
    "fly_ash": COMPONENT_KINDS["fly_ash"],
    "slag": COMPONENT_KINDS["slag"],
    "silica_fume": COMPONENT_KINDS["silica_fume"],
    "fly_ash+slag": _l("Fly ash and slag powder"),
}
#: Kind of a customer's material -> the reference it needs.
MATERIAL_REFERENCES = {
    "fine_aggregate": "aggregate_sample_id",
    "coarse_aggregate": "aggregate_sample_id",
    "slag": "scm_lot_id",
    "fly_ash": "scm_lot_id",
    "silica_fume": "scm_lot_id",
    "other_scm": "scm_lot_id",
    "filler": "scm_lot_id",
    "superplasticizer": "admixture_lot_id",
    "other_admixture": "admixture_lot_id",
}
MATERIAL_KINDS = {kind: COMPONENT_KINDS[kind] for kind in MATERIAL_REFERENCES}


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


class PriceIn(Schema):
    kind: Annotated[str, Choice(PRICED_KINDS), Ui(_l("Material"))] = "cement"
    cement_product_id: Annotated[
        int | None, Reference("cement-products"), Ui(_l("Cement product"), help=_l("For a cement only"))
    ] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"), help=_l("Blank: everywhere"))] = (
        None
    )
    valid_from: Annotated[date, Day(), Ui(_l("Valid from"))]
    price_per_t: Annotated[
        Decimal, Quantity(places=2, above=0, maximum=1_000_000, unit="/t"), Ui(_l("Price"))
    ]
    remark: Annotated[str | None, Text(200), Ui(_l("Remark"))] = None

    @model_validator(mode="after")
    def _cement_named(self) -> PriceIn:
        if (self.kind == "cement") != (self.cement_product_id is not None):
            raise ValueError(_("a cement's price names its product; other materials name none"))
        return self


#: What of a question chooses the trials, the same for both cements.
TRIAL_FILTERS = (
    "region_id", "trial_id", "aggregate_source_id", "admixture_lot_id", "scm", "cast_from", "cast_until",
)  # fmt: skip


class ComparisonQuestion(Schema):
    """Which trials of which two cements are compared, and where."""

    own_id: Annotated[int, Reference("cement-products"), Ui(_l("Own cement"))]
    other_id: Annotated[int, Reference("cement-products"), Ui(_l("Compared with"))]
    target_mpa: Annotated[
        Decimal,
        Quantity(places=1, above=0, maximum=200, unit="MPa"),
        Ui(_l("Strength to reach"), help=_l("Such as fcu,0 of the grade")),
    ]
    age_days: Annotated[int, WholeNumber(1, 3650), Ui(_l("At age"), unit="d")] = 28
    water_kg_m3: Annotated[
        Decimal | None,
        Quantity(places=1, minimum=50, maximum=400, unit="kg/m³"),
        Ui(_l("Water"), help=_l("Blank: the mean of the trials")),
    ] = None
    slump_mm: Annotated[
        Decimal | None,
        Quantity(places=0, maximum=300, unit="mm"),
        Ui(_l("Slump"), help=_l("Blank: the mean of the trials")),
    ] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    trial_id: Annotated[int | None, Reference("trials"), Ui(_l("Only this trial"))] = None
    aggregate_source_id: Annotated[int | None, Reference("aggregate-sources"), Ui(_l("Aggregate"))] = None
    admixture_lot_id: Annotated[int | None, Reference("admixture-lots"), Ui(_l("Admixture"))] = None
    scm: Annotated[str | None, Choice(SCM_FILTERS), Ui(_l("Mineral admixture"))] = None
    cast_from: Annotated[date | None, Day(), Ui(_l("Cast from"))] = None
    cast_until: Annotated[date | None, Day(), Ui(_l("Cast until"))] = None
    priced_on: Annotated[date | None, Day(), Ui(_l("Prices of"), help=_l("Blank: the prices of today"))] = (
        None
    )

    @model_validator(mode="after")
    def _two(self) -> ComparisonQuestion:
        if self.own_id == self.other_id:
            raise ValueError(_("a cement is not compared with itself; accepted: two cements"))
        if self.cast_from and self.cast_until and self.cast_until < self.cast_from:
            raise ValueError(_("cast until lies before cast from; accepted: a later day"))
        return self


class ComparisonIn(ComparisonQuestion):
    """A comparison to keep."""

    name: Annotated[str, Text(200), Ui(_l("Title"))]
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    earlier_id: Annotated[
        int | None, Reference("comparisons"), Ui(_l("Follows"), help=_l("The comparison before the change"))
    ] = None
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


class ComparisonEdit(Schema):
    """Question and answer stay; what it is called may change."""

    name: Annotated[str, Text(200), Ui(_l("Title"))]
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Customer"))] = None
    earlier_id: Annotated[int | None, Reference("comparisons"), Ui(_l("Follows"))] = None
    remarks: Annotated[str | None, Text(4000, lines=True), Ui(_l("Remarks"))] = None


def _percent(places: int = 1) -> Quantity:
    return Quantity(places=places, maximum=100, unit="%")


class ProcessChangeIn(Schema):
    """At least one thing that was changed."""

    code: Annotated[
        str | None, Code(), Ui(_l("Number"), help=_l("Leave blank: the next number is given"))
    ] = None
    name: Annotated[str, Text(200), Ui(_l("What changes"))]
    cement_product_id: Annotated[int, Reference("cement-products"), Ui(_l("Cement"))]
    holds_from: Annotated[date, Day(), Ui(_l("Holds from"))]
    first_lot_id: Annotated[
        int | None, Reference("cement-lots"), Ui(_l("First lot"), help=_l("Of the new kind, where known"))
    ] = None
    reason: Annotated[str | None, Text(4000, lines=True), Ui(_l("Why"))] = None
    al2o3_from_percent: Annotated[Decimal | None, _percent(2), Ui(_l("Al₂O₃ of the clinker, from"))] = None
    al2o3_to_percent: Annotated[Decimal | None, _percent(2), Ui(_l("Al₂O₃ of the clinker, to"))] = None
    specific_surface_from_m2_kg: Annotated[
        Decimal | None, Quantity(places=0, maximum=2000, unit="m²/kg"), Ui(_l("Specific surface, from"))
    ] = None
    specific_surface_to_m2_kg: Annotated[
        Decimal | None, Quantity(places=0, maximum=2000, unit="m²/kg"), Ui(_l("Specific surface, to"))
    ] = None
    residue_45um_from_percent: Annotated[Decimal | None, _percent(), Ui(_l("45 µm residue, from"))] = None
    residue_45um_to_percent: Annotated[Decimal | None, _percent(), Ui(_l("45 µm residue, to"))] = None
    scm_from: Annotated[str | None, Text(60), Ui(_l("Mineral admixture, from"))] = None
    scm_to: Annotated[str | None, Text(60), Ui(_l("Mineral admixture, to"))] = None
    scm_share_from_percent: Annotated[Decimal | None, _percent(), Ui(_l("Its share, from"))] = None
    scm_share_to_percent: Annotated[Decimal | None, _percent(), Ui(_l("Its share, to"))] = None
    initial_set_from_min: Annotated[
        int | None, WholeNumber(0, 3000), Ui(_l("Initial set, from"), unit="min")
    ] = None
    initial_set_to_min: Annotated[int | None, WholeNumber(0, 3000), Ui(_l("Initial set, to"), unit="min")] = (
        None
    )
    other_changes: Annotated[str | None, Text(2000, lines=True), Ui(_l("Also changed"))] = None

    @model_validator(mode="after")
    def _something(self) -> ProcessChangeIn:
        if self.other_changes is None and not any(
            getattr(self, f"{name}_from{unit}") is not None and getattr(self, f"{name}_to{unit}") is not None
            for name, unit in CHANGED
        ):
            raise ValueError(_("says nothing that was changed; accepted: one value from and to, or words"))
        return self


#: Attributes of a change: (stem, unit) gives stem_from+unit and stem_to+unit.
CHANGED = (
    ("al2o3", "_percent"),
    ("specific_surface", "_m2_kg"),
    ("residue_45um", "_percent"),
    ("scm", ""),
    ("scm_share", "_percent"),
    ("initial_set", "_min"),
)


class CustomerMaterialIn(Schema):
    customer_id: Annotated[int, Reference("customers"), Ui(_l("Customer"))]
    kind: Annotated[str, Choice(MATERIAL_KINDS), Ui(_l("Material"))]
    aggregate_sample_id: Annotated[int | None, Reference("aggregate-samples"), Ui(_l("Aggregate sample"))] = (
        None
    )
    scm_lot_id: Annotated[int | None, Reference("scm-lots"), Ui(_l("Mineral admixture lot"))] = None
    admixture_lot_id: Annotated[int | None, Reference("admixture-lots"), Ui(_l("Admixture lot"))] = None
    received_on: Annotated[date, Day(), Ui(_l("Received on"))]
    remark: Annotated[str | None, Text(200), Ui(_l("Remark"))] = None

    @model_validator(mode="after")
    def _one_that_fits(self) -> CustomerMaterialIn:
        wanted = MATERIAL_REFERENCES[self.kind]
        given = [name for name in set(MATERIAL_REFERENCES.values()) if getattr(self, name) is not None]
        if given != [wanted]:
            raise ValueError(
                _("sand and stone name a sample, mineral and other admixtures a lot, and nothing else")
            )
        return self


class ProgrammeEntryIn(Schema):
    trial_id: Annotated[int, Reference("trials"), Ui(_l("Trial"))]
    week_of: Annotated[date, Day(), Ui(_l("Week"), help=_l("Any day of it"))]
    mix_revision_id: Annotated[int, Reference("mix-revisions"), Ui(_l("Mix"))]
    batches: Annotated[int, WholeNumber(1, 50), Ui(_l("Batches"))] = 1
    plan_ages: Annotated[tuple[int, ...], PlanAges(), Ui(_l("Ages to test"), unit="d")] = (3, 7, 28)
    responsible: Annotated[str | None, Text(80), Ui(_l("Who"))] = None
    remark: Annotated[str | None, Text(200), Ui(_l("Remark"))] = None


class OptimumQuestion(Schema):
    """For which grade and with which materials the cheapest mix is sought."""

    cement_product_id: Annotated[int, Reference("cement-products"), Ui(_l("Cement"))]
    grade_mpa: Annotated[
        Decimal, Quantity(places=1, minimum=5, maximum=100, unit="MPa"), Ui(_l("Grade strength"))
    ] = Decimal(30)
    standard_deviation_mpa: Annotated[
        Decimal | None,
        Quantity(places=1, above=0, maximum=15, unit="MPa"),
        Ui(_l("Standard deviation"), help=_l("Blank: of JGJ 55 without history")),
    ] = None
    trial_id: Annotated[int | None, Reference("trials"), Ui(_l("Only this trial"))] = None
    customer_id: Annotated[int | None, Reference("customers"), Ui(_l("Trials of this customer"))] = None
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    water_kg_m3: Annotated[
        Decimal | None,
        Quantity(places=1, minimum=50, maximum=400, unit="kg/m³"),
        Ui(_l("Water"), help=_l("Blank: the mean of the trials")),
    ] = None
