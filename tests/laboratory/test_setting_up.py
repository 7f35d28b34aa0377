"""A new installation: the guide counts what is done, and the laboratory's facts decide clock, codes and plan."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lims.accounts.roles import TECHNICIAN
from lims.aftersales.models import ServiceSettings
from lims.aftersales.service import ServiceSettingsService
from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.laboratory import Laboratory, laboratory
from lims.base.problems import Conflict, Refused
from lims.laboratory.service import save_laboratory, steps
from tests.conftest import Person
from tests.factories import a_batch

FACTS = {
    "name": "River laboratory",
    "timezone": "Asia/Shanghai",
    "language": "en",
    "code_family": "gb",
    "plan_ages": "3,7,28",
}
ACTOR = system_actor("test")


def test_guide_ticks_each_step_when_it_is_done(app: Flask, administrator: Person) -> None:
    with app.app_context():
        assert {step.name for step in steps() if step.done} == {"accounts"}
    assert "Name the laboratory" in administrator.get("/").get_data(as_text=True)
    answer = administrator.post("/laboratory/edit", FACTS)
    assert answer.status_code == 302
    page = administrator.get("/").get_data(as_text=True)
    assert "River laboratory" in page
    with app.app_context():
        assert {step.name for step in steps() if step.done} == {"laboratory", "accounts"}
        a_batch()
        assert {"mix", "batch"} <= {step.name for step in steps() if step.done}


def test_second_of_two_who_save_the_facts_is_told_what_the_first_stored(
    app: Flask, administrator: Person
) -> None:
    """Both opened the form before anything was stored, then both at version 1."""
    assert administrator.post("/laboratory/edit", FACTS).status_code == 302
    late = administrator.post("/laboratory/edit", {**FACTS, "name": "Hill laboratory"})
    assert late.status_code == 409
    assert "River laboratory" in late.get_data(as_text=True)
    assert 'name="version" value="1"' in administrator.get("/laboratory/edit").get_data(as_text=True)
    first = {**FACTS, "timezone": "UTC", "version": "1"}
    assert administrator.post("/laboratory/edit", first).status_code == 302
    late = administrator.post("/laboratory/edit", {**FACTS, "phone": "110", "version": "1"})
    assert late.status_code == 409
    page = late.get_data(as_text=True)
    assert 'value="110"' in page
    assert "Theirs: UTC" in page
    assert 'name="version" value="2"' in page
    with app.app_context():
        assert laboratory().timezone == "UTC"


def test_guide_can_be_put_away(administrator: Person) -> None:
    administrator.post("/preferences/hide", {"name": "guide"})
    assert "Name the laboratory" not in administrator.get("/").get_data(as_text=True)


def test_only_an_administrator_sets_up(sign_in_as: Callable[[str], Person]) -> None:
    technician = sign_in_as(TECHNICIAN)
    assert technician.get("/laboratory/edit").status_code == 403
    assert "Name the laboratory" not in technician.get("/").get_data(as_text=True)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("timezone", "Mars/Base", "Asia/Shanghai"),
        ("plan_ages", "3,x", "3,7,28"),
        ("code_family", "din", "gb"),
        ("name", "", "required"),
    ],
)
def test_wrong_fact_is_refused_with_what_is_accepted(app: Flask, field: str, value: str, says: str) -> None:
    with app.app_context(), pytest.raises(Refused) as refused:
        save_laboratory({**FACTS, field: value}, ACTOR)
    assert refused.value.problems[0].field == field
    assert says in str(refused.value)


def test_new_batch_follows_the_laboratory_s_codes_and_plan(app: Flask, technician: Person) -> None:
    with app.app_context():
        save_laboratory({**FACTS, "code_family": "astm", "plan_ages": "7,28", "timezone": "UTC"}, ACTOR)
        assert laboratory().codes.shape == "cylinder"
    page = technician.get("/batches/add").get_data(as_text=True)
    assert '<option value="cylinder" selected>' in page
    assert 'value="7,28"' in page
    with app.app_context():
        batch = a_batch()
        assert {item.age_days for item in batch.sets} == {7, 28}
        first = batch.sets[0]
        assert first.due_at - first.due_from == timedelta(hours=6)
        # Nothing of its specimens was said: over REST and in an import they are those that the form begins with.
        assert {(item.shape, item.width_mm) for item in first.specimens} == {("cylinder", 150)}


@pytest.mark.parametrize(
    ("record", "save"),
    [
        (Laboratory, lambda number: save_laboratory({**FACTS, "name": f"Laboratory {number}"}, ACTOR, 0)),
        (
            ServiceSettings,
            lambda number: ServiceSettingsService().save({"answer_minutes": 60 + number}, ACTOR, 0),
        ),
    ],
)
def test_of_two_who_store_what_there_is_one_of_for_the_first_time_at_once_the_second_is_told(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch, record: Any, save: Callable[[int], object]
) -> None:
    both, add = threading.Barrier(2), Session.add

    def add_with_the_other(session: Session, row: object) -> None:
        """Whoever found nothing stored waits here for the other."""
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        add(session, row)

    monkeypatch.setattr(Session, "add", add_with_the_other)
    told: list[type] = []

    def one(number: int) -> None:
        with records_on_both.app_context():
            try:
                told.append(type(save(number)))
            except Conflict:
                told.append(Conflict)

    people = [threading.Thread(target=one, args=(number,)) for number in (1, 2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(told, key=str) == sorted((record, Conflict), key=str)
    assert len(current_session().scalars(select(record)).all()) == 1
