"""Every pinned package against the vulnerabilities that are known (.ci/advisories.tsv, with its date)."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
ADVISORIES = ROOT / ".ci" / "advisories.tsv"
PINS = ("requirements.txt", "requirements-server.txt", "requirements-dev.txt")


def _advisories() -> list[dict[str, str]]:
    lines = [line for line in ADVISORIES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines, delimiter="\t"))


def _found(name: str, version: Version) -> list[str]:
    return [
        f"{name} {version}: {row['identifier']} ({row['what']})"
        for row in _advisories()
        if canonicalize_name(row["package"]) == canonicalize_name(name)
        and SpecifierSet(row["affected"]).contains(version, prereleases=True)
    ]


def _pins() -> list[tuple[str, Version]]:
    found = []
    for file in PINS:
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            text = line.partition("#")[0].strip()
            if text and not text.startswith("-"):
                wanted = Requirement(text)
                exact = re.fullmatch(r"==([^,*]+)", str(wanted.specifier))
                assert exact is not None, f"{file}: {text} is not pinned to one version"
                found.append((wanted.name, Version(exact.group(1))))
    return found


def test_no_pinned_package_has_a_vulnerability_that_is_listed() -> None:
    pins = _pins()
    assert len(pins) > 50
    assert [told for name, version in pins for told in _found(name, version)] == []


def test_list_tells_its_date_and_licence() -> None:
    head = ADVISORIES.read_text(encoding="utf-8").split("package\t")[0]
    assert re.search(r"on 20\d\d-\d\d-\d\d", head)
    assert "MIT" in head


@pytest.mark.parametrize(
    ("name", "version", "told"),
    [
        ("Werkzeug", "3.0.5", 6),
        ("Werkzeug", "3.0.6", 4),
        ("Werkzeug", "3.1.9", 0),
        ("Flask-AppBuilder", "4.5.0", 4),
        ("h11", "0.14.0", 1),
    ],
)
def test_affected_version_is_told(name: str, version: str, told: int) -> None:
    assert len(_found(name, Version(version))) == told
