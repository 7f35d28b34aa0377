"""The technician's day: now, past, next, done; the tanks; what a month must not leave behind."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import OperationalError

from lims.base.actor import user_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import day_begins, local_time
from lims.base.services import SERVICES
from lims.results import cockpit, due
from lims.results.cockpit import missed, tally, workload
from lims.results.due import due_groups, due_set, hour_of
from lims.results.entry import FAR, EntryIn, entry_warnings, save_entry
from lims.results.models import Break
from lims.results.schemas import LOAD, SetBreaksIn
from lims.results.service import (
    amend_set,
    correct_set,
    record_set,
    release,
    result_of,
    retract,
    verify,
)
from lims.standards.specimens import SET_TOLERANCE
from lims.trials.models import SpecimenSet
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_mix
from tests.reporting.production import CHECKER

#: Letters, digits and signs to their full width.
WIDE = {plain: plain + 0xFEE0 for plain in range(0x21, 0x7F)}


def cast(days_ago: float, **more: Any) -> Any:
    moment = datetime.now(UTC) - timedelta(days=days_ago)
    return a_batch("40", mix=a_mix(f"C30-{days_ago}"), cast_at=moment.isoformat(), **more)


@pytest.mark.parametrize(
    ("days_ago", "group"), [(3, "now"), (3.05, "now"), (3.5, "late"), (2.5, "next"), (0, "next")]
)
def test_set_stands_where_its_window_puts_it(records_on_both: Flask, days_ago: float, group: str) -> None:
    batch = cast(days_ago, plan_ages="3")
    groups = due_groups(utc_now())
    assert [item.batch_id for item in groups[group]] == [batch.id]
    assert sum(len(items) for items in groups.values()) == 1


def test_set_due_in_ten_days_is_not_shown_but_counted_in_the_fortnight(records_on_both: Flask) -> None:
    cast(0, plan_ages="10")
    assert not any(due_groups(utc_now()).values())
    days = workload(utc_now()).days
    assert [count for _day, count in days] == [0] * 10 + [1] + [0] * 3


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 10, 24), "Europe/Berlin", [24, 25, 24]),
        (date(2026, 3, 28), "Europe/Berlin", [24, 23, 24]),
        (date(2026, 11, 28), "Asia/Shanghai", [24, 24, 24]),
    ],
)
def test_day_of_a_changed_clock_is_as_long_as_it_is(day: date, zone: str, hours: list[int]) -> None:
    midnights = [day_begins(day + timedelta(days=ahead), ZoneInfo(zone)) for ahead in range(4)]
    assert midnights[0].astimezone(ZoneInfo(zone)) == datetime.combine(day, time.min, ZoneInfo(zone))
    assert [(after - before) / timedelta(hours=1) for before, after in itertools.pairwise(midnights)] == hours


def test_sets_are_counted_in_their_day_from_midnight_to_midnight_and_as_due_or_past(
    records_on_both: Flask,
) -> None:
    now = utc_now()
    today = local_time(now).date()
    begins, ends = day_begins(today), day_begins(today + timedelta(days=1))
    minutes = timedelta(minutes=5)
    for due_at in (begins + minutes, ends - minutes, ends + minutes, begins - minutes):
        cast((now - due_at) / timedelta(days=1) + 5, plan_ages="5")
    found = workload(now)
    of_the_days = [count for _day, count in found.days]
    assert (of_the_days[0], of_the_days[1], sum(of_the_days)) == (2, 1, 3)
    assert found.now + found.late == sum(len(due_groups(now)[group]) for group in ("now", "late"))


@pytest.mark.parametrize("minutes", [0, 30, 60 - 1e-6, 60], ids=["begins", "half", "ends", "next begins"])
def test_groups_and_counts_hold_from_the_first_moment_of_an_hour_to_its_last(
    records_on_both: Flask, minutes: float
) -> None:
    now = hour_of(utc_now()) + timedelta(minutes=minutes)
    for hours in (-75, -73, -72, -30, -24, -1.5, -0.5, 0, 0.5, 1.5, 24, 30, 70):
        cast((utc_now() - now - timedelta(hours=hours)) / timedelta(days=1) + 3, plan_ages="3")
    waiting = [
        item for found in current_session().scalars(select(SpecimenSet.id)) if (item := due_set(found))
    ]
    wanted = {
        name: {item.id for item in waiting if item.when(now) == name} for name in ("now", "late", "next")
    }
    assert all(wanted.values())
    groups = due_groups(now)
    assert {name: {item.id for item in found} for name, found in groups.items()} == wanted
    counted = workload(now)
    assert (counted.now, counted.late) == (len(wanted["now"]), len(wanted["late"]))


def test_postgresql_is_left_nothing_to_guess_of_the_lists_of_the_day_but_the_moment() -> None:
    """What it cannot guess well it plans anew at each use, which takes longer than reading."""
    hour = hour_of(utc_now())
    midnights = tuple(hour + timedelta(days=ahead) for ahead in range(cockpit.WORKLOAD_DAYS + 1))
    asked = [due._of_group(name, 60, hour) for name in ("now", "late", "next")]
    for statement in (*asked, cockpit._counted_within_the_hour(midnights, hour)):
        assert set(statement.compile(dialect=postgresql.dialect()).params) == {"now"}


def test_broken_today_counts_by_press_and_tanks_by_what_lies_in_them(records_on_both: Flask) -> None:
    tank = SERVICES["curing-tanks"].add({"code": "T1", "name": "Tank"}, ACTOR)
    press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
    batch = cast(3, plan_ages="3,7", curing_tank_id=tank.id, hold_sets="1")
    entry = {
        "loads_kn": ["424", "401", "396"],
        "tested_at": datetime.now(UTC).isoformat(),
        "press_id": press.id,
    }
    found = next(item for item in batch.sets if item.age_days == 3)
    record_set(found.id, SetBreaksIn.read(entry), ACTOR)
    counted = tally(utc_now())
    assert counted.presses == (("P1", 3),)
    assert counted.tanks == (("T1", 2),)


def test_only_the_latest_breaks_of_a_day_are_counted_and_the_page_says_that_there_are_more(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cockpit, "_TALLY", cockpit.tally_of(most=2))
    monkeypatch.setattr(cockpit, "MOST_BROKEN", 2)
    with app.app_context():
        found = cast(3, plan_ages="3").sets[0]
        given = {"loads_kn": ["424", "401", "396"], "tested_at": datetime.now(UTC).isoformat()}
        record_set(found.id, SetBreaksIn.read(given), ACTOR)
        counted = tally(utc_now())
        assert (counted.broken, counted.more) == (2, True)
    page = technician.get("/press/").get_data(as_text=True)
    assert re.search(r'Broken today <span class="badge bg-secondary-lt num">2\+</span>', page)
    assert "too many to be counted by press" in page


def test_of_what_is_due_next_only_the_coming_week_is_shown(records_on_both: Flask) -> None:
    soon, later = cast(0, plan_ages="6"), cast(0.001, plan_ages="9")
    groups = due_groups(utc_now())
    assert [item.batch_id for item in groups["next"]] == [soon.id]
    assert due_set(later.sets[0].id) is not None


def test_check_of_the_month_finds_what_was_missed_and_nothing_else(records_on_both: Flask) -> None:
    now = utc_now()
    forgotten = cast(40, plan_ages="28", hold_sets="1")
    old = cast(120, plan_ages="1", hold_sets="1")
    first = now - timedelta(days=31)
    found = missed(first, now + timedelta(days=1), now)
    assert [item.batch_id for item in found.unbroken] == [forgotten.id]
    assert [item.batch_id for item in found.to_discard] == [old.id]
    assert not found.nothing
    assert missed(now - timedelta(days=400), now - timedelta(days=390), now).unbroken == []


def test_retracted_result_wants_a_retest_while_its_batch_is_in_use(records_on_both: Flask) -> None:
    batch = cast(3, plan_ages="3")
    set_id = batch.sets[0].id
    given = {"loads_kn": ["424", "401", "396"], "tested_at": datetime.now(UTC).isoformat()}
    record_set(set_id, SetBreaksIn.read(given), ACTOR)
    verify(set_id, CHECKER)
    release(set_id, CHECKER)
    retract(set_id, "registered at the wrong mix", ACTOR)

    def wanted() -> list[int]:
        now = utc_now()
        return [found.id for found in missed(now - timedelta(days=1), now, now).without_retest]

    assert wanted() == [set_id]
    SERVICES["batches"].retire(batch.id, ACTOR)
    assert wanted() == []
    SERVICES["batches"].restore(batch.id, ACTOR)
    assert wanted() == [set_id]


def test_cockpit_held_and_check_answer_within_eight_statements(
    app: Flask, technician: Person, count_sql: Callable[[], Any]
) -> None:
    with app.app_context():
        for days in (3, 3.5, 2.5):
            cast(days, hold_sets="1")
    for path in ("/press/", "/press/held", "/press/check"):
        technician.get(path)
        with count_sql() as statements:
            answer = technician.get(path)
        assert answer.status_code == 200
        assert len(statements) <= 8, (path, statements)


def test_month_that_is_none_is_refused(technician: Person) -> None:
    assert technician.get("/press/check?month=2026-13").status_code == 400


def test_age_and_expired_calibration_are_said_before_the_break_and_at_the_entry(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
        batch = cast(3, plan_ages="3,7,14")
        set_id, press_id = batch.sets[0].id, press.id
        SERVICES["calibrations"].add(
            {
                "press_id": press_id,
                "certificate_number": "Z1",
                "calibrated_on": "2024-01-01",
                "due_on": "2025-01-01",
                "calibrated_by": "Institute",
            },
            ACTOR,
        )
        due_from, due_until = batch.sets[0].due_from, batch.sets[0].due_until
        later, without_tolerance = batch.sets[1].id, batch.sets[2].id
    held = technician.get("/press/due.json").get_json()
    token = held["token"]
    # The entry page warns before the specimens are broken, also without a connection.
    assert held["presses"][0]["calibrated_until"] == "2025-01-01"
    assert held["sets"][0]["due"] == [int(due_from.timestamp()), int(due_until.timestamp())]
    before = technician.get(f"/press/sets/{set_id}").get_data(as_text=True)
    assert "P1 ran out on 2025-01-01" in before
    assert "outside the tolerance" not in before
    assert "outside the tolerance" in technician.get(f"/press/sets/{later}").get_data(as_text=True)
    # Of 14 d the code says nothing, and so does the page.
    assert "outside the tolerance" not in technician.get(f"/press/sets/{without_tolerance}").get_data(
        as_text=True
    )
    answer = technician.client.post(
        "/press/entries",
        json={
            "key": "k1",
            "set_id": set_id,
            "loads_kn": ["424", "401", "396"],
            "tested_at": datetime.now(UTC).isoformat(),
            "press_id": press_id,
        },
        headers={"X-CSRFToken": token},
    )
    assert answer.status_code == 200
    assert answer.get_json()["strength_mpa"] == "18.1"
    assert "P1 ran out on 2025-01-01" in " ".join(answer.get_json()["warnings"])


def test_missing_load_marks_its_own_field_and_who_entered_is_not_asked_to_verify(
    app: Flask, technician: Person, administrator: Person
) -> None:
    with app.app_context():
        path = f"/press/sets/{cast(3, plan_ages='3').sets[0].id}"
        typed = {"tested_at": f"{local_time(utc_now()):%Y-%m-%dT%H:%M}", "load_1": "424", "load_3": "396"}
    refused = technician.post(path, {**typed, "load_2": ""})
    assert refused.status_code == 422
    assert re.findall(r'is-invalid" id="(\w+)"', refused.get_data(as_text=True)) == ["load_2"]
    worse = technician.post(path, {**typed, "load_2": "", "load_3": "abc", "loading_rate_mpa_s": "fast"})
    told = dict(re.findall(r'id="e-(\w+)">([^<]*)<', worse.get_data(as_text=True)))
    assert told["load_2"].startswith("is missing; accepted: a number")
    assert "“abc” is not a number" in told["load_3"]
    assert "“fast” is not a number" in told["loading_rate_mpa_s"]
    technician.post(path, {**typed, "load_2": "401"})
    saved = technician.get(path).get_data(as_text=True)
    assert "Saved: 18.1 MPa" in saved
    assert f"{path}/verify" not in saved  # a password would be asked for, and the signature refused
    assert f"{path}/verify" in administrator.get(path).get_data(as_text=True)


def test_no_form_asks_for_loads_that_would_not_be_taken(app: Flask, technician: Person) -> None:
    with app.app_context():
        batch = cast(3, plan_ages="3,28", hold_sets="1")
        waiting, later, held = (found.id for found in batch.sets)
        batch_id = batch.id
    for kept, shown in ((waiting, True), (later, True), (held, False)):
        assert ('name="load_1"' in technician.get(f"/press/sets/{kept}").get_data(as_text=True)) is shown
        page = technician.get(f"/specimen-sets/{kept}").get_data(as_text=True)
        assert (f'href="/press/sets/{kept}"' in page) is shown
    with app.app_context():
        SERVICES["batches"].retire(batch_id, ACTOR)
        now = f"{local_time(utc_now()):%Y-%m-%dT%H:%M}"
    page = technician.get(f"/press/sets/{later}").get_data(as_text=True)
    assert 'name="load_1"' not in page
    assert "is Discarded; accepted: a set that waits" in page
    assert "/press/sets/" not in technician.get(f"/batches/{batch_id}").get_data(as_text=True)
    # What somebody was typing when the batch was taken out of use stands there with the refusal.
    typed = {"tested_at": now, "load_1": "424", "load_2": "401", "load_3": "396"}
    refused = technician.post(f"/press/sets/{waiting}", typed)
    assert refused.status_code == 422
    assert re.search(r'name="load_2"[^>]*value="401"', refused.get_data(as_text=True))


def test_set_is_judged_by_its_rule_and_size_factor_while_its_loads_are_typed(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        small = cast(3, plan_ages="3", width_mm="100").sets[0].id
        cylinders = (
            cast(3.1, plan_ages="3", shape="cylinder", width_mm="150", specimens_per_set="4").sets[0].id
        )
    judged = {
        key: re.search(
            r'data-verdict="([^"]*)" data-factor="([^"]*)" data-tolerance="0.15"',
            technician.get(f"/press/sets/{key}").get_data(as_text=True),
        )
        for key in (small, cylinders)
    }
    assert [found and found.groups() for found in judged.values()] == [("cube-set", "0.95"), ("mean", "1")]


def test_entry_page_holds_what_is_typed_against_the_limits_of_the_server(technician: Person) -> None:
    found = re.search(r'id="words">(.*?)</script>', technician.get("/entry/").get_data(as_text=True), re.S)
    assert found is not None
    words = json.loads(found.group(1))
    assert (words["load_most"], words["load_places"]) == (LOAD.maximum, LOAD.places)
    assert (words["far_times"], words["tolerance"]) == (float(FAR), float(SET_TOLERANCE))
    assert words["number"] == (
        "{value} is not accepted; accepted: a number above 0 and up to 20000 kN with at most 3 decimal places"
    )


def test_correction_starts_from_when_by_whom_and_on_which_press_the_set_was_tested(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
        SERVICES["presses"].add({"code": "P2", "name": "Another"}, ACTOR)
        batch = cast(5, plan_ages="3")
        tested = utc_now() - timedelta(days=2)
        data = {
            "loads_kn": ["424", "401", "396"],
            "tested_at": tested.isoformat(),
            "tested_by": "Hong Mei",
            "press_id": press.id,
            "loading_rate_mpa_s": "0.6",
            "remark": "one corner chipped",
        }
        record_set(batch.sets[0].id, SetBreaksIn.read(data), ACTOR)
        shown = f"{local_time(tested):%Y-%m-%dT%H:%M:%S}".removesuffix(":00")
        SERVICES["presses"].retire(press.id, ACTOR)
        set_id, press_id = batch.sets[0].id, press.id
    page = technician.get(f"/press/sets/{set_id}").get_data(as_text=True)
    for value in (shown, "Hong Mei", "0.6", "one corner chipped"):
        assert f'value="{value}"' in page
    assert f'<option value="{press_id}" selected>' in page
    given = {"tested_at": shown, "press_id": str(press_id), "result_number": "1", "reason": ""}
    refused = technician.post(f"/press/sets/{set_id}", given)
    assert refused.status_code == 422
    assert f'<option value="{press_id}" selected>' in refused.get_data(as_text=True)
    loads = {f"load_{n}": load for n, load in enumerate(("424", "402", "396"), start=1)}
    put_right = technician.post(f"/press/sets/{set_id}", {**given, **loads, "reason": "misread"})
    assert put_right.status_code == 302
    with app.app_context():
        times = {item.tested_at for item in current_session().query(Break).filter_by(number=2)}
        assert times == {tested}  # its control was left alone, and shows no fractions of a second


def test_list_says_which_of_two_results_of_a_set_no_longer_counts(app: Flask, technician: Person) -> None:
    def entry(load: str) -> SetBreaksIn:
        return SetBreaksIn.read({"loads_kn": ["424", load, "396"], "tested_at": utc_now().isoformat()})

    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
        record_set(set_id, entry("4010"), ACTOR)
        correct_set(set_id, entry("401"), 1, ACTOR, "a zero too many")
    for path in ("/set-results/", "/breaks/"):
        page = technician.get(path).get_data(as_text=True)
        lines = page.count('class="out"><td><a ')
        assert page.count(">Superseded<") == lines == (1 if path == "/set-results/" else 3)


def earlier(page: str) -> list[list[str]]:
    """The table of earlier results of a set: number, strength, state and why each ended."""
    _before, _head, rest = page.partition("Earlier results, kept")
    table = rest.partition("</table>")[0].partition("<tbody>")[2]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("</tr>")[:-1]]
    texts = [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows]
    return [[row[0], row[1], row[3], row[5]] for row in texts]


def test_each_earlier_result_says_why_it_ended_and_breaks_of_a_retracted_one_say_so(
    app: Flask, technician: Person
) -> None:
    def entry(load: str) -> SetBreaksIn:
        return SetBreaksIn.read({"loads_kn": ["424", load, "396"], "tested_at": utc_now().isoformat()})

    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
        record_set(set_id, entry("4010"), ACTOR)
        correct_set(set_id, entry("410"), 1, ACTOR, "a zero too many")
        amended = ["2", "18.2", "corrected", "misread"]
        corrected = ["1", "18.8", "corrected", "a zero too many"]
        verify(set_id, user_actor(7, "Checker"))
        release(set_id, user_actor(7, "Checker"))
        amend_set(set_id, entry("401"), 2, ACTOR, "misread")
    address = f"/specimen-sets/{set_id}"
    assert earlier(technician.get(address).get_data(as_text=True)) == [amended, corrected]
    with app.app_context():
        verify(set_id, user_actor(7, "Checker"))
        release(set_id, user_actor(7, "Checker"))
        retract(set_id, "capping failed", ACTOR)
    page = technician.get(address).get_data(as_text=True)
    assert earlier(page) == [["3", "18.1", "Retracted", "capping failed"], amended, corrected]
    breaks = page[page.index(">Breaks</h2>") : page.index("Earlier results, kept")]
    assert (breaks.count(">Retracted<"), breaks.count(">corrected<")) == (3, 6)


def test_single_result_that_was_retracted_stands_among_the_earlier_ones_and_is_told_on_the_batch(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        batch = cast(3, plan_ages="3")
        batch_id, set_id = batch.id, batch.sets[0].id
        data = {"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()}
        record_set(set_id, SetBreaksIn.read(data), ACTOR)
        verify(set_id, user_actor(7, "Checker"))
        release(set_id, user_actor(7, "Checker"))
        retract(set_id, "capping failed", ACTOR)
    page = technician.get(f"/specimen-sets/{set_id}").get_data(as_text=True)
    assert earlier(page) == [["1", "18.1", "Retracted", "capping failed"]]
    shown = technician.get(f"/batches/{batch_id}").get_data(as_text=True)
    assert ">Retracted</td>" in shown
    assert "Retracted MPa" not in shown
    assert f"/batches/add?repeat={batch_id}" in technician.get(f"/press/sets/{set_id}").get_data(as_text=True)


def test_strength_of_a_specimen_is_rounded_half_to_even_on_the_pages_of_its_set(
    app: Flask, technician: Person
) -> None:
    """281.5 kN on 100 mm are 28.15 MPa: 28.2 by GB/T 8170 and on the certificate, 28.1 of a binary fraction."""
    with app.app_context():
        set_id = cast(3, plan_ages="3", width_mm="100").sets[0].id
        data = {"loads_kn": ["281.5"] * 3, "tested_at": utc_now().isoformat()}
        record_set(set_id, SetBreaksIn.read(data), ACTOR)
    for path in (f"/specimen-sets/{set_id}", f"/press/sets/{set_id}"):
        page = technician.get(path).get_data(as_text=True)
        assert (page.count(">28.2<"), page.count(">28.1<")) == (3, 0)


def test_entry_of_someone_else_is_told_and_nothing_is_lost(app: Flask, technician: Person) -> None:
    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
    token = technician.get("/press/due.json").get_json()["token"]

    tested = datetime.now(UTC).isoformat()

    def send(key: str, *loads: str, **more: str) -> Any:
        body = {"key": key, "set_id": set_id, "loads_kn": list(loads), "tested_at": tested, **more}
        headers = {"X-CSRFToken": token, "Accept": "application/json"}
        return technician.client.post("/press/entries", json=body, headers=headers)

    assert send("a", "424", "401", "396").status_code == 200
    assert send("a", "424", "401", "396").status_code == 200
    other = send("b", "424", "401", "390")
    assert (other.status_code, other.get_json()) == (409, {"theirs": "424, 401, 396", "problems": []})
    same_loads = send("d", "424", "401", "396", remark="one corner chipped", tested_by="Li Wei")
    assert same_loads.status_code == 409
    (problem,) = same_loads.get_json()["problems"]
    assert "with the same loads; what differs: Tested by, Remark." in problem["message"]
    refused = send("c", "424", "4O1", "390")
    assert refused.status_code == 422
    assert "4O1" in refused.get_json()["problems"][0]["message"]


def test_entry_that_another_person_typed_is_not_saved_in_the_name_of_who_signed_in_since(
    app: Flask, technician: Person, administrator: Person
) -> None:
    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
    typed_by = technician.get("/press/due.json").get_json()["person_id"]
    page = administrator.get("/press/due.json").get_json()
    body = {
        "key": "a",
        "set_id": set_id,
        "loads_kn": ["424", "401", "396"],
        "tested_at": utc_now().isoformat(),
        "person_id": typed_by,
    }
    headers = {"X-CSRFToken": page["token"], "Accept": "application/json"}
    refused = administrator.client.post("/press/entries", json=body, headers=headers)
    assert refused.status_code == 422
    (problem,) = refused.get_json()["problems"]
    assert (problem["field"], problem["value"]) == ("person_id", str(typed_by))
    own = {**body, "person_id": page["person_id"]}
    assert administrator.client.post("/press/entries", json=own, headers=headers).status_code == 200


def test_what_the_entry_page_is_refused_names_its_field(app: Flask, technician: Person) -> None:
    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
    token = technician.get("/press/due.json").get_json()["token"]
    good = {
        "key": "a",
        "set_id": set_id,
        "loads_kn": ["424", "401", "396"],
        "tested_at": utc_now().isoformat(),
    }
    ahead = (utc_now() + timedelta(hours=1)).isoformat()  # by the clock of a telephone

    def refused(**wrong: Any) -> list[str]:
        headers = {"X-CSRFToken": token, "Accept": "application/json"}
        answer = technician.client.post("/press/entries", json={**good, **wrong}, headers=headers)
        assert answer.status_code == 422
        return [problem["message"] for problem in answer.get_json()["problems"]]

    assert refused(tested_at=ahead) == ["Tested at: lies in the future; accepted: a time up to now"]
    tester, rate = refused(loading_rate_mpa_s="fast", tested_by="x" * 81)
    assert rate.startswith("Loading rate: “fast” is not a number")
    assert tester.startswith("Tested by: has 81 characters")


def entered(technician: Person, set_id: int, token: str) -> Any:
    """What the entry page sends, answered."""
    body = {
        "key": "a",
        "set_id": set_id,
        "loads_kn": ["424", "401", "396"],
        "tested_at": utc_now().isoformat(),
    }
    return technician.client.post("/press/entries", json=body, headers={"X-CSRFToken": token})


def test_result_that_is_stored_is_acknowledged_though_the_database_goes_away_before_the_forecast(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
    token = technician.get("/press/due.json").get_json()["token"]

    def gone(**_how: object) -> None:
        raise OperationalError("ROLLBACK", None, Exception("server closed the connection"))

    monkeypatch.setattr("lims.web.register.forecast_pending", gone)
    sent = entered(technician, set_id, token)
    assert sent.status_code == 200
    with app.app_context():
        assert result_of(set_id) is not None


def test_set_that_is_not_due_is_found_by_any_of_its_codes(app: Flask, technician: Person) -> None:
    from lims.trials.short_codes import short_code

    with app.app_context():
        found = cast(0, plan_ages="90").sets[0]
        specimen = found.specimens[1]
        codes = [found.code, found.code.lower(), specimen.code, short_code(specimen.id)]
        codes += [code.translate(WIDE) for code in codes]  # as an input method for Chinese types them
        set_id = found.id
    for code in codes:
        answer = technician.get(f"/press/set.json?code={code}", headers={"Accept": "application/json"})
        assert answer.get_json()["sets"][0]["id"] == set_id
    assert technician.get("/press/set.json?code=B26-NOWHERE").status_code == 404


def test_sets_whose_codes_differ_in_capitals_alone_are_each_found_by_their_own(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        codes = ("p-7", "P-7")
        ids = {code: cast(n / 100, plan_ages="90", code=code).sets[0].id for n, code in enumerate(codes)}
    for code, set_id in ids.items():
        answer = technician.get(f"/press/set.json?code={code}-90d-1", headers={"Accept": "application/json"})
        assert answer.get_json()["sets"][0]["id"] == set_id


@pytest.mark.parametrize(("rate", "warns"), [("0.5", False), ("0.8", False), ("0.49", True), ("0.81", True)])
def test_loading_rate_outside_the_code_s_range_is_said_and_kept(
    records: Flask, rate: str, warns: bool
) -> None:
    from lims.reporting.certificate import reservations_of
    from lims.results.entry import entry_warnings

    batch = cast(3, plan_ages="3")  # a C30 mix: 0.5 to 0.8 MPa/s
    entry = {
        "loads_kn": ["424", "401", "396"],
        "tested_at": datetime.now(UTC).isoformat(),
        "loading_rate_mpa_s": rate,
    }
    result = record_set(batch.sets[0].id, SetBreaksIn.read(entry), ACTOR)
    assert any("loading rate" in warning for warning in entry_warnings(batch.sets[0].id)) is warns
    assert bool(reservations_of([result])) is warns


@pytest.mark.parametrize("wrong", ["nothing", "age", "calibration", "rate", "all of them"])
def test_entry_page_is_told_of_a_set_what_its_pages_and_certificate_tell(
    records_on_both: Flask, wrong: str
) -> None:
    """It is told without reading the set again, and told the same when the entry comes a second time."""
    press = SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
    due_on = "2025-01-01" if wrong in {"calibration", "all of them"} else "2149-01-01"
    papers = {"certificate_number": "Z1", "calibrated_on": "2024-01-01", "calibrated_by": "Institute"}
    SERVICES["calibrations"].add({"press_id": press.id, "due_on": due_on, **papers}, ACTOR)
    found = cast(4 if wrong in {"age", "all of them"} else 3, plan_ages="3").sets[0]
    given = {
        "key": "once",
        "set_id": found.id,
        "loads_kn": ["424", "401", "396"],
        "tested_at": datetime.now(timezone(timedelta(hours=8))).isoformat(),
        "press_id": press.id,
        "loading_rate_mpa_s": "0.9" if wrong in {"rate", "all of them"} else "0.6",
    }
    first, again = (save_entry(EntryIn.read(given), ACTOR) for _time in range(2))
    assert len(first["warnings"]) == {"nothing": 0, "all of them": 3}.get(wrong, 1)
    assert first == again
    assert first["warnings"] == entry_warnings(found.id)


def test_entry_page_goes_on_to_the_next_set_before_the_forecast_is_made(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        set_id = cast(3, plan_ages="3").sets[0].id
    begun, answered, made = Event(), Event(), Event()

    def slow(_mix_design_id: int, _actor: object) -> None:
        begun.set()
        assert answered.wait(60)
        made.set()

    monkeypatch.setattr("lims.forecasts.service.refresh_mix", slow)
    token = technician.get("/press/due.json").get_json()["token"]
    sent = entered(technician, set_id, token)
    assert sent.status_code == 200
    assert not made.is_set()
    answered.set()
    assert begun.wait(60)
    assert made.wait(60)


def typed_now(app: Flask, *loads_kn: str) -> dict[str, str]:
    """What the form of a set sends."""
    with app.app_context():
        now = f"{local_time(utc_now()):%Y-%m-%dT%H:%M}"
    return {"tested_at": now, **{f"load_{n}": load for n, load in enumerate(loads_kn, start=1)}}


def test_set_s_form_asks_once_before_it_keeps_a_load_far_from_the_others(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        address = f"/press/sets/{cast(3, plan_ages='3').sets[0].id}"
    typed = typed_now(app, "424", "401", "39.6")
    asked = technician.post(address, typed)
    page = asked.get_data(as_text=True)
    assert asked.status_code == 422
    assert "39.6 kN is far from the others" in page
    assert 'value="424"' in page
    found = re.search(r'name="confirmed" value="([^"]+)"', page)
    assert found is not None
    answered = {"confirmed": found.group(1)}
    other = technician.post(address, {**typed, "load_3": "3.96", **answered})
    assert other.status_code == 422
    assert "3.96 kN is far from the others" in other.get_data(as_text=True)
    assert technician.post(address, {**typed, **answered}).status_code == 302


def test_set_s_form_asks_about_a_strength_that_the_mix_does_not_let_expect(
    app: Flask, technician: Person
) -> None:
    with app.app_context():
        mix = a_mix("C30-E")
        first, second = (a_batch("40", mix=mix, plan_ages="3").sets[0].id for _n in range(2))
    saved = technician.post(f"/press/sets/{first}", typed_now(app, "424", "401", "396"))
    assert saved.status_code == 302
    asked = technician.post(f"/press/sets/{second}", typed_now(app, "1424", "1401", "1396"))
    assert asked.status_code == 422
    assert "MPa is far from the expected" in asked.get_data(as_text=True)


def test_worksheet_has_room_for_each_load_of_a_set(app: Flask, technician: Person) -> None:
    with app.app_context():
        cubes = cast(3, plan_ages="3").sets[0].code
        cylinders = cast(3.01, plan_ages="3", shape="cylinder", specimens_per_set="5").sets[0].code
    page = technician.get("/press/worksheet").get_data(as_text=True)
    rows = {code: page[page.index(f">{code}<") :].partition("</tr>")[0] for code in (cubes, cylinders)}
    boxes = [row.count('class="box"') for row in rows.values()]
    assert boxes == [3 + 1, 5 + 1]  # the last one for the name
    assert '<td colspan="2"></td>' in rows[cubes]


def test_worksheet_and_counts_leave_no_set_of_the_day_out(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page shows so many of a group; paper shows the day, and a number says where it ends."""
    monkeypatch.setattr("lims.results.views.MOST_OF_A_GROUP", 2)
    monkeypatch.setattr("lims.results.due.MOST_OF_A_GROUP", 2)
    with app.app_context():
        mix = a_mix("C30-D")
        for days in (3, 3, 3, 9, 9, 9, 2.5, 2.5, 2.5):
            cast_at = datetime.now(UTC) - timedelta(days=days)
            a_batch("40", mix=mix, cast_at=cast_at.isoformat(), plan_ages="3")
    page = technician.get("/press/worksheet").get_data(as_text=True)
    rows = page[page.index("<tbody>") :].partition("</tbody>")[0].count("<tr>")
    assert rows == 3 + 2 + 3  # due now, past their tolerance, until tomorrow
    assert "1 more set is past its tolerance" in page
    day = technician.get("/press/").get_data(as_text=True)
    assert re.search(r'id="next">.*?<span class="badge bg-secondary-lt num">2\+<', day, re.S)
    # What is due is 3 and 3 more; the entry page holds those of the week too, under another title.
    home = technician.get("/").get_data(as_text=True)
    assert re.search(
        r'id="due">.{0,90}Due at the press <span class="badge bg-secondary-lt num">6<', home, re.S
    )
    assert len(technician.get("/press/due.json").get_json()["sets"]) == 9
    entry = technician.get("/entry/").get_data(as_text=True)
    assert re.findall(r'card-title">([^<]+) <span class="text-secondary" id="due-count"', entry) == [
        "Due now and within a week"
    ]
