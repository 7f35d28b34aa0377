"""Pages of audit."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from lims.audit.kept_views import KEPT_VIEWS
from lims.audit.service import (
    CheckpointService,
)
from lims.audit.trace_views import TraceView
from lims.base.views import MenuPlace, RecordView


class CheckpointView(RecordView):
    service = CheckpointService()
    title = _l("Checkpoints")
    title_one = _l("Checkpoint")
    menu = MenuPlace("audit", order=10, icon="shield")
    list_columns = ("number", "created_at", "transaction_count", "root_sha256")
    empty_hint = _l(
        "A checkpoint is the signed head of the record of changes; keep it outside to prove later that "
        "nothing was altered."
    )
    labels = {
        "number": _l("Number"),
        "transaction_count": _l("Transactions"),
        "root_sha256": _l("Root"),
        "note": _l("Note"),
    }
    show_sections = (
        (_l("Checkpoint"), ("number", "created_at", "transaction_count", "root_sha256", "note")),
    )


VIEWS = (CheckpointView, TraceView, *KEPT_VIEWS)
