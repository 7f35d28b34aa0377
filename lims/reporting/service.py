"""Issuing a certificate, issuing it anew, and saying whether one still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_today
from lims.base.files import keep_file
from lims.base.numbering import next_code
from lims.base.papers import pdf, picture
from lims.base.problems import Conflict, NotFound, refuse
from lims.base.schemas import Schema
from lims.base.services import RecordService
from lims.reporting.certificate import (
    LAYOUT,
    MARK,
    certificate_data,
    released_results,
    with_marks,
)
from lims.reporting.models import Certificate, CertificateResult
from lims.reporting.schemas import CertificateIn, ReissueIn
from lims.results.models import SetResult
from lims.results.schemas import RESULT_STATES
from lims.trials.models import Batch, SpecimenSet


class CertificateService(RecordService[Certificate]):
    record = Certificate
    schema = CertificateIn
    search_columns = ("code", "batch.code", "sha256")
    filter_columns = ("batch_id", "specimen_set_id")
    order_columns = ("code", "issued_at")
    shown_relations = ("batch", "specimen_set", "replaces")
    retirable = False  # what went out stays

    def add(self, data: Mapping[str, Any] | Schema, actor: Actor) -> Certificate:
        """Issue a certificate. Raises: Refused."""
        values = self.schema.as_read(data)
        assert isinstance(values, CertificateIn)
        self._resolve(values, Certificate())
        return self.issue(values, actor)

    def before_edit(self, record: Certificate, values: Any, actor: Actor) -> None:
        raise refuse("", _("a certificate is not changed; accepted: issue it anew, with the reason"))

    def before_retire(self, record: Certificate, actor: Actor) -> None:
        raise refuse("", _("a certificate is not changed; accepted: issue it anew, with the reason"))

    def issue(self, values: CertificateIn, actor: Actor) -> Certificate:
        """A certificate of a batch or of one set, from its released results. Raises: NotFound, Refused."""
        with transaction(actor, "certificate"):
            batch, found_set = self._scope(values)
            _one_at_a_time(batch.id)
            in_force = self.in_force(batch.id, found_set.id if found_set is not None else None)
            if in_force is not None:
                raise refuse(
                    "batch_id" if found_set is None else "specimen_set_id",
                    _(
                        "has certificate %(code)s already; accepted: issue that one anew, with the reason",
                        code=in_force.code,
                    ),
                    in_force.code,
                )
            return self._made(batch, found_set, actor, None, "")

    def reissue(self, certificate_id: int, values: ReissueIn, actor: Actor) -> Certificate:
        """A new certificate in place of an earlier one, which stays as it went out. Raises: NotFound, Refused, Conflict."""
        with transaction(actor, values.reason):
            old = self.get(certificate_id)
            _one_at_a_time(old.batch_id)
            later = self.replacement_of(old.id)
            if later is not None:
                raise Conflict(old.id, {"replaced_by": later.code}, {"reason": values.reason}, old.version)
            return self._made(old.batch, old.specimen_set, actor, old, values.reason)

    def keep(
        self,
        batch_id: int,
        file_name: str,
        content: bytes,
        actor: Actor,
        *,
        code: str = "",
        issued_at: datetime | None = None,
        specimen_set_id: int | None = None,
        replaces_id: int | None = None,
        reason: str = "",
        preview: bytes = b"",
        printed: dict[str, Any] | None = None,
        digest: str = "",
        results: Sequence[SetResult] = (),
    ) -> Certificate:
        """Record a paper and its bytes. A replacement needs the reason. Raises: NotFound, Refused."""
        if replaces_id is not None and not reason.strip():
            raise refuse("reason", _("is required: why the certificate is replaced"))
        with transaction(actor, reason or "issued") as session:
            if session.get(Batch, batch_id) is None:
                raise NotFound(f"batches {batch_id}")
            found = Certificate(
                code=code or self._next_code(),
                batch_id=batch_id,
                specimen_set_id=specimen_set_id,
                issued_at=issued_at or utc_now(),
                file_name=file_name[:200],
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                replaces_id=replaces_id,
                reason=reason.strip() or None,
                file_id=keep_file(session, content, "application/pdf").id,
                preview_id=keep_file(session, preview, "image/png").id if preview else None,
                content=json.dumps(printed, ensure_ascii=False, sort_keys=True) if printed else None,
                content_sha256=digest or None,
            )
            session.add(found)
            self._flush(session, found)
            for result in results:
                session.add(CertificateResult(certificate_id=found.id, set_result_id=result.id))
            self._flush(session, found)
        return found

    # --- what holds -----------------------------------------------------------------------------------------------

    def in_force(self, batch_id: int, set_id: int | None) -> Certificate | None:
        """The certificate of this batch (or set) that nothing replaces."""
        for found in self.certificates_of(batch_id, set_id):
            if found.specimen_set_id == set_id and self.replacement_of(found.id) is None:
                return found
        return None

    def certificates_of(self, batch_id: int, set_id: int | None = None) -> list[Certificate]:
        """Certificates of a batch, or those that show one of its sets; newest first."""
        query = select(Certificate).where(Certificate.batch_id == batch_id).order_by(Certificate.id.desc())
        if set_id is not None:
            query = query.where(
                or_(Certificate.specimen_set_id.is_(None), Certificate.specimen_set_id == set_id)
            )
        return list(current_session().scalars(query))

    def replacement_of(self, certificate_id: int) -> Certificate | None:
        """The certificate that stands in place of this one."""
        return self.find(replaces_id=certificate_id)

    def results_on(self, certificate_id: int) -> list[SetResult]:
        """Results that the paper shows, in its order."""
        query = (
            select(SetResult)
            .join(CertificateResult, CertificateResult.set_result_id == SetResult.id)
            .join(SpecimenSet, SpecimenSet.id == SetResult.specimen_set_id)
            .where(CertificateResult.certificate_id == certificate_id)
            .options(joinedload(SetResult.specimen_set))
            .order_by(SpecimenSet.age_days, SpecimenSet.number, SpecimenSet.id)
        )
        return list(current_session().scalars(query))

    def changed_results(self, certificate_id: int) -> list[SetResult]:
        """Results on the paper that were amended or retracted since: it is to be issued anew."""
        return [
            result
            for result in self.results_on(certificate_id)
            if result.superseded_at is not None or result.state != "released"
        ]

    # --- inside ---------------------------------------------------------------------------------------------------

    def _scope(self, values: CertificateIn) -> tuple[Batch, SpecimenSet | None]:
        session = current_session()
        if values.specimen_set_id is not None:
            found = session.get(SpecimenSet, values.specimen_set_id)
            if found is None:
                raise NotFound(f"specimen-sets {values.specimen_set_id}")
            return found.batch, found
        batch = session.get(Batch, values.batch_id)
        if batch is None:
            raise NotFound(f"batches {values.batch_id}")
        return batch, None

    def _made(
        self, batch: Batch, found_set: SpecimenSet | None, actor: Actor, old: Certificate | None, reason: str
    ) -> Certificate:
        results = released_results(batch.id, found_set.id if found_set is not None else None)
        if not results:
            raise refuse(
                "batch_id" if found_set is None else "specimen_set_id",
                _("has no released result; a certificate shows nothing else"),
                found_set.code if found_set is not None else batch.code,
            )
        now = utc_now()
        code = self._next_code()
        content = certificate_data(
            batch,
            results,
            code=code,
            issued_at=now,
            issued_by=actor.label,
            replaces=old.code if old is not None else "",
            reason=reason,
            one_set=found_set is not None,
        )
        printed, digest = with_marks(content)
        return self.keep(
            batch.id,
            f"{code}.pdf",
            pdf(LAYOUT, printed, made_at=now.replace(microsecond=0)),
            actor,
            code=code,
            issued_at=now,
            specimen_set_id=found_set.id if found_set is not None else None,
            replaces_id=old.id if old is not None else None,
            reason=reason,
            preview=picture(LAYOUT, printed),
            printed=printed,
            digest=digest,
            results=results,
        )

    def _next_code(self) -> str:
        year = local_today().year % 100
        return next_code(current_session(), Certificate.code, f"certificate-{year}", f"C{year:02d}-")


def _one_at_a_time(batch_id: int) -> None:
    """Who issues at the same time waits, and then finds the certificate that is in force (SQLite has one writer anyway)."""
    current_session().execute(select(Batch.id).where(Batch.id == batch_id).with_for_update())


@dataclass(frozen=True, slots=True)
class Verified:
    """What anybody may know of a certificate whose code and mark they hold."""

    code: str
    issued_at: datetime
    superseded: bool
    #: Do the bytes or the hash that were given fit? None: nothing was given.
    matches: bool | None


def verified(code: str, mark: str, sha256: str | None = None) -> Verified | None:
    """The certificate of this code whose content's hash begins with `mark`; None where either is not right, so that
    counting codes up tells nothing."""
    service = CertificateService()
    if len(mark) != MARK or len(code) > 40:
        return None
    found = service.find(code=code)
    if found is None or not (found.content_sha256 or "").startswith(mark.lower()):
        return None
    replaced = service.replacement_of(found.id) is not None or bool(service.changed_results(found.id))
    matches = None if sha256 is None else sha256.strip().lower() == found.sha256
    return Verified(found.code, found.issued_at, replaced, matches)


def outdated(most: int) -> tuple[list[Certificate], list[Certificate]]:
    """Certificates in force that show a result which was amended or retracted since, and the newest in force."""
    session = current_session()
    replaced = select(Certificate.replaces_id).where(Certificate.replaces_id.is_not(None))
    in_force = (
        select(Certificate)
        .where(Certificate.id.not_in(replaced))
        .options(joinedload(Certificate.batch))
        .order_by(Certificate.id.desc())
        .limit(most)
    )
    shown = select(CertificateResult.certificate_id).join(
        SetResult, SetResult.id == CertificateResult.set_result_id
    )
    # Each of the two by its own index: together they would be looked for among all results.
    amended = shown.where(SetResult.superseded_at.is_not(None))
    taken_back = shown.where(SetResult.state.in_([state for state in RESULT_STATES if state != "released"]))
    overtaken = session.scalars(
        in_force.where(or_(Certificate.id.in_(amended), Certificate.id.in_(taken_back)))
    ).all()
    return list(overtaken), list(session.scalars(in_force))
