"""Who wants to know that a set has a new result. Forecasts listen; results know nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

#: The first result of a set: its age in days and MPa (None when it is invalid).
First = tuple[int, Decimal | None]


class Written(NamedTuple):
    """Results of sets of one batch."""

    batch_id: int
    mix_design_id: int
    #: What came beside the results that stand; empty when one of them was replaced or taken back.
    first: Sequence[First] = ()


#: Called inside the transaction that wrote the results.
LISTENERS: list[Callable[[Written], None]] = []


def result_written(written: Written) -> None:
    for listener in LISTENERS:
        listener(written)


#: Each is asked for (mix design id, age in days) and answers with the MPa between which a result is no surprise.
EXPECTATIONS: list[Callable[[set[tuple[int, int]]], dict[tuple[int, int], tuple[float, float]]]] = []
