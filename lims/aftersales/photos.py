"""Pictures of visits and complaints: known by their content, of a bounded size, without what the camera wrote.

A telephone writes the place, the time and its serial number into a picture. It is decoded and written anew from its
pixels, so that nothing of that is kept, and whatever hid behind the picture is gone too.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Sequence

from flask_babel import gettext as _
from PIL import ExifTags, Image, UnidentifiedImageError
from sqlalchemy import ColumnElement, select

from lims.aftersales.complaints import PartOfComplaint, require_open_complaint
from lims.aftersales.models import (
    Complaint,
    Photo,
    Visit,
)
from lims.aftersales.schemas import (
    PhotoEdit,
)
from lims.base.actor import Actor
from lims.base.database import current_session, transaction
from lims.base.files import keep_file
from lims.base.problems import refuse
from lims.base.services import SERVICES
from lims.customers.regions import seen_through, seen_within

#: What a telephone makes, with the name of the format as the decoder finds it in the bytes.
FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MOST_BYTES = 10_000_000
MOST_PIXELS = 40_000_000
#: Scans of a JPEG: one where a camera wrote it, a dozen where it comes in finer and finer. Its coder goes over all pixels
#: for each, and one that says nothing takes eighty bytes: ten megabytes of them would keep it busy for many minutes.
MOST_SCANS = 64
#: What parts a JPEG: two bytes, but for those that stand among its pixels or have no length behind them.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
#: The longer side is brought to this: enough to see a crack, a tenth of the bytes.
LONGEST_PX = 2000
MOST_PHOTOS = 30
#: How a picture is turned upright, by what the camera says. Not Pillow's own, which writes all that the camera said anew and
#: fails where a part of it is damaged.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: On paper a picture is 85 mm wide: 250 dots an inch.
PAPER_PX = 850
PAPER_QUALITY = 78
QUALITY = 85


def clean_picture(content: bytes, name: str) -> tuple[bytes, str, int, int]:
    """The picture written anew: bytes, media type, width and height. Raises: Refused."""
    if not content or len(content) > MOST_BYTES:
        raise refuse(
            "photo",
            _(
                "has %(size)s MB; accepted: a picture of up to %(most)s MB",
                size=f"{len(content) / 1e6:.1f}",
                most=MOST_BYTES // 1_000_000,
            ),
            name,
        )
    wrong = refuse("photo", _("is not a picture; accepted: JPEG, PNG or WebP"), name)
    if content.startswith(b"\xff\xd8") and _scans(content) > MOST_SCANS:
        raise wrong
    try:
        with Image.open(io.BytesIO(content), formats=list(FORMATS)) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise refuse(
                    "photo",
                    _(
                        "has %(size)s megapixels; accepted: up to %(most)s",
                        size=opened.width * opened.height // 1_000_000,
                        most=MOST_PIXELS // 1_000_000,
                    ),
                    name,
                )
            kind = str(opened.format)
            opened.load()
            turn = TURNS.get(opened.getexif().get(ExifTags.Base.Orientation, 1))
            upright = opened.transpose(turn) if turn is not None else opened
            made = upright.convert("RGBA" if kind == "PNG" and "A" in upright.getbands() else "RGB")
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        struct.error,
        Image.DecompressionBombError,
    ):
        raise wrong from None
    made.thumbnail((LONGEST_PX, LONGEST_PX))
    made.info.clear()
    out = io.BytesIO()
    if kind == "PNG":
        made.save(out, "PNG", optimize=True)
    elif kind == "WEBP":
        made.save(out, "WEBP", quality=QUALITY)
    else:
        made.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue(), FORMATS[kind], made.width, made.height


def _scans(content: bytes) -> int:
    """How often a JPEG goes over its pixels, up to its end: what a telephone hangs on behind, a film or a second picture, is
    not decoded. Source: ITU-T T.81, B.1.1."""
    at, number = 2, 0
    while (found := _MARKER.search(content, at)) is not None and found.group() != _END:
        number += found.group() == _SCAN
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return number


def for_paper(content: bytes) -> bytes:
    """A kept picture as a JPEG that prints well and leaves the paper small enough to be sent."""
    with Image.open(io.BytesIO(content), formats=list(FORMATS)) as opened:
        opened.load()
        drawn = opened.convert("RGBA")
    made = Image.new("RGB", drawn.size, "white")
    made.paste(drawn, mask=drawn)
    made.thumbnail((PAPER_PX, PAPER_PX))
    out = io.BytesIO()
    made.save(out, "JPEG", quality=PAPER_QUALITY, optimize=True)
    return out.getvalue()


def add_photo(
    content: bytes,
    name: str,
    actor: Actor,
    *,
    caption: str = "",
    visit_id: int | None = None,
    complaint_id: int | None = None,
) -> Photo:
    """Keep a picture with a visit or a complaint; one that is there already stays as it is.

    Raises: NotFound, Refused.
    """
    words = PhotoEdit.read({"caption": caption}).caption
    cleaned, media_type, width, height = clean_picture(content, name)
    owner: type[Visit] | type[Complaint] = Visit if visit_id is not None else Complaint
    record_name = owner.record_name
    with transaction(actor, "photo") as session:
        SERVICES[record_name].locked(session, visit_id if visit_id is not None else complaint_id or 0)
        stored = keep_file(session, cleaned, media_type)
        there = (
            session.query(Photo)
            .filter_by(visit_id=visit_id, complaint_id=complaint_id)
            .filter(Photo.retired_at.is_(None))
        )
        again = there.filter_by(stored_file_id=stored.id).first()
        if again is not None:  # sent twice, because the first answer was lost on a site
            return again
        require_open_complaint(complaint_id)
        if there.count() >= MOST_PHOTOS:
            raise refuse("photo", _("is one too many; accepted: up to %(most)s pictures", most=MOST_PHOTOS))
        photo = Photo(
            visit_id=visit_id,
            complaint_id=complaint_id,
            stored_file_id=stored.id,
            name=file_name(name, media_type),
            caption=words,
            width_px=width,
            height_px=height,
        )
        session.add(photo)
        session.flush()
    return photo


def file_name(given: str, media_type: str) -> str:
    """The name as the telephone gave it, without a path, with the ending of what it is."""
    stem = re.sub(r"[\x00-\x1f<>:\"/\\|?*]+", "_", given.replace("\\", "/").rsplit("/", 1)[-1]).rsplit(
        ".", 1
    )[0]
    ending = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[media_type]
    return f"{stem.strip()[:80] or 'photo'}.{ending}"


class PhotoService(PartOfComplaint[Photo]):
    """Pictures come in by `add_photo`; what is written under one may change."""

    record = Photo
    schema = PhotoEdit
    edit_schema = PhotoEdit
    search_columns = ("name", "caption")
    filter_columns = ("visit_id", "complaint_id")
    order_columns = ("id", "name")
    shown_relations = ("visit", "complaint")

    def visible(self) -> Sequence[ColumnElement[bool]]:
        of_customer = seen_through(Visit.customer_id)
        return [
            *seen_within(Photo.visit_id, Visit, of_customer),
            *seen_within(Photo.complaint_id, Complaint, seen_through(Complaint.customer_id)),
        ]

    def before_add(self, record: Photo, values: PhotoEdit, actor: Actor) -> None:
        raise refuse("photo", _("comes with a visit or a complaint: send the picture there"))

    def before_restore(self, record: Photo, actor: Actor) -> None:
        super().before_restore(record, actor)
        twin = select(Photo.id).where(
            Photo.visit_id.is_not_distinct_from(record.visit_id),
            Photo.complaint_id.is_not_distinct_from(record.complaint_id),
            Photo.stored_file_id == record.stored_file_id,
            Photo.id != record.id,
            Photo.retired_at.is_(None),
        )
        if current_session().scalar(twin.limit(1)) is not None:
            raise refuse("photo", _("is there already"), record.name)
