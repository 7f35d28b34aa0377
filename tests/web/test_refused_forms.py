"""A form that is refused stands again with what was typed into it, opened, and with the name of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from lims.accounts.roles import MANAGER, SERVICE
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import local_time
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_history, record_set, release, result_of, verify
from lims.trials.models import SpecimenSet
from tests.conftest import PASSWORD, Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix
from tests.results.test_press_files import a_mapping
from tests.results.test_states import CHECKER


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


def refused(answer: Any) -> str:
    assert answer.status_code == 422
    page: str = answer.get_data(as_text=True)
    return page


def is_chosen(page: str, value: Any) -> bool:
    return f'<option value="{value}" selected>' in page


def entered(set_id: int) -> None:
    entry = {"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()}
    record_set(set_id, SetBreaksIn.read(entry), ACTOR)


@pytest.fixture
def released(app: Flask) -> tuple[int, int]:
    """Ids of a set with a released result, and of one of its batch that is held."""
    with app.app_context():
        batch = a_batch("40", plan_ages="3", hold_sets="1")
        found = next(item for item in batch.sets if item.age_days == 3)
        held = next(item for item in batch.sets if item.state == "held")
        entered(found.id)
        verify(found.id, CHECKER)
        release(found.id, CHECKER)
        return found.id, held.id


def test_retraction_with_a_wrong_password_keeps_reason_set_and_age_and_not_the_password(
    released: tuple[int, int], sign_in_as: Callable[[str], Person]
) -> None:
    set_id, held_id = released
    typed = {"reason": "capping failed", "held_set_id": str(held_id), "age_days": "8"}
    wrong = "not my password at all"
    page = refused(sign_in_as(MANAGER).post(f"/press/sets/{set_id}/retract", {**typed, "password": wrong}))
    form = page[page.index('<details class="card mt-3" open>') :]
    assert 'value="capping failed"' in form
    assert is_chosen(form, held_id)
    assert 'id="retract-age" name="age_days" inputmode="numeric" value="8"' in form
    assert wrong not in page
    assert '<details class="card" open>' not in page  # that of the amendment


def test_retraction_with_a_wrong_age_names_the_age(
    released: tuple[int, int], sign_in_as: Callable[[str], Person]
) -> None:
    set_id, held_id = released
    typed = {"reason": "capping failed", "held_set_id": str(held_id), "age_days": "1", "password": PASSWORD}
    page = refused(sign_in_as(MANAGER).post(f"/press/sets/{set_id}/retract", typed))
    assert "<li>Age of the retest: is past" in page
    assert 'value="capping failed"' in page


@pytest.mark.parametrize(("age", "message"), [("1", "is past"), ("七天", "accepted"), ("", "is required")])
def test_retest_that_is_refused_keeps_its_set_and_age(
    released: tuple[int, int], sign_in_as: Callable[[str], Person], age: str, message: str
) -> None:
    set_id, held_id = released
    manager = sign_in_as(MANAGER)
    manager.post(f"/press/sets/{set_id}/retract", {"reason": "capping failed", "password": PASSWORD})
    page = refused(
        manager.post(f"/press/sets/{set_id}/retest", {"held_set_id": str(held_id), "age_days": age})
    )
    assert re.search(f"<li>Age of the retest: [^<]*{message}", page)
    form = page[page.index('id="retracted"') :]
    assert is_chosen(form, held_id)
    assert f'id="retest-age" name="age_days" inputmode="numeric" value="{age}"' in form


def test_set_of_an_imported_history_whose_size_nobody_knows_may_be_amended(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        batch = a_batch("40", plan_ages="3")
        record_history(batch, [(28, [Decimal("41.2")])], "cube", None, ACTOR)
        query = select(SpecimenSet.id).where(SpecimenSet.batch_id == batch.id, SpecimenSet.age_days == 28)
        set_id = current_session().scalars(query).one()
    page = sign_in_as(MANAGER).get(f"/press/sets/{set_id}")
    assert page.status_code == 200
    assert 'name="amend"' in page.get_data(as_text=True)


def test_entry_that_came_second_stands_in_the_opened_correction(app: Flask, technician: Person) -> None:
    with app.app_context():
        set_id = a_batch("40", plan_ages="3").sets[0].id
        entered(set_id)
        tested = f"{local_time(utc_now()):%Y-%m-%dT%H:%M}"
    typed = {"load_1": "424", "load_2": "401", "load_3": "390", "tested_at": tested}
    answer = technician.post(f"/press/sets/{set_id}", typed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Your values are kept below" in page
    assert '<details class="card" open>' in page
    assert 'value="390"' in page
    noted = {**typed, "load_3": "396", "remark": "one corner chipped"}
    answer = technician.post(f"/press/sets/{set_id}", noted)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert re.search(r"with the same loads; what differs: [^<]*Remark\. Your values are kept", page)
    assert 'value="one corner chipped"' in page


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("x" * 2001, "Reason: has 2001 characters; accepted: 1 to 2000"),
        ("digit\x07", "Reason: holds a control character; accepted: plain text"),
        (" ", "Reason: is required"),
    ],
)
def test_reason_of_a_correction_is_refused_and_not_cut(
    app: Flask, technician: Person, reason: str, message: str
) -> None:
    with app.app_context():
        set_id = a_batch("40", plan_ages="3").sets[0].id
        entered(set_id)
        tested = f"{local_time(utc_now()):%Y-%m-%dT%H:%M}"
    typed = {"load_1": "424", "load_2": "401", "load_3": "390", "tested_at": tested, "result_number": "1"}
    page = refused(technician.post(f"/press/sets/{set_id}", {**typed, "reason": reason}))
    assert f"<li>{message}" in page
    assert 'value="390"' in page
    kept = "digit read wrong; " * 100
    answer = technician.post(f"/press/sets/{set_id}", {**typed, "reason": kept})
    assert answer.status_code == 302
    with app.app_context():
        result = result_of(set_id)
        assert result is not None
        assert (result.number, result.reason) == (2, kept.strip())


def test_signature_with_a_wrong_password_is_asked_for_again_in_sight(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        set_id = a_batch("40", plan_ages="3").sets[0].id
        entered(set_id)
    page = refused(sign_in_as(MANAGER).post(f"/press/sets/{set_id}/verify", {"password": "not mine"}))
    assert '<details class="sign" open>' in page


def test_step_of_a_first_use_keeps_its_day_and_remarks(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        cement = add("cement-products", code="PC325R", name="P.C 32.5R")
        card_id = add(
            "usage-cards",
            customer_id=a_customer().id,
            cement_product_id=cement.id,
            recorded_on="2026-05-04",
            purpose="Unfired bricks",
        ).id
        steps = SERVICES["usage-tasks"].page(filters={"usage_card_id": card_id}).items
        task_id = next(item.id for item in steps if item.kind == "scale")
    typed = {"done_on": "2026-05-06", "remarks": "weights were borrowed"}
    page = refused(sign_in_as(MANAGER).post(f"/usage-cards/{card_id}/tasks/{task_id}", typed))
    assert "needs a check of the scale" in page
    assert page.count('name="done_on" value="2026-05-06"') == 1
    assert page.count('value="weights were borrowed"') == 1
    page = refused(sign_in_as(MANAGER).post(f"/usage-cards/{card_id}/normal", {"normal_since": "2026-05-07"}))
    assert 'name="normal_since" value="2026-05-07"' in page


def test_key_and_calendar_keep_what_they_are_for(technician: Person) -> None:
    page = refused(technician.post("/profile/api-keys", {"name": "press PC", "days": "9000"}))
    assert 'value="press PC"' in page
    assert 'value="9000"' in page
    name = "Telephone " * 9
    assert f'value="{name}"' in refused(technician.post("/calendar-feeds/", {"name": name}))


def test_file_that_was_not_taken_leaves_press_and_encoding_chosen(app: Flask, technician: Person) -> None:
    with app.app_context():
        a_mapping()
        second = a_mapping(code="P2-csv").id
    page = refused(technician.post("/press/tray", {"mapping": str(second)}))
    assert "is required: the file that the press wrote" in page
    assert is_chosen(page, second)
    page = refused(technician.post("/import/", {"encoding": "big5"}))
    assert is_chosen(page, "big5")
    assert '<details class="mb-3" open>' in page


def test_retest_that_does_not_answer_an_objection_stays_chosen_and_says_its_outcome_in_words(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        cement = add("cement-products", code="PO425", name="P.O 42.5")
        lot = add("cement-lots", code="L-1", cement_product_id=cement.id, strength_28d_mpa="49.0")
        objection_id = add(
            "objections",
            customer_id=a_customer().id,
            cement_lot_id=lot.id,
            raised_on="2026-05-04",
            claim="Weak",
        ).id
        retest_id = add("retests", cement_lot_id=lot.id, ordered_on="2026-05-06").id
        sampled = {
            "sampled_on": "2026-05-05",
            "sampled_by": "Li Wei",
            "witnessed_by": "Gao Feng",
            "seal_number": "A-17",
            "sealed_until": "2026-08-05",
        }
        SERVICES["objections"].sample(objection_id, sampled, ACTOR)  # type: ignore[attr-defined]
    service = sign_in_as(SERVICE)
    page = refused(service.post(f"/objections/{objection_id}/steps/test", {"tested_at_place": "Wuhan"}))
    assert 'name="tested_at_place" maxlength="120" value="Wuhan"' in page
    typed = {"retest_id": str(retest_id), "tested_at_place": "W" * 121}
    page = refused(service.post(f"/objections/{objection_id}/steps/test", typed))
    assert is_chosen(page, retest_id)
    assert re.search(rf'<option value="{retest_id}" selected>[^<]* · Open<', page)


def test_proportion_that_is_not_saved_keeps_the_mix_that_it_was_to_revise(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        mix = a_mix("C30-KEPT")
        mix_id, title = mix.id, mix.title
    page = refused(technician.post("/rules/save-mix", {"grade_mpa": "thirty", "mix_design_id": str(mix_id)}))
    assert f'<option value="{mix_id}" selected>{title}</option>' in page
