"""Customers and prospects, their sites, and the usage card of each."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import Date, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.auditing.policy import PERSONAL
from lims.base.columns import ExactDecimal
from lims.base.records import Key, Record
from lims.materials.models import CementProduct, Region


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

    region: Mapped[Region | None] = relationship()

    @property
    def title(self) -> str:
        return self.name


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

    customer: Mapped[Customer] = relationship()
    site: Mapped[Site | None] = relationship()
    cement_product: Mapped[CementProduct] = relationship()

    @property
    def title(self) -> str:
        return self.purpose
