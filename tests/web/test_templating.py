"""A template is compiled once a language with its words in it, and says what looking each word up would have said."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
from babel.support import Translations
from flask import Flask, render_template, render_template_string
from flask_babel import force_locale, get_translations, gettext, refresh
from jinja2 import DictLoader
from markupsafe import Markup

from lims.accounts.roles import MANAGER, TECHNICIAN
from lims.base.words import spoken_locale
from tests.conftest import Person


@pytest.fixture
def request_in(app: Flask) -> Iterator[Callable[[str], None]]:
    """A request whose language is the given one."""
    from flask import session

    with app.test_request_context("/"):

        def speak(language: str) -> None:
            session["locale"] = language
            refresh()

        yield speak


def said(app: Flask, source: str, **values: object) -> str:
    """A page of this source, rendered twice: compiled and from the cache."""
    app.jinja_env.loader, before = DictLoader({"page.html": source}), app.jinja_env.loader
    app.jinja_env.cache = {}  # type: ignore[assignment]
    try:
        first = render_template("page.html", **values)
        assert render_template("page.html", **values) == first
        return first
    finally:
        app.jinja_env.loader = before
        app.jinja_env.cache = {}  # type: ignore[assignment]


@pytest.mark.parametrize("language", ["en", "zh", "zh_TW"])
def test_fixed_words_read_as_gettext_says_them(
    app: Flask, request_in: Callable[[str], None], language: str
) -> None:
    request_in(language)
    assert said(app, '{{ _("Save") }}<a title="{{ _("Cancel") }}">') == (
        f'{gettext("Save")}<a title="{gettext("Cancel")}">'
    )


def test_page_speaks_another_language_at_the_next_request(
    app: Flask, request_in: Callable[[str], None]
) -> None:
    request_in("en")
    english = said(app, '{{ _("Save") }}')
    request_in("zh")
    assert said(app, '{{ _("Save") }}') != english
    request_in("en")
    assert said(app, '{{ _("Save") }}') == english


def test_language_that_is_forced_for_a_paper_is_the_template_s_too(
    app: Flask, request_in: Callable[[str], None]
) -> None:
    request_in("en")
    with force_locale("zh"):
        paper = render_template_string('{{ _("Save") }}')
        assert paper == gettext("Save") != "Save"
        assert str(spoken_locale()) == "zh"
    assert render_template_string('{{ _("Save") }}') == gettext("Save") == "Save"


def test_values_in_words_are_escaped_and_words_are_not(
    app: Flask, request_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    request_in("en")
    monkeypatch.setattr(Translations, "ugettext", lambda _self, words: f"<b>{words}</b>")
    assert get_translations().ugettext("x") == "<b>x</b>"
    shown = said(app, '{{ _("of %(who)s, 5 %%", who=who) }} {{ _("5 %%") }}', who="<i>")
    assert shown == "<b>of &lt;i&gt;, 5 %</b> <b>5 %</b>"
    shown = said(app, '{{ _("of %(who)s", who=who) }}', who=Markup("<i>"))
    assert shown == "<b>of <i></b>"


def test_words_that_are_not_fixed_are_looked_up_as_before(
    app: Flask, request_in: Callable[[str], None]
) -> None:
    request_in("zh")
    assert said(app, "{{ _(word) }}", word="Save") == gettext("Save")


class Row:
    name = "C30-0412"


def test_page_leaves_none_of_its_rows_for_the_collector(
    app: Flask, request_in: Callable[[str], None]
) -> None:
    """Macros, imports with and without the page's variables, blocks and included parts know what the page was given."""
    request_in("en")
    pages = {
        "layout.html": '{% import "shared.html" as shared with context %}{% import "apart.html" as apart %}'
        '{% block body %}{% endblock %}{% include "part.html" %}',
        "shared.html": "{% macro named() %}{{ rows[0].name }}{% endmacro %}",
        "apart.html": "{% macro loud(words) %}{{ words }}!{% endmacro %}",
        "part.html": "{% for row in rows %}{{ row.name }}{% endfor %}",
        "page.html": '{% extends "layout.html" %}{% macro own() %}{{ rows|length }} {{ shared.named() }}{% endmacro %}'
        "{% block body %}{{ own() }} {{ apart.loud(rows[0].name) }} {% endblock %}",
    }
    app.jinja_env.loader, before = DictLoader(pages), app.jinja_env.loader
    app.jinja_env.cache = {}  # type: ignore[assignment]
    gc.disable()
    try:
        for _turn in range(2):  # compiled, and from the cache with the macros that are kept
            row = Row()
            gone = weakref.ref(row)
            assert render_template("page.html", rows=[row]) == "1 C30-0412 C30-0412! C30-0412"
            del row
            assert gone() is None
    finally:
        gc.enable()
        app.jinja_env.loader = before
        app.jinja_env.cache = {}  # type: ignore[assignment]


def test_menu_is_that_of_the_role_and_marks_the_page(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    """Menus are kept: none may come from another person's or another page's."""
    technician, manager = sign_in_as(TECHNICIAN), sign_in_as(MANAGER)
    for _turn in range(2):
        pages = {
            (who, path): person.get(path).get_data(as_text=True)
            for who, person in (("technician", technician), ("manager", manager))
            for path in ("/batches/", "/mix-designs/")
        }
        for (who, path), page in pages.items():
            menu = page[page.index("<aside") : page.index("</aside>")]
            other = "/mix-designs/" if path == "/batches/" else "/batches/"
            assert f'aria-current="page" href="{path}"' in menu
            assert f'aria-current="page" href="{other}"' not in menu
            assert ('href="/customers/"' in menu) == (
                'href="/customers/"' in pages[who, other][pages[who, other].index("<aside") :]
            )
        assert pages["technician", "/batches/"] != pages["manager", "/batches/"]
