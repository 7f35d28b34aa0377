"""Requests of a process: a few at once, and beside one that takes long (lims/operations/few_at_once.py)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from gunicorn.config import Config
from waitress import wasyncore
from waitress.server import BaseWSGIServer

from lims.operations.even_worker import EvenWorker
from lims.operations.few_at_once import FewAtOnce, FewAtOnceExecutor
from lims.operations.serving import _answer
from tests.programs import run

#: Nothing here takes as long as this: whoever counts on it waits for an event.
NEVER_S = 600.0
SOON_S = 0.01
PATIENCE_S = 20.0


class Request:
    """What waitress's threads serve: it says that it began, and may be held."""

    def __init__(self, then: Callable[[], None] = lambda: None, *, held: bool = False) -> None:
        self.then = then
        self.began, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.cancelled = False
        if not held:
            self.may_end.set()

    def service(self) -> None:
        self.began.set()
        try:
            assert self.may_end.wait(PATIENCE_S)
            self.then()
        finally:
            self.ended.set()

    def cancel(self) -> None:
        self.cancelled = True


Serving = Callable[..., FewAtOnce]


@pytest.fixture
def serving() -> Iterator[Serving]:
    made: list[FewAtOnce] = []

    def make(at_once: int, *, threads: int = 4, long_s: float = NEVER_S) -> FewAtOnce:
        found = FewAtOnce(at_once, long_s)
        found.set_thread_count(threads)
        made.append(found)
        return found

    yield make
    for one in made:
        assert one.shutdown(timeout=PATIENCE_S)
        assert not one.threads


def ask(pool: FewAtOnce, *requests: Request) -> None:
    for one in requests:
        pool.add_task(one)


def test_one_at_a_time_they_are_served_in_the_order_in_which_they_came(serving: Serving) -> None:
    order: list[int] = []
    requests = [Request(lambda number=number: order.append(number)) for number in range(300)]  # type: ignore[misc]
    ask(serving(1), *requests)
    assert all(one.ended.wait(PATIENCE_S) for one in requests)
    assert order == list(range(300))


def test_the_next_request_waits_while_as_many_are_served_as_was_said(serving: Serving) -> None:
    first, second, third = Request(held=True), Request(held=True), Request()
    ask(serving(2), first, second, third)
    assert first.began.wait(PATIENCE_S)
    assert second.began.wait(PATIENCE_S)
    assert not third.began.wait(0.2)
    second.may_end.set()
    assert third.ended.wait(PATIENCE_S)
    assert not first.ended.is_set()
    first.may_end.set()


def test_nobody_waits_for_the_end_of_a_request_that_takes_long(serving: Serving) -> None:
    long, short = Request(held=True), [Request() for _n in range(20)]
    ask(serving(1, long_s=SOON_S), long, *short)
    assert all(one.ended.wait(PATIENCE_S) for one in short)
    assert not long.ended.is_set()
    long.may_end.set()
    assert long.ended.wait(PATIENCE_S)


def test_what_comes_after_a_request_has_become_long_begins(serving: Serving) -> None:
    pool = serving(1, long_s=SOON_S)
    long, waited, later = Request(held=True), Request(), Request()
    ask(pool, long, waited)
    assert waited.ended.wait(PATIENCE_S)
    ask(pool, later)
    assert later.ended.wait(PATIENCE_S)
    assert not long.ended.is_set()
    long.may_end.set()


def test_when_all_threads_have_long_requests_the_next_is_served_by_the_first_that_is_free(
    serving: Serving,
) -> None:
    long, short = [Request(held=True) for _n in range(4)], Request()
    ask(serving(1, long_s=SOON_S), *long, short)
    assert all(one.began.wait(PATIENCE_S) for one in long)
    assert not short.began.wait(0.2)
    long[2].may_end.set()
    assert short.ended.wait(PATIENCE_S)
    for one in long:
        one.may_end.set()


def test_a_request_that_fails_takes_no_thread_with_it(serving: Serving) -> None:
    def fail() -> None:
        raise SystemExit

    pool = serving(1, threads=2)
    failing, after = [Request(fail) for _n in range(5)], Request()
    ask(pool, *failing, after)
    assert after.ended.wait(PATIENCE_S)
    assert len(pool.threads) == 2


@pytest.mark.parametrize("at_once", [1, 2, 3])
@pytest.mark.parametrize("long_s", [SOON_S / 100, NEVER_S])
def test_none_of_thousands_from_many_sides_is_forgotten(
    serving: Serving, at_once: int, long_s: float
) -> None:
    pool = serving(at_once, threads=3, long_s=long_s)
    requests = [[Request() for _n in range(500)] for _side in range(4)]
    sides = [threading.Thread(target=ask, args=(pool, *some)) for some in requests]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    assert all(one.ended.wait(PATIENCE_S) for some in requests for one in some)


def test_a_stop_waits_for_what_has_begun_and_cancels_what_has_not() -> None:
    pool = FewAtOnce(1, NEVER_S)
    pool.set_thread_count(2)
    begun, waiting = Request(held=True), Request()
    ask(pool, begun, waiting)
    assert begun.began.wait(PATIENCE_S)
    threading.Timer(0.1, begun.may_end.set).start()
    pool.shutdown(timeout=PATIENCE_S)
    assert begun.ended.is_set()
    assert not pool.threads
    assert waiting.cancelled
    assert not waiting.began.is_set()


def test_gunicorn_is_told_what_a_call_answered_and_how_it_failed() -> None:
    pool = FewAtOnceExecutor(threads=2)
    told: list[Any] = []
    found = pool.submit(divmod, 7, 2)
    found.add_done_callback(lambda future: told.append(future.result()))
    failed = pool.submit(int, "no number")
    assert found.result(PATIENCE_S) == (3, 1)
    with pytest.raises(ValueError, match="no number"):
        failed.result(PATIENCE_S)
    pool.shutdown()
    assert told == [(3, 1)]


@pytest.fixture
def held_and_waiting() -> Iterator[tuple[FewAtOnceExecutor, threading.Event, Future[str], list[Future[int]]]]:
    """A pool with a call that has begun and goes on until the event, and two that wait for it."""
    pool, begun, may_end = FewAtOnceExecutor(threads=3, at_once=1), threading.Event(), threading.Event()

    def held() -> str:
        begun.set()
        assert may_end.wait(PATIENCE_S)
        return "answered"

    first = pool.submit(held)
    waiting = [pool.submit(int, "1"), pool.submit(int, "2")]
    assert begun.wait(PATIENCE_S)
    yield pool, may_end, first, waiting
    may_end.set()


@pytest.mark.parametrize("wait", [True, False])
def test_a_worker_that_ends_serves_what_has_come(held_and_waiting: Any, wait: bool) -> None:
    pool, may_end, first, waiting = held_and_waiting
    ending = threading.Thread(target=pool.shutdown, kwargs={"wait": wait})
    ending.start()
    may_end.set()
    ending.join(PATIENCE_S)
    assert [one.result(PATIENCE_S) for one in (first, *waiting)] == ["answered", 1, 2]
    pool.shutdown(wait=True)  # nobody is left to wait for
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(int, "3")


def test_gunicorn_is_told_what_a_stop_has_cancelled(held_and_waiting: Any) -> None:
    pool, may_end, first, waiting = held_and_waiting
    pool.shutdown(wait=False, cancel_futures=True)
    for one in waiting:
        with pytest.raises(CancelledError):
            one.result(PATIENCE_S)
    may_end.set()
    assert first.result(PATIENCE_S) == "answered"


def test_interpreter_does_not_end_before_an_answer_that_has_begun() -> None:
    program = """
import threading, time
from lims.operations.few_at_once import FewAtOnceExecutor
begun, parent_ends = threading.Event(), threading.main_thread()
def answer():
    begun.set()
    parent_ends.join()
    print("whole")
pool = FewAtOnceExecutor(threads=2)
pool.submit(answer)
begun.wait()
pool.shutdown(wait=False)
"""
    assert run(["-c", program]).stdout == "whole\n"


@pytest.fixture
def served(app: Flask) -> Iterator[int]:
    """The port of the embedded server in this process."""
    sockets: dict[int, Any] = {}
    ended = threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        threads = _answer(app, 2, [listening], sockets)

        def loop() -> None:
            while not ended.is_set():
                wasyncore.loop(timeout=0.05, map=sockets, count=1)

        looping = threading.Thread(target=loop)
        looping.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            looping.join()
            threads.shutdown()
            wasyncore.close_all(sockets)


def test_many_people_keep_all_connections_that_a_browser_opens(served: int) -> None:
    with ExitStack() as open_ones:
        for _connection in range(120):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", served), timeout=PATIENCE_S))
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1 200")


def test_request_of_a_gigabyte_is_refused_before_it_is_kept(served: int) -> None:
    with socket.create_connection(("127.0.0.1", served), timeout=PATIENCE_S) as one:
        one.sendall(b"POST /import/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nbegins")
        assert one.recv(100).startswith(b"HTTP/1.1 413")


def test_both_servers_serve_a_few_at_once(app: Flask) -> None:
    worker = EvenWorker.__new__(EvenWorker)
    worker.cfg = Config()
    pool = worker.get_thread_pool()
    pool.shutdown()
    assert isinstance(pool, FewAtOnceExecutor)
    sockets: dict[int, Any] = {}
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        threads = _answer(app, 3, [listening], sockets)
        try:
            (server,) = (one for one in sockets.values() if isinstance(one, BaseWSGIServer))
            assert server.task_dispatcher is threads
            assert len(threads.threads) == 3
        finally:
            threads.shutdown()
            wasyncore.close_all(sockets)
