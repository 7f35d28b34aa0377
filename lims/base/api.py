"""REST of a record: list, read, add, change, retire, each with its OpenAPI description.

Built on Flask-AppBuilder's BaseApi. Fields are named one by one: nothing is shown that was not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from apispec import APISpec
from flask import Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from flask_appbuilder.api import BaseApi, expose, permission_name, protect
from flask_babel import gettext as _
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import RequestEntityTooLarge

from lims.base.actor import Actor
from lims.base.fields import MOST_DIGITS, is_sendable, too_many_digits
from lims.base.problems import NotFound, refuse
from lims.base.repeats import add_once
from lims.base.schemas import Schema
from lims.base.security import concealed, current_actor, require
from lims.base.services import MOST_COUNTED, MOST_VALUES, PAGE_SIZES, RecordService
from lims.base.signatures import signer
from lims.base.views import bounded_int

#: Names of one object: several times as many as the largest record has.
MOST_NAMES = 1_000
#: What every record carries, behind its own fields.
WHO_AND_WHEN = ("created_at", "created_by", "changed_at", "changed_by", "retired_at")
PROBLEM_SCHEMA = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "message": {"type": "string"},
                    "value": {"type": "string"},
                },
            },
        },
    },
}


def plain(value: Any) -> Any:
    """As JSON: decimals as strings (a float would change them), times in UTC."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def json_object() -> dict[str, Any]:
    """The request's JSON object; numbers keep every digit. Raises: Refused, RequestEntityTooLarge for more than a form
    holds: sixteen megabytes of empty lists become four hundred, before it is known who sent them."""
    import json

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS + 1:
            raise too_many_digits()
        return int(digits)

    def number(text: str) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:  # an exponent of twenty digits
            raise too_many_digits() from None

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > MOST_NAMES:
            message = _(
                "has %(number)s values; accepted: up to %(most)s at once", number=len(pairs), most=MOST_NAMES
            )
            raise refuse("", message)
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise refuse(_stored(name), _("is given more than once"))
            found[name] = value
        return found

    most = current_app.config["MAX_FORM_MEMORY_SIZE"]
    request.max_content_length = most  # as the answer says it
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge
    if not request.is_json:
        raise refuse("", _("the request is not JSON; accepted: an object with content type application/json"))
    try:
        text = request.get_data(as_text=True)
        if len(text) > most:  # of one that did not say how long it is
            raise RequestEntityTooLarge
        data = json.loads(
            text,
            parse_int=whole,
            parse_float=number,
            parse_constant=lambda name: name,
            object_pairs_hook=once,
        )
    except PydanticCustomError as error:
        raise refuse("", str((error.context or {})["message"])) from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise refuse("", _("the request is not well-formed JSON")) from None
    if not isinstance(data, dict):
        raise refuse("", _("the request is not a JSON object"))
    for name, value in data.items() if "\\u" in text else ():
        # Half of a pair of surrogates can be neither stored nor hashed.
        if not is_sendable(json.dumps([name, value], ensure_ascii=False, default=str)):
            raise refuse(_stored(name), _("holds a control character; accepted: plain text"))
    return data


def _stored(name: str) -> str:
    """A name that was sent, without halves of pairs of surrogates."""
    return name.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a record's flow over REST: POST /api/v1/<record>/<id>/steps/<name>.

    `permission` on `permission_on` is asked for; `schema` says what the body holds (None: nothing); `run` gets the id,
    the values read and the actor, and gives the record that changed.
    """

    name: str
    summary: str
    permission: str
    permission_on: str
    run: Callable[[int, Any, Actor], Any]
    schema: type[Schema] | None = None
    #: The step is a signature: the body holds the person's password as well (lims/base/signatures.py).
    signs: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """An address beside the general ones, for the description; the subject's API exposes it.

    `path` stands below the record's own. `gives`: media types of a file, a JSON schema, or None for the record itself.
    """

    path: str
    summary: str
    gives: tuple[str, ...] | dict[str, Any] | None = None
    method: str = "get"
    status: str = "200"
    #: What the query may hold.
    query: type[Schema] | None = None
    #: What a form with a file holds: name -> JSON schema, and which of them must be there.
    form: dict[str, dict[str, Any]] | None = None
    required: tuple[str, ...] = ()


def given_flag(name: str) -> bool:
    """A yes or no of the query string; no when it is not given. Raises: Refused."""
    given = request.args.getlist(name)
    if len(given) > 1 or (given and given[0].lower() not in {"true", "1", "false", "0"}):
        raise refuse(name, _("is not accepted; accepted: true or false"), given[0])
    return bool(given) and given[0].lower() in {"true", "1"}


def fields_of(record: Any, names: Sequence[str]) -> dict[str, Any]:
    """The record as it goes out: these fields, but for those that the asking person is not shown."""
    kept = concealed(type(record))
    return {name: plain(getattr(record, name)) for name in names if name not in kept}


class RecordApi(BaseApi):
    """/api/v1/<record>/ and /api/v1/<record>/<id>."""

    service: ClassVar[RecordService[Any]]
    #: The attributes that go out. Explicit: a relation or a hash never slips through.
    fields: ClassVar[tuple[str, ...]] = ()
    #: Steps beside add, change and retire.
    steps: ClassVar[tuple[Step, ...]] = ()
    #: Addresses of its own, so that the description names them too.
    places: ClassVar[tuple[Place, ...]] = ()
    version = "v1"
    allow_browser_login = True
    csrf_exempt = False

    def __init__(self) -> None:
        name = self.service.record.record_name
        self.resource_name = name
        self.class_permission_name = name
        self.openapi_spec_tag = name
        if not self.service.writable:
            self.exclude_route_methods = {"post", "put", "retire"}
        super().__init__()

    @expose("/", methods=["GET"])
    @protect()
    @permission_name("read")
    def get_list(self) -> ResponseReturnValue:
        args = dict(request.args.lists())
        filters = {}
        for name, values in args.items():
            if name in {"q", "page", "page_size", "order", "after", "retired"}:
                continue
            filters[name] = values
        page = self.service.page(
            search=request.args.get("q", "")[:100],
            filters=filters,
            order=request.args.get("order", ""),
            number=bounded_int("page", 0, 0, 10**9 - 1),
            size=bounded_int("page_size", PAGE_SIZES[0], 1, 10**6),
            retired=given_flag("retired"),
            after=request.args.get("after", ""),
            clamped=False,  # who reads until nothing comes must come to an end
        )
        self.read_for(page.items)
        return jsonify(
            {
                "count": page.total,
                "counted": page.counted,
                "after": page.after,
                "page": page.number,
                "page_size": page.size,
                "result": [self.outward(item) for item in page.items],
            }
        )

    @expose("/<int:record_id>", methods=["GET"])
    @protect()
    @permission_name("read")
    def get(self, record_id: int) -> ResponseReturnValue:
        return self._one(self.service.get(record_id), 200)

    @expose("/", methods=["POST"])
    @protect()
    @permission_name("write")
    def post(self) -> ResponseReturnValue:
        """With an Idempotency-Key the same request, sent again, gets the same record."""
        return self.adding()

    def adding(self) -> ResponseReturnValue:
        key = request.headers.get("Idempotency-Key", "")
        return self._one(add_once(self.service, json_object(), current_actor(), key), 201)

    @expose("/<int:record_id>", methods=["PUT"])
    @protect()
    @permission_name("write")
    def put(self, record_id: int) -> ResponseReturnValue:
        data = json_object()
        version = data.pop("version", None)
        if isinstance(version, bool) or not isinstance(version, int):
            raise refuse("version", _("is required: the version that was read"), version)
        return self._one(self.service.edit(record_id, data, version, current_actor()), 200)

    @expose("/<int:record_id>/retire", methods=["POST"])
    @protect()
    @permission_name("write")
    def retire(self, record_id: int) -> ResponseReturnValue:
        return self._one(self.service.retire(record_id, current_actor()), 200)

    @expose("/<int:record_id>/steps/<name>", methods=["POST"])
    @protect()
    @permission_name("read")
    def step(self, record_id: int, name: str) -> ResponseReturnValue:
        """Reading the record is the least; the step's own permission is asked for here."""
        found = next((item for item in self.steps if item.name == name), None)
        if found is None:
            raise NotFound(f"{self.resource_name} step {name}")
        require(found.permission, found.permission_on)
        given = json_object() if found.schema is not None or found.signs else {}
        actor = signer(given.pop("password", None)) if found.signs else current_actor()
        values = found.schema.read(given) if found.schema is not None else None
        return self._one(found.run(record_id, values, actor), 200)

    def read_for(self, records: Sequence[Any]) -> None:
        """Read what `outward` gives of other tables, for all rows of a list at once."""

    def outward(self, record: Any) -> dict[str, Any]:
        return fields_of(record, self.fields)

    def _one(self, record: Any, status: int) -> Response:
        response = jsonify({"result": self.outward(record)})
        response.status_code = status
        return response

    # --- description --------------------------------------------------------------------------------------

    def add_api_spec(self, api_spec: APISpec) -> None:
        name = self.resource_name
        component = "".join(part.capitalize() for part in name.split("-"))
        schema = getattr(self.service, "schema", None)
        edit = self.service.edit_schema or schema
        components = api_spec.components
        components.schema(f"{component}.out", component=self._outward_schema())
        if "Problem" not in components.schemas:
            components.schema("Problem", component=PROBLEM_SCHEMA)
        one = {"type": "object", "properties": {"result": _ref(f"{component}.out")}}
        many = {
            "type": "object",
            "properties": {
                "count": {"type": "integer", "description": f"how many there are, counted to {MOST_COUNTED}"},
                "counted": {"type": "boolean", "description": "false when there are more than `count`"},
                "after": {
                    "type": "string",
                    "description": "give it back as `after` for the next page; empty: last page",
                },
                "page": {"type": "integer"},
                "page_size": {"type": "integer"},
                "result": {"type": "array", "items": _ref(f"{component}.out")},
            },
        }
        base = f"{self.route_base}/"
        query = [
            {"in": "query", "name": "q", "schema": {"type": "string"}, "description": "text to search for"},
            {
                "in": "query",
                "name": "page",
                "schema": {"type": "integer", "minimum": 0},
                "description": "from 0; beyond the last page `result` is empty. `after` costs less",
            },
            {
                "in": "query",
                "name": "after",
                "schema": {"type": "string"},
                "description": "`after` of the page before",
            },
            {
                "in": "query",
                "name": "retired",
                "schema": {"type": "boolean"},
                "description": "also what is out of use",
            },
            {"in": "query", "name": "page_size", "schema": {"type": "integer", "enum": list(PAGE_SIZES)}},
            {
                "in": "query",
                "name": "order",
                "schema": {
                    "type": "string",
                    "enum": [s + c for c in self.service.order_columns for s in ("", "-")],
                },
            },
            *(
                {
                    "in": "query",
                    "name": column,
                    "schema": {"type": "array", "items": {"type": "string"}, "maxItems": MOST_VALUES},
                    "description": "equal to; given several times: to one of these",
                }
                for column in self.service.filter_columns
            ),
        ]
        listing = {"get": _operation(f"List {name}", name, many, parameters=query)}
        item = {"get": _operation(f"Read one of {name}", name, one, parameters=[_KEY])}
        if self.service.writable and schema is not None and edit is not None:
            components.schema(f"{component}.add", component=_input_schema(schema))
            changed = _input_schema(edit)
            changed["properties"] = {"version": {"type": "integer"}, **changed["properties"]}
            changed["required"] = ["version", *changed.get("required", [])]
            components.schema(f"{component}.change", component=changed)
            if "post" not in self.exclude_route_methods:
                listing["post"] = _operation(
                    f"Add to {name}",
                    name,
                    one,
                    parameters=[_ONCE],
                    body=f"{component}.add",
                    status="201",
                    writes=True,
                )
            if "put" not in self.exclude_route_methods:
                item["put"] = _operation(
                    f"Change one of {name}",
                    name,
                    one,
                    parameters=[_KEY],
                    body=f"{component}.change",
                    writes=True,
                )
            if "retire" not in self.exclude_route_methods:
                summary = f"Take one of {name} out of use"
                retire = {"post": _operation(summary, name, one, parameters=[_KEY], writes=True)}
                api_spec.path(path=f"{base}{{record_id}}/retire", operations=retire)
        for step in self.steps:
            body = ""
            if step.schema is not None or step.signs:
                body = f"{component}.{step.name}"
                components.schema(body, component=_step_schema(step))
            operation = _operation(step.summary, name, one, parameters=[_KEY], body=body, writes=True)
            api_spec.path(path=f"{base}{{record_id}}/steps/{step.name}", operations={"post": operation})
        for place in self.places:
            api_spec.path(path=f"{base}{place.path}", operations={place.method: _of_place(place, name, one)})
        api_spec.path(path=base, operations=listing)
        api_spec.path(path=f"{base}{{record_id}}", operations=item)

    def _outward_schema(self) -> dict[str, Any]:
        schema = getattr(self.service, "schema", None)
        kinds = {item.name: item.kind for item in schema.inputs()} if schema else {}
        properties: dict[str, Any] = {}
        for field in self.fields:
            typed = (
                kinds[field].json_schema() if field in kinds else _kind_of_column(self.service.record, field)
            )
            properties[field] = {**typed, "nullable": True}
        return {"type": "object", "properties": properties}


#: Of what a column holds: how `plain` writes it.
_KINDS: dict[type, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    Decimal: {"type": "string", "format": "decimal"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
}


def _kind_of_column(record: type, name: str) -> dict[str, Any]:
    """What a column that nobody types in is described as; {} for what is computed."""
    columns = getattr(record, "__table__").columns  # noqa: B009 - any mapped class
    if name not in columns:
        return {}
    try:
        kind = columns[name].type.python_type
    except NotImplementedError:
        return {}
    return _KINDS.get(kind, {})


_KEY = {"in": "path", "name": "record_id", "required": True, "schema": {"type": "integer", "minimum": 1}}

_ONCE = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[A-Za-z0-9_-]*$"},
    "description": "names this request: sent again, it writes nothing and gets the same record",
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _input_schema(schema: type[Schema]) -> dict[str, Any]:
    """Plain OpenAPI 3.0 of a schema (no $defs, `nullable` instead of a null type)."""
    properties, required = {}, []
    for item in schema.inputs():
        described = dict(item.kind.json_schema())
        if str(item.ui.unit):
            described["description"] = f"{item.ui.label}, {item.ui.unit}"
        else:
            described.setdefault("description", str(item.ui.label))
        if item.required:
            required.append(item.name)
        else:
            described["nullable"] = True
        properties[item.name] = described
    result: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        result["required"] = required
    return result


def _step_schema(step: Step) -> dict[str, Any]:
    """What a step's body holds; a signature asks for the password again."""
    found: dict[str, Any] = {"type": "object", "properties": {}}
    if step.schema is not None:
        found = _input_schema(step.schema)
    if step.signs:
        found["properties"] = {
            **found["properties"],
            "password": {"type": "string", "description": "your own password, again; an API key cannot sign"},
        }
        found["required"] = [*found.get("required", []), "password"]
    return found


def _of_place(place: Place, tag: str, one: dict[str, Any]) -> dict[str, Any]:
    parameters = [_KEY] if "{record_id}" in place.path else []
    if place.query is not None:
        asked = _input_schema(place.query)
        parameters += [
            {"in": "query", "name": name, "required": name in asked.get("required", []), "schema": schema}
            for name, schema in asked["properties"].items()
        ]
    answer = place.gives if isinstance(place.gives, dict) else one
    writes = place.method != "get"
    operation = _operation(
        place.summary, tag, answer, parameters=parameters, status=place.status, writes=writes
    )
    if isinstance(place.gives, tuple):
        file = {"schema": {"type": "string", "format": "binary"}}
        operation["responses"][place.status]["content"] = dict.fromkeys(place.gives, file)
    if place.form is not None:
        form = {"type": "object", "properties": place.form, "required": list(place.required)}
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": {**form, "additionalProperties": False}}},
        }
    return operation


def _operation(
    summary: str,
    tag: str,
    answer: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: str = "",
    status: str = "200",
    writes: bool = False,
) -> dict[str, Any]:
    problem = {"content": {"application/json": {"schema": _ref("Problem")}}}
    responses: dict[str, Any] = {
        status: {"description": "Done", "content": {"application/json": {"schema": answer}}},
        "400": {"description": "Not accepted", **problem},
        "401": {"description": "Not signed in", **problem},
        "403": {"description": "Not allowed", **problem},
        "404": {"description": "No such record", **problem},
        "503": {"description": "The database is busy or away", **problem},
    }
    if writes:
        responses |= {
            "409": {"description": "Changed by someone else meanwhile", **problem},
            "413": {"description": "Too large", **problem},
            "422": {"description": "A field is not accepted, or the record's state", **problem},
            "429": {"description": "Too many attempts", **problem},
        }
    operation: dict[str, Any] = {
        "summary": summary,
        "tags": [tag],
        "responses": responses,
        "security": [{"jwt": []}, {"api_key": []}],
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return operation
