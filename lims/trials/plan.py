"""What the sampling plan proposes when a batch does not say: the laboratory's own edition, else its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_FLOOR, Decimal

from flask import current_app

from lims.standards.shotcrete import CURING_DAYS, FINAL_SET_MIN, INITIAL_SET_MIN, REBOUND_LIMIT_PERCENT

#: Asked in turn for the laboratory's own edition of `site/sets-per-volume`; lims/rules registers itself here, since
#: rules stand above trials.
SOURCES: list[Callable[[], Mapping[str, str]]] = []


def cubic_metres_per_set() -> Decimal:
    """One set for each this many cubic metres."""
    given = _own().get("per_m3")
    return Decimal(given) if given else Decimal(current_app.config.get("LIMS_CUBIC_METRES_PER_SET", 50))


def specimens_per_set() -> int:
    """Specimens of a set."""
    return int(Decimal(_own().get("specimens_per_set", "3")))  # 4.0 is a whole number to a rule


def _own() -> Mapping[str, str]:
    return next((found for source in SOURCES if (found := source())), {})


#: Asked in turn for the laboratory's own limits of shotcrete in force on a day; lims/rules registers itself here.
SHOTCRETE_SOURCES: list[Callable[[date], Mapping[str, str]]] = []


#: Decimal places of a limit of shotcrete, which is kept with what it judged, and of the cubic metres that a set stands for.
LIMIT_PLACES = 1


@dataclass(frozen=True, slots=True)
class ShotcreteLimits:
    """What a spraying is judged by: at most, but for the days of curing."""

    rebound_percent: Decimal
    initial_set_min: Decimal
    final_set_min: Decimal
    curing_days: int


def shotcrete_limits(day: date) -> ShotcreteLimits:
    """The laboratory's limits in force on a day: a later edition does not judge what was sprayed before it."""
    own: Mapping[str, str] = next((found for source in SHOTCRETE_SOURCES if (found := source(day))), {})
    return ShotcreteLimits(
        rebound_percent=_as_kept(own.get("limit_percent", REBOUND_LIMIT_PERCENT)),
        initial_set_min=_as_kept(own.get("initial_limit_min", INITIAL_SET_MIN)),
        final_set_min=_as_kept(own.get("final_limit_min", FINAL_SET_MIN)),
        curing_days=int(Decimal(own.get("least_days", CURING_DAYS))),
    )


def _as_kept(limit: str | Decimal) -> Decimal:
    """Of an edition from before LIMIT_PLACES was asked for: no time that is measured to 0.1 min is judged otherwise."""
    return Decimal(limit).quantize(Decimal(1).scaleb(-LIMIT_PLACES), ROUND_FLOOR)
