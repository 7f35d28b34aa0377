"""Waiting for what another thread or program does."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Asks again and again; what is asked takes its time. Fails with `what` after so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.01)  # what is waited for needs the processor
