"""A batch and the sampling plan that it proposes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from flask import Flask

from lims.base.database import current_session, transaction
from lims.base.migration import alembic_config
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.trials.models import SpecimenSet
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_mix, a_trial


def test_120_cubic_metres_give_three_sets_of_three_at_each_age(records_on_both: Flask) -> None:
    batch = a_batch("120")
    sets = current_session().query(SpecimenSet).filter_by(batch_id=batch.id).all()
    assert sorted((s.age_days, s.number) for s in sets) == [(a, n) for a in (3, 7, 28) for n in (1, 2, 3)]
    assert all(len(s.specimens) == 3 for s in sets)
    codes = {specimen.code for s in sets for specimen in s.specimens}
    assert len(codes) == 27
    assert f"{batch.code}-03d-1A" in codes


def test_due_window_follows_the_tolerance_in_hours(records: Flask) -> None:
    batch = a_batch("40", cast_at="2026-03-28T10:00:00+01:00")
    three = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    assert three.due_at == datetime(2026, 3, 31, 9, 0, tzinfo=UTC)
    assert three.due_until - three.due_from == timedelta(hours=4)


def test_plan_can_be_changed_for_one_batch(records: Flask) -> None:
    batch = a_batch(
        "75", plan_ages="1, 28,56", cubic_metres_per_set="25", specimens_per_set="4", shape="cylinder"
    )
    sets = current_session().query(SpecimenSet).filter_by(batch_id=batch.id).all()
    assert {s.age_days for s in sets} == {1, 28, 56}
    assert len(sets) == 9
    assert all(len(s.specimens) == 4 for s in sets)


@pytest.mark.parametrize(
    ("change", "field", "accepted"),
    [
        ({"volume_m3": "0"}, "volume_m3", "above 0"),
        ({"volume_m3": "-5"}, "volume_m3", "above 0"),
        ({"volume_m3": "1.234,5"}, "volume_m3", "a number"),
        ({"volume_m3": "20000"}, "volume_m3", "up to 400 sets"),
        ({"plan_ages": "3,x"}, "plan_ages", "3,7,28"),
        ({"specimens_per_set": "2"}, "specimens_per_set", "from 3"),
        ({"specimens_per_set": "4"}, "specimens_per_set", "4 cubes; accepted: three"),
        ({"width_mm": "120"}, "width_mm", "100, 150 or 200 mm"),
        ({"cast_at": "2026-11-01T10:00:00"}, "cast_at", "+08:00"),
        ({"cast_at": "2126-11-01T10:00:00+08:00"}, "cast_at", "up to now"),
        ({"mix_revision_id": "77"}, "mix_revision_id", "no such record"),
        ({"shape": "pyramid"}, "shape", "cube"),
        ({"colour": "grey"}, "colour", "not a field"),
    ],
)
def test_bad_batch_is_refused_by_field_with_what_is_accepted_and_nothing_is_saved(
    records: Flask, change: dict[str, str], field: str, accepted: str
) -> None:
    mix, trial = a_mix(), a_trial()
    good = {
        "trial_id": trial.id,
        "mix_revision_id": mix.latest_revision_id,
        "cast_at": "2026-11-01T10:00:00+08:00",
        "volume_m3": "50",
    }
    with pytest.raises(Refused) as refusal:
        SERVICES["batches"].add({**good, **change}, ACTOR)
    assert field in [problem.field for problem in refusal.value.problems]
    assert accepted in str(refusal.value)
    assert current_session().query(SpecimenSet).count() == 0
    assert SERVICES["mix-revisions"].get(mix.latest_revision_id).frozen_at is None


def test_trial_numbers_run_on_and_a_blank_code_keeps_the_old_one(records: Flask) -> None:
    first, second = a_trial("One"), a_trial("Two")
    assert int(second.code[-4:]) == int(first.code[-4:]) + 1
    changed = SERVICES["trials"].edit(first.id, {"name": "One again"}, first.version, ACTOR)
    assert changed.code == first.code


def test_sets_that_were_due_at_an_instant_get_the_window_of_today_when_the_database_is_upgraded(
    records_on_both: Flask,
) -> None:
    batch = a_batch("40", plan_ages="14,28,56")
    sets = {found.age_days: found for found in batch.sets}
    windows = {age: (found.due_from, found.due_at, found.due_until) for age, found in sets.items()}
    with transaction(ACTOR) as session:
        for age in (14, 56):
            sets[age].due_from = sets[age].due_until = sets[age].due_at
        session.flush()
        migration = ScriptDirectory.from_config(alembic_config(None)).get_revision("0027").module
        with Operations.context(MigrationContext.configure(session.connection())):
            migration.upgrade()
    current_session().expire_all()
    assert {age: (found.due_from, found.due_at, found.due_until) for age, found in sets.items()} == windows


def test_batch_is_numbered_in_the_year_of_the_laboratorys_clock(records: Flask) -> None:
    mix = a_mix()
    # 23:59 and 00:00 in Shanghai, both on 31 December by UTC.
    codes = [a_batch(mix=mix, cast_at=f"2025-12-31T{time}+00:00").code for time in ("15:59", "16:00")]
    assert codes == ["B25-0001", "B26-0001"]


def test_batch_of_a_mix_without_a_recipe_is_refused(records: Flask) -> None:
    mix = SERVICES["mix-designs"].add({"code": "EMPTY", "strength_class": "C30"}, ACTOR)
    with pytest.raises(Refused, match="has no recipe") as refused:
        a_batch(mix=mix)
    assert [problem.field for problem in refused.value.problems] == ["mix_revision_id"]


def test_plan_that_is_shown_before_a_batch_is_saved_refuses_a_set_that_no_rule_judges(
    technician: Person,
) -> None:
    answer = technician.get("/batches/plan?volume_m3=40&specimens_per_set=2&shape=cylinder&width_mm=150")
    assert answer.status_code == 422
    (problem,) = answer.get_json()["problems"]
    assert problem["field"] == "specimens_per_set"
    assert problem["message"] == "2 is not accepted; accepted: a whole number from 3 to 30"
