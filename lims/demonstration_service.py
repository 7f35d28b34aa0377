"""After-sales of the demonstration: customers in every stage, visits, a complaint whose clock runs, samples by season.

Invented, like the production season; nothing here is a measurement of a real customer.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from lims.accounts.service import list_users
from lims.aftersales.complaints import ComplaintService
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.services import SERVICES
from lims.demonstration_cases import add_cases
from lims.laboratory.service import save_laboratory
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set

#: Masses retained, g, of the pit's earlier seasons: river sand gets coarser with the floods.
SEASONS = (
    ("winter", 300, ("20", "45", "90", "130", "110", "80", "25")),
    ("spring", 210, ("22", "48", "95", "128", "106", "76", "25")),
    ("summer", 115, ("30", "60", "110", "120", "95", "65", "20")),
)
#: Days ago that a batch of the mix was cast, so that the due list has something on most days.
CAST_DAYS_AGO = (27, 25, 21, 6, 5, 4, 2, 1)
#: Of those batches: water that went in (the mix has 172 kg/m³: once the sand was wetter than thought) and air.
WATER_USED = ("172", "171.5", "172", "184", "172", "171", "172", "172")
AIR_C = ("16", "15", "17", "12", "9", "3.5", "8", "10")
#: Mean strength of the mix at early ages, MPa.
EARLY_MPA = {3: 19.0, 7: 27.0}
SEED = 20261124


def add_laboratory(actor: Actor) -> None:
    save_laboratory(
        {
            "name": "Jialing Concrete Laboratory",
            "works": "Jialing Cement 嘉陵水泥",
            "address": "1 Works Road",
            "timezone": "Asia/Shanghai",
            "language": "en",
            "code_family": "gb",
            "plan_ages": "3,7,28",
        },
        actor,
    )


def add_service(
    cement: Any, region: Any, source: Any, customer: Any, trial: Any, mix: Any, lot: Any, actor: Actor
) -> None:
    """What sales, service and the technician's week look like."""
    now = utc_now()

    def day(ago: int) -> str:
        return f"{now - timedelta(days=ago):%Y-%m-%d}"

    for season, ago, masses in SEASONS:
        names = ("4_75", "2_36", "1_18", "0_60", "0_30", "0_15", "pan")
        SERVICES["aggregate-samples"].add(
            {
                "code": f"{source.code}-{now - timedelta(days=ago):%y%m}",
                "aggregate_source_id": source.id,
                "sampled_on": day(ago),
                "season": season,
                "mud_percent": "2.1",
                **{f"retained_{name}_g": mass for name, mass in zip(names, masses, strict=True)},
            },
            actor,
        )
    people = {user.username: user.id for user in list_users()}
    if "sales" in people:
        SERVICES["region-staff"].add({"region_id": region.id, "user_id": people["sales"]}, actor)
    site = SERVICES["sites"].add(
        {
            "code": "S-B1",
            "name": "Riverside bridge 滨江大桥",
            "customer_id": customer.id,
            "region_id": region.id,
        },
        actor,
    )
    SERVICES["usage-cards"].add(
        {
            "customer_id": customer.id,
            "cement_product_id": cement.id,
            "recorded_on": day(40),
            "purpose": "C30 to C40, pumped",
            "monthly_use_t": "2600",
            "storage": "two silos of 200 t",
            "dosage_kg_m3": "310",
        },
        actor,
    )
    SERVICES["contacts"].add(
        {
            "customer_id": customer.id,
            "site_id": site.id,
            "name": "Luo Bin",
            "role": "driver",
            "phone": "023 5550 0142",
            "emergency": True,
        },
        actor,
    )
    SERVICES["visits"].add(
        {
            "customer_id": customer.id,
            "site_id": site.id,
            "visited_on": day(12),
            "purpose": "First pour with our cement",
            "findings": "Slump 180 mm at the pump, no segregation; the sand of the second truck was wet.",
            "advice": "Correct the water by the sand's moisture at every delivery.",
            "follow_up_on": day(-2),
        },
        actor,
    )
    SERVICES["surveys"].add(
        {
            "customer_id": customer.id,
            "answered_on": day(30),
            "quality": 5,
            "steadiness": 4,
            "delivery": 4,
            "service": 5,
        },
        actor,
    )
    for code, name, kind, status in (
        ("K-002", "南山矿 Nanshan mine", "mine", "prospect"),
        ("K-003", "宏远预制 Hongyuan Precast", "precast", "trial"),
        ("K-004", "通达路桥 Tongda Roads", "contractor", "prospect"),
    ):
        other = SERVICES["customers"].add(
            {"code": code, "name": name, "kind": kind, "status": status, "region_id": region.id}, actor
        )
        if kind == "precast":
            bought = {"code": code, "name": name, "kind": kind, "status": "active", "region_id": region.id}
            SERVICES["customers"].edit(other.id, bought, other.version, actor)
            late = SERVICES["complaints"].add(
                {
                    "customer_id": other.id,
                    "cement_lot_id": lot.id,
                    "received_at": (now - timedelta(hours=20)).isoformat(),
                    "category": "slow_setting",
                    "subject": "Slow setting in the morning shift",
                    "description": "Demoulding two hours later than last month.",
                },
                actor,
            )
            answer = {"at": (now - timedelta(hours=19)).isoformat(), "answer": "We come this evening."}
            ComplaintService().answer(late.id, answer, actor)
    SERVICES["share-links"].add(
        {
            "trial_id": trial.id,
            "customer_id": customer.id,
            "name": "Jiangbei, for their engineer",
            "days": 30,
        },
        actor,
    )
    tank = SERVICES["curing-tanks"].add({"code": "T1", "name": "Tank 1", "temperature_c": "20"}, actor)
    start = now - timedelta(days=20)
    for step in range(0, 20 * 24, 12):
        reading = {
            "curing_tank_id": tank.id,
            "read_at": (start + timedelta(hours=step)).isoformat(),
            "temperature_c": f"{20 + (step % 36) / 36 - 0.5:.1f}",
        }
        SERVICES["curing-readings"].add(reading, actor)
    SERVICES["moulds"].add({"code": "M-150-1", "shape": "cube", "width_mm": "150", "count": "12"}, actor)
    SERVICES["press-mappings"].add(
        {
            "code": "YES-2000-csv",
            "encoding": "gb18030",
            "code_column": "试件编号",
            "load_column": "最大荷载(kN)",
            "time_column": "试验时间",
            "time_format": "%Y-%m-%d %H:%M:%S",
            "tester_column": "试验员",
        },
        actor,
    )
    prisms = ("48.6", "49.9", "50.4", "49.1", "51.0", "43.2")
    SERVICES["cement-tests"].add(
        {
            "cement_lot_id": lot.id,
            "tested_on": day(1),
            "age_days": "28",
            "initial_set_min": "172",
            "final_set_min": "238",
            **{f"value_{number}_mpa": value for number, value in enumerate(prisms, start=1)},
        },
        actor,
    )
    _week(trial, mix, lot, tank, now, actor)
    add_cases(cement, region, people, actor)


def _week(trial: Any, mix: Any, lot: Any, tank: Any, now: datetime, actor: Actor) -> None:
    """Batches whose sets fall due around today; what is past is broken, the latest waits to be verified."""
    chance = random.Random(SEED)  # noqa: S311 - invented data, nothing secret
    press = SERVICES["presses"].find(code="YES-2000")
    for number, ago in enumerate(CAST_DAYS_AGO):
        cast_at = now - timedelta(days=ago, hours=3 * number % 7)
        share = chance.gauss(1, 0.07)
        batch = SERVICES["batches"].add(
            {
                "trial_id": trial.id,
                "mix_revision_id": mix.latest_revision_id,
                "cast_at": cast_at.isoformat(),
                "volume_m3": "46" if number % 3 else "72",
                "cement_lot_id": lot.id,
                "curing_tank_id": tank.id,
                "hold_sets": "1" if number % 4 == 0 else "0",
                "site_sets": "1" if number % 4 == 1 else "0",
                "slump_mm": str(170 + 5 * (number % 4)),
                "water_used_kg_m3": WATER_USED[number],
                "ambient_temperature_c": AIR_C[number],
                "element": ("Piles, axis B", "Raft, part 2", "Columns, floor 1")[number % 3],
            },
            actor,
        )
        for found in batch.sets:
            if found.due_until is None or found.due_until > now or found.state != "waiting":
                continue
            mean = EARLY_MPA[found.age_days] * share
            loads = [f"{mean * chance.gauss(1, 0.03) * 22.5:.0f}" for _specimen in found.specimens]
            entry = {
                "loads_kn": loads,
                "tested_at": (found.due_at or now).isoformat(),
                "tested_by": "Li Wei",
                "press_id": press.id if press is not None else None,
            }
            record_set(found.id, SetBreaksIn.read(entry), actor)
