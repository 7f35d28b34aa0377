"""Cumulative sums of standardised residuals: a shift of the cement shows in them long before it shows in a mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Slack and decision interval, in standard deviations (ARL0 about 465; lims/standards register: control/cusum).
SLACK, DECISION = 0.5, 5.0


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums above and below, and where the first one crossed the decision interval (index, "high" or "low")."""

    high: tuple[float, ...]
    low: tuple[float, ...]
    alarm: tuple[int, str] | None


def cumulative_sums(z: Sequence[float], slack: float = SLACK, decision: float = DECISION) -> Sums:
    """Two-sided CUSUM of standardised residuals in the order of time."""
    high, low = 0.0, 0.0
    highs, lows = [], []
    alarm: tuple[int, str] | None = None
    for index, value in enumerate(z):
        high, low = max(0.0, high + value - slack), max(0.0, low - value - slack)
        highs.append(high)
        lows.append(low)
        if alarm is None and max(high, low) > decision:
            alarm = (index, "high" if high > low else "low")
    return Sums(tuple(highs), tuple(lows), alarm)
