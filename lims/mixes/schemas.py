"""What comes in about mixes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator

from lims.base.fields import Choice, Code, Quantity, Reference, Text, Ui
from lims.base.laboratory import laboratory
from lims.base.schemas import Schema
from lims.standards.grades import grades_of_class

MIX_KINDS = {"concrete": _l("Concrete"), "mortar": _l("Mortar"), "shotcrete": _l("Shotcrete")}

#: kind -> label; the names are those of the forecast's columns without `_kg_m3`.
COMPONENT_KINDS = {
    "cement": _l("Cement"),
    "slag": _l("Slag powder"),
    "fly_ash": _l("Fly ash"),
    "silica_fume": _l("Silica fume"),
    "other_scm": _l("Other mineral admixture"),
    "filler": _l("Filler (stone powder)"),
    "water": _l("Water"),
    "superplasticizer": _l("Water reducer"),
    "other_admixture": _l("Other admixture"),
    "coarse_aggregate": _l("Coarse aggregate"),
    "fine_aggregate": _l("Fine aggregate"),
}

Mass = Annotated[Decimal | None, Quantity(places=3, maximum=3000, unit="kg/m³")]


class MixDesignIn(Schema):
    """Name and purpose of a mix."""

    code: Annotated[str, Code(), Ui(_l("Mix code"))]
    name: Annotated[str | None, Text(200), Ui(_l("Name"))] = None
    kind: Annotated[str, Choice(MIX_KINDS), Ui(_l("Kind"))] = "concrete"
    strength_class: Annotated[str | None, Code(20), Ui(_l("Strength class"), help=_l("For example C30"))] = (
        None
    )
    grade_mpa: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=200, unit="MPa"), Ui(_l("Grade strength"))
    ] = None
    slump_mm: Annotated[
        Decimal | None, Quantity(places=0, maximum=300, unit="mm"), Ui(_l("Target slump"))
    ] = None
    notes: Annotated[str | None, Text(4000, lines=True), Ui(_l("Notes"))] = None

    @model_validator(mode="before")
    @classmethod
    def _grade_of_class(cls, data: Any) -> Any:
        """C30 means 30 MPa unless the grade is given; of C30/37 it is the number of the specimens that the laboratory
        breaks."""
        if isinstance(data, Mapping) and not data.get("grade_mpa"):
            grades = grades_of_class(str(data.get("strength_class") or "").strip())
            if len(set(grades.values())) > 1:
                return {**data, "grade_mpa": f"{grades[laboratory().codes.shape]:f}"}
            if grades:
                return {**data, "grade_mpa": f"{grades['cube']:f}"}
        return data


class RecipeIn(Schema):
    """The masses of one cubic metre, one field for each kind; prices per tonne where known."""

    cement_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["cement"])] = None
    slag_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["slag"])] = None
    fly_ash_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fly_ash"])] = None
    silica_fume_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["silica_fume"])] = None
    other_scm_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["other_scm"])] = None
    filler_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["filler"])] = None
    water_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["water"])] = None
    superplasticizer_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["superplasticizer"])] = None
    other_admixture_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["other_admixture"])] = None
    coarse_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["coarse_aggregate"])] = None
    fine_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fine_aggregate"])] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement product"))] = None

    def masses(self) -> dict[str, Decimal]:
        """kind -> kg/m^3, of those given."""
        found = {kind: getattr(self, f"{kind}_kg_m3") for kind in COMPONENT_KINDS}
        return {kind: mass for kind, mass in found.items() if mass is not None}


class MixIn(MixDesignIn, RecipeIn):
    """A new mix with its first recipe (which may be unknown for imported history)."""

    @model_validator(mode="after")
    def _binder_and_water_together(self) -> MixIn:
        if self.masses() and (
            self.water_kg_m3 is None
            or not any(
                getattr(self, f"{k}_kg_m3") for k in ("cement", "slag", "fly_ash", "silica_fume", "other_scm")
            )
        ):
            raise ValueError(
                _("a recipe needs water and at least one binder; accepted: both in kg/m³, or no recipe")
            )
        return self


class RevisionIn(RecipeIn):
    """A further recipe of a mix."""

    mix_design_id: Annotated[int, Reference("mix-designs"), Ui(_l("Mix"))]
    reason: Annotated[str, Text(400), Ui(_l("Reason for the change"))]


class ComponentIn(Schema):
    """One component of a revision that has not been cast."""

    revision_id: Annotated[int, Reference("mix-revisions"), Ui(_l("Revision"))]
    kind: Annotated[str, Choice(COMPONENT_KINDS), Ui(_l("Kind"))]
    name: Annotated[str | None, Text(120), Ui(_l("Material"))] = None
    mass_kg_m3: Annotated[Decimal, Quantity(places=3, maximum=3000, unit="kg/m³"), Ui(_l("Mass"))]
    price_per_t: Annotated[
        Decimal | None, Quantity(places=2, maximum=1_000_000, unit="/t"), Ui(_l("Price"))
    ] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement product"))] = None
