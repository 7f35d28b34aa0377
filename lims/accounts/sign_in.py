"""Signing in and out, in the browser and for programs."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.api import BaseApi
from flask_appbuilder.security.decorators import no_cache
from flask_appbuilder.security.sqla.models import User
from flask_appbuilder.security.views import AuthDBView
from flask_appbuilder.utils.base import get_safe_redirect
from flask_babel import gettext as _
from flask_jwt_extended import create_access_token
from flask_login import logout_user
from flask_wtf.csrf import generate_csrf

from lims.accounts.demo import everybody_knows
from lims.base.actor import system_actor
from lims.base.api import json_object
from lims.base.database import current_session, transaction
from lims.base.problems import refuse
from lims.base.security import SESSION_TOKEN, principal, sign_in
from lims.base.sessions import end_session

#: Key of the account whose page is locked, in the signed cookie.
LOCKED = "locked"


def printed_by_demo(username: str, password: str) -> bool:
    """Is this a password that everybody may read, on a server that is no demonstration?"""
    return not current_app.config["LIMS_DEMO"] and everybody_knows(username, password)


class SignInView(AuthDBView):
    """/login/ and /logout/ of Flask-AppBuilder, with sessions that end when they should."""

    @expose("/login/", methods=["GET", "POST"])
    @no_cache
    def login(self) -> ResponseReturnValue:
        goal = get_safe_redirect(request.args.get("next", ""))
        if principal() is not None:
            return redirect(goal)
        if request.method == "GET":
            return self._form()
        name = request.form.get("username", "")
        user = self.appbuilder.sm.auth_user_db(name, request.form.get("password", ""))
        if user is None or not sign_in(user):
            # One sentence whatever was wrong: neither names nor states of accounts leak.
            return self._form(name, _("The name or the password is wrong, or the account is disabled.")), 401
        return redirect(goal)

    @expose("/logout/", methods=["GET", "POST"])
    def logout(self) -> ResponseReturnValue:
        if request.method == "GET":  # a link or an image elsewhere must not sign anyone out
            return redirect(self.appbuilder.get_url_for_index)
        token = session.get(SESSION_TOKEN, "")
        if token:
            with transaction(system_actor("sign-in")) as writing:
                end_session(writing, token)
        locale = session.get("locale")
        logout_user()
        session.clear()
        if locale:
            session["locale"] = locale
        flash(_("You are signed out."), "info")
        return redirect(url_for(f"{self.endpoint}.login"))

    @expose("/lock/", methods=["POST"])
    def lock(self) -> ResponseReturnValue:
        """The page was left alone: the session ends on the server, what is typed stays in the browser."""
        user, token = principal(), session.get(SESSION_TOKEN, "")
        if user is not None and token:
            with transaction(system_actor("sign-in")) as writing:
                end_session(writing, token)
            session[LOCKED] = user.id
        return jsonify({})

    @expose("/unlock/", methods=["POST"])
    def unlock(self) -> ResponseReturnValue:
        """The same person is back; the page goes on with a new session and a new token for its forms. A session that is
        open (another tab was unlocked before, or the server was away when this page locked) goes on as it is. Where the
        cookie ended overnight, the page says whose it is: the password alone gives rights here."""
        here, data = principal(), json_object()
        user_id = here.id if here is not None else session.get(LOCKED, data.get("person"))
        known = type(user_id) is int and 0 < user_id < 2**31
        user = current_session().get(User, user_id) if known else None
        password = data.get("password")
        found = None
        # A page says whose it is: who signed in after that in the same browser does not open it.
        if user is not None and isinstance(password, str) and data.get("person", user.id) == user.id:
            found = self.appbuilder.sm.auth_user_db(user.username, password)
        if found is None or (here is None and not sign_in(found)):
            return jsonify({"message": _("This is not the password.")}), 401
        return jsonify({"token": generate_csrf()})

    def _form(self, username: str = "", error: str = "") -> str:
        from lims.accounts.demo import DEMO_ACCOUNTS

        rendered: str = self.render_template(
            "lims/login.html",
            username=username[:128],
            error=error,
            demo_accounts=DEMO_ACCOUNTS if current_app.config["LIMS_DEMO"] else (),
        )
        return rendered


class SignInApi(BaseApi):
    """POST /api/v1/security/login: a bearer token for a name and a password."""

    resource_name = "security"
    openapi_spec_tag = "security"
    csrf_exempt = False

    @expose("/login", methods=["POST"])
    def login(self) -> ResponseReturnValue:
        data = json_object()
        for name in ("username", "password"):
            if not isinstance(data.get(name), str) or not data[name]:
                raise refuse(name, _("is required: text"))
        user = self.appbuilder.sm.auth_user_db(data["username"], data["password"])
        if user is None:
            return jsonify(
                {"message": _("The name or the password is wrong, or the account is disabled.")}
            ), 401
        return jsonify({"access_token": create_access_token(identity=str(user.id), fresh=True)})

    def add_api_spec(self, api_spec: Any) -> None:
        api_spec.components.security_scheme(
            "jwt", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        )
        api_spec.components.security_scheme(
            "api_key",
            {"type": "http", "scheme": "bearer", "description": "an API key that begins with lims_"},
        )
        text = {"type": "string"}
        api_spec.path(
            path=f"{self.route_base}/login",
            operations={
                "post": {
                    "summary": "A bearer token for a name and a password",
                    "tags": ["security"],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["username", "password"],
                                    "properties": {"username": text, "password": text},
                                }
                            }
                        },
                    },
                    "responses": {
                        "200": {
                            "description": "The token",
                            "content": {
                                "application/json": {
                                    "schema": {"type": "object", "properties": {"access_token": text}}
                                }
                            },
                        },
                        "401": {"description": "Wrong name or password"},
                        "413": {"description": "Too large"},
                        "422": {"description": "A field is missing"},
                        "429": {"description": "Too many failed attempts"},
                    },
                }
            },
        )
