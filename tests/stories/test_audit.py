"""The auditor: a complaint to the press calibration and back, a sample and its findings, signatures, a locked page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import Persons, password_of

pytestmark = pytest.mark.browser


def test_complaint_to_press_calibration_and_back_in_three_clicks(persons: Persons) -> None:
    visit = persons.of("auditor")
    page = visit.open("/complaints/1")
    clicks = 0

    def click(target: Locator) -> None:
        nonlocal clicks
        target.click()
        clicks += 1

    click(page.get_by_role("link", name="Trace", exact=True))
    expect(page.locator("svg.trace:visible")).to_have_count(1)
    click(page.locator("svg.trace:visible a[aria-label^='Calibration: JZ-']"))
    expect(page).to_have_url(re.compile(r"/calibrations/\d+$"))
    expect(page.locator("h1")).to_contain_text("JZ-")
    assert clicks <= 3
    clicks = 0
    click(page.get_by_role("link", name="Trace", exact=True))
    click(page.locator("svg.trace:visible a[aria-label^='Complaint: K']").first)
    expect(page).to_have_url(re.compile(r"/complaints/1$"))
    assert clicks <= 3
    # Nothing is wider than the window, and every box of the picture is large enough for a thumb.
    page.go_back()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    height = page.locator("svg.trace:visible .tb-box").first.bounding_box()
    assert height is not None
    assert height["height"] >= 43.5


def test_sample_is_drawn_again_and_leads_to_a_finding_that_is_answered_and_closed(persons: Persons) -> None:
    auditor = persons.of("auditor")
    page = auditor.open("/audit-sample/")
    page.fill("#f-size", "5")
    page.fill("#f-seed", "11")
    page.get_by_role("button", name="Draw the sample").click()
    expect(page.locator("#sample a.num")).to_have_count(5)
    first = page.locator("#sample a.num").all_inner_texts()
    page.reload()
    assert page.locator("#sample a.num").all_inner_texts() == first
    with page.expect_download() as download:
        page.get_by_role("link", name="Excel").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    page.get_by_role("link", name=f"Finding about {first[0]}").click()
    subject = f"No photo of the label, {persons.size[0]}"
    page.fill("#f-subject", subject)
    page.select_option("#f-responsible_id", label="Chen Jing")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_contain_text(subject)
    address = page.url.removeprefix(auditor.address)

    manager = persons.of("manager")
    other = manager.open(address)
    other.fill("#answer", "The photo is with the batch now.")
    other.get_by_role("button", name="Answer").click()
    expect(other.locator("main")).to_contain_text("The photo is with the batch now.")
    expect(other.get_by_role("button", name="Close the finding")).to_have_count(0)

    auditor.open(address)
    page.fill("#remark-close", "Seen.")
    page.get_by_role("button", name="Close the finding").click()
    expect(page.locator("main")).to_contain_text("Closed")
    # The record of changes tells it in the auditor's words.
    page.locator("#history summary").first.click()
    expect(page.locator("#history")).to_contain_text("State")
    expect(page.locator("#history")).not_to_contain_text("about_record")


def test_wrong_password_signs_nothing_and_stands_among_the_denied_attempts(persons: Persons) -> None:
    manager = persons.of("manager")
    manager.expected.append("status of 422")
    page = manager.open("/set-results/?state=entered&order=-created_at")
    rows = page.locator("tbody tr a")
    code = rows.nth(0).inner_text()
    manager.open(f"/search/?go=1&q={code}")
    page.get_by_role("link", name="Breaks and result").click()
    page.locator("summary", has_text="Verify").click()
    page.fill("#password-verify", "not my password")
    page.get_by_role("button", name="Sign: Verify").click()
    expect(page.get_by_role("alert").first).to_contain_text("nothing was signed")
    page.fill("#password-verify", password_of("manager"))
    page.get_by_role("button", name="Sign: Verify").click()
    expect(page.locator("#signatures")).to_contain_text("Chen Jing")
    expect(page.locator("#signatures")).to_contain_text("I compared this entry with the observation")
    expect(page.locator("#signatures")).to_contain_text("UTC")
    auditor = persons.of("auditor")
    denied = auditor.open("/denied-attempts/?kind=signature")
    expect(denied.locator("tbody")).to_contain_text("Chen Jing")


def test_locked_page_keeps_what_was_typed(persons: Persons) -> None:
    auditor = persons.of("auditor")
    auditor.expected.append("status of 401")
    page = auditor.open("/findings/add")
    page.fill("#f-subject", "Half a sentence, then the phone rang")
    page.get_by_role("button", name="My account").click()
    page.get_by_role("button", name="Lock this page").click()
    expect(page.locator("#lock")).to_be_visible()
    expect(page.locator("#f-subject")).to_be_hidden()
    second = page.context.new_page()  # the server has ended the session: no other tab is open either
    second.goto(auditor.address + "/findings/")
    expect(second).to_have_url(re.compile("/login/"))
    second.close()
    page.fill("#lock-password", "wrong")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#lock-problem")).to_contain_text("not the password")
    page.fill("#lock-password", password_of("auditor"))
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#f-subject")).to_have_value("Half a sentence, then the phone rang")
    page.select_option("#f-responsible_id", label="Chen Jing")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_contain_text("Half a sentence")


def test_entry_page_left_alone_ends_its_session_and_keeps_what_was_typed(persons: Persons) -> None:
    technician = persons.of("technician")
    technician.expected.append("status of 401")
    page = technician.open("/entry/")
    page.clock.install()
    page.reload()
    expect(page.locator("#due button").first).to_be_visible()
    page.fill("#code", "half a code")
    page.clock.fast_forward("20:00")
    expect(page.locator("#locked")).to_be_visible()
    expect(page.locator("#code")).to_have_value("half a code")
    page.get_by_role("link", name="Sign in and go on").click()
    expect(page).to_have_url(re.compile("/login/"))  # the session has ended on the server
