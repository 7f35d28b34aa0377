"""A forecast for a mix that nobody has cast yet, with the nearest trials it rests on. Nothing is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

import numpy as np
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import model_validator
from sqlalchemy import select

from lims.base.database import current_session
from lims.base.fields import Quantity, Reference, Ui
from lims.base.schemas import Schema
from lims.forecasts.history import mix_histories, sees_unreleased
from lims.forecasts.service import TARGET_DAYS, fits
from lims.materials.models import CementLot
from lims.mixes.models import MixComponent, MixDesign, MixRevision
from lims.mixes.schemas import COMPONENT_KINDS, Mass
from lims.strength.features import composition_features, composition_matrix
from lims.strength.history import AgeStrength, MixHistory
from lims.strength.model import Forecast
from lims.trials.models import Batch, Trial

NEAREST = 8
Strength = Annotated[Decimal | None, Quantity(places=2, above=0, maximum=250, unit="MPa")]
EARLY = {1: "strength_1d_mpa", 3: "strength_3d_mpa", 7: "strength_7d_mpa"}


class NewMixIn(Schema):
    """What a prospect's mix is made of, and early strengths where there are any."""

    region_id: Annotated[int | None, Reference("regions"), Ui(_l("Region"))] = None
    cement_product_id: Annotated[int | None, Reference("cement-products"), Ui(_l("Cement"))] = None
    grade_mpa: Annotated[
        Decimal | None, Quantity(places=1, above=0, maximum=200, unit="MPa"), Ui(_l("Grade strength"))
    ] = None
    cement_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["cement"])] = None
    slag_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["slag"])] = None
    fly_ash_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fly_ash"])] = None
    silica_fume_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["silica_fume"])] = None
    water_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["water"])] = None
    superplasticizer_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["superplasticizer"])] = None
    coarse_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["coarse_aggregate"])] = None
    fine_aggregate_kg_m3: Annotated[Mass, Ui(COMPONENT_KINDS["fine_aggregate"])] = None
    strength_1d_mpa: Annotated[Strength, Ui(_l("Strength at 1 d, if known"))] = None
    strength_3d_mpa: Annotated[Strength, Ui(_l("Strength at 3 d, if known"))] = None
    strength_7d_mpa: Annotated[Strength, Ui(_l("Strength at 7 d, if known"))] = None

    @model_validator(mode="after")
    def _something_to_go_on(self) -> NewMixIn:
        if self.cement_kg_m3 is None or self.water_kg_m3 is None:
            raise ValueError(_("a forecast needs at least cement and water, kg/m³"))
        return self

    def mix(self, laboratory: str) -> MixHistory:
        masses = {
            name: float(value or 0)
            for name, value in self.values().items()
            if name.endswith("_kg_m3") and (value is not None or name in {"slag_kg_m3", "fly_ash_kg_m3"})
        }
        breaks = tuple(
            AgeStrength(float(age), float(value), 3)
            for age, name in EARLY.items()
            if (value := getattr(self, name)) is not None
        )
        grade = float(self.grade_mpa) if self.grade_mpa is not None else None
        return MixHistory(laboratory, "new", breaks, masses, grade_mpa=grade)


@dataclass(frozen=True, slots=True)
class Near:
    """A trial mix close by: distance in standard deviations of the composition features."""

    mix: MixDesign
    distance: float
    strengths: dict[int, float]
    composition: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Outlook:
    forecast: Forecast
    near: list[Near]
    narrowed: bool


def outlook(asked: NewMixIn, laboratory: str) -> Outlook:
    """The forecast of a new mix and the nearest trials, those of its region and cement where there are any."""
    mix = asked.mix(laboratory)
    holder = fits()
    with holder.lock:
        forecast = holder.current().forecast([mix], float(TARGET_DAYS))[0]
        known = holder.histories
    histories = {
        mix_id: item
        for mix_id, item in known.items()
        if item.composition and item.strength_at(float(TARGET_DAYS)) is not None
    }
    wanted = _of_region_and_cement(asked)
    chosen = {mix_id: item for mix_id, item in histories.items() if mix_id in wanted} if wanted else {}
    narrowed = len(chosen) >= NEAREST
    pool = chosen if narrowed else histories
    near = nearest(mix, pool)
    if not sees_unreleased():
        told = {item.mix.id: mix_histories(item.mix.id, released=True)[item.mix.id] for item in near}
        near = [replace(item, strengths=_strengths(told[item.mix.id])) for item in near]
    return Outlook(forecast, near, narrowed)


def _strengths(mix: MixHistory) -> dict[int, float]:
    """MPa by age in days."""
    return {int(b.age_days): b.strength_mpa for b in mix.breaks}


def nearest(mix: MixHistory, pool: Mapping[int, MixHistory]) -> list[Near]:
    """The mixes of the pool that are closest by composition, nearest first."""
    if not pool:
        return []
    keys = list(pool)
    features = composition_features(composition_matrix([mix, *(pool[key] for key in keys)]))
    known = ~np.isnan(features[0])
    scale = np.nanstd(features[1:], axis=0)
    scale[~(scale > 1e-9)] = 1.0
    gaps = np.where(np.isnan(features[1:]), 1.0, np.abs(features[1:] - np.nan_to_num(features[0])) / scale)
    distance = np.sqrt((gaps[:, known] ** 2).mean(axis=1))
    order = np.argsort(distance, kind="stable")[:NEAREST]
    picked = [keys[int(i)] for i in order]
    designs = {
        item.id: item for item in current_session().scalars(select(MixDesign).where(MixDesign.id.in_(picked)))
    }
    return [
        Near(
            designs[key],
            float(distance[int(i)]),
            _strengths(pool[key]),
            pool[key].composition,
        )
        for i, key in zip(order, picked, strict=True)
    ]


def _of_region_and_cement(asked: NewMixIn) -> set[int]:
    """Mixes cast for this region and with this cement; empty when neither was given."""
    if asked.region_id is None and asked.cement_product_id is None:
        return set()
    session = current_session()
    found: dict[str, set[int]] = defaultdict(set)
    if asked.region_id is not None:
        query = (
            select(MixRevision.mix_design_id)
            .join(Batch, Batch.mix_revision_id == MixRevision.id)
            .join(Trial, Trial.id == Batch.trial_id)
            .where(Trial.region_id == asked.region_id)
        )
        found["region"] = set(session.scalars(query))
    if asked.cement_product_id is not None:
        by_batch = (
            select(MixRevision.mix_design_id)
            .join(Batch, Batch.mix_revision_id == MixRevision.id)
            .join(CementLot, CementLot.id == Batch.cement_lot_id)
            .where(CementLot.cement_product_id == asked.cement_product_id)
        )
        by_recipe = (
            select(MixRevision.mix_design_id)
            .join(MixComponent, MixComponent.revision_id == MixRevision.id)
            .where(MixComponent.cement_product_id == asked.cement_product_id)
        )
        found["cement"] = set(session.scalars(by_batch)) | set(session.scalars(by_recipe))
    return set.intersection(*found.values())


def shown_bounds(forecast: Forecast) -> dict[str, Any]:
    """The intervals by level in per cent, for the page."""
    return {f"{100 * level:g}": bounds for level, bounds in forecast.intervals.items()}
