"""Trials, batches, the sampling plan and its specimens."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    and_,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.display import local_time
from lims.base.laboratory import laboratory
from lims.base.records import Key, Record, exactly_one
from lims.customers.models import Customer, Site
from lims.materials.models import (
    AdmixtureLot,
    AggregateSample,
    CementLot,
    CementProduct,
    Region,
    ScmLot,
)
from lims.mixes.models import MixRevision
from lims.standards.specimens import STANDARD_CURING_C


def standard_curing_window() -> tuple[Decimal, Decimal]:
    """Lowest and highest temperature of standard curing, degC, by the codes that the laboratory breaks by."""
    return STANDARD_CURING_C[laboratory().codes.rate_code]


def cured_as_standard(
    curing: str, temperature_c: Decimal | None, window: tuple[Decimal, Decimal] | None = None
) -> bool:
    """Does a strength stand for the mix under standard curing? A colder or warmer batch does not show it; a temperature that
    is not known is taken at its word. `window`: the laboratory's own where none is given."""
    if curing != "standard":
        return False
    low, high = window or standard_curing_window()
    return temperature_c is None or low <= temperature_c <= high


def where_cured_as_standard(window: tuple[Decimal, Decimal] | None = None) -> ColumnElement[bool]:
    """`cured_as_standard` of batches, as a condition of a statement."""
    within = Batch.curing_temperature_c.between(*(window or standard_curing_window()))
    return and_(Batch.curing == "standard", or_(Batch.curing_temperature_c.is_(None), within))


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
    density_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    #: All the water that went in, what the aggregates brought included; the plan stands in the recipe.
    water_used_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    concrete_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    ambient_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    curing: Mapped[str] = mapped_column(String(20), nullable=False)
    curing_temperature_c: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    element: Mapped[str | None] = mapped_column(String(200))
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    technician: Mapped[str | None] = mapped_column(String(80))
    #: What weighed the materials, and the moulds; their calibrations are asked about (lims/results/equipment.py).
    scale_id: Mapped[int | None] = mapped_column(Key, ForeignKey("scales.id"), index=True)
    mould_id: Mapped[int | None] = mapped_column(Key, ForeignKey("moulds.id"), index=True)

    trial: Mapped[Trial] = relationship()
    site: Mapped[Site | None] = relationship()
    mix_revision: Mapped[MixRevision] = relationship()
    cement_lot: Mapped[CementLot | None] = relationship()
    aggregate_sample: Mapped[AggregateSample | None] = relationship()
    sets: Mapped[list[SpecimenSet]] = relationship(back_populates="batch", order_by="SpecimenSet.id")
    #: Those that stand; one that was put right is retired and stays in the record of changes.
    lots: Mapped[list[BatchLot]] = relationship(
        back_populates="batch",
        order_by="BatchLot.id",
        primaryjoin="and_(Batch.id == BatchLot.batch_id, BatchLot.retired_at.is_(None))",
    )
    warnings: Mapped[list[BatchWarning]] = relationship(back_populates="batch", order_by="BatchWarning.id")

    __table_args__ = (CheckConstraint("volume_m3 > 0", name="volume_above_zero"),)

    @property
    def curing_tank_id(self) -> int | None:
        """Where the sets lie that were cast with it; None also where they lie in several."""
        tanks = {found.curing_tank_id for found in self.sets if found.purpose != "retest"}
        return tanks.pop() if len(tanks) == 1 else None

    @property
    def standard_curing(self) -> bool:
        """Does the strength of this batch stand for the mix under standard curing?"""
        return cured_as_standard(self.curing, self.curing_temperature_c)


class BatchLot(Record):
    """A lot of a material that went into a batch, beside its cement."""

    __tablename__ = "batch_lots"
    record_name = "batch-lots"

    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    #: A kind of component, e.g. fly_ash; what the lot was used for.
    kind: Mapped[str] = mapped_column(String(30), nullable=False)
    scm_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("scm_lots.id"), index=True)
    admixture_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("admixture_lots.id"), index=True)
    aggregate_sample_id: Mapped[int | None] = mapped_column(
        Key, ForeignKey("aggregate_samples.id"), index=True
    )

    batch: Mapped[Batch] = relationship(back_populates="lots")
    scm_lot: Mapped[ScmLot | None] = relationship()
    admixture_lot: Mapped[AdmixtureLot | None] = relationship()
    aggregate_sample: Mapped[AggregateSample | None] = relationship()

    __table_args__ = (
        CheckConstraint(exactly_one("scm_lot_id", "admixture_lot_id", "aggregate_sample_id"), name="one_lot"),
    )

    @property
    def lot(self) -> ScmLot | AdmixtureLot | AggregateSample:
        """What was used."""
        found = self.scm_lot or self.admixture_lot or self.aggregate_sample
        assert found is not None  # the constraint leaves no other
        return found

    @property
    def title(self) -> str:
        return self.lot.title


class BatchWarning(Record):
    """What was noticed when a batch was registered, and what the person answered."""

    __tablename__ = "batch_warnings"
    record_name = "batch-warnings"

    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    #: One of WARNING_KINDS (lims/trials/warnings.py).
    kind: Mapped[str] = mapped_column(String(40), nullable=False)
    about: Mapped[str] = mapped_column(String(200), nullable=False)
    answer: Mapped[str] = mapped_column(String(400), nullable=False)
    #: What was noticed about a sample falls when the batch no longer names it.
    aggregate_sample_id: Mapped[int | None] = mapped_column(
        Key, ForeignKey("aggregate_samples.id"), index=True
    )

    batch: Mapped[Batch] = relationship(back_populates="warnings")

    @property
    def title(self) -> str:
        return self.about


class CuringTank(Record):
    """A tank or room in which specimens wait."""

    __tablename__ = "curing_tanks"
    record_name = "curing-tanks"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    #: What it is held at, degC.
    temperature_c: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    relative_humidity_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"


class CuringReading(Record):
    """Temperature and humidity at one time, of a tank or of one batch's own place."""

    __tablename__ = "curing_readings"
    record_name = "curing-readings"

    curing_tank_id: Mapped[int | None] = mapped_column(Key, ForeignKey("curing_tanks.id"))
    batch_id: Mapped[int | None] = mapped_column(Key, ForeignKey("batches.id"))
    read_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    temperature_c: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    relative_humidity_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))

    curing_tank: Mapped[CuringTank | None] = relationship()
    batch: Mapped[Batch | None] = relationship()

    __table_args__ = (
        CheckConstraint("(curing_tank_id IS NULL) <> (batch_id IS NULL)", name="one_place"),
        UniqueConstraint("curing_tank_id", "read_at"),
        UniqueConstraint("batch_id", "read_at"),
    )

    @property
    def title(self) -> str:
        return f"{local_time(self.read_at):%Y-%m-%d %H:%M}"


class SpecimenSet(Record):
    """Specimens of one batch to be broken together at one age. A held set (age 0) waits for an age to be given."""

    __tablename__ = "specimen_sets"
    record_name = "specimen-sets"

    batch_id: Mapped[int] = mapped_column(Key, ForeignKey("batches.id"), nullable=False, index=True)
    code: Mapped[str] = mapped_column(String(80), nullable=False, unique=True)
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    #: waiting, held, broken or discarded
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    #: plan, hold, site (reserved for a customer's site) or retest
    purpose: Mapped[str] = mapped_column(String(10), nullable=False, server_default="plan")
    curing_tank_id: Mapped[int | None] = mapped_column(Key, ForeignKey("curing_tanks.id"), index=True)
    #: The set whose result was retracted, when this one is broken in its place.
    retest_of_id: Mapped[int | None] = mapped_column(Key, ForeignKey("specimen_sets.id"), index=True)
    discarded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    discard_reason: Mapped[str | None] = mapped_column(String(200))
    due_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    batch: Mapped[Batch] = relationship(back_populates="sets")
    curing_tank: Mapped[CuringTank | None] = relationship()
    retest_of: Mapped[SpecimenSet | None] = relationship(remote_side="SpecimenSet.id")
    specimens: Mapped[list[Specimen]] = relationship(
        back_populates="specimen_set", order_by="Specimen.number", lazy="selectin"
    )

    __table_args__ = (
        UniqueConstraint("batch_id", "age_days", "number"),
        # What is due around now is counted and found without reading what is not.
        Index(None, "state", "due_at", "due_from", "due_until"),
        Index(None, "due_at", "id"),  # the order of the list
    )


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


class ShotcreteTrial(Record):
    """One spraying: rebound, setting with accelerator, panels. Judged by the limits in force on the day of spraying, which
    are kept with it: None where nothing was measured, and of setting and curing that were judged before 0025."""

    __tablename__ = "shotcrete_trials"
    record_name = "shotcrete-trials"

    trial_id: Mapped[int] = mapped_column(Key, ForeignKey("trials.id"), nullable=False, index=True)
    batch_id: Mapped[int | None] = mapped_column(Key, ForeignKey("batches.id"), index=True)
    sprayed_on: Mapped[date] = mapped_column(Date, nullable=False)
    surface: Mapped[str] = mapped_column(String(10), nullable=False)
    accelerator_lot_id: Mapped[int | None] = mapped_column(Key, ForeignKey("admixture_lots.id"), index=True)
    accelerator_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    sprayed_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    rebound_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    rebound_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    rebound_limit_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    initial_set_min: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    final_set_min: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    initial_set_limit_min: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    final_set_limit_min: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    panels: Mapped[int | None] = mapped_column(Integer)
    curing_days: Mapped[int | None] = mapped_column(Integer)
    least_curing_days: Mapped[int | None] = mapped_column(Integer)
    #: passed or failed; None while nothing that is judged was measured.
    outcome: Mapped[str | None] = mapped_column(String(10), index=True)
    remarks: Mapped[str | None] = mapped_column(Text)

    trial: Mapped[Trial] = relationship()
    batch: Mapped[Batch | None] = relationship()
    accelerator_lot: Mapped[AdmixtureLot | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.trial.code} {self.sprayed_on:%Y-%m-%d}"
