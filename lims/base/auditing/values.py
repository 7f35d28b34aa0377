"""What an entry of the record says, as Python values: the same on both databases."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Date, DateTime
from sqlalchemy.engine import Dialect

from lims.base.auditing import policy
from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.metadata import Model


def decoded(table_name: str, op: str, payload: str, dialect: Dialect) -> dict[str, Any]:
    """column -> value, for a change column -> (before, after). Digests of personal data stay as they are."""
    table = Model.metadata.tables.get(table_name)
    said = json.loads(payload, parse_float=Decimal)
    found = {}
    for name, value in said.items():
        column = table.c.get(name) if table is not None else None
        if op == "U":
            found[name] = (_value(column, value[0], dialect), _value(column, value[1], dialect))
        else:
            found[name] = _value(column, value, dialect)
    return found


def _value(column: Any, stored: Any, dialect: Dialect) -> Any:
    if stored is None or column is None or policy.is_committed(column) or policy.is_binary(column):
        return stored
    kind = column.type
    if isinstance(kind, ExactDecimal):
        return kind.process_result_value(stored, dialect)
    if isinstance(kind, UtcDateTime):
        return kind.process_result_value(datetime.fromisoformat(stored), dialect)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(stored)
    if isinstance(kind, Date):
        return date.fromisoformat(stored)
    if isinstance(kind, Boolean):
        return bool(stored)
    return stored
