"""Requests made from the OpenAPI description, right and wrong ones: no 500, and no answer outside its description.

LIMS_FUZZ_API is the number of requests for each operation; `make fuzz-api` asks for many. In the suite every day another
part of the operations is asked once; LIMS_FUZZ_API_PART, as a failure names it, asks for the same part again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from benchmarks.laboratory import fill
from lims.accounts.roles import ADMINISTRATOR
from tests.conftest import Person
from tests.factories import a_customer

EXAMPLES = int(os.environ.get("LIMS_FUZZ_API", "1"))
#: In the suite a part of the operations, after so many days all of them; all at once with `make fuzz-api`.
EVERY = 25 if EXAMPLES == 1 else 1
PART = int(os.environ.get("LIMS_FUZZ_API_PART", datetime.now(UTC).toordinal())) % EVERY
#: They are read every day, by the id of a record that exists.
READ_BY_ID = tuple(f"GET /api/v1/{name}/{{" for name in ("batches", "customers", "set-results", "specimens"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def description(app: Flask, administrator: Person) -> Any:
    """The description that the application gives of itself, with it and a laboratory that has results behind."""
    fill(app, 90, open_share=0.5)
    with app.app_context():
        a_customer()
    told = administrator.get("/api-description/openapi.json").get_json()
    told["servers"] = [{"url": "http://localhost"}]
    schema = schemathesis.openapi.from_dict(told)
    schema.app = app
    return schema


def _operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def _requests(operation: Any, mode: GenerationMode, answered: Callable[[Any], None]) -> None:
    @seed(11)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        answered(case)

    one()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_no_request_gives_500_or_an_answer_outside_the_description(
    app: Flask, sign_in_as: Callable[[str], Person], description: Any, mode: GenerationMode
) -> None:
    person = sign_in_as(ADMINISTRATOR)
    person.post("/profile/")  # fetches the token
    cookies = {cookie.key: cookie.value for cookie in person.client._cookies.values()}  # type: ignore[attr-defined]
    headers = {"X-CSRFToken": person.token}
    statuses: Counter[int] = Counter()
    read_by_id: set[str] = set()
    asked: set[str] = set()
    wrong: list[str] = []

    def answered(case: Any) -> None:
        asked.add(case.operation.label)
        case.headers.pop("Authorization", None)  # a token would take the place of the session
        if mode is GenerationMode.POSITIVE and case.operation.method.upper() == "GET":
            for name, value in case.path_parameters.items():
                if isinstance(value, int):
                    case.path_parameters[name] = 1  # it exists wherever the laboratory has records at all
        answer = case.call(headers=headers, cookies=cookies)
        statuses[answer.status_code] += 1
        if answer.status_code == 200 and case.operation.label.startswith(READ_BY_ID):
            read_by_id.add(case.operation.label)
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseExceptionGroup as failures:
            said = "; ".join(str(failure).split("\n")[0] for failure in failures.exceptions)
            wrong.append(
                f"{case.operation.label} {answer.status_code}: {said} {json.dumps(case.query or {})[:200]}"
            )

    chosen = [
        op
        for place, op in enumerate(_operations(description))
        if place % EVERY == PART or op.label.startswith(READ_BY_ID)
    ]
    for operation in chosen:
        _requests(operation, mode, answered)
    assert len(asked) >= len(chosen) * 0.8, sorted(asked)
    assert wrong == [], f"{len(wrong)} of {sum(statuses.values())}, LIMS_FUZZ_API_PART={PART}:\n" + "\n".join(
        wrong[:40]
    )
    if mode is GenerationMode.POSITIVE:
        assert len(read_by_id) >= len(READ_BY_ID), (read_by_id, statuses)
    assert statuses.keys() & {200, 201, 400, 404, 422}
