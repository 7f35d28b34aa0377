"""Registering a batch: what is noticed about its materials must be answered; sets are held, reserved, used, discarded."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from lims.audit.trace import trace
from lims.base.database import current_session, transaction
from lims.base.display import local_time
from lims.base.problems import Conflict, Refused
from lims.base.services import SERVICES
from lims.results.due import due_groups
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set
from lims.trials.models import Batch, SpecimenSet
from lims.trials.service import SpecimenSetService
from tests.at_once import at_once
from tests.factories import ACTOR, a_batch, a_mix


def day(ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}"


def a_cement(code: str = "PO") -> Any:
    return SERVICES["cement-products"].add(
        {"code": code, "name": code, "cement_type": "P.O", "strength_class": "42.5"}, ACTOR
    )


def a_lot(cement: Any, produced_days_ago: int) -> Any:
    return SERVICES["cement-lots"].add(
        {
            "code": f"L{produced_days_ago}",
            "cement_product_id": cement.id,
            "produced_on": day(produced_days_ago),
        },
        ACTOR,
    )


def a_sample(mud: str) -> Any:
    source = SERVICES["aggregate-sources"].add({"code": "S1", "name": "Pit", "kind": "fine"}, ACTOR)
    return SERVICES["aggregate-samples"].add(
        {"code": "S1-1", "aggregate_source_id": source.id, "sampled_on": day(5), "mud_percent": mud}, ACTOR
    )


def a_stone(mud: str, code: str = "G1") -> Any:
    source = SERVICES["aggregate-sources"].add({"code": code, "name": "Quarry", "kind": "coarse"}, ACTOR)
    return SERVICES["aggregate-samples"].add(
        {"code": f"{code}-1", "aggregate_source_id": source.id, "sampled_on": day(5), "mud_percent": mud},
        ACTOR,
    )


def refused_fields(**more: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        a_batch("40", **more)
    return {problem.field: problem.message for problem in refused.value.problems}


def test_lot_over_three_months_old_must_be_answered_and_the_answer_stays(records_on_both: Flask) -> None:
    lot = a_lot(a_cement(), 120)
    said = refused_fields(cement_lot_id=lot.id)
    assert "L120" in said["answer_lot_too_old"]
    assert current_session().query(Batch).count() == 0
    batch = a_batch(
        "40",
        mix=a_mix("C30-2"),
        cement_lot_id=lot.id,
        answer_lot_too_old="Retest is running, result tomorrow.",
    )
    assert [(w.kind, w.answer) for w in batch.warnings] == [
        ("lot-too-old", "Retest is running, result tomorrow.")
    ]


def test_lot_of_which_only_the_delivery_is_known_is_asked_about_three_months_after_it(records: Flask) -> None:
    cement = a_cement()
    old, young = (
        SERVICES["cement-lots"].add(
            {"code": f"D{days}", "cement_product_id": cement.id, "delivered_on": day(days)}, ACTOR
        )
        for days in (120, 60)
    )
    assert "D120" in refused_fields(cement_lot_id=old.id)["answer_lot_too_old"]
    assert a_batch("40", mix=a_mix("C30-2"), cement_lot_id=young.id).warnings == []


def test_retested_lot_is_not_asked_about(records_on_both: Flask) -> None:
    cement = a_cement()
    lot = SERVICES["cement-lots"].add(
        {"code": "L", "cement_product_id": cement.id, "produced_on": day(200), "retested_on": day(10)}, ACTOR
    )
    assert a_batch("40", cement_lot_id=lot.id).warnings == []


def test_lot_that_was_retested_only_after_the_casting_is_asked_about(records: Flask) -> None:
    lot = SERVICES["cement-lots"].add(
        {"code": "L", "cement_product_id": a_cement().id, "produced_on": day(200), "retested_on": day(1)},
        ACTOR,
    )
    assert "L" in refused_fields(cement_lot_id=lot.id)["answer_lot_too_old"]  # cast three days ago


def test_lot_of_another_cement_than_the_mix_names_must_be_answered(records_on_both: Flask) -> None:
    named, other = a_cement("PO"), a_cement("PC")
    mix = a_mix("C30-2", cement_product_id=named.id)
    assert set(refused_fields(mix=mix, cement_lot_id=a_lot(other, 5).id)) == {"answer_other_product"}
    assert a_batch("40", mix=mix, cement_lot_id=a_lot(named, 6).id).warnings == []


@pytest.mark.parametrize(("mud", "asked"), [("3", False), ("3.1", True)])
def test_sand_at_the_limit_of_mud_passes_and_above_it_is_asked_about(
    records_on_both: Flask, mud: str, asked: bool
) -> None:
    sample = a_sample(mud)
    if asked:
        said = refused_fields(aggregate_sample_id=sample.id)
        assert "3.1 % > 3 %" in said["answer_sample_out_of_limits"]
    else:
        assert a_batch("40", aggregate_sample_id=sample.id).warnings == []


def test_lot_or_sample_that_is_named_after_casting_is_asked_about_as_one_of_the_casting(
    records_on_both: Flask,
) -> None:
    cement = a_cement()
    old, young, muddy = a_lot(cement, 120), a_lot(cement, 5), a_sample("3.1")
    batch = a_batch("40")

    def changed(**values: Any) -> Batch:
        found: Batch = SERVICES["batches"].edit(batch.id, values, batch.version, ACTOR)
        return found

    for values, field in (
        ({"cement_lot_id": old.id}, "answer_lot_too_old"),
        ({"aggregate_sample_id": muddy.id}, "answer_sample_out_of_limits"),
    ):
        with pytest.raises(Refused) as refused:
            changed(**values)
        assert [problem.field for problem in refused.value.problems] == [field]
        current_session().expire_all()
        assert (batch.cement_lot_id, batch.aggregate_sample_id, batch.warnings) == (None, None, [])
    named = {"cement_lot_id": old.id, "slump_mm": "180"}
    changed(**named, answer_lot_too_old="Found on the weighing slip")
    changed(**named)  # nothing is asked about what stands already
    assert [(w.kind, w.retired_at) for w in batch.warnings] == [("lot-too-old", None)]
    muddy_too = {"aggregate_sample_id": muddy.id, "answer_sample_out_of_limits": "washed since"}
    changed(**named, **muddy_too)
    changed(**{**named, "cement_lot_id": young.id}, **muddy_too)
    assert [w.kind for w in batch.warnings if w.retired_at is None] == ["sample-out-of-limits"]
    changed(
        cement_lot_id=young.id, slump_mm="180"
    )  # the sand was another one: what was said of it goes with it
    assert [w.kind for w in batch.warnings if w.retired_at is None] == []


def test_lots_of_every_material_are_kept_with_what_they_were_used_for(records_on_both: Flask) -> None:
    ash = SERVICES["scm-lots"].add({"code": "FA-1", "kind": "fly_ash"}, ACTOR)
    reducer = SERVICES["admixture-lots"].add({"code": "WR-1", "kind": "superplasticizer"}, ACTOR)
    batch = a_batch("40", fly_ash_lot_id=ash.id, superplasticizer_lot_id=reducer.id)
    assert [(item.kind, item.lot.title) for item in batch.lots] == [
        ("fly_ash", "FA-1"),
        ("superplasticizer", "WR-1"),
    ]


def test_lot_that_was_forgotten_or_mistaken_at_casting_is_put_right(records_on_both: Flask) -> None:
    add = SERVICES["scm-lots"].add
    wrong, right, slag = (add({"code": c, "kind": k}, ACTOR) for c, k in (
        ("FA-1", "fly_ash"), ("FA-2", "fly_ash"), ("SL-1", "slag"),
    ))  # fmt: skip
    batch = a_batch("40", fly_ash_lot_id=wrong.id)
    service, batch_version = SERVICES["batches"], batch.version
    with pytest.raises(Refused, match="of the kind"):
        service.edit(batch.id, {"slag_lot_id": wrong.id}, batch.version, ACTOR)
    changed = service.edit(
        batch.id, {"fly_ash_lot_id": right.id, "slag_lot_id": slag.id}, batch.version, ACTOR
    )
    assert [(lot.kind, lot.title) for lot in changed.lots] == [
        ("fly_ash", right.title),
        ("slag", slag.title),
    ]
    with pytest.raises(Conflict):
        service.edit(batch.id, {"fly_ash_lot_id": wrong.id}, batch_version, ACTOR)
    kept = service.edit(batch.id, {"slump_mm": "170"}, changed.version, ACTOR)
    assert len(kept.lots) == 2
    # A lot that was used up and taken out of use since is named again by whoever sends the batch as it was read.
    for used_up in (right, slag, wrong):
        SERVICES["scm-lots"].retire(used_up.id, ACTOR)
    given = {"fly_ash_lot_id": right.id, "slag_lot_id": slag.id, "slump_mm": "180"}
    kept = service.edit(batch.id, given, kept.version, ACTOR)
    assert sorted(lot.scm_lot_id for lot in kept.lots) == sorted((right.id, slag.id))
    with pytest.raises(Refused, match="fly_ash_lot_id: this record is out of use"):
        service.edit(batch.id, {"fly_ash_lot_id": wrong.id}, kept.version, ACTOR)
    found = trace("batches", batch.id, lambda _name: True)
    assert {("scm-lots", right.id), ("scm-lots", slag.id)} <= set(found.nodes)
    assert ("scm-lots", wrong.id) not in found.nodes
    assert ("batches", batch.id) not in trace("scm-lots", wrong.id, lambda _name: True).nodes
    stone = a_stone("3")
    muddy = {"coarse_aggregate_sample_id": stone.id}
    with pytest.raises(Refused, match="Mud"):
        service.edit(batch.id, muddy, kept.version, ACTOR)
    with pytest.raises(Refused, match="no such record"):
        service.edit(batch.id, {"coarse_aggregate_sample_id": 999_999}, kept.version, ACTOR)
    asked = service.edit(batch.id, {**muddy, "answer_sample_out_of_limits": "washed"}, kept.version, ACTOR)
    assert [warning.retired_at is None for warning in asked.warnings] == [True]
    named_twice = {"aggregate_sample_id": stone.id, "answer_sample_out_of_limits": "washed"}
    asked = service.edit(batch.id, named_twice, asked.version, ACTOR)
    asked = service.edit(batch.id, {"aggregate_sample_id": None}, asked.version, ACTOR)
    assert all(warning.retired_at is None for warning in asked.warnings), "the stone is still named"
    renamed = {
        "code": "Q-7",
        "aggregate_source_id": stone.aggregate_source_id,
        "sampled_on": stone.sampled_on,
    }
    SERVICES["aggregate-samples"].edit(stone.id, renamed, stone.version, ACTOR)
    right_stone = service.edit(
        batch.id, {"coarse_aggregate_sample_id": a_stone("0.1", "G2").id}, asked.version, ACTOR
    )
    assert [warning.retired_at is None for warning in right_stone.warnings] == [False, False]


def test_equipment_that_was_forgotten_or_mistaken_at_casting_is_put_right(records_on_both: Flask) -> None:
    add, service = {name: found.add for name, found in SERVICES.items()}, SERVICES["batches"]
    wrong, right = (add["scales"]({"code": code, "name": "Scale"}, ACTOR) for code in ("W-1", "W-2"))
    cold, warm = (add["curing-tanks"]({"code": code, "name": "Tank"}, ACTOR) for code in ("T-1", "T-2"))
    batch = a_batch("40", scale_id=wrong.id, answer_scale_not_calibrated="new", hold_sets="1")
    changed = service.edit(batch.id, {"slump_mm": "170"}, batch.version, ACTOR)
    assert changed.scale_id == wrong.id, "what is not mentioned stays"
    with pytest.raises(Refused, match=r"W-2 was never calibrated"):
        service.edit(batch.id, {"scale_id": right.id}, changed.version, ACTOR)
    before = changed.version
    changed = service.edit(batch.id, {"curing_tank_id": cold.id}, before, ACTOR)
    with pytest.raises(Conflict):
        service.edit(batch.id, {"curing_tank_id": warm.id}, before, ACTOR)
    named = {"scale_id": right.id, "answer_scale_not_calibrated": "sent in", "curing_tank_id": warm.id}
    changed = service.edit(batch.id, named, changed.version, ACTOR)
    assert [(w.answer, w.retired_at is None) for w in changed.warnings] == [("new", False), ("sent in", True)]
    assert {found.curing_tank_id for found in changed.sets} == {warm.id}
    found = trace("batches", batch.id, lambda _name: True)
    titles = [
        tuple(found.stood.get(key) if key else None for key in (e.before, e.after)) for e in found.corrections
    ]
    tanks = [(None, cold.title), (cold.title, warm.title)]
    assert sorted(set(titles), key=str) == sorted([(wrong.title, right.title), *tanks], key=str)
    changed = service.edit(batch.id, {"scale_id": ""}, changed.version, ACTOR)
    assert (changed.scale_id, any(w.retired_at is None for w in changed.warnings)) == (None, False)


def test_lot_of_a_batch_of_which_nobody_knows_when_it_was_cast_is_put_right_without_a_question(
    records_on_both: Flask,
) -> None:
    ash = SERVICES["scm-lots"].add({"code": "FA-1", "kind": "fly_ash"}, ACTOR)
    known = a_batch("40")
    with transaction(ACTOR) as session:
        old = Batch(
            code="H-1", trial_id=known.trial_id, mix_revision_id=known.mix_revision_id, curing="standard"
        )
        session.add(old)
    changed = SERVICES["batches"].edit(old.id, {"fly_ash_lot_id": ash.id}, old.version, ACTOR)
    assert [lot.title for lot in changed.lots] == ["FA-1"]


def test_lot_of_another_kind_than_its_field_is_refused_by_name(records: Flask) -> None:
    slag = SERVICES["scm-lots"].add({"code": "SL-1", "kind": "slag"}, ACTOR)
    retarder = SERVICES["admixture-lots"].add({"code": "RT-1", "kind": "retarder"}, ACTOR)
    said = refused_fields(
        fly_ash_lot_id=slag.id,
        superplasticizer_lot_id=retarder.id,
        coarse_aggregate_sample_id=a_sample("1").id,
    )
    assert said == {
        "fly_ash_lot_id": "is of the kind Slag powder; accepted: Fly ash",
        "superplasticizer_lot_id": "is of the kind Retarder; accepted: Water reducer",
        "coarse_aggregate_sample_id": "is of the kind Fine; accepted: Coarse",
    }
    kept = {"mix": a_mix("C30-2"), "slag_lot_id": slag.id, "other_admixture_lot_id": retarder.id}
    assert [lot.kind for lot in a_batch("40", **kept).lots] == ["slag", "other_admixture"]


def test_cubes_for_which_no_size_factor_may_be_taken_are_not_cast(records: Flask) -> None:
    mix = a_mix("C60-1", strength_class="C60")
    assert "factor found by test" in refused_fields(mix=mix, width_mm="200")["width_mm"]
    assert a_batch("40", mix=mix, width_mm="100").sets


@pytest.mark.parametrize(("volume", "sets"), [("40", 1), ("101", 2), ("1000", 10), ("1001", 6)])
def test_gb_50204_asks_for_a_set_each_100_m3_and_each_200_m3_in_a_great_pour(
    records_on_both: Flask, volume: str, sets: int
) -> None:
    batch = a_batch(volume, sampling_plan="gb50204", plan_ages="28")
    assert len(batch.sets) == sets


def held(batch: Any) -> SpecimenSet:
    return next(item for item in batch.sets if item.state == "held")


def test_held_and_reserved_sets_are_cast_beside_the_plan_and_wait_without_a_due_time(
    records_on_both: Flask,
) -> None:
    batch = a_batch("40", hold_sets="2", site_sets="1")
    beside = [item for item in batch.sets if item.purpose != "plan"]
    assert [(item.purpose, item.state, item.due_at) for item in beside] == [
        ("hold", "held", None),
        ("hold", "held", None),
        ("site", "held", None),
    ]
    assert beside[0].code.endswith("-H1")
    assert beside[2].code.endswith("-S3")


def test_held_set_used_at_an_age_enters_the_due_list_with_its_window(records_on_both: Flask) -> None:
    batch = a_batch("40", hold_sets="1")
    found = SpecimenSetService().use_held(held(batch).id, {"age_days": "14"}, ACTOR)
    assert (found.state, found.age_days, found.number) == ("waiting", 14, 1)
    assert found.due_at == batch.cast_at + timedelta(days=14)
    with pytest.raises(Refused, match="held set"):
        SpecimenSetService().use_held(found.id, {"age_days": "28"}, ACTOR)


def test_held_set_takes_the_next_number_beside_planned_sets_of_that_age(records_on_both: Flask) -> None:
    batch = a_batch("120", hold_sets="1")
    assert SpecimenSetService().use_held(held(batch).id, {"age_days": "28"}, ACTOR).number == 4


def test_two_held_sets_used_at_one_age_in_the_same_moment_have_numbers_of_their_own(
    records_on_both: Flask,
) -> None:
    batch = a_batch("40", hold_sets="2")
    first, second = (item.id for item in batch.sets if item.state == "held")

    def use(set_id: int) -> Any:
        return SpecimenSetService().use_held(set_id, {"age_days": "28"}, ACTOR)

    told = at_once(records_on_both, batch, lambda: use(first), lambda: use(second))
    assert sorted(found.number for found in told) == [2, 3]


def test_age_that_is_past_is_refused_for_a_held_set(records_on_both: Flask) -> None:
    batch = a_batch("40", hold_sets="1")
    with pytest.raises(Refused, match=r"is past: the window ended \d+ \w+ \d{4}, \d\d:\d\d; accepted"):
        SpecimenSetService().use_held(held(batch).id, {"age_days": "1"}, ACTOR)
    assert held(batch).state == "held"


def test_sets_of_a_batch_that_is_out_of_use_are_due_no_more_and_come_back_with_it(
    records_on_both: Flask,
) -> None:
    batch = a_batch("40", plan_ages="3,7", hold_sets="2")
    first, second = (item for item in batch.sets if item.state == "held")
    SpecimenSetService().discard(second.id, {"reason": "broken on the way"}, ACTOR)
    broken = next(item for item in batch.sets if item.age_days == 3)
    loads = {"loads_kn": ["424", "401", "396"], "tested_at": datetime.now(UTC).isoformat()}
    record_set(broken.id, SetBreaksIn.read(loads), ACTOR)

    def states() -> list[str]:
        current_session().expire_all()
        return [item.state for item in (broken, *(s for s in batch.sets if s.age_days == 7), first, second)]

    before = ["broken", "waiting", "held", "discarded"]
    assert states() == before
    for _click in range(2):
        SERVICES["batches"].retire(batch.id, ACTOR)
        assert states() == ["broken", "discarded", "discarded", "discarded"]
    assert not any(due_groups(datetime.now(UTC)).values())
    for _click in range(2):
        SERVICES["batches"].restore(batch.id, ACTOR)
        assert states() == before
    assert (first.discard_reason, second.discard_reason) == (None, "broken on the way")
    assert len(due_groups(datetime.now(UTC))["next"]) == 1


@pytest.mark.parametrize("age", [5, 14])
def test_set_of_an_age_without_a_tolerance_is_due_all_day(records: Flask, age: int) -> None:
    """The code states none for it: nothing is past its tolerance a moment after it was due."""
    noon = local_time(datetime.now(UTC)).replace(hour=12, minute=0, second=0, microsecond=0)
    cast_at = noon - timedelta(days=age)
    batch = a_batch("40", plan_ages=str(age), cast_at=cast_at.isoformat(), hold_sets="1")
    for minutes in (-719, 1, 719):
        groups = due_groups((noon + timedelta(minutes=minutes)).astimezone(UTC))
        assert [len(groups[name]) for name in ("now", "late", "next")] == [1, 0, 0], minutes
    assert len(due_groups((noon + timedelta(hours=12)).astimezone(UTC))["late"]) == 1
    # A held set may be broken on its day, whatever the hour of the casting was.
    assert SpecimenSetService().use_held(held(batch).id, {"age_days": str(age)}, ACTOR).state == "waiting"


def test_discarded_specimens_keep_their_codes_and_the_reason(records_on_both: Flask) -> None:
    batch = a_batch("40", hold_sets="1")
    code = held(batch).code
    found = SpecimenSetService().discard(held(batch).id, {"reason": "nobody asked within 90 days"}, ACTOR)
    assert (found.state, found.code, found.discard_reason) == (
        "discarded",
        code,
        "nobody asked within 90 days",
    )
    assert found.discarded_at is not None


def test_batch_is_cast_again_from_the_last_one(app: Flask, technician: Any) -> None:
    with app.app_context():
        ash = SERVICES["scm-lots"].add({"code": "FA-1", "kind": "fly_ash"}, ACTOR)
        a_batch("72", fly_ash_lot_id=ash.id, element="Axis B", slump_mm="180")
    page = technician.get("/batches/add?repeat=last").get_data(as_text=True)
    for value in ('value="72"', 'value="Axis B"', ">FA-1<"):
        assert value in page
    # What was measured on the last one was not measured on this one.
    assert 'value="180"' not in page


EQUIPMENT_OF_A_BATCH = (("curing-tanks", "T-9"), ("scales", "W-9"), ("moulds", "M-9"))


def test_batch_is_cast_again_with_the_plan_and_the_equipment_of_the_last_one_that_its_page_names(
    app: Flask, technician: Any
) -> None:
    with app.app_context():
        tank, scale, moulds = (
            SERVICES[name].add({"code": code} | ({} if name == "moulds" else {"name": name}), ACTOR)
            for name, code in EQUIPMENT_OF_A_BATCH
        )
        cast = a_batch(
            "40", plan_ages="5,28", hold_sets="2", site_sets="3", width_mm="100", curing_tank_id=tank.id,
            scale_id=scale.id, answer_scale_not_calibrated="new", mould_id=moulds.id, answer_moulds_not_checked="new",
        )  # fmt: skip
        address = f"/batches/{cast.id}"
    shown = technician.get(address).get_data(as_text=True)
    assert all(re.search(rf'<a href="/{name}/1">{code}', shown) for name, code in EQUIPMENT_OF_A_BATCH)
    corrected = technician.get(f"{address}/edit").get_data(as_text=True)
    for _name, code in EQUIPMENT_OF_A_BATCH:
        assert re.search(rf"<option[^>]*selected[^>]*>{code}", corrected), code
    page = technician.get("/batches/add?repeat=last").get_data(as_text=True)
    for name, value in (("plan_ages", "5,28"), ("hold_sets", "2"), ("site_sets", "3"), ("width_mm", "100")):
        assert re.search(rf'<input[^>]*name="{name}"[^>]*value="{value}"', page), name
    for _name, code in EQUIPMENT_OF_A_BATCH:
        assert re.search(rf"<option[^>]*selected[^>]*>{code}", page), code
    with app.app_context():
        other = SERVICES["scales"].add({"code": "W-8", "name": "scales"}, ACTOR)
        named = {"scale_id": other.id, "answer_scale_not_calibrated": "new"}
        SERVICES["batches"].edit(cast.id, named, cast.version, ACTOR)
    said = technician.get(f"/trace{address}").get_data(as_text=True)
    assert re.findall("put right: ([^<]*?) *<", said) == ["Scale of the batching W-8, before W-9"]
    (event,) = (
        e
        for e in technician.get(f"/trace{address}/trace.json").get_json()["events"]
        if e["what"] == "corrected"
    )
    assert (event["field"], event["before"], event["after"]) == ("scale_id", "W-9", "W-8")


def test_form_of_a_batch_completes_its_lots_and_leaves_those_that_it_does_not_name(
    app: Flask, technician: Any
) -> None:
    with app.app_context():
        ash, slag = (
            SERVICES["scm-lots"].add({"code": c, "kind": k}, ACTOR)
            for c, k in (("FA-1", "fly_ash"), ("SL-1", "slag"))
        )
        batch = a_batch("40", fly_ash_lot_id=ash.id)
        address, given = (
            f"/batches/{batch.id}",
            {"version": str(batch.version), "curing": "standard", "slag_lot_id": slag.id},
        )
    assert 'name="slag_lot_id"' in technician.get(f"{address}/edit").get_data(as_text=True)
    assert technician.post(f"{address}/edit", given).status_code == 302
    page = technician.get(address).get_data(as_text=True)
    assert all(f'href="/scm-lots/{number}"' in page for number in (1, 2))


def test_form_shows_what_was_noticed_and_keeps_what_was_typed(app: Flask, technician: Any) -> None:
    with app.app_context():
        lot = a_lot(a_cement(), 120)
        batch = a_batch("40")
        data = {
            "trial_id": batch.trial_id,
            "mix_revision_id": batch.mix_revision_id,
            "cast_at": "2026-11-20T10:00",
            "volume_m3": "55.5",
            "cement_lot_id": lot.id,
        }
    answer = technician.post("/batches/add", data)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "days old without a retest" in page
    assert 'value="55.5"' in page
    saved = technician.post("/batches/add", {**data, "answer_lot_too_old": "silo emptied"})
    assert saved.status_code == 302
    shown = technician.get(saved.headers["Location"]).get_data(as_text=True)
    assert "silo emptied" in shown


def test_shotcrete_is_judged_by_the_limit_in_force_and_equal_passes(records_on_both: Flask) -> None:
    batch = a_batch("40")
    service = SERVICES["shotcrete-trials"]

    def sprayed(rebound: str, **more: str) -> Any:
        return service.add(
            {
                "trial_id": batch.trial_id,
                "sprayed_on": day(1),
                "sprayed_kg": "500",
                "rebound_kg": rebound,
                **more,
            },
            ACTOR,
        )

    assert (sprayed("100").outcome, sprayed("100").rebound_percent) == ("passed", Decimal("20.0"))
    assert sprayed("100.5").outcome == "failed"
    assert sprayed("50", initial_set_min="5", final_set_min="10").outcome == "passed"
    assert sprayed("50", initial_set_min="5.1", final_set_min="10").outcome == "failed"
    with pytest.raises(Refused, match="both"):
        service.add({"trial_id": batch.trial_id, "sprayed_on": day(1), "sprayed_kg": "500"}, ACTOR)


def test_shotcrete_keeps_the_laboratorys_own_limits_of_its_day(records: Flask) -> None:
    trial = {"trial_id": a_batch("40").trial_id, "sprayed_on": day(9)}
    measured = {
        "sprayed_kg": "500", "rebound_kg": "90", "initial_set_min": "4", "final_set_min": "9", "curing_days": "14",
    }  # fmt: skip
    service = SERVICES["shotcrete-trials"]
    sprayed = service.add({**trial, **measured}, ACTOR)
    assert (sprayed.outcome, sprayed.rebound_limit_percent) == ("passed", Decimal(20))
    for rule, settings in (
        ("rebound", {"limit_percent": "15"}),
        ("setting", {"initial_limit_min": "3", "final_limit_min": "8"}),
        ("curing", {"least_days": "21"}),
    ):
        edition = {
            "rule_id": f"shotcrete/{rule}", "settings": settings, "reason": "tunnel", "effective_on": day(5),
        }  # fmt: skip
        SERVICES["rule-editions"].add(edition, ACTOR)
    remarked = service.edit(sprayed.id, {**trial, **measured, "remarks": "wet wall"}, sprayed.version, ACTOR)
    assert (remarked.outcome, remarked.rebound_limit_percent) == ("passed", Decimal(20))
    # An edition that is written later and holds for that day judges neither a value that is put right nor a remark.
    late = {
        "rule_id": "shotcrete/setting",
        "settings": {"final_limit_min": "7"},
        "reason": "x",
        "effective_on": day(20),
    }
    SERVICES["rule-editions"].add(late, ACTOR)
    limits = ("initial_set_limit_min", "final_set_limit_min", "least_curing_days")
    right = service.edit(sprayed.id, {**trial, **measured, "final_set_min": "8.5"}, remarked.version, ACTOR)
    assert (right.outcome, *(getattr(right, name) for name in limits)) == ("passed", 5, 10, 14)
    with transaction(ACTOR):
        for name in limits:  # as one that was judged before they were kept
            setattr(right, name, None)
    remarks = {"remarks": "dry wall", "panels": "2"}
    right = service.edit(
        sprayed.id, {**trial, **measured, "final_set_min": "8.5", **remarks}, right.version, ACTOR
    )
    assert (right.outcome, right.panels, right.final_set_limit_min) == ("passed", 2, None)
    moved = service.edit(sprayed.id, {**trial, **measured, "sprayed_on": day(8)}, right.version, ACTOR)
    assert (moved.outcome, moved.final_set_limit_min) == ("failed", 7)
    for one in ({"sprayed_kg", "rebound_kg"}, {"initial_set_min", "final_set_min"}, {"curing_days"}):
        alone = {name: value for name, value in measured.items() if name in one}
        assert service.add({**trial, "sprayed_on": day(1), **alone}, ACTOR).outcome == "failed"


@pytest.mark.parametrize(
    ("calibrated", "due", "asked"),
    # The day that counts is that of casting, three days ago.
    [
        (None, None, "never calibrated"),
        (400, 35, "ran out"),
        (30, -335, ""),
        (100, 2, ""),
        (1, -335, "never"),
    ],
)
def test_scale_without_a_valid_calibration_is_asked_about_before_use(
    records_on_both: Flask, calibrated: int | None, due: int | None, asked: str
) -> None:
    scale = SERVICES["scales"].add({"code": "W1", "name": "Batching scale"}, ACTOR)
    if calibrated is not None and due is not None:
        certificate = {
            "scale_id": scale.id,
            "certificate_number": "Z1",
            "calibrated_on": day(calibrated),
            "due_on": day(due),
            "calibrated_by": "Institute",
        }
        SERVICES["calibrations"].add(certificate, ACTOR)
    if asked:
        assert asked in refused_fields(scale_id=scale.id)["answer_scale_not_calibrated"]
    else:
        assert a_batch("40", scale_id=scale.id).warnings == []


def test_moulds_without_a_check_are_asked_about(records_on_both: Flask) -> None:
    moulds = SERVICES["moulds"].add({"code": "M1"}, ACTOR)
    assert "size and squareness" in refused_fields(mould_id=moulds.id)["answer_moulds_not_checked"]
    batch = a_batch(
        "40", mix=a_mix("C30-3"), mould_id=moulds.id, answer_moulds_not_checked="checked today, paper follows"
    )
    assert [item.kind for item in batch.warnings] == ["moulds-not-checked"]
