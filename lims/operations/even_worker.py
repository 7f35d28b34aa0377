"""gunicorn's threaded worker, which leaves a new connection to the workers that hold fewer, and has one that it holds
opened anew while it holds too many.

gunicorn gives it to whoever wakes first. A browser keeps its connection, so after fifty people had signed in one worker of
two held 31 of them all day, and they waited half as long again as the others; and after one worker was replaced the other
held all fifty. POSIX alone, as gunicorn is.
"""

from __future__ import annotations

import socket
from concurrent.futures import Executor
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from lims.operations.family import NOBODY, Shares
from lims.operations.few_at_once import FewAtOnceExecutor


class EvenWorker(ThreadWorker):
    """Counts its connections where the other workers see it. `given_place` is called in the parent, before the fork."""

    shares: Shares | None = None
    place = 0

    def given_place(self, shares: Shares, others: list[int]) -> None:
        """`others`: places of the workers that live. While all are replaced, the new ones and the old ones have the same."""
        self.shares = shares
        self.place = min(range(shares.processes), key=others.count)
        shares.tell(self.place, 0)  # what the worker before it has left

    def get_thread_pool(self) -> Executor:
        return FewAtOnceExecutor(self.cfg.threads)

    def notify(self) -> None:
        """Once a round of the worker's loop."""
        if self.shares is not None:
            # One that ends takes no more: nobody gives a connection back for its sake.
            self.shares.tell(self.place, self.nr_conns if self.alive else NOBODY)
        super().notify()

    def accept(self, listener: socket.socket) -> None:
        if self.shares is not None:
            self.shares.tell(self.place, self.nr_conns)
            self.shares.give_way(self.place)
        super().accept(listener)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """In one of the threads. The answer says that its connection closes; a browser opens another by itself."""
        if self.shares is not None and self.shares.gives_back(self.place):
            req.force_close()
        return super().handle_request(req, conn)
