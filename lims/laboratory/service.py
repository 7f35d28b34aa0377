"""Keeping the laboratory's facts, and what is left to do before the first batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_appbuilder.security.sqla.models import User
from sqlalchemy import exists, func, select

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.laboratory import Laboratory, forget_laboratory
from lims.base.problems import Conflict
from lims.base.services import only_row
from lims.laboratory.schemas import LaboratoryIn
from lims.materials.models import CementProduct
from lims.mixes.models import MixDesign
from lims.results.models import Calibration, Press
from lims.trials.models import Batch


def version_of_facts() -> int:
    """What a form that is opened now is to say it has seen: 0 while nothing is stored."""
    return current_session().scalar(select(Laboratory.version).order_by(Laboratory.id).limit(1)) or 0


def save_laboratory(data: Mapping[str, Any], actor: Actor, version: int | None = None) -> Laboratory:
    """Store the facts; the first time also closes the first step of the guide. `version`: what the form was opened with.

    Raises: Refused, and Conflict with both values when someone else was faster.
    """
    values = LaboratoryIn.read(data).values()
    values["plan_ages"] = ",".join(str(age) for age in values["plan_ages"])
    with transaction(actor) as session:
        row = only_row(session, Laboratory)
        if version is not None and version != (row.version if row is not None else 0):
            raise _conflict(row, values)
        if row is None:
            row = Laboratory(set_up_at=utc_now())
            session.add(row)
        for name, value in values.items():
            setattr(row, name, value)
        row.set_up_at = row.set_up_at or utc_now()
    forget_laboratory()
    return row


def _conflict(row: Laboratory | None, values: Mapping[str, Any]) -> Conflict:
    if row is None:
        return Conflict(0)
    theirs = {
        name: str(getattr(row, name) or "") for name, value in values.items() if getattr(row, name) != value
    }
    yours = {name: str(values[name] or "") for name in theirs}
    return Conflict(row.id, theirs, yours, row.version)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the guide."""

    name: str
    done: bool


def steps() -> list[Step]:
    """What a new laboratory does first, and what of it is done: one statement."""
    found = (
        current_session()
        .execute(
            select(
                exists(select(Laboratory.id).where(Laboratory.set_up_at.is_not(None))),
                select(func.count(User.id)).scalar_subquery() > 1,
                exists(select(CementProduct.id).where(CementProduct.origin == "own")),
                exists(select(Press.id)) & exists(select(Calibration.id)),
                exists(select(MixDesign.id)),
                exists(select(Batch.id)),
            )
        )
        .one()
    )
    names = ("laboratory", "accounts", "cement", "press", "mix", "batch")
    return [Step(name, bool(done)) for name, done in zip(names, found, strict=True)]
