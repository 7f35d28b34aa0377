"""What a service answers when it does not do what was asked: each with the field, the value and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason. `field` is the name in the schema ("" for the whole), `message` is for a person."""

    field: str
    message: str
    value: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": str(self.message), "value": self.value}


class Refused(Exception):
    """The input is not acceptable; nothing was written."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(
            "; ".join(f"{p.field}: {p.message}" if p.field else str(p.message) for p in self.problems)
        )


def refuse(field_name: str, message: str, value: Any = "") -> Refused:
    """Shorthand for one problem."""
    shown = "" if value is None else str(value)
    return Refused([Problem(field_name, message, shown[:200])])


class NotFound(Exception):
    """No such record, or none that this actor may know of."""


class Forbidden(Exception):
    """The actor may not do this."""


@dataclass(slots=True)
class Conflict(Exception):
    """Someone else changed the record since it was read. Both values are kept for the person to choose."""

    record_id: int
    theirs: dict[str, str] = field(default_factory=dict)
    yours: dict[str, str] = field(default_factory=dict)
    current_version: int = 0

    def __str__(self) -> str:
        changed = ", ".join(sorted(self.theirs))
        return f"record {self.record_id} was changed by someone else meanwhile ({changed})"


class Unavailable(Exception):
    """The database is busy or away; the same request may succeed later (HTTP 503)."""


class CarrierAway(Unavailable):
    """What carries jobs to their workers (Redis, or a file beside the data) does not answer or takes nothing."""


class WritesStopped(Unavailable):
    """Triggers of the database differ from the program's: nothing is written until an administrator has looked."""
