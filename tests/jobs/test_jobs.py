"""Jobs: run once, told, cancelled, taken up after a worker's death, seen by whom they belong to."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from lims.accounts.roles import MANAGER, SALES
from lims.base import jobs
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.files import StoredFile, bytes_of, keep_file
from lims.base.jobs import (
    GIVEN_UP_AFTER,
    Job,
    RunningJob,
    ask_for_what_is_due,
    cancel,
    enqueue,
    queue_of,
    retry,
    run_one,
    run_waiting,
    take_up_the_abandoned,
)
from lims.base.problems import Refused, Unavailable, refuse
from tests.conftest import Person
from tests.factories import a_customer

ASKER = system_actor("asker")


@pytest.fixture
def work() -> Iterator[Callable[[Callable[..., Any]], str]]:
    """Register a function as a kind of job for one test."""
    names: list[str] = []

    def register(run: Callable[..., Any], **more: Any) -> str:
        name = f"test-{len(names)}"
        jobs.job_kind(name, title="Test", **more)(run)
        names.append(name)
        return name

    yield register
    for name in names:
        del jobs.KINDS[name]


def _state(app: Flask, job_id: int) -> Job:
    with app.app_context():
        job = current_session().get(Job, job_id)
        assert job is not None
        return job


def enqueue_then_fail(name: str) -> None:
    enqueue(name, {}, ASKER)
    raise refuse("", "the transaction that asked is taken back")


def _ask(app: Flask, kind: str, **arguments: Any) -> int:
    with app.app_context():
        return enqueue(kind, arguments, ASKER).id


def test_job_runs_once_in_the_name_of_who_asked_and_keeps_what_came_of_it(app: Flask, work: Any) -> None:
    def run(job: RunningJob, words: str) -> dict[str, Any]:
        with transaction(job.actor, "export") as session:
            stored = keep_file(session, words.encode(), "text/plain")
        job.progress(1, 1)
        return {"file_id": stored.id, "file_name": "words.txt", "message": job.actor.key, "rows": 3}

    job_id = _ask(app, work(run), words="混凝土")
    assert run_waiting(app) == ["done"]
    assert run_waiting(app) == []
    assert run_one(app, job_id) == ""
    job = _state(app, job_id)
    assert (job.state, job.message, job.outcome, job.attempts) == ("done", "system:asker", {"rows": 3}, 1)
    assert job.file_id is not None
    with app.app_context():
        assert bytes_of(job.file_id).decode() == "混凝土"


@pytest.mark.parametrize("kept", ["one", "both"])
def test_file_of_a_job_goes_after_its_time_and_comes_back_with_the_same_bytes(
    app: Flask, work: Any, sign_in_as: Any, kept: str
) -> None:
    def run(job: RunningJob) -> dict[str, Any]:
        with transaction(job.actor, "export") as session:
            return {"file_id": keep_file(session, b"Ann Lee", "text/csv").id, "file_name": "customers.csv"}

    kind = work(run)
    old, young = _ask(app, kind), _ask(app, kind)
    assert run_waiting(app) == ["done", "done"]
    manager = sign_in_as(MANAGER)
    assert "The file is kept until" in manager.get(f"/jobs/{old}").get_data(as_text=True)
    later = utc_now() + timedelta(days=31)
    with app.app_context():
        session = current_session()
        if kept == "both":
            with transaction(ASKER):
                session.get_one(Job, young).finished_at = later
        with transaction(ASKER):
            session.get_one(Job, young).state = "running"
        assert jobs.forget_files(later, timedelta(days=30)) == 0, "another may have kept the same bytes"
        with transaction(ASKER):
            session.get_one(Job, young).state = "done"
        assert jobs.forget_files(later - timedelta(days=2), timedelta(days=30)) == 0
        assert jobs.forget_files(later, timedelta(days=30)) == (1 if kept == "both" else 2)
        file = session.query(StoredFile).one()
        assert (file.content, file.removed_at) == ((b"Ann Lee", None) if kept == "both" else (b"", later))
    answer = manager.get(f"/jobs/{old}/file", follow_redirects=True)
    assert "The file was taken away on" in answer.get_data(as_text=True)
    assert manager.get(f"/api/v1/jobs/{old}").get_json()["result"]["file_removed_at"] is not None
    assert (manager.get(f"/jobs/{young}/file").status_code == 200) == (kept == "both")
    again = _ask(app, kind)
    assert run_waiting(app) == ["done"]
    assert manager.get(f"/jobs/{again}/file").get_data() == b"Ann Lee"


def test_refused_job_says_why_and_an_unexpected_mistake_shows_no_traceback(app: Flask, work: Any) -> None:
    def refused(job: RunningJob) -> None:
        raise refuse("file", "has no rows", "x.xlsx")

    def broken(job: RunningJob) -> None:
        raise ZeroDivisionError("secret")

    first, second = _ask(app, work(refused)), _ask(app, work(broken))
    assert run_waiting(app) == ["failed", "failed"]
    assert "has no rows" in str(_state(app, first).message)
    assert "secret" not in str(_state(app, second).message)


def test_cancelled_job_takes_back_what_it_wrote(app: Flask, work: Any) -> None:
    def run(job: RunningJob) -> None:
        with transaction(job.actor) as session:
            a_customer("C-1")
            session.flush()
            cancel_key = f"cancel:{job.id}"
            job.queue.storage.put_data(cancel_key, b"1")  # what a click on Cancel writes
            job.progress(1, 2)

    job_id = _ask(app, work(run))
    assert run_waiting(app) == ["cancelled"]
    with app.app_context():
        from lims.base.services import SERVICES

        assert SERVICES["customers"].find(code="C-1") is None
    assert _state(app, job_id).state == "cancelled"


def test_waiting_job_is_cancelled_at_once_and_a_finished_one_is_refused(app: Flask, work: Any) -> None:
    job_id = _ask(app, work(lambda job: None))
    with app.app_context():
        assert cancel(job_id, ASKER).state == "cancelled"
    assert run_waiting(app) == []
    with app.app_context(), pytest.raises(Refused):
        cancel(job_id, ASKER)
    with app.app_context():
        retry(job_id, ASKER)
    assert run_waiting(app) == ["done"]


def test_job_of_a_dead_worker_runs_again_once_then_fails(
    app: Flask, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.01)
    job_id = _ask(app, work(lambda job: None))
    for expected in ([job_id], []):
        with app.app_context():
            jobs._claim(job_id)  # a worker took it and died: no sign of life since
            with transaction(system_actor("test")) as session:
                job = session.get(Job, job_id)
                assert job is not None
                job.started_at = utc_now() - GIVEN_UP_AFTER - timedelta(seconds=1)
            assert take_up_the_abandoned() == expected
    assert _state(app, job_id).state == "failed"
    assert _state(app, job_id).attempts == 2


def test_worker_that_is_told_to_stop_by_sigterm_finishes_the_job_that_it_runs(app: Flask, work: Any) -> None:
    """As systemd and containers stop it: a job that is cut off twice has failed."""
    gone = threading.Event()

    def run(job: RunningJob) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not gone.wait(0.3)
        return {"message": "whole"}

    job_id = _ask(app, work(run))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        jobs.start_worker(app, own_process=True).run()
    finally:
        gone.set()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (_state(app, job_id).state, _state(app, job_id).message) == ("done", "whole")


def test_jobs_of_a_clock_that_was_ahead_are_taken_up_all_the_same(
    app: Flask, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is thought to run would keep the backups of every night until then from being asked for."""
    monkeypatch.setattr(jobs, "BEAT_SECONDS", 0.01)
    kind = work(lambda job: None)
    running, waiting = _ask(app, kind), _ask(app, kind)
    ahead = utc_now() + timedelta(days=400)
    with app.app_context():
        jobs._claim(running)  # its worker told that it lives, and died
        queue_of(app).storage.put_data(f"beat:{running}", str(ahead.timestamp()).encode())
        with transaction(system_actor("test")) as session:
            session.execute(update(Job).where(Job.id == waiting).values(changed_at=ahead))
        assert set(take_up_the_abandoned()) == {running, waiting}


def test_job_whose_end_cannot_be_written_at_once_is_not_done_again(
    app: Flask, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    finish, failures = jobs._finish, iter([Unavailable("database is locked")] * 2)

    def busy_at_first(*given: Any) -> None:
        given[3].pop("file_name", None)  # as far as the first one came
        for failure in failures:
            raise failure
        finish(*given)

    def run(job: RunningJob) -> dict[str, Any]:
        done.append(job.id)
        return {"message": "imported", "file_name": "rows.xlsx"}

    monkeypatch.setattr(jobs, "_finish", busy_at_first)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    job_id = _ask(app, work(run))
    assert run_waiting(app) == ["done"]
    assert (done, _state(app, job_id).state, _state(app, job_id).message) == ([job_id], "done", "imported")


def test_living_job_is_left_alone(app: Flask, work: Any) -> None:
    seen: list[list[int]] = []

    def run(job: RunningJob) -> None:
        seen.append(take_up_the_abandoned())

    _ask(app, work(run))
    run_waiting(app)
    assert seen == [[]]


def test_clock_asks_for_what_is_due_and_not_twice(app: Flask, work: Any) -> None:
    import huey

    name = work(lambda job: None, due=huey.crontab(minute="0", hour="2"))
    with app.app_context():
        assert name not in ask_for_what_is_due(datetime(2026, 3, 1, 3, 0, tzinfo=UTC))
        assert name in ask_for_what_is_due(datetime(2026, 3, 1, 2, 0, tzinfo=UTC))
        assert name not in ask_for_what_is_due(datetime(2026, 3, 1, 2, 0, tzinfo=UTC))


@pytest.mark.postgresql
def test_clocks_of_two_workers_ask_once_for_what_is_due(
    postgresql_app: Flask, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_look, looks = threading.Barrier(2, timeout=5), threading.local()

    def due(_minute: datetime) -> bool:
        looks.so_far = getattr(looks, "so_far", 0) + 1
        if looks.so_far == 1:
            both_look.wait()
        return True

    def ask() -> None:
        with postgresql_app.app_context():
            asked.extend(name for name in ask_for_what_is_due(utc_now()) if name == wanted)

    wanted, asked = work(lambda job: None, due=due), list[str]()
    monkeypatch.setattr(jobs, "_ASKING", contextlib.nullcontext())  # which two processes do not share
    workers = [threading.Thread(target=ask) for _worker in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert asked == [wanted]


def test_number_reaches_the_carrier_after_the_commit_alone(app: Flask, work: Any) -> None:
    name = work(lambda job: None)
    with app.app_context():
        with pytest.raises(Refused), transaction(ASKER):
            enqueue_then_fail(name)
        assert len(queue_of(app)) == 0
        enqueue(name, {}, ASKER)
        assert len(queue_of(app)) == 1


def test_person_sees_own_jobs_and_a_manager_all(
    app: Flask, work: Any, sign_in_as: Callable[[str], Person]
) -> None:
    job_id = _ask(app, work(lambda job: {"message": "finished"}))
    run_waiting(app)
    sales, manager = sign_in_as(SALES), sign_in_as(MANAGER)
    assert sales.get(f"/jobs/{job_id}").status_code == 404
    assert sales.get(f"/jobs/{job_id}/state.json").status_code == 404
    assert sales.post(f"/jobs/{job_id}/again").status_code == 404
    assert sales.get(f"/api/v1/jobs/{job_id}").status_code == 404
    assert "finished" in manager.get(f"/jobs/{job_id}").get_data(as_text=True)
    assert manager.get(f"/jobs/{job_id}/state.json").get_json()["state"] == "done"


@pytest.mark.parametrize("first", [SALES, MANAGER])
def test_list_of_jobs_shows_own_ones_whoever_opened_it_before(
    app: Flask, work: Any, sign_in_as: Callable[[str], Person], first: str
) -> None:
    """The statements of a list as it opens are kept: never those of another person."""
    _ask(app, work(lambda job: {"message": "of the asker alone"}))
    run_waiting(app)
    for role in (first, SALES, MANAGER, SALES):
        person = sign_in_as(role)
        for path in ("/jobs/", "/api/v1/jobs/"):
            shown = "of the asker alone" in person.get(path).get_data(as_text=True)
            assert shown == (role == MANAGER), (role, path)


def test_job_is_handed_to_its_carrier_when_the_next_writer_has_the_turn(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A carrier may take seconds to answer: meanwhile others enter results."""
    written: list[str] = []

    def another_writes() -> None:
        with app.app_context():
            written.append(a_customer("K-MEANWHILE").code)

    def slow_carrier(_app: Flask, _job_id: int) -> None:
        other = threading.Thread(target=another_writes)
        other.start()
        other.join(timeout=30)

    monkeypatch.setattr(jobs, "_hand", slow_carrier)
    with app.app_context():
        enqueue("backup", {}, system_actor("clock"))
    assert written == ["K-MEANWHILE"]


def test_job_that_is_asked_for_again_by_a_double_click_runs_once_more(
    app: Flask, work: Any, sign_in_as: Callable[[str], Person]
) -> None:
    job_id = _ask(app, work(lambda job: None))
    assert run_waiting(app) == ["done"]
    manager = sign_in_as(MANAGER)
    page = manager.get(f"/jobs/{job_id}").get_data(as_text=True)
    key = re.search(r'name="form_key" value="([^"]+)"', page)
    assert key is not None
    answers = [manager.post(f"/jobs/{job_id}/again", {"form_key": key[1]}) for _click in range(2)]
    assert answers[0].location == answers[1].location != f"/jobs/{job_id}"
    assert run_waiting(app) == ["done"]
    headers = {"X-CSRFToken": manager.token, "Idempotency-Key": "once"}
    asked = [
        manager.client.post(f"/api/v1/jobs/{job_id}/steps/again", headers=headers).get_json()["result"]["id"]
        for _time in range(2)
    ]
    assert asked[0] == asked[1]
    assert run_waiting(app) == ["done"]
