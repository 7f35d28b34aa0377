"""The same day by REST, following the OpenAPI description alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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
    assert (first["id"], Decimal(first["strength_mpa"]), first["state"]) == (
        again["id"],
        Decimal("18.1"),
        "entered",
    )
    breaks = technician.call("GET", "/api/v1/breaks/?order=tested_at")["result"]
    assert sorted(Decimal(item["load_kn"]) for item in breaks) == [396, 401, 424]

    refused = technician.client.post(
        f"/api/v1/set-results/{first['id']}/steps/verify",
        headers=technician.headers,
        json={"password": PASSWORD},
    )
    assert refused.status_code == 422
    assert "another person" in refused.get_json()["message"]
    manager = Program(app, MANAGER, described)
    step = f"/api/v1/set-results/{first['id']}/steps/"
    assert manager.call("POST", step + "verify", password=PASSWORD)["result"]["state"] == "verified"
    assert (
        technician.client.post(
            step + "release", headers=technician.headers, json={"password": PASSWORD}
        ).status_code
        == 403
    )
    assert manager.call("POST", step + "release", password=PASSWORD)["result"]["state"] == "released"
    entry = {"loads_kn": ["424", "401", "402"], "tested_at": body["tested_at"]}
    amended = manager.call(
        "POST", step + "amend", **entry, reason="third load read wrongly", password=PASSWORD
    )["result"]
    assert (amended["number"], Decimal(amended["strength_mpa"]), amended["state"]) == (
        2,
        Decimal("18.2"),
        "entered",
    )
    step = f"/api/v1/set-results/{amended['id']}/steps/"
    technician.call("POST", step + "verify", password=PASSWORD)
    manager.call("POST", step + "release", password=PASSWORD)
    held = technician.call("GET", f"/api/v1/specimen-sets/?batch_id={batch['id']}&state=held")["result"][0]
    taken_back = manager.call(
        "POST",
        step + "retract",
        reason="cubes of another element",
        held_set_id=held["id"],
        age_days=7,
        password=PASSWORD,
    )["result"]
    assert (taken_back["state"], taken_back["retract_reason"]) == ("retracted", "cubes of another element")
    retest = technician.call("GET", f"/api/v1/specimen-sets/{held['id']}")["result"]
    assert (retest["state"], retest["purpose"], retest["retest_of_id"]) == (
        "waiting",
        "retest",
        sets[0]["id"],
    )
