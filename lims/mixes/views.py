"""Pages of mixes. The page of a mix carries its strength chart and forecast (lims/web/mix_page.py)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from lims.base.display import Cell, form_text, format_decimal
from lims.base.forms import Form
from lims.base.schemas import Schema
from lims.base.security import concealed
from lims.base.views import MenuPlace, RecordView, Related
from lims.mixes.schemas import COMPONENT_KINDS
from lims.mixes.service import MixComponentService, MixDesignService, MixRevisionService
from lims.settings import UNNAMED_LABORATORY
from lims.standards.grades import grades_of_class

RECIPE = tuple(f"{kind}_kg_m3" for kind in COMPONENT_KINDS)


class MixDesignView(RecordView):
    service = MixDesignService()
    title = _l("Mixes")
    title_one = _l("Mix")
    menu = MenuPlace("trials", order=25, icon="layers")
    list_columns = (
        "code",
        "laboratory",
        "kind",
        "strength_class",
        "binder_kg_m3",
        "water_binder_ratio",
        "changed_at",
    )
    labels = {
        "laboratory": _l("Laboratory"),
        "binder_kg_m3": _l("Binder"),
        "water_binder_ratio": _l("Water/binder"),
        "revision_code": _l("Revision"),
    }
    units = {"binder_kg_m3": "kg/m³"}
    show_sections = (
        (
            _l("Mix"),
            ("code", "name", "laboratory", "kind", "strength_class", "grade_mpa", "slump_mm", "notes"),
        ),
    )
    form_sections = (
        (_l("Mix"), ("code", "name", "kind", "strength_class", "grade_mpa", "slump_mm", "notes")),
        (_l("Recipe for one cubic metre"), (*RECIPE, "cement_product_id")),
    )
    related = (Related("mix-revisions", "mix_design_id"),)
    show_template = "lims/mix_show.html"
    empty_hint = _l("Add a mix with its recipe, or import history with `lims import history FILE`.")

    def cell(self, record: Any, name: str) -> Cell:
        shown = super().cell(record, name)
        if name == "laboratory" and shown.text == UNNAMED_LABORATORY:
            return shown._replace(text=_("Own"))
        return shown

    def as_typed(self, record: Any, schema: type[Schema], posted: Mapping[str, str]) -> dict[str, Any]:
        """A class that is typed anew takes its grade along, as in a sheet, where the form still holds that of the former
        class: C35 would be judged by the 30 MPa of C30. One that was said otherwise than its class stays."""
        typed = super().as_typed(record, schema, posted)
        former = record.strength_class or ""
        now = posted.get("strength_class", "").strip()
        item = next(item for item in schema.inputs() if item.name == "grade_mpa")
        left_alone = posted.get("grade_mpa", "").strip() == form_text(item, record.grade_mpa)
        of_former = record.grade_mpa in grades_of_class(former).values()
        if now != former and grades_of_class(now) and left_alone and of_former:
            typed["grade_mpa"] = ""  # the schema reads it from the class
        return typed

    def show_context(self, record: Any) -> dict[str, Any]:
        from lims.web.mix_page import mix_context

        return {**super().show_context(record), **mix_context(record)}


class PricedView(RecordView):
    """Asks for money only those who are shown it."""

    def form_for(self, schema: type[Schema], values: Any, **more: Any) -> Form:
        form = super().form_for(schema, values, **more)
        kept = concealed(self.service.record)
        form.sections = [
            (title, [f for f in fields if f.name not in kept]) for title, fields in form.sections
        ]
        return form


class MixRevisionView(PricedView):
    service: ClassVar[Any] = MixRevisionService()
    title = _l("Mix revisions")
    title_one = _l("Mix revision")
    menu = None
    list_columns = ("code", "mix_design", "number", "reason", "frozen_at", "created_at")
    labels = {
        "mix_design": _l("Mix"),
        "number": _l("No."),
        "frozen_at": _l("Fixed since"),
        "binder_kg_m3": _l("Binder"),
        "water_binder_ratio": _l("Water/binder"),
        "cost_per_m3": _l("Cost of materials"),
    }
    units = {"binder_kg_m3": "kg/m³", "cost_per_m3": "/m³"}
    show_sections = (
        (
            _l("Revision"),
            (
                "code",
                "mix_design",
                "number",
                "reason",
                "frozen_at",
                "binder_kg_m3",
                "water_binder_ratio",
                "cost_per_m3",
            ),
        ),
    )
    form_sections = (
        (_l("Revision"), ("mix_design_id", "reason")),
        (_l("Recipe for one cubic metre"), (*RECIPE, "cement_product_id")),
    )
    related = (Related("mix-components", "revision_id"), Related("batches", "mix_revision_id"))
    show_template = "lims/revision_show.html"

    def show_context(self, record: Any) -> dict[str, Any]:
        context = super().show_context(record)
        further = ""
        # Neither changed nor taken out of use any more.
        if record.frozen_at is not None and context["may_edit"]:
            context["may_edit"] = False
            recipe = {name: _plain(value) for name, value in self.form_values(record, None).items()}
            further = url_for("MixRevisionView.add", mix_design_id=record.mix_design_id, **recipe)
        return {**context, "further": further}

    def form_values(self, record: Any, schema: Any) -> dict[str, Any]:
        masses = {f"{one.kind}_kg_m3": record.mass_of(one.kind) for one in record.components}
        product = next((c.cement_product_id for c in record.components if c.cement_product_id), None)
        return {**masses, "cement_product_id": product}


def _plain(value: Any) -> Any:
    return format_decimal(value) if isinstance(value, Decimal) else value


class MixComponentView(PricedView):
    service = MixComponentService()
    title = _l("Mix components")
    title_one = _l("Mix component")
    menu = None
    list_columns = ("kind", "name", "mass_kg_m3", "price_per_t")
    show_sections = ((_l("Component"), ("revision", "kind", "name", "mass_kg_m3", "price_per_t")),)

    def after_add(self, record: Any) -> str:
        return url_for("MixRevisionView.show", record_id=record.revision_id)


VIEWS = (MixDesignView, MixRevisionView, MixComponentView)
