"""The language that is being spoken, and its words: Flask-Babel's, looked up once a request instead of at each word."""

from __future__ import annotations

from typing import Any

from babel import Locale
from babel.support import NullTranslations
from flask import Flask, g
from flask_babel import Domain, get_locale
from flask_babel import _get_current_context as context_of_babel


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
