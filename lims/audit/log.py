"""The record of changes as a person reads it: what was before, what came after, in the words of the pages.

The entries hold columns and stored values (lims/base/auditing). Here each column gets the label, unit and choices of its
record's page, a number that names another record becomes that record's name, and an account's key becomes the person.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import Column, func, select

from lims.audit.service import latest_checkpoint
from lims.base.auditing import policy
from lims.base.auditing.models import AuditEntry, AuditTransaction, PersonalValue
from lims.base.auditing.values import decoded
from lims.base.database import current_session
from lims.base.display import actor_names, show_day, show_number, show_time
from lims.base.metadata import Model
from lims.base.records import Record
from lims.base.security import may, right_to_read
from lims.base.services import SERVICES
from lims.base.views import COMMON_LABELS, VIEWS, address_of
from lims.customers.regions import own_regions

PAGE_SIZE = 25
OPERATIONS = {
    "I": _l("Entered"),
    "U": _l("Changed"),
    "D": _l("Deleted"),
    "B": _l("As found when recording began"),
}
#: Columns that a person does not ask about: their content stands in the head of each change.
QUIET = frozenset({"id", "version", "created_at", "created_by", "changed_at", "changed_by"})
#: Bookkeeping of the base; nothing that a person changed.
NOT_LISTED = frozenset({
    "ab_permission", "ab_view_menu", "ab_permission_view", "ab_permission_view_role", "ab_register_user", "jobs",
    "preferences",
})  # fmt: skip
#: Kinds of rows that have no page.
KINDS = {
    "ab_user": _l("Account"), "ab_role": _l("Role"), "ab_group": _l("Group"), "ab_user_role": _l("Role of an account"),
    "ab_group_role": _l("Role of a group"), "ab_user_group": _l("Group of an account"), "ab_api_key": _l("API key"),
    "laboratory": _l("Laboratory"), "batch_lots": _l("Lot used"), "batch_warnings": _l("Answered warning"),
    "stored_files": _l("File"), "calendar_feeds": _l("Calendar feed"), "import_rows": _l("Row of an import"),
    "certificate_results": _l("Result on a certificate"), "share_batches": _l("Batch of a share link"),
    "service_settings": _l("Settings of the service"),
}  # fmt: skip
#: Labels of columns that no page shows.
WORDS = {
    "occasion": _l("Occasion"),
    "claimed_at": _l("Taken up at"),
    "answer_minutes": _l("Answer within, min"),
    "on_site_minutes": _l("On site within, min"),
    "solve_minutes": _l("Solved within, min"),
    "time_kind": _l("Kind of time"),
    "hours": _l("Working hours"),
    "escalate_to": _l("Escalated to"),
    "visit_prospect_days": _l("Visits to prospects, every … days"),
    "visit_trial_days": _l("Visits during trials, every … days"),
    "visit_active_days": _l("Visits to customers, every … days"),
    "visit_lapsed_days": _l("Visits to lapsed customers, every … days"),
    "weight_clocks": _l("Weight of clocks kept"),
    "weight_visits": _l("Weight of visits"),
    "weight_satisfaction": _l("Weight of satisfaction"),
    "revoked_at": _l("Revoked at"),
    "reading": _l("How it was read"),
    "import_run_id": _l("Import"),
    "record_name": _l("Kind of record"),
    "record_id": _l("Number of the record"),
    "sheet": _l("Sheet"),
    "row": _l("Row"),
    "more": _l("Further rows in one piece"),
    "action": _l("What was done"),
    "inputs": _l("What it was made from"),
    "owner_id": _l("Belongs to"),
    "password_hash": _l("Password"),
    "frozen": _l("As it was sent"),
    "answered_at": _l("Answered at"),
    "on_site_at": _l("On site at"),
    "closed_at": _l("Closed at"),
    "solve_due_at": _l("To be solved by"),
    "solved_at": _l("Solved at"),
    "share_link_id": _l("Share link"),
    "part": _l("Part on the sheet"),
    "preview_id": _l("Preview"),
    "checklist_item_id": _l("Item of the checklist"),
    "certificate_id": _l("Certificate"),
    "set_result_id": _l("Result of a set"),
    "stored_file_id": _l("Kept file"),
    "about": _l("Record concerned"), "accreditation_number": _l("Accreditation number"), "active": _l("May sign in"),
    "address": _l("Address"), "age_days": _l("Age"), "answer": _l("Answer"), "asked": _l("What was missing"),
    "attempted_at": _l("Attempted"), "batch_id": _l("Batch"), "content": _l("Content"),
    "content_sha256": _l("SHA-256 of what was signed"), "code_family": _l("Codes"), "created_by_fk": _l("Entered by"),
    "changed_by_fk": _l("Changed by"), "created_on": _l("Entered"), "changed_on": _l("Changed"),
    "description": _l("Description"), "email": _l("E-mail"), "expires_on": _l("Valid until"),
    "first_name": _l("Given name"), "group_id": _l("Group"), "kind": _l("Kind"), "key_hash": _l("Hash of the key"),
    "key_prefix": _l("Beginning of the key"), "label": _l("Name"), "language": _l("Language"),
    "last_name": _l("Family name"), "last_used_on": _l("Last used"), "loading_rate_mpa_s": _l("Loading rate"),
    "lookup_hash": _l("Hash of the key"), "mark": _l("Mark of the row"), "meaning": _l("Meaning"),
    "media_type": _l("Type of file"), "removed_at": _l("Taken away"), "number": _l("No."), "parameters": _l("Parameters"),
    "password": _l("Password"), "phone": _l("Phone"), "plan_ages": _l("Ages of the plan"), "reason": _l("Reason"),
    "repeats": _l("Times"), "retained_g": _l("Masses retained"), "retired_at": _l("Out of use since"),
    "retract_reason": _l("Reason of the retraction"), "retracted_at": _l("Retracted"),
    "retracted_by": _l("Retracted by"), "revoked_on": _l("Revoked"), "role_id": _l("Role"), "scopes": _l("Scope"),
    "set_up_at": _l("Set up"), "sha256": _l("SHA-256"), "signed_at": _l("Signed"), "signed_by": _l("Signed by"),
    "signed_id": _l("Its number"), "signed_record": _l("Kind of record"), "size_bytes": _l("Size"),
    "target": _l("Address asked for"), "tested_by": _l("Tested by"), "text": _l("Signed note"),
    "timezone": _l("Time zone"), "token_sha256": _l("Hash of the link"), "user_id": _l("Account"),
    "username": _l("User name"), "uuid": _l("Identity"), "values_mpa": _l("Values"), "who": _l("Account"),
    "works": _l("Works"), "superseded_at": _l("Replaced"), "scm_lot_id": _l("Lot"),
    "admixture_lot_id": _l("Lot"), "aggregate_sample_id": _l("Aggregate sample"), "file_id": _l("File"),
    "outcome": _l("Outcome"), "transaction_count": _l("Transactions"), "checksum": _l("Checksum"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a change."""

    label: str
    unit: str
    before: str
    after: str


@dataclass(slots=True)
class Change:
    """One changed row."""

    seq: int
    op: str
    kind: str
    title: str
    href: str
    at: datetime
    who: str
    reason: str
    number: int
    #: A checkpoint covers it: whoever holds that one would notice if it were written anew.
    anchored: bool
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the log is wanted; `before` is the key of the page: entries older than it."""

    name: str = ""
    key: int | None = None
    who: str = ""
    op: str = ""
    first: datetime | None = None
    last: datetime | None = None
    before: int | None = None
    #: Only what no checkpoint covers yet.
    unanchored: bool = False


@cache
def _names() -> dict[str, str]:
    """table -> record name."""
    return {
        mapper.class_.__tablename__: mapper.class_.record_name
        for mapper in Model.registry.mappers
        if issubclass(mapper.class_, Record)
    }


def readable_tables() -> list[str]:
    """Tables whose changes the asking person may read: those of the records that they may, and accounts with those."""
    tables = []
    for name, table in Model.metadata.tables.items():
        record_name = _names().get(name)
        if name in NOT_LISTED or not policy.is_captured(table):
            continue
        if record_name in VIEWS:
            allowed = may("read", str(record_name))
        elif name.startswith("ab_"):
            allowed = may("read", "users") or may("read", "audit-log")
        else:
            allowed = may("read", "audit-log") or may(
                "read", "batches" if name.startswith("batch_") else "laboratory"
            )
        if allowed:
            tables.append(name)
    return tables


def kind_of_table(table: str) -> str:
    view = VIEWS.get(_names().get(table, ""))
    if view is not None:
        return str(view.title_one or view.title)
    return str(KINDS.get(table, table.replace("_", " ")))


def label_of(table: str, column: str) -> tuple[str, str]:
    """(label, unit) of a column as its page writes them."""
    view = VIEWS.get(_names().get(table, ""))
    plain = column.removesuffix("_id")
    if view is not None:
        known = next((name for name in (column, plain) if name in view.labels or name in view.inputs), None)
        if known is not None:
            shown = view.columns([known])[0]
            return str(shown.label), str(shown.unit)
        if column in COMMON_LABELS:
            return str(COMMON_LABELS[column]), ""
    if column in WORDS:
        return str(WORDS[column]), ""
    return str(COMMON_LABELS.get(column) or _("Another value")), ""


def changes(asked: Asked, size: int = PAGE_SIZE) -> tuple[list[Change], int | None]:
    """A page of changes, newest first, and the key of the next page (None: that was the last)."""
    allowed = readable_tables()
    query = select(AuditEntry, AuditTransaction).join(
        AuditTransaction, AuditTransaction.txid == AuditEntry.txid
    )
    if asked.name:
        table = SERVICES[asked.name].record.__tablename__ if asked.name in SERVICES else asked.name
        allowed = [table] if table in allowed else []
        if asked.key is not None:
            query = query.where(AuditEntry.pk == str(asked.key))
    if asked.key is not None:
        query = query.where(AuditEntry.table_name.in_(allowed))
    else:
        # Newest first: the index over tables and keys would bring every entry of these tables to be sorted.
        query = query.where(func.coalesce(AuditEntry.table_name, "").in_(allowed))
    if asked.op:
        query = query.where(AuditEntry.op == asked.op)
    if asked.who:
        # Newest entries first and each one's transaction by its number is the quick way; the index on the actor would
        # bring all that a person ever did before the first row is shown.
        query = query.where(func.coalesce(AuditTransaction.actor, "") == asked.who)
    if asked.first is not None:
        query = query.where(AuditTransaction.at >= asked.first)
    if asked.last is not None:
        query = query.where(AuditTransaction.at < asked.last)
    if asked.before is not None:
        query = query.where(AuditEntry.seq < asked.before)
    covered = covered_until()
    if asked.unanchored:
        query = query.where(AuditTransaction.id > covered)
    rows = current_session().execute(query.order_by(AuditEntry.seq.desc()).limit(size + 1)).all()
    more = len(rows) > size
    rows = rows[:size]
    return _in_words([(entry, sealed) for entry, sealed in rows], covered), (
        rows[-1][0].seq if more else None
    )


def history_of(record: Record, size: int = 6) -> tuple[list[Change], int | None]:
    """The newest changes of one record."""
    return changes(Asked(record.record_name, record.id), size)


def covered_until() -> int:
    """The last transaction that a checkpoint covers; 0 before the first."""
    checkpoint = latest_checkpoint()
    return checkpoint.transaction_count if checkpoint is not None else 0


def _in_words(rows: Sequence[tuple[AuditEntry, AuditTransaction]], covered: int) -> list[Change]:
    read = [(entry, sealed, json.loads(entry.payload)) for entry, sealed in rows]
    wanted: dict[str, set[int]] = defaultdict(set)
    digests: set[str] = set()
    people = {sealed.actor for _entry, sealed, _values in read}
    for entry, _sealed, values in read:
        if entry.pk.isdecimal():
            wanted[entry.table_name].add(int(entry.pk))
        for column, stored in _columns(entry.table_name, values):
            pair = stored if entry.op == "U" else [stored]
            for value in pair:
                if isinstance(value, str) and value.startswith("sha256:"):
                    digests.add(value)
                if isinstance(value, str) and value.startswith(("user:", "system:")):
                    people.add(value)
                target = _target(column)
                if target is not None and isinstance(value, int):
                    wanted[target].add(value)
    titles = _titles(wanted)
    names = actor_names(people)
    clear = _clear_text(digests)
    found = []
    for entry, sealed, values in read:
        title, href = titles.get((entry.table_name, int(entry.pk) if entry.pk.isdecimal() else 0), ("", ""))
        change = Change(
            entry.seq, str(OPERATIONS[entry.op]), kind_of_table(entry.table_name), title or entry.pk, href,
            sealed.at, names[sealed.actor], sealed.reason, sealed.id, sealed.id <= covered,
        )  # fmt: skip
        for column, stored in _columns(entry.table_name, values):
            label, unit = label_of(entry.table_name, column.name)
            before, after = (stored[0], stored[1]) if entry.op == "U" else (None, stored)
            if entry.op == "D":
                before, after = after, before
            texts = [_shown(column, value, titles, names, clear) for value in (before, after)]
            if texts[0] or texts[1]:
                change.lines.append(Line(label, unit, texts[0], texts[1]))
        found.append(change)
    return found


def _columns(table: str, values: dict[str, Any]) -> Iterable[tuple[Column[Any], Any]]:
    columns = Model.metadata.tables[table].columns if table in Model.metadata.tables else {}
    for name, stored in values.items():
        if name not in columns or name in QUIET:
            continue
        if columns[name].info.get("all_regions") and own_regions() is not None:
            continue  # it names what the reader may not know of
        needed = right_to_read(columns[name])
        if needed is None or may("read", needed):
            yield columns[name], stored


def _target(column: Column[Any]) -> str | None:
    return next((key.column.table.name for key in column.foreign_keys), None)


def _titles(wanted: dict[str, set[int]]) -> dict[tuple[str, int], tuple[str, str]]:
    """(table, key) -> what the record is called and its page; nothing for what the reader may not know."""
    found: dict[tuple[str, int], tuple[str, str]] = {}
    for table, keys in wanted.items():
        name = _names().get(table)
        if table == "ab_user":
            for key, text in actor_names({f"user:{number}" for number in keys}).items():
                found[table, int(key[5:])] = (text, "")
        elif table in {"ab_role", "ab_group"}:
            role = Model.metadata.tables[table]
            for number, text in current_session().execute(
                select(role.c.id, role.c.name).where(role.c.id.in_(keys))
            ):
                found[table, number] = (text, "")
        elif name is not None and name in SERVICES and may("read", name):
            record = SERVICES[name].record
            query = SERVICES[name].base_query().where(record.id.in_(keys))
            for item in current_session().scalars(query).unique():
                found[table, item.id] = (item.title, address_of(item))
    return found


def _clear_text(digests: set[str]) -> dict[str, str]:
    if not digests:
        return {}
    query = select(PersonalValue.digest, PersonalValue.value).where(PersonalValue.digest.in_(digests))
    found: dict[str, str] = {}
    for digest, value in current_session().execute(query):
        found[digest] = value
    return found


def _shown(
    column: Column[Any],
    stored: Any,
    titles: dict[tuple[str, int], tuple[str, str]],
    names: dict[str, str],
    clear: dict[str, str],
) -> str:
    """A stored value as its page writes it."""
    if stored is None or stored == "":
        return ""
    target = _target(column)
    if target is not None and isinstance(stored, int):
        title = titles.get((target, stored), ("", ""))[0]
        return str(title or _("%(kind)s no. %(number)s", kind=kind_of_table(target), number=stored))
    if isinstance(stored, str) and stored.startswith("sha256:"):
        return str(clear.get(stored) or _("changed; the value is not kept"))
    if isinstance(stored, str) and stored in names:
        return names[stored]
    value = decoded(column, stored)
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, datetime):
        return show_time(value)
    if isinstance(value, date):
        return show_day(value)
    if isinstance(value, Decimal | int):
        return show_number(value)
    view = VIEWS.get(_names().get(column.table.name, ""))
    text = str(value)
    if view is not None:
        options = view.choices.get(column.name) or getattr(
            getattr(view.inputs.get(column.name), "kind", None), "options", {}
        )
        text = str(options.get(text, text))
    return text if len(text) <= 400 else text[:400] + "…"
