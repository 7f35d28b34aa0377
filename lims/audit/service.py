"""Taking a checkpoint: one hash over every break and result, in order, chained to the checkpoint before."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from lims.audit.models import Checkpoint
from lims.base.actor import Actor
from lims.base.database import current_session, transaction
from lims.base.numbering import next_number
from lims.base.services import RecordService
from lims.results.models import Break, SetResult
from lims.trials.schemas import SpecimenSetEdit


class CheckpointService(RecordService[Checkpoint]):
    record = Checkpoint
    schema = SpecimenSetEdit
    search_columns = ("root_sha256", "note")
    order_columns = ("number", "created_at")
    writable = False
    default_order = "-number"

    def take(self, actor: Actor, note: str = "") -> Checkpoint:
        """A new checkpoint over what stands in the database now."""
        with transaction(actor, "checkpoint") as session:
            number = next_number(session, "checkpoint")
            previous = session.scalars(
                select(Checkpoint).order_by(Checkpoint.number.desc()).limit(1)
            ).one_or_none()
            root, count = root_of_results(previous.root_sha256 if previous else "")
            found = Checkpoint(number=number, result_count=count, root_sha256=root, note=note or None)
            session.add(found)
            session.flush()
        return found


def root_of_results(previous: str) -> tuple[str, int]:
    """SHA-256 over the previous root and every break and set result by id; and how many results there are."""
    digest = hashlib.sha256(previous.encode())
    session = current_session()
    breaks = select(
        Break.id, Break.specimen_id, Break.number, Break.load_kn, Break.strength_mpa, Break.tested_at
    )
    for row in session.execute(breaks.order_by(Break.id)):
        digest.update(repr(tuple(str(value) for value in row)).encode())
    count = 0
    results = select(
        SetResult.id,
        SetResult.specimen_set_id,
        SetResult.number,
        SetResult.rule_id,
        SetResult.strength_mpa,
        SetResult.state,
    )
    for result in session.execute(results.order_by(SetResult.id)):
        digest.update(repr(tuple(str(value) for value in result)).encode())
        count += 1
    return digest.hexdigest(), count
