"""Templates without their indentation: a tenth of a page that every phone would load for nothing."""

from __future__ import annotations

import re

from jinja2.ext import Extension

#: Blanks that begin a line. In HTML a line's end and a line's end with blanks are the same, outside of <pre>.
_INDENTATION = re.compile(r"\n[ \t]+")


class Compact(Extension):
    """Takes the indentation out of the source of a page before it is compiled; what is filled in stays as it is."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        if name is None or not name.endswith(".html") or "<pre" in source:
            return source
        return _INDENTATION.sub("\n", source)
