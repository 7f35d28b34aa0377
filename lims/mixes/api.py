"""REST of mixes."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.mixes.views import MixComponentView, MixDesignView, MixRevisionView


class MixDesignApi(RecordApi):
    service = MixDesignView.service
    fields = (
        "id",
        "version",
        "code",
        "name",
        "laboratory",
        "kind",
        "strength_class",
        "grade_mpa",
        "slump_mm",
        "notes",
        "latest_revision_id",
        "binder_kg_m3",
        "water_binder_ratio",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
    )


class MixRevisionApi(RecordApi):
    service = MixRevisionView.service
    fields = (
        "id",
        "version",
        "code",
        "mix_design_id",
        "number",
        "reason",
        "frozen_at",
        "binder_kg_m3",
        "water_binder_ratio",
        "cost_per_m3",
        "created_at",
        "created_by",
    )


class MixComponentApi(RecordApi):
    service = MixComponentView.service
    fields = (
        "id",
        "version",
        "revision_id",
        "kind",
        "name",
        "mass_kg_m3",
        "price_per_t",
        "cement_product_id",
    )


APIS = (MixDesignApi, MixRevisionApi, MixComponentApi)
