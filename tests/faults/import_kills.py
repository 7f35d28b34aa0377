"""An import that is killed with SIGKILL, again and again, at moments all over it, on SQLite or PostgreSQL.

`python -m tests.faults.import_kills FOLDER URL KILLS ROWS`: forks an import of one workbook over a prepared laboratory,
kills it, and looks at what is there: none of the rows or all. Where all are, the laboratory is put back as it was, so that
the next kill has an import to stop. Prints what was found as JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from flask import Flask

from benchmarks.workbooks_in import breaks_workbook, prepare
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.database import make_engine
from lims.importing.imports import import_file
from lims.operations import databases
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings

COUNTS = (
    "SELECT (SELECT count(*) FROM breaks), (SELECT count(*) FROM set_results),"
    " (SELECT coalesce(sum(more + 1), 0) FROM import_rows)"
)


def begin(app: Flask, file: Path) -> int:
    """A process that imports it and ends."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with app.app_context():
                import_file("breaks.xlsx", file.read_bytes(), system_actor("test"), template="breaks")
            code = 0
        finally:
            os._exit(code)
    return child


def counts(url: str) -> tuple[int, int, int]:
    """(breaks, results, links) as another program sees them."""
    engine = make_engine(url)
    with engine.connect() as connection:
        row = connection.execute(sqlalchemy.text(COUNTS)).one()
    engine.dispose()
    return int(row[0]), int(row[1]), int(row[2])


def keep(url: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """(puts the database back as it is now, forgets it): nothing may be connected."""
    path = databases.sqlite_path(url)
    if path is not None:
        kept = path.with_suffix(".kept")
        databases.copy_sqlite(path, kept)

        def put_file_back() -> None:
            for beside in path.parent.glob(f"{path.name}*"):
                beside.unlink()
            shutil.copy(kept, path)

        return put_file_back, kept.unlink
    name = str(sqlalchemy.make_url(url).database)
    admin = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT"
    )

    def run(*statements: str) -> None:
        with admin.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        admin.dispose()

    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    run(f"CREATE DATABASE {name}_kept TEMPLATE {name} STRATEGY = FILE_COPY")
    return (
        lambda: run(drop, f"CREATE DATABASE {name} TEMPLATE {name}_kept STRATEGY = FILE_COPY"),
        lambda: run(f"DROP DATABASE {name}_kept"),
    )


def run(folder: Path, url: str, kills: int, rows: int) -> dict[str, Any]:
    app = create_app(Settings(data=folder, database_url=url))
    codes = prepare(app, rows)
    file = folder / "breaks.xlsx"
    file.write_bytes(breaks_workbook(codes))
    app.extensions["lims.database"].engine.dispose()
    url = app.config["LIMS_SETTINGS"].sqlalchemy_url
    whole = len(codes), len(codes) // 3, len(codes)
    put_back, forget = keep(url)
    try:
        begun = time.monotonic()
        _pid, status = os.waitpid(begin(app, file), 0)
        takes_s = time.monotonic() - begun
        undisturbed = os.waitstatus_to_exitcode(status) == 0 and counts(url) == whole
        put_back()
        chance = random.Random(7)
        left: Counter[str] = Counter()
        faults: list[str] = []
        stopped = 0
        for made in range(kills):
            child = begin(app, file)
            # Each has its part of the import, from its beginning to just after its end; within it the moment is random.
            time.sleep((made + chance.random()) / kills * takes_s * 1.15)
            os.kill(child, signal.SIGKILL)
            stopped += os.WIFSIGNALED(os.waitpid(child, 0)[1])
            found = counts(url)
            left["none" if found == (0, 0, 0) else "all" if found == whole else str(found)] += 1
            path = databases.sqlite_path(url)
            faults += databases.faults_of_sqlite(path) if path is not None else []
            faults += faults_of_record(url)
            if found != (0, 0, 0) and made < kills - 1:
                put_back()
        _pid, status = os.waitpid(begin(app, file), 0)
        again = os.waitstatus_to_exitcode(status) == 0 and counts(url) == whole
    finally:
        forget()
    return {
        "rows": len(codes),
        "undisturbed import, s": round(takes_s, 2),
        "undisturbed": undisturbed,
        "kills": kills,
        "kills before it had ended": stopped,
        "left": dict(left),
        "faults": faults,
        "whole afterwards": again,
    }


if __name__ == "__main__":
    where, address, times, how_many = sys.argv[1:5]
    told = run(Path(where), "" if address == "sqlite" else address, int(times), int(how_many))
    print(json.dumps(told))  # noqa: T201
