"""`lims watch FOLDER`: files that a compression machine writes are read as they come."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import click
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from lims.base.actor import system_actor
from lims.base.database import database
from lims.base.problems import Refused, Unavailable
from lims.cli import read_settings

log = logging.getLogger(__name__)

SUFFIXES = {".csv", ".txt", ".xlsx", ".xls"}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mapping", "code", required=True, help="Name of the mapping: how these files read.")
@click.option(
    "--every",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0.1, 86400),
    help="Seconds between looks.",
)
@click.option("--once", is_flag=True, help="Read what is there and stop.")
def watch(folder: Path, code: str, every: float, once: bool) -> None:
    """Read every new file of FOLDER. A file that is still being written is read when it has stopped growing.

    Files stay where they are: what was read is known by its bytes, so a restart reads nothing twice. While the database or
    a file is away it is tried again at each look; what is wrong with one file keeps no other waiting.
    """
    from lims.app import create_app
    from lims.results.models import PressMapping
    from lims.results.service import PressMappingService

    app = create_app(read_settings())
    with app.app_context():
        mapping: PressMapping | None = PressMappingService().find(code=code)
        if mapping is None or mapping.retired_at is not None:
            raise click.BadParameter(
                f"{code!r} is no mapping; make it on the page “Press files: how they read”",
                param_hint="--mapping",
            )
        mapping_id = mapping.id
    seen: dict[Path, tuple[int, float]] = {}
    done: dict[Path, tuple[int, float]] = {}
    told: dict[Path, str] = {}
    while True:
        for path in _files_of(folder):
            try:
                found = path.stat()
            except OSError:  # taken away meanwhile
                continue
            state = (found.st_size, found.st_mtime)
            settled = once or seen.get(path) == state
            seen[path] = state
            if not settled or done.get(path) == state:
                continue
            with app.app_context():
                line, over = _read(mapping_id, path)
            if over:
                done[path] = state
            if over or told.get(path) != line:  # once for as long as it lasts
                click.echo(line)
            told[path] = line
        if once:
            return
        time.sleep(every)


def _files_of(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:  # a folder of another machine comes and goes
        log.warning("%s cannot be looked into: %s", folder, error.strerror)
        return []


def _read(mapping_id: int, path: Path) -> tuple[str, bool]:
    """What to say of the file, and whether that is all there is to do."""
    from lims.forecasts.service import forecast_pending
    from lims.importing.workbooks import Unread
    from lims.results.press_files import read_file

    try:
        outcome = read_file(mapping_id, path.name, path.read_bytes(), system_actor("watch"), nobody_asks=True)
        if outcome.again and not outcome.used:
            return f"{path.name}: read before", True
        forecast_pending()
    except Unread as error:
        # What the reader itself refuses it refuses again; that it died or was late may be of this moment.
        what = "; ".join(str(problem.message) for problem in error.problems)
        told = bool(error.peak_kb)
        return f"{path.name}: not read{'' if told else ' yet'}: {what}", told
    except Refused as error:
        what = "; ".join(str(problem.message) for problem in error.problems)
        return f"{path.name}: not read: {what}", True
    except OSError as error:
        return f"{path.name}: not read yet: {error.strerror}", False
    except (Unavailable, OperationalError, NoConnectionFree) as error:
        log.warning("%s: %s", path.name, error)
        return f"{path.name}: not read to its end yet: the database is busy or away, or takes nothing", False
    except Exception as error:
        log.exception("%s could not be read", path.name)
        return f"{path.name}: stopped: {type(error).__name__}: {error}"[:400], True
    finally:
        database().undo()
    return (
        f"{path.name}: {outcome.sets} sets entered, {outcome.waiting} rows wait, {outcome.known} were known",
        True,
    )
