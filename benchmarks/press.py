"""`make bench-press`: a set from scan to saved by a scripted browser that types like a person, and the cockpit with
100,000 open specimens."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

import sqlalchemy
from playwright.sync_api import sync_playwright

from benchmarks.laboratory import bench_app, fill, milliseconds, signed_in
from benchmarks.report import Report

#: Milliseconds between keys of the scripted person.
KEY_MS = 120
#: A hand scanner sends its code at once; counted as typed all the same.
SETS = 3
OPEN_SPECIMENS = 100_000
PORT = int(os.environ.get("LIMS_PORT", "8379"))


def main() -> None:
    report = Report("at the press")
    report.head()
    entry(report)
    cockpit(report)
    report.close()


def entry(report: Report) -> None:
    """Code, three loads, saved: seconds and requests of each set, on the demonstration data."""
    found = (shutil.which(name) for name in ("chromium", "chromium-headless-shell", "google-chrome"))
    chromium = next(filter(None, found), None)
    if chromium is None:
        sys.exit("no chromium on this machine")
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "lims", "demo"],
            env={**os.environ, "LIMS_DATA": folder, "LIMS_PORT": str(PORT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(server)
            with sync_playwright() as started:
                browser = started.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_context(locale="en-GB").new_page()
                seconds, requests = _type_sets(page)
                browser.close()
        finally:
            server.terminate()
            server.wait(timeout=20)
    report.at_most(
        f"a set of three from scan to saved, {KEY_MS} ms a key (median)", statistics.median(seconds), 8, " s"
    )
    report.tell("... slowest", max(seconds), " s")
    report.at_most("... requests", max(requests), 3)


def _type_sets(page: Any) -> tuple[list[float], list[int]]:
    address = f"http://127.0.0.1:{PORT}"
    page.goto(f"{address}/login/")
    page.fill("#username", "technician")
    page.fill("#password", "trial-lab-tec-50")
    page.locator("form button[type=submit]").first.click()
    page.locator("[data-theme-toggle]").wait_for()
    page.goto(f"{address}/entry/")
    page.locator("#due button").first.wait_for()
    seconds, requests = [], []
    for _number in range(SETS):
        code = page.locator("#due button .num").first.inner_text()
        sent: list[str] = []
        page.on("request", lambda request, sent=sent: sent.append(request.url))
        page.locator("#code").focus()
        begun = time.perf_counter()
        page.keyboard.type(code, delay=KEY_MS)
        page.keyboard.press("Enter")
        for load in ("424", "401", "396"):
            page.keyboard.type(load, delay=KEY_MS)
            page.keyboard.press("Enter", delay=KEY_MS)
        if page.locator("#doubt").is_visible():
            page.keyboard.press("Enter", delay=KEY_MS)
        page.locator(f"[data-saved='{code}']").wait_for()
        seconds.append(time.perf_counter() - begun)
        requests.append(len(sent))
    return seconds, requests


def _wait(server: subprocess.Popen[bytes]) -> None:
    for _attempt in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/login/", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                sys.exit("the demonstration ended before it served")
            time.sleep(0.5)
    sys.exit("the demonstration did not start")


def cockpit(report: Report) -> None:
    """/press/ with 100,000 specimens that wait: server milliseconds and statements."""
    with bench_app() as app:
        report.tell("filling", fill(app, int(OPEN_SPECIMENS * 2.3), open_share=1.0), " s")
        engine = app.extensions["lims.database"].engine
        with engine.connect() as connection:
            waiting = connection.exec_driver_sql(
                "SELECT count(*) FROM specimens s JOIN specimen_sets t ON t.id = s.specimen_set_id"
                " WHERE t.state = 'waiting'"
            ).scalar()
        report.at_least("specimens that wait", float(waiting), OPEN_SPECIMENS)
        client = signed_in(app)
        report.at_most(
            "the cockpit, server time (median)", milliseconds(lambda: client.get("/press/"), 11), 150, " ms"
        )
        seen: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if not re.match("BEGIN|PRAGMA", statement):
                seen.append(statement)

        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        page = client.get("/press/")
        report.at_most("... SQL statements", len(seen), 8)
        report.tell("... HTML", len(page.get_data()) / 1000, " kB")
        report.tell(
            "due.json for the entry page", milliseconds(lambda: client.get("/press/due.json"), 5), " ms"
        )


if __name__ == "__main__":
    main()
