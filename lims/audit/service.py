"""Checkpoints of the record of changes."""

from __future__ import annotations

from sqlalchemy import select

from lims.audit.models import Checkpoint
from lims.base.actor import Actor
from lims.base.auditing.models import AuditTransaction
from lims.base.auditing.triggers import ZEROS
from lims.base.database import current_session, transaction
from lims.base.numbering import next_number
from lims.base.services import RecordService
from lims.trials.schemas import SpecimenSetEdit


class CheckpointService(RecordService[Checkpoint]):
    record = Checkpoint
    schema = SpecimenSetEdit
    search_columns = ("root_sha256", "note")
    order_columns = ("number", "created_at")
    writable = False
    default_order = "-number"

    def take(self, actor: Actor, note: str = "") -> Checkpoint:
        """A new checkpoint over every transaction that is sealed now."""
        with transaction(actor, "checkpoint") as session:
            number = next_number(session, "checkpoint")
            size, head = current_session().execute(
                select(AuditTransaction.id, AuditTransaction.hash)
                .order_by(AuditTransaction.id.desc())
                .limit(1)
            ).one_or_none() or (0, ZEROS)
            found = Checkpoint(
                number=number, transaction_count=size, root_sha256=head, text="", note=note or None
            )
            session.add(found)
            session.flush()
        return found
