"""On a PostgreSQL that brings pg_trgm (the wheel of the other tests does not), letters in the middle are found too."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from lims.app import create_app
from lims.base.database import current_session, database
from lims.initialise import initialise
from lims.searching.service import find_among
from lims.searching.triggers import SEARCHED
from lims.settings import Settings
from tests.browser import free_port
from tests.factories import a_batch

pytestmark = pytest.mark.postgresql
PROGRAMS = (
    sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if Path("/usr/lib/postgresql").exists() else []
)


@pytest.fixture(scope="module")
def full_postgresql() -> Iterator[str]:
    """A server from the system's packages, with its contrib modules; it never runs as root."""
    if not PROGRAMS:
        pytest.skip("no PostgreSQL from the system's packages here: the wheel has no pg_trgm")
    programs = PROGRAMS[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="lims-pg-"))
    switch: list[str] = []
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("no user postgres to run the server as")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        # The run's own folder of temporary files: the server passes through it.
        if folder.parent.stat().st_uid == 0:
            folder.parent.chmod(folder.parent.stat().st_mode | 0o011)
        switch = ["runuser", "-u", "postgres", "--"]
    port = free_port()
    data = folder / "data"
    run = {"check": True, "capture_output": True, "cwd": folder}
    subprocess.run(
        [*switch, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres"], **run
    )  # type: ignore[call-overload]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    command = [*switch, str(programs / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w"]
    subprocess.run([*command, "-o", options, "start"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    subprocess.run([*command, "-m", "immediate", "stop"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def with_trigrams(full_postgresql: str, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(Settings(data=tmp_path, database_url=full_postgresql))
    initialise(app)
    with app.app_context():
        yield app
        database().session.remove()
    app.extensions["lims.database"].engine.dispose()


def test_letters_in_the_middle_of_a_specimen_s_code_are_found(with_trigrams: Flask) -> None:
    batch = a_batch(volume_m3="40")
    code = batch.sets[1].specimens[2].code
    for letters in (code[4:].lower(), "d-1c"):  # digits that tell, and none
        found = find_among(current_session(), letters, SEARCHED, 6)
        assert code in [item.title for item in found], letters
