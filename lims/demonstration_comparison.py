"""The second story of the source documents: a mixing station doubts the cement's late strength.

Invented data by one law, drawn from a fixed seed; every figure shown comes out of the fit, none is written down:

    ln f(28 d) = ln A + BETA ln(b/w) + offset + lot + batch + specimen

`offset` is 0 for the competitor's cement, BEFORE for ours before the change at the works and AFTER after it. At C35's
fcu,0 the law asks for 15 kg/m³ more binder before (BEFORE = -BETA ln(1 + 15/369)) and nothing worth naming after.
At 7 days both cements are alike: only the late strength was low. The water reducer is dosed to the same slump, 0.3 % of
the binder more with ours before the change, 0.08 % after it, and varies by lot. A tonne of ours costs 14 yuan less.
"""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import NormalDist
from typing import Any

from lims.base.actor import Actor, system_actor
from lims.base.columns import utc_now
from lims.base.database import current_session, transaction
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from lims.standards.proportioning import target_strength
from lims.trials.models import Batch

SEED = 2018
LEVEL_MPA, BETA = 16.7, 1.25
#: Share of the 28-day strength at 7 days: the competitor's, and ours before and after (late strength was what lacked).
SHARE_7D = {"other": 0.76, "before": 0.80, "after": 0.76}
OFFSET = {"other": 0.0, "before": -BETA * math.log(1 + 15 / 369), "after": 0.0}
DOSE_PERCENT = {"other": 1.80, "before": 2.10, "after": 1.88}
LOT_SD, BATCH_SD, SPECIMEN_SD, DOSE_SD = 0.007, 0.012, 0.020, 0.04
#: Mortar at 28 d, MPa, and standard water demand, %, of the lots.
MORTAR_MPA = {"other": 50.0, "before": 47.4, "after": 50.2}
WATER_DEMAND = {"other": 26.6, "before": 27.7, "after": 26.7}
INITIAL_SET = {"other": 168, "before": 178, "after": 162}
SURFACE_M2_KG = {"other": 358, "before": 352, "after": 361}
ALUMINA_PERCENT = {"other": 5.2, "before": 5.0, "after": 5.4}
SHARE_PERCENT = {"other": 14.0, "before": 13.0, "after": 13.0}
RESIDUE_PERCENT = {"other": 4.1, "before": 6.0, "after": 2.9}
WATER_KG_M3, FLY_ASH_SHARE = 172, 0.20
RATIOS = (0.40, 0.46, 0.52)
LOTS = 6
#: Days before today: first lot of each period, days between lots, and the day of the change.
FIRST_LOT = {"before": 196, "after": 96}
DAYS_BETWEEN = 11
CHANGE_DAYS_AGO = 105
PRICES = (
    ("fly_ash", "180"),
    ("slag", "230"),
    ("superplasticizer", "2200"),
    ("coarse_aggregate", "66"),
    ("fine_aggregate", "78"),
)
LOADED_KN_PER_MPA = 22.5
GRADE_MPA = Decimal(35)


def add_late_strength(region: Any, actor: Actor) -> None:
    """Cements, trials before and after, the change at the works, both comparisons, prices and the weekly programme."""
    chance = random.Random(SEED)  # noqa: S311 - invented data, nothing secret
    now = utc_now()

    def day(ago: int) -> str:
        return f"{now - timedelta(days=ago):%Y-%m-%d}"

    own = SERVICES["cement-products"].add(
        {"code": "PO425-2", "name": "P.O 42.5, line 2 二线", "cement_type": "P.O", "strength_class": "42.5"},
        actor,
    )
    other = SERVICES["cement-products"].find(code="X-PO425")
    assert other is not None  # the demonstration has added it
    customer = SERVICES["customers"].add(
        {
            "code": "K-HX",
            "name": "河西搅拌站 Hexi Mixing Station",
            "kind": "mixing_station",
            "status": "trial",
            "region_id": region.id,
            "contact_name": "Zhao Min",
        },
        actor,
    )
    for product, price in ((own, "386"), (other, "400")):
        _price({"kind": "cement", "cement_product_id": product.id, "price_per_t": price}, day(260), actor)
    for kind, price in PRICES:
        _price({"kind": kind, "price_per_t": price}, day(260), actor)

    materials = _materials(region, customer, day, actor)
    mixes = {
        (product.code, ratio): _mix(product, ratio, "before" if product is own else "other", actor)
        for product in (own, other)
        for ratio in RATIOS
    }
    trials, first_lot = {}, None
    for period in ("before", "after"):
        trials[period] = SERVICES["trials"].add(
            {
                "name": f"Hexi: late strength, {period} the change",
                "purpose": "Invented for the demonstration: the station's own materials with both cements.",
                "customer_id": customer.id,
                "region_id": region.id,
                "cement_product_id": own.id,
                "started_on": day(FIRST_LOT[period] - 6),
            },
            actor,
        )
        for product, kind in ((other, "other"), (own, period)):
            lucks = _spread(LOTS, LOT_SD, chance)
            for number, luck in enumerate(lucks, start=1):
                with transaction(actor, "demonstration"):  # one commit a lot, not one a record
                    ago = FIRST_LOT[period] - (number - 1) * DAYS_BETWEEN
                    code = f"{'N' if product is own else 'X'}{period[0].upper()}{number}"
                    lot = _lot(product, kind, code, ago, chance, day, actor)
                    if kind == "after" and first_lot is None:
                        first_lot = lot
                    dose = DOSE_PERCENT[kind] + chance.gauss(0, DOSE_SD)
                    for place, ratio in enumerate(RATIOS):
                        revision = _dosed(mixes[product.code, ratio], ratio, dose, product, actor)
                        cast_at = now - timedelta(days=ago - 6, hours=2 * place)
                        _batch(
                            trials[period],
                            revision,
                            lot,
                            kind,
                            ratio,
                            luck,
                            cast_at,
                            materials,
                            chance,
                            actor,
                        )
    assert first_lot is not None
    _change(own, first_lot, day, actor)
    _comparisons(own, other, customer, trials, actor)
    _programme(trials["after"], mixes, own, now, actor)
    current_session().info.pop("forecast_mixes", None)


def _spread(count: int, deviation: float, chance: random.Random) -> list[float]:
    """Deviations of lots in a random order: the middles of equal shares of the normal curve, so that six lots of luck
    do not hide what the story is about."""
    values = [deviation * NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)]
    chance.shuffle(values)
    return values


def _price(values: dict[str, Any], valid_from: str, actor: Actor) -> None:
    SERVICES["prices"].add({**values, "valid_from": valid_from}, actor)


def _materials(region: Any, customer: Any, day: Any, actor: Actor) -> dict[str, Any]:
    """The station's own sand, stone, fly ash and admixture; the stone's sample is older than a quarter."""
    sand = SERVICES["aggregate-sources"].add(
        {"code": "S-HX", "name": "河西 Hexi river sand", "region_id": region.id, "kind": "fine"}, actor
    )
    stone = SERVICES["aggregate-sources"].add(
        {
            "code": "G-QS",
            "name": "青石 Qingshi quarry",
            "region_id": region.id,
            "kind": "coarse",
            "rock": "limestone",
        },
        actor,
    )
    samples = [
        SERVICES["aggregate-samples"].add(
            {
                "code": f"{source.code}-1",
                "aggregate_source_id": source.id,
                "sampled_on": day(ago),
                "mud_percent": "0.8",
                **more,
            },
            actor,
        )
        for source, ago, more in ((sand, 60, {}), (stone, 200, {"largest_size_mm": "25"}))
    ]
    fly_ash = SERVICES["scm-lots"].add(
        {"code": "FA-HX-1", "kind": "fly_ash", "supplier": "Hexi power station"}, actor
    )
    reducer = SERVICES["admixture-lots"].add(
        {"code": "PCE-HX-1", "kind": "superplasticizer", "solids_percent": "18"}, actor
    )
    for kind, reference, lot in (
        ("fine_aggregate", "aggregate_sample_id", samples[0]),
        ("coarse_aggregate", "aggregate_sample_id", samples[1]),
        ("fly_ash", "scm_lot_id", fly_ash),
        ("superplasticizer", "admixture_lot_id", reducer),
    ):
        SERVICES["customer-materials"].add(
            {"customer_id": customer.id, "kind": kind, reference: lot.id, "received_on": day(60)}, actor
        )
    return {"sand": samples[0], "stone": samples[1], "fly_ash": fly_ash, "reducer": reducer}


def _recipe(ratio: float, dose_percent: float, product: Any) -> dict[str, Any]:
    binder = round(WATER_KG_M3 / ratio)
    solid = 2.65 * (985 - WATER_KG_M3 - binder / 3.05)
    return {
        "cement_kg_m3": str(round(binder * (1 - FLY_ASH_SHARE))),
        "fly_ash_kg_m3": str(binder - round(binder * (1 - FLY_ASH_SHARE))),
        "water_kg_m3": str(WATER_KG_M3),
        "superplasticizer_kg_m3": f"{binder * dose_percent / 100:.1f}",
        "coarse_aggregate_kg_m3": str(round(solid * 0.58)),
        "fine_aggregate_kg_m3": str(round(solid * 0.42)),
        "cement_product_id": product.id,
    }


def _mix(product: Any, ratio: float, kind: str, actor: Actor) -> Any:
    return SERVICES["mix-designs"].add(
        {
            "code": f"HX-{round(100 * ratio)}{'' if product.origin == 'own' else '-X'}",
            "name": f"Hexi, w/b {ratio:.2f}",
            "slump_mm": "190",
            **_recipe(ratio, DOSE_PERCENT[kind], product),
        },
        actor,
    )


def _dosed(mix: Any, ratio: float, dose_percent: float, product: Any, actor: Actor) -> Any:
    """The recipe with the dose that brings this lot to the slump."""
    return SERVICES["mix-revisions"].add(
        {
            "mix_design_id": mix.id,
            "reason": "admixture adjusted to 190 mm",
            **_recipe(ratio, dose_percent, product),
        },
        actor,
    )


def _lot(product: Any, kind: str, code: str, ago: int, chance: random.Random, day: Any, actor: Actor) -> Any:
    initial = round(chance.gauss(INITIAL_SET[kind], 6))
    lot = SERVICES["cement-lots"].add(
        {
            "code": code,
            "cement_product_id": product.id,
            "produced_on": day(ago),
            "delivered_on": day(ago - 4),
            "mass_t": "450",
            "residue_45um_percent": f"{chance.gauss(RESIDUE_PERCENT[kind], 0.3):.1f}",
            "initial_set_min": str(initial),
            "final_set_min": str(initial + 62),
            "strength_3d_mpa": f"{chance.gauss(27.0, 0.5):.1f}",
            "strength_28d_mpa": f"{chance.gauss(MORTAR_MPA[kind], 0.6):.1f}",
            # Of the code's own chance: the figures above stay what they were.
            **_analysis(kind, random.Random(code)),  # noqa: S311 - a demonstration's noise
        },
        actor,
    )
    if product.origin == "own":
        SERVICES["cement-tests"].add(
            {
                "cement_lot_id": lot.id,
                "tested_on": day(ago - 5),
                "age_days": "3",
                "water_demand_percent": f"{chance.gauss(WATER_DEMAND[kind], 0.25):.1f}",
            },
            actor,
        )
    return lot


def _analysis(kind: str, chance: random.Random) -> dict[str, str]:
    return {
        "specific_surface_m2_kg": f"{chance.gauss(SURFACE_M2_KG[kind], 4):.0f}",
        "al2o3_percent": f"{chance.gauss(ALUMINA_PERCENT[kind], 0.05):.2f}",
        "scm_type": "fly ash",
        "scm_share_percent": f"{chance.gauss(SHARE_PERCENT[kind], 0.5):.1f}",
    }


def _batch(
    trial: Any,
    revision: Any,
    lot: Any,
    kind: str,
    ratio: float,
    luck: float,
    cast_at: datetime,
    materials: dict[str, Any],
    chance: random.Random,
    actor: Actor,
) -> None:
    batch: Batch = SERVICES["batches"].add(
        {
            "trial_id": trial.id,
            "mix_revision_id": revision.id,
            "cast_at": cast_at.isoformat(),
            "volume_m3": "0.04",
            "plan_ages": "7,28",
            "cement_lot_id": lot.id,
            "aggregate_sample_id": materials["sand"].id,
            "fly_ash_lot_id": materials["fly_ash"].id,
            "superplasticizer_lot_id": materials["reducer"].id,
            "slump_mm": str(chance.randrange(180, 205, 5)),
        },
        actor,
    )
    binder = round(WATER_KG_M3 / ratio)
    log_mpa = math.log(LEVEL_MPA) + BETA * math.log(binder / WATER_KG_M3) + OFFSET[kind] + luck
    mean = math.exp(log_mpa + chance.gauss(0, BATCH_SD))
    for found in batch.sets:
        share = 1.0 if found.age_days == 28 else SHARE_7D[kind] * math.exp(chance.gauss(0, 0.015))
        loads = [
            f"{mean * share * math.exp(chance.gauss(0, SPECIMEN_SD)) * LOADED_KN_PER_MPA:.0f}"
            for _specimen in found.specimens
        ]
        entry = {
            "loads_kn": loads,
            "tested_at": (cast_at + timedelta(days=found.age_days)).isoformat(),
            "tested_by": "Li Wei",
        }
        record_set(found.id, SetBreaksIn.read(entry), actor)
        verify(found.id, system_actor("demo-checker"))
        release(found.id, system_actor("demo-checker"))


def _change(own: Any, first_lot: Any, day: Any, actor: Actor) -> None:
    SERVICES["process-changes"].add(
        {
            "name": "Clinker of line 2: alumina up, yellow core down",
            "cement_product_id": own.id,
            "holds_from": day(CHANGE_DAYS_AGO),
            "first_lot_id": first_lot.id,
            "reason": "Hexi: 15 kg/m³ more binder and more admixture than with the cement from across the river.",
            "al2o3_from_percent": "5.0",
            "al2o3_to_percent": "5.4",
            "residue_45um_from_percent": "6.0",
            "residue_45um_to_percent": "3.0",
            "other_changes": "Yellow-core clinker from 20 % to below 8 %: raw mix, tertiary air, burner and cooler.",
        },
        actor,
    )


def _comparisons(own: Any, other: Any, customer: Any, trials: dict[str, Any], actor: Actor) -> None:
    target, _deviation = target_strength(GRADE_MPA)
    earlier = None
    for period, name in (("before", "Hexi, before the change"), ("after", "Hexi, after the change")):
        kept = SERVICES["comparisons"].add(
            {
                "name": name,
                "own_id": own.id,
                "other_id": other.id,
                "customer_id": customer.id,
                "target_mpa": f"{target:.1f}",
                "trial_id": trials[period].id,
                **({"earlier_id": earlier.id} if earlier is not None else {}),
            },
            actor,
        )
        earlier = kept


def _programme(trial: Any, mixes: dict[Any, Any], own: Any, now: datetime, actor: Actor) -> None:
    """Two weeks of the station's programme: this one and the next."""
    for weeks, ratio, batches in ((0, 0.46, 2), (1, 0.40, 1), (1, 0.52, 1)):
        SERVICES["programme-entries"].add(
            {
                "trial_id": trial.id,
                "week_of": f"{now + timedelta(weeks=weeks):%Y-%m-%d}",
                "mix_revision_id": mixes[own.code, ratio].latest_revision_id,
                "batches": str(batches),
                "plan_ages": "3,7,28",
                "responsible": "Li Wei",
            },
            actor,
        )
