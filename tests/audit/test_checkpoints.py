"""A checkpoint changes when any result does, and not otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from lims.audit.service import CheckpointService, root_of_results
from lims.base.database import current_session, transaction
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set
from lims.trials.models import SpecimenSet
from tests.factories import ACTOR, a_batch

pytestmark = pytest.mark.usefixtures("records_on_both")


def test_checkpoint_chains_and_notices_a_changed_load() -> None:
    batch = a_batch("40")
    waiting = current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=3).one()
    empty = CheckpointService().take(ACTOR)
    tested_at = (batch.cast_at + timedelta(days=2, hours=23)).isoformat()
    entry = SetBreaksIn.read({"loads_kn": ["424", "401", "396"], "tested_at": tested_at})
    record_set(waiting.id, entry, ACTOR)
    first = CheckpointService().take(ACTOR)
    assert (empty.number, first.number) == (1, 2)
    assert first.result_count == 1
    assert root_of_results(empty.root_sha256)[0] == first.root_sha256
    with transaction(ACTOR) as session:
        for name in ("fixed", "superseded"):  # who tampers takes the guards away first
            where = "" if session.get_bind().dialect.name == "sqlite" else " ON breaks"
            session.execute(text(f"DROP TRIGGER breaks_{name}{where}"))
        session.execute(text("UPDATE breaks SET load_kn = load_kn + 1"))
    assert root_of_results(empty.root_sha256)[0] != first.root_sha256
