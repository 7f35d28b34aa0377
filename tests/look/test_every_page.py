"""Every page, in the roles that see most: readable by a screen reader, from our own origin, within its window, light.

`make look` runs these. The pages are found from the routes: a new list is checked without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser import Visit

pytestmark = pytest.mark.browser

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
#: What may not stand on any page.
FORBIDDEN = {"serious", "critical"}
LISTS = (
    "mix-designs", "mix-revisions", "trials", "batches", "specimen-sets", "specimens", "set-results", "breaks",
    "forecasts", "forecast-models", "regions", "cement-products", "cement-lots", "aggregate-sources", "aggregate-samples",
    "scm-lots", "admixture-lots", "presses", "scales", "calibrations", "customers", "sites", "usage-cards", "visits",
    "complaints", "retests", "seminars", "surveys", "advice-cards", "share-links", "certificates", "checkpoints",
    "import-runs", "rule-signoffs", "rule-editions",
)  # fmt: skip
PAGES = (
    "/",
    "/press/",
    "/rules/",
    "/rules/gbt50081-2019/cube-set",
    "/rules/jgj55-2011/proportion",
    "/rules/shotcrete/rebound",
    "/forecast-quality/",
    "/new-customer/",
    "/new-customer/?cement_kg_m3=300&water_kg_m3=170&strength_3d_mpa=18&grade_mpa=30&go=1",
    "/search/?q=M1",
    "/profile/",
    "/users/",
    "/batches/add",
    "/mix-designs/add",
    "/cement-lots/add",
    "/complaints/add",
    "/aggregate-samples/add",
    "/mix-designs/1",
    "/batches/1",
    "/specimen-sets/1",
    "/set-results/1",
    "/forecasts/1",
    "/cement-lots/1",
    "/aggregate-samples/1",
    "/customers/1",
    "/nowhere",
)
#: One sign-in for a few pages.
EVERY = (*PAGES, *(f"/{name}/" for name in LISTS))
GROUPS = [EVERY[i : i + 6] for i in range(0, len(EVERY), 6)]
#: A list of 25 rows, bytes of HTML as sent.
MOST_LIST_BYTES = 30_000


def violations(visit: Visit) -> list[str]:
    page = visit.page
    found = page.evaluate(
        AXE + "\n; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
    )
    return [
        f"{item['id']} ({item['impact']}): {node['target']}"
        for item in found["violations"]
        if item["impact"] in FORBIDDEN
        for node in item["nodes"]
    ]


@pytest.fixture(params=[("light", 1280, "en"), ("dark", 390, "zh")], ids=["light-1280-en", "dark-390-zh"])
def looking(chromium: Browser, demo_server: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    theme, width, language = request.param
    context: BrowserContext = chromium.new_context(
        viewport={"width": width, "height": 900}, locale="en-GB", color_scheme=theme, bypass_csp=True
    )
    context.set_default_timeout(15_000)
    visit = Visit(context.new_page(), demo_server)
    visit.expected.append("status of 404")
    visit.sign_in("administrator")
    visit.open(f"/lang/{language}")
    if theme == "dark" and visit.page.locator("html[data-bs-theme=dark]").count() == 0:
        visit.page.locator("[data-theme-toggle]").click()
    yield visit
    context.close()
    assert [text for text in visit.complaints if not any(word in text for word in visit.expected)] == []


@pytest.mark.parametrize("paths", GROUPS, ids=lambda group: group[0])
def test_page_is_accessible_and_fits_its_window(looking: Visit, paths: tuple[str, ...]) -> None:
    for path in paths:
        look_at(looking, path)


def look_at(looking: Visit, path: str) -> None:
    looking.open(path)
    inner, outer = looking.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert inner <= outer, path
    assert violations(looking) == [], path


@pytest.mark.parametrize("name", ["mix-designs", "specimens", "breaks", "forecasts"])
def test_list_of_25_rows_is_light(looking: Visit, name: str) -> None:
    answer = looking.page.goto(f"{looking.address}/{name}/")
    assert answer is not None
    assert len(answer.body()) <= MOST_LIST_BYTES


def test_largest_contentful_paint_of_the_home_page_is_within_a_second(looking: Visit) -> None:
    looking.open("/")
    looking.page.wait_for_load_state("networkidle")
    seconds = looking.page.evaluate(
        "new Promise(r => new PerformanceObserver(l => r(l.getEntries().at(-1).startTime / 1000))"
        ".observe({type: 'largest-contentful-paint', buffered: true}))"
    )
    assert seconds <= 1.0
