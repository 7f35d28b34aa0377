"""Photos: known by their content, bounded, without the place that a telephone wrote into them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from lims.accounts.roles import AUDITOR, SERVICE
from lims.aftersales.photos import MOST_BYTES, PAPER_PX, clean_picture
from lims.base.papers import pdf
from lims.base.problems import Refused
from lims.base.services import SERVICES
from tests.conftest import Person
from tests.factories import ACTOR, a_customer

GPS_TAG, MAKE_TAG, ORIENTATION = 0x8825, 0x010F, 0x0112


def a_picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), orientation: int = 1) -> bytes:
    """With the place where it was taken, as a telephone makes it."""
    picture = Image.new("RGB", size, (120, 120, 110))
    exif = Image.Exif()
    exif[MAKE_TAG] = "Telephone"
    exif[ORIENTATION] = orientation
    exif.get_ifd(GPS_TAG).update({1: "N", 2: (29.0, 33.0, 47.0), 3: "E", 4: (106.0, 33.0, 2.0)})
    out = io.BytesIO()
    picture.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_place_and_the_telephone_are_gone_and_the_picture_stands(kind: str) -> None:
    given = a_picture(kind)
    assert Image.open(io.BytesIO(given)).getexif().get_ifd(GPS_TAG)
    cleaned, media_type, width, height = clean_picture(given, "a.jpg")
    found = Image.open(io.BytesIO(cleaned))
    assert not dict(found.getexif())
    assert b"Telephone" not in cleaned
    assert b"Exif" not in cleaned
    assert (found.width, found.height) == (width, height) == (60, 40)
    assert media_type == f"image/{kind.lower()}"


def test_a_picture_taken_upright_stays_upright() -> None:
    _cleaned, _type, width, height = clean_picture(a_picture(orientation=6), "a.jpg")
    assert (width, height) == (40, 60)


def test_a_large_picture_is_brought_to_a_bounded_size() -> None:
    _cleaned, _type, width, height = clean_picture(a_picture(size=(5000, 2500)), "a.jpg")
    assert (width, height) == (2000, 1000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"\0" * 40,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7",
        a_picture()[:200],
        b"\xff\xd8\xff" + b"x" * 100,
        b"x" * (MOST_BYTES + 1),
    ],
    ids=["empty", "gif", "svg", "pdf", "cut off", "only the beginning", "too large"],
)
def test_what_is_no_picture_is_refused_whatever_it_is_called(content: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        clean_picture(content, "crack.jpg")
    assert refusal.value.problems[0].value == "crack.jpg"


def test_a_picture_that_unpacks_to_too_much_is_refused() -> None:
    out = io.BytesIO()
    Image.new("L", (9000, 9000)).save(out, "PNG")
    with pytest.raises(Refused, match="megapixels"):
        clean_picture(out.getvalue(), "bomb.png")


def test_photo_of_a_visit_is_uploaded_shown_and_not_written_by_others(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        visit = SERVICES["visits"].add(
            {"customer_id": a_customer().id, "visited_on": "2026-05-04", "purpose": "monthly"}, ACTOR
        )
    service, auditor = sign_in_as(SERVICE), sign_in_as(AUDITOR)
    upload = {"photo": (io.BytesIO(a_picture()), "../crack 裂缝.jpg")}
    answer = service.post(f"/visits/{visit.id}/photos", upload, content_type="multipart/form-data")
    assert answer.status_code == 302
    page = service.get(f"/visits/{visit.id}").get_data(as_text=True)
    assert "crack 裂缝.jpg" in page
    with app.app_context():
        photo = SERVICES["photos"].page().items[0]
    picture = auditor.get(f"/photos/{photo.id}/picture")
    assert picture.status_code == 200
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "inline" in picture.headers["Content-Disposition"]
    assert b"Telephone" not in picture.data
    again = {"photo": (io.BytesIO(a_picture()), "b.jpg")}
    assert (
        auditor.post(f"/visits/{visit.id}/photos", again, content_type="multipart/form-data").status_code
        == 403
    )
    wrong = {"photo": (io.BytesIO(b"%PDF-1.7"), "report.jpg")}
    service.post(f"/visits/{visit.id}/photos", wrong, content_type="multipart/form-data")
    assert "not a picture" in service.get(f"/visits/{visit.id}").get_data(as_text=True)


def test_photos_stand_in_the_service_report_scaled_with_their_captions(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = []

    def kept(layout: str, data: dict[str, Any], **more: Any) -> bytes:
        made = pdf(layout, data, **more)
        papers.append((data, more["files"], made))
        return made

    monkeypatch.setattr("lims.web.visit_page.pdf", kept)
    with app.app_context():
        visit = SERVICES["visits"].add(
            {"customer_id": a_customer().id, "visited_on": "2026-11-12", "purpose": "Spraying followed"},
            ACTOR,
        )
    engineer = sign_in_as(SERVICE)
    for number, kind in enumerate(("JPEG", "PNG", "WEBP")):
        sent = {
            "photo": (io.BytesIO(a_picture(kind, size=(2400, 1600 - 200 * number))), f"{kind}.x"),
            "caption": f"Wall {number}",
        }
        assert engineer.post(f"/visits/{visit.id}/photos", sent).status_code == 302
    answer = engineer.get(f"/visits/{visit.id}/report.pdf")
    data, files, made = papers[0]
    assert answer.data == made
    assert [photo["caption"] for photo in data["photos"]] == ["Wall 0", "Wall 1", "Wall 2"]
    assert [Image.open(io.BytesIO(files[photo["file"]])).format for photo in data["photos"]] == ["JPEG"] * 3
    assert all(max(Image.open(io.BytesIO(content)).size) == PAPER_PX for content in files.values())
    assert made.count(b"/DCTDecode") == 3
    assert len(made) < 400_000


def test_report_without_photos_and_the_feedback_card_with_one_are_papers(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        customer = a_customer()
        visit = SERVICES["visits"].add(
            {"customer_id": customer.id, "visited_on": "2026-11-12", "purpose": "Regular visit"}, ACTOR
        )
        complaint = SERVICES["complaints"].add({"customer_id": customer.id, "subject": "Dust"}, ACTOR)
    engineer = sign_in_as(SERVICE)
    assert engineer.get(f"/visits/{visit.id}/report.pdf").data.startswith(b"%PDF")
    engineer.post(f"/complaints/{complaint.id}/photos", {"photo": (io.BytesIO(a_picture()), "dust.jpg")})
    card = engineer.get(f"/complaints/{complaint.id}/card.pdf").data
    assert card.count(b"/DCTDecode") == 1
