"""PostgreSQL crashes between two statements of a request: what it said last is still there to be read, and what is sent
finds nobody. libpq tells that without a code; it is a database that is away (503), not a mistake of ours (500)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from lims.base.actor import system_actor
from lims.base.auditing.context import Opening, open_context, seal
from lims.base.database import make_engine
from tests.faults.cutting import CuttingProxy

pytestmark = pytest.mark.postgresql


@pytest.fixture
def proxy(postgresql_url: str) -> Iterator[CuttingProxy]:
    made = CuttingProxy(postgresql_url)
    yield made
    made.close()


def select_again(connection: Connection) -> None:
    connection.execute(text("SELECT 2"))


def open_the_record_and_select(connection: Connection) -> None:
    """What opens it is not waited for: the first statement reads its answer."""
    open_context(connection, Opening(system_actor("test"), "", ""))
    select_again(connection)


def open_and_seal_the_record(connection: Connection) -> None:
    open_context(connection, Opening(system_actor("test"), "", ""))
    seal(connection)


@pytest.mark.parametrize("go_on", [select_again, open_the_record_and_select, open_and_seal_the_record])
def test_server_that_crashed_between_two_statements_is_away(
    proxy: CuttingProxy, go_on: Callable[[Connection], None]
) -> None:
    engine = make_engine(proxy.url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        proxy.leave()
        with pytest.raises(OperationalError, match="server closed the connection"):
            go_on(connection)
        connection.invalidate()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
