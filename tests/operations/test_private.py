"""What the program makes is its own account's alone, without systemd too; what is asked for has the rights of the shell."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lims.operations.surroundings import odd_surroundings
from lims.settings import Settings
from tests.browser import free_port
from tests.operations.test_family import TOKEN, started
from tests.programs import lims

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX rights")


def _rights(folder: Path) -> set[str]:
    """Of the folder and all in it: "dir 700", "file 644"."""
    return {
        f"{'dir' if one.is_dir() else 'file'} {stat.S_IMODE(one.stat().st_mode):o}"
        for one in (folder, *folder.rglob("*"))
    }


def test_laboratory_is_its_owners_alone_and_what_was_asked_for_has_the_rights_of_the_shell(
    tmp_path: Path,
) -> None:
    data, backup, record = tmp_path / "data", tmp_path / "backup", tmp_path / "record"
    for words in (
        ("init",),
        ("backup", str(backup)),
        ("export", "customers", "--output", str(tmp_path / "customers.csv")),
        ("audit", "export", str(record)),
        ("import", "templates", "--into", str(tmp_path / "templates")),
    ):
        assert lims(*words, data=data, umask=0o022).returncode == 0  # of a shell usually
    assert _rights(data) == {"dir 700", "file 600"}
    assert _rights(backup) == {"dir 700", "file 600"}
    assert _rights(tmp_path / "customers.csv") == {"file 644"}
    for folder in (record, tmp_path / "templates"):
        assert _rights(folder) == {"dir 755", "file 644"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    "command",
    [["lims", "serve"], ["gunicorn", "--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"]],
    ids=["waitress", "gunicorn"],
)
def test_server_makes_files_for_its_own_account_alone(
    initialised: Path, tmp_path: Path, command: list[str]
) -> None:
    data, port = tmp_path / "data", free_port()
    shutil.copytree(initialised, data)
    before = os.umask(0o022)
    try:
        with started(command, port, data, LIMS_PORT=str(port), LIMS_METRICS_TOKEN=TOKEN) as server:
            for process in (server.process.pid, *(child.pid for child in server.children)):
                assert "Umask:\t0077\n" in Path(f"/proc/{process}/status").read_text(encoding="ascii")
    finally:
        os.umask(before)


@pytest.fixture
def place() -> Iterator[Path]:
    """Where every account gets to, unlike the folders of tests."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_database_that_every_account_may_read_is_told_with_the_command_that_helps(place: Path) -> None:
    database = place / "lims.sqlite3"
    database.touch()
    database.chmod(0o644)
    place.chmod(0o755)
    settings = Settings(data=place)
    said = [(problem.field, problem.message) for problem in odd_surroundings(settings)]
    assert said == [(str(database), f"may be read by every account of this machine: chmod 700 {place}")]
    elsewhere = settings.model_copy(update={"data": place / "data", "database_url": f"sqlite:///{database}"})
    assert odd_surroundings(elsewhere)[0].message.endswith(f": chmod 600 {database}")
    place.chmod(0o700)
    assert odd_surroundings(settings) == []
    place.chmod(0o755)
    database.chmod(0o600)
    assert odd_surroundings(settings) == []
