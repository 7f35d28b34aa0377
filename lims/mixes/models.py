"""Mix designs, their revisions and what goes into a cubic metre."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import Key, Record

#: Kinds that bind; everything else is filler, water, aggregate or admixture.
BINDERS = ("cement", "slag", "fly_ash", "silica_fume", "other_scm")
#: What makes a recipe another concrete: revisions that differ in the admixture or the aggregate alone go together.
RECIPE = (*BINDERS, "water")


class MixDesign(Record):
    """A mix under one code; what is cast is always one of its revisions."""

    __tablename__ = "mix_designs"
    record_name = "mix-designs"

    code: Mapped[str] = mapped_column(String(40), nullable=False)
    name: Mapped[str | None] = mapped_column(String(200))
    #: concrete, mortar or shotcrete
    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    #: Whose mix: the own laboratory, or the source of imported history.
    laboratory: Mapped[str] = mapped_column(String(80), nullable=False)
    strength_class: Mapped[str | None] = mapped_column(String(20))
    grade_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    slump_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    notes: Mapped[str | None] = mapped_column(Text)

    revisions: Mapped[list[MixRevision]] = relationship(
        back_populates="mix_design", order_by="MixRevision.number", lazy="selectin"
    )

    __table_args__ = (
        UniqueConstraint("laboratory", "code"),
        Index(None, "laboratory", "kind"),
    )

    @property
    def latest(self) -> MixRevision | None:
        """The recipe as it stands: the newest revision in use."""
        return next((found for found in reversed(self.revisions) if found.retired_at is None), None)

    @property
    def latest_revision_id(self) -> int | None:
        return self.latest.id if self.latest else None

    @property
    def binder_kg_m3(self) -> Decimal | None:
        """Of the latest revision."""
        return (self.latest.binder_kg_m3 or None) if self.latest else None

    @property
    def water_binder_ratio(self) -> Decimal | None:
        """Of the latest revision."""
        return self.latest.water_binder_ratio if self.latest else None


class MixRevision(Record):
    """One recipe of a mix. Frozen when it is first cast: service, flush guard and triggers refuse a change."""

    __tablename__ = "mix_revisions"
    record_name = "mix-revisions"
    money = ("cost_per_m3",)

    mix_design_id: Mapped[int] = mapped_column(Key, ForeignKey("mix_designs.id"), nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    code: Mapped[str] = mapped_column(String(60), nullable=False)
    reason: Mapped[str | None] = mapped_column(String(400))
    #: When it was first cast.
    frozen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    mix_design: Mapped[MixDesign] = relationship(back_populates="revisions")
    components: Mapped[list[MixComponent]] = relationship(
        back_populates="revision", order_by="MixComponent.id", lazy="selectin"
    )

    __table_args__ = (UniqueConstraint("mix_design_id", "number"), Index(None, "code"))

    def mass_of(self, *kinds: str) -> Decimal:
        """kg/m^3 of these kinds together."""
        return sum((c.mass_kg_m3 for c in self.components if c.kind in kinds), Decimal(0))

    @property
    def binder_kg_m3(self) -> Decimal:
        return self.mass_of(*BINDERS)

    @property
    def water_kg_m3(self) -> Decimal:
        return self.mass_of("water")

    @property
    def water_binder_ratio(self) -> Decimal | None:
        """Water to binder by mass, to 0.001; None without binder or water."""
        binder = self.binder_kg_m3
        if not binder or not self.water_kg_m3:
            return None
        return (self.water_kg_m3 / binder).quantize(Decimal("0.001"))

    @property
    def cost_per_m3(self) -> Decimal | None:
        """Sum of mass x price, to 0.01 of the currency; None while a price is missing."""
        if not self.components or any(c.price_per_t is None for c in self.components if c.kind != "water"):
            return None
        total = sum((c.mass_kg_m3 * (c.price_per_t or 0) / 1000 for c in self.components), Decimal(0))
        return total.quantize(Decimal("0.01"))

    def composition(self) -> dict[str, float]:
        """kg/m^3 by kind as the forecast reads it. A kind that the recipe leaves out is 0: it was left out."""
        if not self.components:
            return {}
        from lims.mixes.schemas import COMPONENT_KINDS

        return {
            f"{kind}_kg_m3": float(self.mass_of(kind))
            for kind in COMPONENT_KINDS
            if kind != "other_admixture"
        }


class MixComponent(Record):
    """So much of a material in a cubic metre."""

    __tablename__ = "mix_components"
    record_name = "mix-components"

    revision_id: Mapped[int] = mapped_column(Key, ForeignKey("mix_revisions.id"), nullable=False, index=True)
    kind: Mapped[str] = mapped_column(String(30), nullable=False)
    name: Mapped[str | None] = mapped_column(String(120))
    mass_kg_m3: Mapped[Decimal] = mapped_column(ExactDecimal(places=3), nullable=False)
    #: `money`: shown, in the history of changes too, to roles that read prices.
    price_per_t: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2), info={"money": True})
    cement_product_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_products.id"), index=True)

    revision: Mapped[MixRevision] = relationship(back_populates="components")

    __table_args__ = (CheckConstraint("mass_kg_m3 >= 0", name="mass_not_negative"),)

    @property
    def title(self) -> str:
        return self.name or self.kind
