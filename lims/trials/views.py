"""Pages of trials and batches. Entering a set's breaks is lims/results/views.py."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import permission_name
from flask_babel import lazy_gettext as _l

from lims.base.columns import utc_now
from lims.base.display import local_time
from lims.base.fields import Quantity, WholeNumber
from lims.base.laboratory import laboratory
from lims.base.problems import Refused
from lims.base.security import may, principal
from lims.base.views import MenuPlace, RecordView, Related
from lims.trials.labels import labels_of
from lims.trials.plan import cubic_metres_per_set, specimens_per_set
from lims.trials.schemas import SET_STATES, SHAPES, BatchIn, PlanAges
from lims.trials.service import BatchService, SpecimenService, SpecimenSetService, TrialService, propose_plan


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
    related = (Related("batches", "trial_id"), Related("share-links", "trial_id"))
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
        (_l("Batch"), ("code", "trial", "mix_revision", "cast_at", "volume_m3", "element", "technician")),
        (_l("Materials"), ("cement_lot", "aggregate_sample")),
        (
            _l("Fresh concrete and curing"),
            (
                "slump_mm",
                "air_percent",
                "concrete_temperature_c",
                "ambient_temperature_c",
                "curing",
                "curing_temperature_c",
                "standard_curing",
            ),
        ),
    )
    form_sections = (
        (
            _l("Batch"),
            ("trial_id", "mix_revision_id", "cast_at", "volume_m3", "code", "element", "technician"),
        ),
        (
            _l("Specimens"),
            ("plan_ages", "cubic_metres_per_set", "specimens_per_set", "shape", "width_mm"),
        ),
        (_l("Materials"), ("cement_lot_id", "aggregate_sample_id")),
        (
            _l("Fresh concrete and curing"),
            (
                "slump_mm",
                "air_percent",
                "concrete_temperature_c",
                "ambient_temperature_c",
                "curing",
                "curing_temperature_c",
            ),
        ),
    )
    show_template = "lims/batch_show.html"
    form_template = "lims/batch_form.html"
    empty_hint = _l("Register the first batch: trial, mix, casting time and volume are enough.")

    def defaults(self) -> dict[str, Any]:
        user = principal()
        now: datetime = local_time(utc_now())
        return {
            "cast_at": f"{now:%Y-%m-%dT%H:%M}",
            "plan_ages": ",".join(str(age) for age in laboratory().plan_ages),
            "cubic_metres_per_set": f"{cubic_metres_per_set():f}",
            "specimens_per_set": str(specimens_per_set()),
            "shape": laboratory().codes.shape,
            "width_mm": str(laboratory().codes.width_mm),
            "technician": user.get_full_name() if user is not None else "",
        }

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.batch_page import batch_context

        return {**super().show_context(record), **batch_context(record)}

    @expose("/<int:record_id>/labels")
    @permission_name("read")
    def print_labels(self, record_id: int) -> ResponseReturnValue:
        """All labels of a batch, to be printed and stuck on the moulds."""
        self.allow("read")
        batch = self.service.get(record_id)
        return self.page("lims/labels.html", batch=batch, labels=labels_of(batch))

    @expose("/plan")
    @permission_name("read")
    def plan(self) -> ResponseReturnValue:
        """What a batch of this volume would cast, before it is saved: {"ages": [{"age_days", "sets", "specimens"}]}."""
        self.allow("read")
        args = request.args
        inputs = {item.name: item.kind for item in BatchIn.inputs()}
        try:
            volume = _parsed(inputs["volume_m3"], args.get("volume_m3", ""), "volume_m3")
            ages = _parsed(PlanAges(), args.get("plan_ages", ""), "plan_ages")
            per = _parsed(
                Quantity(places=1, above=0, maximum=1000),
                args.get("cubic_metres_per_set") or "50",
                "cubic_metres_per_set",
            )
            specimens = _parsed(WholeNumber(3, 30), args.get("specimens_per_set") or "3", "specimens_per_set")
            planned = propose_plan(Decimal(volume), ages, Decimal(per), specimens)
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


def _parsed(kind: Any, value: str, name: str) -> Any:
    from pydantic_core import PydanticCustomError

    from lims.base.problems import refuse

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
        "due_from": _l("From"),
        "due_at": _l("Due"),
        "due_until": _l("Until"),
    }
    units = {"age_days": "d"}
    choices = {"state": SET_STATES}
    show_sections = ((_l("Set"), ("code", "batch", "age_days", "state", "due_from", "due_at", "due_until")),)
    related = (Related("specimens", "specimen_set_id"),)
    show_template = "lims/set_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        entry = url_for("BreaksView.enter", set_id=record.id) if may("write", "breaks") else ""
        from lims.web.set_page import set_context

        return {**super().show_context(record), "entry_url": entry, **set_context(record)}


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


VIEWS = (TrialView, BatchView, SpecimenSetView, SpecimenView)
