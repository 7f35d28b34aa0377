"""What a list can do: columns, saved filters, chips, several rows at once, and back."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import select

from lims.accounts.roles import AUDITOR, MANAGER, SALES, TECHNICIAN
from lims.aftersales.shipped import ship
from lims.audit.schemas import AnswerIn, RemarkIn
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import local_today
from lims.base.laboratory import LaboratoryFacts, laboratory
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, record_set
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix


def heads(page: str) -> list[str]:
    table = page[page.index("<thead") : page.index("</thead>")]
    return [
        re.sub(r"<[^>]+>|[↑↓]", "", cell).strip() for cell in re.findall(r"<th[^>]*>(.*?)</th>", table, re.S)
    ]


def test_chosen_columns_stay_chosen_for_this_person_only(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        a_customer("K-1")
    mine, other = sign_in_as(SALES), sign_in_as(AUDITOR)
    answer = mine.post("/preferences/columns", {"list": "customers", "columns": ["code", "changed_at"]})
    assert answer.status_code == 302
    assert heads(mine.get("/customers/").get_data(as_text=True)) == ["Code", "Changed"]
    assert len(heads(other.get("/customers/").get_data(as_text=True))) > 4
    mine.post("/preferences/columns", {"list": "customers", "reset": "1"})
    assert len(heads(mine.get("/customers/").get_data(as_text=True))) > 4


def test_column_that_the_list_does_not_have_is_refused(sales: Person) -> None:
    answer = sales.post("/preferences/columns", {"list": "customers", "columns": ["password"]})
    assert answer.status_code == 422
    assert "is no column of this list; accepted: " in answer.get_data(as_text=True)


def test_list_that_the_role_may_not_read_takes_no_preference(sales: Person) -> None:
    assert (
        sales.post("/preferences/columns", {"list": "checkpoints", "columns": ["number"]}).status_code == 422
    )


def test_saved_filter_is_offered_and_removed(app: Flask, sales: Person) -> None:
    saved = {"list": "customers", "name": "Prospects", "query": "status=prospect&order=-name"}
    assert sales.post("/preferences/filter", saved).status_code == 302
    page = sales.get("/customers/").get_data(as_text=True)
    assert "/customers/?status=prospect&amp;order=-name" in page
    assert ">Prospects<" in page
    sales.post("/preferences/filter/remove", {"list": "customers", "name": "Prospects"})
    assert ">Prospects<" not in sales.get("/customers/").get_data(as_text=True)


def test_chips_name_the_filters_and_take_one_off(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-1", name="Riverside", status="prospect")
    page = sales.get("/customers/?q=river&status=prospect").get_data(as_text=True)
    chips = re.findall(r'class="chip" href="([^"]+)"', page)
    assert "/customers/?status=prospect" in chips
    assert "/customers/?q=river" in chips
    page = sales.get("/customers/?q=river&retired=1&page=2").get_data(as_text=True)
    assert re.findall(r'class="chip" href="([^"]+)">with', page) == ["/customers/?q=river"]
    # What is kept under a name is the filter, not the page that was looked at.
    assert re.findall(r'name="query" value="([^"]*)"><input class="form-control" name="name"', page) == [
        "q=river&amp;retired=1"
    ]


@pytest.mark.parametrize("words", ["endpoint=", "_method=", "_scheme=&_external=", "_anchor="])
def test_words_without_a_value_are_not_words_of_the_list_s_links(
    app: Flask, sales: Person, words: str
) -> None:
    with app.app_context():
        a_customer("K-1")
    answer = sales.get(f"/customers/?q=K-1&{words}")
    assert answer.status_code == 200
    assert "order=code&amp;page=1" in answer.get_data(as_text=True) or "order=-code" in answer.get_data(
        as_text=True
    )


def test_filter_takes_several_values_of_a_column_on_the_page_its_links_the_export_and_rest(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        for status in ("prospect", "trial", "active"):
            a_customer(f"K-{status}", name=f"Mixing {status}", status=status)
    asked = "status=prospect&status=trial"
    for query in (asked, f"{asked}&status=trial&status=", f"q=mixing&{asked}"):
        page = sales.get(f"/customers/?{query}").get_data(as_text=True)
        assert ("K-prospect" in page, "K-trial" in page, "K-active" in page) == (True, True, False)
    links = re.findall(r'href="(/customers/[^"]*)"', page.replace("&amp;", "&"))
    assert "/customers/?q=mixing" in links  # the chip takes both
    assert f"/customers/export?q=mixing&{asked}&format=csv" in links
    assert (
        f"/customers/?q=mixing&{asked}&order=-code&page=1" in links
        or f"/customers/?q=mixing&{asked}&order=code&page=1" in links
    )
    assert re.findall(r'type="hidden" name="status" value="(\w+)"', page) == ["prospect", "trial"]
    assert (
        f'name="query" value="q=mixing&amp;{asked.replace("&", "&amp;")}"><input class="form-control"' in page
    )
    assert "Prospect, On trial" in page
    rows = sales.get(f"/customers/export?{asked}&format=csv").get_data(as_text=True)
    assert ("K-prospect" in rows, "K-trial" in rows, "K-active" in rows) == (True, True, False)
    rest = sales.get(f"/api/v1/customers/?{asked}&order=code").get_json()
    assert ([row["code"] for row in rest["result"]], rest["count"]) == (["K-prospect", "K-trial"], 2)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("customers/?status=prospect&status=trail", "status: “trail” is not known; accepted: prospect, trial"),
        ("set-results/?state=enterd", "state: “enterd” is not known; accepted: entered, verified"),
        ("breaks/?reported=maybe", "reported: “maybe” is neither yes nor no; accepted: true or false"),
        ("breaks/?press_id=1&press_id=two", "press_id: “two” is not a whole number; accepted: a whole number"),
        ("customers/?" + "&".join(f"region_id={n}" for n in range(1, 22)),
         "region_id: has 21 values; accepted: up to 20 at once"),
    ],
)  # fmt: skip
def test_value_that_a_filter_does_not_know_is_named_with_what_is_accepted(
    sign_in_as: Callable[[str], Person], query: str, told: str
) -> None:
    manager = sign_in_as(MANAGER)
    answer = manager.get(f"/api/v1/{query}")
    problem = answer.get_json()["problems"][0]
    assert answer.status_code == 400
    assert f"{problem['field']}: {problem['message']}".startswith(told)
    assert manager.get(f"/{query}").status_code == 400


def test_states_are_filtered_and_told_in_words(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    manager = sign_in_as(MANAGER)
    page = manager.get("/set-results/?state=verified&superseded=false").get_data(as_text=True)
    assert '<option value="verified" selected>Verified</option>' in page
    assert re.findall(r'class="chip"[^>]*aria-label="([^"]+)"', page) == [
        "Remove “State: Verified”",
        "Remove “Superseded: no”",
    ]
    page = manager.get("/jobs/?kind=list-export").get_data(as_text=True)
    assert '<option value="list-export" selected>Export of a list</option>' in page
    page = sign_in_as(AUDITOR).get("/signatures/?signed_record=set-results").get_data(as_text=True)
    assert "Remove “Kind of record: Result”" in page


def test_show_all_on_the_first_page_shows_what_stood_there(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    """A customer whose trial runs is one to win too, a closed complaint is not open, a corrected entry stays "entered"."""
    people = {role: sign_in_as(role) for role in (SALES, TECHNICIAN, AUDITOR)}
    with app.app_context():
        customers = {
            state: a_customer(f"K-{state}", status=state) for state in ("prospect", "trial", "active")
        }
        for subject in ("Falls off", "Withdrawn"):
            given = {"customer_id": customers["active"].id, "subject": subject, "category": "rebound"}
            complaint = SERVICES["complaints"].add(given, ACTOR)
        SERVICES["complaints"].withdraw(complaint.id, {"reason": "Meant for another works"}, ACTOR)
        found = a_batch("40", plan_ages="3").sets[0]
        loads = {"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()}
        record_set(found.id, SetBreaksIn.read(loads), ACTOR)
        loads["loads_kn"][1] = "402"
        correct_set(found.id, SetBreaksIn.read(loads), 1, ACTOR, "A slip of the pen")
        whose = current_session().scalars(select(User.id).limit(1)).one()
        for state in ("open", "closed"):
            about = {
                "subject": f"Seal {state}",
                "severity": "minor",
                "due_on": local_today(),
                "description": "Broken",
                "responsible_id": whose,
            }
            finding = SERVICES["findings"].add(about, ACTOR)
        SERVICES["findings"].answer(finding.id, AnswerIn.read({"answer": "Sealed"}), ACTOR)
        SERVICES["findings"].close(finding.id, RemarkIn.read({"remark": "Seen"}), ACTOR)
    wanted = {
        SALES: {"prospects": 2, "clocks": 1},
        TECHNICIAN: {"to-verify": 1},
        AUDITOR: {"findings": 1, "amendments": 3},
    }
    for role, panels in wanted.items():
        person = people[role]
        home = person.get("/").get_data(as_text=True)
        for name, number in panels.items():
            panel = home[home.index(f'id="{name}"') :].split("</section>")[0]
            assert panel.count("data-row") == number, name
            leads_to = re.search(r'class="btn btn-sm" href="([^"]+)"', panel)
            assert leads_to is not None
            rows = person.get(leads_to[1].replace("&amp;", "&")).get_data(as_text=True).split("<tbody>")[1]
            assert rows.count("<tr") == number, name


def test_page_whose_rows_went_out_of_use_meanwhile_leads_back_and_says_not_that_there_is_nothing(
    app: Flask, sales: Person
) -> None:
    with app.app_context():
        ids = [a_customer(f"K-{number:02d}").id for number in range(27)]
    after = sales.get("/api/v1/customers/?order=code").get_json()["after"]
    url = f"/customers/?order=code&after={after}"
    assert "K-26" in sales.get(url).get_data(as_text=True)
    sales.post("/customers/bulk", {"action": "retire", "id": ids[25:]})
    page = sales.get(url).get_data(as_text=True)
    assert "Nothing follows any more." in page
    assert "Nothing here yet." not in page
    assert 'class="btn" href="/customers/?order=code">To the first page' in page


def test_show_all_of_a_search_shows_what_it_found_out_of_use_too(app: Flask, sales: Person) -> None:
    with app.app_context():
        a_customer("K-OLD-1", name="Riverside")
        gone = a_customer("K-OLD-2", name="Riverside north").id
    sales.post("/customers/bulk", {"action": "retire", "id": [gone]})
    found = sales.get("/search/?q=riverside").get_data(as_text=True)
    assert ("K-OLD-1" in found, "K-OLD-2" in found) == (True, True)
    leads_to = re.search(r'class="btn btn-sm" href="(/customers/[^"]+)"', found)
    assert leads_to is not None
    page = sales.get(leads_to[1].replace("&amp;", "&")).get_data(as_text=True)
    assert ("K-OLD-1" in page, "K-OLD-2" in page) == (True, True)


def test_chinese_lists_and_logs_set_their_own_colon(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    person = sign_in_as(AUDITOR)
    person.get("/lang/zh")
    for url in ("/audit-log/", "/trials/?state=running", "/"):
        page = person.get(url).get_data(as_text=True)
        assert "：" in page, url
        texts = re.findall(
            r">([^<>]+)<|(?:label|title)=\"([^\"]+)\"", re.sub(r"(?s)<(script|style).*?</\1>", "", page)
        )
        assert [text for pair in texts for text in pair if re.search(r"[\u4e00-\u9fff]: ", text)] == [], url
    person = sign_in_as(SALES)
    person.get("/lang/zh")
    refused = person.post("/customers/add", {"code": "K 1", "name": ""}).get_data(as_text=True)
    assert len(re.findall(r'<a class="alert-link" href="[^"]+">[^<]+：[^<]+</a></li>', refused)) == 2


def test_ticked_rows_go_out_of_use_together_and_undo_brings_them_back(app: Flask, sales: Person) -> None:
    with app.app_context():
        ids = [a_customer(f"K-{number}").id for number in range(3)]
    assert sales.post("/customers/bulk", {"action": "retire", "id": ids[:2]}).status_code == 302
    page = sales.get("/customers/").get_data(as_text=True)
    assert "2 entries are out of use." in page
    assert heads(page)
    assert "K-0" not in page.split("<tbody>")[1]
    undo = re.search(r'action="([^"]+/bulk)">.*?Undo', page, re.S)
    assert undo is not None
    assert page.count('name="id"') == 2
    assert sales.post("/customers/bulk", {"action": "restore", "id": ids[:2]}).status_code == 302
    assert "K-0" in sales.get("/customers/").get_data(as_text=True)


def test_all_or_none_when_one_of_the_ticked_rows_is_unknown(app: Flask, sales: Person) -> None:
    with app.app_context():
        known = a_customer("K-1").id
    assert sales.post("/customers/bulk", {"action": "retire", "id": [known, 999_999]}).status_code == 404
    assert "K-1" in sales.get("/customers/").get_data(as_text=True).split("<tbody>")[1]


def test_result_component_and_fact_are_taken_out_of_use_by_no_way(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    """A result is retracted, a component gets no mass, a fact no value: hidden, each would count all the same."""
    with app.app_context():
        ship(ACTOR)
        batch = a_batch("40", plan_ages="3")
        loads = {"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()}
        result = record_set(batch.sets[0].id, SetBreaksIn.read(loads), ACTOR)
        open_mix = a_mix("C30-9")
        complaint = {"customer_id": a_customer().id, "subject": "Falls off", "category": "rebound"}
        SERVICES["complaints"].add(complaint, ACTOR)
        ids = {
            "set-results": result.id,
            "mix-components": open_mix.latest.components[0].id,
            "complaint-facts": SERVICES["complaint-facts"].page().items[0].id,
        }
    manager = sign_in_as(MANAGER)
    for name, key in ids.items():
        answers = [
            manager.post(f"/{name}/{key}/retire"),
            manager.post(f"/{name}/bulk", {"action": "retire", "id": [key]}),
        ]
        if name != "set-results":
            headers = {"X-CSRFToken": manager.token}
            answers.append(manager.client.post(f"/api/v1/{name}/{key}/retire", headers=headers))
        assert {answer.status_code for answer in answers} == {422}, name
        assert f"/{name}/{key}/retire" not in manager.get(f"/{name}/{key}").get_data(as_text=True)
        with app.app_context():
            assert SERVICES[name].get(key).retired_at is None


def test_bulk_needs_the_right_to_write(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        known = a_customer("K-1").id
    assert sign_in_as(AUDITOR).post("/customers/bulk", {"action": "retire", "id": [known]}).status_code == 403


def test_empty_list_says_what_to_do(technician: Person) -> None:
    page = technician.get("/batches/").get_data(as_text=True)
    assert "Register the first batch" in page
    assert "/batches/add" in page
    assert 'href="/batches/?retired=1"' in page  # where all were taken out of use, this is the way to them


def test_kept_values_are_told_in_the_reader_s_language_and_by_the_laboratory_s_clock(
    app: Flask, technician: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        a_batch("40", cast_at="2026-03-05T10:00:00+00:00", plan_ages="3")

    def told() -> str:
        return technician.get("/specimen-sets/").get_data(as_text=True)

    for _again in range(2):
        technician.get("/lang/en")
        english = told()
        assert "8 Mar 2026, 18:00" in english
        assert ">Waiting<" in english
        technician.get("/lang/zh")
        assert "2026年3月8日 18:00" in told()
        assert ">Waiting<" not in told()
    technician.get("/lang/en")
    elsewhere = dataclasses.replace(_laboratory(app), timezone="Europe/Berlin")
    monkeypatch.setitem(app.extensions, "lims.laboratory", (time.monotonic() + 3600, elsewhere))
    assert "8 Mar 2026, 11:00" in told()


def _laboratory(app: Flask) -> LaboratoryFacts:
    with app.app_context():
        return laboratory()
