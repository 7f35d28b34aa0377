"""Keys that are made once and kept: whoever reads one reads all of it, and everybody the same."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from lims.base.problems import refuse


def kept_key(path: Path, make: Callable[[], bytes]) -> bytes:
    """What this file holds; made first where there is none. Raises: Refused when it cannot be read or made.

    It is written beside and linked into its place: a full disk or a kill leaves no half one behind, and of two processes
    that make one at the same time the first wins and both read that.
    """
    try:
        if not path.exists():
            _put(path, make())
        return path.read_bytes()
    except OSError as error:
        said = f"cannot be read or made ({error.strerror}); accepted: a file of the account that runs this program"
        raise refuse(str(path), said) from None


def _put(path: Path, content: bytes) -> None:
    """Unless there is one by then. Raises: OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    arriving = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(arriving, path)
        except FileExistsError:  # another process was faster
            return
        except OSError:  # a file system without links (FAT, some that are shared with a virtual machine)
            if not path.exists():
                arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
