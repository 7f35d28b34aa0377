"""Groups and verdicts of a summary: the worked answers of the codes, each with its rule and edition."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from lims.base.database import transaction
from lims.base.laboratory import laboratory
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.forecasts.models import Forecast
from lims.mixes.service import MixDesignService
from lims.reporting.control import addresses_of, charted, names_of, series_of
from lims.reporting.schemas import SummaryFilters
from lims.reporting.statistics import (
    by_month,
    group_of,
    grouped,
    result_rows,
    verdicts_on,
    with_forecasts,
)
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, retract
from lims.rules.service import compare, rule_of
from tests.factories import ACTOR, RECIPE, a_batch, a_customer, a_mix
from tests.reporting.production import ACCEPTED, REJECTED, a_production, broken, load_of, set_of
from tests.sharing.sheets import a_forecast

pytestmark = pytest.mark.usefixtures("records_on_both")


def filters(**given: Any) -> SummaryFilters:
    return SummaryFilters.read({"released": "true", **given})


def one_group(**given: Any) -> Any:
    (group,) = grouped(result_rows(filters(**given)), "grade")
    return group


def test_worked_answer_of_gbt_50107_is_accepted_with_its_rule_and_edition() -> None:
    a_production(ACCEPTED)
    group = one_group()
    assert (group.name, group.n, group.left_out) == ("C30", 10, 0)
    assert group.mean_mpa == Decimal("38.43")
    assert round(group.deviation_mpa, 3) == Decimal("2.199")
    assert (group.least_mpa, group.most_mpa) == (Decimal("35.2"), Decimal("43.1"))
    assert (round(group.variation_percent, 2), group.grade_percent) == (Decimal("5.72"), Decimal("128.1"))
    verdict = group.verdicts["gb"]
    assert verdict.accepted is True
    assert (verdict.rule_id, verdict.edition) == ("gbt50107-2010/lot", "2010")
    assert verdict.method == "statistical-unknown"
    assert [check["limit"] for check in verdict.checks] == ["32.875", "27"]


@pytest.mark.parametrize(("family", "off_age"), [("gb", 1), ("en", 0)])
def test_sets_broken_outside_the_tolerance_of_their_age_count_and_are_told(
    monkeypatch: pytest.MonkeyPatch, family: str, off_age: int
) -> None:
    batches = a_production(ACCEPTED[:3], state="entered")
    late = set_of(batches[1])
    assert late.due_until is not None
    entry = SetBreaksIn.read(
        {
            "loads_kn": [load_of("40.3")] * 3,
            "tested_at": (late.due_until + timedelta(hours=3)).isoformat(),
        }
    )
    correct_set(late.id, entry, 1, ACTOR, "the clock of the press was wrong")
    facts = replace(laboratory(), code_family=family)  # EN 12390-3 states no tolerance: none is told
    monkeypatch.setattr("lims.reporting.statistics.laboratory", lambda: facts)
    rows = list(result_rows(filters(released="false")))
    assert [row.off_age for row in rows] == [False, bool(off_age), False]
    group = group_of("C30", rows)
    assert (group.n, group.left_out, group.off_age) == (3, 0, off_age)


def test_worked_answer_of_gbt_50107_is_rejected() -> None:
    a_production(REJECTED)
    group = one_group()
    assert group.verdicts["gb"].accepted is False
    assert group.verdicts["en"].accepted is False


def test_each_verdict_says_why_it_cannot_judge() -> None:
    few = verdicts_on(Decimal(30), 28, [Decimal(40), Decimal(41)])
    assert few["gb"].accepted is True  # non-statistical from one set on
    assert few["aci"].accepted is None
    assert "3" in few["aci"].why
    assert few["en"].accepted is None
    no_grade = verdicts_on(None, 28, [Decimal(40)] * 40)
    assert {item.accepted for item in no_grade.values()} == {None}
    early = verdicts_on(Decimal(30), 7, [Decimal(40)] * 40)
    assert all("28" in item.why for item in early.values())
    odd_grade = verdicts_on(Decimal(32), 28, [Decimal(40)] * 10)
    assert odd_grade["gb"].accepted is None
    assert "grade" in odd_grade["gb"].why


def test_en_206_judges_groups_of_three_before_it_knows_its_own_deviation() -> None:
    good = [Decimal(36)] * 34
    initial = verdicts_on(Decimal(30), 28, good)["en"]
    assert initial.rule_id == "en206/initial"
    assert initial.accepted is True
    bad = [*good[:30], Decimal("25.9"), *good[:3]]
    assert verdicts_on(Decimal(30), 28, bad)["en"].accepted is False
    continuous = verdicts_on(Decimal(30), 28, [Decimal(36)] * 35)["en"]
    assert (continuous.rule_id, continuous.accepted) == ("en206/continuous", True)


@pytest.mark.parametrize("at", [*range(8)])
def test_en_206_holds_each_single_result_against_fck_less_4_in_a_group_or_not(at: int) -> None:
    strengths = [Decimal(35)] * 8
    kept = verdicts_on(Decimal(30), 28, strengths)["en"]
    assert kept.accepted is True
    assert "2 groups" in kept.method
    assert kept.method.endswith("outside a group: 2")
    strengths[at] = Decimal(15)
    broken = verdicts_on(Decimal(30), 28, strengths)["en"]
    assert broken.accepted is False
    assert broken.checks[-1] == {
        "name": "each >= fck - 4", "value": "15", "relation": ">=", "limit": "26", "passed": False
    }  # fmt: skip


def test_en_206_refuses_a_single_result_below_fck_less_4_before_there_is_a_group() -> None:
    (check,) = (found := verdicts_on(Decimal(30), 28, [Decimal("25.9")])["en"]).checks
    assert (found.accepted, check["limit"]) == (False, "26")
    assert verdicts_on(Decimal(30), 28, [Decimal(26)])["en"].accepted is None  # exactly fck - 4 is kept


def test_control_class_of_aci_214_needs_fifteen_tests() -> None:
    a_production(("38", "40") * 7, code="C30-A")
    assert one_group().control == ""
    a_production(("38", "40"), code="C30-B")
    assert one_group().control == "excellent"


def test_control_class_above_34_5_mpa_is_by_the_coefficient_of_variation() -> None:
    a_production(("38",))
    row = replace(*result_rows(filters()), grade_mpa=Decimal(60))
    rows = [replace(row, strength_mpa=Decimal(value)) for value in (66, 76) * 8]
    assert group_of("C60", rows).control == "very good"  # 5.16 MPa, poor of a C30, is 7.3 % of 71 MPa
    assert group_of("C30", [replace(item, grade_mpa=Decimal(30)) for item in rows]).control == "poor"


def test_unreleased_results_are_left_out_unless_asked_for() -> None:
    a_production(("38", "39", "40"), code="C30-A")
    a_production(("50", "51", "52"), code="C30-B", state="verified")
    assert one_group().n == 3
    assert one_group(released="false").n == 6


def test_retracted_result_counts_no_more() -> None:
    batches = a_production(("38", "39", "40"))
    retract(set_of(batches[0]).id, "wrong press", ACTOR)
    assert one_group().n == 2
    assert one_group(released="false").n == 2


def test_period_is_by_the_laboratorys_clock_and_inclusive() -> None:
    # Broken at 17:00 UTC on 1 March: in Shanghai that is 01:00 on 2 March.
    a_production(("38",), first=datetime(2026, 2, 1, 17, 0, tzinfo=UTC))
    assert [row.strength_mpa for row in result_rows(filters(since="2026-03-02", until="2026-03-02"))] == [
        Decimal("38")
    ]
    assert list(result_rows(filters(until="2026-03-01"))) == []
    assert list(result_rows(filters(since="2026-03-03"))) == []


def test_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(Refused, match="ends before it begins"):
        filters(since="2026-03-02", until="2026-03-01")


def test_groups_by_customer_region_and_cement_hold_one_grade_each() -> None:
    region = SERVICES["regions"].add({"code": "R-1", "name": "西南"}, ACTOR)
    customer = SERVICES["customers"].add({"code": "K-1", "name": "江北"}, ACTOR)
    cement = SERVICES["cement-products"].add(
        {"code": "PO425", "name": "P.O 42.5", "cement_type": "P.O", "strength_class": "42.5"}, ACTOR
    )
    names = {"region_id": region.id, "customer_id": customer.id, "cement_product_id": cement.id}
    a_production(("38", "39", "40"), **names)
    a_production(("48", "49", "50"), code="C40-P", grade="C40", **names)
    a_production(("30",), code="C25-P", grade="C25")
    rows = list(result_rows(filters()))
    assert [(g.name, g.grade, g.n) for g in grouped(rows, "customer")] == [
        ("江北", "C30", 3),
        ("江北", "C40", 3),
        ("", "C25", 1),
    ]
    assert [g.name for g in grouped(rows, "region")] == ["西南", "西南", ""]
    assert [g.name for g in grouped(rows, "cement")][:1] == ["PO425 P.O 42.5"]
    assert [row.mix for row in result_rows(filters(grade_mpa="40"))] == ["C40-P"] * 3
    assert len(list(result_rows(filters(customer_id=customer.id, region_id=region.id)))) == 6


def test_customers_of_one_name_lots_of_one_number_and_mixes_of_one_code_are_kept_apart() -> None:
    for number in (1, 2):
        customer = a_customer(f"K-{number}", name="North Mixing")
        product = SERVICES["cement-products"].add({"code": f"P{number}", "name": "Cement"}, ACTOR)
        lot = SERVICES["cement-lots"].add({"code": "L-1", "cement_product_id": product.id}, ACTOR)
        recipe = {"code": "C30-1", "strength_class": "C30", **RECIPE}
        mix = MixDesignService().add_history(recipe, "Else", ACTOR) if number == 2 else a_mix()
        cast = {"plan_ages": "28", "cast_at": "2026-01-05T02:00:00+00:00"}
        batch = a_batch("40", mix=mix, cement_lot_id=lot.id, **cast)
        with transaction(ACTOR):
            batch.trial.customer_id = customer.id
        broken(batch, "38.9")
    rows = list(result_rows(SummaryFilters()))
    assert [(group.name, group.n) for group in grouped(rows, "customer")] == [("North Mixing", 1)] * 2
    assert [group.name for group in grouped(rows, "lot")] == ["P1:L-1", "P2:L-1"]
    assert [group.name for group in grouped(rows, "mix")] == ["C30-1", "Else: C30-1"]


def test_months_are_those_of_testing() -> None:
    a_production(ACCEPTED[:4], first=datetime(2026, 1, 2, 2, 0, tzinfo=UTC))
    months = by_month(result_rows(filters()))
    # Cast 2 to 5 January, broken 30 January to 2 February.
    assert [(month.name, month.n) for month in months] == [("2026-01", 2), ("2026-02", 2)]
    assert months[0].mean_mpa == Decimal("39.6")
    assert round(months[0].deviation_mpa or 0, 4) == Decimal(
        "0.9899"
    )  # of 38.9 and 40.3, one less than there are
    assert date.fromisoformat(months[0].name + "-01").month == 1


def test_series_of_a_grade_has_limits_groups_sums_and_signals() -> None:
    a_production((*["38", "39"] * 6, "30", "29", "30", "29"))
    rows = charted(list(result_rows(filters())), None)
    assert names_of(rows, "grade") == [("C30", 16)]
    series = series_of("C30", rows, "grade", Decimal("38.5"))
    assert series is not None
    assert len(series.groups) == 4
    assert series.groups[-1].mean == Decimal("29.5")
    assert series.means[3] == Decimal("38.5")
    assert series.sums is not None
    assert series.sums.signal == "low"
    assert any("below" in word for number in range(13, 17) for word in series.signals_at(number))
    told = [at for at in range(1, 17) if "the cumulative sum below passes h" in series.signals_at(at)]
    assert told == [series.sums.signal_at]
    assert series_of("C30", rows[:2], "grade") is None


def test_chart_of_results_that_scatter_beyond_all_sense_is_drawn() -> None:
    """Somebody typed them, so that somebody must see them: the page ended in an error of the server."""
    a_production(("299", "1") * 3)
    series = series_of("C30", charted(list(result_rows(filters())), None), "grade")
    assert series is not None
    assert series.sums is not None
    assert series.chart.sigma > 100


def test_cylinders_are_put_together_with_no_cubes_nor_judged_as_cubes() -> None:
    batches = a_production(("38", "39", "40"))
    mix = batches[0].mix_revision
    cast = {"plan_ages": "28", "shape": "cylinder", "cast_at": "2026-01-05T02:00:00+00:00"}
    broken(a_batch("40", mix=SimpleNamespace(latest_revision_id=mix.id), **cast), "31")
    a_forecast(mix.mix_design)
    with transaction(ACTOR) as session:
        for forecast in session.query(Forecast):
            forecast.held_out = True
    rows = with_forecasts(result_rows(filters()))
    cubes, cylinders = grouped(rows, "grade")
    assert (cubes.forecast_n, cylinders.forecast_n) == (3, 0)
    assert [(group.grade, group.n) for group in (cubes, cylinders)] == [("C30", 3), ("C30 · Cylinder", 1)]
    assert cubes.mean_mpa == Decimal("39")
    assert (cubes.verdicts["gb"].accepted, cylinders.verdicts["gb"].accepted) == (True, None)
    assert cylinders.verdicts["gb"].why == "it judges cubes, and these are cylinders"
    assert cubes.verdicts["aci"].why == "it judges cylinders, and these are cubes"
    assert [(month.grade, month.n) for month in by_month(rows)] == [("C30", 3), ("C30 · Cylinder", 1)]
    for by, name in (("grade", "C30"), ("mix", "C30-P")):
        assert names_of(rows, by) == [(name, 3), (f"{name} · Cylinder", 1)]
        # In an address, the same in every language.
        assert addresses_of(rows, by) == {name: name, f"{name} · Cylinder": f"{name} · cylinder"}
    # What is forecast does not hang on what the filters leave.
    broken(a_batch("41", mix=SimpleNamespace(latest_revision_id=mix.id), **cast), "32")
    of_a_day = with_forecasts(result_rows(filters(until="2026-02-02")))
    assert sorted((row.shape, row.forecast_mpa is not None) for row in of_a_day) == [
        ("cube", True), ("cylinder", False), ("cylinder", False)
    ]  # fmt: skip


def test_cubes_of_a_european_class_are_judged_by_its_second_number_and_cylinders_by_its_first() -> None:
    batches = a_production(("38", "39", "40"), code="EN-P", grade="C30/37")
    mix = batches[0].mix_revision.mix_design
    assert mix.grade_mpa == 37
    cast = {"plan_ages": "28", "shape": "cylinder", "cast_at": "2026-01-05T02:00:00+00:00"}
    of_mix = SimpleNamespace(latest_revision_id=batches[0].mix_revision_id)
    for strength in ("28", "27", "26"):  # 35.7, 34.4 and 33.1 MPa of a cylinder
        broken(a_batch("40", mix=of_mix, **cast), strength)
    for stored in ("37", "30"):  # as mixes have it that were made before the shape was asked
        with transaction(ACTOR):
            mix.grade_mpa = Decimal(stored)
        groups = {group.grade: group for group in grouped(result_rows(filters()), "grade")}
        cubes, cylinders = groups["C30/37"], groups["C30/37 · Cylinder"]
        assert (cubes.grade_mpa, cylinders.grade_mpa) == (37, 30)
        found = [{row.shape for row in result_rows(filters(grade_mpa=grade))} for grade in ("37", "30")]
        assert found == [{"cube"}, {"cylinder"}]
        # 39 is less than 37 + 4, and was accepted against 30; 34.4 is 30 + 4.
        assert (cubes.verdicts["en"].accepted, cylinders.verdicts["en"].accepted) == (False, True)
        assert (cubes.verdicts["aci"].accepted, cylinders.verdicts["aci"].accepted) == (None, True)
        # A grade that GB has not is no reason not to judge 150 mm cubes again.
        again = compare(set_of(batches[0]).id, rule_of("gbt50081-2019/cube-set")).answer
        assert again is not None
        assert again["strength_mpa"] == "38.0"


def test_results_of_an_unknown_day_of_casting_come_first_on_either_database() -> None:
    """Means of consecutive tests and charts follow this order."""
    first, second, unknown = a_production(["30", "40", "50"])
    with transaction(ACTOR):
        unknown.cast_at = None
    rows = [row.batch_id for row in result_rows(filters())]
    assert rows == [unknown.id, first.id, second.id]


def test_mortars_are_put_together_with_no_concrete_nor_judged_by_a_code_for_it() -> None:
    a_production(("12", "13", "14"), code="C10-P", grade="C10")
    mortar = a_mix("M10-P", kind="mortar", strength_class="", grade_mpa="10")
    cast = {"plan_ages": "28", "width_mm": "70.7", "cast_at": "2026-01-05T02:00:00+00:00"}
    batch = a_batch("40", mix=mortar, **cast)
    # GB 50203 asks 1.10 x 10 of a mortar's mean; GB/T 50107 refused it for 1.15 x 10.
    broken(batch, "0", strengths_mpa=["11", "11", "11"], loads_kn=None)
    concrete, mortars = grouped(result_rows(filters()), "grade")
    assert [(group.name, group.n) for group in (concrete, mortars)] == [("C10", 3), ("M10", 1)]
    assert concrete.verdicts["gb"].accepted is True
    assert {item.accepted for item in mortars.verdicts.values()} == {None}
    assert mortars.verdicts["gb"].why == "it judges concrete, and these are mortars"


def test_shotcrete_is_put_together_with_no_cast_concrete_nor_judged_by_a_code_for_it() -> None:
    """GB 50086 accepts it by conditions of its own; GB/T 50107 refused 15 sets of 27 MPa for 25 + 1.05 x 2.5."""
    a_production(["30"] * 3, code="C25-P", grade="C25")
    a_production(["27"] * 15, code="S25-P", grade="C25", kind="shotcrete")
    rows = list(result_rows(filters()))
    for by, names in (("grade", ["C25", "C25 · Shotcrete"]), ("region", ["", ""])):
        cast, sprayed = grouped(rows, by)
        assert [(group.name, group.grade, group.n) for group in (cast, sprayed)] == [
            (names[0], "C25", 3), (names[1], "C25 · Shotcrete", 15)
        ]  # fmt: skip
        assert cast.verdicts["gb"].accepted is True
        assert {(item.accepted, item.why) for item in sprayed.verdicts.values()} == {
            (None, "it judges cast concrete, and this was sprayed")
        }
        assert sprayed.control == ""
    assert {(month.grade, month.mean_mpa) for month in by_month(rows)} == {
        ("C25", Decimal(30)), ("C25 · Shotcrete", Decimal(27))
    }  # fmt: skip
    assert names_of(rows, "grade") == [("C25 · Shotcrete", 15), ("C25", 3)]
    assert addresses_of(rows, "grade") == {"C25": "C25", "C25 · Shotcrete": "C25 · shotcrete"}
    assert names_of(rows, "mix") == [("S25-P", 15), ("C25-P", 3)]  # a mix is of one kind


def test_forecast_of_a_recast_mix_is_held_against_results_of_its_recipe_alone() -> None:
    (former,) = a_production(("38",), first=datetime(2026, 1, 5, 2, 0, tzinfo=UTC))
    mix = former.mix_revision.mix_design
    revision = SERVICES["mix-revisions"].add(
        {**RECIPE, "cement_kg_m3": "420", "mix_design_id": mix.id, "reason": "more cement"}, ACTOR
    )
    a_forecast(mix)  # before the new recipe is cast
    cast = {"plan_ages": "28", "cast_at": "2026-01-15T02:00:00+00:00"}
    now = a_batch("40", mix=SimpleNamespace(latest_revision_id=revision.id), **cast)
    broken(now, "46")
    said = {row.batch_id: row.forecast_mpa for row in with_forecasts(result_rows(filters()))}
    assert said == {
        former.id: None,
        now.id: None,
    }  # the one came after its result, and is of the former recipe
    with transaction(ACTOR) as session:
        for forecast in session.query(Forecast):
            forecast.held_out = True
    said = {row.batch_id: row.forecast_mpa for row in with_forecasts(result_rows(filters()))}
    assert said == {former.id: Decimal("37.20"), now.id: None}
