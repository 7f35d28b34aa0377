"""A large laboratory on demand: batches with their sets and specimens, seeded, written by plain inserts.

The rows are what the services would write (same codes, same windows); only the way in is shorter, because a million
specimens through the services would take an hour and measure nothing.
"""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Table, func, insert, select, text, update

from lims.accounts.service import AccountIn, add_user, find_user
from lims.app import create_app
from lims.base.actor import Actor, system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, database, transaction
from lims.base.reading import not_only_reading
from lims.base.services import SERVICES
from lims.initialise import initialise
from lims.operations.statistics import refresh_statistics
from lims.results.models import Break, SetResult
from lims.searching.service import has_trigrams
from lims.searching.triggers import BEGINNINGS, INDEXES, POSTGRESQL_DIGITS, POSTGRESQL_TRIGRAMS
from lims.settings import Settings
from lims.standards.specimens import due_window
from lims.trials.models import Batch, Specimen, SpecimenSet
from lims.trials.service import specimen_letter

SEED = 50
AGES = (3, 7, 28)
#: Of specimens that are kept for long: they wait, and stand in no list of these weeks.
LATE_AGES = (364, 365, 366)
PER_SET = 3
#: Results that wait for a second person, and as many for their release: more than a first page counts.
BACKLOG = 1_500
#: Rows of one insert.
CHUNK = 20_000
#: A transaction holds what its seal will need: a million rows in one would need gigabytes.
BATCHES_A_TIME = 5_000
PASSWORD = "granite-sand-cement-77"  # noqa: S105 - of a database that lives for one measurement
STAMP = {"version": 1, "created_by": "system:bench", "changed_by": "system:bench"}


@contextmanager
def bench_app(database_url: str = "", kept: str = "") -> Iterator[Flask]:
    """An application with its roles, a technician and a manager, in a folder that goes away, or in the `kept` one."""
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(kept or passing)
        app = create_app(Settings(data=folder, database_url=database_url))
        initialise(app)
        with app.app_context():
            for role, username in (("Technician", "technician"), ("Manager", "manager")):
                if find_user(username) is not None:
                    continue
                account = {
                    "username": username,
                    "first_name": "Bench",
                    "last_name": username,
                    "email": f"{username}@example.com",
                    "role": role,
                    "password": PASSWORD,
                }
                add_user(AccountIn.read(account), system_actor("bench"))
        yield app
        app.extensions["lims.database"].engine.dispose()


def signed_in(app: Flask, username: str = "technician") -> FlaskClient:
    client = app.test_client()
    form = client.get("/login/").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token is not None
    answer = client.post(
        "/login/", data={"username": username, "password": PASSWORD, "csrf_token": token.group(1)}
    )
    assert answer.status_code == 302
    return client


#: From here on (450,000 specimens) indexing afterwards is quicker.
MANY_BATCHES = 50_000
#: In the order of their references.
WRITTEN = (Batch, SpecimenSet, Specimen, Break, SetResult)
#: A mix is cast about a hundred times before the next one comes; twelve are there from the beginning.
BATCHES_A_MIX = 100


def fill(
    app: Flask,
    specimens: int,
    *,
    open_share: float = 0.0,
    days: int = 1200,
    many_mixes: bool = False,
    due_soon: int | None = None,
) -> float:
    """Write until there are at least this many specimens; `open_share` of the batches wait to be broken, cast over the
    last days. `many_mixes`: mixes and trials grow with the batches, as they do in a laboratory; else they are few.
    `due_soon`: after so many specimens the others are due in a year.

    Returns the seconds it took.
    """
    started = time.perf_counter()
    actor = system_actor("bench")
    with app.app_context():
        wanted = -(-specimens // (len(AGES) * PER_SET))
        written = current_session().scalar(select(func.max(Batch.id))) or 0
        kinds = max(12, wanted // BATCHES_A_MIX) if many_mixes else 12
        mixes = [_mix(number, actor) for number in range(kinds)]
        trials = [_trial(number, actor) for number in range(1, max(40, kinds) + 1)]
        with _search_indexed_afterwards() if wanted - written > MANY_BATCHES else nullcontext():
            for first in range(written + 1, wanted + 1, BATCHES_A_TIME):
                batches = range(first, min(first + BATCHES_A_TIME, wanted + 1))
                _write(batches, mixes, trials, open_share, days, due_soon)
        if database().is_sqlite:
            refresh_statistics()
            known = current_session().execute(text("SELECT count(*) FROM sqlite_stat1")).scalar_one()
            assert known, "no statistics, so these would be other plans than a laboratory's"
        else:
            _count_and_vacuum()
    return time.perf_counter() - started


def _count_and_vacuum() -> None:
    """PostgreSQL: numbers were given, so the counters have not moved. And rows that have lain for a while have been vacuumed
    by the server itself; else whoever reads them first marks each as seen, and counts look at every row."""
    with not_only_reading(database().engine).connect() as connection:
        for model in WRITTEN:
            table = model.__tablename__
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) > 0"
            )
        connection.commit()
    alone = not_only_reading(database().engine).execution_options(isolation_level="AUTOCOMMIT")
    with alone.connect() as connection:
        connection.exec_driver_sql("VACUUM (ANALYZE)")


@contextmanager
def _search_indexed_afterwards() -> Iterator[None]:
    """PostgreSQL: row by row, the search's indexes take as long as all else; over all rows at once, three minutes for ten
    million."""
    if database().is_sqlite:
        yield
        return
    engine = not_only_reading(database().engine)
    with engine.connect() as connection:
        for name in INDEXES:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")
        connection.commit()
    try:
        yield
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
            connection.exec_driver_sql(BEGINNINGS["postgresql"])
            connection.exec_driver_sql(POSTGRESQL_DIGITS[-1])
            if has_trigrams():
                connection.exec_driver_sql(POSTGRESQL_TRIGRAMS[-1])
            connection.commit()


def _mix(number: int, actor: Actor) -> int:
    """Id of the newest revision of mix `number`, written if it is not there. The first twelve: C25-A to C40-C."""
    service = SERVICES["mix-designs"]
    grade, letter = (25, 30, 35, 40)[number // 3 % 4], "ABC"[number % 3]
    code = f"C{grade}-{letter}" + (f"{number // 12}" if number >= 12 else "")
    found = service.find(code=code) or service.add(
        {
            "code": code,
            "strength_class": f"C{grade}",
            "cement_kg_m3": str(240 + 3 * grade + number // 12 % 40),
            "water_kg_m3": "172",
            "coarse_aggregate_kg_m3": "1060",
            "fine_aggregate_kg_m3": "770",
        },
        actor,
    )
    return int(found.latest_revision_id)


def _trial(number: int, actor: Actor) -> int:
    service = SERVICES["trials"]
    code = f"T-{number:03d}"
    found = service.find(code=code) or service.add({"code": code, "name": f"Trial {number}"}, actor)
    return int(found.id)


def _write(
    batches: range,
    mixes: list[int],
    trials: list[int],
    open_share: float,
    days: int,
    due_soon: int | None,
) -> None:
    """These batches in one transaction."""
    chance = random.Random(SEED * batches.start)
    now = utc_now()
    waiting: dict[Table, list[dict[str, Any]]] = {model.__table__: [] for model in WRITTEN}
    stamp = {**STAMP, "created_at": now, "changed_at": now}
    set_id = (batches.start - 1) * len(AGES)
    specimen_id = set_id * PER_SET
    with transaction(system_actor("bench")) as session:
        break_id = session.scalar(select(func.max(Break.id))) or 0
        first_result = result_id = session.scalar(select(func.max(SetResult.id))) or 0
        for batch_id in batches:
            is_open = chance.random() < open_share
            age = timedelta(minutes=chance.randrange(60, 40_000 if is_open else days * 1440))
            cast_at = now - age - (timedelta(0) if is_open else timedelta(days=29))
            code = f"B{cast_at.year % 100:02d}-{batch_id:06d}"
            waiting[Batch.__table__].append(
                {
                    "id": batch_id,
                    "code": code,
                    "trial_id": trials[batch_id % len(trials)],
                    "mix_revision_id": mixes[batch_id % len(mixes)],
                    "cast_at": cast_at,
                    "volume_m3": Decimal(48),
                    "curing": "standard",
                    "element": f"Axis {batch_id % 30}",
                    **stamp,
                }
            )
            base = chance.gauss(38, 3)
            soon = due_soon is None or set_id * PER_SET < due_soon
            for place, age_days in enumerate(AGES if soon else LATE_AGES):
                set_id += 1
                due_from, due_at, due_until = due_window("gbt50081-2019", age_days, cast_at)
                broken = not is_open or due_until < now
                waiting[SpecimenSet.__table__].append(
                    {
                        "id": set_id,
                        "batch_id": batch_id,
                        "code": f"{code}-{age_days:02d}d-1",
                        "age_days": age_days,
                        "number": 1,
                        "state": "broken" if broken else "waiting",
                        "due_from": due_from,
                        "due_at": due_at,
                        "due_until": due_until,
                        **stamp,
                    }
                )
                strengths = []
                for number in range(1, PER_SET + 1):
                    specimen_id += 1
                    waiting[Specimen.__table__].append(
                        {
                            "id": specimen_id,
                            "specimen_set_id": set_id,
                            "code": f"{code}-{age_days:02d}d-1{specimen_letter(number)}",
                            "number": number,
                            "shape": "cube",
                            "width_mm": Decimal(150),
                            "length_mm": Decimal(150),
                            **stamp,
                        }
                    )
                    if broken:
                        break_id += 1
                        load = Decimal(round(base * (0.5, 0.7, 1.0)[place] * chance.gauss(1, 0.03) * 22.5))
                        strengths.append(load / Decimal("22.5"))
                        waiting[Break.__table__].append(
                            {
                                "id": break_id,
                                "specimen_id": specimen_id,
                                "number": 1,
                                "load_kn": load,
                                "reported": False,
                                "strength_mpa": strengths[-1].quantize(Decimal("0.0001")),
                                "tested_by": "Bench",
                                "tested_at": due_at,
                                "age_hours": Decimal(age_days * 24),
                                "age_within": True,
                                **stamp,
                            }
                        )
                if broken:
                    result_id += 1
                    waiting[SetResult.__table__].append(
                        {
                            "id": result_id,
                            "specimen_set_id": set_id,
                            "number": 1,
                            "rule_id": "gbt50081-2019/cube-set",
                            "edition": "GB/T 50081-2019",
                            "strength_mpa": (sum(strengths, Decimal(0)) / PER_SET).quantize(Decimal("0.1")),
                            "basis": "mean",
                            "specimen_count": PER_SET,
                            "state": "entered",
                            **stamp,
                        }
                    )
            if len(waiting[Specimen.__table__]) >= CHUNK:
                _flush(session, waiting)
        _flush(session, waiting)
        # Through the states, as the database demands.
        checked = {"by": "system:bench-checker", "at": now}
        results = SetResult.__table__
        backlog = min(BACKLOG, (result_id - first_result) // 10)
        for state, who, left in (("verified", "verified", backlog), ("released", "released", 2 * backlog)):
            session.connection().execute(
                update(results)
                .where(results.c.id > first_result, results.c.id <= result_id - left)
                .values({"state": state, f"{who}_by": checked["by"], f"{who}_at": checked["at"]})
            )


def _flush(session: Any, waiting: dict[Table, list[dict[str, Any]]]) -> None:
    connection = session.connection()
    for table, rows in waiting.items():
        if rows and connection.dialect.name == "sqlite":
            connection.execute(insert(table), rows)
        elif rows:  # past SQLAlchemy: ten million rows by statements of its own take an hour
            cursor = connection.connection.cursor()
            with cursor.copy(f"COPY {table.name} ({', '.join(rows[0])}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(list(row.values()))
            cursor.close()
        rows.clear()


def milliseconds(what: Any, times: int = 7) -> float:
    """Median of several runs after one that warms up."""
    what()
    taken = []
    for _run in range(times):
        begun = time.perf_counter()
        what()
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)[times // 2]
