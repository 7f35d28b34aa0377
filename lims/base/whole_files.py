"""A file that somebody asked for by its name: all of it, or what stood there before."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`: a file beside it, which takes its place at the end and is gone after a
    failure. What is no file (/dev/stdout, a pipe) is written as it is. Raises: OSError."""
    place = path.resolve()  # a link stays one
    if place.exists() and not place.is_file():
        yield path
        return
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
