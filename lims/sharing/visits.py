"""Is it a person who looks? Messengers and browsers fetch links on their own, to show a picture or to be quick."""

from __future__ import annotations

import re

from werkzeug.wrappers import Request

#: Programs that fetch a link for its preview, and those that name themselves as programs. WeChat's own browser
#: (MicroMessenger) is a person's.
ROBOTS = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|preview|facebookexternalhit|facebot|whatsapp|telegram|slack|discord|linkedin|"
    r"skypeuri|twitter|pinterest|vkshare|viber|embedly|iframely|monitor|curl/|wget/|python-|"
    r"go-http|okhttp|java/|libwww|httpclient|scanner|validator|archiver",
    re.IGNORECASE,
)


def is_a_view(request: Request) -> bool:
    """A page opened by a person: not a head, not a prefetch, not a link's preview."""
    if request.method != "GET":
        return False
    purpose = " ".join(
        request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    ).lower()
    if any(word in purpose for word in ("prefetch", "preview", "prerender")):
        return False
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":
        return False
    agent = request.headers.get("User-Agent", "")
    return bool(agent) and ROBOTS.search(agent) is None and "text/html" in request.headers.get("Accept", "")
