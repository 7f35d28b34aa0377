"""`lims rules list|show|check|evaluate`: the register without a database."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

#: Longest input read; a rule needs a few kilobytes.
MOST_BYTES = 5_000_000


@click.group()
def rules() -> None:
    """The rules of the bench: what they are, whether they hold, and what they say of given numbers."""


@rules.command(name="list")
def list_rules() -> None:
    """Every rule: id, code and edition, provenance, vectors."""
    from rich.console import Console
    from rich.table import Table

    from lims.standards.register import REGISTER

    table = Table(box=None, pad_edge=False)
    for name in ("id", "code", "edition", "from memory", "vectors", "title"):
        table.add_column(name, no_wrap=name == "id")
    for rule in REGISTER.rules:
        table.add_row(
            rule.id,
            rule.code,
            rule.edition,
            "in part" if rule.recalled else "",
            str(len(rule.vectors)),
            rule.title,
        )
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


@rules.command()
@click.argument("rule_id")
def show(rule_id: str) -> None:
    """One rule: clause, formula, numbers, where they come from, inputs and vectors."""
    from lims.standards.register.rule import PROVENANCE

    rule = _rule(rule_id)
    click.echo(f"{rule.id}\n{rule.title}\n\n{rule.code} {rule.edition}  {rule.clause}")
    if rule.effective is not None:
        click.echo(f"in force from {rule.effective.isoformat()}")
    click.echo(f"\n{rule.formula}\n")
    for name, value in rule.numbers:
        click.echo(f"  {name}: {value}")
    click.echo("\nWhere it comes from")
    for what, mark in rule.provenance:
        click.echo(f"  {what}: {PROVENANCE[mark]}")
    click.echo("  sources: " + "; ".join(rule.sources))
    click.echo("\nInputs")
    for field in rule.fields:
        need = "" if field.required and field.default is None else " (may be left out)"
        default = f" [{field.default}]" if field.default is not None else ""
        click.echo(f"  {field.name}{default}: {field.text}; {field.accepted()}{need}")
    click.echo("\nVectors")
    for vector in rule.vectors:
        click.echo(f"  {json.dumps(dict(vector.given), ensure_ascii=False)}")
        click.echo(f"    -> {json.dumps(dict(vector.expected), ensure_ascii=False)}  ({vector.origin})")


@rules.command()
def check() -> None:
    """Run every vector; exit 1 when one does not hold."""
    from lims.standards.register import REGISTER

    misses = [miss for rule in REGISTER.rules for miss in rule.misses()]
    for miss in misses:
        click.echo(miss, err=True)
    click.echo(f"{len(REGISTER.rules)} rules, {REGISTER.vectors()} vectors, {len(misses)} missed")
    sys.exit(1 if misses else 0)


@rules.command()
@click.argument("rule_id")
@click.option("--input", "source", required=True, help="JSON file with the inputs; - reads standard input.")
def evaluate(rule_id: str, source: str) -> None:
    """Answer of a rule as JSON on standard output; decimals as strings."""
    from lims.standards.errors import RuleInputError

    rule = _rule(rule_id)
    given = _read(source)
    try:
        answer = rule.evaluate(given)
    except RuleInputError as error:
        _refuse(str(error))
    except (
        ArithmeticError,
        RecursionError,
    ) as error:  # pragma: no cover - bounds of the inputs keep these away
        _refuse(f"input: cannot be computed with ({type(error).__name__}); accepted: ordinary quantities")
    click.echo(json.dumps(answer, ensure_ascii=False))


def _rule(rule_id: str):  # type: ignore[no-untyped-def]
    from difflib import get_close_matches

    from lims.standards.register import REGISTER

    rule = REGISTER.by_id.get(rule_id)
    if rule is None:
        near = get_close_matches(rule_id, REGISTER.by_id, n=3, cutoff=0.3)
        hint = f"accepted: {', '.join(near)}, …" if near else "accepted: an id of `lims rules list`"
        _refuse(f"ID: {rule_id[:80]!r} is not a rule; {hint}")
    return rule


def _read(source: str) -> dict[str, Any]:
    """The JSON object of a file, numbers exactly as written."""
    try:
        content = sys.stdin.buffer.read(MOST_BYTES + 1) if source == "-" else Path(source).read_bytes()
    except OSError as error:
        _refuse(f"--input: {source}: {error.strerror or error}; accepted: a readable JSON file, or -")
    if len(content) > MOST_BYTES:
        _refuse(f"--input: is larger than {MOST_BYTES} bytes; accepted: the inputs of one rule")
    try:
        found = json.loads(
            content.decode("utf-8-sig"),
            parse_float=Decimal,
            parse_int=_whole,
            parse_constant=Decimal,  # NaN and infinities: refused with the name of their field
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        _refuse("--input: is not UTF-8 text; accepted: JSON")
    except (json.JSONDecodeError, RecursionError) as error:
        _refuse(f'--input: is not JSON ({error}); accepted: an object such as {{"value": "28.175"}}')
    except _NotAccepted as error:
        _refuse(str(error))
    except InvalidOperation:
        _refuse("--input: holds a number that cannot be read; accepted: decimal numbers")
    if not isinstance(found, dict):
        _refuse("--input: is not an object; accepted: an object of named inputs")
    named: dict[str, Any] = found
    return named


class _NotAccepted(Exception):
    """JSON that Python reads and the register does not."""


def _whole(text: str) -> Decimal:
    """Whole numbers as decimals too: int() refuses very long ones with a traceback."""
    return Decimal(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _NotAccepted(f"{name[:60]}: is given twice; accepted: each input once")
        found[name] = value
    return found


def _refuse(message: str):  # type: ignore[no-untyped-def]
    click.echo(message, err=True)
    sys.exit(2)
