"""A laboratory's list of customers comes in: upload, refusals, the marked workbook, corrected, imported, again nothing."""

from __future__ import annotations

import io
import re
from pathlib import Path
from uuid import uuid4

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit


def upload(page: Page, field: str, path: Path) -> None:
    page.set_input_files(field, str(path))


def save(book: openpyxl.Workbook, path: Path) -> Path:
    book.save(path)
    return path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_workbook_comes_in(visit: Visit, tmp_path: Path, language: str) -> None:
    page = visit.enter("manager")
    visit.open(f"/lang/{language}")
    width = page.viewport_size["width"] if page.viewport_size else 0
    mark = f"{language.upper()}{width}-{uuid4().hex[:4]}"
    visit.expected = ["status of 422"]

    # The template, from the page.
    visit.open("/import/")
    with page.expect_download() as download:
        page.locator("a[href='/import/templates/customers.xlsx']").click()
    book = openpyxl.load_workbook(io.BytesIO(Path(download.value.path()).read_bytes()))
    sheet = book["Data"]
    names = [cell.value for cell in sheet[5]]
    at = {str(name): number for number, name in enumerate(names, start=1)}
    rows = ((f"S-{mark}-1", "Story One", "precast"), (f"S-{mark} 2", "Story Two", "shop"))
    for number, (code, name, kind) in enumerate(rows, start=6):
        sheet.cell(number, at["code"], code)
        sheet.cell(number, at["name"], name)
        sheet.cell(number, at["kind"], kind)

    # Uploaded: two cells are refused, with their names; nothing can be imported.
    upload(page, "#file", save(book, tmp_path / "customers.xlsx"))
    page.locator("form button[type=submit].btn-primary").first.click()
    expect(page).to_have_url(re.compile(r"/import/\d+$"))
    expect(page.locator("[data-count=refused]")).to_have_text("1")
    expect(page.locator("#refusals")).to_contain_text("A7")
    expect(page.locator("#refusals")).to_contain_text("C7")
    expect(page.locator("#apply")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    # The marked workbook says it at the cells; corrected there, it is accepted.
    with page.expect_download() as download:
        page.locator("#marked").click()
    marked = openpyxl.load_workbook(io.BytesIO(Path(download.value.path()).read_bytes()))
    data = marked["Data"]
    assert data["A7"].comment is not None
    data["A7"], data["C7"] = f"S-{mark}-2", "dealer"
    upload(page, "#corrected", save(marked, tmp_path / "corrected.xlsx"))
    page.locator("#corrected + button").click()
    expect(page.locator("[data-count=new]")).to_have_text("2")
    expect(page.locator("[data-count=refused]")).to_have_text("0")
    page.locator("#apply").click()
    expect(page.locator("#done")).to_be_visible()
    expect(page.locator("[data-count=new]")).to_have_text("2")

    # Again: no change.
    visit.open("/import/")
    upload(page, "#file", tmp_path / "corrected.xlsx")
    page.locator("form button[type=submit].btn-primary").first.click()
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("[data-count=same]")).to_have_text("2")

    # The record says where it came from.
    visit.open(f"/customers/?q=S-{mark}-1")
    page.locator("table tbody a").first.click()
    expect(page.locator("body")).to_contain_text(re.compile("corrected.xlsx(, |，)Data"))
