"""Work that takes longer than a request: imports of large files, exports, mail, backups.

A job is a row: who asked for what, its state, what came of it. huey carries only its number from the process that
asks to the one that runs (SQLite file beside the data, or Redis), and the two things that must be seen while the
job's own transaction is still open: progress and the wish to cancel.

A worker that dies leaves its job running without a sign of life; the next one runs it again, once. A carrier that is away
for a while (a Redis that starts anew, a full disk) holds no work up, and is no sign of death.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import huey as queueing
from flask import Flask, current_app
from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from huey.constants import EmptyData
from huey.consumer import Consumer
from sqlalchemy import ForeignKey, Integer, String, Text, event, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lims.base.actor import Actor, system_actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import AFTERWARDS, current_session, database, locked_row, transaction
from lims.base.display import actor_names
from lims.base.files import StoredFile
from lims.base.metadata import Model
from lims.base.problems import (
    CarrierAway,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    Unavailable,
    WritesStopped,
    refuse,
)
from lims.base.records import Key, Record

log = logging.getLogger(__name__)

#: What the libraries of the carrier raise.
AWAY: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
try:
    from redis.exceptions import RedisError
except ImportError:  # Redis is of the larger installation alone
    pass
else:
    AWAY = (*AWAY, RedisError)

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
OPEN = (QUEUED, RUNNING)
#: A running job tells this often that it lives, and is given up after this long without it.
BEAT_SECONDS = 5.0
GIVEN_UP_AFTER = timedelta(seconds=30)
#: Before that a living one gets the time to tell once more: the carrier may have been away, or have begun anew.
BEATS_TO_BE_SURE = 3
#: A Redis that takes a call and does not answer is away.
PATIENCE_S = 5.0
#: A job that could not tell how far it is tells nothing for so long.
SILENT_S = 60.0
#: What came of a job is written again and again for so long while the database is busy or away: its work is done by then,
#: and would be done a second time.
WRITTEN_WITHIN_S = 120.0
#: Once, and once more after a worker has died.
MOST_ATTEMPTS = 2
WORKER = system_actor("worker")
NIGHT = system_actor("nightly")
#: Files that one transaction takes away.
FILES_AT_ONCE = 100
#: Key in a session's info: numbers of jobs to hand over at its commit.
HANDED_OVER = "jobs"


class Job(Record):
    """One piece of work. `created_by` is who asked for it."""

    __tablename__ = "jobs"
    record_name = "jobs"

    kind: Mapped[str] = mapped_column(String(60), nullable=False, index=True)
    #: JSON object.
    arguments: Mapped[str] = mapped_column(Text, nullable=False)
    #: Language of the messages: that of who asked.
    language: Mapped[str] = mapped_column(String(16), nullable=False)
    #: queued, running, done, failed or cancelled
    state: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    attempts: Mapped[int] = mapped_column(Integer, nullable=False)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: What happened, in a sentence.
    message: Mapped[str | None] = mapped_column(Text)
    #: JSON object: what came of it.
    result: Mapped[str | None] = mapped_column(Text)
    #: A file that came of it, and its name.
    file_id: Mapped[int | None] = mapped_column(Key, ForeignKey("stored_files.id"), index=True)
    file_name: Mapped[str | None] = mapped_column(String(200))
    #: Since when the file is gone (`forget_files`); its name stays.
    file_removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: A page that shows what came of it.
    href: Mapped[str | None] = mapped_column(String(300))

    @property
    def title(self) -> str:
        found = KINDS.get(self.kind)
        return f"{found.title if found else self.kind} {self.id}"

    @property
    def outcome(self) -> dict[str, Any]:
        return json.loads(self.result) if self.result else {}


class Cancelled(Exception):
    """Someone asked this job to stop; what it had written is taken back."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """What can be asked for. `due` says whether the clock asks for it by itself, once a minute."""

    name: str
    title: Any
    run: Callable[..., dict[str, Any] | None]
    due: Callable[[datetime], bool] | None = None


KINDS: dict[str, JobKind] = {}
Work = Callable[..., dict[str, Any] | None]


def job_kind(
    name: str, *, title: Any, due: Callable[[datetime], bool] | None = None
) -> Callable[[Work], Work]:
    """Register `def work(job: RunningJob, **arguments)`. It answers with what came of it: any of `file_id`,
    `file_name`, `href`, `message`, and facts of its own. `due`: e.g. `huey.crontab(minute="0", hour="2")`, UTC."""

    def register(run: Work) -> Work:
        KINDS[name] = JobKind(name, title, run, due)
        return run

    return register


@dataclass(slots=True)
class RunningJob:
    """What the work sees of its job."""

    id: int
    actor: Actor
    queue: queueing.Huey
    _told: float = field(default=0.0)

    def progress(self, done: int, total: int) -> None:
        """Tell how far it is. Cheap: at most four times a second reach the store. Raises: Cancelled."""
        now = time.monotonic()
        if now - self._told < 0.25 and done < total:
            return
        self._told = now
        try:
            _put(self.queue, f"progress:{self.id}", f"{done}/{total}".encode())
        except CarrierAway:  # its heart tells the log
            self._told = time.monotonic() + SILENT_S  # what it writes is held open while it waits here
            return
        self.check()

    def check(self) -> None:
        """Raises: Cancelled when someone has asked for it, as far as the carrier can tell."""
        with suppress(CarrierAway):
            if _peek(self.queue, f"cancel:{self.id}"):
                raise Cancelled


def make_queue(app: Flask) -> queueing.Huey:
    """The carrier of this installation: Redis where LIMS_REDIS_URL names one, else a file beside the data."""
    settings = app.config["LIMS_SETTINGS"]
    if settings.redis_url:
        from redis import ConnectionPool

        calls = ConnectionPool.from_url(settings.redis_url, socket_timeout=PATIENCE_S)
        queue: queueing.Huey = queueing.RedisHuey("lims", connection_pool=calls, results=False)
    else:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not WAL: huey brings the interpreter's own SQLite, which may be one with the WAL bug.
        queue = queueing.SqliteHuey(
            "lims",
            filename=str(settings.data / "jobs.sqlite3"),
            journal_mode="truncate",
            results=False,
            timeout=10,
        )

    @queue.task(name="run_job")
    def run_job(job_id: int) -> None:
        run_one(app, job_id)

    @queue.task(name="look")
    def look() -> None:
        with app.app_context():
            take_up_the_abandoned()

    @queue.periodic_task(queueing.crontab(minute="*"), name="clock")
    def clock() -> None:
        with app.app_context():
            ask_for_what_is_due(utc_now())  # first: it is of this minute
            take_up_the_abandoned()

    app.extensions["lims.run_job"] = run_job
    app.extensions["lims.look"] = look
    return queue


def queue_of(app: Flask) -> queueing.Huey:
    """Made on first use: a web worker that never asks for a job opens no file. Raises: CarrierAway."""
    found = app.extensions.get("lims.queue")
    if found is None:
        with _named():
            found = app.extensions["lims.queue"] = make_queue(app)
    queue: queueing.Huey = found
    return queue


def close_queue(app: Flask) -> None:
    """Give up the carrier: the next use opens it anew. Before a fork, whose child must not share what is open."""
    queue = app.extensions.pop("lims.queue", None)
    if queue is not None:
        queue.storage.close()


@contextmanager
def _named() -> Iterator[None]:
    """Raises: CarrierAway, for whatever the carrier's own library raises."""
    try:
        yield
    except AWAY as error:
        raise CarrierAway(str(error)) from error


def _peek(queue: queueing.Huey, key: str) -> bytes | None:
    """Raises: CarrierAway."""
    with _named():
        value = queue.storage.peek_data(key)
    return None if value is EmptyData else bytes(value)


def _put(queue: queueing.Huey, key: str, value: bytes) -> None:
    """Raises: CarrierAway."""
    with _named():
        queue.storage.put_data(key, value)


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def enqueue(kind: str, arguments: Mapping[str, Any], actor: Actor) -> Job:
    """Ask for work. `arguments` are what JSON holds. Raises: Refused for an unknown kind."""
    if kind not in KINDS:
        raise refuse("kind", _("is not known; accepted: %(what)s", what=", ".join(KINDS)), kind)
    with transaction(actor, f"job {kind}") as session:
        job = Job(
            kind=kind,
            arguments=json.dumps(dict(arguments), ensure_ascii=False),
            language=str(get_locale() or "en"),
            state=QUEUED,
            attempts=0,
        )
        session.add(job)
        session.flush()
        session.info.setdefault(HANDED_OVER, []).append(job.id)
    return job


@event.listens_for(Session, "after_commit")
def _hand_over(session: Session) -> None:
    """Numbers go to the carrier once their rows can be read, and no other writer waits for this one; what is lost on the
    way, the clock hands over again."""
    for job_id in session.info.pop(HANDED_OVER, ()):
        session.info.setdefault(AFTERWARDS, []).append(partial(_hand_or_leave, job_id))


def _hand_or_leave(job_id: int) -> None:
    try:
        _hand(_app(), job_id)
    except Exception:
        log.exception("job %s was not handed over; the clock will", job_id)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(HANDED_OVER, None)


def _hand(app: Flask, job_id: int) -> None:
    """Raises: CarrierAway."""
    queue_of(app)
    with _named():
        app.extensions["lims.run_job"](job_id)


def progress_of(job: Job) -> tuple[int, int] | None:
    """(done, all) of a running job, None when it has not told yet or the carrier is away: the rest of the page is there."""
    if job.state != RUNNING:
        return None
    try:
        told = _peek(queue_of(_app()), f"progress:{job.id}")
    except CarrierAway as error:
        log.warning("how far job %s is, cannot be read: %s", job.id, error)
        return None
    if not told:
        return None
    done, _slash, total = told.decode().partition("/")
    return int(done), int(total)


def cancel(job_id: int, actor: Actor) -> Job:
    """A waiting job is taken back at once, a running one at its next step. Raises: NotFound, Refused, CarrierAway."""
    with transaction(actor, "job cancelled") as session:
        job = _locked(job_id)
        if job.state not in OPEN:
            raise refuse("state", _("is over; accepted: a job that waits or runs"), job.state)
        runs = job.state == RUNNING
        if not runs:
            job.state, job.finished_at = CANCELLED, utc_now()
        session.flush()
    if runs:
        _put(queue_of(_app()), f"cancel:{job_id}", b"1")
    return job


def retry(job_id: int, actor: Actor) -> Job:
    """Ask for the same work again, as a new job. Raises: NotFound, Refused."""
    job = _get(job_id)
    if job.state in OPEN:
        raise refuse("state", _("is not over; accepted: a job that has ended"), job.state)
    return enqueue(job.kind, json.loads(job.arguments), actor)


def _get(job_id: int) -> Job:
    job = current_session().get(Job, job_id, populate_existing=True) if 0 < job_id < 2**63 else None
    if job is None:
        raise NotFound(f"jobs {job_id}")
    return job


def _locked(job_id: int) -> Job:
    job = locked_row(Job, job_id)
    if job is None:
        raise NotFound(f"jobs {job_id}")
    return job


def run_one(app: Flask, job_id: int) -> str:
    """Run this job if it still waits. Returns its state afterwards: what went wrong is its message.

    Raises: CarrierAway before it has begun, so that it waits on."""
    with app.app_context():
        queue = queue_of(app)
        job = _claim(job_id)
        if job is None:
            return ""
        kind = KINDS.get(job.kind)
        running = RunningJob(job.id, _actor_of(job), queue)
        state, message, result = FAILED, "", {}
        with force_locale(job.language), _heart(app, job.id):
            try:
                running.check()
                if kind is None:
                    message = _("this version of the program does not know this work")
                else:
                    result = kind.run(running, **json.loads(job.arguments)) or {}
                    state, message = DONE, str(result.pop("message", ""))
            except Cancelled:
                state, message = CANCELLED, _("Cancelled; nothing was written.")
            except (Refused, NotFound, Conflict, Unavailable) as error:
                message = str(error)
            except Forbidden as error:  # taken away since it was asked for
                log.warning("refused: job %s (%s) for %s: %s", job.id, job.kind, job.created_by, error)
                message = _("Your role does not allow this.")
            except Exception:
                log.exception("job %s (%s) failed", job.id, job.kind)
                message = _("The mistake is ours and was recorded. Nothing was written.")
            finally:
                database().undo()
            _finish_in_the_end(job_id, state, message, result)
        return state


def _claim(job_id: int) -> Job | None:
    with transaction(WORKER, "job started") as session:
        taken = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == QUEUED)
            .values(
                state=RUNNING,
                attempts=Job.attempts + 1,
                started_at=utc_now(),
                version=Job.version + 1,
                changed_at=utc_now(),
                changed_by=WORKER.key,
            )
            .execution_options(synchronize_session=False)
        ).rowcount  # type: ignore[attr-defined]
    return _get(job_id) if taken else None


def _finish_in_the_end(job_id: int, state: str, message: str, result: dict[str, Any]) -> None:
    """Raises: Unavailable when the database stays away."""
    until = time.monotonic() + WRITTEN_WITHIN_S
    while True:
        try:
            _finish(job_id, state, message, dict(result))
        except WritesStopped:
            raise
        except Unavailable as error:
            if time.monotonic() > until:
                raise
            log.warning("job %s is over; that it is will be written later: %s", job_id, error)
            time.sleep(0.5)
        else:
            return


def _finish(job_id: int, state: str, message: str, result: dict[str, Any]) -> None:
    with transaction(WORKER, f"job {state}") as session:
        job = _locked(job_id)
        job.state, job.message, job.finished_at = state, message[:4000] or None, utc_now()
        job.file_id = result.pop("file_id", None)
        job.file_name = result.pop("file_name", None)
        job.href = result.pop("href", None)
        job.result = json.dumps(result, ensure_ascii=False) if result else None
        session.flush()
    with suppress(CarrierAway), _named():  # what is left there is of a job that is over: nobody reads it
        storage = queue_of(_app()).storage
        for name in ("progress", "cancel", "beat"):
            storage.pop_data(f"{name}:{job_id}")


def _actor_of(job: Job) -> Actor:
    kind, _colon, name = job.created_by.partition(":")
    label = actor_names({job.created_by})[job.created_by]
    return Actor(job.created_by, label, int(name) if kind == "user" else None)


@contextmanager
def _heart(app: Flask, job_id: int) -> Iterator[None]:
    """A sign of life in the carrier while the work goes on. It beats on when the carrier does not take one."""
    ended = threading.Event()
    queue = queue_of(app)

    def beat() -> None:
        while True:
            try:
                _put(queue, f"beat:{job_id}", str(time.time()).encode())
            except CarrierAway as error:
                log.warning("job %s cannot tell that it lives, it will try again: %s", job_id, error)
            if ended.wait(BEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name=f"heart-{job_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def take_up_the_abandoned() -> list[int]:
    """Jobs whose worker gave no sign of life wait again (once), and jobs that were never handed over are. While the carrier
    is away nothing is taken up: it cannot tell who lives."""
    app = _app()
    now, again = utc_now(), []
    running: dict[int, tuple[int, datetime]] = {}
    for job in current_session().scalars(select(Job).where(Job.state.in_(OPEN)).order_by(Job.id)).all():
        if job.state == RUNNING:
            running[job.id] = (job.attempts, job.started_at or job.changed_at)
        elif _long_from(now.timestamp(), job.changed_at.timestamp()):
            again.append(job.id)
    try:
        dead = _dead(queue_of(app), {job_id: since for job_id, (_attempts, since) in running.items()})
        again += [job_id for job_id in dead if _taken_back(job_id, running[job_id][0])]
        for job_id in again:
            _hand(app, job_id)
    except CarrierAway as error:
        log.warning("jobs are not taken up until their carrier is back: %s", error)
        return []
    return again


def _dead(queue: queueing.Huey, since: Mapping[int, datetime]) -> list[int]:
    """Those of the running jobs (number -> when it began) whose worker is dead. Raises: CarrierAway.

    An old sign of life proves nothing: a carrier that was away, is full, or came back empty lacks those of the living as
    well. So whoever is silent gets the time to tell again, on a carrier that is seen to keep what it is told.
    """
    now = time.time()
    signs = {job_id: _peek(queue, f"beat:{job_id}") for job_id in since}
    silent = [
        job_id
        for job_id, sign in signs.items()
        if _long_from(now, float(sign) if sign else since[job_id].timestamp())
    ]
    if not silent:
        return []
    _put(queue, "looked", str(time.time()).encode())
    database().undo()  # no snapshot is kept open meanwhile
    time.sleep(BEATS_TO_BE_SURE * BEAT_SECONDS)
    _put(queue, "looked", str(time.time()).encode())
    return [job_id for job_id in silent if _peek(queue, f"beat:{job_id}") == signs[job_id]]


def _long_from(now: float, then: float) -> bool:
    """Are these seconds further from each other than a living job's are? Either way: what was told by a clock that was ahead
    would otherwise count until that time has come."""
    return abs(now - then) > GIVEN_UP_AFTER.total_seconds()


def _taken_back(job_id: int, attempts: int) -> bool:
    """Has this try of the job been given up so that it waits again? Not when the job has gone on meanwhile, or was tried
    often enough: then it has failed."""
    with transaction(WORKER, "job abandoned") as session:
        job = _locked(job_id)
        if (job.state, job.attempts) != (RUNNING, attempts):
            return False
        language = job.language
        if attempts < MOST_ATTEMPTS:
            job.state = QUEUED
            session.flush()
            return True
    with force_locale(language):
        _finish(job_id, FAILED, _("The worker ended twice while it ran."), {})
    return False


#: PostgreSQL's lock of whoever asks for what is due: several workers look at the clock in the same second.
CLOCK_LOCK = 5_823_117
#: Two threads that were busy for minutes take two calls of the clock at once.
_ASKING = threading.Lock()


def ask_for_what_is_due(now: datetime) -> list[str]:
    """The clock asks for what its kind says is due, unless it waits or runs already. No minute can be counted on: the one
    thread may be busy through it, the machine off."""
    asked = []
    with _ASKING:
        database().undo()  # what the thread before has asked for is seen
        for kind in KINDS.values():
            if not _is_wanted(kind, now):
                continue
            clock = system_actor("clock")
            with transaction(clock, f"job {kind.name}") as session:
                if not database().is_sqlite:  # which has one writer
                    session.execute(select(func.pg_advisory_xact_lock(CLOCK_LOCK)))
                if _is_wanted(kind, now):  # still: the clock of another process looks in the same second
                    enqueue(kind.name, {}, clock)
                    asked.append(kind.name)
    return asked


def _is_wanted(kind: JobKind, now: datetime) -> bool:
    """Does this kind say that it is due, and does none of it wait or run?"""
    if kind.due is None or not kind.due(now.replace(tzinfo=None)):
        return False
    waiting = select(Job.id).where(Job.kind == kind.name, Job.state.in_(OPEN)).limit(1)
    return current_session().scalar(waiting) is None


def forget_files(now: datetime, kept_for: timedelta) -> int:
    """Take away the files of jobs that ended longer than `kept_for` ago: lists with names of persons. Bytes that something
    else refers to as well stay for that. Returns how many jobs lost theirs.

    Not while another job runs that may have kept a file and not said so yet: the next night takes them.
    """
    count = 0
    while True:
        with transaction(NIGHT, "old files of jobs") as session:
            old = (
                select(Job)
                .where(Job.file_id.is_not(None), Job.state.not_in(OPEN), Job.finished_at < now - kept_for)
                .order_by(Job.id)
                .limit(FILES_AT_ONCE)
            )
            jobs = session.scalars(old.with_for_update().execution_options(populate_existing=True)).all()
            named = StoredFile.id.in_({job.file_id for job in jobs})
            gone = select(StoredFile).where(named).order_by(StoredFile.id).with_for_update()
            files = session.scalars(gone.execution_options(populate_existing=True)).all()
            # Asked while the files are held: a job that begins later waits for them, and puts its bytes back.
            clocked = [name for name, kind in KINDS.items() if kind.due is not None]
            running = select(Job.id).where(Job.state == RUNNING, Job.kind.not_in(clocked)).limit(1)
            if session.scalar(running) is not None:
                return count
            for job in jobs:
                job.file_id, job.file_removed_at = None, now
            session.flush()
            for stored in files:
                if not _is_referred_to(session, stored.id):
                    stored.content, stored.removed_at = b"", now
        count += len(jobs)
        if len(jobs) < FILES_AT_ONCE:
            return count


def _is_referred_to(session: Session, file_id: int) -> bool:
    columns = (
        column
        for table in Model.metadata.tables.values()
        for column in table.columns
        if any(key.column is StoredFile.__table__.c.id for key in column.foreign_keys)
    )
    return any(session.scalar(select(column).where(column == file_id).limit(1)) for column in columns)


def run_waiting(app: Flask) -> list[str]:
    """Run what waits, oldest first, in this process (commands and tests). Returns the states."""
    states: list[str] = []
    while True:
        with app.app_context():
            query = select(Job.id).where(Job.state == QUEUED).order_by(Job.id).limit(1)
            job_id = current_session().scalars(query).one_or_none()
        if job_id is None:
            return states
        states.append(run_one(app, job_id))


class QuietConsumer(Consumer):
    """A consumer inside another server: signals are the server's."""

    def _set_signal_handlers(self) -> None:
        return


class PatientConsumer(Consumer):
    """A consumer that is a process: told to stop by SIGTERM, as systemd and containers do, it finishes the jobs that it
    runs, as at Ctrl-C. huey would cut them off, and a job that is cut off twice has failed. The same signal again does not
    wait."""

    def _set_signal_handlers(self) -> None:
        self._signal_actions[signal.SIGTERM] = self._signal_actions[signal.SIGINT]
        super()._set_signal_handlers()


def start_worker(app: Flask, *, threads: int = 1, own_process: bool = False) -> Consumer:
    """Begin to run jobs: in threads beside the embedded server, or as a process of its own (`lims worker`)."""
    queue = queue_of(app)
    try:
        with _named():
            app.extensions["lims.look"]()  # for jobs of the worker before, without waiting for the minute
    except CarrierAway as error:
        log.warning("the worker begins without the carrier of its jobs: %s", error)
    made = (PatientConsumer if own_process else QuietConsumer)(
        queue,
        workers=threads,
        worker_type="thread",
        max_delay=1.0,
        periodic=True,
        # Beside a server a job that goes on is left, so that the stop has an end: it runs again, once, in the next. To a
        # process of its own whoever stops it gives its time.
        shutdown_timeout=None if own_process else app.config["LIMS_SETTINGS"].stop_seconds,
    )
    log.info("worker %s runs jobs", os.getpid())
    return made
