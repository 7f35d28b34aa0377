"""The page of one's own calendar addresses, and the calendar that is read by them."""

from __future__ import annotations

import secrets

from flask import Response, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.headers import address_as_asked
from lims.base.laboratory import laboratory
from lims.base.problems import Refused
from lims.base.security import current_actor
from lims.base.views import GuardedView, MenuPlace, form_key
from lims.calendars.service import CalendarFeedService, calendar_of, reader_of

#: A token is 43 letters; longer ones are not hashed.
MOST_TOKEN = 100


class CalendarFeedsView(GuardedView):
    """/calendar-feeds/: addresses for one's telephone."""

    route_base = "/calendar-feeds"
    default_view = "list"
    permission_on = "calendar-feeds"
    title = _l("Calendar")
    menu = MenuPlace("today", order=80, icon="calendar")

    @expose("/")
    @permission_name("read")
    def list(self) -> ResponseReturnValue:
        self.allow("read")
        return self._page()

    @expose("/", methods=["POST"])
    @permission_name("write")
    def create(self) -> ResponseReturnValue:
        self.allow("write")
        name = request.form.get("name", "")
        try:
            _feed, token = CalendarFeedService().create(name, current_actor(), form_key({"name": name}))
        except Refused as error:
            return self._page(problem=str(error.problems[0].message), typed=name), 422
        if not token:  # the page with the address was loaded again, or the form sent twice
            flash(_("This address is made already; it was shown once."), "info")
            return redirect(url_for("CalendarFeedsView.list"))
        return self._page(address=address_as_asked() + url_for("CalendarView.read", token=token))

    @expose("/<int:feed_id>/revoke", methods=["POST"])
    @permission_name("write")
    def revoke(self, feed_id: int) -> ResponseReturnValue:
        self.allow("write")
        CalendarFeedService().revoke(feed_id, current_actor())
        flash(_("The address answers nothing any more."), "success")
        return redirect(url_for("CalendarFeedsView.list"))

    def _page(self, *, address: str = "", problem: str = "", typed: str = "") -> str:
        rendered: str = self.render_template(
            "lims/calendar_feeds.html",
            view=self,
            feeds=CalendarFeedService().page(size=200, order="-created_at").items,
            address=address,
            problem=problem,
            typed=typed,
            form_key=(request.form.get("form_key") if problem else "") or secrets.token_urlsafe(16),
        )
        return rendered


class CalendarView(BaseView):
    """/calendar/<token>.ics: the token is the key; what it opens is what its owner may read."""

    route_base = "/calendar"
    default_view = "read"
    class_permission_name = "calendar-feeds"

    @expose("/<token>.ics")
    def read(self, token: str) -> ResponseReturnValue:
        user = reader_of(token[:MOST_TOKEN])
        if user is None:
            answer = Response("There is no such calendar.\n", status=404, mimetype="text/plain")
        else:
            with force_locale(laboratory().language):
                answer = Response(calendar_of(user), mimetype="text/calendar")
            answer.headers["Content-Disposition"] = 'inline; filename="laboratory.ics"'
        return answer  # lims/base/secret_addresses.py keeps it out of caches, logs and search engines


VIEWS = (CalendarFeedsView, CalendarView)
