"""Forecasts are made when a result comes in, stored with what they rest on, and never changed."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from lims.base.columns import utc_now
from lims.base.database import current_session, database
from lims.base.services import SERVICES
from lims.forecasts.history import Seen, mix_histories, recipe_histories
from lims.forecasts.models import Forecast
from lims.forecasts.quality import judged_forecasts, watched_lots
from lims.forecasts.service import StoredFits, _kept, forecast_pending, refresh_mix
from lims.results.due import DueSet, due_set
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, record_set, release, retract, verify
from lims.results.usual import usual_ranges
from lims.trials.models import SpecimenSet
from lims.web.mix_page import mix_context
from tests.factories import ACTOR, a_batch, a_forecast, a_mix
from tests.sharing.sheets import CHECKER

pytestmark = pytest.mark.usefixtures("records")


def entered(batch: Any, age: int, loads: tuple[str, str, str]) -> SpecimenSet:
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=age).one()
    tested_at = batch.cast_at + timedelta(days=age)
    record_set(
        waiting.id, SetBreaksIn.read({"loads_kn": list(loads), "tested_at": tested_at.isoformat()}), ACTOR
    )
    return waiting


def old_batch(mix: Any = None) -> Any:
    cast_at = datetime.now(UTC) - timedelta(days=60)
    return a_batch("40", mix=mix, cast_at=cast_at.isoformat())


def waiting_set(batch: Any, age_days: int) -> DueSet:
    items = (due_set(one.id) for one in batch.sets if one.age_days == age_days)
    (found,) = (item for item in items if item is not None)
    return found


def forecasts() -> list[Forecast]:
    return list(current_session().scalars(select(Forecast).order_by(Forecast.id)))


def test_break_at_3_d_brings_a_forecast_with_interval_and_chance_of_the_grade() -> None:
    batch = old_batch()
    entered(batch, 3, ("424", "401", "396"))
    forecast_pending()
    (found,) = forecasts()
    assert found.early_ages == "3"
    assert found.age_days == 28
    assert found.lower_90_mpa < found.lower_50_mpa < found.strength_mpa < found.upper_50_mpa
    assert found.upper_50_mpa < found.upper_90_mpa
    assert found.strength_mpa > Decimal("18.1")
    assert 0 < found.grade_probability < 1
    inputs = json.loads(found.inputs)
    assert inputs["breaks"] == [[3.0, 18.1, 3]]
    assert inputs["composition"]["cement_kg_m3"] == 350.0
    assert found.forecast_model.version_hash


def test_mix_that_is_given_another_grade_is_forecast_anew_if_it_was_before() -> None:
    designs = SERVICES["mix-designs"]

    def regraded(mix: Any, grade: str) -> None:
        designs.edit(mix.id, {"code": mix.code, "grade_mpa": grade}, mix.version, ACTOR)
        forecast_pending()

    mix = a_mix()
    regraded(mix, "20")
    assert forecasts() == []
    entered(old_batch(mix), 3, ("424", "401", "396"))
    forecast_pending()
    regraded(designs.get(mix.id), "20")
    regraded(designs.get(mix.id), "60")
    first, second = forecasts()
    assert (first.grade_mpa, second.grade_mpa) == (20, 60)
    assert second.grade_probability < first.grade_probability
    assert second.strength_mpa == first.strength_mpa


def test_batch_whose_curing_is_put_right_after_its_results_is_forecast_anew() -> None:
    batches = SERVICES["batches"]
    first = old_batch()
    second = old_batch(first.mix_revision.mix_design)
    entered(first, 3, ("424", "401", "396"))
    entered(second, 3, ("524", "501", "496"))
    forecast_pending()
    (both,) = forecasts()

    def cured(temperature: str) -> None:
        found = batches.get(second.id)
        given = {"curing": "standard", "curing_temperature_c": temperature}
        batches.edit(found.id, given, found.version, ACTOR)
        forecast_pending()

    cured("5")
    assert [json.loads(found.inputs)["breaks"] for found in forecasts()][1] == [[3.0, 18.1, 3]]
    cured("20")
    assert json.loads(forecasts()[2].inputs)["breaks"] == json.loads(both.inputs)["breaks"]
    cured("20")  # nothing of it changed
    assert len(forecasts()) == 3


def test_new_break_and_correction_add_forecasts_and_leave_the_old_ones() -> None:
    batch = old_batch()
    three = entered(batch, 3, ("424", "401", "396"))
    forecast_pending()
    entered(batch, 7, ("600", "610", "620"))
    forecast_pending()
    first, second = forecasts()
    assert second.early_ages == "3,7"
    assert second.title == "3, 7 → 28 d"  # closed up it reads as a decimal
    kept = (first.strength_mpa, first.inputs, first.created_at)
    corrected = SetBreaksIn.read(
        {
            "loads_kn": ["434", "421", "416"],
            "tested_at": (batch.cast_at + timedelta(days=3)).isoformat(),
        }
    )
    correct_set(three.id, corrected, 1, ACTOR, "misread")
    forecast_pending()
    assert len(forecasts()) == 3
    again = forecasts()[0]
    assert (again.strength_mpa, again.inputs, again.created_at) == kept


def test_entry_at_28_d_expects_the_latest_interval_of_the_mix_half_as_wide_again() -> None:
    """On both sides of it; an entry at another age, or of a mix without a forecast, expects nothing of it."""
    batch, other = old_batch(), a_batch("41", mix=a_mix("C30-nothing"))
    entered(batch, 3, ("424", "401", "396"))
    forecast_pending()
    entered(batch, 7, ("600", "610", "620"))
    forecast_pending()
    first, latest = forecasts()
    assert first.lower_90_mpa != latest.lower_90_mpa
    margin = (latest.upper_90_mpa - latest.lower_90_mpa) / 2
    at_28_d, others = (usual_ranges().of([waiting_set(one, 28)]) for one in (batch, other))
    ((low, high),) = at_28_d.values()
    assert (low, high) == pytest.approx(
        (float(max(0, latest.lower_90_mpa - margin)), float(latest.upper_90_mpa + margin))
    )
    assert others == {}
    again = old_batch(batch.mix_revision.mix_design)
    ((at_7_d_low, at_7_d_high),) = usual_ranges().of([waiting_set(again, 7)]).values()
    assert (at_7_d_low, at_7_d_high) == pytest.approx((600 / 22.5 * 0.6, 620 / 22.5 * 1.5), rel=0.05)


def test_28_day_result_does_not_leak_into_its_own_forecast() -> None:
    batch = old_batch()
    entered(batch, 3, ("424", "401", "396"))
    forecast_pending()
    entered(batch, 28, ("1500", "1510", "1520"))
    forecast_pending()
    (before,) = forecasts()
    entered(batch, 7, ("600", "610", "620"))
    forecast_pending()
    late = forecasts()[-1]
    assert (late.early_ages, late.held_out) == ("3,7", True)
    assert late.strength_mpa < before.upper_90_mpa


def revised(mix: Any, **masses: str) -> Any:
    SERVICES["mix-revisions"].add(
        {"mix_design_id": mix.id, "reason": "weaker", "coarse_aggregate_kg_m3": "1050", **masses}, ACTOR
    )
    return SERVICES["mix-designs"].get(mix.id)


def test_recipe_that_was_never_cast_does_not_stand_beside_results_of_another() -> None:
    mix = a_mix()
    entered(old_batch(mix), 28, ("900", "910", "920"))
    revised(mix, cement_kg_m3="250", water_kg_m3="185")
    assert mix_histories(mix.id)[mix.id].composition["cement_kg_m3"] == 350.0


@pytest.fixture
def read_by_a_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads no results is shown released ones alone: none of these."""
    monkeypatch.setattr("lims.web.mix_page.may", lambda *_what: True)


@pytest.mark.usefixtures("read_by_a_manager")
def test_new_recipe_is_forecast_from_its_own_breaks_and_judged_by_its_own_result() -> None:
    mix = a_mix()
    first = old_batch(mix)
    entered(first, 3, ("600", "610", "620"))
    forecast_pending()
    entered(first, 28, ("900", "910", "920"))
    assert [item.came_mpa for item in judged_forecasts()] == [pytest.approx(40.4)]
    assert mix_context(mix)["actual"] == pytest.approx(40.4)
    second = old_batch(revised(mix, cement_kg_m3="250", water_kg_m3="185"))
    entered(second, 3, ("300", "310", "320"))
    forecast_pending()
    now, former = recipe_histories(mix.id)[mix.id]
    assert [(b.age_days, b.strength_mpa) for b in now.breaks] == [(3.0, 13.8)]
    assert [b.age_days for b in former.breaks] == [3.0, 28.0]
    last = forecasts()[-1]
    assert (last.held_out, last.early_ages) == (False, "3")
    assert json.loads(last.inputs)["composition"]["cement_kg_m3"] == 250.0
    assert judged_forecasts() == []
    assert mix_context(mix)["actual"] is None
    entered(second, 28, ("600", "610", "620"))
    (judged,) = judged_forecasts()
    assert judged.came_mpa == pytest.approx(27.1)
    assert judged.said_mpa == float(last.strength_mpa)


def test_weaker_recipe_is_no_alarm_of_the_cement_lot_it_was_cast_with() -> None:
    product = SERVICES["cement-products"].add({"code": "PO", "name": "P.O 42.5"}, ACTOR)
    first, second, third = (
        SERVICES["cement-lots"].add({"code": code, "cement_product_id": product.id}, ACTOR).id
        for code in ("L1", "L2", "L3")
    )
    mix = a_mix()

    def cast(lot: int, load: str) -> None:
        cast_at = (datetime.now(UTC) - timedelta(days=60)).isoformat()
        batch = a_batch("40", mix=mix, cast_at=cast_at, cement_lot_id=lot, plan_ages="3")
        entered(batch, 3, (load,) * 3)

    for load in ("600", "610", "605"):
        cast(first, load)
    mix = revised(mix, cement_kg_m3="250", water_kg_m3="185")
    for load in ("300", "305", "310"):
        cast(second, load)
    assert watched_lots() == []
    cast(third, "304")
    (watched,) = watched_lots()
    assert (watched.lot, watched.sums.alarm) == ("L3", None)


@pytest.mark.usefixtures("read_by_a_manager")
def test_cylinders_and_cubes_of_one_mix_are_not_taken_together() -> None:
    mix = a_mix()
    entered(old_batch(mix), 28, ("900", "910", "920"))
    for _batch in range(2):
        entered(old_batch(mix), 7, ("600", "610", "620"))
    forecast_pending()
    entered(
        a_batch("40", mix=mix, cast_at=old_batch(mix).cast_at.isoformat(), shape="cylinder"), 28, ("500",) * 3
    )
    breaks = mix_histories(mix.id)[mix.id].breaks
    assert [(b.age_days, b.strength_mpa) for b in breaks] == [(7.0, 27.1), (28.0, 40.4)]
    assert [item.came_mpa for item in judged_forecasts()] == [pytest.approx(40.4)]
    page = mix_context(mix)
    assert page["actual"] == pytest.approx(40.4)
    drawn = [(row["age_days"], row["count"], round(row["mean"], 1)) for row in page["observed"]]
    assert drawn == [(7, 6, 27.1), (28, 3, 40.4)]


@pytest.mark.usefixtures("read_by_a_manager")
@pytest.mark.parametrize(("shape", "grade"), [("cube", 37), ("cylinder", 30)])
def test_chance_and_chart_of_a_class_of_two_numbers_are_of_the_shape_that_is_broken(
    shape: str, grade: int
) -> None:
    """Cylinders of C30/37 were held against 37 MPa, which is of its cubes."""
    mix = a_mix(strength_class="C30/37")
    cast_at = (datetime.now(UTC) - timedelta(days=60)).isoformat()
    entered(a_batch("40", mix=mix, cast_at=cast_at, shape=shape), 3, ("424", "401", "396"))
    forecast_pending()
    (said,) = forecasts()
    page = mix_context(mix)
    assert (said.grade_mpa, page["said_of_mpa"], page["chart"]["grade"]) == (grade, grade, grade)


def test_forecast_cannot_be_written_from_outside() -> None:
    assert SERVICES["forecasts"].writable is False
    assert SERVICES["forecast-models"].writable is False


def test_mix_without_breaks_is_forecast_from_its_composition_and_wider() -> None:
    mix = a_mix()
    alone = refresh_mix(mix.id, ACTOR)
    assert alone is not None
    assert alone.early_ages == ""
    batch = old_batch(mix)
    entered(batch, 7, ("600", "610", "620"))
    forecast_pending()
    seven = forecasts()[-1]
    assert (seven.upper_90_mpa / seven.lower_90_mpa) < (alone.upper_90_mpa / alone.lower_90_mpa)


def test_mix_cured_in_the_cold_is_not_forecast(records: Flask) -> None:
    mix = a_mix()
    batch = a_batch("40", mix=mix, curing="low_temperature", curing_temperature_c="5")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    record_set(
        waiting.id,
        SetBreaksIn.read(
            {"loads_kn": ["124", "101", "96"], "tested_at": (batch.cast_at + timedelta(days=3)).isoformat()}
        ),
        ACTOR,
    )
    forecast_pending()
    assert forecasts() == []


def test_forecast_rests_on_the_breaks_that_stand_when_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process corrects the entry while this one fits, and its forecast of the mix is stored first."""
    batch = old_batch()
    three = entered(batch, 3, ("424", "401", "396"))
    corrected = SetBreaksIn.read(
        {
            "loads_kn": ["524", "501", "496"],
            "tested_at": (batch.cast_at + timedelta(days=3)).isoformat(),
        }
    )
    fitted = StoredFits.stored

    def corrected_meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(StoredFits, "stored", fitted)
        found = fitted(*given)
        correct_set(three.id, corrected, 1, ACTOR, "misread")
        a_forecast(batch.mix_revision.mix_design_id)
        return found

    monkeypatch.setattr(StoredFits, "stored", corrected_meanwhile)
    forecast_pending()
    newest = max(forecasts(), key=lambda item: item.id)
    assert json.loads(newest.inputs)["breaks"] == [[3.0, 22.5, 3]]


def test_two_processes_that_fit_the_same_model_at_once_share_its_row(records_on_both: Flask) -> None:
    both, told = threading.Barrier(2), []
    sub: Any = SimpleNamespace(lab_names=(), keys=())

    @event.listens_for(database().engine, "before_cursor_execute")
    def _neither_has_found_one(connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if connection.dialect.name == "postgresql" and statement.startswith("INSERT INTO forecast_models"):
            both.wait(5)

    def keep() -> None:
        with records_on_both.app_context():
            told.append(_kept(sub, "3", "{}", ACTOR))

    processes = [threading.Thread(target=keep) for _process in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(told) == 2
    assert told[0] == told[1]  # whichever number: PostgreSQL takes one for who came second too


def test_result_that_is_taken_back_is_seen_though_a_clock_was_once_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_back = []
    for code in ("C30-1", "C30-2"):
        batch = old_batch(a_mix(code))
        taken_back.append((entered(batch, 3, ("424", "401", "396")), batch.mix_revision.mix_design_id))
        verify(taken_back[-1][0].id, CHECKER)
        release(taken_back[-1][0].id, CHECKER)
    (first, _mix_id), (second, mix_id) = taken_back
    with monkeypatch.context() as ahead:
        ahead.setattr("lims.results.service.utc_now", lambda: utc_now() + timedelta(days=365))
        retract(first.id, "mistaken", CHECKER)
    before = Seen.now()
    retract(second.id, "mistaken", CHECKER)
    assert mix_id in (Seen.now().changed_since(before) or ())


def test_results_that_are_taken_back_between_two_looks_are_all_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_back = []
    for code in ("C30-1", "C30-2"):
        batch = old_batch(a_mix(code))
        three = entered(batch, 3, ("424", "401", "396"))
        verify(three.id, CHECKER)
        release(three.id, CHECKER)
        taken_back.append((three.id, batch.mix_revision.mix_design_id))
    before = Seen.now()
    for number, (set_id, _mix_id) in enumerate(taken_back):
        with monkeypatch.context() as later:
            at = utc_now() - timedelta(minutes=20 - 10 * number)
            later.setattr("lims.results.service.utc_now", lambda at=at: at)
            retract(set_id, "mistaken", CHECKER)
    assert Seen.now().changed_since(before) == {mix_id for _set_id, mix_id in taken_back}


def test_what_is_put_right_is_not_learned_from_any_longer_in_any_process(records_on_both: Flask) -> None:
    batches, designs = SERVICES["batches"], SERVICES["mix-designs"]
    batch = old_batch()
    for age, loads in ((3, ("424", "401", "396")), (28, ("824", "801", "796"))):
        entered(batch, age, loads)
    mix = batch.mix_revision.mix_design
    elsewhere = StoredFits()
    assert [found.key for found in elsewhere.current().history] == [("own", str(mix.id))]

    found = batches.get(batch.id)
    batches.edit(found.id, {"curing": "standard", "curing_temperature_c": "5"}, found.version, ACTOR)
    assert elsewhere.current().history == []
    assert elsewhere.histories[mix.id].breaks == ()
    batches.edit(found.id, {"curing": "standard", "curing_temperature_c": "20"}, found.version, ACTOR)
    assert len(elsewhere.current().history) == 1

    designs.edit(mix.id, {"code": mix.code, "kind": "mortar"}, designs.get(mix.id).version, ACTOR)
    assert [found.lab for found in elsewhere.current().history] == ["own (mortar)"]
    last = elsewhere.current()
    slump = {"curing": "standard", "curing_temperature_c": "20", "slump_mm": "180"}
    batches.edit(found.id, slump, found.version, ACTOR)
    assert elsewhere.current() is last  # nothing that a strength rests on


def test_statement_that_fails_in_a_forecast_fails_neither_the_next_mix_nor_what_follows(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def failing(mix_id: int, _actor: Any) -> None:
        asked.append(current_session().scalar(text("SELECT 1")))
        current_session().execute(text("SELECT nothing FROM nowhere"))

    monkeypatch.setattr("lims.forecasts.service.refresh_mix", failing)
    current_session().info["forecast_mixes"] = {1, 2}
    forecast_pending()
    assert asked == [1, 1]
    assert current_session().scalar(text("SELECT 1")) == 1
