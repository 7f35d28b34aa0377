"""`lims backup`, `restore`, `verify-backup`, `move`, `upgrade` and `check`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click
from rich.console import Console

from lims.cli import read_settings, sentences

console = Console(stderr=True, highlight=False)
FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@FOLDER
def backup(folder: Path) -> None:
    """Back the laboratory up into a new folder, while everybody works."""
    from lims.operations.backup import CHECKPOINT, back_up

    with console.status("Backing up"):
        manifest = back_up(read_settings(), folder)
    click.echo(f"{folder}: {sum(manifest.rows.values()):,} rows, revision {manifest.revision}")
    if manifest.checkpoint:
        click.echo(
            f"checkpoint, to be kept where nobody of the laboratory can change it: {folder / CHECKPOINT}"
        )
    click.echo("It holds personal data and keys. `lims verify-backup` shows that it can be restored.")


@click.command("verify-backup")
@FOLDER
@click.option(
    "--into", default="",
    help="An empty PostgreSQL database to restore into (default: LIMS_VERIFY_DATABASE_URL, else one is made).",
)  # fmt: skip
def verify_backup(folder: Path, into: str) -> None:
    """Restore a backup into a place that goes away: integrity, row counts, record of changes."""
    from lims.operations.backup import Manifest, mark_verified, verify

    with console.status("Restoring"):
        faults = verify(read_settings(), folder, into=into)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(1)
    manifest = Manifest.of(folder)
    try:
        mark_verified(folder)
    except OSError as error:  # a medium that is only read
        click.echo(f"That it was verified could not be written into it: {error.strerror}", err=True)
    head = (
        f"record of changes to transaction {manifest.audit_head[0]:,}" if manifest.audit_head else "no record"
    )
    click.echo(f"verified: {sum(manifest.rows.values()):,} rows of {manifest.made_at}, {head}")


@click.command()
@FOLDER
@click.option("--replace", is_flag=True, help="Back up the laboratory that is there, then replace it.")
def restore(folder: Path, replace: bool) -> None:
    """Put a backup in the place of the database. Stop the server and the worker first."""
    from lims.base.migration import head_revision
    from lims.operations.backup import MANIFEST
    from lims.operations.backup import restore as put_back

    with console.status("Restoring"):
        manifest, kept = put_back(read_settings(), folder, replace=replace)
    if kept is not None:
        click.echo(f"what was there: {kept}")
        if not (kept / MANIFEST).is_file():
            click.echo(
                "It could not be read as a laboratory: its files were moved there as they are, unverified."
            )
    click.echo(f"restored: {sum(manifest.rows.values()):,} rows of {manifest.made_at}")
    if manifest.revision != head_revision():
        click.echo("The backup is older than this program: run `lims upgrade` before serving.")


@click.command()
@click.option(
    "--to", required=True, envvar="LIMS_MOVE_TO", show_envvar=True,
    help="postgresql+psycopg://user:password@host/name, an empty database.",
)  # fmt: skip
def move(to: str) -> None:
    """Move a SQLite laboratory to PostgreSQL; every row is compared. Stop the server and the worker first."""
    from lims.operations.moving import move as move_to

    with console.status("Moving") as status:
        rows = move_to(read_settings(), to, lambda table, count: status.update(f"{table}: {count:,}"))
    click.echo(f"moved and compared: {sum(rows.values()):,} rows in {len(rows)} tables")
    click.echo("Set LIMS_DATABASE_URL to the new address. The SQLite file stays as it was.")


@click.command()
@click.option("--unverified", is_flag=True, help="Migrate even if the backup cannot be restored for proof.")
def upgrade(unverified: bool) -> None:
    """Bring the database to this version of the program: a verified backup first, then the migration. Stop the server and
    the worker first."""
    from lims.app import create_app
    from lims.base.columns import utc_now
    from lims.base.migration import head_revision
    from lims.base.problems import Refused
    from lims.initialise import initialise
    from lims.operations.backup import back_up, mark_verified, verify
    from lims.operations.checks import refuse_a_later_version
    from lims.operations.databases import take_alone

    settings = read_settings()
    refuse_a_later_version(settings)
    # What is written after the backup would be lost on the way back, and an old server writes past what a migration adds.
    take_alone(settings.sqlalchemy_url)
    folder = settings.backups / f"before-upgrade-{utc_now():%Y%m%dT%H%M%SZ}"
    with console.status("Backing up"):
        manifest = back_up(settings, folder)
        try:
            faults = verify(settings, folder)
            if not faults:
                mark_verified(folder)
        except (Refused, OSError) as error:
            click.echo(f"not verified: {error}", err=True)
            if not unverified:
                shutil.rmtree(
                    folder, ignore_errors=True
                )  # a service that is started again and again makes one each time
                click.echo(
                    "Nothing was changed, and that backup was removed. --unverified migrates without a verified one.",
                    err=True,
                )
                sys.exit(1)
            faults = []
    if faults:
        shutil.rmtree(folder, ignore_errors=True)
        click.echo(f"The backup cannot be trusted, nothing was changed: {'; '.join(faults[:5])}", err=True)
        sys.exit(1)
    click.echo(f"backed up: {folder}")
    take_alone(settings.sqlalchemy_url)  # a large backup takes its time
    try:
        with console.status("Migrating"):
            initialise(create_app(settings))
    except Exception as error:  # noqa: BLE001 - whatever it is, the person must hear how to go back
        click.echo(f"The migration failed: {error}", err=True)
        click.echo(f"Go back with the program of before: lims restore --replace {folder}", err=True)
        sys.exit(1)
    click.echo(f"ready: revision {manifest.revision} -> {head_revision()}")


@click.command()
def check() -> None:
    """Look at settings, folder and database; what `lims serve` looks at when it starts, and whether Redis answers and
    backups can be verified. Makes the data folder and that of backups where there is none, and changes nothing else."""
    from lims.base.problems import Refused
    from lims.operations.checks import (
        carrier_problems,
        configuration_problems,
        database_problems,
        free_megabytes,
        proof_problems,
    )
    from lims.operations.surroundings import odd_surroundings

    settings = read_settings()
    problems = configuration_problems(settings) or database_problems(settings)
    if problems:
        raise Refused(problems)
    waiting = [*carrier_problems(settings), *proof_problems(settings), *odd_surroundings(settings)]
    for sentence in sentences(Refused(waiting)):
        click.echo(sentence, err=True)
    click.echo(
        f"{'all else' if waiting else 'all'} well; {free_megabytes(settings.data):,} MB free in {settings.data}"
    )
