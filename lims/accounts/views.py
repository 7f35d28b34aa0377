"""Pages of accounts: for administrators all of them, for everyone their own."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.accounts.api_keys import (
    api_keys_of,
    create_api_key,
    revoke_api_key,
    valid_until,
    working_keys_of,
)
from lims.accounts.service import (
    ACCOUNTS,
    ROLE_LABELS,
    AccountEdit,
    AccountIn,
    change_own_password,
    edit_user,
    erase_account,
    get_user,
    is_erased,
    list_users,
    values_of,
    version_of,
)
from lims.base.fields import listed
from lims.base.forms import build_form, posted_values
from lims.base.preferences import MOST_QUERY, choose, choose_columns, forget, save_filter
from lims.base.problems import Conflict, Problem, Refused, refuse
from lims.base.repeats import add_once
from lims.base.security import current_actor, may, principal
from lims.base.views import VIEWS as RECORD_VIEWS
from lims.base.views import GuardedView, MenuPlace, RecordView, form_key, met_another, opened_version

#: Hints that a person may put away.
HINTS = ("guide", "tour")


class UsersView(GuardedView):
    """Accounts and their roles."""

    route_base = "/users"
    default_view = "list"
    permission_on = "users"
    title = _l("Users")
    menu = MenuPlace("setup", order=90, icon="users")

    @expose("/")
    @permission_name("read")
    def list(self) -> ResponseReturnValue:
        self.allow("read")
        return self._page(
            "lims/users.html",
            users=list_users(),
            role_labels=ROLE_LABELS,
            may_add=may("write", "users"),
            is_erased=is_erased,
        )

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        self.allow("write")
        if request.method == "GET":
            return self._form(AccountIn, {}, _("Add an account"), form_key=secrets.token_urlsafe(16))
        posted = posted_values(AccountIn, request.form)
        try:
            user = add_once(ACCOUNTS, posted, current_actor(), form_key(posted))
        except Refused as error:
            typed, key = _without_password(posted), request.form.get("form_key", "")
            return self._form(AccountIn, typed, _("Add an account"), error.problems, form_key=key), 422
        flash(_("Saved: %(title)s", title=user.username), "success")
        return redirect(url_for("UsersView.list"))

    @expose("/<int:user_id>/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self, user_id: int) -> ResponseReturnValue:
        self.allow("write")
        user = get_user(user_id)
        if request.method == "GET":
            return self._edit_form(user_id)
        posted = posted_values(AccountEdit, request.form)
        opened = opened_version()
        version = opened if opened >= 0 else None
        again = partial(self._edit_form, user_id, _without_password(posted))
        before = bool(user.active)
        try:
            given = AccountEdit.read(posted)
            edit_user(user_id, given, current_actor(), version)
        except Refused as error:
            return again(version or 0, error.problems), 422
        except Conflict as conflict:
            return again(conflict.current_version, [met_another()], theirs=conflict.theirs), 409
        flash(_("Saved: %(title)s", title=user.username), "success")
        opens_anew = given.active and (given.password is not None or not before)
        if opens_anew and _told_of_keys(user_id):
            return redirect(url_for("UsersView.edit", user_id=user_id) + "#api-keys")
        return redirect(url_for("UsersView.list"))

    @expose("/<int:user_id>/erase", methods=["POST"])
    @permission_name("erase")
    def erase(self, user_id: int) -> ResponseReturnValue:
        """Take a leaver's data out for good."""
        self.allow("erase")
        reason = request.form.get("reason", "")
        try:
            erase_account(user_id, reason, current_actor())
        except Refused as error:
            return self._edit_form(user_id, reason=reason, refused=error.problems), 422
        flash(_("The person's data are gone; the records stand."), "success")
        return redirect(url_for("UsersView.list"))

    @expose("/<int:user_id>/api-keys/<int:key_id>/revoke", methods=["POST"])
    @permission_name("write")
    def revoke_key(self, user_id: int, key_id: int) -> ResponseReturnValue:
        """A key outlives a change of password: of a program that was lost, or of somebody whose password was guessed."""
        self.allow("write")
        revoke_api_key(key_id, user_id, current_actor())
        flash(_("The key no longer works."), "success")
        return redirect(url_for("UsersView.edit", user_id=user_id))

    def _edit_form(
        self,
        user_id: int,
        typed: dict[str, Any] | None = None,
        version: int | None = None,
        problems: Sequence[Problem] = (),
        **more: Any,
    ) -> str:
        """The form of what stands, or of what was `typed` and not taken."""
        user = get_user(user_id)
        stored = values_of(user)
        erasable = may("erase", "users") and not user.active and not is_erased(user)
        return self._form(
            AccountEdit,
            stored if typed is None else typed,
            user.username,
            problems,
            version=version_of(stored) if version is None else version,
            erasable=erasable and user,
            keys_of=user_id,
            **more,
        )

    def _form(
        self,
        schema: Any,
        values: dict[str, Any],
        title: str,
        problems: Any = (),
        form_key: str = "",
        *,
        erasable: Any = None,
        keys_of: int | None = None,
        reason: str = "",
        refused: Sequence[Problem] = (),
        **more: Any,
    ) -> str:
        return self._page(
            "lims/account_form.html",
            form=build_form(schema, values, problems=problems, **more),
            title=title,
            back=url_for("UsersView.list"),
            form_key=form_key,
            erasable=erasable,
            keys=api_keys_of(keys_of) if keys_of is not None else [],
            revoke=lambda key: url_for("UsersView.revoke_key", user_id=keys_of, key_id=key.id),
            valid_until=valid_until,
            reason=reason,
            refused=refused,
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered


class ProfileView(GuardedView):
    """One's own account: password and API keys."""

    route_base = "/profile"
    default_view = "show"
    permission_on = "profile"
    title = _l("My account")

    @expose("/")
    @permission_name("read")
    def show(self) -> ResponseReturnValue:
        self.allow("read")
        return self._page()

    @expose("/password", methods=["POST"])
    @permission_name("write")
    def password(self) -> ResponseReturnValue:
        self.allow("write")
        user = principal()
        assert user is not None
        try:
            change_own_password(
                user.id,
                request.form.get("present", ""),
                request.form.get("new", ""),
                request.form.get("again", ""),
                current_actor(),
            )
        except Refused as error:
            return self._page(problems=error.problems), 422
        flash(_("Your password is changed. Sign in with the new one."), "success")
        keys_stand = _told_of_keys(user.id)
        return redirect(url_for("SignInView.login", next=url_for("ProfileView.show") if keys_stand else None))

    @expose("/api-keys", methods=["POST"])
    @permission_name("write")
    def add_key(self) -> ResponseReturnValue:
        self.allow("write")
        user = principal()
        assert user is not None
        typed = {name: request.form.get(name, "") for name in ("name", "days")}
        try:
            _row, key = create_api_key(user.id, **typed, actor=current_actor(), form_key=form_key(typed))
        except Refused as error:
            return self._page(problems=error.problems, typed=typed), 422
        if not key:  # the page with the key was loaded again, or the form sent twice
            flash(_("This key is made already; it was shown once."), "info")
            return redirect(url_for("ProfileView.show"))
        return self._page(new_key=key)

    @expose("/api-keys/<int:key_id>/revoke", methods=["POST"])
    @permission_name("write")
    def revoke_key(self, key_id: int) -> ResponseReturnValue:
        self.allow("write")
        user = principal()
        assert user is not None
        revoke_api_key(key_id, user.id, current_actor())
        flash(_("The key no longer works."), "success")
        return redirect(url_for("ProfileView.show"))

    def _page(
        self,
        problems: list[Problem] | tuple[()] = (),
        new_key: str = "",
        typed: dict[str, str] | None = None,
    ) -> str:
        user = principal()
        assert user is not None
        rendered: str = self.render_template(
            "lims/profile.html",
            view=self,
            user=user,
            roles=[ROLE_LABELS.get(role.name, role.name) for role in user.roles],
            keys=api_keys_of(user.id),
            revoke=lambda key: url_for("ProfileView.revoke_key", key_id=key.id),
            valid_until=valid_until,
            new_key=new_key,
            typed=typed or {},
            form_key=(request.form.get("form_key") if typed else "") or secrets.token_urlsafe(16),
            problems={p.field: str(p.message) for p in problems},
            languages=current_app.config["LANGUAGES"],
        )
        return rendered


def _told_of_keys(user_id: int) -> bool:
    """Who gives an account another password, or lets it sign in again, is told which of its keys still open it: they stay,
    or the press would fall silent whenever a password was forgotten."""
    names = [f"{key.name} ({key.key_prefix}…)" for key in working_keys_of(user_id)]
    if names:
        told = _("API keys that still work: %(what)s. Revoke those that may be known.", what=listed(names))
        flash(told, "warning")
    return bool(names)


def _without_password(posted: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in posted.items() if name != "password"}


class PreferencesView(GuardedView):
    """Columns and saved filters of a list, hints put away: posted from where they are seen."""

    route_base = "/preferences"
    default_view = "columns"
    permission_on = "preferences"

    @expose("/columns", methods=["POST"])
    @permission_name("write")
    def columns(self) -> ResponseReturnValue:
        self.allow("write")
        view, user_id = self._list(), self._user_id()
        if request.form.get("reset"):
            forget(user_id, "columns", view.class_permission_name, "", current_actor())
        else:
            choose_columns(
                user_id,
                view.class_permission_name,
                request.form.getlist("columns"),
                view.known_columns(),
                current_actor(),
            )
        return redirect(self._back(view))

    @expose("/filter", methods=["POST"])
    @permission_name("write")
    def filter(self) -> ResponseReturnValue:
        self.allow("write")
        view = self._list()
        name = request.form.get("name", "")
        save_filter(
            self._user_id(),
            view.class_permission_name,
            name,
            request.form.get("query", ""),
            current_actor(),
        )
        flash(_("Saved: %(title)s", title=name.strip()), "success")
        return redirect(self._back(view))

    @expose("/filter/remove", methods=["POST"])
    @permission_name("write")
    def remove_filter(self) -> ResponseReturnValue:
        self.allow("write")
        view = self._list()
        forget(
            self._user_id(),
            "filter",
            view.class_permission_name,
            request.form.get("name", ""),
            current_actor(),
        )
        return redirect(self._back(view))

    @expose("/hide", methods=["POST"])
    @permission_name("write")
    def hide(self) -> ResponseReturnValue:
        """Put a hint away for good."""
        self.allow("write")
        name = request.form.get("name", "")
        if name not in HINTS:
            raise refuse("name", _("is not known; accepted: %(what)s", what=", ".join(HINTS)), name)
        choose(self._user_id(), "hidden", "", name, True, current_actor())
        return redirect(url_for("HomeView.index"))

    def _user_id(self) -> int:
        user = principal()
        assert user is not None  # allow() has let nobody else through
        return int(user.id)

    def _list(self) -> RecordView:
        name = request.form.get("list", "")
        if name not in RECORD_VIEWS or not may("read", name):
            raise refuse("list", _("does not name a list"), name[:60])
        return RECORD_VIEWS[name]

    def _back(self, view: RecordView) -> str:
        query = request.form.get("query", "")[:MOST_QUERY]
        return url_for(f"{view.endpoint}.list") + (f"?{query}" if query else "")


VIEWS = (UsersView, ProfileView, PreferencesView)
