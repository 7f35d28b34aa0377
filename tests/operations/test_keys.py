"""Keys in the data folder: made whole or not at all, the same for everybody, and told when they are none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lims.audit.keys import key_in
from lims.base.problems import Refused
from lims.operations.checks import configuration_problems
from lims.settings import Settings
from tests.programs import run

MAKERS: dict[str, Callable[[Path], object]] = {
    "secret.key": lambda folder: Settings(data=folder).resolve_secret_key(),
    "audit.key": lambda folder: key_in(folder, "own").public,
}
#: Makes a key where no byte can be written, as on a full disk. Prints what it is told.
WITHOUT_ROOM = """
import resource, sys
from pathlib import Path
from lims.base.problems import Refused
from tests.operations.test_keys import MAKERS
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    MAKERS[sys.argv[1]](Path(sys.argv[2]))
except Refused as error:
    print(error)
"""


@pytest.mark.parametrize("name", MAKERS)
def test_processes_that_make_a_key_at_the_same_time_keep_the_same(tmp_path: Path, name: str) -> None:
    for number in range(40):
        folder, at_once = tmp_path / str(number), threading.Barrier(6)
        found: list[object] = []

        def make(
            folder: Path = folder, at_once: threading.Barrier = at_once, found: list[object] = found
        ) -> None:
            at_once.wait()
            found.append(MAKERS[name](folder))

        threads = [threading.Thread(target=make) for _thread in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 6
        assert len(set(found)) == 1
        assert [left.name for left in folder.iterdir()] == [name]
        assert (folder / name).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
@pytest.mark.parametrize("name", MAKERS)
def test_key_that_found_no_room_is_not_there_and_is_made_when_there_is_room(
    tmp_path: Path, name: str
) -> None:
    told = run(["-c", WITHOUT_ROOM, name, str(tmp_path)]).stdout
    assert told.startswith(f"{tmp_path / name}: cannot be read or made (File too large)")
    assert list(tmp_path.iterdir()) == []
    assert MAKERS[name](tmp_path) == MAKERS[name](tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("secret.key", b"", "is too short; delete it and a new one is made"),
        ("secret.key", b"\xff\x00", "is damaged"),
        ("audit.key", b"", "is no signing key; put that of a backup in its place"),
        ("audit.key", b"c2hvcnQ=", "is no signing key"),
        ("audit.key", b"\xff\x00", "is no signing key"),
        ("audit.key", None, "cannot be read or made (Is a directory)"),
    ],
)
def test_key_that_is_none_is_named_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is None:
        (tmp_path / name).mkdir(mode=0o700)
    else:
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    with pytest.raises(Refused) as refused:
        MAKERS[name](tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / name}: {said}")
    found = configuration_problems(Settings(data=tmp_path))
    assert [problem.field for problem in found] == [str(tmp_path / name)]


def test_signing_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    key_in(tmp_path, "own")
    assert configuration_problems(Settings(data=tmp_path)) == []
    (tmp_path / "audit.key").chmod(0o640)
    assert [problem.message for problem in configuration_problems(Settings(data=tmp_path))] == [
        f"may be read by others: chmod 600 {tmp_path / 'audit.key'}"
    ]
