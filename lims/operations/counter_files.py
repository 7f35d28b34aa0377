"""Files of counters that are shared by processes, and a disk without room for them.

Their library (prometheus_client) maps files that it has only made long, not filled. On a full disk the first touch of a
block that is not there ends the process with SIGBUS, in the middle of somebody's request. Here every block is written
before it is mapped, and a process for whose counters there is no room goes on without them until there is.
"""

from __future__ import annotations

import logging
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict, values

log = logging.getLogger(__name__)

#: Bytes of a new file; it is doubled when it is full.
FIRST_BYTES: int = mmap_dict._INITIAL_MMAP_SIZE


class FilledFile(mmap_dict.MmapedDict):
    """The library's file of counters, which never maps what is not on the disk. Every write brings the whole value, so one
    that found no room is made up for by the next."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._f: Any = None
        self._m: Any = None
        self._named, self._told = filename, False
        if read_mode:
            super().__init__(filename, read_mode)
            return
        try:
            self._begin()
        except OSError as error:
            self._tell(error)

    def read_value(self, key: str) -> tuple[float, float]:
        try:
            self._begin()
            found: tuple[float, float] = super().read_value(key)
        except OSError as error:
            self._tell(error)
            return 0.0, 0.0
        return found

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        try:
            self._begin()
            super().write_value(key, value, timestamp)
        except OSError as error:
            self._tell(error)

    def _begin(self) -> None:
        """Raises: OSError."""
        if self._m is not None:
            return
        path = Path(self._named)
        if not path.exists() or path.stat().st_size == 0:
            arriving = path.with_suffix(".arriving")  # whoever adds the files up must not read half a one
            arriving.unlink(missing_ok=True)
            _fill(arriving, 0, FIRST_BYTES)
            arriving.replace(path)
        super().__init__(self._named)

    def _init_value(self, key: str) -> None:
        """Raises: OSError when the file is full and cannot grow; then it is as before."""
        longest = len(key.encode()) + 32  # its length, padding and two numbers with it
        while self._used + longest > self._capacity:
            _fill(Path(self._named), self._capacity, 2 * self._capacity)
            self._m = mmap.mmap(self._f.fileno(), 2 * self._capacity)
            self._capacity *= 2
        super()._init_value(key)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            log.warning(
                "%s: counters are not kept until there is room for them: %s", self._named, error.strerror
            )
        self._told = True


def _fill(path: Path, size: int, wanted: int) -> None:
    """Make a file of `size` bytes `wanted` bytes long, with nothing left out. Raises: OSError; then it is as before."""
    try:
        with path.open("ab", buffering=0) as file:
            left = memoryview(bytes(wanted - size))
            while left:
                left = left[file.write(left) :]
    except OSError:
        with suppress(OSError):
            if size:
                os.truncate(path, size)
            else:
                path.unlink()
        raise


def count_safely() -> None:
    """Before the first counter is made. The library has no switch for it; a test holds that it is heard."""
    setattr(values, "MmapedDict", FilledFile)  # noqa: B010 - a name that the library does not export
