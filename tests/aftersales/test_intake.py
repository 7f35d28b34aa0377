"""Whoever the customer calls takes the complaint in; what follows is the service's."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from lims.accounts.roles import MANAGER, SERVICE
from lims.accounts.service import find_user
from lims.aftersales import figures
from lims.aftersales.complaints import ComplaintService
from lims.aftersales.promises import promises
from lims.aftersales.schemas import ServiceSettingsIn
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import form_text, local_time, show_time
from lims.base.services import SERVICES
from lims.mail.models import OutgoingMail
from tests.conftest import Person
from tests.factories import ACTOR, a_customer


@pytest.fixture
def regions(app: Flask) -> dict[str, int]:
    """A customer of the salesperson's region and one of another. name -> id."""
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        ours = SERVICES["regions"].add({"code": "R-1", "name": "Ours"}, ACTOR)
        theirs = SERVICES["regions"].add({"code": "R-2", "name": "Theirs"}, ACTOR)
        SERVICES["region-staff"].add({"region_id": ours.id, "user_id": user.id}, ACTOR)
        return {
            "own": a_customer("K-OWN", region_id=ours.id).id,
            "foreign": a_customer("K-FOREIGN", name="Zephyrine Ltd", region_id=theirs.id).id,
        }


def complaints(app: Flask) -> list[Any]:
    with app.app_context():
        return list(SERVICES["complaints"].page().items)


def test_salesperson_takes_in_a_complaint_of_an_own_customer_by_the_form(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    assert sales.get(f"/complaints/add?customer_id={regions['own']}").status_code == 200
    answer = sales.post(
        "/complaints/add",
        {"customer_id": regions["own"], "subject": "Sets slowly", "category": "slow_setting"},
    )
    assert answer.status_code == 302
    found = complaints(app)
    assert [item.subject for item in found] == ["Sets slowly"]
    assert found[0].answer_due_at is not None
    assert sales.get(answer.headers["Location"]).status_code == 200


def test_figures_of_the_service_count_customers_of_own_regions_alone(
    app: Flask, sales: Person, sign_in_as: Callable[[str], Person], regions: dict[str, int]
) -> None:
    """Complaints, surveys, visits and plans: each has its own condition."""
    with app.app_context():
        today = f"{local_time(utc_now()):%Y-%m-%d}"
        for name, mark in (("own", 5), ("foreign", 1)):
            of = {"customer_id": regions[name]}
            SERVICES["visits"].add(
                {**of, "visited_on": today, "purpose": "x", "satisfaction": str(mark)}, ACTOR
            )
            survey = dict.fromkeys(("quality", "steadiness", "delivery", "service"), mark)
            SERVICES["surveys"].add({**of, **survey, "answered_on": today}, ACTOR)
            SERVICES["visit-plans"].add({**of, "planned_on": today, "purpose": "x"}, ACTOR)
            SERVICES["complaints"].add({**of, "subject": "Cracks", "category": "cracking"}, ACTOR)
    for person, mark, marks, seen in ((sales, "5.00", 2, 1), (sign_in_as(MANAGER), "3.00", 4, 2)):
        page = person.get("/service/").get_data(as_text=True)
        assert f'{mark}<span class="unit"> / 5</span>' in page
        assert f"{marks} marks" in page
        assert f'0<span class="unit"> / {seen}</span>' in page
        assert f"{seen} made" in page
        assert f"of {seen} complaints" in page
        assert re.findall(r'category=cracking.*?<span class="[^"]*num[^"]*">(\d+)<', page) == [str(seen)]


def test_half_a_tenth_of_a_forecast_reads_as_on_the_page_of_its_mix(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    sign_in_as: Callable[[str], Person],
    regions: dict[str, int],
) -> None:
    """38.45 MPa is 38.4, half to even; as a binary fraction it would be 38.5."""
    with app.app_context():
        customer = SERVICES["customers"].get(regions["own"])
    half = Decimal("38.45")
    told = [figures.Told(customer, 1, "C30", half, half, half, half, 3)]
    monkeypatch.setattr(figures, "forecasts_of_new_customers", lambda _since: told)
    page = sign_in_as(MANAGER).get("/service/").get_data(as_text=True)
    shown = re.findall(r"[\d.–]+", page[page.index(">C30</a>") :].partition("</tr>")[0])
    assert [text for text in shown if text.startswith("38")] == ["38.4", "38.4–38.4", "38.4"]


def test_form_of_a_complaint_that_is_sent_twice_makes_one_complaint(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    page = sales.get(f"/complaints/add?customer_id={regions['own']}").get_data(as_text=True)
    found = re.search(r'name="form_key" value="([^"]+)"', page)
    assert found is not None
    sent = {"customer_id": regions["own"], "subject": "Sets slowly", "form_key": found.group(1)}
    first, second = sales.post("/complaints/add", sent), sales.post("/complaints/add", sent)
    assert first.status_code == 302
    assert second.headers["Location"] == first.headers["Location"]
    assert len(complaints(app)) == 1


def test_salesperson_takes_in_a_complaint_by_rest_once_for_one_key(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    sales.post("/profile/", {})  # brings the token
    given = {"customer_id": regions["own"], "subject": "Sets slowly"}
    headers = {"X-CSRFToken": sales.token, "Idempotency-Key": "one-call"}
    answers = [sales.client.post("/api/v1/complaints/", json=given, headers=headers) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert len(complaints(app)) == 1


def test_complaint_of_another_region_is_refused_without_naming_the_customer(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    sales.get("/")
    given = {"customer_id": regions["foreign"], "subject": "Sets slowly"}
    form = sales.post("/complaints/add", given)
    rest = sales.client.post("/api/v1/complaints/", json=given, headers={"X-CSRFToken": sales.token})
    assert (form.status_code, rest.status_code) == (422, 422)
    for answer in (form, rest, sales.get(f"/complaints/add?customer_id={regions['foreign']}")):
        assert "Zephyrine" not in answer.get_data(as_text=True)
    assert complaints(app) == []


def test_trial_of_a_customer_of_another_region_stands_on_no_page_of_an_own_complaint(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    with app.app_context():
        trial = SERVICES["trials"].add({"name": "Zephyrine trial", "customer_id": regions["foreign"]}, ACTOR)
        service, words = ComplaintService(), {"subject": "Falls off"}
        made = service.add({"customer_id": regions["own"], **words}, ACTOR)
        service.edit(made.id, {**words, "trial_id": trial.id}, made.version, ACTOR)
        key, code = made.id, trial.code
    page = sales.get(f"/complaints/{key}").get_data(as_text=True)
    assert "Falls off" in page
    assert not [text for text in ("Zephyrine", code) if text in page]


def test_steps_findings_and_retirement_of_a_complaint_stay_with_the_service(
    app: Flask, sales: Person, regions: dict[str, int]
) -> None:
    sales.post("/complaints/add", {"customer_id": regions["own"], "subject": "Sets slowly"})
    key = complaints(app)[0].id
    assert sales.post(f"/complaints/{key}/steps/answer", {"answer": "x"}).status_code == 403
    assert sales.post(f"/complaints/{key}/retire").status_code == 403
    assert sales.get(f"/complaints/{key}/edit").status_code == 403
    rest = sales.client.post(
        f"/api/v1/complaints/{key}/steps/answer", json={"answer": "x"}, headers={"X-CSRFToken": sales.token}
    )
    assert rest.status_code == 403
    page = sales.get(f"/complaints/{key}").get_data(as_text=True)
    assert "/steps/answer" not in page
    assert f"/complaints/{key}/photos" in page
    assert complaints(app)[0].state == "received"


def test_technician_takes_no_complaint_in(app: Flask, technician: Person, regions: dict[str, int]) -> None:
    answer = technician.post("/complaints/add", {"customer_id": regions["own"], "subject": "x"})
    assert answer.status_code == 403
    assert complaints(app) == []


def offered(page: str) -> set[str]:
    """Whom a form offers as the handler of a complaint."""
    found = re.search(r'<select[^>]*name="owner_id".*?</select>', page, re.DOTALL)
    assert found is not None
    return set(re.findall(r'<option value="\d+"[^>]*>([^<]+)<', found.group()))


def test_complaint_is_given_to_nobody_who_cannot_see_it(
    app: Flask, sign_in_as: Callable[[str], Person], regions: dict[str, int]
) -> None:
    with app.app_context():
        people: dict[str, Any] = {name: find_user(name) for name in ("sales", "technician", "service")}
        ids = {name: str(user.id) for name, user in people.items()}
    manager = sign_in_as(MANAGER)
    for whose, seen in (("own", {"Sales Test", "Service Test"}), ("foreign", {"Service Test"})):
        page = manager.get(f"/complaints/add?customer_id={regions[whose]}").get_data(as_text=True)
        assert offered(page) & {"Sales Test", "Service Test", "Technician Test"} == seen
    given = {"customer_id": regions["foreign"], "subject": "Sets slowly"}
    answer = manager.post("/complaints/add", {**given, "owner_id": ids["sales"]})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "“Sales Test” cannot see the complaints of this customer; accepted:" in page
    assert "Service Test" in offered(page)
    rest = manager.client.post(
        "/api/v1/complaints/",
        json={**given, "owner_id": int(ids["technician"])},
        headers={"X-CSRFToken": manager.token},
    )
    assert rest.status_code == 422
    assert [(p["field"], p["value"]) for p in rest.get_json()["problems"]] == [
        ("owner_id", "Technician Test")
    ]
    assert complaints(app) == []
    assert manager.post("/complaints/add", {**given, "owner_id": ids["service"]}).status_code == 302
    (made,) = complaints(app)
    edit = {"subject": "Sets slowly", "owner_id": ids["sales"], "version": str(made.version)}
    assert manager.post(f"/complaints/{made.id}/edit", edit).status_code == 422
    assert complaints(app)[0].owner_id == int(ids["service"])


def test_handler_who_is_named_after_the_intake_is_told_once(
    app: Flask, sign_in_as: Callable[[str], Person], regions: dict[str, int]
) -> None:
    with app.app_context():
        engineer: Any = find_user("service")
        owner = str(engineer.id)
    manager = sign_in_as(MANAGER)
    assert manager.post("/complaints/add", {"customer_id": regions["own"], "subject": "x"}).status_code == 302
    for handler in (owner, "", owner):
        (made,) = complaints(app)
        edit = {"subject": "Sets slowly", "owner_id": handler, "version": str(made.version)}
        assert manager.post(f"/complaints/{made.id}/edit", edit).status_code == 302
    with app.app_context():
        mails = [(mail.to_address, mail.subject) for mail in current_session().scalars(select(OutgoingMail))]
    assert mails == [("service@example.com", f"New complaint {made.code}: Sets slowly")]


def test_handler_whose_region_was_taken_away_stays_until_another_is_named(
    app: Flask, sign_in_as: Callable[[str], Person], regions: dict[str, int]
) -> None:
    with app.app_context():
        seller: Any = find_user("sales")
        given = {"customer_id": regions["own"], "subject": "Sets slowly", "owner_id": seller.id}
        made = ComplaintService().add(given, ACTOR)
        staff: Any = SERVICES["region-staff"].find(user_id=seller.id)
        SERVICES["region-staff"].retire(staff.id, ACTOR)
        key, version, owner = made.id, str(made.version), str(seller.id)
    manager, url = sign_in_as(MANAGER), f"/complaints/{key}/edit"
    assert "Sales Test" in offered(manager.get(url).get_data(as_text=True))
    kept = {"subject": "Sets in an hour", "owner_id": owner, "version": version}
    assert manager.post(url, kept).status_code == 302
    (after,) = complaints(app)
    assert (after.subject, str(after.owner_id)) == ("Sets in an hour", owner)
    left = {**kept, "owner_id": "", "version": str(after.version)}
    assert manager.post(url, left).status_code == 302
    assert "Sales Test" not in offered(manager.get(url).get_data(as_text=True))


def test_words_in_place_of_a_measured_number_are_kept_and_said_to_escape_the_limits(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        service = ComplaintService()
        data = {"customer_id": a_customer("K-1").id, "subject": "Falls off", "category": "rebound"}
        complaint = service.add(data, ACTOR)
        items = {fact.checklist_item.code: fact.checklist_item_id for fact in service.facts(complaint)}
        given = {items["rebound.percent"]: "forty", items["rebound.initial_set_min"]: "3.5"}
        service.write_facts(complaint.id, given, ACTOR)
        key = complaint.id
    page = sign_in_as(SERVICE).get(f"/complaints/{key}").get_data(as_text=True)
    assert "“forty” is not a number" in page
    assert page.count("is not compared with the limits") == 1


@pytest.fixture
def checklist(app: Flask) -> tuple[int, dict[str, int]]:
    """A complaint about rebound, and its items: code -> id."""
    with app.app_context():
        service = ComplaintService()
        data = {"customer_id": a_customer("K-1").id, "subject": "Falls off", "category": "rebound"}
        complaint = service.add(data, ACTOR)
        return complaint.id, {f.checklist_item.code: f.checklist_item_id for f in service.facts(complaint)}


def form_of(page: str, **typed: str) -> dict[str, str]:
    """What a browser sends of the checklist on this page, with these controls filled in."""
    shown = dict(re.findall(r'name="((?:fact|was)_\d+)" value="([^"]*)"', page))
    assert shown.keys() >= typed.keys()
    return {**shown, **typed}


def written(app: Flask, key: int) -> dict[int, str]:
    with app.app_context():
        service = ComplaintService()
        return {f.checklist_item_id: f.value for f in service.facts(service.get(key)) if f.value}


def test_two_people_fill_one_checklist_and_what_each_measured_stands(
    app: Flask, sign_in_as: Callable[[str], Person], checklist: tuple[int, dict[str, int]]
) -> None:
    key, items = checklist
    percent, minutes = items["rebound.percent"], items["rebound.initial_set_min"]
    person = sign_in_as(SERVICE)
    opened = person.get(f"/complaints/{key}").get_data(as_text=True)
    first = person.post(f"/complaints/{key}/facts", form_of(opened, **{f"fact_{percent}": "18"}))
    second = person.post(f"/complaints/{key}/facts", form_of(opened, **{f"fact_{minutes}": "3.5"}))
    assert (first.status_code, second.status_code) == (302, 302)
    assert written(app, key) == {percent: "18", minutes: "3.5"}


def test_fact_that_another_wrote_meanwhile_is_refused_with_both_values_and_what_was_typed_stays(
    app: Flask, sign_in_as: Callable[[str], Person], checklist: tuple[int, dict[str, int]]
) -> None:
    key, items = checklist
    percent, minutes = items["rebound.percent"], items["rebound.initial_set_min"]
    person = sign_in_as(SERVICE)
    opened = person.get(f"/complaints/{key}").get_data(as_text=True)
    person.post(f"/complaints/{key}/facts", form_of(opened, **{f"fact_{percent}": "18"}))
    typed = {f"fact_{percent}": "24", f"fact_{minutes}": "3.5"}
    answer = person.post(f"/complaints/{key}/facts", form_of(opened, **typed))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "was changed meanwhile to “18”; you typed “24”" in page
    with app.app_context():
        title = SERVICES["checklist-items"].get(percent).title
    assert f'href="#fact-{percent}">{title}</a>' in page
    assert form_of(page).items() >= typed.items()
    assert written(app, key) == {percent: "18"}
    again = person.post(f"/complaints/{key}/facts", form_of(page))
    assert again.status_code == 302
    assert written(app, key) == {percent: "24", minutes: "3.5"}


def test_checklist_of_a_complaint_that_ended_meanwhile_comes_back_with_what_was_typed(
    app: Flask, sign_in_as: Callable[[str], Person], checklist: tuple[int, dict[str, int]]
) -> None:
    key, items = checklist
    person = sign_in_as(SERVICE)
    opened = person.get(f"/complaints/{key}").get_data(as_text=True)
    with app.app_context():
        ComplaintService().withdraw(key, {"reason": "Another works' cement"}, ACTOR)
    typed = {f"fact_{items['rebound.percent']}": "24 at the crown"}
    answer = person.post(f"/complaints/{key}/facts", form_of(opened, **typed))
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "and fixed" in page
    assert "“24 at the crown”" in page
    assert written(app, key) == {}


def step_form(page: str, step: str) -> dict[str, str]:
    """What a browser sends of the form of this step, left as it was opened."""
    found = re.search(rf'<form[^>]*/steps/{step}".*?</form>', page, re.DOTALL)
    assert found is not None
    texts = {}
    for control in re.findall(r"<input[^>]*>", found.group()):
        name, value = re.search(r'name="([^"]*)"', control), re.search(r'value="([^"]*)"', control)
        if name and value and name[1] != "csrf_token":
            texts[name[1]] = value[1]
    areas = re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', found.group(), re.DOTALL)
    chosen = re.findall(r'<select[^>]*name="([^"]*)".*?</select>', found.group(), re.DOTALL)
    picked = [*re.findall(r'<option value="([^"]+)" selected>', found.group()), ""]
    texts |= dict(zip(chosen, picked, strict=False))
    return {name: html.unescape(text).replace("\n", "\r\n") for name, text in (texts | dict(areas)).items()}


@pytest.fixture
def found_out(app: Flask) -> int:
    """A complaint at the site, with findings."""
    with app.app_context():
        service = ComplaintService()
        key = service.add({"customer_id": a_customer("K-1").id, "subject": "Falls off"}, ACTOR).id
        service.arrive(key, {"site_facts": "Wet\nCold"}, ACTOR)
        service.note_findings(key, {"root_cause": "use", "cause": "Too far", "compensation": "None"}, ACTOR)
        return key


def complaint(app: Flask, key: int) -> Any:
    with app.app_context():
        return ComplaintService().get(key)


def test_findings_that_another_wrote_meanwhile_stand_beside_the_remedy_of_a_form_opened_before(
    app: Flask, sign_in_as: Callable[[str], Person], found_out: int
) -> None:
    person, url = sign_in_as(SERVICE), f"/complaints/{found_out}"
    sent = step_form(person.get(url).get_data(as_text=True), "findings")
    assert (sent["site_facts"], sent["root_cause"]) == ("Wet\r\nCold", "use")
    with app.app_context():
        ComplaintService().note_findings(found_out, {"root_cause": "cement", "cause": "Poor cohesion"}, ACTOR)
    answer = person.post(f"{url}/steps/findings", {**sent, "remedy": "Finer cement", "compensation": ""})
    assert answer.status_code == 302
    after = complaint(app, found_out)
    assert (after.root_cause, after.cause, after.remedy) == ("cement", "Poor cohesion", "Finer cement")
    assert after.compensation is None  # a filled field that is emptied
    assert after.site_facts == "Wet\nCold"


def test_finding_changed_by_two_is_refused_with_both_and_saved_when_it_is_sent_again(
    app: Flask, sign_in_as: Callable[[str], Person], found_out: int
) -> None:
    person, url = sign_in_as(SERVICE), f"/complaints/{found_out}"
    sent = step_form(person.get(url).get_data(as_text=True), "findings")
    with app.app_context():
        theirs = {"root_cause": "cement", "cause": "Poor cohesion", "site_facts": "Dry"}
        ComplaintService().note_findings(found_out, theirs, ACTOR)
    mine = {"root_cause": "weather", "cause": "Frost", "remedy": "Heat it"}
    answer = person.post(f"{url}/steps/findings", {**sent, **mine})
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert "was changed meanwhile to “Poor cohesion”; you typed “Frost”" in page
    assert (
        "was changed meanwhile to “Cement”; you typed “Weather”" in page
    )  # as they are called, not as they are kept
    assert complaint(app, found_out).remedy is None
    again = step_form(answer.get_data(as_text=True), "findings")
    assert again.items() >= {**mine, "site_facts": "Dry"}.items()
    assert person.post(f"{url}/steps/findings", again).status_code == 302
    after = complaint(app, found_out)
    assert (after.root_cause, after.cause, after.remedy, after.site_facts) == (
        "weather", "Frost", "Heat it", "Dry",
    )  # fmt: skip


def test_form_that_is_refused_for_something_else_tells_of_what_another_changed_as_well(
    app: Flask, sign_in_as: Callable[[str], Person], found_out: int
) -> None:
    """Or, corrected and sent again, it would overwrite what its writer never saw."""
    person, url = sign_in_as(MANAGER), f"/complaints/{found_out}"
    sent = step_form(person.get(url).get_data(as_text=True), "findings")
    with app.app_context():
        theirs = {"cause": "Poor cohesion", "compensation": "Cement"}
        ComplaintService().note_findings(found_out, theirs, ACTOR)
    answer = person.post(
        f"{url}/steps/findings",
        {**sent, "cause": "Frost", "compensation": "x" * 301, "compensation_amount": "much"},
    ).get_data(as_text=True)
    assert "“much” is not a number" in answer
    assert "was changed meanwhile to “Poor cohesion”; you typed “Frost”" in answer
    assert "has 301 characters; accepted: 1 to 300; was changed meanwhile to “Cement”" in answer
    assert step_form(answer, "findings")["compensation_amount"] == "much"


@pytest.mark.parametrize(
    ("step", "typed", "said"),
    [
        ("solve", {"remedy": "Another cement\nfor the mine"}, "State K26-0001: is “Solved”; what can follow: Closed"),
        ("findings", {"cause": "Frost", "root_cause": "weather"}, "State K26-0001: is “Closed” and fixed"),
    ],
)  # fmt: skip
def test_step_that_can_follow_no_more_says_why_and_shows_what_was_typed(
    app: Flask,
    sign_in_as: Callable[[str], Person],
    found_out: int,
    step: str,
    typed: dict[str, str],
    said: str,
) -> None:
    person, url = sign_in_as(SERVICE), f"/complaints/{found_out}"
    sent = step_form(person.get(url).get_data(as_text=True), step)
    with app.app_context():
        service = ComplaintService()
        service.solve(found_out, {"remedy": "Scale set right"}, ACTOR)
        if step == "findings":
            day = local_time(utc_now()).date().isoformat()
            service.agree(found_out, {"agreed_on": day, "agreed_by": "Gao"}, ACTOR)
            service.close(found_out, ACTOR)
    answer = person.post(f"{url}/steps/{step}", {**sent, **typed})
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert said in page
    for text in typed.values():
        assert f">{text if text != 'weather' else 'Weather'}</dd>" in page
    assert complaint(app, found_out).remedy == "Scale set right"


def test_step_that_came_from_no_form_writes_what_it_names_and_leaves_the_rest(
    app: Flask, found_out: int
) -> None:
    with app.app_context():
        service = ComplaintService()
        service.note_findings(found_out, {"remedy": "Finer cement"}, ACTOR)
        service.solve(found_out, {}, ACTOR)
    after = complaint(app, found_out)
    assert (after.cause, after.remedy, after.site_facts) == ("Too far", "Finer cement", "Wet\nCold")


def test_clocks_of_a_withdrawn_complaint_have_ended_with_their_limits_and_did_not_wait_to_start(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        service = ComplaintService()
        key = service.add({"customer_id": a_customer("K-1").id, "subject": "Falls off"}, ACTOR).id
        service.withdraw(key, {"reason": "Another works' cement"}, ACTOR)
        assert [clock.state for clock in service.get(key).clocks] == ["ended", "ended", "off"]
        due = show_time(service.get(key).answer_due_at, year=False)
    page = sign_in_as(SERVICE).get(f"/complaints/{key}").get_data(as_text=True)
    assert f"due {due}" in page
    assert page.count(">ended<") == 2
    assert "no limit was fixed" not in page


def test_promises_that_another_wrote_meanwhile_are_not_overwritten(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    manager = sign_in_as(MANAGER)
    values = {item.name: form_text(item, item.default) for item in ServiceSettingsIn.inputs()}
    for opened, minutes, status in (("0", "20", 302), ("0", "45", 409), ("1", "45", 302)):
        answer = manager.post("/service/settings", {**values, "version": opened, "answer_minutes": minutes})
        assert answer.status_code == status
        if status == 409:
            page = answer.get_data(as_text=True)
            assert "Someone else changed this record" in page
            assert 'name="version" value="1"' in page
            assert 'value="45"' in page
            with app.app_context():
                assert promises().answer_minutes == 20


def test_objection_that_was_sampled_meanwhile_keeps_its_seal_and_shows_what_the_second_typed(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        cement = SERVICES["cement-products"].add({"code": "PO425", "name": "P.O 42.5"}, ACTOR)
        lot = SERVICES["cement-lots"].add({"code": "L-1", "cement_product_id": cement.id}, ACTOR)
        raised = {
            "customer_id": a_customer().id,
            "cement_lot_id": lot.id,
            "raised_on": "2026-05-04",
            "claim": "Weak",
        }
        key = SERVICES["objections"].add(raised, ACTOR).id
    person, url = sign_in_as(SERVICE), f"/objections/{key}"
    sent = step_form(person.get(url).get_data(as_text=True), "sample")
    typed = {
        "sampled_on": "2026-05-05",
        "sampled_by": "Li Wei",
        "witnessed_by": "Gao Feng",
        "seal_number": "A-17",
        "sealed_until": "2026-08-05",
    }
    assert person.post(f"{url}/steps/sample", {**sent, **typed}).status_code == 302
    answer = person.post(
        f"{url}/steps/sample", {**sent, **typed, "seal_number": "B-4", "sampled_by": "Zhao Lei"}
    )
    page = html.unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422
    assert "State O26-0001: is “Sampled together” meanwhile" in page
    assert page.count(">Zhao Lei</dd>") == page.count(">B-4</dd>") == 1
    with app.app_context():
        assert SERVICES["objections"].get(key).seal_number == "A-17"


def test_number_of_open_complaints_of_a_category_leads_to_these_alone(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        customer, service = a_customer("K-1"), ComplaintService()
        given = {"customer_id": customer.id, "category": "cracking"}
        service.add({**given, "subject": "Cracks that stand"}, ACTOR)
        gone = service.add({**given, "subject": "Cracks that were none"}, ACTOR)
        service.withdraw(gone.id, {"reason": "Another works' cement"}, ACTOR)
    manager = sign_in_as(MANAGER)
    page = manager.get("/service/").get_data(as_text=True)
    address = re.search(r'href="(/complaints/\?[^"]*category=cracking[^"]*)"', page)
    assert address is not None
    shown = manager.get(html.unescape(address[1])).get_data(as_text=True)
    assert ("Cracks that stand" in shown, "Cracks that were none" in shown) == (True, False)
