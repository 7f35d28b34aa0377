"""entered -> verified -> released -> retracted: the services refuse every other step, and so does the database."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from lims.base.actor import user_actor
from lims.base.database import current_session, transaction
from lims.base.problems import Refused
from lims.results.models import Break, SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import amend_set, plan_retest, record_set, release, result_of, retract, verify
from lims.results.triggers import NEXT_STATES
from lims.trials.models import SpecimenSet
from tests.factories import ACTOR, a_batch

CHECKER = user_actor(7, "Checker")


def entry(*loads: str) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(loads), "tested_at": datetime.now(UTC).isoformat()})


@pytest.fixture
def batch(records_on_both: Flask) -> Any:
    return a_batch("40", hold_sets="1")


def three_days(batch: Any) -> SpecimenSet:
    return next(item for item in batch.sets if item.age_days == 3)


def brought_to(batch: Any, state: str) -> SetResult:
    found = three_days(batch)
    result = result_of(found.id) or record_set(found.id, entry("424", "401", "396"), ACTOR)
    if state in {"verified", "released", "retracted"}:
        result = verify(found.id, CHECKER)
    if state in {"released", "retracted"}:
        result = release(found.id, CHECKER)
    if state == "retracted":
        result = retract(found.id, "wrong press", CHECKER)
    return result


@pytest.mark.parametrize(("before", "after"), list(product(NEXT_STATES, NEXT_STATES)))
def test_database_refuses_every_step_that_is_not_the_next_one(batch: Any, before: str, after: str) -> None:
    result = brought_to(batch, before)
    legal = after == before or after in NEXT_STATES[before]
    statement = text(
        "UPDATE set_results SET state = :state, verified_by = 'user:9', verified_at = created_at WHERE id = :id"
    )
    if legal and before != "retracted":
        with transaction(CHECKER) as session:
            session.execute(statement, {"state": after, "id": result.id})
    else:
        with pytest.raises(DatabaseError), transaction(CHECKER) as session:
            session.execute(statement, {"state": after, "id": result.id})


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE breaks SET load_kn = load_kn + 1",
        "UPDATE breaks SET tested_by = 'someone'",
        "DELETE FROM breaks",
        "UPDATE set_results SET strength_mpa = strength_mpa + 1",
        "UPDATE set_results SET basis = 'middle'",
        "DELETE FROM set_results",
        "UPDATE set_results SET state = 'verified', verified_by = created_by, verified_at = created_at",
        "UPDATE set_results SET state = 'verified', verified_at = created_at",
        "INSERT INTO set_results (id, specimen_set_id, number, rule_id, edition, basis, specimen_count, state, version,"
        " created_at, created_by, changed_at, changed_by) SELECT 999, specimen_set_id, 9, rule_id, edition, basis,"
        " specimen_count, 'released', 1, created_at, created_by, changed_at, changed_by FROM set_results",
    ],
)
def test_database_refuses_what_no_service_offers(batch: Any, statement: str) -> None:
    brought_to(batch, "entered")
    with pytest.raises(DatabaseError), transaction(ACTOR) as session:
        session.execute(text(statement))
    assert current_session().query(Break).count() == 3


def test_amended_result_is_verified_anew_and_every_value_stays(batch: Any) -> None:
    first = brought_to(batch, "released")
    found = three_days(batch)
    with pytest.raises(Refused, match="required"):
        amend_set(found.id, entry("424", "401", "390"), first.number, CHECKER, " ")
    second = amend_set(found.id, entry("424", "401", "390"), first.number, CHECKER, "load read wrongly")
    assert (second.number, second.state, second.reason) == (2, "entered", "load read wrongly")
    old = current_session().get(SetResult, first.id)
    assert old is not None
    assert (old.state, old.superseded_at is not None) == ("released", True)
    assert current_session().query(Break).count() == 6
    assert verify(found.id, ACTOR).state == "verified"


def test_retracted_result_counts_no_longer_and_a_held_set_takes_its_place(batch: Any) -> None:
    brought_to(batch, "released")
    found = three_days(batch)
    held = next(item for item in batch.sets if item.state == "held")
    result = retract(found.id, "capping failed", CHECKER, held_set_id=held.id, age_days=7)
    assert (result.state, result.retract_reason, result_of(found.id)) == ("retracted", "capping failed", None)
    assert (held.state, held.purpose, held.retest_of_id, held.age_days) == ("waiting", "retest", found.id, 7)
    with pytest.raises(Refused, match="waits to be broken"):
        record_set(found.id, entry("424", "401", "396"), ACTOR)


def test_retest_is_refused_while_a_result_counts_and_from_another_batch(batch: Any) -> None:
    brought_to(batch, "released")
    found = three_days(batch)
    held = next(item for item in batch.sets if item.state == "held")
    with pytest.raises(Refused, match="has a result"):
        plan_retest(found.id, held.id, 7, CHECKER)
    retract(found.id, "capping failed", CHECKER)
    from tests.factories import a_mix

    other = a_batch("40", mix=a_mix("C30-9"), hold_sets="1")
    strange = next(item for item in other.sets if item.state == "held")
    with pytest.raises(Refused, match="another batch"):
        plan_retest(found.id, strange.id, 7, CHECKER)
    assert strange.state == "held"


def test_retest_needs_a_retracted_result_without_a_retest_and_another_set_than_itself(
    records_on_both: Flask,
) -> None:
    batch = a_batch("40", hold_sets="2")
    found = three_days(batch)
    first, second = (item for item in batch.sets if item.state == "held")
    with pytest.raises(Refused, match="has no result that was retracted"):
        plan_retest(found.id, first.id, 7, CHECKER)  # it waits to be broken itself
    with pytest.raises(Refused, match="is the set itself"):
        plan_retest(first.id, first.id, 7, CHECKER)
    assert (first.state, first.retest_of_id) == ("held", None)
    brought_to(batch, "retracted")
    assert plan_retest(found.id, first.id, 7, CHECKER).retest_of_id == found.id
    with pytest.raises(Refused, match=f"has its retest already: {first.code}"):
        plan_retest(found.id, second.id, 7, CHECKER)
    assert (second.state, second.retest_of_id) == ("held", None)


def test_strengths_as_reported_wait_for_a_second_person_as_loads_do(batch: Any) -> None:
    found = three_days(batch)
    given = SetBreaksIn.read({"strengths_mpa": ["20", "40", "60"]})
    assert record_set(found.id, given, ACTOR).state == "entered"
    with pytest.raises(Refused, match="another person"):
        verify(found.id, ACTOR)
    assert verify(found.id, CHECKER).state == "verified"
    assert release(found.id, CHECKER).state == "released"
    amended = SetBreaksIn.read({"strengths_mpa": ["20", "40", "61"]})
    assert amend_set(found.id, amended, 1, CHECKER, "read wrongly").state == "entered"


def test_step_that_is_too_early_or_too_late_names_the_states_in_words(batch: Any) -> None:
    found = three_days(batch)
    for state, step, says in (
        (None, lambda: verify(found.id, CHECKER), "is Waiting; accepted: Entered"),
        ("entered", lambda: release(found.id, CHECKER), "is Entered; accepted: Verified"),
        (None, lambda: retract(found.id, "early", CHECKER), "is Entered; accepted: Released"),
        ("retracted", lambda: verify(found.id, CHECKER), "is Retracted; accepted: Entered"),
    ):
        if state is not None:
            brought_to(batch, state)
        with pytest.raises(Refused, match=says):
            step()


@pytest.mark.parametrize("state", ["entered", "verified"])
def test_only_a_released_result_is_retracted(batch: Any, state: str) -> None:
    brought_to(batch, state)
    with pytest.raises(Refused):
        retract(three_days(batch).id, "too early", CHECKER)


def test_200_double_submissions_give_200_results(records: Flask) -> None:
    sets = []
    mix = None
    for _number in range(4):
        made = a_batch("2500", mix=mix, plan_ages="3", cubic_metres_per_set="50")
        mix = made.mix_revision.mix_design
        sets += made.sets
    assert len(sets) == 200
    for found in sets:
        twice = entry("424", "401", "396")
        first = record_set(found.id, twice, ACTOR)
        again = record_set(found.id, twice, ACTOR)
        assert first.id == again.id
    assert current_session().query(SetResult).count() == 200
    assert current_session().query(Break).count() == 600
