"""A form that arrived after its session had ended, or while the database was busy: a page with what was typed, to be sent
again. Sending people elsewhere would lose it, and browsers may not go back to a page that is not to be stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

from lims.base.security import principal

#: Never handed back, since somebody else may sit there by now, but asked for again where something was typed: without its
#: password a link to be shared would open for everybody.
TYPED_AGAIN = {
    "password": _l("Password"),
    "present": _l("Present password"),
    "new": _l("New password"),
    "again": _l("New password, again"),
}
#: Of the session that has ended.
TOKEN = "csrf_token"  # noqa: S105 - the name of a field
#: Larger than any form that a person fills in. Each field is a control of the page that comes back: two megabytes of names
#: of one letter would be forty, for whoever asks.
MOST_CHARACTERS, MOST_FIELDS = 1_000_000, 5_000


@dataclass(frozen=True, slots=True)
class Typed:
    """What stood in a form of ours, to be sent again by a click (lims/form_again.html)."""

    address: str
    kept: list[tuple[str, str]]
    #: Name and label of each password that was typed.
    typed_again: dict[str, Any]
    files: bool


def typed() -> Typed | None:
    """What this request brought, None when it was no form of ours. Only what says that it came from our own pages is taken:
    another site must not have a person send its form by a click."""
    if request.method != "POST" or not request.form or not is_from_here():
        return None
    not_kept = {TOKEN, *TYPED_AGAIN}
    kept = [(name, value) for name, value in request.form.items(multi=True) if name not in not_kept]
    typed_again = {name: label for name, label in TYPED_AGAIN.items() if request.form.get(name)}
    if (
        not 0 < len(kept) <= MOST_FIELDS
        or sum(len(name) + len(value) for name, value in kept) > MOST_CHARACTERS
    ):
        return None
    files = any(file.filename for file in request.files.values())
    return Typed(request.full_path.rstrip("?"), kept, typed_again, files)


def sent_again() -> ResponseReturnValue | None:
    """The page, or None when this was no form of ours."""
    found = typed()
    if found is None:
        return None
    page = render_template("lims/sent_again.html", typed=found)
    return page, 401 if principal() is None else 400


def is_from_here() -> bool:
    """Did one of our own pages send this? Browsers name the origin of every form that is posted; what names none gets the
    plain answer."""
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.host
