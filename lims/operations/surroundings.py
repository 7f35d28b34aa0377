"""What is looked at besides the settings themselves: the keys in the data folder, names in the environment that are none,
and who may read the database."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from lims.audit.keys import FILE as AUDIT_KEY
from lims.audit.keys import refuse_unusable
from lims.base.problems import Problem, Refused
from lims.operations.databases import sqlite_path
from lims.settings import SESSIONS_KEY, Settings

#: What the environment may hold besides: for gunicorn's settings, and for a command.
OTHER_NAMES = {"LIMS_BIND", "LIMS_MOVE_TO"}
#: Of tests and benchmarks.
OF_TOOLS = re.compile("LIMS_(LOAD|BIG|BENCH|PAGES|FUZZ|FAULTS|EDITS)(_|$)")


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


def odd_surroundings(settings: Settings) -> list[Problem]:
    """What is no reason not to serve, and which somebody should hear of."""
    return [*unknown_settings(os.environ), *_readable(settings)]


def _readable(settings: Settings) -> list[Problem]:
    """May any account of this machine read the database, past the application and without a trace?"""
    database = sqlite_path(settings.sqlalchemy_url)
    if os.name == "nt" or database is None or not _mode(database) & stat.S_IROTH:
        return []
    if not all(_mode(folder) & stat.S_IXOTH for folder in database.resolve().parents):
        return []  # nobody else gets there
    mended = f"700 {settings.data}" if database.parent == settings.data.resolve() else f"600 {database}"
    return [Problem(str(database), f"may be read by every account of this machine: chmod {mended}")]


def unknown_settings(environment: Mapping[str, str]) -> list[Problem]:
    """Names that begin as settings do and are none: a mistyped one would change nothing and nobody would hear of it. No
    reason not to serve, since whoever runs the container may give it such names for reasons of its own. No value is told."""
    known = {f"LIMS_{name.upper()}" for name in Settings.model_fields} | OTHER_NAMES
    found = []
    for name in sorted(environment):
        if (
            name.upper().startswith("LIMS_")
            and name.upper() not in known
            and not OF_TOOLS.match(name.upper())
        ):
            near = get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.8)
            said = f"is {near[0]} meant?" if near else "the settings stand in lims/settings.py"
            found.append(Problem(name, f"is no setting and changes nothing; {said}"))
    return found


def _mode(file: Path) -> int:
    """0 where there is none, or nobody may look."""
    try:
        return file.stat().st_mode
    except OSError:
        return 0
