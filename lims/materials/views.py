"""Pages of materials."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView, Related
from lims.materials.schemas import MORTAR_BASES, SAND_CLASSES, SIEVE_FIELDS
from lims.materials.service import (
    AdmixtureLotService,
    AggregateSampleService,
    AggregateSourceService,
    CementLotService,
    CementProductService,
    CementTestService,
    RegionService,
    ScmLotService,
)


class RegionView(RecordView):
    service = RegionService()
    title = _l("Regions")
    title_one = _l("Region")
    menu = MenuPlace("setup", order=30, icon="map")
    list_columns = ("code", "name", "notes")
    show_sections = ((_l("Region"), ("code", "name", "notes")),)
    related = (
        Related("aggregate-sources", "region_id"),
        Related("customers", "region_id"),
        Related("trials", "region_id"),
    )
    show_template = "lims/region_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.material_pages import region_context

        return {**super().show_context(record), **region_context(record)}


class CementProductView(RecordView):
    service = CementProductService()
    title = _l("Cements")
    title_one = _l("Cement")
    menu = MenuPlace("setup", order=10, icon="package")
    list_columns = ("code", "name", "origin", "maker", "cement_type", "strength_class")
    show_sections = (
        (_l("Cement"), ("code", "name", "origin", "maker", "cement_type", "strength_class", "notes")),
    )
    related = (
        Related("cement-lots", "cement_product_id"),
        Related("trials", "cement_product_id"),
        Related("usage-cards", "cement_product_id"),
    )


class CementLotView(RecordView):
    service = CementLotService()
    title = _l("Cement lots")
    title_one = _l("Cement lot")
    menu = MenuPlace("trials", order=65, icon="box")
    list_columns = (
        "code",
        "cement_product",
        "produced_on",
        "delivered_on",
        "mass_t",
        "strength_3d_mpa",
        "strength_28d_mpa",
        "needs_retest",
    )
    labels = {"needs_retest": _l("Retest due")}
    show_sections = (
        (
            _l("Lot"),
            (
                "code",
                "cement_product",
                "produced_on",
                "delivered_on",
                "mass_t",
                "retested_on",
                "needs_retest",
            ),
        ),
        (
            _l("Mill certificate"),
            (
                "specific_surface_m2_kg",
                "residue_45um_percent",
                "initial_set_min",
                "final_set_min",
                "strength_3d_mpa",
                "strength_28d_mpa",
            ),
        ),
        (
            _l("Chemistry"),
            (
                "so3_percent",
                "mgo_percent",
                "chloride_percent",
                "alkali_percent",
                "loss_on_ignition_percent",
                "c3a_percent",
                "al2o3_percent",
                "scm_type",
                "scm_share_percent",
            ),
        ),
    )
    form_sections = (
        (_l("Lot"), ("code", "cement_product_id", "produced_on", "delivered_on", "mass_t", "retested_on")),
        (
            _l("Mill certificate"),
            (
                "specific_surface_m2_kg",
                "residue_45um_percent",
                "initial_set_min",
                "final_set_min",
                "strength_3d_mpa",
                "strength_28d_mpa",
            ),
        ),
        (
            _l("Chemistry"),
            (
                "so3_percent",
                "mgo_percent",
                "chloride_percent",
                "alkali_percent",
                "loss_on_ignition_percent",
                "c3a_percent",
                "al2o3_percent",
                "scm_type",
                "scm_share_percent",
            ),
        ),
    )
    related = (
        Related("cement-tests", "cement_lot_id"),
        Related("batches", "cement_lot_id"),
        Related("retests", "cement_lot_id"),
        Related("complaints", "cement_lot_id"),
    )
    show_template = "lims/lot_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.material_pages import lot_context

        return {**super().show_context(record), **lot_context(record)}


class CementTestView(RecordView):
    service = CementTestService()
    title = _l("Cement tests")
    title_one = _l("Cement test")
    menu = MenuPlace("trials", order=66, icon="flask")
    list_columns = (
        "tested_on",
        "cement_lot",
        "age_days",
        "strength_mpa",
        "basis",
        "initial_set_min",
        "final_set_min",
    )
    labels = {"strength_mpa": _l("Mortar strength"), "basis": _l("Basis"), "values": _l("Six values")}
    units = {"strength_mpa": "MPa"}
    choices = {"basis": MORTAR_BASES}
    show_sections = (
        (_l("Test"), ("cement_lot", "tested_on", "age_days", "tested_by")),
        (_l("Mortar, GB/T 17671"), ("strength_mpa", "basis")),
        (_l("Paste"), ("initial_set_min", "final_set_min", "water_demand_percent", "residue_45um_percent")),
    )
    form_sections = (
        (_l("Test"), ("cement_lot_id", "tested_on", "age_days", "tested_by")),
        (_l("Compressive values of the six half prisms"), tuple(f"value_{n}_mpa" for n in range(1, 7))),
        (_l("Paste"), ("initial_set_min", "final_set_min", "water_demand_percent", "residue_45um_percent")),
    )
    empty_hint = _l("Six values of a mortar test, setting times, or both.")
    show_template = "lims/cement_test_show.html"

    def form_values(self, record: Any, schema: Any) -> dict[str, Any]:
        values = super().form_values(record, schema)
        values.update({f"value_{n}_mpa": value for n, value in enumerate(record.values, start=1)})
        return values

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.material_pages import cement_test_context

        return {**super().show_context(record), **cement_test_context(record)}


class AggregateSourceView(RecordView):
    service = AggregateSourceService()
    title = _l("Pits and quarries")
    title_one = _l("Pit or quarry")
    menu = MenuPlace("setup", order=20, icon="mountain")
    list_columns = ("code", "name", "region", "kind", "rock")
    show_sections = ((_l("Source"), ("code", "name", "region", "kind", "rock")),)
    related = (Related("aggregate-samples", "aggregate_source_id"),)


class AggregateSampleView(RecordView):
    service = AggregateSampleService()
    title = _l("Aggregate samples")
    title_one = _l("Aggregate sample")
    menu = MenuPlace("trials", order=70, icon="filter")
    list_columns = (
        "code",
        "aggregate_source",
        "sampled_on",
        "season",
        "fineness_modulus",
        "zone",
        "mud_percent",
        "moisture_percent",
    )
    labels = {
        "fineness_modulus": _l("Fineness modulus"),
        "zone": _l("Zone"),
        "sand_class": _l("Class of sand"),
    }
    choices = {"sand_class": SAND_CLASSES}
    show_sections = (
        (_l("Sample"), ("code", "aggregate_source", "sampled_on", "season", "largest_size_mm")),
        (_l("Grading, JGJ 52"), ("fineness_modulus", "sand_class", "zone")),
        (_l("Cleanness"), ("mud_percent", "clay_lumps_percent", "flaky_percent", "moisture_percent")),
    )
    form_sections = (
        (_l("Sample"), ("code", "aggregate_source_id", "sampled_on", "season", "largest_size_mm")),
        (
            _l("Sieving"),
            (
                "retained_4_75_g",
                "retained_2_36_g",
                "retained_1_18_g",
                "retained_0_60_g",
                "retained_0_30_g",
                "retained_0_15_g",
                "retained_pan_g",
            ),
        ),
        (_l("Cleanness"), ("mud_percent", "clay_lumps_percent", "flaky_percent", "moisture_percent")),
    )
    related = (Related("batches", "aggregate_sample_id"),)
    show_template = "lims/sample_show.html"

    def form_values(self, record: Any, schema: Any) -> dict[str, Any]:
        values = super().form_values(record, schema)
        # Of what was never sieved there are none.
        values.update(zip(SIEVE_FIELDS, record.retained_masses_g, strict=False))
        return values

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.material_pages import sample_context

        return {**super().show_context(record), **sample_context(record)}


class ScmLotView(RecordView):
    service = ScmLotService()
    title = _l("Mineral admixtures")
    title_one = _l("Mineral admixture lot")
    menu = MenuPlace("trials", order=80, icon="box")
    list_columns = ("code", "kind", "supplier", "delivered_on", "activity_index_28d_percent")
    show_sections = (
        (
            _l("Lot"),
            (
                "code",
                "kind",
                "supplier",
                "delivered_on",
                "specific_surface_m2_kg",
                "activity_index_28d_percent",
                "water_demand_percent",
                "loss_on_ignition_percent",
            ),
        ),
    )


class AdmixtureLotView(RecordView):
    service = AdmixtureLotService()
    title = _l("Chemical admixtures")
    title_one = _l("Chemical admixture lot")
    menu = MenuPlace("trials", order=85, icon="droplet")
    list_columns = ("code", "kind", "supplier", "delivered_on", "solids_percent", "water_reduction_percent")
    show_sections = (
        (
            _l("Lot"),
            (
                "code",
                "kind",
                "supplier",
                "delivered_on",
                "solids_percent",
                "water_reduction_percent",
                "recommended_dosage_percent",
            ),
        ),
    )


VIEWS = (
    RegionView,
    CementProductView,
    CementLotView,
    CementTestView,
    AggregateSourceView,
    AggregateSampleView,
    ScmLotView,
    AdmixtureLotView,
)
