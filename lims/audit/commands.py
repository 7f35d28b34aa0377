"""`lims trace CODE`."""

from __future__ import annotations

import json
import sys

import click

from lims.cli import read_settings


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
