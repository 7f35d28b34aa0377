"""A shared trial as a person would make it: a customer's own trial with another's mix beside it, some of it released."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from lims.accounts.service import find_user
from lims.base.actor import Actor, user_actor
from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from lims.sharing.models import ShareLink
from lims.sharing.service import ShareLinkService
from lims.trials.models import SpecimenSet
from tests import factories
from tests.factories import ACTOR, RECIPE

CHECKER = user_actor(7, "Checker")
LOADS = {3: ("424", "401", "396"), 7: ("620", "634", "611"), 28: ("870", "884", "861")}
READER = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile Safari/537.36 MicroMessenger/8.0",
    "Accept": "text/html,application/xhtml+xml",
}


def a_shown_trial(released: Sequence[int] = (3, 7), entered: Sequence[int] = (), code: str = "C30-S") -> Any:
    """(trial, batch, mix, customer): cast 40 days ago; these ages are released, those only entered."""
    customer = SERVICES["customers"].find(code="K-S") or SERVICES["customers"].add(
        {"code": "K-S", "name": "Reader Ltd", "kind": "mixing_station", "status": "prospect"}, ACTOR
    )
    cement = SERVICES["cement-products"].find(code="OWN") or SERVICES["cement-products"].add(
        {"code": "OWN", "name": "Own cement", "cement_type": "P.O", "strength_class": "42.5"}, ACTOR
    )
    mix = SERVICES["mix-designs"].add({"code": code, "strength_class": "C30", **RECIPE}, ACTOR)
    trial = SERVICES["trials"].add(
        {"name": f"Trial {code}", "customer_id": customer.id, "cement_product_id": cement.id}, ACTOR
    )
    batch = a_batch(trial, mix, released, entered)
    current_session().info.pop("forecast_mixes", None)
    a_forecast(mix)
    return trial, batch, mix, customer


def a_batch(
    trial: Any, mix: Any, released: Sequence[int], entered: Sequence[int] = (), more_kn: int = 0, **more: str
) -> Any:
    """One that was cast 40 days ago, its specimens so much stronger than usual."""
    cast_at = datetime.now(UTC) - timedelta(days=40)
    batch = SERVICES["batches"].add(
        {
            "trial_id": trial.id,
            "mix_revision_id": mix.latest_revision_id,
            "cast_at": cast_at.isoformat(),
            "volume_m3": "40",
            "slump_mm": "180",
            **more,
        },
        ACTOR,
    )
    for item in current_session().query(SpecimenSet).filter_by(batch_id=batch.id):
        if item.age_days not in {*released, *entered}:
            continue
        loads = [str(int(load) + more_kn) for load in LOADS[item.age_days]]
        record_set(item.id, entry(*loads, at=cast_at + timedelta(days=item.age_days)), ACTOR)
        if item.age_days in released:
            verify(item.id, CHECKER)
            release(item.id, CHECKER)
    return batch


def a_forecast(mix: Any) -> None:
    factories.a_forecast(
        mix.id,
        inputs='{"grade_mpa": 30.0, "lab": "own"}',
        strength_mpa=Decimal("37.20"),
        lower_50_mpa=Decimal("35.40"),
        upper_50_mpa=Decimal("39.10"),
        lower_90_mpa=Decimal("32.80"),
        upper_90_mpa=Decimal("42.20"),
        grade_probability=Decimal("0.9870"),
        local_mixes=12,
        history_mixes=344,
        method="gp",
    )


def entry(*loads: str, at: datetime | None = None) -> SetBreaksIn:
    return SetBreaksIn.read({"loads_kn": list(loads), "tested_at": (at or datetime.now(UTC)).isoformat()})


def set_of(batch: Any, age_days: int) -> SpecimenSet:
    return current_session().query(SpecimenSet).filter_by(batch_id=batch.id, age_days=age_days).one()


def salesperson(app: Flask) -> Actor:
    with app.app_context():
        user = find_user("sales")
        assert user is not None
        return user_actor(user.id, "Sales Test")


def a_share(app: Flask, actor: Actor | None = None, **more: Any) -> tuple[int, str]:
    """(id of the link, token) of a trial with 3 and 7 d released, by the salesperson."""
    owner = actor or salesperson(app)
    with app.app_context():
        trial = more.pop("trial", None) or a_shown_trial()
        link, token = ShareLinkService().create(
            {"trial_id": trial[0].id, "customer_id": trial[3].id, "name": "Reader", **more}, owner
        )
        return link.id, token


def reader(app: Flask, **more: str) -> FlaskClient:
    """A phone that opens a link."""
    client = app.test_client()
    client.environ_base |= {
        f"HTTP_{key.upper().replace('-', '_')}": text for key, text in {**READER, **more}.items()
    }
    return client


def mark_of(app: Flask, token: str) -> str:
    """What the answer's form on a sheet is sent with."""
    found = re.search(r'name="mark" value="([^"]+)"', reader(app).get(f"/s/{token}").get_data(as_text=True))
    assert found is not None
    return found[1]


def link_of(app: Flask, link_id: int) -> ShareLink:
    with app.app_context():
        return ShareLinkService().get(link_id)
