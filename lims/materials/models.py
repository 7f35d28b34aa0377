"""What concrete is made of: cements and their lots, aggregates and their samples, mineral and chemical admixtures.

Region stands here and not with customers: aggregates and customers both have one, and customers may look at
materials, not the other way round.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal
from lims.base.display import local_today
from lims.base.records import Key, Record
from lims.standards.cement import retest_due_on


class Region(Record):
    """Where aggregates come from and customers build."""

    __tablename__ = "regions"
    record_name = "regions"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    notes: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return self.name


class CementProduct(Record):
    """A cement one can buy: the works' own, or a competitor's for comparison."""

    __tablename__ = "cement_products"
    record_name = "cement-products"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    #: own or competitor
    origin: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    maker: Mapped[str | None] = mapped_column(String(120))
    cement_type: Mapped[str] = mapped_column(String(12), nullable=False)
    strength_class: Mapped[str] = mapped_column(String(10), nullable=False)
    notes: Mapped[str | None] = mapped_column(Text)

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"


class CementLot(Record):
    """A delivered lot with its mill certificate."""

    __tablename__ = "cement_lots"
    record_name = "cement-lots"

    code: Mapped[str] = mapped_column(String(60), nullable=False)
    cement_product_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_products.id"), nullable=False)
    produced_on: Mapped[date | None] = mapped_column(Date)
    delivered_on: Mapped[date | None] = mapped_column(Date)
    retested_on: Mapped[date | None] = mapped_column(Date)
    mass_t: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    specific_surface_m2_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    residue_45um_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    initial_set_min: Mapped[int | None] = mapped_column(Integer)
    final_set_min: Mapped[int | None] = mapped_column(Integer)
    strength_3d_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    strength_28d_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    so3_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    mgo_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    chloride_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    alkali_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    loss_on_ignition_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    c3a_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    #: Of the clinker: it decides on setting and early strength, and the works changes it for sprayed concrete.
    al2o3_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    scm_type: Mapped[str | None] = mapped_column(String(60))
    scm_share_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))

    cement_product: Mapped[CementProduct] = relationship()

    __table_args__ = (UniqueConstraint("cement_product_id", "code"),)

    def fresh_by(self, day: date) -> date | None:
        """When it was tested again or, where that was not by this day, made; delivered where that is not known, since it was
        not made later. A retest that came after a use excuses nothing."""
        made_on = self.produced_on or self.delivered_on
        if self.retested_on is None or self.retested_on > day:
            return made_on
        return self.retested_on if made_on is None else max(made_on, self.retested_on)

    def too_old_on(self, day: date) -> bool:
        """Is it to be tested again before it is used on this day? (GB 50204; the source document: 3 个月后 复检)"""
        since = self.fresh_by(day)
        return since is not None and day > retest_due_on(since)

    @property
    def needs_retest(self) -> bool:
        """More than three months since production or the last retest."""
        return self.too_old_on(local_today())


class CementTest(Record):
    """Mortar prisms, setting and fineness of a lot, tested at our own bench."""

    __tablename__ = "cement_tests"
    record_name = "cement-tests"

    cement_lot_id: Mapped[int] = mapped_column(Key, ForeignKey("cement_lots.id"), nullable=False, index=True)
    tested_on: Mapped[date] = mapped_column(Date, nullable=False)
    #: Age of the prisms, days.
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    #: JSON text of the six compressive values, MPa, as typed.
    values_mpa: Mapped[str | None] = mapped_column(String(200))
    #: By GB/T 17671; None when a second value lies beyond 10 %, or none were broken.
    strength_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    #: mean, five or invalid; None without values.
    basis: Mapped[str | None] = mapped_column(String(10))
    initial_set_min: Mapped[int | None] = mapped_column(Integer)
    final_set_min: Mapped[int | None] = mapped_column(Integer)
    water_demand_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    residue_45um_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    tested_by: Mapped[str | None] = mapped_column(String(80))

    cement_lot: Mapped[CementLot] = relationship()

    @property
    def title(self) -> str:
        return f"{self.cement_lot.code} {self.age_days} d"

    @property
    def values(self) -> tuple[Decimal, ...]:
        return tuple(Decimal(text) for text in json.loads(self.values_mpa)) if self.values_mpa else ()


class AggregateSource(Record):
    """A pit or quarry."""

    __tablename__ = "aggregate_sources"
    record_name = "aggregate-sources"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    #: fine or coarse
    kind: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    rock: Mapped[str | None] = mapped_column(String(80))

    region: Mapped[Region | None] = relationship()

    @property
    def title(self) -> str:
        return f"{self.code} {self.name}"


class AggregateSample(Record):
    """A regional sample: grading, cleanness, moisture."""

    __tablename__ = "aggregate_samples"
    record_name = "aggregate-samples"

    code: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    aggregate_source_id: Mapped[int] = mapped_column(
        Key, ForeignKey("aggregate_sources.id"), nullable=False, index=True
    )
    sampled_on: Mapped[date] = mapped_column(Date, nullable=False)
    season: Mapped[str | None] = mapped_column(String(10))
    #: JSON text of seven masses in g, as typed: 4.75, 2.36, 1.18, 0.60, 0.30, 0.15 mm and pan.
    retained_g: Mapped[str | None] = mapped_column(String(200))
    fineness_modulus: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    sand_class: Mapped[str | None] = mapped_column(String(20))
    zone: Mapped[str | None] = mapped_column(String(5))
    mud_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    clay_lumps_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    flaky_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    moisture_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    largest_size_mm: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))

    aggregate_source: Mapped[AggregateSource] = relationship()

    @property
    def retained_masses_g(self) -> tuple[Decimal, ...]:
        return tuple(Decimal(text) for text in json.loads(self.retained_g)) if self.retained_g else ()


class ScmLot(Record):
    """A lot of slag powder, fly ash, silica fume or another mineral admixture."""

    __tablename__ = "scm_lots"
    record_name = "scm-lots"

    code: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    supplier: Mapped[str | None] = mapped_column(String(120))
    delivered_on: Mapped[date | None] = mapped_column(Date)
    specific_surface_m2_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=0))
    activity_index_28d_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    water_demand_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    loss_on_ignition_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))


class AdmixtureLot(Record):
    """A lot of water reducer, retarder, accelerator or air entrainer."""

    __tablename__ = "admixture_lots"
    record_name = "admixture-lots"

    code: Mapped[str] = mapped_column(String(60), nullable=False, unique=True)
    kind: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    supplier: Mapped[str | None] = mapped_column(String(120))
    delivered_on: Mapped[date | None] = mapped_column(Date)
    solids_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    water_reduction_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    recommended_dosage_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
