"""The cheapest mix for a grade, from trials where there are some and from the forecast model where there are none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flask import current_app
from sqlalchemy import select

from lims.base.database import current_session
from lims.base.display import local_today
from lims.base.services import SERVICES
from lims.comparison.gathering import (
    AGGREGATES,
    SCMS,
    TrialRow,
    cast_after,
    changes_within,
    cost_of,
    masses_of,
    of_cement,
    of_one_shape,
    price_list,
    trial_rows,
)
from lims.comparison.models import ProcessChange
from lims.comparison.schemas import OptimumQuestion
from lims.comparison.words import why_not
from lims.forecasts.history import is_of_shape, recasts, shapes_forecast
from lims.forecasts.models import Forecast
from lims.forecasts.service import TARGET_DAYS, fits
from lims.materials.models import CementLot
from lims.mixes.models import MixDesign, MixRevision
from lims.standards.proportioning import HISTORY_SETS, target_strength
from lims.standards.specimens import commonest_shape
from lims.strength.comparison import AGGREGATE_PER_BINDER, NotComparable
from lims.strength.history import MixHistory
from lims.strength.optimum import CONFIDENCE, MixBatch, StrengthLaw, fit_strength_law, lower_bound
from lims.trials.models import Batch, Trial

#: Binder contents that the forecast model is asked about where there are no trials, kg/m³.
MODEL_BINDERS = tuple(range(220, 601, 10))
MODEL_SHARES = (0.0, 0.2)
MODEL_WATER_KG_M3 = 172.0
#: Litres of a cubic metre that are no air (1.5 %), for recipes that start from nothing; share of the sand in the aggregate.
SOLIDS_L = 985.0
SAND_SHARE = 0.42
USUAL_CV = 0.03
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mix that was cast, with what is sure of it."""

    mix_id: int
    revision: str
    batches: int
    strength_mpa: float
    lower_mpa: float
    binder_kg_m3: float
    cement_kg_m3: float
    ratio: float
    cost: float | None
    reaches: bool
    #: result or forecast
    basis: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mix to cast next: kg/m³ by kind, and why."""

    masses: dict[str, float]
    ratio: float
    median_mpa: float
    lower_mpa: float
    cost: float | None
    #: sure: reaches the target with the stated certainty; middle: as likely as not; model: nobody has cast one yet
    purpose: str


@dataclass(frozen=True, slots=True)
class Optimum:
    target_mpa: Decimal
    deviation_mpa: Decimal | None
    batches: int
    candidates: list[Candidate]
    best: Candidate | None
    proposals: list[Proposal]
    law: str
    error_percent: float | None
    #: Why there is no law of the trials.
    reason: str = ""
    #: The last change at the works, when batches before it were left out.
    since: ProcessChange | None = None


def optimum_for(asked: OptimumQuestion, *, prices: bool) -> Optimum:
    """Nothing is stored. Without `prices` the least cement stands for the least cost."""
    deviation = asked.standard_deviation_mpa
    target, used = target_strength(
        asked.grade_mpa, deviation, HISTORY_SETS if deviation is not None else None
    )
    on = local_today()
    listed = price_list(on, asked.region_id) if prices else {}
    broken = trial_rows(
        asked.cement_product_id,
        TARGET_DAYS,
        trial_id=asked.trial_id,
        customer_id=asked.customer_id,
        region_id=asked.region_id,
    )
    (rows,) = of_one_shape(broken)
    since = next(reversed(changes_within(asked.cement_product_id, rows)), None)
    if since is not None:
        rows, broken = cast_after(since, rows), cast_after(since, broken)
    law, reason = None, ""
    try:
        law = fit_strength_law(
            [MixBatch(row.recipe, row.ratio, row.strength_mpa, row.scm_share) for row in rows]
        )
    except NotComparable as error:
        reason = why_not(error)
    goal = float(target)
    shape = commonest_shape(row.shape for row in rows)
    waiting = _waiting(asked, {row.mix_id for row in broken}, since, shape)
    candidates = _cast(rows, law, goal, asked, listed) + _forecast(waiting, asked, goal, listed)
    candidates.sort(
        key=lambda item: (not item.reaches, _money(item.cost, item.cement_kg_m3, item.binder_kg_m3))
    )
    best = next((item for item in candidates if item.reaches), None)
    proposals = (
        _proposals(rows, law, goal, asked, listed) if law is not None else _of_model(asked, goal, listed)
    )
    return Optimum(
        target,
        used,
        len(rows),
        candidates[:SHOWN],
        best,
        proposals,
        law.law.name if law is not None else "",
        law.error_percent if law is not None else None,
        reason,
        since,
    )


def _money(cost: float | None, cement: float, binder: float) -> tuple[bool, float, float]:
    """What to sort by. A mix that lacks a price stands after those that have one: kilograms are held against no money."""
    return (False, cost, 0.0) if cost is not None else (True, cement, binder)


def _cast(
    rows: Sequence[TrialRow],
    law: StrengthLaw | None,
    goal: float,
    asked: OptimumQuestion,
    listed: dict[tuple[str, int | None], Decimal],
) -> list[Candidate]:
    # Revisions that differ in the admixture alone are one mix.
    by_mix: dict[str, list[TrialRow]] = defaultdict(list)
    for row in rows:
        by_mix[row.recipe].append(row)
    cv, freedom = USUAL_CV, 3
    if law is not None:
        cv = law.posterior.batch_sd / (1.0 if law.law.logarithmic else goal)
        freedom = law.posterior.nu
    found = []
    for items in by_mix.values():
        first, strengths = items[-1], [item.strength_mpa for item in items]
        low = lower_bound(strengths, cv, freedom)
        found.append(
            Candidate(
                first.mix_id,
                first.mix,
                len(items),
                sum(strengths) / len(strengths),
                low,
                first.binder_kg_m3,
                first.mass("cement"),
                first.ratio,
                cost_of(first.masses, asked.cement_product_id, listed),
                low >= goal,
                "result",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Cast:
    """A batch of a mix whose 28-day sets are not broken yet."""

    mix_id: int
    revision_id: int
    lot_id: int | None
    cast_at: datetime


def _waiting(
    asked: OptimumQuestion, known: set[int], since: ProcessChange | None, shape: str
) -> dict[int, int]:
    """Mix design id -> the revision that was cast last, of the concretes of the trial, `known` aside, that were cast with
    this cement as it is made now and are not broken as the other shape of specimen."""
    if asked.trial_id is None and asked.customer_id is None:
        return {}
    query = (
        select(MixRevision.mix_design_id, MixRevision.id, Batch.cement_lot_id, Batch.cast_at)
        .join(Batch, Batch.mix_revision_id == MixRevision.id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .join(Trial, Trial.id == Batch.trial_id)
        .outerjoin(CementLot, CementLot.id == Batch.cement_lot_id)
        .where(
            MixDesign.kind == "concrete",
            Batch.retired_at.is_(None),
            of_cement(asked.cement_product_id),
            *SERVICES["trials"].visible(),
        )
        .order_by(MixRevision.id)  # the newest stands at last
    )
    if asked.trial_id is not None:
        query = query.where(Trial.id == asked.trial_id)
    if asked.customer_id is not None:
        query = query.where(Trial.customer_id == asked.customer_id)
    if asked.region_id is not None:
        query = query.where(Trial.region_id == asked.region_id)
    cast = [
        _Cast(mix_id, revision_id, lot_id, cast_at)
        for mix_id, revision_id, lot_id, cast_at in current_session().execute(query)
        if cast_at is not None and mix_id not in known
    ]
    if since is not None:
        cast = cast_after(since, cast)
    found = {item.mix_id: item.revision_id for item in cast}
    shapes = shapes_forecast(found) if found and shape else {}
    return {mix: revision for mix, revision in found.items() if is_of_shape(shape, revision, shapes)}


def _forecast(
    revisions: Mapping[int, int],
    asked: OptimumQuestion,
    goal: float,
    listed: dict[tuple[str, int | None], Decimal],
) -> list[Candidate]:
    """Mixes whose 28-day sets are not broken yet: the lower end of the last forecast of this recipe counts."""
    if not revisions:
        return []
    session = current_session()
    recast = recasts(revisions)
    latest: dict[int, Forecast] = {}
    for item in session.scalars(
        select(Forecast)
        .where(Forecast.mix_design_id.in_(revisions), Forecast.strength_mpa.is_not(None))
        .order_by(Forecast.id)
    ):
        of_mix = recast.get(item.mix_design_id)
        # What was said while another recipe was cast is of another concrete.
        if of_mix is None or of_mix.so_cast(revisions[item.mix_design_id], item.created_at):
            latest[item.mix_design_id] = item
    codes = dict(
        session.execute(select(MixDesign.id, MixDesign.code).where(MixDesign.id.in_(revisions))).all()
    )
    masses = masses_of(set(revisions.values()))
    found = []
    for design, forecast in latest.items():
        recipe = masses.get(revisions[design], {})
        binder = sum(recipe.get(kind, 0.0) for kind in ("cement", *SCMS))
        if not binder or forecast.strength_mpa is None or forecast.lower_90_mpa is None:
            continue
        low = float(forecast.lower_90_mpa)
        found.append(
            Candidate(
                design,
                codes[design],
                0,
                float(forecast.strength_mpa),
                low,
                binder,
                recipe.get("cement", 0.0),
                recipe.get("water", 0.0) / binder,
                cost_of(recipe, asked.cement_product_id, listed),
                low >= goal,
                "forecast",
            )
        )
    return found


def _proposals(
    rows: Sequence[TrialRow],
    law: StrengthLaw,
    goal: float,
    asked: OptimumQuestion,
    listed: dict[tuple[str, int | None], Decimal],
) -> list[Proposal]:
    """For each share of mineral admixtures that was tried: the mix that is sure, and the one in the middle of what is
    not known yet."""
    shares = sorted({round(20 * row.scm_share) / 20 for row in rows})
    water = (
        float(asked.water_kg_m3)
        if asked.water_kg_m3 is not None
        else sum(r.mass("water") for r in rows) / len(rows)
    )
    doses = [row.admixture_percent for row in rows if row.admixture_percent is not None]
    dose = sum(doses) / len(doses) if doses else 0.0
    found = []
    for share in shares:
        like = [row for row in rows if round(20 * row.scm_share) / 20 == share]
        for purpose, certainty in (("sure", CONFIDENCE), ("middle", 0.5)):
            ratio = law.ratio_for(goal, share, certainty)
            if ratio is None:
                continue
            draws = law.strengths(ratio, share)
            masses = _recipe(like, water, ratio, share, dose)
            ordered = sorted(draws)
            found.append(
                Proposal(
                    masses,
                    ratio,
                    float(ordered[len(ordered) // 2]),
                    float(ordered[int((1 - CONFIDENCE) * len(ordered))]),
                    cost_of(masses, asked.cement_product_id, listed),
                    purpose,
                )
            )
    return sorted(
        found, key=lambda item: (item.purpose != "sure", _money(item.cost, item.masses["cement"], 0))
    )


def _recipe(
    like: Sequence[TrialRow], water: float, ratio: float, share: float, dose: float
) -> dict[str, float]:
    """The mean recipe of these batches, moved to this ratio at equal volume."""
    mean: dict[str, float] = defaultdict(float)
    for row in like:
        for kind, mass in row.masses.items():
            mean[kind] += mass / len(like)
    old = mean["cement"] + sum(mean[kind] for kind in SCMS)
    binder = water / ratio
    scms = {kind: mean[kind] for kind in SCMS if mean[kind]}
    total = sum(scms.values())
    masses = {"cement": binder * (1 - share) if total else binder}
    for kind, mass in scms.items():
        masses[kind] = binder * share * mass / total
    masses["water"] = water
    if dose:
        masses["superplasticizer"] = binder * dose / 100
    freed = (binder - old) * AGGREGATE_PER_BINDER + (water - mean["water"]) * 2.65
    stone = sum(mean[kind] for kind in AGGREGATES)
    for kind in AGGREGATES:
        if mean[kind]:
            masses[kind] = mean[kind] - freed * mean[kind] / stone
    return {kind: round(mass, 1 if kind == "superplasticizer" else 0) for kind, mass in masses.items()}


def _of_model(
    asked: OptimumQuestion, goal: float, listed: dict[tuple[str, int | None], Decimal]
) -> list[Proposal]:
    """No trials: the forecast model read backwards over binder contents, with its honest interval."""
    water = float(asked.water_kg_m3) if asked.water_kg_m3 is not None else MODEL_WATER_KG_M3
    laboratory = str(current_app.config["LIMS_LABORATORY"])
    recipes, mixes = [], []
    for share in MODEL_SHARES:
        for binder in MODEL_BINDERS:
            solid = 2.65 * (SOLIDS_L - water - binder / 3.05)
            masses: dict[str, float] = {
                "cement": round(binder * (1 - share)),
                "fly_ash": round(binder * share),
                "water": water,
                "superplasticizer": round(binder * 0.015, 1),
                "coarse_aggregate": round(solid * (1 - SAND_SHARE)),
                "fine_aggregate": round(solid * SAND_SHARE),
            }
            recipes.append((share, float(binder), masses))
            composition = {f"{kind}_kg_m3": float(mass) for kind, mass in masses.items()}
            composition.update({"slag_kg_m3": 0.0, "silica_fume_kg_m3": 0.0})
            mixes.append(MixHistory(laboratory, f"{share}/{binder}", (), composition))
    holder = fits()
    level = 2 * CONFIDENCE - 1
    with holder.lock:
        said = holder.current().forecast(mixes, float(TARGET_DAYS), levels=(level,))
    found = []
    for share in MODEL_SHARES:
        rows = [
            (binder, masses, item)
            for (of_share, binder, masses), item in zip(recipes, said, strict=True)
            if of_share == share and item.strength_mpa is not None and level in item.intervals
        ]
        for purpose in ("model", "model-sure"):
            for content, masses, item in rows:
                low = item.intervals[level][0]
                strength = item.strength_mpa or 0.0
                if (strength if purpose == "model" else low) >= goal:
                    kept = {kind: mass for kind, mass in masses.items() if mass}
                    money = cost_of(kept, asked.cement_product_id, listed)
                    found.append(Proposal(kept, water / content, strength, low, money, purpose))
                    break
    return found
