"""A checkpoint names the head of the record of changes."""

from __future__ import annotations

import pytest

from lims.audit.service import CheckpointService
from lims.base.auditing.models import AuditTransaction
from lims.base.database import current_session
from tests.factories import ACTOR, a_batch

pytestmark = pytest.mark.usefixtures("records_on_both")


def test_checkpoint_covers_what_was_sealed_before_it() -> None:
    a_batch("40")
    before = current_session().query(AuditTransaction).order_by(AuditTransaction.id.desc()).first()
    assert before is not None
    taken = CheckpointService().take(ACTOR)
    assert (taken.number, taken.transaction_count, taken.root_sha256) == (1, before.id, before.hash)
