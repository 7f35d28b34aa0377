"""Backups: whole, verified, refused when damaged, put back; a laboratory moved to PostgreSQL row by row."""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import make_url

from lims.audit.keys import note_in
from lims.base.actor import system_actor
from lims.base.database import database, make_engine, transaction
from lims.base.files import keep_file
from lims.base.jobs import Job, enqueue, run_waiting
from lims.base.migration import current_revision, downgrade, head_revision
from lims.base.problems import Problem, Refused
from lims.base.services import SERVICES
from lims.operations import databases
from lims.operations.backup import CHECKPOINT, MANIFEST, Manifest, back_up, prune, restore, verify
from lims.operations.checks import (
    database_problems,
    refuse_a_later_version,
    refuse_to_migrate_without_backup,
)
from lims.operations.moving import move
from lims.settings import Settings
from tests.conftest import postgresql_database, settled
from tests.factories import ACTOR, a_batch, a_customer
from tests.programs import Program, lims, run

CHINESE = "混凝土 “quoted” \\N \\\\ end\nsecond line"


@pytest.fixture(scope="module")
def in_a_file(made_app: Flask, initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a small laboratory over SQLite: copied, never used itself."""
    folder = shutil.copytree(initialised, tmp_path_factory.mktemp("small") / "data")
    return _filled(made_app, Settings(data=folder))


@pytest.fixture(scope="module")
def on_postgresql(
    made_app: Flask,
    postgresql_server: str,
    initialised_postgresql: tuple[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """That of one whose database on the server, "small", is copied."""
    template, prepared = initialised_postgresql
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("small") / "data")
    with postgresql_database(postgresql_server, "small", template) as url:
        yield _filled(made_app, Settings(data=folder, database_url=url))


def _filled(app: Flask, settings: Settings) -> Path:
    with settled(app, settings), app.app_context():
        a_batch()
        a_customer("K-9", notes=CHINESE)
        with transaction(ACTOR) as session:
            keep_file(session, bytes(range(256)), "application/octet-stream")
        database().session.remove()
    return settings.data


@pytest.fixture
def laboratory(
    database_url: str, made_app: Flask, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Flask]:
    """A small laboratory with decimals, times, bytes and Chinese, on either database."""
    if database_url.startswith("sqlite"):
        yield request.getfixturevalue("on_sqlite")
        return
    shutil.copytree(request.getfixturevalue("on_postgresql"), tmp_path / "data")
    server = request.getfixturevalue("postgresql_server")
    with (
        postgresql_database(server, f"lims_{uuid4().hex[:12]}", "small") as url,
        settled(made_app, Settings(data=tmp_path / "data", database_url=url)),
    ):
        yield made_app


@pytest.fixture
def on_sqlite(made_app: Flask, in_a_file: Path, tmp_path: Path) -> Iterator[Flask]:
    """The small laboratory in a file."""
    shutil.copytree(in_a_file, tmp_path / "data")
    with settled(made_app, Settings(data=tmp_path / "data")):
        yield made_app


def _end(app: Flask) -> None:
    with app.app_context():
        database().session.remove()
    app.extensions["lims.database"].engine.dispose()


def _settings(app: Flask) -> Settings:
    found: Settings = app.config["LIMS_SETTINGS"]
    return found


def test_backup_is_verified_by_restoring_it_and_holds_what_is_beside_the_database(
    laboratory: Flask, tmp_path: Path
) -> None:
    settings = _settings(laboratory)
    (settings.data / "reports").mkdir()
    (settings.data / "reports" / "label.typ").write_text("own layout", encoding="utf-8")
    folder = tmp_path / "safe" / "first"
    manifest = back_up(settings, folder)
    assert manifest.rows["customers"] == 1
    assert manifest.rows["specimens"] > 3
    assert verify(settings, folder) == []
    assert (folder / "data" / "reports" / "label.typ").read_text(encoding="utf-8") == "own layout"
    assert (folder / "data" / "secret.key").stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    with pytest.raises(Refused, match="something already"):
        back_up(settings, folder)


def test_backup_that_was_damaged_is_told(laboratory: Flask, tmp_path: Path) -> None:
    settings = _settings(laboratory)
    good = tmp_path / "good"
    back_up(settings, good)
    largest = max(
        (p for p in good.iterdir() if p.is_file() and p.name != MANIFEST), key=lambda p: p.stat().st_size
    )
    for number, damage in enumerate(("flip", "cut", "missing", "added")):
        bad = tmp_path / f"bad-{number}"
        shutil.copytree(good, bad)
        file = bad / largest.name
        content = bytearray(file.read_bytes())
        if damage == "flip":
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        elif damage == "cut":
            file.write_bytes(content[:-100])
        elif damage == "missing":
            file.unlink()
        else:
            (bad / "more.txt").write_text("x", encoding="utf-8")
        assert verify(settings, bad), damage


def test_backup_whose_manifest_was_bent_to_fit_is_told_by_its_rows(laboratory: Flask, tmp_path: Path) -> None:
    settings = _settings(laboratory)
    folder = tmp_path / "safe"
    back_up(settings, folder)
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    told["rows"]["customers"] += 1
    (folder / MANIFEST).write_text(json.dumps(told), encoding="utf-8")
    assert verify(settings, folder) == ["customers: 1 rows, not 2"]


def _bend(folder: Path, text: str | None, **told: object) -> None:
    """Give the backup this checkpoint (None: none, as older ones) and have its manifest agree."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / CHECKPOINT).unlink(missing_ok=True)
    manifest["files"].pop(CHECKPOINT, None)
    if text is not None:
        (folder / CHECKPOINT).write_text(text, encoding="utf-8")
        manifest["files"][CHECKPOINT] = sha256(text.encode()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps({**manifest, **told}), encoding="utf-8")


def test_checkpoint_that_is_missing_altered_or_signed_by_another_is_told(
    laboratory: Flask, tmp_path: Path
) -> None:
    settings = _settings(laboratory)
    folder = tmp_path / "safe"
    manifest = back_up(settings, folder)
    good = (folder / CHECKPOINT).read_text(encoding="utf-8")
    assert manifest.audit_head is not None
    size, root = manifest.audit_head
    foreign = note_in(tmp_path / "another", settings.laboratory, size, root)
    earlier = note_in(settings.data, settings.laboratory, size - 1, root)
    bent = good.replace(f"\n{size}\n", f"\n{size + 1}\n")
    for note, said in (
        ("", "is missing or is none"),
        ("nonsense", "is missing or is none"),
        (bent, f"is over transaction {size + 1}"),
        (earlier, f"is over transaction {size - 1}"),
        (foreign, "is not signed by"),
        (good.partition("\n\n")[0] + "\n\n", "is not signed by"),
    ):
        for kept in (note, None):
            _bend(folder, kept, checkpoint=note)
            (fault,) = verify(settings, folder)
            assert said in fault
    _bend(folder, good, checkpoint=earlier)
    assert verify(settings, folder) == ["checkpoint: checkpoint.txt is not the one of the manifest"]
    _bend(folder, None, checkpoint=good)  # a backup of the program before
    assert verify(settings, folder) == []
    renamed = settings.model_copy(update={"laboratory": "another name"})
    assert verify(renamed, folder) == []


def test_first_backup_of_a_laboratory_holds_the_key_that_its_checkpoint_is_signed_with(
    laboratory: Flask, tmp_path: Path
) -> None:
    settings = _settings(laboratory)
    (settings.data / "audit.key").unlink(missing_ok=True)
    folder = tmp_path / "safe"
    back_up(settings, folder)
    assert (folder / "data" / "audit.key").read_bytes() == (settings.data / "audit.key").read_bytes()
    elsewhere = settings.model_copy(update={"data": tmp_path / "another-machine"})
    assert verify(elsewhere, folder) == []
    assert not (tmp_path / "another-machine").exists()  # no key was made to check with


def test_checkpoint_of_a_backup_is_what_the_verifier_of_the_record_reads(
    initialised: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    folder = tmp_path / "safe"
    made = lims("backup", str(folder), data=data)
    assert made.returncode == 0, made.stderr
    assert str(folder / CHECKPOINT) in made.stdout
    held = lims("audit", "verify", "--checkpoint", str(folder / CHECKPOINT), data=data)
    assert held.returncode == 0, held.stdout
    assert "no anchor yet" not in held.stdout


def test_restore_brings_back_what_was_and_keeps_what_it_replaces(laboratory: Flask, tmp_path: Path) -> None:
    settings = _settings(laboratory)
    folder = tmp_path / "safe"
    back_up(settings, folder)
    with laboratory.app_context():
        a_customer("K-LATER")
    _end(laboratory)
    with pytest.raises(Refused, match="--replace"):
        restore(settings, folder)
    made = (folder / MANIFEST).read_text(encoding="utf-8")
    later = {**json.loads(made), "revision": "9999"}
    (folder / MANIFEST).write_text(json.dumps(later), encoding="utf-8")
    with pytest.raises(Refused, match="9999, which is later than this program"):
        restore(settings, folder, replace=True)
    (folder / MANIFEST).write_text(made, encoding="utf-8")
    _manifest, kept = restore(settings, folder, replace=True)
    assert kept is not None
    assert Manifest.of(kept).rows["customers"] == 2
    with laboratory.app_context():
        assert SERVICES["customers"].find(code="K-LATER") is None
        assert SERVICES["customers"].find(code="K-9").notes == CHINESE
        assert a_customer("K-10").id > SERVICES["customers"].find(code="K-9").id
        a_batch(mix=SERVICES["mix-designs"].find(code="C30-1"))
    _end(laboratory)


def test_restore_is_refused_while_the_database_is_open(laboratory: Flask, tmp_path: Path) -> None:
    settings = _settings(laboratory)
    folder = tmp_path / "safe"
    back_up(settings, folder)
    with laboratory.app_context():
        SERVICES["customers"].find(code="K-9")
        with pytest.raises(Refused, match="in use"):
            restore(settings, folder, replace=True)


def _damage(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "header":
        content[:16] = b"no database here"
    elif how == "pages":
        content[4096:] = bytes(byte ^ 255 for byte in content[4096:])
    file.write_bytes(b"" if how == "empty" else content)


@pytest.mark.parametrize("how", ["header", "pages", "empty"])
def test_damaged_database_is_replaced_and_its_files_are_kept(
    on_sqlite: Flask, tmp_path: Path, how: str
) -> None:
    settings, folder = _settings(on_sqlite), tmp_path / "safe"
    manifest = back_up(settings, folder)
    _end(on_sqlite)
    file = settings.data / "lims.sqlite3"
    _damage(file, how)
    damaged = file.read_bytes()
    unasked = lims("restore", str(folder), data=settings.data)
    assert (unasked.returncode, "--replace" in unasked.stderr) == (2, True)
    found = lims("restore", "--replace", str(folder), data=settings.data)
    assert found.returncode == 0, found.stderr
    assert "unverified" in found.stdout
    (kept,) = settings.backups.glob("before-restore-*")
    assert (kept / "lims.sqlite3").read_bytes() == damaged
    assert (kept / "data" / "audit.key").read_bytes() == (settings.data / "audit.key").read_bytes()
    assert kept.stat().st_mode & 0o077 == 0
    assert databases.faults_of_sqlite(file) == []
    assert databases.contents_of_sqlite(file).rows == manifest.rows


@pytest.mark.skipif(os.name == "nt", reason="there an open file cannot be replaced")
def test_damaged_database_that_a_server_has_open_is_not_replaced(on_sqlite: Flask, tmp_path: Path) -> None:
    settings, folder = _settings(on_sqlite), tmp_path / "safe"
    back_up(settings, folder)
    _end(on_sqlite)
    file = settings.data / "lims.sqlite3"
    program = (
        "import sys; from lims.base.database import make_engine; made = make_engine(sys.argv[1]).connect();"
        "made.exec_driver_sql('SELECT * FROM customers').all(); made.rollback();"
        "print('open', flush=True); sys.stdin.read()"
    )
    with Program(["-c", program, settings.sqlalchemy_url]) as server:
        assert server.stdout.readline() == "open\n"
        with file.open("r+b") as opened:
            opened.write(b"no database here")
        with pytest.raises(Refused, match="in use"):
            restore(settings, folder, replace=True)
    restore(settings, folder, replace=True)
    assert databases.faults_of_sqlite(file) == []


def test_restore_that_fails_says_where_the_database_of_before_is_and_nothing_starts_on_half_of_one(
    laboratory: Flask, tmp_path: Path
) -> None:
    settings, folder = _settings(laboratory), tmp_path / "safe"
    layout = settings.data / "reports" / "label.typ"
    layout.parent.mkdir()
    layout.write_text("own layout", encoding="utf-8")
    back_up(settings, folder)
    with laboratory.app_context():
        a_customer("K-LATER")
    _end(laboratory)
    layout.unlink()
    layout.mkdir()  # no file can take its place
    with pytest.raises(Refused, match="lims restore --replace") as failed:
        restore(settings, folder, replace=True)
    (kept,) = settings.backups.glob("before-restore-*")
    assert str(kept) in str(failed.value)
    if settings.database_url:
        for look in (_problems, refuse_a_later_version, refuse_to_migrate_without_backup):
            with pytest.raises(Refused, match=rf"has not ended.*{kept.name}"):
                look(settings)
    layout.rmdir()
    restore(settings, kept, replace=True)
    assert _problems(settings) == []
    with laboratory.app_context():
        assert SERVICES["customers"].find(code="K-LATER") is not None
    _end(laboratory)
    assert list(settings.data.rglob("*.arriving*")) == []


def _problems(settings: Settings) -> list[Problem]:
    found = database_problems(settings)
    if found:
        raise Refused(found)
    return found


def test_backup_that_does_not_come_out_whole_replaces_nothing(on_sqlite: Flask, tmp_path: Path) -> None:
    settings, folder = _settings(on_sqlite), tmp_path / "safe"
    manifest = back_up(settings, folder)
    _bend(folder, None, checkpoint="", rows={**manifest.rows, "customers": 7})
    with on_sqlite.app_context():
        a_customer("K-LATER")
    _end(on_sqlite)
    with pytest.raises(Refused, match="customers: 1 rows, not 7"):
        restore(settings, folder, replace=True)
    assert list(settings.data.glob("*.arriving*")) == []
    with on_sqlite.app_context():
        assert SERVICES["customers"].find(code="K-LATER") is not None
    _end(on_sqlite)


#: Restores, and is killed where the rows would come into the empty tables.
KILLED = """
import os, sys
from pathlib import Path
from lims.operations import backup, databases
from lims.settings import Settings

databases.import_postgresql = lambda *_given: os._exit(9)
backup.restore(Settings(), Path(sys.argv[1]), replace=True)
"""


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_restore_that_is_killed_leaves_no_empty_laboratory_to_be_served(
    laboratory: Flask, tmp_path: Path
) -> None:
    settings, folder = _settings(laboratory), tmp_path / "safe"
    back_up(settings, folder)
    _end(laboratory)
    given = {"LIMS_DATA": str(settings.data), "LIMS_DATABASE_URL": settings.database_url}
    assert run(["-c", KILLED, str(folder)], {**os.environ, **given}).returncode == 9
    (kept,) = settings.backups.glob("before-restore-*")
    (problem,) = database_problems(settings)
    assert "has not ended" in problem.message
    assert str(kept) in problem.message
    _manifest, told = restore(settings, folder)
    assert told == kept  # half a laboratory is not kept
    assert database_problems(settings) == []


@pytest.mark.postgresql
def test_laboratory_moves_to_postgresql_and_every_row_is_the_same_after_a_move_that_was_killed_too(
    on_sqlite: Flask, postgresql_url: str, tmp_path: Path
) -> None:
    settings = _settings(on_sqlite)
    _end(on_sqlite)
    there = settings.model_copy(update={"database_url": postgresql_url})
    databases.begin_moving(postgresql_url, "--to")
    with psycopg.connect(databases.conninfo(postgresql_url)) as connection:
        connection.execute("CREATE TABLE customers (id integer)")
        with pytest.raises(Refused, match="others are connected"):
            databases.begin_moving(postgresql_url, "--to")
    (problem,) = database_problems(there)
    assert "run `lims move` again" in str(problem.message)
    told: list[str] = []
    rows = move(settings, postgresql_url, lambda table, _count: told.append(table))
    assert rows["customers"] == 1
    assert set(told) == set(rows)
    assert database_problems(there) == []
    on_sqlite.extensions["lims.database"].point_at(postgresql_url)
    with on_sqlite.app_context():
        assert SERVICES["customers"].find(code="K-9").notes == CHINESE
        assert a_customer("K-10").id == 2
        found = SERVICES["batches"].find(id=1)
        assert str(found.volume_m3) == "120.00"
    _end(on_sqlite)
    with pytest.raises(Refused, match="not empty"):
        move(settings, postgresql_url, lambda *_told: None)


@pytest.mark.postgresql
def test_move_that_lost_or_changed_a_row_is_refused_and_leaves_nothing(
    on_sqlite: Flask, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(on_sqlite)
    _end(on_sqlite)
    from lims.operations import moving

    whole = moving._copy

    def faulty(source: object, to: str, told: object) -> dict[str, int]:
        rows = whole(source, to, told)  # type: ignore[arg-type]
        import psycopg

        with psycopg.connect(databases.conninfo(to)) as connection:
            connection.execute("ALTER TABLE customers DISABLE TRIGGER USER")
            connection.execute("UPDATE customers SET name = 'x'")
        return rows

    monkeypatch.setattr(moving, "_copy", faulty)
    with pytest.raises(Refused, match="customers 1 differs"):
        move(settings, postgresql_url, lambda *_told: None)
    with psycopg.connect(databases.conninfo(postgresql_url)) as connection:
        assert databases._things(connection) == []  # functions went too: it may be tried again


def test_folders_whose_names_mean_something_in_an_address_are_backed_up_and_restored(
    initialised: Path, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path / "lab #2 100%25 ?")
    shutil.copytree(initialised, settings.data)
    folder = settings.backups / "first #1"
    assert back_up(settings, folder).rows["ab_user"] > 1
    assert verify(settings, folder) == []
    manifest, kept = restore(settings, folder, replace=True)
    assert kept is not None
    assert Manifest.of(kept).rows == manifest.rows


#: What another program keeps in its database: rows of its own, and Alembic's table.
OF_ANOTHER_PROGRAM = (
    "CREATE TABLE orders (id integer)",
    "INSERT INTO orders VALUES (1), (2)",
    "CREATE TABLE alembic_version (version_num varchar(32))",
    "INSERT INTO alembic_version VALUES ('1975ea83b712')",
)


@pytest.fixture(params=[2, 4], ids=["plain", "with-alembic"])
def of_others(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[str]:
    """The address of a database that another program fills; its rows are still there afterwards."""
    with psycopg.connect(databases.conninfo(postgresql_url)) as connection:
        for statement in OF_ANOTHER_PROGRAM[: request.param]:
            connection.execute(statement.encode())
    yield postgresql_url
    with psycopg.connect(databases.conninfo(postgresql_url)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)
        assert set(databases.tables_of(connection)) <= {"orders", "alembic_version"}


@pytest.mark.postgresql
def test_database_of_another_program_is_no_place_to_move_to(
    of_others: str, initialised: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(initialised, data)
    with pytest.raises(Refused, match=r"not empty.*orders"):
        move(Settings(data=data), of_others, lambda *_told: None)


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_database_of_another_program_is_no_place_to_restore_into(
    laboratory: Flask, postgresql_server: str, tmp_path: Path
) -> None:
    settings = _settings(laboratory)
    folder = tmp_path / "safe"
    back_up(settings, folder)
    for statements in (OF_ANOTHER_PROGRAM[:2], OF_ANOTHER_PROGRAM):
        with _another_database(postgresql_server) as url:
            with psycopg.connect(databases.conninfo(url)) as connection:
                for statement in statements:
                    connection.execute(statement.encode())
            mistyped = settings.model_copy(update={"database_url": url})
            for replace in (False, True):
                with pytest.raises(Refused, match=r"holds no laboratory but .*orders"):
                    restore(mistyped, folder, replace=replace)
            with pytest.raises(Refused, match=r"not empty.*orders"):
                verify(settings, folder, into=url)
            with psycopg.connect(databases.conninfo(url)) as connection:
                assert connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)


@contextmanager
def _another_database(server: str) -> Iterator[str]:
    name = f"others_{uuid4().hex[:8]}"
    with psycopg.connect(databases.conninfo(server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_nightly_job_backs_up_verifies_and_keeps_the_last_ones(app: Flask) -> None:
    settings: Settings = app.config["LIMS_SETTINGS"]
    for number in range(settings.backups_kept + 2):
        old = settings.backups / f"nightly-2026010{number // 10}T0{number % 10}0000Z"
        old.mkdir(parents=True)
        (old / MANIFEST).write_text("{}", encoding="utf-8")
    with app.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
    assert run_waiting(app) == ["done"]
    with app.app_context():
        job = database().session().get(Job, job_id)
        assert job is not None
        assert "restored and verified" in str(job.message)
    left = sorted(folder.name for folder in settings.backups.glob("nightly-*"))
    assert len(left) == settings.backups_kept
    assert verify(settings, settings.backups / left[-1]) == []
    assert prune(settings) == []


def test_upgrade_of_an_older_laboratory_backs_up_verifies_and_migrates(app: Flask) -> None:
    settings = _settings(app)
    data = settings.data
    with app.app_context():
        a_batch(element="Axis 7")
        engine = database().engine
        database().session.remove()
    downgrade(engine, "0016")  # a batch has no column for its water there
    engine.dispose()
    found = lims("upgrade", data=data)
    assert found.returncode == 0, found.stderr
    (kept,) = (data / "backups").glob("before-upgrade-*")
    assert str(kept) in found.stdout
    assert f"revision 0016 -> {head_revision()}" in found.stdout
    assert current_revision(engine) == head_revision()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT element, water_used_kg_m3 FROM batches")).all()
        assert [tuple(row) for row in rows] == [("Axis 7", None)]
    engine.dispose()
    assert Manifest.of(kept).revision == "0016"
    assert verify(settings, kept) == []
    again = lims("verify-backup", str(kept), data=data)
    assert again.returncode == 0
    assert "verified" in again.stdout
    (kept / "lims.sqlite3").write_bytes(b"")
    damaged = lims("verify-backup", str(kept), data=data)
    assert damaged.returncode == 1
    assert "not as it was written" in damaged.stderr
    assert "all well" in lims("check", data=data).stdout


@pytest.fixture
def earlier(laboratory: Flask) -> Settings:
    """A small laboratory of the revision before this one, on either database."""
    engine = laboratory.extensions["lims.database"].engine
    downgrade(engine, "-1")
    engine.dispose()
    return _settings(laboratory)


def _revision(settings: Settings) -> str | None:
    engine = make_engine(settings.sqlalchemy_url)
    found = current_revision(engine)
    engine.dispose()
    return found


def test_init_leaves_a_laboratory_of_an_earlier_version_to_upgrade_which_backs_it_up(
    earlier: Settings,
) -> None:
    before = _revision(earlier)
    assert before not in {None, head_revision()}
    found = lims("init", data=earlier.data, LIMS_DATABASE_URL=earlier.database_url)
    assert found.returncode == 2
    assert f"is of revision {before}" in found.stderr
    assert "run `lims upgrade`" in found.stderr
    assert "Traceback" not in found.stderr
    assert _revision(earlier) == before


@pytest.mark.skipif(os.name == "nt", reason="the container is of Linux")
@pytest.mark.postgresql
@pytest.mark.parametrize(
    "database_url", ["postgresql"], indirect=True
)  # whose file does not stand in the volume
def test_container_upgrades_a_laboratory_of_an_earlier_version_with_a_backup(
    earlier: Settings, tmp_path: Path
) -> None:
    before = _revision(earlier)
    assert _calls_of_the_container(earlier, tmp_path) == ["check", "init", "upgrade", "serve"]
    assert _revision(earlier) == head_revision()
    (kept,) = earlier.backups.glob("before-upgrade-*")
    manifest = Manifest.of(kept)
    assert (manifest.revision, manifest.rows["customers"]) == (before, 1)
    assert _calls_of_the_container(earlier, tmp_path) == ["check", "serve"]


@pytest.mark.skipif(os.name == "nt", reason="the container is of Linux")
def test_container_initialises_an_empty_database(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    assert _calls_of_the_container(settings, tmp_path) == ["check", "init", "serve"]
    assert _revision(settings) == head_revision()
    assert list(settings.backups.glob("*")) == []


def _calls_of_the_container(settings: Settings, tmp_path: Path) -> list[str]:
    """The container's own command. Its `lims` asks this process for each call, which has the program forked from one that
    has made its imports (tests/programs.py), and hands on what it returned; it ends where serving would begin."""
    (line,) = [
        line
        for line in Path("docs/deploy/Containerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("CMD [")
    ]
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    program, asked, told = place / "lims", place / "asked", place / "told"
    program.write_text(
        f'#!/bin/sh\necho "$*" > {shlex.quote(str(asked))}\n'
        f"read returned < {shlex.quote(str(told))}\nexit $returned\n",
        encoding="utf-8",
    )
    program.chmod(0o700)
    os.mkfifo(asked)
    os.mkfifo(told)
    calls: list[str] = []
    said = ""
    given = {**os.environ, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}
    hears = os.open(asked, os.O_RDWR)  # whoever opens it to read alone waits for the first call
    with subprocess.Popen(json.loads(line.removeprefix("CMD ")), env=given) as shell:
        try:
            until = time.monotonic() + 120
            while shell.poll() is None:
                assert time.monotonic() < until, calls
                if not select.select([hears], [], [], 0.05)[0]:
                    continue
                call = os.read(hears, 200).decode().split()
                calls.append(call[0])
                returned = 0
                if call != ["serve"]:
                    found = lims(*call, data=settings.data, LIMS_DATABASE_URL=settings.database_url)
                    returned, said = found.returncode, found.stderr
                # Without the end of a line: who reads it waits until this is closed, so that the next call comes after that.
                told.write_text(f"{returned}", encoding="utf-8")
        finally:
            shell.kill()
    os.close(hears)
    assert shell.returncode == 0, said
    return calls
