"""Every failure as a page or as JSON: what happened, what to do. No traceback, no SQL, nothing half-saved."""

from __future__ import annotations

import logging
import secrets
from typing import Any

from flask import Flask, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, generate_csrf
from markupsafe import escape
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException

from lims.base.database import database
from lims.base.problems import (
    CarrierAway,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    Refused,
    Unavailable,
    WritesStopped,
)
from lims.base.security import principal
from lims.base.sent_again import is_from_here, sent_again, typed

log = logging.getLogger(__name__)

#: What a page left alone asks. Another tab may have opened the session anew: refused for a stale token, these answers bring
#: the token that counts now, so that the page can end its session and is opened again with what was typed. No other site
#: reads them.
LEFT_ALONE = {"SignInView.lock", "SignInView.unlock"}


def wants_json() -> bool:
    return request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json"


def answer(
    status: int,
    title: str,
    message: str,
    advice: str = "",
    problems: Any = (),
    extra: Any = None,
    again: bool = False,
) -> ResponseReturnValue:
    """The same facts for a person or for a program. `again`: the same request may succeed later, so that a form brings what
    was typed and is sent by a click."""
    if wants_json():
        body = {"message": message, "problems": [p.as_dict() for p in problems], **(extra or {})}
        return jsonify(body), status
    try:
        named = [(_label(p), p.message) for p in problems]
        page = render_template(
            "lims/error.html",
            code=status,
            title=title,
            message=message,
            advice=advice,
            problems=named,
            typed=typed() if again else None,
        )
    except Exception:
        log.exception("the error page itself failed")
        page = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>"
        page += f"<p>{escape(message)}</p><p>{escape(advice)}</p>" + (_plain_form() if again else "")
    return page, status


def _plain_form() -> str:
    """What was typed, to be sent again, on a page without the layout, which asks a database that is away; "" for what was no
    form of ours."""
    found = typed()
    if found is None:
        return ""
    hidden = [("csrf_token", generate_csrf()), *found.kept]
    fields = [
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in hidden
    ]
    fields += [
        f'<p><label>{escape(label)} <input type="password" name="{escape(name)}" required></label></p>'
        for name, label in found.typed_again.items()
    ]
    files = escape(_("Files are not kept: choose them again on their page.")) if found.files else ""
    return (
        f'<p>{files}</p><form method="post" action="{escape(found.address)}">{"".join(fields)}'
        f"<button>{escape(_('Send again'))}</button></form>"
    )


def _label(problem: Problem) -> str:
    """The field as the page that was asked calls it, or as all forms do that have it; never its name in the schema. What is
    in no form came in the address, where the value stands too."""
    from lims.base.views import COMMON_LABELS, VIEWS, RecordView

    name = problem.field.split(".")[0]
    own = getattr(current_app.view_functions.get(request.endpoint or ""), "__self__", None)
    if isinstance(own, RecordView) and (name in own.inputs or name in own.labels):
        return own.label(name)
    if name in COMMON_LABELS:
        return str(COMMON_LABELS[name])
    labels = {view.label(name) for view in VIEWS.values() if name in view.inputs or name in view.labels}
    if len(labels) == 1:
        return labels.pop()
    return problem.value if request.method in {"GET", "HEAD"} else ""


def register_error_pages(app: Flask) -> None:
    @app.errorhandler(Refused)
    def _refused(error: Refused) -> ResponseReturnValue:
        status = 422 if request.method not in {"GET", "HEAD"} else 400
        advice = _("Go back, correct what is named and send it again. Nothing was saved.")
        if wants_json():  # a program reads the names that it sent
            return answer(status, _("Not accepted"), str(error), advice, error.problems)
        return answer(status, _("Not accepted"), advice, problems=error.problems)

    @app.errorhandler(NotFound)
    def _not_found(error: NotFound) -> ResponseReturnValue:
        return answer(404, _("Not found"), _("There is no such record."), _("It may have another number."))

    @app.errorhandler(Forbidden)
    def _forbidden(error: Forbidden) -> ResponseReturnValue:
        if principal() is None and not wants_json():
            form = sent_again()
            return (
                form
                if form is not None
                else redirect(url_for("SignInView.login", next=request.full_path.rstrip("?")))
            )
        if principal() is None:
            return answer(401, _("Sign in"), _("Sign in, or send an API key or a bearer token."))
        log.warning("refused: %s %s for %s", request.method, request.path, principal())
        return answer(
            403,
            _("Not allowed"),
            _("Your role does not allow this."),
            _("Ask an administrator if your work needs it."),
        )

    @app.errorhandler(Conflict)
    def _conflict(error: Conflict) -> ResponseReturnValue:
        extra = {"theirs": error.theirs, "yours": error.yours, "current_version": error.current_version}
        return answer(
            409,
            _("Changed meanwhile"),
            _("Someone else changed this record after you opened it."),
            _("Open it again; your values are shown beside theirs."),
            extra=extra,
        )

    @app.errorhandler(WritesStopped)
    def _stopped(error: WritesStopped) -> ResponseReturnValue:
        log.error("writes are stopped: %s", error)
        return answer(
            503,
            _("Writing is stopped"),
            _(
                "The database's own guards were altered: %(names)s. Nothing was saved; reading goes on.",
                names=error,
            ),
            _(
                "Tell an administrator: `lims audit verify` says what else was altered; with the server stopped, "
                "`lims upgrade` backs up and puts the guards back."
            ),
        )

    @app.errorhandler(CarrierAway)
    def _carrier_away(error: CarrierAway) -> ResponseReturnValue:
        log.error("what carries jobs is away: %s", error)
        return answer(
            503,
            _("Busy"),
            _("Running jobs cannot be reached at the moment."),
            _("Nothing was changed. Try again in a few seconds; if it stays so, tell an administrator."),
        )

    @app.errorhandler(Unavailable)
    def _unavailable(error: Unavailable) -> ResponseReturnValue:
        return _disk_full() if is_disk_full(error) else _busy()

    @app.errorhandler(OperationalError)
    @app.errorhandler(NoConnectionFree)
    def _operational(error: OperationalError | NoConnectionFree) -> ResponseReturnValue:
        database().undo()
        log.error("database: %s", getattr(error, "orig", error))
        return _disk_full() if is_disk_full(error) else _busy()

    @app.errorhandler(DataError)
    def _database(error: DataError) -> ResponseReturnValue:
        # A value that the database cannot take at all (a 20-digit key): the request is wrong, not the server.
        database().undo()
        log.warning("database refused a value: %s", type(error.orig).__name__)
        return answer(400, _("Not accepted"), _("A value of the request is outside what can be stored."))

    @app.errorhandler(CSRFError)
    def _csrf(error: CSRFError) -> ResponseReturnValue:
        if (
            request.endpoint == "SignInView.login" and is_from_here()
        ):  # stood open for longer than a session lives
            return redirect(request.full_path.rstrip("?"))
        form = None if wants_json() else sent_again()
        if form is not None:
            return form
        return answer(
            400,
            _("Form expired"),
            _("The form's security token is missing or no longer valid."),
            _("Open the page again and repeat the entry."),
            extra={"token": generate_csrf()} if request.endpoint in LEFT_ALONE else None,
        )

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        cause = getattr(error, "original_exception", None)
        if cause is not None:  # raised after the answer was made, where Flask asks no handler of its kind
            return app.handle_user_exception(cause)
        code = error.code or 500
        if 300 <= code < 400:
            return error.get_response()
        titles = {
            400: _("Not understood"),
            401: _("Sign in"),
            403: _("Not allowed"),
            404: _("Not found"),
            405: _("Not possible here"),
            413: _("Too large"),
            429: _("Too many attempts"),
        }
        messages = {
            403: _("Your role does not allow this."),
            404: _("There is no such page."),
            405: _("This address does not take that kind of request."),
            413: _("The upload is larger than %(mb)s MB.", mb=(request.max_content_length or 0) // 1_000_000),
            429: _("Too many failed attempts. Wait a minute, then try again."),
        }
        message = messages.get(code) or str(error.description or error.name)
        return answer(code, titles.get(code, error.name), message)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        database().undo()
        mark = secrets.token_hex(4)
        log.exception("error %s on %s %s", mark, request.method, request.path)
        return answer(
            500,
            _("Something went wrong here"),
            _("The mistake is ours and was recorded as %(mark)s. Nothing was saved.", mark=mark),
        )


def is_disk_full(error: Exception) -> bool:
    """SQLite and PostgreSQL say it in their own words."""
    text = str(error).lower()
    return "disk is full" in text or "no space left" in text


def _disk_full() -> ResponseReturnValue:
    log.error("the disk is full")
    return answer(
        503,
        _("The disk is full"),
        _("The server's disk is full."),
        _("Nothing was saved. Tell an administrator; send it again when there is room."),
        again=True,
    )


def _busy() -> ResponseReturnValue:
    return answer(
        503,
        _("Busy"),
        _("The database is busy or away."),
        _("Your entry was not saved. Send it again in a few seconds."),
        again=True,
    )
