"""A constraint's refusal as a sentence about a field and its value, in the words of both databases and without SQL."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import CheckConstraint, Column, Table
from sqlalchemy.exc import IntegrityError

from lims.base.columns import ExactDecimal
from lims.base.metadata import Model
from lims.base.problems import Problem

_SQLITE = re.compile(r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY) constraint failed(?:: (.+))?")
_STATES = {"23505": "UNIQUE", "23502": "NOT NULL", "23514": "CHECK", "23503": "FOREIGN KEY"}
#: How PostgreSQL tells the value of one column: Key (code)=(B26-0001) already exists.
_KEY = re.compile(r"Key \((\w+)\)=\((.*)\) ", re.DOTALL)
_INSERT = re.compile(r"INSERT INTO \S+ \(([^)]*)\) VALUES \(([^)]*)\)")
_SET = re.compile(r"(\w+)\s*=\s*\?")


def problem_of(error: IntegrityError) -> Problem | None:
    """None where no constraint refused, but a trigger: then what was asked was wrong already."""
    kind, columns = _refused(error)
    if not kind:
        return None
    column = columns[-1 if kind == "UNIQUE" else 0] if columns else None
    field = column.name if column is not None else ""
    value = _given(error, column) if column is not None else ""
    if kind == "UNIQUE" and field:
        return Problem(field, _("is already taken; accepted: a value that no other record has"), value)
    if kind == "NOT NULL" and field:
        return Problem(field, _("is required"))
    if kind == "FOREIGN KEY" and field:
        return Problem(field, _("there is no such record"), value)
    if kind == "CHECK" and len(columns) == 1:
        return Problem(field, _("is outside the limits of this field"), value)
    if kind == "CHECK" and field:
        return Problem(field, _("does not fit the other values of this record"), value)
    return unknown_problem()


def unknown_problem() -> Problem:
    """Where the database does not say which field it was."""
    return Problem("", _("does not fit the records that exist already; nothing was saved"))


def _refused(error: IntegrityError) -> tuple[str, list[Column[Any]]]:
    """What kind of constraint refused, and its columns; no kind for a trigger."""
    told = getattr(error.orig, "diag", None)
    if told is None:
        found = _SQLITE.fullmatch(str(error.orig))
        if found is None:
            return "", []
        kind, what = found[1], found[2] or ""
        return kind, _of_check(what) if kind == "CHECK" else _named(what)
    kind = _STATES.get(told.sqlstate or "", "")
    table = Model.metadata.tables.get(told.table_name or "")
    if kind == "NOT NULL" and table is not None:
        return kind, [table.columns[told.column_name]] if told.column_name in table.columns else []
    if not told.constraint_name:
        return "", []  # a trigger takes the state of a check, but has no constraint to name
    if kind == "CHECK":
        return kind, _of_check(told.constraint_name)
    return kind, _of_constraint(table, told.constraint_name) if table is not None else []


def _named(text: str) -> list[Column[Any]]:
    """SQLite names columns: "deliveries.code, deliveries.customer_id"."""
    pairs = [part.strip().partition(".") for part in text.split(",")]
    tables = Model.metadata.tables
    return [tables[t].columns[c] for t, _dot, c in pairs if t in tables and c in tables[t].columns]


def _of_constraint(table: Table, name: str) -> list[Column[Any]]:
    for item in table.constraints | table.indexes:
        # PostgreSQL cuts names to 63 bytes.
        if str(item.name or "").encode()[:63] == name.encode()[:63]:
            return list(getattr(item, "columns", []))
    return [column for column in table.columns if column.unique and name == f"{table.name}_{column.name}_key"]


def _of_check(name: str) -> list[Column[Any]]:
    """The columns that the words of a CHECK name, in its order."""
    for table in Model.metadata.tables.values():
        for item in table.constraints:
            if isinstance(item, CheckConstraint) and str(item.name).encode()[:63] == name.encode()[:63]:
                words = dict.fromkeys(re.findall(r"\w+", str(item.sqltext)))
                return [table.columns[word] for word in words if word in table.columns]
    return []


def _given(error: IntegrityError, column: Column[Any]) -> str:
    """The value that was to be stored, as far as the error tells; "" for a write of many rows."""
    told = _KEY.match(str(getattr(getattr(error.orig, "diag", None), "message_detail", None) or ""))
    if told is not None and told[1] == column.name:
        return told[2][:200]
    params: Any = error.params
    of_sqlite = isinstance(params, tuple)
    if of_sqlite:
        params = dict(zip(_places(error.statement or ""), params, strict=False))
    value = params.get(column.name) if isinstance(params, dict) else None
    if of_sqlite and isinstance(column.type, ExactDecimal) and type(value) is int:
        value = Decimal(value).scaleb(-column.type.places)  # as it was before it was scaled for storing
    return "" if value is None else str(value)[:200]


def _places(statement: str) -> list[str]:
    """The columns that the first marks of a statement stand for: SQLite takes values by their place."""
    inserted = _INSERT.match(statement)
    if inserted is not None:
        names = [name.strip() for name in inserted[1].split(",")]
        marks = [mark.strip() for mark in inserted[2].split(",")]
        return names if marks == ["?"] * len(names) else []
    if statement.startswith("UPDATE "):
        return _SET.findall(statement.partition(" SET ")[2].partition(" WHERE ")[0])
    return []
