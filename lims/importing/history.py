"""Importing strength history: one transaction, through the same services as typing; a file comes in once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.fields import plain_text
from lims.base.files import keep_file
from lims.base.problems import Refused, refuse
from lims.base.services import integrity_problem
from lims.importing.models import ImportRun
from lims.importing.readers import HistoryMix, read_history
from lims.importing.service import ImportRunService
from lims.mixes.models import MixDesign
from lims.mixes.schemas import MixIn
from lims.mixes.service import MixDesignService, freeze
from lims.results.service import record_history
from lims.trials.models import Batch, Trial
from lims.trials.schemas import TrialIn
from lims.trials.service import TrialService

#: Characters of a code.
MOST_OF_A_TRIAL, MOST_OF_A_BATCH = 40, 60
#: (done, all) after each mix.
Progress = Callable[[int, int], None]


def import_history(name: str, content: bytes, actor: Actor, progress: Progress | None = None) -> ImportRun:
    """All mixes and breaks of a file, or nothing.

    A file that came in before changes nothing: its run of then is returned.
    Raises: Refused with row, column, value and what would be accepted.
    """
    digest = hashlib.sha256(content).hexdigest()
    earlier = ImportRunService().find(sha256=digest, kind="history", state="applied")
    if earlier is not None:
        return earlier
    history = read_history(name, content)
    with transaction(actor, f"import {name}") as session:
        trial = history_trial(history.laboratory, actor)
        specimens = 0
        for done, mix in enumerate(history.mixes, start=1):
            specimens += write_mix(trial, history.laboratory, mix, actor)
            if progress is not None:
                progress(done, len(history.mixes))
            if done % 50 == 0:
                session.flush()
        run = ImportRun(
            kind="history",
            file_name=Path(name).name[:200],
            sha256=digest,
            file_id=keep_file(session, content, "application/octet-stream").id,
            size_bytes=len(content),
            rows_read=history.rows,
            mixes_added=len(history.mixes),
            specimens_added=specimens,
            duplicate_rows=len(history.duplicate_rows),
            finished_at=utc_now(),
            remarks="\n".join(history.remarks) or None,
        )
        session.add(run)
        session.flush()
    return run


def history_trial(laboratory: str, actor: Actor) -> Trial:
    """The trial under which a laboratory's history stands, made when it is the first of it."""
    data = TrialIn.read(
        {
            "code": f"H-{_as_code(laboratory, MOST_OF_A_TRIAL - 2)}",
            "name": _("Imported history: %(lab)s", lab=laboratory),
            "state": "finished",
        }
    )
    found: Trial | None = TrialService().find(code=data.code)
    return found if found is not None else TrialService().add(data, actor)


def write_mix(
    trial: Trial, laboratory: str, mix: HistoryMix, actor: Actor, design: MixDesign | None = None
) -> int:
    """A mix, the batch that stands for its casting, its sets. Returns the number of specimens. Inside a transaction."""
    session = current_session()
    values = {"code": mix.code, "kind": mix.kind, "notes": mix.notes}
    if mix.name and mix.name != mix.code:
        values["name"] = mix.name
    if mix.grade_mpa is not None:
        values["grade_mpa"] = f"{mix.grade_mpa:f}"
    for column, mass in mix.composition.items():
        values[column] = f"{mass:f}"
    if design is None:
        try:
            design = MixDesignService().add_history(MixIn.read(values), laboratory, actor)
        except Refused as error:
            reasons = "; ".join(f"{p.field} {p.value}: {p.message}" for p in error.problems)
            raise refuse(f"mix {mix.code}", reasons, mix.code) from None
    revision = design.revisions[-1]
    batch = Batch(
        code=f"H-{_as_code(laboratory, MOST_OF_A_BATCH - 3 - len(mix.code))}-{mix.code}",
        trial_id=trial.id,
        mix_revision=revision,
        curing="standard" if _standard(mix.curing_temperature_c) else "low_temperature",
        curing_temperature_c=mix.curing_temperature_c,
        slump_mm=mix.slump_mm,
    )
    session.add(batch)
    try:
        session.flush()
    except IntegrityError as error:
        raise integrity_problem(error, batch) from None
    freeze(revision)
    ages = [(age, strengths) for age, strengths in sorted(mix.breaks.items())]
    return record_history(batch, ages, mix.shape, mix.width_mm, actor, mix.numbers)


def _as_code(laboratory: str, most: int) -> str:
    """A laboratory's name as part of a code, of at most so many characters: codes carry no blanks, and those of two
    laboratories whose long names begin alike differ in their last signs."""
    name = re.sub(r"[^\w.\-/#+]+", "_", plain_text(laboratory))
    if len(name) <= most:
        return name
    return name[: most - 5] + "_" + hashlib.sha256(laboratory.encode()).hexdigest()[:4]


def _standard(temperature_c: Decimal | None) -> bool:
    return temperature_c is None or temperature_c >= 18
