"""Labels of specimens: what stands on them, and the QR code that a phone opens."""

from __future__ import annotations

from dataclasses import dataclass

import segno
from flask import url_for

from lims.base.display import show_time
from lims.base.headers import address_as_asked
from lims.base.papers import pdf
from lims.trials.models import Batch, Specimen
from lims.trials.short_codes import short_code


@dataclass(frozen=True, slots=True)
class Label:
    """One sticker of 50 x 25 mm."""

    code: str
    short: str
    mix: str
    cast: str
    age_days: int
    address: str

    @property
    def second(self) -> str:
        """Short code and age; a held set has none yet."""
        return f"{self.short} · {self.age_days} d" if self.age_days else self.short

    @property
    def qr(self) -> str:
        """The address as an inline picture."""
        return str(segno.make(self.address, error="m", micro=False).svg_data_uri(border=1, scale=2))


def labels_of(batch: Batch) -> list[Label]:
    """A label for every specimen of the batch, sets in order of age."""
    found = []
    for item in sorted(batch.sets, key=lambda s: (s.age_days, s.number)):
        for specimen in item.specimens:
            found.append(_label(batch, item.age_days, specimen))
    return found


def _label(batch: Batch, age_days: int, specimen: Specimen) -> Label:
    short = short_code(specimen.id)
    return Label(
        code=specimen.code,
        short=short,
        mix=batch.mix_revision.code,
        cast=show_time(batch.cast_at) if batch.cast_at else "",
        age_days=age_days,
        address=address_as_asked() + url_for("BreaksView.scan", code=short),
    )


#: Columns and rows of an A4 sheet of 50 x 25 mm labels.
SHEET = (4, 11)


def label_sheet(labels: list[Label]) -> bytes:
    """Labels as a PDF of A4 sheets (reports/labels.typ)."""
    return pdf(
        "labels",
        {
            "columns": SHEET[0],
            "labels": [
                {
                    "code": label.code,
                    "second": label.second,
                    "mix": label.mix,
                    "cast": label.cast,
                    "modules": [
                        "".join(map(str, row))
                        for row in segno.make(label.address, error="m", micro=False).matrix
                    ],
                }
                for label in labels
            ],
        },
    )


def zpl(labels: list[Label]) -> str:
    """Labels of 50 x 25 mm for a printer of 203 dpi (8 dots a mm): 400 x 200 dots, UTF-8.

    One in 37 short codes ends in a tilde, which begins a command of the printer: ^FH takes such characters by their number.
    Source: Zebra, ZPL II Programming Guide (^XA, ^PW, ^LL, ^CI28, ^BQN, ^FH, ^FD).
    """
    made = []
    for label in labels:
        age = f"{label.short}  {label.age_days} d" if label.age_days else label.short
        lines = [(label.code, 26), (age, 22), (label.mix, 20), (label.cast, 20)]
        fields = "".join(
            f"^FO180,{20 + place * 40}^A0N,{size},{size}^FH^FD{_by_number(text)}^FS"
            for place, (text, size) in enumerate(lines)
        )
        made.append(f"^XA^PW400^LL200^CI28^FO8,12^BQN,2,4^FH^FDMA,{_by_number(label.address)}^FS{fields}^XZ")
    return "\n".join(made) + "\n"


def _by_number(text: str) -> str:
    """For a field under ^FH: the two characters that begin a command of the printer by their numbers, and ^FH's own mark."""
    return text.replace("_", "_5F").replace("^", "_5E").replace("~", "_7E")
