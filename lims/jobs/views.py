"""Pages of jobs: how far each is, what came of it; cancel, ask again, fetch the file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import current_app, flash, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import local_day, show_day
from lims.base.files import download, stored_file
from lims.base.jobs import KINDS, OPEN, Job, cancel, progress_of
from lims.base.problems import NotFound
from lims.base.security import current_actor
from lims.base.views import MenuPlace, RecordView, form_key
from lims.jobs.service import JobService

JOB_STATES = {
    "queued": _l("Queued"),
    "running": _l("Running"),
    "done": _l("Done"),
    "failed": _l("Went wrong"),
    "cancelled": _l("Cancelled"),
}


class JobView(RecordView):
    service = JobService()
    title = _l("Jobs")
    title_one = _l("Job")
    menu = MenuPlace("reports", order=90, icon="list")
    empty_hint = _l("Large imports and exports and the nightly backup stand here, with how far they are.")
    list_columns = ("title", "state", "created_at", "finished_at", "file_name", "message")
    labels = {
        "title": _l("Job"),
        "kind": _l("Kind"),
        "state": _l("State"),
        "started_at": _l("Started"),
        "finished_at": _l("Finished"),
        "file_name": _l("File"),
        "file_removed_at": _l("File taken away"),
        "message": _l("Message"),
        "attempts": _l("Attempts"),
    }
    choices = {"state": JOB_STATES}
    show_sections = ((_l("Job"), ("state", "message", "started_at", "finished_at", "attempts", "file_name")),)
    show_template = "lims/job_show.html"

    def _options(self, name: str) -> Mapping[str, Any]:
        """Kinds are registered by the subjects, after this page is made."""
        return {key: kind.title for key, kind in KINDS.items()} if name == "kind" else super()._options(name)

    def show_context(self, record: Any) -> dict[str, Any]:
        return {
            **super().show_context(record),
            "progress": progress_of(record),
            "open": record.state in OPEN,
            "known": record.kind in KINDS,
            "form_key": secrets.token_urlsafe(16),
            "gone": _gone(record) if record.file_removed_at is not None else "",
            "kept_until": local_day(record.finished_at + timedelta(days=_kept_days()))
            if record.finished_at
            else None,
        }

    @expose("/<int:record_id>/state.json")
    @permission_name("read")
    def state(self, record_id: int) -> ResponseReturnValue:
        """How far it is, for the page that waits."""
        self.allow("read")
        job: Job = self.service.get(record_id)
        told = progress_of(job)
        return jsonify(
            {
                "state": job.state,
                "text": str(JOB_STATES[job.state]),
                "done": told[0] if told else None,
                "all": told[1] if told else None,
            }
        )

    @expose("/<int:record_id>/file")
    @permission_name("read")
    def file(self, record_id: int) -> ResponseReturnValue:
        """The file that came of it."""
        self.allow("read")
        job: Job = self.service.get(record_id)
        if job.file_removed_at is not None:
            flash(_gone(job), "warning")
            return redirect(url_for("JobView.show", record_id=record_id))
        if job.file_id is None:
            raise NotFound(f"jobs {record_id} file")
        return download(stored_file(job.file_id), job.file_name or "file")

    @expose("/<int:record_id>/cancel", methods=["POST"])
    @permission_name("write")
    def cancel(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        self.service.get(record_id)
        cancel(record_id, current_actor())
        flash(_("The job will stop."), "success")
        return redirect(url_for("JobView.show", record_id=record_id))

    @expose("/<int:record_id>/again", methods=["POST"])
    @permission_name("write")
    def again(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        job = self.service.again(record_id, current_actor(), form_key({}))
        flash(_("Asked for again."), "success")
        return redirect(url_for("JobView.show", record_id=job.id))


def _kept_days() -> int:
    days: int = current_app.config["LIMS_SETTINGS"].exports_kept_days
    return days


def _gone(job: Job) -> str:
    assert job.file_removed_at is not None
    day = show_day(local_day(job.file_removed_at))
    return str(
        _(
            "The file was taken away on %(day)s; what a job made is kept for %(days)s days.",
            day=day,
            days=_kept_days(),
        )
    )


VIEWS = (JobView,)
