"""Processes that share listening sockets: a parent that starts, watches and stops them, and does nothing else.

One interpreter computes on one core. Children are forked once the application is complete, so its memory is shared.
POSIX alone.
"""

from __future__ import annotations

import logging
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import NoReturn

log = logging.getLogger(__name__)

#: A child that ends sooner than this is not started again at once: what ended it may last.
TOO_SOON_S = 2.0
#: What a child may take beyond the time that it was given to finish.
SLACK_S = 5
#: How long a process that holds more connections leaves a new one to the others.
GIVE_WAY_S = 0.005
#: So many more connections than who holds fewest are no reason to have one opened anew.
EVEN_ENOUGH = 2
#: Of a process that is gone: more connections than any holds.
NOBODY = 2**31 - 1
#: What a child is sent when its parent is told to stop for the second time. Windows, which has no families, lacks it.
AT_ONCE = getattr(signal, "SIGQUIT", signal.SIGTERM)
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT})


class Shares:
    """How many connections each of the processes holds, in memory that they share. A browser keeps its connection, so
    who happens to be quicker when everybody signs in would keep two thirds of the work all day.

    No lock: each writes its own number, and a number that is late costs five milliseconds.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._held = memoryview(mmap.mmap(-1, 4 * processes)).cast("i")

    def tell(self, number: int, connections: int) -> None:
        self._held[number] = connections

    def leave(self, number: int) -> None:
        """It takes none any more, and nobody is to wait for it."""
        self._held[number] = NOBODY

    def gives_back(self, number: int) -> bool:
        """Does it hold so many more than others that a connection had better be opened anew, so that they may take it?
        When a process ends, its connections go to those that are left, and whoever takes its place has none: after the
        first one was replaced, fifty busy people were all served by one process of two for the rest of the day."""
        return self._held[number] > min(self._held) + EVEN_ENOUGH

    def give_way(self, number: int) -> None:
        """Before a connection is taken: a while for those who hold fewer, if they are awake."""
        if self._held[number] > min(self._held):
            time.sleep(GIVE_WAY_S)


class Family:
    """Runs each of `works` in a process of its own until SIGTERM or Ctrl-C; who ends before is started again.

    A stop is passed on to all as SIGTERM, a second one as SIGQUIT; who has not ended `stop_seconds` later is killed.
    Children end by themselves when their parent is gone, however it went.
    """

    def __init__(
        self, works: Mapping[str, Callable[[], None]], stop_seconds: int, at_stop: Callable[[], None]
    ) -> None:
        """`at_stop`: what the parent itself gives up at the first stop."""
        self._works, self._at_stop = works, at_stop
        self._stop_seconds = stop_seconds
        #: process -> (name of its work, when it was started)
        self._children: dict[int, tuple[str, float]] = {}
        self._stopping = False
        self._parent_lives, self._parents_end = os.pipe()

    def run(self) -> None:
        for number in _STOPS:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        for name in self._works:
            self._start(name)
        while self._children:
            child, status = os.waitpid(-1, 0)
            name, started_at = self._children.pop(child, ("", 0.0))
            if not name or self._stopping:
                continue
            log.warning("%s ended (%s) and is started again", name, os.waitstatus_to_exitcode(status))
            time.sleep(max(0.0, started_at + TOO_SOON_S - time.monotonic()))
            self._start_again(name)
        signal.alarm(0)

    def _start_again(self, name: str) -> None:
        """However long the machine has no memory or no process for it."""
        while not self._stopping:
            try:
                self._start(name)
            except OSError as error:
                log.warning("%s could not be started (%s) and is tried again", name, error.strerror)
                time.sleep(TOO_SOON_S)
            else:
                return

    def _start(self, name: str) -> None:
        """Raises: OSError."""
        # A stop between the fork and the next line would not know the child; one that came before wants none.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            if self._stopping:
                return
            sys.stdout.flush()
            sys.stderr.flush()
            child = os.fork()
            if child == 0:
                self._be_child(name)
            self._children[child] = (name, time.monotonic())
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    def _be_child(self, name: str) -> NoReturn:
        """Never returns into the parent's frames: what stands open there is the parent's to close."""
        ended_with = 1
        try:
            # A terminal sends Ctrl-C to all of them; the parent passes it on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            os.close(self._parents_end)
            threading.Thread(target=self._end_with_parent, name="parent", daemon=True).start()
            self._works[name]()
            ended_with = 0
        except BaseException:
            log.exception("%s failed", name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended_with)

    def _end_with_parent(self) -> None:
        os.read(self._parent_lives, 1)  # nothing is ever written: it returns when the other end closes
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        passed_on = AT_ONCE if self._stopping else signal.SIGTERM
        if not self._stopping:
            self._stopping = True
            signal.alarm(self._stop_seconds + SLACK_S)
            self._at_stop()
        self._tell(passed_on)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        for name, _started_at in self._children.values():
            log.warning("%s did not end and is killed", name)
        self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        for child in self._children:
            with suppress(ProcessLookupError):  # it has ended this moment
                os.kill(child, number)
