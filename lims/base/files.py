"""Bytes that must not change: uploaded workbooks, issued papers, photos. Kept once, known by their SHA-256.

They stand in the database, so that a backup, a transaction and a second web process see the same. The file's name
belongs to the record that refers to it: the same bytes may come under two names. What a job made goes after a while
(`forget_files` in lims/base/jobs.py); its row stays, with the SHA-256 of what it was.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from urllib.parse import quote

from flask import Response
from sqlalchemy import Integer, LargeBinary, String, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, deferred, mapped_column

from lims.base.columns import UtcDateTime
from lims.base.database import current_session, database
from lims.base.problems import NotFound
from lims.base.records import Record, stamps

#: What a browser may show in place; everything else is saved to disk.
SHOWN_IN_PLACE = frozenset({"application/pdf", "image/png", "image/jpeg", "image/webp"})


class StoredFile(Record):
    """Bytes with their hash. Never changed; the row is never deleted."""

    __tablename__ = "stored_files"
    record_name = "stored-files"

    sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    media_type: Mapped[str] = mapped_column(String(100), nullable=False)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    content: Mapped[bytes] = deferred(mapped_column(LargeBinary, nullable=False))
    #: Since when the content is empty; it was that of a job alone.
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def title(self) -> str:
        return self.sha256[:12]


def keep_file(session: Session, content: bytes, media_type: str) -> StoredFile:
    """The row of these bytes, made if they are new. Inside a transaction.

    Of two who bring the same bytes at once the second waits for the first, and gets its row.
    """
    digest = hashlib.sha256(content).hexdigest()
    known = select(StoredFile).where(StoredFile.sha256 == digest).execution_options(populate_existing=True)
    # Held: whoever takes old files away waits, and finds that it is referred to. By one at a time: of two who share it
    # neither could put bytes back that were taken away.
    found = session.scalars(known.with_for_update(key_share=True)).one_or_none()
    if found is not None:
        if found.removed_at is not None:
            found.content, found.removed_at = bytes(content), None
            session.flush()
        return found
    insert = (sqlite if database().is_sqlite else postgresql).insert(StoredFile)
    made = insert.values(
        sha256=digest,
        media_type=media_type,
        size_bytes=len(content),
        content=bytes(content),
        **stamps(session.info.get("actor")),
    )
    made = made.on_conflict_do_nothing(index_elements=[StoredFile.sha256]).returning(StoredFile)
    return session.scalars(made).one_or_none() or session.scalars(known).one()


def stored_file(file_id: int) -> StoredFile:
    """Raises: NotFound, also when the bytes were taken away."""
    found = current_session().get(StoredFile, file_id) if 0 < file_id < 2**63 else None
    if found is None or found.removed_at is not None:
        raise NotFound(f"stored-files {file_id}")
    return found


def bytes_of(file_id: int) -> bytes:
    """The bytes as they came. Raises: NotFound."""
    content: bytes = stored_file(file_id).content
    return content


def download(stored: StoredFile, file_name: str, *, in_place: bool = False) -> Response:
    """The bytes under this name. `in_place` lets the browser show a PDF or a picture instead of saving it."""
    return file_response(stored.content, stored.media_type, file_name, in_place=in_place)


def file_response(content: bytes, media_type: str, file_name: str, *, in_place: bool = False) -> Response:
    """Bytes as a download that no browser guesses about and no cache keeps."""
    shown = "inline" if in_place and media_type in SHOWN_IN_PLACE else "attachment"
    answer = Response(content, mimetype=media_type)
    answer.headers["Content-Disposition"] = disposition(shown, file_name)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def disposition(shown: str, file_name: str) -> str:
    """The header that names a file, "inline" or "attachment": as it is for browsers of today, and in ASCII for others. A
    header has no letters beyond Latin-1: a server that is given some answers nothing."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", file_name) or "file"
    return f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
