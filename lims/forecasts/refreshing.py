"""Forecasts beside the requests that ask for them: at once while there is time, one after another when there is not.

A form's save waits for the forecast of its mix, so that the next page shows it; the entry page, which shows none, does
not. A laboratory at full work saves more often than a model can be read again: then no save waits, mixes that are asked
for twice are forecast once, and the processes that serve take a twentieth of one processor for it, all together. What a
killed process had not come to is forecast with the next result of its mix.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from flask import Flask, current_app
from numpy.linalg import LinAlgError

from lims.base.problems import Unavailable
from lims.settings import Settings
from lims.strength.pace import between_steps

log = logging.getLogger(__name__)

#: A save that waits waits no longer; the forecast goes on without it.
PATIENCE_S = 10.0
#: Seconds of forecasting that a quiet time lays up, and the part of each second: of all processes together.
MOST_CREDIT_S, CREDIT_A_SECOND = 2.0, 0.05
#: A fit for which nobody waits rests so many times as long as each of its steps took, at most so many seconds: a thread that
#: computes without a break takes the interpreter from every page for five milliseconds at each of its statements.
RESTS, MOST_REST_S = 2.0, 0.02


class AwaitedLock:
    """A lock that says how many wait for it."""

    def __init__(self) -> None:
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self.awaited = 0

    def __enter__(self) -> None:
        with self._counting:
            self.awaited += 1
        try:
            self._lock.acquire()
        finally:
            with self._counting:
                self.awaited -= 1

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


class Refresher:
    """The mixes that wait for a forecast, and the thread that makes them while there are any."""

    def __init__(
        self,
        app: Flask,
        refresh: Callable[[int], object],
        *,
        hurried: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`hurried`: does somebody wait for the fit that `refresh` makes, a page that needs the model?"""
        self.app, self.refresh, self.hurried = app, refresh, hurried
        self.clock, self.sleep = clock, sleep
        settings: Settings | None = app.config.get("LIMS_SETTINGS")
        processes = settings.serving_processes() if settings else 1
        self.credit_a_second, self.most_credit_s = CREDIT_A_SECOND / processes, MOST_CREDIT_S / processes
        self.changed = threading.Condition()
        self.waiting: dict[int, None] = {}
        self.now: int | None = None
        self.works = False
        #: Saves that wait for their forecast.
        self.awaited = 0
        self._step_began = self._rested_s = 0.0
        self._credit, self._counted_at = self.most_credit_s, self.clock()

    def ask(self, mixes: Iterable[int], patience_s: float = PATIENCE_S) -> None:
        """Have these mixes forecast; returns when they are, after `patience_s`, or at once when there is no time for it."""
        wanted = set(mixes)
        until = self.clock() + patience_s
        with self.changed:
            self.waiting.update(dict.fromkeys(sorted(wanted)))
            if not self.works:
                self.works = True
                threading.Thread(target=self._work, name="forecasts", daemon=True).start()
            self.awaited += patience_s > 0
            try:
                while self._credit_s() > 0 and (wanted & self.waiting.keys() or self.now in wanted):
                    left = until - self.clock()
                    if left <= 0 or not self.changed.wait(left):
                        return
            finally:
                self.awaited -= patience_s > 0

    def _credit_s(self) -> float:
        at = self.clock()
        self._credit = min(self.most_credit_s, self._credit + (at - self._counted_at) * self.credit_a_second)
        self._counted_at = at
        return self._credit

    def _work(self) -> None:
        while True:
            with self.changed:
                self.now = None
                self.changed.notify_all()
                while self.waiting and (credit := self._credit_s()) <= 0:
                    self.changed.wait(0.05 - credit / self.credit_a_second)
                if not self.waiting:
                    self.works = False
                    return
                self.now = next(iter(self.waiting))
                del self.waiting[self.now]
            begun = self._step_began = self.clock()
            self._rested_s = 0.0
            with between_steps(self._rest):
                self._one(self.now)
            with self.changed:
                self._credit -= self.clock() - begun - self._rested_s

    def _rest(self) -> None:
        """Between two steps of a fit."""
        began = self.clock()
        if not self.awaited and not self.hurried():
            self.sleep(min(MOST_REST_S, RESTS * (began - self._step_began)))
        self._step_began = self.clock()
        self._rested_s += self._step_began - began

    def _one(self, mix_design_id: int) -> None:
        def refresh(mix_design_id: int) -> None:
            with self.app.app_context():
                self.refresh(mix_design_id)

        tried(refresh, mix_design_id)


def tried(refresh: Callable[[int], object], mix_design_id: int) -> None:
    """Forecast this mix, or tell the log: what was written stands, and the next mix must not wait for this one's fault."""
    try:
        refresh(mix_design_id)
    except (Unavailable, ArithmeticError, LinAlgError):
        log.exception("forecast failed; the result itself is saved")
    except Exception:
        log.exception("forecast of mix %s failed", mix_design_id)


def refresher(refresh: Callable[[int], object], hurried: Callable[[], bool]) -> Refresher:
    """One for each application."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    found: Refresher | None = app.extensions.get("lims.forecasts.refresher")
    if found is None:  # two first saves at once: the one that was kept is everybody's
        found = app.extensions.setdefault(
            "lims.forecasts.refresher", Refresher(app, refresh, hurried=hurried)
        )
    return found
