"""Signing asks for the password again; refusals are recorded without slowing the refused request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from lims.accounts.api_keys import create_api_key
from lims.accounts.roles import AUDITOR, MANAGER, SALES, TECHNICIAN
from lims.accounts.service import find_user
from lims.base import denials
from lims.base.actor import user_actor
from lims.base.auditing.guards import exempt
from lims.base.database import current_session, database, transaction
from lims.base.denials import MOST_ROWS_A_MINUTE, DeniedAttempt, Note, settle
from lims.base.display import local_time
from lims.base.reading import not_only_reading
from lims.base.signatures import MOST_WRONG, Signature, signatures_of
from lims.results.models import SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from tests.conftest import PASSWORD, USERNAMES, Person
from tests.factories import ACTOR, a_batch


def a_result() -> SetResult:
    batch = a_batch("40")
    found = next(item for item in batch.sets if item.age_days == 3)
    entry = {"loads_kn": ["424", "401", "396"], "tested_at": datetime.now(UTC).isoformat()}
    return record_set(found.id, SetBreaksIn.read(entry), ACTOR)


@pytest.fixture
def set_id(app: Flask) -> int:
    with app.app_context():
        return int(a_result().specimen_set_id)


def attempts(app: Flask) -> list[DeniedAttempt]:
    settle(app)
    with app.app_context():
        return list(current_session().scalars(select(DeniedAttempt).order_by(DeniedAttempt.id)))


def state(app: Flask, set_id: int) -> str:
    with app.app_context():
        query = select(SetResult.state).where(SetResult.specimen_set_id == set_id)
        return str(current_session().scalar(query))


@pytest.mark.parametrize("password", ["", "not the password", PASSWORD + " "])
def test_a_step_without_the_right_password_signs_nothing(
    app: Flask, sign_in_as: Callable[[str], Person], set_id: int, password: str
) -> None:
    manager = sign_in_as(MANAGER)
    answer = manager.post(f"/press/sets/{set_id}/verify", {"password": password})
    assert answer.status_code == 422
    assert password == "" or password not in answer.get_data(as_text=True)
    assert state(app, set_id) == "entered"
    with app.app_context():
        assert current_session().query(Signature).count() == 0
    if password:
        assert [item.kind for item in attempts(app)] == ["signature"]


def test_signature_shows_name_time_and_meaning_and_is_bound_to_the_hash(
    app: Flask, sign_in_as: Callable[[str], Person], set_id: int
) -> None:
    manager = sign_in_as(MANAGER)
    for step in ("verify", "release"):
        assert manager.post(f"/press/sets/{set_id}/{step}", {"password": PASSWORD}).status_code == 302
    page = manager.get(f"/specimen-sets/{set_id}").get_data(as_text=True)
    assert "Manager Test" in page
    assert "I release this result" in page
    assert " UTC" in page
    assert "as it was signed" in page
    with app.app_context():
        key = current_session().scalar(select(SetResult.id).where(SetResult.specimen_set_id == set_id))
        assert key is not None
        assert [(item.signature.meaning, item.holds) for item in signatures_of("set-results", [key])] == [
            ("verified", True),
            ("released", True),
        ]


@pytest.mark.usefixtures("records_on_both")
def test_a_signature_no_longer_fits_what_was_altered_behind_the_database() -> None:
    result = a_result()
    checker = user_actor(7, "Checker")
    verify(result.specimen_set_id, checker)
    release(result.specimen_set_id, checker)
    assert all(item.holds for item in signatures_of("set-results", [result.id]))
    sqlite = database().is_sqlite
    current_session().commit()  # gives back what reading has locked
    with (
        not_only_reading(database().engine).connect() as connection,
        exempt(connection),
    ):  # who tampers takes the guards away first
        where = "" if sqlite else " ON breaks"
        for name in ("breaks_fixed", "breaks_superseded"):
            connection.execute(text(f"DROP TRIGGER {name}{where}"))
        connection.commit()
    with transaction_without_guards() as session:
        session.execute(text("UPDATE breaks SET load_kn = load_kn + 1"))
    assert not any(item.holds for item in signatures_of("set-results", [result.id]))


def transaction_without_guards() -> Any:
    """A writer that does not look at the triggers first: what a tampered program would do."""
    database().guards.check = lambda _connection: None  # type: ignore[method-assign]
    return transaction(ACTOR)


def test_too_many_wrong_passwords_close_signing_for_a_while(
    app: Flask, sign_in_as: Callable[[str], Person], set_id: int
) -> None:
    manager = sign_in_as(MANAGER)
    for _number in range(MOST_WRONG):
        manager.post(f"/press/sets/{set_id}/verify", {"password": "wrong password here"})
    answer = manager.post(f"/press/sets/{set_id}/verify", {"password": PASSWORD})
    assert answer.status_code == 422
    assert "ten minutes" in answer.get_data(as_text=True)
    assert state(app, set_id) == "entered"


def test_rest_step_takes_the_password_and_an_api_key_cannot_sign(app: Flask, set_id: int) -> None:
    client = app.test_client()
    name = {"username": USERNAMES[MANAGER], "password": PASSWORD}
    token = client.post("/api/v1/security/login", json=name).get_json()["access_token"]
    with app.app_context():
        result = current_session().scalars(select(SetResult)).one().id
        manager = find_user(USERNAMES[MANAGER])
        assert manager is not None
        _row, key = create_api_key(manager.id, "press", 10, ACTOR)
    step = f"/api/v1/set-results/{result}/steps/verify"
    bearer = {"Authorization": f"Bearer {token}"}
    assert client.post(step, headers=bearer, json={}).status_code == 422
    by_key = client.post(step, headers={"Authorization": f"Bearer {key}"}, json={"password": PASSWORD})
    assert by_key.status_code == 403
    assert client.post(step, headers=bearer, json={"password": PASSWORD}).status_code == 200
    kinds = {item.kind for item in attempts(app)}
    assert "signature" in kinds


def test_entering_breaks_asks_for_no_password(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = a_batch("40")
        found = next(item for item in batch.sets if item.age_days == 3)
        with app.test_request_context():
            now = local_time(datetime.now(UTC))
    data = {f"load_{number}": "400" for number in (1, 2, 3)}
    answer = technician.post(f"/press/sets/{found.id}", {**data, "tested_at": f"{now:%Y-%m-%dT%H:%M}"})
    assert answer.status_code == 302
    assert state(app, found.id) == "entered"


# --- denied attempts -----------------------------------------------------------------------------------------------


def test_refused_permission_is_recorded_with_who_what_and_when(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    before = datetime.now(UTC)
    assert sign_in_as(SALES).get("/breaks/").status_code == 403
    (found,) = attempts(app)
    assert (found.kind, found.asked, found.target) == ("permission", "read breaks", "GET /breaks/")
    assert found.who is not None
    assert found.who.startswith("user:")
    assert found.attempted_at >= before
    assert found.created_by == "system:denials"


def test_refused_rest_call_is_recorded(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    assert sign_in_as(SALES).get("/api/v1/breaks/").status_code == 403
    assert app.test_client().get(
        "/api/v1/breaks/", headers={"Authorization": "Bearer lims_nothing"}
    ).status_code in {401, 422}
    assert {item.kind for item in attempts(app)} >= {"permission"}


def test_failed_sign_in_names_the_account_but_never_what_was_typed_for_a_name(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.test_client()
    for name in (USERNAMES[AUDITOR], "my-secret-password-typed-here"):
        client.post("/api/v1/security/login", json={"username": name, "password": "wrong wrong wrong"})
    found = attempts(app)
    assert [item.kind for item in found] == ["sign-in", "sign-in"]
    assert [item.who is None for item in found] == [False, True]
    with app.app_context():
        rows = current_session().execute(text("SELECT * FROM denied_attempts")).all()
    assert "my-secret" not in repr(rows)
    assert f"sign-in refused for {USERNAMES[AUDITOR]}" in caplog.text
    assert "my-secret" not in caplog.text


def test_a_flood_is_folded_and_bounded(app: Flask) -> None:
    writer = app.extensions["lims.denials"]
    for number in range(3 * MOST_ROWS_A_MINUTE):
        writer.take(Note("permission", "user:1", f"GET /{number % 200}", "read x", "127.0.0.1"))
        if number % 100 == 99:
            settle(app)
    found = attempts(app)
    assert len(found) <= MOST_ROWS_A_MINUTE + 1
    assert sum(item.repeats for item in found) + writer.left_out == 3 * MOST_ROWS_A_MINUTE


def test_a_database_that_is_away_fails_no_refused_request(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lims.base.problems import Unavailable

    def away(*_arguments: Any) -> Any:
        raise Unavailable("away")

    monkeypatch.setattr(denials, "transaction", away)
    assert sign_in_as(TECHNICIAN).get("/users/").status_code == 403
    settle(app)
