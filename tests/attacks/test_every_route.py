"""Attacks on every route at once: whatever is added to the application is attacked too.

Longer than other files: it asks some thousand addresses, which is the point.
"""

from __future__ import annotations

import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.exceptions import MethodNotAllowed, NotFound

from lims.accounts.roles import MANAGER, SALES
from lims.base.actor import user_actor
from lims.base.database import current_session, transaction
from lims.base.files import keep_file
from lims.base.jobs import Job, enqueue, run_one
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from tests.conftest import Person
from tests.factories import a_batch, a_customer

#: Each is a query of an address; the words are those that lists, reports and REST read.
HOSTILE_QUERIES = (
    "page=-1&size=100000&psize_X=100000&page_size=100000",
    "page=99999999999999999999&order=nonsense&after=////",
    "q=%00%27%22%3Cscript%3E&order=-&id=99999999999999999999",
    "q=((((((((((((((((((((((((((((((((!&page=1&page=2&order=id&order=id",
    "_flt_0_id=1&_oc_X=id&_od_X=asc&columns=password&since=2026-99-99&age_days=1e309",
    # What a writer of addresses takes for itself.
    "endpoint=&_method=&_scheme=&_external=&_anchor=&values=&view=x&format=csv",
    "before=5&endpoint=x&_method=x&_external=1&_scheme=javascript&_anchor=x&values=x",
)
#: The second key is that of a record, so that its page reads the query.
HOSTILE_VALUES = {"int": ("99999999999999999999", "1"), "string": ("..%2F..%2Fetc%2Fpasswd", "%00")}
#: Each fits its rule: nobody answers 404 because the address is none.
FITTING_VALUES = {"int": ("1",), "string": ("x",)}


def _addresses(
    app: Flask, method: str, values: dict[str, tuple[str, ...]] = HOSTILE_VALUES
) -> Iterator[tuple[str, str]]:
    """(rule, an address of it with these values)."""
    for rule in app.url_map.iter_rules():
        if method not in (rule.methods or set()) or rule.endpoint.endswith("static"):
            continue
        for place in range(len(values["int"])):
            address = re.sub(
                r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>",
                lambda found, place=place: values["int" if found.group(1) == "int" else "string"][place],
                rule.rule,
            )
            yield rule.rule, address
            if address == rule.rule:
                break


def test_no_hostile_query_or_key_gives_500_on_any_route(app: Flask, administrator: Person) -> None:
    """Unknown action, bad paging, a 20-digit key, a nested bracket, a key given twice, a place that is none."""
    with app.app_context():
        a_batch()
        a_customer()
    faults, asked, shown = [], 0, 0
    for number, (rule, address) in enumerate(_addresses(app, "GET")):
        if rule.startswith(("/logout", "/metrics")):
            continue
        query = HOSTILE_QUERIES[number % len(HOSTILE_QUERIES)]
        answer = administrator.get(f"{address}?{query}")
        asked += 1
        shown += "<int:" in rule and answer.status_code == 200
        if answer.status_code >= 500 or re.search(
            rb"\bSELECT\b.+\bFROM\b|Traceback \(most", answer.get_data()
        ):
            faults.append(f"{answer.status_code} {address}?{query}")
    assert asked > 300
    assert shown > 10  # pages of records
    assert faults == []


def test_no_route_takes_a_post_from_a_cookie_without_its_token(app: Flask, administrator: Person) -> None:
    """Every POST, PUT and DELETE of a signed-in browser without the token is refused before anything else."""
    # A secret address and a sign-in by password for a bearer token: no cookie lends rights there.
    open_to_all = ("/s/", "/api/v1/security/login")
    taken = []
    for method in ("POST", "PUT", "DELETE"):
        for rule, address in _addresses(app, method, FITTING_VALUES):
            if rule.startswith(open_to_all):
                continue
            answer = administrator.client.open(address, method=method, data={"code": "X-CSRF", "name": "x"})
            if answer.status_code != 400:
                taken.append(f"{method} {rule}: {answer.status_code}")
    assert taken == []
    assert administrator.get("/").status_code == 200  # not signed out by it


def test_no_route_takes_a_key_of_twenty_digits_for_a_record(app: Flask) -> None:
    """Whatever the method: no step has to look at its key. Asked of the map of addresses, which every request is."""
    addresses, taken, asked = app.url_map.bind("localhost"), [], 0
    for rule, address in _addresses(app, "POST"):
        if "<int:" not in rule or "99999999999999999999" not in address:
            continue
        asked += 1
        with suppress(NotFound, MethodNotAllowed):
            addresses.match(address, method="POST")
            taken.append(rule)
    assert asked > 200
    assert taken == []


def test_info_of_no_resource_is_served(app: Flask, administrator: Person) -> None:
    """Flask-AppBuilder's `_info` names related rows; there is none, whatever is asked of it."""
    names = [name for name in VIEWS if administrator.get(f"/api/v1/{name}/_info").status_code != 404]
    asked = "(keys:!(add_columns,edit_columns,filters))"
    names += [
        name for name in VIEWS if administrator.get(f"/api/v1/{name}/_info?q={asked}").status_code != 404
    ]
    assert names == []


def test_owner_and_times_that_are_posted_are_not_taken(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    """A hidden field cannot say who wrote a record, when, or which one it is."""
    person = sign_in_as(MANAGER)
    sent = {"created_by": "user:1", "created_at": "2001-01-01T00:00:00+00:00", "id": "77", "version": "9"}
    assert person.post("/customers/add", {"code": "K-OWN", "name": "x", **sent}).status_code == 302
    answer = person.client.post(
        "/api/v1/customers/",
        json={"code": "K-REST", "name": "x", **sent},
        headers={"X-CSRFToken": person.token},
    )
    assert answer.status_code == 422
    with app.app_context():
        found = SERVICES["customers"].find(code="K-OWN")
        assert found is not None
        assert (found.id, found.version, found.created_at.year > 2020) == (1, 1, True)
        assert found.created_by != "user:1"
        assert SERVICES["customers"].find(code="K-REST") is None


@pytest.fixture
def others_job(app: Flask) -> Iterator[int]:
    """A job with a file, of somebody else."""
    from lims.base.jobs import KINDS, job_kind

    @job_kind("attack-file", title="Test")
    def work(job: Any) -> dict[str, Any]:
        with transaction(job.actor, "test") as session:
            kept = keep_file(session, b"secret", "text/plain")
        return {"file_id": kept.id, "file_name": "secret.txt"}

    with app.app_context():
        job_id = enqueue("attack-file", {}, user_actor(999, "Somebody else")).id
    assert run_one(app, job_id) == "done"
    yield job_id
    del KINDS["attack-file"]


def test_another_persons_file_is_not_downloaded(
    app: Flask, others_job: int, sign_in_as: Callable[[str], Person]
) -> None:
    person = sign_in_as(SALES)
    for address in (f"/jobs/{others_job}/file", f"/jobs/{others_job}", f"/jobs/{others_job}/state.json"):
        answer = person.get(address)
        assert answer.status_code == 404, address
        assert b"secret" not in answer.get_data()


def test_another_persons_row_is_not_changed_through_an_action(
    app: Flask, others_job: int, sign_in_as: Callable[[str], Person]
) -> None:
    """Neither from the page of one nor over REST nor in bulk; an action that does not exist is refused with a word."""
    person = sign_in_as(SALES)
    with app.app_context():
        before = current_session().get(Job, others_job)
        assert before is not None
        version = before.version
    for action in ("cancel", "again"):
        assert person.post(f"/jobs/{others_job}/{action}").status_code in (403, 404)
        answer = person.client.post(
            f"/api/v1/jobs/{others_job}/steps/{action}", headers={"X-CSRFToken": person.token}
        )
        assert answer.status_code in (403, 404)
    assert person.post("/jobs/bulk", {"action": "retire", "id": str(others_job)}).status_code in (403, 422)
    for action in ("muldelete", "", "retire' OR 1=1"):
        assert person.post("/customers/bulk", {"action": action, "id": "1"}).status_code == 422
    with app.app_context():
        after = current_session().get(Job, others_job, populate_existing=True)
        assert after is not None
        assert after.version == version


def test_sign_in_takes_as_long_for_an_unknown_name(app: Flask) -> None:
    """One hash is computed whatever is wrong: processor time, which other programs do not lengthen."""
    with app.app_context():
        check = app.appbuilder.sm.auth_user_db  # type: ignore[attr-defined]

        def taken(name: str) -> float:
            with app.test_request_context("/login/"):
                begun = time.process_time()
                assert check(name, "wrong-password-here") is None
                return time.process_time() - begun

        known, unknown = ([taken(name) for _try in range(5)] for name in ("technician", "nobody-at-all"))
    assert 0.4 < statistics.median(known) / statistics.median(unknown) < 2.5


def test_sign_in_that_fails_writes_nothing_before_it_is_answered(app: Flask) -> None:
    """A write waits for the disk, and behind other writers for seconds: it would for a name that exists alone."""
    engine, here = app.extensions["lims.database"].engine, threading.get_ident()
    written: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if threading.get_ident() == here and not statement.startswith(("SELECT", "BEGIN", "PRAGMA")):
            written.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        with app.test_request_context("/login/"):
            for name in ("technician", "nobody-at-all"):
                assert app.appbuilder.sm.auth_user_db(name, "wrong-password-here") is None  # type: ignore[attr-defined]
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert written == []


def test_wrong_logins_of_forty_are_answered_429_from_the_eleventh(app: Flask) -> None:
    client = app.test_client()
    form = client.get("/login/").get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert found is not None
    sent = {"username": "technician", "password": "wrong-password-here", "csrf_token": found.group(1)}
    codes = [client.post("/login/", data=sent).status_code for _try in range(40)]
    assert codes == [401] * 10 + [429] * 30


def test_hostile_text_is_escaped_on_list_page_and_form(app: Flask, administrator: Person) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    with app.app_context():
        customer = a_customer("K-XSS", name=hostile, notes=hostile)
        customer_id = customer.id
    for address in (
        "/customers/",
        f"/customers/{customer_id}",
        f"/customers/{customer_id}/edit",
        "/customers/?q=alert",
    ):
        text = administrator.get(address).get_data(as_text=True)
        assert "&lt;script&gt;alert(1)" in text, address
        assert "<script>alert(1)" not in text, address
        assert "<img src=x" not in text, address
