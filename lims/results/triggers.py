"""The database's own refusals about results: what the services refuse first, and what holds for every other way in.

A break is never changed but to be superseded; a result goes entered -> verified -> released -> retracted, verified by
another person than the one who entered it; neither is ever deleted. The migration runs the same text.
"""

from __future__ import annotations

from sqlalchemy import Table

from lims.base.refusals import attach_statements, postgresql_refusals, sqlite_refusals

#: State -> the states that may follow.
NEXT_STATES = {
    "entered": ("verified",),
    "verified": ("released",),
    "released": ("retracted",),
    "retracted": (),
}
FIXED_OF_RESULTS = (
    "specimen_set_id", "number", "rule_id", "edition", "strength_mpa", "basis", "specimen_count", "reason",
    "created_at", "created_by",
)  # fmt: skip
FIXED_OF_BREAKS = (
    "specimen_id", "number", "load_kn", "reported", "strength_mpa", "press_id", "tested_by", "tested_at", "age_hours",
    "age_within", "loading_rate_mpa_s", "remark", "created_at", "created_by",
)  # fmt: skip
#: Rule of history that came as strengths: it was released elsewhere, before it came here.
REPORTED_RULE = "history/mean-as-reported"

MESSAGES = {
    "fixed": "what was observed is fixed: correct it by a new entry",
    "superseded": "a superseded record is fixed",
    "state": "this state cannot follow the present one",
    "checker": "a result is verified by another person than the one who entered it",
    "born": "a result begins as entered",
    "delete": "results and breaks are never deleted",
}


def _changed(columns: tuple[str, ...], different: str) -> str:
    return " OR ".join(f"NEW.{name} {different} OLD.{name}" for name in columns)


_LEGAL = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{after}')"
    for state, afters in NEXT_STATES.items()
    for after in afters
)
_CHECKED = (
    "NEW.state IN ('verified', 'released') AND OLD.state <> NEW.state AND "
    "(NEW.verified_by IS NULL OR NEW.verified_by = NEW.created_by OR NEW.verified_at IS NULL)"
)


def _rules(table: str, different: str) -> list[tuple[str, str, str, str]]:
    """(name, action, condition, message) of every refusal about this table."""
    fixed = FIXED_OF_RESULTS if table == "set_results" else FIXED_OF_BREAKS
    rules = [
        ("fixed", "UPDATE", _changed(fixed, different), MESSAGES["fixed"]),
        ("superseded", "UPDATE", "OLD.superseded_at IS NOT NULL", MESSAGES["superseded"]),
        ("delete", "DELETE", "1 = 1", MESSAGES["delete"]),
    ]
    if table == "set_results":
        rules += [
            ("state", "UPDATE", f"OLD.state <> NEW.state AND NOT ({_LEGAL})", MESSAGES["state"]),
            ("checker", "UPDATE", _CHECKED, MESSAGES["checker"]),
            (
                "born",
                "INSERT",
                f"NEW.state <> 'entered' AND NOT (NEW.state = 'released' AND NEW.rule_id = '{REPORTED_RULE}')",
                MESSAGES["born"],
            ),
        ]
    return rules


def sqlite(table: str) -> list[str]:
    return sqlite_refusals(table, _rules)


def postgresql(table: str) -> list[str]:
    return postgresql_refusals(table, _rules)


def attach(table: Table) -> None:
    """Make the triggers whenever the table is made (tests; the migration names them itself)."""
    attach_statements(table, sqlite(table.name), postgresql(table.name))
