"""A signature is given for the result that its signer saw; one that was corrected since is shown anew instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from lims.accounts.roles import MANAGER
from lims.base.database import current_session
from lims.base.problems import Conflict
from lims.base.signatures import Signature
from lims.results.models import SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import amend_set, correct_set, record_set, release, result_of, retract, verify
from tests.conftest import PASSWORD, Person
from tests.factories import ACTOR, a_batch
from tests.results.test_states import CHECKER

#: The step, and the state of the result that it is asked for.
STEPS = [("verify", "entered"), ("release", "verified"), ("retract", "released")]


def entry(*loads: str) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(loads), "tested_at": datetime.now(UTC).isoformat()})


def brought_to(state: str) -> SetResult:
    """A result in this state: the first of its set."""
    found = a_batch("40", plan_ages="3").sets[0]
    result = record_set(found.id, entry("424", "401", "396"), ACTOR)
    for reached, step in (("verified", verify), ("released", release)):
        if state in {reached, "released"}:
            result = step(found.id, CHECKER)
    return result


def replaced(first: SetResult, state: str) -> SetResult:
    """Corrected after somebody has opened it, and brought to the same state again."""
    replace = amend_set if first.state == "released" else correct_set
    replace(first.specimen_set_id, entry("424", "401", "390"), first.number, ACTOR, "digit read wrong")
    for reached, step in (("verified", verify), ("released", release)):
        if state in {reached, "released"}:
            step(first.specimen_set_id, CHECKER)
    result = result_of(first.specimen_set_id)
    assert result is not None
    assert (result.number, result.state) == (2, state)
    return result


@pytest.mark.parametrize(("step", "state"), STEPS)
def test_result_that_was_corrected_since_it_was_seen_is_not_signed(
    records_on_both: Flask, step: str, state: str
) -> None:
    first = brought_to(state)
    set_id = first.specimen_set_id
    second = replaced(first, state)
    signed = current_session().query(Signature).count()
    steps: dict[str, Callable[[int], Any]] = {
        "verify": lambda number: verify(set_id, CHECKER, result_number=number),
        "release": lambda number: release(set_id, CHECKER, result_number=number),
        "retract": lambda number: retract(set_id, "wrong press", CHECKER, result_number=number),
    }
    for number, seen in ((1, "424, 401, 396"), (9, "")):
        with pytest.raises(Conflict) as conflict:
            steps[step](number)
        assert conflict.value.theirs == {"loads_kn": "424, 401, 390"}
        assert conflict.value.yours == {"loads_kn": seen}
        assert conflict.value.current_version == 2
    assert current_session().query(Signature).count() == signed
    assert second.state == state
    assert steps[step](2).state != state


@pytest.mark.parametrize(("step", "state"), STEPS)
def test_page_signs_the_result_that_stood_on_it_and_shows_what_counts_now(
    app: Flask, sign_in_as: Callable[[str], Person], step: str, state: str
) -> None:
    manager = sign_in_as(MANAGER)
    with app.app_context():
        first = brought_to(state)
        address, number = f"/press/sets/{first.specimen_set_id}", first.number
        set_id = first.specimen_set_id

    def sent() -> dict[str, str]:
        """What the step's form on the page sends by itself."""
        page = manager.get(address).get_data(as_text=True)
        form = page[page.index(f'action="{address}/{step}"') :]
        return dict(re.findall(r'name="(result_number)" value="(\d+)"', form[: form.index("</form>")]))

    seen = {**sent(), "reason": "wrong press", "password": PASSWORD}
    with app.app_context():
        found = result_of(set_id)
        assert found is not None
        assert seen["result_number"] == str(number)
        replaced(found, state)
    answer = manager.post(f"{address}/{step}", seen)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "was corrected after this page was opened; nothing was signed" in page
    assert "version 2" in page
    assert ">390<" in page
    assert step != "retract" or 'value="wrong press"' in page
    assert manager.post(f"{address}/{step}", {**seen, "result_number": "none"}).status_code == 409
    assert manager.post(f"{address}/{step}", {**seen, **sent()}).status_code == 302


@pytest.mark.parametrize(("step", "state"), STEPS)
def test_step_over_rest_on_a_superseded_result_does_not_reach_its_successor(
    app: Flask, sign_in_as: Callable[[str], Person], step: str, state: str
) -> None:
    manager = sign_in_as(MANAGER)
    manager.post("/profile/", {})  # for its token
    with app.app_context():
        first = brought_to(state)
        old, new = first.id, replaced(first, state).id
    body = {"password": PASSWORD, **({"reason": "wrong press"} if step == "retract" else {})}

    def asked(result_id: int) -> Any:
        address = f"/api/v1/set-results/{result_id}/steps/{step}"
        return manager.client.post(address, json=body, headers={"X-CSRFToken": manager.token})

    answer = asked(old)
    assert answer.status_code == 409
    told = answer.get_json()
    assert told["theirs"] == {"loads_kn": "424, 401, 390"}
    assert told["yours"] == {"loads_kn": "424, 401, 396"}
    assert asked(new).status_code == 200


def test_page_of_a_result_leads_to_its_set_and_not_to_a_refusal(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        result = brought_to("entered")
        place, set_id = f"/set-results/{result.id}", result.specimen_set_id
    page = sign_in_as(MANAGER).get(place).get_data(as_text=True)
    assert f'href="{place}/edit"' not in page
    assert f'href="/press/sets/{set_id}"' in page
