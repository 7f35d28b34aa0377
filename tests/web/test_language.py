"""A first visit reads in the browser's language, else the laboratory's; a person's choice follows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from flask import Flask
from flask_babel import force_locale

from lims.accounts.roles import MANAGER
from lims.aftersales.models import in_own_language
from lims.base.actor import system_actor
from lims.base.display import show_day, show_number, show_time
from lims.base.problems import Unavailable
from lims.base.words import LANGUAGES, reading_language
from lims.importing.columns import Words as SheetWords
from lims.laboratory.service import save_laboratory
from lims.reporting.layouts import Words as LayoutWords
from tests.conftest import PASSWORD, Person
from tests.laboratory.test_setting_up import FACTS


@pytest.mark.parametrize(
    ("wish", "tag"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-TW,zh;q=0.9", "zh-Hant"),
        ("zh-Hant-HK", "zh-Hant"),
        ("de-AT,de;q=0.9,en;q=0.5", "en"),
        ("en-GB", "en"),
    ],
)
def test_first_visit_reads_in_the_language_of_the_browser(app: Flask, wish: str, tag: str) -> None:
    page = app.test_client().get("/login/", headers={"Accept-Language": wish})
    assert f'lang="{tag}"' in page.get_data(as_text=True)


def test_browser_without_a_known_language_reads_in_the_laboratory_s(app: Flask) -> None:
    with app.app_context():
        save_laboratory({**FACTS, "language": "zh"}, system_actor("test"))
    page = app.test_client().get("/login/", headers={"Accept-Language": "de"})
    assert 'lang="zh-Hans"' in page.get_data(as_text=True)


def test_chosen_language_follows_the_person_to_another_machine(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    sign_in_as(MANAGER).get("/lang/zh_TW")
    elsewhere = app.test_client()
    import re

    form = elsewhere.get("/login/", headers={"Accept-Language": "en"}).get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token is not None
    elsewhere.post(
        "/login/", data={"username": "manager", "password": PASSWORD, "csrf_token": token.group(1)}
    )
    assert 'lang="zh-Hant"' in elsewhere.get("/").get_data(as_text=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_data_in_three_languages_is_read_in_the_same_one_everywhere(
    app: Flask, language: str
) -> None:
    texts = ("Load", "破坏荷载", "破壞荷重")
    wanted = dict(zip(LANGUAGES, texts, strict=True))[language]
    without_traditional = "Load" if language == "en" else "破坏荷载"
    with app.app_context(), force_locale(language):
        assert reading_language() == language
        assert str(SheetWords(*texts)) == in_own_language(*texts) == _of_layout(*texts) == wanted
        assert str(SheetWords(*texts[:2])) == _of_layout(*texts[:2]) == without_traditional
        assert in_own_language(*texts[:2], None) == without_traditional


def _of_layout(en: str, zh: str, traditional: str = "") -> str:
    return LayoutWords(en=en, zh=zh, zh_TW=traditional).here()


@pytest.mark.parametrize(
    ("language", "day", "time", "number"),
    [
        ("en", "5 Mar 2026", "5 Mar 2026, 21:06", "12,500.25"),
        ("zh", "2026年3月5日", "2026年3月5日 21:06", "12,500.25"),
        ("zh_TW", "2026年3月5日", "2026年3月5日 21:06", "12,500.25"),
    ],
)
def test_days_times_and_numbers_read_as_the_language_writes_them(
    app: Flask, language: str, day: str, time: str, number: str
) -> None:
    with app.test_request_context(f"/?_l_={language}"):
        assert show_day(date(2026, 3, 5)) == day
        assert show_time(datetime(2026, 3, 5, 13, 6, tzinfo=UTC)) == time
        assert show_number(Decimal("12500.250")) == number
        assert show_number(Decimal("-1050")) == "-1050"


def test_language_is_spoken_though_the_database_could_not_take_the_choice(
    sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_given: object) -> None:
        raise Unavailable("other writers hold the database")

    monkeypatch.setattr("lims.web.language.choose", busy)
    person = sign_in_as(MANAGER)
    assert person.get("/lang/zh").status_code == 302
    assert 'lang="zh-Hans"' in person.get("/").get_data(as_text=True)
