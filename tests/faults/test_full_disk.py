"""A disk that fills up: a clear 503, nothing acknowledged lost, and writing goes on without a restart when there is room."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lims.accounts.roles import MANAGER
from lims.accounts.service import find_user
from lims.app import create_app
from lims.base.actor import system_actor
from lims.base.database import transaction
from lims.base.services import SERVICES
from lims.base.sessions import open_session
from lims.operations import databases
from lims.operations.record_of_changes import faults_of_record
from lims.settings import Settings
from tests.conftest import USERNAMES, Person
from tests.faults.conftest import Figures

#: Besides what the prepared database takes.
ROOM_MB = 6


@pytest.fixture
def small_disk(tmp_path: Path, initialised: Path) -> Iterator[Path]:
    """A file system of its own that holds the database and little more."""
    place = tmp_path / "disk"
    place.mkdir()
    taken = sum(file.stat().st_size for file in initialised.rglob("*") if file.is_file())
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
    small_disk: Path, initialised: Path, figures: Figures
) -> None:
    data = small_disk / "data"
    shutil.copytree(initialised, data)
    app = create_app(Settings(data=data))
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
    for number in range(400):
        if number == 20:  # somebody else's file takes what is left
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(65536))
                except OSError:
                    pass
        code = f"K-{number}"
        answer = person.post("/customers/add", {"code": code, "name": "x", "notes": "y" * 3000})
        if answer.status_code == 302:
            acknowledged.append(code)
            continue
        assert answer.status_code == 503
        refused += 1
        said = answer.get_data(as_text=True)
        if refused == 5:
            break
    figures.tell("acknowledged before it was full", len(acknowledged))
    assert refused == 5
    assert re.search("disk is full", said)
    assert client.get("/customers/").status_code == 200  # reading goes on
    ballast.unlink()
    after = person.post("/customers/add", {"code": "K-AFTER", "name": "x"})
    figures.equal("status of the next write without a restart", after.status_code, 302)
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
