"""REST of audit."""

from __future__ import annotations

from lims.audit.views import (
    CheckpointView,
)
from lims.base.api import RecordApi


class CheckpointApi(RecordApi):
    service = CheckpointView.service
    fields = (
        "id",
        "version",
        "number",
        "transaction_count",
        "root_sha256",
        "note",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


APIS = (CheckpointApi,)
