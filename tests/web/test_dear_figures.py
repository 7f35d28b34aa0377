"""A figure that takes long is kept for as long as it has earned, and says of when it is; a cheap one is always of now."""

from __future__ import annotations

from threading import Event, Thread

import pytest
from flask import Flask

from lims.web.dear_figures import CHEAP_S, TIMES, dear


class Clock:
    """A clock that stands still until a figure takes its time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Figure:
    """Counts how often it is computed; each time takes `seconds` of the clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds, self.value = clock, seconds, 0

    def __call__(self) -> int:
        self.clock.now += self.seconds
        self.value += 1
        return self.value


def test_a_cheap_figure_is_always_of_now(app: Flask) -> None:
    clock = Clock()
    figure = Figure(clock, CHEAP_S / 2)
    with app.app_context():
        assert [dear("cheap", figure, clock) for _look in range(3)] == [(1, None), (2, None), (3, None)]


def test_a_dear_figure_is_kept_a_hundred_times_what_it_took_and_says_of_when_it_is(app: Flask) -> None:
    clock = Clock()
    figure = Figure(clock, 2.0)
    with app.app_context():
        assert dear("dear", figure, clock) == (1, None)
        clock.now += 2.0 * TIMES - 0.5
        value, at = dear("dear", figure, clock)
        assert (value, at is not None) == (1, True)
        clock.now += 1.0
        assert dear("dear", figure, clock) == (2, None)


def test_a_figure_that_became_cheap_is_of_now_again(app: Flask) -> None:
    clock = Clock()
    figure = Figure(clock, 1.0)
    with app.app_context():
        dear("became cheap", figure, clock)
        clock.now += 1.0 * TIMES + 1
        figure.seconds = 0.0
        assert [dear("became cheap", figure, clock) for _look in range(2)] == [(2, None), (3, None)]


def test_a_figure_that_fails_keeps_nobody_waiting(app: Flask) -> None:
    def fails() -> int:
        raise ZeroDivisionError

    with app.app_context():
        for _look in range(2):
            with pytest.raises(ZeroDivisionError):
                dear("fails", fails)
        assert dear("fails", lambda: 7) == (7, None)


def test_while_one_computes_it_anew_others_get_what_was_kept(app: Flask) -> None:
    clock = Clock()
    computing, let_go = Event(), Event()
    with app.app_context():
        dear("shared", Figure(clock, 1.0), clock)
    clock.now += 1.0 * TIMES + 1

    def slowly() -> int:
        computing.set()
        assert let_go.wait(30)
        clock.now += 1.0
        return 42

    def in_another_request() -> None:
        with app.app_context():
            dear("shared", slowly, clock)

    other = Thread(target=in_another_request)
    other.start()
    assert computing.wait(30)
    with app.app_context():
        assert dear("shared", slowly, clock)[0] == 1
        let_go.set()
        other.join()
        assert dear("shared", slowly, clock)[0] == 42
