"""REST of jobs: read, cancel, ask again."""

from __future__ import annotations

from typing import Any

from flask import request

from lims.base.actor import Actor
from lims.base.api import RecordApi, Step
from lims.base.jobs import cancel
from lims.jobs.views import JobView


def _cancel(job_id: int, _given: Any, actor: Actor) -> Any:
    JobView.service.get(job_id)
    return cancel(job_id, actor)


def _again(job_id: int, _given: Any, actor: Actor) -> Any:
    return JobView.service.again(job_id, actor, request.headers.get("Idempotency-Key", ""))


class JobApi(RecordApi):
    service = JobView.service
    fields = (
        "id",
        "version",
        "kind",
        "state",
        "attempts",
        "started_at",
        "finished_at",
        "message",
        "file_name",
        "file_removed_at",
        "href",
        "created_at",
        "created_by",
        "changed_at",
        "changed_by",
        "retired_at",
    )
    steps = (
        Step("cancel", "Stop a job that waits or runs", "write", "jobs", _cancel),
        Step("again", "Ask for the same work again; once for one Idempotency-Key", "write", "jobs", _again),
    )


APIS = (JobApi,)
