"""Several processes on one port: shared evenly, started again when one dies, counted together, all gone after a stop."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from flask import Flask

from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.jobs import Job, enqueue
from lims.operations.family import GIVE_WAY_S, Shares
from tests.browser import free_port
from tests.programs import Program, run
from tests.waiting import until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="one process on Windows")

TOKEN = "correct-horse-battery-staple"
WRONG_PASSWORDS = 4


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes] | Program
    port: int
    data: Path

    @property
    def children(self) -> list[psutil.Process]:
        """Two that serve, and the one that runs jobs."""
        return sorted(psutil.Process(self.process.pid).children(), key=lambda child: child.pid)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        connection = self.connect()
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.get("/healthz")[0] == 200
        return False


@contextmanager
def started(
    command: list[str], port: int, data: Path, *, cold: bool = False, **given: str
) -> Iterator[Server]:
    """`python -m COMMAND` over `data`, once it answers on `port`; it is told to stop at the end. A cold one imports what
    it needs itself."""
    words = ["-m", *command]
    environment = {**os.environ, "LIMS_DATA": str(data), "LIMS_PROCESSES": "2", **given}
    nowhere = subprocess.DEVNULL
    with (
        subprocess.Popen([sys.executable, *words], env=environment, stdout=nowhere, stderr=nowhere)
        if cold
        else Program(words, environment, heard=False)
    ) as process:
        made = Server(process, port, data)
        until(lambda: process.poll() is not None or made.answers(), "the server did not start")
        assert process.poll() is None
        yield made
        if process.poll() is None:
            process.terminate()


@pytest.fixture
def server(app: Flask) -> Iterator[Server]:
    data, port = app.config["LIMS_SETTINGS"].data, free_port()
    given = {"LIMS_PORT": str(port), "LIMS_METRICS_TOKEN": TOKEN}
    given |= {"LIMS_LOGIN_RATE_LIMIT": f"{WRONG_PASSWORDS} per hour"}
    with started(["lims", "serve"], port, data, **given) as made:
        yield made


def test_server_of_two_processes_is_one_server(server: Server, app: Flask) -> None:
    _share_connections_counters_and_wrong_passwords(server)
    _are_started_again_when_they_are_killed(server, app)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", server.port))


def _share_connections_counters_and_wrong_passwords(server: Server) -> None:
    serving = server.children[:2]
    open_connections = [server.connect() for _number in range(16)]
    for connection in open_connections:
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
    held = [
        sum(one.status == psutil.CONN_ESTABLISHED for one in child.net_connections()) for child in serving
    ]
    assert sum(held) == 16
    assert min(held) >= 2, held  # who wakes is the machine's affair; that it gives way: below
    # Each asks over its own connection, so of its own process.
    told = []
    for connection in open_connections:
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        found = re.search(
            r'lims_requests_total\{method="GET",page="health.healthz",status="200"\} (\d+)',
            connection.getresponse().read().decode(),
        )
        told.append(int(found.group(1)) if found else 0)
    assert min(told) == max(told) >= 16
    statuses = []
    for connection in open_connections[: WRONG_PASSWORDS + 3]:
        body = '{"username": "nobody", "password": "wrong", "provider": "db"}'
        connection.request(
            "POST", "/api/v1/security/login", body, headers={"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [401] * WRONG_PASSWORDS + [429] * 3
    for connection in open_connections:
        connection.close()


def connections_are_shared_again(server: Server, serving: list[psutil.Process]) -> None:
    """Sixteen browsers that go on asking while one of the processes that serve ends, as gunicorn's do after their number
    of requests: its connections are with the other one before it has a successor."""
    browsers = [server.connect() for _number in range(16)]

    def asked() -> list[int]:
        """Each once. Returns how many connections each process that serves holds."""
        for browser in browsers:
            try:
                browser.request("GET", "/healthz")
                assert browser.getresponse().read()
            except (OSError, http.client.HTTPException):
                browser.close()  # it was of the one that ends: a browser opens another and asks again
        held = []
        for child in server.children:
            with suppress(psutil.NoSuchProcess):
                held.append(sum(one.status == psutil.CONN_ESTABLISHED for one in child.net_connections()))
        return [number for number in held if number]

    asked()
    serving[0].send_signal(signal.SIGTERM)
    until(lambda: bool(asked()) and serving[0] not in server.children, "it does not end")
    until(lambda: len(found := asked()) == 2 and sum(found) == 16 and min(found) >= 6, "one keeps them all")
    for browser in browsers:
        browser.close()


def _are_started_again_when_they_are_killed(server: Server, app: Flask) -> None:
    connections_are_shared_again(server, server.children[:2])
    until(lambda: len(server.children) == 3, "nobody was started again")
    before = server.children
    for gone in (before[0], before[2]):
        gone.send_signal(signal.SIGKILL)
    # A connection that the dead process had taken is cut; the next one is served.
    until(server.answers, "nobody serves")
    until(lambda: len(server.children) == 3 and before[0] not in server.children, "nobody was started again")
    assert before[1] in server.children
    with app.app_context():
        job_id = enqueue("service-round", {}, system_actor("asker")).id

    def ended() -> bool:
        with app.app_context():
            job = current_session().get(Job, job_id)
            return job is not None and job.state == "done"

    until(ended, "the job was not run")


# --- the family alone ------------------------------------------------------------------------------------------

SMALL = """
import os, signal, sys, time
from lims.operations import family
family.SLACK_S = 0

def work():
    told = []
    signal.signal(signal.SIGTERM, lambda *_given: told.append(1))
    os.write(1, b"begun\\n")
    while not told or "deaf" in sys.argv:
        time.sleep(0.02)
    os.write(1, b"ended\\n")

if "early" in sys.argv:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    os.kill(os.getpid(), signal.SIGTERM)
seconds = 60 if "early" in sys.argv else 1
family.Family({"one": work, "two": work}, seconds, at_stop=lambda: os.write(1, b"stops\\n")).run()
os.write(1, b"parent ended\\n")
"""


@contextmanager
def _small(*how: str) -> Iterator[tuple[Program, list[psutil.Process]]]:
    with Program(["-c", SMALL, *how]) as parent:
        try:
            assert [parent.stdout.readline() for _child in range(2)] == ["begun\n"] * 2
            yield parent, psutil.Process(parent.pid).children()
        finally:
            parent.kill()


def test_stop_waits_for_every_child_to_finish() -> None:
    with _small() as (parent, _children):
        parent.send_signal(signal.SIGTERM)
        assert parent.communicate(timeout=30)[0] == "stops\nended\nended\nparent ended\n"
        assert parent.returncode == 0


def test_ctrl_c_of_a_terminal_reaches_all_of_them_and_is_one_stop() -> None:
    with _small() as (parent, children):
        for one in [*children, parent]:
            one.send_signal(signal.SIGINT)
        assert parent.communicate(timeout=30)[0] == "stops\nended\nended\nparent ended\n"


def test_child_that_does_not_end_is_killed_in_time() -> None:
    with _small("deaf") as (parent, children):
        parent.send_signal(signal.SIGTERM)
        assert parent.communicate(timeout=30)[0] == "stops\nparent ended\n"
        assert not [child for child in children if child.is_running()]


def test_stop_that_comes_while_children_are_started_is_the_last_of_it() -> None:
    told = run(["-c", SMALL, "early"]).stdout
    assert told.count("begun") <= 1
    assert told.endswith("parent ended\n")


def test_process_that_holds_more_connections_gives_way_and_no_other() -> None:
    shares = Shares(2)
    shares.tell(0, 5)
    shares.tell(1, 4)
    for number, waits in ((0, True), (1, False)):
        begun = time.monotonic()
        shares.give_way(number)
        assert (time.monotonic() - begun >= GIVE_WAY_S) is waits


def test_child_that_was_killed_is_started_again_and_the_other_is_left_alone() -> None:
    with _small() as (parent, children):
        children[0].kill()
        assert parent.stdout.readline() == "begun\n"
        assert children[1] in psutil.Process(parent.pid).children()


def test_children_end_when_their_parent_is_killed() -> None:
    with _small() as (parent, children):
        parent.kill()
        assert parent.stdout is not None
        assert parent.stdout.read() == "ended\nended\n"
        until(lambda: not any(_lives(child) for child in children), "a child lives on")


def _lives(child: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(child.status() != psutil.STATUS_ZOMBIE)
    return False
