"""API keys on one's own page, and accounts that two administrators change."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import ApiKey, Role, User
from rich.console import Console
from sqlalchemy import select, text

from lims.accounts.demo import DEMO_ACCOUNTS
from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, TECHNICIAN
from lims.accounts.service import AccountEdit, AccountIn, add_user, edit_user, find_user, values_of
from lims.app import flask_config
from lims.audit.trace import accounts_named
from lims.base import security
from lims.base.actor import user_actor
from lims.base.auditing.models import PersonalValue
from lims.base.database import current_session, transaction
from lims.base.denials import DeniedAttempt, settle
from lims.base.display import actor_names
from lims.base.names import full_name
from lims.base.passwords import hash_password
from lims.base.problems import Forbidden, Refused
from lims.base.services import SERVICES
from lims.base.sessions import LoginSession
from lims.base.signatures import MOST_WRONG
from lims.demonstration import prepare
from lims.mail.models import OutgoingMail
from lims.mail.service import write_mail
from lims.settings import Settings
from tests.at_once import at_once
from tests.conftest import PASSWORD, Person
from tests.factories import ACTOR


def keys(app: Flask) -> int:
    with app.app_context():
        return current_session().query(ApiKey).count()


def key_of(page: str) -> str:
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)


def test_key_whose_page_is_loaded_again_is_made_once(app: Flask, technician: Person) -> None:
    sent = {"name": "press PC", "days": "30"}
    sent["form_key"] = key_of(technician.get("/profile/").get_data(as_text=True))
    made = technician.post("/profile/api-keys", sent)
    assert "data-new-key" in made.get_data(as_text=True)
    again = technician.post("/profile/api-keys", sent)
    assert again.status_code == 302
    page = technician.get(again.location).get_data(as_text=True)
    assert "is made already" in page
    assert "data-new-key" not in page
    assert keys(app) == 1
    # The form beside the key that is shown is for another one, of the same name too.
    more = {**sent, "form_key": key_of(made.get_data(as_text=True))}
    assert "data-new-key" in technician.post("/profile/api-keys", more).get_data(as_text=True)
    assert keys(app) == 2


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("", "30", "is required"),
        ("x" * 201, "30", "has 201 characters"),
        ("press\0PC", "30", "control character"),
        ("press PC", "0", "accepted: a whole number from 1 to 730"),
        ("press PC", "9" * 5000, "accepted: a whole number from 1 to 730"),
    ],
    ids=["no name", "long name", "zero byte", "no day", "more digits than Python reads"],
)
def test_key_that_cannot_be_made_is_refused_with_what_is_accepted(
    app: Flask, technician: Person, name: str, days: str, said: str
) -> None:
    answer = technician.post("/profile/api-keys", {"name": name, "days": days})
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True)
    assert technician.post(f"/profile/api-keys/{10**30}/revoke").status_code == 404
    assert keys(app) == 0


def test_key_of_another_is_seen_and_revoked_by_an_administrator_alone(
    app: Flask, administrator: Person, sales: Person, technician: Person
) -> None:
    page = technician.post("/profile/api-keys", {"name": "press PC", "days": "30"}).get_data(as_text=True)
    key = re.search(r"data-new-key>([^<]+)<", page)
    assert key is not None
    asks = {"headers": {"Authorization": f"Bearer {key[1]}"}}
    assert app.test_client().get("/api/v1/specimens/", **asks).status_code == 200
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        user_id = user.id
    revoke = f"/users/{user_id}/api-keys/1/revoke"
    shown = administrator.get(f"/users/{user_id}/edit").get_data(as_text=True)
    assert "press PC" in shown
    assert f'action="{revoke}"' in shown
    assert key[1] not in shown
    assert sales.post(revoke).status_code == 403
    assert administrator.post(f"/users/{user_id + 1}/api-keys/1/revoke").status_code == 404
    assert app.test_client().get("/api/v1/specimens/", **asks).status_code == 200
    assert administrator.post(revoke).status_code == 302
    assert app.test_client().get("/api/v1/specimens/", **asks).status_code == 401
    assert f'action="{revoke}"' not in administrator.get(f"/users/{user_id}/edit").get_data(as_text=True)


@pytest.mark.parametrize("after", ["the password was compared", "the sign-in was noted"])
def test_who_signs_in_with_the_old_password_while_it_is_changed_gets_no_session(
    app: Flask, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    def change() -> None:
        with app.app_context():
            user = find_user("technician")
            assert user is not None
            edit_user(
                user.id, AccountEdit.read({**values_of(user), "password": "new-quarry-words-31"}), ACTOR
            )

    manager: Any = app.appbuilder.sm  # type: ignore[attr-defined]
    where, name = (
        (security, "password_matches") if after.startswith("the password") else (manager, "auth_user_db")
    )
    done = getattr(where, name)

    def then_changed(*given: Any) -> Any:
        found = done(*given)
        change()
        return found

    monkeypatch.setattr(where, name, then_changed)
    client = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login/").get_data(as_text=True))
    assert token is not None
    sent = {"csrf_token": token.group(1), "username": "technician", "password": PASSWORD}
    assert client.post("/login/", data=sent).status_code == 401
    assert client.get("/profile/").status_code == 302
    with app.app_context():
        assert current_session().query(LoginSession).filter_by(ended_at=None).count() == 0


def test_present_password_is_not_guessed_at_a_session_that_was_left_open(
    app: Flask, technician: Person
) -> None:
    new = "new-quarry-words-31"
    sent = {"present": "wrong password here", "new": new, "again": new}
    for _number in range(MOST_WRONG):
        answer = technician.post("/profile/password", sent)
        assert "is not the present password" in answer.get_data(as_text=True)
    refused = technician.post("/profile/password", {**sent, "present": PASSWORD})
    assert refused.status_code == 422
    assert "was wrong too often; wait ten minutes, then try again" in refused.get_data(as_text=True)
    settle(app)
    with app.app_context():
        tried = current_session().scalars(select(DeniedAttempt.asked).order_by(DeniedAttempt.id)).all()
        assert set(tried) == {
            "change the password with a wrong password", "change the password after too many wrong passwords",
        }  # fmt: skip
    signed = app.test_client().post(
        "/api/v1/security/login", json={"username": "technician", "password": PASSWORD}
    )
    assert signed.status_code == 200


def test_two_administrators_who_take_each_other_s_role_at_once_leave_one(
    app: Flask, administrator: Person
) -> None:
    with app.app_context():
        first, second = find_user("administrator"), find_user("manager")
        assert first is not None
        assert second is not None
        edit_user(second.id, AccountEdit.read({**values_of(second), "role": ADMINISTRATOR}), ACTOR)
        # Both requests were let in; the second writes when the first has.
        taken = {name: {**values_of(user), "role": AUDITOR} for name, user in (("1", first), ("2", second))}
        edit_user(second.id, AccountEdit.read(taken["2"]), user_actor(first.id, "first"))
        with pytest.raises(Forbidden):
            edit_user(first.id, AccountEdit.read(taken["1"]), user_actor(second.id, "second"))
    assert administrator.get("/users/").status_code == 200


def test_of_two_accounts_at_once_whose_names_differ_in_capitals_alone_there_is_one(
    records_on_both: Flask,
) -> None:
    """Signing in would find both, and let in neither."""
    with transaction(ACTOR) as session:
        maker = User(username="m", first_name="M", last_name="M", email="m@example.com", active=True)
        maker.created_by_fk = maker.changed_by_fk = None
        session.add_all([Role(name=TECHNICIAN), maker])

    def add(name: str) -> Any:
        given = {"username": name, "first_name": "A", "last_name": "B", "email": f"{name}@example.com"}
        return add_user(
            AccountIn.read({**given, "role": TECHNICIAN, "password": PASSWORD}), user_actor(maker.id, "M")
        )

    told = at_once(records_on_both, maker, lambda: add("anna"), lambda: add("Anna"))
    assert sorted(type(came).__name__ for came in told) == ["Refused", "User"]


def test_account_that_another_changed_meanwhile_is_not_given_its_role_back_with_a_corrected_name(
    app: Flask, administrator: Person
) -> None:
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        user_id = user.id
    url = f"/users/{user_id}/edit"

    def opened() -> dict[str, str]:
        page = administrator.get(url).get_data(as_text=True)
        found = re.search(r'name="version" value="([^"]+)"', page)
        assert found is not None
        given = {"first_name": "Technician", "last_name": "Test", "email": "technician@example.com"}
        return {**given, "role": TECHNICIAN, "active": "true", "version": found.group(1)}

    first = opened()
    assert administrator.post(url, {**first, "role": AUDITOR}).status_code == 302
    answer = administrator.post(url, {**first, "first_name": "Wei"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Someone else changed this record" in page
    assert 'value="Wei"' in page
    assert "Auditor" in page
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        assert (user.first_name, [role.name for role in user.roles]) == ("Technician", [AUDITOR])
    again = opened()
    with app.app_context(), transaction(ACTOR) as session:
        found = session.get(User, user_id)
        assert found is not None
        found.login_count = 7  # signing in is no change of the account
    assert administrator.post(url, {**again, "first_name": "Wei", "role": AUDITOR}).status_code == 302


def test_leaver_is_erased_for_good_and_what_the_person_did_stands_under_a_mark(
    app: Flask, administrator: Person, sign_in_as: Callable[[str], Person]
) -> None:
    manager = sign_in_as(MANAGER)
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        user_id, actor = user.id, user_actor(user.id, "Technician Test")
        kept = SERVICES["regions"].add({"code": "R-1", "name": "North"}, actor).id
        mails = [
            write_mail("complaint:1:new:999", "other@example.com", "Another's", "–", ACTOR).id,
            write_mail(
                f"complaint:2:new:{user_id}", "former@example.com", "At a former address", "–", ACTOR
            ).id,
            write_mail("complaint:3:new:0", user.email, "At this address", "–", ACTOR).id,
        ]
    erase = f"/users/{user_id}/erase"
    assert "Erase the person" not in administrator.get(f"/users/{user_id}/edit").get_data(as_text=True)
    early = administrator.post(erase, {"reason": "left the works"})
    assert early.status_code == 422
    assert "still may; accepted: an account that may not sign in any more" in early.get_data(as_text=True)
    leaves = {"first_name": "Technician", "last_name": "Test", "email": "technician@example.com"}
    assert administrator.post(f"/users/{user_id}/edit", {**leaves, "role": TECHNICIAN}).status_code == 302
    page = administrator.get(f"/users/{user_id}/edit").get_data(as_text=True)
    assert f'action="{erase}"' in page
    unsaid = administrator.post(erase, {"reason": " "})
    assert unsaid.status_code == 422
    assert "is required: why the person is erased" in unsaid.get_data(as_text=True)
    assert manager.post(erase, {"reason": "left"}).status_code == 403
    assert administrator.post(erase, {"reason": "left the works"}).status_code == 302
    with app.app_context():
        session = current_session()
        gone = session.get(User, user_id)
        assert gone is not None
        mark = f"erased-{user_id}"
        assert {gone.username, gone.first_name, gone.last_name, gone.email} == {mark}
        assert not gone.active
        assert actor_names({actor.key}) == {actor.key: mark}
        assert SERVICES["regions"].get(kept).created_by == actor.key
        told = {mail.id: (mail.to_address, mail.state) for mail in session.query(OutgoingMail)}
        assert [told[key] for key in mails] == [
            ("other@example.com", "waiting"),
            (mark, "failed"),
            (mark, "failed"),
        ]
        clear = session.scalars(select(PersonalValue.value)).all()
        assert not {"technician@example.com", "former@example.com"} & set(clear)
    listed = administrator.get("/users/").get_data(as_text=True)
    assert f'href="/users/{user_id}/edit"' not in listed
    assert "technician@example.com" not in listed
    # Nobody else gets what the person did, and nobody is erased twice.
    again = {**leaves, "email": "new@example.com", "role": TECHNICIAN, "active": "true"}
    for url, given in ((f"/users/{user_id}/edit", again), (erase, {"reason": "twice"})):
        answer = administrator.post(url, given)
        assert answer.status_code == 422
        assert "This person was erased; accepted: a new account" in answer.get_data(as_text=True)
    assert administrator.post("/users/999999/erase", {"reason": "nobody"}).status_code == 404


def test_password_that_the_demonstration_prints_opens_nothing_outside_demo_mode(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lims serve` over the demonstration's data may listen to a network, and its administrator's password is public."""
    account = next(item for item in DEMO_ACCOUNTS if item.role == ADMINISTRATOR)
    with app.app_context(), transaction(ACTOR):
        user = find_user(account.username)
        assert user is not None
        user.password = hash_password(account.password)
    sent = {"username": account.username, "password": account.password}
    assert app.test_client().post("/api/v1/security/login", json=sent).status_code == 401
    monkeypatch.setitem(app.config, "LIMS_DEMO", True)
    assert app.test_client().post("/api/v1/security/login", json=sent).status_code == 200


def test_demonstration_puts_no_known_passwords_into_a_laboratory(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lims.demonstration.initialise", lambda _app: None)  # it is

    def stop(*_given: object) -> None:
        raise LookupError("went on")

    monkeypatch.setattr("lims.demonstration._accounts", stop)
    with pytest.raises(LookupError):
        prepare(app, Console())  # its accounts are those of the demonstration, by name and address
    with app.app_context(), transaction(ACTOR) as session:
        session.execute(text("UPDATE ab_user SET email = username || '@works.example'"))
    with pytest.raises(Refused, match="no demonstration"):
        prepare(app, Console())
    monkeypatch.setattr("lims.demonstration.list_users", list)
    with pytest.raises(LookupError):
        prepare(app, Console())  # nobody works there yet


def test_second_click_on_a_new_account_is_not_told_that_its_name_is_taken(
    app: Flask, administrator: Person
) -> None:
    sent = {
        "username": "newcomer",
        "first_name": "New",
        "last_name": "Comer",
        "email": "newcomer@example.com",
        "role": TECHNICIAN,
        "password": "granite-sand-cement-78",
    }
    sent["form_key"] = key_of(administrator.get("/users/add").get_data(as_text=True))
    wrong = administrator.post("/users/add", {**sent, "email": "nowhere"})
    assert wrong.status_code == 422
    assert key_of(wrong.get_data(as_text=True)) == sent["form_key"]
    assert [administrator.post("/users/add", sent).status_code for _click in range(2)] == [302, 302]
    other = administrator.post("/users/add", {**sent, "form_key": "another form"})
    assert other.status_code == 422
    assert "is already taken" in other.get_data(as_text=True)


def test_chinese_name_is_written_family_name_first_wherever_it_stands(
    app: Flask, technician: Person, administrator: Person
) -> None:
    with app.app_context():
        user = find_user(technician.username)
        assert user is not None
        key = user.id
        given = {**values_of(user), "first_name": "伟", "last_name": "李"}
        edit_user(key, AccountEdit.read(given), ACTOR)
    page = technician.get("/").get_data(as_text=True)
    assert "Good day, 李伟" in page
    assert '<span class="avatar avatar-sm">李</span>' in page
    assert technician.get("/press/due.json").get_json()["tested_by"] == "李伟"
    assert "李伟" in administrator.get("/users/").get_data(as_text=True)
    with app.app_context():
        # What was typed before names were turned is still theirs.
        assert accounts_named({"李伟", "伟 李", "李 伟"}) == dict.fromkeys(("李伟", "伟 李"), f"user:{key}")


@pytest.mark.parametrize(
    ("first", "last", "whole"),
    [
        ("Wei", "Li", "Wei Li"),
        (" 伟 ", "李", "李伟"),
        ("Wei 伟", "李", "Wei 伟 李"),
        ("艾力", "买买提·", "买买提·艾力"),
        ("", "Li", "Li"),
    ],
)
def test_name_is_written_in_the_order_of_its_script(first: str, last: str, whole: str) -> None:
    assert full_name(first, last) == whole


def key_made_by(person: Person, name: str) -> str:
    """The id of a new API key."""
    page = person.post("/profile/api-keys", {"name": name, "days": "30"}).get_data(as_text=True)
    return re.findall(r'action="/profile/api-keys/(\d+)/revoke"', page)[-1]


def test_who_changes_a_password_is_told_which_api_keys_still_work(
    app: Flask, technician: Person, administrator: Person
) -> None:
    """GitHub and GitLab leave tokens alone too, and show them: a press would fall silent with every forgotten password."""
    new = "new-quarry-words-31"
    key_made_by(technician, "press PC")
    assert technician.post(f"/profile/api-keys/{key_made_by(technician, 'lost')}/revoke").status_code == 302
    assert "A new password ends no key" in technician.get("/profile/").get_data(as_text=True)
    changed = technician.post("/profile/password", {"present": PASSWORD, "new": new, "again": new})
    assert changed.location.endswith("/login/?next=/profile/")
    page = technician.get(changed.location).get_data(as_text=True)
    assert re.search(
        r"API keys that still work: press PC \(lims_[\w-]{7}…\)\. Revoke those that may be known", page
    )
    assert "lost" not in page
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        url = f"/users/{user.id}/edit"
    sent = {"first_name": "T", "last_name": "Test", "email": "technician@example.com", "role": TECHNICIAN}
    for given, told in (
        ({"active": "true"}, False),
        ({"active": "true", "password": PASSWORD}, True),
        ({"password": new}, False),  # it opens nothing while the account may not sign in
        ({"active": "true"}, True),
    ):
        answer = administrator.post(url, {**sent, **given})
        assert answer.status_code == 302
        assert answer.location.endswith(f"{url}#api-keys" if told else "/users/"), given
        assert ("still work: press PC" in administrator.get(answer.location).get_data(as_text=True)) is told


def test_form_of_an_account_that_was_refused_shows_its_keys_and_how_to_erase_it(
    app: Flask, technician: Person, administrator: Person
) -> None:
    key = key_made_by(technician, "press PC")
    with app.app_context():
        user = find_user("technician")
        assert user is not None
        account = f"/users/{user.id}"
        edit_user(user.id, AccountEdit.read({**values_of(user), "active": False}), ACTOR)
    sent = {"first_name": "Wei", "last_name": "Test", "email": "nowhere", "role": TECHNICIAN}
    refused = administrator.post(f"{account}/edit", sent)
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert 'value="Wei"' in page
    assert f'action="{account}/api-keys/{key}/revoke"' in page
    assert f'action="{account}/erase"' in page


def test_last_day_of_an_api_key_is_that_of_the_laboratory_s_clock(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_at = datetime(2126, 5, 4, 18, 30, tzinfo=UTC)  # half past two of the next day in Shanghai
    monkeypatch.setattr("lims.accounts.api_keys.utc_now", lambda: made_at)
    page = technician.post("/profile/api-keys", {"name": "press PC", "days": "1"}).get_data(as_text=True)
    assert "6 May 2126" in page


def test_password_with_blanks_at_its_ends_opens_the_account_as_it_was_typed(
    app: Flask, administrator: Person
) -> None:
    typed = " granite sand 78\u3000"
    given = {"first_name": "New", "last_name": "Comer", "email": "newcomer@example.com", "role": TECHNICIAN}
    added = administrator.post("/users/add", {**given, "username": "newcomer", "password": typed})
    assert added.status_code == 302
    with app.app_context():
        user = find_user("newcomer")
        assert user is not None
        url = f"/users/{user.id}/edit"

    def opens(password: str) -> bool:
        asked = {"username": "newcomer", "password": password}
        return app.test_client().post("/api/v1/security/login", json=asked).status_code == 200

    assert [opens(typed), opens(typed.strip())] == [True, False]
    again = administrator.post(url, {**given, "active": "true", "password": "lime and water 79 "})
    assert again.status_code == 302
    assert [opens("lime and water 79 "), opens("lime and water 79")] == [True, False]


def test_name_with_capitals_that_no_database_knows_signs_in_as_it_is_written(app: Flask) -> None:
    given = {"first_name": "Igor", "last_name": "Petrov", "role": TECHNICIAN, "password": PASSWORD}
    with app.app_context():
        add_user(AccountIn.read({**given, "username": "Петров", "email": "Ölke@example.com"}), ACTOR)
    for name in ("Петров", " Петров ", "Ölke@example.com", "TECHNICIAN"):
        asked = {"username": name, "password": PASSWORD}
        assert app.test_client().post("/api/v1/security/login", json=asked).status_code == 200, name


def test_what_was_opened_in_a_demonstration_opens_nothing_outside_demo_mode(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions, bearer tokens, API keys and calendars: everybody could make them there."""
    account = next(item for item in DEMO_ACCOUNTS if item.role == ADMINISTRATOR)
    with app.app_context(), transaction(ACTOR):
        user = find_user(account.username)
        assert user is not None
        user.password = hash_password(account.password)
        user_id, values = user.id, values_of(user)
    name = {"username": account.username, "password": account.password}
    browser = app.test_client()
    demo = flask_config(Settings(data=app.config["LIMS_DATA"], demo=True))

    def opened() -> list[bool]:
        bearers = [app.test_client().get("/api/v1/specimens/", headers=header) for header in headers]
        read = [browser.get("/profile/"), *bearers, app.test_client().get(calendar)]
        return [answer.status_code == 200 for answer in read]

    with monkeypatch.context() as meanwhile:
        for setting in ("SECRET_KEY", "LIMS_DEMO"):
            meanwhile.setitem(app.config, setting, demo[setting])
        person = Person(browser, account.username, csrf_of(browser.get("/login/").get_data(as_text=True)))
        assert person.post("/login/", name).status_code == 302
        person.token = ""
        bearer = app.test_client().post("/api/v1/security/login", json=name).get_json()["access_token"]
        made = person.post("/profile/api-keys", {"name": "press PC", "days": "30"}).get_data(as_text=True)
        key = re.search(r"data-new-key>([^<]+)<", made)
        feed = person.post("/calendar-feeds/", {"name": "Telephone"}).get_data(as_text=True)
        address = re.search(r'value="http://[^"/]+(/calendar/[^"]+\.ics)"', feed)
        assert key is not None
        assert address is not None
        headers = [{"Authorization": f"Bearer {token}"} for token in (bearer, key[1])]
        calendar = address[1]
        assert opened() == [True] * 4
    assert opened() == [False] * 4
    with app.app_context():  # a laboratory that goes on with these accounts gives them passwords of its own
        edit_user(user_id, AccountEdit.read({**values, "password": "new-quarry-words-31"}), ACTOR)
    assert opened() == [False, False, True, True]


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found.group(1)
