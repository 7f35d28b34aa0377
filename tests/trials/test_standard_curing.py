"""Standard curing is one condition: the window of the laboratory's codes, for batches and statements alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.display import local_time
from lims.forecasts.history import LEARNED_FROM_C, mix_histories
from lims.forecasts.quality import Judged, by_month, judged_forecasts, watched_lots
from lims.laboratory.service import save_laboratory
from lims.materials.models import CementLot
from lims.reporting.schemas import SummaryFilters
from lims.reporting.statistics import grouped, result_rows
from lims.standards.register import REGISTER
from lims.standards.specimens import STANDARD_CURING_C
from lims.strength.history import STANDARD_CURING_FROM_C
from lims.strength.maturity import STANDARD_CURING_TO_C
from lims.trials.models import Batch, cured_as_standard, where_cured_as_standard
from lims.web.dashboard import _strength_chart, _strengths_by_month
from lims.web.mix_page import mix_context
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_mix
from tests.reporting.production import a_production, broken

TEMPERATURES = (None, "-20", "17.9", "18.0", "20", "20.9", "21.0", "22.0", "22.1", "25.0", "25.1", "60")
FACTS = {
    "name": "L", "timezone": "Asia/Shanghai", "language": "en", "plan_ages": "3,7,28"
}  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "standard"),
    [
        ("gb", {None, "18.0", "20", "20.9", "21.0", "22.0"}),  # GB/T 50081-2019: 20 +- 2
        ("en", {None, "18.0", "20", "20.9", "21.0", "22.0"}),  # EN 12390-2: 20 +- 2
        ("astm", {None, "21.0", "22.0", "22.1", "25.0"}),  # ASTM C511: 23 +- 2
    ],
)
def test_standard_curing_is_the_window_of_the_laboratorys_codes(
    records_on_both: Flask, codes: str, standard: set[str | None]
) -> None:
    save_laboratory({**FACTS, "code_family": codes}, ACTOR)
    mix = a_mix()
    made = {t: a_batch(mix=mix, curing_temperature_c=t or "") for t in TEMPERATURES}
    steamed = a_batch(mix=mix, curing="steam", curing_temperature_c="22")
    assert {t for t, batch in made.items() if batch.standard_curing} == standard
    assert not steamed.standard_curing
    found = set(current_session().scalars(select(Batch.id).where(where_cured_as_standard())))
    assert found == {batch.id for batch in made.values() if batch.standard_curing}


def test_the_curing_of_gbt50081_4_4_has_one_limit() -> None:
    low, high = STANDARD_CURING_C["gbt50081-2019"]
    rule = REGISTER.by_id["gbt50081-2019/curing"]
    for temperature, within in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        answer = rule.evaluate({"temperature_c": f"{temperature}", "relative_humidity_percent": "95"})
        assert answer["standard"] is within is cured_as_standard("standard", temperature, (low, high))


def test_the_model_learns_from_what_one_of_the_codes_calls_standard() -> None:
    assert tuple(map(float, LEARNED_FROM_C)) == (STANDARD_CURING_FROM_C, STANDARD_CURING_TO_C)


@pytest.mark.parametrize("temperature", ["5", "40"])
def test_a_set_cured_cold_or_hot_stands_for_the_mix_nowhere(records: Flask, temperature: str) -> None:
    kept, other = a_production(["40", "60"], first=utc_now() - timedelta(days=40))
    with transaction(ACTOR, "curing"):
        other.curing_temperature_c = Decimal(temperature)
    (group,) = grouped(result_rows(SummaryFilters.read({"released": "true"})), "grade")
    assert (group.n, group.left_out, group.mean_mpa) == (1, 1, Decimal("40.0"))
    assert [(int(n), total) for _month, _grade, n, total, *_of_what in _strengths_by_month()] == [
        (1, Decimal("40.0"))
    ]
    mix_id = kept.mix_revision.mix_design_id
    assert mix_histories(mix_id)[mix_id].breaks[0].strength_mpa == 40.0


def test_a_forecast_is_not_wrong_for_a_set_that_was_cured_cold(season: None) -> None:
    (before,) = judged_forecasts()
    mix = current_session().scalars(select(Batch).order_by(Batch.id)).first().mix_revision
    cold = a_batch(
        mix=mix.mix_design, cast_at=(utc_now() - timedelta(days=40)).isoformat(), curing_temperature_c="4",
        plan_ages="28",
    )  # fmt: skip
    broken(cold, "12")
    (after,) = judged_forecasts()
    assert after.came_mpa == before.came_mpa
    page = mix_context(mix.mix_design)
    assert page["actual"] == pytest.approx(before.came_mpa)
    assert not page["standard_curing"]  # and the page says so


def test_mix_that_was_only_cured_cold_says_why_it_has_no_forecast(app: Flask, technician: Person) -> None:
    with app.app_context():
        cast_at = (utc_now() - timedelta(days=4)).isoformat()
        batch = a_batch("40", cast_at=cast_at, curing_temperature_c="4", plan_ages="3")
        broken(batch, "12", age_days=3)
        address = f"/mix-designs/{batch.mix_revision.mix_design_id}"
        database().session.remove()
    page = technician.get(address).get_data(as_text=True)
    assert "none of its batches was cured as standard (18 to 25 °C)" in page
    assert "A forecast appears when the first breaks are entered." not in page


def test_cold_sets_raise_no_alarm_on_their_cement_lot(season: None) -> None:
    lot = current_session().scalars(select(CementLot).where(CementLot.code == "P004")).one()
    assert {item.lot for item in watched_lots() if item.sums.alarm} == {"P004"}
    with transaction(ACTOR, "curing"):
        for batch in current_session().scalars(select(Batch).where(Batch.cement_lot_id == lot.id)):
            batch.curing_temperature_c = Decimal(6)
    assert not [item.lot for item in watched_lots() if item.sums.alarm]


def strength_chart_as_seen(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """The manager's panel of strengths by month, and the lines of its chart."""
    monkeypatch.setattr("lims.web.dashboard.may", lambda *_what: True)
    monkeypatch.setattr("lims.web.dashboard.address", lambda *_where: "")
    panel = _strength_chart()
    assert panel is not None
    assert panel.chart is not None
    return panel, panel.chart["series"]


@pytest.mark.usefixtures("records_on_both")
def test_cylinders_are_a_line_of_their_own_on_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    first = utc_now() - timedelta(days=60)
    (cube,) = a_production(["40"], first=first)
    cast = {"plan_ages": "28", "cast_at": first.isoformat()}
    mix = SimpleNamespace(latest_revision_id=cube.mix_revision_id)
    for shape, strength in (("cube", "44"), ("cylinder", "30")):
        broken(a_batch("40", mix=mix, shape=shape, **cast), strength)
    panel, lines = strength_chart_as_seen(monkeypatch)
    assert [(line["name"], line["data"]) for line in lines] == [
        ("C30", [42.0]), ("C30 · Cylinder", [38.2])
    ]  # fmt: skip
    assert panel.rows[0][1:] == ["42.0 (n = 2)", "38.2 (n = 1)"]


@pytest.mark.usefixtures("records_on_both")
def test_mortars_shotcrete_and_classes_of_two_numbers_stand_on_the_dashboard_as_in_the_summary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cast = {"plan_ages": "28", "cast_at": (utc_now() - timedelta(days=60)).isoformat()}
    mortar = a_mix("M30-1", kind="mortar", strength_class="", grade_mpa="30")
    for mix, shape, strength in (
        (a_mix(), "cube", "38"),
        (mortar, "cube", "34"),
        (a_mix("C37-1", strength_class="C30/37"), "cylinder", "29"),
        (a_mix("S30-1", kind="shotcrete"), "cube", "33"),
    ):
        broken(a_batch("40", mix=mix, shape=shape, **cast), strength)
    _panel, lines = strength_chart_as_seen(monkeypatch)
    # Of C30/37 cylinders are held against 30, cubes against 37.
    assert [(line["name"], line["data"]) for line in lines] == [
        ("C30", [38.0]), ("C30 · Shotcrete", [33.0]), ("C30 · Cylinder", [36.9]), ("M30", [34.0])
    ]  # fmt: skip
    summary = {group.grade_mpa for group in grouped(result_rows(SummaryFilters.read({})), "grade")}
    assert summary == {Decimal(30)}


def test_mean_of_a_month_is_rounded_half_to_even_on_the_dashboard_as_in_the_summary(
    records: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(38.4 + 38.5) / 2 = 38.45 MPa, which a binary fraction would take to 38.5."""
    a_production(["38.4", "38.5"], first=(utc_now() - timedelta(days=50)).replace(day=5))
    panel, lines = strength_chart_as_seen(monkeypatch)
    (line,) = lines
    assert line["data"] == [38.4]
    assert panel.rows[0][1] == "38.4 (n = 2)"
    (group,) = grouped(result_rows(SummaryFilters.read({})), "grade")
    assert f"{group.mean_mpa:.1f}" == "38.4"


def test_months_are_the_laboratorys_on_the_dashboard(records_on_both: Flask) -> None:
    """17:00 UTC of a month's last day is the next month's first in Shanghai."""
    first = local_time(utc_now()).replace(day=1, hour=1, minute=0, second=0, microsecond=0)
    first = (first - timedelta(days=40)).replace(day=1)
    a_production(["40", "42"], first=first.astimezone(UTC))  # 01:00 there, the evening before in UTC
    a_production(["30"], code="C30-Q", first=(first - timedelta(hours=2)).astimezone(UTC))
    found = {month: int(n) for month, _grade, n, *_of_what in _strengths_by_month()}
    assert found == {f"{first:%Y-%m}": 2, f"{first - timedelta(hours=2):%Y-%m}": 1}


def test_months_are_the_laboratorys_in_the_figures_of_forecasts(records: Flask) -> None:
    evening = datetime(2026, 4, 30, 17, 0, tzinfo=UTC)
    items = [Judged(i, f"M{i}", "3", 30, 31, True, True, 10, "L", "C", "", evening) for i in range(6)]
    assert [item.name for item in by_month(items)] == ["2026-05"]
