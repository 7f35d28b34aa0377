"""The README's pictures, and every page in three languages, light and dark, at two widths: `make screenshots`.

Starts a demonstration on a fresh data folder, so that the pictures show what a new visitor sees. README pictures go to
docs/images (committed); the rest to screenshots/ (not committed).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import track

from tests.browser import CHROMIUM
from tests.pages import EVERY

ROOT = Path(__file__).parents[1]
PORT = int(os.environ.get("LIMS_PORT", "8377"))
ADDRESS = f"http://127.0.0.1:{PORT}"
NEW_MIX = (
    "/new-customer/?cement_kg_m3=300&fly_ash_kg_m3=60&water_kg_m3=170&coarse_aggregate_kg_m3=1050"
    "&fine_aggregate_kg_m3=780&grade_mpa=30&strength_3d_mpa=18&go=1"
)
#: name, who looks, path.
README_PAGES = (
    ("today", "technician", "/"),
    ("press", "technician", "/press/sets/first"),
    ("entry", "technician", "/entry/"),
    ("batch", "technician", "/batches/first"),
    ("grading", "technician", "/aggregate-samples/first"),
    ("lot", "manager", "/cement-lots/P002"),
    ("mix", "sales", "/mix-designs/M110"),
    ("rules", "manager", "/rules/gbt50081-2019/cube-set"),
    ("forecast-quality", "manager", "/forecast-quality/"),
    ("new-customer", "sales", NEW_MIX),
    ("share", "administrator", "/share-links/add?grade_mpa=35"),
    ("trace", "administrator", "/trace/complaints/1"),
)
LANGUAGES = ("en", "zh", "zh_TW")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def main() -> None:
    if CHROMIUM is None:
        sys.exit("no chromium on this machine")
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "lims", "demo"],
            env={**os.environ, "LIMS_DATA": folder, "LIMS_PORT": str(PORT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(process)
            with sync_playwright() as started:
                browser = started.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
                )
                take_all(browser, everything="--all" in sys.argv)
                browser.close()
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for(process: subprocess.Popen[bytes]) -> None:
    for _attempt in range(400):
        try:
            with urllib.request.urlopen(f"{ADDRESS}/login/", timeout=2):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                sys.exit("the demonstration ended before it served")
            time.sleep(0.5)
    sys.exit("the demonstration did not start")


def take_all(browser: Browser, *, everything: bool) -> None:
    (ROOT / "docs" / "images").mkdir(parents=True, exist_ok=True)
    for name, user, path in track(README_PAGES, "README"):
        take(browser, user, path, ROOT / "docs" / "images" / f"{name}.png")
    if not everything:
        return
    looks = [
        (language, theme, size) for language in LANGUAGES for theme in ("light", "dark") for size in SIZES
    ]
    for language, theme, size in track(looks, "every page"):
        folder = ROOT / "screenshots" / language / f"{size}-{theme}"
        folder.mkdir(parents=True, exist_ok=True)
        page = looking(browser, "administrator", language, theme, size)
        for path in EVERY:
            page.goto(ADDRESS + path)
            page.wait_for_load_state("networkidle")
            name = re.sub(r"[^a-z0-9]+", "-", path.split("?")[0].strip("/")) or "today"
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        page.context.close()


def looking(browser: Browser, user: str, language: str, theme: str, size: str) -> Page:
    """A signed-in page of this look."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
    )
    page = context.new_page()
    sign_in(page, user)
    page.goto(f"{ADDRESS}/lang/{language}")
    if theme == "dark" and page.locator("html[data-bs-theme=dark]").count() == 0:
        page.locator("[data-theme-toggle]").click()
    return page


def take(browser: Browser, user: str, path: str, target: Path) -> None:
    """One picture of the README: English, light, desktop."""
    page = looking(browser, user, "en", "light", "desktop")
    open_page(page, path)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=target)
    page.context.close()


def sign_in(page: Page, user: str) -> None:
    page.goto(f"{ADDRESS}/login/")
    page.fill("#username", user)
    page.fill("#password", f"trial-lab-{user[:3]}-50")
    page.locator("main button[type=submit], form button[type=submit]").first.click()
    page.locator("[data-theme-toggle]").wait_for()


def open_page(page: Page, path: str) -> None:
    """A path, or one that ends with `first` or a code and is found over its list."""
    head, _slash, last = path.rstrip("/").rpartition("/")
    if path == "/press/sets/first":
        page.goto(f"{ADDRESS}/press/")
        page.locator("a.list-group-item").first.click()
        for number, load in enumerate(("424", "401", "396"), start=1):
            page.locator(f"#load_{number}").fill(load)
    elif last == "first":
        page.goto(f"{ADDRESS}{head}/")
        page.locator("table tbody tr a").first.click()
    elif head in {"/mix-designs", "/cement-lots"} and last and "?" not in last:
        page.goto(f"{ADDRESS}{head}/?q={last}")
        page.get_by_role("link", name=last, exact=True).click()
    else:
        page.goto(f"{ADDRESS}{path}")


if __name__ == "__main__":
    main()
