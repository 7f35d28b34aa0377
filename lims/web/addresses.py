"""Addresses of pages and files. They are remembered: a page names fifty, and Flask builds each anew."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from flask import request, url_for

#: Values of an address that are not remembered: secrets, what a person typed, and what changes Flask's own answer.
UNKEPT = {"token", "q", "_external", "_anchor", "_method", "_scheme"}
STATIC = Path(__file__).parent / "static"


@cache
def _mark(filename: str) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:10]


def asset(filename: str) -> str:
    """A static file's address that changes with its content: it may be kept for a year, never too long."""
    return asset_below(filename, request.script_root)


@cache
def asset_below(filename: str, _root: str) -> str:
    """Once a file and place that the program is reached under: a page names its icons fifty times."""
    return url_for("static", filename=filename, v=_mark(filename))


def address(endpoint: str, **values: Any) -> str:
    """Flask's `url_for`, for templates and lists: the layout alone names twenty addresses, the same on every page."""
    plain = all(type(value) in (int, str) and name not in UNKEPT for name, value in values.items())
    if endpoint.startswith(".") or not plain:
        return url_for(endpoint, **values)
    return _remembered(endpoint, tuple(values.items()), request.script_root)


@lru_cache(maxsize=4096)
def _remembered(endpoint: str, values: tuple[tuple[str, Any], ...], _root: str) -> str:
    return url_for(endpoint, **dict(values))
