"""The place of a row in an ordered list, as text for an address: the next page begins after it, however deep it lies."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.fields import is_sendable
from lims.base.problems import refuse


def encode(row: Any, name: str) -> str:
    value = getattr(row, name)
    if isinstance(value, datetime | date):
        value = value.isoformat()
    elif isinstance(value, Decimal):
        value = f"{value:f}"
    told = json.dumps([value, row.id], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def decode(text: str, column: Any) -> tuple[Any, int]:
    """Value of the column and id. Raises: Refused for anything that `encode` did not write."""
    try:
        if len(text) > 1000:
            raise ValueError
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        value, row_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if type(row_id) is not int or not 0 < row_id < 2**63:
            raise ValueError
        return _kept(_typed(value, _python_type(column.type)), column.type), row_id
    except (ValueError, TypeError, InvalidOperation, OverflowError, binascii.Error, RecursionError):
        raise refuse(
            "after", _("is not a place in this list; accepted: the one that a page gave"), text[:60]
        ) from None


def _kept(value: Any, kind: Any) -> Any:
    """A number as the column can hold it: with others the database would not compare. Raises: ValueError."""
    if isinstance(value, Decimal) and isinstance(kind, ExactDecimal):
        outside = value.copy_abs() >= 10 ** (kind.digits - kind.places)
        if outside or (value and value.adjusted() < -kind.places) or value != round(value, kind.places):
            raise ValueError
    return value


def _python_type(kind: Any) -> type[Any]:
    if isinstance(kind, UtcDateTime):
        return datetime
    if isinstance(kind, ExactDecimal):
        return Decimal
    found: type[Any] = kind.python_type
    return found


def _typed(value: Any, wanted: type[Any]) -> Any:
    if value is None:
        return None
    if issubclass(wanted, datetime):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)  # at the ends of the calendar there is no such moment
    if issubclass(wanted, date):
        return date.fromisoformat(value)
    if issubclass(wanted, Decimal):
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError
        return number
    if type(value) is not wanted or (type(value) is int and abs(value) >= 2**63):
        raise ValueError
    if type(value) is str and (chr(0) in value or not is_sendable(value)):
        raise ValueError
    return value
