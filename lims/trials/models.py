"""Trials, batches, the sampling plan and its specimens."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import Key, Record
from lims.customers.models import Customer
from lims.materials.models import AggregateSample, CementLot, CementProduct, Region
from lims.mixes.models import MixRevision

#: Standard curing is 20 +- 2 degC (GB/T 50081-2019); colder batches do not show the mix's standard strength.
STANDARD_CURING_FROM_C = Decimal(18)


class Trial(Record):
    """Why something is cast: for a customer, a region, a cement."""

    __tablename__ = "trials"
    record_name = "trials"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    purpose: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    customer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    cement_product_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_products.id"), index=True)
    started_on: Mapped[date | None] = mapped_column(Date)
    notes: Mapped[str | None] = mapped_column(Text)

    customer: Mapped[Customer | None] = relationship()
    region: Mapped[Region | None] = relationship()
    cement_product: Mapped[CementProduct | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"


class Batch(Record):
    """One casting of one mix revision."""

    __tablename__ = "batches"
    record_name = "batches"

    code: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    trial_id: Mapped[int] = mapped_column(Key, ForeignKey("trials.id"), nullable=False, index=True)
    mix_revision_id: Mapped[int] = mapped_column(
        Key, ForeignKey("mix_revisions.id"), nullable=False, index=True
    )
    #: None only for imported history that does not tell.
    cast_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    volume_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    cement_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_lots.id"), index=True)
    aggregate_sample_id: Mapped[int | None] = mapped_column(
        Key, ForeignKey("aggregate_samples.id"), index=True
    )
    slump_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    air_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    concrete_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    ambient_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    curing: Mapped[str] = mapped_column(String(20), nullable=False)
    curing_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    element: Mapped[str | None] = mapped_column(String(200))
    technician: Mapped[str | None] = mapped_column(String(80))

    trial: Mapped[Trial] = relationship()
    mix_revision: Mapped[MixRevision] = relationship()
    cement_lot: Mapped[CementLot | None] = relationship()
    aggregate_sample: Mapped[AggregateSample | None] = relationship()
    sets: Mapped[list[SpecimenSet]] = relationship(back_populates="batch", order_by="SpecimenSet.id")

    __table_args__ = (CheckConstraint("volume_m3 > 0", name="volume_above_zero"),)

    @property
    def standard_curing(self) -> bool:
        """Does the strength of this batch stand for the mix under standard curing?"""
        warm = self.curing_temperature_c is None or self.curing_temperature_c >= STANDARD_CURING_FROM_C
        return self.curing == "standard" and warm


class SpecimenSet(Record):
    """Specimens of one batch to be broken together at one age."""

    __tablename__ = "specimen_sets"
    record_name = "specimen-sets"

    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    code: Mapped[str] = mapped_column(String(80), nullable=False, unique=True)
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    #: waiting or broken
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    due_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    batch: Mapped[Batch] = relationship(back_populates="sets")
    specimens: Mapped[list[Specimen]] = relationship(
        back_populates="specimen_set", order_by="Specimen.number", lazy="selectin"
    )

    __table_args__ = (UniqueConstraint("batch_id", "age_days", "number"), Index(None, "state", "due_at"))


class Specimen(Record):
    """One cube, cylinder or prism."""

    __tablename__ = "specimens"
    record_name = "specimens"

    specimen_set_id: Mapped[int] = mapped_column(
        Key, ForeignKey("specimen_sets.id"), nullable=False, index=True
    )
    code: Mapped[str] = mapped_column(String(90), nullable=False, unique=True)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    shape: Mapped[str] = mapped_column(String(20), nullable=False)
    #: Edge of a cube, diameter of a cylinder; None for history that does not tell.
    width_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    length_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))

    specimen_set: Mapped[SpecimenSet] = relationship(back_populates="specimens")

    __table_args__ = (UniqueConstraint("specimen_set_id", "number"),)
