"""PostgreSQL: what only reads is begun READ ONLY, and what was prepared outlives the end of a request."""

from __future__ import annotations

import pytest
from psycopg import Connection
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError

from lims.base.actor import Actor
from lims.base.database import current_session, database, transaction
from lims.materials.models import Region

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.usefixtures("records_on_both"),
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


def _prepared(driver: Connection[object]) -> int:
    found = driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert found is not None
    driver.commit()
    return int(found[0])  # type: ignore[call-overload,no-any-return]


def test_statement_of_many_requests_is_prepared_once(actor: Actor) -> None:
    database().engine.dispose()
    for number in range(8):
        current_session().scalar(select(func.count()).select_from(Region).where(Region.code == f"R{number}"))
        with transaction(actor) as session:
            session.add(Region(code=f"R{number}", name="Region"))
        current_session().scalar(select(Region.name).where(Region.code == f"R{number}"))
        database().session.remove()  # as the end of a request does
    driver = current_session().connection().connection.driver_connection
    assert driver is not None
    kept = _prepared(driver)
    assert kept >= 3  # two questions and the insert
    database().session.remove()
    assert _prepared(driver) >= kept


def test_session_of_a_request_cannot_write_outside_a_transaction(actor: Actor) -> None:
    with transaction(actor) as session:
        session.add(Region(code="R", name="before"))
    with pytest.raises(InternalError, match="read-only transaction"):
        current_session().execute(text("UPDATE ab_user SET first_name = 'x'"))
    current_session().rollback()
    with transaction(actor) as session:
        session.scalars(select(Region)).one().name = "after"
    assert current_session().scalar(select(Region.name)) == "after"


def test_failed_write_is_taken_back_and_the_connection_serves_on(actor: Actor) -> None:
    def fail() -> None:
        with transaction(actor) as session:
            session.add(Region(code="R", name="gone"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert current_session().scalar(select(func.count()).select_from(Region)) == 0
    with transaction(actor) as session:
        session.add(Region(code="R", name="there"))
    assert current_session().scalar(select(Region.name)) == "there"
