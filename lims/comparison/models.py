"""Prices, comparisons with what they rest on, changes at the works, customers' materials and their weekly programme."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal
from lims.base.records import Key, Record, exactly_one
from lims.customers.models import Customer
from lims.materials.models import (
    AdmixtureLot,
    AggregateSample,
    AggregateSource,
    CementLot,
    CementProduct,
    Region,
    ScmLot,
)
from lims.mixes.models import MixRevision
from lims.trials.models import Trial


class Price(Record):
    """What a tonne costs from a day on, everywhere or in one region. A new price is a new row: old ones stay."""

    __tablename__ = "prices"
    record_name = "prices"

    #: A kind of component (lims.mixes.schemas.COMPONENT_KINDS).
    kind: Mapped[str] = mapped_column(String(30), nullable=False)
    #: Of a cement: which one.
    cement_product_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_products.id"), index=True)
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    valid_from: Mapped[date] = mapped_column(Date, nullable=False)
    price_per_t: Mapped[Decimal] = mapped_column(ExactDecimal(places=2), nullable=False)
    remark: Mapped[str | None] = mapped_column(String(200))

    cement_product: Mapped[CementProduct | None] = relationship()
    region: Mapped[Region | None] = relationship()

    __table_args__ = (
        CheckConstraint(
            "(kind = 'cement' AND cement_product_id IS NOT NULL)"
            " OR (kind <> 'cement' AND cement_product_id IS NULL)",
            name="cement_named",
        ),
        CheckConstraint("price_per_t > 0", name="price_above_zero"),
        Index(None, "kind", "valid_from"),
    )

    @property
    def title(self) -> str:
        return self.cement_product.title if self.cement_product is not None else self.kind


class Comparison(Record):
    """Two cements at equal strength, as it was computed: the question, what it rested on and what came out.

    Never changed afterwards (name and remarks aside), so that a comparison from before a change at the works still
    stands beside the one after it.
    """

    __tablename__ = "comparisons"
    record_name = "comparisons"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    own_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_products.id"), nullable=False, index=True)
    other_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_products.id"), nullable=False, index=True)
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    target_mpa: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    water_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    slump_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    trial_id: Mapped[int | None] = mapped_column(Key, ForeignKey("trials.id"), index=True)
    aggregate_source_id: Mapped[int | None] = mapped_column(
        Key, ForeignKey("aggregate_sources.id"), index=True
    )
    admixture_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("admixture_lots.id"), index=True)
    scm: Mapped[str | None] = mapped_column(String(20))
    cast_from: Mapped[date | None] = mapped_column(Date)
    cast_until: Mapped[date | None] = mapped_column(Date)
    priced_on: Mapped[date] = mapped_column(Date, nullable=False)
    #: The comparison that this one follows: before a change at the works, say.
    earlier_id: Mapped[int | None] = mapped_column(Key, ForeignKey("comparisons.id"), index=True)
    remarks: Mapped[str | None] = mapped_column(Text)
    #: JSON: batches and prices as they went in.
    inputs: Mapped[str] = mapped_column(Text, nullable=False, info={"money": True, "all_regions": True})
    #: JSON of lims.comparison.outcome.Outcome.
    outcome: Mapped[str] = mapped_column(Text, nullable=False, info={"money": True})
    told_apart: Mapped[bool] = mapped_column(Boolean, nullable=False)
    binder_difference_kg_m3: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    #: Own minus other; None while a price is missing. Only for roles that read prices.
    cost_difference_per_m3: Mapped[Decimal | None] = mapped_column(
        ExactDecimal(places=2), info={"money": True}
    )

    own: Mapped[CementProduct] = relationship(foreign_keys=[own_id])
    other: Mapped[CementProduct] = relationship(foreign_keys=[other_id])
    customer: Mapped[Customer | None] = relationship()
    region: Mapped[Region | None] = relationship()
    trial: Mapped[Trial | None] = relationship()
    aggregate_source: Mapped[AggregateSource | None] = relationship()
    admixture_lot: Mapped[AdmixtureLot | None] = relationship()
    earlier: Mapped[Comparison | None] = relationship(remote_side="Comparison.id")

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def rested_on(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.inputs)
        return found


class ProcessChange(Record):
    """A change at the works: what was changed from what to what, and from which day or lot it holds."""

    __tablename__ = "process_changes"
    record_name = "process-changes"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    cement_product_id: Mapped[int] = mapped_column(
        Key, ForeignKey("cement_products.id"), nullable=False, index=True
    )
    holds_from: Mapped[date] = mapped_column(Date, nullable=False)
    #: The first lot of the new kind; lots produced from its day on count as after the change.
    first_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_lots.id"), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    al2o3_from_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    al2o3_to_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    specific_surface_from_m2_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    specific_surface_to_m2_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    residue_45um_from_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    residue_45um_to_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    scm_from: Mapped[str | None] = mapped_column(String(60))
    scm_to: Mapped[str | None] = mapped_column(String(60))
    scm_share_from_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    scm_share_to_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    initial_set_from_min: Mapped[int | None] = mapped_column(Integer)
    initial_set_to_min: Mapped[int | None] = mapped_column(Integer)
    other_changes: Mapped[str | None] = mapped_column(Text)

    cement_product: Mapped[CementProduct] = relationship()
    first_lot: Mapped[CementLot | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"


class CustomerMaterial(Record):
    """A sand, stone, mineral or chemical admixture of a customer's own, as the sample or lot that lies here."""

    __tablename__ = "customer_materials"
    record_name = "customer-materials"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    #: A kind of component: fine_aggregate, fly_ash, superplasticizer …
    kind: Mapped[str] = mapped_column(String(30), nullable=False, index=True)
    aggregate_sample_id: Mapped[int | None] = mapped_column(
        Key, ForeignKey("aggregate_samples.id"), index=True
    )
    scm_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("scm_lots.id"), index=True)
    admixture_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("admixture_lots.id"), index=True)
    received_on: Mapped[date] = mapped_column(Date, nullable=False)
    remark: Mapped[str | None] = mapped_column(String(200))

    customer: Mapped[Customer] = relationship()
    aggregate_sample: Mapped[AggregateSample | None] = relationship()
    scm_lot: Mapped[ScmLot | None] = relationship()
    admixture_lot: Mapped[AdmixtureLot | None] = relationship()

    __table_args__ = (
        CheckConstraint(exactly_one("aggregate_sample_id", "scm_lot_id", "admixture_lot_id"), name="one_lot"),
    )

    @property
    def lot(self) -> AggregateSample | ScmLot | AdmixtureLot:
        """The sample or lot that lies in the laboratory."""
        found = self.aggregate_sample or self.scm_lot or self.admixture_lot
        assert found is not None  # the constraint leaves no other
        return found

    @property
    def title(self) -> str:
        return self.lot.title


class ProgrammeEntry(Record):
    """One mix of a trial's programme for one week. What became of it is read from the batches."""

    __tablename__ = "programme_entries"
    record_name = "programme-entries"

    trial_id: Mapped[int] = mapped_column(Key, ForeignKey("trials.id"), nullable=False, index=True)
    #: The Monday.
    week_of: Mapped[date] = mapped_column(Date, nullable=False, index=True)
    mix_revision_id: Mapped[int] = mapped_column(
        Key, ForeignKey("mix_revisions.id"), nullable=False, index=True
    )
    batches: Mapped[int] = mapped_column(Integer, nullable=False)
    #: As typed: "3,7,28".
    plan_ages: Mapped[str] = mapped_column(String(80), nullable=False)
    responsible: Mapped[str | None] = mapped_column(String(80))
    remark: Mapped[str | None] = mapped_column(String(200))

    trial: Mapped[Trial] = relationship()
    mix_revision: Mapped[MixRevision] = relationship()

    __table_args__ = (CheckConstraint("batches > 0", name="batches_above_zero"),)

    @property
    def title(self) -> str:
        return f"{self.mix_revision.code} {self.week_of:%Y-%m-%d}"

    @property
    def until(self) -> date:
        """The Sunday."""
        return self.week_of + timedelta(days=6)
