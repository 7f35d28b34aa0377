"""Several people in the same moment, on either database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import text

from lims.base.database import current_session
from lims.base.problems import Conflict, Refused
from lims.base.reading import not_only_reading
from tests.waiting import until


def at_once(app: Flask, held: Any, *calls: Callable[[], Any]) -> list[Any]:
    """What each call gives, or what it was told: on PostgreSQL all have begun while a third holds this record."""
    told: list[Any] = [None] * len(calls)

    def run(place: int) -> None:
        with app.app_context():
            try:
                told[place] = calls[place]()
            except (Refused, Conflict) as error:
                told[place] = error

    people = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    table, key = held.__tablename__, held.id
    current_session().commit()
    engine = app.extensions["lims.database"].engine
    with not_only_reading(engine).connect() as third:
        on_postgresql = third.dialect.name == "postgresql"
        if on_postgresql:
            third.execute(text(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE"), {"id": key})
        for person in people:
            person.start()
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        if on_postgresql:
            with engine.connect() as looking:

                def wait() -> bool:
                    looking.rollback()  # within a transaction the server tells the same again and again
                    return looking.scalar(waiting) == len(people)

                until(wait, "they do not wait for the third")
    for person in people:
        person.join()
    current_session().expire_all()
    return told
