"""The `lims` command: one group, to which each subject adds its own commands."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from lims.base.whole_files import keep_private
from lims.settings import GC_THRESHOLD, Settings

if TYPE_CHECKING:
    from lims.base.problems import Refused

#: Settings that may hold a password or a key.
SECRETS = {"database_url", "verify_database_url", "redis_url", "secret_key", "metrics_token", "smtp_password"}

#: command -> "module:attribute"; imported when used, so that `lims --help` does not load scipy.
COMMANDS = {
    "init": "lims.commands:init",
    "serve": "lims.commands:serve",
    "demo": "lims.commands:demo",
    "account": "lims.accounts.commands:account",
    "import": "lims.importing.commands:import_group",
    "export": "lims.reporting.commands:export",
    "forecast": "lims.forecasts.commands:forecast",
    "backtest": "lims.forecasts.commands:backtest",
    "rules": "lims.rules.commands:rules",
    "selftest": "lims.audit.commands:selftest",
    "trace": "lims.audit.commands:trace_command",
    "watch": "lims.importing.watch:watch",
    "audit": "lims.audit.commands:audit",
    "worker": "lims.jobs.commands:worker",
    "backup": "lims.operations.commands:backup",
    "verify-backup": "lims.operations.commands:verify_backup",
    "restore": "lims.operations.commands:restore",
    "move": "lims.operations.commands:move",
    "upgrade": "lims.operations.commands:upgrade",
    "check": "lims.operations.commands:check",
}


class LazyGroup(click.Group):
    """Loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module_name, _colon, attribute = target.partition(":")
        module = __import__(module_name, fromlist=[attribute])
        command: click.Command = getattr(module, attribute)
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="lims")
def group() -> None:
    """The laboratory information system for concrete trials."""


def main() -> None:
    """Entry point: wrong settings and refused input end with a sentence, never a traceback."""
    keep_private()
    gc.set_threshold(*GC_THRESHOLD)
    from lims.base.problems import CarrierAway, Refused, Unavailable

    try:
        group.main(standalone_mode=True)
    except (ValidationError, Refused) as error:
        for sentence in sentences(error):
            click.echo(sentence, err=True)
        sys.exit(2)
    except CarrierAway as error:
        click.echo(
            f"What carries jobs (LIMS_REDIS_URL, or jobs.sqlite3 in LIMS_DATA) is away: {error}", err=True
        )
        sys.exit(3)
    except Unavailable as error:
        click.echo(f"The database is busy or away: {error}", err=True)
        sys.exit(3)
    except Exception as error:
        said = sentence_of_the_place(error)
        if said is None:  # a mistake of ours, whose traceback we want
            raise
        click.echo(said, err=True)
        sys.exit(3)


def sentence_of_the_place(error: Exception) -> str | None:
    """What databases and files did not do, without passwords; None for everything else. Click has seen to closed pipes."""
    import psycopg
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    from lims.base.database import SqliteTooOld, sqlite_module
    from lims.operations.databases import NO_ADDRESS, first_line
    from lims.operations.logs import without_secrets

    if error.args and isinstance(error.args[0], OSError):  # as XlsxWriter tells of a full disk
        error = error.args[0]
    if isinstance(error, SqliteTooOld):
        return str(error)
    if isinstance(error, ArgumentError):  # NoSuchModuleError too
        return f"LIMS_DATABASE_URL {NO_ADDRESS}"
    if isinstance(error, SQLAlchemyError | psycopg.Error | sqlite_module().Error):
        return without_secrets(f"The database refuses this or is away: {first_line(error)}")
    if isinstance(error, UnicodeDecodeError):
        return f"A file cannot be read as text ({error.encoding}): {error.reason} at byte {error.start}"
    if isinstance(error, OSError):
        return f"{error.filename or 'The system'}: {error.strerror or type(error).__name__}"
    return None


def sentences(error: ValidationError | Refused) -> list[str]:
    """What is wrong, one thing each. The value of a setting that may hold a secret is left out."""
    if isinstance(error, ValidationError):
        told = []
        for item in error.errors(include_url=False):
            field = "_".join(str(part) for part in item["loc"])
            shown = "" if field in SECRETS else f"={item.get('input')!r}"
            told.append(f"LIMS_{field.upper()}{shown}: {item['msg']}")
        return told
    found = []
    for problem in error.problems:
        shown = f" ({problem.value})" if problem.value else ""
        found.append(f"{problem.field}: {problem.message}{shown}" if problem.field else str(problem.message))
    return found


def read_settings(**changed: object) -> Settings:
    """Settings of the environment with what the command line gives. Raises: ValidationError, Refused."""
    given: dict[str, Any] = {name: value for name, value in changed.items() if value is not None}
    settings = Settings(**given)
    if settings.database_url or settings.verify_database_url:
        from lims.base.problems import Refused
        from lims.operations.checks import address_problems

        problems = address_problems(settings)
        if problems:
            raise Refused(problems)
    return settings
