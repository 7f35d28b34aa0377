"""Pages of reporting."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView
from lims.reporting.service import (
    CertificateService,
)
from lims.results.entry import reservations_of
from lims.rules.service import rules_of_batch, unconfirmed


class CertificateView(RecordView):
    service = CertificateService()
    title = _l("Certificates")
    title_one = _l("Certificate")
    menu = MenuPlace("reports", order=10, icon="file-text")
    list_columns = ("code", "batch", "issued_at", "file_name", "replaces")
    labels = {
        "batch": _l("Batch"),
        "issued_at": _l("Issued"),
        "file_name": _l("File"),
        "replaces": _l("Replaces"),
        "size_bytes": _l("Size"),
        "sha256": _l("SHA-256"),
        "reason": _l("Reason"),
    }
    show_sections = (
        (
            _l("Certificate"),
            ("code", "batch", "issued_at", "file_name", "size_bytes", "sha256", "replaces", "reason"),
        ),
    )

    show_template = "lims/certificate_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        return {
            **super().show_context(record),
            "unconfirmed": unconfirmed(rules_of_batch(record.batch_id)),
            "reservations": reservations_of(record.batch_id),
        }


VIEWS = (CertificateView,)
