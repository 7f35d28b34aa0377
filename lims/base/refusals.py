"""The database's own refusals, as triggers of both databases made from (name, action, condition, message).

A service refuses first; these hold for every other way in. Migrations run the same text as the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import DDL, Table, event

#: Gives (name, action, condition, message) of every refusal about a table; the second argument is how the database
#: says that two values differ, NULL included.
Rules = Callable[[str, str], list[tuple[str, str, str, str]]]


def sqlite_refusals(table: str, rules: Rules) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        for name, action, condition, message in rules(table, "IS NOT")
    ]


def postgresql_refusals(table: str, rules: Rules) -> list[str]:
    made = []
    for name, action, condition, message in rules(table, "IS DISTINCT FROM"):
        back = "OLD" if action == "DELETE" else "NEW"
        made += [
            f"""CREATE OR REPLACE FUNCTION {table}_{name}() RETURNS trigger AS $$
BEGIN
  IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF;
  RETURN {back};
END $$ LANGUAGE plpgsql""",
            f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_{name}()",
        ]
    return made


def attach_statements(table: Table, sqlite: Iterable[str], postgresql: Iterable[str]) -> None:
    """Run these whenever the table is made (tests; migrations run them by name)."""
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            event.listen(table, "after_create", DDL(statement.replace("%", "%%")).execute_if(dialect=dialect))
