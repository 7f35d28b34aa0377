"""The one error that a rule raises for input it cannot judge."""

from __future__ import annotations


class RuleInputError(ValueError):
    """Bad input to a rule: which field, what was given, what would be accepted."""

    def __init__(self, field: str, value: object, accepted: str) -> None:
        self.field = field
        self.value = value
        self.accepted = accepted
        super().__init__(f"{field}: {value!r} is not accepted; accepted: {accepted}")
