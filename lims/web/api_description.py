"""The OpenAPI description and its reader, for whoever may use the API."""

from __future__ import annotations

from apispec import APISpec
from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.api import BaseApi
from flask_appbuilder.security.decorators import permission_name

from lims import __version__
from lims.base.views import GuardedView


class ApiDescriptionView(GuardedView):
    """/api-description/ (a page) and /api-description/openapi.json."""

    route_base = "/api-description"
    default_view = "page"
    permission_on = "api-description"

    @expose("/")
    @permission_name("read")
    def page(self) -> ResponseReturnValue:
        self.allow("read")
        rendered: str = self.render_template("lims/api_description.html", description=describe())
        return rendered

    @expose("/openapi.json")
    @permission_name("read")
    def openapi(self) -> ResponseReturnValue:
        self.allow("read")
        return jsonify(describe())


def describe() -> dict[str, object]:
    """OpenAPI 3.0 of everything under /api/v1."""
    spec = APISpec(
        title="Concrete trials",
        version=__version__,
        openapi_version="3.0.3",
        servers=[{"url": request.host_url.rstrip("/")}],
    )
    for view in current_app.appbuilder.baseviews:  # type: ignore[attr-defined]
        if isinstance(view, BaseApi):
            view.add_api_spec(spec)
    found: dict[str, object] = spec.to_dict()
    return found
