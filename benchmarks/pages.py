"""`make bench-pages`: our list pages beside a stock Flask-AppBuilder on the same data in the same run, with bare
SQLAlchemy Core and Jinja as the floor. LIMS_PAGES_SPECIMENS (300000) says how many specimens.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import sqlalchemy
from flask import Flask
from sqlalchemy import event, func, select

from benchmarks.laboratory import bench_app, fill, signed_in
from benchmarks.measuring import cpu_milliseconds
from benchmarks.report import Report
from lims.app import create_app
from lims.base.database import sqlite_module
from lims.mixes.models import MixRevision
from lims.operations.databases import copy_sqlite, sqlite_path
from lims.operations.serving import settle
from lims.settings import Settings
from lims.trials.models import Batch, SpecimenSet, Trial

SPECIMENS = int(os.environ.get("LIMS_PAGES_SPECIMENS", "300000"))
SIZE = 25
#: A page far down the list of batches, nine specimens each; numbers go to the ten-thousandth row.
DEEP = min(400, SPECIMENS // 9 // SIZE - 2)
TEMPLATE = """<!doctype html><title>Batches</title><p>{{ total }}</p><table>
{% for row in rows %}<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>{% endfor %}</table>"""


def floor(path: Path, deep: bool) -> Any:
    """The least that a page with 25 rows and a count can cost here."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", module=sqlite_module())
    template = jinja2.Environment(autoescape=True).from_string(TEMPLATE)
    batches = Batch.__table__
    rows = (
        select(
            batches.c.id, batches.c.code, Trial.code, Trial.name, MixRevision.number, batches.c.cast_at,
            batches.c.volume_m3, batches.c.curing, batches.c.element,
        )
        .join(Trial.__table__, Trial.id == batches.c.trial_id)
        .join(MixRevision.__table__, MixRevision.id == batches.c.mix_revision_id)
        .order_by(batches.c.id.desc())
        .limit(SIZE)
    )  # fmt: skip

    def page() -> str:
        with engine.connect() as connection:
            if deep:
                return template.render(
                    total="",
                    rows=connection.execute(rows.where(batches.c.id < SPECIMENS // 9 - DEEP * SIZE)).all(),
                )
            total = connection.scalar(select(func.count()).select_from(batches))
            return template.render(total=total, rows=connection.execute(rows).all())

    return page


def statements(app: Flask, what: Any) -> int:
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            seen.append(statement)

    engine = app.extensions["lims.database"].engine
    event.listen(engine, "before_cursor_execute", note)
    what()
    event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def started(settings: Settings) -> int:
    """SQL statements of a start of ours."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    create_app(settings)
    event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    return len(seen)


def main() -> None:
    report = Report(f"list pages beside a stock Flask-AppBuilder, {SPECIMENS:,} specimens, SQLite")
    report.head()
    with bench_app() as app:
        report.tell("filling", fill(app, SPECIMENS), " s")
        settings = app.config["LIMS_SETTINGS"]
        report.at_most("start-up, ours, SQL statements", started(settings), 0)
        path = sqlite_path(settings.sqlalchemy_url)
        assert path is not None
        with app.app_context():
            session = app.extensions["lims.database"].session()
            wanted = session.execute(
                select(SpecimenSet.id, SpecimenSet.code).order_by(SpecimenSet.id.desc()).limit(1)
            ).one()
        peer_path = settings.data / "peer.sqlite3"
        copy_sqlite(path, peer_path)
        peer = stock(peer_path, wanted.id)
        report.tell("start-up, stock, SQL statements", peer["start-up"])
        client = signed_in(app)
        settle()
        ours: dict[str, float] = {}
        deep = deep_address(client)
        for name, address, times in (
            ("list", "/batches/", 31),
            ("deep", deep, 31),
            ("searched by key", f"/specimens/?specimen_set_id={wanted.id}", 31),
            ("searched by letters", f"/specimens/?q={wanted.code}", 31),
        ):
            page = client.get(address)
            assert page.status_code == 200
            assert page.get_data(as_text=True).count("<tr") > 2, "no rows are shown"
            ours[name] = cpu_milliseconds(lambda address=address: client.get(address), times)  # type: ignore[misc]
            report.tell(
                f"ours, {name}: SQL statements", statements(app, lambda address=address: client.get(address))
            )  # type: ignore[misc]
            report.tell("... HTML", len(page.get_data()) / 1000, " kB")
        for name in ("list", "deep", "searched"):
            report.tell(f"stock, {name}: SQL statements", peer[f"{name} SQL"])
            report.tell("... HTML", peer[f"{name} kB"], " kB")
        for name in ("list", "deep"):
            bare = cpu_milliseconds(floor(path, name == "deep"), 15)
            report.tell(f"floor, Core and Jinja, {name} (processor)", bare, " ms")
            report.tell(f"stock, {name} (processor)", peer[name], " ms")
            report.tell(f"ours, {name} (processor)", ours[name], " ms")
            report.at_most(f"{name}: ours as part of stock", ours[name] / peer[name], 0.5)
        report.tell("stock, searched by its relation (processor)", peer["searched"], " ms")
        for name in ("searched by key", "searched by letters"):
            report.tell(f"ours, {name} (processor)", ours[name], " ms")
            report.at_least(f"{name}: times faster than stock", peer["searched"] / ours[name], 50)
    report.close()


def deep_address(client: Any) -> str:
    """A deep page of batches as a person reaches it: by the link of the page before."""
    page = client.get(f"/batches/?page={DEEP - 1}").get_data(as_text=True)
    begun = page.index('rel="next" href="') + len('rel="next" href="')
    found: str = page[begun : page.index('"', begun)].replace("&amp;", "&")
    return found


def stock(path: Path, set_id: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.pages_peer", str(path), str(set_id), str(DEEP)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main()
