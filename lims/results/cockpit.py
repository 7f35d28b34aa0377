"""The technician's day in few statements: what is due now, past, next; what was done; the days ahead; what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import CompoundSelect, Select, func, literal, select, union_all
from sqlalchemy.orm import joinedload, lazyload

from lims.base.database import current_session, number_of_rows
from lims.base.display import day_begins, local_time
from lims.mixes.models import MixRevision
from lims.results.due import (
    WAITS,
    WIDELY_BEFORE,
    WIDEST_WINDOW,
    conditions_of,
    hour_in_text,
    instant,
    moments,
    written,
)
from lims.results.models import Break, Press, SetResult
from lims.trials.models import Batch, CuringTank, SpecimenSet

WORKLOAD_DAYS = 14
#: Held specimens older than this stand on the discard list.
HELD_FOR = timedelta(days=90)
#: An entry that nobody verified for so long is missed.
VERIFIED_WITHIN = timedelta(days=3)
MOST_LISTED = 200
#: Breaks of a day are counted so far.
MOST_BROKEN = 999


@dataclass(frozen=True, slots=True)
class Workload:
    """Waiting sets by local day for two weeks, and how many there are now and past."""

    days: tuple[tuple[Any, int], ...]
    now: int
    late: int


def workload(now: datetime) -> Workload:
    """One statement: a range of the index over state and due time for each number."""
    today = local_time(now).date()
    days = [today + timedelta(days=ahead) for ahead in range(WORKLOAD_DAYS + 1)]
    midnights = tuple(day_begins(day) for day in days)
    connection = current_session().connection()
    asked = {f"day_{number}": midnight for number, midnight in enumerate(midnights)} | moments(now)
    hour = hour_in_text(now, connection)
    query = _COUNTED if hour is None else _counted_within_the_hour(midnights, hour)
    *of_days, past, late, due = connection.execute(query, asked).one()
    return Workload(tuple(zip(days[:-1], map(int, of_days), strict=True)), int(due), int(past) + int(late))


def _waiting(*conditions: Any) -> Any:
    waiting = select(func.count()).select_from(SpecimenSet.__table__)
    return waiting.where(SpecimenSet.state == WAITS, *conditions).scalar_subquery()


def _counted(midnights: Sequence[Any], edge: Any, hour: datetime | None = None) -> Select[Any]:
    """Fourteen days, what is surely past its window, what has just left it, what is in it: rows are read around now
    alone."""
    return select(
        *(
            _waiting(SpecimenSet.due_at >= begins, SpecimenSet.due_at < ends)
            for begins, ends in pairwise(midnights)
        ),
        _waiting(SpecimenSet.due_at < edge),
        _waiting(SpecimenSet.due_at >= edge, *conditions_of("late", hour)),
        _waiting(*conditions_of("now", hour)),
    )


_COUNTED = _counted([instant(f"day_{n}") for n in range(WORKLOAD_DAYS + 1)], WIDELY_BEFORE)


@lru_cache(maxsize=4)
def _counted_within_the_hour(midnights: tuple[datetime, ...], hour: datetime) -> Select[Any]:
    """PostgreSQL planned seventeen ranges anew at each use, which took longer than reading them."""
    return _counted([written(midnight) for midnight in midnights], written(hour - WIDEST_WINDOW), hour)


@dataclass(frozen=True, slots=True)
class Tally:
    """Specimens broken today by press, and sets that lie in each curing tank: (name, number)."""

    presses: tuple[tuple[str, int], ...]
    tanks: tuple[tuple[str, int], ...]

    @property
    def broken(self) -> int:
        """MOST_BROKEN when there are `more`."""
        return min(MOST_BROKEN, sum(number for _name, number in self.presses))

    @property
    def more(self) -> bool:
        """Were there more than are counted? By press they are not told then."""
        return sum(number for _name, number in self.presses) > MOST_BROKEN


def tally(now: datetime) -> Tally:
    """One statement for both."""
    midnight = day_begins(local_time(now).date())
    presses: list[tuple[str, int]] = []
    tanks: list[tuple[str, int]] = []
    asked = {"midnight": midnight, "now": now}
    for what, name, number in current_session().connection().execute(_TALLY, asked).all():
        if number:
            (presses if what == "press" else tanks).append((name or "–", int(number)))
    return Tally(tuple(sorted(presses)), tuple(sorted(tanks)))


def tally_of(most: int) -> CompoundSelect[Any]:
    """Breaks of the day by press, of one more than `most` at most, and sets by tank."""
    broken = (
        select(Break.press_id)
        .where(
            Break.tested_at >= instant("midnight"),
            Break.tested_at <= instant("now"),
            Break.superseded_at.is_(None),
        )
        .order_by(Break.tested_at)  # by its index, however many of all breaks are of today
        .limit(number_of_rows(most + 1))
        .subquery()
    )
    return union_all(
        select(literal("press").label("what"), Press.code.label("name"), func.count().label("number"))
        .select_from(broken)
        .outerjoin(Press, Press.id == broken.c.press_id)
        .group_by(Press.code),
        select(
            literal("tank"),
            CuringTank.code,
            select(func.count())
            .select_from(SpecimenSet)
            .where(SpecimenSet.curing_tank_id == CuringTank.id, SpecimenSet.state.in_(("waiting", "held")))
            .scalar_subquery(),
        ).where(CuringTank.retired_at.is_(None)),
    )


_TALLY = tally_of(MOST_BROKEN)


def held_sets() -> list[SpecimenSet]:
    """Held and reserved sets, oldest batch first."""
    query = (
        select(SpecimenSet)
        .join(Batch)
        .where(SpecimenSet.state == "held")
        .options(
            joinedload(SpecimenSet.batch).joinedload(Batch.mix_revision).lazyload(MixRevision.components),
            joinedload(SpecimenSet.batch).joinedload(Batch.site),
        )
        .order_by(Batch.cast_at, SpecimenSet.id)
        .limit(MOST_LISTED)
    )
    return list(current_session().scalars(query).unique())


@dataclass(frozen=True, slots=True)
class Missed:
    """What a month should not leave behind."""

    unbroken: Sequence[SpecimenSet]
    unverified: Sequence[SetResult]
    without_retest: Sequence[SpecimenSet]
    to_discard: Sequence[SpecimenSet]

    @property
    def nothing(self) -> bool:
        return not (self.unbroken or self.unverified or self.without_retest or self.to_discard)


def missed(first: datetime, last: datetime, now: datetime) -> Missed:
    """Sets due in [first, last) and never broken, entries unverified, retracted results without a retest, old holds."""
    session = current_session()
    retest = select(SpecimenSet.retest_of_id).where(SpecimenSet.retest_of_id.is_not(None))
    return Missed(
        list(
            session.scalars(
                select(SpecimenSet)
                .where(
                    SpecimenSet.state == "waiting",
                    SpecimenSet.due_at >= first,
                    SpecimenSet.due_at < last,
                    SpecimenSet.due_until < now,
                )
                .options(lazyload(SpecimenSet.specimens))
                .order_by(SpecimenSet.due_at)
                .limit(MOST_LISTED)
            )
        ),
        list(
            session.scalars(
                select(SetResult)
                .where(
                    SetResult.state == "entered",
                    SetResult.superseded_at.is_(None),
                    SetResult.created_at >= first,
                    SetResult.created_at < min(last, now - VERIFIED_WITHIN),
                )
                .options(joinedload(SetResult.specimen_set))
                .order_by(SetResult.created_at)
                .limit(MOST_LISTED)
            )
        ),
        list(
            session.scalars(
                select(SpecimenSet)
                .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
                .join(Batch, Batch.id == SpecimenSet.batch_id)
                .where(
                    SetResult.state == "retracted",
                    SpecimenSet.id.not_in(retest),
                    Batch.retired_at.is_(None),  # of a batch that was a mistake nothing is tested again
                )
                .options(lazyload(SpecimenSet.specimens))
                .distinct()
                .order_by(SpecimenSet.id)
                .limit(MOST_LISTED)
            )
        ),
        [found for found in held_sets() if found.batch.cast_at and found.batch.cast_at < now - HELD_FOR],
    )
