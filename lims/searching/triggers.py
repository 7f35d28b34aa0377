"""What is searched, and the triggers that keep the index in step with the tables.

On SQLite the titles stand in an FTS5 index of trigrams as well, so that letters in the middle of a code are found;
on PostgreSQL pg_trgm does the same where the server has it (migration 0003), else the beginning of a code and the digits
that tell it from others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import DDL, Connection, MetaData, event

#: id = kind * KIND_STEP + the record's id.
KIND_STEP = 2**40


@dataclass(frozen=True, slots=True)
class Searched:
    """A record that can be found. `text` is SQL over the row, which it calls {row}. Numbers are never used again."""

    number: int
    record_name: str
    table: str
    text: str
    columns: tuple[str, ...]
    #: One row for each specimen or set: letters shorter than a trigram are looked up by beginning only.
    bulk: bool = False


#: In the order in which a person most likely means them.
SEARCHED = (
    Searched(1, "specimen-sets", "specimen_sets", "{row}.code", ("code",), bulk=True),
    Searched(2, "specimens", "specimens", "{row}.code", ("code",), bulk=True),
    Searched(3, "batches", "batches", "{row}.code || ' ' || coalesce({row}.element, '')", ("code", "element"), bulk=True),
    Searched(4, "mix-designs", "mix_designs", "{row}.code || ' ' || coalesce({row}.name, '')", ("code", "name")),
    Searched(5, "trials", "trials", "{row}.code || ' ' || {row}.name", ("code", "name")),
    Searched(6, "customers", "customers", "{row}.code || ' ' || {row}.name", ("code", "name")),
    Searched(7, "sites", "sites", "{row}.code || ' ' || {row}.name", ("code", "name")),
    Searched(8, "cement-lots", "cement_lots", "{row}.code || ' ' || coalesce((SELECT code FROM cement_products"
             " WHERE id = {row}.cement_product_id), '')", ("code", "cement_product_id")),
    Searched(9, "cement-products", "cement_products", "{row}.code || ' ' || {row}.name", ("code", "name")),
    Searched(10, "aggregate-samples", "aggregate_samples", "{row}.code", ("code",)),
    Searched(11, "aggregate-sources", "aggregate_sources", "{row}.code || ' ' || {row}.name", ("code", "name")),
    # The first line is its title; what the customer says, what was found and what was done are found but not shown.
    Searched(12, "complaints", "complaints", "{row}.code || ' ' || {row}.subject || '\n' || coalesce({row}.cause, '')"
             " || ' ' || coalesce({row}.description, '') || ' ' || coalesce({row}.site_facts, '')"
             " || ' ' || coalesce({row}.answer, '') || ' ' || coalesce({row}.remedy, '')",
             ("code", "subject", "cause", "description", "site_facts", "answer", "remedy")),
    Searched(13, "certificates", "certificates", "{row}.code", ("code",)),
    Searched(14, "presses", "presses", "{row}.code || ' ' || {row}.name", ("code", "name")),
)  # fmt: skip

NUMBERS = {item.record_name: item for item in SEARCHED}


def key_sql(item: Searched, row: str) -> str:
    return f"{item.number * KIND_STEP} + {row}.id"


def fill_sql(item: Searched) -> str:
    """Index what stands in the table already."""
    text = item.text.format(row=item.table)
    key = key_sql(item, item.table)
    return (
        f"INSERT INTO search_entries (id, kind, title) SELECT {key}, {item.number}, {text} FROM {item.table}"
    )


def sqlite_triggers(item: Searched) -> list[str]:
    text, key = item.text.format(row="NEW"), key_sql(item, "NEW")
    columns = ", ".join(item.columns)
    return [
        f"""CREATE TRIGGER search_{item.table}_insert AFTER INSERT ON {item.table} BEGIN
INSERT INTO search_entries (id, kind, title) VALUES ({key}, {item.number}, {text}); END""",
        f"""CREATE TRIGGER search_{item.table}_update AFTER UPDATE OF {columns} ON {item.table} BEGIN
UPDATE search_entries SET title = {text} WHERE id = {key}; END""",
        f"""CREATE TRIGGER search_{item.table}_delete AFTER DELETE ON {item.table} BEGIN
DELETE FROM search_entries WHERE id = {key_sql(item, "OLD")}; END""",
    ]


SQLITE_INDEX = (
    "CREATE VIRTUAL TABLE search_trigrams USING fts5(title, content='search_entries', content_rowid='id',"
    " tokenize='trigram')",
    """CREATE TRIGGER search_entries_insert AFTER INSERT ON search_entries BEGIN
INSERT INTO search_trigrams (rowid, title) VALUES (NEW.id, NEW.title); END""",
    """CREATE TRIGGER search_entries_update AFTER UPDATE ON search_entries BEGIN
INSERT INTO search_trigrams (search_trigrams, rowid, title) VALUES ('delete', OLD.id, OLD.title);
INSERT INTO search_trigrams (rowid, title) VALUES (NEW.id, NEW.title); END""",
    """CREATE TRIGGER search_entries_delete AFTER DELETE ON search_entries BEGIN
INSERT INTO search_trigrams (search_trigrams, rowid, title) VALUES ('delete', OLD.id, OLD.title); END""",
)


def postgresql_triggers(item: Searched) -> list[str]:
    text, key = item.text.format(row="NEW"), key_sql(item, "NEW")
    name = f"search_{item.table}"
    return [
        f"""CREATE OR REPLACE FUNCTION {name}() RETURNS trigger AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM search_entries WHERE id = {key_sql(item, "OLD")};
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO search_entries (id, kind, title) VALUES ({key}, {item.number}, {text});
  ELSE
    UPDATE search_entries SET title = {text} WHERE id = {key};
  END IF;
  RETURN NULL;
END $$ LANGUAGE plpgsql""",
        f"CREATE TRIGGER {name} AFTER INSERT OR UPDATE OF {', '.join(item.columns)} OR DELETE ON {item.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]


#: What PostgreSQL compares beginnings by: an index entry of its may hold no whole story. As long as what is asked for.
BEGINNING = "lower(left(title, 100))"
#: Beginnings are a range of this index: in byte order on PostgreSQL, whatever the collation of the database.
BEGINNINGS = {
    "sqlite": "CREATE INDEX search_beginnings ON search_entries (kind, title)",
    "postgresql": f"CREATE INDEX search_beginnings ON search_entries (kind, {BEGINNING} text_pattern_ops)",
}

#: A run of so many digits tells records apart: longer than the year that stands in every code.
TELLING_DIGITS = 5
#: Names of the indexes above and below, which are no models; of FTS5 the names of its tables begin so.
INDEXES = ("search_beginnings", "search_trigrams", "search_digits")
#: PostgreSQL: titles by each five digits that follow one another. Of codes with six, one in 250 holds three given ones, as
#: trigrams are, and one in fifty thousand five. A call costs a hundred times an operator. Without fastupdate: every search
#: would read what was written since the last vacuum.
POSTGRESQL_DIGITS = (
    f"""CREATE OR REPLACE FUNCTION search_digits(title text) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100 AS $$
DECLARE rest text := title; run text; found integer[] := '{{}}';
BEGIN
  LOOP
    run := substring(rest from '[0-9]{{{TELLING_DIGITS},}}');
    EXIT WHEN run IS NULL;
    FOR place IN 1 .. length(run) - {TELLING_DIGITS - 1} LOOP
      found := found || substr(run, place, {TELLING_DIGITS})::integer;
    END LOOP;
    rest := substr(rest, strpos(rest, run) + length(run));
  END LOOP;
  RETURN found;
END $$""",
    "CREATE INDEX search_digits ON search_entries USING gin (search_digits(title)) WITH (fastupdate = off)",
)

POSTGRESQL_TRIGRAMS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX IF NOT EXISTS search_trigrams ON search_entries USING gin (lower(title) gin_trgm_ops)",
)


def statements(dialect: str, kinds: Iterable[Searched] = SEARCHED) -> list[str]:
    """All that keeps the index of these kinds, for tables that exist."""
    if dialect == "sqlite":
        return [*SQLITE_INDEX, *(text for item in kinds for text in sqlite_triggers(item))]
    return [text for item in kinds for text in postgresql_triggers(item)]


def index_anew(connection: Connection, item: Searched) -> None:
    """For a migration that changes what is searched of a kind: its triggers anew, and the index of the rows there are."""
    name = f"search_{item.table}"
    if connection.dialect.name == "sqlite":
        for action in ("insert", "update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {name}_{action}")
        made = sqlite_triggers(item)
    else:
        connection.exec_driver_sql(f"DROP TRIGGER {name} ON {item.table}")
        made = postgresql_triggers(item)
    for statement in made:
        connection.exec_driver_sql(statement)
    text = item.text.format(row=item.table)
    key = key_sql(item, item.table)
    connection.exec_driver_sql(
        f"UPDATE search_entries SET title = (SELECT {text} FROM {item.table} WHERE {key} = search_entries.id) "
        f"WHERE kind = {item.number}"
    )


def attach(metadata: MetaData) -> None:
    """Make the index whenever the tables are made (tests; the migration names its parts itself)."""
    for dialect, make in (("sqlite", sqlite_triggers), ("postgresql", postgresql_triggers)):
        for item in SEARCHED:
            for statement in make(item):
                ddl = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)
                event.listen(metadata.tables[item.table], "after_create", ddl)
        own = [BEGINNINGS[dialect], *(SQLITE_INDEX if dialect == "sqlite" else POSTGRESQL_DIGITS)]
        for statement in own:
            ddl = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)
            event.listen(metadata.tables["search_entries"], "after_create", ddl)
