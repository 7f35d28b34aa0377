"""A visit with its photos, and its service report as paper."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask_babel import gettext as _
from sqlalchemy import select

from lims.aftersales.models import Photo, Visit
from lims.aftersales.photos import for_paper
from lims.base.database import current_session
from lims.base.display import show_day
from lims.base.files import bytes_of, file_response
from lims.base.laboratory import laboratory
from lims.base.papers import pdf
from lims.base.security import may
from lims.base.staff import staff_names


def photos_of(*, visit_id: int | None = None, complaint_id: int | None = None) -> list[dict[str, Any]]:
    """Address, caption and size of the pictures of a visit or a complaint."""
    if not may("read", "photos"):
        return []
    query = (
        select(Photo)
        .where(
            Photo.visit_id == visit_id if visit_id is not None else Photo.complaint_id == complaint_id,
            Photo.retired_at.is_(None),
        )
        .order_by(Photo.id)
    )
    return [
        {
            "id": photo.id,
            "stored_file_id": photo.stored_file_id,
            "name": photo.name,
            "caption": photo.caption or photo.name,
            "width": photo.width_px,
            "height": photo.height_px,
            "picture": url_for("PhotoView.picture", record_id=photo.id),
            "page": url_for("PhotoView.show", record_id=photo.id),
        }
        for photo in current_session().scalars(query)
    ]


def photos_on_paper(
    *, visit_id: int | None = None, complaint_id: int | None = None
) -> tuple[list[dict[str, str]], dict[str, bytes]]:
    """(file, caption) of each picture for a layout, and the files themselves, small enough to be sent."""
    shown, files = [], {}
    for number, photo in enumerate(photos_of(visit_id=visit_id, complaint_id=complaint_id), start=1):
        name = f"photo-{number}.jpg"
        files[name] = for_paper(bytes_of(photo["stored_file_id"]))
        shown.append({"file": name, "caption": photo["caption"]})
    return shown, files


def visit_pdf(record: Visit) -> Response:
    """The service report of a visit."""
    lab = laboratory()
    names = staff_names()
    rows = [
        [_("Customer"), record.customer.name],
        [_("Site"), record.site.name if record.site else "–"],
        [_("Visited on"), show_day(record.visited_on)],
        [_("Visited by"), names.get(str(record.user_id), "–")],
        [_("Purpose"), record.purpose],
        [_("Complaint"), record.complaint.title if record.complaint else "–"],
        [_("What was seen"), record.findings or "–"],
        [_("Advice given"), record.advice or "–"],
        [_("Satisfaction"), _("%(score)s of 5", score=record.satisfaction) if record.satisfaction else "–"],
        [_("Call back on"), show_day(record.follow_up_on) if record.follow_up_on else "–"],
        [_("Called back on"), show_day(record.followed_up_on) if record.followed_up_on else "–"],
        [_("What the call-back said"), record.call_back or "–"],
    ]
    photos, files = photos_on_paper(visit_id=record.id)
    data = {
        "title": _("Service report"),
        "laboratory": lab.works or lab.name,
        "code": f"V-{record.id:05d}",
        "rows": rows,
        "photos_title": _("Photos"),
        "photos": photos,
        "signatures": [_("For the works"), _("For the customer")],
    }
    return file_response(
        pdf("service-report", data, files=files),
        "application/pdf",
        f"service-report-{record.id}.pdf",
        in_place=True,
    )
