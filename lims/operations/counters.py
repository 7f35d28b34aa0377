"""The folder in which processes of one server count together. Imports nothing of the library that counts: it asks for the
folder when it is first imported."""

from __future__ import annotations

import os
from pathlib import Path

from lims.base.problems import refuse
from lims.settings import SHARED_COUNTERS, Settings


def folder_of(settings: Settings) -> Path:
    """Where processes of one server count together unless PROMETHEUS_MULTIPROC_DIR says so: in memory where systemd gives
    a folder there, else beside the data."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").split(os.pathsep)[0]
    return Path(given) / "metrics" if given else settings.data / "metrics"


def made_folder(folder: Path) -> None:
    """Raises: Refused."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refuse(
            SHARED_COUNTERS,
            f"cannot be made ({error.strerror}); accepted: a folder that this account may write",
            folder,
        ) from None


def empty(folder: Path) -> None:
    """Counters of an earlier start would be added to ours."""
    for left in [*folder.glob("*.db"), *folder.glob("*.arriving")]:
        left.unlink(missing_ok=True)
