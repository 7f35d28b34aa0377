"""Mortar of six values by GB/T 17671 at the bench, and its page."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.web.material_pages import cement_test_context, lot_context
from lims.web.retest_page import beside_certificate
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_mix
from tests.reporting.production import broken


def a_lot(cement_type: str = "P.O") -> Any:
    cement = SERVICES["cement-products"].add(
        {"code": "PO", "name": "PO", "cement_type": cement_type, "strength_class": "42.5"}, ACTOR
    )
    return SERVICES["cement-lots"].add({"code": "L1", "cement_product_id": cement.id}, ACTOR)


def a_test(*values: str, **more: str) -> Any:
    prisms = {f"value_{number}_mpa": value for number, value in enumerate(values, start=1)}
    data = {"cement_lot_id": a_lot().id, "tested_on": "2026-11-20", **prisms, **more}
    return SERVICES["cement-tests"].add(data, ACTOR)


@pytest.mark.parametrize(
    ("values", "strength", "basis"),
    [
        (("50", "50", "50", "50", "50", "50"), "50.0", "mean"),
        (("48.6", "49.9", "50.4", "49.1", "51.0", "43.2"), "49.8", "five"),
        (("60", "50", "50", "50", "50", "40"), None, "invalid"),
    ],
)
def test_six_values_give_the_strength_of_the_rule(
    records_on_both: Flask, values: tuple[str, ...], strength: str | None, basis: str
) -> None:
    found = a_test(*values)
    assert (found.strength_mpa, found.basis) == (Decimal(strength) if strength else None, basis)


def test_five_values_are_refused_and_setting_alone_is_taken(records_on_both: Flask) -> None:
    with pytest.raises(Refused, match="all six"):
        a_test("50", "50", "50", "50", "50")
    lot = SERVICES["cement-lots"].page().items[0]
    found = SERVICES["cement-tests"].add(
        {
            "cement_lot_id": lot.id,
            "tested_on": "2026-11-20",
            "initial_set_min": "170",
            "final_set_min": "230",
        },
        ACTOR,
    )
    assert found.strength_mpa is None
    with pytest.raises(Refused, match="at least one"):
        SERVICES["cement-tests"].add({"cement_lot_id": lot.id, "tested_on": "2026-11-20"}, ACTOR)


@pytest.mark.parametrize(
    ("cement_type", "limits", "holds"),
    [("P.O", ("≥ 45", "≤ 600"), True), ("P.II", ("≥ 45", "≤ 390"), False), ("OPC", ("–", "–"), None)],
)
def test_final_set_of_portland_cement_is_held_against_390_min_beside_certificate_and_on_its_page(
    records: Flask, cement_type: str, limits: tuple[str, str], holds: bool | None
) -> None:
    lot, add = a_lot(cement_type), SERVICES["cement-tests"].add
    test = add(
        {
            "cement_lot_id": lot.id,
            "tested_on": "2026-11-20",
            "initial_set_min": "170",
            "final_set_min": "400",
        },
        ACTOR,
    )
    retest = SERVICES["retests"].add(
        {"cement_lot_id": lot.id, "ordered_on": "2026-11-19", "cement_test_id": test.id}, ACTOR
    )
    initial, final = (row for row in beside_certificate(retest) if row["unit"] == "min")
    assert (initial["limit"], final["limit"]) == limits
    assert final["holds"] is holds
    shown = cement_test_context(test)["setting"]
    assert [check.passed for check in shown] == ([] if holds is None else [True, holds])


def test_page_shows_the_value_that_was_left_out_and_an_edit_judges_anew(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        found = a_test(
            "48.6", "49.9", "50.4", "49.1", "51.0", "43.2", initial_set_min="172", final_set_min="700"
        )
        test_id, lot_id = found.id, found.cement_lot_id
    page = technician.get(f"/cement-tests/{test_id}").get_data(as_text=True)
    assert page.count("left out") >= 1
    assert "outside" in page  # final set above 600 min
    form = technician.get(f"/cement-tests/{test_id}/edit").get_data(as_text=True)
    assert 'value="43.2"' in form
    values = {f"value_{n}_mpa": "50" for n in range(1, 7)}
    data = {"cement_lot_id": lot_id, "tested_on": "2026-11-20", "age_days": "28", "version": "1", **values}
    assert technician.post(f"/cement-tests/{test_id}/edit", data).status_code == 302
    assert "50.0" in technician.get(f"/cement-tests/{test_id}").get_data(as_text=True)


def test_concrete_of_a_lot_is_rounded_half_to_even_as_in_the_summary(
    records: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(38.4 + 38.5) / 2 = 38.45 MPa, which a binary fraction would take to 38.5."""
    monkeypatch.setattr("lims.web.material_pages.may", lambda *_what: True)
    lot, mix = a_lot(), a_mix()
    for strength_mpa in ("38.4", "38.5"):
        cast = {"plan_ages": "28", "cast_at": "2026-01-05T02:00:00+00:00", "cement_lot_id": lot.id}
        broken(a_batch("40", mix=mix, **cast), strength_mpa)
    (row,) = lot_context(lot)["lot_rows"]
    assert (row["concrete"], row["count"]) == ("38.4", 2)


@pytest.mark.parametrize(
    ("initial", "final", "shown"),
    [("172", "238", "172 / 238"), ("172", "", "172 / –"), ("", "238", "– / 238"), ("", "", "–")],
)
def test_setting_time_that_a_mill_certificate_does_not_say_is_a_dash(
    records: Flask, initial: str, final: str, shown: str
) -> None:
    certificate = {"initial_set_min": initial, "final_set_min": final}
    lot = SERVICES["cement-lots"].add(
        {"code": "L9", "cement_product_id": a_lot().cement_product_id, **certificate}, ACTOR
    )
    (row,) = (row for row in lot_context(lot)["lot_rows"] if row["here"])
    assert row["setting"] == shown


def test_lots_stand_beside_each_other_by_one_mix_and_one_shape(app: Flask, technician: Person) -> None:
    with app.app_context():
        first = a_lot()
        cement = {"cement_product_id": first.cement_product_id}
        second, third = (
            SERVICES["cement-lots"].add({"code": code, **cement}, ACTOR) for code in ("L2", "L3")
        )
        c30, c50 = a_mix(), a_mix("C50-1", strength_class="C50")
        cast = {"plan_ages": "28", "cast_at": "2026-01-05T02:00:00+00:00"}
        for lot, mix, strength_mpa, more in (
            (first, c30, "38", {}),
            (first, c30, "40", {}),
            (second, c30, "36", {}),
            (second, c30, "29", {"shape": "cylinder"}),
            (second, c50, "61", {}),
            (third, c50, "60", {}),
        ):
            broken(a_batch("40", mix=mix, cement_lot_id=lot.id, **cast, **more), strength_mpa)
        keys = [lot.id for lot in (first, second, third)]

    def concrete_beside(key: int) -> tuple[str, list[list[str]]]:
        page = technician.get(f"/cement-lots/{key}").get_data(as_text=True)
        (of_what,) = set(re.findall(r"Concrete of the lot, ([^,<]+), 28 d", page))
        rows = re.findall(r">(L\d)</(?:strong|a)></td>(.*?)</tr>", page)
        return of_what, [[code, *re.findall(r"num\">([^<]*)</td>", cells)[-2:]] for code, cells in rows]

    assert concrete_beside(keys[0]) == (
        "C30-1/1",
        [["L3", "–", "0"], ["L2", "36.0", "1"], ["L1", "39.0", "2"]],
    )
    assert concrete_beside(keys[2]) == (
        "C50-1/1",
        [["L3", "60.0", "1"], ["L2", "61.0", "1"], ["L1", "–", "0"]],
    )
