"""REST of audit: checkpoints, findings with their answers, signatures, denied attempts, self-tests."""

from __future__ import annotations

from typing import Any

from lims.audit.kept_views import DeniedAttemptView, FindingView, SelftestRunView, SignatureView
from lims.audit.schemas import AnswerIn, RemarkIn
from lims.audit.views import CheckpointView
from lims.base.actor import Actor
from lims.base.api import WHO_AND_WHEN, RecordApi, Step
from lims.base.problems import Forbidden


class CheckpointApi(RecordApi):
    service = CheckpointView.service
    fields = ("id", "version", "number", "transaction_count", "root_sha256", "note", *WHO_AND_WHEN)


def _answer(finding_id: int, given: AnswerIn, actor: Actor) -> Any:
    finding = FindingView.service.get(finding_id)
    if not FindingView._answers(finding):
        raise Forbidden("answer findings")
    return FindingView.service.answer(finding_id, given, actor)


class FindingApi(RecordApi):
    service = FindingView.service
    fields = (
        "id", "version", "code", "about_record", "about_id", "about", "sample", "subject", "description", "severity",
        "due_on", "responsible_id", "state", "answer", "answered_by", "answered_at", "remark", "closed_by", "closed_at",
        *WHO_AND_WHEN,
    )  # fmt: skip
    steps = (
        Step(
            "answer", "Answer a finding; the person who is responsible", "read", "findings", _answer, AnswerIn
        ),
        Step("close", "Accept the answer", "write", "findings", FindingView.service.close, RemarkIn),
    )


class SignatureApi(RecordApi):
    service = SignatureView.service
    fields = (
        "id", "version", "signed_record", "signed_id", "meaning", "signed_by", "signed_at", "content_sha256", "reason",
        *WHO_AND_WHEN,
    )  # fmt: skip


class DeniedAttemptApi(RecordApi):
    service = DeniedAttemptView.service
    fields = (
        "id",
        "version",
        "kind",
        "attempted_at",
        "who",
        "target",
        "asked",
        "address",
        "repeats",
        *WHO_AND_WHEN,
    )


class SelftestRunApi(RecordApi):
    service = SelftestRunView.service
    fields = ("id", "version", "run_at", "seconds", "passed", "program", "checks", "failed", *WHO_AND_WHEN)


APIS = (CheckpointApi, FindingApi, SignatureApi, DeniedAttemptApi, SelftestRunApi)
