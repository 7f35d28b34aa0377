"""Every route x role x method, as data (role_matrix.tsv): who may enter. A route without a line fails.

The lines are compared with what each exposed method declares and what the roles grant; that a declared permission is
asked for is tested by tests/base/test_traps.py and the subjects.
"""

from __future__ import annotations

import csv
from pathlib import Path

from flask import Flask

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, ROLES, SALES, SERVICE, TECHNICIAN

MATRIX = Path(__file__).with_name("role_matrix.tsv")
#: Letters of the matrix. "open": the route declares no permission (sign-in, static files, share links, health).
LETTERS = {"A": ADMINISTRATOR, "M": MANAGER, "T": TECHNICIAN, "S": SALES, "E": SERVICE, "U": AUDITOR}


def declared(app: Flask) -> dict[tuple[str, str], str]:
    """(rule, method) -> letters of the roles that its declared permission lets in, "open" without one."""
    views = {view.endpoint: view for view in app.appbuilder.baseviews}  # type: ignore[attr-defined]
    found = {}
    for rule in app.url_map.iter_rules():
        endpoint, _dot, name = rule.endpoint.partition(".")
        view = views.get(endpoint)
        permission = getattr(getattr(view, name, None), "_permission_name", None)
        who = "open"
        if view is not None and permission is not None:
            grant = (f"can_{permission}", view.class_permission_name)
            who = "".join(letter for letter, role in LETTERS.items() if grant in ROLES[role]) or "nobody"
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            found[rule.rule, method] = who
    return found


def matrix() -> dict[tuple[str, str], str]:
    with MATRIX.open(encoding="utf-8", newline="") as file:
        return {(row["rule"], row["method"]): row["who"] for row in csv.DictReader(file, delimiter="\t")}


def write(app: Flask) -> None:
    """The matrix anew, for a person to read before it is kept."""
    with MATRIX.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter="\t", lineterminator="\n")
        lines.writerow(("rule", "method", "who"))
        lines.writerows((rule, method, who) for (rule, method), who in sorted(declared(app).items()))


def test_every_route_has_a_line_in_the_role_matrix(app: Flask) -> None:
    found, told = set(declared(app)), set(matrix())
    assert sorted(found - told) == [], "new routes: add who may enter to tests/attacks/role_matrix.tsv"
    assert sorted(told - found) == [], "routes that are gone"


def test_every_line_is_what_the_route_declares_and_the_roles_grant(app: Flask) -> None:
    found, told = declared(app), matrix()
    wrong = [
        f"{rule}: {who}, the matrix says {told.get(rule)}"
        for rule, who in found.items()
        if told.get(rule) != who
    ]
    assert wrong == []
