"""Words that prove when a paper was made: subjects above the papers put their source here, papers print what it says.

The audit registers its newest checkpoint; a paper that knows nothing of the audit prints it as foot and QR code.
"""

from __future__ import annotations

from collections.abc import Callable

#: Each gives a short text (it must fit a QR code), or "" when there is none yet.
ANCHORS: list[Callable[[], str]] = []


def anchor_text() -> str:
    """What the first source that has something says; "" without any."""
    return next((text for ask in ANCHORS if (text := ask())), "")
