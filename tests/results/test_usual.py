"""What the entry page asks about: a result beyond what the mix, or its forecast, lets expect. Ranges are kept a moment."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.base.database import current_session, transaction
from lims.results import usual
from lims.results.due import DueSet, due_set
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, record_set
from lims.results.usual import KEPT_AT_MOST_SECONDS, KEPT_SECONDS, KEPT_TIMES, UsualRanges
from tests.conftest import counting_sql
from tests.factories import ACTOR, a_batch, a_mix

NOTHING_FORECAST: dict[tuple[int, int], tuple[float, float]] = {}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def mix(records_on_both: Flask, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(usual, "EXPECTATIONS", [lambda _wanted: NOTHING_FORECAST])
    return a_mix("C30-U")


def waiting(mix: Any, code: str = "40") -> DueSet:
    cast_at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    found = due_set(a_batch(code, mix=mix, cast_at=cast_at, plan_ages="3").sets[0].id)
    assert found is not None
    return found


def enter(item: DueSet, load_kn: str) -> None:
    given = {"loads_kn": [load_kn] * 3, "tested_at": datetime.now(UTC).isoformat()}
    record_set(item.id, SetBreaksIn.read(given), ACTOR)


def test_range_reaches_from_six_tenths_of_the_least_to_half_as_much_again_as_the_most(mix: Any) -> None:
    for load_kn in ("450", "675"):  # 20 and 30 MPa
        enter(waiting(mix), load_kn)
    item = waiting(mix)
    assert UsualRanges().of([item]) == {item.id: (12.0, 45.0)}


def test_mix_without_results_and_forecast_has_no_range(mix: Any) -> None:
    assert UsualRanges().of([waiting(mix)]) == {}


def test_forecast_goes_before_the_results_of_the_mix(mix: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(waiting(mix), "450")
    item = waiting(mix)
    key = (item.mix_design_id, item.age_days)
    monkeypatch.setattr(usual, "EXPECTATIONS", [lambda wanted: {key: (17.5, 31.0)} if key in wanted else {}])
    assert UsualRanges().of([item]) == {item.id: (17.5, 31.0)}


def test_range_is_read_once_while_it_is_kept(mix: Any, records_on_both: Flask) -> None:
    enter(waiting(mix), "450")
    item, clock = waiting(mix), Clock()
    ranges = UsualRanges(clock)
    first = ranges.of([item])
    with counting_sql(records_on_both) as seen:
        clock.now += KEPT_SECONDS - 1
        assert ranges.of([item]) == first
        assert seen == []
        clock.now += 2
        assert ranges.of([item]) == first
        assert len(seen) == 1


def test_first_result_of_a_set_widens_the_range_of_its_mix(mix: Any, records_on_both: Flask) -> None:
    """In the process that wrote it at once; in another one within KEPT_SECONDS."""
    item, other = waiting(mix), waiting(mix)
    ranges = usual.usual_ranges()
    assert ranges.of([item, other]) == {}
    enter(other, "450")
    assert ranges.of([item]) == {item.id: (12.0, 30.0)}


def test_range_that_was_widened_is_the_one_that_is_read_anew(mix: Any, records_on_both: Flask) -> None:
    """Whatever comes beside what stands: lower, higher, between, the first at its age, or invalid."""
    ranges = usual.usual_ranges()
    items = [waiting(mix) for _number in range(6)]
    asked = waiting(mix)
    ranges.of([asked, *items])
    for item, load_kn in zip(items, ("450", "400", "700", "500", "650", "405"), strict=True):
        enter(item, load_kn)
        with counting_sql(records_on_both) as seen:
            widened = ranges.of([asked])
        assert seen == []
        assert widened == UsualRanges().of([asked])


def test_result_that_was_replaced_is_no_longer_in_the_range(mix: Any) -> None:
    item, other, asked = waiting(mix), waiting(mix), waiting(mix)
    ranges = usual.usual_ranges()
    ranges.of([item, other, asked])
    enter(item, "450")
    enter(other, "4500")
    assert ranges.of([asked])[asked.id] == (12.0, 300.0)
    given = {"loads_kn": ["450"] * 3, "tested_at": datetime.now(UTC).isoformat()}
    correct_set(other.id, SetBreaksIn.read(given), 1, ACTOR, "a zero too many")
    assert ranges.of([asked])[asked.id] == (12.0, 30.0)


@pytest.mark.parametrize("part", ["the whole", "a savepoint"])
def test_result_that_was_rolled_back_leaves_the_range_as_it_was(
    mix: Any, records_on_both: Flask, part: str
) -> None:
    item, other, asked = waiting(mix), waiting(mix), waiting(mix)
    ranges = usual.usual_ranges()
    enter(item, "450")
    before = ranges.of([asked, other])

    def fail() -> None:
        with (
            transaction(ACTOR) as session,
            session.begin_nested() if part == "a savepoint" else nullcontext(),
        ):
            enter(other, "4500")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ranges.of([asked]) == {asked.id: before[asked.id]}
    with counting_sql(records_on_both) as seen:
        ranges.of([asked])
    assert seen == []


def test_range_that_was_read_while_a_correction_was_committed_is_not_kept(
    mix: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, asked = waiting(mix), waiting(mix)
    enter(item, "4500")
    ranges = usual.usual_ranges()
    ranges.of([item])
    ranges.forget(item.batch_id)
    reads = usual.among

    def corrected_meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        ranges.forget(item.batch_id)
        return reads(*given)

    monkeypatch.setattr(usual, "among", corrected_meanwhile)
    ranges.of([asked])
    assert asked.mix_revision_id not in ranges._of_results
    ranges.of([asked])
    assert asked.mix_revision_id in ranges._of_results


def test_result_that_is_committed_stays_in_the_range_when_reading_ends_later(mix: Any) -> None:
    item, asked = waiting(mix), waiting(mix)
    ranges = usual.usual_ranges()
    ranges.of([item, asked])
    enter(item, "450")
    widened = ranges.of([asked])
    current_session().rollback()
    assert widened == ranges.of([asked]) == {asked.id: (12.0, 30.0)}


@pytest.mark.parametrize(
    ("took_s", "kept_s"), [(0.1, KEPT_SECONDS), (2, 2 * KEPT_TIMES), (20, KEPT_AT_MOST_SECONDS)]
)
def test_range_that_was_dear_to_read_is_kept_longer(
    mix: Any, records_on_both: Flask, monkeypatch: pytest.MonkeyPatch, took_s: float, kept_s: float
) -> None:
    enter(waiting(mix), "450")
    item, clock = waiting(mix), Clock()
    ranges = UsualRanges(clock)
    reads = usual.among

    def slowly(*given: Any) -> Any:
        clock.now += took_s
        return reads(*given)

    monkeypatch.setattr(usual, "among", slowly)
    first = ranges.of([item])
    monkeypatch.setattr(usual, "EXPECTATIONS", [])
    with counting_sql(records_on_both) as seen:
        clock.now += kept_s - 1
        assert ranges.of([item]) == first
        assert seen == []
        clock.now += 2
        assert ranges.of([item]) == first
    assert len(seen) == 1


def test_while_one_reads_a_range_anew_the_others_get_the_one_that_was_kept(
    mix: Any, records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(waiting(mix), "450")
    item, clock = waiting(mix), Clock()
    ranges = UsualRanges(clock)
    first = ranges.of([item])
    clock.now += KEPT_SECONDS + 1
    reads = usual.among
    told: list[Any] = []

    def another_asks() -> None:
        with records_on_both.app_context(), counting_sql(records_on_both) as seen:
            told.extend((ranges.of([item]), list(seen)))

    def meanwhile(*given: Any) -> Any:
        another = threading.Thread(target=another_asks)
        another.start()
        another.join()
        return reads(*given)

    monkeypatch.setattr(usual, "EXPECTATIONS", [])
    monkeypatch.setattr(usual, "among", meanwhile)
    assert ranges.of([item]) == first
    assert told == [first, []]


def test_range_that_was_widened_while_it_was_read_anew_stays_wide(
    mix: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, other, clock = waiting(mix), waiting(mix), Clock()
    enter(item, "450")
    ranges = UsualRanges(clock)
    ranges.of([item, other])
    clock.now += KEPT_SECONDS + 1
    reads = usual.among

    def committed_meanwhile(*given: Any) -> Any:
        ranges.widen(other.batch_id, [(3, Decimal(60))])
        return reads(*given)

    monkeypatch.setattr(usual, "among", committed_meanwhile)
    ranges.of([other])
    monkeypatch.setattr(usual, "among", reads)
    assert ranges.of([other]) == {other.id: (12.0, 90.0)}
