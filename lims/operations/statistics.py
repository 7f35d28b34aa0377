"""What SQLite knows of its rows when it plans a statement. PostgreSQL looks by itself.

Without it every table is taken for a large one and every index for a good one.
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import DBAPIError

from lims.base.database import current_session, database
from lims.base.problems import Unavailable

log = logging.getLogger(__name__)

#: Rows that are looked at for each beginning of an index: a tenth of a second among 100,000 specimens. With such a limit no
#: samples of values are kept either. With samples, a statement is planned anew for each value that it is given, which took
#: longer than finding what it asked for.
ROWS_LOOKED_AT = 1000


def refresh_statistics() -> None:
    """On SQLite; what keeps it from being done is told, and stands in the way of nothing else. Open connections read it when
    they are opened anew, within the hour (database.py)."""
    base = database()
    if not base.is_sqlite:
        return
    session = current_session()
    try:
        session.commit()  # a connection that reads already would not become one that writes
        with base.turn() as writing:
            connection = session.connection(execution_options=writing)
            connection.exec_driver_sql(f"PRAGMA analysis_limit = {ROWS_LOOKED_AT}")
            connection.exec_driver_sql("ANALYZE")
            session.commit()
    except (DBAPIError, Unavailable, OSError) as error:
        base.undo()
        log.warning("statistics were not refreshed: %s", error)
