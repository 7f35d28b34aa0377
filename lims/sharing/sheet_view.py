"""/s/<token>: the sheet as its reader sees it. No account, no session; the address is the key."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from flask import Response, current_app, make_response, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.utils.limit import Limit
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_limiter.util import get_remote_address
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import parse
from werkzeug.exceptions import TooManyRequests

from lims.base.forms import posted_values
from lims.base.headers import address_outside
from lims.base.passwords import password_matches
from lims.base.problems import NotFound, Problem, Refused, Unavailable
from lims.base.rate_limits import tries
from lims.base.secret_addresses import PREFIX
from lims.base.security import SESSION_TOKEN, principal
from lims.sharing.answers import form_mark, keep_answer, mark_holds
from lims.sharing.drawing import strength_svg
from lims.sharing.models import ShareLink
from lims.sharing.outputs import as_csv, as_json, as_pdf, as_workbook
from lims.sharing.redaction import Sheet
from lims.sharing.schemas import ANSWER_KINDS, AnswerIn
from lims.sharing.service import ShareLinkService, count_view
from lims.sharing.sheet import (
    changes,
    day,
    headline,
    inside,
    one,
    percent,
    rests_on,
    said_of_mpa,
    sections,
    sheet_of,
)
from lims.sharing.visits import is_a_view

log = logging.getLogger(__name__)

#: A filled field that no person sees: kept short of a lie, the answer is simply not stored.
HONEYPOT = "website"
#: Wrong passwords of one link, wherever they come from.
PASSWORD_TRIES = parse("10 per 15 minutes")
OPEN_FOR_S = 12 * 3600
MEDIA = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "json": "application/json",
}

service = ShareLinkService()


class SheetView(BaseView):
    route_base = PREFIX.rstrip("/")
    default_view = "show"
    limits = [
        Limit("300 per minute", key_func=get_remote_address),
        Limit(
            "30 per minute", key_func=get_remote_address, deduct_when=lambda answer: answer.status_code == 404
        ),
        Limit("10 per minute;60 per hour", key_func=get_remote_address, methods=("POST",)),
    ]

    @expose("/<token>")
    def show(self, token: str) -> ResponseReturnValue:
        link = service.by_token(token)
        if link is None:
            return gone()
        if not may_open(link):
            return locked(link, token)
        answer = make_response(page_of(link, token, said=request.args.get("said", "")))
        if "said" not in request.args and is_a_view(request) and not _staff():
            try:
                count_view(link.id)
            except Unavailable:
                log.warning("a view was not counted: the database is busy")
        return answer

    @expose("/<token>/open", methods=["POST"])
    def open(self, token: str) -> ResponseReturnValue:
        link = service.by_token(token)
        if link is None:
            return gone()
        if not tries().test(PASSWORD_TRIES, "sheet-password", str(link.id)):
            raise TooManyRequests
        if not password_matches(link.password_hash, request.form.get("password", "")[:200]):
            tries().hit(PASSWORD_TRIES, "sheet-password", str(link.id))
            return locked(link, token, wrong=True)
        answer = _to_sheet(token)
        answer.set_cookie(
            _cookie_name(link),
            _seals().dumps(_stamp(link)),
            max_age=OPEN_FOR_S,
            path=PREFIX,
            httponly=True,
            samesite="Lax",
            secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        )
        return answer

    @expose("/<token>/answer", methods=["POST"])
    def answer(self, token: str) -> ResponseReturnValue:
        link = service.by_token(token)
        if link is None:
            return gone()
        if not may_open(link):
            return locked(link, token)
        with force_locale(link.language):
            if not mark_holds(token, request.form.get("mark", "")):
                expired = Problem("", _("The form has expired; please send it again."))
                return page_of(link, token, problems=[expired], values=request.form), 422
            if request.form.get(HONEYPOT):
                return _to_sheet(token, said="question")
            try:
                given = AnswerIn.read(posted_values(AnswerIn, request.form))
                keep_answer(link, given)
            except NotFound:
                return gone()
            except Refused as error:
                return page_of(link, token, problems=error.problems, values=request.form), 422
        return _to_sheet(token, said=given.kind)

    @expose("/<token>/sheet.<form>")
    def file(self, token: str, form: str) -> ResponseReturnValue:
        """The same data as paper, workbook, CSV or JSON."""
        link = service.by_token(token)
        if link is None or form not in MEDIA:
            return gone()
        if not may_open(link):
            return locked(link, token)
        with force_locale(link.language):
            sheet = sheet_of(link)
            made: bytes | str
            if form == "pdf":
                made = as_pdf(sheet, address_of_sheet(token))
            elif form == "xlsx":
                made = as_workbook(sheet)
            else:
                made = as_csv(sheet) if form == "csv" else as_json(sheet)
        answer = Response(made, mimetype=MEDIA[form])
        answer.headers["Content-Disposition"] = f'attachment; filename="trial-sheet.{form}"'
        return answer


def page_of(
    link: ShareLink | None,
    token: str,
    *,
    sheet: Sheet | None = None,
    language: str = "",
    said: str = "",
    problems: Any = (),
    values: Any = None,
) -> str:
    """The page of a link, or (without one) of a preview."""
    with force_locale(language or (link.language if link is not None else "en")):
        shown = sheet if sheet is not None else sheet_of(link) if link is not None else {}
        return render_template(
            "lims/sheet.html",
            sheet=shown,
            headline=headline(shown),
            picture=strength_svg(shown),
            sections=sections(shown),
            changes=changes(shown),
            inside=inside(shown),
            rests_on=rests_on(shown),
            said_of_mpa=said_of_mpa(shown),
            day=day,
            one=one,
            percent=percent,
            token=token,
            mark=form_mark(token) if token else "",
            honeypot=HONEYPOT,
            answer_kinds=ANSWER_KINDS,
            said=said if said in ANSWER_KINDS else "",
            problems=problems,
            values=values or {},
            preview=link is None,
        )


def gone() -> ResponseReturnValue:
    """Unknown, expired, revoked and a leaver's link: one answer, which says nothing of which it is."""
    return render_template("lims/sheet_gone.html"), 404


def locked(link: ShareLink, token: str, *, wrong: bool = False) -> ResponseReturnValue:
    with force_locale(link.language):
        return render_template("lims/sheet_locked.html", token=token, wrong=wrong), 403 if wrong else 401


def address_of_sheet(token: str) -> str:
    """The link as it is handed out: never from what the Host header says beyond the names that are allowed."""
    return f"{address_outside()}{url_for('SheetView.show', token=token)}"


def may_open(link: ShareLink) -> bool:
    """Without a password, or with the cookie that the right one gave."""
    if link.password_hash is None:
        return True
    try:
        stamp = _seals().loads(request.cookies.get(_cookie_name(link), ""), max_age=OPEN_FOR_S)
    except BadSignature:
        return False
    return bool(stamp == _stamp(link))


def _seals() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.config["SECRET_KEY"]), salt="trial-sheet-password")


def _cookie_name(link: ShareLink) -> str:
    return f"sheet_{link.id}"


def _stamp(link: ShareLink) -> str:
    """Changes with the token and the password; tells nothing about them."""
    return hashlib.sha256(f"{link.token_sha256}:{link.password_hash}".encode()).hexdigest()[:32]


def _to_sheet(token: str, said: str = "") -> Response:
    answer = make_response("", 303)
    answer.headers["Location"] = url_for("SheetView.show", token=token, said=said or None)
    return answer


def _staff() -> bool:
    """Someone of our own: his looks are no views."""
    return SESSION_TOKEN in session and principal() is not None
