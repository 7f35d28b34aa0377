"""Maintenance of the laboratory's machines: what is to be done how often, and what was done."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.records import Key, Record, exactly_one
from lims.results.models import Mould, Press, Scale
from lims.trials.models import CuringTank

DEVICES = ("press_id", "scale_id", "mould_id", "curing_tank_id")


class MaintenancePlan(Record):
    """Work on one machine that comes back every so many months."""

    __tablename__ = "maintenance_plans"
    record_name = "maintenance-plans"

    name: Mapped[str] = mapped_column(String(120), nullable=False)
    press_id: Mapped[int | None] = mapped_column(Key, ForeignKey("presses.id"), index=True)
    scale_id: Mapped[int | None] = mapped_column(Key, ForeignKey("scales.id"), index=True)
    mould_id: Mapped[int | None] = mapped_column(Key, ForeignKey("moulds.id"), index=True)
    curing_tank_id: Mapped[int | None] = mapped_column(Key, ForeignKey("curing_tanks.id"), index=True)
    every_months: Mapped[int] = mapped_column(Integer, nullable=False)
    starts_on: Mapped[date] = mapped_column(Date, nullable=False)
    #: Follows the last record; the service keeps it.
    next_due_on: Mapped[date] = mapped_column(Date, nullable=False, index=True)
    user_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("ab_user.id"), index=True)
    steps: Mapped[str | None] = mapped_column(Text)

    press: Mapped[Press | None] = relationship()
    scale: Mapped[Scale | None] = relationship()
    mould: Mapped[Mould | None] = relationship()
    curing_tank: Mapped[CuringTank | None] = relationship()

    __table_args__ = (CheckConstraint(exactly_one(*DEVICES), name="one_device"),)

    @property
    def device(self) -> str:
        """What is maintained."""
        found = self.press or self.scale or self.mould or self.curing_tank
        return found.title if found is not None else ""


class MaintenanceRecord(Record):
    """Maintenance that was done."""

    __tablename__ = "maintenance_records"
    record_name = "maintenance-records"

    maintenance_plan_id: Mapped[int] = mapped_column(
        Key, ForeignKey("maintenance_plans.id"), nullable=False, index=True
    )
    done_on: Mapped[date] = mapped_column(Date, nullable=False)
    done_by: Mapped[str] = mapped_column(String(80), nullable=False)
    findings: Mapped[str | None] = mapped_column(Text)
    parts: Mapped[str | None] = mapped_column(String(300))

    maintenance_plan: Mapped[MaintenancePlan] = relationship()

    @property
    def title(self) -> str:
        return f"{self.done_on:%Y-%m-%d} {self.maintenance_plan.name}"
