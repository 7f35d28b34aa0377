"""A technician who signs in and saves sets by the addresses of the pages, while the database fails."""

from __future__ import annotations

import json

from flask import Flask
from werkzeug.test import TestResponse

from lims.base.columns import utc_now
from tests.conftest import PASSWORD, Person


def signed_in(app: Flask) -> Person:
    person = Person(app.test_client(), "technician")
    assert sign_in(person) == 200
    person.token = _token(person.client.get("/profile/").get_data(as_text=True))
    return person


def sign_in(person: Person, password: str = PASSWORD) -> int:
    """Returns the first status that is neither the form nor the way on."""
    page = person.client.get("/login/")
    if page.status_code != 200:
        return page.status_code
    sent = {
        "username": person.username,
        "password": password,
        "csrf_token": _token(page.get_data(as_text=True)),
    }
    answer = person.client.post("/login/", data=sent)
    return 200 if answer.status_code == 302 else answer.status_code


def entry_of(set_id: int) -> str:
    """As the entry page keeps it, to be sent until it is answered."""
    return json.dumps(
        {
            "key": f"{set_id}-fault",
            "set_id": set_id,
            "loads_kn": ["724", "701", "696"],
            "tested_at": utc_now().isoformat(),
            "confirmed": True,
        }
    )


def send(person: Person, entry: str) -> TestResponse:
    headers = {"X-CSRFToken": person.token, "Content-Type": "application/json"}
    return person.client.post("/press/entries", data=entry, headers=headers)


def _token(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"')[0]
