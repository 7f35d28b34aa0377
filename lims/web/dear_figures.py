"""Figures over a year of results that the first page shows: computed again when they have earned it back.

A mean over all results of twelve months reads each of them: 20 ms where there are a few thousand, seconds where there are
hundreds of thousands. Such a figure is kept for a hundred times what it took, so that at most one hundredth of the time
goes into it, and the page says of when it is. Where it is cheap nothing is kept: who releases a result sees it at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from flask import current_app

from lims.base.columns import utc_now

T = TypeVar("T")
#: A figure that takes less is not kept.
CHEAP_S = 0.05
#: Kept for so many times what it took.
TIMES = 100


@dataclass(slots=True)
class _Kept:
    #: (value, the instant it is of, the clock until which it is kept); replaced as one, so that nobody reads half of it.
    figure: tuple[Any, datetime, float] | None = None
    computing: Lock = field(default_factory=Lock)


def dear(
    name: str, compute: Callable[[], T], clock: Callable[[], float] = time.monotonic
) -> tuple[T, datetime | None]:
    """(the figure, the UTC instant it is of, or None when it is of now). `name` stands for what `compute` gives: it may
    not depend on who asks.

    While one request computes it anew, the others get what was kept.
    """
    kept: _Kept = current_app.extensions.setdefault("lims.dear_figures", {}).setdefault(name, _Kept())
    figure = kept.figure
    if figure is not None and clock() < figure[2]:
        return figure[0], figure[1]
    if figure is not None and not kept.computing.acquire(blocking=False):
        return figure[0], figure[1]
    if figure is None:
        kept.computing.acquire()
    try:
        newer = kept.figure
        if newer is not None and clock() < newer[2]:  # computed while this one waited
            return newer[0], newer[1]
        began, at = clock(), utc_now()
        value = compute()
        took = clock() - began
        kept.figure = None if took < CHEAP_S else (value, at, clock() + took * TIMES)
        return value, None
    finally:
        kept.computing.release()
