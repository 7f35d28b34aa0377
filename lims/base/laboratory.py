"""The laboratory itself: its name, its clock, its codes. One row, which the set-up guide fills; settings stand in
until then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from flask import current_app
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from lims.base.columns import UtcDateTime
from lims.base.database import current_session
from lims.base.records import Record

#: How long another worker may go on with the old facts, seconds.
KEPT_SECONDS = 5.0


class Laboratory(Record):
    """What stands on papers and decides how times and specimens are read."""

    __tablename__ = "laboratory"
    record_name = "laboratory"

    name: Mapped[str] = mapped_column(String(200), nullable=False)
    works: Mapped[str | None] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(300))
    phone: Mapped[str | None] = mapped_column(String(60))
    accreditation_number: Mapped[str | None] = mapped_column(String(80))
    timezone: Mapped[str] = mapped_column(String(60), nullable=False)
    language: Mapped[str] = mapped_column(String(8), nullable=False)
    #: gb, astm or en: which specimens and age windows a new batch begins with.
    code_family: Mapped[str] = mapped_column(String(8), nullable=False)
    #: Ages of the usual plan, days, as typed: "3,7,28".
    plan_ages: Mapped[str] = mapped_column(String(80), nullable=False)
    set_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class CodeFamily:
    """What a laboratory under these codes begins a batch with."""

    age_code: str
    rate_code: str
    shape: str
    width_mm: int
    #: Does a code of this family state the tolerance of an age? Else `age_code` plans the day and judges nothing.
    age_judged: bool = True

    @property
    def tolerance_code(self) -> str:
        """The code by whose tolerance an age is judged; "" where the family has none."""
        return self.age_code if self.age_judged else ""

    @property
    def by_samples(self) -> bool:
        """Are a set's specimens a sample of EN 206, with no factor between sizes?"""
        return self.rate_code == "en12390-3"


CODE_FAMILIES = {
    "gb": CodeFamily("gbt50081-2019", "gbt50081-2019", "cube", 150),
    "astm": CodeFamily("astm-c39", "astm-c39", "cylinder", 150),
    # EN 12390-3 states no window of its own; ASTM's hours plan the day.
    "en": CodeFamily("astm-c39", "en12390-3", "cube", 150, age_judged=False),
}


@dataclass(frozen=True, slots=True)
class LaboratoryFacts:
    """The laboratory as pages and services need it."""

    name: str
    works: str
    address: str
    phone: str
    accreditation_number: str
    timezone: str
    language: str
    code_family: str
    plan_ages: tuple[int, ...]

    @property
    def codes(self) -> CodeFamily:
        return CODE_FAMILIES[self.code_family]


def laboratory() -> LaboratoryFacts:
    """The stored facts, or those of the settings. Read at most once in KEPT_SECONDS a process."""
    kept = current_app.extensions.get("lims.laboratory")
    now = time.monotonic()
    if kept is not None and now - kept[0] < KEPT_SECONDS:
        found: LaboratoryFacts = kept[1]
        return found
    row = current_session().scalars(select(Laboratory).order_by(Laboratory.id).limit(1)).one_or_none()
    facts = _of_settings() if row is None else _of_row(row)
    current_app.extensions["lims.laboratory"] = (now, facts)
    return facts


def forget_laboratory() -> None:
    """After the row has changed."""
    current_app.extensions.pop("lims.laboratory", None)


def _of_settings() -> LaboratoryFacts:
    config = current_app.config
    return LaboratoryFacts(
        name="",
        works="",
        address="",
        phone="",
        accreditation_number="",
        timezone=config.get("LIMS_TIMEZONE", "Asia/Shanghai"),
        language=config.get("BABEL_DEFAULT_LOCALE", "en"),
        code_family="gb",
        plan_ages=tuple(config.get("LIMS_PLAN_AGES", (3, 7, 28))),
    )


def _of_row(row: Laboratory) -> LaboratoryFacts:
    return LaboratoryFacts(
        name=row.name,
        works=row.works or "",
        address=row.address or "",
        phone=row.phone or "",
        accreditation_number=row.accreditation_number or "",
        timezone=row.timezone,
        language=row.language,
        code_family=row.code_family,
        plan_ages=tuple(int(age) for age in row.plan_ages.split(",")),
    )
