"""Pages of stored forecasts."""

from __future__ import annotations

from typing import Any

from flask import current_app, request
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import Cell, show_ages, tenths
from lims.base.forms import build_form
from lims.base.problems import Problem, Refused
from lims.base.views import GuardedView, MenuPlace, RecordView
from lims.forecasts.new_customer import NewMixIn, Outlook, outlook, shown_bounds
from lims.forecasts.notes import in_words
from lims.forecasts.quality import (
    by_month,
    chart_of_lots,
    grouped,
    judged_forecasts,
    watched_lots,
)
from lims.forecasts.service import ForecastModelService, ForecastService

MISSES = 8

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
    menu = MenuPlace("forecasts", order=20, icon="chart-line")
    list_places = {"strength_mpa": 1, "lower_90_mpa": 1, "upper_90_mpa": 1}
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

    def cell(self, record: Any, name: str) -> Cell:
        found = super().cell(record, name)
        if name == "early_ages":
            return found._replace(text=show_ages(found.text))
        return found._replace(text=in_words(record.note)) if name == "note" and record.note else found


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

    def cell(self, record: Any, name: str) -> Cell:
        found = super().cell(record, name)
        return found._replace(text=show_ages(found.text)) if name == "early_ages" else found


class ForecastQualityView(GuardedView):
    """/forecast-quality/: what was said beside what came."""

    route_base = "/forecast-quality"
    default_view = "figures"
    permission_on = "forecasts"
    title = _l("Forecast quality")
    menu = MenuPlace("forecasts", order=30, icon="chart")

    @expose("/")
    @permission_name("read")
    def figures(self) -> ResponseReturnValue:
        self.allow("read")
        judged = judged_forecasts()
        by_ages = sorted(
            grouped(judged, lambda item: item.early_ages or " "), key=lambda q: (q.name.count(","), q.name)
        )
        all_ages = [item.name.strip() for item in by_ages]
        chosen = request.args.get("ages", "")[:20]
        chosen = "" if chosen == "0" and "" in all_ages else chosen
        if chosen not in all_ages:
            chosen = "3" if "3" in all_ages else (all_ages[0] if all_ages else "")
        some = [item for item in judged if item.early_ages == chosen]
        months = by_month(some)
        lots = watched_lots()
        page: str = self.render_template(
            "lims/forecast_quality.html",
            view=self,
            judged=len(judged),
            by_ages=by_ages,
            all_ages=all_ages,
            chosen=chosen,
            groups=[
                (_("Laboratory"), grouped(some, lambda item: item.laboratory)),
                (_("Cement"), grouped(some, lambda item: item.cement)),
                (_("Region"), grouped(some, lambda item: item.region)),
            ],
            by_month=months,
            months={
                "x": [item.name for item in months],
                "series": [
                    {"name": _("Mean error, %"), "data": [round(item.mape_percent, 2) for item in months]},
                    {
                        "name": _("In the 90 % interval, %"),
                        "data": [round(item.coverage_90_percent, 1) for item in months],
                    },
                ],
                "limits": [90],
                "labels": {"x": _("Month"), "y": "%"},
            }
            if len(months) > 1
            else None,
            tenths=tenths,
            misses=sorted(some, key=lambda item: -abs(item.error_percent))[:MISSES],
            lots=lots,
            lot_chart={**chart_of_lots(lots, {"x": _("Early set"), "y": "σ"}), "paired": True},
        )
        return page


class NewCustomerView(GuardedView):
    """/new-customer/: a forecast for a mix that nobody has cast."""

    route_base = "/new-customer"
    default_view = "ask"
    permission_on = "forecasts"
    title = _l("New customer's mix")
    menu = MenuPlace("forecasts", order=10, icon="user")

    @expose("/")
    @permission_name("read")
    def ask(self) -> ResponseReturnValue:
        self.allow("read")
        names = {item.name for item in NewMixIn.inputs()}
        given: dict[str, Any] = {
            name: value[:60] for name, value in request.args.items() if name in names and value
        }
        sections = (
            (_l("For"), ("region_id", "cement_product_id", "grade_mpa")),
            (_l("Recipe for one cubic metre"), tuple(n for n in names_in_order() if n.endswith("_kg_m3"))),
            (_l("Early strengths"), tuple(n for n in names_in_order() if n.startswith("strength_"))),
        )
        found: Outlook | None = None
        problems: tuple[Problem, ...] = ()
        if "go" in request.args:
            try:
                found = outlook(NewMixIn.read(given), str(current_app.config["LIMS_LABORATORY"]))
            except Refused as error:
                problems = tuple(error.problems)
        page: str = self.render_template(
            "lims/new_customer.html",
            view=self,
            form=build_form(NewMixIn, given, sections=sections, problems=problems),
            outlook=found,
            bounds=shown_bounds(found.forecast) if found else {},
            ages=", ".join(f"{age:g}" for age in found.forecast.early_ages) if found else "",
            grade=given.get("grade_mpa", ""),
            given=given,
        )
        return (page, 422) if problems else page


def names_in_order() -> list[str]:
    return [item.name for item in NewMixIn.inputs()]


VIEWS = (ForecastView, ForecastModelView, ForecastQualityView, NewCustomerView)
