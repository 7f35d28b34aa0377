"""A new installation: the guide counts what is done, and the laboratory's facts decide clock, codes and plan."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from lims.accounts.roles import TECHNICIAN
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.laboratory import Laboratory, laboratory
from lims.base.problems import Conflict, Refused
from lims.laboratory import service
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
    assert "UTC" in page
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


def test_second_of_two_who_save_the_first_facts_in_one_moment_is_told_what_the_first_stored(
    records_on_both: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def now() -> datetime:
        """Whoever found nothing stored waits here for the other."""
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        return utc_now()

    monkeypatch.setattr(service, "utc_now", now)
    told: dict[str, object] = {}

    def save(name: str) -> None:
        with records_on_both.app_context():
            try:
                told[name] = save_laboratory({**FACTS, "name": name}, ACTOR, 0).name
            except Conflict as conflict:
                told[name] = conflict.theirs["name"]

    people = [threading.Thread(target=save, args=(name,)) for name in ("River", "Hill")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    (kept,) = current_session().scalars(select(Laboratory)).all()
    assert told == {"River": kept.name, "Hill": kept.name}
