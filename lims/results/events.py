"""Who wants to know that a set has a new result. Forecasts listen; results know nothing of them."""

from __future__ import annotations

from collections.abc import Callable

#: Called with (batch_id, actor key) inside the transaction that wrote the result.
LISTENERS: list[Callable[[int, str], None]] = []


def result_written(batch_id: int, actor_key: str) -> None:
    for listener in LISTENERS:
        listener(batch_id, actor_key)


#: Each is asked for (mix design id, age in days) and answers with the MPa between which a result is no surprise.
EXPECTATIONS: list[Callable[[set[tuple[int, int]]], dict[tuple[int, int], tuple[float, float]]]] = []
