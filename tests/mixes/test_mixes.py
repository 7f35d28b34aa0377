"""Mixes: derived ratios, and revisions that cannot change once cast."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from lims.base.database import current_session, database, transaction
from lims.base.laboratory import laboratory
from lims.base.problems import Conflict, Refused
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from lims.forecasts.history import mix_histories
from lims.mixes.models import MixComponent, MixDesign, MixRevision
from lims.mixes.service import FrozenRevision
from lims.mixes.views import MixRevisionView
from lims.sharing import candidates
from lims.web.mix_page import recipe_context
from tests.at_once import at_once
from tests.conftest import Person
from tests.factories import ACTOR, RECIPE, a_batch, a_mix


def test_ratio_binder_and_grade_follow_from_the_recipe(records_on_both: Flask) -> None:
    mix = a_mix(fly_ash_kg_m3="60", strength_class="C40")
    assert mix.grade_mpa == 40
    assert mix.latest.binder_kg_m3 == 410
    assert mix.latest.water_binder_ratio == Decimal("0.427")
    assert mix.latest.composition()["slag_kg_m3"] == 0.0
    assert mix.latest.code == "C30-1/1"


@pytest.mark.parametrize(
    ("strength_class", "family", "grade"),
    [
        ("C30/37", "en", "37"),  # an EN laboratory breaks cubes, of which the second number speaks
        ("C30/37", "astm", "30"),
        *((f"C30/37{exposed}", "en", "37") for exposed in ("XC4", "-XF2", "S4", "D16")),
        ("C30/28d", "en", "30"),  # an age
        ("C30P8", "gb", "30"),
        ("M7.5", "gb", "7.5"),
        ("C50/60P8", "gb", "60"),
    ],
)
def test_grade_of_a_class_is_that_of_the_specimens_that_the_laboratory_breaks(
    records: Flask, monkeypatch: pytest.MonkeyPatch, strength_class: str, family: str, grade: str
) -> None:
    facts = replace(laboratory(), code_family=family)
    monkeypatch.setattr("lims.mixes.schemas.laboratory", lambda: facts)
    assert a_mix(strength_class=strength_class).grade_mpa == Decimal(grade)
    assert a_mix("X", strength_class=strength_class, grade_mpa="32").grade_mpa == 32


def test_class_that_a_form_changes_takes_its_grade_along(app: Flask, technician: Person) -> None:
    """The form holds the grade of the former class. As in a sheet, one that was said otherwise than its class stays."""
    with app.app_context():
        plain, other = a_mix("A").id, a_mix("B", grade_mpa="32").id

    def posted(mix_id: int, strength_class: str, grade: str) -> Decimal | None:
        place = f"/mix-designs/{mix_id}"
        with app.app_context():
            mix = SERVICES["mix-designs"].get(mix_id)
            form = {"code": mix.code, "kind": mix.kind, "version": str(mix.version)}
        form |= {"strength_class": strength_class, "grade_mpa": grade}
        assert technician.post(f"{place}/edit", form).status_code == 302
        with app.app_context():
            found: Decimal | None = SERVICES["mix-designs"].get(mix_id).grade_mpa
            return found

    assert posted(plain, "C35", "30") == 35  # it was judged by 30 MPa
    assert posted(plain, "C35", "30") == 30  # typed beside its class
    assert posted(plain, "C35", "35") == 35
    assert posted(plain, "C30/37", "35") == 37
    assert posted(plain, "C40", "42") == 42
    assert posted(other, "C35", "32") == 32


def test_recipe_without_water_is_refused(records: Flask) -> None:
    with pytest.raises(Refused, match="water and at least one binder"):
        SERVICES["mix-designs"].add({"code": "X", "cement_kg_m3": "300"}, ACTOR)
    assert SERVICES["mix-designs"].page().total == 0


def test_recipe_without_any_mass_is_neither_saved_nor_cast(records: Flask) -> None:
    mix = a_mix()
    revision, service = mix.latest, SERVICES["mix-revisions"]
    for masses in ({}, dict.fromkeys(RECIPE, "0")):
        with pytest.raises(Refused, match="at least one mass"):
            service.edit(revision.id, masses, revision.version, ACTOR)
        with pytest.raises(Refused, match="at least one mass"):
            service.add({"mix_design_id": mix.id, "reason": "slip", **masses}, ACTOR)
    assert service.get(revision.id).mass_of("cement") == 350
    for component in revision.components:  # each on its own page
        nothing = {"revision_id": revision.id, "kind": component.kind, "mass_kg_m3": "0"}
        SERVICES["mix-components"].edit(component.id, nothing, component.version, ACTOR)
    with pytest.raises(Refused, match="has no recipe"):
        a_batch(mix=mix)


def test_open_revision_can_be_edited_and_a_cast_one_cannot(records_on_both: Flask) -> None:
    mix = a_mix()
    revision = mix.latest
    SERVICES["mix-revisions"].edit(revision.id, {**RECIPE, "cement_kg_m3": "360"}, revision.version, ACTOR)
    assert SERVICES["mix-revisions"].get(revision.id).mass_of("cement") == 360
    a_batch(mix=mix)
    with pytest.raises(Refused, match="cannot change"):
        SERVICES["mix-revisions"].edit(revision.id, RECIPE, revision.version, ACTOR)
    with pytest.raises(Refused, match="cannot change"):
        SERVICES["mix-components"].add(
            {"revision_id": revision.id, "kind": "filler", "mass_kg_m3": "10"}, ACTOR
        )
    later = SERVICES["mix-revisions"].add({"mix_design_id": mix.id, "reason": "less water", **RECIPE}, ACTOR)
    assert later.number == 2


def test_recipe_that_is_cast_is_the_one_that_was_cast_whoever_changes_a_mass_meanwhile(
    records_on_both: Flask,
) -> None:
    mix = a_mix()
    revision = mix.revisions[0]
    cement = next(item for item in revision.components if item.kind == "cement")
    changed = {"revision_id": revision.id, "kind": "cement", "mass_kg_m3": "90"}

    def edit() -> Any:
        return SERVICES["mix-components"].edit(cement.id, changed, cement.version, ACTOR)

    def add() -> Any:
        return SERVICES["mix-components"].add({**changed, "kind": "slag"}, ACTOR)

    told, added, batch = at_once(records_on_both, revision, edit, add, lambda: a_batch(mix=mix))
    frozen_at = current_session().get(MixRevision, revision.id).frozen_at
    assert frozen_at is not None
    assert batch.mix_revision_id == revision.id
    for came, field in ((told, "changed_at"), (added, "created_at")):
        assert isinstance(came, Refused) or getattr(came, field) <= frozen_at


def test_recipe_that_was_opened_before_a_mass_was_changed_on_its_own_page_is_not_written_over_it(
    records: Flask,
) -> None:
    revision = a_mix().latest
    opened = revision.version
    cement = next(item for item in revision.components if item.kind == "cement")
    changed = {"revision_id": revision.id, "kind": "cement", "mass_kg_m3": "390"}
    SERVICES["mix-components"].edit(cement.id, changed, cement.version, ACTOR)
    with pytest.raises(Conflict):
        SERVICES["mix-revisions"].edit(revision.id, {**RECIPE, "water_kg_m3": "170"}, opened, ACTOR)
    found = SERVICES["mix-revisions"].get(revision.id)
    assert found.mass_of("cement") == 390
    SERVICES["mix-components"].add({"revision_id": revision.id, "kind": "slag", "mass_kg_m3": "20"}, ACTOR)
    assert SERVICES["mix-revisions"].get(revision.id).version > found.version - 1 > opened


def test_recipe_that_is_written_anew_names_the_cement_that_it_was_given(records: Flask) -> None:
    first, other = (SERVICES["cement-products"].add({"code": c, "name": c}, ACTOR).id for c in ("PO", "PC"))
    revision = a_mix(cement_product_id=first).latest
    edit = SERVICES["mix-revisions"].edit
    for product in (other, None):
        revision = edit(revision.id, {**RECIPE, "cement_product_id": product}, revision.version, ACTOR)
        found = {component.kind: component.cement_product_id for component in revision.components}
        assert found == {**dict.fromkeys(found), "cement": product}
    with pytest.raises(Refused, match="no such record"):
        edit(revision.id, {**RECIPE, "cement_product_id": 999}, revision.version, ACTOR)
    SERVICES["cement-products"].retire(other, ACTOR)
    further = {**RECIPE, "mix_design_id": revision.mix_design_id, "reason": "less water"}
    with pytest.raises(Refused, match="out of use"):
        SERVICES["mix-revisions"].add({**further, "cement_product_id": other}, ACTOR)


def test_recipe_with_two_components_of_a_kind_is_not_saved_with_the_mass_of_one(records: Flask) -> None:
    revision = a_mix().latest
    for mass in ("40", "30"):
        ash = {"revision_id": revision.id, "kind": "fly_ash", "mass_kg_m3": mass}
        SERVICES["mix-components"].add(ash, ACTOR)
    current_session().expire_all()
    shown = MixRevisionView.form_values(None, revision, None)  # type: ignore[arg-type]
    assert shown["fly_ash_kg_m3"] == 70
    with pytest.raises(Refused, match="each of them changed on its own page") as refusal:
        SERVICES["mix-revisions"].edit(revision.id, shown, revision.version, ACTOR)
    assert refusal.value.problems[0].field == "fly_ash_kg_m3"
    assert SERVICES["mix-revisions"].get(revision.id).mass_of("fly_ash") == 70


def test_revision_that_is_out_of_use_is_no_longer_the_recipe_of_its_mix(
    records: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lims.web.mix_page.may", lambda *_asked: False)  # nobody is signed in
    mix = a_mix()
    a_batch(mix=mix)
    dry = {**RECIPE, "mix_design_id": mix.id, "reason": "typed at the wrong mix", "water_kg_m3": "150"}
    mistaken = SERVICES["mix-revisions"].add(dry, ACTOR)
    SERVICES["mix-revisions"].retire(mistaken.id, ACTOR)
    current_session().expire_all()
    found = SERVICES["mix-designs"].get(mix.id)
    assert (found.latest.number, found.water_binder_ratio) == (1, Decimal("0.500"))
    assert mix_histories(mix.id)[mix.id].composition["water_kg_m3"] == 175
    assert candidates._masses([mix.id])[mix.id]["water_kg_m3"] == 175
    assert [item.number for item in recipe_context(found)["revisions"]] == [1]
    SERVICES["mix-revisions"].restore(mistaken.id, ACTOR)
    assert found.latest.number == 2


def test_mix_that_is_out_of_use_is_neither_offered_nor_cast(records_on_both: Flask) -> None:
    mix, other = a_mix("C30-1"), a_mix("C30-2")
    revision = a_batch(mix=mix).mix_revision
    with pytest.raises(Refused, match="was cast"):  # so that its mix alone can be
        SERVICES["mix-revisions"].retire(revision.id, ACTOR)
    SERVICES["mix-designs"].retire(mix.id, ACTOR)
    assert [found.code for found in SERVICES["mix-revisions"].choices("C30")] == [other.latest.code]
    with pytest.raises(Refused, match="out of use") as refusal:
        a_batch(mix=mix)
    assert [(problem.field, problem.value) for problem in refusal.value.problems] == [
        ("mix_revision_id", revision.code)
    ]
    SERVICES["mix-designs"].restore(mix.id, ACTOR)
    assert len(SERVICES["mix-revisions"].choices("C30")) == 2
    assert a_batch(mix=mix).mix_revision_id == revision.id


def test_flush_guard_refuses_a_change_past_the_service(records: Flask) -> None:
    mix = a_mix()
    a_batch(mix=mix)

    def change() -> None:
        with transaction(ACTOR) as session:
            revision = session.get(MixRevision, mix.latest.id)
            assert revision is not None
            revision.reason = "other"

    with pytest.raises(FrozenRevision):
        change()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mix_revisions SET reason = 'x'",
        "DELETE FROM mix_components",
        "UPDATE mix_components SET mass_kg_m3 = 1",
    ],
)
def test_database_itself_refuses_to_change_a_cast_revision(records_on_both: Flask, statement: str) -> None:
    mix = a_mix()
    a_batch(mix=mix)
    current_session().commit()
    # Past the sessions, whose reading PostgreSQL lets change nothing anyway.
    with pytest.raises(DBAPIError, match="frozen"), not_only_reading(database().engine).begin() as connection:
        connection.execute(text(statement))
    assert current_session().query(MixComponent).count() == 4


def test_page_of_a_cast_revision_offers_a_new_one_of_its_recipe_and_no_edit(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        mix = a_mix()
        revision_id, component_id = mix.latest.id, mix.latest.components[0].id
        places = [f"/mix-revisions/{revision_id}", f"/mix-components/{component_id}"]
    edits = [f'href="{place}/edit"' for place in places]
    assert [
        edit in technician.get(place).get_data(as_text=True)
        for place, edit in zip(places, edits, strict=True)
    ] == [True, True]
    with app.app_context():
        a_batch(mix=current_session().get_one(MixDesign, 1))
    page, of_component = (technician.get(place).get_data(as_text=True) for place in places)
    assert edits[0] not in page
    assert f'action="{places[0]}/retire"' not in page
    assert edits[1] not in of_component
    further = re.search(r'href="(/mix-revisions/add[^"]+)"', page)
    assert further is not None
    form = technician.get(further.group(1).replace("&amp;", "&")).get_data(as_text=True)
    assert re.search(r'name="cement_kg_m3"[^>]*value="350"', form)
