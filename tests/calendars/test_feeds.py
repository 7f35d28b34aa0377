"""Calendar addresses: only the hash is kept, revoked at the next request, the same answer for every wrong token."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from icalendar import Calendar
from sqlalchemy import select

from lims.accounts.roles import SALES, SERVICE, TECHNICIAN
from lims.accounts.service import find_user
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import local_day
from lims.base.secret_addresses import hidden
from lims.base.services import SERVICES
from lims.calendars.models import CalendarFeed
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer


def an_address(person: Person) -> str:
    page = person.post("/calendar-feeds/", {"name": "Telephone"}).get_data(as_text=True)
    found = re.search(r'value="http://[^"/]+(/calendar/[^"]+\.ics)"', page)
    assert found is not None
    return found.group(1)


def titles(app: Flask, address: str) -> list[str]:
    answer = app.test_client().get(address)
    assert answer.status_code == 200
    made = Calendar.from_ical(answer.data)
    return [str(event["summary"]) for event in made.walk("VEVENT")]


def test_calendar_holds_visits_call_backs_sets_calibrations_and_maintenance(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    before, soon = (f"{utc_now() + timedelta(days=days):%Y-%m-%d}" for days in (2, 5))
    with app.app_context():
        customer = a_customer(name="Riverside 江北")
        add = SERVICES
        add["visit-plans"].add({"customer_id": customer.id, "planned_on": soon, "purpose": "monthly"}, ACTOR)
        visit = {"customer_id": customer.id, "visited_on": "2026-05-04", "purpose": "x", "follow_up_on": soon}
        add["visits"].add(visit, ACTOR)
        press = add["presses"].add({"code": "P-1", "name": "Press"}, ACTOR)
        calibration = {
            "press_id": press.id,
            "certificate_number": "C-1",
            "calibrated_on": "2026-01-01",
            "due_on": soon,
            "calibrated_by": "x",
        }
        add["calibrations"].add(calibration, ACTOR)
        # One that was followed by another tells nobody anything, nor does that of a scale which is gone.
        add["calibrations"].add({**calibration, "certificate_number": "C-0", "due_on": before}, ACTOR)
        scale = add["scales"].add({"code": "S-1", "name": "Scale"}, ACTOR)
        add["calibrations"].add({**calibration, "press_id": None, "scale_id": scale.id}, ACTOR)
        add["scales"].retire(scale.id, ACTOR)
        plan = {"name": "Oil", "press_id": press.id, "every_months": "1", "starts_on": soon}
        add["maintenance-plans"].add(plan, ACTOR)
        a_batch()
    found = titles(app, an_address(sign_in_as(SERVICE)))
    assert "Visit: Riverside 江北" in found
    assert "Call back: Riverside 江北" in found
    assert [title for title in found if "Calibration" in title] == ["Calibration runs out: P-1"]
    assert "Maintenance: P-1" in found
    assert any("to break" in title for title in found)
    technician = titles(app, an_address(sign_in_as(TECHNICIAN)))
    assert not [title for title in technician if "Riverside" in title]  # its role reads no visits
    assert "Maintenance: P-1" in technician


def test_week_of_the_programme_takes_its_week_in_a_calendar(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        today = local_day(utc_now())
        monday = today - timedelta(days=today.weekday())
        batch = a_batch()
        planned = {
            "trial_id": batch.trial_id,
            "mix_revision_id": batch.mix_revision_id,
            "week_of": str(monday),
        }
        SERVICES["programme-entries"].add({**planned, "batches": "2", "responsible": "Li Wei"}, ACTOR)
    made = Calendar.from_ical(app.test_client().get(an_address(sign_in_as(TECHNICIAN))).data)
    days = [
        (event["dtstart"].dt, event["dtend"].dt)
        for event in made.walk("VEVENT")
        if str(event["summary"]).startswith("Trial mix")
    ]
    assert days == [(monday, monday + timedelta(days=7))]


def test_address_of_a_calendar_begins_as_links_to_the_outside_do(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    settings = app.config["LIMS_SETTINGS"]
    app.config["LIMS_SETTINGS"] = settings.model_copy(update={"public_url": "https://lims.example.com/"})
    page = sign_in_as(SERVICE).post("/calendar-feeds/", {"name": "Telephone"}).get_data(as_text=True)
    assert re.search(r'value="https://lims\.example\.com/calendar/[^"]+\.ics"', page)


def test_calendar_of_a_salesperson_names_no_customer_of_another_region(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        region = SERVICES["regions"].add({"code": "R-2", "name": "Far"}, ACTOR)
        customer = a_customer(name="Zephyrine Ltd", region_id=region.id)
        soon = f"{utc_now() + timedelta(days=5):%Y-%m-%d}"
        SERVICES["visit-plans"].add({"customer_id": customer.id, "planned_on": soon, "purpose": "x"}, ACTOR)
    assert titles(app, an_address(sign_in_as(SALES))) == []
    assert titles(app, an_address(sign_in_as(SERVICE))) == ["Visit: Zephyrine Ltd"]


#: Headers that differ from answer to answer, whatever was asked.
EACH_ITS_OWN = {"Content-Security-Policy", "X-Request-Id"}


def test_unknown_revoked_and_disabled_answer_the_same_and_nothing_is_cached(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    person = sign_in_as(SERVICE)
    live, revoked = an_address(person), an_address(person)
    with app.app_context():
        newest = current_session().scalars(select(CalendarFeed).order_by(CalendarFeed.id.desc())).first()
        assert newest is not None
    assert person.post(f"/calendar-feeds/{newest.id}/revoke").status_code == 302
    client = app.test_client()
    good = client.get(live)
    assert good.status_code == 200
    assert "no-store" in good.headers["Cache-Control"]
    assert good.headers["Referrer-Policy"] == "no-referrer"
    with app.app_context(), transaction(ACTOR) as session:
        user = find_user("service")
        assert user is not None
        session.merge(user).active = False
    answers = [
        client.get(url) for url in ("/calendar/unknown.ics", revoked, live, f"/calendar/{'x' * 5000}.ics")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    heads = [{k: v for k, v in a.headers if k not in EACH_ITS_OWN} for a in answers]
    assert all(head == heads[0] for head in heads)


def test_only_the_hash_of_the_token_is_kept(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    token = an_address(sign_in_as(SERVICE)).split("/")[-1].removesuffix(".ics")
    folder = app.config["LIMS_SETTINGS"].data
    assert len(token) >= 43
    for path in folder.glob("lims.sqlite3*"):
        assert token.encode() not in path.read_bytes()


def test_addresses_of_others_are_neither_seen_nor_revoked(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    address = an_address(sign_in_as(SERVICE))
    with app.app_context():
        feed = current_session().scalars(select(CalendarFeed)).one()
    other = sign_in_as(TECHNICIAN)
    assert "Telephone" not in other.get("/calendar-feeds/").get_data(as_text=True)
    assert other.post(f"/calendar-feeds/{feed.id}/revoke").status_code == 404
    assert app.test_client().get(address).status_code == 200


def test_the_address_of_a_calendar_stands_in_no_line_of_a_log() -> None:
    assert hidden('"GET /calendar/abc-DEF_123.ics HTTP/1.1" 200') == '"GET /calendar/… HTTP/1.1" 200'
    assert hidden("GET /calendar-feeds/ and /calendars") == "GET /calendar-feeds/ and /calendars"


def test_address_whose_page_is_loaded_again_is_made_once(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    person = sign_in_as(SERVICE)

    def key_of(page: str) -> str:
        found = re.search(r'name="form_key" value="([^"]+)"', page)
        assert found is not None
        return found.group(1)

    sent = {"name": "Telephone", "form_key": key_of(person.get("/calendar-feeds/").get_data(as_text=True))}
    made = person.post("/calendar-feeds/", sent)
    assert "/calendar/" in made.get_data(as_text=True)
    again = person.post("/calendar-feeds/", sent)
    assert again.status_code == 302
    page = person.get(again.location).get_data(as_text=True)
    assert "is made already" in page
    with app.app_context():
        assert current_session().query(CalendarFeed).count() == 1
    # The form on the page that shows the address is for another one, of the same name too.
    more = {"name": "Telephone", "form_key": key_of(made.get_data(as_text=True))}
    assert person.post("/calendar-feeds/", more).status_code == 200
    with app.app_context():
        assert current_session().query(CalendarFeed).count() == 2
