"""REST of trials, batches, sets and specimens."""

from __future__ import annotations

from lims.base.api import RecordApi, Step
from lims.trials.schemas import DiscardIn, HeldSetIn
from lims.trials.service import SpecimenSetService
from lims.trials.views import (
    BatchView,
    CuringReadingView,
    CuringTankView,
    ShotcreteTrialView,
    SpecimenSetView,
    SpecimenView,
    TrialView,
)


class TrialApi(RecordApi):
    service = TrialView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "purpose",
        "state",
        "customer_id",
        "region_id",
        "cement_product_id",
        "started_on",
        "notes",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class BatchApi(RecordApi):
    service = BatchView.service
    fields = (
        "id",
        "version",
        "code",
        "trial_id",
        "mix_revision_id",
        "cast_at",
        "volume_m3",
        "cement_lot_id",
        "aggregate_sample_id",
        "slump_mm",
        "air_percent",
        "density_kg_m3",
        "water_used_kg_m3",
        "concrete_temperature_c",
        "ambient_temperature_c",
        "curing",
        "curing_temperature_c",
        "standard_curing",
        "element",
        "site_id",
        "scale_id",
        "mould_id",
        "technician",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class SpecimenSetApi(RecordApi):
    service = SpecimenSetView.service
    steps = (
        Step(
            "use",
            "Break a held set at an age",
            "write",
            "specimen-sets",
            lambda key, values, actor: SpecimenSetService().use_held(key, values.model_dump(), actor),
            HeldSetIn,
        ),
        Step(
            "discard",
            "Throw a held set away",
            "write",
            "specimen-sets",
            lambda key, values, actor: SpecimenSetService().discard(key, values.model_dump(), actor),
            DiscardIn,
        ),
    )
    fields = (
        "id",
        "version",
        "code",
        "batch_id",
        "age_days",
        "number",
        "state",
        "purpose",
        "curing_tank_id",
        "retest_of_id",
        "discarded_at",
        "discard_reason",
        "due_from",
        "due_at",
        "due_until",
    )


class SpecimenApi(RecordApi):
    service = SpecimenView.service
    fields = ("id", "version", "code", "specimen_set_id", "number", "shape", "width_mm", "length_mm")


class ShotcreteTrialApi(RecordApi):
    service = ShotcreteTrialView.service
    fields = (
        "id", "version", "trial_id", "batch_id", "sprayed_on", "surface", "accelerator_lot_id", "accelerator_percent",
        "sprayed_kg", "rebound_kg", "rebound_percent", "rebound_limit_percent", "initial_set_min", "final_set_min",
        "panels", "curing_days", "outcome", "remarks",
    )  # fmt: skip


class CuringTankApi(RecordApi):
    service = CuringTankView.service
    fields = ("id", "version", "code", "name", "temperature_c", "relative_humidity_percent")


class CuringReadingApi(RecordApi):
    service = CuringReadingView.service
    fields = (
        "id", "version", "curing_tank_id", "batch_id", "read_at", "temperature_c", "relative_humidity_percent",
    )  # fmt: skip


APIS = (
    TrialApi,
    BatchApi,
    ShotcreteTrialApi,
    SpecimenSetApi,
    SpecimenApi,
    CuringTankApi,
    CuringReadingApi,
)
