"""The peer of `make bench-audit` in a process of its own: python -m benchmarks.audit_peer FOLDER [DATABASE_URL]."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy_continuum import make_versioned

from benchmarks.audit import BULK, Breaks
from lims.app import create_app
from lims.base.auditing.guards import exempt
from lims.base.database import database
from lims.base.reading import not_only_reading
from lims.results.models import Break
from lims.settings import Settings


def rate() -> float:
    """Rows a second that SQLAlchemy-Continuum records in bulk: the same columns, the same engine, its own way in."""
    make_versioned(user_cls=None)

    class Base(DeclarativeBase):
        pass

    table = Break.__table__
    columns = {
        column.name: mapped_column(column.type, primary_key=column.primary_key, nullable=column.nullable)
        for column in table.columns
    }
    peer: Any = type("PeerBreak", (Base,), {"__tablename__": "peer_breaks", "__versioned__": {}, **columns})
    sqlalchemy.orm.configure_mappers()
    engine = not_only_reading(database().engine)
    with engine.connect() as connection, exempt(connection):
        Base.metadata.create_all(connection)
        connection.commit()
    made = Breaks.__new__(Breaks)
    made.specimen_id, made.number = 1, 0
    rates = []
    for _run in range(3):
        given = made.rows(BULK // 4)
        with Session(engine) as session:
            session.connection(execution_options={"lims_write": True})
            begun = time.perf_counter()
            session.add_all([peer(**row) for row in given])
            session.commit()
            rates.append(len(given) / (time.perf_counter() - begun))
        with Session(engine) as session:
            kept = session.scalar(sqlalchemy.text("SELECT count(*) FROM peer_breaks_version"))
            assert kept == made.number, "the peer has not recorded every row"
    return max(rates)


if __name__ == "__main__":
    app = create_app(Settings(data=Path(sys.argv[1]), database_url=sys.argv[2] if len(sys.argv) > 2 else ""))
    with app.app_context():
        print(rate())
