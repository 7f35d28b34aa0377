"""Lines of a grid behind what the server draws itself."""

from __future__ import annotations

import math


def round_step(span: float, lines: int, least: float = 0.0) -> float:
    """A distance between lines that reads well (1, 2 or 5 times a power of ten), so that at most `lines` fit into `span`."""
    rough = max(span / lines, least)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * size for size in (1, 2, 5, 10) if power * size >= rough * (1 - 1e-9))
