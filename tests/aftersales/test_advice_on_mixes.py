"""The rules of use on the page of a mix: what its castings tell, by the same matching as on a complaint."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask

from lims.accounts.roles import MANAGER, SERVICE
from lims.aftersales.advice import TESTS, situation_of_batch
from lims.aftersales.shipped import ship
from lims.base.columns import utc_now
from lims.base.services import SERVICES
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_mix


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def cast_of(mix: Any, **more: Any) -> Any:
    return a_batch(mix=mix, plan_ages="28", **more)


def test_advice_comes_up_on_a_mix_by_its_castings_as_it_does_on_a_complaint(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        ship(ACTOR)
        product = add("cement-products", code="PO425", name="P.O 42.5")
        old = add(
            "cement-lots",
            code="L-OLD",
            cement_product_id=product.id,
            produced_on=f"{utc_now() - timedelta(days=200):%Y-%m-%d}",
        )
        plain, hot = a_mix("PLAIN"), a_mix("HOT")
        cast_of(plain, ambient_temperature_c="20", water_used_kg_m3="175")
        cast_of(hot, ambient_temperature_c="34", water_used_kg_m3="190")
        latest = cast_of(
            hot, ambient_temperature_c="2", cement_lot_id=old.id, answer_lot_too_old="The last of the silo"
        )
    engineer = sign_in_as(SERVICE)
    page = engineer.get(f"/mix-designs/{hot.id}").get_data(as_text=True)
    for told in (
        "190 kg/m³ of water instead of 175.",
        "It was 34 °C.",
        "It was 2 °C.",
        f"{latest.code}: Lot L-OLD was",
    ):
        assert told in page, told
    assert "Advice that fits" not in engineer.get(f"/mix-designs/{plain.id}").get_data(as_text=True)


def test_what_brings_a_card_up_is_ticked_and_read_by_its_names(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    manager = sign_in_as(MANAGER)
    card = {"code": "own-1", "name": "Shade the stockpile", "language": "en", "body": "Wet the stone."}
    refused = manager.post("/advice-cards/add", {**card, "conditions": ["hot-weather", "rain"]})
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert "“rain” is not known; accepted: lot-old" in page
    assert re.search(r'name="conditions" value="hot-weather" checked', page)
    saved = manager.post("/advice-cards/add", {**card, "conditions": ["hot-weather", "frost"]})
    assert saved.status_code == 302
    shown = manager.get(saved.location).get_data(as_text=True)
    assert "Hot weather, Frost" in shown
    key = saved.location.rstrip("/").rpartition("/")[2]
    form = manager.get(f"/advice-cards/{key}/edit").get_data(as_text=True)
    assert form.count(" checked>") == 2
    manager.post(f"/advice-cards/{key}/edit", {**card, "version": "1"})
    with app.app_context():
        assert SERVICES["advice-cards"].find(code="own-1").conditions is None


def test_aggregate_that_is_not_clean_is_told_of_stone_too_and_by_the_grade_as_at_registration(
    app: Flask,
) -> None:
    """JGJ 52 takes sand with 3 % of mud from C30 to C55, 2 % from C60 on, 5 % to C25; stone with 1 %."""
    with app.app_context():
        kinds = {"sand": "fine", "stone": "coarse"}
        fields = {"sand": "aggregate_sample_id", "stone": "coarse_aggregate_sample_id"}
        sources = {name: add("aggregate-sources", code=name, name=name, kind=kinds[name]) for name in kinds}

        def told(grade: str, name: str, mud: str) -> bool:
            code = f"{name}-{grade}-{mud}"
            sample = add(
                "aggregate-samples",
                code=code,
                aggregate_source_id=sources[name].id,
                sampled_on=f"{utc_now() - timedelta(days=9):%Y-%m-%d}",
                mud_percent=mud,
            )
            batch = cast_of(
                a_mix(f"MIX-{code}", strength_class=grade),
                **{fields[name]: sample.id},
                answer_sample_out_of_limits="there is no other",
            )
            case = situation_of_batch(batch)
            assert bool(batch.warnings) == bool(TESTS["dirty-aggregate"](case))
            return bool(batch.warnings)

        assert told("C60", "sand", "2.5")  # 3 % were allowed to it
        assert not told("C20", "sand", "4")  # and it was said to be dirty
        assert told("C30", "sand", "3.1")
        assert not told("C30", "sand", "3")
        assert told("C30", "stone", "1.1")  # nobody looked at it
        assert not told("C30", "stone", "1")
