"""/trace/: the page of a trace, the same as PDF and as JSON."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.audit.trace import PERSONS, Trace, trace, trace_of_person
from lims.audit.trace_page import as_json, context_of, paper_of
from lims.base.columns import utc_now
from lims.base.display import show_time
from lims.base.files import file_response
from lims.base.papers import pdf
from lims.base.problems import NotFound
from lims.base.security import require
from lims.base.services import LARGEST_KEY
from lims.base.views import GuardedView


class TraceView(GuardedView):
    """From any record to all it came from and all that came of it."""

    route_base = "/trace"
    default_view = "show"
    permission_on = "trace"
    title = _l("Trace")

    @expose("/<name>/<int:key>")
    @permission_name("read")
    def show(self, name: str, key: int) -> ResponseReturnValue:
        found = self._trace(name, key)
        return self._page("lims/trace.html", name=name, number=key, **context_of(found))

    @expose("/<name>/<int:key>/trace.json")
    @permission_name("read")
    def json(self, name: str, key: int) -> ResponseReturnValue:
        return jsonify(as_json(self._trace(name, key)))

    @expose("/<name>/<int:key>/trace.pdf")
    @permission_name("read")
    def pdf(self, name: str, key: int) -> ResponseReturnValue:
        now = utc_now().replace(microsecond=0)
        paper = paper_of(self._trace(name, key), show_time(now))
        return file_response(
            pdf("trace", paper, made_at=now), "application/pdf", f"trace-{paper['title']}.pdf", in_place=True
        )

    def _trace(self, name: str, key: int) -> Trace:
        """Who may not read the record learns nothing of where it came from. Raises: Forbidden, NotFound."""
        self.allow("read")
        if not 0 < key <= LARGEST_KEY:
            raise NotFound(f"{name} {key}")
        if name == PERSONS:
            return trace_of_person(key)
        require("read", name)
        return trace(name, key)

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered
