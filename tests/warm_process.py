"""A process that has imported what every program of ours imports, and forks one for each order (tests/programs.py).

Run as `python -m tests.warm_process FD`: a socket on which each order is one message with three files (input, output,
errors) and a pipe, which is told the program's number and, when it has ended, how.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
import time
from typing import Any

#: Not `lims.app`: the library of the counters asks for the folder that processes share when it is first imported.
WARM = (
    "lims.commands",
    "lims.records",
    "lims.demonstration",
    "lims.operations.backup",
    "lims.operations.moving",
)
#: The longest order.
MOST_BYTES = 1 << 17
FILES = 4


def warm() -> None:
    """What takes three seconds of a start. Nothing of it may start a thread, which a fork would lose."""
    from sqlalchemy.orm import configure_mappers

    from lims.settings import GC_THRESHOLD
    from lims.subjects import SUBJECTS

    gc.set_threshold(*GC_THRESHOLD)
    for name in (*WARM, *(f"lims.{subject}.views" for subject in SUBJECTS)):
        importlib.import_module(name)
    assert "prometheus_client" not in sys.modules
    configure_mappers()
    gc.collect()
    gc.freeze()


def orders(asked: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Answers in the process of each program, with its order and files; with None once nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a program is not waited for
    while True:
        message, files = received(asked)
        if not message:
            return None
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            *streams, told = files
            program = os.fork()
            if program == 0:
                os.close(told)
                return json.loads(message), streams
            for stream in streams:
                os.close(stream)
            os.write(told, f"{program}\n".encode())
            _program, status = os.waitpid(program, 0)
            os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
        for file in files:
            os.close(file)


def received(asked: socket.socket) -> tuple[bytes, list[int]]:
    files = array.array("i")
    message, rest, _flags, _address = asked.recvmsg(MOST_BYTES, socket.CMSG_SPACE(FILES * files.itemsize))
    for _level, _kind, content in rest:
        files.frombytes(content)
    return message, list(files)


def become(order: dict[str, Any], streams: list[int]) -> None:
    """The program: its own streams, folder, environment and rights, then what `python ARGUMENTS` would run."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(order["folder"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    tempfile.tempdir = None
    kind, what, *given = order["arguments"]
    sys.argv = [kind, *given]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what a test gave to -c


if __name__ == "__main__":
    warm()
    found = orders(socket.socket(fileno=int(sys.argv[1])))
    if found is not None:
        become(*found)  # and then ends as any program does
