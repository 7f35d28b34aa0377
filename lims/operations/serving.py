"""Serving with waitress until it is told to stop; a stop ends no request that has begun."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
from types import FrameType
from typing import Any

import click
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from lims.base.problems import Refused
from lims.operations.checks import configuration_problems, database_problems
from lims.settings import Settings

log = logging.getLogger(__name__)


class Stop(Exception):
    """A signal asked the server to end."""


def refuse_to_start_wrong(settings: Settings) -> None:
    """Raises: Refused with everything that must be put right first."""
    problems = configuration_problems(settings) or database_problems(settings)
    if problems:
        raise Refused(problems)


def settle() -> None:
    """A thousand routes and their templates stay for good: the collector need not look at them again and again, which
    stops every thread for a tenth of a second."""
    gc.collect()
    gc.freeze()


def serve(app: Flask, settings: Settings) -> None:
    """Serve, and run jobs beside it, until Ctrl-C or SIGTERM."""
    settle()
    sockets: dict[int, Any] = {}
    try:
        server = create_server(
            app, map=sockets, host=settings.host, port=settings.port, threads=settings.threads, ident=None
        )
    except OSError as error:
        message = f"LIMS_PORT={settings.port}: cannot listen on it ({error.strerror}); set another port"
        click.echo(message, err=True)
        sys.exit(2)
    worker = None
    if settings.worker_threads:
        from lims.base.jobs import start_worker

        worker = start_worker(app, threads=settings.worker_threads)
        worker.start()
    told = _stop_on_signals()
    try:
        while not told:
            wasyncore.loop(timeout=1, map=sockets, count=1)
        log.info("stopping: requests that have begun are finished, at most %s s", settings.stop_seconds)
        _finish(sockets, settings.stop_seconds)
    except Stop:
        log.warning("stopped at once: requests that had begun were left")
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        if worker is not None:
            worker.stop(graceful=True)
        log.info("stopped")


def _stop_on_signals() -> list[int]:
    """Filled by SIGTERM or Ctrl-C; the loop looks at it. A second signal does not wait."""
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            raise Stop

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return told


def _finish(sockets: dict[int, Any], seconds: int) -> None:
    """Take no more connections, let begun requests end and their answers go out."""
    wasyncore.loop(timeout=0, map=sockets, count=1)  # who knocked before the stop is let in
    for one in list(sockets.values()):
        if isinstance(one, BaseWSGIServer):
            wasyncore.dispatcher.close(one)
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(_busy(one) for one in list(sockets.values())):
        wasyncore.loop(timeout=0.1, map=sockets, count=1)


def _busy(one: Any) -> bool:
    return isinstance(one, HTTPChannel) and bool(one.requests or one.total_outbufs_len)
