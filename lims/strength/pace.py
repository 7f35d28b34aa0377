"""What a long fit does between two of its steps, if whoever asked for it in this thread wants something done there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_of_thread = threading.local()


@contextmanager
def between_steps(rest: Callable[[], None]) -> Iterator[None]:
    """Have the fits of this thread call `rest` before each of their steps."""
    _of_thread.rest = rest
    try:
        yield
    finally:
        _of_thread.rest = None


def step() -> None:
    """A fit is about to take its next step."""
    rest: Callable[[], None] | None = getattr(_of_thread, "rest", None)
    if rest is not None:
        rest()
