"""The language that is being spoken, and its words: Flask-Babel's, looked up once a request instead of at each word."""

from __future__ import annotations

from typing import Any

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, g
from flask_babel import Domain, get_locale
from flask_babel import _get_current_context as context_of_babel
from flask_babel import gettext as _

from lims.standards.errors import RuleInputError, shown_value
from lims.standards.words import Said

#: Of pages, papers and data: a language's name in addresses and settings -> what it calls itself.
LANGUAGES = {"en": "English", "zh": "简体中文", "zh_TW": "繁體中文"}


def keep_translations(app: Flask) -> None:
    """After Flask-Babel was set up for the application."""
    app.extensions["babel"].instance.__dict__["domain_instance"] = KeptDomain()


class KeptDomain(Domain):
    """Finds the words of a language once a request; Flask-Babel's `refresh` and `force_locale` put them aside."""

    def get_translations(self) -> Any:
        # Flask-Babel's own way to its context asks Flask six times; a page speaks a hundred words.
        try:
            context = vars(g._get_current_object()).get("_flask_babel") or context_of_babel()
        except RuntimeError:
            context = None
        if context is None:
            return NullTranslations()
        found = getattr(context, "babel_translations", None)
        if found is None:
            found = context.babel_translations = super().get_translations()
        return found


def spoken_locale() -> Locale | None:
    """What Flask-Babel's `get_locale` answers, for whoever asks at each cell of a table. None outside an application."""
    try:
        context = vars(g._get_current_object())
    except RuntimeError:
        return None
    found: Locale | None = getattr(context.get("_flask_babel"), "babel_locale", None)
    return get_locale() if found is None else found


def reading_language() -> str:
    """Which of LANGUAGES the reader reads; outside an application English."""
    locale = spoken_locale()
    if locale is None or locale.language != "zh":
        return "en"
    return "zh_TW" if locale.script == "Hant" or locale.territory == "TW" else "zh"


def told(text: str) -> str:
    """A text of the rules (a step, a check, what is accepted) in the reader's language; a text that is none comes back."""
    if isinstance(text, Said):
        values = {name: _told_value(value) for name, value in text.values.items()}
        return str(_(text.text, **values)) if values else str(_(text.text))
    return str(_(text)) if text else ""


def cited(code: str, edition: str) -> str:
    """Code and edition of a rule as they are cited, "GB/T 50081-2019", "EN 12390-3:2019"; of a rule of several codes each
    with its own, and with a space where a hyphen would belong to nothing ("fib Model Code 2010")."""
    codes, editions = code.split(", "), edition.split(", ")
    if len(codes) != len(editions):
        return f"{told(code)} {edition}"
    return ", ".join(_cited(name, year) for name, year in zip(codes, editions, strict=True))


def _cited(code: str, edition: str) -> str:
    if not (code[-2:-1].isdigit() or code[-1:].isdigit()):
        return f"{told(code)} {edition}"
    return f"{code}{':' if code.startswith(('EN ', 'ISO ')) else '-'}{edition}"


def _told_value(value: object) -> object:
    if isinstance(value, tuple):
        return str(_(", ")).join(told(part) for part in value)
    return told(value) if isinstance(value, str) else value


def told_refusal(error: RuleInputError) -> str:
    """What a rule would not take and what it would, in the reader's language; the field is named by whoever shows it."""
    what = told(error.accepted)
    if error.value is None:
        return str(_("is missing; accepted: %(what)s", what=what))
    value = told(error.value) if isinstance(error.value, Said) else shown_value(error.value)
    return str(_("%(value)s is not accepted; accepted: %(what)s", value=value, what=what))
