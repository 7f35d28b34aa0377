"""A real Chromium against a real server with the demonstration data: one of each for the whole run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.prepared import once_a_run

#: The build without a window first: the same pages in three quarters of the processor time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in BROWSERS if (path := shutil.which(name))), None)


AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
#: What may not stand on any page.
FORBIDDEN = {"serious", "critical"}
#: What a browser keeps of who signed in: address, name and width -> cookies.
SIGNED_IN: dict[tuple[str, str, int | None], list[Any]] = {}


#: Takes rows and entries out that are built as one before them, down to which attributes and whose text is empty.
#: Answers with ids that stand twice, which nothing would see afterwards.
ALIKE_ONCE = """() => {
  const ids = Array.from(document.querySelectorAll("[id]"), (item) => item.id);
  const seen = new Set();
  const built = (item) => [item.tagName, item.className, item.getAttribute("style"), item.getAttribute("role"),
    item.getAttributeNames(), item.textContent.trim() === "", item.hidden, item.disabled].join();
  for (const row of document.querySelectorAll("tbody tr, .side a, option")) {
    const place = Array.from(row.parentElement.children).indexOf(row) % 2;  // rows may be striped
    const kind = [place, built(row.parentElement), built(row), ...Array.from(row.querySelectorAll("*"), built)].join("|");
    if (seen.has(kind)) row.remove(); else seen.add(kind);
  }
  return ids.filter((id, place) => ids.indexOf(id) !== place);
}"""


def violations(page: Page) -> list[str]:
    """What axe finds against a screen reader's needs, of the kinds that stop a person."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE + "\n; 0")
    # Only what is wrong leaves the browser: what passed are megabytes a page.
    found: list[str] = page.evaluate(
        """async (forbidden) => {
             const found = await axe.run(document, {
               runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]});
             return found.violations.filter((item) => forbidden.includes(item.impact)).flatMap(
               (item) => item.nodes.map((node) => `${item.id} (${item.impact}): ${node.target}`));
           }""",
        sorted(FORBIDDEN),
    )
    return found


@pytest.fixture(scope="session")
def playwright_here() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright_here: Playwright) -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run the browser tests: install chromium")
        pytest.skip("no chromium on this machine; .ci/run installs it")
    browser = playwright_here.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--disable-sync",
        ],
    )
    yield browser
    browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The demonstration's data, prepared once for all workers of a run: it takes a minute of a core."""

    def prepare(folder: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "lims", "demo", "--no-serve"],
            env={**os.environ, "LIMS_DATA": str(folder)},
            check=True,
            capture_output=True,
            timeout=900,
        )

    return once_a_run(tmp_path_factory, worker_id, "demo", prepare)


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Iterator[str]:
    """`lims demo` as a person starts it, on a copy of the prepared data. Its address."""
    port = free_port()
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_folder, folder)
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "lims", "demo"],
        env={**os.environ, "LIMS_DATA": str(folder), "LIMS_PORT": str(port)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 300
    while True:
        try:
            with urllib.request.urlopen(f"{address}/login/", timeout=2):  # noqa: S310 - our own address
                break
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the demonstration did not start within 5 minutes"
            process_wait(process)
    yield address
    process.terminate()
    process.wait(timeout=20)
    log.close()


def process_wait(process: subprocess.Popen[bytes]) -> None:
    """Give the server a moment; returns at once when it ends."""
    try:
        process.wait(timeout=0.3)
    except subprocess.TimeoutExpired:
        return


def password_of(username: str) -> str:
    """Of an account of the demonstration."""
    return f"trial-lab-{username[:3]}-50"


class Visit:
    """A page whose console errors and foreign requests fail the test."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        #: What the browser itself notes and the test provoked, e.g. "status of 422".
        self.expected: list[str] = []
        page.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((address, "data:")) else self.complaints.append(r.url),
        )

    def unexpected(self) -> list[str]:
        """What was complained of and no test provoked."""
        return [text for text in self.complaints if not any(word in text for word in self.expected)]

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def sign_in(self, username: str) -> Page:
        page = self.open("/")
        page.fill("#username", username)
        page.fill("#password", password_of(username))
        page.get_by_role("button", name="Sign in").click()
        page.locator("[data-theme-toggle]").wait_for()
        return page

    def enter(self, username: str) -> Page:
        """As who has signed in before, with what a browser of this width kept of it: two pages and a password less.
        By the form the first time, and when the session was ended meanwhile, as by a test of locking. Opens nothing."""
        who = self.address, username, (self.page.viewport_size or {}).get("width")
        context = self.page.context
        context.add_cookies(SIGNED_IN.get(who, []))
        if who not in SIGNED_IN or not context.request.get(f"{self.address}/profile/", max_redirects=0).ok:
            context.clear_cookies()
            self.sign_in(username)
            SIGNED_IN[who] = list(context.cookies())
        return self.page

    def choose(self, field: str, text: str) -> None:
        """Type into a choice with search and take the first hit."""
        box = self.page.locator(f"#f-{field}-ts-control")
        option = self.page.locator(f"#f-{field}-ts-dropdown .option", has_text=text).first
        box.click()
        box.fill(text)
        option.click()
        # Its list lies over what stands below; a click there while it closes would be lost.
        expect(self.page.locator(f"#f-{field}-ts-dropdown")).to_be_hidden()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["1280px", "390px"])
def visit(chromium: Browser, demo_server: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    width, height = request.param
    context: BrowserContext = chromium.new_context(
        viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    found = Visit(context.new_page(), demo_server)
    yield found
    context.close()
    assert found.unexpected() == []


@dataclass
class Persons:
    """Browsers of the persons of one story, each signed in on their own."""

    chromium: Browser
    address: str
    size: tuple[int, int]
    visits: dict[str, Visit] = field(default_factory=dict)

    def of(self, username: str) -> Visit:
        if username not in self.visits:
            width, height = self.size
            context = self.chromium.new_context(
                viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce"
            )
            context.set_default_timeout(20_000)
            visit = Visit(context.new_page(), self.address)
            visit.enter(username)
            # An account keeps the language that another story chose.
            context.request.get(f"{self.address}/lang/en", max_redirects=0)
            self.visits[username] = visit
        return self.visits[username]


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["1280px", "390px"])
def persons(chromium: Browser, demo_server: str, request: pytest.FixtureRequest) -> Iterator[Persons]:
    found = Persons(chromium, demo_server, request.param)
    yield found
    for visit in found.visits.values():
        visit.page.context.close()
        assert visit.unexpected() == []
