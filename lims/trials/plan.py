"""What the sampling plan proposes when a batch does not say: the laboratory's own edition, else its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from flask import current_app

from lims.standards.shotcrete import REBOUND_LIMIT_PERCENT

#: Asked in turn for the laboratory's own edition of `site/sets-per-volume`; lims/rules registers itself here, since
#: rules stand above trials.
SOURCES: list[Callable[[], Mapping[str, str]]] = []


def cubic_metres_per_set() -> Decimal:
    """One set for each this many cubic metres."""
    given = _own().get("per_m3")
    return Decimal(given) if given else Decimal(current_app.config.get("LIMS_CUBIC_METRES_PER_SET", 50))


def specimens_per_set() -> int:
    """Specimens of a set."""
    return int(_own().get("specimens_per_set", "3"))


def _own() -> Mapping[str, str]:
    return next((found for source in SOURCES if (found := source())), {})


#: Asked in turn for the laboratory's own limits of shotcrete; lims/rules registers itself here.
SHOTCRETE_SOURCES: list[Callable[[], Mapping[str, str]]] = []


def rebound_limit_percent() -> Decimal:
    """The most rebound that is accepted, % of what was sprayed."""
    own: Mapping[str, str] = next((found for source in SHOTCRETE_SOURCES if (found := source())), {})
    return Decimal(own.get("limit_percent", REBOUND_LIMIT_PERCENT))
