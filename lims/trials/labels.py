"""Labels of specimens: what stands on them, and the QR code that a phone opens."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from flask import url_for

from lims.base.display import show_day, show_time
from lims.trials.models import Batch, Specimen
from lims.trials.short_codes import short_code


@dataclass(frozen=True, slots=True)
class Label:
    """One sticker of 50 x 25 mm."""

    code: str
    short: str
    mix: str
    cast: str
    due: str
    age_days: int
    address: str

    @property
    def qr(self) -> str:
        """The address as an inline picture."""
        return str(segno.make(self.address, error="m", micro=False).svg_data_uri(border=1, scale=2))


def labels_of(batch: Batch) -> list[Label]:
    """A label for every specimen of the batch, sets in order of age."""
    found = []
    for item in sorted(batch.sets, key=lambda s: (s.age_days, s.number)):
        for specimen in item.specimens:
            found.append(
                _label(batch, item.age_days, show_day(item.due_at.date()) if item.due_at else "", specimen)
            )
    return found


def _label(batch: Batch, age_days: int, due: str, specimen: Specimen) -> Label:
    short = short_code(specimen.id)
    return Label(
        code=specimen.code,
        short=short,
        mix=batch.mix_revision.code,
        cast=show_time(batch.cast_at) if batch.cast_at else "",
        due=due,
        age_days=age_days,
        address=url_for("BreaksView.scan", code=short, _external=True),
    )
