"""kill -9 of the application server: whoever starts it again, as systemd does at once, has it ready within ten seconds."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from flask import Flask

from benchmarks.load import free_port, started
from lims.settings import Settings
from tests.faults.conftest import LONG, Figures
from tests.faults.test_killed_postgresql import BACK_WITHIN_S

KILLS = 10


def _ready_s(port: int, serving: subprocess.Popen[bytes], begun: float) -> float:
    """Seconds from then until it answers that it is ready."""
    until = begun + 60
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return time.monotonic() - begun
        except (OSError, http.client.HTTPException):
            assert serving.poll() is None, "it ended before it was ready"
        finally:
            connection.close()
        time.sleep(0.02)  # a client that waits before it asks again
    raise AssertionError("it does not get ready")


def _longest_cpu_s(pid: int) -> float:
    """Of the server's processes, which start beside each other where they do not wait for one another."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return max(times.user + times.system for times in (one.cpu_times() for one in family))


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
@pytest.mark.skipif(not LONG, reason="two starts of a server take ten seconds of processor: make faults")
@pytest.mark.parametrize("which", ["serve", pytest.param("gunicorn", marks=pytest.mark.postgresql)])
def test_server_that_is_killed_and_started_again_is_ready_within_ten_seconds(
    which: str, request: pytest.FixtureRequest, figures: Figures
) -> None:
    app: Flask = request.getfixturevalue("app" if which == "serve" else "postgresql_app")
    settings: Settings = app.config["LIMS_SETTINGS"]
    folder: Path = settings.data
    port = free_port()
    serving = started(folder, settings.database_url, port)
    try:
        _ready_s(port, serving, time.monotonic())
        slowest, most_cpu = 0.0, 0.0
        going_on: list[int] = []
        for _kill in range(KILLS):
            family = psutil.Process(serving.pid).children(recursive=True)
            killed = time.monotonic()
            os.kill(serving.pid, signal.SIGKILL)  # of the parent alone: its children see that it is gone
            serving.wait(timeout=10)
            serving = started(folder, settings.database_url, port)
            _gone, left = psutil.wait_procs(family, timeout=10)  # while they live, they may answer too
            going_on += [one.pid for one in left]
            slowest = max(slowest, _ready_s(port, serving, killed))
            most_cpu = max(most_cpu, _longest_cpu_s(serving.pid))
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    figures.equal("processes of a killed one that go on", going_on, [])
    figures.at_most("most processor that one process took until then, s", most_cpu, BACK_WITHIN_S)
    if os.getloadavg()[0] < (os.cpu_count() or 1):
        figures.at_most("longest from the kill until it was ready, s", slowest, BACK_WITHIN_S)
    else:  # other programs have the processor
        figures.tell("longest from the kill until it was ready, s, on a busy machine", slowest)
