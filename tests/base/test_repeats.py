"""The same request twice writes once, whoever comes first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.problems import Refused
from lims.base.repeats import REMEMBERED, add_once, forget_requests
from lims.base.services import SERVICES
from lims.base.sessions import LONGEST, forget_sessions
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


def test_key_is_of_one_person_and_of_one_kind_of_record(records: Flask, actor: Any) -> None:
    """Another's key would give another's record."""
    customers, data = SERVICES["customers"], {"code": "K-1", "name": "A"}
    add_once(customers, data, actor, "key")
    with pytest.raises(Refused, match="code"):
        add_once(customers, data, system_actor("other"), "key")
    assert add_once(SERVICES["regions"], data, actor, "key").record_name == "regions"


def test_keys_and_sessions_are_forgotten_when_they_are_old_and_not_before(
    app: Flask, actor: Any, sign_in_as: Any
) -> None:
    sign_in_as(MANAGER)
    now, hour = utc_now(), timedelta(hours=1)
    with app.app_context():
        add_once(SERVICES["customers"], {"code": "K-1", "name": "A"}, actor, "key")
        with transaction(actor) as session:
            keys = [forget_requests(session, now + REMEMBERED + more) for more in (-hour, hour)]
            sessions = [forget_sessions(session, now + LONGEST + more) for more in (-hour, hour)]
    assert (keys, sessions) == ([0, 1], [0, 1])


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
