"""Down and up again over a filled laboratory: the same rows, the guards in place, the record of changes verifies; and
`lims upgrade` over an older one, which a migration that fails leaves with a way back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
import sqlalchemy
from flask import Flask
from sqlalchemy import Engine

from benchmarks.laboratory import fill
from lims.base.actor import system_actor
from lims.base.database import make_engine
from lims.base.migration import current_revision, downgrade, head_revision, upgrade
from lims.base.services import SERVICES
from lims.operations.record_of_changes import faults_of_record, guards_that_differ
from lims.settings import Settings
from tests.faults.conftest import LONG, Figures
from tests.faults.test_locks_and_races import Size
from tests.programs import lims

#: The revision before the newest one that widens a table of results: from here `batches` is written anew.
BEFORE_WIDENED = "0016"
WIDENED = ("batches", "water_used_kg_m3")
#: As far down as the record of changes goes; what was added since is lost on the way, what was measured is not.
RECORD_BEGINS = "0007"
MEASURED = ("batches", "specimen_sets", "specimens", "breaks", "set_results")
#: They grow or are made anew with every migration.
NOT_COMPARED = ("audit_", "alembic_", "search_")
#: Revision 0018 drops it. Where it is missing that migration fails, after 0017 was committed.
DROPPED_BY_0018 = "ix_audit_transactions_actor"


def _columns(engine: Engine) -> dict[str, list[str]]:
    """Of every table that holds the laboratory's rows, in one order."""
    with engine.connect() as connection:
        found = sqlalchemy.inspect(connection)
        return {
            table: sorted(column["name"] for column in found.get_columns(table))
            for table in found.get_table_names()
            if not table.startswith(NOT_COMPARED)
        }


def _hashes(engine: Engine, columns: dict[str, list[str]]) -> dict[str, tuple[int, str]]:
    """(rows, hash) of these columns of each table, whatever order the rows lie in."""
    found = {}
    with engine.connect() as connection:
        for table, names in columns.items():
            rows = connection.execute(sqlalchemy.text(f"SELECT {', '.join(names)} FROM {table}"))
            digests = sorted(hashlib.sha256(repr(tuple(row)).encode()).digest() for row in rows)
            found[table] = len(digests), hashlib.sha256(b"".join(digests)).hexdigest()
    return found


def _with_an_answered_warning() -> None:
    """Its sample is found by what was said, on the way up from before 0026."""
    actor = system_actor("bench")
    source = SERVICES["aggregate-sources"].add({"code": "S1", "name": "Pit", "kind": "fine"}, actor)
    sample = {
        "code": "S1-1",
        "aggregate_source_id": source.id,
        "sampled_on": "2026-03-02",
        "mud_percent": "9",
    }
    key = SERVICES["aggregate-samples"].add(sample, actor).id
    batch = SERVICES["batches"].page(size=25).items[0]
    answered = {"aggregate_sample_id": key, "answer_sample_out_of_limits": "washed"}
    SERVICES["batches"].edit(batch.id, answered, batch.version, actor)
    assert [warning.aggregate_sample_id for warning in batch.warnings] == [key]


@pytest.fixture
def filled(which: str, request: pytest.FixtureRequest, size: Size) -> Iterator[tuple[Settings, Engine]]:
    """A laboratory with results, some sets still waiting, at the newest revision."""
    app: Flask = request.getfixturevalue("app" if which == "sqlite" else "postgresql_app")
    fill(app, size(450, 100_000), open_share=0.3)
    with app.app_context():
        _with_an_answered_warning()
    app.extensions["lims.database"].engine.dispose()
    settings: Settings = app.config["LIMS_SETTINGS"]
    engine = make_engine(settings.sqlalchemy_url)
    yield settings, engine
    engine.dispose()


@pytest.mark.parametrize("which", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_rows_are_the_same_after_tables_of_results_were_made_anew_down_and_up(
    filled: tuple[Settings, Engine], figures: Figures, size: Size
) -> None:
    settings, engine = filled
    whole = _columns(engine)
    before = _hashes(engine, whole)
    figures.tell("rows", sum(rows for rows, _hash in before.values()))
    assert all(before[table][0] for table in MEASURED)
    for revision in (BEFORE_WIDENED, RECORD_BEGINS)[: size(1, 2)]:
        downgrade(engine, revision)
        kept = _columns(engine)
        assert WIDENED[1] not in kept[WIDENED[0]]
        compared = kept if revision == BEFORE_WIDENED else {table: kept[table] for table in MEASURED}
        lower = _hashes(engine, compared)
        upgrade(engine)
        figures.equal(f"columns after {revision} and up are those of before", _columns(engine) == whole, True)
        figures.equal(f"row hashes at {revision} and up", _hashes(engine, compared) == lower, True)
        after = _hashes(engine, {table: whole[table] for table in compared})
        differ = [table for table in compared if after[table] != before[table]]
        figures.equal(f"tables of {len(compared)} that differ, {revision} and up", differ, [])
        with engine.connect() as connection:
            figures.equal("triggers that differ", guards_that_differ(connection), [])
        figures.equal("record of changes", faults_of_record(settings.sqlalchemy_url), [])


@pytest.mark.parametrize(
    "which",
    [
        "sqlite",
        pytest.param(
            "postgresql",
            marks=[pytest.mark.postgresql, pytest.mark.skipif(not LONG, reason="ten seconds: make faults")],
        ),
    ],
)
def test_upgrade_whose_migration_fails_leaves_the_rows_or_tells_the_way_back_to_them(
    filled: tuple[Settings, Engine], which: str, figures: Figures
) -> None:
    settings, engine = filled
    downgrade(engine, BEFORE_WIDENED)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {DROPPED_BY_0018}")
    columns = _columns(engine)
    before = _hashes(engine, columns)
    engine.dispose()

    failed = lims("upgrade", data=settings.data, LIMS_DATABASE_URL=settings.database_url)
    assert failed.returncode == 1
    assert "The migration failed" in failed.stderr
    assert DROPPED_BY_0018 in failed.stderr
    assert "Traceback" not in failed.stderr
    (kept,) = settings.backups.glob("before-upgrade-*")
    assert f"lims restore --replace {kept}" in failed.stderr
    # PostgreSQL takes all of it back by itself. SQLite stops where it failed, so that the backup is needed.
    if which == "sqlite":
        assert current_revision(engine) == "0017"
        engine.dispose()
        back = lims("restore", "--replace", str(kept), data=settings.data)
        assert back.returncode == 0, back.stderr
        assert "run `lims upgrade` before serving" in back.stdout
    figures.equal("revision afterwards", current_revision(engine), BEFORE_WIDENED)
    figures.equal("rows are those of before", _hashes(engine, columns) == before, True)

    with engine.begin() as connection:  # what stood in the way is mended
        connection.exec_driver_sql(f"CREATE INDEX {DROPPED_BY_0018} ON audit_transactions (actor)")
    upgrade(engine)
    figures.equal("revision once that is mended", current_revision(engine), head_revision())
    figures.equal("rows are still those of before", _hashes(engine, columns) == before, True)
    with engine.connect() as connection:
        figures.equal("triggers that differ", guards_that_differ(connection), [])
    figures.equal("record of changes", faults_of_record(settings.sqlalchemy_url), [])
