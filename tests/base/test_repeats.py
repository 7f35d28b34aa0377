"""The same request twice writes once, whoever comes first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER
from lims.base.problems import Refused
from lims.base.repeats import add_once
from lims.base.services import SERVICES
from tests.conftest import Person


def test_request_with_the_same_key_gets_the_same_record_and_other_data_is_refused(
    records_on_both: Flask, actor: Any
) -> None:
    customers = SERVICES["customers"]
    first = add_once(customers, {"code": "K-1", "name": "A"}, actor, "key")
    again = add_once(customers, {"code": "K-1", "name": "A"}, actor, "key")
    assert again.id == first.id
    with pytest.raises(Refused, match="other data"):
        add_once(customers, {"code": "K-2", "name": "A"}, actor, "key")
    with pytest.raises(Refused, match="up to 200"):
        add_once(customers, {"code": "K-2", "name": "A"}, actor, "k" * 201)
    assert customers.page().total == 1


def test_refused_request_leaves_its_key_free(records_on_both: Flask, actor: Any) -> None:
    customers = SERVICES["customers"]
    with pytest.raises(Refused):
        add_once(customers, {"code": "K-1"}, actor, "key")
    assert add_once(customers, {"code": "K-1", "name": "A"}, actor, "key").id == 1


def test_twenty_at_once_with_one_key_write_one_row(records_on_both: Flask, actor: Any) -> None:
    def send(key: int) -> int:
        with records_on_both.app_context():
            data = {"code": f"K-{key}", "name": "A"}
            found: int = add_once(SERVICES["customers"], data, actor, f"key-{key}").id
            return found

    with ThreadPoolExecutor(20) as pool:
        for key in range(3):
            assert len(set(pool.map(send, [key] * 20))) == 1
    assert SERVICES["customers"].page().total == 3


def test_second_click_on_save_shows_the_record_of_the_first(app: Flask, sign_in_as: Any) -> None:
    person: Person = sign_in_as(MANAGER)
    page = person.get("/customers/add").get_data(as_text=True)
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found is not None
    sent = {"code": "K-1", "name": "Works", "form_key": found.group(1)}
    first, second = person.post("/customers/add", sent), person.post("/customers/add", sent)
    assert first.status_code == 302
    assert second.headers["Location"] == first.headers["Location"]
    other = person.post("/customers/add", {**sent, "code": "K-2"})
    assert other.headers["Location"] != first.headers["Location"]


def test_key_over_rest_is_a_header(app: Flask, sign_in_as: Any) -> None:
    person: Person = sign_in_as(MANAGER)
    person.post("/profile/")
    given = {"X-CSRFToken": person.token, "Idempotency-Key": "one"}
    ids = {
        person.client.post("/api/v1/customers/", json={"code": "K-1", "name": "A"}, headers=given).get_json()[
            "result"
        ]["id"]
        for _time in range(3)
    }
    assert len(ids) == 1
