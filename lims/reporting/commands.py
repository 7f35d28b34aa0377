"""`lims export …`: the summary, or any list, into a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from flask import Flask
from flask_babel import force_locale

from lims.base.whole_files import with_rights_of_the_shell
from lims.base.words import LANGUAGES
from lims.cli import read_settings
from lims.importing.commands import TEMPLATE_NAMES

#: The words of `lims export breaks` that are not those of an address.
ENDINGS = ("xlsx", "csv")


def _app() -> Flask:
    from lims.app import create_app

    return create_app(read_settings())


def _output(path: Path, endings: tuple[str, ...]) -> str:
    """The format by the file's ending. Exits with a sentence."""
    kind = path.suffix.lstrip(".").lower()
    if kind not in endings:
        accepted = ", ".join(f".{ending}" for ending in endings)
        raise click.BadParameter(f"{path.name} ends in none of {accepted}", param_hint="--output")
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}", param_hint="--output")
    return kind


def _reference(record_name: str, text: str | None, option: str) -> str | None:
    """The id of the record whose code or name this is."""
    from lims.base.database import current_session
    from lims.base.problems import refuse
    from lims.base.services import SERVICES

    if text is None:
        return None
    service = SERVICES[record_name]
    found = service.find(code=text)
    if found is not None:
        return str(found.id)
    named = list(current_session().scalars(service.base_query().filter_by(name=text).limit(2)).unique())
    if len(named) > 1:
        raise refuse(option, "is the name of several; accepted: a code", text)
    if named:
        return str(named[0].id)
    raise refuse(option, "there is none of this code or name", text)


def _in_language(app: Flask, language: str, work: Callable[[], Any]) -> Any:
    with app.app_context(), force_locale(language), with_rights_of_the_shell():
        return work()


class ListGroup(click.Group):
    """`summary`, `template` and every list of the application by its name in the address: `lims export breaks`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or list_command(cmd_name)


@click.group(
    "export", cls=ListGroup, epilog="LIST is a list's name in its address: breaks, batches, cement-lots, …"
)
def export() -> None:
    """Write the summary, or a list (`lims export breaks …`), into a file."""


@export.command()
@click.option("--from", "since", metavar="YYYY-MM-DD", help="Tested from this day.")
@click.option("--to", "until", metavar="YYYY-MM-DD", help="Tested until this day.")
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A file .xlsx."
)
@click.option("--grade", metavar="MPA", help="Only this grade: 30 or C30.")
@click.option("--region", help="Only this region, by its code or name.")
@click.option("--customer", help="Only this customer, by code or name.")
@click.option("--cement", help="Only this cement, by code or name.")
@click.option("--age", default=None, metavar="DAYS", help="Only this age; 28 unless --all-ages.")
@click.option("--all-ages", is_flag=True, help="Every age.")
@click.option("--unreleased", is_flag=True, help="Also results that are not released yet.")
@click.option("--language", type=click.Choice(tuple(LANGUAGES)), default="en", show_default=True)
def summary(
    since: str | None,
    until: str | None,
    output: Path,
    grade: str | None,
    region: str | None,
    customer: str | None,
    cement: str | None,
    age: str | None,
    all_ages: bool,
    unreleased: bool,
    language: str,
) -> None:
    """Counts, means, deviations, verdicts and charts of a period, as a workbook."""
    _output(output, ("xlsx",))
    app = _app()

    def work() -> int:
        from lims.base.whole_files import whole_file
        from lims.reporting.schemas import ACCEPTANCE_DAYS, SummaryFilters
        from lims.reporting.statistics import result_rows
        from lims.reporting.workbook import write_summary

        given = {
            "since": since,
            "until": until,
            "grade_mpa": grade.upper().removeprefix("C") if grade else None,
            "region_id": _reference("regions", region, "--region"),
            "customer_id": _reference("customers", customer, "--customer"),
            "cement_product_id": _reference("cement-products", cement, "--cement"),
            "age_days": None if all_ages else age or str(ACCEPTANCE_DAYS),
            "released": not unreleased,
        }
        filters = SummaryFilters.read(given)
        with whole_file(output) as arriving:
            write_summary(arriving, filters, "lims export")
        return sum(1 for _row in result_rows(filters))

    count = _in_language(app, language, work)
    click.echo(f"{output}: {count} results")


@export.command("template")
@click.argument("name", type=click.Choice(TEMPLATE_NAMES))
@click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A file .xlsx."
)
def template_command(name: str, output: Path) -> None:
    """What is stored, in the form of a template: `lims import NAME FILE` reads it again without a change."""
    _output(output, ("xlsx",))
    app = _app()

    def work() -> int:
        from lims.base.whole_files import whole_file
        from lims.importing.sheets import export_template

        with whole_file(output) as arriving:
            return arriving.write_bytes(export_template(name))

    _in_language(app, "en", work)
    click.echo(output)


def list_command(name: str) -> click.Command:
    """The command of one list; which lists there are is known when the application is made."""

    @click.command(name, help=f"The list {name} into a file .xlsx or .csv.")
    @click.option(
        "--output",
        required=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="A file .xlsx or .csv.",
    )
    @click.option("--search", default="", help="Only rows that hold this text.")
    @click.option(
        "--filter",
        "filters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Only rows equal in this column; of one column given again: to one of these.",
    )
    @click.option("--order", default="", help="A column; with - in front the other way round.")
    @click.option("--columns", default="", metavar="A,B", help="These columns of the list.")
    @click.option("--retired", is_flag=True, help="Also what is out of use.")
    @click.option("--language", type=click.Choice(tuple(LANGUAGES)), default="en", show_default=True)
    def command(
        output: Path,
        search: str,
        filters: tuple[str, ...],
        order: str,
        columns: str,
        retired: bool,
        language: str,
    ) -> None:
        kind = _output(output, ENDINGS)
        wrong = next((item for item in filters if "=" not in item), None)
        if wrong is not None:
            raise click.BadParameter(f"{wrong} is not NAME=VALUE", param_hint="--filter")
        app = _app()

        def work() -> int:
            from lims.base.exports import ListQuery, table_of, write_file
            from lims.base.problems import refuse
            from lims.base.views import VIEWS
            from lims.base.whole_files import whole_file

            view = VIEWS.get(name)
            if view is None or not view.list_columns:
                lists = ", ".join(sorted(key for key, item in VIEWS.items() if item.list_columns))
                raise refuse("LIST", f"is not known; accepted: summary, template, {lists}", name)
            wanted: dict[str, list[str]] = {}
            for item in filters:
                column, _equals, value = item.partition("=")
                wanted.setdefault(column, []).append(value)
            query = ListQuery(search, wanted, order, retired)
            chosen = [part for part in columns.split(",") if part] or list(view.list_columns)
            known = view.known_columns()
            unknown = [part for part in chosen if part not in known]
            if unknown:
                raise refuse(
                    "--columns", f"is no column of this list; accepted: {', '.join(known)}", unknown[0]
                )
            total = view.service.count(**query.words())
            with whole_file(output) as arriving:
                write_file(arriving, table_of(view, chosen, query, total), kind)
            return int(total)

        click.echo(f"{output}: {_in_language(app, language, work)} rows")

    return command
