"""kill -9 of every writer, while it writes: nothing acknowledged is lost, nothing is doubled or half written."""

from __future__ import annotations

import os

import pytest

from tests.faults.conftest import Figures, prepared_laboratory, told_by
from tests.faults.test_locks_and_races import Size

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks and SIGKILL")


@pytest.mark.parametrize("which", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_no_acknowledged_result_is_lost_when_every_writer_is_killed(
    which: str, request: pytest.FixtureRequest, figures: Figures, size: Size
) -> None:
    settings = prepared_laboratory(which, request)
    results = size(24, 50_000)
    told = told_by("tests.faults.kills", settings, size(4, 250), results)
    for name, value in told.items():
        figures.tell(name, value)
    figures.equal("acknowledged", told["acknowledged"], told["wanted"])
    assert told["acknowledged"]
    figures.at_least("part of it before the last kill", told["before the last kill"] / told["wanted"], 0.9)
    for name in ("lost", "doubled", "half written"):
        figures.equal(name, told[name], 0)
    figures.equal("integrity and record of changes", [told["integrity"], told["record of changes"]], [[], []])
