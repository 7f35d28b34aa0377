"""Comparisons over real records: what is gathered, what is kept, who sees money."""

from __future__ import annotations

import html
import json
import math
import random
import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.accounts.service import find_user
from lims.base.actor import system_actor
from lims.base.axes import round_step
from lims.base.columns import utc_now
from lims.base.papers import pdf
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.comparison.gathering import price_list, trial_rows
from lims.comparison.paper import laws_svg
from lims.comparison.schemas import ComparisonQuestion
from lims.comparison.service import answer_to, outcome_of_record, outward_comparison
from lims.comparison.words import note_words
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from tests.conftest import Person
from tests.factories import ACTOR, a_customer
from tests.prepared import begun_with

DAY = "%Y-%m-%d"
RATIOS = (0.40, 0.46, 0.52)


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def two_cements() -> tuple[Any, Any]:
    own = add("cement-products", code="OWN", name="Ours", cement_type="P.O", strength_class="42.5")
    other = add(
        "cement-products",
        code="RIVAL",
        name="Theirs",
        origin="competitor",
        maker="Rival works",
        cement_type="P.O",
        strength_class="42.5",
    )
    return own, other


def a_mix_of(product: Any, ratio: float, dose: float = 1.8) -> Any:
    binder = round(172 / ratio)
    return add(
        "mix-designs",
        code=f"{product.code}-{round(100 * ratio)}",
        cement_kg_m3=str(round(binder * 0.8)),
        fly_ash_kg_m3=str(binder - round(binder * 0.8)),
        water_kg_m3="172",
        superplasticizer_kg_m3=f"{binder * dose / 100:.1f}",
        coarse_aggregate_kg_m3="1050",
        fine_aggregate_kg_m3="760",
        cement_product_id=product.id,
    )


def cast(
    trial: Any,
    mix: Any,
    lot: Any,
    strength: float,
    *,
    ago: int = 40,
    released: bool = True,
    curing: str = "standard",
    shape: str = "cube",
) -> Any:
    cast_at = utc_now() - timedelta(days=ago)
    batch = add(
        "batches",
        trial_id=trial.id,
        mix_revision_id=mix.latest_revision_id,
        cast_at=cast_at.isoformat(),
        volume_m3="0.05",
        plan_ages="28",
        cement_lot_id=lot.id,
        slump_mm="190",
        curing=curing,
        shape=shape,
        **({"curing_temperature_c": "8"} if curing != "standard" else {}),
    )
    found = batch.sets[0]
    entry = {
        "loads_kn": [f"{strength * 22.5:.1f}"] * 3,
        "tested_at": (cast_at + timedelta(days=28)).isoformat(),
        "tested_by": "Li Wei",
    }
    record_set(found.id, SetBreaksIn.read(entry), ACTOR)
    if released:
        verify(found.id, system_actor("checker"))
        release(found.id, system_actor("checker"))
    return batch


def a_lot(product: Any, code: str, ago: int = 45) -> Any:
    return add(
        "cement-lots",
        code=code,
        cement_product_id=product.id,
        produced_on=f"{utc_now() - timedelta(days=ago):{DAY}}",
    )


def trials_of_both(offset: float = -0.05, lots: int = 3) -> tuple[Any, Any, Any]:
    """Own and other cement, and the trial in which both were cast by one law: what a test begins with."""
    own, other, trial = begun_with(_cast_both, offset, lots)
    product = SERVICES["cement-products"].get
    return product(own), product(other), SERVICES["trials"].get(trial)


def _cast_both(offset: float, lots: int) -> tuple[int, int, int]:
    chance = random.Random(1)
    own, other = two_cements()
    trial = add("trials", name="Both cements")
    for product in (own, other):
        mixes = {ratio: a_mix_of(product, ratio, 2.1 if product is own else 1.8) for ratio in RATIOS}
        for number in range(lots):
            lot = a_lot(product, f"{product.code}-{number}")
            for ratio in RATIOS:
                level = (
                    math.log(16.7)
                    + 1.25 * math.log(round(172 / ratio) / 172)
                    + (offset if product is own else 0)
                )
                cast(trial, mixes[ratio], lot, math.exp(level + chance.gauss(0, 0.008)))
    return own.id, other.id, trial.id


def priced(own: Any, other: Any) -> None:
    for product, price in ((own, "386"), (other, "400")):
        add("prices", kind="cement", cement_product_id=product.id, valid_from="2020-01-01", price_per_t=price)
    for kind, price in (
        ("fly_ash", "180"),
        ("superplasticizer", "2200"),
        ("coarse_aggregate", "66"),
        ("fine_aggregate", "78"),
    ):
        add("prices", kind=kind, valid_from="2020-01-01", price_per_t=price)


def question(own: Any, other: Any, **more: Any) -> ComparisonQuestion:
    return ComparisonQuestion.read({"own_id": own.id, "other_id": other.id, "target_mpa": "43.2", **more})


# --- gathering -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records")
def test_unreleased_and_cold_results_do_not_count() -> None:
    own, _other = two_cements()
    trial, mix, lot = add("trials", name="T"), a_mix_of(own, 0.46), a_lot(own, "L1")
    counted = cast(trial, mix, lot, 44.0)
    cast(trial, mix, lot, 10.0, released=False)
    cast(trial, mix, lot, 11.0, curing="same_condition")
    assert [row.batch_id for row in trial_rows(own.id, 28)] == [counted.id]


@pytest.mark.usefixtures("records")
def test_the_lot_says_which_cement_it_was_not_the_recipe() -> None:
    own, other = two_cements()
    trial, mix = add("trials", name="T"), a_mix_of(other, 0.46)
    cast_at = utc_now() - timedelta(days=40)
    batch = add(
        "batches",
        trial_id=trial.id,
        mix_revision_id=mix.latest_revision_id,
        cast_at=cast_at.isoformat(),
        volume_m3="0.05",
        plan_ages="28",
        cement_lot_id=a_lot(own, "L1").id,
        answer_other_product="compared on purpose",
    )
    record_set(
        batch.sets[0].id,
        SetBreaksIn.read({"loads_kn": ["900"] * 3, "tested_at": (cast_at + timedelta(days=28)).isoformat()}),
        ACTOR,
    )
    verify(batch.sets[0].id, system_actor("checker"))
    release(batch.sets[0].id, system_actor("checker"))
    assert [row.batch_id for row in trial_rows(own.id, 28)] == [batch.id]
    assert trial_rows(other.id, 28) == []


@pytest.mark.usefixtures("records")
def test_filters_keep_trial_region_mineral_admixture_and_days() -> None:
    own, _other, trial = trials_of_both(lots=2)
    everything = trial_rows(own.id, 28)
    assert len(everything) == 6
    assert trial_rows(own.id, 28, trial_id=trial.id) == everything
    assert trial_rows(own.id, 28, trial_id=trial.id + 1) == []
    assert trial_rows(own.id, 28, scm="fly_ash") == everything
    assert trial_rows(own.id, 28, scm="none") == []
    assert trial_rows(own.id, 28, scm="fly_ash+slag") == []
    assert trial_rows(own.id, 7) == []
    day = everything[0].cast_at.date()
    assert trial_rows(own.id, 28, cast_from=day + timedelta(days=2)) == []
    assert trial_rows(own.id, 28, cast_until=day - timedelta(days=2)) == []
    assert trial_rows(own.id, 28, cast_from=day, cast_until=day + timedelta(days=1)) == everything


@pytest.mark.usefixtures("records")
def test_price_of_the_day_and_of_the_region_goes_first() -> None:
    north, south = add("regions", code="N", name="North"), add("regions", code="S", name="South")
    for region, day, price in (
        (None, "2026-01-01", "180"),
        (None, "2026-06-01", "190"),
        (north, "2026-02-01", "170"),
    ):
        more = {"region_id": region.id} if region else {}
        add("prices", kind="fly_ash", valid_from=day, price_per_t=price, **more)

    def on(text: str, region: Any) -> Any:
        from datetime import date

        found = price_list(date.fromisoformat(text), region.id if region else None)
        return found.get(("fly_ash", None))

    assert on("2025-12-31", None) is None
    assert on("2026-03-01", None) == Decimal("180")
    assert on("2026-06-01", south) == Decimal("190")
    assert on("2026-07-01", north) == Decimal("170")


@pytest.mark.usefixtures("records")
def test_a_price_names_its_cement_and_nothing_else_does() -> None:
    own, _other = two_cements()
    with pytest.raises(Refused):
        add("prices", kind="cement", valid_from="2026-01-01", price_per_t="400")
    with pytest.raises(Refused):
        add("prices", kind="slag", cement_product_id=own.id, valid_from="2026-01-01", price_per_t="400")


# --- the answer ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("records_on_both")
def test_fifteen_kilograms_and_three_yuan_come_out_of_the_trials_and_are_kept() -> None:
    own, other, trial = trials_of_both()
    priced(own, other)
    kept = add(
        "comparisons",
        name="Before",
        own_id=own.id,
        other_id=other.id,
        target_mpa="43.2",
        trial_id=trial.id,
    )
    found = outcome_of_record(kept)
    assert kept.code.startswith("V")
    assert kept.told_apart
    assert 10 < kept.binder_difference_kg_m3 < 20
    assert found.cost_difference is not None
    assert Decimal(1) < kept.cost_difference_per_m3 < Decimal(6)
    assert found.bags_own >= found.bags_other
    rested = kept.rested_on
    assert len(rested["batches"]) == 18
    assert rested["prices_per_t"]["cement_own"] == 386.0


@pytest.mark.usefixtures("records")
def test_a_kept_comparison_stays_when_prices_and_trials_change() -> None:
    own, other, trial = trials_of_both()
    priced(own, other)
    kept = add("comparisons", name="Before", own_id=own.id, other_id=other.id, target_mpa="43.2")
    before = (kept.outcome, kept.inputs, kept.cost_difference_per_m3)
    add("prices", kind="cement", cement_product_id=own.id, valid_from="2021-01-01", price_per_t="300")
    lot = a_lot(own, "late")
    for ratio in RATIOS:
        cast(trial, SERVICES["mix-designs"].find(code=f"OWN-{round(100 * ratio)}"), lot, 60.0)
    again = SERVICES["comparisons"].get(kept.id)
    assert (again.outcome, again.inputs, again.cost_difference_per_m3) == before
    edited = SERVICES["comparisons"].edit(kept.id, {"name": "Renamed"}, kept.version, ACTOR)
    assert (edited.name, edited.outcome) == ("Renamed", before[0])
    with pytest.raises(Refused):
        SERVICES["comparisons"].edit(kept.id, {"name": "x", "target_mpa": "50"}, edited.version, ACTOR)
    now = answer_to(question(own, other)).outcome
    assert now is not None
    assert now.cost_difference != outcome_of_record(edited).cost_difference


@pytest.mark.usefixtures("records")
def test_trials_without_a_figure_are_refused_in_words_and_not_kept() -> None:
    own, other = two_cements()
    answer = answer_to(question(own, other))
    assert answer.outcome is None
    assert "Too few batches" in answer.reason
    with pytest.raises(Refused) as refusal:
        add("comparisons", name="x", own_id=own.id, other_id=other.id, target_mpa="43.2")
    assert "Too few batches" in str(refusal.value)
    assert SERVICES["comparisons"].page().total == 0


@pytest.mark.usefixtures("records")
def test_cubes_of_one_cement_are_not_compared_with_cylinders_of_the_other() -> None:
    own, other, trial = trials_of_both(lots=2)
    before = answer_to(question(own, other)).outcome
    for number, ratio in enumerate(RATIOS):
        mix = SERVICES["mix-designs"].find(code=f"OWN-{round(100 * ratio)}")
        cast(trial, mix, a_lot(own, f"C{number}"), 30.0 - 4 * number, shape="cylinder")
    found = answer_to(question(own, other)).outcome
    assert before is not None
    assert found is not None
    assert (found.binder_difference, found.batches_own) == (before.binder_difference, before.batches_own)
    assert "cylinders are not compared" in " ".join(note_words(found))


@pytest.mark.usefixtures("records")
def test_a_cement_is_not_compared_with_itself() -> None:
    own, _other = two_cements()
    with pytest.raises(Refused):
        question(own, own)


@pytest.mark.usefixtures("records")
def test_a_change_at_the_works_between_the_batches_is_named() -> None:
    own, other, _trial = trials_of_both(lots=2)
    mix = SERVICES["mix-designs"].find(code="OWN-46")
    cast(_trial, mix, a_lot(own, "old", ago=95), 42.0, ago=90)
    add(
        "process-changes",
        name="alumina up",
        cement_product_id=own.id,
        holds_from=f"{utc_now() - timedelta(days=60):{DAY}}",
        al2o3_from_percent="5.0",
        al2o3_to_percent="5.4",
    )
    found = answer_to(question(own, other)).outcome
    assert found is not None
    assert found.changes == ("alumina up",)


@pytest.mark.usefixtures("records")
def test_what_goes_out_holds_no_maker_no_price_and_no_batch() -> None:
    own, other, trial = trials_of_both()
    priced(own, other)
    out = outward_comparison(own.id, other.id, "43.2", trial_id=trial.id)
    assert out.cost_difference_per_m3 is None
    for word in ("Rival", "Theirs", "RIVAL", "Jiangbei", "386", "B26", "OWN-"):
        assert word not in repr(out)
    assert out.told_apart
    told = outward_comparison(own.id, other.id, "43.2", trial_id=trial.id, with_cost=True)
    assert told.cost_difference_per_m3 is not None


# --- who sees what ---------------------------------------------------------------------------------------------


def two_comparisons() -> dict[str, int]:
    own, other, _trial = trials_of_both()
    priced(own, other)
    question = {"own_id": own.id, "other_id": other.id, "target_mpa": "43.2"}
    first = add("comparisons", name="Before", **question)
    second = add("comparisons", name="After", **question, earlier_id=first.id)
    return {"own": own.id, "other": other.id, "first": first.id, "second": second.id}


@pytest.fixture
def kept(app: Flask) -> dict[str, int]:
    with app.test_request_context():
        return begun_with(two_comparisons)


@pytest.mark.parametrize(
    ("role", "reads"),
    [
        (TECHNICIAN, False),
        (SERVICE, False),
        (SALES, True),
        (MANAGER, True),
        (AUDITOR, True),
        (ADMINISTRATOR, True),
    ],
)
def test_money_is_for_roles_that_read_prices(
    kept: dict[str, int], sign_in_as: Callable[[str], Person], role: str, reads: bool
) -> None:
    person = sign_in_as(role)
    assert (person.get("/prices/").status_code == 200) is reads
    assert (person.get("/api/v1/prices/").status_code == 200) is reads
    asked = f"/cement-comparison/?own_id={kept['own']}&other_id={kept['other']}&target_mpa=43.2&go=1"
    for path in (
        f"/comparisons/{kept['second']}",
        "/comparisons/",
        asked,
        f"/optimal-mix/?cement_product_id={kept['own']}&go=1",
    ):
        page = person.get(path)
        assert page.status_code == 200, path
        assert ("yuan" in page.get_data(as_text=True)) is reads, path
    for path in (
        f"/api/v1/comparisons/{kept['second']}",
        f"/api/v1/comparisons/question?own_id={kept['own']}&other_id={kept['other']}&target_mpa=43.2",
    ):
        answer = person.get(path)
        assert answer.status_code == 200
        found = json.dumps(answer.get_json())
        assert ("cost" in found) is reads, path


def test_cost_is_no_filter_and_no_order(kept: dict[str, int], technician: Person) -> None:
    """A value that is not shown is not found by halving either."""
    assert technician.get("/comparisons/?cost_difference_per_m3=3").status_code == 400
    assert technician.get("/api/v1/comparisons/?order=cost_difference_per_m3").status_code == 400


def test_price_of_a_mix_component_is_hidden_and_kept(app: Flask, technician: Person, sales: Person) -> None:
    with app.app_context():
        mix = add("mix-designs", code="M-1", cement_kg_m3="300", water_kg_m3="170")
        component = mix.latest.components[0]
        SERVICES["mix-components"].edit(
            component.id,
            {
                "revision_id": mix.latest_revision_id,
                "kind": "cement",
                "mass_kg_m3": "300",
                "price_per_t": "412.34",
            },
            component.version,
            ACTOR,
        )
        component_id, revision_id = component.id, mix.latest_revision_id
    paths = (
        f"/mix-components/{component_id}",
        "/mix-components/",
        f"/mix-components/{component_id}/edit",
        f"/api/v1/mix-components/{component_id}",
    )
    for path in paths:
        assert "412.34" not in technician.get(path).get_data(as_text=True), path
    assert "412.34" in sales.get(f"/mix-components/{component_id}").get_data(as_text=True)
    assert "412.34" in sales.get(f"/api/v1/mix-components/{component_id}").get_data(as_text=True)
    assert "412" not in json.dumps(technician.get(f"/api/v1/mix-revisions/{revision_id}").get_json())
    with app.app_context():
        version = SERVICES["mix-components"].get(component_id).version
    posted = technician.post(
        f"/mix-components/{component_id}/edit",
        {"revision_id": str(revision_id), "kind": "cement", "mass_kg_m3": "310", "version": str(version)},
    )
    assert posted.status_code == 302
    with app.app_context():
        found = SERVICES["mix-components"].get(component_id)
        assert (found.mass_kg_m3, found.price_per_t) == (Decimal(310), Decimal("412.34"))


def test_a_comparison_is_kept_from_the_page_and_shown_beside_the_earlier_one(
    kept: dict[str, int], sales: Person
) -> None:
    form = {
        "own_id": kept["own"],
        "other_id": kept["other"],
        "target_mpa": "43.2",
        "age_days": "28",
        "go": "1",
    }
    answer = sales.post("/comparisons/add", {**form, "name": "From the page", "earlier_id": kept["first"]})
    assert answer.status_code == 302
    page = sales.get(answer.headers["Location"]).get_data(as_text=True)
    assert "Before and after" in page
    assert page.count("data-pair") == 2


def test_bad_questions_are_answered_not_crashed(kept: dict[str, int], sales: Person) -> None:
    for query in (
        "own_id=1&go=1",
        "own_id=x&other_id=2&target_mpa=43&go=1",
        "own_id=999&other_id=998&target_mpa=43&go=1",
        f"own_id={kept['own']}&other_id={kept['other']}&target_mpa=1e5&go=1",
        f"own_id={kept['own']}&other_id={kept['other']}&target_mpa=43&scm=gold&go=1",
        "own_id=99999999999999999999&other_id=2&target_mpa=43&go=1",
        f"own_id={kept['own']}&other_id={kept['other']}&target_mpa=43&age_days=0&go=1",
    ):
        assert sales.get(f"/cement-comparison/?{query}").status_code in (200, 404, 422), query
        assert sales.get(f"/api/v1/comparisons/question?{query}").status_code in (200, 400, 404, 422), query


def test_the_technician_keeps_no_comparison(kept: dict[str, int], technician: Person) -> None:
    form = {"own_id": kept["own"], "other_id": kept["other"], "target_mpa": "43.2", "name": "x"}
    assert technician.post("/comparisons/add", form).status_code == 403


def test_a_customer_is_offered_nothing_extrapolated(kept: dict[str, int], sales: Person) -> None:
    page = sales.get(
        f"/cement-comparison/?own_id={kept['own']}&other_id={kept['other']}&target_mpa=90&go=1"
    ).get_data(as_text=True)
    assert "Nothing is extrapolated" in page


def test_a_salesperson_compares_within_the_own_regions(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    """Batches of another region's customer are neither counted nor named."""
    with app.test_request_context():
        own, other, trial = trials_of_both()
        user = find_user("sales")
        assert user is not None
        ours, theirs = add("regions", code="R-1", name="Ours"), add("regions", code="R-2", name="Theirs")
        add("region-staff", region_id=ours.id, user_id=user.id)
        customer = a_customer("K-FAR", region_id=theirs.id)
        far = SERVICES["trials"].get(trial.id)
        SERVICES["trials"].edit(far.id, {"name": far.name, "customer_id": customer.id}, far.version, ACTOR)
        asked = f"/api/v1/comparisons/question?own_id={own.id}&other_id={other.id}&target_mpa=43.2"
        question = {"name": "Kept", "own_id": own.id, "other_id": other.id, "target_mpa": "43.2"}
        of_trial = add("comparisons", **question, trial_id=trial.id)
        kept = add("comparisons", **question, earlier_id=of_trial.id)
        batch = kept.rested_on["batches"][0]["batch"]
    sales, technician = sign_in_as(SALES), sign_in_as(TECHNICIAN)
    assert technician.get(asked).get_json()["result"]["outcome"]["batches_own"] == 9
    refused = sales.get(asked).get_json()["result"]
    assert refused["outcome"] is None
    assert "Too few batches" in refused["reason"]
    for person, answers in ((technician, (200, True)), (sales, (404, False))):
        assert person.get(f"/comparisons/{of_trial.id}").status_code == answers[0]
        page = person.get(f"/comparisons/{kept.id}").get_data(as_text=True)
        assert [text in page for text in (batch, of_trial.code)] == [answers[1]] * 2


def test_a_comparison_goes_out_as_pdf_by_page_and_rest_with_money_for_those_who_read_it(
    kept: dict[str, int], sales: Person, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def noted(layout: str, data: dict[str, Any], **more: Any) -> bytes:
        told.append(json.dumps(data, ensure_ascii=False))
        return pdf(layout, data, **more)

    monkeypatch.setattr("lims.comparison.paper.pdf", noted)
    asked = f"own_id={kept['own']}&other_id={kept['other']}&target_mpa=43.2"
    addresses = (
        f"/comparisons/{kept['first']}/comparison.pdf",
        f"/api/v1/comparisons/{kept['first']}/comparison.pdf",
        f"/cement-comparison/comparison.pdf?{asked}",
    )
    for person, money in ((sales, True), (technician, False)):
        for address in addresses:
            answer = person.get(address)
            assert answer.status_code == 200, address
            assert answer.mimetype == "application/pdf"
            assert answer.data.startswith(b"%PDF")
            assert ("yuan" in told[-1].replace('"yuan/t"', "")) is money, address
    assert f"/comparisons/{kept['first']}/comparison.pdf" in sales.get(
        f"/comparisons/{kept['first']}"
    ).get_data(as_text=True)
    refused = sales.get(f"/cement-comparison/comparison.pdf?{asked.replace('43.2', '90')}")
    assert refused.status_code == 400
    assert "Nothing is extrapolated" in refused.get_data(as_text=True)


def test_page_and_paper_say_the_same_side_by_side(
    kept: dict[str, int], sales: Person, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers: list[list[list[str]]] = []

    def noted(layout: str, data: dict[str, Any], **more: Any) -> bytes:
        papers.append(data["sides"])
        return b"%PDF"

    monkeypatch.setattr("lims.comparison.paper.pdf", noted)
    for person in (sales, technician):
        page = html.unescape(person.get(f"/comparisons/{kept['first']}").get_data(as_text=True))
        person.get(f"/comparisons/{kept['first']}/comparison.pdf")
        rows = re.findall(r'<tr data-side="(\w+)">(.*?)</tr>', page)
        shown = [
            [
                " ".join(re.sub(r"<[^>]+>", "", cell).split())
                for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)
            ]
            for _name, row in rows
        ]
        assert shown == [
            [row[0].replace(", kg", " kg").replace(", yuan", " yuan").replace(", %", " %"), *row[1:]]
            for row in papers[-1]
        ]
        names = [name for name, _row in rows]
        assert names[:4] == ["binder", "ratio", "cement", "bags"]
        assert ("cost" in names) is (person is sales)
    cement = next(row for row in papers[-1] if row[0] == "Cement, kg/m³")
    assert int(cement[3].replace("−", "-")) == int(cement[1]) - int(cement[2])


@pytest.mark.parametrize(
    ("span", "lines", "step"),
    [(0.23, 5, 0.05), (34, 5, 10), (10, 5, 2), (35, 7, 5), (70, 7, 10), (3, 7, 1), (701, 7, 200)],
)
def test_grid_lines_stand_at_round_steps_and_are_few(span: float, lines: int, step: float) -> None:
    assert round_step(span, lines, least=1 if span == 3 else 0) == pytest.approx(step)
    assert span / step <= lines


def test_the_picture_of_both_laws_holds_every_batch_and_escapes_names(
    kept: dict[str, int], app: Flask
) -> None:
    with app.test_request_context():
        record = SERVICES["comparisons"].get(kept["first"])
        batches = record.rested_on["batches"]
        drawn = laws_svg(outcome_of_record(record), batches, ("A & <B>", "C"))
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own drawing
    marks = [item for item in root.iter() if item.tag.endswith("circle")]
    assert len(marks) == sum(1 for item in batches if item["own"]) + 1  # and one in the legend
    assert any(item.text == "A & <B>" for item in root.iter())
