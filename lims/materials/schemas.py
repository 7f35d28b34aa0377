"""What comes in about materials."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Code, Day, Quantity, Reference, Text, Ui, WholeNumber
from lims.base.schemas import Schema
from lims.standards.aggregates import SAND_SIEVES_MM

ORIGINS = {"own": _l("Own"), "competitor": _l("Competitor")}
#: GB 175 names of cements, as printed on the bag.
CEMENT_TYPES = {
    name: name for name in ("P.I", "P.II", "P.O", "P.S.A", "P.S.B", "P.P", "P.F", "P.C", "M", "OPC")
}
#: GB 175-2023; 32.5 stands for slag, pozzolana and fly-ash cements, and for composite and masonry ones made before it.
STRENGTH_CLASSES = {n: n for n in ("32.5", "32.5R", "42.5", "42.5R", "52.5", "52.5R", "62.5", "62.5R")}
AGGREGATE_KINDS = {"fine": _l("Fine"), "coarse": _l("Coarse")}
SEASONS = {"spring": _l("Spring"), "summer": _l("Summer"), "autumn": _l("Autumn"), "winter": _l("Winter")}
SCM_KINDS = {
    "slag": _l("Slag powder"),
    "fly_ash": _l("Fly ash"),
    "silica_fume": _l("Silica fume"),
    "limestone": _l("Limestone powder"),
    "other": _l("Other"),
}
ADMIXTURE_KINDS = {
    "superplasticizer": _l("Water reducer"),
    "retarder": _l("Retarder"),
    "accelerator": _l("Accelerator"),
    "air_entrainer": _l("Air entrainer"),
    "other": _l("Other"),
}
SAND_CLASSES = {
    "coarse": _l("Coarse"),
    "medium": _l("Medium"),
    "fine": _l("Fine"),
    "extra-fine": _l("Extra fine"),
}

SIEVE_FIELDS = (*(f"retained_{sieve.replace('.', '_')}_g" for sieve in SAND_SIEVES_MM), "retained_pan_g")


def percent(places: int = 1, most: int = 100) -> Quantity:
    return Quantity(places=places, maximum=most, unit="%")


class RegionIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Region"))]
    notes: Annotated[str | None, Text(2000, lines=True), Ui(_l("Notes"))] = None


class CementProductIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Cement"))]
    origin: Annotated[str, Choice(ORIGINS), Ui(_l("Origin"))] = "own"
    maker: Annotated[str | None, Text(120), Ui(_l("Maker"))] = None
    cement_type: Annotated[str, Choice(CEMENT_TYPES), Ui(_l("Type"))] = "P.O"
    strength_class: Annotated[str, Choice(STRENGTH_CLASSES), Ui(_l("Strength class"))] = "42.5"
    notes: Annotated[str | None, Text(2000, lines=True), Ui(_l("Notes"))] = None

    @model_validator(mode="after")
    def _maker_of_competitor(self) -> CementProductIn:
        if self.origin == "competitor" and not self.maker:
            raise ValueError(_("a competitor's cement needs its maker"))
        return self


class CementLotIn(Schema):
    code: Annotated[str, Code(60), Ui(_l("Lot number"))]
    cement_product_id: Annotated[int, Reference("cement-products"), Ui(_l("Cement"))]
    produced_on: Annotated[date | None, Day(), Ui(_l("Produced on"))] = None
    delivered_on: Annotated[date | None, Day(), Ui(_l("Delivered on"))] = None
    retested_on: Annotated[date | None, Day(), Ui(_l("Tested again on"))] = None
    mass_t: Annotated[Decimal | None, Quantity(places=2, maximum=100000, unit="t"), Ui(_l("Mass"))] = None
    specific_surface_m2_kg: Annotated[
        Decimal | None, Quantity(places=0, maximum=2000, unit="m²/kg"), Ui(_l("Specific surface"))
    ] = None
    residue_45um_percent: Annotated[Decimal | None, percent(), Ui(_l("45 µm residue"))] = None
    initial_set_min: Annotated[int | None, WholeNumber(0, 3000), Ui(_l("Initial set"), unit="min")] = None
    final_set_min: Annotated[int | None, WholeNumber(0, 5000), Ui(_l("Final set"), unit="min")] = None
    strength_3d_mpa: Annotated[
        Decimal | None, Quantity(places=1, maximum=150, unit="MPa"), Ui(_l("Mortar, 3 d"))
    ] = None
    strength_28d_mpa: Annotated[
        Decimal | None, Quantity(places=1, maximum=150, unit="MPa"), Ui(_l("Mortar, 28 d"))
    ] = None
    so3_percent: Annotated[Decimal | None, percent(2), Ui(_l("SO₃"))] = None
    mgo_percent: Annotated[Decimal | None, percent(2), Ui(_l("MgO"))] = None
    chloride_percent: Annotated[Decimal | None, percent(3), Ui(_l("Chloride"))] = None
    alkali_percent: Annotated[Decimal | None, percent(2), Ui(_l("Alkali, Na₂O eq."))] = None
    loss_on_ignition_percent: Annotated[Decimal | None, percent(2), Ui(_l("Loss on ignition"))] = None
    c3a_percent: Annotated[Decimal | None, percent(), Ui(_l("C₃A"))] = None
    al2o3_percent: Annotated[Decimal | None, percent(2), Ui(_l("Al₂O₃ of the clinker"))] = None
    scm_type: Annotated[str | None, Text(60), Ui(_l("Mineral admixture in it"))] = None
    scm_share_percent: Annotated[Decimal | None, percent(), Ui(_l("Its share"))] = None

    @model_validator(mode="after")
    def _order_of_times(self) -> CementLotIn:
        if self.produced_on and self.delivered_on and self.delivered_on < self.produced_on:
            raise ValueError(_("delivered before it was produced; accepted: a later day"))
        if self.initial_set_min and self.final_set_min and self.final_set_min < self.initial_set_min:
            raise ValueError(_("final set before initial set; accepted: a longer time"))
        return self


MORTAR_BASES = {
    "mean": _l("Mean of six"),
    "five": _l("Mean of five: one beyond 10 %"),
    "invalid": _l("Invalid: two beyond 10 %"),
}
Prism = Annotated[Decimal | None, Quantity(places=1, above=0, maximum=200, unit="MPa")]


class CementTestIn(Schema):
    """Six compressive values of mortar prisms, setting, water demand: any of them, at least one."""

    cement_lot_id: Annotated[int, Reference("cement-lots"), Ui(_l("Cement lot"))]
    tested_on: Annotated[date, Day(), Ui(_l("Tested on"))]
    age_days: Annotated[int, WholeNumber(0, 365), Ui(_l("Age of the prisms"), unit="d")] = 28
    value_1_mpa: Annotated[Prism, Ui(_l("Value 1"))] = None
    value_2_mpa: Annotated[Prism, Ui(_l("Value 2"))] = None
    value_3_mpa: Annotated[Prism, Ui(_l("Value 3"))] = None
    value_4_mpa: Annotated[Prism, Ui(_l("Value 4"))] = None
    value_5_mpa: Annotated[Prism, Ui(_l("Value 5"))] = None
    value_6_mpa: Annotated[Prism, Ui(_l("Value 6"))] = None
    initial_set_min: Annotated[int | None, WholeNumber(1, 3000), Ui(_l("Initial set"), unit="min")] = None
    final_set_min: Annotated[int | None, WholeNumber(1, 5000), Ui(_l("Final set"), unit="min")] = None
    water_demand_percent: Annotated[Decimal | None, percent(), Ui(_l("Water of normal consistency"))] = None
    residue_45um_percent: Annotated[Decimal | None, percent(), Ui(_l("45 µm residue"))] = None
    tested_by: Annotated[str | None, Text(80), Ui(_l("Tested by"))] = None

    @property
    def prisms_mpa(self) -> tuple[Decimal, ...]:
        return tuple(
            value for number in range(1, 7) if (value := getattr(self, f"value_{number}_mpa")) is not None
        )

    @model_validator(mode="after")
    def _whole(self) -> CementTestIn:
        if len(self.prisms_mpa) not in (0, 6):
            raise ValueError(
                _("%(n)s compressive values; accepted: all six, or none", n=len(self.prisms_mpa))
            )
        if self.initial_set_min and self.final_set_min and self.final_set_min < self.initial_set_min:
            raise ValueError(_("final set before initial set; accepted: a longer time"))
        others = (
            self.initial_set_min,
            self.final_set_min,
            self.water_demand_percent,
            self.residue_45um_percent,
        )
        if not self.prisms_mpa and all(value is None for value in others):
            raise ValueError(_("give at least one of the measurements"))
        return self


class AggregateSourceIn(Schema):
    code: Annotated[str, Code(), Ui(_l("Code"))]
    name: Annotated[str, Text(120), Ui(_l("Pit or quarry"))]
    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    kind: Annotated[str, Choice(AGGREGATE_KINDS), Ui(_l("Kind"))] = "fine"
    rock: Annotated[str | None, Text(80), Ui(_l("Rock"))] = None


Sieve = Annotated[Decimal | None, Quantity(places=1, maximum=5000, unit="g")]


class AggregateSampleIn(Schema):
    code: Annotated[str, Code(60), Ui(_l("Sample"))]
    aggregate_source_id: Annotated[int, Reference("aggregate-sources"), Ui(_l("Source"))]
    sampled_on: Annotated[date, Day(), Ui(_l("Sampled on"))]
    season: Annotated[str | None, Choice(SEASONS), Ui(_l("Season"))] = None
    retained_4_75_g: Annotated[Sieve, Ui(_l("Retained on 4.75 mm"))] = None
    retained_2_36_g: Annotated[Sieve, Ui(_l("Retained on 2.36 mm"))] = None
    retained_1_18_g: Annotated[Sieve, Ui(_l("Retained on 1.18 mm"))] = None
    retained_0_60_g: Annotated[Sieve, Ui(_l("Retained on 0.60 mm"))] = None
    retained_0_30_g: Annotated[Sieve, Ui(_l("Retained on 0.30 mm"))] = None
    retained_0_15_g: Annotated[Sieve, Ui(_l("Retained on 0.15 mm"))] = None
    retained_pan_g: Annotated[Sieve, Ui(_l("In the pan"))] = None
    mud_percent: Annotated[Decimal | None, percent(), Ui(_l("Mud"))] = None
    clay_lumps_percent: Annotated[Decimal | None, percent(), Ui(_l("Clay lumps"))] = None
    flaky_percent: Annotated[Decimal | None, percent(), Ui(_l("Flaky and elongated"))] = None
    moisture_percent: Annotated[Decimal | None, percent(), Ui(_l("Moisture"))] = None
    largest_size_mm: Annotated[
        Decimal | None, Quantity(places=1, maximum=150, unit="mm"), Ui(_l("Largest size"))
    ] = None

    def retained(self) -> dict[str, Decimal | None]:
        """Field -> mass in g of the six sieves and the pan."""
        return {name: getattr(self, name) for name in SIEVE_FIELDS}


class ScmLotIn(Schema):
    code: Annotated[str, Code(60), Ui(_l("Lot number"))]
    kind: Annotated[str, Choice(SCM_KINDS), Ui(_l("Kind"))]
    supplier: Annotated[str | None, Text(120), Ui(_l("Supplier"))] = None
    delivered_on: Annotated[date | None, Day(), Ui(_l("Delivered on"))] = None
    specific_surface_m2_kg: Annotated[
        Decimal | None, Quantity(places=0, maximum=30000, unit="m²/kg"), Ui(_l("Specific surface"))
    ] = None
    activity_index_28d_percent: Annotated[Decimal | None, percent(1, 200), Ui(_l("Activity index, 28 d"))] = (
        None
    )
    water_demand_percent: Annotated[Decimal | None, percent(1, 200), Ui(_l("Water demand ratio"))] = None
    loss_on_ignition_percent: Annotated[Decimal | None, percent(2), Ui(_l("Loss on ignition"))] = None


class AdmixtureLotIn(Schema):
    code: Annotated[str, Code(60), Ui(_l("Lot number"))]
    kind: Annotated[str, Choice(ADMIXTURE_KINDS), Ui(_l("Kind"))]
    supplier: Annotated[str | None, Text(120), Ui(_l("Supplier"))] = None
    delivered_on: Annotated[date | None, Day(), Ui(_l("Delivered on"))] = None
    solids_percent: Annotated[Decimal | None, percent(), Ui(_l("Solids"))] = None
    water_reduction_percent: Annotated[Decimal | None, percent(), Ui(_l("Water reduction"))] = None
    recommended_dosage_percent: Annotated[Decimal | None, percent(2), Ui(_l("Recommended dosage"))] = None
