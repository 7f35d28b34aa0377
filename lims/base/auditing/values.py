"""What an entry of the record says, as Python values: the same on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Column, Date

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.database import current_session


def decoded(column: Column[Any], stored: Any) -> Any:
    """A value of an entry as Python has it, whichever database wrote it. Digests of personal data stay as they are."""
    kind = column.type
    if stored is None:
        return None
    if isinstance(kind, ExactDecimal):
        if current_session().get_bind().dialect.name == "sqlite":
            return Decimal(int(stored)).scaleb(-kind.places)
        return Decimal(str(stored))
    if isinstance(kind, Boolean):
        return bool(stored)
    if isinstance(kind, UtcDateTime) or (
        isinstance(stored, str) and column.name.endswith("_on") and ":" in stored
    ):
        moment = datetime.fromisoformat(str(stored))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(kind, Date):
        return date.fromisoformat(str(stored)[:10])
    return stored
