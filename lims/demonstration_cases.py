"""Cases of the source documents in the demonstration: the mine whose shotcrete falls off, the brick works whose scale
delivers half of what it shows, and what belongs to a year of service. Invented persons and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from lims.aftersales.complaints import ComplaintService
from lims.aftersales.models import ComplaintFact
from lims.base.actor import Actor
from lims.base.columns import utc_now
from lims.base.database import current_session
from lims.base.services import SERVICES
from lims.customers.service import UsageTaskService

#: Days ago that the mine's shotcrete fell off.
FELL_OFF_DAYS_AGO = 40
#: What is measured at the mine, by the code of the checklist.
AT_THE_MINE = {
    "rebound.percent": "34",
    "rebound.initial_set_min": "3.5",
    "rebound.final_set_min": "8",
    "rebound.air_m3_min": "10",
    "rebound.air_mpa": "0.35",
    "rebound.nozzle_water_mpa": "0.2",
    "rebound.distance_m": "0.9",
    "rebound.other_nozzleman": "The neighbouring mine's nozzleman: the same rebound",
    "rebound.temperature_c": "17",
}
#: Mortar of the retest, MPa: it conforms.
RETEST_MPA = ("48.1", "49.0", "47.6", "48.8", "49.5", "48.3")


def add_cases(cement: Any, region: Any, people: dict[str, int], actor: Actor) -> None:
    """All of it, in the order of time."""
    now = utc_now()

    def day(ago: float) -> str:
        return f"{now - timedelta(days=ago):%Y-%m-%d}"

    _shotcrete(cement, region, people, now, day, actor)
    _brick_works(region, people, now, day, actor)
    _year(region, people, now, day, actor)


def _shotcrete(
    cement: Any, region: Any, people: dict[str, int], now: datetime, day: Callable[[float], str], actor: Actor
) -> None:
    """Complaint, clock, retest conforming, cause found as poor cohesion, cement adjusted, before and after, closed."""
    add = SERVICES
    mine = add["customers"].add(
        {
            "code": "K-005",
            "name": "北山煤矿 Beishan Coal Mine",
            "kind": "mine",
            "status": "active",
            "region_id": region.id,
            "owner_id": people.get("service"),
        },
        actor,
    )
    site = add["sites"].add(
        {"code": "S-M2", "name": "Heading 2 二号巷道", "customer_id": mine.id, "region_id": region.id}, actor
    )
    chief = add["contacts"].add(
        {
            "customer_id": mine.id,
            "site_id": site.id,
            "name": "Gao Feng",
            "role": "site",
            "phone": "023 5550 0177",
        },
        actor,
    )
    lots = {}
    for name, produced, residue, initial, final in (
        ("before", 52, "5.6", "150", "215"),
        ("after", 33, "2.8", "90", "160"),
    ):
        lots[name] = add["cement-lots"].add(
            {
                "code": f"M-{name.upper()}-{now - timedelta(days=produced):%y%m%d}",
                "cement_product_id": cement.id,
                "produced_on": day(produced),
                "mass_t": "240",
                "specific_surface_m2_kg": "362",
                "residue_45um_percent": residue,
                "initial_set_min": initial,
                "final_set_min": final,
                "strength_3d_mpa": "26.8",
                "strength_28d_mpa": "49.1",
                "al2o3_percent": "5.0" if name == "before" else "5.4",
                "scm_type": "coal gangue, limestone" if name == "before" else "fly ash",
                "scm_share_percent": "12",
            },
            actor,
        )
    for number, name, ago in ((1, "before", 48), (2, "before", 44), (3, "after", 31)):
        add["deliveries"].add(
            {
                "code": f"D-M{number:03d}",
                "order_number": "PO-7718",
                "customer_id": mine.id,
                "site_id": site.id,
                "cement_lot_id": lots[name].id,
                "delivered_at": (now - timedelta(days=ago)).isoformat(),
                "mass_t": "42.6",
                "vehicle": f"B-{4410 + number}",
                "accepted_by": "Gao Feng",
            },
            actor,
        )
    trial = add["trials"].add(
        {
            "name": "Beishan: cohesion before and after",
            "purpose": "Rebound at the wall with the usual cement and with the adjusted one.",
            "customer_id": mine.id,
            "region_id": region.id,
            "cement_product_id": cement.id,
            "started_on": day(38),
            "state": "finished",
        },
        actor,
    )
    for ago, rebound, remark in (
        (38, "68", "Usual cement, 45 µm residue 5.6 %"),
        (30, "24", "Adjusted cement, 45 µm residue 2.8 %"),
    ):
        add["shotcrete-trials"].add(
            {
                "trial_id": trial.id,
                "sprayed_on": day(ago),
                "surface": "wall",
                "accelerator_percent": "4",
                "sprayed_kg": "200",
                "rebound_kg": rebound,
                "initial_set_min": "3.5",
                "final_set_min": "8",
                "curing_days": "14",
                "remarks": remark,
            },
            actor,
        )
    service = ComplaintService()
    received = now - timedelta(days=FELL_OFF_DAYS_AGO)

    def at(**later: float) -> str:
        return (received + timedelta(**later)).isoformat()

    complaint = service.add(
        {
            "customer_id": mine.id,
            "site_id": site.id,
            "contact_id": chief.id,
            "phone": chief.phone,
            "category": "rebound",
            "severity": "high",
            "subject": "Shotcrete falls off in heading 2",
            "description": "Since the last deliveries much of the shotcrete falls off the wall; the rebound is high.",
            "received_at": received.isoformat(),
            "owner_id": people.get("service"),
        },
        actor,
    )
    service.answer(
        complaint.id, {"answer": "We come down with you tomorrow morning.", "at": at(minutes=18)}, actor
    )
    service.arrive(
        complaint.id,
        {
            "at": at(hours=20),
            "site_facts": "Followed the spraying for three shifts; two nozzlemen, the same rebound.",
        },
        actor,
    )
    facts = current_session().scalars(select(ComplaintFact).where(ComplaintFact.complaint_id == complaint.id))
    given = {
        fact.checklist_item_id: AT_THE_MINE[fact.checklist_item.code]
        for fact in facts
        if fact.checklist_item.code in AT_THE_MINE
    }
    service.write_facts(complaint.id, given, actor)
    add["complaint-lots"].add(
        {"complaint_id": complaint.id, "cement_lot_id": lots["before"].id, "part": "before"}, actor
    )
    add["complaint-lots"].add(
        {"complaint_id": complaint.id, "cement_lot_id": lots["after"].id, "part": "after"}, actor
    )
    test = add["cement-tests"].add(
        {
            "cement_lot_id": lots["before"].id,
            "tested_on": day(10),
            "age_days": "28",
            "initial_set_min": "152",
            "final_set_min": "218",
            "residue_45um_percent": "5.7",
            **{f"value_{number}_mpa": value for number, value in enumerate(RETEST_MPA, start=1)},
        },
        actor,
    )
    add["retests"].add(
        {
            "cement_lot_id": lots["before"].id,
            "complaint_id": complaint.id,
            "ordered_on": day(39),
            "finished_on": day(10),
            "cement_test_id": test.id,
            "outcome": "passed",
            "remarks": "All values conform; nothing to see of the matter.",
        },
        actor,
    )
    service.note_findings(
        complaint.id,
        {
            "root_cause": "cement",
            "cause": "Poor cohesion of the cement: it conforms, but the mix does not hold on the wall.",
            "remedy": "A silo of its own for the mine: Al2O3 of the clinker 5.0 to 5.4 %, fly ash alone as admixture, "
            "45 µm residue below 3.0 %, initial set 150 to 90 min.",
            "compensation": "Cement of the spoiled shifts",
            "compensation_amount": "8600",
        },
        actor,
    )
    service.edit(
        complaint.id,
        {
            "site_id": site.id,
            "category": "rebound",
            "severity": "high",
            "subject": complaint.subject,
            "description": complaint.description,
            "contact_id": chief.id,
            "phone": chief.phone,
            "owner_id": people.get("service"),
            "trial_id": trial.id,
        },
        service.get(complaint.id).version,
        actor,
    )
    service.solve(complaint.id, {"at": at(days=9)}, actor)
    service.agree(complaint.id, {"agreed_on": day(8), "agreed_by": "Gao Feng", "satisfaction": "5"}, actor)
    service.close(complaint.id, actor)
    add["visits"].add(
        {
            "customer_id": mine.id,
            "site_id": site.id,
            "complaint_id": complaint.id,
            "visited_on": day(FELL_OFF_DAYS_AGO - 1),
            "user_id": people.get("service"),
            "purpose": "Spraying followed underground",
            "findings": "Air, water and distance are right; the mix does not hold together.",
            "satisfaction": "4",
            "follow_up_on": day(25),
            "followed_up_on": day(25),
            "call_back": "Rebound stays near 12 %.",
        },
        actor,
    )


def _brick_works(
    region: Any, people: dict[str, int], now: datetime, day: Callable[[float], str], actor: Actor
) -> None:
    """The first use of a new customer: the scale delivered half of what it showed; it is followed still."""
    add = SERVICES
    cement = add["cement-products"].add(
        {
            "code": "PC325R",
            "name": "P.C 32.5R 复合硅酸盐水泥",
            "cement_type": "P.C",
            "strength_class": "32.5R",
        },
        actor,
    )
    works = add["customers"].add(
        {
            "code": "K-006",
            "name": "新兴砖厂 Xinxing Brick Works",
            "kind": "precast",
            "status": "trial",
            "region_id": region.id,
            "owner_id": people.get("service"),
        },
        actor,
    )
    site = add["sites"].add({"code": "S-Z1", "name": "Brick yard 砖场", "customer_id": works.id}, actor)
    card = add["usage-cards"].add(
        {
            "customer_id": works.id,
            "site_id": site.id,
            "cement_product_id": cement.id,
            "recorded_on": day(9),
            "purpose": "Unfired bricks of slag 炉渣免烧砖",
            "dosage_kg_m3": "350",
            "storage": "One silo of 60 t, dry",
            "mixing": "Forced mixer 500 l, electronic scale",
        },
        actor,
    )
    add["usage-mixes"].add(
        {
            "usage_card_id": card.id,
            "name": "Bricks 免烧砖",
            "cement_kg_m3": "350",
            "water_kg_m3": "160",
            "sand_kg_m3": "1500",
        },
        actor,
    )
    add["usage-notes"].add(
        {
            "usage_card_id": card.id,
            "noted_on": day(8),
            "kind": "problem",
            "seen": "The first bricks do not set within 48 h.",
            "answer": "The scale was never calibrated; it delivers half of what it shows.",
        },
        actor,
    )
    for ago, shown, true in ((8, "100", "50"), (7, "100", "99.6")):
        add["scale-checks"].add(
            {
                "usage_card_id": card.id,
                "checked_on": day(ago),
                "scale": "Cement scale 水泥秤",
                "shown_kg": shown,
                "true_kg": true,
                "checked_by": "Zhao Lei",
            },
            actor,
        )
    tasks = add["usage-tasks"].page(filters={"usage_card_id": card.id}).items
    for task in tasks:
        if task.kind in {"scale", "first_batch"}:
            UsageTaskService().finish(task.id, {"done_on": day(7)}, actor)
    add["site-stocks"].add(
        {
            "site_id": site.id,
            "cement_product_id": cement.id,
            "counted_on": day(1),
            "stock_t": "18",
            "daily_use_t": "6",
        },
        actor,
    )


def _year(
    region: Any, people: dict[str, int], now: datetime, day: Callable[[float], str], actor: Actor
) -> None:
    """What else a year brings: a dealer, a customer lost, plans, a seminar, maintenance, surveys, competitors."""
    add = SERVICES
    dealer = add["customers"].add(
        {
            "code": "K-007",
            "name": "巴南建材 Banan Building Materials",
            "kind": "dealer",
            "status": "active",
            "region_id": region.id,
        },
        actor,
    )
    lost = add["customers"].add(
        {
            "code": "K-008",
            "name": "青山搅拌站 Qingshan Mixing Station",
            "kind": "mixing_station",
            "status": "active",
            "region_id": region.id,
            "dealer_id": dealer.id,
        },
        actor,
    )
    add["customers"].edit(
        lost.id,
        {
            "code": lost.code,
            "name": lost.name,
            "kind": lost.kind,
            "status": "lapsed",
            "region_id": region.id,
            "dealer_id": dealer.id,
            "lapse_reason": "strength",
            "lapse_note": "To the works across the river: late strength",
        },
        lost.version,
        actor,
    )
    add["competitors"].add(
        {
            "region_id": region.id,
            "name": "Works across the river",
            "seen_on": day(20),
            "share_percent": "35",
            "strengths": "Late strength; new terminal at the river since spring.",
        },
        actor,
    )
    add["surveys"].add(
        {
            "customer_id": dealer.id,
            "answered_on": day(26),
            "quality": 4,
            "steadiness": 4,
            "delivery": 3,
            "service": 4,
        },
        actor,
    )
    add["staff-surveys"].add(
        {
            "answered_on": day(15),
            "department": "Service",
            "workload": 3,
            "support": 4,
            "training": 4,
            "recognition": 4,
        },
        actor,
    )
    known = add["customers"].page(size=100).items
    by_code = {customer.code: customer for customer in known}
    for code, ago in (("K-003", 6), ("K-001", -4), ("K-005", -9)):
        add["visit-plans"].add(
            {
                "customer_id": by_code[code].id,
                "planned_on": day(ago),
                "user_id": people.get("service"),
                "purpose": "Regular visit",
            },
            actor,
        )
    seminar = add["seminars"].add(
        {
            "name": "Shotcrete underground",
            "kind": "seminar",
            "held_on": day(60),
            "place": "Our laboratory",
            "participants": 14,
        },
        actor,
    )
    chief = add["contacts"].page(search="Gao Feng").items
    for contact in chief:
        add["attendances"].add({"seminar_id": seminar.id, "contact_id": contact.id, "attended": True}, actor)
    press = add["presses"].find(code="YES-2000")
    if press is not None:
        for name, months, ago in (
            ("Oil, plates, zero", 1, 35),
            ("Load cell against the proving ring", 3, 70),
        ):
            plan = add["maintenance-plans"].add(
                {"name": name, "press_id": press.id, "every_months": months, "starts_on": day(ago)}, actor
            )
            add["maintenance-records"].add(
                {
                    "maintenance_plan_id": plan.id,
                    "done_on": day(ago),
                    "done_by": "Li Wei",
                    "findings": "In order",
                },
                actor,
            )
    add["holidays"].add({"day": f"{now.year + 1}-01-01", "name": "元旦 New Year"}, actor)
