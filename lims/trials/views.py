"""Pages of trials and batches. Entering a set's breaks is lims/results/views.py."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.columns import utc_now
from lims.base.display import format_decimal, local_time, show_time
from lims.base.files import disposition
from lims.base.laboratory import laboratory
from lims.base.names import name_of
from lims.base.problems import Refused, refuse
from lims.base.security import current_actor, may, principal, require
from lims.base.views import MenuPlace, RecordView, Related
from lims.trials.curing import add_readings, readings_chart
from lims.trials.labels import label_sheet, labels_of, zpl
from lims.trials.models import Batch
from lims.trials.plan import cubic_metres_per_set, specimens_per_set
from lims.trials.schemas import (
    LOT_FIELDS,
    SET_PURPOSES,
    SET_STATES,
    SHAPES,
    SHOTCRETE_OUTCOMES,
    BatchIn,
)
from lims.trials.service import (
    BatchService,
    CuringReadingService,
    CuringTankService,
    ShotcreteTrialService,
    SpecimenService,
    SpecimenSetService,
    TrialService,
    least_per_set,
    propose_plan,
    require_enough,
)
from lims.trials.warnings import ANSWERS


class TrialView(RecordView):
    service = TrialService()
    title = _l("Trials")
    title_one = _l("Trial")
    menu = MenuPlace("trials", order=10, icon="flask")
    list_columns = ("code", "name", "state", "customer", "region", "cement_product", "started_on")
    show_sections = (
        (_l("Trial"), ("code", "name", "state", "purpose", "started_on", "notes")),
        (_l("For"), ("customer", "region", "cement_product")),
    )
    related = (
        Related("batches", "trial_id"),
        Related("programme-entries", "trial_id"),
        Related("comparisons", "trial_id"),
        Related("share-links", "trial_id"),
    )
    empty_hint = _l("Add a trial, then register its batches.")


class BatchView(RecordView):
    service = BatchService()
    title = _l("Batches")
    title_one = _l("Batch")
    menu = MenuPlace("trials", order=20, icon="box")
    list_columns = ("code", "trial", "mix_revision", "cast_at", "volume_m3", "curing", "element")
    labels = {
        "mix_revision": _l("Mix"),
        "trial": _l("Trial"),
        "cement_lot": _l("Cement lot"),
        "aggregate_sample": _l("Aggregate sample"),
        "cast_at": _l("Cast at"),
        "standard_curing": _l("Standard curing"),
    }
    show_sections = (
        (
            _l("Batch"),
            ("code", "trial", "mix_revision", "cast_at", "volume_m3", "element", "site", "technician"),
        ),
        (_l("Materials"), ("cement_lot", "aggregate_sample")),
        (
            _l("Fresh concrete and curing"),
            (
                "slump_mm",
                "air_percent",
                "density_kg_m3",
                "water_used_kg_m3",
                "concrete_temperature_c",
                "ambient_temperature_c",
                "curing",
                "curing_temperature_c",
                "standard_curing",
            ),
        ),
    )
    show_template = "lims/batch_show.html"
    form_template = "lims/batch_form.html"
    form_sections = (
        (_l("Batch"), ("trial_id", "mix_revision_id", "code", "cast_at", "volume_m3", "element", "site_id", "technician")),
        (
            _l("Lots used"),
            (
                "cement_lot_id", "aggregate_sample_id", "coarse_aggregate_sample_id", "fly_ash_lot_id", "slag_lot_id",
                "silica_fume_lot_id", "other_scm_lot_id", "superplasticizer_lot_id", "other_admixture_lot_id",
            ),
        ),
        (
            _l("Fresh concrete and curing"),
            (
                "slump_mm", "air_percent", "density_kg_m3", "water_used_kg_m3", "concrete_temperature_c",
                "ambient_temperature_c", "curing", "curing_temperature_c", "curing_tank_id", "scale_id", "mould_id",
            ),
        ),
        (
            _l("Sampling plan"),
            (
                "plan_ages", "sampling_plan", "cubic_metres_per_set", "specimens_per_set", "shape", "width_mm",
                "hold_sets", "site_sets",
            ),
        ),
        (_l("Noticed about the materials"), tuple(ANSWERS.values())),
    )  # fmt: skip
    empty_hint = _l("Register the first batch: trial, mix, casting time and volume are enough.")

    def defaults(self) -> dict[str, Any]:
        user = principal()
        now: datetime = local_time(utc_now())
        return {
            "plan_ages": ",".join(str(age) for age in laboratory().plan_ages),
            "cubic_metres_per_set": f"{cubic_metres_per_set():f}",
            "specimens_per_set": str(specimens_per_set()),
            "shape": laboratory().codes.shape,
            "width_mm": str(laboratory().codes.width_mm),
            **self._repeated(),
            "cast_at": f"{now:%Y-%m-%dT%H:%M}",
            "technician": name_of(user) if user is not None else "",
        }

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.batch_page import batch_context

        return {**super().show_context(record), **batch_context(record)}

    def _repeated(self) -> dict[str, Any]:
        """Values of the batch that `?repeat=` names, or of the last one when it says `last`: cast it again, with the ages,
        the held and reserved sets, the tank and the equipment of that one.

        Not what was measured on it, such as its slump: nobody has measured that on the new one.
        """
        wanted = request.args.get("repeat", "")
        if wanted == "last":
            latest = self.service.page(size=1).items
            last = latest[0] if latest else None
        else:
            last = self.service.get(int(wanted[:18])) if wanted.isdecimal() else None
        if last is None:
            return {}
        names = (
            "trial_id", "mix_revision_id", "volume_m3", "cement_lot_id", "aggregate_sample_id", "curing",
            "element", "site_id", "scale_id", "mould_id",
        )  # fmt: skip
        values = {name: getattr(last, name) for name in names} | _plan_of(last)
        fields = {(kind, attribute): field for field, (kind, attribute) in LOT_FIELDS.items()}
        for item in last.lots:
            for attribute in ("scm_lot_id", "admixture_lot_id", "aggregate_sample_id"):
                if getattr(item, attribute) is not None and (item.kind, attribute) in fields:
                    values[fields[item.kind, attribute]] = getattr(item, attribute)
        return values

    @expose("/<int:record_id>/labels.pdf")
    @permission_name("read")
    def labels_pdf(self, record_id: int) -> ResponseReturnValue:
        """The same labels as a PDF sheet, cut marks at 50 x 25 mm."""
        self.allow("read")
        batch = self.service.get(record_id)
        return paper(label_sheet(labels_of(batch)), "application/pdf", f"{batch.code}-labels.pdf")

    @expose("/<int:record_id>/labels.zpl")
    @permission_name("read")
    def labels_zpl(self, record_id: int) -> ResponseReturnValue:
        """The same labels for a thermal printer of 203 dpi."""
        self.allow("read")
        batch = self.service.get(record_id)
        content = zpl(labels_of(batch)).encode()
        return paper(content, "text/plain; charset=utf-8", f"{batch.code}-labels.zpl")

    @expose("/<int:record_id>/labels")
    @permission_name("read")
    def print_labels(self, record_id: int) -> ResponseReturnValue:
        """All labels of a batch, to be printed and stuck on the moulds."""
        self.allow("read")
        batch = self.service.get(record_id)
        return self.page("lims/labels.html", batch=batch, labels=labels_of(batch))

    @expose("/<int:record_id>/readings", methods=["POST"])
    @permission_name("write")
    def readings(self, record_id: int) -> ResponseReturnValue:
        """A logger's file of the place where the batch itself lies, as same-condition specimens do."""
        self.allow("write")
        self.service.get(record_id)
        _add_uploaded(record_id, "batch_id")
        return redirect(url_for("BatchView.show", record_id=record_id))

    @expose("/plan")
    @permission_name("read")
    def plan(self) -> ResponseReturnValue:
        """What a batch of this volume would cast, before it is saved: {"ages": [{"age_days", "sets", "specimens"}]}. What is
        left blank is what it would be of the batch."""
        self.allow("read")
        inputs = {item.name: item.kind for item in BatchIn.inputs()}

        def given(name: str, otherwise: Any = None) -> Any:
            text = request.args.get(name, "")
            blank = otherwise is not None and not text.strip()
            return otherwise if blank else _parsed(inputs[name], text, name)

        try:
            volume = given("volume_m3")
            ages = given("plan_ages", laboratory().plan_ages)
            per = given("cubic_metres_per_set", cubic_metres_per_set())
            specimens = given("specimens_per_set", specimens_per_set())
            sampling = given("sampling_plan", BatchIn.model_fields["sampling_plan"].default)
            codes = laboratory().codes
            require_enough(specimens, given("shape", codes.shape), given("width_mm", Decimal(codes.width_mm)))
            planned = propose_plan(volume, ages, per, specimens, sampling)
        except Refused as error:
            return jsonify({"problems": [problem.as_dict() for problem in error.problems]}), 422
        rows = [
            {
                "age_days": age,
                "sets": sum(1 for item in planned if item.age_days == age),
                "specimens": sum(item.specimens for item in planned if item.age_days == age),
            }
            for age in ages
        ]
        return jsonify(
            {"ages": rows, "sets": len(planned), "specimens": sum(item.specimens for item in planned)}
        )


def _add_uploaded(place_id: int, place: str) -> None:
    """The readings of the file that was sent, of a tank or (`place` batch_id) a batch. Raises: Forbidden, Refused."""
    require("write", "curing-readings")
    given = request.files.get("file")
    if given is None or not given.filename:
        raise refuse("file", _("is required: a CSV file with time, temperature and humidity"))
    added, known = add_readings(place_id, given.read(), current_actor(), place=place)
    flash(_("%(added)s readings added, %(known)s were there already.", added=added, known=known), "success")


def _plan_of(batch: Batch) -> dict[str, Any]:
    """Inputs that would cast the sets of this batch once more; without those that another batch cannot have."""
    planned = [found for found in batch.sets if found.purpose == "plan"]
    values: dict[str, Any] = {
        "hold_sets": str(sum(found.purpose == "hold" for found in batch.sets)),
        "site_sets": str(sum(found.purpose == "site" for found in batch.sets)),
        "curing_tank_id": next((found.curing_tank_id for found in batch.sets if found.curing_tank_id), None),
    }
    if planned:
        values["plan_ages"] = ",".join(map(str, sorted({found.age_days for found in planned})))
        specimens = planned[0].specimens
        width_mm = specimens[0].width_mm if specimens else None
        if width_mm is not None:
            values["shape"] = shape = specimens[0].shape
            values["width_mm"] = format_decimal(width_mm)
            # Imported history has as many as there were strengths.
            if len(specimens) >= least_per_set(shape, width_mm):
                values["specimens_per_set"] = str(len(specimens))
    return values


def paper(content: bytes, kind: str, name: str) -> Response:
    """A file to be saved or printed."""
    response = Response(content, mimetype=kind)
    response.headers["Content-Disposition"] = disposition("inline", name)
    return response


def _parsed(kind: Any, value: str, name: str) -> Any:
    from pydantic_core import PydanticCustomError

    try:
        return kind.parse(value)
    except PydanticCustomError as error:
        raise refuse(name, str((error.context or {})["message"]), value) from None


class SpecimenSetView(RecordView):
    service = SpecimenSetService()
    title = _l("Specimen sets")
    title_one = _l("Specimen set")
    menu = MenuPlace("trials", order=30, icon="grid")
    list_columns = ("code", "batch", "age_days", "state", "due_from", "due_at", "due_until")
    labels = {
        "batch": _l("Batch"),
        "age_days": _l("Age"),
        "state": _l("State"),
        "due_from": _l("Due from"),
        "due_at": _l("Due"),
        "due_until": _l("Due until"),
        "purpose": _l("Cast for"),
        "curing_tank": _l("Curing tank"),
        "retest_of": _l("Retest of"),
        "discarded_at": _l("Discarded"),
        "discard_reason": _l("Why discarded"),
    }
    units = {"age_days": "d"}
    choices = {"state": SET_STATES, "purpose": SET_PURPOSES}
    more_columns = ("purpose", "changed_at")
    show_sections = (
        (
            _l("Set"),
            (
                "code",
                "batch",
                "age_days",
                "state",
                "purpose",
                "curing_tank",
                "due_from",
                "due_at",
                "due_until",
            ),
        ),
        (_l("Afterwards"), ("retest_of", "discarded_at", "discard_reason")),
    )
    related = (Related("specimens", "specimen_set_id"),)
    show_template = "lims/set_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        enters = record.has_breaks and may("write", "breaks")
        entry = url_for("BreaksView.enter", set_id=record.id) if enters else ""
        from lims.web.set_page import set_context

        return {**super().show_context(record), "entry_url": entry, **set_context(record)}

    @expose("/<int:record_id>/use", methods=["POST"])
    @permission_name("write")
    def use(self, record_id: int) -> ResponseReturnValue:
        """A held set is to be broken at an age."""
        self.allow("write")
        found = self.service.use_held(
            record_id, {"age_days": request.form.get("age_days", "")}, current_actor()
        )
        flash(
            _(
                "%(set)s is due on %(day)s.",
                set=found.code,
                day=show_time(found.due_at) if found.due_at else "–",
            ),
            "success",
        )
        return redirect(url_for("SpecimenSetView.show", record_id=record_id))

    @expose("/<int:record_id>/discard", methods=["POST"])
    @permission_name("write")
    def discard(self, record_id: int) -> ResponseReturnValue:
        """Held specimens are thrown away."""
        self.allow("write")
        found = self.service.discard(record_id, {"reason": request.form.get("reason", "")}, current_actor())
        flash(_("Discarded: %(title)s", title=found.code), "success")
        return redirect(url_for("SpecimenSetView.show", record_id=record_id))


class SpecimenView(RecordView):
    service = SpecimenService()
    title = _l("Specimens")
    title_one = _l("Specimen")
    menu = None
    list_columns = ("code", "specimen_set", "number", "shape", "width_mm", "length_mm")
    labels = {
        "specimen_set": _l("Set"),
        "number": _l("No."),
        "shape": _l("Shape"),
        "width_mm": _l("Edge or diameter"),
        "length_mm": _l("Length"),
    }
    units = {"width_mm": "mm", "length_mm": "mm"}
    choices = {"shape": SHAPES}
    show_sections = ((_l("Specimen"), ("code", "specimen_set", "number", "shape", "width_mm", "length_mm")),)
    related = (Related("breaks", "specimen_id"),)


class ShotcreteTrialView(RecordView):
    service = ShotcreteTrialService()
    title = _l("Shotcrete trials")
    title_one = _l("Shotcrete trial")
    menu = MenuPlace("trials", order=22, icon="droplet")
    list_columns = (
        "sprayed_on",
        "trial",
        "surface",
        "rebound_percent",
        "initial_set_min",
        "final_set_min",
        "outcome",
    )
    labels = {
        "rebound_percent": _l("Rebound"),
        "rebound_limit_percent": _l("Limit of the rebound"),
        "initial_set_limit_min": _l("Limit of the initial set"),
        "final_set_limit_min": _l("Limit of the final set"),
        "least_curing_days": _l("Curing asked for"),
        "outcome": _l("Outcome"),
    }
    units = {
        "rebound_percent": "%",
        "rebound_limit_percent": "%",
        "initial_set_limit_min": "min",
        "final_set_limit_min": "min",
        "least_curing_days": "d",
    }
    choices = {"outcome": SHOTCRETE_OUTCOMES}
    show_sections = (
        (_l("Spraying"), ("trial", "batch", "sprayed_on", "surface", "panels", "outcome")),
        (_l("Rebound"), ("sprayed_kg", "rebound_kg", "rebound_percent", "rebound_limit_percent")),
        (
            _l("Setting with accelerator"),
            (
                "accelerator_lot",
                "accelerator_percent",
                "initial_set_min",
                "initial_set_limit_min",
                "final_set_min",
                "final_set_limit_min",
            ),
        ),
        (_l("Afterwards"), ("curing_days", "least_curing_days", "remarks")),
    )
    form_sections = (
        (_l("Spraying"), ("trial_id", "batch_id", "sprayed_on", "surface", "panels")),
        (_l("Rebound"), ("sprayed_kg", "rebound_kg")),
        (
            _l("Setting with accelerator"),
            ("accelerator_lot_id", "accelerator_percent", "initial_set_min", "final_set_min"),
        ),
        (_l("Afterwards"), ("curing_days", "remarks")),
    )
    empty_hint = _l(
        "Masses sprayed and collected, setting times, panels: the limits are the laboratory's own."
    )


class CuringTankView(RecordView):
    service = CuringTankService()
    title = _l("Curing tanks")
    title_one = _l("Curing tank")
    menu = MenuPlace("setup", order=65, icon="droplet")
    list_columns = ("code", "name", "temperature_c", "relative_humidity_percent")
    show_sections = ((_l("Tank"), ("code", "name", "temperature_c", "relative_humidity_percent")),)
    related = (Related("curing-readings", "curing_tank_id"), Related("specimen-sets", "curing_tank_id"))
    show_template = "lims/tank_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        return {**super().show_context(record), "chart": readings_chart(record)}

    @expose("/<int:record_id>/readings", methods=["POST"])
    @permission_name("write")
    def readings(self, record_id: int) -> ResponseReturnValue:
        """A logger's file: time, temperature, humidity. All rows or none; known ones are left as they are."""
        self.allow("write")
        self.service.get(record_id)
        _add_uploaded(record_id, "curing_tank_id")
        return redirect(url_for("CuringTankView.show", record_id=record_id))


class CuringReadingView(RecordView):
    service = CuringReadingService()
    title = _l("Curing readings")
    title_one = _l("Curing reading")
    menu = None
    list_columns = ("read_at", "curing_tank", "batch", "temperature_c", "relative_humidity_percent")
    show_sections = (
        (_l("Reading"), ("read_at", "curing_tank", "batch", "temperature_c", "relative_humidity_percent")),
    )


VIEWS = (
    TrialView,
    BatchView,
    ShotcreteTrialView,
    SpecimenSetView,
    SpecimenView,
    CuringTankView,
    CuringReadingView,
)
