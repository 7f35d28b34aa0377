"""Two trial sheets of the demonstration: one whose 28-day result is in, one that waits for it, and a prospect's answer.

Invented, like the production season.
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
from lims.sharing.answers import keep_answer
from lims.sharing.schemas import AnswerIn
from lims.sharing.service import ShareLinkService, count_view
from lims.trials.models import SpecimenSet

SEED = 1013
CAST_DAYS_AGO = 10
#: Mean strength of the prospect's mix, MPa.
EARLY_MPA = {3: 23.5, 7: 33.0}
VIEWS = (3, 2)


def add_shares(actor: Actor) -> None:
    """Once, when the customers of the demonstration are there."""
    prospect = SERVICES["customers"].find(code="K-002")
    seller = find_user("sales")
    cement = SERVICES["cement-products"].find(code="PO425")
    if (
        prospect is None
        or cement is None
        or seller is None
        or SERVICES["mix-designs"].find(code="C35-N") is not None
    ):
        return
    owner = user_actor(seller.id, seller.get_full_name())
    production = SERVICES["trials"].page(search="production control").items
    waiting, mix = _trial_of(prospect, cement, actor)
    cards = [card.id for card in SERVICES["advice-cards"].page(filters={"language": "en"}).items][:2]
    service = ShareLinkService()
    near = SERVICES["mix-designs"].find(code="C30-P")
    later = {
        "trial_id": waiting.id,
        "mix_design_id": mix.id,
        "near_ids": [near.id] if near is not None else [],
        "customer_id": prospect.id,
        "name": "Nanshan, for the mine's engineer",
        "note": "The mix for your lining, with our cement. The 28-day result appears here by itself.",
        "card_ids": cards,
    }
    first, _token = service.create(later, owner)
    links = [first]
    if production:
        links.append(
            service.create(
                {
                    "trial_id": production[0].id,
                    "customer_id": prospect.id
                    if production[0].customer_id is None
                    else production[0].customer_id,
                    "name": "Jiangbei, their production",
                    "card_ids": cards,
                },
                owner,
            )[0]
        )
    for link, views in zip(links, VIEWS, strict=False):
        for _view in range(views):
            count_view(link.id)
    keep_answer(
        first,
        AnswerIn.read(
            {
                "kind": "trial",
                "name": "Qin Yue",
                "company": prospect.name,
                "contact": "139 0000 0000",
                "message": "Our sand is crushed. Can you cast it with that?",
            }
        ),
    )


def _trial_of(prospect: Any, cement: Any, actor: Actor) -> tuple[Any, Any]:
    """A mix cast ten days ago: 3 and 7 d are released, 28 d waits."""
    chance, now = random.Random(SEED), utc_now()  # noqa: S311 - invented data, nothing secret
    mix = SERVICES["mix-designs"].add(
        {
            "code": "C35-N",
            "name": "C35 lining",
            "strength_class": "C35",
            "slump_mm": "180",
            "cement_kg_m3": "340",
            "fly_ash_kg_m3": "70",
            "water_kg_m3": "168",
            "superplasticizer_kg_m3": "6.6",
            "coarse_aggregate_kg_m3": "1045",
            "fine_aggregate_kg_m3": "750",
            "cement_product_id": cement.id,
        },
        actor,
    )
    trial = SERVICES["trials"].add(
        {
            "name": "Nanshan: C35 lining",
            "purpose": "Invented for the demonstration.",
            "customer_id": prospect.id,
            "region_id": prospect.region_id,
            "cement_product_id": cement.id,
        },
        actor,
    )
    cast_at = now - timedelta(days=CAST_DAYS_AGO)
    sample = SERVICES["aggregate-samples"].page().items
    batch = SERVICES["batches"].add(
        {
            "trial_id": trial.id,
            "mix_revision_id": mix.latest_revision_id,
            "cast_at": cast_at.isoformat(),
            "volume_m3": "40",
            "slump_mm": "185",
            "aggregate_sample_id": sample[0].id if sample else None,
            "element": "Lining",
        },
        actor,
    )
    for found in current_session().query(SpecimenSet).filter_by(batch_id=batch.id).order_by(SpecimenSet.id):
        if found.age_days not in EARLY_MPA or found.state != "waiting":
            continue
        loads = [f"{EARLY_MPA[found.age_days] * chance.gauss(1, 0.02) * 22.5:.0f}" for _specimen in range(3)]
        tested_at = cast_at + timedelta(days=found.age_days)
        record_set(
            found.id,
            SetBreaksIn.read({"loads_kn": loads, "tested_at": tested_at.isoformat(), "tested_by": "Li Wei"}),
            actor,
        )
        verify(found.id, system_actor("demo-checker"))
        release(found.id, system_actor("demo-checker"))
    current_session().info.pop("forecast_mixes", None)
    refresh_mix(mix.id, system_actor("forecast"))
    return trial, mix
