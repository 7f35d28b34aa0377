"""`lims watch FOLDER`: files that a compression machine writes are read as they come."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lims.base.actor import system_actor
from lims.base.database import current_session
from lims.base.problems import Refused
from lims.cli import read_settings

SUFFIXES = {".csv", ".txt", ".xlsx", ".xls"}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mapping", "code", required=True, help="Name of the mapping: how these files read.")
@click.option("--every", default=5.0, show_default=True, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Read what is there and stop.")
def watch(folder: Path, code: str, every: float, once: bool) -> None:
    """Read every new file of FOLDER. A file that is still being written is read when it has stopped growing.

    Files stay where they are: what was read is known by its bytes, so a restart reads nothing twice.
    """
    from lims.app import create_app
    from lims.results.models import PressMapping
    from lims.results.service import PressMappingService

    app = create_app(read_settings())
    with app.app_context():
        mapping: PressMapping | None = PressMappingService().find(code=code)
        if mapping is None:
            raise click.BadParameter(
                f"{code!r} is no mapping; make it on the page “Press files”", param_hint="--mapping"
            )
        mapping_id = mapping.id
    seen: dict[Path, tuple[int, float]] = {}
    done: dict[Path, tuple[int, float]] = {}
    while True:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in SUFFIXES or not path.is_file():
                continue
            state = (path.stat().st_size, path.stat().st_mtime)
            settled = once or seen.get(path) == state
            seen[path] = state
            if settled and done.get(path) != state:
                with app.app_context():
                    click.echo(_read(mapping_id, path))
                done[path] = state
        if once:
            return
        time.sleep(every)


def _read(mapping_id: int, path: Path) -> str:
    from lims.forecasts.service import forecast_pending
    from lims.results.press_files import read_file

    try:
        outcome = read_file(mapping_id, path.name, path.read_bytes(), system_actor("watch"))
    except Refused as error:
        return f"{path.name}: not read: {error}"
    except OSError as error:
        return f"{path.name}: not read: {error.strerror}"
    finally:
        current_session().rollback()
    if outcome.again:
        return f"{path.name}: read before"
    forecast_pending()
    return (
        f"{path.name}: {outcome.sets} sets entered, {outcome.waiting} rows wait, {outcome.known} were known"
    )
