"""What carries jobs goes away while one runs: it ends, once; nobody takes it up meanwhile, and nobody is shown a mistake."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER
from lims.base import jobs
from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.jobs import Job, RunningJob, enqueue, run_one, take_up_the_abandoned
from tests.conftest import Person
from tests.faults.carriers import Carrier, FileCarrier, RedisCarrier
from tests.waiting import until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="an open file is not moved there")


@pytest.fixture(params=["file", "redis"])
def carrier(request: pytest.FixtureRequest, app: Flask, tmp_path: Path) -> Iterator[Carrier]:
    settings = app.config["LIMS_SETTINGS"]
    found = FileCarrier(settings.data) if request.param == "file" else RedisCarrier(tmp_path)
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"redis_url": found.address})
    yield found
    found.end()


class Work:
    """A job that tells its progress until it is let go."""

    def __init__(self, app: Flask) -> None:
        self.runs, self.steps, self._app, self._enough = 0, 0, app, threading.Event()

    def __call__(self, job: RunningJob) -> None:
        self.runs += 1
        while not self._enough.is_set():
            job.progress(1, 1)  # the last step is always told
            self.steps += 1

    @contextmanager
    def running(self) -> Iterator[int]:
        with self._app.app_context():
            job_id = enqueue("fault-carrier", {}, system_actor("asker")).id
        thread = threading.Thread(target=run_one, args=(self._app, job_id))
        thread.start()
        until(lambda: self.steps > 0, "the job does not begin", seconds=30)
        try:
            yield job_id
        finally:
            self._enough.set()
            thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.fixture
def work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """Every sign of life is old at once: who is taken for dead, is so because no new one came."""
    monkeypatch.setattr(jobs, "GIVEN_UP_AFTER", timedelta(0))
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.2)
    found = Work(app)
    jobs.job_kind("fault-carrier", title="Test")(found)
    yield found
    del jobs.KINDS["fault-carrier"]


def _taken_up(app: Flask) -> list[int]:
    with app.app_context():
        return take_up_the_abandoned()


def _job(app: Flask, job_id: int) -> Job:
    with app.app_context():
        job = current_session().get(Job, job_id)
        assert job is not None
        return job


def test_job_ends_once_although_the_carrier_was_away(
    app: Flask, work: Work, carrier: Carrier, caplog: pytest.LogCaptureFixture
) -> None:
    with work.running() as job_id:
        carrier.go_away()
        until(
            lambda: caplog.text.count("cannot tell that it lives") > 1, "the heart feels nothing", seconds=30
        )
        assert _taken_up(app) == []
        before = work.steps
        until(lambda: work.steps > before, "the work stands still", seconds=30)
        carrier.come_back()
        assert _taken_up(app) == []
        assert _job(app, job_id).state == "running"
    job = _job(app, job_id)
    assert (job.state, job.attempts, work.runs) == ("done", 1, 1)


def test_job_ends_while_the_carrier_is_away(app: Flask, work: Work, carrier: Carrier) -> None:
    with work.running() as job_id:
        carrier.go_away()
    assert _job(app, job_id).state == "done"


def test_page_of_a_job_is_shown_and_cancelling_it_says_what_to_do_while_the_carrier_is_away(
    work: Work, carrier: Carrier, sign_in_as: Callable[[str], Person]
) -> None:
    manager = sign_in_as(MANAGER)
    with work.running() as job_id:
        assert manager.get(f"/jobs/{job_id}/state.json").get_json()["done"] == 1
        carrier.go_away()
        assert manager.get(f"/jobs/{job_id}").status_code == 200
        assert manager.get(f"/jobs/{job_id}/state.json").get_json()["state"] == "running"
        refused = manager.post(f"/jobs/{job_id}/cancel")
        assert refused.status_code == 503
        assert "Running jobs cannot be reached at the moment." in refused.get_data(as_text=True)
        carrier.come_back()
        assert manager.post(f"/jobs/{job_id}/cancel").status_code == 302
        until(lambda: _job(manager.client.application, job_id).state == "cancelled", "it goes on", seconds=30)


def test_jobs_file_that_cannot_be_opened_is_told_in_a_sentence(
    app: Flask, work: Work, sign_in_as: Callable[[str], Person]
) -> None:
    (app.config["LIMS_SETTINGS"].data / "jobs.sqlite3").mkdir()
    manager = sign_in_as(MANAGER)
    with app.app_context():
        job_id = enqueue("fault-carrier", {}, system_actor("asker")).id
        assert jobs._claim(job_id) is not None
    assert manager.get(f"/jobs/{job_id}").status_code == 200
    assert manager.get(f"/jobs/{job_id}/state.json").status_code == 200
    assert manager.post(f"/jobs/{job_id}/cancel").status_code == 503
    assert _taken_up(app) == []
