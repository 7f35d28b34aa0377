"""REST of forecasts: read only, they are made when breaks arrive."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.forecasts.views import ForecastModelView, ForecastView


class ForecastApi(RecordApi):
    service = ForecastView.service
    fields = (
        "id",
        "version",
        "mix_design_id",
        "forecast_model_id",
        "early_ages",
        "age_days",
        "strength_mpa",
        "lower_50_mpa",
        "upper_50_mpa",
        "lower_90_mpa",
        "upper_90_mpa",
        "grade_probability",
        "local_mixes",
        "history_mixes",
        "method",
        "note",
        "held_out",
        "inputs",
        "created_at",
    )


class ForecastModelApi(RecordApi):
    service = ForecastModelView.service
    fields = (
        "id",
        "version",
        "version_hash",
        "early_ages",
        "age_days",
        "laboratories",
        "mixes",
        "created_at",
    )


APIS = (ForecastApi, ForecastModelApi)
