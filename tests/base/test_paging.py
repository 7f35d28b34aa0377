"""Deep pages: every row once in every order, whatever is empty; letters by the index; bad places refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from flask import Flask

from lims.base import services
from lims.base.columns import utc_now
from lims.base.database import database, transaction
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, record_set
from tests.conftest import Person, counting_sql
from tests.factories import a_batch, a_customer, a_mix


def counts_to(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit, and lists whose statements were not made for another one."""
    monkeypatch.setattr(services, "MOST_COUNTED", most)
    for service in SERVICES.values():
        monkeypatch.setitem(vars(service), "_of_opening", {})


@pytest.mark.parametrize("order", ["id", "-id", "started_on", "-started_on", "code", "-name", "-changed_at"])
def test_pages_after_one_another_show_every_row_once_in_order(
    records_on_both: Flask, actor: Any, order: str
) -> None:
    trials = SERVICES["trials"]
    for number in range(60):
        started = {"started_on": f"2026-03-{number % 7 + 1:02d}"} if number % 3 else {}
        trials.add({"name": f"Trial {number % 5}", **started}, actor)
    wanted = [row.id for row in trials.page(order=order, size=200).items]
    seen: list[int] = []
    page = trials.page(order=order, size=25)
    while True:
        seen += [row.id for row in page.items]
        if not page.after:
            break
        page = trials.page(order=order, size=25, after=page.after)
    assert len(wanted) == 60
    assert seen == wanted
    by_number = [trials.page(order=order, size=25, number=number).items for number in range(3)]
    assert [row.id for items in by_number for row in items] == wanted


def test_list_counts_so_far_and_says_when_there_are_more(
    records_on_both: Flask, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_to(30, monkeypatch)
    for number in range(40):
        a_customer(f"K-{number}", actor)
    page = SERVICES["customers"].page()
    assert (page.total, page.counted, page.pages) == (30, False, 2)
    assert page.after
    assert SERVICES["customers"].page(search="K-1").counted


@pytest.mark.parametrize(
    "after",
    ["x", "!!!", "W10", "é", "A" * 2000, *(
        base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        for told in ([1], [None, -1], [1.5, 2], [1, 10**30], [True, 1], {"a": 1}, [[], 1], "[[[[",
                     ["\ud800", 1]))],
)  # fmt: skip
def test_place_that_no_page_gave_is_refused(records: Flask, after: str) -> None:
    with pytest.raises(Refused, match="place in this list"):
        SERVICES["customers"].page(order="code", after=after)


@pytest.mark.parametrize(
    ("name", "order", "value"),
    [
        ("set-results", "strength_mpa", "9" * 30),
        ("set-results", "strength_mpa", "1.00000000001"),
        ("set-results", "-strength_mpa", "1e999999999"),
        ("set-results", "-strength_mpa", "1e-999999999"),
        ("batches", "-cast_at", "0001-01-01T00:00:00+14:00"),
        ("batches", "cast_at", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_place_that_no_column_can_hold_is_refused(
    records_on_both: Flask, name: str, order: str, value: str
) -> None:
    after = base64.urlsafe_b64encode(json.dumps([value, 1]).encode()).decode()
    with pytest.raises(Refused, match="place in this list"):
        SERVICES[name].page(order=order, after=after)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"search": "C\0"}, "q"),
        ({"filters": {"state": "wait\0ing"}}, "state"),
        ({"filters": {"age_days": "9" * 12}}, "age_days"),
        ({"filters": {"batch_id": "9" * 19}}, "batch_id"),
    ],
)
def test_what_no_column_can_hold_is_refused_by_name_on_both_databases(
    records_on_both: Flask, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refused) as refusal:
        SERVICES["specimen-sets"].page(**asked)
    assert [problem.field for problem in refusal.value.problems] == [field]


def test_list_search_finds_codes_names_and_what_stands_beside_them(
    records_on_both: Flask, actor: Any
) -> None:
    a_customer("K-ALPHA", actor, contact_name="Wang")
    a_customer("K-BETA", actor)
    batch = a_batch(mix=a_mix("C30-XY"), element="Pier 7")
    found = SERVICES["customers"]
    assert [row.code for row in found.page(search="alph").items] == ["K-ALPHA"]
    assert [row.code for row in found.page(search="wang").items] == ["K-ALPHA"]
    assert {row.code for row in found.page(search="k-").items} == {"K-ALPHA", "K-BETA"}
    assert found.page(search="100%").total == 0
    assert found.page(search='" OR "').total == 0
    inside = (
        ("pier 7", batch.code[1:]) if database().is_sqlite else ()
    )  # the test's PostgreSQL has no pg_trgm
    for letters in ("C30-XY", batch.code[:-1], "Trial", *inside):
        assert [row.id for row in SERVICES["batches"].page(search=letters).items] == [batch.id], letters
    whole = SERVICES["specimen-sets"].page(search=batch.code)
    assert whole.total == SERVICES["specimen-sets"].page().total > 0


def test_next_page_of_a_long_list_is_a_link_and_over_rest_a_word(
    app: Flask, technician: Person, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_to(25, monkeypatch)
    with app.app_context():
        for number in range(60):
            a_mix(f"C30-{number:02d}", actor)
    first = technician.get("/mix-designs/").get_data(as_text=True)
    assert "after=" in first
    answer = technician.get("/api/v1/mix-designs/?page_size=25").get_json()
    assert (answer["count"], answer["counted"]) == (25, False)
    second = technician.get(f"/api/v1/mix-designs/?page_size=25&after={answer['after']}").get_json()
    assert {row["id"] for row in answer["result"]}.isdisjoint(row["id"] for row in second["result"])
    page = technician.get(f"/mix-designs/?after={second['after']}")
    assert page.status_code == 200
    assert "C30-59" in page.get_data(as_text=True)
    assert technician.get("/mix-designs/?after=nonsense").status_code == 400


def test_list_that_has_more_is_not_counted_again_for_a_minute_unless_it_is_narrowed(
    records_on_both: Flask, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_to(5, monkeypatch)
    clock = [1000.0]
    monkeypatch.setattr(services.time, "monotonic", lambda: clock[0])
    customers = SERVICES["customers"]
    made = [a_customer(f"K-{number}", actor) for number in range(8)]

    def counts(**asked: Any) -> tuple[int, int]:
        with counting_sql(records_on_both) as seen:
            total = customers.page(**asked).total
        return total, sum("count(" in statement for statement in seen)

    assert counts() == (5, 1)
    assert counts() == (5, 0)
    assert counts(order="code") == (5, 0)
    assert counts(search="K-1") == (1, 1)
    with transaction(actor):  # as another process does: this one has not heard of it
        customers.retire(made[0].id, actor)
    assert counts(retired=True) == (5, 1)
    assert counts() == (5, 0)
    clock[0] += services.MANY_FOR_S + 1
    assert counts() == (5, 1)
    customers.retire_many([item.id for item in made[1:6]], actor)
    assert counts() == (2, 1)
    assert counts() == (2, 1)


def test_last_page_of_a_list_that_was_longer_a_moment_ago_is_not_empty(
    records_on_both: Flask, actor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_to(50, monkeypatch)
    customers = SERVICES["customers"]
    made = [a_customer(f"K-{number:02d}", actor) for number in range(60)]
    assert customers.page(number=1).total == 50
    with transaction(actor):  # as another process does: this one has not heard of it
        for item in made[:40]:
            customers.retire(item.id, actor)
    page = customers.page(number=1)
    assert (page.total, page.number, len(page.items), page.counted) == (20, 0, 20, True)


def test_corrected_entries_are_told_from_those_that_count(records_on_both: Flask, actor: Any) -> None:
    found = a_batch("40", plan_ages="3").sets[0]
    loads = {"tested_at": utc_now().isoformat()}
    record_set(found.id, SetBreaksIn.read({**loads, "loads_kn": ["424", "401", "396"]}), actor)
    correct_set(found.id, SetBreaksIn.read({**loads, "loads_kn": ["424", "402", "396"]}), 1, actor, "A slip")
    for wanted, number in (("true", 1), ("false", 1), (["true", "false"], 2)):
        assert SERVICES["set-results"].page(filters={"superseded": wanted}).total == number
        assert SERVICES["breaks"].count(filters={"superseded": wanted}) == 3 * number
    assert SERVICES["breaks"].page(filters={"superseded": "true"}).items[0].superseded is True
