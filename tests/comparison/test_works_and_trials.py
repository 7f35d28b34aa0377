"""Changes at the works by lots, customers' materials, the weekly programme, reminders and the optimal mix."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.base.columns import utc_now
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.comparison.optimum import optimum_for
from lims.comparison.programme import calendar_entries, materials_of, old_pits, progress, today, weeks
from lims.comparison.schemas import OptimumQuestion, monday
from lims.comparison.words import doubt_words, effect_words
from lims.comparison.works import effects_of
from tests.comparison.test_comparisons import (
    RATIOS,
    a_lot,
    a_mix_of,
    add,
    cast,
    priced,
    trials_of_both,
    two_cements,
)
from tests.conftest import Person
from tests.factories import ACTOR, a_customer, a_forecast, a_mix, a_trial


def days_ago(n: int) -> str:
    return f"{today() - timedelta(days=n):%Y-%m-%d}"


def a_change(product: Any, ago: int = 100, **more: Any) -> Any:
    values = {"al2o3_from_percent": "5.0", "al2o3_to_percent": "5.4", **more}
    return add(
        "process-changes",
        name="alumina up",
        cement_product_id=product.id,
        holds_from=days_ago(ago),
        **values,
    )


def lots_around(product: Any, before: list[str], after: list[str], change_ago: int = 100) -> None:
    for side, values in (("B", before), ("A", after)):
        for number, value in enumerate(values):
            ago = change_ago + 10 * (number + 1) if side == "B" else change_ago - 8 * number
            add(
                "cement-lots",
                code=f"{side}{number}",
                cement_product_id=product.id,
                produced_on=days_ago(ago),
                strength_28d_mpa=value,
            )


# --- changes at the works --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records_on_both")
def test_a_stronger_mortar_after_the_change_is_seen_by_lots() -> None:
    own, _other = two_cements()
    change = a_change(own)
    lots_around(own, ["47.0", "47.6", "46.8", "47.3", "47.1"], ["50.1", "49.8", "50.6", "50.0", "50.3"])
    found = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert (found.effect.lots_before, found.effect.lots_after) == (5, 5)
    assert found.effect.changed
    assert "Rose by 3.0 MPa" in effect_words(found)


@pytest.mark.usefixtures("records")
def test_three_lots_are_not_tested_and_say_what_is_missing() -> None:
    own, _other = two_cements()
    change = a_change(own)
    lots_around(own, ["47.0", "47.6", "46.8"], ["50.1", "49.8"])
    found = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert not found.effect.tested
    assert "Too few lots" in effect_words(found)


@pytest.mark.usefixtures("records")
def test_no_change_is_not_called_one() -> None:
    own, _other = two_cements()
    change = a_change(own)
    lots_around(own, ["47.0", "47.6", "46.8", "47.3"], ["47.2", "46.9", "47.5", "47.1"])
    found = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert not found.effect.changed
    assert "No effect shown" in effect_words(found)


@pytest.mark.usefixtures("records")
def test_own_tests_go_before_the_mill_certificate() -> None:
    own, _other = two_cements()
    change = a_change(own)
    lots_around(own, ["47.0", "47.0", "47.0", "47.0"], ["47.0", "47.0", "47.0", "47.0"])
    for lot in SERVICES["cement-lots"].page(size=50).items:
        value = "52.0" if lot.code.startswith("A") else "47.0"
        shift = int(lot.code[1]) * 2
        prisms = {f"value_{n}_mpa": str(Decimal(value) + Decimal(shift) / 10) for n in range(1, 7)}
        add("cement-tests", cement_lot_id=lot.id, tested_on=days_ago(1), age_days="28", **prisms)
    found = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert found.effect.difference == pytest.approx(5.0)


@pytest.mark.usefixtures("records")
def test_certificates_before_and_own_tests_after_are_not_compared_and_one_side_alone_is_shown() -> None:
    own, _other = two_cements()
    change = a_change(own)
    lots_around(own, ["47.0", "47.6", "46.8", "47.3"], [])
    before = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert effect_words(before) == "Lots of one side only: 4 before, 0 after."
    lots_around(own, [], ["47.2", "46.9", "47.5", "47.1"])
    for lot in SERVICES["cement-lots"].page(size=50).items:
        if lot.code.startswith("A"):  # our laboratory measures 3 MPa more than the mill's
            prisms = {f"value_{n}_mpa": f"50.{lot.code[1]}" for n in range(1, 7)}
            add("cement-tests", cement_lot_id=lot.id, tested_on=days_ago(1), age_days="28", **prisms)
    found = next(item for item in effects_of(change, prices=False) if item.name == "mortar_28d")
    assert (found.effect.lots_before, found.effect.lots_after) == (4, 4)
    assert not found.effect.changed


@pytest.mark.usefixtures("records")
def test_concrete_counts_by_lots_at_the_same_mix_and_cost_only_with_prices() -> None:
    own, other = two_cements()
    priced(own, other)
    change = a_change(own)
    trial = a_trial()
    mixes = {ratio: a_mix_of(own, ratio) for ratio in (0.42, 0.50)}
    for side, ago, level in (("B", 160, 1.0), ("A", 95, 1.08)):
        for number in range(4):
            lot = a_lot(own, f"{side}{number}", ago=ago - 8 * number)
            for ratio, mix in mixes.items():
                mean = 16.7 * (1 / ratio) ** 1.25 * level * (1 + 0.004 * ((number * 3) % 4 - 1.5))
                cast(trial, mix, lot, mean, ago=ago - 8 * number - 5)
    found = {item.name: item for item in effects_of(change, prices=True)}
    assert found["concrete_28d"].effect.changed
    assert found["concrete_28d"].effect.difference == pytest.approx(0.08 * 43.8, abs=0.4)
    cost = found["cost"].effect
    assert cost.changed
    # 8 % more strength is worth ln 1.08 / 1.25 = 6.2 % of the binder.
    assert cost.difference == pytest.approx(
        -0.062 * 374 * (0.8 * 386 + 0.2 * 180 + 0.018 * 2200 - 62) / 1000, abs=1.0
    )
    assert "cost" not in {item.name for item in effects_of(change, prices=False)}


@pytest.mark.usefixtures("records")
def test_a_recipe_with_less_cement_and_more_fly_ash_is_not_taken_for_an_effect_of_the_works() -> None:
    own, _other = two_cements()
    change, trial, mix = a_change(own), a_trial(), a_mix_of(own, 0.46)
    for side, ago, strength in (("B", 160, 44.0), ("A", 95, 36.0)):
        if side == "A":
            add(
                "mix-revisions",
                mix_design_id=mix.id,
                reason="more fly ash",
                cement_kg_m3="224",
                fly_ash_kg_m3="150",
                water_kg_m3="172",
                cement_product_id=own.id,
            )
            mix = SERVICES["mix-designs"].get(mix.id)
        for number in range(4):
            lot = a_lot(own, f"{side}{number}", ago=ago - 8 * number)
            cast(trial, mix, lot, strength + 0.1 * number, ago=ago - 8 * number - 5)
    assert "concrete_28d" not in {item.name for item in effects_of(change, prices=False)}
    asked = OptimumQuestion.read({"cement_product_id": own.id, "grade_mpa": "30"})
    SERVICES["process-changes"].retire(change.id, ACTOR)
    means = {round(item.strength_mpa) for item in optimum_for(asked, prices=False).candidates}
    assert means == {44, 36}  # nor is it one candidate of 40 MPa


@pytest.mark.usefixtures("records")
def test_another_change_in_the_same_time_is_a_doubt() -> None:
    own, _other = two_cements()
    change = a_change(own)
    add(
        "process-changes",
        name="finer",
        cement_product_id=own.id,
        holds_from=days_ago(90),
        other_changes="grinding",
    )
    lots_around(own, ["47.0", "47.6", "46.8", "47.3"], ["50.1", "49.8", "50.6", "50.0"])
    found = effects_of(change, prices=False)[0]
    assert "finer" in " ".join(doubt_words(found.doubts))


@pytest.mark.usefixtures("records")
def test_a_change_says_what_changed_and_its_lot_is_of_its_cement() -> None:
    own, other = two_cements()
    with pytest.raises(Refused):
        add("process-changes", name="nothing", cement_product_id=own.id, holds_from=days_ago(1))
    with pytest.raises(Refused):
        a_change(own, first_lot_id=a_lot(other, "theirs").id)
    assert a_change(own, first_lot_id=a_lot(own, "ours").id).code.startswith("W")


# --- trials for a customer -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records_on_both")
def test_a_customers_material_is_the_sample_or_lot_that_came() -> None:
    customer = a_customer()
    lot = add("scm-lots", code="FA-1", kind="fly_ash")
    add(
        "customer-materials",
        customer_id=customer.id,
        kind="fly_ash",
        scm_lot_id=lot.id,
        received_on=days_ago(2),
    )
    assert [item.lot.code for item in materials_of(customer.id)] == ["FA-1"]
    with pytest.raises(Refused):
        add(
            "customer-materials",
            customer_id=customer.id,
            kind="fine_aggregate",
            scm_lot_id=lot.id,
            received_on=days_ago(2),
        )


@pytest.mark.usefixtures("records_on_both")
def test_the_programme_knows_what_was_cast_in_its_week() -> None:
    trial, mix = a_trial(), a_mix()
    this = monday(today())

    def plan(day: date, batches: int = 1) -> Any:
        return add(
            "programme-entries",
            trial_id=trial.id,
            week_of=f"{day:%Y-%m-%d}",
            mix_revision_id=mix.latest_revision_id,
            batches=str(batches),
        )

    entry = plan(this + timedelta(days=4), 2)
    assert entry.week_of == this
    plan(this - timedelta(days=7))
    plan(this + timedelta(days=7))
    add(
        "batches",
        trial_id=trial.id,
        mix_revision_id=mix.latest_revision_id,
        cast_at=utc_now().isoformat(),
        volume_m3="1",
    )
    found = progress(this - timedelta(days=7), this + timedelta(days=7))
    assert [(item.state, item.cast) for item in found] == [("missed", 0), ("running", 1), ("planned", 0)]
    add(
        "batches",
        trial_id=trial.id,
        mix_revision_id=mix.latest_revision_id,
        cast_at=utc_now().isoformat(),
        volume_m3="1",
    )
    shown = [week for week in weeks(today()) if week.current]
    assert [(week.cast, week.planned) for week in shown] == [(2, 2)]
    calendar = calendar_entries(today(), today())
    assert [item.uid for item in calendar] == [f"programme-{entry.id}"]
    assert "2 of 2" in calendar[0].title


@pytest.mark.usefixtures("records")
def test_a_region_is_reminded_a_quarter_after_its_last_sample() -> None:
    region = add("regions", code="R", name="Region")
    fresh, old, never = (
        add("aggregate-sources", code=code, name=code, region_id=region.id, kind="fine")
        for code in ("FRESH", "OLD", "NEVER")
    )
    add("aggregate-samples", code="F-1", aggregate_source_id=fresh.id, sampled_on=days_ago(92))
    add("aggregate-samples", code="O-1", aggregate_source_id=old.id, sampled_on=days_ago(93))
    assert [pit.source.id for pit in old_pits()] == [never.id, old.id]
    add("aggregate-samples", code="O-2", aggregate_source_id=old.id, sampled_on=days_ago(1))
    assert [pit.source.id for pit in old_pits()] == [never.id]


def test_home_pages_remind_of_old_samples(app: Flask, technician: Person) -> None:
    with app.app_context():
        region = add("regions", code="R", name="Region of the old pit")
        source = add("aggregate-sources", code="OLD-PIT", name="Old", region_id=region.id, kind="fine")
        add("aggregate-samples", code="O-1", aggregate_source_id=source.id, sampled_on=days_ago(120))
    assert "OLD-PIT" in technician.get("/").get_data(as_text=True)
    page = technician.get("/aggregate-reminders/").get_data(as_text=True)
    assert "OLD-PIT" in page
    assert "Region of the old pit" in page


# --- optimal mix -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records")
def test_the_cheapest_mix_that_surely_reaches_the_grade_is_found() -> None:
    own, other, _trial = trials_of_both(offset=0.0)
    priced(own, other)
    found = optimum_for(OptimumQuestion.read({"cement_product_id": own.id, "grade_mpa": "30"}), prices=True)
    assert found.target_mpa == Decimal("38.225")
    assert found.best is not None
    reaching = [item for item in found.candidates if item.reaches]
    assert found.best.cost == min(item.cost for item in reaching if item.cost is not None)
    assert found.best.lower_mpa >= 38.2
    sure = next(item for item in found.proposals if item.purpose == "sure")
    middle = next(item for item in found.proposals if item.purpose == "middle")
    assert sure.lower_mpa == pytest.approx(38.2, abs=0.3)
    assert middle.median_mpa == pytest.approx(38.2, abs=0.3)
    assert sure.masses["cement"] > middle.masses["cement"]
    assert sure.cost is not None


@pytest.mark.usefixtures("records")
def test_without_prices_the_least_cement_stands_first_and_no_cost_is_given() -> None:
    own, other, _trial = trials_of_both(offset=0.0)
    priced(own, other)
    found = optimum_for(OptimumQuestion.read({"cement_product_id": own.id}), prices=False)
    assert found.proposals
    assert {item.cost for item in (*found.candidates, *found.proposals)} == {None}
    reaching = [item.cement_kg_m3 for item in found.candidates if item.reaches]
    assert len(reaching) > 1
    assert reaching == sorted(reaching)
    assert found.best is found.candidates[0]


@pytest.mark.usefixtures("records")
def test_mix_whose_cost_is_not_known_is_not_called_the_cheapest_for_its_few_kilograms_of_cement() -> None:
    own, other, trial = trials_of_both(offset=0.0, lots=1)
    priced(own, other)  # slag is not
    of_slag = {"cement_kg_m3": "120", "slag_kg_m3": "330", "coarse_aggregate_kg_m3": "1050"}
    mix = add("mix-designs", code="SLAG", water_kg_m3="172", cement_product_id=own.id, **of_slag)
    for number in range(3):
        cast(trial, mix, a_lot(own, f"S-{number}"), 60.0)
    found = optimum_for(OptimumQuestion.read({"cement_product_id": own.id}), prices=True)
    reaching = [item.cost for item in found.candidates if item.reaches]
    assert reaching[-1] is None
    assert None not in reaching[:-1]
    assert found.best is not None
    assert found.best.cost == reaching[0] is not None


@pytest.mark.usefixtures("records")
def test_batches_before_a_change_at_the_works_are_left_out() -> None:
    own, _other, trial = trials_of_both(offset=0.0)
    cast(trial, SERVICES["mix-designs"].find(code="OWN-46"), a_lot(own, "old", ago=95), 20.0, ago=90)
    change = a_change(own, ago=60)
    # Cast after the day of the change from a lot of the old kind, which stood in the silo.
    cast(trial, SERVICES["mix-designs"].find(code="OWN-46"), a_lot(own, "silo", ago=65), 20.0, ago=50)
    found = optimum_for(OptimumQuestion.read({"cement_product_id": own.id}), prices=False)
    assert found.since is not None
    assert found.since.id == change.id
    assert found.batches == 3 * len(RATIOS)


@pytest.mark.usefixtures("records")
def test_mix_of_the_trial_that_was_cast_with_another_cement_or_before_the_change_is_no_candidate() -> None:
    own, _other, trial = trials_of_both(offset=0.0)
    waits = a_mix_of(own, 0.43)
    add(
        "batches",
        trial_id=trial.id,
        mix_revision_id=waits.latest_revision_id,
        cast_at=(utc_now() - timedelta(days=5)).isoformat(),
        volume_m3="0.05",
        cement_lot_id=a_lot(own, "new", ago=10).id,
    )
    before = a_mix_of(own, 0.49)
    cast(trial, before, a_lot(own, "old", ago=95), 50.0, ago=90)
    mixes = SERVICES["mix-designs"]
    for mix in (waits, before, *(mixes.find(code=f"RIVAL-{round(100 * ratio)}") for ratio in RATIOS)):
        a_forecast(mix.id, strength_mpa=Decimal(60), lower_90_mpa=Decimal(55))
    asked = OptimumQuestion.read({"cement_product_id": own.id, "trial_id": trial.id})

    def forecast() -> list[str]:
        found = optimum_for(asked, prices=False).candidates
        return [item.revision for item in found if item.basis == "forecast"]

    assert forecast() == [waits.code]
    a_change(own, ago=60)
    assert forecast() == [waits.code]


@pytest.mark.usefixtures("records")
def test_forecasts_stand_for_mixes_of_this_cement_as_it_is_made_now_that_wait_for_their_28_days() -> None:
    own, other, trial = trials_of_both(offset=0.0, lots=1)
    cast(trial, SERVICES["mix-designs"].find(code="OWN-46"), a_lot(own, "old", ago=95), 20.0, ago=90)
    a_change(own, ago=60)
    said = {name: Decimal(60) for name in ("strength_mpa", "lower_90_mpa", "upper_90_mpa")}

    def waits(product: Any, ratio: float, ago: int, **more: Any) -> None:
        mix = a_mix_of(product, ratio)
        SERVICES["mix-designs"].edit(mix.id, {"code": mix.code, **more}, mix.version, ACTOR)
        add(
            "batches",
            trial_id=trial.id,
            mix_revision_id=mix.latest_revision_id,
            cast_at=(utc_now() - timedelta(days=ago)).isoformat(),
            volume_m3="0.05",
            plan_ages="28",
            cement_lot_id=a_lot(product, mix.code, ago=ago + 5).id,
        )
        a_forecast(mix.id, **said)

    waits(own, 0.36, 5)
    waits(own, 0.37, 5, kind="mortar")
    waits(own, 0.38, 80)  # of the kind that is no longer made
    waits(other, 0.36, 5)
    for code in ("OWN-40", "RIVAL-40"):  # broken
        a_forecast(SERVICES["mix-designs"].find(code=code).id, **said)
    asked = OptimumQuestion.read({"cement_product_id": own.id, "trial_id": trial.id})
    found = optimum_for(asked, prices=False)
    assert [item.revision for item in found.candidates if item.basis == "forecast"] == ["OWN-36"]


@pytest.mark.usefixtures("records")
def test_forecast_of_a_former_recipe_is_no_word_for_the_leaner_one_that_was_cast_since() -> None:
    """It would be called the cheapest that is strong enough before its own first break."""
    own, _other, trial = trials_of_both(offset=0.0, lots=1)
    said = {name: Decimal(60) for name in ("strength_mpa", "lower_90_mpa", "upper_90_mpa")}
    asked = OptimumQuestion.read({"cement_product_id": own.id, "trial_id": trial.id})

    def waits(revision_id: int) -> None:
        add(
            "batches",
            trial_id=trial.id,
            mix_revision_id=revision_id,
            cast_at=(utc_now() - timedelta(days=5)).isoformat(),
            volume_m3="0.05",
            cement_lot_id=a_lot(own, f"L-{revision_id}", ago=10).id,
        )

    def forecast() -> list[float]:
        found = optimum_for(asked, prices=False).candidates
        return [item.cement_kg_m3 for item in found if item.basis == "forecast"]

    mix = a_mix_of(own, 0.36)
    waits(mix.latest_revision_id)
    a_forecast(mix.id, **said)
    assert forecast() == [382]
    leaner = {"cement_kg_m3": "250", "water_kg_m3": "172", "coarse_aggregate_kg_m3": "1050"}
    waits(add("mix-revisions", mix_design_id=mix.id, reason="leaner", cement_product_id=own.id, **leaner).id)
    assert forecast() == []
    a_forecast(mix.id, **said)
    assert forecast() == [250]


def test_without_trials_the_forecast_model_is_read_backwards(app: Flask) -> None:
    with app.test_request_context():
        own, _other = two_cements()
        found = optimum_for(
            OptimumQuestion.read({"cement_product_id": own.id, "grade_mpa": "30"}), prices=False
        )
        assert found.batches == 0
        assert "Too few" in found.reason
        by_purpose = {item.purpose: item for item in found.proposals}
        assert by_purpose["model-sure"].lower_mpa >= 38.2 > by_purpose["model"].lower_mpa
        assert by_purpose["model-sure"].masses["cement"] > by_purpose["model"].masses["cement"]


def test_pages_of_the_subject_answer_for_every_role_that_may(app: Flask, technician: Person) -> None:
    with app.app_context():
        own, _other = two_cements()
        change = a_change(own)
        SERVICES["programme-entries"].add(
            {
                "trial_id": a_trial().id,
                "week_of": days_ago(0),
                "mix_revision_id": a_mix().latest_revision_id,
            },
            ACTOR,
        )
        change_id = change.id
    for path in (
        "/cement-comparison/",
        "/optimal-mix/",
        "/trial-programme/",
        "/trial-programme/?week=2026-13-45&trial_id=x",
        "/trial-programme/?week=2026-03-04&trial_id=1",
        "/process-changes/",
        f"/process-changes/{change_id}",
        f"/api/v1/process-changes/{change_id}/effects",
        "/api/v1/programme-entries/",
    ):
        assert technician.get(path).status_code == 200, path
