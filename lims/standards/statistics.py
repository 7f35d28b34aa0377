"""Mean, sample deviation and the straight line through points, in exact decimals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from lims.standards.errors import RuleInputError
from lims.standards.rounding import exact_context
from lims.standards.words import N_, said


def mean(values: Sequence[Decimal]) -> Decimal:
    """Arithmetic mean of one or more values, unrounded."""
    with localcontext(exact_context()):
        return sum(values, Decimal(0)) / len(values)


def sample_deviation(values: Sequence[Decimal]) -> Decimal:
    """S = sqrt(sum (x - m)^2 / (n - 1)) of two or more values; equals sqrt((sum x^2 - n m^2)/(n - 1))."""
    with localcontext(exact_context()):
        centre = mean(values)
        return (sum(((value - centre) ** 2 for value in values), Decimal(0)) / (len(values) - 1)).sqrt()


@dataclass(frozen=True, slots=True)
class Line:
    """y = intercept + slope x by least squares, with the correlation coefficient r (None when y does not vary)."""

    intercept: Decimal
    slope: Decimal
    correlation: Decimal | None


def least_squares(field: str, xs: Sequence[Decimal], ys: Sequence[Decimal]) -> Line:
    """The least-squares line through two or more points. Raises: RuleInputError when all x are equal."""
    with localcontext(exact_context()):
        x_mean, y_mean = mean(xs), mean(ys)
        sxx = sum(((x - x_mean) ** 2 for x in xs), Decimal(0))
        syy = sum(((y - y_mean) ** 2 for y in ys), Decimal(0))
        sxy = sum(((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)), Decimal(0))
        if not len(set(xs)) > 1 or sxx == 0:
            raise RuleInputError(
                field, said(N_("%(n)s points"), n=len(xs)), N_("points that differ in the first quantity")
            )
        slope = sxy / sxx
        correlation = sxy / (sxx * syy).sqrt() if len(set(ys)) > 1 and syy else None
        return Line(y_mean - slope * x_mean, slope, correlation)
