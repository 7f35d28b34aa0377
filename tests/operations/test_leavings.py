"""kill -9 of a backup leaves half a copy, of a verification a whole one: the next night takes away what is dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from lims.base.actor import system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.jobs import Job, enqueue, run_waiting
from lims.operations import databases, leavings
from lims.operations.backup import back_up, nightly_folder
from lims.operations.leavings import QUIET, SILENT, sweep
from lims.settings import Settings
from tests.programs import Program

#: Backs up, and hangs at the step that is named.
BACKUP = """
import sys, threading
from lims.base.columns import utc_now
from lims.operations import backup, databases
from lims.settings import Settings

def hanging(whole):
    def hang(*given, **more):
        found = whole(*given, **more)
        print("hangs", flush=True)
        threading.Event().wait()
        return found
    return hang

where, step = {"copy": (databases, "copy_sqlite"), "verify": (backup, "_load")}[sys.argv[1]]
setattr(where, step, hanging(getattr(where, step)))
settings = Settings()
folder = backup.nightly_folder(settings, utc_now())
backup.back_up(settings, folder)
backup.verify(settings, folder)
"""
Begin = Callable[[Settings, str], Program]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """A process that hangs in its backup, with its temporary files in the test's own folder."""
    begun: list[Program] = []

    def start(settings: Settings, step: str) -> Program:
        given = {
            "LIMS_DATA": str(settings.data),
            "LIMS_DATABASE_URL": settings.database_url,
            "TMPDIR": str(tmp_path),
        }
        process = Program(["-c", BACKUP, step], {**os.environ, **given})
        begun.append(process)
        assert process.stdout.readline() == "hangs\n"
        return process

    yield start
    for process in begun:
        with process:
            _kill(process)


def _kill(process: Program) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)


def _settings(app: Flask) -> Settings:
    found: Settings = app.config["LIMS_SETTINGS"]
    return found


def _halves(settings: Settings) -> list[Path]:
    return sorted(settings.backups.glob(".nightly-*"))


def test_half_a_backup_goes_when_its_process_is_dead_and_it_is_old(app: Flask, begin: Begin) -> None:
    settings = _settings(app)
    _kill(begin(settings, "copy"))
    (dead,) = _halves(settings)
    living = begin(settings, "copy")
    assert sweep(settings, utc_now()) == []  # a container may number another's process
    soon = utc_now() + QUIET + timedelta(minutes=1)
    assert sweep(settings, soon) == [dead.name]
    (left,) = _halves(settings)
    assert f"-{living.pid}." in left.name
    assert sweep(settings, utc_now() + SILENT + timedelta(minutes=1)) == [left.name]


def test_half_of_another_machine_or_of_an_older_program_goes_by_its_age_alone(
    app: Flask, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _settings(app)
    _kill(begin(settings, "copy"))
    (dead,) = _halves(settings)
    old = settings.backups / ".nightly-20260101T000000Z.ab_cd123"
    strange = settings.backups / ".Trash-1000"
    for folder in (old, strange):
        folder.mkdir()
    monkeypatch.setattr(leavings.platform, "node", lambda: "other.machine")
    assert sweep(settings, utc_now() + QUIET + timedelta(minutes=1)) == []
    assert sweep(settings, utc_now() + SILENT + timedelta(minutes=1)) == sorted([old.name, dead.name])
    assert strange.exists()


def test_copy_that_was_restored_for_proof_goes_and_a_persons_own_stays(app: Flask, begin: Begin) -> None:
    settings = _settings(app)
    _kill(begin(settings, "verify"))
    (dead,) = settings.backups.glob(f"{leavings.RESTORED}*")
    own = [settings.backups / f"{leavings.RESTORED}{name}" for name in ("old", "2026-11-24", "me-1-keep")]
    for folder in own:
        folder.mkdir()
        os.utime(folder, (0, 0))
    assert sweep(settings, utc_now() + QUIET + timedelta(minutes=1)) == [dead.name]
    assert not dead.exists()
    assert all(folder.exists() for folder in own)


def test_night_sweeps_what_an_earlier_one_left(app: Flask) -> None:
    settings = _settings(app)
    left = settings.backups / ".nightly-20260101T000000Z.ab_cd123"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    with app.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
    assert run_waiting(app) == ["done"]
    assert not left.exists()
    assert _halves(settings) == []
    with app.app_context():
        job = current_session().get(Job, job_id)
        assert job is not None
        assert left.name in job.outcome["swept"]


@pytest.mark.postgresql
def test_database_of_a_killed_verification_is_dropped_and_one_in_use_is_not(
    postgresql_app: Flask, begin: Begin
) -> None:
    settings = _settings(postgresql_app)
    later = utc_now() + QUIET + timedelta(minutes=10)
    with psycopg.connect(databases.conninfo(settings.database_url), autocommit=True) as connection:
        killed = begin(settings, "verify")
        _kill(killed)
        (dead,) = _made(connection, killed)
        living = begin(settings, "verify")
        until = time.monotonic() + 20
        while connection.execute("SELECT FROM pg_stat_activity WHERE datname = %s", (dead,)).fetchall():
            assert time.monotonic() < until, "the server keeps the session of a killed client"
        assert sweep(settings, utc_now()) == []
        assert sweep(settings, later) == [dead]
        assert len(_made(connection, living)) == 1
        connection.execute("CREATE DATABASE lims_verify_1_abcdef")  # of the program before
        assert sweep(settings, utc_now()) == ["lims_verify_1_abcdef"]
        _kill(living)
        for name in _made(connection, living):
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _made(connection: psycopg.Connection[tuple[object, ...]], process: Program) -> list[object]:
    query = "SELECT datname FROM pg_database WHERE datname LIKE %s"
    return [name for (name,) in connection.execute(query, (f"lims_verify_{process.pid}_%",))]


def test_backup_that_went_half_is_no_backup_among_the_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pruning a large backup takes time: a kill in its middle leaves what the next sweep takes."""
    from lims.operations import backup

    settings = _settings(app).model_copy(update={"backups_kept": 1})
    old = nightly_folder(settings, utc_now() - timedelta(days=2))
    for folder in (old, nightly_folder(settings, utc_now())):
        back_up(settings, folder)

    def cut(folder: Path) -> None:
        raise OSError("killed here")

    monkeypatch.setattr(backup.shutil, "rmtree", cut)
    assert backup.prune(settings) == [old.name]
    monkeypatch.undo()
    assert not old.exists()
    (half,) = _halves(settings)
    assert sweep(settings, utc_now() + SILENT + timedelta(minutes=1)) == [half.name]
