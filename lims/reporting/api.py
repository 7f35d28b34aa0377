"""REST of reporting: certificates are issued and issued anew, never changed."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_appbuilder.api import expose, permission_name, protect

from lims.base.actor import Actor
from lims.base.api import Place, RecordApi, Step
from lims.base.files import download, stored_file
from lims.base.problems import NotFound
from lims.reporting.models import Certificate
from lims.reporting.schemas import ReissueIn
from lims.reporting.views import CertificateView


def _reissue(record_id: int, values: ReissueIn, actor: Actor) -> Certificate:
    found: Certificate = CertificateView.service.reissue(record_id, values, actor)
    return found


class CertificateApi(RecordApi):
    """Adding issues a certificate of a batch or a set."""

    service = CertificateView.service
    exclude_route_methods = {"put", "retire"}
    fields = (
        "id",
        "version",
        "code",
        "batch_id",
        "specimen_set_id",
        "issued_at",
        "file_name",
        "size_bytes",
        "sha256",
        "content_sha256",
        "replaces_id",
        "reason",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )
    steps = (
        Step(
            "reissue", "Issue a certificate anew, with a reason", "write", "certificates", _reissue, ReissueIn
        ),
    )

    places = (Place("{record_id}/file", "The bytes as they went out", ("application/pdf",)),)

    @expose("/<int:record_id>/file", methods=["GET"])
    @protect()
    @permission_name("read")
    def file(self, record_id: int) -> ResponseReturnValue:
        """The bytes as they went out."""
        found = self.service.get(record_id)
        if found.file_id is None:
            raise NotFound(f"certificates {record_id} file")
        return download(stored_file(found.file_id), found.file_name)


APIS = (CertificateApi,)
