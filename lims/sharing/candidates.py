"""Which trials a salesperson may want to share: the customer's own first, then those nearest to what is asked for.

Nearest by composition where the prospect's recipe is known, by grade where it is not. Only mixes of the own laboratory
that were cast; the history of others is for the forecast, not for handing out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import current_app
from sqlalchemy import func, select

from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.forecasts.new_customer import nearest
from lims.forecasts.service import TARGET_DAYS
from lims.materials.models import AggregateSample, CementLot
from lims.mixes.models import BINDERS, MixComponent, MixDesign, MixRevision
from lims.sharing.gathering import released_by_age
from lims.sharing.schemas import WantedIn, masses_of
from lims.strength.history import COMPOSITION, MixHistory
from lims.trials.models import Batch, BatchLot, Trial

SHOWN = 8
#: A grade further away than this is another concrete.
GRADE_WITHIN_MPA = Decimal(10)


@dataclass(slots=True)
class Candidate:
    """A mix of a trial that may be shared, with what is released of it."""

    trial_id: int
    mix_design_id: int
    code: str
    name: str
    trial: str
    own: bool
    strength_class: str | None
    water_binder_ratio: float | None
    binder_kg_m3: float
    distance: float | None = None
    strengths: dict[int, Decimal] = field(default_factory=dict)
    batches: int = 0

    @property
    def key(self) -> str:
        return f"{self.trial_id}-{self.mix_design_id}"

    @property
    def waits(self) -> bool:
        return TARGET_DAYS not in self.strengths


def candidates(wanted: WantedIn) -> list[Candidate]:
    """At most SHOWN, the customer's own trial and trials first. A handful of statements."""
    session = current_session()
    query = (
        select(
            func.max(Batch.trial_id), MixRevision.mix_design_id, MixDesign.code, MixDesign.name,
            MixDesign.strength_class, MixDesign.grade_mpa, func.count(Batch.id),
        )
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .join(Trial, Trial.id == Batch.trial_id)
        .where(
            MixDesign.laboratory == current_app.config.get("LIMS_LABORATORY", "own"), Batch.retired_at.is_(None),
            # A link of what is out of use is refused.
            MixDesign.retired_at.is_(None), Trial.retired_at.is_(None), *SERVICES["trials"].visible(),
        )
        .group_by(MixRevision.mix_design_id, MixDesign.code, MixDesign.name, MixDesign.strength_class,
                  MixDesign.grade_mpa)
        .order_by(MixRevision.mix_design_id.desc())
    )  # fmt: skip
    own: list[Any] = []
    if wanted.trial_id is not None:
        own = list(session.execute(query.where(Batch.trial_id == wanted.trial_id)))
    elif wanted.customer_id is not None:
        own = list(session.execute(query.where(Trial.customer_id == wanted.customer_id)))
    rest = query
    if wanted.region_id is not None:
        rest = rest.where(Trial.region_id == wanted.region_id)
    if wanted.cement_product_id is not None:
        lots = select(CementLot.id).where(CementLot.cement_product_id == wanted.cement_product_id)
        # Without a lot it is the trial's cement, as the sheet says.
        of_trial = Batch.cement_lot_id.is_(None) & (Trial.cement_product_id == wanted.cement_product_id)
        rest = rest.where(Batch.cement_lot_id.in_(lots) | of_trial)
    if wanted.aggregate_source_id is not None:
        samples = select(AggregateSample.id).where(
            AggregateSample.aggregate_source_id == wanted.aggregate_source_id
        )
        with_lot = select(BatchLot.batch_id).where(
            BatchLot.aggregate_sample_id.in_(samples), BatchLot.retired_at.is_(None)
        )
        rest = rest.where(Batch.aggregate_sample_id.in_(samples) | Batch.id.in_(with_lot))
    if wanted.grade_mpa is not None:
        rest = rest.where(
            MixDesign.grade_mpa.between(
                wanted.grade_mpa - GRADE_WITHIN_MPA, wanted.grade_mpa + GRADE_WITHIN_MPA
            )
        )
    mine = {row[1] for row in own}
    rows = [*own, *(row for row in session.execute(rest) if row[1] not in mine)]
    trials = {
        trial.id: trial
        for trial in session.scalars(select(Trial).where(Trial.id.in_({row[0] for row in rows})))
    }
    masses = _masses({row[1] for row in rows})
    found = []
    for trial_id, mix_id, code, name, strength_class, _grade, count in rows:
        parts = masses.get(mix_id, {})
        binder = sum(parts.get(f"{kind}_kg_m3", 0.0) for kind in BINDERS)
        water = parts.get("water_kg_m3", 0.0)
        found.append(
            Candidate(
                trial_id, mix_id, code, name or "", trials[trial_id].title, mix_id in mine, strength_class,
                water / binder if binder and water else None, binder, batches=int(count),
            )
        )  # fmt: skip
    _order(found, wanted, masses, {row[1]: row[5] for row in rows})
    shown = found[:SHOWN]
    _add_strengths(shown)
    return shown


def _masses(mix_ids: Collection[int]) -> dict[int, dict[str, float]]:
    """Composition of the newest revision of each mix that was cast: a draft is no concrete that a sheet could show."""
    newest = (
        select(func.max(MixRevision.id))
        .where(
            MixRevision.mix_design_id.in_(mix_ids),
            MixRevision.retired_at.is_(None),
            MixRevision.frozen_at.is_not(None),
        )
        .group_by(MixRevision.mix_design_id)
    )
    found: dict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(COMPOSITION, 0.0))
    rows = current_session().execute(
        select(MixRevision.mix_design_id, MixComponent.kind, MixComponent.mass_kg_m3)
        .join(MixRevision, MixRevision.id == MixComponent.revision_id)
        .where(MixRevision.id.in_(newest))
    )
    for mix_id, kind, mass in rows:
        if f"{kind}_kg_m3" in COMPOSITION:
            found[mix_id][f"{kind}_kg_m3"] += float(mass)
    return found


def _order(
    found: list[Candidate],
    wanted: WantedIn,
    masses: dict[int, dict[str, float]],
    grades: dict[int, Decimal | None],
) -> None:
    """Own first, then by distance of composition, else by grade, else the newest."""
    if wanted.cement_kg_m3 and wanted.water_kg_m3:
        asked = MixHistory("", "asked", (), masses_of(wanted.values()))
        pool = {
            key: MixHistory("", str(key), (), parts) for key, parts in masses.items() if any(parts.values())
        }
        distances = {item.mix.id: item.distance for item in nearest(asked, pool)}
        for item in found:
            item.distance = distances.get(item.mix_design_id)
        found.sort(key=lambda item: (not item.own, item.distance is None, item.distance or 0.0))
    elif wanted.grade_mpa is not None:
        asked_for = wanted.grade_mpa
        found.sort(
            key=lambda item: (not item.own, abs((grades[item.mix_design_id] or Decimal(0)) - asked_for))
        )


def _add_strengths(shown: list[Candidate]) -> None:
    """What the sheet of each would say, so that the form promises nothing else."""
    found = released_by_age({item.trial_id for item in shown}, {item.mix_design_id for item in shown})
    for item in shown:
        item.strengths = found.get((item.trial_id, item.mix_design_id), {})
