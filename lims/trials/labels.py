"""Labels of specimens: what stands on them, and the QR code that a phone opens."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import segno
from flask import url_for
from PIL import Image

from lims.base.display import local_time
from lims.base.headers import address_as_asked
from lims.base.papers import pdf, pictures
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
        # In figures: who reads a sticker need not read the language of who printed it.
        cast=f"{local_time(batch.cast_at):%Y-%m-%d %H:%M}" if batch.cast_at else "",
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


#: Width and height of a line that is drawn, dots.
DRAWN = (216, 32)
#: The last letter that font 0 of the printers surely has: Latin with its accents.
LAST_PRINTED = "\u024f"


def zpl(labels: list[Label]) -> str:
    """Labels of 50 x 25 mm for a printer of 203 dpi (8 dots a mm): 400 x 200 dots, UTF-8.

    One in 37 short codes ends in a tilde, which begins a command of the printer: ^FH takes such characters by their number.
    Font 0 has no Chinese and leaves it out without a word: a line with letters that it lacks goes in as a picture.
    Source: Zebra, ZPL II Programming Guide (^XA, ^PW, ^LL, ^CI28, ^BQN, ^FH, ^FD, ^GF).
    """
    lines = [
        (
            (label.code, 26),
            (f"{label.short}  {label.age_days} d" if label.age_days else label.short, 22),
            (label.mix, 20),
            (label.cast, 20),
        )
        for label in labels
    ]
    drawn = _drawn({text for four in lines for text, _size in four if max(text, default="") > LAST_PRINTED})
    made = []
    for label, four in zip(labels, lines, strict=True):
        fields = "".join(
            f"^FO180,{20 + place * 40}"
            + (drawn.get(text) or f"^A0N,{size},{size}^FH^FD{_by_number(text)}")
            + "^FS"
            for place, (text, size) in enumerate(four)
        )
        made.append(f"^XA^PW400^LL200^CI28^FO8,12^BQN,2,4^FH^FDMA,{_by_number(label.address)}^FS{fields}^XZ")
    return "\n".join(made) + "\n"


def _drawn(texts: Iterable[str]) -> dict[str, str]:
    """For each text the ^GF that prints it, a bit a dot (reports/label-lines.typ)."""
    lines = sorted(texts)
    if not lines:
        return {}
    width, height = DRAWN
    pages = pictures("label-lines", {"width": width, "height": height, "lines": lines}, dots_per_inch=72)
    found = {}
    for text, page in zip(lines, pages, strict=True):
        with Image.open(io.BytesIO(page)) as picture:
            dark = picture.convert("L").point([255] * 140 + [0] * 116).convert("1", dither=Image.Dither.NONE)
        bits = dark.tobytes()
        found[text] = f"^GFA,{len(bits)},{len(bits)},{len(bits) // dark.height},{bits.hex().upper()}"
    return found


def _by_number(text: str) -> str:
    """For a field under ^FH: the two characters that begin a command of the printer by their numbers, and ^FH's own mark."""
    return text.replace("_", "_5F").replace("^", "_5E").replace("~", "_7E")
