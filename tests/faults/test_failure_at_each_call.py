"""What a request asks of its database fails at the first call, at the second, and so on to the last.

PostgreSQL: the connection is cut before the server has the message, or when the server has done what it says and the
answer is lost, or when the answer has arrived. SQLite: the statement is interrupted in its middle. The answer is right
or 503, never 500; sent again, the request is done once.
"""

from __future__ import annotations

import gc
import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask import Flask
from sqlalchemy import event, text

from lims.accounts.demo import DEMO_ACCOUNTS
from lims.accounts.roles import ADMINISTRATOR, TECHNICIAN
from lims.accounts.service import find_user
from lims.app import create_app
from lims.base import reading
from lims.base.database import current_session
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings
from tests.conftest import USERNAMES, Person, add_account
from tests.faults import kills, technician
from tests.faults.conftest import LONG, Figures, prepared_laboratory
from tests.faults.cutting import CuttingProxy
from tests.faults.test_locks_and_races import Size
from tests.pages import LISTS
from tests.pages import PAGES as EVERY_PAGE

MOST_CALLS = 500
#: What the suite looks at, and what `make faults` adds.
PAGES = (
    "/press/",
    "/specimen-sets/",
    "/api/v1/specimens/",
    "/",
    "/press/due.json",
    "/specimen-sets/1",
    "/specimen-sets/export?format=xlsx",
    "/search/?q=B25-",
)


class Fault(Protocol):
    """Fails once, at the call of that number from now."""

    left: int
    kinds: tuple[str, ...]

    def fail_at(self, call: int, kind: str) -> None: ...


@dataclass
class InterruptedStatements:
    """Interrupts a statement of SQLite, those of its triggers included."""

    left: int = 0
    kinds = ("interrupted",)

    def fail_at(self, call: int, kind: str) -> None:
        self.left = call

    def watch(self, dbapi_connection: Any, _record: Any) -> None:
        due = False

        def begun(_statement: str) -> None:
            nonlocal due
            self.left -= 1
            due = self.left == 0

        def goes_on() -> bool:
            nonlocal due
            interrupt, due = due, False
            return interrupt

        dbapi_connection.set_trace_callback(begun)
        dbapi_connection.set_progress_handler(goes_on, 1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def broken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Flask, Fault]]:
    """A laboratory with sets that wait, and the fault of its database."""
    fault: InterruptedStatements | CuttingProxy
    settings, url = prepared_laboratory(request.param, request), ""
    if request.param == "sqlite":
        fault = InterruptedStatements()
    else:
        monkeypatch.setattr(reading, "ASKED_AFTER_S", 0.0)  # asking is a call that may fail as well
        fault = CuttingProxy(settings.database_url)
        url = fault.url
    app = kills.prepare(settings.data, url, 250)
    with app.app_context():
        if find_user(USERNAMES[TECHNICIAN]) is None:
            add_account(TECHNICIAN)
    engine = app.extensions["lims.database"].engine
    if isinstance(fault, InterruptedStatements):
        engine.dispose()
        event.listen(engine, "connect", fault.watch)
    yield app, fault
    engine.dispose()
    if isinstance(fault, CuttingProxy):
        fault.close()


def _results(app: Flask) -> int:
    with app.app_context():
        return int(current_session().scalar(text("SELECT count(*) FROM set_results")) or 0)


def at_each_call(fault: Fault, figures: Figures, what: str, ask: Callable[[], int], step: int) -> None:
    """`ask` again and again, failing `step` calls later each time, until a request is over before its fault."""
    statuses: Counter[int] = Counter()
    for kind in fault.kinds:
        for call in itertools.count(1, step):
            assert call < MOST_CALLS, f"{what} does not end"
            fault.fail_at(call, kind)
            status = ask()
            statuses[status] += 1
            assert status in {200, 503}, f"{what}: {status} when {kind} at call {call}"
            if fault.left > 0:
                break
    fault.left = 0
    figures.tell(what, dict(statuses))
    assert statuses[503] > 0, "nothing failed"


# What a cut connection leaves of a cursor of the driver closes itself.
@pytest.mark.filterwarnings("ignore:<psycopg.ServerCursor:ResourceWarning")
def test_request_that_fails_at_any_call_of_its_database_answers_503_and_is_done_once_when_sent_again(
    broken: tuple[Flask, Fault], figures: Figures, size: Size
) -> None:
    app, fault = broken
    step = size(2, 1)
    before = _results(app)
    person = technician.signed_in(app)
    sets = iter(kills.waiting_sets(app))
    saved = set()

    def save() -> int:
        set_id = next(sets)
        entry = technician.entry_of(set_id)
        first = technician.send(person, entry)
        left, answer = fault.left, first
        for _again in range(3):
            if answer.status_code == 503:
                answer = technician.send(person, entry)
        fault.left = left
        assert answer.status_code == 200, answer.get_data(as_text=True)
        saved.add(set_id)
        return first.status_code

    def at_each(what: str, ask: Callable[[], int]) -> None:
        at_each_call(fault, figures, what, ask, step)

    for path in PAGES[: size(3, len(PAGES))]:
        at_each(path, lambda path=path: person.client.get(path).status_code)  # type: ignore[misc]
    at_each("signing in", lambda: technician.sign_in(Person(app.test_client(), "technician")))
    figures.equal("connections not given back", app.extensions["lims.database"].engine.pool.checkedout(), 0)
    at_each("saving a set", save)
    counted = kills.count(app, saved)
    for name in ("lost", "doubled", "half written"):
        figures.equal(name, counted[name], 0)
    figures.equal("results", _results(app) - before, len(saved))
    figures.equal("record of changes", faults_of_record(app.config["LIMS_SETTINGS"].sqlalchemy_url), [])
    gc.collect()


@pytest.mark.skipif(not LONG, reason="every page takes two minutes: make faults")
def test_every_page_of_the_demonstration_answers_503_when_any_statement_fails(
    demo_folder: Path, tmp_path: Path, figures: Figures
) -> None:
    shutil.copytree(demo_folder, tmp_path / "demo")
    app = create_app(Settings(data=tmp_path / "demo", demo=True))
    account = next(item for item in DEMO_ACCOUNTS if item.role == ADMINISTRATOR)
    person = Person(app.test_client(), account.username)
    assert technician.sign_in(person, account.password) == 200
    fault = InterruptedStatements()
    engine = app.extensions["lims.database"].engine
    engine.dispose()
    event.listen(engine, "connect", fault.watch)
    for path in (*EVERY_PAGE, *(f"/{name}/" for name in LISTS)):
        if person.client.get(path).status_code == 200:
            at_each_call(fault, figures, path, lambda path=path: person.client.get(path).status_code, 1)  # type: ignore[misc]
    figures.equal("connections not given back", engine.pool.checkedout(), 0)
    engine.dispose()
