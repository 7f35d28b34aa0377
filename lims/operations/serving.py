"""Serving with waitress, in one process or several, until it is told to stop; a stop ends no request that has begun."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import click
from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from lims.base.jobs import close_queue, start_worker
from lims.base.problems import Refused
from lims.cli import sentences
from lims.operations.checks import configuration_problems, database_problems
from lims.operations.counters import empty
from lims.operations.family import AT_ONCE, Family, Shares
from lims.operations.few_at_once import FewAtOnce
from lims.operations.surroundings import odd_surroundings
from lims.settings import SHARED_COUNTERS, Settings

log = logging.getLogger(__name__)

#: Connections that a process holds. A browser opens six while a page loads and keeps them for two minutes: at waitress' own
#: hundred the thirty-fourth person of two processes waited for somebody's to run out. Fewer than select can look at (1,024).
MOST_CONNECTIONS = 500
#: Bytes of a request that are kept for the application, which refuses less (65 MB, lims/app.py) with a page. Waitress' own
#: gigabyte of anybody's, a connection each, would fill the disk.
MOST_BODY = 100_000_000


class Stop(KeyboardInterrupt):
    """A signal asked the server to end. It may come in the middle of a line of the log or of a connection, and those let
    nothing through but what Python itself is interrupted by."""


def refuse_to_start_wrong(settings: Settings) -> None:
    """Raises: Refused with everything that must be put right first."""
    problems = configuration_problems(settings) or database_problems(settings)
    if problems:
        raise Refused(problems)


def tell_of_surroundings(settings: Settings) -> None:
    """Into the log, once it is there: what is odd, and no reason not to serve."""
    for sentence in sentences(Refused(odd_surroundings(settings))):
        log.warning("%s", sentence)


def settle() -> None:
    """A thousand routes and their templates stay for good: the collector need not look at them again and again, which
    stops every thread for a tenth of a second. What the first forecast would import is there before people are."""
    import scipy.optimize  # noqa: F401

    gc.collect()
    gc.freeze()


def before_forking(app: Flask) -> None:
    """What preparing has opened (a demonstration, the checks) must not be open in two processes."""
    app.extensions["lims.database"].engine.dispose()
    close_queue(app)


def serve(app: Flask, settings: Settings) -> None:
    """Serve, and run jobs beside it, until Ctrl-C or SIGTERM."""
    settle()
    try:
        listening = _listen(settings)
    except OSError as error:
        click.echo(_why_not(settings, error), err=True)
        sys.exit(2)
    processes = settings.serving_processes()
    _empty_counters()
    if processes == 1:
        _serve(app, settings, listening, worker_threads=settings.worker_threads)
        return
    shares = Shares(processes)
    works = {
        f"web {number + 1}": partial(_serve, app, settings, listening, shares=shares, number=number)
        for number in range(processes)
    }
    if settings.worker_threads:
        works["jobs"] = partial(_run_jobs, app, settings, listening)
    before_forking(app)
    Family(works, settings.stop_seconds, at_stop=partial(_close, listening)).run()
    log.info("stopped")


def _why_not(settings: Settings, error: OSError) -> str:
    """Which of the two settings keeps it from listening, and what is accepted."""
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        said = "accepted: an address or name of this machine, or 0.0.0.0 for all of them"
        return f"LIMS_HOST={settings.host}: cannot listen on it ({error.strerror}); {said}"
    return f"LIMS_PORT={settings.port}: cannot listen on it ({error.strerror}); set another port"


def _close(listening: list[socket.socket]) -> None:
    """Whoever keeps one open makes clients wait for nobody."""
    for one in listening:
        one.close()


def _empty_counters() -> None:
    """Of an earlier start; only now, since one that finds the port taken must not empty those of the one that runs."""
    folder = os.environ.get(SHARED_COUNTERS)
    if folder:
        empty(Path(folder))


def _listen(settings: Settings) -> list[socket.socket]:
    """The sockets of the address, before there is anything to share them. Raises: OSError."""
    found = []
    try:
        asked = Adjustments(host=settings.host, port=settings.port)
    except ValueError:  # a name that nobody knows
        raise OSError(errno.EADDRNOTAVAIL, "it is no address") from None
    for family, kind, protocol, address in asked.listen:
        one = socket.socket(family, kind, protocol)
        if os.name != "nt":  # there it would let two servers have the same port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(asked.backlog)
        found.append(one)
    return found


def _serve(
    app: Flask,
    settings: Settings,
    listening: list[socket.socket],
    *,
    worker_threads: int = 0,
    shares: Shares | None = None,
    number: int = 0,
) -> None:
    """This process, number so much of those that share the work, serves until it is told to stop, and runs jobs in so
    many threads."""
    sockets: dict[int, Any] = {}
    threads = _answer(app, settings.threads, listening, sockets)
    if shares is not None:
        for one in list(sockets.values()):
            if isinstance(one, BaseWSGIServer):
                _share(one, shares, number)
    worker = None
    if worker_threads:
        worker = start_worker(app, threads=worker_threads)
        worker.start()
    told = _stop_on_signals(of_family=shares is not None)
    try:
        try:
            while not told:
                if shares is not None:
                    shares.tell(number, len(sockets))
                wasyncore.loop(timeout=1, map=sockets, count=1)
            log.info("stopping: what has begun is finished, at most %s s", settings.stop_seconds)
            until = time.monotonic() + settings.stop_seconds
            if worker is not None:
                worker.stop()  # it takes up no other job
            _finish(sockets, settings.stop_seconds)
            if worker is not None:
                worker.shutdown_timeout = max(0.0, until - time.monotonic())
                worker.stop(graceful=True)
        finally:
            threads.shutdown(timeout=1)
    except Stop:
        log.warning("stopped at once: requests that had begun were left, jobs that had begun run again")
    log.info("stopped")


def _answer(app: Flask, threads: int, listening: list[socket.socket], sockets: dict[int, Any]) -> FewAtOnce:
    """Have waitress answer on these sockets, which it adds to `sockets`. Returns its threads.

    What proxies say of who asked is the application's to believe or not (LIMS_PROXIES): waitress would take it out.
    """
    found = FewAtOnce()
    found.set_thread_count(threads)
    create_server(
        app,
        map=sockets,
        sockets=listening,
        ident=None,
        clear_untrusted_proxy_headers=False,
        connection_limit=MOST_CONNECTIONS,
        max_request_body_size=MOST_BODY,
        _dispatcher=found,
    )
    return found


class EvenChannel(HTTPChannel):
    """A connection that is to be opened anew while its process holds too many."""

    gives_back: Callable[[], bool]

    def service(self) -> None:
        if len(self.requests) == 1 and self.gives_back():
            self.requests[0].headers["CONNECTION"] = "close"  # as if the browser had asked for it
        super().service()


def _share(server: BaseWSGIServer, shares: Shares, number: int) -> None:
    take = server.handle_accept

    def take_in_turn() -> None:
        shares.give_way(number)
        take()

    server.handle_accept = take_in_turn
    of_process = {"gives_back": staticmethod(partial(shares.gives_back, number))}
    server.channel_class = type("EvenChannel", (EvenChannel,), of_process)


def _run_jobs(app: Flask, settings: Settings, listening: list[socket.socket]) -> None:
    """This process runs jobs until it is told to stop: their computing takes nothing of those who serve."""
    _close(listening)
    told = _stop_on_signals(of_family=True)
    worker = start_worker(app, threads=settings.worker_threads)
    worker.start()
    try:
        while not told:
            time.sleep(0.5)
        worker.stop(graceful=True)
    except Stop:
        log.warning("stopped at once: jobs that had begun run again")


def _stop_on_signals(*, of_family: bool = False) -> list[int]:
    """Filled by SIGTERM or Ctrl-C; the loop looks at it. A second signal does not wait.

    `of_family`: systemd tells the children and their parent, who tells them again. Only the parent knows of a second one.
    """
    told: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        # Once: whoever is told a third time is already leaving.
        if told.count(AT_ONCE) == 1 and number == AT_ONCE if of_family else len(told) == 2:
            raise Stop

    for number in (signal.SIGTERM, AT_ONCE) if of_family else (signal.SIGTERM, signal.SIGINT):
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
