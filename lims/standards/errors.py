"""The one error that a rule raises for input it cannot judge."""

from __future__ import annotations

from decimal import Decimal

#: Longest value repeated in a message.
SHOWN_CHARACTERS = 80


class RuleInputError(ValueError):
    """Bad input to a rule: which field, what was given, what would be accepted."""

    def __init__(self, field: str, value: object, accepted: str) -> None:
        self.field = field
        self.value = value
        self.accepted = accepted
        super().__init__(f"{field}: {shown_value(value)} is not accepted; accepted: {accepted}")


def shown_value(value: object) -> str:
    """A value as people wrote it, short and printable whatever it holds."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, Decimal | int) else repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
