"""Who has which role is asked at every request; what a role may do is kept for a moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from lims.accounts.roles import ADMINISTRATOR, TECHNICIAN
from lims.accounts.service import find_user
from lims.base.actor import system_actor
from lims.base.database import transaction
from tests.conftest import Person

ROLE_OF = (
    "UPDATE ab_user_role SET role_id = (SELECT id FROM ab_role WHERE name = :role) WHERE user_id = :user_id"
)
NO_BATCHES = (
    "DELETE FROM ab_permission_view_role WHERE permission_view_id IN (SELECT v.id FROM ab_permission_view v"
    " JOIN ab_view_menu m ON m.id = v.view_menu_id WHERE m.name = 'batches')"
)


def test_other_role_counts_at_the_next_request(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    person = sign_in_as(TECHNICIAN)
    assert person.get("/press/").status_code == 200
    with app.app_context():
        user = find_user(person.username)
        assert user is not None
        with transaction(system_actor("test")) as session:
            session.execute(text(ROLE_OF), {"role": "Sales", "user_id": user.id})
    assert person.get("/press/").status_code == 403


@pytest.mark.parametrize(("kept_seconds", "status"), [(60.0, 200), (0.0, 403)])
def test_what_a_role_may_do_is_read_again_when_it_was_kept_long_enough(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch, kept_seconds: float, status: int
) -> None:
    monkeypatch.setattr("lims.base.security.ROLES_KEPT_SECONDS", kept_seconds)
    assert technician.get("/batches/").status_code == 200
    with app.app_context(), transaction(system_actor("test")) as session:
        session.execute(text(NO_BATCHES))
    assert technician.get("/batches/").status_code == status


def test_account_that_was_disabled_past_its_page_is_out_at_the_next_request(
    app: Flask, technician: Person
) -> None:
    assert technician.get("/").status_code == 200
    with app.app_context(), transaction(system_actor("test")) as session:
        disabled = text("UPDATE ab_user SET active = :active WHERE username = :name")
        session.execute(disabled, {"active": False, "name": technician.username})
    assert technician.get("/").status_code == 302


def put_in_a_group(session: Session, user_id: int, role: str) -> None:
    """Of people who have this role."""
    session.execute(text("INSERT INTO ab_group (id, name) VALUES (1, 'Keys')"))
    session.execute(
        text("INSERT INTO ab_user_group (id, user_id, group_id) VALUES (1, :id, 1)"), {"id": user_id}
    )
    of_role = (
        "INSERT INTO ab_group_role (id, group_id, role_id) SELECT 1, 1, id FROM ab_role WHERE name = :role"
    )
    session.execute(text(of_role), {"role": role})


def test_who_has_roles_of_groups_alone_has_a_first_page(app: Flask, technician: Person) -> None:
    with app.app_context():
        user = find_user(technician.username)
        assert user is not None
        with transaction(system_actor("test")) as session:
            put_in_a_group(session, user.id, TECHNICIAN)
            session.execute(text("DELETE FROM ab_user_role WHERE user_id = :id"), {"id": user.id})
    assert technician.get("/").status_code == 200
    assert technician.get("/press/").status_code == 200


def test_rights_of_a_group_s_role_are_a_person_s(app: Flask, technician: Person) -> None:
    assert technician.get("/users/").status_code == 403
    with app.app_context():
        user = find_user(technician.username)
        assert user is not None
        with transaction(system_actor("test")) as session:
            put_in_a_group(session, user.id, ADMINISTRATOR)
    assert technician.get("/users/").status_code == 200
