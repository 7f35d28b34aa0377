"""Programs of ours as processes of their own, without the three seconds that each takes to import what all import.

They are forked from a process that has done it (tests/warm_process.py), one a worker of pytest. What starts as a person
starts it, imports and all, is held by tests/commands, tests/faults/test_killed_server.py and the server of the stories.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class Program:
    """What subprocess.Popen is to its process, as far as tests need it; output and errors are text."""

    def __init__(
        self,
        arguments: list[str],
        environment: Mapping[str, str] | None = None,
        *,
        umask: int | None = None,
        heard: bool = True,
    ) -> None:
        """`arguments` as `python` takes them: ["-m", module, …] or ["-c", code, …]. Of who is not `heard`, output and
        errors go nowhere: a pipe that nobody reads fills up."""
        assert arguments[0] in {"-m", "-c"}
        given, self._gives = os.pipe()
        out, err = os.pipe(), os.pipe()
        self._told, told = os.pipe()
        order = {
            "arguments": arguments,
            "environment": dict(os.environ if environment is None else environment),
            "folder": os.getcwd(),
            "umask": _umask() if umask is None else umask,
        }
        nowhere = os.open(os.devnull, os.O_WRONLY)
        theirs = [given, out[1], err[1], told] if heard else [given, nowhere, nowhere, told]
        socket.send_fds(_warm(), [json.dumps(order).encode()], theirs)
        for file in (given, out[1], err[1], nowhere, told):
            os.close(file)
        self.stdin: IO[str] = os.fdopen(self._gives, "w")
        self.stdout: IO[str] = os.fdopen(out[0], encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err[0], encoding="utf-8")
        self._said = b""
        self._hear()
        self.pid = int(self._said.partition(b"\n")[0])

    def _hear(self) -> None:
        said = os.read(self._told, 64)
        assert said, "the process that forks programs is gone"
        self._said += said

    @property
    def returncode(self) -> int | None:
        _pid, _line, ended = self._said.partition(b"\n")
        return int(ended) if ended.endswith(b"\n") else None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._hear()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises: subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._told], [], [], left)[0]:
                raise subprocess.TimeoutExpired(f"program {self.pid}", timeout or 0)
            self._hear()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Raises: subprocess.TimeoutExpired."""
        self.stdin.close()
        found = {}

        def read(stream: IO[str]) -> None:
            found[stream] = stream.read()

        readers = [
            threading.Thread(target=read, args=[one], daemon=True) for one in (self.stdout, self.stderr)
        ]
        until = None if timeout is None else time.monotonic() + timeout
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(f"program {self.pid}", timeout or 0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        return found[self.stdout], found[self.stderr]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stdin.close()
        self.stdout.close()
        self.stderr.close()
        self.wait()
        os.close(self._told)


def run(
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    umask: int | None = None,
    timeout_s: float | None = 200,
) -> subprocess.CompletedProcess[str]:
    """Raises: subprocess.TimeoutExpired."""
    with Program(arguments, environment, umask=umask) as program:
        try:
            out, err = program.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
    assert program.returncode is not None
    return subprocess.CompletedProcess(arguments, program.returncode, out, err)


def lims(*args: str, data: Path, umask: int | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """`python -m lims ARGS` over a data folder."""
    return run(["-m", "lims", *args], {**os.environ, "LIMS_DATA": str(data), **env}, umask=umask)


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found


#: The process that forks programs, and the socket that it ends with.
_forks: tuple[subprocess.Popen[bytes], socket.socket] | None = None


def _warm() -> socket.socket:
    global _forks
    if _forks is None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        _forks = process, ours
        atexit.register(_end)
    return _forks[1]


def _end() -> None:
    if _forks is not None:
        process, ours = _forks
        ours.close()
        process.wait(timeout=30)
