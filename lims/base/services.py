"""The one way in for every write: schema -> service -> table. Views, API, imports and commands call these."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar, final

from flask import current_app
from flask_babel import gettext as _
from pydantic_core import PydanticCustomError
from sqlalchemy import BigInteger, ColumnElement, String, and_, cast, false, func, not_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload, lazyload
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from lims.base import keyset
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.constraints import problem_of, unknown_problem
from lims.base.database import current_session, database, locked_row, number_of_rows, transaction
from lims.base.display import local_today
from lims.base.fields import Choice, Flag, Quantity, Reference, WholeNumber, narrow_letters
from lims.base.problems import Conflict, NotFound, Problem, Refused, refuse
from lims.base.records import Record
from lims.base.schemas import Schema
from lims.base.security import concealed, require_shown
from lims.base.staff import Staff, staff_names

R = TypeVar("R", bound=Record)

#: record_name -> service; filled when a service class is defined. References are resolved through it.
SERVICES: dict[str, RecordService[Any]] = {}

PAGE_SIZES = (25, 50, 100, 200)
#: Values of one column that a list is narrowed to at once.
MOST_VALUES = 20
#: No database takes a larger number for a key: SQLite's driver fails on it.
LARGEST_KEY = 2**63 - 1
#: PostgreSQL compares no larger number with what is no key.
LARGEST_INTEGER = 2**31 - 1
#: A list counts its entries so far: counting a million takes longer than showing the page. Pages have numbers as far.
MOST_COUNTED = 10_000
#: Seconds for which a list that has more, and is not narrowed, goes without being counted again.
MANY_FOR_S = 60.0


def _many() -> dict[tuple[str, bool], float]:
    """Lists of this process that have more than MOST_COUNTED entries (with those out of use?), and until when it is
    remembered."""
    found: dict[tuple[str, bool], float] = current_app.extensions.setdefault("lims.many", {})
    return found


@dataclass(frozen=True, slots=True)
class TextIndex:
    """An index over letters of a record's columns (lims/searching): the ids whose `columns` hold these letters."""

    columns: tuple[str, ...]
    ids: Callable[[str], Any]


#: record_name -> its index.
TEXT_INDEXES: dict[str, TextIndex] = {}

#: record_name -> column -> its values, of columns that no schema brings in (a state): the view has words for each.
STORED_VALUES: dict[str, dict[str, Choice]] = {}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `number` counts from 0; `size` is one of PAGE_SIZES."""

    items: Sequence[Any]
    #: How many there are, counted to MOST_COUNTED; `counted` is False when there are more.
    total: int
    number: int
    size: int
    counted: bool = True
    #: Where the next page begins ("" for the last one): the price of a page does not grow with its depth.
    after: str = ""

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, slots=True)
class _Statements:
    """What a list asks the database: how many rows, which rows (before conditions and order), and its first page."""

    count: Any
    rows: Any
    conditions: list[ColumnElement[bool]]
    by: list[Any]
    first: Any


class RecordService(Generic[R]):
    """Reads and writes of one record. Subclasses name the record and its schema, and override the hooks."""

    record: ClassVar[type[Record]]
    #: What comes in on add; also on edit unless `edit_schema` is given.
    schema: ClassVar[type[Schema]]
    edit_schema: ClassVar[type[Schema] | None] = None
    #: Columns that the free-text search looks at (a dotted path goes over one many-to-one relation).
    search_columns: ClassVar[tuple[str, ...]] = ()
    #: Columns that a list may be filtered by (equal to a value, or to one of several) and ordered by: a whitelist.
    filter_columns: ClassVar[tuple[str, ...]] = ()
    order_columns: ClassVar[tuple[str, ...]] = ("id",)
    #: Many-to-one relations that lists and pages show; loaded with the row.
    shown_relations: ClassVar[tuple[str, ...]] = ()
    #: Collections that are loaded with a record but that no list shows (dotted paths): a list leaves them out.
    left_out_of_lists: ClassVar[tuple[str, ...]] = ()
    default_order: ClassVar[str] = "-id"
    #: Rows may be taken out of use (and back) from the list.
    retirable: ClassVar[bool] = True
    #: The record may be written through the general add / edit.
    writable: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "record" in cls.__dict__:
            SERVICES[cls.record.record_name] = cls()

    # --- reading -------------------------------------------------------------------------------------------

    def visible(self) -> Sequence[ColumnElement[bool]]:
        """What the asking person may know of at all, as conditions; everything unless a subject says otherwise.

        Every way through this service heeds it: lists, pages, lookups, references, REST, changes. What is not
        visible does not exist (404), so that nobody learns that it does.
        """
        return ()

    def knows(self, record_id: int) -> bool:
        """Does the asking person know of this record?"""
        conditions = self.visible()
        if not conditions:
            return True
        query = select(self.record.id).where(self.record.id == record_id, *conditions)
        return current_session().scalar(query) is not None

    def base_query(self) -> Any:
        query = select(self.record).where(*self.visible())
        for name in self.shown_relations:
            query = query.options(joinedload(getattr(self.record, name)))
        return query

    def get(self, record_id: int) -> R:
        """Raises: NotFound."""
        if not 0 < record_id <= LARGEST_KEY:
            raise NotFound(f"{self.record.record_name} {record_id}")
        found = (
            current_session()
            .scalars(self.base_query().where(self.record.id == record_id))
            .unique()
            .one_or_none()
        )
        if found is None:
            raise NotFound(f"{self.record.record_name} {record_id}")
        self.complete([found])
        return found  # type: ignore[no-any-return]

    def complete(self, records: Sequence[R]) -> None:
        """Read what is shown of these records beside their table and relations: of pages, lists and exports, at once."""

    def find(self, **equal: Any) -> R | None:
        """The one record with these column values, or None."""
        query = self.base_query().filter_by(**equal).limit(1)
        return current_session().scalars(query).unique().one_or_none()

    def page(
        self,
        *,
        search: str = "",
        filters: Mapping[str, Any] | None = None,
        order: str = "",
        number: int = 0,
        size: int = PAGE_SIZES[0],
        retired: bool = False,
        after: str = "",
        clamped: bool = True,
    ) -> Page:
        """A page of the list: by number, or `after` the last row of the page before (`Page.after`).

        Unknown filters and orders are refused, sizes outside PAGE_SIZES are clamped. A number beyond the last page that is
        counted gives that page; not `clamped` it gives the rows that stand there, or none.
        """
        size = min((s for s in PAGE_SIZES if s >= size), default=PAGE_SIZES[-1])
        session = current_session()
        asked = self._statements(search, filters or {}, order, size, retired)
        found = self._counted(asked.count, narrowed=bool(search.strip() or filters), retired=retired)
        total, counted = min(found, MOST_COUNTED), found <= MOST_COUNTED
        number = max(0, number)
        if clamped:
            number = min(number, max(0, -(-total // size) - 1))
        elif number and counted and not after and number * size >= total:
            return Page([], total, number, size)
        query, conditions, by, ordered = asked.rows, asked.conditions, asked.by, asked.first
        name = (order or self.default_order).lstrip("-")
        if after:
            rows: list[Any] = []
            for part in self._after(order, after):
                if len(rows) <= size:
                    rows += (
                        session.scalars(ordered.where(part).limit(number_of_rows(size + 1 - len(rows))))
                        .unique()
                        .all()
                    )
        elif number:
            # Which rows first: the relations of thousands that are passed over would be read as well.
            of_page = select(self.record.id).where(*conditions).order_by(*by).limit(number_of_rows(size + 1))
            here = self.record.id.in_(of_page.offset(number * size).scalar_subquery())
            rows = list(session.scalars(query.where(here).order_by(*by)).unique().all())
        else:
            rows = list(session.scalars(ordered).unique().all())
        if (
            number
            and clamped
            and not after
            and not rows
            and _many().pop((self.record.record_name, retired), None) is not None
        ):
            # Fewer than were remembered: count again.
            return self.page(
                search=search, filters=filters, order=order, number=number, size=size, retired=retired
            )
        more = len(rows) > size
        rows = rows[:size]
        self.complete(rows)
        return Page(rows, total, number, size, counted, keyset.encode(rows[-1], name) if more else "")

    def _counted(self, count: Any, *, narrowed: bool, retired: bool) -> int:
        """Rows of a list, up to one more than MOST_COUNTED. A list that has more is the same for a minute: counting ten
        thousand rows takes longer than finding those that are shown."""
        if narrowed or self.visible():
            return current_session().scalar(count) or 0
        key = (self.record.record_name, retired)
        if _many().get(key, 0.0) > time.monotonic():
            return MOST_COUNTED + 1
        found: int = current_session().scalar(count) or 0
        if found > MOST_COUNTED:
            _many()[key] = time.monotonic() + MANY_FOR_S
        return found

    def _statements(
        self, search: str, filters: Mapping[str, Any], order: str, size: int, retired: bool
    ) -> _Statements:
        """What a list asks. As it opens, for whoever sees every row, its statements are made once: making them takes as
        long as running them. Who sees what is `visible` alone: it is asked each time. Raises: Refused."""
        opens = not (search.strip() or filters or self.visible())
        key = (order or self.default_order, size, retired)
        if opens and key in self._of_opening:
            return self._of_opening[key]
        conditions = self._conditions(search, filters, retired)
        most, rows_and_one = number_of_rows(MOST_COUNTED + 1), number_of_rows(size + 1)
        seen = select(self.record.id).where(*conditions).limit(most).subquery()
        rows = self.base_query().options(*(_left_out(self.record, path) for path in self.left_out_of_lists))
        by = self._order(order)
        first = rows.where(*conditions).order_by(*by).limit(rows_and_one)
        made = _Statements(select(func.count()).select_from(seen), rows, conditions, by, first)
        if opens:
            self._of_opening[key] = made
        return made

    @cached_property
    def _of_opening(self) -> dict[tuple[str, int, bool], _Statements]:
        """By order, size and whether retired rows are shown: as many as the list has orders, and no more."""
        return {}

    def _after(self, order: str, after: str) -> list[ColumnElement[bool]]:
        """What follows the row that `after` names, in parts that one index serves each. Raises: Refused."""
        order = order or self.default_order
        column: InstrumentedAttribute[Any] = getattr(self.record, order.lstrip("-"))
        value, last_id = keyset.decode(after, column)
        down = order.startswith("-")
        nullable = bool(column.property.columns[0].nullable)
        # Where empty values stand: SQLite takes them for the smallest, PostgreSQL for the largest.
        empty_last = nullable and (database().is_sqlite == down)
        beyond = self.record.id < last_id if down else self.record.id > last_id
        if value is None:
            same = and_(column.is_(None), beyond)
            return [same] if empty_last else [same, column.is_not(None)]
        reached = column <= value if down else column >= value
        past = column < value if down else column > value
        parts: list[ColumnElement[bool]] = [and_(reached, or_(past, beyond))]
        return [*parts, column.is_(None)] if empty_last else parts

    def count(
        self,
        *,
        search: str = "",
        filters: Mapping[str, Any] | None = None,
        order: str = "",
        retired: bool = False,
    ) -> int:
        """How many rows the list has. Raises: Refused, for a wrong order too."""
        self._order(order)
        conditions = self._conditions(search, filters or {}, retired)
        return current_session().scalar(select(func.count()).select_from(self.record).where(*conditions)) or 0

    def narrowed(
        self,
        query: Any,
        *,
        search: str = "",
        filters: Mapping[str, Any] | None = None,
        order: str = "",
        retired: bool = False,
    ) -> Any:
        """`query` over the record with the conditions and the order of its list. Raises: Refused."""
        conditions = self._conditions(search, filters or {}, retired)
        return query.where(*conditions).order_by(*self._order(order))

    @final  # what differs from person to person belongs into `visible`: `_statements` keeps what others may share
    def _conditions(
        self, search: str, filters: Mapping[str, Any], retired: bool
    ) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = list(self.visible())
        if not retired:
            conditions.append(self.record.retired_at.is_(None))
        if search.strip():
            if chr(0) in search:
                raise refuse("q", _("holds a control character; accepted: plain text"), search[:40])
            forms = dict.fromkeys((search.strip(), narrow_letters(search.strip())))
            conditions.append(or_(*(self._search(letters) for letters in forms)))
        for name, value in filters.items():
            if name not in self.filter_columns:
                raise refuse(
                    name,
                    _(
                        "is not a filter of this list; accepted: %(what)s",
                        what=", ".join(self.filter_columns),
                    ),
                    values_of(value)[0],
                )
            conditions.append(self._equals(name, values_of(value)))
        return conditions

    def _search(self, letters: str) -> ColumnElement[bool]:
        """Codes and names by their index where there is one, what else the list searches by its letters."""
        index = TEXT_INDEXES.get(self.record.record_name)
        indexed = [name for name in self.search_columns if index is not None and name in index.columns]
        parts = [self._matches(name, letters) for name in self.search_columns if name not in indexed]
        if index is not None and indexed:
            parts.append(self.record.id.in_(index.ids(letters)))
        return or_(false(), *parts)

    def _matches(self, name: str, letters: str) -> ColumnElement[bool]:
        pattern = "%" + _like_escape(letters.lower()) + "%"
        relation, _dot, column = name.rpartition(".")
        if not relation:
            return func.lower(cast(getattr(self.record, name), String)).like(pattern, escape="\\")
        # The ids of the other table first, once: an EXISTS would read it for each row of this one.
        relationship = getattr(self.record, relation).property
        target = relationship.mapper.class_
        ((key, _remote),) = relationship.local_remote_pairs
        index = TEXT_INDEXES.get(target.record_name)
        if index is not None and column in index.columns:
            ids = index.ids(letters)
        else:
            ids = select(target.id).where(func.lower(getattr(target, column)).like(pattern, escape="\\"))
        matched: ColumnElement[bool] = key.in_(ids)
        return matched

    def _equals(self, name: str, values: Sequence[Any]) -> ColumnElement[bool]:
        """The column holds one of these. Raises: Refused."""
        if len(values) > MOST_VALUES:
            raise refuse(
                name,
                _(
                    "has %(number)s values; accepted: up to %(most)s at once",
                    number=len(values),
                    most=MOST_VALUES,
                ),
                ", ".join(map(str, values)),
            )
        column: InstrumentedAttribute[Any] = getattr(self.record, name)
        wanted = [self._wanted(name, column, value) if isinstance(value, str) else value for value in values]
        if len(wanted) > 1:
            return column.in_(wanted)
        if isinstance(wanted[0], bool):  # as its index says it
            return and_(column) if wanted[0] else not_(column)
        equal: ColumnElement[bool] = column == wanted[0]
        return equal

    def _wanted(self, name: str, column: InstrumentedAttribute[Any], text: str) -> Any:
        """A value of an address as the column holds it. Raises: Refused."""
        try:
            python_type = column.type.python_type
        except NotImplementedError:
            python_type = str
        try:
            known = STORED_VALUES.get(self.record.record_name, {}).get(name) or self._choices.get(name)
            if known is not None:  # or a slip would say that there is none
                text = str(known.parse(text))
            if python_type is bool:
                return Flag().parse(text)
            if python_type is int:
                most = LARGEST_KEY if isinstance(column.type, BigInteger) else LARGEST_INTEGER
                return WholeNumber(maximum=most).parse(text)
            if python_type is str:
                if chr(0) in text:  # PostgreSQL's texts end at one
                    raise refuse(name, _("holds a control character; accepted: plain text"), text[:40])
                return text
            return Quantity(places=6, minimum=None, maximum=None).parse(text)
        except PydanticCustomError as error:
            raise refuse(name, str((error.context or {})["message"]), text) from None

    @cached_property
    def _choices(self) -> dict[str, Choice]:
        """Filters whose values are a fixed list. Who works here is none: it is not asked for each time."""
        return {
            item.name: item.kind
            for schema in (getattr(self, "schema", None), self.edit_schema)
            if schema is not None
            for item in schema.inputs()
            if isinstance(item.kind, Choice) and not isinstance(item.kind, Staff)
        }

    def _order(self, order: str) -> list[Any]:
        order = order or self.default_order
        name = order.removeprefix("-")
        if name not in (*self.order_columns, self.default_order.lstrip("-")):
            raise refuse(
                "order",
                _(
                    "“%(value)s” cannot order this list; accepted: %(what)s",
                    value=name[:40],
                    what=", ".join(self.order_columns),
                ),
                order,
            )
        column = getattr(self.record, name)
        last = self.record.id
        return [column.desc(), last.desc()] if order.startswith("-") else [column.asc(), last.asc()]

    def choices(self, search: str, size: int = 20) -> list[R]:
        """What a choice field offers for the letters typed so far."""
        return list(self.page(search=search, size=PAGE_SIZES[0]).items)[:size]

    # --- writing -------------------------------------------------------------------------------------------

    def add(self, data: Mapping[str, Any] | Schema, actor: Actor) -> R:
        """Validate, check and insert. Raises: Refused."""
        values = self.schema.as_read(data)
        with transaction(actor) as session:
            record: Any = self.record()
            self._assign(record, values)
            self.before_add(record, values, actor)
            session.add(record)
            self._flush(session, record)
            self.after_add(record, values, actor)
            self._flush(session, record)
        return record  # type: ignore[no-any-return]

    def edit(self, record_id: int, data: Mapping[str, Any] | Schema, version: int, actor: Actor) -> R:
        """Change a record that was read at `version`.

        Raises: NotFound, Refused, and Conflict with both values when someone else was faster.
        """
        schema = self.edit_schema or self.schema
        values = schema.as_read(data)
        with transaction(actor) as session:
            record = self.locked(session, record_id)
            if record.version != version:
                raise self._conflict(record, values)
            with session.no_autoflush:  # what a check reads would write the record past `_flush`
                self.before_edit(record, values, actor)
                self._assign(record, values)
                self.check(record)
            self._flush(session, record)
            self.after_edit(record, values, actor)
            self._flush(session, record)
        return record

    def retire(self, record_id: int, actor: Actor, version: int | None = None) -> R:
        """Take out of use; the row and all that refers to it stay readable."""
        with transaction(actor) as session:
            record = self.locked(session, record_id)
            if version is not None and record.version != version:
                raise Conflict(record_id, current_version=record.version)
            self.before_retire(record, actor)
            record.retired_at = record.retired_at or utc_now()
            self._flush(session, record)
            self.after_retire(record, actor)
            self._flush(session, record)
        return record

    def retire_many(self, ids: Sequence[int], actor: Actor, *, back: bool = False) -> None:
        """Take these records out of use, or (`back`) into use again: all or none. Raises: NotFound, Refused."""
        with transaction(actor):
            for record_id in ids:
                if back:
                    self.restore(record_id, actor)
                else:
                    self.retire(record_id, actor)
        _many().pop((self.record.record_name, False), None)

    def restore(self, record_id: int, actor: Actor) -> R:
        """Take back into use what was out of use."""
        with transaction(actor) as session:
            record = self.locked(session, record_id)
            self.before_restore(record, actor)
            record.retired_at = None
            self._flush(session, record)
            self.after_restore(record, actor)
            self._flush(session, record)
        return record

    # --- hooks ---------------------------------------------------------------------------------------------

    def before_add(self, record: R, values: Any, actor: Actor) -> None:
        """Complete or refuse a new record; calls `check` unless overridden."""
        self.check(record)

    def after_add(self, record: R, values: Any, actor: Actor) -> None:
        """Write what belongs to the new record, in the same transaction."""

    def changeable(self, record: R) -> bool:
        """Would any change be taken, as the record is now? Its page offers none that `before_edit` always refuses."""
        return True

    def before_edit(self, record: R, values: Any, actor: Actor) -> None:
        """Refuse a change; the record still holds the old values."""

    def after_edit(self, record: R, values: Any, actor: Actor) -> None:
        """Write what follows from the change, in the same transaction."""

    def before_retire(self, record: R, actor: Actor) -> None:
        """Refuse to take a record out of use."""

    def after_retire(self, record: R, actor: Actor) -> None:
        """Write what follows from it, in the same transaction."""

    def before_restore(self, record: R, actor: Actor) -> None:
        """Refuse to take a record back into use; it still says since when it was out of use."""

    def after_restore(self, record: R, actor: Actor) -> None:
        """Write what follows from it, in the same transaction."""

    def check(self, record: R) -> None:
        """Refuse a record whose values do not fit together. Called with the new values."""

    # --- inside --------------------------------------------------------------------------------------------

    def locked(self, session: Session, record_id: int) -> R:
        """The record as it is now, held until the transaction ends. Raises: NotFound."""
        record = locked_row(self.record, record_id) if 0 < record_id <= LARGEST_KEY else None
        if record is None or not self.knows(record_id):
            raise NotFound(f"{self.record.record_name} {record_id}")
        return record

    def _assign(self, record: Any, values: Schema) -> None:
        self._resolve(values, record)
        given = values.values()
        require_shown(self.record, (name for name, value in given.items() if value is not None))
        columns = set(self.record.__mapper__.columns.keys())
        for name, value in given.items():
            if name == "code" and value is None and record.code:
                continue  # a number once given stays when the field is left blank
            if name in columns and name != "version":
                setattr(record, name, value)

    def standing(self, record: Any, name: str) -> Sequence[Any]:
        """What the record has in a field of its schema that names others: an edit may name it again, in use or not."""
        return [getattr(record, name, None)]

    def _resolve(self, values: Schema, record: Any) -> None:
        """Every id given must name a record in use, or a person who may sign in; an edit may keep one that was retired
        since, or has left."""
        problems = []
        for item in type(values).inputs():
            wanted = getattr(values, item.name)
            if (
                not isinstance(item.kind, Reference | Staff)
                or wanted is None
                or wanted in self.standing(record, item.name)
            ):
                continue
            if isinstance(item.kind, Staff):
                if str(wanted) not in staff_names(active=True):
                    problems.append(Problem(item.name, item.kind.refusal(str(wanted)), str(wanted)))
                continue
            service = SERVICES[item.kind.record_name]
            target = service.record
            query = select(target.retired_at).where(target.id == wanted, *service.visible())
            row = current_session().execute(query).one_or_none()
            if row is None:
                problems.append(Problem(item.name, _("there is no such record"), str(wanted)))
            elif row[0] is not None:
                problems.append(Problem(item.name, _("this record is out of use"), str(wanted)))
        if problems:
            raise Refused(problems)

    def _flush(self, session: Session, record: Any) -> None:
        try:
            session.flush()
        except IntegrityError as error:
            raise integrity_problem(error, record) from None
        except StaleDataError:
            raise Conflict(record.id or 0) from None

    def _conflict(self, record: Record, values: Schema) -> Conflict:
        inputs = {item.name: item.kind for item in type(values).inputs()}
        theirs, yours = {}, {}
        kept = concealed(type(record))
        for name, value in values.values().items():
            if name in inputs and name not in kept and hasattr(record, name):
                old, new = inputs[name].text(getattr(record, name)), inputs[name].text(value)
                if old != new:
                    theirs[name], yours[name] = old, new
        return Conflict(record.id, theirs, yours, record.version)


def values_of(given: Any) -> list[Any]:
    """What a filter asks for: one value, or each of several once."""
    return list(dict.fromkeys(given)) if isinstance(given, list | tuple) else [given]


def hide_unknown(records: Sequence[Any], name: str) -> None:
    """Take the record that `name` leads to off those of `records` whose reader may not know of it. For `complete`: of most
    relations that cannot be, since who may not know of the one does not know of the other."""
    if not records:
        return
    service = SERVICES[getattr(type(records[0]), name).property.mapper.class_.record_name]
    conditions = service.visible()
    keys = {getattr(item, f"{name}_id") for item in records} - {None}
    if not conditions or not keys:
        return
    seen = select(service.record.id).where(service.record.id.in_(keys), *conditions)
    known = set(current_session().scalars(seen))
    for item in records:
        if getattr(item, f"{name}_id") not in known:
            set_committed_value(item, name, None)


def _left_out(record: type[Record], path: str) -> Any:
    """A loader option: the collection at the end of `path` is read only when somebody asks for it."""
    *way, last = path.split(".")
    option: Any = None
    at: Any = record
    for name in way:
        relation = getattr(at, name)
        option = option.joinedload(relation) if option is not None else joinedload(relation)
        at = relation.property.mapper.class_
    collection = getattr(at, last)
    return option.lazyload(collection) if option is not None else lazyload(collection)


def _like_escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def integrity_problem(error: IntegrityError, record: Record | None = None) -> Refused:
    """A constraint's refusal as a sentence about a field, without SQL; the value is that of `record` where the error
    does not tell it."""
    found = problem_of(error) or unknown_problem()
    value = (
        getattr(record, found.field, None) if record is not None and found.field and not found.value else None
    )
    return Refused([found if value is None else replace(found, value=str(value)[:200])])


def only_row(session: Session, record: type[R]) -> R | None:
    """The row of a table that has one, held until the transaction ends. While there is none nothing can be held: of two who
    store it for the first time at once the second waits here, and finds what the first has stored."""
    stored = select(record).order_by(record.id).limit(1).with_for_update()
    stored = stored.execution_options(populate_existing=True)
    row = session.scalars(stored).one_or_none()
    if row is None and not database().is_sqlite:  # which has one writer
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(record.__tablename__))))
        row = session.scalars(stored).one_or_none()
    return row


def require_past(field: str, day: date) -> None:
    """Of what was done or seen: a year typed wrongly would be the last time for long. Raises: Refused."""
    if day > local_today():
        raise refuse(field, _("lies in the future; accepted: a day up to today"), day)
