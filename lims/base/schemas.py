"""What comes in: a schema for each write. Forms, the API, imports and the command line all fill the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, cast, get_args
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from lims.base.fields import Instant, Kind, Text, Ui
from lims.base.problems import Problem, Refused


class Schema(BaseModel):
    """Base of all inputs: unknown names are refused, blanks mean "not given"."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Validate `data`. Raises: Refused with one problem for each field that is wrong."""
        given = {name: value for name, value in data.items() if not _blank(value)}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise Refused(problems_of(error, data)) from None

    @classmethod
    def as_read(cls, data: Mapping[str, Any] | Schema) -> Self:
        """`data` as it is when somebody has read it already, else read now. Raises: Refused."""
        return cast(Self, data) if isinstance(data, Schema) else cls.read(data)

    @classmethod
    def inputs(cls) -> list[Input]:
        """The fields in their order, as a form needs them."""
        return [Input.of(name, info) for name, info in cls.model_fields.items()]

    def values(self) -> dict[str, Any]:
        """Field values without dumping nested schemas: what a service assigns to a record."""
        return {name: getattr(self, name) for name in type(self).model_fields}


@dataclass(frozen=True)
class Input:
    """One field of a schema: its kind (parser), its face and whether it must be given."""

    name: str
    kind: Kind
    ui: Ui
    required: bool
    default: Any

    @classmethod
    def of(cls, name: str, info: FieldInfo) -> Input:
        meta = [*info.metadata]
        for argument in get_args(info.annotation):  # Annotated[...] | None keeps its metadata inside
            meta += getattr(argument, "__metadata__", ())
        kind = next((m for m in meta if isinstance(m, Kind)), Text())
        ui = next((m for m in meta if isinstance(m, Ui)), Ui(name.replace("_", " ").capitalize()))
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        return cls(name, kind, ui, info.is_required(), default)

    @property
    def widget(self) -> str:
        """The control that a form draws for it (lims.base.forms.FormField)."""
        return self.ui.widget or self.kind.widget


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def problems_of(error: ValidationError, data: Mapping[str, Any]) -> list[Problem]:
    """Pydantic's findings as problems: the field, a sentence, the value as it was given."""
    found = []
    for item in error.errors(include_url=False):
        path = [str(part) for part in item["loc"] if not str(part).startswith("function-")]
        name = ".".join(path)
        value = item.get("input")
        if item["type"] == "missing":
            found.append(Problem(name, _("is required"), ""))
        elif item["type"] == "extra_forbidden":
            found.append(Problem(name, _("is not a field of this record"), _shown(value)))
        elif item["type"] == "lims":
            found.append(Problem(name, str(item["ctx"]["message"]), _shown(value)))
        elif item["type"] == "value_error":
            found.append(Problem(name, str(item["ctx"]["error"]), "" if not path else _shown(value)))
        else:
            found.append(Problem(name, item["msg"], _shown(value)))
    return found


def _shown(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    try:
        return str(value)[:200].encode(errors="replace").decode()
    except ValueError:  # an integer of thousands of digits
        return ""


def localise(schema: type[Schema], data: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A browser's local times (`2026-03-28T10:00`) as instants of the laboratory's zone; the rest unchanged."""
    result = dict(data)
    for item in schema.inputs():
        value = result.get(item.name)
        if isinstance(item.kind, Instant) and isinstance(value, str) and value.strip():
            try:
                moment = datetime.fromisoformat(value.strip())
            except ValueError:
                continue  # the schema says what is wrong with it
            if moment.tzinfo is None:
                result[item.name] = moment.replace(tzinfo=zone).isoformat()
    return result
