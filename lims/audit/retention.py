"""What is kept and how long. Records are never deleted: what ends is working data of the machine, and backups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lims.base.auditing.models import AuditEntry, AuditTransaction
from lims.base.denials import DeniedAttempt
from lims.base.files import StoredFile
from lims.base.jobs import Job
from lims.base.repeats import REMEMBERED
from lims.base.sessions import LONGEST
from lims.results.models import Break, SetResult


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind of data: how long it stays, why, how many there are and since when."""

    what: str
    how_long: str
    why: str
    count: int | None = None
    since: datetime | None = None


def kept_for(settings: Any, session: Session) -> list[Kept]:
    years = settings.retention_years

    def counted(model: Any, moment: Any, *conditions: Any) -> tuple[int, datetime | None]:
        found = select(func.count(), func.min(moment)).select_from(model).where(*conditions)
        number, first = session.execute(found).one()
        return int(number), first

    results = counted(SetResult, SetResult.created_at)
    breaks = counted(Break, Break.created_at)
    kept = StoredFile.removed_at.is_(None)
    of_jobs = StoredFile.id.in_(select(Job.file_id).where(Job.file_id.is_not(None)))
    files = counted(StoredFile, StoredFile.created_at, kept, ~of_jobs)
    made = counted(StoredFile, StoredFile.created_at, kept, of_jobs)
    denials = counted(DeniedAttempt, DeniedAttempt.attempted_at)
    entries = session.scalar(select(func.max(AuditEntry.seq))) or 0
    first = session.scalar(select(AuditTransaction.at).order_by(AuditTransaction.id).limit(1))
    without_end = _("without end; at least %(years)s years", years=years)
    never = _("No page, service or command deletes it; the database refuses it.")
    backups = _(
        "of the nights as many as the setting says: %(n)s; from before an upgrade or a restore until somebody removes them",
        n=getattr(settings, "backups_kept", "–"),
    )
    return [
        Kept(_("Breaks, with every correction"), without_end, never, *breaks),
        Kept(_("Results, with every amendment and retraction"), without_end, never, *results),
        Kept(
            _("Every other record (mixes, batches, lots, customers, …)"),
            without_end,
            _("Taken out of use, it stays readable."),
        ),
        Kept(
            _("Uploaded and issued files"),
            without_end,
            _("Known by their SHA-256, byte for byte; names of persons stay in them."),
            *files,
        ),
        Kept(
            _("Files that jobs made: exports, summaries, marked workbooks"),
            _("%(days)s days at most", days=settings.exports_kept_days),
            _("What they hold stays in the records; that they were made, and their SHA-256, stays as well."),
            *made,
        ),
        Kept(_("Record of changes"), without_end, _("Chained and sealed."), int(entries), first),
        Kept(_("Denied attempts"), without_end, _("Bounded in number a minute."), *denials),
        Kept(
            _("Names of persons"),
            _("until they are erased"),
            _("They live apart from the record of changes, which goes on to verify without them."),
        ),
        Kept(
            _("Sign-in sessions"),
            _("%(days)s days at most", days=LONGEST.days),
            _("Working data: says nothing of records."),
        ),
        Kept(
            _("Marks of forms and requests that were answered"),
            _("%(days)s days at most", days=REMEMBERED.days),
            _("Working data: says nothing of records."),
        ),
        Kept(_("Backups"), backups, _("A backup counts once its restore was verified.")),
    ]
