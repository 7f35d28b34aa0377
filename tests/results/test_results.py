"""From loads to a released result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.base.actor import user_actor
from lims.base.database import current_session, transaction
from lims.base.laboratory import laboratory
from lims.base.problems import Conflict, NotFound, Refused
from lims.base.services import SERVICES
from lims.results.due import due_set
from lims.results.entry import due_entry, entry_warnings, warnings_ahead
from lims.results.models import Break, SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import (
    SetEntries,
    breaks_of,
    correct_set,
    facts_of_sets,
    record_set,
    release,
    result_of,
    verify,
)
from lims.trials.models import SpecimenSet
from lims.web.set_page import verdict_bar
from tests.at_once import at_once
from tests.factories import ACTOR, a_batch


def entry(*loads: Any, **more: Any) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(loads), "tested_at": datetime.now(UTC).isoformat(), **more})


@pytest.fixture
def waiting(records_on_both: Flask) -> SpecimenSet:
    batch = a_batch("40")
    return current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()


def test_424_401_396_kn_on_150_mm_cubes_are_18_1_mpa(waiting: SpecimenSet) -> None:
    result = record_set(waiting.id, entry("424", "401", "396"), ACTOR)
    assert result.strength_mpa == Decimal("18.1")
    assert (result.basis, result.state, result.rule_id) == ("mean", "entered", "gbt50081-2019/cube-set")
    breaks = current_session().query(Break).order_by(Break.id).all()
    assert [b.load_kn for b in breaks] == [424, 401, 396]
    assert breaks[0].strength_mpa == Decimal("18.8444")
    assert breaks[0].age_within is True
    assert abs(breaks[0].age_hours - 72) < Decimal("0.1")


def test_picture_of_a_set_shows_exactly_15_percent_within_as_the_rule_has_it(waiting: SpecimenSet) -> None:
    """850 and 1150 about 1000 kN: of the strengths as they are kept the last would lie at 15.0001 %."""
    result = record_set(waiting.id, entry("850", "1000", "1150"), ACTOR)
    assert (result.basis, result.strength_mpa) == ("mean", Decimal("44.4"))
    breaks = breaks_of([specimen.id for specimen in waiting.specimens])
    picture = verdict_bar(waiting, {key: [item] for key, item in breaks.items()})
    assert picture is not None
    assert [point["percent"] for point in picture["points"]] == [-15, 0, 15]
    assert picture["middle_mpa"] == Decimal("44.4444")


def test_same_entry_twice_is_one_result_and_another_is_a_conflict_with_both_values(
    waiting: SpecimenSet,
) -> None:
    tested = datetime.now(UTC).isoformat()
    first = record_set(waiting.id, entry("424", "401", "396", tested_at=tested), ACTOR)
    assert record_set(waiting.id, entry("424", "401", "396", tested_at=tested), ACTOR).id == first.id
    with pytest.raises(Conflict) as conflict:
        record_set(waiting.id, entry("424", "401", "390", tested_at=tested), ACTOR)
    assert conflict.value.theirs == {"loads_kn": "424, 401, 396"}
    assert conflict.value.yours == {"loads_kn": "424, 401, 390"}
    assert current_session().query(Break).count() == 3


def test_same_loads_of_another_test_are_a_conflict_that_names_what_differs(waiting: SpecimenSet) -> None:
    now = datetime.now(UTC)
    presses = [SERVICES["presses"].add({"code": code, "name": "Press"}, ACTOR).id for code in ("P-1", "P-2")]
    given = {
        "tested_at": now.isoformat(),
        "press_id": presses[0],
        "loading_rate_mpa_s": "0.50",
        "remark": "dry",
    }
    first = record_set(waiting.id, entry("424", "401.0", "396", **given), ACTOR)
    # The same however it is written: in another zone, with zeros, with the default spelt out.
    elsewhere = now.astimezone(timezone(timedelta(hours=8))).isoformat()
    same = {"tested_at": elsewhere, "loading_rate_mpa_s": "0.5", "tested_by": ACTOR.label}
    assert record_set(waiting.id, entry("424", "401", "396.000", **{**given, **same}), ACTOR).id == first.id
    for name, value in (
        ("tested_at", (now - timedelta(microseconds=1)).isoformat()),
        ("press_id", presses[1]),
        ("press_id", None),
        ("tested_by", "Li Wei"),
        ("loading_rate_mpa_s", "0.6"),
        ("remark", None),
    ):
        with pytest.raises(Conflict) as conflict:
            record_set(waiting.id, entry("424", "401", "396", **{**given, name: value}), ACTOR)
        theirs, yours = conflict.value.theirs, conflict.value.yours
        assert {key for key in theirs if theirs[key] != yours[key]} == {name}
        assert theirs["loads_kn"] == yours["loads_kn"] == "424, 401, 396"
    with pytest.raises(Conflict):  # who sends it is who tested it
        record_set(waiting.id, entry("424", "401", "396", **given), user_actor(9, "Another"))
    assert current_session().query(SetResult).count() == 1


def test_strengths_as_reported_are_not_an_entry_of_loads_that_gives_the_same(waiting: SpecimenSet) -> None:
    test = {"tested_at": datetime.now(UTC).isoformat(), "tested_by": "Li Wei"}
    record_set(waiting.id, entry("424", "401", "396", **test), ACTOR)
    with pytest.raises(Conflict):
        record_set(
            waiting.id, SetBreaksIn.read({"strengths_mpa": ["18.8444", "17.8222", "17.6"], **test}), ACTOR
        )


def test_invalid_set_has_no_strength_and_is_kept(waiting: SpecimenSet) -> None:
    result = record_set(waiting.id, entry("300", "450", "600"), ACTOR)
    assert (result.strength_mpa, result.basis) == (None, "invalid")


def test_correction_keeps_the_old_values_readable_and_needs_a_reason(waiting: SpecimenSet) -> None:
    record_set(waiting.id, entry("424", "401", "396"), ACTOR)
    with pytest.raises(Refused, match="why the entry is corrected"):
        correct_set(waiting.id, entry("424", "401", "406"), 1, ACTOR, " ")
    result = correct_set(waiting.id, entry("424", "401", "406"), 1, ACTOR, "digit read wrong")
    assert (result.number, result.reason) == (2, "digit read wrong")
    assert result_of(waiting.id).id == result.id  # type: ignore[union-attr]
    old = current_session().query(SetResult).filter_by(number=1).one()
    assert old.strength_mpa == Decimal("18.1")
    assert old.superseded_at is not None
    assert current_session().query(Break).count() == 6
    with pytest.raises(Conflict):
        correct_set(waiting.id, entry("424", "401", "407"), 1, ACTOR, "stale")


def test_result_is_verified_by_another_person_and_released_only_then(waiting: SpecimenSet) -> None:
    one, other = user_actor(1, "One"), user_actor(2, "Other")
    record_set(waiting.id, entry("424", "401", "396"), one)
    with pytest.raises(Refused, match="is Entered; accepted: Verified"):
        release(waiting.id, other)
    with pytest.raises(Refused, match="another person"):
        verify(waiting.id, one)
    assert verify(waiting.id, other).state == "verified"
    assert release(waiting.id, other).state == "released"
    with pytest.raises(Refused, match="amendment"):
        correct_set(waiting.id, entry("1", "1", "1"), 1, one, "late")


@pytest.mark.parametrize(
    ("loads", "accepted"),
    [
        (("424", "401"), "accepted: 3"),
        (("424", "401", "396", "400"), "3"),
        (("424", "", "396"), "no. 2"),
        (("424", "0", "396"), "above 0"),
        (("424", "-401", "396"), "above 0"),
        (("424", "1E3", "396"), "no. 2"),
        (("424", "3,5", "396"), "no. 2"),
        (("424", "150 mm", "396"), "no. 2"),
        (("424", "TRUE", "396"), "no. 2"),
        (("424", "4_01", "396"), "no. 2"),
        (("424", True, "396"), "no. 2"),
        (("424", "400.1234", "396"), "3 decimal places"),
    ],
)
def test_bad_loads_are_refused_by_position_and_nothing_is_saved(
    records: Flask, loads: tuple[Any, ...], accepted: str
) -> None:
    batch = a_batch("40")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    with pytest.raises(Refused) as refusal:
        record_set(waiting.id, entry(*loads), ACTOR)
    assert refusal.value.problems[0].field == "loads_kn"
    assert accepted in str(refusal.value)
    assert current_session().query(Break).count() == 0
    assert current_session().query(SpecimenSet).filter_by(state="broken").count() == 0


def test_load_that_the_press_cannot_give_is_refused_by_position(waiting: SpecimenSet) -> None:
    press = SERVICES["presses"].add({"code": "P-1", "name": "Press", "capacity_kn": "2000"}, ACTOR)
    with pytest.raises(Refused, match=r"no\. 2: 4010 kN .* accepted: up to 2000 kN") as refusal:
        record_set(waiting.id, entry("424", "4010", "396", press_id=press.id), ACTOR)
    assert refusal.value.problems[0].field == "loads_kn"
    # The same goes for what comes in as a file; the largest load itself is possible.
    with pytest.raises(Refused, match="up to 2000 kN"):
        SetEntries(facts_of_sets([waiting.id])).check(
            waiting.id, entry("424", "2000.1", "396", press_id=press.id)
        )
    assert record_set(waiting.id, entry("2000", "2000", "2000", press_id=press.id), ACTOR).number == 1


def test_press_that_was_put_away_breaks_nothing_on_a_later_day(waiting: SpecimenSet) -> None:
    old, new = (SERVICES["presses"].add({"code": code, "name": "P"}, ACTOR).id for code in ("P-1", "P-2"))
    last = datetime.now(UTC) - timedelta(days=2)
    with transaction(ACTOR):
        SERVICES["presses"].retire(old, ACTOR).retired_at = last
    with pytest.raises(Refused, match=r"was put away on .*; accepted: a press in use") as refusal:
        record_set(waiting.id, entry("424", "401", "396", press_id=old), ACTOR)
    assert (refusal.value.problems[0].field, refusal.value.problems[0].value) == ("press_id", "P-1")
    # What it broke until then may come in later, and is corrected as it stands.
    then = {"press_id": old, "tested_at": last.isoformat()}
    assert record_set(waiting.id, entry("424", "401", "396", **then), ACTOR).number == 1
    assert correct_set(waiting.id, entry("424", "401", "397", press_id=old), 1, ACTOR, "slip").number == 2
    assert correct_set(waiting.id, entry("424", "401", "397", press_id=new), 2, ACTOR, "press").number == 3
    with pytest.raises(Refused, match="was put away on"):
        correct_set(waiting.id, entry("424", "401", "397", press_id=old), 3, ACTOR, "slip")


def test_who_corrects_an_entry_is_not_named_as_who_tested(waiting: SpecimenSet) -> None:
    record_set(waiting.id, entry("424", "401", "396", tested_by="Li Wei"), ACTOR)
    correct_set(waiting.id, entry("424", "401", "406"), 1, user_actor(9, "Manager"), "digit read wrong")
    assert {item.tested_by for item in current_session().query(Break)} == {"Li Wei"}


def test_full_width_digits_of_an_input_method_are_read_as_digits() -> None:
    assert entry("４２４", "401．5", " 396 ").loads_kn == (Decimal(424), Decimal("401.5"), Decimal(396))


def test_test_before_casting_or_in_the_future_is_refused(records: Flask) -> None:
    batch = a_batch("40")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    for moment in (batch.cast_at - timedelta(hours=1), datetime.now(UTC) + timedelta(days=1)):
        with pytest.raises(Refused) as refusal:
            record_set(waiting.id, entry("424", "401", "396", tested_at=moment.isoformat()), ACTOR)
        assert refusal.value.problems[0].field == "tested_at"


@pytest.mark.parametrize(("family", "within"), [("gb", False), ("en", None)])
def test_age_outside_its_tolerance_is_recorded_with_a_flag_where_the_code_states_one(
    records: Flask, monkeypatch: pytest.MonkeyPatch, family: str, within: bool | None
) -> None:
    facts = replace(laboratory(), code_family=family)  # EN 12390-3 has no tolerance of the age
    for module in ("lims.results.service", "lims.results.entry", "lims.trials.service"):
        monkeypatch.setattr(f"{module}.laboratory", lambda: facts)
    batch = a_batch("40", cast_at=(datetime.now(UTC) - timedelta(days=4)).isoformat())
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    (row,) = json.loads(due_entry([due_set(waiting.id)]))  # type: ignore[list-item]
    assert (row["due"] is None) is (within is None)
    assert bool(warnings_ahead(waiting, None)) is (within is False)
    record_set(waiting.id, entry("424", "401", "396"), ACTOR)
    assert {b.age_within for b in current_session().query(Break)} == {within}
    assert bool(entry_warnings(waiting.id)) is (within is False)


def test_unknown_set_is_not_found(records: Flask) -> None:
    with pytest.raises(NotFound):
        record_set(12345, entry("424", "401", "396"), ACTOR)


def entering(set_id: int, *entries: SetBreaksIn) -> list[Callable[[], int]]:
    """What each person does; gives the id of the result."""

    def one(given: SetBreaksIn) -> Callable[[], int]:
        return lambda: record_set(set_id, given, ACTOR).id

    return [one(given) for given in entries]


def test_same_entry_of_two_in_the_same_moment_is_one_result(
    records_on_both: Flask, waiting: SpecimenSet
) -> None:
    same = entry("400", "410", "420")
    first, second = at_once(records_on_both, waiting, *entering(waiting.id, same, same))
    assert first == second
    assert current_session().query(SetResult).count() == 1


def test_different_entries_of_two_in_the_same_moment_are_one_result_and_a_conflict_with_both_values(
    records_on_both: Flask, waiting: SpecimenSet
) -> None:
    entries = (entry("400", "410", "420"), entry("500", "510", "520"))
    told = at_once(records_on_both, waiting, *entering(waiting.id, *entries))
    (conflict,) = (one for one in told if isinstance(one, Conflict))
    values = {conflict.theirs["loads_kn"], conflict.yours["loads_kn"]}
    assert values == {"400, 410, 420", "500, 510, 520"}
    assert current_session().query(SetResult).count() == 1
