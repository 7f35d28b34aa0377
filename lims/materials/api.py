"""REST of materials."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.materials.views import (
    AdmixtureLotView,
    AggregateSampleView,
    AggregateSourceView,
    CementLotView,
    CementProductView,
    CementTestView,
    RegionView,
    ScmLotView,
)


class RegionApi(RecordApi):
    service = RegionView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "notes",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class CementProductApi(RecordApi):
    service = CementProductView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "origin",
        "maker",
        "cement_type",
        "strength_class",
        "notes",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class CementLotApi(RecordApi):
    service = CementLotView.service
    fields = (
        "id",
        "version",
        "code",
        "cement_product_id",
        "produced_on",
        "delivered_on",
        "retested_on",
        "mass_t",
        "specific_surface_m2_kg",
        "residue_45um_percent",
        "initial_set_min",
        "final_set_min",
        "strength_3d_mpa",
        "strength_28d_mpa",
        "so3_percent",
        "mgo_percent",
        "chloride_percent",
        "alkali_percent",
        "loss_on_ignition_percent",
        "c3a_percent",
        "al2o3_percent",
        "scm_type",
        "scm_share_percent",
        "needs_retest",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class AggregateSourceApi(RecordApi):
    service = AggregateSourceView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "region_id",
        "kind",
        "rock",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class AggregateSampleApi(RecordApi):
    service = AggregateSampleView.service
    fields = (
        "id",
        "version",
        "code",
        "aggregate_source_id",
        "sampled_on",
        "season",
        "retained_g",
        "fineness_modulus",
        "sand_class",
        "zone",
        "mud_percent",
        "clay_lumps_percent",
        "flaky_percent",
        "moisture_percent",
        "largest_size_mm",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class ScmLotApi(RecordApi):
    service = ScmLotView.service
    fields = (
        "id",
        "version",
        "code",
        "kind",
        "supplier",
        "delivered_on",
        "specific_surface_m2_kg",
        "activity_index_28d_percent",
        "water_demand_percent",
        "loss_on_ignition_percent",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class AdmixtureLotApi(RecordApi):
    service = AdmixtureLotView.service
    fields = (
        "id",
        "version",
        "code",
        "kind",
        "supplier",
        "delivered_on",
        "solids_percent",
        "water_reduction_percent",
        "recommended_dosage_percent",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class CementTestApi(RecordApi):
    service = CementTestView.service
    fields = (
        "id", "version", "cement_lot_id", "tested_on", "age_days", "values_mpa", "strength_mpa", "basis",
        "initial_set_min", "final_set_min", "water_demand_percent", "residue_45um_percent", "tested_by",
    )  # fmt: skip


APIS = (
    CementTestApi,
    RegionApi,
    CementProductApi,
    CementLotApi,
    AggregateSourceApi,
    AggregateSampleApi,
    ScmLotApi,
    AdmixtureLotApi,
)
