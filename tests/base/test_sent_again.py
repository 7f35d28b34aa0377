"""What was typed outlives the session in which it was typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

import lims
from lims.accounts.roles import TECHNICIAN
from lims.accounts.service import AccountEdit, AccountIn
from lims.base.problems import Unavailable
from lims.base.sent_again import TYPED_AGAIN
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from tests.conftest import Person

HERE = {"Origin": "http://localhost"}
TYPED = {"code": "S-77", "name": "A <b>name</b>", "csrf_token": "of another session"}


def test_form_whose_session_has_ended_comes_back_with_what_was_typed_and_is_sent_once_signed_in(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    stranger = app.test_client()
    kept = stranger.post("/presses/add", data={**TYPED, "password": "s3cret-thing"}, headers=HERE)
    page = kept.get_data(as_text=True)
    assert kept.status_code == 401
    assert 'action="/presses/add"' in page
    assert 'name="code" value="S-77"' in page
    assert "Sign in in a new window" in page
    assert "A &lt;b&gt;name&lt;/b&gt;" in page
    assert "s3cret-thing" not in page
    assert re.search(r'type="password"[^>]* name="password"[^>]* required', page)
    assert "of another session" not in page
    technician = sign_in_as(TECHNICIAN)
    again = technician.client.post("/presses/add", data=TYPED, headers=HERE)
    assert again.status_code == 400
    token = re.search(r'name="csrf_token" value="([^"]+)"', again.get_data(as_text=True))
    assert token is not None
    saved = technician.client.post("/presses/add", data={**TYPED, "csrf_token": token.group(1)}, headers=HERE)
    assert saved.status_code in {302, 422}  # the form itself is asked, whatever it says


@pytest.mark.parametrize("name", sorted(TYPED_AGAIN))
def test_no_password_is_handed_back_and_each_that_was_typed_is_asked_for_again(app: Flask, name: str) -> None:
    given = {"code": "S-77", name: "s3cret-thing"}
    page = app.test_client().post("/profile/password", data=given, headers=HERE).get_data(as_text=True)
    assert "s3cret-thing" not in page
    assert re.findall(r'<input[^>]* name="(\w+)"[^>]* required', page) == [name]


def test_every_field_for_a_password_is_among_those_that_are_not_handed_back(app: Flask) -> None:
    pages = Path(lims.__file__).parent / "web" / "templates"
    written = "".join(page.read_text(encoding="utf-8") for page in sorted(pages.rglob("*.html")))
    named = set(re.findall(r'field\("(\w+)", [^)]*\), "password"', written))
    named |= {
        found.group(1)
        for control in re.findall(r'<input[^>]*type="password"[^>]*>', written)
        if (found := re.search(r' name="(\w+)"', control))
    }
    schemas = {
        getattr(service, name, None) for service in SERVICES.values() for name in ("schema", "edit_schema")
    }
    named |= {
        item.name
        for schema in (schemas | {AccountIn, AccountEdit}) - {None}
        for item in schema.inputs()
        if item.widget == "password"
    }
    assert {"password", "present", "new", "again"} <= named
    assert named <= TYPED_AGAIN.keys()


def test_form_of_another_site_is_not_offered_to_be_sent_again(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    technician = sign_in_as(TECHNICIAN)
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        answer = technician.client.post("/presses/add", data=TYPED, headers=origin)
        assert answer.status_code == 400
        assert "S-77" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("said", ["database is locked", "database or disk is full"])
def test_form_that_the_database_could_not_take_comes_back_with_what_was_typed(
    technician: Person, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    given = {**TYPED, "csrf_token": "", "form_key": "k-1", "password": "s3cret-thing"}
    technician.post("/profile/")  # fetches the token
    given["csrf_token"] = technician.token

    def busy(*_given: object) -> None:
        raise Unavailable(said)

    monkeypatch.setattr(VIEWS["presses"].service, "add", busy)
    for headers, comes_back in (({"Origin": "https://evil.example"}, False), (HERE, True)):
        answer = technician.client.post("/presses/add", data=given, headers=headers)
        page = answer.get_data(as_text=True)
        assert answer.status_code == 503
        assert ('name="code" value="S-77"' in page) is comes_back
        assert ('name="form_key" value="k-1"' in page) is comes_back  # sent again, it is written once
        assert "s3cret-thing" not in page
    monkeypatch.undo()
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token is not None
    saved = technician.client.post("/presses/add", data={**given, "csrf_token": token.group(1)}, headers=HERE)
    assert saved.status_code in {302, 422}


def test_form_that_comes_while_the_database_is_away_is_not_lost_either(
    app: Flask, technician: Person
) -> None:
    technician.post("/profile/")  # fetches the token
    app.extensions["lims.database"].point_at("postgresql+psycopg://nobody@127.0.0.1:1/none")
    given = {**TYPED, "csrf_token": technician.token, "password": "s3cret-thing"}
    answer = technician.client.post("/presses/add", data=given, headers=HERE)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 503
    assert '<form method="post" action="/presses/add">' in page
    assert 'name="code" value="S-77"' in page
    assert "A &lt;b&gt;name&lt;/b&gt;" in page
    assert "s3cret-thing" not in page
    assert re.search(r'type="password" name="password" required', page)


def test_sign_in_page_that_stood_open_too_long_opens_again(app: Flask) -> None:
    given = {"username": "technician", "password": "wrong-one-here"}
    answer = app.test_client().post("/login/?next=/press/", data=given, headers=HERE)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/press/")


def test_form_of_more_fields_than_a_person_fills_in_is_not_handed_back(app: Flask) -> None:
    """Each comes back as a control of the page: whoever is not signed in would get twenty times what was sent."""
    given = "&".join(f"{n:x}" for n in range(100_000))
    answer = app.test_client().post(
        "/presses/add", data=given, content_type="application/x-www-form-urlencoded", headers=HERE
    )
    assert answer.status_code in {302, 400, 401}
    assert len(answer.get_data()) < 100_000
