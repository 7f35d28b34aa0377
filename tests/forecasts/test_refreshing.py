"""How much of the processor forecasts may take beside the requests (lims/forecasts/refreshing.py)."""

from __future__ import annotations

import pytest
from flask import Flask

from lims.forecasts.refreshing import CREDIT_A_SECOND, MOST_CREDIT_S, Refresher
from lims.settings import Settings


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
