"""The first page: what is due, what needs attention, how the laboratory is doing."""

from __future__ import annotations

from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.base.views import GuardedView


class HomeView(GuardedView):
    """/"""

    route_base = ""
    default_view = "index"
    permission_on = "home"
    title = _l("Today")

    @expose("/")
    @permission_name("read")
    def index(self) -> ResponseReturnValue:
        self.allow("read")
        from lims.web.dashboard import overview

        page: str = self.render_template("lims/home.html", **overview())
        return page
