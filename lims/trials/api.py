"""REST of trials, batches, sets and specimens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import set_committed_value

from lims.base.api import RecordApi, Step
from lims.base.database import among, current_session
from lims.trials.models import Batch, BatchLot
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

#: Of a lot that went into a batch: its use, and one of three ids.
LOT_OUT = ("kind", "scm_lot_id", "admixture_lot_id", "aggregate_sample_id")


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

    def read_for(self, records: Sequence[Batch]) -> None:
        lots: dict[int, list[BatchLot]] = {batch.id: [] for batch in records}
        query = (
            select(BatchLot)
            .where(among(BatchLot.batch_id, lots), BatchLot.retired_at.is_(None))
            .order_by(BatchLot.id)
        )
        for lot in current_session().scalars(query) if lots else ():
            lots[lot.batch_id].append(lot)
        for batch in records:
            set_committed_value(batch, "lots", lots[batch.id])

    def outward(self, record: Batch) -> dict[str, Any]:
        lots = [{name: getattr(lot, name) for name in LOT_OUT} for lot in record.lots]
        return {**super().outward(record), "lots": lots}

    def _outward_schema(self) -> dict[str, Any]:
        found = super()._outward_schema()
        key = {"type": "integer", "nullable": True}
        lot = {"type": "object", "properties": {**dict.fromkeys(LOT_OUT, key), "kind": {"type": "string"}}}
        lots = {
            "type": "array",
            "items": lot,
            "description": "what went in beside the cement, by what it was used for",
        }
        return {**found, "properties": {**found["properties"], "lots": lots}}


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
        "sprayed_kg", "rebound_kg", "rebound_percent", "rebound_limit_percent", "initial_set_min",
        "initial_set_limit_min", "final_set_min", "final_set_limit_min", "panels", "curing_days", "least_curing_days",
        "outcome", "remarks",
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
