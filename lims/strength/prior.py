"""The prior that ships: public mixes under free licences, so that a laboratory's first forecast works.

Made by `python -m lims.strength.fit_prior`; sources and licences are in the file itself and in
lims/importing/data/LICENCES.md. Own history takes over once 60 own mixes have the ages in question.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from lims.strength.history import AgeStrength, MixHistory

PATH = Path(__file__).with_name("prior.json")


@cache
def shipped_prior() -> tuple[MixHistory, ...]:
    """The mixes of prior.json."""
    data = json.loads(PATH.read_text(encoding="utf-8"))
    return tuple(
        MixHistory(
            lab=item["lab"],
            mix_id=item["mix_id"],
            breaks=tuple(AgeStrength(age, strength, count) for age, strength, count in item["breaks"]),
            composition=dict(zip(data["columns"], item["composition"], strict=True))
            if item["composition"]
            else {},
            curing_temperature_c=item.get("curing_temperature_c"),
        )
        for item in data["mixes"]
    )
