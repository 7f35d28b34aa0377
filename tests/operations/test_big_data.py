"""The laboratory that benchmarks and fault tests fill (benchmarks/laboratory.py)."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text

from benchmarks import laboratory
from lims.base.database import current_session


@pytest.mark.postgresql
def test_large_laboratory_is_searched_through_the_same_indexes_as_a_small_one(
    postgresql_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laboratory, "MANY_BATCHES", 1)

    def indexes() -> set[str]:
        with postgresql_app.app_context():
            query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'search_entries'"
            return set(current_session().scalars(text(query)))

    before = indexes()
    laboratory.fill(postgresql_app, 60)
    assert indexes() == before
    with postgresql_app.app_context():
        assert (current_session().scalar(text("SELECT count(*) FROM specimens")) or 0) >= 60
