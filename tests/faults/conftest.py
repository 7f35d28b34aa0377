"""Faults, each with the figure that it passes at: short in `make test`, long with `make faults`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from lims.settings import Settings
from tests.programs import run

LONG = os.environ.get("LIMS_FAULTS") == "long"


@dataclass
class Figures:
    """What was counted, beside what it has to be; told when the test ends, and asserted at once."""

    name: str
    lines: list[str] = field(default_factory=list)

    def tell(self, what: str, found: object) -> None:
        self.lines.append(f"  {what}: {found}")

    def equal(self, what: str, found: object, wanted: object) -> None:
        self.lines.append(f"  {what}: {found} (wanted {wanted})")
        assert found == wanted, f"{what}: {found}, wanted {wanted}"

    def at_most(self, what: str, found: float, wanted: float) -> None:
        self.lines.append(f"  {what}: {found:.3f} (at most {wanted:g})")
        assert found <= wanted, f"{what}: {found:.3f}, at most {wanted:g}"

    def at_least(self, what: str, found: float, wanted: float) -> None:
        self.lines.append(f"  {what}: {found:.3f} (at least {wanted:g})")
        assert found >= wanted, f"{what}: {found:.3f}, at least {wanted:g}"


@pytest.fixture
def figures(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Figures]:
    found = Figures(request.node.name)
    yield found
    if LONG:
        with capsys.disabled():
            print("\n" + found.name, *found.lines, sep="\n", flush=True)  # noqa: T201 - figures are for a person


@pytest.fixture
def size() -> Callable[[int, int], int]:
    """How often: in the suite, or with `make faults`."""
    return lambda short, long: long if LONG else short


def prepared_laboratory(which: str, request: pytest.FixtureRequest) -> Settings:
    """Of a copy of what `lims init` prepared, which nobody has open."""
    app: Flask = request.getfixturevalue("app" if which == "sqlite" else "postgresql_app")
    app.extensions["lims.database"].engine.dispose()
    settings: Settings = app.config["LIMS_SETTINGS"]
    return settings


def told_by(program: str, settings: Settings, *numbers: int) -> dict[str, Any]:
    """What a program of this folder prints: it forks, and a process of pytest may have threads."""
    place = str(settings.data), settings.database_url or "sqlite"
    done = run(["-m", program, *place, *map(str, numbers)], timeout_s=None)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told
