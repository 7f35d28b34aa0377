"""`lims audit` (verify, export, checkpoint, key, grants) and `lims trace CODE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lims.base.problems import refuse
from lims.base.whole_files import with_rights_of_the_shell
from lims.cli import read_settings

if TYPE_CHECKING:
    from lims.base.auditing.lims_verify import Export, Sealed


def _app():  # type: ignore[no-untyped-def]
    from lims.app import create_app

    return create_app(read_settings())


@click.group()
def audit() -> None:
    """The record of changes: verify it, export it, take a checkpoint."""


@audit.command()
@click.option(
    "--checkpoint", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that was kept outside; may be given several times.",
)  # fmt: skip
@click.option(
    "--against", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="An earlier export that was kept outside: names what was rewritten since.",
)  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="Name each row that no anchor covers yet.")
@click.option("--json", "as_json", is_flag=True)
def verify(files: Sequence[Path], against: Path | None, listing: bool, as_json: bool) -> None:
    """Chain, rows and anchors of the database; ends with 1 when something was altered."""
    from lims.audit.keys import verifier_key
    from lims.audit.source import check_database, reading
    from lims.base.auditing.lims_verify import Export, described, unanchored
    from lims.base.auditing.lims_verify import verify as verify_source
    from lims.base.database import database

    notes = [(path.name, _text_of(path)) for path in files]
    kept = _exported(Export(against)) if against is not None else []
    with _app().app_context(), reading(database().engine) as source:
        report = verify_source(source, notes, verifier_key(), kept)
        check_database(source, report)
        later = list(unanchored(source, report.anchored)) if listing else []
    if as_json:
        facts = {name: getattr(report, name) for name in (
            "good", "transactions", "entries", "rows", "head", "anchored", "unanchored_entries", "signed", "notices",
        )}  # fmt: skip
        facts["findings"] = [finding._asdict() for finding in report.findings]
        click.echo(json.dumps(facts, ensure_ascii=False))
    else:
        click.echo("\n".join([*described(report), *later]))
    sys.exit(0 if report.good else 1)


def _text_of(file: Path) -> str:
    """Raises: Refused."""
    try:
        return file.read_text(encoding="utf-8-sig")  # an editor may have put its mark in front
    except UnicodeDecodeError:
        said = "is not UTF-8 text; accepted: a checkpoint as `lims audit checkpoint` prints it"
        raise refuse("--checkpoint", said, file) from None
    except OSError as error:
        raise refuse("--checkpoint", f"cannot be read: {error.strerror}", file) from None


def _exported(folder: Export) -> list[Sealed]:
    """Raises: Refused."""
    try:
        found = list(folder.transactions())
        if found:
            return found
        why = "it holds no transaction"
    except (OSError, ValueError, TypeError, LookupError) as error:
        why = str(error.strerror) if isinstance(error, OSError) else "its transactions.jsonl cannot be read"
    said = f"is no whole export ({why}); accepted: a folder that `lims audit export` has written"
    raise refuse("--against", said, folder.folder)


@audit.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write the whole record to FOLDER, with the verifier that needs only Python."""
    from lims.audit.exporting import export as write

    with _app().app_context(), with_rights_of_the_shell():
        counts = write(folder)
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items()))
    click.echo(f"verify it anywhere: python {folder / 'lims_verify.py'} {folder}")


@audit.command()
@click.option("--note", default="", help="Why it was taken.")
def checkpoint(note: str) -> None:
    """Take a signed checkpoint and print it: keep it where nobody of the laboratory can change it."""
    from lims.audit.service import CheckpointService
    from lims.base.actor import system_actor

    with _app().app_context():
        click.echo(CheckpointService().take(system_actor("command"), note).text, nl=False)


@audit.command()
def key() -> None:
    """The public key that checkpoints are signed with."""
    from lims.audit.keys import verifier_key, verifier_key_text

    with _app().app_context():
        click.echo(verifier_key_text(verifier_key()))


@audit.command()
@click.argument("role")
def grants(role: str) -> None:
    """SQL that lets a PostgreSQL ROLE serve without being able to change the record or its triggers."""
    from lims.audit.grants import statements

    click.echo("\n".join(statements(role)))


@click.command(name="trace")
@click.argument("code")
@click.option("--json", "as_json_text", is_flag=True, help="For a program, instead of lines.")
def trace_command(code: str, as_json_text: bool) -> None:
    """All that the specimen (or batch, lot, certificate, …) of this code came from, and all that came of it."""
    from lims.app import create_app
    from lims.audit.trace import find_by_code, trace
    from lims.audit.trace_page import as_json, lines_of
    from lims.base.problems import NotFound

    app = create_app(read_settings())
    # Who may run the command may read the database: no role narrows what is told.
    with app.test_request_context():
        try:
            found = trace(*find_by_code(code), reads=lambda _name: True)
        except NotFound:
            click.echo(f"no record has the code {code}", err=True)
            sys.exit(1)
        if as_json_text:
            click.echo(json.dumps(as_json(found), ensure_ascii=False, indent=1))
        else:
            click.echo("\n".join(lines_of(found)))


@click.command()
def selftest() -> None:
    """Rules, forecast, triggers, record of changes, backup and restore; keeps a dated PDF. Exit 1 when one fails."""
    from lims.app import create_app
    from lims.audit.selftest import Check
    from lims.audit.selftest import selftest as run_all
    from lims.base.actor import system_actor

    settings = read_settings()
    app = create_app(settings)

    def tell(check: Check) -> None:
        mark = {True: "ok", False: "FAILED", None: "left out"}[check.passed]
        click.echo(f"{mark:<9} {check.name}: {check.detail}")

    with app.test_request_context():
        run = run_all(settings, system_actor("selftest"), tell)
        click.echo(f"kept as self-test {run.id}: /selftest-runs/{run.id}")
        passed = run.passed
    sys.exit(0 if passed else 1)
