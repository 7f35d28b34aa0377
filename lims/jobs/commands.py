"""`lims worker`: run jobs in a process of their own."""

from __future__ import annotations

import click

from lims.cli import read_settings


@click.command()
@click.option("--threads", type=click.IntRange(1, 16), default=1, help="Jobs that run at once.")
@click.option("--once", is_flag=True, help="Run what waits, then end.")
def worker(threads: int, once: bool) -> None:
    """Run jobs: imports, exports, mail, backups. One worker is enough for one laboratory."""
    from lims.app import create_app
    from lims.base.jobs import run_waiting, start_worker
    from lims.operations.logs import start_logging
    from lims.operations.serving import refuse_to_start_wrong, tell_of_surroundings

    settings = read_settings()
    refuse_to_start_wrong(settings)
    start_logging(settings)
    tell_of_surroundings(settings)
    app = create_app(settings)
    if once:
        states = run_waiting(app)
        click.echo(f"{len(states)} jobs: {', '.join(states)}" if states else "0 jobs")
        return
    start_worker(app, threads=threads, own_process=True).run()
