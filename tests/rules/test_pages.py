"""The register's pages: calculators, sign-off, own editions, judging again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR, MANAGER, SALES, TECHNICIAN
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.mixes.models import MixDesign
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, result_of
from lims.rules.service import compare, edition_in_force, evaluate, rule_of, unconfirmed
from lims.standards.register import REGISTER
from lims.trials.models import SpecimenSet
from tests.conftest import Person
from tests.factories import ACTOR, a_batch

SIGNOFF = {
    "rule_id": "gbt50081-2019/cube-set",
    "document": "GB/T 50081-2019, copy 7",
    "checked_on": "2026-05-04",
}


@pytest.mark.parametrize("language", ["en", "zh", "zh_TW"])
def test_every_rule_has_a_page_that_computes_its_first_vector(
    app: Flask, technician: Person, language: str
) -> None:
    technician.get(f"/lang/{language}")
    assert technician.get("/rules/").status_code == 200
    for rule in REGISTER.rules:
        from lims.rules.calculator import as_text

        page = technician.get(f"/rules/{rule.id}")
        assert page.status_code == 200
        answer = technician.post(f"/rules/{rule.id}", as_text(rule, rule.vectors[0].given))
        assert answer.status_code == 200, rule.id
        assert "data-answer" in answer.get_data(as_text=True)


def test_wrong_input_of_a_calculator_is_named_and_kept(technician: Person) -> None:
    page = technician.post("/rules/gbt50081-2019/cube-set", {"edge_mm": "150", "loads_kn": "424 4O1 396"})
    text = page.get_data(as_text=True)
    assert page.status_code == 422
    assert (
        "Maximum loads, kN, no. 2: &#39;4O1&#39; is not accepted; accepted: a finite decimal number" in text
    )
    assert "424 4O1 396" in text
    inner = {"intervals": "24 30\n48 cold"}
    text = technician.post("/rules/maturity/nurse-saul", inner).get_data(as_text=True)
    assert "Spells of constant temperature: hours and °C, no. 2: Temperature, °C: &#39;cold&#39;" in text


def test_calculator_speaks_chinese_in_its_choices_checks_and_refusals(technician: Person) -> None:
    technician.get("/lang/zh")
    page = technician.get("/rules/gb50204-2015/cement-lots").get_data(as_text=True)
    assert (
        '<option value="bulk">散装</option>' in page or '<option value="bulk" selected>散装</option>' in page
    )
    page = technician.post("/rules/astm-c33/fine", {"retained_g": "20 80 180 260 240 170 50"})
    assert ">细度模数</td>" in page.get_data(as_text=True)
    page = technician.get("/rules/jgj55-2011/proportion").get_data(as_text=True)
    assert '<span class="num fw-medium">钢筋混凝土</span>' in page
    assert "累积和 1 · control/cusum" in technician.get("/rules/").get_data(as_text=True)
    refused = technician.post("/rules/gb50204-2015/cement-lots", {"mass_t": "3"}).get_data(as_text=True)
    assert "散装、袋装" in refused
    refused = technician.post("/rules/gb50204-2015/cement-lots", {"mass_t": "-3", "delivery": "bulk"})
    assert "-3 不接受；可接受" in refused.get_data(as_text=True)


def test_rule_is_cited_as_codes_are_each_with_its_own_edition(technician: Person) -> None:
    page = technician.get("/rules/").get_data(as_text=True)
    for cited in (
        "ACI 318-19 ·",
        "GB/T 50081-2019, ASTM C39-21 ·",
        "fib Model Code 2010 ·",
        "Shotcrete codes 1 ·",
    ):
        assert cited in page, cited


def test_unknown_rule_is_a_404(technician: Person) -> None:
    assert technician.get("/rules/nothing/here").status_code == 404


def test_manager_confirms_a_rule_and_certificates_no_longer_list_it(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        assert [rule.id for rule in unconfirmed(["gbt50081-2019/cube-set"])] == ["gbt50081-2019/cube-set"]
    for role in (TECHNICIAN, SALES, AUDITOR):
        assert sign_in_as(role).post("/rule-signoffs/add", SIGNOFF).status_code == 403
    manager = sign_in_as(MANAGER)
    assert manager.post("/rule-signoffs/add", SIGNOFF).status_code == 302
    page = manager.get("/rules/gbt50081-2019/cube-set").get_data(as_text=True)
    assert "GB/T 50081-2019, copy 7" in page
    with app.app_context():
        assert unconfirmed(["gbt50081-2019/cube-set"]) == []


def test_confirmation_is_neither_changed_nor_dated_in_the_future(records_on_both: Flask) -> None:
    service = SERVICES["rule-signoffs"]
    done = service.add(SIGNOFF, ACTOR)
    assert done.edition == "2019"
    with pytest.raises(Refused):
        service.edit(done.id, {**SIGNOFF, "document": "another"}, done.version, ACTOR)
    with pytest.raises(Refused, match="future"):
        service.add({**SIGNOFF, "checked_on": "2100-01-01"}, ACTOR)
    with pytest.raises(Refused, match="not a rule"):
        service.add({**SIGNOFF, "rule_id": "nothing"}, ACTOR)


def test_own_edition_changes_the_limit_from_its_day_and_the_old_one_stays(records_on_both: Flask) -> None:
    service = SERVICES["rule-editions"]
    rule = rule_of("shotcrete/rebound")
    given = {"sprayed_kg": "500", "rebound_kg": "75"}
    assert evaluate(rule, given)[0]["accepted"] is True
    first = service.add(
        {
            "rule_id": rule.id,
            "settings": "limit_percent = 12",
            "reason": "tunnel lot 3",
            "effective_on": "2026-05-04",
        },
        ACTOR,
    )
    answer, edition = evaluate(rule, given)
    assert answer["accepted"] is False
    assert edition is not None
    assert edition.number == 1
    service.add(
        {
            "rule_id": rule.id,
            "settings": {"limit_percent": "18"},
            "reason": "later",
            "effective_on": "2100-01-01",
        },
        ACTOR,
    )
    assert edition_in_force(rule).number == 1  # type: ignore[union-attr]
    with pytest.raises(Refused, match="never changed"):
        service.edit(
            first.id,
            {
                "rule_id": rule.id,
                "settings": "limit_percent = 30",
                "reason": "x",
                "effective_on": "2026-05-04",
            },
            first.version,
            ACTOR,
        )
    assert first.values() == {"limit_percent": "12"}


def test_plan_that_is_shown_while_a_batch_is_typed_is_the_one_that_is_cast_of_what_is_left_blank(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        edition = {
            "rule_id": "site/sets-per-volume",
            "settings": "per_m3 = 100",
            "reason": "steady production",
        }
        SERVICES["rule-editions"].add({**edition, "effective_on": "2026-05-04"}, ACTOR)
        cast = Counter(found.age_days for found in a_batch("120", plan_ages="").sets)
    shown = technician.get("/batches/plan?volume_m3=120&plan_ages=&cubic_metres_per_set=").get_json()
    assert {row["age_days"]: row["sets"] for row in shown["ages"]} == cast == {3: 2, 7: 2, 28: 2}


def test_calculator_opens_with_what_the_laboratory_set_and_tells_when_it_went_by_it(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        edition = {"rule_id": "site/sets-per-volume", "reason": "steady production"}
        settings = "per_m3 = 40\nspecimens_per_set = 4.0"
        SERVICES["rule-editions"].add({**edition, "settings": settings, "effective_on": "2026-05-04"}, ACTOR)
    address = "/rules/site/sets-per-volume"
    page = technician.get(address).get_data(as_text=True)
    shown = dict(re.findall(r'name="(volume_m3|per_m3|specimens_per_set)" value="([^"]*)"', page))
    assert shown == {"volume_m3": "120", "per_m3": "40", "specimens_per_set": "4.0"}  # 50 and 3 as shipped
    for typed, by_own in ((shown, True), ({"volume_m3": "120"}, True), ({**shown, "per_m3": "60"}, False)):
        answer = technician.post(address, typed)
        assert answer.status_code == 200
        assert ("own edition 1." in answer.get_data(as_text=True)) is by_own
    assert re.search(
        r'name="specimens_per_set"[^>]* value="4"', technician.get("/batches/add").get_data(as_text=True)
    )


def test_own_sampling_plan_is_what_a_batch_proposes(records_on_both: Flask) -> None:
    usual = a_batch("120")
    SERVICES["rule-editions"].add(
        {
            "rule_id": "site/sets-per-volume",
            "settings": "per_m3 = 100",
            "reason": "steady production",
            "effective_on": "2026-05-04",
        },
        ACTOR,
    )
    changed = a_batch("120", mix=usual.mix_revision.mix_design)
    sets = current_session().query(SpecimenSet)
    assert sets.filter_by(batch_id=usual.id, age_days=3).count() == 3
    assert sets.filter_by(batch_id=changed.id, age_days=3).count() == 2


def test_own_number_of_specimens_is_that_of_a_batch_that_does_not_say(records_on_both: Flask) -> None:
    edition = {"rule_id": "site/sets-per-volume", "settings": "specimens_per_set = 4", "reason": "cylinders"}
    SERVICES["rule-editions"].add({**edition, "effective_on": "2026-05-04"}, ACTOR)
    silent = a_batch("40", shape="cylinder")
    said = a_batch("40", mix=silent.mix_revision.mix_design, shape="cylinder", specimens_per_set="3")
    assert [{len(found.specimens) for found in batch.sets} for batch in (silent, said)] == [{4}, {3}]


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("shotcrete/rebound", "limit_percent = 80"),
        ("shotcrete/rebound", "limit_percent = 12.25"),  # no spraying could keep it
        ("site/sets-per-volume", "per_m3 = 12.25"),  # no form of a batch could take it
        ("shotcrete/rebound", "sprayed_kg = 80"),
        ("shotcrete/rebound", "limit_percent"),
        ("gbt50081-2019/cube-set", "edge_mm = 100"),
    ],
)
def test_edition_with_a_value_that_is_not_open_or_not_accepted_is_refused(
    records_on_both: Flask, rule: str, settings: str
) -> None:
    with pytest.raises(Refused):
        SERVICES["rule-editions"].add(
            {"rule_id": rule, "settings": settings, "reason": "x", "effective_on": "2026-05-04"}, ACTOR
        )


def test_set_is_judged_under_another_rule_and_the_issued_verdict_stays(records_on_both: Flask) -> None:
    batch = a_batch("40")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    entry = {
        "loads_kn": ["420", "450", "550"],
        "tested_at": (batch.cast_at + timedelta(days=2, hours=23)).isoformat(),
    }
    record_set(waiting.id, SetBreaksIn.read(entry), ACTOR)
    issued = result_of(waiting.id)
    assert issued is not None
    before = (issued.strength_mpa, issued.basis, issued.version)
    same = compare(waiting.id, rule_of("gbt50081-2019/cube-set"))
    assert same.answer is not None
    assert same.answer["basis"] == "middle"
    other = compare(waiting.id, rule_of("en206/cube-sample"))
    assert other.answer is not None
    assert (other.answer["basis"], other.answer["strength_mpa"]) == ("spread", None)  # 130 of 473 kN
    cylinders = compare(waiting.id, rule_of("aci318/strength-test"))
    assert cylinders.answer is None  # it told the mean of the cubes as a test of cylinders
    assert cylinders.problem == "Shape of the specimens: Cube; accepted: Cylinder"
    again = result_of(waiting.id)
    assert again is not None
    assert (again.strength_mpa, again.basis, again.version) == before


def test_set_judged_from_three_strengths_is_judged_by_its_loads(records: Flask) -> None:
    """850 and 1150 kN lie exactly 15 % from 1000 kN; as strengths of four places the upper one would lie beyond."""
    batch = a_batch("40")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    tested_at = (batch.cast_at + timedelta(days=2, hours=23)).isoformat()
    record_set(
        waiting.id, SetBreaksIn.read({"loads_kn": ["850", "1000", "1150"], "tested_at": tested_at}), ACTOR
    )
    found = compare(waiting.id, rule_of("gbt50081-2019/set-of-three"))
    assert found.answer is not None
    assert (found.rule.id, found.answer["basis"]) == ("gbt50081-2019/set-of-three", "mean")


def test_jgj_55_calculator_saves_a_mix_with_its_recipe(
    app: Flask, technician: Person, sign_in_as: Callable[[str], Person]
) -> None:
    from lims.rules.calculator import as_text

    rule = rule_of("jgj55-2011/proportion")
    form = {**as_text(rule, rule.vectors[0].given), "mix_code": "JGJ-C30"}
    assert sign_in_as(SALES).post("/rules/save-mix", form).status_code == 403
    assert technician.post("/rules/save-mix", form).status_code == 302
    with app.app_context():
        mix = current_session().query(MixDesign).filter_by(code="JGJ-C30").one()
        masses = {item.kind: f"{item.mass_kg_m3:f}" for item in mix.latest.components}
        assert float(masses["cement"]) == 394
        assert float(masses["coarse_aggregate"]) == 1019
        assert mix.grade_mpa == 30
    refused = technician.post("/rules/save-mix", form)
    assert refused.status_code == 422
    assert "JGJ-C30" in refused.get_data(as_text=True)


def test_grade_written_with_a_point_is_saved_as_the_same_class(app: Flask, technician: Person) -> None:
    from lims.rules.calculator import as_text

    rule = rule_of("jgj55-2011/proportion")
    form = {**as_text(rule, rule.vectors[0].given), "mix_code": "JGJ-1", "grade_mpa": "30.0"}
    assert technician.post("/rules/save-mix", form).status_code == 302
    with app.app_context():
        mix = current_session().query(MixDesign).filter_by(code="JGJ-1").one()
        assert (mix.strength_class, mix.grade_mpa) == ("C30", 30)
