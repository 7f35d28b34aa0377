"""`lims init`, `lims serve` and `lims demo`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from lims.cli import read_settings
from lims.settings import Settings

console = Console(stderr=True, highlight=False)


def _created(settings: Settings):  # type: ignore[no-untyped-def]
    from lims.app import create_app

    return create_app(settings)


@click.command()
def init() -> None:
    """Migrate the database and bring permissions and roles in line. Safe to repeat."""
    from lims.initialise import initialise

    settings = read_settings()
    with console.status("Preparing the database"):
        initialise(_created(settings))
    click.echo(f"ready: {settings.sqlalchemy_url.split('@')[-1]}")


@click.command()
@click.option("--host", default=None, help="Address to listen on (LIMS_HOST).")
@click.option("--port", type=int, default=None, help="Port to listen on (LIMS_PORT).")
def serve(host: str | None, port: int | None) -> None:
    """Serve until Ctrl-C. The database must have been prepared by `lims init`."""
    run_server(read_settings(host=host, port=port))


@click.command()
@click.option("--port", type=int, default=None, help="Port to listen on (LIMS_PORT, 8000).")
@click.option("--no-serve", is_flag=True, help="Prepare the data and stop.")
def demo(port: int | None, no_serve: bool) -> None:
    """A trial laboratory with public data, served on this machine until Ctrl-C."""
    from lims.demonstration import prepare

    if not os.environ.get("LIMS_DATA"):
        os.environ["LIMS_DATA"] = str(Path("var") / "demo")
    settings = read_settings(port=port, demo=True)
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
    """The embedded server (waitress: Windows too)."""
    import logging

    from waitress.server import create_server

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = app or _created(settings)
    try:
        server = create_server(
            app, host=settings.host, port=settings.port, threads=settings.threads, ident=None
        )
    except OSError as error:
        click.echo(
            f"LIMS_PORT={settings.port}: cannot listen on it ({error.strerror}); set another port", err=True
        )
        sys.exit(2)
    worker = None
    if settings.worker_threads:
        from lims.base.jobs import start_worker

        worker = start_worker(app, threads=settings.worker_threads)
        worker.start()
    try:
        server.run()
    except KeyboardInterrupt:
        server.close()
    finally:
        if worker is not None:
            worker.stop(graceful=True)
