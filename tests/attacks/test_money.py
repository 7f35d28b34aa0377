"""Money leaves by no list, no export and no answer for roles that read no prices."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER, ROLES, SALES, SERVICE, TECHNICIAN
from lims.accounts.service import find_user
from lims.aftersales.models import Complaint
from lims.base import views
from lims.base.database import transaction
from lims.base.exports import ListQuery, rows_of
from lims.base.jobs import run_waiting
from lims.base.preferences import choose
from lims.base.records import Record
from lims.base.security import User
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from lims.comparison.models import Comparison
from lims.mixes.models import MixComponent
from tests.aftersales.test_complaints import a_complaint
from tests.conftest import USERNAMES, Person
from tests.factories import ACTOR, a_mix

#: Of a price and of a compensation: digits that nothing else holds.
AMOUNTS = ("7771.55", "7772.55", "7773.55")


@pytest.fixture
def priced(app: Flask) -> None:
    """A record with each column that tells money."""
    with app.app_context():
        mix, complaint = a_mix(), a_complaint()
        cement = SERVICES["cement-products"].add({"code": "P-1", "name": "One"}, ACTOR)
        with transaction(ACTOR) as session:
            component = session.get(MixComponent, mix.latest.components[0].id)
            noted = session.get(Complaint, complaint.id)
            assert component is not None
            assert noted is not None
            component.price_per_t, noted.compensation_amount = Decimal(AMOUNTS[0]), Decimal(AMOUNTS[1])
            session.add(
                Comparison(
                    code="V-1",
                    name="Two",
                    own_id=cement.id,
                    other_id=cement.id,
                    age_days=28,
                    target_mpa=Decimal(40),
                    priced_on=complaint.received_at.date(),
                    inputs="{}",
                    outcome="{}",
                    told_apart=False,
                    binder_difference_kg_m3=Decimal(0),
                    cost_difference_per_m3=Decimal(AMOUNTS[2]),
                )
            )


def lists() -> list[str]:
    return [name for name, view in VIEWS.items() if getattr(view, "list_columns", None)]


def choose_every_column(app: Flask, role: str) -> None:
    """As if chosen while the role still read prices, or past the page that offers them."""
    with app.app_context():
        user = find_user(USERNAMES[role])
        assert user is not None
        for name in lists():
            every = [
                *VIEWS[name].list_columns,
                *VIEWS[name].more_columns,
                *VIEWS[name].service.record.__mapper__.columns.keys(),
            ]
            choose(user.id, "columns", name, "", every, ACTOR)


@pytest.mark.parametrize("role", USERNAMES)
def test_no_export_of_a_list_holds_money_for_a_role_without_prices(
    app: Flask, priced: None, sign_in_as: Callable[[str], Person], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in lists():  # each list offers all it has
        monkeypatch.setattr(
            type(VIEWS[name]), "more_columns", tuple(VIEWS[name].service.record.__mapper__.columns.keys())
        )
    choose_every_column(app, role)
    person = sign_in_as(role)
    found = set()
    for name in lists():
        for path in (f"/{name}/export?format=csv", f"/{name}/"):
            told = person.get(path).get_data(as_text=True)
            found |= {(name, amount) for amount in AMOUNTS if amount in told.replace(",", "")}
    reads = ("can_read", "prices") in ROLES[role]
    assert {amount for _name, amount in found} == (set(AMOUNTS) if reads else set()), found


def test_a_long_export_leaves_out_what_its_person_may_no_longer_read(
    app: Flask, priced: None, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_ROWS_AT_ONCE", 0)
    person = sign_in_as(SALES)
    place = person.get("/mix-components/export?format=csv").location
    with app.app_context(), transaction(ACTOR) as session:
        user, other = find_user(USERNAMES[SALES]), find_user(USERNAMES[TECHNICIAN])
        assert user is not None
        assert other is not None
        session.get_one(User, user.id).roles = list(session.get_one(User, other.id).roles)
    assert run_waiting(app) == ["done"]
    told = person.get(place + "/file").get_data(as_text=True)
    assert "Cement" in told
    assert AMOUNTS[0] not in told


def test_the_command_line_exports_prices_as_before(app: Flask, priced: None) -> None:
    with app.app_context():
        view = VIEWS["mix-components"]
        assert "price_per_t" in view.known_columns()
        rows = list(rows_of(view, ["price_per_t"], ListQuery(order="kind")))
    assert [Decimal(AMOUNTS[0])] in rows


def test_a_conflict_tells_no_price_to_who_reads_none(app: Flask, priced: None, technician: Person) -> None:
    with app.app_context():
        component = SERVICES["mix-components"].find(kind="cement")
    assert component is not None
    given = {"revision_id": component.revision_id, "kind": "cement", "mass_kg_m3": "310"}
    path = f"/mix-components/{component.id}/edit"
    answer = technician.post(path, {**given, "version": "999"})
    assert answer.status_code == 409
    assert AMOUNTS[0] not in answer.get_data(as_text=True)
    answer = technician.client.put(
        f"/api/v1/mix-components/{component.id}",
        json={**given, "version": 999},
        headers={"X-CSRFToken": technician.token},
    )
    assert answer.status_code == 409
    assert "mass_kg_m3" in answer.get_json()["theirs"]
    assert AMOUNTS[0] not in answer.get_data(as_text=True)


def test_what_is_guarded_neither_filters_nor_orders_nor_is_searched() -> None:
    """A value that is not shown is not found by halving either."""
    wrong = []
    for name, service in SERVICES.items():
        record: type[Record] = service.record
        guarded = {c.name for c in record.__table__.columns if c.info.keys() & {"money", "reads"}}
        open_to = {*service.filter_columns, *service.order_columns, *service.search_columns}
        wrong += [(name, column) for column in guarded & open_to]
    assert wrong == []


def test_who_is_shown_no_money_writes_none(
    app: Flask, priced: None, technician: Person, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        component, noted = (
            SERVICES["mix-components"].find(kind="cement"),
            SERVICES["complaints"].page().items[0],
        )
    assert component is not None
    price = {
        "revision_id": component.revision_id, "kind": "cement", "mass_kg_m3": "310", "price_per_t": "1",
        "version": component.version,
    }  # fmt: skip
    amount = {"compensation": "Cement", "compensation_amount": "1"}
    rest = f"/api/v1/complaints/{noted.id}/steps/findings"
    page = f"/complaints/{noted.id}/steps/findings"
    service, manager = sign_in_as(SERVICE), sign_in_as(MANAGER)
    assert technician.post(f"/mix-components/{component.id}/edit", price).status_code == 403
    assert service.post(page, amount).status_code == 403
    for person, method, path, sent in (
        (technician, "PUT", f"/api/v1/mix-components/{component.id}", price),
        (service, "POST", rest, amount),
    ):
        answer = person.client.open(path, method=method, json=sent, headers={"X-CSRFToken": person.token})
        assert answer.status_code == 403, path
    emptied = technician.client.put(
        f"/api/v1/mix-components/{component.id}",
        json={**price, "price_per_t": None},
        headers={"X-CSRFToken": technician.token},
    )
    assert emptied.status_code == 200
    with app.app_context():
        assert SERVICES["mix-components"].get(component.id).price_per_t == Decimal(AMOUNTS[0])
        assert SERVICES["complaints"].get(noted.id).compensation_amount == Decimal(AMOUNTS[1])
    assert service.post(page, {"compensation": "Cement"}).status_code == 302
    assert manager.post(page, amount).status_code == 302
    with app.app_context():
        assert SERVICES["complaints"].get(noted.id).compensation_amount == 1
