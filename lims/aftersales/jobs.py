"""The round of the service: clocks that ran out are told of, and what waits in the outbox goes out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from lims.aftersales.escalation import escalate, something_is_late
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.jobs import RunningJob, job_kind
from lims.mail.models import OutgoingMail
from lims.mail.service import due_at, left_at, send_waiting


def round_is_due(_minute: datetime) -> bool:
    """Is there anything to tell or to send? A round without work would only fill the list of jobs."""
    now = utc_now()
    if something_is_late(now):
        return True
    if not current_app.config["LIMS_SETTINGS"].smtp_host:
        return False
    waits = select(OutgoingMail.id).where(due_at(now) | left_at(now))
    return current_session().scalar(waits.limit(1)) is not None


@job_kind("service-round", title=_l("Clocks and mail"), due=round_is_due)
def service_round(job: RunningJob) -> dict[str, Any]:
    """Escalate, then send. Each escalation and each mail is a transaction of its own."""
    told = escalate(job.actor)
    job.check()
    sent = send_waiting(job.actor)
    return {"message": _("%(clocks)s clocks told of, %(mails)s mails sent", clocks=told, mails=sent)}
