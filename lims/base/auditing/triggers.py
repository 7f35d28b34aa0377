"""The triggers that capture every change and guard the record, made from the metadata for both databases.

They are installed after every migration (`install`), and with the tables in tests. `differences` tells where a
database carries others than these, or the record's own tables more. SQLite has a trigger a row; PostgreSQL one a
statement, which sees all changed rows at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import DDL, Column, MetaData, Table, event, inspect
from sqlalchemy.engine import Connection

from lims.base.auditing import policy
from lims.base.metadata import Model

NO_CONTEXT = "no open audit context: rows are written by the application alone, in the name of someone"
APPEND_ONLY = "the record of changes is append only"
ZEROS = "0" * 64
#: Names of capturing triggers begin so; the others guard the record itself.
CAPTURE = "capture_"
#: Advisory lock that PostgreSQL holds from sealing to the end of the commit.
SEAL_LOCK = 4_719_206


@dataclass(frozen=True, slots=True)
class Trigger:
    """`function` is the text that PostgreSQL keeps apart; on SQLite everything stands in the trigger."""

    name: str
    table: str
    statement: str
    function: str = ""


# --- values ----------------------------------------------------------------------------------------------------


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def key_sql(table: Table, row: str, dialect: str) -> str:
    """The pk of the record of changes."""
    columns = policy.key_columns(table)
    if len(columns) == 1:
        return f"CAST({row}.{columns[0].name} AS TEXT)"
    names = ", ".join(f"{row}.{column.name}" for column in columns)
    return f"json_array({names})" if dialect == "sqlite" else f"json_build_array({names})::text"


def value_sql(table: Table, column: Column[Any], row: str, dialect: str) -> str:
    """One value as the record of changes keeps it."""
    value = f"{row}.{column.name}"
    if policy.is_committed(column):
        salt = (
            f"(SELECT salt FROM audit_salts WHERE table_name = {_text(table.name)} "
            f"AND pk = {key_sql(table, row, dialect)})"
        )
        function = "lims_digest" if dialect == "sqlite" else "audit_digest"
        value = value if dialect == "sqlite" else f"{value}::text"
        return f"{function}({salt}, {_text(column.name)}, {value})"
    if policy.is_binary(column):
        return f"lims_sha256({value})" if dialect == "sqlite" else f"encode(sha256({value}), 'hex')"
    return value


def row_sql(table: Table, columns: Iterable[Column[Any]], row: str, dialect: str) -> str:
    """The whole row as JSON: on SQLite over `row`, on PostgreSQL over a subselect called `row`."""
    if dialect == "sqlite":
        pairs = (f"{_text(c.name)}, {value_sql(table, c, row, dialect)}" for c in columns)
        return f"json_object({', '.join(pairs)})"
    return f"row_to_json({row})::text"


def selected_sql(table: Table, columns: Iterable[Column[Any]], source: str) -> str:
    """PostgreSQL: the rows of `source` with the values that the record keeps."""
    listed = ", ".join(
        c.name if not policy.is_committed(c) and not policy.is_binary(c)
        else f"{value_sql(table, c, source, 'postgresql')} AS {c.name}"
        for c in columns
    )  # fmt: skip
    return f"(SELECT {listed} FROM {source})"


def _committed(columns: Iterable[Column[Any]]) -> list[Column[Any]]:
    return [column for column in columns if policy.is_committed(column)]


def _keeping_sql(table: Table, columns: list[Column[Any]], row: str, dialect: str, source: str) -> list[str]:
    """Give rows with personal data their salt, and keep the clear text apart."""
    if not _committed(columns):
        return []
    key, name = key_sql(table, row, dialect), _text(table.name)
    salt = (
        "lower(hex(randomblob(16)))" if dialect == "sqlite" else "replace(gen_random_uuid()::text, '-', '')"
    )
    made = [
        f"INSERT INTO audit_salts (table_name, pk, salt) SELECT {name}, {key}, {salt}{source} "
        f"WHERE NOT EXISTS (SELECT 1 FROM audit_salts WHERE table_name = {name} AND pk = {key})"
    ]
    for column in columns:
        if not policy.is_personal(column):
            continue
        value = f"{row}.{column.name}"
        digest = value_sql(table, column, row, dialect)
        made.append(
            f"INSERT INTO audit_personal (digest, table_name, pk, column_name, value) "
            f"SELECT {digest}, {name}, {key}, {_text(column.name)}, {value}{source} "
            f"WHERE {value} IS NOT NULL AND substr({value}, 1, {len(policy.ERASED)}) <> '{policy.ERASED}' "
            f"AND NOT EXISTS (SELECT 1 FROM audit_personal WHERE digest = {digest})"
        )
    return made


def _listing(columns: Iterable[Column[Any]]) -> str:
    """Which columns a trigger captures, so that a later version sees what it did not."""
    return f"/* columns: {' '.join(column.name for column in columns)} */"


def listed_columns(text: str) -> set[str] | None:
    found = re.search(r"/\* columns: ([\w ]+) \*/", text)
    return set(found.group(1).split()) if found else None


# --- SQLite ----------------------------------------------------------------------------------------------------


def _sqlite_entry(op: str, table: Table, row: str, payload: str) -> str:
    return (
        "INSERT INTO audit_entries (txid, op, table_name, pk, payload) VALUES "
        f"(coalesce(lims_audit_txid(), RAISE(ABORT, '{NO_CONTEXT}')), '{op}', {_text(table.name)}, "
        f"{key_sql(table, row, 'sqlite')}, {payload})"
    )


def sqlite_capture(table: Table, columns: list[Column[Any]]) -> list[Trigger]:
    name, keys = f"{CAPTURE}{table.name}", policy.key_columns(table)
    keeping = _keeping_sql(table, columns, "NEW", "sqlite", "")
    parts = " || ".join(
        f"CASE WHEN OLD.{c.name} IS NOT NEW.{c.name} THEN ',\"{c.name}\":' || json_array("
        f"{value_sql(table, c, 'OLD', 'sqlite')}, {value_sql(table, c, 'NEW', 'sqlite')}) ELSE '' END"
        for c in columns
        if not c.primary_key
    )
    changed = f"'{{' || substr({parts}, 2) || '}}'" if parts else "'{}'"
    same = " AND ".join(f"OLD.{c.name} IS NEW.{c.name}" for c in keys)
    inserted = _sqlite_entry("I", table, "NEW", row_sql(table, columns, "NEW", "sqlite"))
    deleted = _sqlite_entry("D", table, "OLD", row_sql(table, columns, "OLD", "sqlite"))
    updated = _sqlite_entry("U", table, "NEW", changed)
    bodies = {
        "insert": ("AFTER INSERT", "", [*keeping, inserted]),
        "update": (
            f"AFTER UPDATE OF {', '.join(c.name for c in columns)}", f" WHEN {same}", [*keeping, updated],
        ),
        "moved": (
            f"AFTER UPDATE OF {', '.join(c.name for c in keys)}",
            f" WHEN NOT ({same})",
            [deleted, *keeping, inserted],
        ),
        "delete": ("AFTER DELETE", "", [deleted]),
    }  # fmt: skip
    listing = f"{_listing(columns)}\n"
    return [
        Trigger(
            f"{name}_{what}",
            table.name,
            f"CREATE TRIGGER {name}_{what} {when} ON {table.name}{condition} BEGIN {listing}"
            + ";\n".join(body)
            + "; END",
        )
        for what, (when, condition, body) in bodies.items()
    ]


def sqlite_guards() -> list[Trigger]:
    def refusal(name: str, table: str, when: str, message: str = APPEND_ONLY) -> Trigger:
        return Trigger(
            name, table, f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )

    made = []
    for table in ("audit_entries", "audit_transactions"):
        made += [
            refusal(f"{table}_fixed", table, f"BEFORE UPDATE ON {table}"),
            refusal(f"{table}_kept", table, f"BEFORE DELETE ON {table}"),
        ]
    for table in ("audit_salts", "audit_personal"):
        made += [
            refusal(f"{table}_fixed", table, f"BEFORE UPDATE ON {table}"),
            refusal(
                f"{table}_kept", table, f"BEFORE DELETE ON {table} WHEN lims_audit_txid() IS NULL", NO_CONTEXT
            ),
            refusal(
                f"{table}_written",
                table,
                f"BEFORE INSERT ON {table} WHEN lims_audit_txid() IS NULL",
                NO_CONTEXT,
            ),
        ]
    # A given number, or a replacing insert, which passes by the triggers above where recursive_triggers is off.
    made.append(
        refusal(
            "audit_entries_appended",
            "audit_entries",
            "BEFORE INSERT ON audit_entries WHEN NEW.seq <> -1 OR NEW.txid IS NOT lims_audit_txid()",
        )
    )
    last = "SELECT (id + 1) || ':' || hash FROM audit_transactions ORDER BY id DESC LIMIT 1"
    made.append(
        refusal(
            "audit_transactions_appended",
            "audit_transactions",
            "BEFORE INSERT ON audit_transactions "
            f"WHEN NEW.id || ':' || NEW.previous <> coalesce(({last}), '1:{ZEROS}') OR NEW.txid IS NOT lims_audit_txid()",
        )
    )
    return made


# --- PostgreSQL ------------------------------------------------------------------------------------------------

_CONTEXT = "nullif(current_setting('lims.txid', true), '')::bigint"


def _function(name: str, body: str, declared: str = "") -> str:
    declared = f"DECLARE {declared}\n" if declared else ""
    return f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger AS $$
{declared}BEGIN
{body}
END $$ LANGUAGE plpgsql"""


def postgresql_capture(table: Table, columns: list[Column[Any]]) -> list[Trigger]:
    name, keys = f"{CAPTURE}{table.name}", policy.key_columns(table)
    new, old = (selected_sql(table, columns, source) for source in ("new_rows", "old_rows"))
    keeping = "".join(
        f"    {text};\n"
        for text in _keeping_sql(table, columns, "new_rows", "postgresql", " FROM new_rows")
    )  # fmt: skip
    entry = "INSERT INTO audit_entries (txid, op, table_name, pk, payload)"
    joined = " AND ".join(f"n.{c.name} = o.{c.name}" for c in keys)
    first = keys[0].name
    key_new, key_old = key_sql(table, "n", "postgresql"), key_sql(table, "o", "postgresql")
    refuse = f"RAISE EXCEPTION '{NO_CONTEXT}' USING ERRCODE = 'check_violation';"
    body = f"""  {_listing(columns)}
  IF TG_OP = 'INSERT' THEN
    IF tx IS NULL THEN
      IF NOT EXISTS (SELECT 1 FROM new_rows) THEN RETURN NULL; END IF;
      {refuse}
    END IF;
{keeping}    {entry}
    SELECT tx, 'I', {_text(table.name)}, {key_new}, row_to_json(n)::text FROM {new} n;
  ELSIF TG_OP = 'DELETE' THEN
    IF tx IS NULL THEN
      IF NOT EXISTS (SELECT 1 FROM old_rows) THEN RETURN NULL; END IF;
      {refuse}
    END IF;
    {entry}
    SELECT tx, 'D', {_text(table.name)}, {key_old}, row_to_json(o)::text FROM {old} o;
  ELSE
{keeping}    FOR change IN
      SELECT CASE WHEN o.{first} IS NULL THEN 'I' WHEN n.{first} IS NULL THEN 'D' ELSE 'U' END AS op,
        CASE WHEN n.{first} IS NULL THEN {key_old} ELSE {key_new} END AS pk,
        CASE WHEN o.{first} IS NULL THEN row_to_json(n)::text WHEN n.{first} IS NULL THEN row_to_json(o)::text ELSE
          (SELECT jsonb_object_agg(a.key, jsonb_build_array(b.value, a.value))::text
           FROM jsonb_each(to_jsonb(n)) a JOIN jsonb_each(to_jsonb(o)) b ON b.key = a.key
           WHERE a.value IS DISTINCT FROM b.value) END AS payload
      FROM {old} o FULL JOIN {new} n ON {joined}
    LOOP
      CONTINUE WHEN change.payload IS NULL;
      IF tx IS NULL THEN {refuse} END IF;
      {entry} VALUES (tx, change.op, {_text(table.name)}, change.pk, change.payload);
    END LOOP;
  END IF;
  RETURN NULL;"""
    function = _function(name, body, f"tx bigint := {_CONTEXT}; change record;")
    tables = {
        "insert": ("INSERT", "NEW TABLE AS new_rows"),
        "update": ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        "delete": ("DELETE", "OLD TABLE AS old_rows"),
    }
    made = [
        Trigger(
            f"{name}_{what}",
            table.name,
            f"CREATE TRIGGER {name}_{what} AFTER {op} ON {table.name} REFERENCING {seen} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
            function,
        )
        for what, (op, seen) in tables.items()
    ]
    made.append(_no_truncate(table.name))
    return made


def _no_truncate(table: str) -> Trigger:
    function = _function(
        "audit_no_truncate", f"  RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'check_violation';"
    )
    return Trigger(
        f"{CAPTURE}{table}_truncate",
        table,
        f"CREATE TRIGGER {CAPTURE}{table}_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_no_truncate()",
        function,
    )  # fmt: skip


#: A leaf of an entry, and the verifier computes the same in Python (lims_verify.py).
_LEAF_POSTGRESQL = (
    "sha256('\\x00'::bytea || convert_to(seq || E'\\t' || op || E'\\t' || table_name || E'\\t' || pk || E'\\t' || payload, "
    "'UTF8'))"
)
#: Whoever inserts a seal: hashed here is what the transaction changed, and chained to the last seal under a lock that is
#: held to the end of the commit. Hashing happens where the rows are, one statement brings nothing back and forth. What it
#: is given in `leaves` is the context but for its count. One entry, as most transactions have, is found by its number;
#: `currval` is of this session alone, so that no other's entry can be taken for it.
AUDIT_APPENDED = _function(
    "audit_appended",
    f"""  IF NEW.txid IS DISTINCT FROM {_CONTEXT} THEN
    RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'check_violation';
  END IF;
  IF currval('audit_entries_seq_seq') = NEW.txid + 1 THEN
    SELECT {_LEAF_POSTGRESQL} INTO packed FROM audit_entries WHERE seq = NEW.txid + 1 AND txid = NEW.txid;
  ELSE
    packed := audit_leaves(NEW.txid);
  END IF;
  IF packed IS NULL THEN RETURN NULL; END IF;
  NEW.entries := length(packed) / 32;
  head := sha256('\\x00'::bytea || NEW.leaves || convert_to(NEW.entries || ']', 'UTF8'));
  NEW.leaves := packed;
  NEW.root := encode(CASE NEW.entries WHEN 1 THEN sha256('\\x01'::bytea || head || packed)
    ELSE audit_root(head || packed, NEW.entries + 1) END, 'hex');
  PERFORM pg_advisory_xact_lock({SEAL_LOCK});
  SELECT id, hash INTO last FROM audit_transactions ORDER BY id DESC LIMIT 1;
  NEW.id := coalesce(last.id, 0) + 1;
  NEW.previous := coalesce(last.hash, '{ZEROS}');
  NEW.hash := encode(sha256('\\x02'::bytea || int8send(NEW.id) || decode(NEW.previous || NEW.root, 'hex')), 'hex');
  RETURN NEW;""",
    "last record; packed bytea; head bytea;",
)


def postgresql_guards() -> list[Trigger]:
    fixed = _function("audit_fixed", f"  RAISE EXCEPTION '{APPEND_ONLY}' USING ERRCODE = 'check_violation';")
    context = _function(
        "audit_context", f"  RAISE EXCEPTION '{NO_CONTEXT}' USING ERRCODE = 'check_violation';"
    )
    made = []

    def guard(table: str, what: str, when: str, each: str, function: str, called: str) -> None:
        made.append(
            Trigger(
                f"{table}_{what}",
                table,
                f"CREATE TRIGGER {table}_{what} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {called}()",
                function,
            )
        )

    # The condition is the trigger's own, not the function's: a write in a context calls nothing.
    setting = "current_setting('lims.txid'::text, true)"
    outside = f"STATEMENT WHEN ((({setting} IS NULL) OR ({setting} = ''::text)))"
    for table in ("audit_entries", "audit_transactions"):
        guard(table, "fixed", "BEFORE UPDATE OR DELETE", "ROW", fixed, "audit_fixed")
        made.append(_no_truncate(table))
    for table in ("audit_salts", "audit_personal"):
        guard(table, "fixed", "BEFORE UPDATE", "ROW", fixed, "audit_fixed")
        guard(table, "written", "BEFORE INSERT OR DELETE", outside, context, "audit_context")
        made.append(_no_truncate(table))
    guard("audit_entries", "written", "BEFORE INSERT", outside, context, "audit_context")
    guard("audit_transactions", "appended", "BEFORE INSERT", "ROW", AUDIT_APPENDED, "audit_appended")
    return made


#: Digest of a personal value, and what the guard of seals calls. PostgreSQL guesses that a transaction changed a third of
#: the record, for which it would start workers from some hundred thousand entries on: fifteen milliseconds at each write.
POSTGRESQL_FUNCTIONS = (
    f"""CREATE OR REPLACE FUNCTION audit_digest(salt text, column_name text, value text) RETURNS text AS $$
  SELECT CASE WHEN value IS NULL OR substr(value, 1, {len(policy.ERASED)}) = '{policy.ERASED}' THEN value ELSE
    'sha256:' || encode(sha256(convert_to(coalesce(salt, '') || ':' || column_name || ':' || value, 'UTF8')), 'hex') END
$$ LANGUAGE sql IMMUTABLE""",
    # The seals of before revisions 0018 and 0022, which were functions.
    "DROP FUNCTION IF EXISTS audit_seal(bigint, text, timestamptz, text, text, integer, text, bytea)",
    "DROP FUNCTION IF EXISTS audit_seal(bigint, text, timestamptz, text, text, text)",
    """CREATE OR REPLACE FUNCTION audit_root(level bytea, size integer) RETURNS bytea AS $$
BEGIN
  WHILE size > 1 LOOP
    level := (SELECT string_agg(CASE WHEN 2 * i + 1 < size THEN sha256('\\x01'::bytea || substr(level, 64 * i + 1, 64))
      ELSE substr(level, 64 * i + 1, 32) END, ''::bytea ORDER BY i) FROM generate_series(0, (size - 1) / 2) i);
    size := (size + 1) / 2;
  END LOOP;
  RETURN level;
END $$ LANGUAGE plpgsql IMMUTABLE""",
    f"""CREATE OR REPLACE FUNCTION audit_leaves(tx bigint) RETURNS bytea AS $$
BEGIN
  RETURN (SELECT string_agg({_LEAF_POSTGRESQL}, ''::bytea ORDER BY seq)
    FROM audit_entries WHERE seq > tx AND txid = tx);
END $$ LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0""",
    AUDIT_APPENDED,  # here as well: a migration is sealed before the triggers are brought up to date
)


# --- what there should be and what there is --------------------------------------------------------------------


@lru_cache(maxsize=4)
def _of_models(dialect: str, _tables: int) -> tuple[Trigger, ...]:
    return tuple(_expected(dialect, Model.metadata, None))


def expected(dialect: str, existing: dict[str, set[str]] | None = None) -> tuple[Trigger, ...]:
    """The triggers of all captured tables. `existing` (table -> columns) leaves out what a database lacks."""
    if existing is None:
        return _of_models(dialect, len(Model.metadata.tables))
    return tuple(_expected(dialect, Model.metadata, existing))


def _expected(dialect: str, metadata: MetaData, existing: dict[str, set[str]] | None) -> list[Trigger]:
    capture = sqlite_capture if dialect == "sqlite" else postgresql_capture
    made = sqlite_guards() if dialect == "sqlite" else postgresql_guards()
    for table in metadata.sorted_tables:
        if not policy.is_captured(table) or (existing is not None and table.name not in existing):
            continue
        columns = [
            column
            for column in policy.captured_columns(table)
            if existing is None or column.name in existing[table.name]
        ]
        made += capture(table, columns)
    return made


def _functions(triggers: Iterable[Trigger]) -> list[str]:
    return list(dict.fromkeys(trigger.function for trigger in triggers if trigger.function))


def _body(function: str) -> str:
    """What PostgreSQL keeps of a CREATE FUNCTION."""
    return function.split("$$")[1]


def _function_name(function: str) -> str:
    found = re.search(r"FUNCTION (\w+)\(", function)
    assert found is not None
    return found.group(1)


def present(connection: Connection) -> dict[str, str]:
    """name -> text of every trigger of the database; on PostgreSQL the definition and the function's body."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        return {row[0]: row[1] for row in connection.exec_driver_sql(query)}
    query = (
        "SELECT t.tgname, pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' ELSE ' disabled' END, p.prosrc "
        "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
    )
    return {name: f"{made}\n{body}" for name, made, body in connection.exec_driver_sql(query)}


def _as_present(trigger: Trigger, dialect: str) -> str:
    """The text under which `present` shows this trigger."""
    return trigger.statement if dialect == "sqlite" else f"{trigger.statement}\n{_body(trigger.function)}"


def _canonical(text: str) -> str:
    """PostgreSQL names the schema and puts the events in an order of its own."""
    head, newline, rest = text.partition(")\n") if " EXECUTE FUNCTION " in text else (text, "", "")
    found = re.match(r"(CREATE TRIGGER \w+) (BEFORE|AFTER) (.+?) ON (?:\w+\.)?(\w+)\s(.+)", head, re.DOTALL)
    if found is None or not newline:
        return text
    name, when, events, table, tail = found.groups()
    listed = " OR ".join(sorted(events.split(" OR ")))
    return f"{name} {when} {listed} ON {table} {tail}{newline}{rest}"


def declared(dialect: str) -> tuple[Trigger, ...]:
    """Triggers of single subjects (frozen mixes, states of results, the search), as they hang on their tables."""
    return _of_tables(dialect, len(Model.metadata.tables))


@lru_cache(maxsize=4)
def _of_tables(dialect: str, _tables: int) -> tuple[Trigger, ...]:
    made, functions = [], {}
    for table in Model.metadata.sorted_tables:
        for listener in table.dispatch.after_create:
            when = listener._ddl_if if isinstance(listener, DDL) else None
            if when is None or when.dialect != dialect:
                continue
            text = listener.statement.replace("%%", "%")
            if text.startswith("CREATE OR REPLACE FUNCTION"):
                functions[_function_name(text)] = text
            elif found := re.match(r"CREATE TRIGGER (\w+) ", text):
                called = re.search(r"EXECUTE FUNCTION (\w+)\(", text)
                function = functions.get(called.group(1), "") if called else ""
                made.append(Trigger(found.group(1), table.name, text, function))
    return tuple(made)


def differences(connection: Connection) -> list[str]:
    """Names of triggers that are missing, disabled or of another text than the program's, and of what was added to the
    tables of the record; empty when all is well."""
    dialect, found = connection.dialect.name, present(connection)
    altered = [
        trigger.name
        for trigger in (*expected(dialect), *declared(dialect))
        if trigger.name not in found
        or _canonical(found[trigger.name]) != _canonical(_as_present(trigger, dialect))
    ]
    return altered + [name for name, _dropping in _added(connection)]


def _added(connection: Connection) -> list[tuple[str, str]]:
    """(name, what takes it off) of triggers and rules on the tables of the record that are not the program's. One that
    swallows its inserts (RAISE(IGNORE), RETURN NULL, DO INSTEAD NOTHING) would have every write go on unrecorded."""
    dialect = connection.dialect.name
    tables = ", ".join(map(_text, AUDIT_TABLES))
    query = f"SELECT name, tbl_name, 'TRIGGER' FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({tables})"
    if dialect != "sqlite":
        query = (
            "SELECT t.tgname, c.relname, 'TRIGGER' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT "
            f"t.tgisinternal AND c.relnamespace = current_schema()::regnamespace AND c.relname IN ({tables}) UNION ALL "
            "SELECT rulename, tablename, 'RULE' FROM pg_rules WHERE schemaname = current_schema() AND "
            f"tablename IN ({tables})"
        )
    ours = {(trigger.name, trigger.table) for trigger in (*expected(dialect), *declared(dialect))}
    quoted = connection.dialect.identifier_preparer.quote_identifier
    return [
        (name, f"DROP {kind} {quoted(name)}" + ("" if dialect == "sqlite" else f" ON {table}"))
        for name, table, kind in connection.exec_driver_sql(query).all()
        if (name, table) not in ours or kind == "RULE"
    ]


# --- installing ------------------------------------------------------------------------------------------------

#: What writes a seal on PostgreSQL.
SEAL = "audit_transactions_appended"
AUDIT_TABLES = ("audit_transactions", "audit_entries", "audit_salts", "audit_personal")


def install(connection: Connection, existing: dict[str, set[str]] | None = None) -> dict[str, str]:
    """Make what is missing, replace what is stale. Returns what stood there before: name -> text.

    `existing` (table -> columns) is what the database has; None when it is just what the models say.
    """
    dialect, found = connection.dialect.name, present(connection)
    wanted = expected(dialect, existing)
    statements = list(POSTGRESQL_FUNCTIONS) if dialect != "sqlite" else []
    statements += _functions(wanted)
    names = {trigger.name for trigger in wanted}
    added = dict(_added(connection))
    statements += added.values()
    for name, text in found.items():
        if name not in names and name not in added and name.startswith(CAPTURE):
            statements.append(_drop(name, _table_of(text), dialect))
    for trigger in wanted:
        present_text = found.get(trigger.name)
        if present_text is not None:
            if _canonical(present_text) == _canonical(_as_present(trigger, dialect)):
                continue
            statements.append(_drop(trigger.name, trigger.table, dialect))
        statements.append(trigger.statement)
    if dialect == "sqlite":
        for statement in statements:
            connection.exec_driver_sql(statement)
    elif statements:
        connection.exec_driver_sql(";\n".join(statements))
    return found


def make_functions(connection: Connection) -> None:
    """What a seal calls, before the first one of a newer program: a migration that writes is sealed as well."""
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(";\n".join(POSTGRESQL_FUNCTIONS))


def make_seal(connection: Connection) -> None:
    """PostgreSQL: the guard that writes a seal, where what was cut off after its migrations has left none: the commit that
    comes next could not be sealed, and `install` would never be reached."""
    if connection.dialect.name == "sqlite" or SEAL in present(connection):
        return
    if connection.exec_driver_sql("SELECT to_regclass('audit_transactions')").scalar() is not None:
        (seal,) = (guard for guard in postgresql_guards() if guard.name == SEAL)
        connection.exec_driver_sql(f"{seal.function};\n{seal.statement}")


def remove(connection: Connection, tables: Iterable[str] | None = None) -> None:
    """Take the capturing triggers away (of these tables): for a migration that a trigger would stand in the way of.

    `lims.base.migration.upgrade` installs them again and records the rows as they stand then.
    """
    dialect, wanted = connection.dialect.name, None if tables is None else set(tables)
    for name, text in present(connection).items():
        table = _table_of(text)
        if (wanted is None and table in AUDIT_TABLES) or (
            name.startswith(CAPTURE) and (wanted is None or table in wanted)
        ):
            connection.exec_driver_sql(_drop(name, table, dialect))


def _drop(name: str, table: str, dialect: str) -> str:
    return f"DROP TRIGGER {name}" + ("" if dialect == "sqlite" else f" ON {table}")


def _table_of(text: str) -> str:
    found = re.search(r"(?:BEFORE|AFTER) .*? ON (?:\w+\.)?(\w+)", text, re.DOTALL)
    return found.group(1) if found else ""


def record_baselines(connection: Connection, existing: dict[str, set[str]], before: dict[str, str]) -> None:
    """Rows that capture did not see coming: of tables it begins with now, and with values in columns new to it."""
    dialect = connection.dialect.name
    for table in Model.metadata.sorted_tables:
        if table.name not in existing or not policy.is_captured(table):
            continue
        columns = [c for c in policy.captured_columns(table) if c.name in existing[table.name]]
        known = listed_columns(before.get(f"{CAPTURE}{table.name}_insert", ""))
        fresh = [] if known is None else [c.name for c in columns if c.name not in known]
        if known is not None and not fresh:
            continue
        rows = f"{table.name} WHERE " + (" OR ".join(f"{name} IS NOT NULL" for name in fresh) or "1 = 1")
        if connection.exec_driver_sql(f"SELECT 1 FROM {rows} LIMIT 1").first() is not None:
            for statement in _baseline_sql(table, columns, rows, dialect):
                connection.exec_driver_sql(statement)


def _baseline_sql(table: Table, columns: list[Column[Any]], rows: str, dialect: str) -> list[str]:
    source = f"(SELECT * FROM {rows}) old_rows"
    keeping = _keeping_sql(table, columns, "old_rows", dialect, f" FROM {source}")
    order = ", ".join(c.name for c in policy.key_columns(table))
    if dialect == "sqlite":
        txid, row, inner = "lims_audit_txid()", "old_rows", source
    else:
        txid, row = _CONTEXT, "n"
        inner = f"{selected_sql(table, columns, 'old_rows').replace('FROM old_rows)', f'FROM {source})')} n"
    return [
        *(["SET LOCAL timezone = 'UTC'"] if dialect != "sqlite" else []),
        *keeping,
        f"INSERT INTO audit_entries (txid, op, table_name, pk, payload) SELECT {txid}, 'B', {_text(table.name)}, "
        f"{key_sql(table, row, dialect)}, {row_sql(table, columns, row, dialect)} FROM {inner} ORDER BY {order}",
    ]


def columns_of(connection: Connection) -> dict[str, set[str]]:
    """table -> its columns, as the database has them."""
    found = inspect(connection).get_multi_columns()
    return {table: {column["name"] for column in columns} for (_schema, table), columns in found.items()}


@event.listens_for(Model.metadata, "after_create")
def _with_tables(_target: MetaData, connection: Connection, tables: list[Table], **_rest: Any) -> None:
    """Tables that are made from the models (tests) are captured at once."""
    if tables:
        whole = len(tables) == len(Model.metadata.tables)
        install(connection, None if whole else columns_of(connection))
