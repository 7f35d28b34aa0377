"""Pages of importing."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView
from lims.importing.service import (
    ImportRunService,
)


class ImportRunView(RecordView):
    service = ImportRunService()
    title = _l("Imports")
    title_one = _l("Import")
    menu = MenuPlace("audit", order=30, icon="upload")
    list_columns = (
        "finished_at",
        "file_name",
        "kind",
        "rows_read",
        "mixes_added",
        "specimens_added",
        "duplicate_rows",
    )
    labels = {
        "finished_at": _l("Finished"),
        "file_name": _l("File"),
        "kind": _l("Kind"),
        "rows_read": _l("Rows"),
        "mixes_added": _l("Mixes"),
        "specimens_added": _l("Specimens"),
        "duplicate_rows": _l("Duplicate rows"),
        "size_bytes": _l("Size"),
        "sha256": _l("SHA-256"),
        "remarks": _l("Remarks"),
    }
    show_sections = (
        (_l("Import"), ("file_name", "kind", "sha256", "size_bytes", "finished_at")),
        (_l("What came of it"), ("rows_read", "mixes_added", "specimens_added", "duplicate_rows", "remarks")),
    )


VIEWS = (ImportRunView,)
