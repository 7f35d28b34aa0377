"""Whose customers a person may know of. Who may not read all of them sees those of the regions they work in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g
from sqlalchemy import ColumnElement, or_, select

from lims.base.database import current_session
from lims.base.security import may, principal, rights_of
from lims.customers.models import Customer, RegionStaff


def own_regions() -> frozenset[int] | None:
    """Regions of the asking person. None: all customers are open to them, or nobody asks (a job, a command)."""
    user = principal()
    if user is None or may("read_all", "customers"):
        return None
    kept: tuple[int, frozenset[int]] | None = g.get("lims_own_regions")
    if kept is None or kept[0] != user.id:
        query = select(RegionStaff.region_id).where(
            RegionStaff.user_id == user.id, RegionStaff.retired_at.is_(None)
        )
        kept = (user.id, frozenset(current_session().scalars(query)))
        g.lims_own_regions = kept
    return kept[1]


def seen_customers() -> list[ColumnElement[bool]]:
    """Conditions on Customer: own regions, customers of no region yet, and those that one looks after."""
    regions = own_regions()
    if regions is None:
        return []
    user = principal()
    assert user is not None  # else all are open
    return [
        or_(
            Customer.region_id.is_(None),
            Customer.region_id.in_(sorted(regions)),
            Customer.owner_id == user.id,
        )
    ]


def would_see(user_id: int, customer: Customer) -> bool:
    """May this person know of the customer? For what goes to others than who asks: a mail names whom it is about."""
    if ("can_read_all", "customers") in rights_of(user_id):
        return True
    if customer.region_id is None or customer.owner_id == user_id:
        return True
    works_there = select(RegionStaff.id).where(
        RegionStaff.user_id == user_id,
        RegionStaff.region_id == customer.region_id,
        RegionStaff.retired_at.is_(None),
    )
    return current_session().scalar(works_there.limit(1)) is not None


def seen_through(column: Any) -> list[ColumnElement[bool]]:
    """Conditions on a record that refers to a customer by `column`; one without a customer is everybody's."""
    conditions = seen_customers()
    if not conditions:
        return []
    return [or_(column.is_(None), column.in_(select(Customer.id).where(*conditions)))]


def seen_within(
    column: Any, parent: Any, conditions: Sequence[ColumnElement[bool]]
) -> list[ColumnElement[bool]]:
    """Conditions on a record that belongs to a `parent` by `column`, of which `conditions` hold."""
    if not conditions:
        return []
    return [or_(column.is_(None), column.in_(select(parent.id).where(*conditions)))]
