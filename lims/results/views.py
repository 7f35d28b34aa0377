"""Pages at the press: what is due, entering a set, verification, release; presses, scales, calibrations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from lims.base.api import json_object
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import laboratory_zone, local_time
from lims.base.problems import Conflict, Problem, Refused, refuse
from lims.base.schemas import localise
from lims.base.security import current_actor, may, principal
from lims.base.views import GuardedView, MenuPlace, RecordView, Related
from lims.mixes.models import MixRevision
from lims.results.entry import EntryIn, due_entry, save_entry
from lims.results.models import Press
from lims.results.schemas import BASES, RESULT_STATES, SetBreaksIn
from lims.results.service import (
    BreakService,
    CalibrationService,
    PressService,
    ScaleService,
    SetResultService,
    breaks_of,
    correct_set,
    get_set,
    record_set,
    release,
    result_of,
    verify,
)
from lims.trials.models import Batch, Specimen, SpecimenSet
from lims.trials.short_codes import specimen_id_of
from lims.trials.views import SpecimenView

#: How far ahead the list of due sets looks.
HORIZON = timedelta(days=7)
MOST_DUE = 200


def due_sets(horizon: timedelta = HORIZON) -> list[SpecimenSet]:
    """Waiting sets that are overdue or fall due within the horizon, soonest first."""
    query = (
        select(SpecimenSet)
        .where(SpecimenSet.state == "waiting", SpecimenSet.due_at <= utc_now() + horizon)
        .options(
            joinedload(SpecimenSet.batch).joinedload(Batch.mix_revision).joinedload(MixRevision.mix_design),
            joinedload(SpecimenSet.batch).joinedload(Batch.trial),
        )
        .order_by(SpecimenSet.due_at, SpecimenSet.id)
        .limit(MOST_DUE)
    )
    return list(current_session().scalars(query).unique())


class BreaksView(GuardedView):
    """The technician's day: /press/."""

    route_base = "/press"
    default_view = "due"
    permission_on = "breaks"
    title = _l("At the press")
    menu = MenuPlace("today", order=10, icon="gauge")

    @expose("/")
    @permission_name("read")
    def due(self) -> ResponseReturnValue:
        self.allow("read")
        now = utc_now()
        groups: dict[str, list[SpecimenSet]] = {"late": [], "now": [], "next": []}
        for item in due_sets():
            assert item.due_until is not None
            assert item.due_from is not None
            key = "late" if item.due_until < now else "now" if item.due_from <= now else "next"
            groups[key].append(item)
        return self._page("lims/due.html", groups=groups, may_enter=may("write", "breaks"), local=local_time)

    @expose("/worksheet")
    @permission_name("read")
    def worksheet(self) -> ResponseReturnValue:
        """Paper for a press without a screen: what is due until tomorrow, with room for the loads."""
        self.allow("read")
        return self._page("lims/worksheet.html", sets=due_sets(timedelta(days=1)))

    @expose("/scan/<code>")
    @permission_name("read")
    def scan(self, code: str) -> ResponseReturnValue:
        """What a scanned label opens: the entry of a waiting set, else the specimen."""
        self.allow("read")
        specimen: Specimen = SpecimenView.service.get(specimen_id_of(code))
        found = get_set(specimen.specimen_set_id)
        if may("write", "breaks") and found.state == "waiting":
            return redirect(url_for("entry", code=specimen.code))
        return redirect(url_for("SpecimenView.show", record_id=specimen.id))

    @expose("/due.json")
    @permission_name("write")
    def due_json(self) -> ResponseReturnValue:
        """What the entry page keeps for when there is no connection."""
        self.allow("write")
        user = principal()
        presses = current_session().scalars(
            select(Press).where(Press.retired_at.is_(None)).order_by(Press.code)
        )
        return jsonify(
            {
                "token": generate_csrf(),
                "tested_by": user.get_full_name() if user is not None else "",
                "sets": due_entry(due_sets()),
                "presses": [{"id": item.id, "code": item.code, "name": item.name} for item in presses],
            }
        )

    @expose("/entries", methods=["POST"])
    @permission_name("write")
    def entries(self) -> ResponseReturnValue:
        """One set from the entry page; the same entry twice is written once."""
        self.allow("write")
        try:
            return jsonify(save_entry(EntryIn.read(json_object()), current_actor()))
        except Conflict as conflict:
            return jsonify({"theirs": conflict.theirs.get("loads_kn", ""), "problems": []}), 409

    @expose("/sets/<int:set_id>", methods=["GET", "POST"])
    @permission_name("write")
    def enter(self, set_id: int) -> ResponseReturnValue:
        """Type a set's loads; a correction while it is not released needs the reason."""
        self.allow("write")
        found = get_set(set_id)
        if request.method == "GET":
            return self._entry(found, {})
        posted = request.form.to_dict()
        try:
            entry = SetBreaksIn.read(self._read(found, posted))
            number = posted.get("result_number", "")
            if number.isdecimal() and int(number[:9]) > 0:
                result = correct_set(
                    set_id, entry, int(number[:9]), current_actor(), posted.get("reason", "")
                )
            else:
                result = record_set(set_id, entry, current_actor())
        except Refused as error:
            return self._entry(found, posted, error.problems), 422
        except Conflict as conflict:
            problem = Problem(
                "",
                _(
                    "This set was entered meanwhile with %(theirs)s kN. Your values are kept below.",
                    theirs=conflict.theirs["loads_kn"],
                ),
            )
            return self._entry(found, posted, [problem]), 409
        if result.strength_mpa is None:
            flash(_("Saved: the set is invalid, two values lie beyond 15 % of the middle one."), "warning")
        else:
            flash(_("Saved: %(strength)s MPa", strength=result.strength_mpa), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/verify", methods=["POST"])
    @permission_name("verify")
    def verify(self, set_id: int) -> ResponseReturnValue:
        self.allow("verify")
        verify(set_id, current_actor())
        flash(_("Verified."), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/release", methods=["POST"])
    @permission_name("release")
    def release(self, set_id: int) -> ResponseReturnValue:
        self.allow("release")
        release(set_id, current_actor())
        flash(_("Released."), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    def _read(self, found: SpecimenSet, posted: dict[str, str]) -> dict[str, Any]:
        loads = [posted.get(f"load_{specimen.number}", "") for specimen in found.specimens]
        data: dict[str, Any] = {
            name: posted.get(name, "") for name in ("tested_at", "press_id", "tested_by", "remark")
        }
        return {**localise(SetBreaksIn, data, laboratory_zone()), "loads_kn": loads}

    def _entry(self, found: SpecimenSet, posted: dict[str, str], problems: Any = ()) -> str:
        result = result_of(found.id)
        user = principal()
        errors: dict[str, list[str]] = {}
        for problem in problems:
            errors.setdefault(problem.field, []).append(str(problem.message))
        presses = list(
            current_session().scalars(select(Press).where(Press.retired_at.is_(None)).order_by(Press.code))
        )
        remembered = presses[0].id if len(presses) == 1 else ""
        return self._page(
            "lims/set_entry.html",
            found=found,
            result=result,
            breaks=breaks_of([specimen.id for specimen in found.specimens]),
            posted=posted
            or {
                "tested_at": f"{local_time(utc_now()):%Y-%m-%dT%H:%M}",
                "tested_by": user.get_full_name() if user is not None else "",
                "press_id": str(remembered),
            },
            presses=presses,
            errors=errors,
            bases=BASES,
            states=RESULT_STATES,
            local=local_time,
            may_verify=may("verify", "breaks"),
            may_release=may("release", "breaks"),
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered


class PressView(RecordView):
    service = PressService()
    title = _l("Presses")
    title_one = _l("Press")
    menu = MenuPlace("setup", order=40, icon="gauge")
    list_columns = ("code", "name", "serial_number", "capacity_kn")
    show_sections = ((_l("Press"), ("code", "name", "serial_number", "capacity_kn")),)
    related = (Related("calibrations", "press_id"), Related("breaks", "press_id"))


class ScaleView(RecordView):
    service = ScaleService()
    title = _l("Scales")
    title_one = _l("Scale")
    menu = MenuPlace("setup", order=50, icon="scale")
    list_columns = ("code", "name", "serial_number", "capacity_kg")
    show_sections = ((_l("Scale"), ("code", "name", "serial_number", "capacity_kg")),)
    related = (Related("calibrations", "scale_id"),)


class CalibrationView(RecordView):
    service = CalibrationService()
    title = _l("Calibrations")
    title_one = _l("Calibration")
    menu = MenuPlace("setup", order=60, icon="certificate")
    list_columns = ("certificate_number", "press", "scale", "calibrated_on", "due_on", "error_percent")
    show_sections = (
        (
            _l("Calibration"),
            (
                "certificate_number",
                "press",
                "scale",
                "calibrated_on",
                "due_on",
                "calibrated_by",
                "error_percent",
            ),
        ),
    )


class BreakView(RecordView):
    service = BreakService()
    title = _l("Breaks")
    title_one = _l("Break")
    menu = MenuPlace("trials", order=50, icon="hammer")
    list_columns = (
        "specimen",
        "load_kn",
        "strength_mpa",
        "age_hours",
        "age_within",
        "press",
        "tested_by",
        "tested_at",
    )
    labels = {
        "specimen": _l("Specimen"),
        "load_kn": _l("Load"),
        "strength_mpa": _l("Strength"),
        "age_hours": _l("Age"),
        "age_within": _l("Age within tolerance"),
        "press": _l("Press"),
        "tested_by": _l("Tested by"),
        "tested_at": _l("Tested at"),
        "reported": _l("As reported, without load"),
        "superseded_at": _l("Corrected"),
        "remark": _l("Remark"),
        "number": _l("No."),
    }
    units = {"load_kn": "kN", "strength_mpa": "MPa", "age_hours": "h"}
    show_sections = (
        (
            _l("Observation"),
            ("specimen", "number", "load_kn", "strength_mpa", "reported", "remark", "superseded_at"),
        ),
        (_l("Test"), ("press", "tested_by", "tested_at", "age_hours", "age_within")),
    )


class SetResultView(RecordView):
    service = SetResultService()
    title = _l("Results")
    title_one = _l("Result")
    menu = MenuPlace("trials", order=40, icon="chart")
    list_columns = (
        "specimen_set",
        "strength_mpa",
        "basis",
        "state",
        "rule_id",
        "specimen_count",
        "created_at",
    )
    labels = {
        "specimen_set": _l("Set"),
        "strength_mpa": _l("Strength"),
        "basis": _l("Basis"),
        "state": _l("State"),
        "rule_id": _l("Rule"),
        "edition": _l("Edition"),
        "number": _l("No."),
        "specimen_count": _l("Specimens"),
        "reason": _l("Reason for the correction"),
        "verified_at": _l("Verified"),
        "verified_by": _l("Verified by"),
        "released_at": _l("Released"),
        "released_by": _l("Released by"),
        "superseded_at": _l("Corrected"),
    }
    units = {"strength_mpa": "MPa"}
    choices = {"basis": BASES, "state": RESULT_STATES}
    show_sections = (
        (
            _l("Result"),
            ("specimen_set", "strength_mpa", "basis", "rule_id", "edition", "number", "specimen_count"),
        ),
        (
            _l("State"),
            ("state", "verified_by", "verified_at", "released_by", "released_at", "superseded_at", "reason"),
        ),
    )

    def may_add(self) -> bool:
        return False  # a result comes from its breaks: /press/ or POST /api/v1/set-results/

    def not_written_here(self) -> ResponseReturnValue:
        raise refuse("", _("results come from the breaks of a set; open the set and enter its loads"))

    @expose("/add", methods=["GET", "POST"])
    @permission_name("write")
    def add(self) -> ResponseReturnValue:
        self.allow("write")
        return self.not_written_here()

    @expose("/<int:record_id>/edit", methods=["GET", "POST"])
    @permission_name("write")
    def edit(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        return self.not_written_here()

    @expose("/<int:record_id>/retire", methods=["POST"])
    @permission_name("write")
    def retire(self, record_id: int) -> ResponseReturnValue:
        self.allow("write")
        return self.not_written_here()


VIEWS = (BreaksView, PressView, ScaleView, CalibrationView, BreakView, SetResultView)
