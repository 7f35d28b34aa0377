"""`lims init`, `lims serve` and `lims demo`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from lims.cli import read_settings
from lims.settings import SHARED_COUNTERS, Settings, database_name

console = Console(stderr=True, highlight=False)


def _created(settings: Settings):  # type: ignore[no-untyped-def]
    from lims.app import create_app

    return create_app(settings)


@click.command()
def init() -> None:
    """Make the tables of an empty database and bring permissions and roles in line. Safe to repeat; a database of an
    earlier version is left to `lims upgrade`."""
    from lims.initialise import initialise
    from lims.operations.checks import refuse_to_migrate_without_backup

    settings = read_settings()
    refuse_to_migrate_without_backup(settings)
    with console.status("Preparing the database"):
        initialise(_created(settings))
    click.echo(f"ready: {database_name(settings.sqlalchemy_url)}")


@click.command()
@click.option("--host", default=None, help="Address to listen on (LIMS_HOST).")
@click.option("--port", type=int, default=None, help="Port to listen on (LIMS_PORT).")
def serve(host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C. The database must have been prepared by `lims init`."""
    settings = read_settings(host=host, port=port)
    _count_together(settings)
    run_server(settings)


def _count_together(settings: Settings) -> None:
    """Counters of several processes meet in a folder, which their library asks for when it is first imported."""
    from lims.operations.counters import folder_of, made_folder

    if settings.metrics_token and settings.serving_processes() > 1 and SHARED_COUNTERS not in os.environ:
        os.environ[SHARED_COUNTERS] = str(folder_of(settings))
    if os.environ.get(SHARED_COUNTERS):
        made_folder(Path(os.environ[SHARED_COUNTERS]))


@click.command()
@click.option("--port", type=int, default=None, help="Port to listen on (LIMS_PORT, 8000).")
@click.option("--no-serve", is_flag=True, help="Prepare the data and stop.")
def demo(port: int | None, no_serve: bool) -> None:
    """A trial laboratory with public data, served on this machine until Ctrl-C."""
    from lims.demonstration import prepare
    from lims.operations.checks import refuse_to_migrate_without_backup

    own = not os.environ.get("LIMS_DATA") and not os.environ.get("LIMS_DATABASE_URL")
    if not os.environ.get("LIMS_DATA"):
        os.environ["LIMS_DATA"] = str(Path("var") / "demo")
    settings = read_settings(port=port, demo=True)
    if not own:  # what is named may be a laboratory
        refuse_to_migrate_without_backup(settings)
    _count_together(settings)
    app = _created(settings)
    prepare(app, console)
    print_accounts(settings)
    if not no_serve:
        run_server(settings, app)


def print_accounts(settings: Settings) -> None:
    from lims.accounts.demo import DEMO_ACCOUNTS

    click.echo(f"\n  http://{settings.host}:{settings.port}\n")
    for account in DEMO_ACCOUNTS:
        click.echo(f"  {account.role:<18} {account.username:<15} {account.password}")
    click.echo("\n  Demonstration accounts; Ctrl-C stops the server.\n", nl=True)
    sys.stdout.flush()


def run_server(settings: Settings, app: Any = None) -> None:
    """The embedded server (waitress: Windows too), after a look at whether it may start."""
    from lims.operations.logs import start_logging
    from lims.operations.serving import refuse_to_start_wrong, serve, tell_of_surroundings

    refuse_to_start_wrong(settings)
    start_logging(settings)
    tell_of_surroundings(settings)
    serve(app or _created(settings), settings)
