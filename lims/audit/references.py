"""Which record came from which, read off the foreign keys: a new table joins the trace by itself.

A foreign key says "this came from that" (a batch from its mix revision). What differs is listed here: tables whose rows
only say something about another record, hubs that half the laboratory hangs on, tables that are no record of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sqlalchemy import Table

from lims.base.metadata import Model
from lims.base.records import Record
from lims.base.services import SERVICES

#: Their rows tell about the record that they refer to: shown beside it, not followed any further.
ABOUT = frozenset({
    "advice_cards", "attendances", "batch_warnings", "calibrations", "cement_tests", "certificates", "comparisons",
    "competitors", "complaint_facts", "complaints", "contacts", "curing_readings", "customer_materials", "escalations",
    "findings", "forecasts", "maintenance_plans", "maintenance_records", "objections", "photos", "press_rows", "prices",
    "process_changes", "programme_entries", "retests", "scale_checks", "seminars", "share_links", "signatures",
    "site_stocks", "stage_changes", "surveys", "usage_cards", "usage_mixes", "usage_notes", "usage_tasks", "visit_plans",
    "visits",
})  # fmt: skip
#: So much hangs on each of these that it is followed only when the question begins there.
HUBS = frozenset({
    "cement_products", "curing_tanks", "customers", "forecast_models", "moulds", "press_mappings", "presses", "regions",
    "scales", "sites",
})  # fmt: skip
#: Parts and choices, no records that anybody asks about. One that refers to two or more records links them: what its
#: first foreign key names came from the others.
PARTS = frozenset({
    "batch-lots", "batch-warnings", "certificate-results", "checklist-items", "complaint-lots", "holidays", "jobs",
    "laboratory", "mix-components", "outgoing-mails", "preferences", "region-staff", "rule-signoffs", "service-settings",
    "staff-surveys",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Came:
    """`child` came from `parent` (both record names): by `column` of the child, or by two columns of `link`."""

    child: str
    parent: str
    column: str
    about: bool = False
    link: Table | None = None
    parent_column: str = ""


def record_of(name: str) -> type[Record]:
    return SERVICES[name].record


def is_hub(name: str) -> bool:
    return record_of(name).__tablename__ in HUBS


def is_about(name: str) -> bool:
    return record_of(name).__tablename__ in ABOUT


@cache
def references() -> tuple[Came, ...]:
    """Every step of the trace."""
    by_table = {
        mapper.class_.__tablename__: mapper.class_
        for mapper in Model.registry.mappers
        if issubclass(mapper.class_, Record)
    }
    shown = {
        table: found.record_name
        for table, found in by_table.items()
        if found.record_name in SERVICES and found.record_name not in PARTS
    }
    steps: list[Came] = []
    for name, found in sorted(by_table.items()):
        table = found.__table__
        keys = [
            (column.name, shown[key.column.table.name])
            for column in table.columns
            for key in column.foreign_keys
            if key.column.table.name in shown
        ]
        if name in shown:
            steps += [Came(shown[name], parent, column, name in ABOUT) for column, parent in keys]
        elif len(keys) > 1 and name not in ABOUT:
            own, child = keys[0]
            steps += [Came(child, parent, own, is_about(child), table, column) for column, parent in keys[1:]]
    return tuple(steps)


@cache
def came_from(child: str) -> tuple[Came, ...]:
    return tuple(step for step in references() if step.child == child)


@cache
def came_of(parent: str) -> tuple[Came, ...]:
    return tuple(step for step in references() if step.parent == parent)
