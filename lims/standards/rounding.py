"""Rounding of reported values (GB/T 8170; ASTM E29 rounding method).

One step only: the full value is rounded once, at the reported place. Decimal, since binary floating point gets
28.175 wrong.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from lims.standards.errors import RuleInputError
from lims.standards.words import N_, said

#: Digits carried inside the rules; far beyond any reported value.
PRECISION = 40


_EXACT = Context(prec=PRECISION, rounding=ROUND_HALF_EVEN)


def exact_context() -> Context:
    """The arithmetic of all rules; `localcontext` works on a copy."""
    return _EXACT


def require_number(
    field: str,
    value: object,
    *,
    above: Decimal | int | None = None,
    minimum: Decimal | int | None = None,
    maximum: Decimal | int | None = None,
) -> Decimal:
    """`value` as a finite Decimal within bounds. A float is refused: it is not what was measured.

    Raises: RuleInputError.
    """
    if type(value) is Decimal:
        number = value
    elif isinstance(value, Decimal | int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        raise RuleInputError(field, value, N_("a decimal number"))
    if not number.is_finite():
        raise RuleInputError(field, value, "a finite number")
    if above is not None and number <= above:
        raise RuleInputError(field, value, said(N_("a number above %(above)s"), above=above))
    if minimum is not None and number < minimum:
        raise RuleInputError(field, value, said(N_("a number of at least %(minimum)s"), minimum=minimum))
    if maximum is not None and number > maximum:
        raise RuleInputError(field, value, said(N_("a number of at most %(maximum)s"), maximum=maximum))
    return number


def round_half_even(value: Decimal, to: Decimal) -> Decimal:
    """Round half to even ("四舍六入五成双") to a multiple of a power of ten.

    Args: value, any finite number; to, the place: 1, 0.1, 0.01, 10, ...
    Returns: `value` with the exponent of `to`.
    Raises: RuleInputError.
    Source: GB/T 8170 clause 3 (S); ASTM E29 rounding method (R).
    """
    number = require_number("value", value)
    exponent, place = _place_of(require_number("to", to, above=0))
    digits = abs(number.adjusted()) + abs(exponent) + 5
    context = _EXACT if digits <= PRECISION else Context(prec=digits)
    rounded = number.quantize(place, ROUND_HALF_EVEN, context)
    # A negative zero is not a value that anyone reports.
    return rounded if rounded else rounded.copy_abs()


@lru_cache(maxsize=64)
def _place_of(place: Decimal) -> tuple[int, Decimal]:
    """Its exponent, and the power of ten itself."""
    sign, digits, exponent = place.normalize().as_tuple()
    if digits != (1,) or sign or not isinstance(exponent, int):
        raise RuleInputError("to", place, N_("a power of ten such as 0.1, 0.01 or 1"))
    return exponent, Decimal(1).scaleb(exponent)


def shown(value: Decimal, places: int = 3) -> Decimal:
    """A statistic for display: rounded once to `places` decimals, trailing zeros dropped.

    Only for what is shown beside a verdict; verdicts compare the full values.
    """
    text = format(round_half_even(value, Decimal(1).scaleb(-places)), "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
