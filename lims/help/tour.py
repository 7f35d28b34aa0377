"""Five minutes through the demonstration: where to look and what to see there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import lazy_gettext as _l

from lims.base.security import may
from lims.base.views import VIEWS


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop: its page and what it shows. Left out for whoever may not read `record_name`."""

    title: Any
    text: Any
    endpoint: str
    record_name: str


STOPS = (
    Stop(
        _l("What is due"),
        _l(
            "The day begins here: sets in their window, sets past it, and what comes next. A tap opens the entry."
        ),
        "BreaksView.due",
        "breaks",
    ),
    Stop(
        _l("A batch and its plan"),
        _l(
            "Open a batch: the volume decides how many sets are cast, each with its codes, labels and due times."
        ),
        "BatchView.list",
        "batches",
    ),
    Stop(
        _l("A mix that knows its 28 days"),
        _l(
            "Open a mix: the forecast with its interval, what was said earlier, and the result where there is one."
        ),
        "MixDesignView.list",
        "mix-designs",
    ),
    Stop(
        _l("A new customer today"),
        _l(
            "Type a composition and the first breaks: the strength at 28 days and the chance to reach the grade."
        ),
        "NewCustomerView.ask",
        "forecasts",
    ),
    Stop(
        _l("Is the forecast any good?"),
        _l("Errors by month and how often results fell inside their intervals. Nothing is hidden."),
        "ForecastQualityView.figures",
        "forecasts",
    ),
    Stop(
        _l("The rule behind a result"),
        _l("Every verdict names its clause. Open a rule and follow each step with your own numbers."),
        "RulesView.register",
        "rules",
    ),
    Stop(
        _l("The customer"),
        _l("Trials, visits and complaints of a customer on one page, in the order of time."),
        "CustomerView.list",
        "customers",
    ),
)


def stops() -> list[dict[str, str]]:
    """The stops that the asking person may visit."""
    return [
        {"title": str(stop.title), "text": str(stop.text), "href": url_for(stop.endpoint)}
        for stop in STOPS
        if may("read", stop.record_name) or stop.record_name not in VIEWS
    ]
