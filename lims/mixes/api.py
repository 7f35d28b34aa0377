"""REST of mixes."""

from __future__ import annotations

from typing import Any

from lims.base.api import RecordApi
from lims.base.security import may
from lims.mixes.views import MONEY, MixComponentView, MixDesignView, MixRevisionView


class PricedApi(RecordApi):
    """Money only for roles that read prices."""

    def outward(self, record: Any) -> dict[str, Any]:
        found = super().outward(record)
        return found if may("read", "prices") else {k: v for k, v in found.items() if k not in MONEY}


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


class MixRevisionApi(PricedApi):
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


class MixComponentApi(PricedApi):
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
