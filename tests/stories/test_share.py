"""The story of a share: from the builder to the prospect's answer, on a desk and on a phone, with scripts and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Visit, violations


def build(visit: Visit) -> str:
    """The salesperson's part; the address that he sends."""
    visit.enter("sales")
    page = visit.open("/share-links/add?grade_mpa=35")
    page.locator("tr", has_text="C35-N").locator("input[type=radio]").check()
    page.fill("#f-name", "Nanshan, story")
    page.fill("#f-note", "As promised on the phone.")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Preview").click()
    preview = opened.value
    expect(preview.locator(".preview")).to_be_visible()
    expect(preview.locator("[data-forecast]")).to_contain_text(re.compile(r"\d\d\.\d"))
    preview.close()
    page.get_by_role("button", name="Make the link").click()
    address = page.locator("#address").input_value()
    assert re.search(r"/s/[\w-]{43}$", address)
    return address


def can_be_read_by_everyone(chromium: Browser, address: str) -> None:
    """The sheet as axe sees it, light on a desk and dark on a phone, and from no other origin."""
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = chromium.new_context(
            viewport={"width": width, "height": 844}, color_scheme=scheme, bypass_csp=True
        )
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(address)
        assert violations(page) == [], (scheme, width)
        assert [url for url in asked if not url.startswith(address.split("/s/")[0])] == []
        context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_salesperson_shares_a_trial_and_the_prospect_asks_for_one(
    visit: Visit, chromium: Browser, scripts: bool
) -> None:
    address = build(visit)
    phone = chromium.new_context(
        viewport={"width": 390, "height": 844}, java_script_enabled=scripts, locale="en-GB"
    )
    phone.set_default_timeout(15_000)
    sheet = phone.new_page()
    loaded: list[int] = []
    sheet.on("response", lambda answer: loaded.append(len(answer.body())) if answer.ok else None)
    sheet.goto(address)
    expect(sheet.locator("[data-forecast]")).to_contain_text(re.compile(r"\d\d\.\d MPa"))
    expect(sheet.locator("[data-band]")).to_contain_text("90 %")
    expect(sheet.locator("[data-probability]")).to_contain_text("%")
    expect(sheet.locator("[data-waits]")).to_be_visible()
    expect(sheet.locator("svg.picture")).to_be_visible()
    expect(sheet.get_by_text("As promised on the phone.")).to_be_visible()
    assert sum(loaded) <= 300_000
    if scripts:
        assert sheet.evaluate("document.documentElement.scrollWidth") <= 390
    if scripts:
        can_be_read_by_everyone(chromium, address)
    sheet.get_by_text("A trial with our materials, please").click()
    sheet.fill("#name", "Ms Zhao")
    sheet.fill("#company", f"Story Mixing {'with' if scripts else 'without'}")
    sheet.fill("#contact", "zhao@example.com")
    sheet.get_by_role("button", name="Send").click()
    expect(sheet.get_by_role("status").first).to_contain_text("Thank you.")
    phone.close()
    home = visit.open("/")
    item = home.locator("#answers a", has_text="Story Mixing").first
    expect(item).to_be_visible()
    item.click()
    home.get_by_role("button", name="Dealt with").click()
    expect(home.get_by_text("zhao@example.com").first).to_be_visible()
