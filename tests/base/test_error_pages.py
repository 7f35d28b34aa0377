"""A refusal that no form shows: a page for a person, the names as they were sent for a program."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from lims import app as application
from lims.base.database import current_session
from lims.trials.models import SpecimenSet
from tests.conftest import Person
from tests.factories import a_batch


def test_refusal_is_told_once_by_the_name_that_forms_give_the_field(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = a_batch()
        found = current_session().scalars(select(SpecimenSet).where(SpecimenSet.batch_id == batch.id)).first()
        assert found is not None
        address = f"/specimen-sets/{found.id}/discard"
    answer = technician.post(address, {"reason": "nobody asked"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert page.count("accepted: a held set") == 1
    assert "<strong>State</strong>" in page
    assert "<strong>state</strong>" not in page
    assert "Go back, correct what is named" in page
    told = technician.post(address, {"reason": "nobody asked"}, headers={"Accept": "application/json"})
    assert told.get_json()["problems"][0]["field"] == "state"
    assert told.get_json()["message"].startswith("state: ")


def test_file_that_is_missing_is_a_file_and_not_what_another_page_calls_its_own(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        address = f"/batches/{a_batch().id}/readings"
    page = technician.post(address, {}).get_data(as_text=True)
    assert "<strong>File</strong>" in page  # the page of self-tests calls its paper by that name


def test_refused_part_of_an_address_is_told_by_its_value(technician: Person) -> None:
    page = technician.get("/batches/?size=many").get_data(as_text=True)
    assert page.count("accepted: one whole number") == 1
    assert "<strong>many</strong>" in page


def test_upload_that_is_too_large_is_told_what_that_page_takes(
    technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        application, "LARGEST_WORKBOOK", 1_000_000
    )  # of the page of imports, which takes more than others
    form = "multipart/form-data; boundary=x"
    answer = technician.client.post("/import/", data=bytes(1_000_001), content_type=form)
    assert answer.status_code == 413
    assert "larger than 1 MB" in answer.get_data(as_text=True)
