"""A manager at the end of the month: figures, the workbook, a certificate issued anew and verified by its code."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit


def stands_within_the_window(page: Page) -> bool:
    inner, outer = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return bool(inner <= outer)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_month_from_the_page_to_the_workbook(visit: Visit, language: str, tmp_path: Path) -> None:
    visit.enter("manager")
    visit.open(f"/lang/{language}")
    page = visit.open("/summary/")
    expect(page.locator("[data-series][data-drawn=yes]")).to_be_visible()
    page.locator(".card-header .btn-sm").nth(2).click()  # this year
    expect(page.locator("#by-grade")).to_contain_text("GB/T 50107-2010")
    assert stands_within_the_window(page)
    with page.expect_download() as waiting:
        page.locator("[data-workbook]").click()
    target = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(target)
    book = openpyxl.load_workbook(target)
    sheet = "Control charts" if language == "en" else "控制图"
    assert sheet in book.sheetnames
    since = page.locator("#f-since").input_value()
    told = {row[0].value: row[1].value for row in book.worksheets[0]}
    assert since in told.values()
    page.get_by_role("main").locator(".page-header .btn").first.click()
    expect(page.locator("#sums[data-drawn=yes]")).to_be_visible()
    expect(page.locator("[data-signals]")).to_be_visible()
    assert stands_within_the_window(page)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_certificate_is_issued_issued_anew_and_verified_by_its_address(
    visit: Visit, language: str, tmp_path: Path
) -> None:
    visit.enter("manager")
    visit.open(f"/lang/{language}")
    # A batch of its own for each look of this story: the fourth to the seventh of the production.
    place = 3 + 2 * (language == "zh") + (visit.page.viewport_size["width"] < 500)  # type: ignore[index]
    page = visit.open("/batches/?q=production%20control&order=code&size=50")
    page.locator("table tbody tr").nth(place).locator("a").first.click()
    page.get_by_role("button", name=re.compile("^(Certificate|检测报告|报告)$")).click()
    expect(page).to_have_url(re.compile(r"/certificates/\d+$"))
    first = page.locator("h1").inner_text()
    expect(page.locator("img.card-img")).to_be_visible()
    assert stands_within_the_window(page)
    with page.expect_download() as waiting:
        page.locator("[data-file]").click()
    paper = tmp_path / "paper.pdf"
    waiting.value.save_as(paper)
    assert paper.read_bytes().startswith(b"%PDF")
    address = page.locator("[data-verify]").get_attribute("href")
    assert address is not None
    page.locator("main details summary").first.click()
    page.locator("input[name=reason]").fill("Wrong element 部位有误")
    page.locator("form[action$=reissue] button").click()
    expect(page.locator("h1")).not_to_have_text(first)
    expect(page.get_by_role("main")).to_contain_text("Wrong element 部位有误")
    page.get_by_role("link", name=first, exact=True).click()
    expect(page.locator("[data-superseded]")).to_be_visible()
    # Somebody else, without an account, scans the old paper's code.
    context = visit.page.context.browser.new_context()  # type: ignore[union-attr]
    outside = context.new_page()
    outside.goto(address)
    expect(outside.locator("[data-verdict=superseded]")).to_be_visible()
    expect(outside.locator("dl")).to_contain_text(first)
    outside.locator("#file").set_input_files(paper)
    outside.locator("form button[type=submit]").click()
    expect(outside.locator("[data-matches=yes]")).to_be_visible()
    outside.locator("#sha256").fill("0" * 64)
    outside.locator("form button[type=submit]").click()
    expect(outside.locator("[data-matches=no]")).to_be_visible()
    context.close()
