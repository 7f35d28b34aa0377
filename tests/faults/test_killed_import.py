"""kill -9 in the middle of an import leaves none of its rows or all of them, and a record of changes that verifies."""

from __future__ import annotations

import os

import pytest

from tests.faults.conftest import Figures, prepared_laboratory, told_by
from tests.faults.test_locks_and_races import Size


@pytest.mark.skipif(os.name == "nt", reason="forks and SIGKILL")
@pytest.mark.parametrize("which", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_import_that_is_killed_leaves_none_of_its_rows_or_all(
    which: str, request: pytest.FixtureRequest, figures: Figures, size: Size
) -> None:
    settings = prepared_laboratory(which, request)
    kills = size(3, 100)  # on each of the two databases
    told = told_by("tests.faults.import_kills", settings, kills, size(900, 10_000))
    for name, value in told.items():
        figures.tell(name, value)
    figures.equal("undisturbed", told["undisturbed"], True)
    figures.equal("kills", told["kills"], kills)
    assert told["kills before it had ended"] >= kills // 2
    figures.equal(
        "kills that left a part", [left for left in told["left"] if left not in ("none", "all")], []
    )
    figures.equal("integrity and record of changes", told["faults"], [])
    figures.equal("whole afterwards", told["whole afterwards"], True)
