"""The night's backup: asked for however late, once a night; a laboratory that is without one for long says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask_appbuilder.security.sqla.models import User
from sqlalchemy import func, insert, select

from lims.accounts.roles import ADMINISTRATOR, TECHNICIAN
from lims.base.actor import system_actor
from lims.base.auditing.models import AuditTransaction
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.files import StoredFile, keep_file
from lims.base.jobs import Job, ask_for_what_is_due, cancel, enqueue, run_waiting
from lims.base.laboratory import forget_laboratory
from lims.base.repeats import RequestKey
from lims.base.sessions import LoginSession
from lims.operations import nightly
from lims.operations.backup import (
    MANIFEST,
    Manifest,
    back_up,
    mark_verified,
    newest_verified_at,
    nightly_folder,
    prune,
)
from lims.operations.nightly import _due, _first_entry, _night, newest_verified, overdue
from lims.web import dashboard
from tests.conftest import Person


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _asked(moment: str) -> bool:
    """What the clock does when it looks at this moment, and the job that it asked for is of that moment."""
    asked = "backup" in ask_for_what_is_due(_at(moment))
    if asked:
        with transaction(system_actor("test")) as session:
            job = session.query(Job).order_by(Job.id.desc()).first()
            assert job is not None
            job.created_at, job.state = _at(moment), "done"
    return asked


@pytest.fixture
def shanghai(app: Flask) -> Flask:
    """02:30 is 18:30 UTC of the day before; the laboratory is years old then."""
    return app


@pytest.fixture
def berlin(app: Flask) -> Flask:
    app.config["LIMS_TIMEZONE"] = "Europe/Berlin"
    with app.app_context():
        forget_laboratory()
    return app


def test_backup_is_asked_for_at_half_past_two_by_the_laboratorys_clock_and_once_a_night(
    shanghai: Flask,
) -> None:
    with shanghai.app_context():
        assert not _asked("2030-03-01 18:29")
        assert _asked("2030-03-01 18:30")
        assert not _asked("2030-03-01 18:31")
        assert not _asked("2030-03-02 02:30")
        assert not _asked("2030-03-02 18:29")
        assert _asked("2030-03-02 18:30")


def test_clock_that_looks_late_asks_for_the_backup_all_the_same(shanghai: Flask) -> None:
    """The one thread was busy through the minute, or the server was started anew in it."""
    with shanghai.app_context():
        assert _asked("2030-03-01 18:47")
        assert not _asked("2030-03-01 18:48")


def test_machine_that_was_off_at_night_backs_up_when_it_is_started_in_the_morning(shanghai: Flask) -> None:
    with shanghai.app_context():
        for day in ("01", "02", "03"):
            assert _asked(f"2030-03-{day} 00:05")  # 08:05 in Shanghai
            assert not _asked(f"2030-03-{day} 09:30")


def test_backup_that_a_person_asked_for_since_is_that_of_the_night(shanghai: Flask) -> None:
    with shanghai.app_context():
        job_id = enqueue("backup", {}, system_actor("person")).id
        with transaction(system_actor("test")) as session:
            job = session.get(Job, job_id)
            assert job is not None
            job.created_at, job.state = _at("2030-03-01 19:00"), "failed"
        assert not _asked("2030-03-02 00:05")
        assert _asked("2030-03-02 18:30")


def test_night_without_half_past_two_has_its_backup(berlin: Flask) -> None:
    with berlin.app_context():
        assert _asked("2027-03-27 01:30")
        assert not _asked("2027-03-28 00:59")  # 01:59; then comes 03:00
        assert _asked("2027-03-28 01:30")
        assert not _asked("2027-03-28 02:30")
        assert _asked("2027-03-29 00:30")


def test_night_with_two_half_past_twos_has_one_backup(berlin: Flask) -> None:
    with berlin.app_context():
        assert _asked("2027-10-31 00:30")
        assert not _asked("2027-10-31 01:30")
        assert _asked("2027-11-01 01:30")


def test_laboratory_that_is_younger_than_the_night_has_missed_none(shanghai: Flask) -> None:
    with shanghai.app_context():
        began = _first_entry(utc_now())
        assert began is not None
        assert not _due(began.replace(tzinfo=None) + timedelta(seconds=1))
        next_night = _night(began + timedelta(days=1))
        assert _due(next_night.replace(tzinfo=None))


def test_clock_that_was_once_ahead_stops_neither_backups_nor_their_alarm(shanghai: Flask) -> None:
    settings = shanghai.config["LIMS_SETTINGS"].model_copy(update={"backups_kept": 2})
    ahead = utc_now() + timedelta(days=400)
    with shanghai.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
        with transaction(system_actor("test")) as session:
            session.add(RequestKey(key_sha256="k", sent_sha256="", created_at=_at("2020-01-01 00:00")))
            file_id = keep_file(session, b"Ann Lee", "text/csv").id
            old = {"kind": "list-export", "arguments": "{}", "language": "en", "state": "done", "attempts": 1}
            session.add(Job(**old, finished_at=_at("2020-01-01 00:00"), file_id=file_id))
    assert run_waiting(shanghai) == ["done"]
    with shanghai.app_context():
        assert current_session().get(RequestKey, "k") is None
        assert current_session().get_one(StoredFile, file_id).content == b"", "and the record verifies"
        with transaction(system_actor("test")) as session:
            job = session.get(Job, job_id)
            assert job is not None
            job.created_at = job.started_at = ahead
        now = utc_now()
        assert newest_verified(now) is None
        assert overdue(now + timedelta(hours=37), newest_verified(now))
        assert _due(_night(now + timedelta(days=2)).replace(tzinfo=None))
        assert newest_verified(ahead) == ahead
    (made,) = settings.backups.glob("nightly-*")
    assert newest_verified_at(settings) is not None
    for days in (400, 401):
        shutil.copytree(made, nightly_folder(settings, now + timedelta(days=days)))
    told = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
    (made / MANIFEST).write_text(json.dumps({**told, "made_at": ahead.isoformat()}), encoding="utf-8")
    mark_verified(made)
    newest = newest_verified_at(settings)
    assert newest is not None, "its copies were made when it truly was"
    assert newest <= utc_now()
    assert newest_verified_at(settings, ahead) == ahead
    gone = prune(settings)
    assert made.name not in gone  # the newest by an honest clock, though the last by its name
    assert len(gone) == 1


def test_backup_that_is_cancelled_leaves_nothing_costs_no_other_and_is_asked_for_again_that_night(
    shanghai: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shanghai.config["LIMS_SETTINGS"].model_copy(update={"backups_kept": 1})
    shanghai.config["LIMS_SETTINGS"] = settings
    kept = nightly_folder(settings, utc_now() - timedelta(days=1))
    back_up(settings, kept)
    mark_verified(kept)
    with shanghai.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id

    def cancelled_meanwhile(*given: Any) -> Manifest:
        made = back_up(*given)
        cancel(job_id, system_actor("person"))
        return made

    monkeypatch.setattr(nightly, "back_up", cancelled_meanwhile)
    assert run_waiting(shanghai) == ["cancelled"]
    assert list(settings.backups.iterdir()) == [kept]
    at = _at("2030-03-01 19:00")
    with shanghai.app_context():
        with transaction(system_actor("test")) as session:
            job = session.get(Job, job_id)
            assert job is not None
            job.created_at, job.finished_at = at - timedelta(minutes=20), at
        assert not _asked("2030-03-01 19:59")
        assert _asked("2030-03-01 20:00")


def test_night_takes_away_sessions_and_request_keys_that_serve_nobody_and_seals_nothing(
    records_on_both: Flask,
) -> None:
    now = utc_now()
    with transaction(system_actor("test")) as session:
        session.execute(insert(User).values(id=1, first_name="A", last_name="B", username="a", email="a@b.c"))
        for name, age in (("old", 8), ("open", 6)):
            session.add(LoginSession(token_sha256=name, user_id=1, started_at=now - timedelta(days=age)))
        for name, age in (("old", 91), ("kept", 89)):
            created_at = now - timedelta(days=age)
            session.add(RequestKey(key_sha256=name, sent_sha256="", record_id=1, created_at=created_at))
    sealed = current_session().scalar(select(func.count()).select_from(AuditTransaction))
    nightly._forget(now)
    assert current_session().scalars(select(LoginSession.token_sha256)).all() == ["open"]
    assert current_session().scalars(select(RequestKey.key_sha256)).all() == ["kept"]
    assert current_session().scalar(select(func.count()).select_from(AuditTransaction)) == sealed


def _first_page(person: Person) -> str:
    return person.get("/").get_data(as_text=True)


def test_first_page_of_the_administrator_says_when_no_backup_was_verified_for_long(
    app: Flask, sign_in_as: Callable[[str], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator, technician = sign_in_as(ADMINISTRATOR), sign_in_as(TECHNICIAN)
    assert 'id="backups"' not in _first_page(administrator)  # a new laboratory
    later = utc_now() + timedelta(hours=37)
    monkeypatch.setattr(dashboard, "utc_now", lambda: later)
    assert "No backup was ever verified" in _first_page(administrator)
    assert 'id="backups"' not in _first_page(technician)

    with app.app_context():
        job_id = enqueue("backup", {}, system_actor("clock")).id
    assert run_waiting(app) == ["done"]
    assert "No verified backup since" in _first_page(administrator)  # it is 37 h old by then

    with app.app_context(), transaction(system_actor("test")) as session:
        job = session.get(Job, job_id)
        assert job is not None
        job.started_at = later - timedelta(hours=35)
    assert 'id="backups"' not in _first_page(administrator)

    with app.app_context(), transaction(system_actor("test")) as session:
        job = session.get(Job, job_id)
        assert job is not None
        job.result = None  # what a version before this one left when it could not verify
    # The folder is asked then: one that was verified by hand or before an upgrade counts too.
    assert "No verified backup since" in _first_page(administrator)
    for mark in app.config["LIMS_SETTINGS"].backups.glob("*/verified"):
        mark.unlink()
    assert "No backup was ever verified" in _first_page(administrator)
    with app.app_context():
        assert current_session().get(Job, job_id).state == "done"  # type: ignore[union-attr]
