"""People who only need the number, and those who ask how good the forecasts are."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit


def stands_within_the_window(page: Page) -> bool:
    inner, outer = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return bool(inner <= outer)


def test_calculator_of_the_15_percent_rule_gives_the_middle_value(visit: Visit) -> None:
    visit.enter("sales")
    page = visit.open("/rules/?q=50081")
    page.get_by_role("link", name=re.compile("Strength of a set of three cubes")).click()
    page.get_by_label(re.compile("Edge of the cube")).fill("100")
    page.get_by_label(re.compile("Maximum loads")).fill("420 450 550")
    page.get_by_role("button", name="Calculate").click()
    expect(page.locator("[data-answer]")).to_contain_text("42.8")
    expect(page.locator("[data-answer]")).to_contain_text("middle value")
    assert stands_within_the_window(page)


def test_manager_confirms_a_rule_against_the_laboratorys_copy(visit: Visit) -> None:
    visit.enter("manager")
    rule = "en206/initial" if visit.page.viewport_size["width"] > 500 else "en206/continuous"  # type: ignore[index]
    page = visit.open(f"/rules/{rule}")
    page.get_by_label("Document").fill("EN 206:2013+A2:2021, copy 3")
    page.get_by_role("button", name="Confirm the rule").click()
    expect(page.locator("#sign-off")).to_contain_text("EN 206:2013+A2:2021, copy 3")


def test_jgj_55_proportion_becomes_a_mix(visit: Visit) -> None:
    visit.enter("technician")
    page = visit.open("/rules/jgj55-2011/proportion")
    page.get_by_role("button", name="Calculate").click()
    expect(page.locator("[data-answer]")).to_contain_text("1019")
    code = f"JGJ-{page.viewport_size['width']}"  # type: ignore[index]
    page.get_by_label("Save as a new mix with the code").fill(code)
    page.get_by_role("button", name="Save as a mix").click()
    expect(page).to_have_url(re.compile(r"/mix-designs/\d+$"))
    expect(page.get_by_role("heading", name=code, exact=True)).to_be_visible()
    expect(page.get_by_text("1019")).to_be_visible()


def test_forecast_quality_tells_coverage_and_the_weak_lot_25_days_early(visit: Visit) -> None:
    visit.enter("manager")
    page = visit.open("/forecast-quality/")
    expect(page.get_by_text("better than the running mean").first).to_be_visible()
    expect(page.locator("[data-alarm]")).to_have_text("weaker")
    expect(page.get_by_text("25 days before its 28-day break")).to_be_visible()
    expect(page.locator("[data-series][data-drawn=yes]")).to_be_visible()
    assert stands_within_the_window(page)


def test_salesperson_forecasts_a_prospects_mix_with_its_nearest_trials(visit: Visit) -> None:
    visit.enter("sales")
    page = visit.open("/new-customer/")
    for label, value in (("Cement", "300"), ("Fly ash", "60"), ("Water", "170"), ("Grade strength", "30")):
        page.get_by_role("textbox", name=label, exact=True).fill(value)
    page.get_by_label("Strength at 3 d, if known").fill("18")
    page.get_by_role("button", name="Forecast").click()
    expect(page.locator("[data-forecast]")).to_contain_text(re.compile(r"\d\d\.\d\s*MPa"))
    expect(page.get_by_role("heading", name="Nearest trials")).to_be_visible()
    expect(page.get_by_role("link", name="C30-P")).to_be_visible()
    assert stands_within_the_window(page)


def test_forecast_of_a_mix_without_water_is_refused_and_nothing_is_lost(visit: Visit) -> None:
    visit.enter("sales")
    visit.expected.append("status of 422")
    page = visit.open("/new-customer/")
    page.get_by_role("textbox", name="Cement", exact=True).fill("300")
    page.get_by_role("button", name="Forecast").click()
    expect(page.get_by_role("alert")).to_contain_text("cement and water")
    expect(page.get_by_role("textbox", name="Cement", exact=True)).to_have_value("300")


def test_technician_judges_a_set_under_another_rule(visit: Visit) -> None:
    visit.enter("technician")
    page = visit.open("/set-results/?state=released")
    page.locator("table tbody a").first.click()
    page.get_by_role("link", name=re.compile(r"-28d-|-0?\dd-|-\d+d")).first.click()
    page.wait_for_load_state()
    number = page.url.rstrip("/").split("/")[-1]
    page = visit.open(f"/rules/compare/{number}?rule=gbt50081-2019/set-of-three")
    expect(page.locator("[data-issued]")).to_contain_text("MPa")
    expect(page.locator("[data-other]")).to_contain_text(re.compile("MPa|cannot judge"))
    assert stands_within_the_window(page)


@pytest.mark.parametrize("language", ["zh", "zh_TW"])
def test_register_reads_chinese(visit: Visit, language: str) -> None:
    visit.enter("auditor")
    visit.open(f"/lang/{language}")
    page = visit.open("/rules/gbt50081-2019/cube-set")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        {"zh": "三个立方体一组的强度", "zh_TW": "三個立方體一組的強度"}[language]
    )
    assert stands_within_the_window(page)
