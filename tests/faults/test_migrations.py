"""Down and up again over a filled laboratory: the same rows, the guards in place, the record of changes verifies."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from benchmarks.laboratory import fill
from lims.app import create_app
from lims.base.database import make_engine
from lims.base.migration import downgrade, head_revision, upgrade
from lims.initialise import initialise
from lims.operations.record_of_changes import faults_of_record, guards_that_differ
from lims.settings import Settings
from tests.faults.conftest import LONG, Figures
from tests.faults.test_locks_and_races import Size

#: What the last migration before these may not have touched.
TABLES = ("batches", "specimen_sets", "specimens", "breaks", "set_results")


def _hashes(engine: Engine) -> dict[str, str]:
    found = {}
    with engine.connect() as connection:
        for table in TABLES:
            digest = hashlib.sha256()
            for row in connection.execute(sqlalchemy.text(f"SELECT * FROM {table} ORDER BY id")):
                digest.update(repr(tuple(row)).encode())
            found[table] = digest.hexdigest()
    return found


@pytest.mark.skipif(not LONG, reason="with make faults")
@pytest.mark.parametrize("which", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_rows_are_the_same_after_the_last_migration_went_down_and_up(
    which: str, tmp_path: Path, request: pytest.FixtureRequest, figures: Figures, size: Size
) -> None:
    url = "" if which == "sqlite" else request.getfixturevalue("postgresql_url")
    app = create_app(Settings(data=tmp_path, database_url=url))
    initialise(app)
    fill(app, size(900, 100_000))
    app.extensions["lims.database"].engine.dispose()
    engine = make_engine(app.config["LIMS_SETTINGS"].sqlalchemy_url)
    before = _hashes(engine)
    downgrade(engine, "-1")
    upgrade(engine)
    figures.equal("row hashes", _hashes(engine) == before, True)
    with engine.connect() as connection:
        figures.equal("triggers that differ", guards_that_differ(connection), [])
    figures.equal("record of changes", faults_of_record(app.config["LIMS_SETTINGS"].sqlalchemy_url), [])
    assert head_revision()
    engine.dispose()
