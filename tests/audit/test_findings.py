"""Findings from open to closed, samples that repeat, what is kept."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import openpyxl
import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR, MANAGER, SALES, TECHNICIAN
from lims.accounts.service import find_user
from lims.audit.kept import FindingService
from lims.audit.sampling import draw, of_now
from lims.audit.schemas import AnswerIn, RemarkIn, SampleIn
from lims.base.problems import Refused
from tests.conftest import USERNAMES, Person
from tests.factories import ACTOR, a_batch, a_mix


def a_finding(role: str = TECHNICIAN, **more: Any) -> Any:
    user = find_user(USERNAMES[role])
    assert user is not None
    data = {
        "subject": "No label",
        "severity": "minor",
        "due_on": f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}",
        "responsible_id": user.id,
        **more,
    }
    return FindingService().add(data, ACTOR)


def test_finding_goes_open_answered_closed_and_no_other_way(app: Flask) -> None:
    service = FindingService()
    with app.test_request_context():
        key = a_finding().id
        with pytest.raises(Refused, match="accepted: Answered"):
            service.close(key, RemarkIn(remark="good"), ACTOR)
        assert service.answer(key, AnswerIn(answer="done"), ACTOR).state == "answered"
        with pytest.raises(Refused):
            service.answer(key, AnswerIn(answer="again"), ACTOR)
        with pytest.raises(Refused, match="past"):
            service.reopen(key, RemarkIn(remark="no"), datetime(2020, 1, 1, tzinfo=UTC).date(), ACTOR)
        later = (datetime.now(UTC) + timedelta(days=9)).date()
        assert service.reopen(key, RemarkIn(remark="not enough"), later, ACTOR).state == "open"
        service.answer(key, AnswerIn(answer="done better"), ACTOR)
        assert service.close(key, RemarkIn(remark="good"), ACTOR).state == "closed"
        with pytest.raises(Refused, match="never taken out of use"):
            service.retire(key, ACTOR)


def test_only_the_responsible_and_managers_answer_and_only_auditors_close(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.test_request_context():
        key = a_finding(TECHNICIAN).id
    assert sign_in_as(SALES).post(f"/findings/{key}/answer", {"answer": "x"}).status_code == 403
    assert sign_in_as(AUDITOR).post(f"/findings/{key}/answer", {"answer": "x"}).status_code == 403
    assert sign_in_as(TECHNICIAN).post(f"/findings/{key}/answer", {"answer": "x"}).status_code == 302
    assert sign_in_as(MANAGER).post(f"/findings/{key}/close", {"remark": "x"}).status_code == 403
    assert sign_in_as(AUDITOR).post(f"/findings/{key}/close", {"remark": "x"}).status_code == 302


def test_finding_names_its_record_and_stands_in_its_trace_of_changes(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.test_request_context():
        mix = a_mix()
        finding = a_finding(about_record="mix-designs", about_id=mix.id)
        title, key = mix.title, finding.id
        assert finding.about == title
        for wrong in ({"about_record": "nothing", "about_id": 1}, {"about_record": "mix-designs", "about_id": 99},
                      {"about_record": "mix-designs"}):  # fmt: skip
            with pytest.raises(Refused):
                a_finding(**wrong)
    auditor = sign_in_as(AUDITOR)
    assert title in auditor.get(f"/findings/{key}").get_data(as_text=True)
    assert "No label" in auditor.get("/").get_data(as_text=True)


def test_overdue_findings_are_listed(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.test_request_context():
        a_finding(due_on="2020-05-01", subject="Old one")
        a_finding(subject="New one")
    page = sign_in_as(AUDITOR).get("/findings/overdue").get_data(as_text=True)
    assert "Old one" in page
    assert "New one" not in page


@pytest.mark.usefixtures("records_on_both")
def test_the_same_period_number_and_seed_draw_the_same_specimens() -> None:
    mix = a_mix()
    for _number in range(4):
        a_batch("120", mix=mix)
    today = datetime.now(UTC).date()
    asked = SampleIn(first=today - timedelta(days=10), last=today, size=7, seed=5)
    drawn = draw(asked)
    assert len(set(drawn)) == 7
    assert draw(asked) == drawn
    assert draw(asked.model_copy(update={"seed": 6})) != drawn
    a_batch("120", mix=mix, cast_at=(datetime.now(UTC) - timedelta(days=40)).isoformat())
    assert draw(asked) == drawn  # what was cast outside the period changes nothing
    assert draw(SampleIn(first=today, last=today, size=7, seed=5)) == []
    with pytest.raises(ValueError, match="ends before"):
        SampleIn(first=today, last=today - timedelta(days=1), size=7, seed=5)


@pytest.mark.usefixtures("records_on_both")
def test_sample_stays_the_same_when_a_batch_of_its_period_is_registered_later() -> None:
    mix = a_mix()
    for _number in range(4):
        a_batch("120", mix=mix)
    today = datetime.now(UTC).date()
    blank = SampleIn(first=today - timedelta(days=10), last=today, size=7, seed=5)
    asked = of_now(blank)
    drawn = draw(asked)
    a_batch("120", mix=mix)
    assert draw(asked) == drawn
    assert of_now(asked) == asked
    assert of_now(blank).newest > asked.newest  # type: ignore[operator]


def test_papers_of_a_sample_hold_the_specimens_of_the_page_they_are_taken_from(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        a_batch("400")
    today = datetime.now(UTC).date()
    auditor = sign_in_as(AUDITOR)
    query = f"first={today - timedelta(days=10)}&last={today + timedelta(days=1)}&size=5&seed=5"
    page = auditor.get(f"/audit-sample/?{query}&go=1").get_data(as_text=True)
    shown = re.findall(r'class="fw-bold num" href="[^"]+">([^<]+)<', page)
    assert len(shown) == 5
    with app.app_context():
        a_batch("400", mix=a_mix("C30-2"))
    (workbook,) = re.findall(r'href="(/audit-sample/checklist\.xlsx[^"]+)"', page)
    rows = openpyxl.load_workbook(io.BytesIO(auditor.get(unescape(workbook)).data)).active.values  # type: ignore[union-attr]
    assert [row[0] for row in rows][3:] == shown
    again = re.findall(r'href="(/audit-sample/\?[^"]+go=1)"', page)[0]
    page = auditor.get(unescape(again)).get_data(as_text=True)
    assert re.findall(r'class="fw-bold num" href="[^"]+">([^<]+)<', page) == shown
    # The next sample is drawn of what is registered then.
    assert re.search(r'name="newest"[^>]* value=""', page)


def test_every_specimen_of_the_period_may_be_drawn(records: Flask) -> None:
    batch = a_batch("40")
    every = {specimen.id for found in batch.sets for specimen in found.specimens}
    today = datetime.now(UTC).date()
    drawn = set()
    for seed in range(60):
        drawn |= set(draw(SampleIn(first=today - timedelta(days=10), last=today, size=2, seed=seed)))
    assert drawn == every


def test_checklist_prints_and_opens_in_excel(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        a_batch("40")
    today = datetime.now(UTC).date()
    query = f"first={today - timedelta(days=10)}&last={today + timedelta(days=1)}&size=3&seed=5"
    auditor = sign_in_as(AUDITOR)
    assert auditor.get(f"/audit-sample/checklist.pdf?{query}").data.startswith(b"%PDF")
    book = openpyxl.load_workbook(io.BytesIO(auditor.get(f"/audit-sample/checklist.xlsx?{query}").data))
    rows = list(book.active.values)  # type: ignore[union-attr]
    assert len(rows) == 6
    assert rows[2][0] == "Specimen"
    for good, bad in (
        ("size=3", "size=0"),
        ("seed=5", "seed=x"),
        ("first=", "first=never"),
        ("size=3", "size=101"),
    ):
        assert auditor.get(f"/audit-sample/?go=1&{query.replace(good, bad)}").status_code == 400
    assert sign_in_as(SALES).get(f"/audit-sample/?go=1&{query}").status_code == 403


def test_retention_tells_what_is_kept_and_how_long(sign_in_as: Callable[[str], Person]) -> None:
    page = sign_in_as(AUDITOR).get("/retention/").get_data(as_text=True)
    assert "without end; at least 10 years" in page
    assert "from before an upgrade or a restore until somebody removes them" in page
    assert "90 days at most" in page
    assert "30 days at most" in page  # what jobs made
    assert "Record of changes" in page


def test_answer_or_remark_that_is_not_taken_stands_on_the_page_with_the_reason(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.test_request_context():
        key = a_finding(TECHNICIAN).id
    technician, manager, auditor = map(sign_in_as, (TECHNICIAN, MANAGER, AUDITOR))
    assert technician.post(f"/findings/{key}/answer", {"answer": "Labels printed"}).status_code == 302
    late = manager.post(f"/findings/{key}/answer", {"answer": "A second printer was bought"})
    assert late.status_code == 422
    page = late.get_data(as_text=True)
    assert "State: is Answered; accepted: Open" in page
    assert "A second printer was bought" in page[page.index('id="not-taken"') :]
    before = datetime.now(UTC).date() - timedelta(days=2)
    again = auditor.post(
        f"/findings/{key}/reopen", {"remark": "Which labels, since when?", "due_on": str(before)}
    )
    assert again.status_code == 422
    page = again.get_data(as_text=True)
    assert "Answer due on: lies in the past; accepted: today or later" in page
    form = page[page.index(f'action="/findings/{key}/reopen"') :]
    assert "Which labels, since when?</textarea>" in form
    assert f'value="{before}"' in form
