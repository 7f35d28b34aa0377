"""REST: reading page by page comes to an end, what is taken is given back, and the description names every answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from lims.base import services
from lims.base.services import SERVICES
from tests.base.test_paging import counts_to
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix


def read_until_nothing_comes(person: Person, path: str, most: int = 20) -> list[int]:
    seen: list[int] = []
    for number in range(most):
        found = person.get(f"{path}&page={number}").get_json()
        assert found["page"] == number
        if not found["result"]:
            return seen
        seen += [row["id"] for row in found["result"]]
    raise AssertionError("came to no end")


def test_reading_page_by_page_ends_and_gives_each_record_once(app: Flask, administrator: Person) -> None:
    with app.app_context():
        made = [a_customer(f"K-{number:02d}").id for number in range(60)]
    assert read_until_nothing_comes(administrator, "/api/v1/customers/?order=code&page_size=25") == made
    assert administrator.get("/api/v1/customers/?page=999999999").get_json()["result"] == []
    beyond = administrator.get("/customers/?page=999").get_data(as_text=True)
    assert "K-59" in beyond  # the page for people is the last one in place of none


def test_pages_beyond_what_is_counted_are_reached_by_number(
    app: Flask, administrator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts_to(25, monkeypatch)
    with app.app_context():
        made = [a_customer(f"K-{number:02d}").id for number in range(60)]
    found = administrator.get("/api/v1/customers/?page_size=25&page=1").get_json()
    assert (found["count"], found["counted"]) == (25, False)
    assert read_until_nothing_comes(administrator, "/api/v1/customers/?order=code&page_size=25") == made


def test_page_beyond_an_end_that_is_counted_asks_for_no_rows(
    app: Flask, administrator: Person, count_sql: Callable[[], Any]
) -> None:
    with app.app_context():
        a_customer()
    with app.test_request_context(), count_sql() as seen:
        assert not services.SERVICES["trials"].page(number=7, clamped=False).items
    assert len([one for one in seen if "FROM trials" in one]) == 1, seen


def test_retired_records_are_listed_where_they_are_asked_for(app: Flask, administrator: Person) -> None:
    with app.app_context():
        gone = a_customer("K-1")
        a_customer("K-2")
        SERVICES["customers"].retire(gone.id, ACTOR)

    def codes(query: str) -> set[str]:
        found = administrator.get(f"/api/v1/customers/{query}").get_json()["result"]
        return {row["code"] for row in found}

    assert codes("") == codes("?retired=false") == codes("?retired=0") == {"K-2"}
    assert codes("?retired=true") == codes("?retired=1") == {"K-1", "K-2"}
    for wrong in ("?retired=maybe", "?retired=", "?retired=1&retired=0"):
        answer = administrator.get(f"/api/v1/customers/{wrong}")
        assert answer.status_code == 400
        assert "true or false" in answer.get_json()["message"]


def lots_of_materials() -> dict[str, int]:
    def add(record: str, **values: Any) -> int:
        return int(SERVICES[record].add(values, ACTOR).id)

    source = add("aggregate-sources", code="A-1", name="Pit", kind="coarse")
    return {
        "slag_lot_id": add("scm-lots", code="S-1", kind="slag"),
        "fly_ash_lot_id": add("scm-lots", code="F-1", kind="fly_ash"),
        "superplasticizer_lot_id": add("admixture-lots", code="X-1", kind="superplasticizer"),
        "coarse_aggregate_sample_id": add(
            "aggregate-samples", code="C-1", aggregate_source_id=source, sampled_on="2026-01-01"
        ),
    }


def test_a_batch_gives_back_the_lots_that_it_took(
    app: Flask, administrator: Person, count_sql: Callable[[], Any]
) -> None:
    with app.app_context():
        given = lots_of_materials()
        mix = a_mix()
        first = a_batch(mix=mix, **given)
        second = a_batch(mix=mix)
    lots = administrator.get(f"/api/v1/batches/{first.id}").get_json()["result"]["lots"]
    ids = {"scm_lot_id": None, "admixture_lot_id": None, "aggregate_sample_id": None}
    assert sorted(lots, key=lambda lot: str(lot["kind"])) == [
        {**ids, "kind": "coarse_aggregate", "aggregate_sample_id": given["coarse_aggregate_sample_id"]},
        {**ids, "kind": "fly_ash", "scm_lot_id": given["fly_ash_lot_id"]},
        {**ids, "kind": "slag", "scm_lot_id": given["slag_lot_id"]},
        {**ids, "kind": "superplasticizer", "admixture_lot_id": given["superplasticizer_lot_id"]},
    ]
    with count_sql() as seen:
        rows = administrator.get("/api/v1/batches/?order=code").get_json()["result"]
    assert [(row["id"], len(row["lots"])) for row in rows] == [(first.id, 4), (second.id, 0)]
    assert len([one for one in seen if "FROM batch_lots" in one]) == 1, seen


def test_the_description_names_what_every_write_may_answer_and_every_list_takes(
    administrator: Person,
) -> None:
    told = administrator.get("/api-description/openapi.json").get_json()
    writes = {
        f"{method} {path}": set(operation["responses"])
        for path, operations in told["paths"].items()
        for method, operation in operations.items()
        if method in {"post", "put", "delete"} and path.startswith("/api/v1/") and "/security/" not in path
    }
    assert len(writes) > 50
    assert {name: kinds for name, kinds in writes.items() if not {"409", "422", "429", "503"} <= kinds} == {}
    schemas = told["components"]["schemas"]
    assert schemas["Comparisons.out"]["properties"]["outcome"]["type"] == "object"
    assert schemas["Batches.out"]["properties"]["lots"]["type"] == "array"
    assert "early_ages" in schemas["ForecastModels.out"]["properties"]
    names = {item["name"] for item in told["paths"]["/api/v1/customers/"]["get"]["parameters"]}
    assert {"page", "after", "retired"} <= names
    assert "503" in told["paths"]["/api/v1/customers/"]["get"]["responses"]
