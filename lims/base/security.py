"""Who is asking and what they may do: Flask-AppBuilder's security manager with its open ends closed.

Default deny: there is no public role, and a permission that no role of the user grants is refused. The user's
roles are read once a request (stock Flask-AppBuilder asks the database for each menu item).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from flask import current_app, g, has_request_context, request, session
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_appbuilder.security.sqla.models import (
    Group,
    Permission,
    PermissionView,
    User,
    ViewMenu,
    assoc_permissionview_role,
)
from flask_jwt_extended import JWTManager
from flask_login import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lims.base.actor import Actor, system_actor, user_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.denials import denied
from lims.base.names import name_of
from lims.base.passwords import password_matches
from lims.base.problems import Forbidden
from lims.base.sessions import expired, open_session
from lims.base.signed_in import of_session, roles_of

log = logging.getLogger(__name__)

__all__ = ["Group", "LimsSecurityManager", "User", "current_actor", "may", "principal", "sign_in"]

#: Whoever may read this sees money.
PRICES = "prices"
#: Key of the session's token in the signed cookie.
SESSION_TOKEN = "sid"  # noqa: S105 - the name of a key


class LimsSecurityManager(SecurityManager):
    """Replaces the questions that Flask-AppBuilder asks; its views of users and roles are ours (lims/accounts)."""

    def register_views(self) -> None:
        from lims.accounts.sign_in import SignInApi, SignInView

        self.appbuilder.add_api(SignInApi)
        self.auth_view = self.appbuilder.add_view_no_menu(SignInView())
        self.user_view = self.auth_view
        limit = self.limiter.limit(
            current_app.config["LIMS_LOGIN_RATE_LIMIT"],
            methods=["POST"],
            deduct_when=lambda response: response.status_code in (400, 401, 422),
        )
        for view in self.appbuilder.baseviews:
            if type(view).__name__ in {"SignInView", "SignInApi"}:
                limit(view.blueprint)

    def create_db(self) -> None:
        """Nothing: `lims init` alone creates tables, permissions and roles."""

    # --- who ----------------------------------------------------------------------------------------------

    def load_user(self, pk: Any) -> Any | None:
        """The user of a browser session, while that session is open on the server."""
        if request.headers.get("Authorization"):
            return None  # a token stands for itself: no cookie lends it rights, so no CSRF check is owed
        token = session.get(SESSION_TOKEN, "")
        if not token:
            return None
        found = of_session(token)
        if found is None:
            return None
        user, started_at, roles = found
        if expired(started_at) or str(user.id) != str(pk) or not user.active:
            return None
        g.lims_granted = (user.id, _rights_of(roles))
        return user

    def load_user_jwt(self, _header: Any, data: dict[str, Any]) -> Any | None:
        """The user of a bearer token, unless disabled or given a new password since."""
        user = self._active_user(int(data["sub"]))
        if user is None or not hmac.compare_digest(data.get("pwd", ""), password_stamp(user)):
            return None
        g.user = user
        return user

    def create_jwt_manager(self, app: Any) -> JWTManager:
        manager: JWTManager = super().create_jwt_manager(app)

        @manager.additional_claims_loader
        def _claims(identity: str) -> dict[str, str]:
            user = self._active_user(int(identity))
            return {"pwd": password_stamp(user) if user else ""}

        return manager

    def _active_user(self, user_id: int) -> Any | None:
        user = current_session().get(User, user_id)
        return user if user is not None and user.active else None

    def auth_user_db(self, username: str, password: str) -> Any | None:
        """The user when name (or e-mail) and password match and the account is active, else None.

        One hash is computed whatever is wrong and nothing is written, so the time does not tell which: a write waits for
        the disk and for whoever writes before it. What failed is noted beside the request (lims/base/denials.py).
        """
        from lims.accounts.sign_in import printed_by_demo

        name = (username or "").strip()
        user = _account_of(User.username, name)
        if user is None and name:
            user = _account_of(User.email, name)
        right = password_matches(user.password if user else None, password or "")
        accepted = bool(right and user is not None and user.active)
        if user is not None and accepted and printed_by_demo(user.username, password):
            log.warning("the password that `lims demo` prints for %s opens nothing without it", user.username)
            accepted = False
        if user is not None and accepted:
            with transaction(system_actor("sign-in")) as writing:
                accepted = _still(writing, user)
                if accepted:
                    user.login_count = (user.login_count or 0) + 1
                    user.last_login = utc_now().replace(tzinfo=None)
        if user is None or not accepted:
            denied("sign-in", user)
            # Never what was typed: people type passwords into the wrong field.
            who = "an unknown name" if user is None else user.username
            log.warning("sign-in refused for %s from %s", who, request.remote_addr)
            return None
        return user

    # --- what ---------------------------------------------------------------------------------------------

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        return False

    def has_access(self, permission_name: str, view_name: str) -> bool:
        return (permission_name, view_name) in granted()

    def get_user_menu_access(self, menu_names: list[str] | None = None) -> set[str]:
        """Menu entries follow the right to read what they open; a category shows when one of its entries does."""
        allowed: set[str] = set()
        rights = granted()
        for category in current_app.appbuilder.menu.get_list():  # type: ignore[attr-defined]
            for item in category.childs:
                view = item.baseview
                if view is not None and ("can_read", view.class_permission_name) in rights:
                    allowed |= {item.name, category.name}
        return allowed

    def get_user_roles(self, user: Any = None) -> list[Any]:
        return list(user.roles) if user is not None and user.is_authenticated else []

    # API keys and tokens reach here through Flask-AppBuilder's `protect`.
    def validate_api_key(self, api_key_string: str) -> Any | None:
        from lims.accounts.api_keys import user_of_api_key

        user = user_of_api_key(api_key_string)
        if user is not None:
            g.user = user
            g._api_key_user = True
        return user


def _account_of(column: Any, name: str) -> Any | None:
    """The account that was typed; where none is written just so, whatever its capitals. The databases know those of ASCII
    alone: asked for Петров in small letters they find nobody."""
    session = current_session()
    exact = session.scalars(select(User).where(column == name)).one_or_none()
    return exact or session.scalars(select(User).where(func.lower(column) == name.lower())).one_or_none()


def password_stamp(user: Any) -> str:
    """Changes with the password; tells nothing about it."""
    return hashlib.sha256((user.password or "").encode()).hexdigest()[:16]


def principal() -> Any | None:
    """The signed-in user: of the session, of an API key or of a bearer token; None for a visitor."""
    known = _known_principal(vars(g._get_current_object()))
    if known is not None:
        return known[2]
    user = g.get("user")
    found = _principal(user)
    g.lims_principal = (user, g.get("_login_user"), found, None if found is None else found.id)
    return found


def _known_principal(of_request: dict[str, Any]) -> tuple[Any, Any, Any, int | None] | None:
    """What this request found before. It is asked a hundred times a page. Whoever signs in or out puts another object
    into one of the two places."""
    known: tuple[Any, Any, Any, int | None] | None = of_request.get("lims_principal")
    if known is None or known[1] is None:
        return None
    same = known[0] is of_request.get("user") and known[1] is of_request.get("_login_user")
    return known if same else None


def _principal(user: Any) -> Any | None:
    if user is not None and getattr(user, "is_authenticated", False):
        return user._get_current_object() if hasattr(user, "_get_current_object") else user
    if current_user and current_user.is_authenticated:
        return current_user._get_current_object()
    return None


#: How long a process goes on with what a role may do, seconds. `lims init` and `lims upgrade` alone change it; who has
#: which role is asked at every request.
ROLES_KEPT_SECONDS = 5.0


def _rights_of(roles: frozenset[int]) -> frozenset[tuple[str, str]]:
    """(permission, view) pairs of the roles with these ids."""
    kept: dict[frozenset[int], tuple[float, frozenset[tuple[str, str]]]]
    kept = current_app.extensions.setdefault("lims.rights", {})
    now = time.monotonic()
    if roles in kept and kept[roles][0] > now:
        return kept[roles][1]
    rows = current_session().execute(
        select(Permission.name, ViewMenu.name)
        .select_from(PermissionView)
        .join(Permission, Permission.id == PermissionView.permission_id)
        .join(ViewMenu, ViewMenu.id == PermissionView.view_menu_id)
        .join(assoc_permissionview_role, assoc_permissionview_role.c.permission_view_id == PermissionView.id)
        .where(assoc_permissionview_role.c.role_id.in_(roles))
    )
    found = frozenset((permission, view) for permission, view in rows)
    kept[roles] = (now + ROLES_KEPT_SECONDS, found)
    return found


def rights_of(user_id: int) -> frozenset[tuple[str, str]]:
    """(permission, view) pairs of this account, by the roles that it has now."""
    return _rights_of(roles_of(user_id))


def granted() -> frozenset[tuple[str, str]]:
    """(permission, view) pairs of the asking user: asked once a request, kept with it."""
    of_request = vars(g._get_current_object())
    cached: tuple[int, frozenset[tuple[str, str]]] | None = of_request.get("lims_granted")
    known = _known_principal(of_request)
    if cached is not None and known is not None and cached[0] == known[3]:
        return cached[1]
    user = principal()
    if user is None:
        return frozenset()
    cached = of_request.get("lims_granted")
    if cached is not None and cached[0] == user.id:
        return cached[1]
    found = rights_of(user.id)
    g.lims_granted = (user.id, found)
    return found


def may(permission: str, name: str) -> bool:
    """May the asking user do `permission` ("read", "write", …) on the record or page `name`?"""
    return (f"can_{permission}", name) in granted()


def concealed(record: type) -> frozenset[str]:
    """What the asking person is not shown of it: columns with `info={"reads": "set-results"}` and the like, or
    `info={"money": True}`, and the properties of `Record.money`. The command line and the system's own jobs, where nobody
    asks, see everything."""
    guarded = _guarded(record)
    if not guarded or not has_request_context():  # of most records nothing is; a list asks at each cell
        return frozenset()
    return frozenset(name for name, wanted in guarded if not may("read", wanted))


@lru_cache(maxsize=256)
def _guarded(record: type) -> tuple[tuple[str, str], ...]:
    """(column or property, the right that reading it takes) of those that take one."""
    columns: Any = getattr(record, "__table__").columns  # noqa: B009 - any mapped class
    of_columns = [(column.name, right_to_read(column)) for column in columns]
    computed = [(name, PRICES) for name in getattr(record, "money", ())]
    return tuple((name, wanted) for name, wanted in (*of_columns, *computed) if wanted is not None)


def require_shown(record: type, names: Iterable[str]) -> None:
    """Who is not shown one of these columns writes none of it either: they would not see what they overwrite. Raises:
    Forbidden."""
    for name in concealed(record).intersection(names):
        require("read", dict(_guarded(record))[name])


def right_to_read(column: Any) -> str | None:
    """What a person must be allowed to read to see this column of a record; None where the record itself is enough."""
    found: str | None = PRICES if column.info.get("money") else column.info.get("reads")
    return found


def require(permission: str, name: str) -> None:
    """Raises: Forbidden."""
    if not may(permission, name):
        g.lims_refused = f"{permission} {name}"
        raise Forbidden(f"{permission} {name}")


def current_actor() -> Actor:
    """The asking user as an actor. Raises: Forbidden for a visitor, so nothing is written by nobody."""
    user = principal()
    if user is None:
        raise Forbidden("not signed in")
    return user_actor(user.id, name_of(user))


def _still(writing: Session, user: Any) -> bool:
    """Has the account the password that was compared, and is it active? Comparing takes a tenth of a second: a new password
    ends the sessions that are open, and would not end the one that comes after it. Held until the transaction ends."""
    compared = user.password
    writing.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    found = writing.get(User, user.id, populate_existing=True)
    return found is not None and bool(found.active) and found.password == compared


def sign_in(user: Any) -> bool:
    """Open a server-side session and put its token into a fresh cookie (no fixation). False, and no session, where the
    account has been disabled or given another password since its password was compared."""
    from flask_login import login_user

    locale = session.get("locale")
    with transaction(system_actor("sign-in")) as writing:
        if not _still(writing, user):
            return False
        token = open_session(writing, user.id)
    session.clear()
    if locale:
        session["locale"] = locale
    session[SESSION_TOKEN] = token
    session.permanent = True
    login_user(user, remember=False)
    return True
