"""Recording a certificate that was issued."""

from __future__ import annotations

import hashlib

from flask_babel import gettext as _

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.numbering import next_number
from lims.base.problems import NotFound, refuse
from lims.base.services import RecordService
from lims.reporting.models import Certificate
from lims.trials.models import Batch
from lims.trials.schemas import SpecimenSetEdit


class CertificateService(RecordService[Certificate]):
    record = Certificate
    schema = SpecimenSetEdit
    search_columns = ("code", "batch.code", "sha256")
    filter_columns = ("batch_id",)
    order_columns = ("code", "issued_at")
    shown_relations = ("batch", "replaces")
    writable = False

    def issue(
        self,
        batch_id: int,
        file_name: str,
        content: bytes,
        actor: Actor,
        replaces_id: int | None = None,
        reason: str = "",
    ) -> Certificate:
        """Record what went out. A replacement needs the reason. Raises: NotFound, Refused."""
        if replaces_id is not None and not reason.strip():
            raise refuse("reason", _("is required: why the certificate is replaced"))
        with transaction(actor, reason or "issued") as session:
            if session.get(Batch, batch_id) is None:
                raise NotFound(f"batches {batch_id}")
            now = utc_now()
            year = now.year % 100
            found = Certificate(
                code=f"C{year:02d}-{next_number(session, f'certificate-{year}'):04d}",
                batch_id=batch_id,
                issued_at=now,
                file_name=file_name[:200],
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                replaces_id=replaces_id,
                reason=reason.strip() or None,
            )
            session.add(found)
            self._flush(session, found)
        return found
