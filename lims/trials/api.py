"""REST of trials, batches, sets and specimens."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.trials.views import BatchView, SpecimenSetView, SpecimenView, TrialView


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
        "concrete_temperature_c",
        "ambient_temperature_c",
        "curing",
        "curing_temperature_c",
        "standard_curing",
        "element",
        "technician",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class SpecimenSetApi(RecordApi):
    service = SpecimenSetView.service
    fields = (
        "id",
        "version",
        "code",
        "batch_id",
        "age_days",
        "number",
        "state",
        "due_from",
        "due_at",
        "due_until",
    )


class SpecimenApi(RecordApi):
    service = SpecimenView.service
    fields = ("id", "version", "code", "specimen_set_id", "number", "shape", "width_mm", "length_mm")


APIS = (TrialApi, BatchApi, SpecimenSetApi, SpecimenApi)
