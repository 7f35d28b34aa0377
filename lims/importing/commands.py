"""`lims import history FILE`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from lims.base.progress import progress_bar
from lims.cli import read_settings


@click.group(name="import")
def import_group() -> None:
    """Bring data in."""


@import_group.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Read and check; write nothing.")
def history(file: Path, dry_run: bool) -> None:
    """Strength history: BOxCrete csv, UCI Concrete xls, or a table lab, mix_id, age_days, strength_mpa, …"""
    from lims.app import create_app
    from lims.base.actor import system_actor
    from lims.importing.history import import_history
    from lims.importing.readers import read_history
    from lims.importing.service import ImportRunService

    app = create_app(read_settings())
    content = file.read_bytes()
    with app.app_context():
        if dry_run:
            found = read_history(file.name, content)
            specimens = sum(mix.specimen_count for mix in found.mixes)
            click.echo(f"{len(found.mixes)} mixes, {specimens} specimen strengths from {found.rows} rows")
            click.echo(f"{len(found.duplicate_rows)} exact duplicate rows left out")
            for remark in found.remarks:
                click.echo(f"- {remark}")
            return
        earlier = ImportRunService().find(sha256=hashlib.sha256(content).hexdigest())
        with progress_bar() as bar:
            task = bar.add_task(f"Importing {file.name}", total=None)
            run = import_history(
                file.name,
                content,
                system_actor("import"),
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        if earlier is not None:
            click.echo(
                f"this file came in at {run.finished_at:%Y-%m-%d %H:%M} UTC already; nothing was changed"
            )
            return
        click.echo(
            f"{run.mixes_added} mixes, {run.specimens_added} specimen strengths from {run.rows_read} rows"
        )
        click.echo(f"{run.duplicate_rows} exact duplicate rows left out")
        for remark in (run.remarks or "").splitlines():
            click.echo(f"- {remark}")
