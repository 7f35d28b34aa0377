"""A checkpoint names the head of the record of changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from lims.accounts.roles import AUDITOR
from lims.audit.service import CheckpointService
from lims.base.auditing.models import AuditTransaction
from lims.base.database import current_session
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer


@pytest.mark.usefixtures("records_on_both")
def test_checkpoint_covers_what_was_sealed_before_it() -> None:
    a_batch("40")
    before = current_session().query(AuditTransaction).order_by(AuditTransaction.id.desc()).first()
    assert before is not None
    taken = CheckpointService().take(ACTOR)
    assert (taken.number, taken.transaction_count, taken.root_sha256) == (1, before.id, before.hash)


def test_log_says_which_changes_no_anchor_covers_yet(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        a_customer("K-1")
    auditor = sign_in_as(AUDITOR)
    assert "There is no checkpoint yet" in auditor.get("/audit-log/").get_data(as_text=True)
    with app.app_context():
        taken = CheckpointService().take(ACTOR)
        a_customer("K-2")
    page = auditor.get("/audit-log/?kind=customers").get_data(as_text=True)
    assert f"Checkpoint {taken.number} of" in page
    assert page.count("No anchor yet") == 1
    later = auditor.get("/audit-log/?kind=customers&unanchored=1").get_data(as_text=True)
    assert "K-2" in later
    assert "K-1" not in later
