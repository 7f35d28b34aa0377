"""Records that many tests need, made through the services as a person would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from lims.base.actor import Actor, system_actor
from lims.base.database import transaction
from lims.base.services import SERVICES
from lims.forecasts.models import Forecast, ForecastModel

ACTOR = system_actor("test")
RECIPE = {
    "cement_kg_m3": "350",
    "water_kg_m3": "175",
    "coarse_aggregate_kg_m3": "1050",
    "fine_aggregate_kg_m3": "780",
}


def a_mix(code: str = "C30-1", actor: Actor = ACTOR, **more: Any) -> Any:
    return SERVICES["mix-designs"].add({"code": code, "strength_class": "C30", **RECIPE, **more}, actor)


def a_trial(name: str = "Trial", actor: Actor = ACTOR, **more: Any) -> Any:
    return SERVICES["trials"].add({"name": name, **more}, actor)


def a_batch(volume_m3: str = "120", mix: Any = None, actor: Actor = ACTOR, **more: Any) -> Any:
    mix = mix or a_mix()
    cast_at = datetime.now(UTC) - timedelta(days=3)
    data = {
        "trial_id": a_trial().id,
        "mix_revision_id": mix.latest_revision_id,
        "cast_at": cast_at.isoformat(),
        "volume_m3": volume_m3,
        **more,
    }
    return SERVICES["batches"].add(data, actor)


def a_customer(code: str = "K-1", actor: Actor = ACTOR, **more: Any) -> Any:
    return SERVICES["customers"].add({"code": code, "name": f"Customer {code}", **more}, actor)


def a_forecast(mix_design_id: int, **more: Any) -> Forecast:
    """As the model would store one of the 3-d strength; fitting it takes a second and is tested where it belongs."""
    with transaction(ACTOR) as session:
        model = session.scalars(select(ForecastModel).limit(1)).one_or_none() or ForecastModel(
            version_hash="0" * 64, early_ages="3", age_days=28, laboratories=1, mixes=1, parameters="{}"
        )
        session.add(model)
        session.flush()
        said = {
            "inputs": "{}",
            "local_mixes": 0,
            "history_mixes": 0,
            "method": "test",
            "held_out": False,
            **more,
        }
        forecast = Forecast(
            mix_design_id=mix_design_id, forecast_model_id=model.id, early_ages="3", age_days=28, **said
        )
        session.add(forecast)
        session.flush()
    return forecast
