"""Stored forecasts: never changed, with their inputs, model and time, so that the back-test is honest."""

from __future__ import annotations

import json
from decimal import Decimal

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from lims.base.columns import ExactDecimal
from lims.base.display import show_ages
from lims.base.records import Key, Record
from lims.mixes.models import MixDesign


class ForecastModel(Record):
    """A fitted model, whole: a forecast can be computed again from it."""

    __tablename__ = "forecast_models"
    record_name = "forecast-models"

    version_hash: Mapped[str] = mapped_column(String(64), nullable=False, unique=True)
    #: Early ages it forecasts from, e.g. "1,3"; "" for composition alone.
    early_ages: Mapped[str] = mapped_column(String(80), nullable=False, index=True)
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    laboratories: Mapped[int] = mapped_column(Integer, nullable=False)
    mixes: Mapped[int] = mapped_column(Integer, nullable=False)
    #: JSON of lims.strength.model.FittedModel.
    parameters: Mapped[str] = mapped_column(Text, nullable=False)

    @property
    def title(self) -> str:
        return self.version_hash[:12]


class Forecast(Record):
    """What was said about a mix at one moment, from the breaks that were known then."""

    __tablename__ = "forecasts"
    record_name = "forecasts"

    mix_design_id: Mapped[int] = mapped_column(Key, ForeignKey("mix_designs.id"), nullable=False)
    forecast_model_id: Mapped[int] = mapped_column(
        Key, ForeignKey("forecast_models.id"), nullable=False, index=True
    )
    #: The ages of the breaks it rests on, e.g. "1,3"; "" for composition alone.
    early_ages: Mapped[str] = mapped_column(String(80), nullable=False)
    #: JSON of ages, strengths and composition as they went in: strengths that nobody may have released yet.
    inputs: Mapped[str] = mapped_column(Text, nullable=False, info={"reads": "set-results"})
    age_days: Mapped[int] = mapped_column(Integer, nullable=False)
    #: None: refused, see the note.
    strength_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    lower_50_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    upper_50_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    lower_90_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    upper_90_mpa: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=2))
    #: P(f28 >= grade), 0 to 1; None without a grade.
    grade_probability: Mapped[Decimal | None] = mapped_column(ExactDecimal(places=4))
    local_mixes: Mapped[int] = mapped_column(Integer, nullable=False)
    history_mixes: Mapped[int] = mapped_column(Integer, nullable=False)
    method: Mapped[str] = mapped_column(String(60), nullable=False)
    note: Mapped[str | None] = mapped_column(Text)
    #: The mix's own 28-d result was known and was held out (demonstration of history).
    held_out: Mapped[bool] = mapped_column(Boolean, nullable=False)

    mix_design: Mapped[MixDesign] = relationship()
    forecast_model: Mapped[ForecastModel] = relationship()

    __table_args__ = (Index(None, "mix_design_id", "early_ages"),)

    @property
    def title(self) -> str:
        return f"{show_ages(self.early_ages) or '–'} → {self.age_days} d"

    @property
    def grade_mpa(self) -> Decimal | None:
        """The grade, in MPa, that `grade_probability` is about: the mix may have been given another since. None where the
        forecast does not say it."""
        grade = json.loads(self.inputs).get("grade_mpa")
        return None if grade is None else Decimal(str(grade))
