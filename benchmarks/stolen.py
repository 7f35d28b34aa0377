"""Which seconds the host of a virtual machine gave to others ("steal"): what a page took then says little of the page.

Linux tells it; elsewhere nothing counts as stolen.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

import psutil

#: A second of which less was stolen counts as quiet.
QUIET = 0.03
EVERY_S = 0.5


def processor_times() -> tuple[float, float]:
    """Seconds that the host gave to others, and all seconds, of all processors since the machine began."""
    times = psutil.cpu_times()
    # Linux counts what guests of this machine used within `user` and `nice` already.
    idle_or_used = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return getattr(times, "steal", 0.0), idle_or_used


class Stolen:
    """Watches while it is entered."""

    def __init__(self) -> None:
        #: (monotonic time, seconds stolen, all seconds)
        self.looks: list[tuple[float, float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stolen", daemon=True)

    def __enter__(self) -> Stolen:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        self._look()
        while not self._over.wait(EVERY_S):
            self._look()
        self._look()

    def _look(self) -> None:
        self.looks.append((time.monotonic(), *processor_times()))

    @property
    def share(self) -> float:
        """Of all processor seconds, while it watched."""
        (_at, stolen, every), (_then, stolen_then, every_then) = self.looks[0], self.looks[-1]
        return (stolen_then - stolen) / (every_then - every) if every_then > every else 0.0

    def quiet(self, requests: Iterable[tuple[float, float]]) -> list[float]:
        """Of (milliseconds, monotonic time of their end): the milliseconds of those that lie in quiet time alone."""
        noisy = [
            (begun, ended)
            for (begun, stolen, every), (ended, stolen_then, every_then) in pairwise(self.looks)
            if stolen_then - stolen >= QUIET * (every_then - every)
        ]
        ends = [ended for _begun, ended in noisy]
        found = []
        for ms, ended in requests:
            next_noise = bisect_right(ends, ended - ms / 1000)
            if next_noise == len(noisy) or noisy[next_noise][0] >= ended:
                found.append(ms)
        return found
