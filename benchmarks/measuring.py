"""Processor time of one thing, the same way for us and for a peer."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_milliseconds(what: Callable[[], object], times: int) -> float:
    """Median of several runs after one that warms up. The processor's time: another program does not count."""
    what()
    taken = []
    for _run in range(times):
        begun = time.process_time()
        what()
        taken.append((time.process_time() - begun) * 1000)
    return sorted(taken)[len(taken) // 2]
