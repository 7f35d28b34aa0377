"""Data and accounts of `lims demo`: public history through the importer, and a running trial of today."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from rich.console import Console

from lims.accounts.demo import DEMO_ACCOUNTS, DemoAccount
from lims.accounts.service import AccountIn, add_user, find_user, list_users
from lims.base.actor import Actor, system_actor
from lims.base.columns import utc_now
from lims.base.problems import refuse
from lims.base.progress import progress_bar
from lims.base.services import SERVICES
from lims.demonstration_audit import add_findings
from lims.demonstration_comparison import add_late_strength
from lims.demonstration_papers import add_papers
from lims.demonstration_production import add_production
from lims.demonstration_service import add_laboratory, add_service
from lims.demonstration_sharing import add_shares
from lims.forecasts.service import forecast_history
from lims.importing.history import import_history
from lims.initialise import initialise

DATA = Path(__file__).parent / "importing" / "data"
FILES = ("boxcrete_data.csv", "uci_Concrete_Data.xls")


def prepare(app: Flask, console: Console) -> None:
    """Database, accounts, history, a trial in progress. Running it again changes nothing and loses nothing.

    Raises: Refused for a database that is no demonstration's.
    """
    initialise(app)
    actor = system_actor("demo")
    with app.app_context():
        refuse_a_laboratory()
        _accounts(actor)
        new = False
        with progress_bar() as bar:
            for name in FILES:
                task = bar.add_task(f"Importing {name}", total=None)
                content = (DATA / name).read_bytes()
                before = SERVICES["import-runs"].page().total
                run = import_history(
                    name,
                    content,
                    actor,
                    lambda done, total, task=task: bar.update(task, completed=done, total=total),  # type: ignore[misc]
                )
                if SERVICES["import-runs"].page().total > before:
                    new = True
                    console.print(
                        f"{name}: {run.mixes_added} mixes, {run.specimens_added} specimen strengths, "
                        f"{run.duplicate_rows} duplicate rows left out"
                    )
            if new:
                task = bar.add_task("Forecasting the history", total=None)
                forecast_history(actor, lambda done, total: bar.update(task, completed=done, total=total))
        _laboratory(actor)
        add_papers(actor)
        add_shares(actor)


def refuse_a_laboratory() -> None:
    """Where people work, nobody wants six accounts whose passwords everybody knows, nor invented records that stay: a
    database with accounts has one of the demonstration's among them. Raises: Refused."""
    known = {(user.username, user.email) for user in list_users()}
    ours = {(account.username, _email(account)) for account in DEMO_ACCOUNTS}
    if known and not known & ours:
        raise refuse(
            "database",
            "holds a laboratory that is no demonstration; accepted: an empty one (LIMS_DATA, LIMS_DATABASE_URL), or one"
            " that `lims demo` has made",
        )


def _email(account: DemoAccount) -> str:
    return f"{account.username}@example.com"


def _accounts(actor: Actor) -> None:
    for account in DEMO_ACCOUNTS:
        if find_user(account.username) is None:
            data = AccountIn.read(
                {
                    "username": account.username,
                    "first_name": account.first_name,
                    "last_name": account.last_name,
                    "email": _email(account),
                    "role": account.role,
                    "password": account.password,
                }
            )
            add_user(data, actor)


def _laboratory(actor: Actor) -> None:
    """A region, a cement, a customer, a press and a mix whose 3-d set is due today."""
    if SERVICES["regions"].find(code="R-SW") is not None:
        return
    now = utc_now()
    region = SERVICES["regions"].add({"code": "R-SW", "name": "西南 South-west"}, actor)
    cement = SERVICES["cement-products"].add(
        {"code": "PO425", "name": "P.O 42.5 普通硅酸盐水泥", "cement_type": "P.O", "strength_class": "42.5"},
        actor,
    )
    SERVICES["cement-products"].add(
        {
            "code": "X-PO425",
            "name": "P.O 42.5",
            "origin": "competitor",
            "maker": "Works across the river",
            "cement_type": "P.O",
            "strength_class": "42.5",
        },
        actor,
    )
    lot = SERVICES["cement-lots"].add(
        {
            "code": f"L{now:%y%m}-018",
            "cement_product_id": cement.id,
            "produced_on": f"{now - timedelta(days=12):%Y-%m-%d}",
            "delivered_on": f"{now - timedelta(days=8):%Y-%m-%d}",
            "mass_t": "480",
            "specific_surface_m2_kg": "358",
            "initial_set_min": "172",
            "final_set_min": "238",
            "strength_3d_mpa": "27.4",
            "strength_28d_mpa": "49.8",
        },
        actor,
    )
    source = SERVICES["aggregate-sources"].add(
        {
            "code": "S-LH",
            "name": "龙河 Longhe pit",
            "region_id": region.id,
            "kind": "fine",
            "rock": "river sand",
        },
        actor,
    )
    sample = SERVICES["aggregate-samples"].add(
        {
            "code": f"S-LH-{now:%y%m}",
            "aggregate_source_id": source.id,
            "sampled_on": f"{now - timedelta(days=20):%Y-%m-%d}",
            "season": "autumn",
            "retained_4_75_g": "25",
            "retained_2_36_g": "50",
            "retained_1_18_g": "100",
            "retained_0_60_g": "125",
            "retained_0_30_g": "100",
            "retained_0_15_g": "75",
            "retained_pan_g": "25",
            "mud_percent": "1.8",
            "moisture_percent": "4.2",
        },
        actor,
    )
    customer = SERVICES["customers"].add(
        {
            "code": "K-001",
            "name": "江北混凝土搅拌站 Jiangbei Mixing Station",
            "kind": "mixing_station",
            "status": "trial",
            "region_id": region.id,
            "contact_name": "Ma Jun",
        },
        actor,
    )
    press = SERVICES["presses"].add(
        {"code": "YES-2000", "name": "Press 2000 kN", "serial_number": "2000-0417", "capacity_kn": "2000"},
        actor,
    )
    SERVICES["calibrations"].add(
        {
            "press_id": press.id,
            "certificate_number": f"JZ-{now:%Y}-0731",
            "calibrated_on": f"{now - timedelta(days=120):%Y-%m-%d}",
            "due_on": f"{now + timedelta(days=245):%Y-%m-%d}",
            "calibrated_by": "Metrology institute",
            "error_percent": "0.4",
        },
        actor,
    )
    mix = SERVICES["mix-designs"].add(
        {
            "code": "C30-A",
            "name": "C30 pumped, river sand",
            "strength_class": "C30",
            "slump_mm": "180",
            "cement_kg_m3": "310",
            "fly_ash_kg_m3": "60",
            "slag_kg_m3": "40",
            "water_kg_m3": "172",
            "superplasticizer_kg_m3": "6.2",
            "coarse_aggregate_kg_m3": "1050",
            "fine_aggregate_kg_m3": "760",
            "cement_product_id": cement.id,
        },
        actor,
    )
    trial = SERVICES["trials"].add(
        {
            "name": "Jiangbei: C30 with PO 42.5",
            "purpose": "Show the 28-day strength of the customer's mix with our cement.",
            "customer_id": customer.id,
            "region_id": region.id,
            "cement_product_id": cement.id,
            "started_on": f"{now - timedelta(days=4):%Y-%m-%d}",
        },
        actor,
    )
    SERVICES["batches"].add(
        {
            "trial_id": trial.id,
            "mix_revision_id": mix.latest_revision_id,
            "cast_at": (now - timedelta(days=3)).isoformat(),
            "volume_m3": "48",
            "cement_lot_id": lot.id,
            "aggregate_sample_id": sample.id,
            "slump_mm": "185",
            "concrete_temperature_c": "22.5",
            "element": "Bored piles, axis B",
        },
        actor,
    )
    add_production(cement, region, customer, press, actor)
    add_service(cement, region, source, customer, trial, mix, lot, actor)
    add_laboratory(actor)
    add_findings(actor)
    add_late_strength(region, actor)
