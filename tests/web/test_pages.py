"""Pages in every language, search, and the home page by role."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR, MANAGER, SALES, SERVICE, TECHNICIAN
from tests.conftest import Person
from tests.factories import a_customer, a_mix

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


def test_chinese_pages_read_chinese(technician: Person) -> None:
    technician.get("/lang/zh")
    assert "试压" in technician.get("/").get_data(as_text=True)
    technician.get("/lang/zh_TW")
    assert "試壓" in technician.get("/").get_data(as_text=True)


def test_unknown_language_is_refused_without_a_500(technician: Person) -> None:
    assert technician.get("/lang/xx").status_code in {302, 404}


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


def test_a_file_that_answers_late_does_not_bring_back_the_old_cookie(technician: Person) -> None:
    page = technician.get("/")
    assert "lims_session=" in page.headers.get("Set-Cookie", "")
    with technician.get("/static/js/lims.js") as script:
        assert script.status_code == 200
        assert "Set-Cookie" not in script.headers
    fetched = technician.get("/search/suggest?q=x", headers={"Sec-Fetch-Mode": "cors"})
    assert "Set-Cookie" not in fetched.headers
