"""Which language a page speaks: the person's choice, else the browser's wish, else the laboratory's."""

from __future__ import annotations

import logging

from flask import Flask, Response, request, session
from flask_babel import refresh
from sqlalchemy.exc import SQLAlchemyError

from lims.base.laboratory import laboratory
from lims.base.preferences import choose, value_of
from lims.base.problems import Unavailable
from lims.base.security import current_actor, principal

log = logging.getLogger(__name__)

#: What browsers ask for -> our name.
WISHES = {
    "zh-tw": "zh_TW",
    "zh-hk": "zh_TW",
    "zh-mo": "zh_TW",
    "zh-hant": "zh_TW",
    "zh": "zh",
    "zh-cn": "zh",
    "zh-sg": "zh",
    "zh-hans": "zh",
    "en": "en",
}


#: Answers that no person reads.
WITHOUT_LANGUAGE = {None, "static", "manifest", "service_worker"}


def wished() -> str:
    """The first language of the browser that we have; "" when it names none."""
    for language, _quality in request.accept_languages:
        lowered = language.lower()
        for name in (lowered, "-".join(lowered.split("-")[:2]), lowered.split("-")[0]):
            if name in WISHES:
                return WISHES[name]
    return ""


def register_language(app: Flask) -> None:
    """A first visit gets a language; a signed-in person keeps theirs on every machine."""

    @app.before_request
    def _begin() -> None:
        if request.endpoint in WITHOUT_LANGUAGE or request.blueprint == "health" or "locale" in session:
            return
        user = principal()
        chosen = value_of(user.id, "language") if user is not None else None
        locale = chosen or wished() or laboratory().language
        session["locale"] = locale if locale in app.config["LANGUAGES"] else "en"
        refresh()

    @app.after_request
    def _keep(response: Response) -> Response:
        if request.endpoint == "SignInView.login" and response.status_code == 302:
            user = principal()
            chosen = value_of(user.id, "language") if user is not None else None
            if chosen in app.config["LANGUAGES"]:
                session["locale"] = chosen
        if request.endpoint == "LocaleView.index" and response.status_code == 302:
            user = principal()
            if user is not None:
                try:
                    choose(user.id, "language", "", "", session["locale"], current_actor())
                except (Unavailable, SQLAlchemyError) as error:  # this browser speaks it all the same
                    log.warning("the language that %s chose was not kept: %s", user, error)
        return response
