"""Faults, each with the figure that it passes at: short in `make test`, long with `make faults`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

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
