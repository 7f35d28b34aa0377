"""Pages of materials: a sample's grading in its zone, a cement lot beside the concrete made of it, a region."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from lims.base.database import current_session
from lims.base.display import format_decimal, local_today
from lims.base.security import may
from lims.base.services import SERVICES
from lims.comparison.programme import SAMPLE_AGES_AFTER
from lims.customers.models import Competitor, Customer
from lims.customers.schemas import CUSTOMER_STATUS, LAPSE_REASONS
from lims.materials.models import AggregateSample, AggregateSource, CementLot, CementTest, Region
from lims.mixes.models import MixRevision
from lims.results.models import SetResult
from lims.standards.aggregates import (
    MUD_LIMITS,
    SAND_SIEVES_MM,
    SAND_ZONES,
    astm_fineness_modulus,
    fineness_modulus,
    impurity_limits,
)
from lims.standards.cement import final_set_max, mortar_strength, setting_checks
from lims.standards.errors import RuleInputError
from lims.standards.specimens import shape_of_rule
from lims.trials.models import Batch, SpecimenSet, where_cured_as_standard
from lims.trials.warnings import USUAL_GRADE_MPA

SHOWN_LOTS = 24
SHOWN_LOST = 12


def sample_context(sample: AggregateSample) -> dict[str, Any]:
    """Grading curve with the zone it lies in, both moduli, and impurities beside their limits."""
    context: dict[str, Any] = {
        "grading": None,
        "grading_chart": None,
        "impurities": _impurities(sample),
        "shown_grade": format_decimal(USUAL_GRADE_MPA),
    }
    masses = sample.retained_masses_g
    if not masses:
        return context
    try:
        found = fineness_modulus(masses)
    except RuleInputError:
        return context  # what was typed is shown, but it makes no curve
    zone = found.zone or "II"
    limits = SAND_ZONES[zone]
    context["grading"] = {
        "rows": [
            {
                "sieve": sieve,
                "mass": format_decimal(mass),
                "cumulative": f"{cumulative:.1f}",
                "low": low,
                "high": high,
                "inside": low <= round(cumulative) <= high,
            }
            for sieve, mass, cumulative, (low, high) in zip(
                SAND_SIEVES_MM, masses, found.cumulative_percent, limits, strict=False
            )
        ],
        "pan": format_decimal(masses[-1]),
        "modulus": f"{found.reported:.2f}",
        "astm_modulus": f"{astm_fineness_modulus(masses):.2f}",
        "zone": found.zone,
        "compared_with": zone,
    }
    context["grading_chart"] = {
        "x": list(SAND_SIEVES_MM),
        "most": 100,
        "series": [
            {
                "name": _("Cumulative retained"),
                "data": [round(float(v), 1) for v in found.cumulative_percent],
            },
            {
                "name": _("Zone %(zone)s, least", zone=zone),
                "data": [low for low, _high in limits],
                "dashed": True,
            },
            {
                "name": _("Zone %(zone)s, most", zone=zone),
                "data": [high for _low, high in limits],
                "dashed": True,
            },
        ],
        "labels": {"x": _("Sieve, mm"), "y": "%"},
    }
    return context


def _impurities(sample: AggregateSample) -> list[dict[str, Any]]:
    kind = "sand" if sample.aggregate_source.kind == "fine" else "stone"
    limits = impurity_limits(kind, USUAL_GRADE_MPA)
    values = {
        "mud": (_("Mud"), sample.mud_percent),
        "lumps": (_("Clay lumps"), sample.clay_lumps_percent),
        "flaky": (_("Flaky particles"), sample.flaky_percent),
    }
    return [
        {
            "label": label,
            "value": format_decimal(value),
            "limit": format_decimal(limits[name]),
            "inside": value <= limits[name],
        }
        for name, (label, value) in values.items()
        if value is not None and name in MUD_LIMITS[kind]
    ]


def lot_context(lot: CementLot) -> dict[str, Any]:
    """This lot among the product's lots: what the mill certified and what the concrete of each lot gave."""
    session = current_session()
    lots = list(
        session.scalars(
            select(CementLot)
            .where(CementLot.cement_product_id == lot.cement_product_id, CementLot.retired_at.is_(None))
            .order_by(CementLot.produced_on.desc(), CementLot.id.desc())
            .limit(SHOWN_LOTS)
        )
    )[::-1]
    concrete = _concrete_of_lots(lot.id, [item.id for item in lots]) if may("read", "set-results") else None
    by_lot = concrete.by_lot if concrete is not None else {}
    of_what = _("Concrete of the lot, 28 d")
    if concrete is not None:
        of_what = _("Concrete of the lot, %(mix)s, 28 d", mix=concrete.mix)
    rows_shown = [
        {
            "lot": item,
            "here": item.id == lot.id,
            "mill": f"{item.strength_28d_mpa:.1f}" if item.strength_28d_mpa is not None else "–",
            "surface": format_decimal(item.specific_surface_m2_kg)
            if item.specific_surface_m2_kg is not None
            else "–",
            "setting": _setting(item),
            "concrete": f"{by_lot[item.id].mean_mpa:.1f}" if item.id in by_lot else "–",
            "count": by_lot[item.id].sets if item.id in by_lot else 0,
        }
        for item in lots
    ]
    chart = None
    if len(lots) > 1:
        chart = {
            "x": [item.code for item in lots],
            "least": True,
            "series": [
                {
                    "name": _("Mill certificate, 28 d"),
                    "data": [
                        float(i.strength_28d_mpa) if i.strength_28d_mpa is not None else None for i in lots
                    ],
                },
                {
                    "name": of_what,
                    "data": [float(f"{by_lot[i.id].mean_mpa:.1f}") if i.id in by_lot else None for i in lots],
                },
            ],
            "labels": {"x": _("Cement lot"), "y": "MPa"},
        }
    return {
        "lot_rows": rows_shown,
        "lot_chart": chart,
        "lot_concrete": of_what,
        "too_old": lot.needs_retest,
    }


def _setting(lot: CementLot) -> str:
    """Initial and final set of the certificate, min; a dash for the one that it does not say, one for both."""
    if lot.initial_set_min is None and lot.final_set_min is None:
        return "–"
    return " / ".join(
        "–" if found is None else str(found) for found in (lot.initial_set_min, lot.final_set_min)
    )


class _OfLot(NamedTuple):
    sets: int
    mean_mpa: Decimal


class _ConcreteOfLots(NamedTuple):
    """What lots can be held against each other by: one mix, sets of one shape. `by_lot`: lot id -> its sets at 28 d."""

    mix: str
    by_lot: dict[int, _OfLot]


def _concrete_of_lots(lot_id: int, lot_ids: Sequence[int]) -> _ConcreteOfLots | None:
    """Of the mixes that this lot was cast with (of all, where it was with none) the one that most of the lots share, then
    the one with most sets: a lot that went into C50 is no stronger cement than one that went into C30."""
    rows = current_session().execute(
        select(
            Batch.cement_lot_id,
            Batch.mix_revision_id,
            SetResult.rule_id,
            func.count(),
            func.sum(SetResult.strength_mpa),
        )
        .join(SpecimenSet, SpecimenSet.batch_id == Batch.id)
        .join(SetResult, SetResult.specimen_set_id == SpecimenSet.id)
        .where(
            Batch.cement_lot_id.in_(lot_ids),
            where_cured_as_standard(),
            SpecimenSet.age_days == 28,
            SetResult.superseded_at.is_(None),
            SetResult.strength_mpa.is_not(None),
        )
        .group_by(Batch.cement_lot_id, Batch.mix_revision_id, SetResult.rule_id)
    )
    sums: dict[tuple[int, str], dict[int, tuple[int, Decimal]]] = defaultdict(dict)
    for of_lot, revision_id, rule_id, number, total in rows:
        assert of_lot is not None
        assert total is not None
        lots = sums[revision_id, shape_of_rule(rule_id)]
        before, sum_before = lots.get(of_lot, (0, Decimal(0)))
        lots[of_lot] = (before + number, sum_before + total)
    if not sums:
        return None
    of_this = {key for key, lots in sums.items() if lot_id in lots} or set(sums)
    chosen = max(
        sorted(of_this), key=lambda key: (len(sums[key]), sum(sets for sets, _sum in sums[key].values()))
    )
    revision = current_session().get_one(MixRevision, chosen[0])
    return _ConcreteOfLots(
        revision.title,
        {key: _OfLot(sets, total / sets) for key, (sets, total) in sums[chosen].items()},
    )


def cement_test_context(test: CementTest) -> dict[str, Any]:
    """The six values with what was left out, and setting beside its limits."""
    context: dict[str, Any] = {"mortar": None, "setting": []}
    if test.values:
        verdict = mortar_strength(test.values)
        context["mortar"] = {
            "strength": None if verdict.strength_mpa is None else f"{verdict.strength_mpa:.1f}",
            "mean": f"{verdict.mean_of_six_mpa:.2f}",
            "rows": [
                {
                    "value": f"{value:.1f}",
                    "percent": f"{(value / verdict.mean_of_six_mpa - 1) * 100:+.1f}",
                    "out": value in verdict.dropped,
                }
                for value in test.values
            ],
        }
    kind = test.cement_lot.cement_product.cement_type
    if test.initial_set_min and test.final_set_min and final_set_max(kind) is not None:
        context["setting"] = setting_checks(Decimal(test.initial_set_min), Decimal(test.final_set_min), kind)
    return context


def region_context(region: Region) -> dict[str, Any]:
    """Customers by state, and the latest sample of each pit with its age."""
    session = current_session()
    states = {}
    if may("read", "customers"):
        rows = session.execute(
            select(Customer.status, func.count())
            .where(
                Customer.region_id == region.id,
                Customer.retired_at.is_(None),
                *SERVICES["customers"].visible(),
            )
            .group_by(Customer.status)
        )
        counted = {status: int(count) for status, count in rows}
        states = {str(label): counted.get(key, 0) for key, label in CUSTOMER_STATUS.items()}
    samples = session.scalars(
        select(AggregateSample)
        .join(AggregateSource)
        .where(AggregateSource.region_id == region.id, AggregateSample.retired_at.is_(None))
        .options(joinedload(AggregateSample.aggregate_source))
        .order_by(AggregateSample.sampled_on.desc())
        .limit(200)
    )
    latest: dict[int, AggregateSample] = {}
    history: dict[int, list[AggregateSample]] = defaultdict(list)
    for sample in samples:
        latest.setdefault(sample.aggregate_source_id, sample)
        history[sample.aggregate_source_id].append(sample)
    today = local_today()
    pits = [
        {
            "source": sample.aggregate_source,
            "sample": sample,
            "old": today - sample.sampled_on > SAMPLE_AGES_AFTER,
            "count": len(history[source_id]),
        }
        for source_id, sample in latest.items()
    ]
    return {"customer_states": states, "pits": pits, **_market(region)}


def _market(region: Region) -> dict[str, Any]:
    """Competitors seen in the region, the latest word on each, and the customers lost there with the reason."""
    session = current_session()
    competitors: dict[str, Competitor] = {}
    if may("read", "competitors"):
        seen = session.scalars(
            select(Competitor)
            .where(
                Competitor.region_id == region.id,
                Competitor.retired_at.is_(None),
                *SERVICES["competitors"].visible(),
            )
            .order_by(Competitor.seen_on.desc(), Competitor.id.desc())
        )
        for item in seen:
            competitors.setdefault(item.name, item)
    lost: list[Any] = []
    if may("read", "customers"):
        lost = list(
            session.scalars(
                select(Customer)
                .where(
                    Customer.region_id == region.id,
                    Customer.status == "lapsed",
                    Customer.retired_at.is_(None),
                    *SERVICES["customers"].visible(),
                )
                .order_by(Customer.changed_at.desc())
                .limit(SHOWN_LOST)
            )
        )
    return {"competitors": list(competitors.values()), "lost": lost, "lapse_reasons": LAPSE_REASONS}
