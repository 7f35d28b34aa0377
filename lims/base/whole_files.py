"""A file that somebody asked for by its name: whole, or what stood there before, with the rights that the shell gives."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Rights that the shell takes off every new file, once they are more for ours.
_of_the_shell: int | None = None


def keep_private() -> None:
    """What the program makes from now on (the database, its log, keys, counters) is readable by its own account alone."""
    global _of_the_shell
    _of_the_shell = os.umask(0o077)


@contextmanager
def with_rights_of_the_shell() -> Iterator[None]:
    """For a file that somebody asked for by its name and may have asked for to hand it on: an export, not a backup."""
    if _of_the_shell is None:  # called by a test, or by another program, whose affair it is
        yield
        return
    private = os.umask(_of_the_shell)
    try:
        yield
    finally:
        os.umask(private)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`: a file beside it, which takes its place at the end and is gone after a
    failure. What is no file (/dev/stdout, a pipe) is written as it is. Raises: OSError."""
    if path.exists() and not path.is_file():
        yield path
        return
    place = path.resolve()  # a link stays one
    arriving = place.with_name(f".{place.name[:200]}-{secrets.token_hex(8)}")
    try:
        try:
            arriving.touch(exist_ok=False)
        except OSError as error:  # in the words of who asked
            raise type(error)(error.errno, error.strerror, str(path)) from None
        yield arriving
        arriving.replace(place)
    finally:
        arriving.unlink(missing_ok=True)
