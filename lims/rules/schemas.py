"""What comes in about rules."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.fields import Day, Kind, Text, Ui, plain_text, whole_text, wrong
from lims.base.schemas import Schema
from lims.standards.register import REGISTER


class RuleId(Kind):
    """The id of a rule of the register."""

    def parse(self, value: Any) -> str:
        text = plain_text(value)
        if text not in REGISTER.by_id:
            raise wrong(_("“%(value)s” is not a rule of the register", value=text[:60]))
        return text

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(REGISTER.by_id)}


class RuleSettings(Kind):
    """Values of a rule's open inputs: an object, or `name = value`, a line each."""

    widget = "textarea"

    def parse(self, value: Any) -> dict[str, str]:
        if isinstance(value, dict):
            return {whole_text(name): plain_text(given) for name, given in value.items() if plain_text(given)}
        found = {}
        for line in plain_text(value).splitlines():
            name, equals, given = line.partition("=")
            if not equals or not given.strip():
                raise wrong(_("“%(value)s” is not accepted; accepted: name = value", value=line[:60]))
            found[name.strip()] = given.strip()
        return found

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


class RuleSignoffIn(Schema):
    rule_id: Annotated[str, RuleId(), Ui(_l("Rule"))]
    document: Annotated[
        str, Text(200), Ui(_l("Document"), help=_l("The laboratory's own licensed copy, with its number"))
    ]
    checked_on: Annotated[date, Day(), Ui(_l("Checked on"))]
    note: Annotated[str | None, Text(2000, lines=True), Ui(_l("Note"))] = None


class RuleEditionIn(Schema):
    rule_id: Annotated[str, RuleId(), Ui(_l("Rule"))]
    settings: Annotated[
        dict[str, str], RuleSettings(), Ui(_l("Values"), help=_l("name = value, a line each"))
    ]
    reason: Annotated[str, Text(400), Ui(_l("Reason"))]
    effective_on: Annotated[date, Day(), Ui(_l("Effective on"))]
