"""Control charts of strengths in the order of time: individuals with moving range, groups, moving means, signals.

The deviation comes from the mean moving range, so that a shift does not widen its own limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context, require_number
from lims.standards.statistics import mean
from lims.standards.words import N_, said

#: d2 and D4 of two values, to 0.001 (ISO 7870-2, table of factors; R).
MOVING_RANGE_D2, MOVING_RANGE_D4 = Decimal("1.128"), Decimal("3.267")
#: Limits of a Shewhart chart, in deviations.
LIMIT_DEVIATIONS = 3
#: Fewer values than this make no limits: two give one moving range.
LEAST_VALUES = 3
#: Results of a group, as production is watched by means of four (R).
GROUP_OF = 4

#: Western Electric: rule -> (points of a run that must lie beyond, points looked at, deviations beyond the centre).
WESTERN_ELECTRIC = {
    1: (1, 1, 3),
    2: (2, 3, 2),
    3: (4, 5, 1),
    4: (8, 8, 0),
}


@dataclass(frozen=True, slots=True)
class IndividualsChart:
    """Limits of an individuals chart and its moving ranges (one fewer than the values), unrounded."""

    centre: Decimal
    sigma: Decimal
    lower: Decimal
    upper: Decimal
    moving_ranges: tuple[Decimal, ...]
    mean_range: Decimal
    upper_range: Decimal


@dataclass(frozen=True, slots=True)
class Signal:
    """A rule of Western Electric that fired: at which value (from 1), on which side ("high" or "low")."""

    rule: int
    at: int
    side: str


def _values(field: str, values: Sequence[Decimal], least: int) -> tuple[Decimal, ...]:
    found = tuple(require_number(field, value) for value in values)
    if len(found) < least:
        raise RuleInputError(
            field,
            said(N_("%(n)s values"), n=len(found)),
            said(N_("at least %(least)s values in the order of time"), least=least),
        )
    return found


def moving_ranges(values: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """|x(i) - x(i-1)|, one fewer than the values."""
    with localcontext(exact_context()):
        return tuple(abs(second - first) for first, second in pairwise(values))


def individuals_chart(values: Sequence[Decimal]) -> IndividualsChart:
    """Centre = mean; sigma = mean moving range / d2; limits at 3 sigma; the ranges' limit is D4 times their mean.

    Args: values, in the order of time, at least three.
    Raises: RuleInputError. Source: Shewhart; ISO 7870-2 (form S, d2 and D4 R).
    """
    found = _values("strengths_mpa", values, LEAST_VALUES)
    ranges = moving_ranges(found)
    with localcontext(exact_context()):
        centre, mean_range = mean(found), mean(ranges)
        sigma = mean_range / MOVING_RANGE_D2
        return IndividualsChart(
            centre,
            sigma,
            centre - LIMIT_DEVIATIONS * sigma,
            centre + LIMIT_DEVIATIONS * sigma,
            ranges,
            mean_range,
            MOVING_RANGE_D4 * mean_range,
        )


def western_electric(values: Sequence[Decimal], centre: Decimal, sigma: Decimal) -> tuple[Signal, ...]:
    """Every signal, in the order of the values: 1 one point beyond 3 sigma; 2 two of three beyond 2 sigma; 3 four of five
    beyond 1 sigma; 4 eight in a row; each on one side of the centre. A point exactly on a line is not beyond it.

    Only the point that completes a run, itself beyond the line, signals. Without scatter (sigma 0) only rule 4 can.
    Raises: RuleInputError. Source: Western Electric, Statistical Quality Control Handbook (R).
    """
    found = _values("strengths_mpa", values, 1)
    middle = require_number("centre_mpa", centre)
    deviation = require_number("sigma_mpa", sigma, minimum=0)
    signals = []
    with localcontext(exact_context()):
        distances = [value - middle for value in found]
        for place in range(len(found)):
            for rule, (wanted, window, deviations) in WESTERN_ELECTRIC.items():
                if deviations and not deviation:
                    continue
                line = deviations * deviation
                recent = distances[max(0, place + 1 - window) : place + 1]
                for side, sign in (("high", 1), ("low", -1)):
                    beyond = [sign * distance > line for distance in recent]
                    if beyond[-1] and sum(beyond) >= wanted:
                        signals.append(Signal(rule, place + 1, side))
    return tuple(signals)


def moving_means(values: Sequence[Decimal], of: int = GROUP_OF) -> tuple[Decimal | None, ...]:
    """The mean of each value and the `of` - 1 before it; None where there are not so many yet."""
    if isinstance(of, bool) or of < 1:
        raise RuleInputError("of", of, "a whole number from 1")
    return tuple(
        mean(values[place + 1 - of : place + 1]) if place + 1 >= of else None for place in range(len(values))
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Consecutive results that are judged together. `first` and `last` count from 1."""

    first: int
    last: int
    mean: Decimal
    range: Decimal


def groups_of(values: Sequence[Decimal], of: int = GROUP_OF) -> tuple[Group, ...]:
    """Consecutive groups that do not overlap; what does not fill a group is left out."""
    if isinstance(of, bool) or of < 1:
        raise RuleInputError("of", of, "a whole number from 1")
    found = []
    for start in range(0, len(values) - of + 1, of):
        part = values[start : start + of]
        with localcontext(exact_context()):
            found.append(Group(start + 1, start + of, mean(part), max(part) - min(part)))
    return tuple(found)
