"""A season of production in the demonstration: twenty batches of one mix with four cement lots, the last one weaker.

Loads are drawn from a fixed seed: invented, and marked so in the trial's purpose.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from lims.accounts.service import find_user
from lims.base.actor import Actor, system_actor, user_actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.forecasts.service import refresh_mix
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, release, verify
from lims.trials.models import SpecimenSet

SEED = 20260
BATCHES = 20
BATCHES_OF_A_LOT = 5
FIRST_CAST_DAYS_AGO = 172
DAYS_BETWEEN = 7
#: Mean strength of the mix, MPa, by age; share that the lots give of it.
STRENGTH_MPA = {3: 18.6, 7: 27.4, 28: 39.5}
LOT_SHARES = (1.00, 1.02, 0.99, 0.90)
BATCH_CV, SPECIMEN_CV = 0.03, 0.025
LOADED_AREA_MM2 = 150 * 150


def add_production(cement: Any, region: Any, customer: Any, press: Any, actor: Actor) -> None:
    """Mix, lots, batches and released breaks; one forecast of the mix at the end."""
    chance = random.Random(SEED)  # noqa: S311 - invented data, nothing secret
    now = utc_now()
    manager = find_user("manager")
    checker = (
        user_actor(manager.id, manager.get_full_name())
        if manager is not None
        else system_actor("demo-checker")
    )
    mix = SERVICES["mix-designs"].add(
        {
            "code": "C30-P",
            "name": "C30 production, Jiangbei",
            "strength_class": "C30",
            "slump_mm": "160",
            "cement_kg_m3": "300",
            "fly_ash_kg_m3": "70",
            "water_kg_m3": "170",
            "superplasticizer_kg_m3": "5.6",
            "coarse_aggregate_kg_m3": "1080",
            "fine_aggregate_kg_m3": "770",
            "cement_product_id": cement.id,
        },
        actor,
    )
    trial = SERVICES["trials"].add(
        {
            "name": "Jiangbei: production control",
            "purpose": "Invented for the demonstration: the last cement lot is weaker.",
            "customer_id": customer.id,
            "region_id": region.id,
            "cement_product_id": cement.id,
            "started_on": f"{now - timedelta(days=FIRST_CAST_DAYS_AGO):%Y-%m-%d}",
        },
        actor,
    )
    lots = []
    for number in range(1, len(LOT_SHARES) + 1):
        days_ago = FIRST_CAST_DAYS_AGO + 3 - (number - 1) * BATCHES_OF_A_LOT * DAYS_BETWEEN
        lot = {
            "code": f"P{number:03d}",
            "cement_product_id": cement.id,
            "produced_on": f"{now - timedelta(days=days_ago + 4):%Y-%m-%d}",
            "delivered_on": f"{now - timedelta(days=days_ago):%Y-%m-%d}",
            "mass_t": "420",
            "specific_surface_m2_kg": str(round(360 * LOT_SHARES[number - 1])),
            "initial_set_min": str(165 + 4 * number),
            "final_set_min": str(228 + 5 * number),
            "strength_28d_mpa": f"{49.5 * LOT_SHARES[number - 1]:.1f}",
        }
        lots.append(SERVICES["cement-lots"].add(lot, actor))
    for number in range(BATCHES):
        place = number // BATCHES_OF_A_LOT
        cast_at = now - timedelta(days=FIRST_CAST_DAYS_AGO - number * DAYS_BETWEEN)
        batch = SERVICES["batches"].add(
            {
                "trial_id": trial.id,
                "mix_revision_id": mix.latest_revision_id,
                "cast_at": cast_at.isoformat(),
                "volume_m3": "45",
                "cement_lot_id": lots[place].id,
                "slump_mm": str(chance.randrange(150, 175, 5)),
                "element": "Production",
            },
            actor,
        )
        share = LOT_SHARES[place] * chance.gauss(1, BATCH_CV)
        for waiting in (
            current_session().query(SpecimenSet).filter_by(batch_id=batch.id).order_by(SpecimenSet.id)
        ):
            mean = STRENGTH_MPA[waiting.age_days] * share
            loads = [
                f"{round(mean * chance.gauss(1, SPECIMEN_CV) * LOADED_AREA_MM2 / 1000)}"
                for _number in range(3)
            ]
            entry = SetBreaksIn.read(
                {
                    "loads_kn": loads,
                    "tested_at": (cast_at + timedelta(days=waiting.age_days)).isoformat(),
                    "press_id": press.id,
                    "tested_by": "Li Wei",
                }
            )
            record_set(waiting.id, entry, actor)
            verify(waiting.id, checker)
            release(waiting.id, checker)
    current_session().info.pop("forecast_mixes", None)
    refresh_mix(mix.id, system_actor("forecast"))
