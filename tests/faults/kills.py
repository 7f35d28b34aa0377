"""Writers that are killed with SIGKILL while they write results, again and again, on SQLite or PostgreSQL.

`python -m tests.faults.kills FOLDER URL KILLS RESULTS`: forks writers over one prepared laboratory, kills all of them in
the midst of writing, counts what they had acknowledged (a line in a file, written after the commit), and goes on with what
was not, as a client that got no answer would. The kills are spread over the results. Prints what was acknowledged, lost and
doubled as JSON.

SIGKILL is not a power cut: the kernel still writes what it was given. `synchronous = FULL` is for the other.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import text

from benchmarks.laboratory import fill
from lims.app import create_app
from lims.base.actor import user_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.migration import current_revision
from lims.base.problems import Unavailable
from lims.initialise import initialise
from lims.operations import databases
from lims.operations.record_of_changes import faults_of_record
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set
from lims.settings import Settings

WRITERS = 3
#: Part of all results that is acknowledged when the last kill comes.
BEFORE_LAST_KILL = 0.97


def prepare(folder: Path, url: str, results: int) -> Flask:
    """Over an empty database, or one that `lims init` has prepared."""
    app = create_app(Settings(data=folder, database_url=url))
    if current_revision(app.extensions["lims.database"].engine) is None:
        initialise(app)
    fill(app, results * 7 + 90, open_share=1.0, days=2)  # some sets are past their window
    return app


def slack_s() -> float:
    """Seconds that a machine which does other things too may take longer."""
    return 0.0 if os.getloadavg()[0] < 2 else 10.0


def waiting_sets(app: Flask) -> list[int]:
    with app.app_context():
        query = "SELECT id FROM specimen_sets WHERE state = 'waiting' ORDER BY id"
        return [row[0] for row in current_session().execute(text(query))]


@cache
def the_entry() -> SetBreaksIn:
    """What every writer sends, and sends again after a kill: the same test, by the same person."""
    data = {"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat(), "tested_by": "Li Wei"}
    return SetBreaksIn.read(data)


def write(app: Flask, sets: list[int], acknowledged: Path, place: int) -> None:
    """Enter results, one after another; each is acknowledged after its commit by one write to a file."""
    entry = the_entry()
    with acknowledged.open("ab", buffering=0) as file, app.app_context():
        for set_id in sets:
            try:
                record_set(set_id, entry, user_actor(1, f"writer {place}"))
            except Unavailable:
                continue
            file.write(f"{set_id}\n".encode())


def one_round(app: Flask, todo: list[int], acknowledged: Path, enough: int, more_s: float) -> None:
    """Fork writers, kill all of them at once, a moment after so many results are acknowledged: in the midst of writing."""
    app.extensions["lims.database"].engine.dispose()
    the_entry()  # before the writers part
    living = set()
    for place in range(WRITERS):
        child = os.fork()
        if child == 0:
            try:
                write(app, todo[place::WRITERS], acknowledged, place)
            finally:
                os._exit(0)
        living.add(child)
    acknowledged.touch()
    with acknowledged.open("rb") as file:
        lines = 0
        while lines < enough and living:
            lines += file.read().count(b"\n")
            living -= {child for child in living if os.waitpid(child, os.WNOHANG)[0]}
            time.sleep(0.002)
    time.sleep(more_s)  # the fault comes at a random moment: this is it
    for child in living:
        os.kill(child, signal.SIGKILL)
    for child in living:
        os.waitpid(child, 0)


def acknowledged_sets(path: Path) -> list[int]:
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [int(line) for line in lines[:-1]]


def count(app: Flask, acknowledged: set[int]) -> dict[str, Any]:
    """What the database holds of what was acknowledged."""
    with app.app_context():
        session = current_session()
        rows = session.execute(
            text(
                "SELECT r.specimen_set_id, count(*), (SELECT count(*) FROM breaks b JOIN specimens s"
                " ON s.id = b.specimen_id WHERE s.specimen_set_id = r.specimen_set_id) FROM set_results r"
                " GROUP BY r.specimen_set_id"
            )
        ).all()
    found = {row[0]: (row[1], row[2]) for row in rows}
    return {
        "acknowledged": len(acknowledged),
        "lost": sum(set_id not in found for set_id in acknowledged),
        "doubled": sum(results > 1 for results, _breaks in found.values()),
        "half written": sum(breaks != 3 for _results, breaks in found.values()),
    }


def run(folder: Path, url: str, kills: int, results: int) -> dict[str, Any]:
    app = prepare(folder, url, results)
    chance = random.Random(kills)
    path = folder / "acknowledged"
    todo = waiting_sets(app)[:results]
    made, wanted = 0, len(todo)
    while made < kills and todo:
        made += 1
        # As many before each kill, nearly all before the last one: there is something left to write then too.
        one_round(app, todo, path, int(wanted * BEFORE_LAST_KILL * made / kills), chance.uniform(0, 0.02))
        done = set(acknowledged_sets(path))
        todo = [set_id for set_id in todo if set_id not in done]
    before = wanted - len(todo)
    write(app, todo, path, 0)  # what never was acknowledged is sent once more, and is not doubled
    told = {"kills": made, "wanted": wanted, "before the last kill": before}
    told |= count(app, set(acknowledged_sets(path)))
    app.extensions["lims.database"].engine.dispose()
    settings: Settings = app.config["LIMS_SETTINGS"]
    file = databases.sqlite_path(settings.sqlalchemy_url)
    told["integrity"] = databases.faults_of_sqlite(file) if file is not None else []
    told["record of changes"] = faults_of_record(settings.sqlalchemy_url)
    return told


if __name__ == "__main__":
    where, address, times, how_many = sys.argv[1:5]
    told = run(Path(where), "" if address == "sqlite" else address, int(times), int(how_many))
    print(json.dumps(told))  # noqa: T201
