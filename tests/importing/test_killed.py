"""kill -9 in the middle of an import of 10,000 rows leaves 0 of them or all."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lims.app import create_app
from lims.base.database import database
from lims.importing.imports import import_file
from lims.settings import Settings
from tests.factories import ACTOR

ROWS = 10_000
#: How often; the larger figure is for a machine with time.
KILLS = int(os.environ.get("LIMS_KILLS", "3"))

PROGRAM = """
import sys, pathlib
from lims.app import create_app
from lims.settings import Settings
from lims.base.actor import system_actor
from lims.importing.imports import import_file
app = create_app(Settings(data=pathlib.Path(sys.argv[1])))
def tell(done, total):
    print(done, flush=True)
with app.app_context():
    content = pathlib.Path(sys.argv[2]).read_bytes()
    print("begun", flush=True)
    import_file("breaks.xlsx", content, system_actor("test"), template="breaks", progress=tell)
    print("committed", flush=True)
"""


def counts(folder: Path) -> tuple[int, int, int, str]:
    """(breaks, results, links, integrity) as another program sees them."""
    with sqlite3.connect(folder / "lims.sqlite3") as connection:
        numbers = [
            connection.execute(f"SELECT {count} FROM {table}").fetchone()[0]
            for table, count in (
                ("breaks", "count(*)"),
                ("set_results", "count(*)"),
                ("import_rows", "coalesce(sum(more + 1), 0)"),
            )
        ]
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    return numbers[0], numbers[1], numbers[2], integrity


@pytest.mark.timeout(900)
def test_kill_9_leaves_none_or_all(initialised: Path, tmp_path: Path) -> None:
    import shutil

    from benchmarks.workbooks_in import breaks_workbook, prepare

    folder = tmp_path / "data"
    shutil.copytree(initialised, folder)
    app = create_app(Settings(data=folder))
    codes = prepare(app, ROWS)
    file = tmp_path / "breaks.xlsx"
    file.write_bytes(breaks_workbook(codes))
    app.extensions["lims.database"].engine.dispose()
    chance = random.Random(7)
    for _kill in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(file)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        after = chance.choice((1, 2, 9, 17))
        for number, line in enumerate(process.stdout):
            if number == after or line.startswith("committed"):
                break
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        process.stdout.close()
        breaks, results, links, integrity = counts(folder)
        assert integrity == "ok"
        assert (breaks, results, links) in {(0, 0, 0), (len(codes), len(codes) // 3, len(codes))}
    app = create_app(Settings(data=folder))
    with app.app_context():
        _run, plan = import_file("breaks.xlsx", file.read_bytes(), ACTOR, template="breaks")
        assert len(plan.rows) == len(codes)
        assert plan.count("refused") == 0
        database().engine.dispose()
    assert counts(folder)[:3] == (len(codes), len(codes) // 3, len(codes))
