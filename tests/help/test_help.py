"""Every screen has a help page that answers in every language, and the tour stops only where the role may go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, SALES, TECHNICIAN
from lims.help.topics import BY_SCREEN, TOPICS
from tests.conftest import Person


def test_every_guarded_page_has_its_topic(app: Flask) -> None:
    screens = {
        view.class_permission_name for view in app.appbuilder.baseviews if hasattr(view, "permission_on")
    }  # type: ignore[attr-defined]
    assert screens - set(BY_SCREEN) - {"help"} == set()


@pytest.mark.parametrize("language", ["en", "zh", "zh_TW"])
def test_every_help_page_answers(technician: Person, language: str) -> None:
    technician.get(f"/lang/{language}")
    for topic in TOPICS:
        assert technician.get(f"/help/{topic.name}").status_code == 200
    assert technician.get("/help/nothing").status_code == 404


def test_help_button_leads_to_the_page_of_the_screen(technician: Person) -> None:
    assert "/help/press" in technician.get("/press/").get_data(as_text=True)
    assert "/help/materials" in technician.get("/cement-lots/").get_data(as_text=True)


@pytest.mark.parametrize("role", [TECHNICIAN, SALES, AUDITOR, ADMINISTRATOR])
def test_tour_leads_through_pages_that_the_role_may_read(
    sign_in_as: Callable[[str], Person], role: str
) -> None:
    person = sign_in_as(role)
    number = 1
    while True:
        to_stop = person.get(f"/help/tour?stop={number}")
        assert to_stop.status_code == 302
        page = person.get(to_stop.headers["Location"])
        assert page.status_code == 200
        text = page.get_data(as_text=True)
        if to_stop.headers["Location"] == "/":
            break
        assert f"Stop {number} of" in text
        number += 1
    assert number > 3
    assert "Stop " not in person.get("/").get_data(as_text=True)
