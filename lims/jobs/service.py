"""Who sees which job: everybody their own, an overseer all."""

from __future__ import annotations

from collections.abc import Sequence

from flask import has_request_context
from sqlalchemy import ColumnElement

from lims.base.jobs import Job
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


def _only_own() -> bool:
    return has_request_context() and not may("oversee", "jobs")
