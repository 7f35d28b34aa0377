"""The database's own refusals about complaints: what the service refuses first, and what holds for every other way in.

A complaint goes received -> answered -> on site -> solved -> closed, or is withdrawn; it is closed with its cause, its
remedy and the customer's agreement; a closed one is fixed. The migration runs the same text.
"""

from __future__ import annotations

from sqlalchemy import Table

from lims.base.refusals import attach_statements, postgresql_refusals, sqlite_refusals

#: State -> the states that may follow. Arriving answers; what is solved by phone needs no visit; a customer who does
#: not agree sends it back to the site.
NEXT_STATES = {
    "received": ("answered", "on_site", "withdrawn"),
    "answered": ("on_site", "solved", "withdrawn"),
    "on_site": ("solved", "withdrawn"),
    "solved": ("closed", "on_site"),
    "closed": (),
    "withdrawn": (),
}
MESSAGES = {
    "state": "this state cannot follow the present one",
    "facts": "a complaint is closed with its cause, its remedy and the agreement of the customer",
    "clock": "a step is not noted without its time",
    "born": "a complaint begins as received",
    "closed": "a closed complaint is fixed",
    "delete": "complaints are never deleted",
}
#: What of a closed complaint stays as it was; erasing a person and taking out of use remain possible.
FIXED = (
    "code", "customer_id", "site_id", "received_at", "subject", "description", "answered_at", "on_site_at", "solved_at",
    "closed_at", "cause", "remedy", "category", "root_cause", "compensation", "compensation_amount", "agreed_on",
    "answer_due_at", "on_site_due_at", "solve_due_at", "satisfaction",
)  # fmt: skip

_LEGAL = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state = '{after}')"
    for state, afters in NEXT_STATES.items()
    for after in afters
)
_CLOSED_WITHOUT = (
    "NEW.state = 'closed' AND (NEW.root_cause IS NULL OR NEW.remedy IS NULL OR NEW.agreed_on IS NULL"
    " OR NEW.solved_at IS NULL OR NEW.closed_at IS NULL)"
)
_STEP_WITHOUT_TIME = (
    "(NEW.state IN ('answered', 'on_site', 'solved') AND NEW.answered_at IS NULL)"
    " OR (NEW.state = 'on_site' AND NEW.on_site_at IS NULL)"
    " OR (NEW.state = 'solved' AND NEW.solved_at IS NULL)"
)


def _rules(table: str, different: str) -> list[tuple[str, str, str, str]]:
    """(name, action, condition, message) of every refusal."""
    changed = " OR ".join(f"NEW.{name} {different} OLD.{name}" for name in FIXED)
    return [
        ("state", "UPDATE", f"OLD.state <> NEW.state AND NOT ({_LEGAL})", MESSAGES["state"]),
        ("facts", "UPDATE", _CLOSED_WITHOUT, MESSAGES["facts"]),
        ("clock", "UPDATE", _STEP_WITHOUT_TIME, MESSAGES["clock"]),
        ("closed", "UPDATE", f"OLD.state IN ('closed', 'withdrawn') AND ({changed})", MESSAGES["closed"]),
        ("born", "INSERT", "NEW.state <> 'received'", MESSAGES["born"]),
        ("delete", "DELETE", "1 = 1", MESSAGES["delete"]),
    ]


def sqlite(table: str) -> list[str]:
    return sqlite_refusals(table, _rules)


def postgresql(table: str) -> list[str]:
    return postgresql_refusals(table, _rules)


def attach(table: Table) -> None:
    """Make the triggers whenever the table is made (tests; the migration names them itself)."""
    attach_statements(table, sqlite(table.name), postgresql(table.name))
