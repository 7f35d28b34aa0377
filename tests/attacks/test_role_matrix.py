"""Every route x role x method, as data (role_matrix.tsv): who may enter. A route without a line fails.

The lines are compared with what each exposed method declares and what the roles grant. That a declared permission is asked
for is tried too: every day by another part of the lines, with a role that is not in them; LIMS_FUZZ_MATRIX_PART, as a
failure names it, tries the same part again.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask

from lims.accounts.roles import ADMINISTRATOR, AUDITOR, MANAGER, ROLES, SALES, SERVICE, TECHNICIAN
from lims.app import create_app
from lims.settings import Settings
from tests.conftest import Person

MATRIX = Path(__file__).with_name("role_matrix.tsv")
#: Letters of the matrix. "open": the route declares no permission (sign-in, static files, share links, health).
LETTERS = {"A": ADMINISTRATOR, "M": MANAGER, "T": TECHNICIAN, "S": SALES, "E": SERVICE, "U": AUDITOR}

#: After so many days each line was tried.
EVERY = 40
DAY = int(os.environ.get("LIMS_FUZZ_MATRIX_PART", datetime.now(UTC).toordinal()))
#: Whose finding it is may answer it, whatever the role: who is not asked is told so of one that is there.
ASKED_BY_NAME = "/findings/<int:record_id>/answer"


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
    """The matrix anew, for a person to read before it is kept: `python -m tests.attacks.test_role_matrix`."""
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


def test_who_is_not_in_a_line_is_refused(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    """Whatever the address names: that there is no such record is told to who may read it."""
    people: dict[str, Person] = {}
    let_in, asked = [], 0
    for place, ((rule, method), who) in enumerate(sorted(matrix().items())):
        others = [letter for letter in LETTERS if letter not in who]
        if place % EVERY != DAY % EVERY or who == "open" or not others or rule == ASKED_BY_NAME:
            continue
        letter = others[DAY // EVERY % len(others)]
        if letter not in people:
            people[letter] = sign_in_as(LETTERS[letter])
            people[letter].post("/profile/")  # fetches the token
        person = people[letter]
        address = re.sub(r"<\w+>", "x", re.sub(r"<int:\w+>", "1", rule))
        headers = {"X-CSRFToken": person.token, "Accept": "application/json"}
        asked += 1
        status = person.client.open(address, method=method, headers=headers).status_code
        if status != 403:
            let_in.append(f"{method} {rule}: {LETTERS[letter]} is answered {status}")
    assert asked > 10
    assert let_in == [], f"LIMS_FUZZ_MATRIX_PART={DAY}"


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        write(create_app(Settings(data=Path(folder))))
