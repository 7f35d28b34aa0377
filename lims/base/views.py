"""Pages of a record: list, search, show, add, edit, retire. Subclasses only say what to show.

Built on Flask-AppBuilder's BaseView (blueprints, permissions, menu) instead of its ModelView: that one writes
tables past the services, shares its filters between threads and shows columns nobody named (docs/architecture.md).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from flask import flash, g, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import Boolean

from lims.base.display import (
    EMPTY,
    Cell,
    Told,
    actor_names,
    cell,
    form_text,
    is_actor,
    laboratory_zone,
    local_today,
)
from lims.base.exports import FORMATS, MOST_ROWS_AT_ONCE, ListQuery, answer_with, export_later, table_of
from lims.base.fields import Choice, Reference, is_usual_year
from lims.base.forms import Form, build_form, posted_values
from lims.base.laboratory import laboratory
from lims.base.preferences import MOST_QUERY, Preference, preferences_of
from lims.base.problems import Conflict, Problem, Refused, refuse
from lims.base.records import Record
from lims.base.repeats import add_once
from lims.base.schemas import Input, Schema, localise
from lims.base.security import concealed, current_actor, may, principal, require
from lims.base.services import PAGE_SIZES, SERVICES, STORED_VALUES, RecordService, values_of
from lims.base.words import spoken_locale

#: record_name -> its view, filled when the application is made.
VIEWS: dict[str, RecordView] = {}

#: Labels of the columns that every record has.
COMMON_LABELS = {
    "id": _l("No."),
    "created_at": _l("Entered"),
    "created_by": _l("Entered by"),
    "changed_at": _l("Changed"),
    "changed_by": _l("Changed by"),
    "retired_at": _l("Out of use since"),
    "title": _l("Name"),
    "code": _l("Code"),
    "name": _l("Name"),
    "file": _l("File"),
}


@dataclass(frozen=True, slots=True)
class MenuPlace:
    """Where the list stands in the menu."""

    category: str
    order: int = 50
    icon: str = "list"


@dataclass(frozen=True, slots=True)
class Related:
    """A list of other records that refer to the shown one through `foreign_key`."""

    record_name: str
    foreign_key: str


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    label: str
    unit: str
    orderable: bool
    numeric: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from: words, the page that tells more, and what was done (new, changed)."""

    text: str
    href: str
    action: str = ""


#: Each is asked for the origins of a record that is shown; what brings records in registers itself here.
ORIGINS: list[Callable[[Record], list[Origin]]] = []


def address_of(record: Record) -> str:
    """The page of a record, "" when it has none."""
    view = VIEWS.get(record.record_name)
    if view is None:
        return ""
    # A list names seventy records: the address is built once a kind, and a number set behind it.
    kept: dict[str, str] = vars(g._get_current_object()).setdefault("lims_addresses", {})
    found = kept.get(view.endpoint)
    if found is None:
        found = kept[view.endpoint] = url_for(f"{view.endpoint}.show", record_id=0).removesuffix("0")
    return f"{found}{record.id}"


class GuardedView(BaseView):
    """A page under permissions. Every exposed method states its permission and calls `require`."""

    class_permission_name: str
    #: The name that permissions are granted on.
    permission_on: ClassVar[str] = ""

    def __init__(self) -> None:
        if self.permission_on:
            self.class_permission_name = self.permission_on
        super().__init__()

    def allow(self, permission: str) -> None:
        """Raises: Forbidden (a visitor is sent to sign in)."""
        require(permission, self.class_permission_name)


def bounded_int(name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query string. Raises: Refused with what is accepted."""
    given = request.args.getlist(name)
    if not given:
        return default
    if len(given) > 1 or not given[0].isdecimal() or len(given[0]) > 9 or not low <= int(given[0]) <= high:
        raise refuse(
            name,
            _("is not accepted; accepted: one whole number from %(low)s to %(high)s", low=low, high=high),
            given[0],
        )
    return int(given[0])


def met_another() -> Problem:
    """What a form says whose record another person was faster to change."""
    return Problem(
        "",
        _(
            "Someone else changed this record after you opened it. Your values are kept; theirs stand beside them."
        ),
    )


def opened_version(default: str = "") -> int:
    """The version that the posted form says it was opened with; -1 when that is none."""
    given = request.form.get("version", default)
    return int(given) if given.isdecimal() and len(given) < 19 else -1


def require_opened(version: int) -> None:
    """Raises: Refused."""
    if version < 0:
        given = request.form.get("version", "")
        raise refuse("version", _("is required: the version the form was opened with"), given)


def times_left_alone(record: Any, schema: type[Schema], posted: Mapping[str, str]) -> dict[str, datetime]:
    """Stored times whose control was not touched: it shows no fractions of a second, and of the hour that a change of clocks
    repeats not which of the two. Read anew they would be others."""
    stored = {item: getattr(record, item.name, None) for item in schema.inputs() if item.widget == "datetime"}
    return {
        item.name: time
        for item, time in stored.items()
        if isinstance(time, datetime) and posted.get(item.name, "").strip() == form_text(item, time)
    }


def require_usual_year(name: str, day: date) -> None:
    """Days of an address as those of a form. Raises: Refused."""
    if not is_usual_year(day.year):
        message = _("%(value)s is not accepted; accepted: a year from 1950 to 2150", value=day.year)
        raise refuse(name, message, day.isoformat())


class RecordView(GuardedView):
    """List, show, add, edit and retire of one record."""

    service: ClassVar[RecordService[Any]]
    title: ClassVar[Any] = ""
    title_one: ClassVar[Any] = ""
    menu: ClassVar[MenuPlace | None] = None
    list_columns: ClassVar[tuple[str, ...]] = ()
    #: Columns that a person may add to the list; plain columns of the record only, so that no row costs a statement.
    more_columns: ClassVar[tuple[str, ...]] = ("created_at", "changed_at")
    labels: ClassVar[dict[str, Any]] = {}
    units: ClassVar[dict[str, str]] = {}
    #: Labels of stored values, for columns that no schema brings in.
    choices: ClassVar[dict[str, dict[str, Any]]] = {}
    #: Decimal places of a column in lists, where the stored ones are for computing with; a record's page shows them all.
    list_places: ClassVar[dict[str, int]] = {}
    show_sections: ClassVar[tuple[tuple[Any, tuple[str, ...]], ...]] = ()
    form_sections: ClassVar[tuple[tuple[Any, tuple[str, ...]], ...]] = ()
    related: ClassVar[tuple[Related, ...]] = ()
    #: Of many related lists those without an entry stand together in one card.
    folds_empty: ClassVar[bool] = False
    #: A sentence for an empty list: what to do next.
    empty_hint: ClassVar[Any] = ""
    #: Days of a new form that are mostly today.
    begins_today: ClassVar[tuple[str, ...]] = ()
    #: Pages that stand beside the list: (words, endpoint).
    list_links: ClassVar[tuple[tuple[Any, str], ...]] = ()
    list_template: ClassVar[str] = "lims/record_list.html"
    show_template: ClassVar[str] = "lims/record_show.html"
    form_template: ClassVar[str] = "lims/record_form.html"

    def __init__(self) -> None:
        name = self.service.record.record_name
        self.route_base = f"/{name}"
        self.class_permission_name = name
        self.inputs: dict[str, Input] = {}
        schemas: list[type[Schema]] = [
            s for s in (self.service.edit_schema, getattr(self.service, "schema", None)) if s
        ]
        for schema in schemas:
            self.inputs.update({item.name: item for item in schema.inputs()})
        STORED_VALUES[name] = {column: Choice(words) for column, words in self.choices.items()}
        VIEWS[name] = self
        #: By language and clock.
        self._of_readers: dict[tuple[str, str], Told] = {}
        super().__init__()

    # --- pages --------------------------------------------------------------------------------------------

    @expose("/")
    @permission_name("read")
    def list(self) -> ResponseReturnValue:
        self.allow("read")
        page = self.service.page(
            **self.asked().words(),
            number=bounded_int("page", 1, 1, 10**9 - 1) - 1,
            size=bounded_int("size", PAGE_SIZES[0], 1, 10**6),
            after=request.args.get("after", ""),
        )
        liked = self._liked()
        names = self.chosen_columns(liked)
        rows = self.rows(page.items, names)
        given = _given()
        kept = {key: value for key, value in given.items() if key not in {"page", "size", "format", "after"}}
        return self.page(
            self.list_template,
            list_page=page,
            columns=self.columns(names),
            known_columns=[(name, self.label(name), name in names) for name in self.known_columns()],
            rows=rows,
            search=self._search(),
            filters=self._filter_controls(),
            chips=self._chips(),
            saved_filters=[(item.name, json.loads(item.value)) for item in liked if item.kind == "filter"],
            given=given,
            export_query=kept,
            saved_query=urlencode(kept, doseq=True),
            query=request.query_string.decode("utf-8", "replace")[:MOST_QUERY],
            order=request.args.get("order", "") or self.service.default_order,
            may_add=self.may_add(),
            may_retire=self.may_retire(),
            shows_retired=request.args.get("retired") == "1",
            page_sizes=PAGE_SIZES,
        )

    @expose("/export")
    @permission_name("read")
    def export(self) -> ResponseReturnValue:
        """What the list shows, as a workbook or as CSV; a long one is made by a job."""
        self.allow("read")
        kind = request.args.get("format", "")
        if kind not in FORMATS:
            raise refuse("format", _("is not known; accepted: %(what)s", what=", ".join(FORMATS)), kind[:40])
        query = self.asked(extra=("format",))
        names = self.chosen_columns(self._liked())
        total = self.service.count(**query.words())
        if total > MOST_ROWS_AT_ONCE:
            job = export_later(self, names, query, kind, current_actor())
            return redirect(url_for("JobView.show", record_id=job.id))
        return answer_with(table_of(self, names, query, total), kind)

    @expose("/<int:record_id>")
    @permission_name("read")
    def show(self, record_id: int) -> ResponseReturnValue:
        self.allow("read")
        record = self.service.get(record_id)
        return self.page(self.show_template, **self.show_context(record))

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        self.allow("write")
        return self.adding()

    def adding(self) -> ResponseReturnValue:
        """The form of a new record, for whom the exposed method let in."""
        if not self.service.writable:
            return self.not_written_here()
        schema = self.service.schema
        if request.method == "GET":
            given = {name: value for name, value in request.args.items() if name in self.inputs}
            return self.render_form(self.form_for(schema, {**self.defaults(), **given}), None)
        posted = posted_values(schema, request.form)
        try:
            given = localise(schema, posted, laboratory_zone())
            record = add_once(self.service, given, current_actor(), form_key(posted))
        except Refused as error:
            form = self.form_for(schema, posted, problems=error.problems)
            return self.render_form(form, None), 422
        flash(_("Saved: %(title)s", title=record.title), "success")
        return redirect(self.after_add(record))

    @expose("/<int:record_id>/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        record = self.service.get(record_id)
        if not self.service.writable:
            return self.not_written_here()
        schema = self.service.edit_schema or self.service.schema
        if request.method == "GET":
            values = self.form_values(record, schema)
            return self.render_form(self.form_for(schema, values, version=record.version), record)
        posted = posted_values(schema, request.form)
        version = opened_version()
        try:
            require_opened(version)
            typed = self.as_typed(record, schema, posted)
            record = self.service.edit(record_id, typed, version, current_actor())
        except Refused as error:
            form = self.form_for(schema, posted, problems=error.problems, version=version)
            return self.render_form(form, record), 422
        except Conflict as conflict:
            form = self.form_for(
                schema,
                posted,
                problems=[met_another()],
                theirs=conflict.theirs,
                version=conflict.current_version,
            )
            return self.render_form(form, record), 409
        flash(_("Saved: %(title)s", title=record.title), "success")
        return redirect(address_of(record))

    @expose("/<int:record_id>/retire", methods=["POST"])
    @permission_name("write")
    def retire(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        if not self.service.writable:
            return self.not_written_here()
        record = self.service.retire(record_id, current_actor())
        flash(_("Out of use: %(title)s", title=record.title), self.undo_of("restore", [record.id]))
        return redirect(url_for(f"{self.endpoint}.list"))

    @expose("/bulk", methods=["POST"])
    @permission_name("write")
    def bulk(self) -> ResponseReturnValue:
        """Take the ticked rows out of use, or back into use; all or none."""
        self.allow("write")
        action = request.form.get("action", "")
        if not self.service.writable or not self.service.retirable:
            return self.not_written_here()
        if action not in {"retire", "restore"}:
            raise refuse("action", _("is not known; accepted: %(what)s", what="retire, restore"), action)
        given = request.form.getlist("id")
        ids = [int(text) for text in given if text.isdecimal() and len(text) <= 18]
        if not ids or len(ids) != len(given) or len(ids) > PAGE_SIZES[-1]:
            raise refuse(
                "id", _("needs 1 to %(most)s ticked rows", most=PAGE_SIZES[-1]), ", ".join(given)[:60]
            )
        self.service.retire_many(ids, current_actor(), back=action == "restore")
        if action == "retire":
            flash(
                ngettext("%(num)s entry is out of use.", "%(num)s entries are out of use.", len(ids)),
                self.undo_of("restore", ids),
            )
        else:
            flash(
                ngettext("%(num)s entry is in use again.", "%(num)s entries are in use again.", len(ids)),
                "success",
            )
        return redirect(url_for(f"{self.endpoint}.list"))

    @expose("/lookup")
    @permission_name("read")
    def lookup(self) -> ResponseReturnValue:
        self.allow("read")
        found = self.service.choices(request.args.get("q", "")[:100])
        return jsonify(
            {"results": [{"id": item.id, "text": item.title} for item in found], "more": len(found) == 20}
        )

    def undo_of(self, action: str, ids: Sequence[int]) -> str:
        """Category of a message that carries its undo: the layout makes a button of it."""
        return f"undo {self.endpoint}.bulk {action} {','.join(map(str, ids))}"

    # --- for subclasses -----------------------------------------------------------------------------------

    def defaults(self) -> dict[str, Any]:
        """Values that a new form begins with."""
        return dict.fromkeys(self.begins_today, local_today())

    def form_values(self, record: Any, schema: type[Schema]) -> dict[str, Any]:
        """Stored values for the edit form."""
        return {item.name: getattr(record, item.name, item.default) for item in schema.inputs()}

    def as_typed(self, record: Any, schema: type[Schema], posted: Mapping[str, str]) -> dict[str, Any]:
        """What the posted form of a stored record says: of what was left alone, what is stored."""
        return localise(schema, posted, laboratory_zone()) | times_left_alone(record, schema, posted)

    def after_add(self, record: Any) -> str:
        """Where the person goes next."""
        return address_of(record)

    def show_context(self, record: Any) -> dict[str, Any]:
        sections = [
            (str(title), [(column, self.cell(record, column.name)) for column in self.columns(names)])
            for title, names in self.show_sections
        ]
        names = actor_names({record.created_by, record.changed_by})
        return {
            "record": record,
            "sections": sections,
            "related": self.related_lists(record),
            "entered": (self.cell(record, "created_at"), names[record.created_by]),
            "changed": (self.cell(record, "changed_at"), names[record.changed_by]),
            "may_edit": self.service.writable and may("write", self.class_permission_name),
            "changeable": self.service.changeable(record),
            "origins": [origin for ask in ORIGINS for origin in ask(record)],
        }

    def related_lists(self, record: Any) -> Sequence[dict[str, Any]]:
        lists = []
        for item in self.related:
            if not may("read", item.record_name):
                continue
            view = VIEWS[item.record_name]
            page = SERVICES[item.record_name].page(filters={item.foreign_key: record.id})
            names = tuple(n for n in view.list_columns if n != item.foreign_key.removesuffix("_id"))
            lists.append(
                {
                    "view": view,
                    "page": page,
                    "columns": view.columns(names),
                    "rows": view.rows(page.items, names),
                    "all_url": url_for(f"{view.endpoint}.list", **{item.foreign_key: record.id}),
                    "add_url": url_for(f"{view.endpoint}.add", **{item.foreign_key: record.id})
                    if view.may_add()
                    else "",
                }
            )
        return lists

    # --- inside -------------------------------------------------------------------------------------------

    def may_add(self) -> bool:
        return self.service.writable and may("write", self.class_permission_name)

    def may_retire(self) -> bool:
        return self.may_add() and self.service.retirable

    def not_written_here(self) -> ResponseReturnValue:
        raise refuse("", _("these records are made by the system, not by hand"))

    def page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, address_of=address_of, **context)
        return rendered

    def form_for(self, schema: type[Schema], values: Any, **more: Any) -> Form:
        return build_form(schema, values, sections=self.form_sections, **more)

    def render_form(self, form: Form, record: Any) -> str:
        """A new form carries a key, so that a second click on Save writes nothing more."""
        key = "" if record is not None else request.form.get("form_key") or secrets.token_urlsafe(16)
        return self.page(self.form_template, form=form, record=record, form_key=key)

    def label(self, name: str) -> str:
        if name in self.labels:
            return str(self.labels[name])
        item = self.inputs.get(name) or self.inputs.get(f"{name}_id")
        if item is not None:
            return str(item.ui.label)
        return str(COMMON_LABELS.get(name) or name.replace("_", " ").capitalize())

    def columns(self, names: Sequence[str]) -> Sequence[Column]:
        found = []
        for name in names:
            item = self.inputs.get(name)
            unit = str(
                self.units.get(name) or (item.ui.unit or getattr(item.kind, "unit", "") if item else "")
            )
            numeric = bool(unit) or (item is not None and item.kind.widget in {"decimal", "integer"})
            found.append(Column(name, self.label(name), unit, name in self.service.order_columns, numeric))
        return found

    def cell(self, record: Any, name: str) -> Cell:
        if name in concealed(type(record)):
            return EMPTY
        return cell(record, name, self.inputs, self.choices, self._told())

    def _told(self) -> Told:
        """Cells of this view in the reader's language and by the laboratory's clock; a list asks at each cell."""
        of_request = vars(g._get_current_object())
        known = of_request.get("lims_told")
        locale = getattr(of_request.get("_flask_babel"), "babel_locale", None)
        if known is None or known[0] is not self or known[1] is not locale:
            who = (str(spoken_locale()), laboratory().timezone)
            known = (self, spoken_locale(), self._of_readers.setdefault(who, Told()))
            of_request["lims_told"] = known
        found: Told = known[2]
        return found

    def rows(self, records: Sequence[Any], names: Sequence[str]) -> Sequence[tuple[Any, Sequence[Cell]]]:
        """The lines of a list. People who are named in it are read at once."""
        named = [name for name in names if name.endswith("_by")]
        if named:
            told = (getattr(item, name, None) for name in named for item in records)
            actor_names({key for key in told if key is not None and is_actor(key)})
        return [(item, self.cells(item, names)) for item in records]

    def cells(self, record: Any, names: Sequence[str]) -> Sequence[Cell]:
        return [self._in_list(record, name, self.cell(record, name)) for name in names]

    def _in_list(self, record: Any, name: str, shown: Cell) -> Cell:
        if name not in self.list_places or shown.kind != "number":
            return shown
        return shown._replace(text=f"{getattr(record, name):.{self.list_places[name]}f}")

    def asked(self, extra: Sequence[str] = ()) -> ListQuery:
        """What the address asks of the list; the names in `extra` are for something else."""
        filters = {name: value for name, value in self._filters().items() if name not in extra}
        return ListQuery(
            self._search(), filters, request.args.get("order", ""), request.args.get("retired") == "1"
        )

    def _liked(self) -> Sequence[Preference]:
        user = principal()
        return preferences_of(user.id, self.class_permission_name) if user is not None else []

    def chosen_columns(self, liked: Sequence[Preference] = ()) -> Sequence[str]:
        """The columns that the person chose, else those of the list; nothing that `known_columns` leaves out."""
        chosen = next((json.loads(item.value) for item in liked if item.kind == "columns"), self.list_columns)
        known = self.known_columns()
        return [name for name in known if name in chosen] or [n for n in self.list_columns if n in known]

    def known_columns(self) -> Sequence[str]:
        """What a person may choose from, in order."""
        kept = concealed(self.service.record)
        return [name for name in dict.fromkeys((*self.list_columns, *self.more_columns)) if name not in kept]

    def _chips(self) -> Sequence[dict[str, str]]:
        """Every condition that narrows the list, each with the address of the list without it."""
        chips = []
        for condition in self.conditions(self.asked()):
            rest: dict[str, Any] = {
                key: others
                for key, others in _given().items()
                if key not in {condition["name"], "page", "after"}
            }
            chips.append({**condition, "without": url_for(f"{self.endpoint}.list", **rest)})
        return chips

    def conditions(self, query: ListQuery) -> Sequence[dict[str, str]]:
        """Every condition of a query in words."""
        given = {**({"q": query.search} if query.search else {}), **query.filters}
        found = []
        for name, asked in given.items():
            text = _(", ").join(self._in_words(name, value) for value in values_of(asked))
            found.append(
                {"name": name, "label": _("Search") if name == "q" else self.label(name), "text": text}
            )
        return found

    def _in_words(self, name: str, value: str) -> str:
        """A value of a filter as the list tells it."""
        item = self.inputs.get(name)
        if item is not None and isinstance(item.kind, Reference) and value.isdecimal():
            target = SERVICES[item.kind.record_name].find(id=int(value[:18]))
            return target.title if target is not None else value
        return str(self._options(name).get(value, value))

    def _options(self, name: str) -> Mapping[str, Any]:
        """The values of a column that are a fixed list -> words."""
        item, column = self.inputs.get(name), getattr(self.service.record, name, None)
        found = self.choices.get(name) or (getattr(item.kind, "options", None) if item else None)
        if found is None and isinstance(getattr(column, "type", None), Boolean):
            return {"true": _("yes"), "false": _("no")}
        return found or {}

    def _search(self) -> str:
        return request.args.get("q", "")[:100]

    def _filters(self) -> dict[str, str | Sequence[str]]:
        known = {"q", "page", "size", "order", "retired", "after", "_l_"}
        filters: dict[str, str | Sequence[str]] = {}
        for name, given in request.args.lists():
            values = [value for value in given if value]
            if name not in known and values:
                filters[name] = values if len(values) > 1 else values[0]
        return filters

    def _filter_controls(self) -> Sequence[dict[str, Any]]:
        """Choice columns get a select. What came by a link, and several values at once, stay through a search; their chip
        clears them."""
        given = {name: values_of(value) for name, value in self._filters().items()}
        controls: list[dict[str, Any]] = []
        for name in self.service.filter_columns:
            values, options = given.get(name, []), self._options(name)
            control = {"name": name, "label": self.label(name), "options": None}
            if options and len(values) < 2:
                told = [(key, str(text)) for key, text in options.items()]
                controls.append({**control, "options": told, "value": values[0] if values else ""})
            else:
                controls += [{**control, "value": value} for value in values]
        return controls


def _given() -> dict[str, Any]:
    """The words of the address that say something, as `url_for` takes them again: several of one name as a list. Those that
    say nothing narrow no list, and may be names that `url_for` takes for itself, as `_scheme` and `endpoint`."""
    given = {name: [value for value in values if value] for name, values in request.args.lists()}
    return {name: values if len(values) > 1 else values[0] for name, values in given.items() if values}


def form_key(posted: dict[str, Any]) -> str:
    """The key of what this form sent: a second click sends the same, a person who went back and changed it does not."""
    key = request.form.get("form_key", "")[:60]
    return f"{key}-{hashlib.sha256(repr(sorted(posted.items())).encode()).hexdigest()}" if key else ""
