"""Questions that machines ask: does it live, is it ready, how is it doing."""

from __future__ import annotations

import hmac
import os
import time
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from lims.base.columns import utc_now
from lims.base.database import current_session, database
from lims.base.jobs import Job
from lims.base.migration import current_revision, head_revision
from lims.base.problems import Unavailable
from lims.operations.counter_files import count_safely
from lims.operations.record_of_changes import guards_that_differ
from lims.settings import Settings

#: A ready answer is good for this long: the question may come from anyone, often.
READY_SECONDS = 5.0
#: Counted by their names. A caller may write any other word, and each would be kept for as long as the process lives.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)

blueprint = Blueprint("health", __name__)


class Metrics:
    """Counters of this process; several processes share a folder (PROMETHEUS_MULTIPROC_DIR)."""

    def __init__(self) -> None:
        count_safely()
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lims_requests",
            "Requests by page, method and status",
            ("page", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "lims_request_seconds", "Seconds of a request", ("page",), buckets=BUCKETS, registry=self.registry
        )

    def text(self) -> bytes:
        registry = CollectorRegistry()
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            MultiProcessCollector(registry)
        found: bytes = generate_latest(
            self.registry if not os.environ.get("PROMETHEUS_MULTIPROC_DIR") else registry
        )
        return found + generate_latest(_state_of_the_laboratory())


def _state_of_the_laboratory() -> CollectorRegistry:
    """What the database and the folder say at this moment. Without the database what it would say is left out: these are
    the minutes for which the page is there."""
    registry = CollectorRegistry()
    wrong = unready()
    if "database" not in wrong:
        try:
            _jobs(registry)
        except (SQLAlchemyError, Unavailable):  # gone since it was looked at
            database().undo()
            wrong = ["database"]
    from lims.operations.backup import newest_verified_at

    settings: Settings = current_app.config["LIMS_SETTINGS"]
    made = newest_verified_at(settings, utc_now())
    age = Gauge(
        "lims_last_backup_timestamp_seconds",
        "When the newest backup that was verified was made, 0 for never",
        registry=registry,
    )
    if made is not None:
        age.set(made.timestamp())
    Gauge("lims_ready", "1 when /readyz says so", registry=registry).set(float(not wrong))
    return registry


def _jobs(registry: CollectorRegistry) -> None:
    """Raises: SQLAlchemyError, Unavailable; then nothing was added."""
    session = current_session()
    counts = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    oldest = session.scalar(select(func.min(Job.created_at)).where(Job.state == "queued"))
    jobs = Gauge("lims_jobs", "Jobs by state", ("state",), registry=registry)
    for state, count in counts:
        jobs.labels(state).set(count)
    waiting = Gauge(
        "lims_oldest_waiting_job_seconds", "How long the oldest waiting job waits", registry=registry
    )
    waiting.set((utc_now() - oldest).total_seconds() if oldest else 0)


def watch_requests(app: Flask) -> None:
    metrics = app.extensions["lims.metrics"] = Metrics()

    @app.after_request
    def _count(response: Response) -> Response:
        page = request.endpoint or "none"
        method = request.method if request.method in METHODS else "other"
        metrics.requests.labels(page, method, str(response.status_code)).inc()
        began = g.get("request_began")
        if began is not None:
            metrics.seconds.labels(page).observe(time.perf_counter() - began)
        return response

    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers. Asks nothing of the database: a busy one is no reason to kill the process."""
    return jsonify({"status": "alive"})


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """May requests be sent here? Names what is not ready, and nothing else."""
    wrong = unready()
    return jsonify({"status": "unready" if wrong else "ready", "wrong": wrong}), 503 if wrong else 200


def unready() -> list[str]:
    """Of database, migrations, guards: what is not as it should be. Looked at once in READY_SECONDS."""
    kept = current_app.extensions.get("lims.ready")
    now = time.monotonic()
    if kept is not None and now - kept[0] < READY_SECONDS:
        found: list[str] = kept[1]
        return found
    wrong = _look()
    current_app.extensions["lims.ready"] = (now, wrong)
    return wrong


def _look() -> list[str]:
    try:
        current_session().execute(text("SELECT 1"))
        engine = database().engine
        if current_revision(engine) != head_revision():
            return ["migrations"]
        with engine.connect() as connection:
            if guards_that_differ(connection):
                return ["guards"]
    except (SQLAlchemyError, Unavailable):
        return ["database"]
    return []


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """For Prometheus, with the bearer token of LIMS_METRICS_TOKEN. Without one there is no such page."""
    settings: Settings = current_app.config["LIMS_SETTINGS"]
    given = request.headers.get("Authorization", "")
    wanted = f"Bearer {settings.metrics_token}"
    if not settings.metrics_token or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise NotFound
    counted: Any = current_app.extensions["lims.metrics"]
    return Response(counted.text(), content_type=CONTENT_TYPE_LATEST)
