"""The weekly programme of trials with its progress, and regions whose aggregates were not sampled for a quarter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from lims.base.database import current_session
from lims.base.display import laboratory_zone, local_today
from lims.base.services import SERVICES
from lims.comparison.models import CustomerMaterial, ProgrammeEntry
from lims.comparison.schemas import monday
from lims.materials.models import AggregateSample, AggregateSource
from lims.trials.models import Batch, Trial

#: A region's sample older than this no longer tells what comes out of the pit (issue: a quarter).
SAMPLE_AGES_AFTER = timedelta(days=92)
WEEKS_BEFORE, WEEKS_AFTER = 2, 5


@dataclass(frozen=True, slots=True)
class Progress:
    """An entry and how many of its batches were cast in its week."""

    entry: ProgrammeEntry
    cast: int
    #: done, missed, running or planned
    state: str


@dataclass(frozen=True, slots=True)
class Week:
    monday: date
    sunday: date
    entries: list[Progress]
    current: bool

    @property
    def planned(self) -> int:
        return sum(item.entry.batches for item in self.entries)

    @property
    def cast(self) -> int:
        return sum(min(item.cast, item.entry.batches) for item in self.entries)


def today() -> date:
    return local_today()


def weeks(around: date, trial_id: int | None = None) -> list[Week]:
    """Two weeks back to five ahead, each with its entries. Two statements."""
    first = monday(around) - timedelta(weeks=WEEKS_BEFORE)
    mondays = [first + timedelta(weeks=n) for n in range(WEEKS_BEFORE + WEEKS_AFTER + 1)]
    found = progress(first, mondays[-1], trial_id)
    now = monday(today())
    return [
        Week(
            day,
            day + timedelta(days=6),
            [item for item in found if item.entry.week_of == day],
            day == now,
        )
        for day in mondays
    ]


def progress(first: date, last: date, trial_id: int | None = None) -> list[Progress]:
    """Entries of the weeks from `first` to `last` (Mondays) with what was cast of each."""
    session = current_session()
    query = (
        select(ProgrammeEntry)
        .where(
            ProgrammeEntry.week_of.between(first, last),
            ProgrammeEntry.retired_at.is_(None),
            *SERVICES["programme-entries"].visible(),
        )
        .options(
            joinedload(ProgrammeEntry.trial).joinedload(Trial.customer),
            joinedload(ProgrammeEntry.mix_revision),
        )
        .order_by(ProgrammeEntry.week_of, ProgrammeEntry.id)
    )
    if trial_id is not None:
        query = query.where(ProgrammeEntry.trial_id == trial_id)
    entries: Sequence[ProgrammeEntry] = session.scalars(query).unique().all()
    if not entries:
        return []
    zone = laboratory_zone()
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    rows = session.execute(
        select(Batch.trial_id, Batch.mix_revision_id, Batch.cast_at).where(
            Batch.trial_id.in_({item.trial_id for item in entries}),
            Batch.mix_revision_id.in_({item.mix_revision_id for item in entries}),
            Batch.cast_at >= begin,
            Batch.cast_at < begin + (last - first) + timedelta(days=7),
            Batch.retired_at.is_(None),
        )
    )
    cast: Counter[tuple[int, int, date]] = Counter()
    for of_trial, revision_id, cast_at in rows:
        if cast_at is not None:
            cast[of_trial, revision_id, monday(cast_at.astimezone(zone).date())] += 1
    now = monday(today())
    found = []
    for entry in entries:
        number = cast[entry.trial_id, entry.mix_revision_id, entry.week_of]
        if number >= entry.batches:
            state = "done"
        elif entry.week_of < now:
            state = "missed"
        else:
            state = "running" if entry.week_of == now else "planned"
        found.append(Progress(entry, number, state))
    return found


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """A day's entry for a calendar: whole days from `day` to `until`, both inclusive."""

    uid: str
    day: date
    until: date
    title: str
    about: str


def calendar_entries(since: date, until: date) -> list[CalendarEntry]:
    """What the weekly programme and the aggregate reminders put into a calendar."""
    found = [
        CalendarEntry(
            f"programme-{item.entry.id}",
            item.entry.week_of,
            item.entry.until,
            _(
                "Trial mix %(mix)s (%(cast)s of %(batches)s)",
                mix=item.entry.mix_revision.code,
                cast=item.cast,
                batches=item.entry.batches,
            ),
            ", ".join(
                text for text in (item.entry.trial.title, item.entry.responsible, item.entry.remark) if text
            ),
        )
        for item in progress(monday(since), monday(until))
    ]
    for pit in pits(since, until):
        assert pit.old_from is not None  # pits() has filtered
        found.append(
            CalendarEntry(
                f"aggregate-{pit.source.id}-{pit.old_from:%Y%m%d}",
                pit.old_from,
                pit.old_from,
                _("Sample %(source)s again", source=pit.source.title),
                pit.source.region.name if pit.source.region else "",
            )
        )
    return sorted(found, key=lambda item: (item.day, item.uid))


@dataclass(frozen=True, slots=True)
class Pit:
    """A pit or quarry and its newest sample."""

    source: AggregateSource
    sampled_on: date | None

    @property
    def old_from(self) -> date | None:
        """The first day on which its sample is too old."""
        return None if self.sampled_on is None else self.sampled_on + SAMPLE_AGES_AFTER + timedelta(days=1)

    @property
    def days(self) -> int | None:
        return None if self.sampled_on is None else (today() - self.sampled_on).days


_NEWEST = (
    select(
        AggregateSample.aggregate_source_id.label("source_id"),
        func.max(AggregateSample.sampled_on).label("sampled_on"),
    )
    .where(AggregateSample.retired_at.is_(None))
    .group_by(AggregateSample.aggregate_source_id)
    .subquery()
)
#: Made once: everybody's first page asks it.
_PITS = (
    select(AggregateSource, _NEWEST.c.sampled_on)
    .outerjoin(_NEWEST, _NEWEST.c.source_id == AggregateSource.id)
    .where(AggregateSource.retired_at.is_(None))
    .options(joinedload(AggregateSource.region))
    .order_by(_NEWEST.c.sampled_on, AggregateSource.code)
)


def _pits() -> list[Pit]:
    rows = current_session().execute(_PITS)
    return [Pit(source, sampled_on) for source, sampled_on in rows.unique()]


def old_pits(on: date | None = None) -> list[Pit]:
    """Pits whose newest sample is older than a quarter, and those never sampled: the never sampled first."""
    day = on or today()
    found = [pit for pit in _pits() if pit.old_from is None or pit.old_from <= day]
    return sorted(found, key=lambda pit: (pit.sampled_on is not None, pit.sampled_on or day, pit.source.code))


def pits(since: date, until: date) -> list[Pit]:
    """Pits whose sample becomes too old in these days."""
    return [pit for pit in _pits() if pit.old_from is not None and since <= pit.old_from <= until]


def materials_of(customer_id: int) -> list[CustomerMaterial]:
    """The customer's own materials, the newest of each kind first."""
    return list(
        current_session()
        .scalars(
            select(CustomerMaterial)
            .where(CustomerMaterial.customer_id == customer_id, CustomerMaterial.retired_at.is_(None))
            .options(
                joinedload(CustomerMaterial.aggregate_sample),
                joinedload(CustomerMaterial.scm_lot),
                joinedload(CustomerMaterial.admixture_lot),
            )
            .order_by(CustomerMaterial.kind, CustomerMaterial.received_on.desc())
        )
        .unique()
    )
