"""Cements, lots, aggregates."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lims.base.display import local_today
from lims.base.problems import Refused
from lims.base.services import SERVICES
from tests.factories import ACTOR

pytestmark = pytest.mark.usefixtures("records_on_both")

SIEVES = ("4_75", "2_36", "1_18", "0_60", "0_30", "0_15")


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def a_sample(masses: list[str], **more: Any) -> Any:
    source = SERVICES["aggregate-sources"].find(code="PIT") or add(
        "aggregate-sources", code="PIT", name="River pit", kind="fine"
    )
    retained = dict(zip([f"retained_{name}_g" for name in SIEVES] + ["retained_pan_g"], masses, strict=True))
    return add(
        "aggregate-samples",
        code="A-1",
        aggregate_source_id=source.id,
        sampled_on="2026-05-04",
        **retained,
        **more,
    )


def test_sand_sample_gets_its_modulus_class_and_zone_by_jgj_52() -> None:
    sample = a_sample(["25", "50", "100", "125", "100", "75", "25"])
    assert sample.fineness_modulus == Decimal("2.74")
    assert (sample.sand_class, sample.zone) == ("medium", "II")


def test_sieves_without_any_mass_give_no_modulus() -> None:
    source = add("aggregate-sources", code="PIT", name="River pit", kind="fine")
    sample = add("aggregate-samples", code="A-2", aggregate_source_id=source.id, sampled_on="2026-05-04")
    assert sample.fineness_modulus is None


def test_blank_sieve_is_not_one_on_which_nothing_stayed() -> None:
    with pytest.raises(Refused, match="0 where nothing stayed") as refusal:
        a_sample(["25", "50", "100", "125", "100", "", "25"])
    assert [problem.field for problem in refusal.value.problems] == ["retained_0_15_g"]
    assert a_sample(["0", "50", "100", "125", "100", "75", "25"]).retained_masses_g[0] == 0


def test_negative_mass_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refusal:
        a_sample(["-25", "50", "100", "125", "100", "75", "25"])
    assert refusal.value.problems[0].field == "retained_4_75_g"


def test_competitors_cement_needs_its_maker() -> None:
    with pytest.raises(Refused, match="maker"):
        add("cement-products", code="X", name="Other 42.5", origin="competitor")


def test_lot_times_must_be_in_order() -> None:
    product = add("cement-products", code="PO425", name="Own P.O 42.5")
    with pytest.raises(Refused, match="delivered before"):
        add(
            "cement-lots",
            code="L-1",
            cement_product_id=product.id,
            produced_on="2026-05-04",
            delivered_on="2026-05-01",
        )
    with pytest.raises(Refused, match="final set"):
        add("cement-lots", code="L-1", cement_product_id=product.id, initial_set_min=200, final_set_min=150)


def test_strength_class_of_the_2007_edition_only_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        add("cement-products", code="X", name="Odd", strength_class="47.5")
    assert "42.5" in refusal.value.problems[0].message


def test_day_to_come_of_what_was_made_or_done_is_refused() -> None:
    """A year typed wrongly would be the newest sample of its pit, and a lot that never grows old."""
    source = add("aggregate-sources", code="PIT", name="River pit", kind="fine")
    product = add("cement-products", code="PO425", name="Own P.O 42.5")
    of_lot = {"code": "L-1", "cement_product_id": product.id}
    today, tomorrow = (str(local_today() + timedelta(days=days)) for days in (0, 1))
    lot = add("cement-lots", **of_lot, produced_on=today, retested_on=today)
    of_test = {"cement_lot_id": lot.id, "initial_set_min": 150}
    trial = {"trial_id": add("trials", name="Tunnel").id}
    for record, values, field in (
        ("aggregate-samples", {"code": "A-1", "aggregate_source_id": source.id}, "sampled_on"),
        ("cement-lots", {**of_lot, "code": "L-2"}, "produced_on"),
        ("cement-lots", {**of_lot, "code": "L-3"}, "retested_on"),
        ("cement-tests", of_test, "tested_on"),
        ("shotcrete-trials", trial, "sprayed_on"),
    ):
        with pytest.raises(Refused, match="in the future") as refusal:
            add(record, **values, **{field: tomorrow})
        assert [problem.field for problem in refusal.value.problems] == [field]
        stored = add(record, **values, **{field: today})
        with pytest.raises(Refused, match="in the future"):
            SERVICES[record].edit(stored.id, {**values, field: tomorrow}, stored.version, ACTOR)
        assert str(getattr(SERVICES[record].get(stored.id), field)) == today
