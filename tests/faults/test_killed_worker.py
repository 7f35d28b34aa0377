"""kill -9 of a worker: its job runs again, once, in the next one; what it had half written is not there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.jobs import KINDS, Job, enqueue, job_kind
from lims.base.services import SERVICES
from lims.settings import Settings
from tests.faults.carriers import RedisCarrier
from tests.programs import Program

WORKER = """
import sys, threading, time
from datetime import timedelta
from lims.base import jobs
from lims.base.database import transaction
from lims.base.services import SERVICES
jobs.GIVEN_UP_AFTER = timedelta(seconds=1)
jobs.BEAT_SECONDS = 0.2

@jobs.job_kind("fault-customers", title="Test")
def customers(job):
    with transaction(job.actor, "fault") as session:
        SERVICES["customers"].add({"code": "K-FAULT", "name": "x"}, job.actor)
        print("written", flush=True)
        if sys.argv[1] == "hang":
            threading.Event().wait()
    return {"message": "done"}

from lims.jobs.commands import worker
worker(["--threads", "1"])
"""


@pytest.fixture(params=["file", "redis"])
def carrier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What carries the numbers of jobs: "" for the file beside the data, or the address of a Redis of this test."""
    if request.param == "file":
        yield ""
        return
    found = RedisCarrier(tmp_path)
    yield found.address
    found.end()


def _worker(data: Path, how: str, carrier: str) -> Program:
    return Program(["-c", WORKER, how], {**os.environ, "LIMS_DATA": str(data), "LIMS_REDIS_URL": carrier})


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_job_of_a_worker_that_was_killed_runs_again_once_in_the_next(app: Flask, carrier: str) -> None:
    settings: Settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"redis_url": carrier})
    data = settings.data
    job_kind("fault-customers", title="Test")(lambda job: None)
    with app.app_context():
        job_id = enqueue("fault-customers", {}, system_actor("asker")).id
    with _worker(data, "hang", carrier) as first:
        assert first.stdout.readline() == "written\n"
        first.send_signal(signal.SIGKILL)
    with app.app_context():
        assert SERVICES["customers"].find(code="K-FAULT") is None
    killed = time.monotonic()
    while time.monotonic() - killed < 1.2:
        time.sleep(0.02)  # its last sign of life grows old
    with _worker(data, "run", carrier) as second:
        assert second.stdout.readline() == "written\n"
        state, until = "", time.monotonic() + 30
        while state != "done" and time.monotonic() < until:
            time.sleep(0.02)  # it needs the processor
            with app.app_context():
                job = current_session().get(Job, job_id)
                assert job is not None
                state, attempts = job.state, job.attempts
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=30) == 0
    assert (state, attempts) == ("done", 2)
    with app.app_context():
        assert SERVICES["customers"].find(code="K-FAULT") is not None
        assert SERVICES["customers"].page().total == 1
    assert (data / "jobs.sqlite3").exists() == (not carrier)
    del KINDS["fault-customers"]
