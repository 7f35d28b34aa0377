"""REST of results and equipment. POST /api/v1/set-results/ enters a whole set."""

from __future__ import annotations

from lims.base.api import RecordApi
from lims.results.views import BreakView, CalibrationView, PressView, ScaleView, SetResultView


class PressApi(RecordApi):
    service = PressView.service
    fields = ("id", "version", "code", "name", "serial_number", "capacity_kn")


class ScaleApi(RecordApi):
    service = ScaleView.service
    fields = ("id", "version", "code", "name", "serial_number", "capacity_kg")


class CalibrationApi(RecordApi):
    service = CalibrationView.service
    fields = (
        "id",
        "version",
        "press_id",
        "scale_id",
        "certificate_number",
        "calibrated_on",
        "due_on",
        "calibrated_by",
        "error_percent",
    )


class BreakApi(RecordApi):
    service = BreakView.service
    fields = (
        "id",
        "version",
        "specimen_id",
        "number",
        "load_kn",
        "reported",
        "strength_mpa",
        "press_id",
        "tested_by",
        "tested_at",
        "age_hours",
        "age_within",
        "loading_rate_mpa_s",
        "remark",
        "superseded_at",
    )


class SetResultApi(RecordApi):
    """Adding is entering the breaks; a change is a correction with its reason, on the page of the set."""

    service = SetResultView.service
    exclude_route_methods = {"put", "retire"}
    fields = (
        "id",
        "version",
        "specimen_set_id",
        "number",
        "rule_id",
        "edition",
        "strength_mpa",
        "basis",
        "specimen_count",
        "state",
        "reason",
        "verified_by",
        "verified_at",
        "released_by",
        "released_at",
        "superseded_at",
        "created_at",
        "created_by",
    )


APIS = (PressApi, ScaleApi, CalibrationApi, BreakApi, SetResultApi)
