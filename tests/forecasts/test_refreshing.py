"""How much of the processor forecasts may take beside the requests (lims/forecasts/refreshing.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from flask import Flask

from lims.forecasts.refreshing import CREDIT_A_SECOND, MOST_CREDIT_S, AwaitedLock, Refresher
from lims.settings import Settings
from lims.strength.kernel import Hyper, fit_hyper
from lims.strength.pace import between_steps


@pytest.mark.parametrize("processes", [1, 4])
def test_processes_share_what_a_quiet_time_lays_up_and_what_each_second_adds(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(Settings, "serving_processes", lambda _self: processes)
    app = Flask("forecasts")
    app.config["LIMS_SETTINGS"] = Settings()
    each = Refresher(app, lambda _mix: None)
    assert each.most_credit_s * processes == MOST_CREDIT_S
    assert each.credit_a_second * processes == pytest.approx(CREDIT_A_SECOND)


def test_mixes_that_are_asked_for_twice_while_one_is_forecast_are_forecast_once() -> None:
    app, made = Flask("forecasts"), []
    refresher = Refresher(app, made.append)

    def ask_again(mix: int) -> None:
        made.append(mix)
        if mix == 1:
            refresher.ask([2, 3], patience_s=0)
            refresher.ask([3, 2], patience_s=0)

    refresher.refresh = ask_again
    refresher.ask([1])
    refresher.ask([4])
    assert made == [1, 2, 3, 4]


def fit_of_twenty_mixes() -> Hyper:
    chance = np.random.default_rng(11)
    x, labs = chance.normal(size=(20, 3)), np.zeros(20, dtype=np.int64)
    return fit_hyper(x, labs, x @ np.array([1.0, 0.5, 0.2]), np.full(20, 0.01), rbf=True)


def test_fit_stops_at_each_of_its_steps_in_the_thread_that_wants_it_and_finds_the_same() -> None:
    alone = fit_of_twenty_mixes()
    steps: list[None] = []
    with between_steps(lambda: steps.append(None)):
        assert fit_of_twenty_mixes() == alone
        made = len(steps)
        assert made > 5
        other = threading.Thread(target=fit_of_twenty_mixes)
        other.start()
        other.join()
        assert len(steps) == made
    fit_of_twenty_mixes()
    assert len(steps) == made


@pytest.mark.parametrize("patience_s", [0.0, 60.0])
def test_fit_rests_between_its_steps_unless_a_save_waits_for_it(patience_s: float) -> None:
    rested: list[float] = []
    refresher = Refresher(Flask("forecasts"), lambda _mix: fit_of_twenty_mixes(), sleep=rested.append)
    refresher.ask([1], patience_s=patience_s)
    with refresher.changed:
        assert refresher.changed.wait_for(lambda: not refresher.works, timeout=60)
    assert bool(rested) == (patience_s == 0)


def test_fit_rests_no_more_when_a_page_waits_for_the_model() -> None:
    """A page of another thread comes to the lock while the fit rests for the first time."""
    lock, rested = AwaitedLock(), list[float]()
    page = threading.Thread(target=lambda: lock.__enter__())

    def sleep(seconds: float) -> None:
        rested.append(seconds)
        page.start()
        while not lock.awaited:
            page.join(0.001)

    def refresh(_mix: int) -> None:
        with lock:
            fit_of_twenty_mixes()

    refresher = Refresher(Flask("forecasts"), refresh, hurried=lambda: lock.awaited > 0, sleep=sleep)
    refresher.waiting = {1: None}
    refresher._work()
    page.join(60)
    assert not page.is_alive()
    assert len(rested) == 1
    assert lock.awaited == 0


def test_rest_costs_no_credit() -> None:
    """Else a fit that rested would keep the next forecasts waiting for what it never took."""
    at = [100.0]
    steps: list[Callable[[], None]] = []

    def fit(_mix: int) -> None:
        for _step in range(10):
            at[0] += 0.004
            steps[0]()

    refresher = Refresher(
        Flask("forecasts"),
        fit,
        clock=lambda: at[0],
        sleep=lambda seconds: at.__setitem__(0, at[0] + seconds),
    )
    steps.append(refresher._rest)
    refresher.waiting = {1: None}
    refresher._credit = 1.0
    refresher._work()
    assert at[0] == pytest.approx(100.0 + 10 * (0.004 + 0.008))
    assert refresher._credit == pytest.approx(1.0 - 10 * 0.004)
