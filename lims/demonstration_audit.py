"""What the auditor of the demonstration has found: one finding that waits, one that was answered, one that is closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from lims.accounts.service import find_user
from lims.audit.kept import FindingService
from lims.audit.schemas import AnswerIn, RemarkIn
from lims.base.actor import Actor, user_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.results.models import Break
from lims.trials.models import Specimen

#: Address of the sample that the findings came from.
SAMPLE = "/audit-sample/?first={first:%Y-%m-%d}&last={last:%Y-%m-%d}&size=10&seed=7&go=1"


def _of(username: str, instead: Actor) -> tuple[Actor, int | None]:
    user = find_user(username)
    return (user_actor(user.id, user.get_full_name()), user.id) if user is not None else (instead, None)


def add_findings(actor: Actor) -> None:
    """Once; invented like the rest."""
    service = FindingService()
    auditor, _auditor_id = _of("auditor", actor)
    manager, manager_id = _of("manager", actor)
    technician, technician_id = _of("technician", actor)
    if service.find() is not None or manager_id is None or technician_id is None:
        return
    now = utc_now()
    sample = SAMPLE.format(first=now - timedelta(days=90), last=now)
    specimen = (
        current_session()
        .scalars(
            select(Specimen.id)
            .join(Break, Break.specimen_id == Specimen.id)
            .where(Break.press_id.is_not(None))
            .order_by(Specimen.id.desc())
            .limit(1)
        )
        .one()
    )
    press = SERVICES["presses"].find(code="YES-2000")

    def add(subject: str, severity: str, days: int, responsible: int, **about: Any) -> int:
        data = {
            "subject": subject,
            "severity": severity,
            "due_on": f"{now + timedelta(days=days):%Y-%m-%d}",
            "responsible_id": responsible,
            **about,
        }
        return int(service.add(data, auditor).id)

    add("Result waits for a second person since two days", "minor", 7, technician_id,
        about_record="specimens", about_id=specimen, sample=sample)  # fmt: skip
    asked = add("Loading rate not recorded", "observation", 10, technician_id,
                about_record="specimens", about_id=specimen, sample=sample)  # fmt: skip
    service.answer(
        asked, AnswerIn(answer="The press shows it; from today it is typed with the loads."), technician
    )
    if press is not None:
        done = add("Certificate of the press was not at the machine", "minor", 5, manager_id,
                   about_record="presses", about_id=press.id)  # fmt: skip
        service.answer(done, AnswerIn(answer="A copy hangs beside the press since this morning."), manager)
        service.close(done, RemarkIn(remark="Seen at the press."), auditor)
