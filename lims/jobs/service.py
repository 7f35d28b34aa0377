"""Who sees which job: everybody their own, an overseer all."""

from __future__ import annotations

from collections.abc import Sequence

from flask import has_request_context
from sqlalchemy import ColumnElement

from lims.base.actor import Actor
from lims.base.jobs import Job, retry
from lims.base.repeats import add_once
from lims.base.schemas import Schema
from lims.base.security import current_actor, may
from lims.base.services import RecordService


class JobIn(Schema):
    """Jobs follow from what is asked for on other pages; nothing of them is typed."""


class JobService(RecordService[Job]):
    record = Job
    schema = JobIn
    search_columns = ("kind", "file_name", "message")
    filter_columns = ("state", "kind")
    order_columns = ("created_at", "finished_at", "state", "kind")
    default_order = "-created_at"
    retirable = False
    writable = False

    def visible(self) -> Sequence[ColumnElement[bool]]:
        """One's own, but for who oversees them."""
        return [Job.created_by == current_actor().key] if _only_own() else []

    def again(self, job_id: int, actor: Actor, key: str = "") -> Job:
        """Ask for the same work again, once for a key (lims.base.repeats). Raises: NotFound, Refused."""
        self.get(job_id)
        found: Job = add_once(self, {"again": job_id}, actor, key, lambda _data, actor: retry(job_id, actor))
        return found


def _only_own() -> bool:
    return has_request_context() and not may("oversee", "jobs")
