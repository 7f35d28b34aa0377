"""What is kept for auditors: findings, signatures, denied attempts, self-tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from lims.audit.models import Finding, SelftestRun
from lims.audit.references import PARTS
from lims.audit.schemas import FINDING_STATES, AnswerIn, FindingEdit, FindingIn, RemarkIn
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.denials import DeniedAttempt
from lims.base.display import local_time, local_today
from lims.base.numbering import next_code
from lims.base.problems import NotFound, refuse
from lims.base.security import principal
from lims.base.services import SERVICES, RecordService
from lims.base.signatures import Signature
from lims.customers.regions import own_regions
from lims.trials.schemas import SpecimenSetEdit


class FindingService(RecordService[Finding]):
    record = Finding
    schema = FindingIn
    edit_schema = FindingEdit
    search_columns = ("code", "subject", "about")
    filter_columns = ("state", "severity", "responsible_id", "about_record", "about_id")
    order_columns = ("due_on", "code", "created_at", "severity")
    default_order = "-id"
    retirable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        """What is said of a record is as little known as the record itself, but to who has to answer it."""
        user = principal()
        if user is None or own_regions() is None:
            return ()
        open_to_all, in_part = [], {}
        for name, service in SERVICES.items():
            if name in PARTS or service is self:
                continue
            if conditions := service.visible():
                in_part[name] = select(service.record.id).where(*conditions)
            else:
                open_to_all.append(name)

        def seen(finding: Any) -> ColumnElement[bool]:
            return or_(
                finding.responsible_id == user.id,
                finding.about_record.is_(None),
                finding.about_record.in_(open_to_all),
                *(
                    and_(finding.about_record == name, finding.about_id.in_(known))
                    for name, known in in_part.items()
                ),
            )

        # Of a finding about a finding: what that one is about.
        other = aliased(Finding)
        of_findings = Finding.about_id.in_(select(other.id).where(seen(other)))
        return [or_(seen(Finding), and_(Finding.about_record == Finding.record_name, of_findings))]

    def before_add(self, record: Finding, values: Any, actor: Actor) -> None:
        if record.about_record is not None:
            if record.about_record not in SERVICES or record.about_record in PARTS:
                raise refuse("about_record", _("is no kind of record"), record.about_record)
            try:
                about = SERVICES[record.about_record].get(record.about_id or 0)
            except NotFound:
                raise refuse("about_id", _("there is no such record"), record.about_id) from None
            record.about = about.title[:200]
        year = local_time(utc_now()).year % 100
        record.code = next_code(current_session(), Finding.code, f"finding-{year}", f"F{year:02d}-")
        record.state = "open"

    def before_edit(self, record: Finding, values: Any, actor: Actor) -> None:
        self._require(record, "open")

    def before_retire(self, record: Finding, actor: Actor) -> None:
        raise refuse("", _("a finding is closed, never taken out of use"), record.code)

    def answer(self, finding_id: int, data: AnswerIn, actor: Actor) -> Finding:
        """By the person who is responsible, or by whoever answers for them. Raises: NotFound, Refused."""
        with transaction(actor, "finding answered") as session:
            record = self.locked(session, finding_id)
            self._require(record, "open")
            record.state, record.answer = "answered", data.answer
            record.answered_by, record.answered_at = actor.key, utc_now()
            session.flush()
        return record

    def close(self, finding_id: int, data: RemarkIn, actor: Actor) -> Finding:
        """The answer is accepted. Raises: NotFound, Refused."""
        with transaction(actor, "finding closed") as session:
            record = self.locked(session, finding_id)
            self._require(record, "answered")
            record.state, record.remark = "closed", data.remark
            record.closed_by, record.closed_at = actor.key, utc_now()
            session.flush()
        return record

    def reopen(self, finding_id: int, data: RemarkIn, due_on: date, actor: Actor) -> Finding:
        """The answer is not enough: wanted again by another day. Raises: NotFound, Refused."""
        with transaction(actor, data.remark) as session:
            record = self.locked(session, finding_id)
            self._require(record, "answered")
            if due_on < local_today():
                raise refuse("due_on", _("lies in the past; accepted: today or later"), due_on)
            record.state, record.remark, record.due_on = "open", data.remark, due_on
            session.flush()
        return record

    def overdue(self) -> list[Finding]:
        """Open ones whose day has passed, the oldest first."""
        today = local_today()
        query = select(Finding).where(Finding.state == "open", Finding.due_on < today, *self.visible())
        return list(current_session().scalars(query.order_by(Finding.due_on, Finding.id).limit(200)))

    @staticmethod
    def _require(record: Finding, state: str) -> None:
        if record.state != state:
            raise refuse(
                "state",
                _(
                    "is %(state)s; accepted: %(wanted)s",
                    state=FINDING_STATES[record.state],
                    wanted=FINDING_STATES[state],
                ),
                record.code,
            )


class DeniedAttemptService(RecordService[DeniedAttempt]):
    record = DeniedAttempt
    schema = SpecimenSetEdit
    search_columns = ("target", "asked", "who", "address")
    filter_columns = ("kind", "who")
    order_columns = ("attempted_at",)
    default_order = "-attempted_at"
    writable = False
    retirable = False


class SignatureService(RecordService[Signature]):
    record = Signature
    schema = SpecimenSetEdit
    search_columns = ("signed_record", "signed_by")
    filter_columns = ("meaning", "signed_record", "signed_id", "signed_by")
    order_columns = ("signed_at",)
    default_order = "-signed_at"
    writable = False
    retirable = False


class SelftestRunService(RecordService[SelftestRun]):
    record = SelftestRun
    schema = SpecimenSetEdit
    filter_columns = ("passed",)
    order_columns = ("run_at",)
    default_order = "-run_at"
    writable = False
    retirable = False
