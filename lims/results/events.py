"""Who wants to know that a set has a new result. Forecasts listen; results know nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

#: The first result of a set: its age in days and MPa (None when it is invalid).
First = tuple[int, Decimal | None]
#: Called with (batch_id, actor key, first results) inside the transaction that wrote the result.
LISTENERS: list[Callable[[int, str, Sequence[First]], None]] = []


def result_written(batch_id: int, actor_key: str, first: Sequence[First] = ()) -> None:
    """Of sets of this batch. `first`: what came beside the results that stand; empty when one of them was replaced."""
    for listener in LISTENERS:
        listener(batch_id, actor_key, first)


#: Each is asked for (mix design id, age in days) and answers with the MPa between which a result is no surprise.
EXPECTATIONS: list[Callable[[set[tuple[int, int]]], dict[tuple[int, int], tuple[float, float]]]] = []
