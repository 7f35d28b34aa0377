"""Checkpoints of the record of changes: its head, signed, for certificates, sheets, exports and backups."""

from __future__ import annotations

from sqlalchemy import select

from lims.audit.keys import signed_note
from lims.audit.models import Checkpoint
from lims.base.actor import Actor
from lims.base.anchors import ANCHORS
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
        """A signed checkpoint over every transaction that is sealed now."""
        with transaction(actor, "checkpoint") as session:
            number = next_number(session, "checkpoint")
            size, head = head_of_record()
            found = Checkpoint(
                number=number,
                transaction_count=size,
                root_sha256=head,
                text=signed_note(size, head),
                note=note or None,
            )
            session.add(found)
            session.flush()
        return found


def head_of_record() -> tuple[int, str]:
    """Number and hash of the last sealed transaction."""
    query = select(AuditTransaction.id, AuditTransaction.hash).order_by(AuditTransaction.id.desc()).limit(1)
    row = current_session().execute(query).one_or_none()
    return (int(row.id), str(row.hash)) if row is not None else (0, ZEROS)


def latest_checkpoint() -> Checkpoint | None:
    query = select(Checkpoint).where(Checkpoint.text != "").order_by(Checkpoint.number.desc()).limit(1)
    return current_session().scalars(query).one_or_none()


def latest_checkpoint_text() -> str:
    """The newest signed note, "" before the first: what a paper prints as a QR code."""
    found = latest_checkpoint()
    return found.text if found is not None else ""


# Papers print it without knowing of the audit.
ANCHORS.append(latest_checkpoint_text)
