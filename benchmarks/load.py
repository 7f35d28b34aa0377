"""`make load`: fifty technicians against the real server, flat out and then with a second between requests; then
filtered reads at once, each answer compared with what the database holds.

LIMS_LOAD_SECONDS (1800) flat out, a third of it with a second between; LIMS_LOAD_PEOPLE (50); LIMS_LOAD_READS (100000
over both servers). Waitress over SQLite, then gunicorn over PostgreSQL; `python -m benchmarks.load sqlite` is one of
them. Over SQLite the same people then ask for the list of batches alone, of ours and of a stock Flask-AppBuilder: what the
machine gives today. Loopback alone. What asks shares the machine with what answers: its part of the processor is told.
With `--right`, as in CI, answers and rows are judged and speed is only told: a machine of others says nothing about ours.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from flask import Flask
from sqlalchemy import text

from benchmarks.browser import Browser
from benchmarks.growth import postgresql
from benchmarks.laboratory import PASSWORD, PER_SET, fill
from benchmarks.report import Report
from benchmarks.stolen import Stolen
from lims.accounts.service import AccountIn, add_user
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.initialise import initialise
from lims.operations.databases import copy_sqlite, sqlite_path
from lims.settings import Settings

SECONDS = float(os.environ.get("LIMS_LOAD_SECONDS", "1800"))
PEOPLE = int(os.environ.get("LIMS_LOAD_PEOPLE", "50"))
READS = int(os.environ.get("LIMS_LOAD_READS", "100000"))
#: So many could be entered a second at most.
SETS_A_SECOND = 60
#: Specimens that are due within a month. Nearly as many are due at the end as at the beginning, as a laboratory casts what
#: it breaks: most of what is entered is due in a year, at an age that is asked about and confirmed.
DUE_SOON = 20_000
#: Of the sets that are due soon no more than this part is entered.
ENTERED_SOON = 0.1
#: Part of a technician's requests that saves a set; the others look.
ENTERS = 0.3
GUNICORN = Path("docs/deploy/gunicorn.conf.py")
RIGHT_ALONE = "--right" in sys.argv[1:]
PAGES = ("/press/", "/specimen-sets/", "/batches/", "/press/due.json", "/")
#: The account and the list of the peer (benchmarks/load_peer.py, never imported here: its tables have the names of ours).
STOCK, STOCK_LIST = "stock", "/batchmodelview/list/"


@dataclass(slots=True)
class Seen:
    """What technicians saw, all of them together or one."""

    ms: list[float] = field(default_factory=list)
    #: When each of them had its answer, monotonic seconds.
    ended: list[float] = field(default_factory=list)
    entry_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    acknowledged: list[int] = field(default_factory=list)
    lost_connections: int = 0


class Technician(threading.Thread):
    """Enters a set, looks at what is due and at lists, as often as the server answers and the second between allows."""

    def __init__(self, port: int, number: int, sets: list[int]) -> None:
        super().__init__(daemon=True)
        self.browser = Browser(port)
        self.chance = random.Random(number)
        self.sets = sets
        self.seen = Seen()
        self.think, self.until = 0.0, 0.0
        self.token = self.browser.sign_in()

    def again(self) -> Technician:
        """The same person for the next part."""
        other = Technician.__new__(Technician)
        threading.Thread.__init__(other, daemon=True)
        other.browser, other.chance, other.sets, other.token = (
            self.browser,
            self.chance,
            self.sets,
            self.token,
        )
        other.seen = Seen()
        return other

    def run(self) -> None:
        if self.think:
            time.sleep(self.chance.random() * self.think)  # they do not breathe in step
        while time.monotonic() < self.until:
            if self.sets and self.chance.random() < ENTERS:
                self.enter(self.sets.pop())
            else:
                self.timed("GET", self.chance.choice(PAGES))
            if self.think:
                time.sleep(self.chance.uniform(0.5, 1.5) * self.think)

    def timed(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> int:
        begun = time.perf_counter()
        try:
            status, _content = self.browser.ask(method, path, body, headers)
        except (OSError, ValueError):
            self.seen.lost_connections += 1
            self.browser.close()
            return 0
        took = (time.perf_counter() - begun) * 1000
        self.seen.ms.append(took)
        self.seen.ended.append(time.monotonic())
        if body:
            self.seen.entry_ms.append(took)
        self.seen.statuses[status] += 1
        return status

    def enter(self, set_id: int) -> None:
        given = {
            "key": f"{set_id}-load",
            "set_id": set_id,
            "loads_kn": [str(700 + self.chance.randrange(60)) for _n in range(3)],
            "tested_at": utc_now().isoformat(),
            "confirmed": True,
        }
        headers = {"X-CSRFToken": self.token, "Content-Type": "application/json"}
        if self.timed("POST", "/press/entries", json.dumps(given), headers) == 200:
            self.seen.acknowledged.append(set_id)


class Reader(threading.Thread):
    """Asks for the specimens of one set after another and compares each answer with what must stand there."""

    def __init__(self, port: int, number: int, codes: dict[int, list[str]], reads: int) -> None:
        super().__init__(daemon=True)
        self.browser = Browser(port)
        self.browser.sign_in()
        self.chance = random.Random(number)
        self.codes, self.reads = codes, reads
        self.ids = list(codes)
        self.wrong = self.answered = 0

    def run(self) -> None:
        for _read in range(self.reads):
            set_id = self.chance.choice(self.ids)
            status, content = self.browser.ask("GET", f"/api/v1/specimens/?specimen_set_id={set_id}")
            if status != 200:
                continue
            self.answered += 1
            found = sorted(row["code"] for row in json.loads(content)["result"])
            self.wrong += found != self.codes[set_id]


class Looker(threading.Thread):
    """Asks for one page again and again."""

    def __init__(self, browser: Browser, path: str, until: float) -> None:
        super().__init__(daemon=True)
        self.browser, self.path, self.until = browser, path, until
        self.ms: list[float] = []

    def run(self) -> None:
        while time.monotonic() < self.until:
            begun = time.perf_counter()
            status, _content = self.browser.ask("GET", self.path)
            assert status == 200, status
            self.ms.append((time.perf_counter() - begun) * 1000)


def main() -> None:
    report = Report(f"{PEOPLE} technicians")
    report.head()
    for which in [name for name in sys.argv[1:] if name != "--right"] or ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            url = stack.enter_context(postgresql()) if which == "postgresql" else ""
            load(report, Path(folder) / "data", url)
    report.close()


def load(report: Report, data: Path, url: str) -> None:
    report.tell("server", "gunicorn, PostgreSQL" if url else "waitress, SQLite")
    app = create_app(Settings(data=data, database_url=url))
    initialise(app)
    with app.app_context():
        account = {"username": "technician", "first_name": "L", "last_name": "L", "email": "l@example.com"}
        account |= {"role": "Technician", "password": PASSWORD}
        add_user(AccountIn.read(account), system_actor("bench"))
    wanted = min(500_000, int(DUE_SOON + SECONDS * SETS_A_SECOND * PER_SET * 4 / 3))
    took = fill(app, wanted, open_share=1.0, days=2, due_soon=DUE_SOON)
    report.tell(f"filling {wanted:,} specimens", took, " s")
    sets, codes = prepared(app)
    app.extensions["lims.database"].engine.dispose()
    port = free_port()
    serving = started(data, url, port)
    acknowledged: list[int] = []
    try:
        wait(port, serving)
        people = [Technician(port, number, sets[number::PEOPLE]) for number in range(PEOPLE)]
        for seconds, think in ((SECONDS, 0.0), (SECONDS / 3, 1.0)):
            people = [person.again() for person in people]
            acknowledged += part(report, people, seconds, think, serving.pid)
            browsers = [person.browser for person in people]
            connections_kept(report, browsers, sum(browser.asked for browser in browsers), bool(url))
        readers = reads(report, port, codes, READS // 2)
        asked = sum(browser.asked for browser in (*browsers, *readers))
        connections_kept(report, readers, asked, bool(url))
        if not url and not RIGHT_ALONE:
            beside_stock(report, people, data)
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    count(report, app, acknowledged)


def prepared(app: Flask) -> tuple[list[int], dict[int, list[str]]]:
    """Sets that wait, in the order in which they are entered from its end; and the specimens of a thousand sets."""
    with app.app_context():
        session = current_session()
        query = text(
            "SELECT id FROM specimen_sets WHERE state = 'waiting' AND (age_days > 28) = :late ORDER BY due_at DESC"
        )
        soon, late = (list(session.scalars(query, {"late": kind}).all()) for kind in (False, True))
        soon = soon[-int(len(soon) * ENTERED_SOON) :]
        # Both run out together.
        places = [
            (number / len(found), set_id) for found in (soon, late) for number, set_id in enumerate(found)
        ]
        sets = [set_id for _place, set_id in sorted(places)]
        codes: dict[int, list[str]] = {}
        for set_id, code in session.execute(
            text("SELECT specimen_set_id, code FROM specimens WHERE specimen_set_id <= 1000 ORDER BY code")
        ):
            codes.setdefault(set_id, []).append(code)
    return sets, codes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(data: Path, url: str, port: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "LIMS_DATA": str(data), "LIMS_DATABASE_URL": url, "LIMS_PORT": str(port)}
    environment |= {"LIMS_LOGIN_RATE_LIMIT": "10000 per minute", "LIMS_BIND": f"127.0.0.1:{port}"}
    command = ["-m", "lims", "serve"]
    if url:
        command = ["-m", "gunicorn", "--config", str(GUNICORN), "lims.wsgi:app"]
    return subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def processor_s(pid: int) -> float:
    """Seconds of processor that a server and its workers have used, those that were replaced included."""
    server = psutil.Process(pid)
    gone = server.cpu_times()
    family = [server, *server.children(recursive=True)]
    used = sum(times.user + times.system for times in (one.cpu_times() for one in family))
    return float(used + gone.children_user + gone.children_system)


def part(report: Report, people: list[Technician], seconds: float, think: float, server: int) -> list[int]:
    """Everybody at work for so long. Returns the sets whose result was acknowledged."""
    begun, own, theirs = time.monotonic(), time.process_time(), processor_s(server)
    with Stolen() as stolen:
        for person in people:
            person.think, person.until = think, begun + seconds
            person.start()
        for person in people:
            person.join()
    took = time.monotonic() - begun
    own = time.process_time() - own
    how = "with a second between" if think else "flat out"
    ms = sorted(one for person in people for one in person.seen.ms)
    entries = sorted(one for person in people for one in person.seen.entry_ms)
    statuses = sum((person.seen.statuses for person in people), Counter())
    acknowledged = [set_id for person in people for set_id in person.seen.acknowledged]
    report.tell(f"{how}: requests a second", len(ms) / took)
    report.tell("... results a second", len(acknowledged) / took)
    report.tell(
        "... processor that asking took, of all cores", 100 * own / took / (os.cpu_count() or 1), " %"
    )
    report.tell(
        "... processor that the server took a request", 1000 * (processor_s(server) - theirs) / len(ms), " ms"
    )
    report.tell("... statuses", str(dict(statuses)))
    report.tell("... median", ms[len(ms) // 2], " ms")
    p95 = ms[int(len(ms) * 0.95)]
    if RIGHT_ALONE:
        report.tell("... p95", p95, " ms")
    else:
        report.at_most("... p95", p95, 50 if think else 300, " ms")
    report.tell("... processor that the machine's host gave to others", 100 * stolen.share, " %")
    quiet = sorted(
        stolen.quiet((ms, at) for p in people for ms, at in zip(p.seen.ms, p.seen.ended, strict=True))
    )
    if quiet:
        report.tell("... requests while it gave none", 100 * len(quiet) / len(ms), " %")
        report.tell("... ... p95 of these", quiet[int(len(quiet) * 0.95)], " ms")
    if entries:
        report.tell("... p95 of saving a set", entries[int(len(entries) * 0.95)], " ms")
    # One that is quick because it refuses, or leads to the sign-in, is no answer to what was asked.
    report.at_most("... answers of another kind than 200", sum(statuses.values()) - statuses[200], 0)
    report.at_most("... requests without an answer", sum(p.seen.lost_connections for p in people), 0)
    return acknowledged


def connections_kept(report: Report, browsers: list[Browser], asked: int, gunicorn: bool) -> None:
    """How many requests since the beginning lost their connection and were sent again, which a process that crashes would
    cost too. Waitress never closes one that is in use; gunicorn may close all with each worker that has had its number of
    requests and is replaced."""
    replaced = 0
    if gunicorn:
        found = re.search(r"^max_requests = ([\d_]+)", GUNICORN.read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None
        replaced = asked // int(found.group(1))
    again = sum(browser.sent_again for browser in browsers)
    report.at_most("... sent again, as their connection was closed", again, len(browsers) * replaced)


def beside_stock(report: Report, people: list[Technician], data: Path) -> None:
    """The list of batches alone, flat out: ours, then a stock Flask-AppBuilder's over a copy of the same data."""
    ours = looked(report, "ours", [person.browser for person in people], "/batches/")
    settings = Settings(data=data)
    path = sqlite_path(settings.sqlalchemy_url)
    assert path is not None
    copy_sqlite(path, data / "peer.sqlite3")
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.load_peer", str(data / "peer.sqlite3"), str(port), STOCK]
    serving = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait(port, serving, "/login/")
        browsers = [Browser(port) for _person in people]
        for browser in browsers:
            browser.sign_in_as({"username": STOCK, "password": PASSWORD})
        stock = looked(report, "a stock Flask-AppBuilder", browsers, STOCK_LIST)
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    report.tell("... ours answers as many times as often", ours / stock)


def looked(report: Report, whose: str, browsers: list[Browser], path: str) -> float:
    """Returns the requests a second."""
    begun = time.monotonic()
    people = [Looker(browser, path, begun + min(20.0, SECONDS)) for browser in browsers]
    for person in people:
        person.start()
    for person in people:
        person.join()
    took = time.monotonic() - begun
    ms = sorted(one for person in people for one in person.ms)
    report.tell(f"list of batches alone, {whose}: requests a second", len(ms) / took)
    report.tell("... median", ms[len(ms) // 2], " ms")
    report.tell("... p95", ms[int(len(ms) * 0.95)], " ms")
    return len(ms) / took


def reads(report: Report, port: int, codes: dict[int, list[str]], wanted: int) -> list[Browser]:
    """Returns those who read."""
    readers = [Reader(port, number, codes, wanted // 8) for number in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    report.at_least("filtered reads at once, answered", sum(r.answered for r in readers), wanted // 8 * 8)
    report.at_most("... wrong", sum(r.wrong for r in readers), 0)
    return [reader.browser for reader in readers]


def count(report: Report, app: Flask, acknowledged: list[int]) -> None:
    """What the database holds of what was acknowledged."""
    with app.app_context():
        query = "SELECT specimen_set_id, count(*) FROM set_results GROUP BY specimen_set_id"
        found = {row[0]: row[1] for row in current_session().execute(text(query))}
    report.at_least("results acknowledged", len(acknowledged), 1)
    report.at_most("... lost", sum(found.get(set_id, 0) == 0 for set_id in acknowledged), 0)
    report.at_most("... doubled", sum(found.get(set_id, 0) > 1 for set_id in acknowledged), 0)
    app.extensions["lims.database"].engine.dispose()


def wait(port: int, serving: subprocess.Popen[bytes], page: str = "/readyz") -> None:
    for _attempt in range(600):
        try:
            if Browser(port).ask("GET", page)[0] == 200:
                return
        except (OSError, ValueError):
            if serving.poll() is not None:
                sys.exit("the server ended before it served")
        time.sleep(0.2)
    sys.exit("the server did not get ready")


if __name__ == "__main__":
    main()
