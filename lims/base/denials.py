"""Refused permissions, failed sign-ins, refused signatures: kept where an auditor reads them.

The refused request only puts a note into a queue. A thread of the process writes the notes in a small transaction of
its own, folds repeated ones into one row, and bounds the rows a minute, so that whoever hammers a locked door neither
slows the laboratory down nor fills its disk.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy import Integer, String
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.actor import system_actor
from lims.base.columns import UtcDateTime, utc_now
from lims.base.database import transaction
from lims.base.problems import Unavailable
from lims.base.records import Record
from lims.base.secret_addresses import hidden

log = logging.getLogger(__name__)

WRITER = system_actor("denials")
#: Notes that wait; more are counted only.
MOST_WAITING = 500
#: Rows a process writes in a minute; what comes beyond is one row with its number.
MOST_ROWS_A_MINUTE = 120
#: An idle writer ends after this long, seconds.
IDLE_SECONDS = 2.0


class DeniedAttempt(Record):
    """Somebody wanted what is not theirs, or could not show who they are."""

    __tablename__ = "denied_attempts"
    record_name = "denied-attempts"

    #: permission, sign-in, signature, key or more
    kind: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    attempted_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False, index=True)
    #: The account's key; None where no account was shown. A name that fits no account is not kept: people type
    #: passwords into the wrong field.
    who: Mapped[str | None] = mapped_column(String(80), index=True)
    #: Method and path.
    target: Mapped[str] = mapped_column(String(200), nullable=False)
    #: What was missing, e.g. "write breaks".
    asked: Mapped[str] = mapped_column(String(120), nullable=False)
    address: Mapped[str] = mapped_column(String(60), nullable=False)
    repeats: Mapped[int] = mapped_column(Integer, nullable=False)

    @property
    def title(self) -> str:
        return self.target


@dataclass(frozen=True, slots=True)
class Note:
    kind: str
    who: str | None
    target: str
    asked: str
    address: str


class Writer:
    """Notes of one process on their way into the database."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.waiting: queue.Queue[tuple[datetime, Note]] = queue.Queue(MOST_WAITING)
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None
        self.left_out = 0
        self.minute, self.rows = 0, 0

    def take(self, note: Note) -> None:
        """Never waits, never fails."""
        try:
            self.waiting.put_nowait((utc_now(), note))
        except queue.Full:
            self.left_out += 1
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="denials", daemon=True)
                self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                first = self.waiting.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self.lock:
                    if self.waiting.empty():
                        self.thread = None
                        return
                continue
            taken = [first]
            while len(taken) < MOST_WAITING:
                try:
                    taken.append(self.waiting.get_nowait())
                except queue.Empty:
                    break
            try:
                with self.app.app_context():
                    self._write(taken)
            except (SQLAlchemyError, Unavailable, OSError):
                log.exception("%s denied attempts could not be recorded", len(taken))
            finally:
                for _item in taken:
                    self.waiting.task_done()

    def _write(self, taken: list[tuple[datetime, Note]]) -> None:
        minute = int(time.monotonic() // 60)
        if minute != self.minute:
            self.minute, self.rows = minute, 0
        folded: dict[Note, tuple[datetime, int]] = {}
        for at, note in taken:
            first, number = folded.get(note, (at, 0))
            folded[note] = (first, number + 1)
        with transaction(WRITER, "denied attempts") as session:
            for note, (at, number) in folded.items():
                if self.rows >= MOST_ROWS_A_MINUTE:
                    self.left_out += number
                    continue
                self.rows += 1
                session.add(_row(note, at, number))
            if self.left_out and self.rows < MOST_ROWS_A_MINUTE:
                more = Note("more", None, "", "", "")
                session.add(_row(more, utc_now(), self.left_out))
                self.left_out = 0


def _row(note: Note, at: datetime, repeats: int) -> DeniedAttempt:
    return DeniedAttempt(
        kind=note.kind,
        attempted_at=at,
        who=note.who,
        target=note.target,
        asked=note.asked,
        address=note.address,
        repeats=repeats,
    )


def denied(kind: str, user: Any | None, asked: str = "") -> None:
    """Note a refusal of this request."""
    writer: Writer | None = current_app.extensions.get("lims.denials")
    if writer is not None:
        who = f"user:{user.id}" if user is not None else None
        target = f"{request.method} {hidden(request.path)}"[:200]
        writer.take(Note(kind, who, target, asked[:120], (request.remote_addr or "")[:60]))


def settle(app: Flask) -> None:
    """Wait until every note taken so far is written (tests, the end of a command)."""
    writer: Writer = app.extensions["lims.denials"]
    writer.waiting.join()


def register_denials(app: Flask) -> None:
    """Every answer 403 is noted, and every 401 to somebody who showed a key or a token."""
    app.extensions["lims.denials"] = Writer(app)

    @app.after_request
    def _note(response: Response) -> Response:
        from lims.base.security import principal

        asked = str(g.get("lims_refused") or request.endpoint or "")
        if response.status_code == 403:
            denied("permission", principal(), asked)
        elif response.status_code == 401 and request.headers.get("Authorization"):
            denied("key", None, asked)
        return response
