"""From any record to all it came from and all that came of it: a bounded walk over `references`, level by level."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask_appbuilder.security.sqla.models import User
from sqlalchemy import ColumnElement, Table, and_, false, func, or_, select

from lims.audit.models import Finding
from lims.audit.references import PARTS, Came, came_from, came_of, is_about, is_hub, record_of
from lims.base.auditing.models import AuditEntry, AuditTransaction
from lims.base.database import current_session
from lims.base.display import day_begins, local_day
from lims.base.names import full_name, name_of
from lims.base.problems import NotFound
from lims.base.records import Record
from lims.base.security import may
from lims.base.services import SERVICES
from lims.results.models import Break, Calibration, SetResult
from lims.trials.models import Batch, Specimen

#: Nodes of one trace; more are no longer read. One goes on from any of them.
MOST_NODES = 200
#: Records of one kind that one step brings.
MOST_OF_KIND = 24
#: The same for rows that only tell about a record.
MOST_ABOUT = 8
#: Records that an account wrote, newest first, when the question is a person.
MOST_OF_PERSON = 300
PERSONS = "persons"

#: Column of a calibration -> the records of what it calibrates.
DEVICES = {"press_id": "presses", "scale_id": "scales", "mould_id": "moulds"}

Key = tuple[str, int]

#: What may be put right after casting: record -> column -> the records that it names.
CORRECTED = {
    "batches": {
        "cement_lot_id": "cement-lots", "aggregate_sample_id": "aggregate-samples", "scale_id": "scales",
        "mould_id": "moulds",
    },
    "specimen-sets": {"curing_tank_id": "curing-tanks"},
}  # fmt: skip
#: Columns that hold a moment worth telling -> the column that names who.
EVENTS = {
    "produced_on": "", "delivered_on": "", "delivered_at": "", "sampled_on": "", "calibrated_on": "", "started_on": "",
    "frozen_at": "", "cast_at": "", "tested_on": "tested_by", "tested_at": "tested_by", "read_at": "", "sprayed_on": "",
    "received_at": "", "answered_at": "", "on_site_at": "", "closed_at": "", "ordered_on": "", "finished_on": "",
    "visited_on": "", "answered_on": "", "issued_at": "", "finished_at": "", "signed_at": "signed_by",
    "created_at": "created_by", "verified_at": "verified_by", "released_at": "released_by",
    "retracted_at": "retracted_by", "superseded_at": "", "discarded_at": "", "revoked_at": "", "retired_at": "",
}  # fmt: skip
#: The moment that stands beside a record: the first of these that it has.
WHEN = (
    "tested_at", "cast_at", "received_at", "issued_at", "signed_at", "sampled_on", "delivered_at", "delivered_on",
    "calibrated_on", "tested_on", "visited_on", "ordered_on", "sprayed_on", "answered_on", "read_at", "finished_at",
    "created_at",
)  # fmt: skip
#: Columns that name a person, by what the person did.
DONE_BY = {
    "created_by": "entered", "tested_by": "tested", "technician": "cast", "verified_by": "verified",
    "released_by": "released", "retracted_by": "retracted", "signed_by": "signed",
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A record of the trace. `way`: start, from (it came from this), of (this came of it) or beside."""

    name: str
    record: Record
    way: str
    depth: int

    @property
    def key(self) -> Key:
        return (self.name, self.record.id)

    @property
    def when(self) -> datetime | date | None:
        return next(
            (found for column in WHEN if (found := getattr(self.record, column, None)) is not None), None
        )


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a record; `day_only` where no time of day is known."""

    at: datetime
    day_only: bool
    what: str
    key: Key
    who: str
    #: Of a correction: what the record named before, and since; None where it named nothing.
    before: Key | None = None
    after: Key | None = None


@dataclass(slots=True)
class Trace:
    """What was found. `edges` run from what was there first to what came of it; `cut` names kinds that have more."""

    start: Key
    nodes: dict[Key, Node] = field(default_factory=dict)
    edges: dict[tuple[Key, Key], str] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    full: bool = False
    #: actor key or written name -> record -> what the person did to it
    persons: dict[str, dict[Key, list[str]]] = field(default_factory=dict)
    #: What was put right about what the records name.
    corrections: list[Event] = field(default_factory=list)
    #: Titles of what stood there before, and is no part of the trace any more.
    stood: dict[Key, str] = field(default_factory=dict)
    #: A person's own trace begins with no record.
    person: str = ""
    #: May the one who asks read records of this name?
    reads: Callable[[str], bool] = lambda name: may("read", name)

    def add(self, name: str, record: Record, way: str, depth: int) -> Node | None:
        """The node, None when there is no more room. A record stays where it was found first."""
        key = (name, record.id)
        if key in self.nodes:
            return self.nodes[key]
        if len(self.nodes) >= MOST_NODES:
            self.full = True
            self.cut.add(name)
            return None
        self.nodes[key] = Node(name, record, way, depth)
        return self.nodes[key]

    def join(self, earlier: Key, later: Key, why: str) -> None:
        if earlier != later and earlier in self.nodes and later in self.nodes:
            self.edges.setdefault((earlier, later), why)

    def events(self) -> list[Event]:
        """Every moment of every record, in order."""
        found = list(self.corrections)
        for node in self.nodes.values():
            for column, by in EVENTS.items():
                at = getattr(node.record, column, None)
                if at is None:
                    continue
                day_only = not isinstance(at, datetime)
                moment = datetime.combine(at, time.min, UTC) if day_only else at
                who = str(getattr(node.record, by, None) or "") if by else ""
                found.append(Event(moment, day_only, column, node.key, who))
        return sorted(found, key=lambda event: (event.at, event.key, event.what))


def trace(name: str, record_id: int, reads: Callable[[str], bool] | None = None) -> Trace:
    """The trace of one record; `reads` says what may be named (the asking person's rights). Raises: NotFound."""
    if name not in SERVICES or name in PARTS:
        raise NotFound(name)
    record = SERVICES[name].get(record_id)
    found = Trace((name, record.id))
    if reads is not None:
        found.reads = reads
    found.add(name, record, "start", 0)
    if isinstance(record, Finding):
        _of_finding(found, record)
    before = _back(found, list(found.nodes), "from")
    _tell(found, [key for key in before if not is_hub(key[0])])
    roots = [found.start, *_subjects(found)]
    _on(found, roots)
    _results(found)
    # What the descendants came from besides: the press of a break, the mix of a lot's batch.
    _back(found, [key for key, node in found.nodes.items() if node.way == "of"], "beside")
    _calibrations(found)
    _findings(found)
    _corrections(found)
    _persons(found)
    return found


def _subjects(found: Trace) -> list[Key]:
    """A complaint about a lot is followed through what came of the lot; a calibration through its press's breaks, or the
    batches of its scale or moulds."""
    name = found.start[0]
    if not is_about(name):
        return []
    parents = [earlier for earlier, later in found.edges if later == found.start]
    record = found.nodes[found.start].record
    if isinstance(record, Calibration):
        if record.press_id is None:
            return _cast_under(found, record)
        _broken_under(found, record)
        return []
    return [key for key in parents if not is_hub(key[0])] or parents


def _back(found: Trace, keys: Iterable[Key], way: str) -> list[Key]:
    """All that these came from; the keys that were new, nearest first."""
    new: list[Key] = []
    frontier = list(keys)
    while frontier:
        level: list[Key] = []
        for name, ids in _by_name(frontier).items():
            for step in came_from(name):
                level += _step_back(found, step, ids, way)
        new += level
        frontier = level
    return new


def _step_back(found: Trace, step: Came, ids: Sequence[int], way: str) -> list[Key]:
    pairs: list[tuple[int, int]]
    if step.link is None:
        pairs = [
            (own, parent)
            for own in ids
            if (parent := getattr(found.nodes[step.child, own].record, step.column)) is not None
        ]
    else:
        own_column, other = step.link.c[step.column], step.link.c[step.parent_column]
        rows = current_session().execute(
            select(own_column, other)
            .where(own_column.in_(ids), other.is_not(None), *_stands(step.link))
            .limit(MOST_NODES)
        )
        pairs = [(own, parent) for own, parent in rows]
    missing = {parent for _own, parent in pairs} - {key for name, key in found.nodes if name == step.parent}
    new = []
    for record in _load(step.parent, missing):
        depth = min(found.nodes[step.child, own].depth for own, parent in pairs if parent == record.id) - 1
        if found.add(step.parent, record, way, depth) is not None:
            new.append((step.parent, record.id))
    for own, parent in pairs:
        found.join((step.parent, parent), (step.child, own), "about" if step.about else "made")
    return new


def _on(found: Trace, roots: Sequence[Key]) -> None:
    """All that came of these, but for what only tells about something: that ends the way."""
    frontier = list(roots)
    while frontier:
        level: list[Key] = []
        for name, ids in _by_name(frontier).items():
            for step in came_of(name):
                level += _step_on(found, step, ids, MOST_ABOUT if step.about else MOST_OF_KIND)
        frontier = [key for key in level if not is_about(key[0])]


def _tell(found: Trace, keys: Sequence[Key]) -> None:
    """What else was said about these: certificates, complaints, tests of the lot."""
    for name, ids in _by_name(keys).items():
        for step in came_of(name):
            if step.about:
                _step_on(found, step, ids, MOST_ABOUT, way="beside")


def _stands(link: Table) -> list[ColumnElement[bool]]:
    """A lot that was named by mistake and put right joins nothing any more."""
    return [link.c.retired_at.is_(None)] if "retired_at" in link.c else []


def _step_on(found: Trace, step: Came, ids: Sequence[int], most: int, way: str = "of") -> list[Key]:
    record = record_of(step.child)
    query = SERVICES[step.child].base_query()
    pairs: list[tuple[int, Record]] = []
    if step.link is None:
        column = getattr(record, step.column)
        query = query.where(column.in_(ids))
    else:
        own, other = step.link.c[step.column], step.link.c[step.parent_column]
        query = query.where(record.id.in_(select(own).where(other.in_(ids), *_stands(step.link))))
    rows = current_session().scalars(query.order_by(record.id.desc()).limit(most + 1)).unique().all()
    if len(rows) > most:
        found.cut.add(step.child)
        rows = rows[:most]
    if step.link is None:
        pairs = [(getattr(row, step.column), row) for row in rows]
    elif rows:
        by_id = {row.id: row for row in rows}
        links = current_session().execute(
            select(other, own).where(other.in_(ids), own.in_(by_id), *_stands(step.link)).limit(MOST_NODES)
        )
        pairs = [(parent, by_id[child]) for parent, child in links]
    new = []
    for parent, row in pairs:
        key = (step.child, row.id)
        known = key in found.nodes
        depth = found.nodes[step.parent, parent].depth + 1
        if found.add(step.child, row, way, depth) is not None and not known:
            new.append(key)
        found.join((step.parent, parent), key, "about" if step.about else "made")
    return new


# --- what no foreign key tells ---------------------------------------------------------------------------------


def _results(found: Trace) -> None:
    """A set's result rests on the breaks of the same number; the other way round too."""
    breaks = [node.record for node in found.nodes.values() if isinstance(node.record, Break)]
    results = [node.record for node in found.nodes.values() if isinstance(node.record, SetResult)]
    pair = (Break.number == SetResult.number) & (Specimen.specimen_set_id == SetResult.specimen_set_id)
    wanted: Any = None
    if breaks and found.start[0] != "set-results":
        wanted = Break.id.in_([item.id for item in breaks])
    elif results:
        wanted = SetResult.id.in_([item.id for item in results])
    if wanted is None:
        return
    rows = current_session().execute(
        select(Break.id, SetResult.id)
        .select_from(Break)
        .join(Specimen, Specimen.id == Break.specimen_id)
        .join(SetResult, pair)
        .where(wanted)
        .limit(MOST_NODES)
    )
    pairs = [(broken, result) for broken, result in rows]
    way = "from" if found.start[0] == "set-results" else "of"
    for name, ids in (("breaks", {b for b, _r in pairs}), ("set-results", {r for _b, r in pairs})):
        for record in _load(name, ids - {key for kind, key in found.nodes if kind == name}):
            found.add(name, record, way, _beyond_breaks(found) if way == "of" else -1)
    for broken, result in pairs:
        found.join(("breaks", broken), ("set-results", result), "made")
    if way == "from":
        _back(
            found, [("breaks", broken) for broken, _result in pairs if ("breaks", broken) in found.nodes], way
        )


def _of_finding(found: Trace, finding: Finding) -> None:
    """What the finding is about came first."""
    name = finding.about_record or ""
    about = SERVICES[name].find(id=finding.about_id) if name in SERVICES and name not in PARTS else None
    if about is not None:
        found.add(name, about, "from", -1)
        found.join((name, about.id), found.start, "about")


def _findings(found: Trace) -> None:
    """Findings about the records of the trace, the newest few."""
    for name, ids in _by_name(list(found.nodes)).items():
        query = (
            SERVICES["findings"].base_query().where(Finding.about_record == name, Finding.about_id.in_(ids))
        )
        for item in current_session().scalars(query.order_by(Finding.id.desc()).limit(MOST_ABOUT)).unique():
            key = (name, item.about_id)
            if found.add("findings", item, "beside", found.nodes[key].depth + 1) is not None:
                found.join(key, ("findings", item.id), "about")


def _corrections(found: Trace) -> None:
    """What batches and sets of the trace named before it was put right, out of the record of changes."""
    for name, columns in CORRECTED.items():
        ids = [str(key) for kind, key in found.nodes if kind == name]
        query = (
            select(AuditEntry, AuditTransaction.at, AuditTransaction.actor)
            .join(AuditTransaction, AuditTransaction.txid == AuditEntry.txid)
            .where(
                AuditEntry.table_name == record_of(name).__tablename__,
                AuditEntry.pk.in_(ids),
                AuditEntry.op.in_(("I", "U")),
            )
        )  # in no order: the newest first would be looked for among all entries, not by the index of these rows
        rows = current_session().execute(query).all() if ids else ()
        made = {(entry.pk, entry.txid) for entry, _at, _who in rows if entry.op == "I"}
        for entry, at, who in rows:
            if (entry.pk, entry.txid) in made:
                continue  # written in two steps, put right in none
            changed = json.loads(entry.payload)
            for column, names in columns.items():
                if column not in changed:
                    continue
                before, after = ((names, one) if one is not None else None for one in changed[column])
                key = (name, int(entry.pk))
                found.corrections.append(Event(at, False, column, key, who, before, after))
    named: dict[str, set[int]] = defaultdict(set)
    for event in found.corrections:
        for kind, number in filter(None, (event.before, event.after)):
            named[kind].add(number)
    for kind, numbers in named.items():
        found.stood |= {(kind, record.id): record.title for record in _load(kind, numbers)}


def _beyond_breaks(found: Trace) -> int:
    return 1 + max((node.depth for node in found.nodes.values() if node.name == "breaks"), default=0)


def _calibrations(found: Trace) -> None:
    """The certificate that was valid when a device was used: by the day of the break, of the casting."""
    used: dict[tuple[str, str, int], set[date]] = defaultdict(set)
    for node in list(found.nodes.values()):
        record = node.record
        if isinstance(record, Break) and record.press_id is not None and record.tested_at is not None:
            used["presses", "press_id", record.press_id].add(local_day(record.tested_at))
        if isinstance(record, Batch) and record.cast_at is not None:
            for column in ("scale_id", "mould_id"):
                if (device := getattr(record, column)) is not None:
                    used[DEVICES[column], column, device].add(local_day(record.cast_at))
    for column in DEVICES:
        devices = {key: days for (_name, by, key), days in used.items() if by == column}
        if not devices:
            continue
        query = SERVICES["calibrations"].base_query().where(getattr(Calibration, column).in_(devices))
        certificates: dict[int, list[Calibration]] = defaultdict(list)
        in_time = query.order_by(Calibration.calibrated_on, Calibration.id)
        for item in current_session().scalars(in_time).unique():
            certificates[getattr(item, column)].append(item)
        name = DEVICES[column]
        for device, days in devices.items():
            if (name, device) not in found.nodes:
                continue
            for day in days:
                valid = valid_on(certificates[device], day)
                if valid is not None:
                    found.add("calibrations", valid, "beside", found.nodes[name, device].depth - 1)
                    found.join(("calibrations", valid.id), (name, device), "valid")
    # The device stands on its calibration, not the other way round.
    for earlier, later in list(found.edges):
        if later[0] == "calibrations" and earlier[0] in {"presses", "scales", "moulds"}:
            del found.edges[earlier, later]
            found.join(later, earlier, "valid")


def valid_on(certificates: Sequence[Calibration], day: date) -> Calibration | None:
    """The last of these (by day of calibration) that covers the day."""
    return next(
        (
            item
            for item in reversed(certificates)
            if item.retired_at is None and item.calibrated_on <= day <= item.due_on
        ),
        None,
    )


def _broken_under(found: Trace, calibration: Calibration) -> None:
    """The breaks on this press while this calibration was the valid one."""
    keys = _used_under(found, calibration, "press_id", Break.press_id, Break.tested_at)
    lots = _back(found, keys, "of")
    _tell(found, [key for key in lots if key[0] in {"cement-lots", "batches"}])


def _cast_under(found: Trace, calibration: Calibration) -> list[Key]:
    """The batches that were weighed on this scale, or filled into these moulds, while this calibration was the valid one."""
    column = "scale_id" if calibration.scale_id is not None else "mould_id"
    return _used_under(found, calibration, column, getattr(Batch, column), Batch.cast_at)


def _spans_of(calibration: Calibration, column: str) -> list[tuple[date, date]]:
    """The days, first and last of each span, on which `valid_on` takes this calibration of its device: without those of
    later ones, which may have run out before it did. None of one that is out of use."""
    if calibration.retired_at is not None:
        return []
    spans = [(calibration.calibrated_on, calibration.due_on)]
    query = (
        SERVICES["calibrations"]
        .base_query()
        .where(getattr(Calibration, column) == getattr(calibration, column), Calibration.retired_at.is_(None))
    )
    for other in current_session().scalars(query).unique():
        if (other.calibrated_on, other.id) > (calibration.calibrated_on, calibration.id):
            begins, ends = other.calibrated_on - timedelta(days=1), other.due_on + timedelta(days=1)
            parts = [
                part
                for first, last in spans
                for part in ((first, min(last, begins)), (max(first, ends), last))
            ]
            spans = [(first, last) for first, last in parts if first <= last]
    return spans


def _used_under(found: Trace, calibration: Calibration, column: str, device: Any, used_at: Any) -> list[Key]:
    """Rows of the table of `device` and `used_at` while `calibration` was the valid one, by the laboratory's days as in
    `valid_on`: the newest MOST_OF_KIND, joined to the device."""
    record, key = device.class_, getattr(calibration, column)
    within = [
        and_(used_at >= day_begins(first), used_at < day_begins(last + timedelta(days=1)))
        for first, last in _spans_of(calibration, column)
    ]
    query = (
        SERVICES[record.record_name]
        .base_query()
        .where(device == key, or_(false(), *within))
        .order_by(record.id.desc())
        .limit(MOST_OF_KIND + 1)
    )
    rows = current_session().scalars(query).unique().all()
    if len(rows) > MOST_OF_KIND:
        found.cut.add(record.record_name)
    keys = [(record.record_name, row.id) for row in rows[:MOST_OF_KIND]]
    for row in rows[:MOST_OF_KIND]:
        found.add(record.record_name, row, "of", 2)
        found.join((DEVICES[column], key), (record.record_name, row.id), "made")
    return [found_key for found_key in keys if found_key in found.nodes]


def _persons(found: Trace) -> None:
    """Who did what to which record; a written name that is an account's counts as the account."""
    names = {
        str(getattr(node.record, column))
        for node in found.nodes.values()
        for column in ("tested_by", "technician")
        if getattr(node.record, column, None)
    }
    accounts = accounts_named(names)
    for node in found.nodes.values():
        for column, did in DONE_BY.items():
            who = getattr(node.record, column, None)
            if who:
                person = found.persons.setdefault(accounts.get(str(who), str(who)), {})
                person.setdefault(node.key, []).append(did)


def accounts_named(names: set[str]) -> dict[str, str]:
    """A person's full name -> the account's key, where exactly one account has it."""
    if not names:
        return {}
    written = (User.first_name + " " + User.last_name, User.last_name + User.first_name)  # Wei Li, and 李伟
    query = select(User.id, User.first_name, User.last_name).where(
        or_(*(form.in_(names) for form in written))
    )
    found: dict[str, list[int]] = defaultdict(list)
    for key, first, last in current_session().execute(query):
        for name in names & {f"{first} {last}", full_name(first, last)}:
            found[name].append(key)
    return {name: f"user:{keys[0]}" for name, keys in found.items() if len(keys) == 1}


def trace_of_person(user_id: int) -> Trace:
    """What came of a person: the records that the account wrote, tested, verified or released, newest first.

    Raises: NotFound.
    """
    user = current_session().get(User, user_id) if user_id < 2**31 else None
    if user is None:
        raise NotFound(f"users {user_id}")
    found = Trace((PERSONS, user_id), person=name_of(user))
    touched = (
        current_session()
        .execute(
            select(AuditEntry.table_name, AuditEntry.pk)
            .join(AuditTransaction, AuditTransaction.txid == AuditEntry.txid)
            .where(
                func.coalesce(AuditTransaction.actor, "") == f"user:{user_id}"
            )  # newest entries first, see log.py
            .order_by(AuditEntry.seq.desc())
            .limit(MOST_OF_PERSON + 1)
        )
        .all()
    )
    by_table = {SERVICES[name].record.__tablename__: name for name in SERVICES if name not in PARTS}
    ids: dict[str, set[int]] = defaultdict(set)
    for table, key in touched[:MOST_OF_PERSON]:
        if table in by_table and key.isdecimal():
            ids[by_table[table]].add(int(key))
    if len(touched) > MOST_OF_PERSON:
        found.cut |= set(ids)
    for name, keys in ids.items():
        for record in reversed(_load(name, set(sorted(keys)[-MOST_OF_KIND:]))):
            found.add(name, record, "of", 0)
        if len(keys) > MOST_OF_KIND:
            found.cut.add(name)
    for node in found.nodes.values():
        for step in came_from(node.name):
            if step.link is None and (parent := getattr(node.record, step.column)) is not None:
                found.join((step.parent, parent), node.key, "about" if step.about else "made")
    _results(found)
    _persons(found)
    return found


def _by_name(keys: Iterable[Key]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for name, key in keys:
        found[name].append(key)
    return found


def _load(name: str, ids: set[int]) -> Sequence[Record]:
    if not ids:
        return ()
    record = record_of(name)
    query = SERVICES[name].base_query().where(record.id.in_(ids)).order_by(record.id)
    rows: Sequence[Record] = current_session().scalars(query).unique().all()
    return rows


def find_by_code(code: str) -> Key:
    """A specimen by its code, else any record that has a code like it. Raises: NotFound."""
    for name in (
        "specimens",
        "specimen-sets",
        "batches",
        "certificates",
        "complaints",
        "cement-lots",
        *SERVICES,
    ):
        if name in SERVICES and "code" in record_of(name).__table__.columns and len(code) <= 90:
            found = SERVICES[name].find(code=code)
            if found is not None:
                return (name, found.id)
    raise NotFound(code)
