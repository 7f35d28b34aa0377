"""The peer of `make bench-pages` in a process of its own: a stock Flask-AppBuilder over a copy of the same data.

`python -m benchmarks.pages_peer DATABASE SET_ID PAGE` prints what was measured as JSON. Nothing of the product is imported
but the SQLite library: models, views and templates are those that Flask-AppBuilder brings, left as they come.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import sqlalchemy
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder import AppBuilder, Model, ModelView
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.utils.legacy import get_sqla_class
from sqlalchemy import Column, ForeignKey, Integer, String, event
from sqlalchemy.orm import relationship

from benchmarks.measuring import cpu_milliseconds
from lims.base.database import sqlite_module

SIZE = 25
PASSWORD = "granite-sand-cement-77"  # noqa: S105 - of a database that lives for one measurement


class Trial(Model):  # type: ignore[misc]
    __tablename__ = "trials"
    id = Column(Integer, primary_key=True)
    code = Column(String(40))
    name = Column(String(200))

    def __repr__(self) -> str:
        return f"{self.code} {self.name}"


class MixRevision(Model):  # type: ignore[misc]
    __tablename__ = "mix_revisions"
    id = Column(Integer, primary_key=True)
    number = Column(Integer)

    def __repr__(self) -> str:
        return str(self.number)


class Batch(Model):  # type: ignore[misc]
    __tablename__ = "batches"
    id = Column(Integer, primary_key=True)
    code = Column(String(60))
    trial_id = Column(Integer, ForeignKey("trials.id"))
    trial = relationship(Trial)
    mix_revision_id = Column(Integer, ForeignKey("mix_revisions.id"))
    mix_revision = relationship(MixRevision)
    cast_at = Column(String(40))
    volume_m3 = Column(String(20))
    curing = Column(String(20))
    element = Column(String(200))

    def __repr__(self) -> str:
        return str(self.code)


class SpecimenSet(Model):  # type: ignore[misc]
    __tablename__ = "specimen_sets"
    id = Column(Integer, primary_key=True)
    code = Column(String(80))

    def __repr__(self) -> str:
        return str(self.code)


class Specimen(Model):  # type: ignore[misc]
    __tablename__ = "specimens"
    id = Column(Integer, primary_key=True)
    code = Column(String(90))
    specimen_set_id = Column(Integer, ForeignKey("specimen_sets.id"))
    specimen_set = relationship(SpecimenSet)
    number = Column(Integer)
    shape = Column(String(20))
    width_mm = Column(String(20))
    length_mm = Column(String(20))


class BatchModelView(ModelView):  # type: ignore[misc]
    """The list that AppBuilder makes, its search box over plain columns alone, so that no table is read for a choice."""

    datamodel = SQLAInterface(Batch)
    list_columns = ["code", "trial", "mix_revision", "cast_at", "volume_m3", "curing", "element"]
    search_columns = ["code", "element", "curing"]
    base_order = ("id", "desc")
    page_size = SIZE


class SpecimenModelView(ModelView):  # type: ignore[misc]
    """As it comes: every column can be searched, the relation among them."""

    datamodel = SQLAInterface(Specimen)
    list_columns = ["code", "specimen_set", "number", "shape", "width_mm", "length_mm"]
    base_order = ("id", "desc")
    page_size = SIZE


def strip(path: Path) -> None:
    """This copy is the peer's: without the triggers that refuse writes of any other program."""
    with sqlite_module().connect(str(path), isolation_level=None) as plain:
        for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            plain.execute(f'DROP TRIGGER "{name}"')


def make(path: Path) -> tuple[Flask, Any]:
    app = Flask("stock")
    app.config.update(
        SECRET_KEY="stock",  # noqa: S106 - lives for one measurement
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{path}",
        SQLALCHEMY_ENGINE_OPTIONS={"module": sqlite_module()},
        RATELIMIT_ENABLED=False,
        WTF_CSRF_ENABLED=False,
    )
    db = get_sqla_class()()
    db.init_app(app)
    with app.app_context():
        appbuilder = AppBuilder(app, db.session)
        appbuilder.add_view(BatchModelView, "Batches", category="Laboratory")
        appbuilder.add_view(SpecimenModelView, "Specimens", category="Laboratory")
    return app, appbuilder


def signed_in(app: Flask, appbuilder: Any) -> FlaskClient:
    with app.app_context():
        role = appbuilder.sm.find_role("Admin")
        assert appbuilder.sm.add_user("stock", "S", "S", "stock@example.com", role, PASSWORD)
    client = app.test_client()
    answer = client.post("/login/", data={"username": "stock", "password": PASSWORD})
    assert answer.status_code == 302
    return client


def main(path: Path, set_id: int, deep: int) -> dict[str, float]:
    strip(path)
    make(path)  # the first start makes roles and permissions: what a restart costs is counted
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    app, appbuilder = make(path)
    told: dict[str, float] = {"start-up": len(seen)}
    client = signed_in(app, appbuilder)
    gc.collect()
    gc.freeze()  # as ours, for the comparison's sake
    for name, address, times in (
        ("list", "/batchmodelview/list/", 15),
        ("deep", f"/batchmodelview/list/?page_BatchModelView={deep}", 9),
        ("searched", f"/specimenmodelview/list/?_flt_0_specimen_set={set_id}", 2),
    ):
        page = client.get(address)
        assert page.status_code == 200, (address, page.status_code)
        assert page.get_data(as_text=True).count("<tr>") > 2, "the peer shows no rows"
        seen.clear()
        client.get(address)
        told[f"{name} SQL"] = len(seen)
        told[f"{name} kB"] = len(page.get_data()) / 1000
        told[name] = cpu_milliseconds(lambda address=address: client.get(address), times)
    return told


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
