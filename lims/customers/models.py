"""Customers and prospects, their people, sites and stocks, usage cards, and what is known of a region's market."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Boolean, CheckConstraint, Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.auditing.policy import PERSONAL
from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import Key, Record
from lims.materials.models import CementProduct, Region

#: Mass of a bag of cement, kg (GB 175).
BAG_KG = Decimal(50)
#: A scale that is further off than this is to be set right before it weighs cement, %.
SCALE_LIMIT_PERCENT = Decimal(2)


class Customer(Record):
    __tablename__ = "customers"
    record_name = "customers"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False, index=True)
    kind: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    status: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    contact_name: Mapped[str | None] = mapped_column(String(80), info=PERSONAL)
    phone: Mapped[str | None] = mapped_column(String(40), info=PERSONAL)
    email: Mapped[str | None] = mapped_column(String(200), info=PERSONAL)
    address: Mapped[str | None] = mapped_column(String(300))
    notes: Mapped[str | None] = mapped_column(Text)
    #: The dealer who sells to this customer: a customer of the kind dealer.
    dealer_id: Mapped[int | None] = mapped_column(Key, ForeignKey("customers.id"), index=True)
    #: Who of our own people looks after this customer.
    owner_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    #: Why a lapsed customer left, and to whom.
    lapse_reason: Mapped[str | None] = mapped_column(String(20))
    lapse_note: Mapped[str | None] = mapped_column(String(300))

    region: Mapped[Region | None] = relationship()
    dealer: Mapped[Customer | None] = relationship(remote_side="Customer.id")

    @property
    def title(self) -> str:
        return self.name


class StageChange(Record):
    """A customer's step from one stage to the next, written by the service: customers won and lost are counted here."""

    __tablename__ = "stage_changes"
    record_name = "stage-changes"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    #: "" for the first stage.
    before: Mapped[str] = mapped_column(String(12), nullable=False)
    after: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    reason: Mapped[str | None] = mapped_column(String(20))

    customer: Mapped[Customer] = relationship()

    @property
    def title(self) -> str:
        return self.customer.name


class RegionStaff(Record):
    """A region that one of our people works in: who sees only own regions sees the customers of these."""

    __tablename__ = "region_staff"
    record_name = "region-staff"

    region_id: Mapped[int] = mapped_column(Key, ForeignKey("regions.id"), nullable=False, index=True)
    user_id: Mapped[int] = mapped_column(Integer, ForeignKey("ab_user.id"), nullable=False, index=True)

    region: Mapped[Region] = relationship()

    __table_args__ = (UniqueConstraint("region_id", "user_id"),)

    @property
    def title(self) -> str:
        return self.region.name


class Competitor(Record):
    """Another works' cement in a region: its share and its strength there, as someone saw it on a day."""

    __tablename__ = "competitors"
    record_name = "competitors"

    region_id: Mapped[int] = mapped_column(Key, ForeignKey("regions.id"), nullable=False, index=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    cement_product_id: Mapped[int | None] = mapped_column(Key, ForeignKey("cement_products.id"), index=True)
    seen_on: Mapped[date] = mapped_column(Date, nullable=False)
    share_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    strengths: Mapped[str | None] = mapped_column(Text)

    region: Mapped[Region] = relationship()
    cement_product: Mapped[CementProduct | None] = relationship()


class Contact(Record):
    """A person at a customer's. Erasing replaces what names them; the row, and what refers to it, stay."""

    __tablename__ = "contacts"
    record_name = "contacts"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    name: Mapped[str] = mapped_column(String(80), nullable=False, info=PERSONAL)
    role: Mapped[str] = mapped_column(String(20), nullable=False, index=True)
    phone: Mapped[str | None] = mapped_column(String(40), info=PERSONAL)
    email: Mapped[str | None] = mapped_column(String(200), info=PERSONAL)
    #: Is called when cement runs out at the site.
    emergency: Mapped[bool] = mapped_column(Boolean, nullable=False)
    notes: Mapped[str | None] = mapped_column(Text)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()


class Site(Record):
    """A mixing station, works or building site of a customer."""

    __tablename__ = "sites"
    record_name = "sites"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    region_id: Mapped[int | None] = mapped_column(Key, ForeignKey("regions.id"), index=True)
    address: Mapped[str | None] = mapped_column(String(300))

    customer: Mapped[Customer] = relationship()
    region: Mapped[Region | None] = relationship()

    @property
    def title(self) -> str:
        return self.name


class SiteStock(Record):
    """Cement counted at a site: how long it lasts decides when someone has to be called."""

    __tablename__ = "site_stocks"
    record_name = "site-stocks"

    site_id: Mapped[int] = mapped_column(Key, ForeignKey("sites.id"), nullable=False, index=True)
    cement_product_id: Mapped[int] = mapped_column(
        Key, ForeignKey("cement_products.id"), nullable=False, index=True
    )
    counted_on: Mapped[date] = mapped_column(Date, nullable=False)
    stock_t: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    daily_use_t: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))

    site: Mapped[Site] = relationship()
    cement_product: Mapped[CementProduct] = relationship()

    @property
    def title(self) -> str:
        return f"{self.counted_on:%Y-%m-%d}"

    @property
    def lasts_days(self) -> Decimal | None:
        """Days from the count until the silo is empty at the stated use."""
        if not self.daily_use_t:
            return None
        return (self.stock_t / self.daily_use_t).quantize(Decimal("0.1"))


class UsageCard(Record):
    """How a customer uses the cement (用户使用卡): the base of every visit and complaint."""

    __tablename__ = "usage_cards"
    record_name = "usage-cards"

    customer_id: Mapped[int] = mapped_column(Key, ForeignKey("customers.id"), nullable=False, index=True)
    site_id: Mapped[int | None] = mapped_column(Key, ForeignKey("sites.id"), index=True)
    cement_product_id: Mapped[int] = mapped_column(
        Key, ForeignKey("cement_products.id"), nullable=False, index=True
    )
    recorded_on: Mapped[date] = mapped_column(Date, nullable=False)
    purpose: Mapped[str] = mapped_column(String(200), nullable=False)
    strength_class: Mapped[str | None] = mapped_column(String(20))
    monthly_use_t: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    storage: Mapped[str | None] = mapped_column(String(200))
    mixing: Mapped[str | None] = mapped_column(String(200))
    curing: Mapped[str | None] = mapped_column(String(200))
    admixtures: Mapped[str | None] = mapped_column(String(200))
    requirements: Mapped[str | None] = mapped_column(Text)
    remarks: Mapped[str | None] = mapped_column(Text)
    dosage_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    #: The first use of our cement: watched until it is normal.
    first_use: Mapped[bool] = mapped_column(Boolean, nullable=False)
    normal_since: Mapped[date | None] = mapped_column(Date)

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    cement_product: Mapped[CementProduct] = relationship()

    @property
    def title(self) -> str:
        return self.purpose

    @property
    def bags_per_m3(self) -> Decimal | None:
        """Bags of 50 kg in a cubic metre."""
        return None if self.dosage_kg_m3 is None else (self.dosage_kg_m3 / BAG_KG).quantize(Decimal("0.1"))

    @property
    def followed_until_normal(self) -> bool:
        """Is this first use still to be followed?"""
        return bool(self.first_use) and self.normal_since is None


class UsageMix(Record):
    """A mix of the customer's own, as they weigh it."""

    __tablename__ = "usage_mixes"
    record_name = "usage-mixes"

    usage_card_id: Mapped[int] = mapped_column(Key, ForeignKey("usage_cards.id"), nullable=False, index=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    strength_class: Mapped[str | None] = mapped_column(String(20))
    cement_kg_m3: Mapped[Decimal] = mapped_column(ExactDecimal(places=1), nullable=False)
    scm_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    water_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    sand_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    stone_kg_m3: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))
    admixture: Mapped[str | None] = mapped_column(String(120))
    admixture_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))

    usage_card: Mapped[UsageCard] = relationship()

    @property
    def bags_per_m3(self) -> Decimal:
        return (self.cement_kg_m3 / BAG_KG).quantize(Decimal("0.1"))

    @property
    def water_binder_ratio(self) -> Decimal | None:
        binder = self.cement_kg_m3 + (self.scm_kg_m3 or 0)
        if self.water_kg_m3 is None or not binder:
            return None
        return (self.water_kg_m3 / binder).quantize(Decimal("0.01"))


class ScaleCheck(Record):
    """A customer's scale: what it showed beside what was really there."""

    __tablename__ = "scale_checks"
    record_name = "scale-checks"

    usage_card_id: Mapped[int] = mapped_column(Key, ForeignKey("usage_cards.id"), nullable=False, index=True)
    checked_on: Mapped[date] = mapped_column(Date, nullable=False)
    scale: Mapped[str] = mapped_column(String(120), nullable=False)
    shown_kg: Mapped[Decimal] = mapped_column(ExactDecimal(places=2), nullable=False)
    true_kg: Mapped[Decimal] = mapped_column(ExactDecimal(places=2), nullable=False)
    checked_by: Mapped[str | None] = mapped_column(String(80))
    remarks: Mapped[str | None] = mapped_column(Text)

    usage_card: Mapped[UsageCard] = relationship()

    __table_args__ = (CheckConstraint("shown_kg > 0", name="shown_above_zero"),)

    @property
    def title(self) -> str:
        return f"{self.checked_on:%Y-%m-%d} {self.scale}"

    @property
    def delivered_percent(self) -> Decimal:
        """How much of what it showed the scale delivered: 100 is right, 50 is the classic case."""
        return (100 * self.true_kg / self.shown_kg).quantize(Decimal("0.1"))

    @property
    def error_percent(self) -> Decimal:
        """Shown less true, of the true; of the shown where nothing was delivered."""
        return (100 * (self.shown_kg - self.true_kg) / self._base_kg).quantize(Decimal("0.1"))

    @property
    def wrong(self) -> bool:
        """Beyond the limit: the cement of every batch is not what the book says. By the masses: 50 kg shown for 49 are
        2.04 %, which reads as 2.0 %."""
        return 100 * abs(self.shown_kg - self.true_kg) > SCALE_LIMIT_PERCENT * self._base_kg

    @property
    def _base_kg(self) -> Decimal:
        return self.true_kg or self.shown_kg


class UsageTask(Record):
    """A step of a new customer's first use. All are done before the use is called normal."""

    __tablename__ = "usage_tasks"
    record_name = "usage-tasks"

    usage_card_id: Mapped[int] = mapped_column(Key, ForeignKey("usage_cards.id"), nullable=False, index=True)
    #: scale, first_batch, strengths
    kind: Mapped[str] = mapped_column(String(20), nullable=False)
    done_on: Mapped[date | None] = mapped_column(Date)
    done_by: Mapped[str | None] = mapped_column(String(80))
    remarks: Mapped[str | None] = mapped_column(String(300))

    usage_card: Mapped[UsageCard] = relationship()

    __table_args__ = (UniqueConstraint("usage_card_id", "kind"),)

    @property
    def title(self) -> str:
        from lims.customers.schemas import USAGE_TASKS

        return str(USAGE_TASKS.get(self.kind, self.kind))


class UsageNote(Record):
    """A follow-up of the first use, or a problem with its answer."""

    __tablename__ = "usage_notes"
    record_name = "usage-notes"

    usage_card_id: Mapped[int] = mapped_column(Key, ForeignKey("usage_cards.id"), nullable=False, index=True)
    noted_on: Mapped[date] = mapped_column(Date, nullable=False)
    #: follow_up or problem
    kind: Mapped[str] = mapped_column(String(12), nullable=False, index=True)
    seen: Mapped[str] = mapped_column(Text, nullable=False)
    answer: Mapped[str | None] = mapped_column(Text)
    #: Did the use look normal? Of a follow-up.
    normal: Mapped[bool | None] = mapped_column(Boolean)

    usage_card: Mapped[UsageCard] = relationship()

    @property
    def title(self) -> str:
        return f"{self.noted_on:%Y-%m-%d} {self.seen[:60]}"
