"""What the worker does every night: statistics for the database, and a backup that it restores for proof."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.columns import utc_now
from lims.base.jobs import RunningJob, job_kind
from lims.base.laboratory import laboratory
from lims.base.problems import Refused, refuse
from lims.operations.backup import back_up, nightly_folder, prune, verify
from lims.operations.statistics import refresh_statistics

#: By the laboratory's clock.
AT_NIGHT = (2, 30)


def _due(now: datetime) -> bool:
    local = now.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(laboratory().timezone))
    return (local.hour, local.minute) == AT_NIGHT


@job_kind("backup", title=_l("Backup"), due=_due)
def backup(job: RunningJob) -> dict[str, Any]:
    """Take a backup, restore it into a place that goes away, and only then let the oldest go."""
    settings = current_app.config["LIMS_SETTINGS"]
    folder = nightly_folder(settings, utc_now())
    job.progress(0, 2)
    refresh_statistics()
    manifest = back_up(settings, folder)
    job.progress(1, 2)
    try:
        faults = verify(settings, folder)
    except Refused as error:
        return {"message": _("Made, but not verified: %(why)s", why=str(error))}
    if faults:
        raise refuse(
            "backup", _("was made but cannot be trusted: %(why)s", why="; ".join(faults[:3])), folder.name
        )
    gone = prune(settings)
    rows = sum(manifest.rows.values())
    message = _("%(name)s: %(rows)s rows, restored and verified.", name=folder.name, rows=f"{rows:,}")
    return {"message": message, "rows": rows, "pruned": gone}
