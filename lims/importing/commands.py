"""`lims import TEMPLATE FILE`: workbooks and histories by the command line, through the same way in as the page."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from lims.base.progress import progress_bar
from lims.base.whole_files import with_rights_of_the_shell
from lims.cli import read_settings

#: Names of the templates (lims/importing/imports.py); written here so that `lims --help` imports nothing.
TEMPLATE_NAMES = ("history", "mixes", "batches", "breaks", "aggregate-samples", "cement-lots", "customers")
#: Refusals that the terminal shows.
MOST_SHOWN = 50


class ImportGroup(click.Group):
    """A command for each template."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*TEMPLATE_NAMES, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        return found or (_command(cmd_name) if cmd_name in TEMPLATE_NAMES else None)


@click.group(name="import", cls=ImportGroup)
def import_group() -> None:
    """Bring data in: `lims import TEMPLATE FILE [--dry-run] [--mapping NAME]`."""


def _command(name: str) -> click.Command:
    @click.command(name=name, help=f"Import {name} from a workbook (.xlsx, .xls, .ods) or text (.csv).")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Read, check and compare; write nothing.")
    @click.option("--mapping", default="", help="A mapping that was made on the page, by its name.")
    def command(file: Path, dry_run: bool, mapping: str) -> None:
        from lims.app import create_app

        app = create_app(read_settings())
        content = file.read_bytes()
        with app.app_context():
            if name == "history" and not mapping and _public_history(file.name, content):
                _history(file, content, dry_run)
            else:
                _import(name, file, content, dry_run, mapping)

    return command


@import_group.command()
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("import_templates"),
    show_default=True,
    help="Folder.",
)
def templates(into: Path) -> None:
    """Write the empty template of every subject."""
    from lims.app import create_app

    app = create_app(read_settings())
    with app.app_context():
        from lims.importing.imports import TEMPLATES
        from lims.importing.sheets import template_workbook

        with with_rights_of_the_shell():
            into.mkdir(parents=True, exist_ok=True)
            for name in TEMPLATES:
                (into / f"{name}.xlsx").write_bytes(template_workbook(name))
                click.echo(into / f"{name}.xlsx")


def _import(name: str, file: Path, content: bytes, dry_run: bool, mapping: str) -> None:
    from lims.base.actor import system_actor
    from lims.forecasts.service import forecast_pending
    from lims.importing.imports import NotApplied, import_file, look

    actor = system_actor("import")
    if dry_run:
        plan = look(file.name, content, actor, template=name, mapping=mapping)
        _tell(plan)
        if plan.refusals():  # as the import itself would end
            raise click.exceptions.Exit(2)
        return
    try:
        with progress_bar() as bar:
            task = bar.add_task(f"Importing {file.name}", total=None)
            run, plan = import_file(
                file.name,
                content,
                actor,
                template=name,
                mapping=mapping,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except NotApplied as error:
        _tell(error.plan)
        raise click.exceptions.Exit(2) from None
    forecast_pending()
    _tell(plan)
    if plan.changes_nothing and run.finished_at is not None:
        click.echo("nothing was changed")


def _tell(plan: Any) -> None:
    counts = ", ".join(
        f"{plan.count(outcome)} {outcome}" for outcome in ("new", "changed", "same", "refused")
    )
    click.echo(f"{plan.reading.sheet}: {len(plan.rows)} rows: {counts}")
    for remark in plan.remarks:
        click.echo(f"- {remark}")
    refusals = plan.refusals()
    for item in refusals[:MOST_SHOWN]:
        shown = f" ({item.value})" if item.value else ""
        click.echo(f"{item.sheet} {item.cell} {item.column}: {item.message}{shown}", err=True)
    if len(refusals) > MOST_SHOWN:
        click.echo(f"and {len(refusals) - MOST_SHOWN} more", err=True)
    if refusals:
        click.echo("nothing was written", err=True)


def _public_history(name: str, content: bytes) -> bool:
    """Is it one of the published sets, or the plain long table? They are read by lims/importing/readers.py."""
    from lims.base.problems import Refused
    from lims.importing.readers import head_of

    try:
        return head_of(name, content) is not None
    except Refused:
        return False


def _history(file: Path, content: bytes, dry_run: bool) -> None:
    from lims.base.actor import system_actor
    from lims.importing.history import import_history
    from lims.importing.readers import read_history
    from lims.importing.service import ImportRunService

    if dry_run:
        found = read_history(file.name, content)
        specimens = sum(mix.specimen_count for mix in found.mixes)
        click.echo(f"{len(found.mixes)} mixes, {specimens} specimen strengths from {found.rows} rows")
        click.echo(f"{len(found.duplicate_rows)} exact duplicate rows left out")
        for remark in found.remarks:
            click.echo(f"- {remark}")
        return
    digest = hashlib.sha256(content).hexdigest()
    earlier = ImportRunService().find(sha256=digest, kind="history", state="applied")
    with progress_bar() as bar:
        task = bar.add_task(f"Importing {file.name}", total=None)
        run = import_history(
            file.name,
            content,
            system_actor("import"),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if earlier is not None:
        click.echo(f"this file came in at {run.finished_at:%Y-%m-%d %H:%M} UTC already; nothing was changed")
        return
    click.echo(f"{run.mixes_added} mixes, {run.specimens_added} specimen strengths from {run.rows_read} rows")
    click.echo(f"{run.duplicate_rows} exact duplicate rows left out")
    for remark in (run.remarks or "").splitlines():
        click.echo(f"- {remark}")
