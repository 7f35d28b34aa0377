"""What is looked at besides the settings themselves: the keys in the data folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lims.audit.keys import FILE as AUDIT_KEY
from lims.audit.keys import refuse_unusable
from lims.base.problems import Problem, Refused
from lims.settings import SESSIONS_KEY, Settings


def key_problems(settings: Settings) -> list[Problem]:
    """Is each key that is kept whole, and its owner's alone? None is made."""
    files = [settings.data / AUDIT_KEY]
    if not settings.secret_key:
        files.append(settings.data / SESSIONS_KEY)
    found = [
        Problem(str(file), f"may be read by others: chmod 600 {file}")
        for file in files
        if os.name != "nt" and _mode(file) & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    try:
        refuse_unusable(settings.data)
        if not settings.secret_key and os.path.exists(settings.data / SESSIONS_KEY):
            settings.resolve_secret_key()
    except Refused as error:
        found += error.problems
    return found


def _mode(file: Path) -> int:
    """0 where there is none, or nobody may look."""
    try:
        return file.stat().st_mode
    except OSError:
        return 0
