"""Who knows of whom: a salesperson's own regions over every route, and persons whose data are erased."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import select
from werkzeug.routing import IntegerConverter

from lims.accounts.roles import MANAGER, SALES, SERVICE
from lims.accounts.service import find_user
from lims.audit.source import check_database, reading
from lims.base.auditing.lims_verify import verify
from lims.base.auditing.models import PersonalValue
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.display import local_today
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.customers.models import Customer
from lims.customers.service import ContactService
from tests.conftest import Person
from tests.factories import ACTOR, a_customer, a_mix

SECRET = "Zephyrine"


def add(record: str, **values: Any) -> Any:
    return SERVICES[record].add(values, ACTOR)


@pytest.fixture
def hidden(app: Flask) -> dict[str, int]:
    """A customer of another region with a record of every kind, all named alike. record -> id."""
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        ours, theirs = add("regions", code="R-1", name="Ours"), add("regions", code="R-2", name="Theirs")
        add("region-staff", region_id=ours.id, user_id=user.id)
        dealer = a_customer("K-DEAL", name=f"{SECRET} dealer", kind="dealer", region_id=theirs.id)
        a_customer("K-OURS", name="Open Ltd", region_id=ours.id, dealer_id=dealer.id)
        customer = a_customer(
            "K-ZEPH", name=f"{SECRET} Ltd", region_id=theirs.id, contact_name=f"{SECRET} Ma"
        )
        ids = {"customers": customer.id}
        key = {"customer_id": customer.id}
        site = add("sites", code="S-ZEPH", name=f"{SECRET} site", **key)
        cement = add("cement-products", code="PO425", name="P.O 42.5")
        lot = add("cement-lots", code="L-1", cement_product_id=cement.id)
        contact = add("contacts", name=f"{SECRET} Gao", **key)
        card = add(
            "usage-cards",
            cement_product_id=cement.id,
            recorded_on="2026-05-04",
            purpose=f"{SECRET} use",
            **key,
        )
        trial = add("trials", name=f"{SECRET} trial", **key)
        mix = a_mix()
        batch = add(
            "batches",
            trial_id=trial.id,
            mix_revision_id=mix.latest_revision_id,
            cast_at=utc_now().isoformat(),
            volume_m3="10",
            element=f"{SECRET} piles",
        )
        add(
            "batches",
            trial_id=add("trials", name="Nobody's").id,
            mix_revision_id=mix.latest_revision_id,
            cast_at=utc_now().isoformat(),
            volume_m3="10",
            site_id=site.id,
        )
        complaint = add("complaints", subject=f"{SECRET} cracks", **key)
        seminar = add("seminars", name=f"{SECRET} seminar", held_on="2026-05-04", **key)
        made = {
            "sites": site,
            "contacts": contact,
            "usage-cards": card,
            "trials": trial,
            "batches": batch,
            "complaints": complaint,
            "seminars": seminar,
            "usage-mixes": add(
                "usage-mixes", usage_card_id=card.id, name=f"{SECRET} mix", cement_kg_m3="300"
            ),
            "scale-checks": add(
                "scale-checks",
                usage_card_id=card.id,
                checked_on="2026-05-04",
                scale=f"{SECRET} scale",
                shown_kg="1",
                true_kg="1",
            ),
            "usage-notes": add(
                "usage-notes", usage_card_id=card.id, noted_on="2026-05-04", seen=f"{SECRET} bricks"
            ),
            "site-stocks": add(
                "site-stocks",
                site_id=site.id,
                cement_product_id=cement.id,
                counted_on="2026-05-04",
                stock_t="1",
            ),
            "visits": add("visits", visited_on="2026-05-04", purpose=f"{SECRET} visit", **key),
            "visit-plans": add("visit-plans", planned_on="2026-05-04", purpose=f"{SECRET} plan", **key),
            "surveys": add(
                "surveys",
                answered_on="2026-05-04",
                quality=1,
                steadiness=1,
                delivery=1,
                service=1,
                remarks=SECRET,
                **key,
            ),
            "deliveries": add(
                "deliveries",
                code="D-ZEPH",
                cement_lot_id=lot.id,
                delivered_at=utc_now().isoformat(),
                mass_t="1",
                vehicle=SECRET,
                **key,
            ),
            "objections": add(
                "objections", cement_lot_id=lot.id, raised_on="2026-05-04", claim=SECRET, **key
            ),
            "retests": add(
                "retests",
                cement_lot_id=lot.id,
                complaint_id=complaint.id,
                ordered_on="2026-05-04",
                remarks=SECRET,
            ),
            "complaint-lots": add(
                "complaint-lots", complaint_id=complaint.id, cement_lot_id=lot.id, remarks=SECRET
            ),
            "share-links": add("share-links", trial_id=trial.id, name=f"{SECRET} link", **key),
            "competitors": add("competitors", region_id=theirs.id, name=SECRET, seen_on="2026-05-04"),
            "findings": add(
                "findings",
                subject=f"{SECRET} has no agreement",
                about_record="complaints",
                about_id=complaint.id,
                due_on="2026-05-04",
                responsible_id=find_user("manager").id,  # type: ignore[union-attr]
            ),
            "attendances": add("attendances", seminar_id=seminar.id, contact_id=contact.id, remarks=SECRET),
        }
        ids |= {name: record.id for name, record in made.items()}
        task = SERVICES["usage-tasks"].page().items[0]
        ids |= {"usage-tasks": task.id, "stage-changes": SERVICES["stage-changes"].page().items[0].id}
        return ids


def test_nothing_of_another_region_over_any_list_page_lookup_or_rest(
    app: Flask, sales: Person, hidden: dict[str, int]
) -> None:
    for name, key in hidden.items():
        if name in {"stage-changes"}:
            continue  # the newest one is our own customer's
        answers = {
            "list": sales.get(f"/{name}/"),
            "retired": sales.get(f"/{name}/?retired=1&q={SECRET}"),
            "lookup": sales.get(f"/{name}/lookup?q={SECRET}"),
            "rest": sales.get(f"/api/v1/{name}/?q={SECRET}"),
        }
        for how, answer in answers.items():
            assert answer.status_code == 200, (name, how)
            found = answer.get_data(as_text=True).replace(f'value="{SECRET}"', "").replace(f"q={SECRET}", "")
            found = (
                found.replace(f"> {SECRET}<", "<")
                .replace(f">{SECRET}</a>", "</a>")
                .replace(f": {SECRET}", "")
            )
            if how != "retired":
                assert SECRET not in found, (name, how)
        assert answers["rest"].get_json()["count"] == 0, name
        for url in (f"/{name}/{key}", f"/api/v1/{name}/{key}", f"/{name}/{key}/edit"):
            assert sales.get(url).status_code in {403, 404}, url


def unpacked(content: bytes) -> bytes:
    """A workbook's parts in clear text; other content as it is."""
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def addresses(app: Flask, hidden: dict[str, int]) -> Iterator[str]:
    """Every address that answers GET, its numbers filled with ids of hidden records, its words with their kinds."""
    everything = sorted({1, 2, *hidden.values()})
    words = [*hidden, "S-ZEPH", "B26-0001", "unknown"]
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint.endswith("static"):
                continue
            if rule.rule.startswith(("/logout", "/lang/", "/login")):
                continue
            record = rule.rule.removeprefix("/api/v1").split("/")[1]
            numbers = [hidden[record]] if record in hidden else everything
            kinds = [isinstance(rule._converters[name], IntegerConverter) for name in rule.arguments]
            choices = [numbers if number else words for number in kinds]
            for values in product(*choices):
                yield rule.build(dict(zip(rule.arguments, values, strict=True)))[1]  # type: ignore[index]


def test_no_address_of_the_whole_application_names_a_customer_of_another_region(
    app: Flask, sales: Person, hidden: dict[str, int]
) -> None:
    asked, answered, leaks = 0, 0, []
    for address in addresses(app, hidden):
        answer = sales.get(address)
        asked += 1
        answered += answer.status_code == 200
        assert answer.status_code < 500, address
        # What the address itself holds may come back; the name of the customer never.
        if SECRET.encode() in unpacked(answer.data):
            leaks.append(address)
    assert leaks == []
    assert asked > 400
    assert answered > 100


def test_nothing_of_another_region_is_changed_retired_or_referred_to(
    app: Flask, sales: Person, hidden: dict[str, int]
) -> None:
    sales.get("/")
    assert sales.post(f"/customers/{hidden['customers']}/retire").status_code == 404
    assert sales.post("/customers/bulk", {"action": "retire", "id": [hidden["customers"]]}).status_code == 404
    visit = {"customer_id": hidden["customers"], "visited_on": "2026-05-05", "purpose": "monthly"}
    answer = sales.post("/visits/add", visit)
    assert answer.status_code == 422
    assert SECRET not in answer.get_data(as_text=True)
    assert SECRET not in sales.get(f"/visits/add?customer_id={hidden['customers']}").get_data(as_text=True)
    assert SECRET not in sales.get(f"/visits/?customer_id={hidden['customers']}").get_data(as_text=True)
    with app.app_context():
        assert SERVICES["customers"].get(hidden["customers"]).retired_at is None


def test_search_pages_and_figures_say_nothing_of_another_region(
    sales: Person, hidden: dict[str, int]
) -> None:
    for url in (
        *("/", "/service/", "/service/plan", f"/regions/{2}", "/forecast-quality/", "/new-customer/"),
        *(f"/customers/{2}", f"/customers/{2}/edit", f"/audit-log/customers/{2}", f"/batches/{2}"),
    ):
        answer = sales.get(url)
        assert answer.status_code == 200, url
        assert SECRET not in answer.get_data(as_text=True), url
    suggested = json.dumps(sales.get("/search/suggest?q=zeph").get_json())
    assert SECRET not in suggested
    assert "ZEPH" not in suggested


def test_who_reads_all_regions_sees_what_the_salesperson_does_not(
    sign_in_as: Callable[[str], Person], hidden: dict[str, int]
) -> None:
    for role in (MANAGER, SERVICE):
        person = sign_in_as(role)
        assert SECRET in person.get(f"/customers/{hidden['customers']}").get_data(as_text=True)
        assert SECRET in json.dumps(person.get("/search/suggest?q=zeph").get_json())


def test_salesperson_adds_customers_in_own_regions_or_none(
    app: Flask, sales: Person, hidden: dict[str, int]
) -> None:
    with app.app_context():
        ours, theirs = (SERVICES["regions"].find(code=code).id for code in ("R-1", "R-2"))
    assert (
        sales.post("/customers/add", {"code": "N-1", "name": "New", "region_id": theirs}).status_code == 422
    )
    assert sales.post("/customers/add", {"code": "N-2", "name": "New", "region_id": ours}).status_code == 302
    assert "N-2" in sales.get("/customers/").get_data(as_text=True)


def test_a_customer_whom_one_looks_after_is_seen_wherever_it_is(app: Flask, sales: Person) -> None:
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        region = add("regions", code="R-9", name="Far")
        a_customer("K-FAR", name="Far Ltd", region_id=region.id, owner_id=user.id)
        far = current_session().scalars(select(Customer).where(Customer.code == "K-FAR")).one()
        key, version, owner = far.id, far.version, str(user.id)
    assert "Far Ltd" in sales.get("/customers/").get_data(as_text=True)
    values = {"code": "K-FAR", "name": "Far Ltd", "owner_id": owner, "version": str(version)}
    edited = {**values, "region_id": str(region.id), "phone": "138"}
    assert sales.post(f"/customers/{key}/edit", edited).status_code == 302
    with app.app_context():
        another = add("regions", code="R-10", name="Farther").id
    moved = {**edited, "region_id": str(another), "version": str(version + 1)}
    assert sales.post(f"/customers/{key}/edit", moved).status_code == 422


def test_who_has_left_stays_named_by_what_they_did_and_is_named_by_nothing_new(app: Flask) -> None:
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        customer = a_customer(owner_id=user.id)
        visit = {"customer_id": customer.id, "visited_on": "2026-05-04", "purpose": "x", "user_id": user.id}
        made = add("visits", **visit)
        with transaction(ACTOR) as session:
            gone = session.get(User, user.id)
            assert gone is not None
            gone.active = False
    with app.app_context():
        called_back = {**visit, "call_back": "All well"}
        found = SERVICES["visits"].edit(made.id, called_back, made.version, ACTOR)
        assert (found.user_id, found.call_back) == (user.id, "All well")
        with pytest.raises(Refused, match="is not one of our people") as refusal:
            add("visits", **visit)
        assert [(p.field, p.value) for p in refusal.value.problems] == [("user_id", str(user.id))]


def test_form_offers_nobody_who_has_left_but_whom_it_names_already(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        visit = {"customer_id": a_customer().id, "visited_on": "2026-05-04", "purpose": "x"}
        made = add("visits", **visit, user_id=user.id)
        with transaction(ACTOR) as session:
            session.get_one(User, user.id).active = False
        choice = f'<option value="{user.id}"'
    manager = sign_in_as(MANAGER)
    assert choice not in manager.get("/visits/add").get_data(as_text=True)
    assert f"{choice} selected>Sales Test" in manager.get(f"/visits/{made.id}/edit").get_data(as_text=True)
    assert choice in manager.get("/visits/").get_data(as_text=True)  # what they did is still looked for


def test_scores_of_persons_are_for_managers_only(sign_in_as: Callable[[str], Person]) -> None:
    assert sign_in_as(MANAGER).get("/service/persons").status_code == 200
    for role in (SALES, SERVICE):
        assert sign_in_as(role).get("/service/persons").status_code == 403


def test_amount_of_a_compensation_is_shown_by_role_only(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        complaint = add("complaints", customer_id=a_customer().id, subject="Cracks")
        SERVICES["complaints"].note_findings(  # type: ignore[attr-defined]
            complaint.id, {"compensation": "Cement", "compensation_amount": "8642"}, ACTOR
        )
    url, rest = f"/complaints/{complaint.id}", f"/api/v1/complaints/{complaint.id}"
    manager, service = sign_in_as(MANAGER), sign_in_as(SERVICE)
    assert "8642" in manager.get(url).get_data(as_text=True)
    assert manager.get(rest).get_json()["result"]["compensation_amount"] == "8642.00"
    assert "8642" not in service.get(url).get_data(as_text=True)
    assert service.get(rest).get_json()["result"]["compensation_amount"] is None


def test_number_of_a_customer_without_a_contact_is_shown_and_erased_with_where_it_was_noted(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        customer = a_customer(phone="13800000000")
        cement = add("cement-products", code="PO425", name="P.O 42.5")
        lot = add("cement-lots", code="L-1", cement_product_id=cement.id)
        told = {"customer_id": customer.id, "subject": "Cracks"}
        noted = [add("complaints", **told, phone=phone).id for phone in ("13800000000", "02355550142")]
        when = {"delivered_at": "2026-05-04T08:00:00+08:00", "mass_t": "40"}
        of = {"customer_id": customer.id, "cement_lot_id": lot.id}
        delivery = add("deliveries", code="D-1", **of, **when).id
        key = customer.id
    manager, erase = sign_in_as(MANAGER), f"/customers/{key}/erase-contact"
    page = manager.get(f"/customers/{key}").get_data(as_text=True)
    assert 'href="tel:13800000000"' in page
    assert f'action="{erase}"' in page
    assert manager.post(erase).status_code == 302
    with app.app_context():
        found = SERVICES["customers"].get(key)
        assert (found.contact_name, found.phone) == (None, None)
        assert [SERVICES["complaints"].get(one).phone for one in noted] == [None, "02355550142"]
        assert SERVICES["deliveries"].get(delivery).accepted_by is None
        assert "13800000000" not in current_session().scalars(select(PersonalValue.value)).all()


@pytest.mark.usefixtures("records_on_both")
def test_erasing_a_person_leaves_records_that_stand_and_no_trace_of_the_name() -> None:
    customer = a_customer(contact_name="Gao Feng", phone="13800000000")
    contact = add(
        "contacts", customer_id=customer.id, name="Gao Feng", phone="13800000000", email="gao@example.com"
    )
    cement = add("cement-products", code="PO425", name="P.O 42.5")
    lot = add("cement-lots", code="L-1", cement_product_id=cement.id)
    delivery = add(
        "deliveries",
        code="D-1",
        customer_id=customer.id,
        cement_lot_id=lot.id,
        delivered_at="2026-05-04T08:00:00+08:00",
        mass_t="40",
        accepted_by="Gao Feng",
    )
    told = {"customer_id": customer.id, "subject": "Cracks"}
    complaint = add("complaints", **told, contact_id=contact.id, phone="13811111111")
    noted = add("complaints", **told, phone="13800000000")
    kept = add("complaints", **told, phone="02355550142")
    ContactService().erase(contact.id, ACTOR)
    current_session().expire_all()
    assert [SERVICES["complaints"].get(one.id).phone for one in (complaint, noted, kept)] == [
        None,
        None,
        "02355550142",
    ]
    SERVICES["customers"].erase_contact(customer.id, ACTOR)  # type: ignore[attr-defined]
    found = SERVICES["contacts"].get(contact.id)
    assert found.name.startswith("erased-")
    assert (found.phone, found.email) == (None, None)
    assert SERVICES["complaints"].get(complaint.id).contact.name == found.name
    assert SERVICES["deliveries"].get(delivery.id).accepted_by == found.name
    values = current_session().scalars(select(PersonalValue.value)).all()
    assert not [value for value in values if "Gao" in value or "138" in value or "gao@" in value]


@pytest.mark.usefixtures("records_on_both")
def test_erasing_who_called_leaves_who_agreed_and_a_record_that_fits_the_rows() -> None:
    customer = a_customer()
    caller = add("contacts", customer_id=customer.id, name="Gao Feng", phone="13800000000")
    complaints: Any = SERVICES["complaints"]
    told = add("complaints", customer_id=customer.id, subject="Cracks", phone="13800000000")
    complaints.answer(told.id, {"answer": "We come"}, ACTOR)
    complaints.solve(told.id, {"remedy": "Covered and watered"}, ACTOR)
    complaints.agree(told.id, {"agreed_on": local_today().isoformat(), "agreed_by": "Wang Min"}, ACTOR)
    ContactService().erase(caller.id, ACTOR)
    current_session().expire_all()
    found = complaints.get(told.id)
    assert (found.phone, found.agreed_by) == (None, "Wang Min")
    assert set(current_session().scalars(select(PersonalValue.value))) == {"Wang Min"}
    with reading(database().engine) as source:
        report = verify(source)
        check_database(source, report)
    assert report.findings == []


def test_sheet_of_own_customers_names_no_dealer_of_another_region_and_is_read_again(
    sales: Person, hidden: dict[str, int]
) -> None:
    sheet = sales.get("/import/templates/customers/filled.xlsx").data
    assert b"K-OURS" in unpacked(sheet)
    assert b"K-DEAL" not in unpacked(sheet)
    sent = sales.post("/import/", {"file": (io.BytesIO(sheet), "k.xlsx")})
    assert 'data-count="same">1<' in sales.get(sent.location).get_data(as_text=True)
