"""The technician's day in few statements: what is due now, past, next; what was done; the days ahead; what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import String, cast, func, literal, select, union_all
from sqlalchemy.orm import joinedload, lazyload

from lims.base.columns import local_day
from lims.base.database import current_session, database
from lims.base.display import laboratory_zone, local_time
from lims.mixes.models import MixRevision
from lims.results.due import WIDEST_WINDOW, instant
from lims.results.models import Break, Press, SetResult
from lims.trials.models import Batch, CuringTank, SpecimenSet

WORKLOAD_DAYS = 14
#: Held specimens older than this stand on the discard list.
HELD_FOR = timedelta(days=90)
#: An entry that nobody verified for so long is missed.
VERIFIED_WITHIN = timedelta(days=3)
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class Workload:
    """Waiting sets by local day for two weeks, and how many there are now and past."""

    days: tuple[tuple[Any, int], ...]
    now: int
    late: int


def workload(now: datetime) -> Workload:
    """One statement over what waits up to the last day."""
    here = local_time(now)
    today = here.date()
    statement = _workload(laboratory_zone(), here.utcoffset() or timedelta(0), database().engine.dialect.name)
    times = {
        "now": now,
        "edge": now - WIDEST_WINDOW,
        "far_edge": now + WIDEST_WINDOW,
        "until": now + timedelta(days=WORKLOAD_DAYS),
    }
    counts: dict[str, int] = defaultdict(int)
    for name, number in current_session().execute(statement, times):
        counts[str(name)] += int(number)
    days = tuple(
        (today + timedelta(days=ahead), counts.get((today + timedelta(days=ahead)).isoformat(), 0))
        for ahead in range(WORKLOAD_DAYS)
    )
    return Workload(days, counts["now"], counts["late"])


@lru_cache(maxsize=16)  # every page of the day asks it: making it took as long as running it
def _workload(zone: ZoneInfo, offset: timedelta, dialect: str) -> Any:
    day = local_day(SpecimenSet.due_at, zone, offset, dialect)
    now, edge, far_edge = instant("now"), instant("edge"), instant("far_edge")
    waiting = SpecimenSet.state == "waiting"

    def count(name: str, *conditions: Any) -> Any:
        return select(literal(name), func.count()).select_from(SpecimenSet).where(waiting, *conditions)

    # The days and what is surely past are answered by the index alone; rows are read only around now.
    return union_all(
        select(cast(day, String), func.count())
        .where(waiting, SpecimenSet.due_at < instant("until"))
        .group_by(day),
        count("late", SpecimenSet.due_at < edge),
        count("late", SpecimenSet.due_at.between(edge, now), SpecimenSet.due_until < now),
        count(
            "now",
            SpecimenSet.due_at.between(edge, far_edge),
            SpecimenSet.due_from <= now,
            SpecimenSet.due_until >= now,
        ),
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """Specimens broken today by press, and sets that lie in each curing tank: (name, number)."""

    presses: tuple[tuple[str, int], ...]
    tanks: tuple[tuple[str, int], ...]

    @property
    def broken(self) -> int:
        return sum(number for _name, number in self.presses)


def tally(now: datetime) -> Tally:
    """One statement for both."""
    midnight = local_time(now).replace(hour=0, minute=0, second=0, microsecond=0)
    presses: list[tuple[str, int]] = []
    tanks: list[tuple[str, int]] = []
    for what, name, number in current_session().execute(_TALLY, {"midnight": midnight, "now": now}):
        if number:
            (presses if what == "press" else tanks).append((name or "–", int(number)))
    return Tally(tuple(sorted(presses)), tuple(sorted(tanks)))


_TALLY = union_all(
    select(literal("press").label("what"), Press.code.label("name"), func.count().label("number"))
    .select_from(Break)
    .outerjoin(Press, Press.id == Break.press_id)
    .where(
        Break.tested_at >= instant("midnight"),
        Break.tested_at <= instant("now"),
        Break.superseded_at.is_(None),
    )
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
                .where(SetResult.state == "retracted", SpecimenSet.id.not_in(retest))
                .options(lazyload(SpecimenSet.specimens))
                .distinct()
                .limit(MOST_LISTED)
            )
        ),
        [found for found in held_sets() if found.batch.cast_at and found.batch.cast_at < now - HELD_FOR],
    )
