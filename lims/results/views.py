"""Pages at the press: what is due, entering a set, verification, release; presses, scales, calibrations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from flask import Response, current_app, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup
from pydantic_core import PydanticCustomError
from sqlalchemy import select

from lims.base.api import json_object
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.display import actor_names, form_text, laboratory_zone, local_time, show_time
from lims.base.fields import plain_text
from lims.base.forms import posted_values
from lims.base.laboratory import laboratory
from lims.base.names import name_of
from lims.base.problems import Conflict, NotFound, Problem, Refused, refuse
from lims.base.schemas import localise
from lims.base.security import current_actor, may, principal
from lims.base.services import SERVICES
from lims.base.signatures import MEANINGS, signatures_of, signer
from lims.base.views import GuardedView, MenuPlace, RecordView, Related, require_usual_year, times_left_alone
from lims.base.words import spoken_locale
from lims.results.cockpit import HELD_FOR, held_sets, missed, tally, workload
from lims.results.due import MOST_OF_A_GROUP, DueSet, due_groups, due_set, due_sets, specimens_of
from lims.results.entry import (
    EntryIn,
    doubts,
    due_entry,
    entry_warnings,
    judged_while_typed,
    save_entry,
    warnings_ahead,
)
from lims.results.equipment import presses_with_calibration
from lims.results.models import Break, Press, SetResult
from lims.results.press_files import find_specimen, read_file, settle
from lims.results.schemas import (
    BASES,
    LOAD,
    RESULT_STATES,
    ROW_STATES,
    CorrectIn,
    RetestIn,
    RetractIn,
    SetBreaksIn,
)
from lims.results.service import (
    BreakService,
    CalibrationService,
    MouldService,
    PressFileService,
    PressMappingService,
    PressRowService,
    PressService,
    ScaleService,
    SetResultService,
    amend_set,
    besides_loads,
    breaks_of,
    correct_set,
    get_set,
    named,
    plan_retest,
    record_set,
    release,
    result_of,
    retract,
    retracted_result,
    verify,
)
from lims.standards.specimens import SAMPLE_RANGE_TOLERANCE, SET_TOLERANCE
from lims.trials.models import Specimen, SpecimenSet
from lims.trials.schemas import SET_PURPOSES, SET_STATES
from lims.trials.service import as_given_out
from lims.trials.short_codes import specimen_id_of
from lims.trials.views import SpecimenView


def signatures_of_set(set_id: int) -> list[dict[str, Any]]:
    """Who signed which result of a set, when and with what meaning, and whether it still fits."""
    query = select(SetResult.id, SetResult.number).where(SetResult.specimen_set_id == set_id)
    numbers: dict[int, int] = {}
    for key, number in current_session().execute(query):
        numbers[key] = number
    found = signatures_of(SetResult.record_name, list(numbers))
    names = actor_names({item.signature.signed_by for item in found})
    return [
        {
            "name": names[item.signature.signed_by],
            "at": item.signature.signed_at,
            "meaning": MEANINGS[item.signature.meaning],
            "reason": item.signature.reason or "",
            "number": numbers[item.signature.signed_id],
            "sha256": item.signature.content_sha256,
            "holds": item.holds,
        }
        for item in found
    ]


def _no_loads(posted: Mapping[str, str], found: SpecimenSet) -> dict[int, str]:
    """Number of each specimen whose posted text is no load -> what is wrong with it: these fields are marked, not those
    beside them, and all of them at once, where the list of the page names the first."""
    wrong = {}
    for specimen in found.specimens:
        text = posted.get(f"load_{specimen.number}", "")
        try:
            if not text.strip():
                wrong[specimen.number] = _("is missing; accepted: %(what)s", what=LOAD.accepted())
            LOAD.parse(text)
        except PydanticCustomError as error:
            wrong.setdefault(specimen.number, str((error.context or {})["message"]))
    return wrong


#: Basis of a set that has no strength -> what is said when it was saved.
NO_STRENGTH = {
    "invalid": _l("Saved: the set is invalid, two values lie beyond 15 % of the middle one."),
    "spread": _l("Saved: the set is invalid, its values range over more than 15 % of their mean."),
}
#: Sets of a day that a worksheet has room for; of those past their tolerance as many as the page of the day shows.
MOST_ON_PAPER = 500


def _until_tomorrow() -> tuple[list[DueSet], int]:
    """Sets of a worksheet, and how many past their tolerance stand on none."""
    now = utc_now()
    tomorrow = now + timedelta(days=1)
    sets = [
        item for item in due_sets(most=MOST_ON_PAPER) if item.due_at is not None and item.due_at <= tomorrow
    ]
    late = [item for item in sets if item.when(now) == "late"]
    left_out = set(late[MOST_OF_A_GROUP:])
    more = max(0, workload(now).late - MOST_OF_A_GROUP) if left_out else 0
    return [item for item in sets if item not in left_out], more


def due_lines(sets: Sequence[DueSet], mark: str, address: str) -> Markup:
    """Sets of the list of the day as markup: their mark (due-now, due-late or due-next), and the address that they lead to
    but for the number at its end."""
    language, timezone = str(spoken_locale()), laboratory().timezone
    lines = (_due_line(item, mark, f"{address}{item.id}", language, timezone) for item in sets)
    return Markup("".join(lines))  # noqa: S704 - of lines that are markup


def _with_sets(sets: Sequence[DueSet], **more: Any) -> Response:
    """JSON with `sets` as the entry page keeps them: their rows are kept as text."""
    parts = [f'"sets":{due_entry(sets)}', *(f"{json.dumps(name)}:{json.dumps(more[name])}" for name in more)]
    return current_app.response_class(f"{{{','.join(parts)}}}\n", mimetype="application/json")


@lru_cache(maxsize=4096)  # it waits for days, and everybody opens the list all day
def _due_line(item: DueSet, mark: str, address: str, _language: str, _timezone: str) -> Markup:
    template = current_app.jinja_env.get_template("lims/due_line.html")
    return Markup(  # noqa: S704 - of a template, which escapes
        template.render(item=item, mark=mark, address=address, show_time=show_time)
    )


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
        days = workload(now)
        enters = may("write", "breaks")
        groups = due_groups(now)
        leads_to = (
            url_for("BreaksView.enter", set_id=0) if enters else url_for("SpecimenSetView.show", record_id=0)
        ).removesuffix("0")
        return self._page(
            "lims/due.html",
            groups=groups,
            lines={name: due_lines(sets, f"due-{name}", leads_to) for name, sets in groups.items()},
            workload=days,
            most=max((count for _day, count in days.days), default=0),
            tally=tally(now),
            may_enter=enters,
            most_of_a_group=MOST_OF_A_GROUP,
        )

    @expose("/held")
    @permission_name("read")
    def held(self) -> ResponseReturnValue:
        """Held and reserved specimens, and which of them may be thrown away."""
        self.allow("read")
        return self._page(
            "lims/held.html",
            sets=held_sets(),
            old_before=utc_now() - HELD_FOR,
            purposes=SET_PURPOSES,
            may_write=may("write", "specimen-sets"),
        )

    @expose("/check")
    @permission_name("read")
    def check(self) -> ResponseReturnValue:
        """The month's check: was anything due missed?"""
        self.allow("read")
        now = utc_now()
        given = request.args.get("month") or f"{local_time(now):%Y-%m}"
        try:
            first = datetime.strptime(given, "%Y-%m").replace(tzinfo=laboratory_zone())
        except ValueError:
            raise refuse("month", _("is not a month; accepted: YYYY-MM"), given) from None
        require_usual_year("month", first.date())
        last = (first + timedelta(days=32)).replace(day=1)
        return self._page("lims/check.html", month=given, missed=missed(first, last, now))

    @expose("/tray", methods=["GET", "POST"])
    @permission_name("write")
    def tray(self) -> ResponseReturnValue:
        """Files of the presses come in; rows that fit no specimen wait here."""
        self.allow("write")
        mappings = SERVICES["press-mappings"].page(size=200).items
        if request.method == "GET":
            return self._tray(mappings)
        given = request.files.get("file")
        mapping = request.form.get("mapping", "")
        try:
            if given is None or not given.filename:
                raise refuse("file", _("is required: the file that the press wrote"))
            if not mapping.isdecimal():
                raise refuse("mapping", _("is required: which press wrote the file"), mapping)
            outcome = read_file(int(mapping[:18]), given.filename, given.read(), current_actor())
        except Refused as error:
            return self._tray(mappings, [str(problem.message) for problem in error.problems], mapping), 422
        if outcome.again and not outcome.used:
            flash(_("This file was read before; nothing has changed."), "info")
        else:
            flash(
                _(
                    "%(sets)s sets entered, %(waiting)s rows wait, %(known)s rows were known.",
                    sets=outcome.sets,
                    waiting=outcome.waiting,
                    known=outcome.known,
                ),
                "success",
            )
        return redirect(url_for("BreaksView.tray"))

    def _tray(
        self,
        mappings: Any,
        problems: Any = (),
        chosen: str = "",
        row: tuple[int, dict[str, str], Sequence[Problem]] | None = None,
    ) -> str:
        """`row` is one that could not be settled: its id, what was typed, what is wrong with it."""
        waiting = SERVICES["press-rows"].page(filters={"state": "waiting"}, size=100)
        return self._page(
            "lims/tray.html",
            mappings=mappings,
            waiting=waiting,
            problems=problems,
            chosen=chosen,
            refused=row,
            contents={item.id: json.loads(item.content) for item in waiting.items},
        )

    @expose("/tray/<int:row_id>", methods=["POST"])
    @permission_name("write")
    def settle(self, row_id: int) -> ResponseReturnValue:
        """A waiting row gets its specimen, or is put away with a reason."""
        self.allow("write")
        given = {name: request.form.get(name, "") for name in ("code", "reason")}
        try:
            row = settle(row_id, given, current_actor())
        except Refused as error:
            mappings = SERVICES["press-mappings"].page(size=200).items
            return self._tray(mappings, row=(row_id, given, error.problems)), 422
        flash(
            row.message or _("Saved: %(title)s", title=row.title),
            "success" if row.state != "waiting" else "info",
        )
        return redirect(url_for("BreaksView.tray"))

    @expose("/worksheet")
    @permission_name("read")
    def worksheet(self) -> ResponseReturnValue:
        """Paper for a press without a screen: what is due until tomorrow, with room for the loads."""
        self.allow("read")
        sets, more = _until_tomorrow()
        specimens = specimens_of([item.id for item in sets])
        loads = {item.id: len(specimens[item.id]) for item in sets}
        most = max(loads.values(), default=3)
        return self._page("lims/worksheet.html", sets=sets, loads=loads, most=most, more=more)

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
        return _with_sets(
            due_sets(),
            token=generate_csrf(),
            tested_by=name_of(user) if user is not None else "",
            person_id=user.id if user is not None else None,
            presses=[
                {
                    "id": press.id,
                    "code": press.code,
                    "name": press.name,
                    "calibrated_until": until.isoformat() if until is not None else "",
                }
                for press, until in presses_with_calibration()
            ],
        )

    @expose("/set.json")
    @permission_name("write")
    def set_json(self) -> ResponseReturnValue:
        """One waiting set by a code that the entry page does not hold: of the set, of a specimen, or of a label."""
        self.allow("write")
        code = plain_text(request.args.get("code", ""))[:90]
        session = current_session()
        given_out = as_given_out(code)
        query = select(SpecimenSet.code, SpecimenSet.id).where(SpecimenSet.code.in_({code, given_out}))
        # A laboratory's own codes may differ in nothing but capitals: the one that was typed goes first.
        known = {row.code: row.id for row in session.execute(query)}
        set_id = known.get(code, known.get(given_out))
        if set_id is None:
            specimen = find_specimen(session, code)
            set_id = specimen.specimen_set_id if specimen is not None else None
        found = due_set(set_id) if set_id is not None else None
        if found is None:
            raise NotFound(f"waiting set {code}")
        return _with_sets([found])

    @expose("/entries", methods=["POST"])
    @permission_name("write")
    def entries(self) -> ResponseReturnValue:
        """One set from the entry page; the same entry twice is written once."""
        self.allow("write")
        try:
            return jsonify(save_entry(EntryIn.read(json_object()), current_actor()))
        except Refused as error:  # it stands in the page's list of what waits, beside no field
            problems = [Problem(item.field, named(item), item.value).as_dict() for item in error.problems]
            return jsonify({"message": str(error), "problems": problems}), 422
        except Conflict as conflict:
            problems = [_entered_meanwhile(conflict).as_dict()] if besides_loads(conflict) else []
            return jsonify({"theirs": conflict.theirs.get("loads_kn", ""), "problems": problems}), 409

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
            typed = self._read(found, posted)
            number = posted.get("result_number", "")
            if number.isdecimal() and int(number[:9]) > 0:
                correction = CorrectIn.read({**typed, "reason": posted.get("reason", "")})
                replace = correct_set
                actor = current_actor()
                if posted.get("amend") == "1":
                    self.allow("release")
                    replace, actor = amend_set, signer(posted.pop("password", None))
                result = replace(set_id, correction, int(number[:9]), actor, correction.reason)
            else:
                entry = SetBreaksIn.read(typed)
                # A question that was answered was about these loads, not about those typed after it.
                asked = "|".join(str(load) for load in entry.loads_kn or ())
                if posted.get("confirmed") != asked and (questions := doubts(set_id, entry)):
                    return self._entry(found, {**posted, "confirmed": asked}, questions=questions), 422
                result = record_set(set_id, entry, current_actor())
        except Refused as error:
            return self._entry(found, posted, error.problems), 422
        except Conflict as conflict:
            return self._entry(found, posted, [_entered_meanwhile(conflict)]), 409
        if result.strength_mpa is None:
            flash(NO_STRENGTH[result.basis], "warning")
        else:
            flash(_("Saved: %(strength)s MPa", strength=f"{result.strength_mpa:.1f}"), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/verify", methods=["POST"])
    @permission_name("verify")
    def verify(self, set_id: int) -> ResponseReturnValue:
        self.allow("verify")
        try:
            verify(set_id, signer(request.form.get("password")), result_number=_seen())
        except Refused as error:
            return self._entry(get_set(set_id), {}, error.problems), 422
        except Conflict:
            return self._entry(get_set(set_id), {}, [_corrected_meanwhile()]), 409
        flash(_("Verified."), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/release", methods=["POST"])
    @permission_name("release")
    def release(self, set_id: int) -> ResponseReturnValue:
        self.allow("release")
        try:
            release(set_id, signer(request.form.get("password")), result_number=_seen())
        except Refused as error:
            return self._entry(get_set(set_id), {}, error.problems), 422
        except Conflict:
            return self._entry(get_set(set_id), {}, [_corrected_meanwhile()]), 409
        flash(_("Released."), "success")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/retract", methods=["POST"])
    @permission_name("release")
    def retract(self, set_id: int) -> ResponseReturnValue:
        """A released result is taken back; a held set may take its place."""
        self.allow("release")
        try:
            values = RetractIn.read(posted_values(RetractIn, request.form))
            retract(
                set_id,
                values.reason,
                signer(request.form.get("password")),
                held_set_id=values.held_set_id,
                age_days=values.age_days,
                result_number=_seen(),
            )
        except (Refused, Conflict) as error:
            typed = {name: request.form.get(name, "") for name in RETRACTION}
            problems, status = (
                (error.problems, 422) if isinstance(error, Refused) else ([_corrected_meanwhile()], 409)
            )
            return self._entry(get_set(set_id), {}, problems, retraction=typed), status
        flash(_("Retracted. The old result stays readable."), "warning")
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    @expose("/sets/<int:set_id>/retest", methods=["POST"])
    @permission_name("write")
    def retest(self, set_id: int) -> ResponseReturnValue:
        """A held set is broken in place of one whose result was retracted."""
        self.allow("write")
        try:
            values = RetestIn.read(posted_values(RetestIn, request.form))
            found = plan_retest(set_id, values.held_set_id, values.age_days, current_actor())
        except Refused as error:
            typed = {item.name: request.form.get(item.name, "") for item in RetestIn.inputs()}
            return self._entry(get_set(set_id), {}, error.problems, retest=typed), 422
        flash(
            _(
                "%(set)s is due on %(day)s.",
                set=found.code,
                day=show_time(found.due_at) if found.due_at else "–",
            ),
            "success",
        )
        return redirect(url_for("BreaksView.enter", set_id=set_id))

    def _read(self, found: SpecimenSet, posted: dict[str, str]) -> dict[str, Any]:
        loads = [posted.get(f"load_{specimen.number}", "") for specimen in found.specimens]
        data: dict[str, Any] = {
            name: posted.get(name, "")
            for name in ("tested_at", "press_id", "tested_by", "loading_rate_mpa_s", "remark")
        }
        typed = {**localise(SetBreaksIn, data, laboratory_zone()), "loads_kn": loads}
        if posted.get("result_number"):
            broken = next(iter(breaks_of([specimen.id for specimen in found.specimens]).values()), None)
            typed |= times_left_alone(broken, SetBreaksIn, data)
        return typed

    def _entry(
        self,
        found: SpecimenSet,
        posted: dict[str, str],
        problems: Any = (),
        questions: Sequence[str] = (),
        retraction: Mapping[str, str] | None = None,
        retest: Mapping[str, str] | None = None,
    ) -> str:
        """`posted` is what was typed into the entry or its correction, `retraction` into the form that takes it back,
        `retest` into the one that plans what is broken instead."""
        result = result_of(found.id)
        typed = bool(posted)
        user = principal()
        errors: dict[str, list[str]] = {}
        for problem in problems:
            errors.setdefault(problem.field, []).append(str(problem.message))
        presses = list(
            current_session().scalars(select(Press).where(Press.retired_at.is_(None)).order_by(Press.code))
        )
        remembered = presses[0].id if len(presses) == 1 else None
        warnings = entry_warnings(found.id) if result is not None else []
        if result is None and not typed:
            warnings = warnings_ahead(found, remembered)
        breaks = breaks_of([specimen.id for specimen in found.specimens])
        first = next(iter(breaks.values()), None)
        if result is not None and first is not None:
            # A correction says what was wrong about that test; it is not a test of now, by whoever corrects it.
            posted = posted or _typed(first)
            if first.press is not None and first.press not in presses:
                presses.append(first.press)
        return self._page(
            "lims/set_entry.html",
            found=found,
            result=result,
            breaks=breaks,
            posted=posted
            or {
                "tested_at": f"{local_time(utc_now()):%Y-%m-%dT%H:%M}",
                "tested_by": name_of(user) if user is not None else "",
                "press_id": str(remembered or ""),
            },
            presses=presses,
            errors=errors,
            typed=typed,
            retraction=retraction or {},
            retest=retest or {},
            questions=questions,
            bases=BASES,
            states=RESULT_STATES,
            set_states=SET_STATES,
            local=local_time,
            may_verify=may("verify", "breaks"),
            entered_it=result is not None and result.created_by == current_actor().key,
            may_release=may("release", "breaks"),
            meanings=MEANINGS,
            signatures=signatures_of_set(found.id),
            retracted=retracted_result(found.id) if result is None else None,
            held=[item for item in found.batch.sets if item.state == "held"],
            retests=[item for item in found.batch.sets if item.retest_of_id == found.id],
            warnings=warnings,
            judged=judged_while_typed(found.specimens, found.batch.mix_revision.mix_design.grade_mpa),
            tolerance=SET_TOLERANCE,
            range_tolerance=SAMPLE_RANGE_TOLERANCE,
            wrong=_no_loads(posted, found) if "loads_kn" in errors else {},
        )

    def _page(self, template: str, **context: Any) -> str:
        rendered: str = self.render_template(template, view=self, **context)
        return rendered


def _entered_meanwhile(conflict: Conflict) -> Problem:
    if what := besides_loads(conflict):
        message = _(
            "This set was entered meanwhile with the same loads; what differs: %(what)s. Your values are kept.",
            what=what,
        )
    else:
        message = _(
            "This set was entered meanwhile with %(theirs)s kN. Your values are kept below.",
            theirs=conflict.theirs.get("loads_kn", ""),
        )
    return Problem("", message)


def _seen() -> int | None:
    """The number of the result that stood on the page where somebody signs; None of a form that does not say it."""
    number = request.form.get("result_number", "")
    if not number:
        return None
    return int(number[:9]) if number.isdecimal() else 0  # no result has 0


def _corrected_meanwhile() -> Problem:
    message = _(
        "The entry was corrected after this page was opened; nothing was signed. What counts now stands below."
    )
    return Problem("", message)


#: What comes back of a retraction that was refused: never the password.
RETRACTION = ("reason", "held_set_id", "age_days")
#: What a correction starts from; the loads it is about are typed again.
KEPT_BY_CORRECTION = ("tested_at", "tested_by", "press_id", "loading_rate_mpa_s", "remark")


def _typed(item: Break) -> dict[str, str]:
    """What stands with every break of an entry, as the form writes it."""
    inputs = {one.name: one for one in SetBreaksIn.inputs()}
    return {name: form_text(inputs[name], getattr(item, name)) for name in KEPT_BY_CORRECTION}


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


class MouldView(RecordView):
    service = MouldService()
    title = _l("Moulds")
    title_one = _l("Set of moulds")
    menu = MenuPlace("setup", order=55, icon="box")
    list_columns = ("code", "shape", "width_mm", "count")
    show_sections = ((_l("Moulds"), ("code", "shape", "width_mm", "count")),)
    related = (Related("calibrations", "mould_id"),)
    empty_hint = _l("A set of moulds with its checks of size and squareness.")


class PressMappingView(RecordView):
    service = PressMappingService()
    title = _l("Press files: how they read")
    title_one = _l("How a press's files read")
    menu = MenuPlace("setup", order=45, icon="upload")
    list_columns = ("code", "press", "load_unit", "encoding", "code_column", "load_column")
    show_sections = (
        (_l("File"), ("code", "press", "encoding", "delimiter", "decimal_mark", "header_row")),
        (
            _l("Columns"),
            ("code_column", "load_column", "load_unit", "time_column", "time_format", "tester_column"),
        ),
    )
    form_sections = (
        (_l("File"), ("code", "press_id", "encoding", "delimiter", "decimal_mark", "header_row")),
        (
            _l("Columns"),
            ("code_column", "load_column", "load_unit", "time_column", "time_format", "tester_column"),
        ),
    )
    related = (Related("press-files", "press_mapping_id"),)
    empty_hint = _l(
        "Say once how the files of your press read; then drop them into the tray or a watched folder."
    )


class PressFileView(RecordView):
    service = PressFileService()
    title = _l("Files of presses")
    title_one = _l("File of a press")
    menu = None
    list_columns = ("name", "press_mapping", "row_count", "size_bytes", "created_at")
    labels = {
        "name": _l("File"),
        "press_mapping": _l("Read as"),
        "row_count": _l("Rows"),
        "size_bytes": _l("Size"),
        "sha256": _l("SHA-256"),
    }
    units = {"size_bytes": "B"}
    show_sections = ((_l("File"), ("name", "press_mapping", "row_count", "size_bytes", "sha256")),)
    related = (Related("press-rows", "press_file_id"),)


class PressRowView(RecordView):
    service = PressRowService()
    title = _l("Rows of press files")
    title_one = _l("Row of a press file")
    menu = None
    list_columns = ("code", "number", "load_kn", "tested_at", "state", "message", "specimen", "press_file")
    labels = {
        "code": _l("Code"),
        "number": _l("Row"),
        "load_kn": _l("Load"),
        "tested_at": _l("Tested at"),
        "state": _l("State"),
        "message": _l("Note"),
        "specimen": _l("Specimen"),
        "press_file": _l("File"),
        "content": _l("Row as it came"),
    }
    units = {"load_kn": "kN"}
    choices = {"state": ROW_STATES}
    show_sections = (
        (
            _l("Row"),
            (
                "press_file",
                "number",
                "code",
                "load_kn",
                "tested_at",
                "state",
                "message",
                "specimen",
                "content",
            ),
        ),
    )


class CalibrationView(RecordView):
    service = CalibrationService()
    title = _l("Calibrations")
    title_one = _l("Calibration")
    menu = MenuPlace("setup", order=60, icon="certificate")
    list_columns = (
        "certificate_number",
        "press",
        "scale",
        "mould",
        "calibrated_on",
        "due_on",
        "error_percent",
    )
    show_sections = (
        (
            _l("Calibration"),
            (
                "certificate_number",
                "press",
                "scale",
                "mould",
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
        "superseded": _l("Superseded"),
        "superseded_at": _l("Corrected"),
        "remark": _l("Remark"),
        "number": _l("No."),
    }
    units = {"load_kn": "kN", "strength_mpa": "MPa", "age_hours": "h"}
    list_places = {"strength_mpa": 1}
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
        "superseded": _l("Superseded"),
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
    list_places = {"strength_mpa": 1}
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

    show_template = "lims/result_show.html"

    def may_add(self) -> bool:
        return False  # a result comes from its breaks: /press/ or POST /api/v1/set-results/

    def show_context(self, record: Any) -> dict[str, Any]:
        entry = url_for("BreaksView.enter", set_id=record.specimen_set_id) if may("write", "breaks") else ""
        return {**super().show_context(record), "may_edit": False, "entry_url": entry}

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


VIEWS = (
    BreaksView,
    PressView,
    ScaleView,
    MouldView,
    PressMappingView,
    PressFileView,
    PressRowView,
    CalibrationView,
    BreakView,
    SetResultView,
)
