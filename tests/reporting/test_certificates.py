"""What went out is recorded with its bytes, a replacement says why, and only released results are on it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR, MANAGER, TECHNICIAN
from lims.base.anchors import ANCHORS
from lims.base.columns import utc_now
from lims.base.database import transaction
from lims.base.files import bytes_of
from lims.base.papers import pdf
from lims.base.problems import Conflict, NotFound, Refused
from lims.base.services import SERVICES
from lims.reporting.certificate import LAYOUT, certificate_data, released_results, verify_address, with_marks
from lims.reporting.schemas import CertificateIn, ReissueIn
from lims.reporting.service import CertificateService, verified
from lims.results.schemas import SetBreaksIn
from lims.results.service import amend_set, retract
from lims.trials.models import BatchWarning
from tests.conftest import Person
from tests.factories import ACTOR, RECIPE, a_batch
from tests.reporting.production import a_production, broken, load_of, set_of

service = CertificateService()


def issued(batch: Any, **more: Any) -> Any:
    return service.issue(CertificateIn.read({"batch_id": batch.id, **more}), ACTOR)


def printed(paper: Any) -> Any:
    """What the layout was filled with: not every machine can read the paper itself."""
    return json.loads(paper.content)


def superseded(paper: Any) -> bool:
    """What whoever scans its code is told."""
    found = verified(paper.code, paper.content_sha256[:16])
    assert found is not None
    return found.superseded


def text_of(content: bytes, folder: Path) -> str:
    (folder / "paper.pdf").write_bytes(content)
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("no pdftotext on this machine")
    done = subprocess.run([tool, "-layout", str(folder / "paper.pdf"), "-"], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.usefixtures("records_on_both")
class TestRecord:
    def test_paper_is_numbered_and_hashed(self) -> None:
        batch = a_batch()
        found = service.keep(batch.id, "certificate.pdf", b"%PDF", ACTOR)
        assert found.code.endswith("-0001")
        assert found.sha256 == hashlib.sha256(b"%PDF").hexdigest()
        assert bytes_of(found.file_id or 0) == b"%PDF"

    def test_replacement_needs_a_reason_and_keeps_the_old_bytes(self) -> None:
        batch = a_batch()
        first = service.keep(batch.id, "a.pdf", b"one", ACTOR)
        with pytest.raises(Refused, match="why"):
            service.keep(batch.id, "b.pdf", b"two", ACTOR, replaces_id=first.id)
        second = service.keep(batch.id, "b.pdf", b"two", ACTOR, replaces_id=first.id, reason="wrong site")
        assert second.replaces_id == first.id
        assert service.get(first.id).sha256 == hashlib.sha256(b"one").hexdigest()
        assert bytes_of(first.file_id or 0) == b"one"

    def test_certificate_of_no_batch_is_refused(self) -> None:
        with pytest.raises(NotFound):
            service.keep(999, "a.pdf", b"one", ACTOR)
        with pytest.raises(Refused):
            service.add({"batch_id": 999}, ACTOR)
        with pytest.raises(Refused):
            service.add({}, ACTOR)

    def test_is_never_changed_nor_taken_out_of_use(self) -> None:
        found = service.keep(a_batch().id, "a.pdf", b"one", ACTOR)
        with pytest.raises(Refused):
            service.edit(found.id, {"batch_id": found.batch_id}, found.version, ACTOR)
        with pytest.raises(Refused):
            service.retire(found.id, ACTOR)


@pytest.fixture
def batch(app: Flask) -> Any:
    with app.app_context():
        yield a_production(("38.9",))[0]


def test_only_released_results_are_on_the_paper(batch: Any, tmp_path: Path) -> None:
    late = a_batch(mix=None, plan_ages="3,28", cast_at=(batch.cast_at).isoformat())
    broken(late, "17.77", age_days=3)
    broken(late, "66.66", age_days=28, state="verified")
    paper = issued(late)
    assert [(item["age_days"], item["strength_mpa"]) for item in printed(paper)["sets"]] == [("3", "17.8")]
    assert set_of(late).code not in paper.content
    text = text_of(bytes_of(paper.file_id), tmp_path)
    assert "17.8" in text
    assert "66.7" not in text
    assert set_of(late).code not in text


def test_grade_without_a_class_stands_on_the_paper_in_mpa(app: Flask) -> None:
    with app.app_context():
        (batch,) = a_production(("38.9",), grade="")
        with transaction(ACTOR):
            batch.mix_revision.mix_design.grade_mpa = Decimal(35)
        data = certificate_data(
            batch, released_results(batch.id), code="C", issued_at=utc_now(), issued_by="x"
        )
    assert data["mix"]["grade"] == "35 MPa"


def test_paper_of_an_age_without_a_tolerance_names_no_limits_of_it(app: Flask) -> None:
    with app.app_context():
        batch = a_batch("40", plan_ages="14,28", cast_at="2026-01-05T02:00:00+00:00")
        for age in (14, 28):
            broken(batch, "31", age_days=age)
        data = certificate_data(
            batch, released_results(batch.id), code="C", issued_at=utc_now(), issued_by="x"
        )
        of_one = service.issue(CertificateIn.read({"specimen_set_id": set_of(batch, 14).id}), ACTOR)
    assert [(item["age_days"], item["age_within"], len(item["age_limits"])) for item in data["sets"]] == [
        ("14", None, 0), ("28", True, 2)
    ]  # fmt: skip
    assert [item["age_days"] for item in printed(of_one)["sets"]] == ["14"]  # the other has its own


@pytest.mark.parametrize(("kind", "printed"), [("fine", "Fine aggregate"), ("coarse", "Coarse aggregate")])
def test_sample_of_a_quarry_is_not_printed_as_sand(app: Flask, kind: str, printed: str) -> None:
    with app.app_context():
        (batch,) = a_production(("38.9",))
        source = SERVICES["aggregate-sources"].add({"code": "G1", "name": "Quarry", "kind": kind}, ACTOR)
        sample = {"code": "G1-1", "aggregate_source_id": source.id, "sampled_on": "2026-01-05"}
        with transaction(ACTOR):
            batch.aggregate_sample = SERVICES["aggregate-samples"].add(sample, ACTOR)
        data = certificate_data(
            batch, released_results(batch.id), code="C", issued_at=utc_now(), issued_by="x"
        )
    assert [lot["kind"]["en"] for lot in data["lots"] if lot["lot"] == "G1-1"] == [printed]


def test_batch_without_a_released_result_gets_no_paper(app: Flask) -> None:
    with app.app_context():
        (waiting,) = a_production(("38",), state="verified")
        with pytest.raises(Refused, match="no released result"):
            issued(waiting)
        with pytest.raises(Refused, match="no released result"):
            service.issue(CertificateIn.read({"specimen_set_id": set_of(waiting).id}), ACTOR)


def test_paper_says_everything_in_both_scripts(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        press = SERVICES["presses"].add({"code": "YES-2000", "name": "Press 2000 kN"}, ACTOR)
        SERVICES["calibrations"].add(
            {
                "press_id": press.id,
                "certificate_number": "JZ-0731",
                "calibrated_on": "2026-01-01",
                "due_on": f"{date(2026, 1, 1) + timedelta(days=365)}",
                "calibrated_by": "Metrology institute",
            },
            ACTOR,
        )
        customer = SERVICES["customers"].add({"code": "K-1", "name": "江北搅拌站 #panic()"}, ACTOR)
        mix = SERVICES["mix-designs"].add({"code": "C30-X", "strength_class": "C30", **RECIPE}, ACTOR)
        trial = SERVICES["trials"].add({"name": "Trial *x*", "customer_id": customer.id}, ACTOR)
        made = SERVICES["batches"].add(
            {
                "trial_id": trial.id,
                "mix_revision_id": mix.latest_revision_id,
                "cast_at": "2026-02-02T02:00:00+00:00",
                "volume_m3": "40",
                "plan_ages": "28",
                "element": "Axis B",
            },
            ACTOR,
        )
        broken(made, "38.9", press_id=press.id, tested_by="Li Wei", loading_rate_mpa_s="0.9")
        # None of these was valid on the day of the test, or stands any more.
        for number, begins, ends in (
            ("JZ-LATER", "2026-03-03", "2028-01-01"), ("JZ-OVER", "2026-02-01", "2026-03-01"),
            ("JZ-RETIRED", "2026-02-01", "2027-06-01"), ("JZ-BEFORE", "2025-06-01", "2026-12-31"),
        ):  # fmt: skip
            given = {"calibrated_on": begins, "due_on": ends, "calibrated_by": "Else"}
            other = SERVICES["calibrations"].add(
                {"press_id": press.id, "certificate_number": number, **given}, ACTOR
            )
            if number == "JZ-RETIRED":
                SERVICES["calibrations"].retire(other.id, ACTOR)
        with transaction(ACTOR) as session:
            noticed = {"batch_id": made.id, "kind": "lot-too-old", "answer": "retested since"}
            session.add(BatchWarning(**noticed, about="Lot L-1 is old."))
            session.add(BatchWarning(**noticed, about="Lot L-0 is old.", retired_at=utc_now()))
        ANCHORS.append(lambda: "lims.example/42 abcdef")
        try:
            paper = issued(made)
        finally:
            ANCHORS.pop()
        (of_set,) = printed(paper)["sets"]
        assert {name: of_set["press"][name] for name in ("code", "calibration", "valid_until")} == {
            "code": "YES-2000", "calibration": "JZ-0731", "valid_until": "2027-01-01"
        }  # fmt: skip
        assert (of_set["tested_by"], of_set["grade_percent"], of_set["valid"]) == ("Li Wei", "130", True)
        assert (of_set["entered"]["by"], of_set["verified"]["by"], of_set["released"]["by"]) == (
            "test", "checker", "checker"
        )  # fmt: skip
        assert (of_set["age_hours"], of_set["age_within"], len(of_set["age_limits"])) == ("672", True, 2)
        assert of_set["rate"] == {"value": "0.9", "low": "0.5", "high": "0.8"}
        assert printed(paper)["answered"] == [{"about": "Lot L-1 is old.", "answer": "retested since"}]
        (reservation,) = printed(paper)["reservations"]
        assert reservation["en"].startswith(f"{of_set['code']}: The loading rate of 0.9 MPa/s")
        assert reservation["zh"] != reservation["en"]
        assert "will say so" not in reservation["en"]
        assert reservation["zh"].startswith(f"{of_set['code']}：")
        (rule,) = printed(paper)["rules"]
        assert "与中间值的最大偏差 largest deviation from the middle value = 15 %" in rule["numbers"]
        text = text_of(bytes_of(paper.file_id), tmp_path)
    for words in (
        "混凝土抗压强度检测报告",
        "Test certificate",
        "江北搅拌站 #panic()",
        "Trial *x*",
        "Axis B",
        "C30",
        "38.9 MPa",
        "130 %",
        "gbt50081-2019/cube-set",
        "GB/T 50081-2019",
        "YES-2000",
        "JZ-0731",
        "2026-01-01",
        "2027-01-01",
        "Li Wei",
        "checker",
        "672",
        "2026-03-02",
        "Asia/Shanghai",
        "0.9",
        "第 1 页",
        "Page 1 of",
        "Both beyond: invalid.",
        "Reservations",
        "lims.example/42 abcdef",
        "/verify/C",
    ):
        assert words in text, words
    assert "the certificate will say so" not in text


def test_same_data_gives_the_same_bytes(batch: Any) -> None:
    results = released_results(batch.id)
    data = certificate_data(batch, results, code="C26-0001", issued_at=batch.cast_at, issued_by="X")
    again = certificate_data(batch, results, code="C26-0001", issued_at=batch.cast_at, issued_by="X")
    first, mark = with_marks(data)
    second, same = with_marks(again)
    assert mark == same
    assert pdf(LAYOUT, first, made_at=batch.cast_at) == pdf(LAYOUT, second, made_at=batch.cast_at)
    other, another = with_marks({**data, "reason": "x"})
    assert mark != another
    assert pdf(LAYOUT, first) != pdf(LAYOUT, other)


def test_second_paper_of_the_same_is_refused_until_it_is_issued_anew(batch: Any) -> None:
    first = issued(batch)
    with pytest.raises(Refused, match=first.code):
        issued(batch)
    one_set = service.issue(CertificateIn.read({"specimen_set_id": set_of(batch).id}), ACTOR)
    assert one_set.specimen_set_id == set_of(batch).id
    second = service.reissue(first.id, ReissueIn.read({"reason": "wrong site"}), ACTOR)
    assert second.replaces_id == first.id
    assert [superseded(paper) for paper in (first, one_set, second)] == [True, False, False]
    assert second.code != first.code
    with pytest.raises(Conflict):
        service.reissue(first.id, ReissueIn.read({"reason": "again"}), ACTOR)


@pytest.mark.postgresql
def test_two_who_issue_at_once_make_one_certificate_in_force(postgresql_app: Flask) -> None:
    with postgresql_app.app_context():
        values = CertificateIn.read({"batch_id": a_production(("38.9",))[0].id})
    together = Barrier(2)

    def issue(_person: int) -> str:
        with postgresql_app.app_context():
            together.wait(timeout=30)
            try:
                return service.issue(values, ACTOR).code
            except Refused:
                return "refused"

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(issue, range(2)))
    assert told.count("refused") == 1


def test_r4_reissued_paper_names_the_old_one_and_the_reason_and_the_old_bytes_stay(
    batch: Any, tmp_path: Path
) -> None:
    first = issued(batch)
    before = bytes_of(first.file_id)
    second = service.reissue(first.id, ReissueIn.read({"reason": "工地名称有误"}), ACTOR)
    text = text_of(bytes_of(second.file_id), tmp_path)
    assert first.code in text
    assert "工地名称有误" in text
    kept = service.get(first.id)
    assert bytes_of(kept.file_id or 0) == before
    assert hashlib.sha256(before).hexdigest() == kept.sha256


def test_result_is_printed_with_the_loads_it_rests_on_while_somebody_amends_it(batch: Any) -> None:
    results = released_results(batch.id)
    found = set_of(batch)
    typed = {
        "loads_kn": [load_of("40")] * 3,
        "tested_at": found.due_at.isoformat(),
        "loading_rate_mpa_s": "0.9",
    }
    amend_set(found.id, SetBreaksIn.read(typed), 1, ACTOR, "typed wrong")
    content = certificate_data(batch, results, code="C", issued_at=utc_now(), issued_by="x")
    (paper,) = content["sets"]
    assert content["reservations"] == []  # a C30 is loaded with 0.5 to 0.8 MPa/s
    assert paper["number"] == "1"
    assert {item["strength_mpa"] for item in paper["specimens"]} == {paper["strength_mpa"]} == {"38.9"}


def test_amended_and_retracted_results_supersede_the_paper(batch: Any) -> None:
    paper = issued(batch)
    assert service.changed_results(paper.id) == []
    found = set_of(batch)
    entry = SetBreaksIn.read({"loads_kn": [load_of("40")] * 3, "tested_at": found.due_at.isoformat()})
    amend_set(found.id, entry, 1, ACTOR, "typed wrong")
    assert [item.specimen_set_id for item in service.changed_results(paper.id)] == [found.id]
    assert superseded(paper)
    assert service.certificates_of(batch.id, found.id) == [paper]


def test_retracted_result_supersedes_the_paper(batch: Any) -> None:
    paper = issued(batch)
    assert not superseded(paper)
    retract(set_of(batch).id, "wrong press", ACTOR)
    assert len(service.changed_results(paper.id)) == 1
    assert superseded(paper)


def test_only_who_holds_the_mark_learns_anything(batch: Any) -> None:
    paper = issued(batch)
    mark = paper.content_sha256[:16]
    assert verified(paper.code, mark) is not None
    for code, wrong in (
        (paper.code, ""),
        (paper.code, mark[:15]),
        (paper.code, "0" * 16),
        ("C26-9999", mark),
        (paper.code, "%" * 16),
    ):
        assert verified(code, wrong) is None


# --- pages and REST --------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(app: Flask) -> SimpleNamespace:
    """A batch with a released set, without an open context: each request has its own, as in life."""
    with app.app_context():
        batch = a_production(("38.9",))[0]
        return SimpleNamespace(
            id=batch.id, code=batch.code, set_id=set_of(batch).id, due_at=set_of(batch).due_at
        )


def amended(app: Flask, shown: SimpleNamespace) -> None:
    entry = SetBreaksIn.read({"loads_kn": [load_of("40")] * 3, "tested_at": shown.due_at.isoformat()})
    with app.app_context():
        amend_set(shown.set_id, entry, 1, ACTOR, "typed wrong")


@pytest.fixture
def manager(sign_in_as: Callable[[str], Person]) -> Person:
    return sign_in_as(MANAGER)


def test_button_issues_and_the_page_shows_paper_picture_and_address(
    shown: SimpleNamespace, manager: Person
) -> None:
    page = manager.get(f"/batches/{shown.id}").get_data(as_text=True)
    assert 'action="/certificates/issue"' in page
    assert 'action="/certificates/issue"' in manager.get(f"/specimen-sets/{shown.set_id}").get_data(
        as_text=True
    )
    answer = manager.post("/certificates/issue", {"batch_id": shown.id})
    assert answer.status_code == 302
    page = manager.get(answer.location).get_data(as_text=True)
    assert "/preview.png" in page
    assert "/verify/C" in page
    picture = manager.get(answer.location + "/preview.png")
    assert picture.get_data().startswith(b"\x89PNG")
    assert picture.headers["Content-Type"] == "image/png"
    got = manager.get(answer.location + "/file")
    assert got.get_data().startswith(b"%PDF")
    assert "attachment" in got.headers["Content-Disposition"]
    assert 'action="/certificates/issue"' not in manager.get(f"/batches/{shown.id}").get_data(as_text=True)


def test_page_of_a_paper_tells_the_reservations_that_stand_on_it_and_those_of_no_other_set(
    app: Flask, manager: Person
) -> None:
    with app.app_context():
        cast = {"plan_ages": "7,28", "cast_at": "2026-01-05T02:00:00+00:00"}
        batch = a_batch("40", **cast)
        broken(batch, "38.9", loading_rate_mpa_s="0.6")
        clean = issued(batch)
        # Entered once the paper is out; a C30 is loaded with 0.5 to 0.8 MPa/s.
        broken(batch, "30", age_days=7, state="entered", loading_rate_mpa_s="0.9")
        other = a_batch("40", mix=batch.mix_revision.mix_design, **cast)
        broken(other, "38.9", loading_rate_mpa_s="0.9")
        reserved = issued(other)
        assert (printed(clean)["reservations"], len(printed(reserved)["reservations"])) == ([], 1)
    assert "loading rate" not in manager.get(f"/certificates/{clean.id}").get_data(as_text=True)
    page = manager.get(f"/certificates/{reserved.id}").get_data(as_text=True)
    assert "The loading rate of 0.9 MPa/s is outside 0.5 to 0.8 MPa/s" in page
    assert "will say so" not in page
    with app.app_context():  # amended since: the papers went out as they were
        for paper, rate in ((clean, "0.9"), (reserved, "0.6")):
            found = set_of(SERVICES["batches"].get(paper.batch_id))
            typed = {"loads_kn": [load_of("40")] * 3, "tested_at": found.due_at.isoformat()}
            entry = SetBreaksIn.read({**typed, "loading_rate_mpa_s": rate})
            amend_set(found.id, entry, 1, ACTOR, "typed wrong")
    assert "loading rate" not in manager.get(f"/certificates/{clean.id}").get_data(as_text=True)
    assert "The loading rate of 0.9" in manager.get(f"/certificates/{reserved.id}").get_data(as_text=True)


def test_superseded_paper_says_reissue_and_reissuing_replaces_it(
    app: Flask, shown: SimpleNamespace, manager: Person
) -> None:
    place = manager.post("/certificates/issue", {"batch_id": shown.id}).location
    amended(app, shown)
    assert "Superseded: reissue" in manager.get(place).get_data(as_text=True)
    refused = manager.post(place + "/reissue", {"reason": "site <renamed>"})
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422  # the amended result is not released yet
    assert "no released result" in page
    assert 'value="site &lt;renamed&gt;"' in page


def test_reissue_without_a_reason_is_refused(shown: SimpleNamespace, manager: Person) -> None:
    place = manager.post("/certificates/issue", {"batch_id": shown.id}).location
    page = manager.post(place + "/reissue", {"reason": " "}).get_data(as_text=True)
    assert "Reason: is required" in page
    later = manager.post(place + "/reissue", {"reason": "wrong site"}).location
    assert later != place
    assert "wrong site" in manager.get(place).get_data(as_text=True)
    assert "data-superseded" in manager.get(place).get_data(as_text=True)


def test_who_may_not_issue_sees_no_button_and_is_refused(
    app: Flask, shown: SimpleNamespace, sign_in_as: Callable[[str], Person], sales: Person
) -> None:
    technician, auditor = sign_in_as(TECHNICIAN), sign_in_as(AUDITOR)
    for person in (technician, auditor, sales):
        assert "/certificates/issue" not in person.get(f"/batches/{shown.id}").get_data(as_text=True)
        assert person.post("/certificates/issue", {"batch_id": shown.id}).status_code == 403
    with app.app_context():
        paper = issued(shown)
    for address in (
        f"/certificates/{paper.id}",
        f"/certificates/{paper.id}/file",
        f"/certificates/{paper.id}/preview.png",
    ):
        assert sales.get(address).status_code == 403
        assert auditor.get(address).status_code == 200


def test_verify_page_needs_no_sign_in_and_tells_nothing_else(shown: SimpleNamespace, app: Flask) -> None:
    with app.app_context():
        paper = issued(shown)
    client = app.test_client()
    address = f"/verify/{paper.code}?h={paper.content_sha256[:16]}"
    page = client.get(address)
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert paper.code in text
    assert 'data-verdict="in-force"' in text
    for secret in (shown.code, "Production", "38.9", "C30", "checker", paper.sha256):
        assert secret not in text, secret
    wrong = client.get(f"/verify/{paper.code}?h={'0' * 16}")
    unknown = client.get(f"/verify/C26-9999?h={'0' * 16}")
    assert wrong.status_code == unknown.status_code == 404
    assert paper.code not in wrong.get_data(as_text=True)


def test_verify_page_compares_a_file_and_a_hash(shown: SimpleNamespace, app: Flask) -> None:
    with app.app_context():
        paper = issued(shown)
    client = app.test_client()
    address = f"/verify/{paper.code}?h={paper.content_sha256[:16]}"
    token = client.get(address).get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]

    def compared(**data: Any) -> str:
        sent = client.post(address, data={"csrf_token": token, **data}, content_type="multipart/form-data")
        return sent.get_data(as_text=True)

    with app.app_context():
        content = bytes_of(paper.file_id)
    assert 'data-matches="yes"' in compared(file=(io.BytesIO(content), "c.pdf"))
    assert 'data-matches="no"' in compared(file=(io.BytesIO(content + b" "), "c.pdf"))
    assert 'data-matches="yes"' in compared(sha256=paper.sha256.upper())
    assert 'data-matches="no"' in compared(sha256="<script>")
    assert "<script>" not in compared(sha256="<script>").split("data-matches")[1][:400]
    with app.app_context():
        service.reissue(paper.id, ReissueIn.read({"reason": "wrong site"}), ACTOR)
    assert 'data-verdict="superseded"' in client.get(address).get_data(as_text=True)


def test_rest_issues_and_reissues(shown: SimpleNamespace, manager: Person) -> None:
    manager.post("/certificates/add")  # brings the token
    headers = {"X-CSRFToken": manager.token}
    made = manager.client.post("/api/v1/certificates/", json={"batch_id": shown.id}, headers=headers)
    assert made.status_code == 201, made.get_data(as_text=True)
    first = made.get_json()["result"]
    again = manager.client.post(
        f"/api/v1/certificates/{first['id']}/steps/reissue", json={"reason": "wrong site"}, headers=headers
    )
    assert again.status_code == 200
    assert again.get_json()["result"]["replaces_id"] == first["id"]
    old = manager.get(f"/api/v1/certificates/{first['id']}/file")
    assert hashlib.sha256(old.get_data()).hexdigest() == first["sha256"]
    assert (
        manager.client.put(f"/api/v1/certificates/{first['id']}", json={}, headers=headers).status_code == 405
    )


def test_address_on_a_paper_made_without_a_request_is_that_of_the_installation(app: Flask) -> None:
    settings = app.config["LIMS_SETTINGS"]
    with app.test_request_context("/", base_url="http://localhost:9000"):  # the port is the server's own
        assert verify_address("C26-0001", "a" * 64).startswith(f"http://localhost:{settings.port}/verify/")
    with app.app_context():
        assert verify_address("C26-0001", "a" * 64) == (
            f"http://{settings.host}:{settings.port}/verify/C26-0001?h={'a' * 16}"
        )
        app.config["LIMS_SETTINGS"] = settings.model_copy(update={"public_url": "https://lims.example.com/"})
        assert verify_address("C26-0001", "a" * 64).startswith("https://lims.example.com/verify/C26-0001?h=")
    with app.test_request_context("/", base_url="http://localhost:9000"):
        assert verify_address("C26-0001", "a" * 64).startswith("https://lims.example.com/")
