"""What the worker does every night: takes away what nobody needs any more, counts rows for the planner, and takes a backup
that it restores for proof."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from lims.base.actor import system_actor
from lims.base.auditing.models import AuditTransaction
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.display import laboratory_zone
from lims.base.jobs import CANCELLED, DONE, Cancelled, Job, RunningJob, forget_files, job_kind
from lims.base.problems import Refused, Unavailable, refuse
from lims.base.repeats import forget_requests
from lims.base.sessions import forget_sessions
from lims.operations.backup import (
    VERIFIED,
    back_up,
    mark_verified,
    nightly_folder,
    prune,
    take_away,
    verify,
)
from lims.operations.leavings import sweep
from lims.operations.statistics import refresh_statistics
from lims.settings import Settings

log = logging.getLogger(__name__)

KIND = "backup"
#: By the laboratory's clock.
AT_NIGHT = time(2, 30)
#: A night may fail and be seen to in the morning; longer without a verified backup is told on the first page.
LATE_AFTER = timedelta(hours=36)
#: Whoever cancels one wants the machine for something else; the night is to have its backup all the same.
AFTER_A_CANCELLED_ONE = timedelta(hours=1)


def _due(now: datetime) -> bool:
    """Today's 02:30 is over and nobody has asked for a backup since: whoever was off, busy or started anew in that very
    minute asks later. A laboratory that is younger than that has missed nothing."""
    at = now.replace(tzinfo=UTC)
    night = _night(at)
    if at < night or (_first_entry(at) or night) > night:
        return False
    # Not what bears a later time than this: a clock that was once ahead would stop the backups until then.
    asked = select(Job.id).where(
        Job.kind == KIND,
        Job.created_at.between(night, at),
        or_(Job.state != CANCELLED, Job.finished_at > at - AFTER_A_CANCELLED_ONE),
    )
    return current_session().scalar(asked.limit(1)) is None


def _night(at: datetime) -> datetime:
    """02:30 of that local day. Where clocks go forward over it, half an hour after they did; where they go back, the first
    of the two."""
    zone = laboratory_zone()
    return datetime.combine(at.astimezone(zone).date(), AT_NIGHT, zone).astimezone(UTC)


def _first_entry(now: datetime) -> datetime | None:
    """When the record of changes began, by a clock that was not ahead: as old is the laboratory."""
    found = select(AuditTransaction.at).where(AuditTransaction.at <= now).order_by(AuditTransaction.id)
    return current_session().scalar(found.limit(1))


def newest_verified(now: datetime) -> datetime | None:
    """When the newest nightly backup that was verified was begun, as the jobs tell: no folder is asked. What was begun by
    a clock that was ahead does not count."""
    found = (
        select(Job.started_at)
        .where(Job.kind == KIND, Job.state == DONE, Job.result.is_not(None), Job.started_at <= now)
        .order_by(Job.id.desc())
        .limit(1)
    )
    return current_session().scalar(found)


def overdue(now: datetime, newest: datetime | None) -> bool:
    """Has this laboratory been for too long without a verified backup, the newest of which is `newest`?"""
    since = newest or _first_entry(now)
    return since is not None and now - since > LATE_AFTER


@job_kind(KIND, title=_l("Backup"), due=_due)
def backup(job: RunningJob) -> dict[str, Any]:
    """Take a backup and restore it into a place that goes away. A night without that proof has failed. The oldest go
    whatever came of it: full copies of bad nights must not fill the disk. One that is cancelled leaves nothing, and for it
    nothing goes."""
    settings = current_app.config["LIMS_SETTINGS"]
    folder = nightly_folder(settings, utc_now())
    job.progress(0, 2)
    swept = sweep(settings, utc_now())
    _forget(utc_now())
    _forget_files(settings, utc_now())
    refresh_statistics()
    try:
        manifest = back_up(settings, folder)
        job.progress(1, 2)
        job.check()  # which progress leaves out when it has only just told
        _prove(settings, folder)
    except Cancelled:
        take_away(folder)
        raise
    except Exception:
        prune(settings)
        raise
    gone = prune(settings)
    rows = sum(manifest.rows.values())
    message = _("%(name)s: %(rows)s rows, restored and verified.", name=folder.name, rows=f"{rows:,}")
    return {"message": message, "rows": rows, "pruned": gone, "swept": swept}


def _forget(now: datetime) -> None:
    """Take away what only grows and serves nobody any more. Neither table is in the record of changes. That it could not be
    done is told, and stands in the way of no backup."""
    try:
        with transaction(system_actor("nightly"), "what nobody asks for any more") as session:
            gone = {"sessions": forget_sessions(session, now), "request keys": forget_requests(session, now)}
    except (Unavailable, SQLAlchemyError) as error:
        log.warning("old sessions and request keys were not taken away: %s", error)
        return
    log.info("taken away: %s", ", ".join(f"{count} {name}" for name, count in gone.items()))


def _forget_files(settings: Settings, now: datetime) -> None:
    """Exports that nobody fetches any more. That they could not be taken away stands in the way of no backup."""
    try:
        gone = forget_files(now, timedelta(days=settings.exports_kept_days))
    except (Unavailable, SQLAlchemyError) as error:
        log.warning("old files of jobs were not taken away: %s", error)
        return
    log.info("taken away: %s files of jobs", gone)


def _prove(settings: Settings, folder: Path) -> None:
    """Raises: Refused unless this backup was restored, found whole and marked so."""
    try:
        faults = verify(settings, folder)
    except Refused as error:
        raise refuse(
            "backup", _("was made but could not be verified: %(why)s", why=str(error)), folder.name
        ) from None
    if faults:
        raise refuse(
            "backup", _("was made but cannot be trusted: %(why)s", why="; ".join(faults[:3])), folder.name
        )
    try:
        mark_verified(folder)
    except OSError as error:
        why = f"{folder / VERIFIED}: {error.strerror}"
        raise refuse(
            "backup", _("was verified, but its mark could not be written: %(why)s", why=why), folder.name
        ) from None
