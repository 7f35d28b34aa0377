"""Without a mouse, without a connection, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import Visit, password_of

pytestmark = pytest.mark.browser


def typed(visit: Visit) -> None:
    """Loads of the set that is open on the entry page."""
    for load in ("424", "401", "396"):
        visit.page.keyboard.type(load)
        visit.page.keyboard.press("Enter")


VISITS: list[Visit] = []


@pytest.fixture(autouse=True)
def nothing_unexpected() -> Iterator[None]:
    """No page of a test complained, but of what the test provoked."""
    VISITS.clear()
    yield
    assert [text for visit in VISITS for text in visit.unexpected()] == []


def signed_in(chromium: Browser, address: str, username: str = "technician") -> Visit:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(15_000)
    visit = Visit(context.new_page(), address)
    VISITS.append(visit)
    visit.enter(username)
    return visit


def test_list_is_walked_opened_and_edited_by_keys(chromium: Browser, demo_server: str) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/cement-lots/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tbody tr.row-chosen")).to_have_count(1)
    second = page.locator("tbody tr").nth(1).locator("a").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(second)
    page.wait_for_load_state()  # the keys are there once the deferred scripts have run
    page.keyboard.press("e")
    expect(page).to_have_url(re.compile(r"/edit$"))
    visit.open("/cement-lots/")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"/cement-lots/add$"))
    visit.open("/cement-lots/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.context.close()


def test_choice_with_search_lists_what_was_typed_and_enter_takes_the_first(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/batches/add")
    page.locator("#f-mix_revision_id-ts-control").click()
    options = page.locator("#f-mix_revision_id-ts-dropdown .option")
    expect(options.nth(2)).to_be_visible()  # the newest mixes, before anything is typed
    page.keyboard.type("C30-A")
    expect(options).to_have_text(["C30-A/1"])
    page.keyboard.press("Enter")
    expect(page.locator("#f-mix_revision_id option:checked")).to_have_text("C30-A/1")

    # Who chooses while typing and goes on at once types into the next field.
    page.locator(".ts-control", has=page.locator("#f-mix_revision_id-ts-control")).click()
    expect(options.nth(2)).to_be_visible()
    page.clock.install()
    page.keyboard.type("C")
    options.first.click()
    page.locator("#f-volume_m3").focus()
    page.clock.run_for(1_000)
    expect(page.locator("#f-volume_m3")).to_be_focused()
    page.context.close()


def test_list_of_a_choice_stays_shut_when_an_answer_arrives_after_the_choice(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/batches/add")
    box, options = "#f-mix_revision_id-ts-control", page.locator("#f-mix_revision_id-ts-dropdown .option")
    page.locator(box).click()
    expect(options.nth(2)).to_be_visible()
    wanted, asks = options.nth(2).inner_text(), re.compile(r"\?q=.")
    late: list[Route] = []
    page.route(asks, lambda route: late.append(route))
    with page.expect_request(asks):
        page.keyboard.type(wanted)
    options.filter(has_text=wanted).first.click()
    expect(page.locator("#f-mix_revision_id option:checked")).to_have_text(wanted)

    def answered_late() -> None:
        # As the library does too, a little later, on a slow machine.
        page.locator(box).evaluate("box => box.focus()")
        for answer in late:
            with page.expect_response(answer.request.url):
                answer.continue_()
        late.clear()
        page.wait_for_load_state("networkidle")
        expect(options.first).to_be_hidden()

    answered_late()
    # The same one once more is no new choice to the library.
    page.locator(".ts-control", has=page.locator(box)).click()
    expect(options.first).to_be_visible()
    with page.expect_request(asks):
        page.keyboard.type(wanted[:-1])
    options.filter(has_text=wanted).first.click()
    answered_late()
    # Asked again, it opens again: by the mouse, and by keys alone.
    page.locator(".ts-control", has=page.locator(box)).click()
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(options.first).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(box)).to_be_focused()
    expect(options.first).to_be_visible()
    page.context.close()


def test_search_suggests_while_typing_and_arrows_choose(chromium: Browser, demo_server: str) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/")
    page.keyboard.press("/")
    page.keyboard.type("c30-")
    expect(page.get_by_role("option", name="C30-A C30 pumped")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option][aria-selected=true]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("C30-")
    page.context.close()


def test_suggestions_stay_shut_for_an_emptied_box_and_when_the_focus_goes_on(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/")
    asks, box, options = re.compile(r"/suggest\?q="), page.locator("#search"), page.locator("#suggestions a")
    late: list[Route] = []
    page.route(asks, lambda route: late.append(route))
    with page.expect_request(asks):
        box.fill("c30-")
    box.fill("")
    for answer in late:
        with page.expect_response(answer.request.url):
            answer.continue_()
    page.unroute(asks)
    page.wait_for_load_state("networkidle")
    expect(options.first).to_be_hidden()
    box.fill("c30-")
    expect(options.first).to_be_visible()
    page.keyboard.press("Tab")
    expect(options.first).to_be_hidden()
    box.fill("c30-a")
    options.first.click()
    expect(page.locator("h1")).to_contain_text("C30-")
    page.context.close()


def test_list_of_a_choice_says_that_nobody_answered_and_asks_again(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/batches/add")
    visit.expected.append("status of 503")
    asks, said = re.compile(r"\?q=zz9"), page.locator("#f-mix_revision_id-ts-dropdown .no-results")
    page.route(asks, lambda route: route.fulfill(status=503, json={"message": "busy", "problems": []}))
    page.locator("#f-mix_revision_id-ts-control").click()
    page.keyboard.type("zz9")
    expect(said).to_have_text("The server does not answer. Try again in a moment.")
    page.unroute(asks)
    page.keyboard.press("Backspace")
    with page.expect_response(asks):
        page.keyboard.type("9")
    expect(said).to_have_text("Nothing found")
    page.context.close()


def test_sampling_plan_is_that_of_the_volume_that_stands_there(chromium: Browser, demo_server: str) -> None:
    visit = signed_in(chromium, demo_server)
    visit.expected.append("status of 422")
    page = visit.open("/batches/add")
    volume, plan, first = (
        page.locator("#f-volume_m3"),
        page.locator("[data-plan-url]"),
        re.compile("m3=12(&|$)"),
    )
    late: list[Route] = []
    page.route(first, lambda route: late.append(route))
    with page.expect_request(first):
        volume.fill("12")
    volume.fill("120")
    expect(plan.locator(".plan-age").first).to_be_visible()
    shown = plan.inner_text()
    for answer in late:
        with page.expect_response(answer.request.url):
            answer.continue_()
    page.wait_for_load_state("networkidle")
    assert plan.inner_text() == shown
    volume.fill("-1")
    expect(plan).to_contain_text("Volume: ")
    visit.expected.append("status of 503")
    page.route(first, lambda route: route.fulfill(status=503, json={"message": "busy", "problems": []}))
    volume.fill("12")
    expect(plan).to_have_text("The server does not answer. Try again in a moment.")
    page.context.close()


def scan(page: Page, code: str) -> None:
    """As a scanner does where the focus is in no field, faster than any machine could be too slow for."""
    page.evaluate(
        """keys => keys.forEach((key) => document.body.dispatchEvent(
             new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })))""",
        [*code, "Enter"],
    )


def test_scan_asks_before_it_leaves_what_was_typed_and_nothing_reaches_the_page_behind_a_question(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/batches/add")
    page.fill("#f-volume_m3", "77")
    scan(page, "ZZZZ99-1")
    expect(page.locator("#confirm")).to_contain_text("not sent yet")
    scan(page, "ZZZZ99-2")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#confirm")).to_be_hidden()
    expect(page.locator("#f-volume_m3")).to_have_value("77")
    scan(page, "ZZZZ99-3")
    page.get_by_role("button", name="Yes, do it").click()
    expect(page).to_have_url(re.compile(r"/search/\?go=1&q=ZZZZ99-3$"))
    visit.open("/cement-lots/")
    page.keyboard.press("?")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("n")
    page.locator("#keys").get_by_role("button", name="Close").click()
    expect(page).to_have_url(re.compile(r"/cement-lots/$"))
    page.context.close()


def test_page_locks_at_the_first_touch_after_a_machine_slept_until_the_server_has_heard_it(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    visit.expected.append("status of 503")
    page = visit.page
    page.clock.install()
    visit.open("/batches/add")
    page.fill("#f-volume_m3", "77")
    page.route("**/lock/", lambda route: route.fulfill(status=503, json={"message": "busy"}))
    page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=1))  # no timer ran meanwhile
    with page.expect_response("**/lock/"):
        page.mouse.click(5, 5)
    lock = page.locator("#lock")
    expect(lock).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.unroute("**/lock/")
    with page.expect_response("**/lock/", timeout=40_000) as heard:
        page.clock.run_for(16_000)
    assert heard.value.ok
    page.fill("#lock-password", password_of("technician"))
    lock.get_by_role("button", name="Go on").click()
    expect(lock).to_be_hidden()
    expect(page.locator("#f-volume_m3")).to_have_value("77")
    page.context.close()


def test_ticked_rows_go_out_of_use_and_undo_takes_them_back(chromium: Browser, demo_server: str) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/aggregate-samples/")
    before = page.locator("tbody tr").count()
    page.locator("tbody tr input[type=checkbox]").first.check()
    page.locator("[data-bulk]").get_by_role("button", name="Out of use").click()
    expect(page.locator("tbody tr")).to_have_count(before - 1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody tr")).to_have_count(before)
    page.context.close()


def test_entry_page_opens_without_a_connection_and_sends_once_when_it_is_back(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    visit.expected += ["Failed to load", "ERR_INTERNET_DISCONNECTED"]
    page = visit.open("/entry/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    expect(page.locator("#due button").first).to_be_visible()
    code = page.locator("#due button .num").last.inner_text()
    page.context.set_offline(True)
    page.goto(demo_server + "/press/")  # any page: the entry page stands in for it
    expect(page.locator("h1")).to_have_text("Enter breaks")
    expect(page.locator("#state")).to_contain_text("no connection")
    page.locator("#code").fill(code)
    page.keyboard.press("Enter")
    typed(visit)
    if page.locator("#doubt").is_visible():
        page.locator("#save").click()
    expect(page.locator("#tray-list")).to_contain_text(code)
    page.locator("#code").fill(code)  # scanned again, as by another of its specimens: typed already
    page.keyboard.press("Enter")
    expect(page.locator("#code-problem")).to_contain_text(f"{code}: 424, 401, 396 kN. Kept in this browser")
    expect(page.locator("#loads")).to_be_hidden()
    page.reload()
    expect(page.locator("#tray-list")).to_contain_text(code)
    sent = []
    page.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    page.context.set_offline(False)
    expect(page.locator("[data-saved]")).to_contain_text(code)
    expect(page.locator("#tray")).to_be_hidden()
    assert len(sent) == 1
    page.context.close()


def kept_without_a_connection(visit: Visit) -> str:
    """A set of the list is typed and stays in the browser. Its code."""
    page = visit.page
    page.context.set_offline(True)
    row = page.locator("#due button").last
    code = row.locator(".num").inner_text()
    row.click()
    typed(visit)
    if page.locator("#doubt").is_visible():
        page.locator("#save").click()
    expect(page.locator("#tray-list")).to_contain_text(code)
    return code


def test_entry_waits_for_who_typed_it_and_is_corrected_to_be_saved_by_who_signed_in_next(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    visit.expected += ["Failed to load", "ERR_INTERNET_DISCONNECTED"]
    page = visit.open("/entry/")
    expect(page.locator("#state")).to_have_text("connected")
    expect(page.locator("#tested-by")).not_to_have_value("")
    first = page.locator("#tested-by").input_value()
    code = kept_without_a_connection(visit)
    page.goto("about:blank")  # the page is closed before there is a connection again
    page.context.clear_cookies()
    page.context.set_offline(False)
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if r.url.endswith("/press/entries") else None)
    visit.sign_in("administrator")
    page = visit.open("/entry/")
    expect(page.locator("#tray-list")).to_contain_text(f"Waits until {first} signs in")
    expect(page.locator("#tested-by")).not_to_have_value(first)
    assert sent == []
    # Who has broken them again, or saw them, may save them in their own name.
    page.locator("#tray-list").get_by_role("button", name="Correct").click()
    expect(page.locator("#set-code")).to_have_text(code)
    expect(page.locator("#load-1")).to_have_value("401")
    page.locator("#save").click()
    if page.locator("#doubt").is_visible():
        page.locator("#save").click()
    expect(page.locator("[data-saved]")).to_contain_text(code)
    expect(page.locator("#tray")).to_be_hidden()
    assert len(sent) == 1
    page.context.close()


def test_two_open_entry_pages_keep_both_entries_and_a_press_that_was_chosen_stays(
    chromium: Browser, demo_server: str
) -> None:
    visit = signed_in(chromium, demo_server)
    visit.expected += ["Failed to load", "ERR_INTERNET_DISCONNECTED"]
    page = visit.open("/entry/")
    expect(page.locator("#state")).to_have_text("connected")
    other = Visit(page.context.new_page(), demo_server)
    other.expected = visit.expected
    VISITS.append(other)
    other.open("/entry/")
    expect(other.page.locator("#state")).to_have_text("connected")
    first = kept_without_a_connection(visit)
    expect(other.page.locator("#tray-list")).to_contain_text(first)
    second = kept_without_a_connection(other)
    assert first != second
    expect(page.locator("#tray-list .num")).to_have_count(2)
    # A browser that takes nothing more: what is typed then stays with its page, and outlives that another entry is sent.
    page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    )
    third = kept_without_a_connection(visit)
    expect(page.locator("#done")).to_contain_text("leave this page open")
    # The list is made anew when answers arrive: the press and the rate of the set that is being typed stay.
    page.locator("#due button").first.click()
    page.select_option("#press", index=1)
    chosen = page.locator("#press").input_value()
    page.fill("#rate", "0.6")
    page.context.set_offline(False)
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.locator(f'[data-saved="{third}"]')).to_be_visible()
    expect(page.locator("#press")).to_have_value(chosen)
    expect(page.locator("#rate")).to_have_value("0.6")
    page.locator("#due button").nth(1).click()
    expect(page.locator("#rate")).to_have_value("")  # of the set before
    # Of a code that the server did not look for nothing is said but why.
    visit.expected.append("status of 503")
    page.route("**/press/set.json*", lambda route: route.fulfill(status=503, json={"message": "Busy."}))
    page.locator("#code").fill("B26-9999")
    page.keyboard.press("Enter")
    expect(page.locator("#code-problem")).to_have_text("Busy.")
    # A line that hangs is none: what was sent is sent again.
    page.evaluate(
        "() => { window.waits = AbortSignal.timeout; AbortSignal.timeout = () => waits.call(AbortSignal, 100); }"
    )
    page.route("**/press/entries", lambda route: None)
    page.locator("#load-0").focus()
    typed(visit)
    if page.locator("#doubt").is_visible():
        page.locator("#save").click()
    expect(page.locator("#state")).to_contain_text("no connection")
    page.unroute("**/press/entries")
    page.evaluate("() => { AbortSignal.timeout = window.waits; }")
    page.locator("#send").click()
    expect(page.locator("#tray")).to_be_hidden()
    page.context.close()


def test_pictures_that_are_too_large_together_are_told_before_they_are_sent(
    chromium: Browser, demo_server: str, tmp_path: Path
) -> None:
    visit = signed_in(chromium, demo_server, "administrator")
    page = visit.open("/complaints/1")
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.fill("#photos input[name=caption]", "Cracks at the edge")
    field = page.locator("#photos input[name=photo]")

    def choose(*sizes: int) -> str:
        pictures = [tmp_path / f"{number}.jpg" for number in range(len(sizes))]
        for picture, size in zip(pictures, sizes, strict=True):
            with picture.open("wb") as opened:
                opened.truncate(size)
        field.set_input_files(pictures)
        told: str = field.evaluate("field => field.validationMessage")
        return told

    assert "16 MB" in choose(9_000_000, 9_000_000)
    page.get_by_role("button", name="Add photos").click()
    expect(page.locator("#photos input[name=caption]")).to_have_value("Cracks at the edge")
    assert posted == []
    assert choose(9_000_000) == ""
    page.context.close()


def test_labels_print_at_50_by_25_mm_without_the_menu(chromium: Browser, demo_server: str) -> None:
    visit = signed_in(chromium, demo_server)
    page = visit.open("/batches/604/labels")
    page.emulate_media(media="print")
    expect(page.locator("aside.navbar")).to_be_hidden()
    box = page.locator(".label").first.bounding_box()
    assert box is not None
    millimetre = 96 / 25.4
    assert abs(box["width"] - 50 * millimetre) < 1
    assert abs(box["height"] - 25 * millimetre) < 1
    assert page.locator(".label img").first.evaluate("img => img.naturalWidth") > 20
    visit.open("/press/worksheet")
    expect(page.locator(".print-head")).to_contain_text("Jialing")
    page.context.close()
