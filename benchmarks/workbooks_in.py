"""10,000 break rows out of one .xlsx: ours with rules, audit and one transaction; pandas and django-import-export beside
it, which check nothing of a laboratory; and what reading and inserting alone would take.

Each starts from the same bytes and ends with rows committed to a SQLite file. The forecasts that follow from new results
are made after the commit and are not part of any of them.
"""

from __future__ import annotations

import io
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
from flask import Flask
from sqlalchemy import select

from benchmarks.laboratory import SEED, bench_app
from benchmarks.report import Report
from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.importing.imports import import_file
from lims.importing.sheets import template_workbook
from lims.results.models import Break, SetResult
from lims.trials.models import Specimen

ROWS = int(os.environ.get("LIMS_BENCH_ROWS", "10000"))
#: A batch of 500 m³ at one set for each 50 m³: ten sets of three at 28 d.
SETS_OF_A_BATCH, PER_SET = 10, 3
#: Each way runs so often; the best counts, so that what else the machine does counts least.
TIMES = 3
FIRST = 6


def measure(report: Report) -> None:
    ours: list[float] = []
    content = b""
    for _run in range(TIMES):
        with bench_app() as app:
            codes = prepare(app, ROWS)
            content = content or breaks_workbook(codes)
            ours.append(import_once(app, content))
    with tempfile.TemporaryDirectory() as folder:
        with_pandas = best(lambda n: pandas_way(content, Path(folder) / f"pandas{n}.sqlite3"))
        with_django, tuned = django_ways(content, Path(folder) / "django.sqlite3")
        bare = best(lambda n: bare_way(content, Path(folder) / f"bare{n}.sqlite3"))
    report.tell(f"importing {ROWS} break rows, .xlsx", min(ours), " s")
    report.tell("... rows a second", ROWS / min(ours))
    report.tell("pandas.read_excel + to_sql", with_pandas, " s")
    report.at_most("... ours to that of pandas", min(ours) / with_pandas, 1.0)
    report.tell("django-import-export, use_bulk", with_django, " s")
    report.at_least("... times as fast as django-import-export", with_django / min(ours), 3.0)
    report.tell("... tuned: no diffs, nothing reported, instances cached", tuned, " s")
    report.tell("... times as fast as the tuned one", tuned / min(ours))
    report.tell("bare: calamine + executemany", bare, " s")


def best(run: Callable[[int], float]) -> float:
    return min(run(number) for number in range(TIMES))


def prepare(app: Flask, rows: int) -> list[str]:
    """A laboratory whose sets wait: the codes of at least so many specimens."""
    actor = system_actor("bench")
    cast = datetime.now(UTC) - timedelta(days=28, hours=2)
    with app.app_context():
        SERVICES["presses"].add({"code": "YES-2000", "name": "Press"}, actor)
        trial = SERVICES["trials"].add({"name": "Bench"}, actor)
        recipe = {"cement_kg_m3": "330", "water_kg_m3": "172"}
        mixes = [
            SERVICES["mix-designs"].add({"code": f"C30-{n}", "strength_class": "C30", **recipe}, actor)
            for n in range(12)
        ]
        for number in range(-(-rows // (SETS_OF_A_BATCH * PER_SET))):
            SERVICES["batches"].add(
                {
                    "trial_id": trial.id,
                    "mix_revision_id": mixes[number % 12].latest_revision_id,
                    "cast_at": cast.isoformat(),
                    "volume_m3": str(50 * SETS_OF_A_BATCH),
                    "plan_ages": "28",
                },
                actor,
            )
        codes = current_session().scalars(select(Specimen.code).order_by(Specimen.id))
        return list(codes)[: rows - rows % PER_SET]


def breaks_workbook(codes: list[str]) -> bytes:
    """The template of breaks, filled."""
    book = openpyxl.load_workbook(io.BytesIO(template_workbook("breaks")))
    sheet = book["Data"]
    names = [cell.value for cell in sheet[FIRST - 1]]
    at = {
        name: names.index(name) + 1 for name in ("specimen", "load_kn", "tested_at", "press_id", "tested_by")
    }
    chance = Random(SEED)
    tested = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(hours=7)
    for number, code in enumerate(codes):
        minute = tested - timedelta(minutes=number // PER_SET % 90)
        values = (
            code,
            round(chance.gauss(760, 20), 1),
            minute,
            "YES-2000",
            ("Li Wei", "Wang Fang")[number // PER_SET % 2],
        )
        for name, value in zip(at, values, strict=True):
            sheet.cell(FIRST + number, at[name], value)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def import_once(app: Flask, content: bytes) -> float:
    with app.app_context():
        begun = time.perf_counter()
        _run, plan = import_file("breaks.xlsx", content, system_actor("bench"), template="breaks")
        taken = time.perf_counter() - begun
        session = current_session()
        assert plan.count("new") == len(plan.rows) == session.query(Break).count()
        assert session.query(SetResult).count() * PER_SET == len(plan.rows)
    return taken


def pandas_way(content: bytes, path: Path) -> float:
    import pandas
    import sqlalchemy

    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    begun = time.perf_counter()
    frame = pandas.read_excel(io.BytesIO(content), sheet_name="Data", header=FIRST - 2)
    frame.to_sql("breaks", engine, index=False)
    taken = time.perf_counter() - begun
    engine.dispose()
    return taken


def django_ways(content: bytes, path: Path) -> tuple[float, float]:
    """Seconds in bulk mode as `use_bulk` gives it, and with all that its documentation knows to make it faster."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}},
            INSTALLED_APPS=["import_export"],
            USE_TZ=False,
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            IMPORT_EXPORT_USE_TRANSACTIONS=True,
        )
        django.setup()
    from django.db import connection, models
    from import_export import resources
    from tablib import Dataset

    class DjangoBreak(models.Model):
        specimen = models.CharField(max_length=90, unique=True)
        load_kn = models.DecimalField(max_digits=15, decimal_places=3, null=True)
        tested_at = models.DateTimeField(null=True)
        press_id = models.CharField(max_length=40, null=True)
        tested_by = models.CharField(max_length=80, null=True)

        class Meta:
            app_label = "import_export"  # one that is installed

    from import_export.instance_loaders import CachedInstanceLoader

    class Bulk(resources.ModelResource):
        class Meta:
            model = DjangoBreak
            import_id_fields = ("specimen",)
            fields = ("specimen", "load_kn", "tested_at", "press_id", "tested_by")
            use_bulk = True
            use_transactions = True

    class Tuned(resources.ModelResource):
        class Meta(Bulk.Meta):
            batch_size = 1000
            skip_diff = True
            report_skipped = False
            instance_loader_class = CachedInstanceLoader

    with connection.schema_editor() as editor:
        editor.create_model(DjangoBreak)
    taken: dict[type, list[float]] = {Bulk: [], Tuned: []}
    for _run in range(TIMES):
        for resource, seconds in taken.items():
            DjangoBreak.objects.all().delete()
            begun = time.perf_counter()
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            rows = book["Data"].iter_rows(min_row=FIRST - 1, values_only=True)
            names = [str(name) for name in next(rows)]
            data = Dataset(headers=names)
            for row in rows:
                data.append(row)
            result = resource().import_data(data, dry_run=False, raise_errors=True)
            seconds.append(time.perf_counter() - begun)
            assert not result.has_errors()
            assert DjangoBreak.objects.count() == len(data)
    connection.close()
    return min(taken[Bulk]), min(taken[Tuned])


def bare_way(content: bytes, path: Path) -> float:
    """Nothing but the cells into a table."""
    from python_calamine import CalamineWorkbook

    begun = time.perf_counter()
    sheet: list[list[Any]] = (
        CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name("Data").to_python()
    )
    rows = [tuple(str(cell) for cell in row) for row in sheet[FIRST - 1 :]]
    with sqlite3.connect(path) as connection:
        marks = ", ".join("?" * len(rows[0]))
        columns = ", ".join(f"c{number}" for number in range(len(rows[0])))
        connection.execute(f"CREATE TABLE breaks ({columns})")
        connection.executemany(f"INSERT INTO breaks VALUES ({marks})", rows)
    connection.close()
    return time.perf_counter() - begun
