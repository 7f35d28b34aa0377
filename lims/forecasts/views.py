"""Pages of stored forecasts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from lims.base.views import MenuPlace, RecordView
from lims.forecasts.service import ForecastModelService, ForecastService

LABELS = {
    "mix_design": _l("Mix"),
    "early_ages": _l("From breaks at"),
    "age_days": _l("For age"),
    "strength_mpa": _l("Median"),
    "lower_50_mpa": _l("50 % from"),
    "upper_50_mpa": _l("50 % to"),
    "lower_90_mpa": _l("90 % from"),
    "upper_90_mpa": _l("90 % to"),
    "grade_probability": _l("P(reaches its grade)"),
    "local_mixes": _l("Own mixes behind it"),
    "history_mixes": _l("Mixes in the history"),
    "method": _l("Method"),
    "note": _l("Note"),
    "held_out": _l("Result held out"),
    "forecast_model": _l("Model"),
    "inputs": _l("Inputs"),
}


class ForecastView(RecordView):
    service = ForecastService()
    title = _l("Forecasts")
    title_one = _l("Forecast")
    menu = MenuPlace("results", order=30, icon="chart-line")
    list_columns = (
        "mix_design",
        "early_ages",
        "age_days",
        "strength_mpa",
        "lower_90_mpa",
        "upper_90_mpa",
        "grade_probability",
        "created_at",
    )
    labels = LABELS
    units = {
        "early_ages": "d",
        "age_days": "d",
        "strength_mpa": "MPa",
        "lower_50_mpa": "MPa",
        "upper_50_mpa": "MPa",
        "lower_90_mpa": "MPa",
        "upper_90_mpa": "MPa",
    }
    show_sections = (
        (
            _l("Forecast"),
            (
                "mix_design",
                "early_ages",
                "age_days",
                "strength_mpa",
                "lower_50_mpa",
                "upper_50_mpa",
                "lower_90_mpa",
                "upper_90_mpa",
                "grade_probability",
                "note",
            ),
        ),
        (
            _l("What it rests on"),
            ("method", "local_mixes", "history_mixes", "held_out", "forecast_model", "inputs"),
        ),
    )
    empty_hint = _l("A forecast is made when a set of breaks is entered.")


class ForecastModelView(RecordView):
    service = ForecastModelService()
    title = _l("Forecast models")
    title_one = _l("Forecast model")
    menu = None
    list_columns = ("version_hash", "early_ages", "laboratories", "mixes", "created_at")
    labels = {
        "version_hash": _l("Version"),
        "early_ages": _l("From breaks at"),
        "laboratories": _l("Laboratories"),
        "mixes": _l("Mixes"),
    }
    show_sections = ((_l("Model"), ("version_hash", "early_ages", "laboratories", "mixes")),)


VIEWS = (ForecastView, ForecastModelView)
