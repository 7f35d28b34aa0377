"""/help/ and /help/tour."""

from __future__ import annotations

from flask import redirect, session, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.base.problems import NotFound
from lims.base.views import GuardedView, bounded_int
from lims.help.topics import BY_NAME, TOPICS
from lims.help.tour import stops


class HelpView(GuardedView):
    """A page for each screen."""

    route_base = "/help"
    default_view = "topic"
    permission_on = "help"
    title = _l("Help")

    @expose("/")
    @expose("/<name>")
    @permission_name("read")
    def topic(self, name: str = "start") -> ResponseReturnValue:
        self.allow("read")
        if name not in BY_NAME:
            raise NotFound(f"help {name}")
        page: str = self.render_template("lims/help.html", view=self, topic=BY_NAME[name], topics=TOPICS)
        return page

    @expose("/tour")
    @permission_name("read")
    def tour(self) -> ResponseReturnValue:
        """Go to a stop; every page then shows the tour's card until the tour is ended (`stop=0`)."""
        self.allow("read")
        places = stops()
        number = bounded_int("stop", 1, 0, 99)
        if not 0 < number <= len(places):
            session.pop("tour", None)
            return redirect(url_for("HomeView.index"))
        session["tour"] = number
        return redirect(places[number - 1]["href"])


def tour_card() -> dict[str, object] | None:
    """What the card shows on this page; None for whoever is on no tour."""
    number = session.get("tour")
    places = stops() if number else []
    if not isinstance(number, int) or not 0 < number <= len(places):
        return None
    return {**places[number - 1], "number": number, "of": len(places), "last": number == len(places)}


VIEWS = (HelpView,)
