"""What of each table is captured, and how: everything as it is, but for what stands here with its reason."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

#: table -> why its rows are not captured.
NOT_CAPTURED = {
    "audit_transactions": "the record itself",
    "audit_entries": "the record itself",
    "audit_salts": "erasable: what makes personal digests unguessable",
    "audit_personal": "erasable: clear text of personal data",
    "search_entries": "derived by triggers from captured rows; can be made anew",
    "login_sessions": "hashes of tokens of signed-in browsers; they live for days at most and say nothing of records",
    "request_keys": "hashes of requests that were answered, so that a repeat writes nothing; what they made is captured",
    "share_views": "counters of views by day; who shared what with whom stands on captured rows",
    "number_series": "counters; the numbers given out stand on captured rows",
}

#: (table, column) -> why a change of it is no entry.
COLUMNS_NOT_CAPTURED = {
    ("ab_user", "login_count"): "changes at every sign-in",
    ("ab_user", "fail_login_count"): "changes at every attempt to sign in",
    ("ab_user", "last_login"): "changes at every sign-in",
}

#: Kept as a salted digest only: a change shows, the value does not.
SECRETS = {
    ("ab_user", "password"),
    ("share_links", "password_hash"),
    ("ab_register_user", "password"),
    ("ab_register_user", "registration_hash"),
    ("ab_api_key", "key_hash"),
    ("ab_api_key", "lookup_hash"),
    ("share_links", "token_sha256"),
}

#: What tells who a person is, in tables that are not ours. Ours mark the column: `info=PERSONAL`.
PERSONAL_COLUMNS = {
    (table, column)
    for table in ("ab_user", "ab_register_user")
    for column in ("first_name", "last_name", "username", "email")
}

#: `mapped_column(…, info=PERSONAL)`: kept in the record as a salted digest, in clear text apart, and erasable.
PERSONAL = {"personal": True}

#: What a personal value that may not be empty becomes when it is erased; such values are kept as they are.
ERASED = "erased"


def erased_mark(row_id: int) -> str:
    """What stands in the place of each of a row's values that may not be empty."""
    return f"{ERASED}-{row_id}"


def is_captured(table: Table) -> bool:
    return table.name not in NOT_CAPTURED


def captured_columns(table: Table) -> list[Column[object]]:
    return [column for column in table.columns if (table.name, column.name) not in COLUMNS_NOT_CAPTURED]


def is_personal(column: Column[object]) -> bool:
    return bool(column.info.get("personal")) or (column.table.name, column.name) in PERSONAL_COLUMNS


def is_committed(column: Column[object]) -> bool:
    """Kept as a salted digest."""
    return is_personal(column) or (column.table.name, column.name) in SECRETS


def is_binary(column: Column[object]) -> bool:
    return isinstance(column.type, LargeBinary)


def key_columns(table: Table) -> list[Column[object]]:
    return list(table.primary_key.columns)
