"""REST of importing."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.importing.views import (
    ImportMappingView,
    ImportRunView,
)


class ImportRunApi(RecordApi):
    service = ImportRunView.service
    fields = (
        "id",
        "version",
        "kind",
        "state",
        "file_name",
        "sha256",
        "size_bytes",
        "rows_read",
        "rows_new",
        "rows_changed",
        "rows_same",
        "mixes_added",
        "specimens_added",
        "duplicate_rows",
        "finished_at",
        "remarks",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


class ImportMappingApi(RecordApi):
    service = ImportMappingView.service
    fields = (
        "id",
        "version",
        "code",
        "template",
        "reading",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


APIS = (ImportRunApi, ImportMappingApi)
