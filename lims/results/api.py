"""REST of results and equipment. POST /api/v1/set-results/ enters a whole set."""

from __future__ import annotations

from lims.base.actor import Actor
from lims.base.api import RecordApi, Step
from lims.results.models import SetResult
from lims.results.schemas import CorrectIn, RetractIn
from lims.results.service import amend_set, correct_set, release, retract, verify
from lims.results.views import (
    BreakView,
    CalibrationView,
    MouldView,
    PressFileView,
    PressMappingView,
    PressRowView,
    PressView,
    ScaleView,
    SetResultView,
)


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
        "mould_id",
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


def _result(result_id: int) -> SetResult:
    found: SetResult = SetResultView.service.get(result_id)
    return found


def _verified(result_id: int, _values: None, actor: Actor) -> SetResult:
    found = _result(result_id)
    return verify(found.specimen_set_id, actor, result_number=found.number)


def _released(result_id: int, _values: None, actor: Actor) -> SetResult:
    found = _result(result_id)
    return release(found.specimen_set_id, actor, result_number=found.number)


def _corrected(result_id: int, values: CorrectIn, actor: Actor) -> SetResult:
    found = _result(result_id)
    return correct_set(found.specimen_set_id, values, found.number, actor, values.reason)


def _amended(result_id: int, values: CorrectIn, actor: Actor) -> SetResult:
    found = _result(result_id)
    return amend_set(found.specimen_set_id, values, found.number, actor, values.reason)


def _retracted(result_id: int, values: RetractIn, actor: Actor) -> SetResult:
    found = _result(result_id)
    return retract(
        found.specimen_set_id,
        values.reason,
        actor,
        held_set_id=values.held_set_id,
        age_days=values.age_days,
        result_number=found.number,
    )


class SetResultApi(RecordApi):
    """Adding is entering the breaks; a change is a correction with its reason, on the page of the set."""

    service = SetResultView.service
    exclude_route_methods = {"put", "retire"}
    steps = (
        Step("verify", "Verify what another person entered", "verify", "breaks", _verified, signs=True),
        Step("release", "Release a verified result", "release", "breaks", _released, signs=True),
        Step("correct", "Replace an entry before it is released", "write", "breaks", _corrected, CorrectIn),
        Step("amend", "Replace a released result", "release", "breaks", _amended, CorrectIn, True),
        Step("retract", "Take a released result back", "release", "breaks", _retracted, RetractIn, True),
    )
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
        "retracted_by",
        "retracted_at",
        "retract_reason",
        "superseded_at",
        "created_at",
        "created_by",
    )


class MouldApi(RecordApi):
    service = MouldView.service
    fields = ("id", "version", "code", "shape", "width_mm", "count")


class PressMappingApi(RecordApi):
    service = PressMappingView.service
    fields = (
        "id", "version", "code", "press_id", "encoding", "delimiter", "decimal_mark", "header_row", "code_column",
        "load_column", "load_unit", "time_column", "time_format", "tester_column",
    )  # fmt: skip


class PressFileApi(RecordApi):
    service = PressFileView.service
    fields = ("id", "version", "press_mapping_id", "name", "sha256", "size_bytes", "row_count", "created_at")


class PressRowApi(RecordApi):
    service = PressRowView.service
    fields = (
        "id", "version", "press_file_id", "number", "content", "state", "message", "specimen_id", "code", "load_kn",
        "tested_at", "tested_by",
    )  # fmt: skip


APIS = (
    PressApi,
    ScaleApi,
    MouldApi,
    CalibrationApi,
    BreakApi,
    SetResultApi,
    PressMappingApi,
    PressFileApi,
    PressRowApi,
)
