"""From any record to all it came from and all that came of it, both ways, bounded, for those who may read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from lims.accounts.roles import AUDITOR, SALES, TECHNICIAN
from lims.audit.commands import trace_command
from lims.audit.drawing import draw, layers
from lims.audit.references import PARTS, came_from, references
from lims.audit.trace import MOST_NODES, MOST_OF_KIND, Trace, trace
from lims.base.actor import system_actor
from lims.base.services import SERVICES
from lims.results.schemas import SetBreaksIn
from lims.results.service import correct_set, record_set
from tests.conftest import Person
from tests.factories import ACTOR, a_batch, a_customer, a_mix


def everything(_name: str) -> bool:
    return True


def kinds(found: Trace) -> set[str]:
    return {name for name, _key in found.nodes}


def a_chain() -> dict[str, Any]:
    """Customer, complaint, lot, batch, broken set, press and its two calibrations."""
    now = datetime.now(UTC)
    add = {name: service.add for name, service in SERVICES.items()}
    customer = a_customer("K-7", name="Hongyuan")
    cement = add["cement-products"](
        {"code": "PO425", "name": "P.O 42.5", "cement_type": "P.O", "strength_class": "42.5"}, ACTOR
    )
    lot = add["cement-lots"]({"code": "L-1", "cement_product_id": cement.id}, ACTOR)
    complaint = add["complaints"](
        {
            "customer_id": customer.id,
            "cement_lot_id": lot.id,
            "received_at": now.isoformat(),
            "subject": "Slow setting",
        },
        ACTOR,
    )
    press = add["presses"]({"code": "P-1", "name": "Press"}, ACTOR)
    certificates = [
        add["calibrations"](
            {
                "press_id": press.id,
                "certificate_number": f"C-{number}",
                "calibrated_on": f"{now - timedelta(days=since):%Y-%m-%d}",
                "due_on": f"{now + timedelta(days=until):%Y-%m-%d}",
                "calibrated_by": "Institute",
            },
            ACTOR,
        )
        for number, since, until in ((1, 500, -135), (2, 100, 265))
    ]
    batch = a_batch("40", cement_lot_id=lot.id)
    found = next(item for item in batch.sets if item.age_days == 3)
    entry = SetBreaksIn.read(
        {
            "loads_kn": ["424", "401", "396"],
            "tested_at": now.isoformat(),
            "press_id": press.id,
            "tested_by": "Technician Test",
        }
    )
    result = record_set(found.id, entry, ACTOR)
    return {
        "customer": customer, "lot": lot, "complaint": complaint, "press": press, "certificates": certificates,
        "batch": batch, "set": found, "entry": entry, "result": result,
    }  # fmt: skip


@pytest.mark.usefixtures("records_on_both")
def test_complaint_reaches_the_calibration_of_the_press_and_back() -> None:
    made = a_chain()
    found = trace("complaints", made["complaint"].id, everything)
    assert {
        "customers",
        "cement-lots",
        "batches",
        "specimen-sets",
        "specimens",
        "breaks",
        "presses",
    } <= kinds(found)
    valid = ("calibrations", made["certificates"][1].id)
    assert valid in found.nodes
    assert (
        "calibrations",
        made["certificates"][0].id,
    ) not in found.nodes  # had run out by the day of the test
    assert found.edges[valid, ("presses", made["press"].id)] == "valid"
    back = trace("calibrations", made["certificates"][1].id, everything)
    assert ("complaints", made["complaint"].id) in back.nodes
    earlier = trace("calibrations", made["certificates"][0].id, everything)
    assert "breaks" not in kinds(earlier)


@pytest.mark.usefixtures("records_on_both")
@pytest.mark.parametrize(("devices", "column"), [("scales", "scale_id"), ("moulds", "mould_id")])
def test_calibration_of_a_scale_or_of_moulds_reaches_what_was_cast_under_it(
    devices: str, column: str
) -> None:
    add = {name: service.add for name, service in SERVICES.items()}
    device = add[devices](
        {"code": "D-1", "name": "Device"} if devices == "scales" else {"code": "D-1"}, ACTOR
    )
    first, second = (
        add["calibrations"](
            {
                column: device.id,
                "certificate_number": f"Z-{begun}",
                "calibrated_on": begun,
                "due_on": "2027-12-31",
                "calibrated_by": "Institute",
            },
            ACTOR,
        )
        for begun in ("2026-01-05", "2026-03-02")
    )
    # Seven in the morning in Shanghai is the day before by UTC.
    mix = a_mix()
    before, after = (
        a_batch("40", mix=mix, cast_at=f"2026-03-{day:02d}T07:00+08:00", **{column: device.id})
        for day in (1, 2)
    )
    for calibration, its, other in ((first, before, after), (second, after, before)):
        found = trace("calibrations", calibration.id, everything)
        assert ("batches", its.id) in found.nodes
        assert ("batches", other.id) not in found.nodes
        assert {"specimens", "mix-designs", "trials"} <= kinds(found)
        assert found.edges[(devices, device.id), ("batches", its.id)] == "made"
        assert ("calibrations", calibration.id) in trace("batches", its.id, everything).nodes


@pytest.mark.usefixtures("records_on_both")
def test_calibration_counts_again_when_a_later_one_ran_out_before_it() -> None:
    scale = SERVICES["scales"].add({"code": "S-1", "name": "Scale"}, ACTOR)
    checks = {"whole year": ("2026-01-05", "2027-01-05"), "after repair": ("2026-03-02", "2026-03-31"),
              "mistaken": ("2026-04-02", "2027-04-02")}  # fmt: skip
    made = {
        name: SERVICES["calibrations"].add(
            {
                "scale_id": scale.id, "certificate_number": name, "calibrated_on": begun, "due_on": ends,
                "calibrated_by": "Institute",
            },
            ACTOR,
        )
        for name, (begun, ends) in checks.items()
    }  # fmt: skip
    SERVICES["calibrations"].retire(made["mistaken"].id, ACTOR)
    mix = a_mix()
    cast = {
        day: a_batch("40", mix=mix, cast_at=f"{day}T10:00+08:00", scale_id=scale.id).id
        for day in ("2026-02-01", "2026-03-31", "2026-05-04")
    }
    under = {"whole year": {"2026-02-01", "2026-05-04"}, "after repair": {"2026-03-31"}, "mistaken": set()}
    for name, days in under.items():
        there = trace("calibrations", made[name].id, everything).nodes
        assert {day for day, key in cast.items() if ("batches", key) in there} == days, name
        for day, key in cast.items():
            back = trace("batches", key, everything).nodes
            assert (("calibrations", made[name].id) in back) == (day in days), (name, day)


@pytest.mark.usefixtures("records_on_both")
def test_every_record_of_the_chain_reaches_every_other_way_up_and_down() -> None:
    made = a_chain()
    specimen = made["set"].specimens[0]
    up = trace("specimens", specimen.id, everything)
    assert {
        "mix-revisions",
        "mix-designs",
        "trials",
        "cement-products",
        "cement-lots",
        "complaints",
    } <= kinds(up)
    assert {"breaks", "set-results", "presses", "calibrations"} <= kinds(up)
    assert len([key for key in up.nodes if key[0] == "breaks"]) == 1
    down = trace("cement-products", made["lot"].cement_product_id, everything)
    assert {"cement-lots", "batches", "set-results", "breaks"} <= kinds(down)
    result = trace("set-results", made["result"].id, everything)
    assert len([key for key in result.nodes if key[0] == "breaks"]) == 3
    assert "presses" in kinds(result)


@pytest.mark.usefixtures("records_on_both")
def test_a_result_rests_on_its_own_breaks_not_on_those_before_the_correction() -> None:
    made = a_chain()
    second = SetBreaksIn.read(
        {**made["entry"].model_dump(exclude_none=True), "loads_kn": ["424", "401", "390"]}
    )
    result = correct_set(made["set"].id, second, 1, ACTOR, "read wrongly")
    for wanted in (made["result"], result):
        found = trace("set-results", wanted.id, everything)
        breaks = [node.record for node in found.nodes.values() if node.name == "breaks"]
        assert [item.number for item in breaks] == [wanted.number] * 3  # type: ignore[attr-defined]


@pytest.mark.usefixtures("records")
def test_persons_are_named_with_what_they_did() -> None:
    made = a_chain()
    found = trace("specimens", made["set"].specimens[0].id, everything)
    broken = next(key for key in found.nodes if key[0] == "breaks")
    assert found.persons["Technician Test"][broken] == ["tested"]
    assert "entered" in found.persons[ACTOR.key][broken]


@pytest.mark.usefixtures("records")
def test_a_great_trace_is_cut_and_says_so() -> None:
    mix = a_mix()
    batches = [a_batch("400", mix=mix) for _number in range(MOST_OF_KIND + 2)]
    found = trace("mix-designs", mix.id, everything)
    assert len(found.nodes) <= MOST_NODES
    assert {"batches", "specimens"} <= found.cut
    shown = {key for name, key in found.nodes if name == "batches"}
    assert shown == {batch.id for batch in batches[-MOST_OF_KIND:]}


@pytest.mark.usefixtures("app")
def test_every_foreign_key_between_records_is_followed_both_ways() -> None:
    """A new table joins by itself; what is left out is named."""
    followed = {(step.child, step.parent) for step in references()}
    for name, service in SERVICES.items():
        if name in PARTS:
            continue
        for column in service.record.__table__.columns:
            for key in column.foreign_keys:
                target = next(
                    (
                        other
                        for other, item in SERVICES.items()
                        if item.record.__tablename__ == key.column.table.name and other not in PARTS
                    ),
                    None,
                )
                if target is not None:
                    assert (name, target) in followed, f"{name}.{column.name}"
    assert {step.parent for step in came_from("batches")} >= {
        "scm-lots",
        "admixture-lots",
        "aggregate-samples",
    }


def test_layers_put_everything_below_what_it_came_from() -> None:
    edges = {
        ("lot", "batch"): "made",
        ("mix", "batch"): "made",
        ("batch", "set"): "made",
        ("lot", "set"): "made",
    }
    found = layers(["lot", "mix", "batch", "set"], edges)
    assert found["lot"] < found["batch"] < found["set"]
    drawing = draw({key: key for key in found}, edges, "batch", 340, 2)
    assert len(drawing.lines) == 3  # lot to set is told by lot, batch, set
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= 340


def test_a_crowd_of_one_kind_becomes_one_box_but_the_start_stays_alone() -> None:
    nodes = {("batches", 0): "batches", **{("sets", n): "sets" for n in range(9)}}
    edges = {(("batches", 0), ("sets", n)): "made" for n in range(9)}
    boxes = draw(nodes, edges, ("sets", 4), 1080, 5).boxes
    assert sorted(len(box.members) for box in boxes) == [1, 1, 8]


# --- pages ---------------------------------------------------------------------------------------------------------


def test_page_pdf_and_json_answer_for_the_auditor(app: Flask, sign_in_as: Callable[[str], Person]) -> None:
    with app.app_context():
        made = a_chain()
        address = f"/trace/complaints/{made['complaint'].id}"
    auditor = sign_in_as(AUDITOR)
    page = auditor.get(address).get_data(as_text=True)
    assert "C-2" in page
    assert page.count('<svg class="trace trace-') == 2  # for a desk and for a phone
    data = auditor.get(f"{address}/trace.json").get_json()
    assert data["complete"] is True
    titles = {node["title"] for node in data["nodes"]}
    assert {"C-2", "P-1", "L-1"} <= titles
    places = {node["node"] for node in data["nodes"]}
    assert all(edge["from"] in places and edge["to"] in places for edge in data["edges"])
    paper = auditor.get(f"{address}/trace.pdf")
    assert paper.data.startswith(b"%PDF")


def test_what_a_role_may_not_read_has_no_name_no_link_and_no_number(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        made = a_chain()
        batch, complaint = made["batch"].id, made["complaint"].id
    technician = sign_in_as(TECHNICIAN)
    page = technician.get(f"/trace/batches/{batch}").get_data(as_text=True)
    assert "Slow setting" not in page
    assert "/complaints/" not in page.replace('/complaints/"', "")
    data = technician.get(f"/trace/batches/{batch}/trace.json").get_json()
    hidden = [node for node in data["nodes"] if node["kind"] == "complaints"]
    assert hidden
    assert all(set(node) == {"node", "kind", "way"} for node in hidden)
    assert technician.get(f"/trace/complaints/{complaint}").status_code == 403
    sales = sign_in_as(SALES)
    assert "P-1" not in sales.get(f"/trace/batches/{batch}").get_data(as_text=True)


def test_who_did_nothing_that_a_role_may_read_is_named_to_none_of_it(
    app: Flask, sign_in_as: Callable[[str], Person]
) -> None:
    with app.app_context():
        made = a_chain()
        told = {"customer_id": made["customer"].id, "cement_lot_id": made["lot"].id, "subject": "Cracks"}
        SERVICES["complaints"].add(told, system_actor("hotline"))
        address = f"/trace/batches/{made['batch'].id}/trace.json"
    for role, named in ((AUDITOR, True), (TECHNICIAN, False)):
        persons = sign_in_as(role).get(address).get_json()["persons"]
        assert ("hotline" in {person["name"] for person in persons}) == named
        assert all(person["did"] for person in persons)


@pytest.mark.parametrize(
    "path",
    ["/trace/nothing/1", "/trace/batches/999999", "/trace/batches/99999999999999999999", "/trace/jobs/1"],
)
def test_unknown_records_are_not_found(sign_in_as: Callable[[str], Person], path: str) -> None:
    assert sign_in_as(AUDITOR).get(path).status_code in {403, 404}


def test_command_prints_a_specimens_chain(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        made = a_chain()
        code = made["set"].specimens[0].code
    monkeypatch.setenv("LIMS_DATA", str(app.config["LIMS_DATA"]))
    lines = CliRunner().invoke(trace_command, [code])
    assert lines.exit_code == 0
    assert "C-2" in lines.output
    assert "L-1" in lines.output
    data = json.loads(CliRunner().invoke(trace_command, [code, "--json"]).output)
    assert data["nodes"][data["start"]]["title"] == code
    assert CliRunner().invoke(trace_command, ["no-such-code"]).exit_code == 1
