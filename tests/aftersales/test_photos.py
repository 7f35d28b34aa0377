"""Photos: known by their content, bounded, without the place that a telephone wrote into them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from PIL import Image

from lims.accounts.roles import AUDITOR, SALES, SERVICE, TECHNICIAN
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


def test_pictures_that_are_decoded_at_once_leave_the_warnings_of_the_process_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What one thread saves and puts back, another puts back later: every warning would be an error from then on."""
    opened, seen = Image.open, []
    warnings.simplefilter(
        "default"
    )  # as outside of the tests, which have errors of them; pytest puts it back
    before = warnings.filters[:]

    def looking(*given: Any, **more: Any) -> Any:
        seen.append(warnings.filters[:])
        return opened(*given, **more)

    monkeypatch.setattr(Image, "open", looking)
    clean_picture(a_picture(), "a.jpg")
    assert seen
    assert all(found == before for found in seen)


def test_a_picture_whose_camera_wrote_damaged_facts_is_kept_for_its_pixels() -> None:
    given = a_picture(orientation=6)
    # The kind of a fact about the camera that no writer knows what to do with.
    damaged = given.replace(b"\x01\x0f\x00\x02", b"\x01\x0f\x00\x03").replace(
        b"\x0f\x01\x02\x00", b"\x0f\x01\x03\x00"
    )
    assert damaged != given
    _cleaned, _type, width, height = clean_picture(damaged, "a.jpg")
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


def test_a_jpeg_that_goes_over_its_pixels_without_end_is_refused_and_one_that_gets_finer_is_kept() -> None:
    out = io.BytesIO()
    Image.effect_noise((600, 400), 60).convert("RGB").save(out, "JPEG", progressive=True)
    finer = out.getvalue()
    begin = finer.rindex(b"\xff\xda")
    last = finer[begin:-2]
    endless = finer[:-2] + last * 100 + finer[-2:]
    assert clean_picture(finer, "a.jpg")[2:] == (600, 400)
    assert clean_picture(finer + b"film" + last * 100, "a.jpg")[2:] == (600, 400)  # behind the picture's end
    with pytest.raises(Refused, match="is not a picture"):
        clean_picture(endless, "a.jpg")


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


def test_report_of_a_visit_says_which_day_was_promised_and_which_it_was(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, str] = {}

    def kept(_layout: str, data: dict[str, Any], **_more: Any) -> bytes:
        told.update(data["rows"])
        return b"%PDF"

    monkeypatch.setattr("lims.web.visit_page.pdf", kept)
    called = {"follow_up_on": "2026-05-11", "followed_up_on": "2026-05-12", "call_back": "It holds"}
    with app.app_context():
        given = {"customer_id": a_customer().id, "visited_on": "2026-05-04", "purpose": "Spraying"}
        visit = SERVICES["visits"].add({**given, **called}, ACTOR)
    assert sign_in_as(SERVICE).get(f"/visits/{visit.id}/report.pdf").status_code == 200
    names = ("Call back on", "Called back on", "What the call-back said")
    assert [told[name] for name in names] == ["11 May 2026", "12 May 2026", "It holds"]


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


def send(person: Person, path: str, content: bytes, name: str = "crack.jpg", **form: str) -> Any:
    """A picture over REST."""
    if not person.token:
        person.post("/profile/")
    return person.client.post(
        path,
        data={"photo": (io.BytesIO(content), name), **form},
        headers={"X-CSRFToken": person.token},
        content_type="multipart/form-data",
    )


@pytest.fixture
def complaint_and_visit(app: Flask) -> tuple[int, int]:
    with app.app_context():
        customer = a_customer()
        visit = SERVICES["visits"].add(
            {"customer_id": customer.id, "visited_on": "2026-11-12", "purpose": "Regular visit"}, ACTOR
        )
        complaint = SERVICES["complaints"].add({"customer_id": customer.id, "subject": "Dust"}, ACTOR)
        return complaint.id, visit.id


def test_picture_over_rest_is_the_one_of_the_page(
    sign_in_as: Callable[[str], Person], complaint_and_visit: tuple[int, int]
) -> None:
    """Cleaned, once however often it is sent, on the page, and read back by whoever may read."""
    complaint_id, visit_id = complaint_and_visit
    engineer, auditor = sign_in_as(SERVICE), sign_in_as(AUDITOR)
    for owner, path in (("complaint_id", f"complaints/{complaint_id}"), ("visit_id", f"visits/{visit_id}")):
        answer = send(
            engineer, f"/api/v1/{path}/photos", a_picture(), "../wall 墙.jpeg", caption="North wall"
        )
        assert answer.status_code == 201
        photo = answer.get_json()["result"]
        assert (photo["name"], photo["caption"]) == ("wall 墙.jpg", "North wall")
        assert (photo["width_px"], photo["height_px"]) == (60, 40)
        again = send(engineer, f"/api/v1/{path}/photos", a_picture(), "other.jpg").get_json()["result"]
        assert again["id"] == photo["id"]
        listed = auditor.get(f"/api/v1/photos/?{owner}={photo[owner]}").get_json()
        assert [item["id"] for item in listed["result"]] == [photo["id"]]
        assert "North wall" in engineer.get(f"/{path}").get_data(as_text=True)
        picture = auditor.get(f"/api/v1/photos/{photo['id']}/picture")
        assert picture.mimetype == "image/jpeg"
        assert b"Telephone" not in picture.data


def test_picture_over_rest_is_taken_from_those_who_may_and_nobody_else(
    app: Flask, sign_in_as: Callable[[str], Person], complaint_and_visit: tuple[int, int]
) -> None:
    complaint_id, visit_id = complaint_and_visit
    places = [f"/api/v1/complaints/{complaint_id}/photos", f"/api/v1/visits/{visit_id}/photos"]
    taken = {
        role: [send(sign_in_as(role), place, a_picture()).status_code for place in places]
        for role in (SERVICE, SALES, AUDITOR, TECHNICIAN)
    }
    assert taken == {SERVICE: [201, 201], SALES: [201, 201], AUDITOR: [403, 403], TECHNICIAN: [403, 403]}
    assert (
        app.test_client().post(places[0], headers={"Authorization": "Bearer lims_wrong"}).status_code == 401
    )
    assert send(sign_in_as(SERVICE), "/api/v1/complaints/999/photos", a_picture()).status_code == 404


def test_wrong_picture_over_rest_names_field_value_and_what_is_accepted(
    sign_in_as: Callable[[str], Person],
    complaint_and_visit: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lims.aftersales.photos.MOST_BYTES", 100_000)
    path = f"/api/v1/complaints/{complaint_and_visit[0]}/photos"
    engineer = sign_in_as(SERVICE)
    for content in (b"%PDF-1.7", b"", b"x" * 100_001):
        answer = send(engineer, path, content)
        problem = answer.get_json()["problems"][0]
        assert (answer.status_code, problem["field"], problem["value"]) == (422, "photo", "crack.jpg")
        assert "accepted: " in problem["message"]
    long = send(engineer, path, a_picture(), caption="x" * 201).get_json()["problems"][0]
    assert long["field"] == "caption"
    stray = send(engineer, path, a_picture(), complaint_id="7").get_json()["problems"][0]
    assert stray["field"] == "complaint_id"
    headers = {"X-CSRFToken": engineer.token}
    two = {"photo": [(io.BytesIO(a_picture()), "a.jpg"), (io.BytesIO(a_picture()), "b.jpg")]}
    for sent in ({"json": {"photo": "aGVsbG8="}}, {"data": two}):
        answer = engineer.client.post(path, headers=headers, **sent)
        assert answer.status_code == 422
        assert "accepted: one file" in answer.get_json()["problems"][0]["message"]
    other = {"photo": (io.BytesIO(a_picture()), "a.jpg"), "file": (io.BytesIO(b"x"), "c.jpg")}
    assert (
        engineer.client.post(path, headers=headers, data=other).get_json()["problems"][0]["field"] == "file"
    )
    assert engineer.get("/api/v1/photos/").get_json()["result"] == []


def test_papers_of_the_service_are_given_over_rest_too(
    sign_in_as: Callable[[str], Person], complaint_and_visit: tuple[int, int]
) -> None:
    complaint_id, visit_id = complaint_and_visit
    engineer = sign_in_as(SERVICE)
    for path in (f"complaints/{complaint_id}/card.pdf", f"visits/{visit_id}/report.pdf"):
        assert engineer.get(f"/api/v1/{path}").data == engineer.get(f"/{path}").data
        assert engineer.get(f"/api/v1/{path}").data.startswith(b"%PDF")
