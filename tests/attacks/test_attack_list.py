"""The list of attacks and faults (docs/attacks.md): each line names tests, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "attacks.md"
#: Lines of each part. A line that is taken out fails here, so that it is taken out on purpose.
LINES = {"Web": 41, "Share links": 8, "Workbooks": 15, "Faults": 18}


def _lines() -> list[tuple[str, str, list[str]]]:
    """(part, attack, tests) of every line."""
    found, part = [], ""
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            part = line[3:]
        elif line.startswith("| ") and not line.startswith(("| attack |", "| fault |")):
            attack, tests = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append((part, attack, re.findall(r"`([^`]+)`", tests)))
    return found


@cache
def _tests_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_every_line_of_the_attack_list_stands() -> None:
    parts = [part for part, _attack, _tests in _lines()]
    assert {part: parts.count(part) for part in LINES} == LINES
    attacks = [attack for _part, attack, _tests in _lines()]
    assert len(set(attacks)) == len(attacks)


def test_every_attack_has_tests_that_exist() -> None:
    missing = []
    for _part, attack, tests in _lines():
        if not tests:
            missing.append(f"{attack}: no test")
        for test in tests:
            file, _colons, name = test.partition("::")
            path = ROOT / file
            if not path.is_file() or (name and name not in _tests_of(path)):
                missing.append(f"{attack}: {test}")
    assert missing == []
