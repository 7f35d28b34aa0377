"""A rule's inputs as a form, and a form as the rule's inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext as _

from lims.rules.answers import OPTIONS, field_label
from lims.standards.inputs import Choice, Count, Day, Field, Flag, Instant, Many, Number, Record
from lims.standards.register.rule import Rule

SEPARATORS = re.compile(r"[\s,;，；、]+")


@dataclass(frozen=True, slots=True)
class Control:
    """One control of a calculator."""

    name: str
    label: str
    widget: str
    value: str
    required: bool
    help: str
    #: (value, in words)
    options: tuple[tuple[str, str], ...] = ()


def controls(rule: Rule, given: Mapping[str, str], defaults: Mapping[str, Any]) -> list[Control]:
    """The controls of a rule with what was typed, or its defaults."""
    found = []
    for field in rule.fields:
        if isinstance(field, Record):
            found += [
                replace(
                    _control(inner, f"{field.name}.{inner.name}", given, {}),
                    label=str(_("%(name)s: %(what)s", name=_(field.text), what=field_label(inner))),
                )
                for inner in field.fields
            ]
        else:
            found.append(_control(field, field.name, given, defaults))
    return found


def _control(field: Field, name: str, given: Mapping[str, str], defaults: Mapping[str, Any]) -> Control:
    value = given.get(name, defaults.get(name, "" if field.default is None else str(field.default)))
    options: tuple[tuple[str, str], ...] = ()
    help_text = ""
    if isinstance(field, Choice):
        widget = "select"
        options = tuple((option, str(OPTIONS.get(option, option))) for option in field.options)
    elif isinstance(field, Number) and field.options:
        widget, options = "select", tuple((f"{option:f}",) * 2 for option in field.options)
    elif isinstance(field, Flag):
        widget = "checkbox"
    elif isinstance(field, Many):
        widget = (
            "textarea"
            if field.most != field.least or field.least > 3 or isinstance(field.each, Record)
            else "list"
        )
        if isinstance(field.each, Record):
            help_text = _(
                "A line each: %(names)s", names=" · ".join(field_label(inner) for inner in field.each.fields)
            )
        elif field.least == field.most:
            help_text = _("%(n)s values, separated by blanks", n=field.least)
        else:
            help_text = _("At least %(n)s values, separated by blanks", n=field.least)
    elif isinstance(field, Day):
        widget, help_text = "text", "2026-03-28"
    elif isinstance(field, Instant):
        widget, help_text = "text", "2026-03-28T10:00:00+08:00"
    else:
        widget = "number" if isinstance(field, Number | Count) else "text"
    required = field.required and field.default is None
    return Control(name, field_label(field), widget, str(value), required, help_text, options)


def read_form(rule: Rule, posted: Mapping[str, str]) -> dict[str, Any]:
    """The rule's inputs from what was posted; blanks count as not given. The rule itself refuses what is wrong."""
    given: dict[str, Any] = {}
    for field in rule.fields:
        text = posted.get(field.name, "").strip()
        if isinstance(field, Flag):
            given[field.name] = field.name in posted
        elif isinstance(field, Record):
            inner = {
                item.name: posted[f"{field.name}.{item.name}"].strip()
                for item in field.fields
                if posted.get(f"{field.name}.{item.name}", "").strip()
            }
            if inner:
                given[field.name] = inner
        elif not text:
            continue
        elif isinstance(field, Many) and isinstance(field.each, Record):
            names = [item.name for item in field.each.fields]
            rows = [SEPARATORS.split(line.strip()) for line in text.splitlines() if line.strip()]
            given[field.name] = [
                dict(zip(names, row, strict=False)) if len(row) <= len(names) else {"": " ".join(row)}
                for row in rows
            ]
        elif isinstance(field, Many):
            given[field.name] = [part for part in SEPARATORS.split(text) if part]
        else:
            given[field.name] = text
    return given


def as_text(rule: Rule, given: Mapping[str, Any]) -> dict[str, str]:
    """Inputs of a vector as the form's texts: the example that a calculator opens with."""
    shown: dict[str, str] = {}
    for field in rule.fields:
        value = given.get(field.name)
        if value is None:
            continue
        if isinstance(field, Flag):
            shown[field.name] = "true" if value else ""
        elif isinstance(field, Record):
            shown.update({f"{field.name}.{name}": str(inner) for name, inner in value.items()})
        elif isinstance(field, Many) and isinstance(field.each, Record):
            shown[field.name] = "\n".join(" ".join(str(v) for v in row.values()) for row in value)
        elif isinstance(field, Many):
            shown[field.name] = " ".join(str(item) for item in value)
        else:
            shown[field.name] = str(value)
    return shown
