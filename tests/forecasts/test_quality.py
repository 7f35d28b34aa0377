"""Figures of stored forecasts, and lots watched from their early breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER, SALES
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.forecasts.new_customer import NewMixIn, outlook
from lims.forecasts.quality import Judged, figures, grouped, judged_forecasts, watched_lots
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_forecast, a_mix
from tests.sharing.sheets import CHECKER


def judged(i: int, said: float, came: float, ages: str = "3") -> Judged:
    return Judged(
        i,
        f"M{i}",
        ages,
        said,
        came,
        abs(said - came) < 2,
        abs(said - came) < 5,
        10.0,
        "L",
        "C",
        "",
        datetime(2026, 5, 4, tzinfo=UTC),
    )


def test_page_names_ages_as_ages_no_age_as_the_composition_and_a_laboratory_as_it_is_called(
    monkeypatch: pytest.MonkeyPatch, sign_in_as: Callable[[str], Person]
) -> None:
    items = [judged(i, 30.0 + i, 29.0 + i, ages) for ages in ("", "3,7") for i in range(5)]
    named = [replace(item, laboratory="Yeh,1998") for item in items]
    monkeypatch.setattr("lims.forecasts.views.judged_forecasts", lambda: named)
    page = sign_in_as(MANAGER).get("/forecast-quality/?ages=3,7").get_data(as_text=True)
    names = re.findall(r'<td data-label="[^"]*" class="fw-medium">([^<]*)</td>', page)
    assert names[:3] == ["composition alone", "3, 7", "Yeh,1998"]


def test_half_a_tenth_reads_among_the_misses_as_on_the_page_of_the_mix(
    monkeypatch: pytest.MonkeyPatch, sign_in_as: Callable[[str], Person]
) -> None:
    """38.45 MPa is 38.4 and 38.55 is 38.6, half to even; as binary fractions both would be 38.5."""
    items = [judged(i, 38.45, 38.55) for i in range(5)]
    monkeypatch.setattr("lims.forecasts.views.judged_forecasts", lambda: items)
    page = sign_in_as(MANAGER).get("/forecast-quality/").get_data(as_text=True)
    assert set(re.findall(r'data-label="Said, MPa">([^<]*)<', page)) == {"38.4"}
    assert set(re.findall(r'data-label="Came, MPa">([^<]*)<', page)) == {"38.6"}


def test_figures_count_error_bias_and_coverage_as_stored() -> None:
    items = [judged(i, 30.0 + i, 30.0 + i - 1) for i in range(10)]
    found = figures("all", items)
    assert found is not None
    assert (found.n, found.coverage_50_percent, found.coverage_90_percent) == (10, 100, 100)
    assert found.bias_percent > 0
    assert found.mape_percent == pytest.approx(found.bias_percent)
    assert found.informative


def test_figures_are_those_of_a_calculation_by_hand() -> None:
    said, came = [44.0, 45.0, 20.0, 33.0, 60.0], [40.0, 50.0, 20.0, 30.0, 60.0]
    found = figures("five", [judged(i, s, c) for i, (s, c) in enumerate(zip(said, came, strict=True))])
    assert found is not None
    assert found.mape_percent == pytest.approx((10 + 10 + 0 + 10 + 0) / 5)
    assert found.bias_percent == pytest.approx((10 - 10 + 0 + 10 + 0) / 5)
    assert (found.coverage_50_percent, found.coverage_90_percent) == (40.0, 80.0)
    assert found.width_90_mpa == 10.0
    # Off by 4, 5, 0, 3 and 0; the means of the other four, 40, 37.5, 45, 42.5 and 35, by 0, 12.5, 25, 12.5 and 25.
    assert found.skill == pytest.approx(1 - 12 / 75)


@pytest.mark.parametrize(("held", "kept"), [(81, True), (80, False), (99, True), (100, False)])
def test_interval_keeps_its_word_within_what_a_hundred_cases_can_tell(held: int, kept: bool) -> None:
    found = figures("all", [judged(i, 40.0 if i < held else 60.0, 40.0 + i % 2) for i in range(100)])
    assert found is not None
    assert found.coverage_90_percent == held
    assert found.keeps_its_word is kept


def test_forecast_worse_than_the_running_mean_says_so() -> None:
    came = [40, 41, 39, 40, 41, 40, 39, 40]
    said = [50, 30, 52, 29, 51, 31, 50, 30]
    found = figures(
        "bad", [judged(i, float(s), float(c)) for i, (s, c) in enumerate(zip(said, came, strict=True))]
    )
    assert found is not None
    assert not found.informative
    assert not found.keeps_its_word


def test_small_and_nameless_groups_are_left_out() -> None:
    items = [judged(i, 30, 31) for i in range(4)]
    assert figures("few", items) is None
    assert grouped(items * 3, lambda item: item.region) == []


def test_weak_lot_alarms_at_its_3_day_sets_and_the_others_do_not(season: None) -> None:
    watched = {item.lot: item for item in watched_lots()}
    assert watched["P004"].sums.alarm is not None
    assert watched["P004"].sums.alarm[1] == "low"
    assert watched["P004"].days_early == 25
    assert all(watched[lot].sums.alarm is None for lot in ("P002", "P003"))


def test_newest_forecast_of_a_mix_is_judged_by_the_mean_of_its_results(season: None) -> None:
    (found,) = judged_forecasts()
    assert found.mix_code == "C30-P"
    assert found.cement == "P.O 42.5"
    assert found.region == "Region"
    assert 35 < found.came_mpa < 42
    assert abs(found.error_percent) < 25


def test_new_mix_gets_a_forecast_and_the_nearest_trial_and_stores_nothing(season: None) -> None:
    before = SERVICES["forecasts"].page().total
    asked = NewMixIn.read(
        {
            "cement_kg_m3": "305",
            "fly_ash_kg_m3": "68",
            "water_kg_m3": "171",
            "grade_mpa": "30",
            "strength_3d_mpa": "18",
        }
    )
    found = outlook(asked, "own")
    assert found.forecast.strength_mpa is not None
    assert found.forecast.early_ages == (3.0,)
    assert found.forecast.p_grade is not None
    assert [item.mix.code for item in found.near] == ["C30-P"]
    assert SERVICES["forecasts"].page().total == before


def test_who_reads_no_results_is_told_of_released_ones_alone(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        mix = a_mix()
        batch = a_batch("40", mix=mix, cast_at=(datetime.now(UTC) - timedelta(days=60)).isoformat())
        sets = {one.age_days: one.id for one in batch.sets}
        for age, loads in ((3, ("424", "401", "396")), (28, ("870", "884", "861"))):
            tested_at = (batch.cast_at + timedelta(days=age)).isoformat()
            record_set(sets[age], SetBreaksIn.read({"loads_kn": loads, "tested_at": tested_at}), ACTOR)
        verify(sets[3], CHECKER)
        release(sets[3], CHECKER)
        verify(sets[28], CHECKER)
        current_session().info.pop("forecast_mixes", None)
        said = {
            "lower_90_mpa": 30,
            "lower_50_mpa": 33,
            "strength_mpa": 35,
            "upper_50_mpa": 37,
            "upper_90_mpa": 40,
        }
        a_forecast(mix.id, **{name: Decimal(mpa) for name, mpa in said.items()})
    asked = "/new-customer/?cement_kg_m3=350&water_kg_m3=175&go=1"

    def near(role: str) -> list[bool]:
        page = sign_in_as(role).get(asked).get_data(as_text=True)
        return [f">{mpa}</td>" in page for mpa in ("18.1", "38.7")]

    def judged_by(role: str) -> list[str]:
        page = sign_in_as(role).get("/forecast-quality/").get_data(as_text=True)
        return re.findall(r"(\d+) stored forecasts whose 28-day result is known", page)

    assert near(MANAGER) == [True, True]
    assert near(SALES) == [True, False]
    assert judged_by(MANAGER) == ["1"]
    assert judged_by(SALES) == ["0"]
    with app.app_context():
        release(sets[28], CHECKER)
    assert near(SALES) == [True, True]
    assert judged_by(SALES) == ["1"]


def test_new_mix_without_water_is_refused(records: Flask) -> None:
    with pytest.raises(Refused, match="cement and water"):
        NewMixIn.read({"cement_kg_m3": "300"})


def test_new_customer_of_an_unknown_region_falls_back_to_all_trials(season: None) -> None:
    region = SERVICES["regions"].add({"code": "R2", "name": "Elsewhere"}, ACTOR)
    asked = NewMixIn.read({"cement_kg_m3": "305", "water_kg_m3": "171", "region_id": str(region.id)})
    found = outlook(asked, "own")
    assert not found.narrowed
    assert found.near


def test_old_batches_are_due_in_the_past(season: None) -> None:
    from lims.results.due import due_sets

    assert due_sets() == []
