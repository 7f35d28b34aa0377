"""Pages in every language, search, and the home page by role."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from itsdangerous import TimestampSigner
from sqlalchemy import update

from lims.accounts.roles import AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from lims.accounts.service import find_user
from lims.aftersales.models import Escalation
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.display import local_day
from lims.base.services import SERVICES
from lims.forecasts.models import Forecast
from lims.trials.models import Specimen
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix
from tests.sharing.sheets import a_forecast

LISTS = ("/", "/mix-designs/", "/batches/", "/press/", "/customers/", "/complaints/", "/set-results/")


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-Hans"), ("zh_TW", "zh-Hant")])
def test_pages_answer_in_the_chosen_language(app: Flask, technician: Person, language: str, tag: str) -> None:
    technician.get(f"/lang/{language}")
    for path in LISTS:
        page = technician.get(path)
        if page.status_code == 403:
            continue
        text = page.get_data(as_text=True)
        assert page.status_code == 200
        assert f'lang="{tag}"' in text
        assert "%(" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_chinese_pages_read_chinese(technician: Person, sign_in_as: Callable[[str], Person]) -> None:
    technician.get("/lang/zh")
    assert "试压" in technician.get("/").get_data(as_text=True)
    auditor = sign_in_as(AUDITOR)
    auditor.get("/lang/zh")
    assert "三个立方体一组的强度" in auditor.get("/").get_data(as_text=True)
    profile = technician.get("/profile/").get_data(as_text=True)
    assert "technician · 试验员" in profile
    technician.get("/lang/zh_TW")
    assert "試壓" in technician.get("/").get_data(as_text=True)


def test_unknown_language_is_refused_without_a_500(technician: Person) -> None:
    assert technician.get("/lang/xx").status_code in {302, 404}


def test_home_page_lists_the_lots_that_their_own_pages_ask_to_test_again(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        cement = SERVICES["cement-products"].add({"code": "PO", "name": "PO"}, ACTOR)
        lots = [
            SERVICES["cement-lots"].add(
                {"code": code, "cement_product_id": cement.id}
                | {name: str(local_day(utc_now()) - timedelta(days=ago)) for name, ago in days.items()},
                ACTOR,
            )
            for code, days in (
                ("LOT-OLD", {"delivered_on": 120}),
                ("LOT-TESTED", {"delivered_on": 120, "retested_on": 20}),
                # A sample of it was tested before it came: it was made no later than it was delivered.
                ("LOT-AHEAD", {"delivered_on": 60, "retested_on": 100}),
            )
        ]
        asked = [lot.code for lot in lots if lot.needs_retest]
    page = sign_in_as(SERVICE).get("/").get_data(as_text=True)
    assert asked == ["LOT-OLD"] == re.findall(r"LOT-[A-Z]+", page)


def test_home_page_shows_of_each_mix_its_newest_forecast(app: Flask, technician: Person) -> None:
    with app.app_context():
        mix, other = a_mix("C30-7"), a_mix("C30-8")
        for made in (other, mix):
            a_forecast(made)
        with transaction(ACTOR) as session:
            first = session.query(Forecast).filter_by(mix_design_id=mix.id).one()
            names = {column.name for column in Forecast.__table__.columns} - {"id"}
            session.add(Forecast(**{name: getattr(first, name) for name in names}))
    page = technician.get("/").get_data(as_text=True)
    shown = page[page.index('id="forecasts"') :]
    assert [shown.count(f">{code}<") for code in ("C30-7", "C30-8")] == [1, 1]


@pytest.mark.parametrize("role", [TECHNICIAN, SALES, SERVICE, MANAGER, AUDITOR])
def test_home_page_answers_every_role(sign_in_as: Callable[[str], Person], role: str) -> None:
    assert sign_in_as(role).get("/").status_code == 200


def test_search_finds_mixes_and_customers_by_what_the_role_may_read(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        a_mix("NEEDLE-7")
        a_customer("K-9", name="Needle Ltd")
    text = sign_in_as(SALES).get("/search/?q=needle").get_data(as_text=True)
    assert "NEEDLE-7" in text
    assert "Needle Ltd" in text


def test_search_with_hostile_words_is_harmless(technician: Person) -> None:
    for words in ("%", "_", "'; drop table breaks; --", "<script>", "\0", "x" * 5000):
        assert technician.get("/search/", query_string={"q": words}).status_code in {200, 400, 422}


def _signed_ago(person: Person, seconds: int) -> None:
    """The person's cookie, as it would be had it been signed so long ago."""
    app = person.client.application
    signing = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = person.client.get_cookie("lims_session")
    assert cookie is not None
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(TimestampSigner, "get_timestamp", lambda _self: int(time.time()) - seconds)
        person.client.set_cookie("lims_session", signing.dumps(signing.loads(cookie.value)))


def test_a_file_that_answers_late_does_not_bring_back_the_old_cookie(technician: Person) -> None:
    technician.get("/")
    _signed_ago(technician, 61)
    with technician.get("/static/js/lims.js") as script:
        assert script.status_code == 200
        assert "Set-Cookie" not in script.headers
    fetched = technician.get("/search/suggest?q=x", headers={"Sec-Fetch-Mode": "cors"})
    assert "Set-Cookie" not in fetched.headers
    assert "lims_session=" in technician.get("/").headers.get("Set-Cookie", "")


def test_pages_renew_a_cookie_that_was_signed_a_minute_ago_and_leave_a_newer_one(technician: Person) -> None:
    technician.get("/")
    assert "Set-Cookie" not in technician.get("/").headers
    _signed_ago(technician, 61)
    assert "lims_session=" in technician.get("/").headers.get("Set-Cookie", "")
    assert "Set-Cookie" not in technician.get("/").headers


def test_a_session_ends_when_it_was_idle_for_as_long_as_is_allowed(app: Flask, technician: Person) -> None:
    allowed = int(app.permanent_session_lifetime.total_seconds())
    _signed_ago(technician, allowed - 5)
    assert technician.get("/").status_code == 200
    _signed_ago(technician, allowed + 5)
    assert technician.get("/").status_code == 302


def test_of_a_short_idle_time_no_more_than_a_fiftieth_is_lost(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "PERMANENT_SESSION_LIFETIME", timedelta(minutes=5))
    technician.get("/")
    _signed_ago(technician, 7)
    assert "lims_session=" in technician.get("/").headers.get("Set-Cookie", "")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/batches/add?trial_id=²", 200),
        ("/new-customer/?region_id=²&go=1", 422),
        ("/press/check?month=9999-12", 400),
        ("/press/check?month=0001-01", 400),
        ("/press/check?month=", 200),
        ("/service/plan?month=9999-12", 400),
        ("/service/plan?month=0001-01", 400),
    ],
)
def test_address_that_somebody_wrote_is_answered_and_no_error_of_ours(
    administrator: Person, path: str, status: int
) -> None:
    assert administrator.get(path).status_code == status


def test_first_page_names_the_calibration_that_holds_and_none_that_was_followed_by_another(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        today = local_day(utc_now())
        press = SERVICES["presses"].add({"code": "P-1", "name": "Press"}, ACTOR)
        papers = {"press_id": press.id, "calibrated_by": "Institute"}
        for number in range(9):  # each for a year; the newest runs out in ten days
            due = today + timedelta(days=10 - 365 * number)
            days = {"calibrated_on": str(due - timedelta(days=365)), "due_on": str(due)}
            SERVICES["calibrations"].add({**papers, **days, "certificate_number": f"Z-{number}"}, ACTOR)
    page = sign_in_as(MANAGER).get("/").get_data(as_text=True)
    panel = page[page.index('id="calibrations"') :].partition("</section>")[0]
    assert re.findall(r"Z-\d", panel) == ["Z-0"]
    assert "ran out" not in panel


def test_number_beside_a_list_is_of_all_that_wait_and_not_of_those_that_are_shown(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lims.web.customer_page.SHOWN", 2)
    with app.app_context():
        customer = a_customer("K-1")
        for number in range(9):
            due = local_day(utc_now()) + timedelta(days=number)
            finding = {"subject": f"No photo {number}", "due_on": str(due)}
            SERVICES["findings"].add({**finding, "responsible_id": responsible()}, ACTOR)
        for day in (1, 2, 3):
            visit = {"customer_id": customer.id, "visited_on": f"2026-05-0{day}", "purpose": "monthly"}
            SERVICES["visits"].add(visit, ACTOR)
        customer_id = customer.id
    page = sign_in_as(AUDITOR).get("/").get_data(as_text=True)
    assert re.search(r'id="findings">.*?<span class="badge bg-secondary-lt num">9<', page, re.S)
    page = sign_in_as(MANAGER).get(f"/customers/{customer_id}").get_data(as_text=True)
    assert re.search(r'<div class="h2 num mb-0">3</div><div class="text-secondary">Visits<', page)


def test_sample_of_the_day_is_the_same_when_a_batch_is_registered_during_it(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        mix = a_mix()
        a_batch("400", mix=mix)
        with transaction(ACTOR) as session:
            session.execute(update(Specimen).values(created_at=utc_now() - timedelta(days=2)))
    auditor = sign_in_as(AUDITOR)
    drawn = re.findall(r"/specimens/(\d+)", auditor.get("/").get_data(as_text=True))
    assert drawn
    with app.app_context():
        a_batch("400", mix=mix)
    assert re.findall(r"/specimens/(\d+)", auditor.get("/").get_data(as_text=True)) == drawn


def responsible() -> int:
    user = find_user("manager")
    assert user is not None
    return int(user.id)


def test_service_worker_is_the_same_in_every_process(app: Flask) -> None:
    files = [app.test_client().get("/sw.js").get_data(as_text=True) for _look in range(2)]
    assert files[0] == files[1]
    # Of the names of its files, whose marks are of their content; never by hash(), which each process salts.
    listed = json.loads(files[0].partition("const FILES = ")[2].partition(";")[0])
    assert f'"lims-shell-{hashlib.sha256(" ".join(listed).encode()).hexdigest()[:16]}"' in files[0]


def test_every_file_of_the_entry_page_is_there_without_a_connection(app: Flask) -> None:
    client = app.test_client()
    page = client.get("/entry/").get_data(as_text=True)
    asked = set(re.findall(r'(?:src|href)="([^"#]+\.(?:js|css|svg)[^"#]*)', page))
    assert len(asked) > 5
    kept = client.get("/sw.js").get_data(as_text=True).partition("const FILES = ")[2].partition(";")[0]
    assert asked - set(json.loads(kept)) == set()


def test_stone_shows_its_mud_lumps_and_flaky_particles_beside_their_limits(
    app: Flask, technician: Person
) -> None:
    """It is not sieved as sand is: its page has no grading."""
    with app.app_context():
        source = SERVICES["aggregate-sources"].add({"code": "G", "name": "Quarry", "kind": "coarse"}, ACTOR)
        sample = {"code": "G-1", "aggregate_source_id": source.id, "sampled_on": "2026-05-04"}
        found = {"mud_percent": "1.0", "clay_lumps_percent": "0.6", "flaky_percent": "15.1"}
        sample_id = SERVICES["aggregate-samples"].add({**sample, **found}, ACTOR).id
        bare_id = SERVICES["aggregate-samples"].add({**sample, "code": "G-2"}, ACTOR).id
    page = technician.get(f"/aggregate-samples/{sample_id}").get_data(as_text=True)
    beside = re.findall(r'([\d.]+) % <span class="[^"]*bg-(\w+)-lt[^"]*"[^>]*>up to ([\d.]+) %', page)
    assert beside == [("1", "green", "1"), ("0.6", "red", "0.5"), ("15.1", "red", "15")]
    assert "Limits for C30 to C55, JGJ 52" in page
    assert "Limits for" not in technician.get(f"/aggregate-samples/{bare_id}").get_data(as_text=True)


def test_sand_and_the_roles_that_were_told_of_a_clock_read_chinese(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    sieved = dict(
        zip(("4_75", "2_36", "1_18", "0_60", "0_30", "0_15"), (25, 50, 100, 125, 100, 75), strict=True)
    )
    with app.app_context():
        source = SERVICES["aggregate-sources"].add({"code": "A", "name": "Pit", "kind": "fine"}, ACTOR)
        sample = {"code": "S-1", "aggregate_source_id": source.id, "sampled_on": "2026-05-04"}
        masses = {f"retained_{size}_g": str(mass) for size, mass in sieved.items()} | {"retained_pan_g": "25"}
        sample_id = SERVICES["aggregate-samples"].add({**sample, **masses}, ACTOR).id
        said = {"customer_id": a_customer().id, "category": "slow_setting", "subject": "Slow"}
        complaint_id = SERVICES["complaints"].add(said, ACTOR).id
        with transaction(ACTOR) as session:
            due = {"complaint_id": complaint_id, "clock": "answer", "due_at": utc_now()}
            session.add(Escalation(**due, roles="Manager, Service engineer", told=2))
    manager = sign_in_as(MANAGER)
    manager.get("/lang/zh")
    page = manager.get(f"/aggregate-samples/{sample_id}").get_data(as_text=True)
    assert re.search(r"砂的粗细</div>\s*<div[^>]*>中<", page)
    assert "经理、服务工程师" in manager.get(f"/complaints/{complaint_id}").get_data(as_text=True)
