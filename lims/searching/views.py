"""The search box of every page: suggestions while typing, and a page of all that fits."""

from __future__ import annotations

from itertools import groupby
from types import SimpleNamespace
from typing import Any

from flask import jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.base.fields import narrow_letters
from lims.base.problems import Refused
from lims.base.security import may
from lims.base.views import VIEWS as RECORD_VIEWS
from lims.base.views import GuardedView
from lims.searching.service import MOST_LETTERS, Found, find
from lims.trials.short_codes import specimen_id_of


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
        text = request.args.get("q", "")[:MOST_LETTERS].strip()
        found = find(text, 12, whole_alone=request.args.get("go") == "1")
        codes = {text.lower(), narrow_letters(text).lower()} - {""}
        exact = [item for item in found if codes & set(item.title.lower().split(" ")[:1])]
        if len(exact) == 1 and request.args.get("go") == "1":
            return redirect(address(exact[0]))  # a scanned code, typed with Enter
        specimen = short_code_hit(narrow_letters(text))
        if specimen and not exact and request.args.get("go") == "1":
            return redirect(specimen)
        page: str = self.render_template(
            "lims/search.html", view=self, text=text, groups=grouped(found, text)
        )
        return page

    @expose("/suggest")
    @permission_name("read")
    def suggest(self) -> ResponseReturnValue:
        self.allow("read")
        text = request.args.get("q", "")[:MOST_LETTERS].strip()
        groups = [
            {
                "title": str(group.title),
                "items": [{"title": item.title, "href": item.href} for item in group.entries],
            }
            for group in grouped(find(text, 5, whole_alone=True), text)
        ]
        return jsonify({"groups": groups})


def short_code_hit(text: str) -> str:
    """The address behind a label's short code; "" for any other text."""
    if not may("read", "specimens"):
        return ""
    try:
        specimen_id_of(text)
    except Refused:
        return ""
    return url_for("BreaksView.scan", code=text)


def address(found: Found) -> str:
    return url_for(f"{RECORD_VIEWS[found.record_name].endpoint}.show", record_id=found.record_id)


def _all_of(name: str, text: str) -> str:
    """The list of a kind that holds what was found: what is out of use is found too."""
    view = RECORD_VIEWS[name]
    with_retired: dict[str, Any] = {"retired": 1} if view.service.retirable else {}
    return url_for(f"{view.endpoint}.list", q=text, **with_retired)


def grouped(found: list[Found], text: str) -> list[Any]:
    """Hits by their kind, each kind under its list's name."""
    return [
        SimpleNamespace(
            title=RECORD_VIEWS[name].title,
            icon=getattr(RECORD_VIEWS[name].menu, "icon", "list"),
            entries=[SimpleNamespace(title=item.title, href=address(item)) for item in items],
            all_url=_all_of(name, text),
        )
        for name, items in groupby(found, key=lambda item: item.record_name)
    ]


VIEWS = (SearchView,)
