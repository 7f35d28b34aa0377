"""gunicorn's workers serve together, also after one of them was replaced; who holds more connections gives way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lims.operations.even_worker import EvenWorker
from lims.operations.family import GIVE_WAY_S, NOBODY, Shares
from tests.browser import free_port
from tests.operations.test_family import Server, connections_are_shared_again, started
from tests.waiting import until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn does not run on Windows")


@pytest.fixture(scope="module")
def server(initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for the tests of this file: whoever was replaced in one of them serves in the next."""
    data, port = tmp_path_factory.mktemp("gunicorn") / "data", free_port()
    shutil.copytree(initialised, data)
    command = ["gunicorn", "--config", "docs/deploy/gunicorn.conf.py", "lims.wsgi:app"]
    with started(command, port, data, cold=True, LIMS_BIND=f"127.0.0.1:{port}") as made:
        yield made


def _held(server: Server) -> list[int]:
    """Opens sixteen connections. Returns how many of them each worker holds."""
    connections = [server.connect() for _number in range(16)]
    for connection in connections:
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
    held = [
        sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections())
        for worker in server.children
    ]
    for connection in connections:
        connection.close()
    return held


def _shared(server: Server) -> bool:
    held = _held(server)
    return len(held) == 2 and sum(held) == 16 and min(held) >= 2


def test_workers_serve_together_also_after_one_was_replaced(server: Server) -> None:
    # The parent has loaded the application, so that whoever takes another's place need not.
    assert any("scipy" in mapped.path for mapped in psutil.Process(server.process.pid).memory_maps())
    until(lambda: _shared(server), "one of the two takes none")
    gone = server.children[0]
    gone.send_signal(signal.SIGKILL)
    until(lambda: gone not in server.children and _shared(server), "the new worker takes none, or all")


def test_connections_of_a_worker_that_was_replaced_do_not_all_stay_with_the_other(server: Server) -> None:
    until(lambda: _shared(server), "one of the two takes none")
    connections_are_shared_again(server, server.children)


@pytest.mark.parametrize(
    ("others", "place"),
    [([], 0), ([0], 1), ([1], 0), ([0, 1], 0), ([0, 1, 0], 1)],
    ids=["first", "second", "first replaced", "all are being replaced", "all but one are"],
)
def test_worker_takes_the_place_that_is_free_or_soon_will_be(others: list[int], place: int) -> None:
    worker = EvenWorker.__new__(EvenWorker)
    worker.given_place(Shares(2), others)
    assert worker.place == place


@pytest.mark.parametrize(("mine", "others", "waits"), [(5, 4, True), (4, 5, False), (5, NOBODY, False)])
def test_worker_that_holds_more_connections_gives_way_to_those_that_live(
    mine: int, others: int, waits: bool
) -> None:
    shares = Shares(2)
    shares.tell(1, others)
    worker = EvenWorker.__new__(EvenWorker)
    worker.given_place(shares, [1])
    worker.nr_conns = mine
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        begun = time.monotonic()
        worker.accept(listener)  # nobody knocks, which is what it finds when another was quicker
        assert (time.monotonic() - begun >= GIVE_WAY_S) is waits
    assert worker.nr_conns == mine
