"""Everything that a sheet could say of a link, in a few statements whose cost does not depend on how much the database
holds. Not for anyone's eyes as it is: lims/sharing/redaction.py takes out of it what may go out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select

from lims.accounts.service import is_erased
from lims.aftersales.models import AdviceCard
from lims.base.database import current_session
from lims.base.display import local_time
from lims.base.laboratory import laboratory
from lims.base.names import name_of
from lims.customers.models import Customer
from lims.forecasts.history import Recipe, recipes_of_revised
from lims.forecasts.service import TARGET_DAYS
from lims.materials.models import AggregateSample, AggregateSource, CementLot, CementProduct, Region
from lims.mixes.models import BINDERS, MixComponent, MixDesign, MixRevision
from lims.results.models import SetResult
from lims.sharing.models import ShareBatch, ShareLink
from lims.standards.grades import grade_of_shape
from lims.standards.specimens import commonest_shape, shape_of_rule
from lims.trials.models import Batch, BatchLot, Specimen, SpecimenSet, Trial, cured_as_standard

#: Batches of one part of a link.
MOST_BATCHES = 12
TENTH = Decimal("0.1")
#: A row of a query below; the columns are its own.
MainRow = Any


def collect(link: ShareLink) -> dict[str, Any]:
    """By the names of the allow-list, and more."""
    session = current_session()
    chosen = select(ShareBatch.batch_id, ShareBatch.part).where(ShareBatch.share_link_id == link.id)
    parts: dict[int, int] = dict(session.execute(chosen).all())
    if 0 not in parts.values():
        parts |= dict.fromkeys(newest_batches(link.trial_id), 0)
    batches = session.execute(
        select(
            Batch.id, Batch.cast_at, Batch.slump_mm, Batch.air_percent, Batch.density_kg_m3,
            Batch.concrete_temperature_c, Batch.curing, Batch.curing_temperature_c, Batch.aggregate_sample_id,
            Batch.cement_lot_id, MixRevision.id.label("revision_id"), MixDesign.id.label("mix_id"), MixDesign.kind,
            MixDesign.strength_class, MixDesign.grade_mpa,
        )
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .join(MixDesign, MixDesign.id == MixRevision.mix_design_id)
        .where(Batch.id.in_(list(parts)))
        .order_by(Batch.id)
    ).all()  # fmt: skip
    main = [row for row in batches if parts[row.id] == 0]
    results = _of_one_shape(_results([row for row in batches if _standard(row)]), {row.id for row in main})
    masses = _masses({row.revision_id for row in batches})
    trial = session.execute(
        select(
            Trial.cement_product_id, Trial.region_id, Region.name.label("region"), Customer.name.label("customer")
        )
        .select_from(Trial)
        .outerjoin(Region, Region.id == Trial.region_id)
        .outerjoin(Customer, Customer.id == link.customer_id)
        .where(Trial.id == link.trial_id)
    ).one()  # fmt: skip
    facts, sent = laboratory(), link.as_sent
    newest = main[-1] if main else None
    return {
        "kind": newest.kind if newest else None,
        "strength_class": newest.strength_class if newest else None,
        "grade_mpa": _grade(newest, [row for row in results if parts[row.batch_id] == 0]) if newest else None,
        "region": trial.region,
        "recipient": trial.customer,
        "note": link.note,
        "sent_on": _day(link.created_at),
        "valid_until": _day(link.expires_at),
        "laboratory": {
            "name": facts.name,
            "works": facts.works,
            "address": facts.address,
            "phone": facts.phone,
        },
        "contact": None
        if link.owner is None or is_erased(link.owner)
        else {"name": name_of(link.owner), "email": link.owner.email},
        "strengths": _strengths(results, {row.id for row in main}),
        "result": _result(results, main),
        "changes": _changes(results, {row.id for row in main}, link.created_at),
        "forecast": sent.get("forecast"),
        "curve": True,
        "mix": _mix(masses.get(newest.revision_id, {})) if newest else None,
        "fresh": [
            {
                "cast_on": _day(row.cast_at),
                "slump_mm": row.slump_mm,
                "air_percent": row.air_percent,
                "density_kg_m3": row.density_kg_m3,
                "concrete_temperature_c": row.concrete_temperature_c,
            }
            for row in sorted(main, key=_in_order)
        ],
        "near": _near(batches, parts, results, masses),
        "cement": _cement(main, trial.cement_product_id),
        "comparison": sent.get("comparison"),
        "aggregates": _aggregates(main),
        "advice": _advice(sent.get("cards", ())),
    }


def newest_batches(trial_id: int, mix_design_id: int | None = None) -> list[int]:
    """The newest batches of a trial: of this mix, or of the mix that was cast last, by the recipe of the last of them."""
    query = (
        select(Batch.id, MixRevision.id.label("revision_id"), MixRevision.mix_design_id)
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(Batch.trial_id == trial_id, Batch.retired_at.is_(None))
        .order_by(Batch.id.desc())
    )
    if mix_design_id is not None:
        query = query.where(MixRevision.mix_design_id == mix_design_id)
    rows = current_session().execute(query.limit(MOST_BATCHES)).all()
    of_mix = [row for row in rows if row.mix_design_id == rows[0].mix_design_id]
    recipes = recipes_of_revised({row.mix_design_id for row in of_mix})
    return sorted(row.id for row in by_one_recipe(of_mix, recipes))


def by_one_recipe(newest_first: Sequence[MainRow], recipes: Mapping[int, Recipe]) -> list[MainRow]:
    """Batches (`revision_id`) by the recipe of the newest: the sheet names one, and what was cast by a former one is another
    concrete. `recipes`: of revised mixes."""
    present = recipes.get(newest_first[0].revision_id, ()) if newest_first else ()
    return [row for row in newest_first if recipes.get(row.revision_id, ()) in ((), present)]


def released_by_age(
    trial_ids: Collection[int], mix_ids: Collection[int]
) -> dict[tuple[int, int], dict[int, Decimal]]:
    """What a sheet would say of each mix of these trials, by (trial, mix): MPa by age in days. Three statements, two more
    where mixes were revised."""
    place = func.row_number().over(
        partition_by=(Batch.trial_id, MixRevision.mix_design_id), order_by=Batch.id.desc()
    )
    numbered = (
        select(
            Batch.id, Batch.trial_id, Batch.curing, Batch.curing_temperature_c, Batch.mix_revision_id.label("revision_id"),
            MixRevision.mix_design_id.label("mix_id"), place.label("place"),
        )
        .join(MixRevision, MixRevision.id == Batch.mix_revision_id)
        .where(
            Batch.trial_id.in_(trial_ids), MixRevision.mix_design_id.in_(mix_ids), Batch.retired_at.is_(None)
        )
        .subquery()
    )  # fmt: skip
    query = select(numbered).where(numbered.c.place <= MOST_BATCHES).order_by(numbered.c.place)
    batches = current_session().execute(query).all()
    results = _results([row for row in batches if _standard(row)])
    recipes = recipes_of_revised(mix_ids)
    of_key: dict[tuple[int, int], list[MainRow]] = defaultdict(list)
    for row in batches:
        of_key[row.trial_id, row.mix_id].append(row)
    found = {}
    for key, rows in of_key.items():
        ids = {row.id for row in by_one_recipe(rows, recipes)}
        found[key] = {item["age_days"]: item["mpa"] for item in _strengths(_of_one_shape(results, ids), ids)}
    return found


def _in_order(row: MainRow) -> tuple[bool, Any, int]:
    """By casting; those of imported history, of which nobody knows when they were cast, stand first."""
    return row.cast_at is not None, row.cast_at or row.id, row.id


def _day(moment: datetime | None) -> Any:
    return local_time(moment).date() if moment is not None else None


def _standard(row: MainRow) -> bool:
    """Only what was cured as the standard says stands for the mix."""
    return cured_as_standard(row.curing, row.curing_temperature_c)


def _results(batches: Sequence[MainRow]) -> Sequence[MainRow]:
    """Results of the sets of these batches that are or once were released, and sets that wait for theirs."""
    of_set = Specimen.specimen_set_id == SpecimenSet.id
    return (
        current_session()
        .execute(
            select(
                SpecimenSet.batch_id,
                SpecimenSet.id.label("set_id"),
                SpecimenSet.age_days,
                SpecimenSet.due_at,
                select(func.min(Specimen.shape)).where(of_set).scalar_subquery().label("shape"),
                SetResult.strength_mpa,
                SetResult.specimen_count,
                SetResult.rule_id,
                SetResult.state,
                SetResult.superseded_at,
                SetResult.released_at,
            )
            .outerjoin(
                SetResult,
                and_(
                    SetResult.specimen_set_id == SpecimenSet.id,
                    SetResult.state.in_(("released", "retracted")),
                ),
            )
            .where(
                SpecimenSet.batch_id.in_([row.id for row in batches]),
                SpecimenSet.state.in_(("waiting", "broken")),
                SpecimenSet.age_days > 0,
            )
            .order_by(SpecimenSet.age_days, SpecimenSet.id, SetResult.number)
        )
        .all()
    )


def _released(row: MainRow) -> bool:
    return row.state == "released" and row.superseded_at is None and row.strength_mpa is not None


def _of_one_shape(results: Sequence[MainRow], batch_ids: set[int]) -> list[MainRow]:
    """Without what was broken as cylinders where most of these batches' sets were cubes, or the other way round: a cylinder
    bears about four fifths of what a cube does, so no mean is made of both, nor do they stand beside each other."""
    own = commonest_shape(
        shape_of_rule(row.rule_id) for row in results if row.batch_id in batch_ids and _released(row)
    )
    # Nothing of these is released yet: then what stands beside them is of one shape.
    wanted = own or commonest_shape(shape_of_rule(row.rule_id) for row in results if _released(row))
    return [
        row
        for row in results
        if shape_of_rule(row.rule_id or "") in ("", wanted) or (not own and row.batch_id in batch_ids)
    ]


def _grade(newest: MainRow, results: Sequence[MainRow]) -> Decimal | None:
    """The grade that the strengths of the sheet are held against: of a class of two numbers (C30/37) the one of their shape,
    before any is released of the specimens that were cast. `results`: of the trial's own batches."""
    released = commonest_shape(shape_of_rule(row.rule_id) for row in results if _released(row))
    shape = released or commonest_shape(row.shape or "" for row in results)
    return grade_of_shape(newest.strength_class, newest.grade_mpa, shape)


def _strengths(results: Sequence[MainRow], batch_ids: set[int]) -> list[dict[str, Any]]:
    by_age: dict[int, list[MainRow]] = defaultdict(list)
    for row in results:
        if row.batch_id in batch_ids and _released(row):
            by_age[row.age_days].append(row)
    return [
        {
            "age_days": age,
            "mpa": _mean(rows),
            "sets": len(rows),
            "specimens": sum(row.specimen_count for row in rows),
        }
        for age, rows in sorted(by_age.items())
    ]


def _mean(rows: Sequence[MainRow]) -> Decimal:
    return (sum((row.strength_mpa for row in rows), Decimal(0)) / len(rows)).quantize(TENTH)


def _result(results: Sequence[MainRow], main: Sequence[MainRow]) -> dict[str, Any] | None:
    """At 28 days: what was released, or when it is expected."""
    ids = {row.id for row in main}
    rows = [row for row in results if row.batch_id in ids and row.age_days == TARGET_DAYS]
    known = [row for row in rows if _released(row)]
    if known:
        released = [row.released_at for row in known if row.released_at is not None]
        return {
            "mpa": _mean(known),
            "specimens": sum(row.specimen_count for row in known),
            "released_on": _day(max(released)) if released else None,
        }
    # What was taken back, or came out invalid, is awaited no more.
    over = {row.set_id for row in rows if row.state == "retracted" or (row.state and not row.superseded_at)}
    due = [row.due_at for row in rows if row.due_at is not None and row.set_id not in over]
    return {"expected_on": _day(min(due))} if due else None


def _changes(results: Sequence[MainRow], batch_ids: set[int], sent_at: datetime) -> list[dict[str, Any]]:
    """Results that the reader may have seen and that were amended or taken back since."""
    counts = {row.set_id for row in results if _released(row)}
    return [
        {
            "age_days": row.age_days,
            "what": "amended" if row.set_id in counts else "withdrawn",
            "on": _day(row.superseded_at),
        }
        for row in results
        if row.batch_id in batch_ids
        and row.superseded_at is not None
        and row.released_at is not None
        and row.superseded_at > sent_at
    ]


def _masses(revision_ids: set[int]) -> dict[int, dict[str, Decimal]]:
    """revision -> kind -> kg/m³."""
    found: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    rows = current_session().execute(
        select(MixComponent.revision_id, MixComponent.kind, MixComponent.mass_kg_m3)
        .where(MixComponent.revision_id.in_(revision_ids))
        .order_by(MixComponent.id)
    )
    for revision_id, kind, mass in rows:
        found[revision_id][kind] += mass
    return found


def _ratio(masses: dict[str, Decimal]) -> tuple[Decimal | None, Decimal | None]:
    """Binder, kg/m³, and water to binder."""
    binder = sum((masses.get(kind, Decimal(0)) for kind in BINDERS), Decimal(0))
    water = masses.get("water")
    ratio = (water / binder).quantize(Decimal("0.01")) if binder and water else None
    return (binder or None), ratio


def _mix(masses: dict[str, Decimal]) -> dict[str, Any] | None:
    if not masses:
        return None
    sand, stone = masses.get("fine_aggregate", Decimal(0)), masses.get("coarse_aggregate", Decimal(0))
    return {
        "water_binder_ratio": _ratio(masses)[1],
        "sand_ratio_percent": (sand * 100 / (sand + stone)).quantize(Decimal(1)) if sand + stone else None,
        "components": [
            {"kind": kind, "mass_kg_m3": mass.normalize()} for kind, mass in masses.items() if mass
        ],
    }


def _near(
    batches: Sequence[MainRow],
    parts: dict[int, int],
    results: Sequence[MainRow],
    masses: dict[int, dict[str, Decimal]],
) -> list[dict[str, Any]]:
    """The mixes beside, under letters: their codes and names tell whose they are."""
    by_part: dict[int, list[MainRow]] = defaultdict(list)
    for row in batches:
        if parts[row.id]:
            by_part[parts[row.id]].append(row)
    found = []
    for place, (_part, rows) in enumerate(sorted(by_part.items())):
        binder, ratio = _ratio(masses.get(rows[-1].revision_id, {}))
        found.append(
            {
                "label": chr(ord("A") + place),
                "strength_class": rows[-1].strength_class,
                "water_binder_ratio": ratio,
                "binder_kg_m3": binder.quantize(Decimal(1)) if binder else None,
                "strengths": _strengths(results, {row.id for row in rows}),
            }
        )
    return found


def _cement(main: Sequence[MainRow], product_id: int | None) -> dict[str, Any] | None:
    """The lot that was cast last with its mill figures; another maker's product stays a type and a class."""
    session = current_session()
    lot_id = next((row.cement_lot_id for row in reversed(main) if row.cement_lot_id is not None), None)
    lot = session.get(CementLot, lot_id) if lot_id is not None else None
    product = session.get(CementProduct, lot.cement_product_id if lot is not None else product_id or 0)
    if product is None:
        return None
    found: dict[str, Any] = {
        "name": product.name if product.origin == "own" else None,
        "cement_type": product.cement_type,
        "strength_class": product.strength_class,
    }
    if lot is not None:
        for name in (
            "specific_surface_m2_kg", "initial_set_min", "final_set_min", "strength_3d_mpa", "strength_28d_mpa",
        ):  # fmt: skip
            found[name] = getattr(lot, name)
    return found


def _aggregates(main: Sequence[MainRow]) -> list[dict[str, Any]]:
    session = current_session()
    ids = {row.aggregate_sample_id for row in main if row.aggregate_sample_id is not None}
    if main:
        ids |= set(
            session.scalars(
                select(BatchLot.aggregate_sample_id).where(
                    BatchLot.batch_id.in_([row.id for row in main]),
                    BatchLot.aggregate_sample_id.is_not(None),
                    BatchLot.retired_at.is_(None),
                )
            )
        )
    if not ids:
        return []
    rows = session.execute(
        select(AggregateSample, AggregateSource.kind, Region.name)
        .join(AggregateSource, AggregateSource.id == AggregateSample.aggregate_source_id)
        .outerjoin(Region, Region.id == AggregateSource.region_id)
        .where(AggregateSample.id.in_(ids))
        .order_by(AggregateSource.kind, AggregateSample.id)
    )
    return [
        {
            "kind": kind,
            "region": region,
            **{
                name: getattr(sample, name)
                for name in (
                    "season", "fineness_modulus", "sand_class", "zone", "mud_percent", "clay_lumps_percent",
                    "largest_size_mm", "moisture_percent",
                )
            },
        }
        for sample, kind, region in rows
    ]  # fmt: skip


def _advice(card_ids: Sequence[int]) -> list[dict[str, Any]]:
    if not card_ids:
        return []
    rows = current_session().scalars(
        select(AdviceCard)
        .where(AdviceCard.id.in_(card_ids), AdviceCard.retired_at.is_(None))
        .order_by(AdviceCard.id)
    )
    return [{"name": card.name, "body": card.body} for card in rows]
