"""What a phone installs: the manifest, the service worker and the entry page that opens without a connection.

None of the three holds data of the laboratory, so they need no sign-in: the entry page asks for its data, and keeps
what is typed, by lims/web/static/js/entry.js.
"""

from __future__ import annotations

import hashlib
import json

from flask import Flask, Response, render_template, url_for
from flask_babel import gettext as _

from lims.base.laboratory import laboratory
from lims.results.entry import FAR
from lims.results.schemas import LOAD
from lims.standards.specimens import SAMPLE_RANGE_TOLERANCE, SET_TOLERANCE
from lims.web.addresses import asset

#: Files that the entry page needs without a connection.
SHELL = (
    "css/lims.css",
    "js/theme.js",
    "js/verdict.js",
    "js/entry.js",
    "img/cube.svg",
    "vendor/tabler-1.6.1/tabler.min.css",
    "icons.svg",
)


def register_offline(app: Flask) -> None:
    @app.get("/manifest.webmanifest")
    def manifest() -> Response:
        name = laboratory().name or _("Concrete trials")
        body = {
            "name": name,
            "short_name": _("Concrete"),
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#12211f",
            "theme_color": "#12211f",
            "icons": [
                {"src": asset("img/cube.svg"), "sizes": "any", "type": "image/svg+xml"},
                {"src": asset("img/cube-192.png"), "sizes": "192x192", "type": "image/png"},
                {"src": asset("img/cube-512.png"), "sizes": "512x512", "type": "image/png"},
            ],
            "shortcuts": [{"name": _("Enter breaks"), "url": url_for("entry")}],
        }
        return Response(json.dumps(body, ensure_ascii=False), mimetype="application/manifest+json")

    @app.get("/sw.js")
    def service_worker() -> Response:
        files = [asset(name) for name in SHELL]
        body = render_template(
            # The same in every process: of another version a phone loads everything again.
            "lims/sw.js",
            files=files,
            entry=url_for("entry"),
            version=hashlib.sha256(" ".join(files).encode()).hexdigest()[:16],
        )
        response = Response(body, mimetype="text/javascript")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @app.get("/entry/")
    def entry() -> Response:
        page = render_template(
            "lims/entry.html",
            load=LOAD,
            far_times=FAR,
            tolerance=SET_TOLERANCE,
            range_tolerance=SAMPLE_RANGE_TOLERANCE,
        )
        return Response(page, mimetype="text/html")
