"""Requests of a process a few at a time, as long as none takes long; then beside it.

Pages compute: with four of them at once the threads of one interpreter hand its lock to and fro, and each is as late as the
last. Two of them are enough to compute while the database is waited for (docs/benchmarks_history.md, 2026-11-29). What takes
longer than LONG_S (an export, a file, a locked database, under gunicorn a connection that says nothing yet) no longer
counts, so that nobody waits for its end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from waitress.task import ThreadedTaskDispatcher

#: Requests that are served at once while none takes long.
FEW = 2
#: Seconds after which the next request no longer waits for one that runs.
LONG_S = 0.1


class FewAtOnce(ThreadedTaskDispatcher):
    """Waitress's threads, of which `at_once` take the next request while nothing takes long, and all of them otherwise."""

    def __init__(self, at_once: int = FEW, long_s: float = LONG_S) -> None:
        super().__init__()
        self._at_once, self._long_s = at_once, long_s
        #: Thread -> when it began what it is at.
        self._began: dict[int, float] = {}
        #: Does a waiting thread look at when the next one gets long? One is enough: each look takes the lock from a page.
        self._watched = False
        #: When told to stop: is what waits served first?
        self._serves_rest = False

    def handler_thread(self, thread_no: int) -> None:
        while True:
            with self.lock:
                self._began.pop(thread_no, None)
                while not self._stops() and not (self.queue and self._free_in_s() <= 0):
                    self.active_count -= 1
                    self._wait()
                    self.active_count += 1
                if self._stops():
                    self.active_count -= 1
                    self.stop_count -= 1
                    self.threads.discard(thread_no)
                    self.thread_exit_cv.notify()
                    return
                task = self.queue.popleft()
                self._began[thread_no] = time.monotonic()
                if self.queue and not self._watched:
                    self.queue_cv.notify()
                elif self.stop_count > 0:
                    self.queue_cv.notify_all()  # there is no rest any more
            try:
                task.service()
            except BaseException:
                self.logger.exception("Exception when servicing %r", task)

    def add_task(self, task: Any) -> None:
        with self.lock:
            self.queue.append(task)
            if not self._watched or self._free_in_s() <= 0:
                self.queue_cv.notify()

    def end(self, *, cancel_pending: bool) -> None:
        """Stop once what has begun, and unless it is cancelled what waits, has been served. Returns at once."""
        with self.lock:
            self._serves_rest = not cancel_pending
            waiting = list(self.queue) if cancel_pending else []
            if cancel_pending:
                self.queue.clear()
        self.set_thread_count(0)
        for task in waiting:
            task.cancel()

    def wait_for_end(self) -> None:
        """Until the last thread has ended."""
        with self.lock:
            while self.threads:
                self.thread_exit_cv.wait(1.0)

    def _stops(self) -> bool:
        return self.stop_count > 0 and not (self._serves_rest and self.queue)

    def _free_in_s(self) -> float:
        """Seconds until the next request may begin, 0 for now. With the lock."""
        now = time.monotonic()
        short = sorted(began for began in self._began.values() if now - began < self._long_s)
        return 0.0 if len(short) < self._at_once else short[-self._at_once] + self._long_s - now

    def _wait(self) -> None:
        if self._watched or not self.queue:
            self.queue_cv.wait()
            return
        self._watched = True
        try:
            self.queue_cv.wait(self._free_in_s())
        finally:
            self._watched = False


class FewAtOnceExecutor(Executor):
    """The same threads for gunicorn, which gives them what to call. As with Python's own pool, the interpreter does not end
    before what they have begun."""

    def __init__(self, threads: int, at_once: int = FEW) -> None:
        self._threads = FewAtOnce(at_once)
        self._threads.set_thread_count(threads)
        self._ended = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Raises: RuntimeError after `shutdown`."""
        if self._ended:
            raise RuntimeError("cannot schedule new futures after shutdown")
        work = _Work(fn, args, kwargs)
        self._threads.add_task(work)
        return work.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._ended = True
        self._threads.end(cancel_pending=cancel_futures)
        if wait:
            self._threads.wait_for_end()
        else:
            threading.Thread(target=self._threads.wait_for_end, name="last requests", daemon=False).start()


class _Work:
    """A call, its future, and what waitress's threads ask of a task."""

    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._call, self._args, self._named = call, args, named
        self.future: Future[Any] = Future()

    def service(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            found = self._call(*self._args, **self._named)
        except BaseException as error:  # noqa: BLE001 - whoever asks the future is told
            self.future.set_exception(error)
        else:
            self.future.set_result(found)

    def cancel(self) -> None:
        self.future.cancel()
