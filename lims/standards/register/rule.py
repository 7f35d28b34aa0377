"""What a rule of the register is: data about its origin, typed inputs, a function, and vectors that must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from lims.standards.checks import Check, Step
from lims.standards.inputs import Field, Given, read_fields
from lims.standards.rounding import shown
from lims.standards.words import N_

#: Where a number comes from, in words for users.
PROVENANCE = {
    "S": "seen in a public implementation, a worked answer or a summary of the standard",
    "R": "recalled from general knowledge of the standard; not seen",
    "C": "computed by hand from the rule",
}
#: Beside the sources of a rule that goes by an edition which another has replaced.
REPLACED = N_("%(older)s was replaced by %(newer)s, with which the rule was not compared")

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Vector:
    """Inputs and the outputs that they must give (other outputs may be there). `origin` S or C, see PROVENANCE."""

    given: Mapping[str, Any]
    expected: Mapping[str, Any]
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one edition of one code."""

    id: str
    code: str
    edition: str
    clause: str = ""
    #: When the edition came into force; None when not known for certain.
    effective: date | None = None
    subject: str
    title: str
    formula: str
    #: (what, S or R): the parts of the rule by where they come from.
    provenance: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    fields: tuple[Field, ...]
    compute: Callable[[Given], Answer]
    #: The constants, as (name, value with unit).
    numbers: tuple[tuple[str, str], ...] = ()
    vectors: tuple[Vector, ...] = ()
    #: Inputs whose default a laboratory may set in an edition of its own.
    configurable: tuple[str, ...] = ()
    #: The answer is a verdict on breaks of one set: it can be judged again under this rule.
    judges: str = ""

    @property
    def recalled(self) -> bool:
        """Does any part rest on memory alone?"""
        return any(mark == "R" for _what, mark in self.provenance)

    def evaluate(self, raw: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> Answer:
        """The answer as JSON values: decimals as strings, times in ISO 8601.

        Args: raw, inputs as read from JSON; settings, a laboratory's own values for configurable inputs.
        Raises: RuleInputError.
        """
        given = {**(settings or {}), **{name: value for name, value in raw.items() if value is not None}}
        return {name: plain(value) for name, value in self.compute(read_fields(self.fields, given)).items()}

    def misses(self) -> list[str]:
        """What the vectors expected and did not get; empty when all hold."""
        found = []
        for number, vector in enumerate(self.vectors, start=1):
            answer = self.evaluate(vector.given)
            for name, wanted in vector.expected.items():
                if name not in answer or answer[name] != wanted:
                    found.append(
                        f"{self.id} vector {number}: {name} is {answer.get(name)!r}, expected {wanted!r}"
                    )
        return found


def plain(value: Any) -> Any:
    """A value of a rule as JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Check):
        return {
            "name": value.name,
            "value": plain(shown(value.value)),
            "relation": value.relation,
            "limit": plain(shown(value.limit)),
            "passed": value.passed,
        }
    if isinstance(value, Step):
        return {
            "clause": value.clause,
            "name": value.name,
            "formula": value.formula,
            "value": plain(shown(value.value)),
        }
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not a value of an answer")


@dataclass(frozen=True, slots=True)
class Register:
    """All rules by id, in the order of their subjects."""

    rules: tuple[Rule, ...]
    by_id: Mapping[str, Rule] = field(init=False)

    def __post_init__(self) -> None:
        by_id = {rule.id: rule for rule in self.rules}
        if len(by_id) != len(self.rules):
            raise ValueError("two rules share an id")
        object.__setattr__(self, "by_id", by_id)

    def vectors(self) -> int:
        return sum(len(rule.vectors) for rule in self.rules)
