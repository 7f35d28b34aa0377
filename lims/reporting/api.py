"""REST of reporting."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.reporting.views import (
    CertificateView,
)


class CertificateApi(RecordApi):
    service = CertificateView.service
    fields = (
        "id",
        "version",
        "code",
        "batch_id",
        "issued_at",
        "file_name",
        "size_bytes",
        "sha256",
        "replaces_id",
        "reason",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )


APIS = (CertificateApi,)
