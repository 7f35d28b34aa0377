"""The sets that wait for the press, as the lists of the day show them: rows of what is shown, not whole records.

These lists are the pages that every technician opens all day; reading sets, batches, mixes and trials as records took ten
times as long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnClause, Connection, Select, and_, bindparam, false, func, literal_column, select

from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import among_given, current_session, number_of_rows, one_or_many
from lims.mixes.models import MixDesign, MixRevision
from lims.trials.models import Batch, Specimen, SpecimenSet, Trial

#: How far ahead the list of due sets looks.
HORIZON = timedelta(days=7)
#: No tolerance of a code is wider than this: a set in its window lies within it of its due time.
WIDEST_WINDOW = timedelta(days=3)
#: Rows of a group; the counts above them are whole, but that of the next days, which says where it ends.
MOST_OF_A_GROUP = 60

_sets, _batches, _trials = SpecimenSet.__table__.c, Batch.__table__.c, Trial.__table__.c
_revisions, _designs = MixRevision.__table__.c, MixDesign.__table__.c
_specimens = Specimen.__table__.c


class SetSpecimen(NamedTuple):
    """A specimen as far as its break needs it."""

    id: int
    code: str
    shape: str
    width_mm: Decimal | None


class DueSet(NamedTuple):
    """A waiting set with what its line in a list says."""

    id: int
    code: str
    age_days: int
    purpose: str
    due_from: datetime | None
    due_at: datetime | None
    due_until: datetime | None
    batch_id: int
    element: str | None
    trial_code: str
    trial_name: str
    mix_code: str
    mix_revision_id: int
    mix_design_id: int
    grade_mpa: Decimal | None

    @property
    def trial_title(self) -> str:
        return f"{self.trial_code} {self.trial_name}"

    def when(self, now: datetime) -> str:
        """late, now or next."""
        if self.due_until is not None and self.due_until < now:
            return "late"
        return "now" if self.due_from is not None and self.due_from <= now else "next"


def instant(name: str) -> Any:
    """A moment that a statement made beforehand is asked with."""
    return bindparam(name, type_=UtcDateTime())


def written(moment: datetime) -> ColumnClause[Any]:
    """A moment in the text of a statement of PostgreSQL, which plans for it; so it should be the same for a while."""
    return literal_column(f"TIMESTAMP WITH TIME ZONE '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S+00}'")


def hour_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_in_text(now: datetime, connection: Connection) -> datetime | None:
    """The hour that stands in the text of a statement; None where the database needs none."""
    return hour_of(now) if connection.dialect.name == "postgresql" else None


def moments(now: datetime) -> dict[str, datetime]:
    """What the conditions of the groups are asked with."""
    return {"now": now, "widely_before": now - WIDEST_WINDOW, "widely_after": now + WIDEST_WINDOW}


#: In the text: what PostgreSQL is not told, it does not plan for.
WAITS: ColumnClause[Any] = literal_column("'waiting'")
#: Made once: every page of the day asks them.
_WAITING = (
    select(
        _sets.id,
        _sets.code,
        _sets.age_days,
        _sets.purpose,
        _sets.due_from,
        _sets.due_at,
        _sets.due_until,
        _sets.batch_id,
        _batches.element,
        _trials.code,
        _trials.name,
        _revisions.code,
        _revisions.id,
        _designs.id,
        _designs.grade_mpa,
    )
    .join_from(SpecimenSet.__table__, Batch.__table__, _batches.id == _sets.batch_id)
    .join(Trial.__table__, _trials.id == _batches.trial_id)
    .join(MixRevision.__table__, _revisions.id == _batches.mix_revision_id)
    .join(MixDesign.__table__, _designs.id == _revisions.mix_design_id)
    .where(_sets.state == WAITS)
)
_NOW, WIDELY_BEFORE, _WIDELY_AFTER = instant("now"), instant("widely_before"), instant("widely_after")
#: Each a range of the index over state and due time, what holds within it, and the order.
_GROUPS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]] = {
    "now": (
        (_sets.due_at >= WIDELY_BEFORE, _sets.due_at <= _WIDELY_AFTER),
        (_sets.due_from <= _NOW, _sets.due_until >= _NOW),
        (_sets.due_until, _sets.id),
    ),
    "late": ((_sets.due_at < _NOW,), (_sets.due_until < _NOW,), (_sets.due_at.desc(), _sets.id)),
    "next": ((_sets.due_at > _NOW,), (_sets.due_from > _NOW,), (_sets.due_at, _sets.id)),
}


def _at_any_moment_of(hour: datetime, name: str) -> tuple[Any, ...]:
    """What holds of a group's sets whenever in that hour it is asked for. All of it stands in the index."""
    begun, ended = written(hour), written(hour + timedelta(hours=1))
    conditions: dict[str, tuple[Any, ...]] = {
        "now": (
            _sets.due_at >= written(hour - WIDEST_WINDOW),
            _sets.due_at <= written(hour + timedelta(hours=1) + WIDEST_WINDOW),
            _sets.due_from <= ended,
            _sets.due_until >= begun,
        ),
        "late": (_sets.due_at < ended, _sets.due_until < ended),
        "next": (_sets.due_at >= begun, _sets.due_from >= begun),
    }
    return conditions[name]


def conditions_of(name: str, hour: datetime | None) -> tuple[Any, ...]:
    """What holds of a group's sets. With an hour for PostgreSQL, which keeps a plan only where what it does not know makes
    none costlier: what holds all the hour stands in the text, and what is asked with the moment is one condition whose share
    it does not guess."""
    wide, narrow, _order = _GROUPS[name]
    if hour is None:
        return (*wide, *narrow)
    return (*_at_any_moment_of(hour, name), func.coalesce(and_(*narrow), false()))


@lru_cache(maxsize=16)
def _of_group(name: str, most: int, hour: datetime | None = None) -> Select[Any]:
    conditions, order = conditions_of(name, hour), _GROUPS[name][2]
    rows = number_of_rows(most)
    if name == "late" or (name == "now" and hour is not None):
        # Which sets first: where none is late, PostgreSQL would begin with the trials.
        ids = select(_sets.id).where(_sets.state == WAITS, *conditions).order_by(*order).limit(rows)
        return _WAITING.where(_sets.id.in_(ids.scalar_subquery())).order_by(*order)
    return _WAITING.where(*conditions).order_by(*order).limit(rows)


_ONE = _WAITING.where(_sets.id == bindparam("set_id"))


def due_groups(now: datetime) -> dict[str, list[DueSet]]:
    """Waiting sets in their window, past it (latest first) and within the horizon (soonest first): three statements."""
    return {name: _group(name, now, MOST_OF_A_GROUP) for name in _GROUPS}


def _group(name: str, now: datetime, most: int) -> list[DueSet]:
    connection = current_session().connection()
    rows = connection.execute(_of_group(name, most, hour_in_text(now, connection)), moments(now)).all()
    found = [tuple.__new__(DueSet, row) for row in rows]  # what _make does, without a call for each
    horizon = now + HORIZON
    return [item for item in found if name != "next" or (item.due_at is not None and item.due_at <= horizon)]


def due_sets(*, enough: int | None = None, most: int = MOST_OF_A_GROUP) -> list[DueSet]:
    """What is due now, then what is past its window, then the next days; `enough` of them, or `most` of each."""
    now = utc_now()
    found: list[DueSet] = []
    for name in _GROUPS:
        if enough is None or len(found) < enough:
            found += _group(name, now, enough or most)
    return found[:enough]


def due_set(set_id: int) -> DueSet | None:
    """This set while it waits, else None."""
    row = current_session().connection().execute(_ONE, {"set_id": set_id}).one_or_none()
    return None if row is None else DueSet._make(row)


@lru_cache(maxsize=4)
def _specimens_of(dialect: str, *, one: bool) -> Select[Any]:
    return (
        select(
            _specimens.specimen_set_id,
            _specimens.id,
            _specimens.code,
            _specimens.shape,
            _specimens.width_mm,
        )
        .where(among_given(_specimens.specimen_set_id, "sets", dialect, one=one))
        .order_by(_specimens.specimen_set_id, _specimens.number)
    )


def specimens_of(sets: Collection[int]) -> dict[int, list[SetSpecimen]]:
    """Set id -> its specimens in their order; one statement."""
    found: dict[int, list[SetSpecimen]] = defaultdict(list)
    connection = current_session().connection()
    one, asked = one_or_many(sets)
    query = _specimens_of(connection.dialect.name, one=one)
    for row in connection.execute(query, {"sets": asked}).all():
        found[row[0]].append(tuple.__new__(SetSpecimen, row[1:]))
    return found
