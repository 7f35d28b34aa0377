"""What killed backups leave behind: half a copy or a restored one beside the backups, a database on the server. The next
night takes it away.

A name tells machine and process, and the machine whether that process lives. Containers may share a name and a disk and
number their processes anew, so age is a second sign: what works writes.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from lims.operations import databases
from lims.settings import Settings

log = logging.getLogger(__name__)

#: Beginning of a folder into which a backup is restored for proof.
RESTORED = ".lims-verify-"
#: A backup that counts its rows and hashes its files writes nothing for so long at most.
QUIET = timedelta(hours=1)
#: The same where the process cannot be asked for.
SILENT = timedelta(hours=12)
_OWNER = r"(?P<machine>\w+)-(?P<process>\d+)"
_HALF = re.compile(
    rf"\.(?:nightly|before-upgrade|before-restore)-\d{{8}}T\d{{6}}Z\.(?:{_OWNER}\.)?\w+", re.ASCII
)
_RESTORED = re.compile(rf"{re.escape(RESTORED)}{_OWNER}-\w{{8}}", re.ASCII)


def owner() -> str:
    """This process, for the name of a folder that goes away with it."""
    return f"{_machine()}-{os.getpid()}"


def _machine() -> str:
    return re.sub(r"\W", "_", platform.node(), flags=re.ASCII)[:40] or "machine"


def sweep(settings: Settings, now: datetime) -> list[str]:
    """Remove what backups and verifications left that died. Returns the names; what cannot be removed is told in the log."""
    gone = []
    for folder in sorted(settings.backups.glob(".*")):
        found = _HALF.fullmatch(folder.name) or _RESTORED.fullmatch(folder.name)
        try:
            if found and folder.is_dir() and _is_dead(folder, found, now):
                shutil.rmtree(folder)
                gone.append(folder.name)
        except OSError as error:
            log.warning("%s, left by a killed backup, cannot be removed: %s", folder, error)
    if databases.sqlite_path(settings.sqlalchemy_url) is None:
        try:
            gone += databases.drop_left_databases(settings.sqlalchemy_url, now - QUIET)
        except psycopg.Error as error:
            log.warning("databases left by killed verifications cannot be looked for: %s", error)
    if gone:
        log.info("left by killed backups and removed: %s", ", ".join(gone))
    return gone


def _is_dead(folder: Path, name: re.Match[str], now: datetime) -> bool:
    written = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    quiet = now - datetime.fromtimestamp(written, UTC)
    return quiet > SILENT or (quiet > QUIET and _has_ended(name["machine"], name["process"]))


def _has_ended(machine: str | None, process: str | None) -> bool:
    """False when nobody here can know. On Windows asking would end the process."""
    if machine != _machine() or process is None or os.name == "nt":
        return False
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
