"""Papers of the demonstration: a certificate that holds, and one that was issued anew."""

from __future__ import annotations

from lims.base.actor import Actor
from lims.base.services import SERVICES
from lims.reporting.schemas import CertificateIn, ReissueIn
from lims.reporting.service import CertificateService


def add_papers(actor: Actor) -> None:
    """One certificate of a batch, reissued with a reason, and one of another batch. Once only."""
    service = CertificateService()
    if service.page().total:
        return
    production = SERVICES["trials"].page(search="production control").items
    if not production:
        return
    made = SERVICES["batches"].page(filters={"trial_id": production[0].id}, order="code").items
    first = service.issue(CertificateIn.read({"batch_id": made[0].id}), actor)
    service.reissue(first.id, ReissueIn.read({"reason": "工程部位有误 Wrong element on the paper"}), actor)
    service.issue(CertificateIn.read({"batch_id": made[1].id}), actor)
