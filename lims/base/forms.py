"""A schema as a form: controls with their labels, units, values and errors. Validation stays with the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from lims.base.display import form_text, show_day, show_time
from lims.base.fields import Choice, Day, Flag, Instant, Quantity, Reference, Several, Text
from lims.base.problems import Problem
from lims.base.schemas import Input, Schema
from lims.base.services import SERVICES


@dataclass(slots=True)
class FormField:
    """One control as the template draws it. `widget` is text, decimal, integer, textarea, select, checkbox,
    date, datetime, reference, password or several (check boxes)."""

    name: str
    label: str
    widget: str
    value: str = ""
    unit: str = ""
    help: str = ""
    required: bool = False
    errors: list[str] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)
    lookup_url: str = ""
    chosen: str = ""
    theirs: str = ""
    maxlength: int = 0


@dataclass(slots=True)
class Form:
    """All controls in sections, the version the form was rendered from, and problems of no single field."""

    sections: list[tuple[str, list[FormField]]]
    version: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def fields(self) -> list[FormField]:
        return [item for _title, items in self.sections for item in items]


def build_form(
    schema: type[Schema],
    values: Mapping[str, Any],
    *,
    sections: Sequence[tuple[Any, Sequence[str]]] = (),
    problems: Sequence[Problem] = (),
    theirs: Mapping[str, str] | None = None,
    version: int = 0,
) -> Form:
    """`values` are stored values or, after a refused post, the texts as they were typed: nothing is lost."""
    inputs = {item.name: item for item in schema.inputs()}
    errors: dict[str, list[str]] = {}
    loose: list[str] = []
    for problem in problems:
        head = problem.field.split(".")[0]
        if head in inputs:
            errors.setdefault(head, []).append(str(problem.message))
        else:
            loose.append(f"{problem.field}: {problem.message}" if problem.field else str(problem.message))
    plan = list(sections) or [("", tuple(inputs))]
    placed = {name for _title, names in plan for name in names}
    rest = [name for name in inputs if name not in placed]
    if rest:
        plan.append(("", tuple(rest)))
    built = [
        (
            str(title),
            [
                _field(
                    inputs[name],
                    values.get(name, inputs[name].default),
                    errors.get(name, []),
                    (theirs or {}).get(name),
                )
                for name in names
                if name in inputs
            ],
        )
        for title, names in plan
    ]
    return Form(built, version, loose)


def _in_words(item: Input, stored: str) -> str:
    """What another person stored (`Kind.text`, or as a form's control holds it) as a page says it: no id, key or UTC."""
    kind = item.kind
    if isinstance(kind, Flag):
        return str(_("yes") if stored.lower() == "true" else _("no"))
    if not stored:
        return str(_("empty"))
    if isinstance(kind, Reference):
        return _title_of(kind.record_name, stored) or stored
    if isinstance(kind, Choice | Several):
        return str(_(", ")).join(str(kind.options.get(word, word)) for word in stored.split(","))
    if isinstance(kind, Instant):
        moment = datetime.fromisoformat(stored)
        return show_time(moment) if moment.tzinfo is not None else stored
    return show_day(date.fromisoformat(stored)) if isinstance(kind, Day) else stored


def _field(item: Input, value: Any, errors: list[str], theirs: str | None) -> FormField:
    kind = item.kind
    result = FormField(
        name=item.name,
        label=str(item.ui.label),
        widget=item.widget,
        # What a person typed stands there again as it was typed, whatever it is.
        value=value if isinstance(value, str) else form_text(item, value),
        unit=item.ui.unit or (kind.unit if isinstance(kind, Quantity) else ""),
        help=str(item.ui.help),
        required=item.required,
        errors=errors,
        theirs="" if theirs is None else _in_words(item, theirs),
    )
    if isinstance(kind, Choice | Several):
        offered = kind.offered(result.value) if isinstance(kind, Choice) else kind.options
        result.options = [(key, str(label)) for key, label in offered.items()]
    elif isinstance(kind, Reference):
        from lims.base.views import VIEWS

        view = VIEWS[kind.record_name]
        result.lookup_url = url_for(f"{view.endpoint}.lookup")
        result.chosen = _title_of(kind.record_name, result.value)
    elif isinstance(kind, Text):
        result.maxlength = kind.most
    return result


def _title_of(record_name: str, key: str) -> str:
    if not key.isdecimal() or len(key) > 18:  # ² is a digit, and no number
        return ""
    found = SERVICES[record_name].find(id=int(key))
    return found.title if found is not None else ""


def posted_values(schema: type[Schema], posted: MultiDict[str, str]) -> dict[str, Any]:
    """The schema's fields out of a posted form. A checkbox that is absent is off; other names are ignored here
    (the token, the version, the button)."""
    values: dict[str, Any] = {}
    for item in schema.inputs():
        if item.kind.widget == "checkbox":
            values[item.name] = item.name in posted and posted[item.name] not in {"", "false"}
        elif isinstance(item.kind, Several):
            values[item.name] = ",".join(posted.getlist(item.name))
        elif item.name in posted:
            values[item.name] = posted[item.name]
    return values
