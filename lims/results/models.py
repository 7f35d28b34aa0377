"""Presses and their calibrations, breaks and the results of sets."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal, UtcDateTime
from lims.base.records import Key, Record, exactly_one
from lims.results.triggers import attach
from lims.trials.models import Specimen, SpecimenSet


class Press(Record):
    __tablename__ = "presses"
    record_name = "presses"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    serial_number: Mapped[str | None] = mapped_column(String(80))
    capacity_kn: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=1))


class Scale(Record):
    __tablename__ = "scales"
    record_name = "scales"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    name: Mapped[str] = mapped_column(String(120), nullable=False)
    serial_number: Mapped[str | None] = mapped_column(String(80))
    capacity_kg: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))


class Mould(Record):
    """A set of moulds, checked for size and squareness."""

    __tablename__ = "moulds"
    record_name = "moulds"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    shape: Mapped[str] = mapped_column(String(20), nullable=False)
    width_mm: Mapped[Decimal] = mapped_column(ExactDecimal(places=2), nullable=False)
    count: Mapped[int] = mapped_column(Integer, nullable=False)


class Calibration(Record):
    """A certificate of a press, a scale or a set of moulds."""

    __tablename__ = "calibrations"
    record_name = "calibrations"

    press_id: Mapped[int | None] = mapped_column(Key, ForeignKey("presses.id"), index=True)
    scale_id: Mapped[int | None] = mapped_column(Key, ForeignKey("scales.id"), index=True)
    mould_id: Mapped[int | None] = mapped_column(Key, ForeignKey("moulds.id"), index=True)
    certificate_number: Mapped[str] = mapped_column(String(80), nullable=False)
    calibrated_on: Mapped[date] = mapped_column(Date, nullable=False)
    due_on: Mapped[date] = mapped_column(Date, nullable=False, index=True)
    calibrated_by: Mapped[str] = mapped_column(String(120), nullable=False)
    error_percent: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))

    press: Mapped[Press | None] = relationship()
    scale: Mapped[Scale | None] = relationship()
    mould: Mapped[Mould | None] = relationship()

    __table_args__ = (CheckConstraint(exactly_one("press_id", "scale_id", "mould_id"), name="one_device"),)

    @property
    def title(self) -> str:
        return self.certificate_number

    @property
    def device(self) -> str:
        """What was calibrated."""
        found = self.press or self.scale or self.mould
        return found.title if found is not None else ""


#: Few rows were ever corrected: an index of these alone finds them and costs the others nothing.
CORRECTED = text("superseded_at IS NOT NULL")


class Superseding:
    """Rows of which a later one may take the place; the earlier ones stay readable."""

    superseded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @hybrid_property
    def superseded(self) -> bool:
        """Has a later one, or a retraction, taken its place?"""
        return self.superseded_at is not None

    @superseded.inplace.expression
    @classmethod
    def _superseded(cls) -> ColumnElement[bool]:
        return cls.superseded_at.is_not(None)


class Break(Superseding, Record):
    """The observation on one specimen. A correction supersedes it and leaves it readable."""

    __tablename__ = "breaks"
    record_name = "breaks"

    specimen_id: Mapped[int] = mapped_column(Key, ForeignKey("specimens.id"), nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    load_kn: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    #: True: history that came as a strength, without a load.
    reported: Mapped[bool] = mapped_column(Boolean, nullable=False)
    #: From the load (not rounded for any verdict) or as reported; kept to 0.0001 MPa.
    strength_mpa: Mapped[Decimal] = mapped_column(ExactDecimal(places=4), nullable=False)
    press_id: Mapped[int | None] = mapped_column(Key, ForeignKey("presses.id"), index=True)
    tested_by: Mapped[str | None] = mapped_column(String(80))
    tested_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    age_hours: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    age_within: Mapped[bool | None] = mapped_column(Boolean)
    loading_rate_mpa_s: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    remark: Mapped[str | None] = mapped_column(String(400))

    specimen: Mapped[Specimen] = relationship()
    press: Mapped[Press | None] = relationship()

    __table_args__ = (
        UniqueConstraint("specimen_id", "number"),
        Index(None, "superseded_at", sqlite_where=CORRECTED, postgresql_where=CORRECTED),
        CheckConstraint("reported OR load_kn IS NOT NULL", name="load_unless_reported"),
        CheckConstraint("strength_mpa >= 0", name="strength_not_negative"),
    )

    @property
    def title(self) -> str:
        return self.specimen.code if self.specimen is not None else str(self.id)


class SetResult(Superseding, Record):
    """The set's strength by a rule. The highest `number` counts; earlier ones stay."""

    __tablename__ = "set_results"
    record_name = "set-results"

    specimen_set_id: Mapped[int] = mapped_column(Key, ForeignKey("specimen_sets.id"), nullable=False)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    rule_id: Mapped[str] = mapped_column(String(60), nullable=False)
    edition: Mapped[str] = mapped_column(String(40), nullable=False)
    #: None: the set is invalid.
    strength_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    #: mean, middle or invalid
    basis: Mapped[str] = mapped_column(String(10), nullable=False)
    specimen_count: Mapped[int] = mapped_column(Integer, nullable=False)
    #: entered, verified, released, retracted (lims/results/triggers.py)
    state: Mapped[str] = mapped_column(String(10), nullable=False)
    reason: Mapped[str | None] = mapped_column(Text)
    verified_by: Mapped[str | None] = mapped_column(String(80))
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str | None] = mapped_column(String(80))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retracted_by: Mapped[str | None] = mapped_column(String(80))
    retracted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retract_reason: Mapped[str | None] = mapped_column(String(400))

    specimen_set: Mapped[SpecimenSet] = relationship()

    __table_args__ = (
        UniqueConstraint("specimen_set_id", "number"),
        Index(None, "specimen_set_id", "superseded_at"),
        Index(None, "superseded_at", sqlite_where=CORRECTED, postgresql_where=CORRECTED),
        Index(None, "created_at", "id"),  # an order of the list
        Index(None, "state", "id"),  # what waits for a verification, the first of it first
    )

    @property
    def title(self) -> str:
        return self.specimen_set.code if self.specimen_set is not None else str(self.id)


class PressMapping(Record):
    """How the files of one press read: made by the laboratory on a page, kept under a name."""

    __tablename__ = "press_mappings"
    record_name = "press-mappings"

    code: Mapped[str] = mapped_column(String(40), nullable=False, unique=True)
    press_id: Mapped[int | None] = mapped_column(Key, ForeignKey("presses.id"), index=True)
    encoding: Mapped[str] = mapped_column(String(20), nullable=False)
    delimiter: Mapped[str] = mapped_column(String(10), nullable=False)
    decimal_mark: Mapped[str] = mapped_column(String(1), nullable=False)
    #: Row of the column names, from 1.
    header_row: Mapped[int] = mapped_column(Integer, nullable=False)
    code_column: Mapped[str] = mapped_column(String(80), nullable=False)
    load_column: Mapped[str] = mapped_column(String(80), nullable=False)
    load_unit: Mapped[str] = mapped_column(String(8), nullable=False)
    time_column: Mapped[str | None] = mapped_column(String(80))
    time_format: Mapped[str | None] = mapped_column(String(40))
    tester_column: Mapped[str | None] = mapped_column(String(80))

    press: Mapped[Press | None] = relationship()


class PressFile(Record):
    """A file of a press that was read: its bytes by their hash, and how many of its rows became breaks."""

    __tablename__ = "press_files"
    record_name = "press-files"

    press_mapping_id: Mapped[int] = mapped_column(
        Key, ForeignKey("press_mappings.id"), nullable=False, index=True
    )
    name: Mapped[str] = mapped_column(String(200), nullable=False)
    sha256: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    size_bytes: Mapped[int] = mapped_column(Integer, nullable=False)
    row_count: Mapped[int] = mapped_column(Integer, nullable=False)

    press_mapping: Mapped[PressMapping] = relationship()


class PressRow(Record):
    """One row of a press's file: used for a break, or waiting in the tray for someone to say what it is."""

    __tablename__ = "press_rows"
    record_name = "press-rows"

    press_file_id: Mapped[int] = mapped_column(Key, ForeignKey("press_files.id"), nullable=False, index=True)
    number: Mapped[int] = mapped_column(Integer, nullable=False)
    #: The row as it came, JSON.
    content: Mapped[str] = mapped_column(Text, nullable=False)
    #: Same row, same mark: in another file too.
    mark: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    #: waiting, used or dismissed
    state: Mapped[str] = mapped_column(String(10), nullable=False, index=True)
    message: Mapped[str | None] = mapped_column(String(400))
    specimen_id: Mapped[int | None] = mapped_column(Key, ForeignKey("specimens.id"), index=True)
    code: Mapped[str | None] = mapped_column(String(90))
    load_kn: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=3))
    tested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tested_by: Mapped[str | None] = mapped_column(String(80))

    press_file: Mapped[PressFile] = relationship()
    specimen: Mapped[Specimen | None] = relationship()

    @property
    def title(self) -> str:
        return self.code or str(self.number)


attach(Break.__table__)
attach(SetResult.__table__)
