"""What `make load` asks with: a connection that the server drops while it is in use is sent again and counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks import load
from benchmarks.load import Browser

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def dropping_port() -> Iterator[int]:
    """A server that answers once on each connection and drops the next request unanswered."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _address = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(ANSWER)
                    connection.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)


def test_request_whose_connection_was_dropped_is_sent_again_and_counted(dropping_port: int) -> None:
    browser = Browser(dropping_port)
    assert [browser.ask("GET", "/")[0] for _time in range(3)] == [200, 200, 200]
    assert (browser.asked, browser.sent_again) == (3, 2)
    browser.connection.close()


def test_connection_that_nobody_used_for_long_may_be_closed(
    dropping_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "KEPT_S", 0.0)
    browser = Browser(dropping_port)
    assert [browser.ask("GET", "/")[0] for _time in range(2)] == [200, 200]
    assert browser.sent_again == 0
    browser.connection.close()
