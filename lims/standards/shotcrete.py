"""Shotcrete: rebound, setting with accelerator, curing.

The limits are the laboratory's to set within what its codes allow; these are what the source document asks.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

from lims.standards.checks import Check, at_least, at_most
from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number
from lims.standards.words import N_

#: Rebound on walls, % of what was sprayed, at most (source document; other codes 10 to 20).
REBOUND_LIMIT_PERCENT = Decimal(20)
#: Setting with accelerator, minutes, at most.
INITIAL_SET_MIN = Decimal(5)
FINAL_SET_MIN = Decimal(10)
#: Curing, days, at least.
CURING_DAYS = 14


def rebound_percent(sprayed_kg: Decimal, rebound_kg: Decimal) -> Decimal:
    """Rebound in % of the mass sprayed, not rounded. Raises: RuleInputError."""
    sprayed = require_number("sprayed_kg", sprayed_kg, above=0)
    rebound = require_number("rebound_kg", rebound_kg, minimum=0)
    if rebound > sprayed:
        raise RuleInputError("rebound_kg", rebound_kg, N_("at most sprayed_kg"))
    with localcontext(exact_context()):
        return 100 * rebound / sprayed


def rebound_check(
    sprayed_kg: Decimal, rebound_kg: Decimal, limit_percent: Decimal = REBOUND_LIMIT_PERCENT
) -> Check:
    """Rebound against the limit; equal is within. Raises: RuleInputError."""
    limit = require_number("limit_percent", limit_percent, minimum=1, maximum=50)
    return at_most(N_("rebound, %"), rebound_percent(sprayed_kg, rebound_kg), limit)


def setting_checks(
    initial_set_min: Decimal,
    final_set_min: Decimal,
    initial_limit_min: Decimal = INITIAL_SET_MIN,
    final_limit_min: Decimal = FINAL_SET_MIN,
) -> tuple[Check, ...]:
    """Initial and final set with accelerator, min, each against its limit; equal is within. Raises: RuleInputError."""
    initial = require_number("initial_set_min", initial_set_min, above=0)
    final = require_number("final_set_min", final_set_min, above=0)
    if final < initial:
        raise RuleInputError("final_set_min", final_set_min, N_("a time of at least initial_set_min"))
    return (
        at_most(
            N_("initial set, min"), initial, require_number("initial_limit_min", initial_limit_min, above=0)
        ),
        at_most(N_("final set, min"), final, require_number("final_limit_min", final_limit_min, above=0)),
    )


def curing_check(curing_days: int, least_days: int = CURING_DAYS) -> Check:
    """Days of curing against the least that is asked. Raises: RuleInputError."""
    days = require_number("curing_days", curing_days, minimum=0)
    return at_least(N_("curing, d"), days, require_number("least_days", least_days, minimum=1))
