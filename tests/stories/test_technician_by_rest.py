"""The same day by REST, following the OpenAPI description alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask

from lims.accounts.roles import MANAGER, TECHNICIAN
from lims.base.services import SERVICES
from tests.conftest import PASSWORD, USERNAMES, Person
from tests.factories import ACTOR, a_mix, a_trial


class Program:
    """A program of one person: signs in for a token, sends JSON, checks that each path is described."""

    def __init__(self, app: Flask, role: str, described: set[str]) -> None:
        self.client, self.described = app.test_client(), described
        answer = self.client.post(
            "/api/v1/security/login",
            json={"username": USERNAMES[role], "password": PASSWORD, "provider": "db"},
        )
        assert answer.status_code == 200, answer.get_json()
        self.headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    def call(self, method: str, path: str, **body: Any) -> Any:
        shape = "/".join("{pk}" if part.isdigit() else part for part in path.split("?")[0].split("/"))
        assert any(
            shape.rstrip("/") == item.rstrip("/").replace("{record_id}", "{pk}") for item in self.described
        ), shape
        answer = self.client.open(path, method=method, json=body or None, headers=self.headers)
        assert answer.status_code < 300, (path, answer.get_json())
        return answer.get_json()


def test_the_day_by_rest(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    description = sign_in_as(MANAGER).get("/api-description/openapi.json").get_json()
    described = set(description["paths"])
    with app.app_context():
        trial_id, revision_id = a_trial().id, a_mix().latest_revision_id
        SERVICES["presses"].add({"code": "P1", "name": "Press"}, ACTOR)
    technician = Program(app, TECHNICIAN, described)
    cast_at = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    batch = technician.call(
        "POST",
        "/api/v1/batches/",
        trial_id=trial_id,
        mix_revision_id=revision_id,
        cast_at=cast_at,
        volume_m3="120",
        hold_sets=1,
    )["result"]
    sets = technician.call("GET", f"/api/v1/specimen-sets/?batch_id={batch['id']}&age_days=3")["result"]
    assert [item["state"] for item in sets] == ["waiting"] * 3
    press = technician.call("GET", "/api/v1/presses/")["result"][0]
    body = {
        "specimen_set_id": sets[0]["id"],
        "loads_kn": ["424", "401", "396"],
        "tested_at": datetime.now(UTC).isoformat(),
        "press_id": press["id"],
    }
    first = technician.call("POST", "/api/v1/set-results/", **body)["result"]
    again = technician.call("POST", "/api/v1/set-results/", **body)["result"]
    assert (first["id"], first["strength_mpa"], first["state"]) == (again["id"], "18.100", "entered")
    breaks = technician.call("GET", "/api/v1/breaks/?order=id")["result"]
    assert [item["load_kn"] for item in breaks] == ["424.000", "401.000", "396.000"]
