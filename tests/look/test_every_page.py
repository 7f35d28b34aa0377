"""Every page, in the roles that see most: readable by a screen reader, from our own origin, within its window, light.

`make look` runs these. The lists are found from the routes: a new one is checked without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser import ALIKE_ONCE, AXE, Visit, violations
from tests.pages import EVERY, LISTS, NOWHERE

pytestmark = pytest.mark.browser

#: A few pages a test.
GROUPS = [EVERY[i : i + 6] for i in range(0, len(EVERY), 6)]
#: A list of 25 rows, bytes of HTML as sent.
MOST_LIST_BYTES = 30_000


@pytest.fixture(
    scope="module", params=[("light", 1280, "en"), ("dark", 390, "zh")], ids=["light-1280-en", "dark-390-zh"]
)
def look(chromium: Browser, demo_server: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """One sign-in a look."""
    theme, width, language = request.param
    context: BrowserContext = chromium.new_context(
        viewport={"width": width, "height": 900},
        locale="en-GB",
        color_scheme=theme,
        reduced_motion="reduce",  # a colour on its way to another has no contrast to be judged
        bypass_csp=True,
    )
    context.set_default_timeout(15_000)
    context.add_init_script(AXE)
    visit = Visit(context.new_page(), demo_server)
    visit.expected.append("status of 404")
    visit.sign_in("administrator")
    visit.open(f"/lang/{language}")
    if theme == "dark" and visit.page.locator("html[data-bs-theme=dark]").count() == 0:
        visit.page.locator("[data-theme-toggle]").click()
    yield visit
    visit.open("/lang/en")  # kept with the account, which others sign in as after this
    context.close()


@pytest.fixture
def looking(look: Visit) -> Iterator[Visit]:
    """What the browser complains of fails the test that was looking."""
    yield look
    found = look.unexpected()
    look.complaints = []
    assert found == []


@pytest.mark.parametrize("paths", GROUPS, ids=lambda group: group[0])
def test_page_is_accessible_and_fits_its_window(looking: Visit, paths: tuple[str, ...]) -> None:
    for path in paths:
        look_at(looking, path)


def look_at(looking: Visit, path: str) -> None:
    answer = looking.page.goto(looking.address + path)
    assert answer is not None, path
    assert answer.status == (404 if path == NOWHERE else 200), path
    inner, outer = looking.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert inner <= outer, path
    # Whatever the demonstration holds today, a row that no longer counts is read too.
    looking.page.evaluate("document.querySelector('td a.fw-medium')?.closest('tr').classList.add('out')")
    if looking.page.viewport_size and looking.page.viewport_size["width"] < 600:
        assert small_targets(looking) == [], path
    # Twenty-five rows of one list take four times as long as those of them that differ.
    assert looking.page.evaluate(ALIKE_ONCE) == [], path
    assert violations(looking.page) == [], path


def small_targets(visit: Visit) -> list[str]:
    """Buttons, fields and menu entries that a gloved finger would miss. Of a tick or a choice the label is the target; links
    inside sentences may be small."""
    found: list[str] = visit.page.evaluate(
        """() => Array.from(document.querySelectorAll(
             "button, .btn, input:not([type=hidden], [type=checkbox], [type=radio]), select, .side-link, .side a, .tabbar a,"
             + "a.list-group-item"))
           .filter((item) => item.checkVisibility({visibilityProperty: true}))
           .filter((item) => !item.closest(".ts-wrapper, .visually-hidden"))
           .map((item) => [item, item.getBoundingClientRect()])
           .filter(([item, box]) => box.width > 0 && box.height < 43.5)
           .map(([item, box]) => item.outerHTML.slice(0, 90) + " " + box.height)"""
    )
    return found


def test_lists_of_25_rows_are_light(looking: Visit) -> None:
    heavy = {}
    for name in LISTS:
        answer = looking.page.context.request.get(f"{looking.address}/{name}/")
        assert answer.ok
        if len(answer.body()) > MOST_LIST_BYTES:
            heavy[name] = len(answer.body())
    assert heavy == {}


def test_largest_contentful_paint_of_the_home_page_is_within_a_second(looking: Visit) -> None:
    looking.open("/")
    looking.page.wait_for_load_state("networkidle")
    seconds = looking.page.evaluate(
        "new Promise(r => new PerformanceObserver(l => r(l.getEntries().at(-1).startTime / 1000))"
        ".observe({type: 'largest-contentful-paint', buffered: true}))"
    )
    assert seconds <= 1.0
