"""One comparison of a verdict, and one step of a calculation: what is shown beside an answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Check:
    """A value against its limit. `relation` is ">=" or "<="; both values in full."""

    name: str
    value: Decimal
    relation: str
    limit: Decimal
    passed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One clause's step of a calculation: the formula with its numbers and what it gave."""

    clause: str
    name: str
    formula: str
    value: Decimal


def at_least(name: str, value: Decimal, limit: Decimal) -> Check:
    """`value` must reach `limit`; equal passes."""
    return Check(name, value, ">=", limit, value >= limit)


def at_most(name: str, value: Decimal, limit: Decimal) -> Check:
    """`value` must not exceed `limit`; equal passes."""
    return Check(name, value, "<=", limit, value <= limit)


def all_passed(checks: Iterable[Check]) -> bool:
    """True when every check passed."""
    return all(check.passed for check in checks)
