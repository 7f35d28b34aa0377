"""The notes of a forecast in the user's language. They are stored in English, as the model said them."""

from __future__ import annotations

import re

from flask_babel import gettext as _

from lims.base.display import show_ages

NUMBER = r"([\d.]+)"


def in_words(note: str | None) -> str:
    """A stored note, sentence by sentence; one that is not known stays as it is."""
    return str(_("; ")).join(_sentence(part) for part in (note or "").split("; ") if part)


def _sentence(text: str) -> str:
    moved = re.fullmatch(f"break at {NUMBER} d taken to {NUMBER} d by the mean curve, widened", text)
    if moved:
        said: str = _(
            "break at %(own)s d taken to %(other)s d by the mean curve, widened", own=moved[1], other=moved[2]
        )
        return said
    unused = re.fullmatch(
        r"breaks at ([\d.,]+) d are not used: too few mixes of the history have an age near them",
        text,
        re.ASCII,
    )
    if unused:
        told: str = _(
            "breaks at %(ages)s d are not used: too few mixes of the history have an age near them",
            ages=show_ages(unused[1]),
        )
        return told
    known: dict[str, str] = {
        "no history at this age: 28-d forecast moved along the mean curve, widened": _(
            "no history at this age: 28-d forecast moved along the mean curve, widened"
        ),
        "outside what the history has seen, treat with care": _(
            "outside what the history has seen, treat with care"
        ),
        "composition unknown, strengths alone": _("composition unknown, strengths alone"),
        "no better than the running mean": _("no better than the running mean"),
        "no better than the running mean: these early tests carry little information": _(
            "no better than the running mean: these early tests carry little information"
        ),
        "no mixes of this laboratory in the history, interval for a new laboratory": _(
            "no mixes of this laboratory in the history, interval for a new laboratory"
        ),
        "neither breaks nor a composition: nothing to forecast from": _(
            "neither breaks nor a composition: nothing to forecast from"
        ),
        "no composition either: nothing to forecast from": _(
            "no composition either: nothing to forecast from"
        ),
        "water or binder unknown": _("water or binder unknown"),
        "no breaks, and water or binder unknown: nothing to forecast from": _(
            "no breaks, and water or binder unknown: nothing to forecast from"
        ),
        "water or binder unknown: nothing to forecast from": _(
            "water or binder unknown: nothing to forecast from"
        ),
        "no history has these ages, add one with results at the target age": _(
            "no history has these ages, add one with results at the target age"
        ),
    }
    return known.get(text, text)
