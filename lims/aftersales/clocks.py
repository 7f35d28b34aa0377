"""Time limits of the service: when something is due, in calendar or in working time.

Pure: instants come in and go out in UTC; the laboratory's zone only says which instants are working time. A working
day's hours are turned into instants first and added up as elapsed time, so that a change of the clock neither gives
nor takes an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: Days that are looked at for working time before giving up: longer than any limit.
FURTHEST_DAYS = 3700

Hours = tuple[time, time]


@dataclass(frozen=True, slots=True)
class WorkingWeek:
    """Hours from Monday (0) to Sunday (6), None for a free day; `special` days have their own hours or None."""

    zone: ZoneInfo
    days: tuple[Hours | None, ...]
    special: Mapping[date, Hours | None] = field(default_factory=dict)

    def hours_of(self, day: date) -> Hours | None:
        return self.special[day] if day in self.special else self.days[day.weekday()]

    def spell(self, day: date) -> tuple[datetime, datetime] | None:
        """The working time of a day as two instants; None when nobody works."""
        hours = self.hours_of(day)
        if hours is None:
            return None
        begin, end = (datetime.combine(day, moment, tzinfo=self.zone).astimezone(UTC) for moment in hours)
        return (begin, end) if end > begin else None

    def spells(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working times from `since` on, the first one cut off at its beginning."""
        day = since.astimezone(self.zone).date()
        for ahead in range(FURTHEST_DAYS):
            found = self.spell(day + timedelta(days=ahead))
            if found is not None and found[1] > since:
                yield max(found[0], since), found[1]


def due_after(start: datetime, minutes: int, week: WorkingWeek | None) -> datetime:
    """The instant `minutes` after `start`: of working time with a `week`, else of any time.

    What starts outside working time starts with the next working day. Raises: ValueError when the week has no
    working time within ten years.
    """
    start = start.astimezone(UTC)
    if week is None:
        return start + timedelta(minutes=minutes)
    left = timedelta(minutes=minutes)
    for begin, end in week.spells(start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise ValueError("a week without working time has no due time")
