"""The first story: a technician registers a batch, enters breaks, reads the strength and the forecast."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import Visit


def test_technician_registers_120_m3_and_reads_18_1_mpa(visit: Visit) -> None:
    page = visit.open("/")
    expect(page).to_have_url(re.compile(r"/login/"))
    visit.sign_in("technician")

    visit.open("/batches/add")
    visit.choose("trial_id", "Jiangbei")
    visit.choose("mix_revision_id", "C30-A")
    page.fill("#f-volume_m3", "120")
    expect(page.locator("[data-plan-url]")).to_contain_text("3 sets, 9 specimens")
    # Cast three days ago at this hour, so that the 3-d sets are due now.
    moment = page.evaluate(
        "() => { const d = new Date(document.getElementById('f-cast_at').value);"
        "d.setDate(d.getDate() - 3); d.setMinutes(d.getMinutes() - d.getTimezoneOffset());"
        "return d.toISOString().slice(0, 16); }"
    )
    page.fill("#f-cast_at", moment)
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/batches/\d+$"))
    rows = page.get_by_role("link", name="Enter breaks")
    expect(rows).to_have_count(9)

    rows.first.click()
    for number, load in enumerate(("424", "401", "396"), start=1):
        page.locator(f"#load_{number}").fill(load)
        page.locator(f"#load_{number}").press("Enter") if number < 3 else None
    expect(page.locator("[data-strength-for=load_1]")).to_have_text("18.8 MPa")
    page.get_by_role("button", name="Save the set").click()
    expect(page.locator("[data-set-strength]")).to_contain_text("18.1")

    page.get_by_role("link", name="Forecast of the mix").click()
    expect(page.locator("[data-forecast]")).to_contain_text(re.compile(r"\d\d\.\d\s*MPa"))
    expect(page.locator("[data-interval]")).to_contain_text(re.compile(r"\d\.\d – \d\d\.\d MPa"))
    expect(page.locator("[data-probability]")).to_contain_text("%")
    expect(page.locator("[data-chart][data-drawn=yes]")).to_be_visible()


def test_wrong_load_is_named_and_nothing_typed_is_lost(visit: Visit) -> None:
    visit.enter("technician")
    visit.expected.append("status of 422")
    page = visit.open("/press/")
    page.locator("a.list-group-item").first.click()
    for number, load in enumerate(("424", "4O1", "396"), start=1):
        page.locator(f"#load_{number}").fill(load)
    with page.expect_response(lambda r: r.request.method == "POST") as answer:
        page.get_by_role("button", name="Save the set").click()
    assert answer.value.status == 422
    expect(page.get_by_role("alert")).to_contain_text("4O1")
    expect(page.locator("#load_1")).to_have_value("424")
    expect(page.locator("#load_2")).to_have_value("4O1")


def test_page_of_a_boxcrete_mix_shows_its_3_day_forecast_beside_its_28_day_result(visit: Visit) -> None:
    visit.enter("sales")
    page = visit.open("/mix-designs/?q=M110")
    page.get_by_role("link", name="M110", exact=True).click()
    expect(page.locator("[data-forecast]")).to_contain_text("MPa")
    expect(page.get_by_text("breaks at 3 d")).to_be_visible()
    expect(page.locator("[data-actual]")).to_contain_text("55.1")
    expect(page.locator("[data-chart][data-drawn=yes]")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]  # type: ignore[index]
