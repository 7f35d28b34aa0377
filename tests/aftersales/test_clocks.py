"""Clocks of the service: due times in calendar and in working time, across holidays and changes of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.aftersales.clocks import WorkingWeek, due_after

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
DAY = (time(8), time(17, 30))
WEEK = WorkingWeek(SHANGHAI, (DAY, DAY, DAY, DAY, DAY, None, None))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def worked(start: datetime, end: datetime, week: WorkingWeek) -> timedelta:
    """How much working time lies between two instants."""
    total = timedelta(0)
    for begin, close in week.spells(start.astimezone(UTC)):
        if begin >= end:
            break
        total += min(close, end) - begin
    return total


def test_thirty_minutes_of_calendar_time_do_not_care_about_the_night() -> None:
    assert due_after(at("2026-05-04 23:50"), 30, None) == at("2026-05-05 00:20")


def test_working_time_stops_overnight_and_over_the_weekend() -> None:
    assert due_after(at("2026-05-08 17:10"), 30, WEEK) == at("2026-05-11 08:10")  # Friday to Monday


def test_what_comes_at_night_starts_in_the_morning() -> None:
    assert due_after(at("2026-05-05 02:00"), 30, WEEK) == at("2026-05-05 08:30")


def test_a_holiday_is_free_and_a_worked_saturday_is_not() -> None:
    week = WorkingWeek(SHANGHAI, WEEK.days, {date(2026, 5, 5): None, date(2026, 5, 9): DAY})
    assert due_after(at("2026-05-04 17:20"), 30, week) == at("2026-05-06 08:20")
    assert due_after(at("2026-05-08 17:20"), 30, week) == at("2026-05-09 08:20")


def test_a_spell_that_ends_exactly_then_is_due_at_closing_time() -> None:
    assert due_after(at("2026-05-04 08:00"), 570, WEEK) == at("2026-05-04 17:30")


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"])
def test_calendar_hours_are_elapsed_hours_when_the_clock_is_changed(night: str) -> None:
    start = at(f"{night} 00:30", BERLIN)
    due = due_after(start, 24 * 60, None)
    assert due - start.astimezone(UTC) == timedelta(hours=24)
    assert due.astimezone(BERLIN).hour == (1 if night == "2026-03-29" else 23)


def test_a_night_shift_across_the_change_has_the_hours_it_really_has() -> None:
    night = (time(0), time(6))
    week = WorkingWeek(BERLIN, (night,) * 7)
    begin = at("2026-03-28 23:00", BERLIN)
    # Six hours on the wall, five in truth: the sixth is worked the night after.
    assert due_after(begin, 300, week) == at("2026-03-29 06:00", BERLIN)
    assert due_after(begin, 360, week) == at("2026-03-30 01:00", BERLIN)


def test_a_week_without_working_time_has_no_due_time() -> None:
    with pytest.raises(ValueError, match="working time"):
        due_after(at("2026-05-04 08:00"), 1, WorkingWeek(SHANGHAI, (None,) * 7))


hours = st.one_of(
    st.none(),
    st.tuples(st.integers(0, 22), st.integers(1, 23)).map(
        lambda p: (time(min(p)), time(max(p))) if p[0] != p[1] else None
    ),
)
zones = st.sampled_from(
    ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
instants = st.integers(0, 220_000_000).map(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(instants, st.integers(1, 6000), st.lists(hours, min_size=7, max_size=7), zones)
def test_between_start_and_due_lies_exactly_the_promised_working_time(
    start: datetime, minutes: int, days: list, zone: str
) -> None:
    week = WorkingWeek(ZoneInfo(zone), tuple(days))
    if all(day is None for day in days):
        return
    due = due_after(start, minutes, week)
    assert worked(start, due, week) == timedelta(minutes=minutes)
    assert due >= start + timedelta(minutes=minutes)


@given(instants, st.integers(1, 3000), st.integers(0, 3000), st.lists(hours, min_size=7, max_size=7), zones)
def test_a_longer_promise_is_never_due_earlier(
    start: datetime, minutes: int, more: int, days: list, zone: str
) -> None:
    week = WorkingWeek(ZoneInfo(zone), tuple(days))
    if all(day is None for day in days):
        return
    assert due_after(start, minutes, week) <= due_after(start, minutes + more, week)


@given(instants, st.integers(1, 100_000), zones)
def test_calendar_time_is_elapsed_time_in_every_zone(start: datetime, minutes: int, zone: str) -> None:
    local = start.astimezone(ZoneInfo(zone))
    assert due_after(local, minutes, None) - start == timedelta(minutes=minutes)
