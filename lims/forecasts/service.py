"""Making and storing forecasts. Filled by the strength model; see `refresh`."""

from __future__ import annotations

from lims.base.services import RecordService
from lims.forecasts.models import Forecast, ForecastModel
from lims.trials.schemas import SpecimenSetEdit


class ForecastModelService(RecordService[ForecastModel]):
    record = ForecastModel
    schema = SpecimenSetEdit
    search_columns = ("version_hash",)
    order_columns = ("created_at", "mixes")
    writable = False


class ForecastService(RecordService[Forecast]):
    record = Forecast
    schema = SpecimenSetEdit
    search_columns = ("mix_design.code", "method")
    filter_columns = ("mix_design_id", "forecast_model_id", "early_ages", "age_days", "held_out")
    order_columns = ("created_at", "strength_mpa", "early_ages")
    shown_relations = ("mix_design", "forecast_model")
    writable = False
