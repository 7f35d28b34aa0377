"""What `make load` asks with: a connection that the server drops while it is in use is sent again and counted, and no answer
is taken for whole that is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from benchmarks import browser as browsers
from benchmarks.browser import Browser
from benchmarks.stolen import Stolen

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
    browser.close()


def test_connection_that_nobody_used_for_long_may_be_closed(
    dropping_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsers, "KEPT_S", 0.0)
    browser = Browser(dropping_port)
    assert [browser.ask("GET", "/")[0] for _time in range(2)] == [200, 200]
    assert browser.sent_again == 0
    browser.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "ended before its length"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", "without a length"),
    ],
)
def test_answer_that_is_cut_off_is_none(answer: bytes, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _address = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        browser = Browser(int(listening.getsockname()[1]))
        with pytest.raises(ValueError, match=said):
            browser.ask("GET", "/")
        browser.close()


def test_cookies_and_an_answer_in_parts_are_read_and_a_connection_that_ends_is_opened_anew() -> None:
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _time in range(2):
                connection, _address = listening.accept()
                with connection:
                    heads.append(connection.recv(65536))
                    for part in (b"HTTP/1.1 200 OK\r\nSet-", b"Cookie: a=1; Path=/\r\nset-cookie: b=x=2\r\n"):
                        connection.sendall(part)
                    connection.sendall(b"Connection: close\r\nContent-Length: 4\r\n\r\nab")
                    connection.sendall(b"cd")

        threading.Thread(target=serve, daemon=True).start()
        browser = Browser(int(listening.getsockname()[1]))
        assert browser.ask("POST", "/", "é") == (200, b"abcd")
        assert browser.ask("GET", "/") == (200, b"abcd")
    assert (browser.asked, browser.sent_again) == (2, 0)
    assert b"\r\nContent-Length: 2\r\n" in heads[0]
    assert b"\r\nCookie: a=1; b=x=2\r\n" in heads[1]


def test_request_counts_as_quiet_when_nothing_was_stolen_while_it_lasted() -> None:
    """Half a second of each two processors; the third and the last look found a tenth of them stolen."""
    stolen = Stolen()
    stolen.looks = [(0.0, 0.0, 0.0), (0.5, 0.0, 1.0), (1.0, 0.1, 2.0), (1.5, 0.1, 3.0), (2.0, 0.2, 4.0)]
    in_the_first, into_the_second, across, in_the_third, before_the_fourth = (
        (400.0, 0.45),
        (100.0, 0.55),
        (800.0, 1.2),
        (100.0, 1.2),
        (500.0, 1.5),
    )
    asked = [in_the_first, into_the_second, across, in_the_third, before_the_fourth, (10.0, 1.9)]
    assert stolen.quiet(asked) == [400.0, 100.0, 500.0]
    assert stolen.share == pytest.approx(0.05)


def test_share_that_was_stolen_is_of_what_the_machine_counts() -> None:
    with Stolen() as stolen:
        pass
    assert len(stolen.looks) >= 2
    assert 0 <= stolen.share <= 1
    assert stolen.looks[-1][2] >= stolen.looks[0][2]
