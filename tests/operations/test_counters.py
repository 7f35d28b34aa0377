"""Counters that processes share, on a disk that is full: nobody dies of it, and they are right when there is room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lims.base.problems import Refused
from lims.operations.counters import empty, folder_of, made_folder
from lims.settings import SHARED_COUNTERS, Settings
from tests.browser import free_port
from tests.operations.test_family import TOKEN, started
from tests.waiting import until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="one process on Windows")

#: Counts beside a disk that fills up: in a process that grows its file, and in one that begins then. Prints what the
#: collector adds up before there is room, and after.
COUNTS = """
import os, sys
from contextlib import suppress
from pathlib import Path
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from lims.operations.health import Metrics

def fill():
    with (place / "ballast").open("ab", buffering=0) as file, suppress(OSError):
        for size in (65536, 4096, 512):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))

def added_up():
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    lines = generate_latest(registry).decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("lims_requests_total{"))

def count(pages):
    for number in range(pages):
        metrics.requests.labels(f"page {number}", "GET", "200").inc()

place = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
metrics = Metrics()
count(1)
fill()
count(2000)  # more than the first 64 kB
to_child, from_parent = os.pipe()
child = os.fork()
if child == 0:
    count(2000)
    os.read(to_child, 1)
    count(2000)
    os._exit(0)
print("full", added_up() < 100 + 64 * 1024 / 100, flush=True)
(place / "ballast").unlink()
count(2000)
os.write(from_parent, b"x")
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
print("room", added_up(), flush=True)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount")
def test_full_disk_kills_nobody_who_counts_and_what_was_counted_is_told_when_there_is_room(
    small_disk: Path,
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", COUNTS],
        env={**os.environ, SHARED_COUNTERS: str(small_disk)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr  # -7 is SIGBUS
    # The parent 1 + 2,000 + 2,000, its child 2,000 + 2,000: each counter holds all of its own.
    assert found.stdout.splitlines() == ["full True", "child 0", "room 8001.0"]
    assert (
        found.stderr.count("counters are not kept until there is room") == 2
    )  # once a process, not once a request


def test_counters_meet_in_memory_where_systemd_gives_a_folder_there_else_beside_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert folder_of(Settings(data=tmp_path)) == tmp_path / "metrics"
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"/run/lims{os.pathsep}/run/other")
    assert folder_of(Settings(data=tmp_path)) == Path("/run/lims/metrics")


def test_folder_of_counters_is_made_or_refused_and_nothing_else_in_it_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    made_folder(folder)
    for name in ("counter_1.db", "histogram_1.arriving", "web.sock"):
        (folder / name).touch()
    empty(folder)
    assert [left.name for left in folder.iterdir()] == ["web.sock"]
    with pytest.raises(Refused, match=f"{SHARED_COUNTERS}: cannot be made .*accepted: a folder"):
        made_folder(folder / "web.sock" / "below")


@pytest.mark.parametrize(
    "command",
    [["lims", "serve"], ["gunicorn", "--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"]],
    ids=["waitress", "gunicorn"],
)
def test_folder_that_was_named_and_is_not_there_is_made(
    initialised: Path, tmp_path: Path, command: list[str]
) -> None:
    data, port, folder = tmp_path / "data", free_port(), tmp_path / "run" / "counters"
    shutil.copytree(initialised, data)
    given = {"LIMS_PORT": str(port), "LIMS_METRICS_TOKEN": TOKEN, SHARED_COUNTERS: str(folder)}
    with started(command, port, data, LIMS_WORKER_THREADS="0", **given) as server:
        until(lambda: any(folder.glob("counter_*.db")), "nobody counts there")
        assert server.get("/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200


def test_one_process_adds_nothing_that_an_earlier_start_has_counted(
    initialised: Path, tmp_path: Path
) -> None:
    data, port, folder = tmp_path / "data", free_port(), tmp_path / "counters"
    shutil.copytree(initialised, data)
    folder.mkdir()
    (folder / "counter_1.db").touch()
    given = {"LIMS_PROCESSES": "1", "LIMS_METRICS_TOKEN": TOKEN, SHARED_COUNTERS: str(folder)}
    with started(["lims", "serve"], port, data, LIMS_PORT=str(port), LIMS_WORKER_THREADS="0", **given):
        assert not (folder / "counter_1.db").exists()
