"""A day of the technician: register, print, scan, break, verify by another, release, amend, retract, retest."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Persons, password_of

pytestmark = pytest.mark.browser


def sign(page: Page, step: str, username: str) -> None:
    """Open the step, give the password again, sign."""
    page.locator("summary", has_text=step).click()
    page.fill(f"#password-{step.lower()}", password_of(username))
    page.get_by_role("button", name=f"Sign: {step}").click()


def three_days_ago(page: Page) -> str:
    """This hour three days ago, as the field writes it."""
    moment: str = page.evaluate(
        "() => { const d = new Date(document.getElementById('f-cast_at').value);"
        "d.setDate(d.getDate() - 3); d.setMinutes(d.getMinutes() - d.getTimezoneOffset());"
        "return d.toISOString().slice(0, 16); }"
    )
    return moment


def test_the_whole_day_of_a_technician(persons: Persons) -> None:
    technician = persons.of("technician")
    # Register: as the last batch, with a set to hold.
    page = technician.open("/batches/add?repeat=last")
    page.fill("#f-cast_at", three_days_ago(page))
    page.fill("#f-volume_m3", "48")
    page.fill("#f-hold_sets", "1")
    page.fill("#f-site_sets", "0")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/batches/\d+$"))
    batch_url = page.url
    batch_code = page.locator("h1").inner_text()

    # Print: a label for every specimen, in three forms.
    page.get_by_role("link", name="Labels").click()
    expect(page.locator(".label")).to_have_count(12)
    first_label = page.locator(".label").first
    short = first_label.locator("span").first.inner_text().split(" · ")[0]
    with page.expect_download() as download:
        page.evaluate(
            "url => { const a = document.createElement('a'); a.href = url; a.download = ''; a.click(); }",
            batch_url + "/labels.zpl",
        )
    assert download.value.suggested_filename.endswith(".zpl")

    # Scan: the label opens the entry of its set, whichever page is open.
    held = f"{batch_code}-H1"
    technician.open("/")
    page.keyboard.type(technician.address + "/press/scan/" + short, delay=2)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/(entry/\?code=|specimens/)"))

    # Break: code, three loads, saved; the next set is one code away.
    technician.open("/entry/")
    expect(page.locator("#due button").first).to_be_visible()
    set_code = f"{batch_code}-03d-1"
    page.locator("#code").fill(set_code)
    page.keyboard.press("Enter")
    expect(page.locator("#set-code")).to_have_text(set_code)
    for load in ("424", "401", "396"):
        page.keyboard.type(load)
        page.keyboard.press("Enter")
    expect(page.locator(f"[data-saved='{set_code}']")).to_contain_text("18.1 MPa")
    expect(page.locator("#code")).to_be_focused()

    # Verify: by another person only.
    technician.open(f"/search/?go=1&q={set_code}")
    page.get_by_role("link", name="Breaks and result").click()
    entry_url = page.url
    expect(page.locator("main")).to_contain_text("To verify by another person")
    expect(page.locator("summary", has_text="Verify")).to_have_count(0)
    manager = persons.of("manager")
    other = manager.open(entry_url.removeprefix(manager.address))
    sign(other, "Verify", "manager")
    expect(other.get_by_role("status").first).to_contain_text("Verified.")
    sign(other, "Release", "manager")
    expect(other.get_by_role("status").first).to_contain_text("Released.")

    # Amend: the old value stays, the new one is verified anew.
    other.get_by_text("Amend the released result").click()
    other.fill("#load_3", "402")
    other.fill("#reason", "load of the third cube read wrongly")
    other.fill("#password-amend", password_of("manager"))
    other.get_by_role("button", name="Save the set").click()
    expect(other.locator("[data-set-strength]")).to_contain_text("18.2")
    technician.open(entry_url.removeprefix(technician.address))
    sign(page, "Verify", "technician")
    other.reload()
    sign(other, "Release", "manager")
    expect(other.get_by_role("status").first).to_contain_text("Released.")

    # Retract: the held set is broken in its place.
    other.get_by_text("Retract the result").click()
    other.fill("#retract-reason", "the cubes were of another element")
    other.get_by_label("Held set for the retest").select_option(label=held)
    other.fill("#retract-age", "7")
    other.fill("#password-retract", password_of("manager"))
    other.get_by_role("button", name="Retract", exact=True).click()
    other.get_by_role("button", name="Yes, do it").click()
    expect(other.locator("#retracted")).to_contain_text("18.2 MPa was retracted")
    other.get_by_role("link", name=f"Retest {held}").click()
    expect(other.locator("h1")).to_have_text(held)
    story = manager.open(f"/search/?go=1&q={set_code}")
    expect(story.locator("main")).to_contain_text("18.1")
    expect(story.locator("main")).to_contain_text("load of the third cube read wrongly")


def test_slip_of_the_key_is_asked_about_once(persons: Persons) -> None:
    technician = persons.of("technician")
    page = technician.open("/entry/")
    page.locator("#due button").last.click()
    for load in ("424", "4010", "396"):
        page.keyboard.type(load)
        page.keyboard.press("Enter")
    expect(page.locator("#doubt")).to_contain_text("4010 kN is far from the others")
    # The scanner that reads the next label answers nothing: its Enter is none on the button that has the focus.
    expect(page.locator("#save")).to_be_focused()
    page.keyboard.type("B26-0001-03d-1")
    page.keyboard.press("Enter")
    expect(page.locator("#code")).to_have_value("B26-0001-03d-1")
    expect(page.locator("#code-problem")).to_contain_text("4010 kN is far from the others")
    expect(page.locator("#load-1")).to_have_value("4010")
    page.locator("#load-1").fill("401")
    expect(page.locator("#doubt")).to_be_hidden()
    expect(page.locator("#verdict")).to_contain_text("18.1 MPa")
    page.locator("#leave").click()


def test_two_persons_on_one_set_lose_nothing(persons: Persons) -> None:
    first, second = persons.of("technician"), persons.of("manager")
    second.expected.append("status of 409")
    mine, theirs = first.open("/entry/"), second.open("/entry/")
    code = mine.locator("#due button .num").nth(-2).inner_text()
    for page in (mine, theirs):
        expect(page.locator("#due button").first).to_be_visible()
        page.locator("#code").fill(code)
        page.keyboard.press("Enter")
        expect(page.locator("#set-code")).to_have_text(code)
    for page, loads in ((mine, ("424", "401", "396")), (theirs, ("431", "402", "398"))):
        for load in loads:
            page.keyboard.type(load)
            page.keyboard.press("Enter")
        if page.locator("#doubt").is_visible():
            page.locator("#save").click()
        if page is mine:
            expect(page.locator(f"[data-saved='{code}']")).to_be_visible()
    expect(theirs.locator("#tray-list")).to_contain_text("424, 401, 396 kN")
    expect(theirs.locator("#tray-list")).to_contain_text("431, 402, 398 kN")
