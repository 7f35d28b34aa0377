"""The search box of every page."""

from __future__ import annotations

from types import SimpleNamespace

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.base.security import may
from lims.base.views import VIEWS, GuardedView, address_of

#: In the order in which a person most likely means them.
SEARCHED = (
    "specimen-sets", "specimens", "batches", "mix-designs", "trials", "customers", "cement-lots", "cement-products",
    "complaints",
)  # fmt: skip
SHOWN_OF_EACH = 6


class SearchView(GuardedView):
    """/search/?q="""

    route_base = "/search"
    default_view = "find"
    permission_on = "search"
    title = _l("Search")

    @expose("/")
    @permission_name("read")
    def find(self) -> ResponseReturnValue:
        self.allow("read")
        text = request.args.get("q", "")[:100].strip()
        groups = []
        for name in SEARCHED if text else ():
            if not may("read", name):
                continue
            view = VIEWS[name]
            found = view.service.choices(text, SHOWN_OF_EACH)
            if found:
                items = [SimpleNamespace(title=item.title, href=address_of(item)) for item in found]
                groups.append(
                    {"title": view.title, "items": items, "all_url": url_for(f"{view.endpoint}.list", q=text)}
                )
        page: str = self.render_template("lims/search.html", view=self, text=text, groups=groups)
        return page
