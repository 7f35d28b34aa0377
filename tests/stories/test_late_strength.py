"""A mixing station doubts the cement's late strength: the comparison says how much, the works changes, a second one
shows it. `make story NAME=late-strength`."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit

pytestmark = pytest.mark.browser


def numbers(text: str) -> list[float]:
    """+15 (+10 to +20) -> [15, 10, 20], with the true minus of the page."""
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text.replace("−", "-"))]


def read(page: Page, mark: str) -> list[float]:
    return numbers(page.locator(f"[data-{mark}]").first.inner_text())


def ask(visit: Visit, trial: str) -> Page:
    """Both cements in one trial, at the strength of C35."""
    page = visit.open("/cement-comparison/")
    visit.choose("own_id", "PO425-2")
    visit.choose("other_id", "X-PO425")
    page.fill("#f-target_mpa", "43.2")
    visit.choose("trial_id", trial)
    page.get_by_role("button", name="Compare").click()
    page.locator("[data-headline]").wait_for()
    return page


def test_doubt_comparison_change_and_second_comparison(visit: Visit) -> None:
    visit.enter("sales")

    # The doubt: with the cement from across the river the station needs less. The trials of both say how much.
    page = ask(visit, "before the change")
    expect(page.locator("[data-headline]")).to_contain_text("more binder and 0.3 % more admixture")
    expect(page.locator("[data-headline]")).to_contain_text("yuan/m³ dearer")
    middle, low, high = read(page, "binder-difference")
    assert 12 <= middle <= 18
    assert 0 < low < 15 < high + 1
    cost, cost_low, _cost_high = read(page, "cost-difference")
    assert 2 <= cost <= 4.5
    assert cost_low > 0
    dose = read(page, "admixture-difference")
    assert 0.25 <= dose[0] <= 0.35
    expect(page.locator("[data-laws][data-drawn=yes]")).to_be_visible()

    # Kept, to stand beside what comes.
    page.fill("#keep-name", "Hexi asks again")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page).to_have_url(re.compile(r"/comparisons/\d+$"))
    kept = read(page, "binder-difference")
    assert kept == [middle, low, high]

    # The works changes its process; by lots the strength rose, water and admixture fell.
    page = visit.open("/process-changes/1")
    expect(page.get_by_text("5 → 5.4")).to_be_visible()
    for measure, word in (
        ("concrete_28d", "Rose by"),
        ("mortar_28d", "Rose by"),
        ("water_demand", "Fell by"),
        ("admixture", "Fell by"),
        ("cost", "Fell by"),
    ):
        expect(page.locator(f"[data-measure={measure}]")).to_contain_text(word)
    # Early strength was never the matter.
    expect(page.locator("[data-measure=mortar_3d]")).to_contain_text("No effect shown")
    expect(page.get_by_text("Other seasons").first).to_be_visible()
    expect(page.locator("#chart-concrete_28d[data-drawn=yes]")).to_be_visible()

    # The second comparison: as much binder, and cheaper.
    page = ask(visit, "after the change")
    middle, low, high = read(page, "binder-difference")
    assert low < 0 < high
    assert abs(middle) <= 4
    expect(page.locator("[data-headline]")).to_contain_text("do not tell the two cements apart")
    expect(page.locator("[data-headline]")).to_contain_text("yuan cheaper")
    cost, _cost_low, cost_high = read(page, "cost-difference")
    assert -4.5 <= cost <= -2
    assert cost_high < 0

    # Before and after stand side by side on the kept one.
    page = visit.open("/comparisons/2")
    expect(page.locator("[data-pair]")).to_have_count(2)
    expect(page.locator("[data-pair]").first).to_contain_text("dearer")
    expect(page.locator("[data-pair]").last).to_contain_text("cheaper")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_bench_sees_the_comparison_without_money(visit: Visit) -> None:
    visit.enter("technician")
    page = visit.open("/comparisons/1")
    expect(page.locator("[data-headline]")).to_contain_text("more binder")
    assert "yuan" not in page.content()
    # And plans the next week for the same customer.
    page = visit.open("/trial-programme/")
    expect(page.locator("[data-week]")).to_have_count(8)
    expect(page.get_by_text("HX-46").first).to_be_visible()
    page = visit.open("/aggregate-reminders/")
    expect(page.get_by_text("G-QS").first).to_be_visible()
