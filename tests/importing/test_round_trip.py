"""What an export writes in template form is read again without a change: every template."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask_babel import force_locale

import lims.importing
from lims.base.database import current_session, transaction
from lims.base.exports import ListQuery, answer_with, table_of
from lims.base.services import SERVICES
from lims.base.views import VIEWS
from lims.importing.commands import TEMPLATE_NAMES
from lims.importing.history import import_history
from lims.importing.imports import TEMPLATES, came_from, import_file, look
from lims.importing.models import ImportRow, ImportRun
from lims.importing.readers import read_history
from lims.importing.sheets import export_template, template_workbook
from lims.importing.templates import ids_of
from lims.materials.schemas import SIEVE_FIELDS
from lims.mixes.models import MixDesign
from lims.results.models import Break, SetResult
from lims.results.schemas import SetBreaksIn
from lims.results.service import record_set, retract
from lims.trials.models import Batch, Specimen, SpecimenSet, Trial
from tests.factories import ACTOR, RECIPE, a_batch, a_customer, a_mix, a_trial
from tests.importing.workbooks import filled
from tests.prepared import begun_with

DATA = Path(lims.importing.__file__).parent / "data"
ROOT = Path(__file__).resolve().parents[2]
EXPECTED = {
    "history": 20,
    "mixes": 7,
    "batches": 2,
    "breaks": 6,
    "aggregate-samples": 2,
    "cement-lots": 2,
    "customers": 3,
}


@pytest.fixture
def laboratory(records: Flask) -> Flask:
    begun_with(some_of_everything)
    return records


def some_of_everything() -> None:
    """With the values that are hard to carry through a sheet."""
    region = SERVICES["regions"].add({"code": "R-SW", "name": "西南（一）"}, ACTOR)
    a_customer("K-1", name="=1+1", region_id=region.id, phone="0236789", notes="two\nlines")
    a_customer("007", name="江北搅拌站", kind="dealer", status="trial")
    a_customer("K/3#a", email="x@example.com")
    for code in ("PO425", "PO525"):
        product = SERVICES["cement-products"].add({"code": code, "name": code}, ACTOR)
        lot = SERVICES["cement-lots"].add(
            {
                "code": "L-1",
                "cement_product_id": product.id,
                "produced_on": f"{datetime.now(UTC) - timedelta(days=9):%Y-%m-%d}",
                "mass_t": "480.25",
                "initial_set_min": "172",
                "chloride_percent": "0.021",
                "strength_3d_mpa": "27.0",
            },
            ACTOR,
        )
    source = SERVICES["aggregate-sources"].add({"code": "S-LH", "name": "Longhe"}, ACTOR)
    sieves = dict(zip(SIEVE_FIELDS, (25, 50, 100, 125, 100, 75, 25), strict=True))
    sample = SERVICES["aggregate-samples"].add(
        {
            "code": "S-1",
            "aggregate_source_id": source.id,
            "sampled_on": "2026-03-01",
            "season": "spring",
            **{name: str(mass) for name, mass in sieves.items()},
        },
        ACTOR,
    )
    SERVICES["aggregate-samples"].add(
        {"code": "S-2", "aggregate_source_id": source.id, "sampled_on": "2026-03-01", "mud_percent": "0.4"},
        ACTOR,
    )
    mix = a_mix(cement_product_id=product.id, slump_mm="180", name="pumped")
    SERVICES["mix-revisions"].add(
        {"mix_design_id": mix.id, "reason": "less water", **RECIPE, "water_kg_m3": "168.125"}, ACTOR
    )
    a_mix("UNKNOWN", cement_kg_m3="", water_kg_m3="", coarse_aggregate_kg_m3="", fine_aggregate_kg_m3="")
    press = SERVICES["presses"].add({"code": "YES-2000", "name": "Press"}, ACTOR)
    batch = a_batch(
        "50",
        mix=mix,
        cement_lot_id=lot.id,
        aggregate_sample_id=sample.id,
        hold_sets="1",
        site_sets="2",
        slump_mm="185.5",
        element="Pile A-1",
    )
    a_batch(
        "10",
        mix=mix,
        plan_ages="7,28",
        specimens_per_set="6",
        shape="cylinder",
        cast_at="2026-03-01T00:00:00+08:00",
    )
    for number, found in enumerate(batch.sets[:2]):
        record_set(
            found.id,
            SetBreaksIn.read(
                {
                    "loads_kn": ["424", "401.5", "396.125"],
                    "tested_at": (datetime.now(UTC) - timedelta(minutes=number)).isoformat(),
                    "press_id": press.id if number else None,
                    "tested_by": "李伟",
                    "remark": "-",
                }
            ),
            ACTOR,
        )
    text = "lab,mix_id,age_days,strength_mpa,cement_kg_m3,water_kg_m3\n" + "".join(
        f"Plant,A{n % 4},{(3, 7, 28)[n % 3]},{20 + n}.125,350,175\n" for n in range(20)
    )
    import_history("plant.csv", text.encode(), ACTOR)


def test_every_list_that_is_exported_comes_back_unchanged(app: Flask) -> None:
    """Records stand there by code and name, revisions by C30-1/2, computed columns beside what is stored."""
    lists = (
        "customers",
        "cement-lots",
        "aggregate-samples",
        "mix-designs",
        "mix-revisions",
        "batches",
        "breaks",
    )
    with app.test_request_context():
        some_of_everything()
        for record in lists:
            view = VIEWS[record]
            template = "mixes" if record.startswith("mix") else record
            for kind, language in (("csv", "zh_Hant_TW"), ("xlsx", "zh")):
                with force_locale(language):
                    table = table_of(view, view.known_columns(), ListQuery(), 0)
                    content = answer_with(table, kind).get_data()
                plan = look(f"list.{kind}", content, ACTOR, template=template)
                assert plan.refusals() == [], (record, kind)
                assert plan.count("same") == len(plan.rows) > 0, (record, kind)


def test_mix_named_by_a_european_class_is_no_revision_of_the_mix_that_has_its_first_half(
    records: Flask,
) -> None:
    """C30/37 is a name as long as C30 has no 37th revision; C30/1 is its first."""
    a_mix("C30")
    sheet = "mix code,strength class,cement (kg/m³),water (kg/m³)\nC30/37,C30/37,350,175\nC30/1,C30,350,175\n"
    plan = look("m.csv", sheet.encode(), ACTOR, template="mixes")
    told = [(row.title, row.values["revision"]) for row in plan.rows]
    assert told == [("C30/37/1", 1), ("C30/1", 1)]
    assert (plan.count("new"), plan.refusals()) == (1, [])


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_export_import_no_change(laboratory: Flask, name: str) -> None:
    content = export_template(name)
    plan = look(f"{name}.xlsx", content, ACTOR, template=name)
    assert plan.refusals() == []
    assert plan.count("same") == len(plan.rows) == EXPECTED[name]
    runs = current_session().query(ImportRun).count()
    _run, applied = import_file(f"{name}.xlsx", content, ACTOR, template=name)
    assert applied.changes_nothing
    assert current_session().query(ImportRow).count() == 0
    assert export_template(name) == content
    import_file(f"{name}.xlsx", content, ACTOR, template=name)
    assert current_session().query(ImportRun).count() == runs + 1  # the second time leaves no trace


def test_sheet_that_names_what_was_put_away_since_says_what_is_stored(laboratory: Flask) -> None:
    """The press is scrapped and the lot used up by now: they were there when it was cast and broken."""
    lists = (
        *("regions", "aggregate-sources", "aggregate-samples", "cement-lots", "cement-products", "presses"),
        *("trials", "mix-designs", "batches"),
    )
    for name in lists:
        for record in SERVICES[name].page(size=200).items:
            SERVICES[name].retire(record.id, ACTOR)
    for name in TEMPLATE_NAMES:
        plan = look(f"{name}.xlsx", export_template(name), ACTOR, template=name)
        assert plan.refusals() == [], name
        assert plan.count("same") == len(plan.rows) == EXPECTED[name]

    def customer(**more: Any) -> Any:
        return look("k.xlsx", filled("customers", {"region_id": "R-SW", **more}), ACTOR, template="customers")

    assert customer(code="K-1", phone="1").count("changed") == 1
    (refusal,) = customer(code="K-9", name="Nine Ltd").refusals()
    assert (refusal.value, refusal.message) == ("R-SW", "this record is out of use")


def test_record_in_use_is_meant_before_one_of_the_same_name_that_was_put_away(laboratory: Flask) -> None:
    old = SERVICES["regions"].add({"code": "R-1", "name": "West"}, ACTOR)
    SERVICES["regions"].retire(old.id, ACTOR)
    new = SERVICES["regions"].add({"code": "R-2", "name": "West"}, ACTOR)
    assert ids_of("regions", {"West", "R-1", "R-9"}) == {"West": [new.id], "R-1": [old.id]}


def test_an_export_holds_what_the_query_asks_for(laboratory: Flask) -> None:
    from lims.customers.models import Customer

    query = TEMPLATES["customers"].query().where(Customer.kind == "dealer")
    plan = look("k.xlsx", export_template("customers", query), ACTOR, template="customers")
    assert [row.title for row in plan.rows] == ["江北搅拌站"]


def test_row_without_what_its_record_is_known_by_is_refused_and_not_added_anew_each_time(
    laboratory: Flask,
) -> None:
    sheet = "customer code,customer name\n,Nobody Ltd\nK-9,Known Ltd\n"
    plan = look("k.csv", sheet.encode(), ACTOR, template="customers")
    assert plan.count("new") == 1
    assert "is required" in str(plan.refusals())


def test_sheet_of_batches_fills_in_what_the_form_fills_in_and_is_asked_as_the_form_is(
    laboratory: Flask,
) -> None:
    add = {name: service.add for name, service in SERVICES.items()}
    old = f"{datetime.now(UTC) - timedelta(days=120):%Y-%m-%d}"
    product = SERVICES["cement-products"].find(code="PO525")
    assert product is not None
    lot = add["cement-lots"]({"code": "OLD-1", "cement_product_id": product.id, "produced_on": old}, ACTOR)
    ash = add["scm-lots"]({"code": "FA-1", "kind": "fly_ash"}, ACTOR)
    scale = add["scales"]({"code": "W-1", "name": "Scale"}, ACTOR)
    add["curing-tanks"]({"code": "T-1", "name": "Tank"}, ACTOR)
    batch = a_batch("20", mix=SERVICES["mix-designs"].find(code="C30-1"))
    heads = "code,cement_lot_id,fly_ash_lot_id,scale_id,curing_tank_id"
    row = f"{batch.code},{lot.code},{ash.code},{scale.code},T-1"

    def looked(more_heads: str = "", more: str = "") -> Any:
        content = f"{heads}{more_heads}\n{row}{more}\n".encode()
        return content, look("b.csv", content, ACTOR, template="batches")

    _content, plan = looked()
    assert {item.column for item in plan.refusals()} == {"Lot over three months old", "Scale not calibrated"}
    content, plan = looked(
        ",answer_lot_too_old,answer_scale_not_calibrated,answer_moulds_not_checked", ",dry,new,n/a"
    )
    assert plan.refusals() == []
    import_file("b.csv", content, ACTOR, template="batches")
    current_session().expire_all()
    assert (batch.cement_lot_id, batch.scale_id, [item.title for item in batch.lots]) == (
        lot.id,
        scale.id,
        ["FA-1"],
    )
    assert batch.curing_tank_id is not None
    assert sorted(item.answer for item in batch.warnings) == ["dry", "new"]
    assert look("b.csv", content, ACTOR, template="batches").changes_nothing
    refused = looked(",answer_lot_too_old", ",another")[1].refusals()
    assert [item.message for item in refused] == [
        "cannot change any more: stored is dry; accepted: that, or blank"
    ]


def test_public_history_survives_the_round_trip(records: Flask) -> None:
    name = "boxcrete_data.csv"
    content = (DATA / name).read_bytes()
    import_history(name, content, ACTOR)
    plan = look("history.xlsx", export_template("history"), ACTOR, template="history")
    assert plan.refusals() == []
    assert plan.count("same") == sum(mix.specimen_count for mix in read_history(name, content).mixes) == 2127


def test_what_one_laboratory_exports_another_imports_whole(
    laboratory: Flask, tmp_path: Path, tables_on_sqlite: Path
) -> None:
    from tests.conftest import _records

    sheets = {name: export_template(name) for name in TEMPLATE_NAMES}
    shutil.copy(tables_on_sqlite, tmp_path / "other.sqlite3")
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    for _app in _records(url, tmp_path):
        SERVICES["regions"].add({"code": "R-SW", "name": "西南（一）"}, ACTOR)
        for code in ("PO425", "PO525"):
            SERVICES["cement-products"].add({"code": code, "name": code}, ACTOR)
        SERVICES["aggregate-sources"].add({"code": "S-LH", "name": "Longhe"}, ACTOR)
        SERVICES["presses"].add({"code": "YES-2000", "name": "Press"}, ACTOR)
        for code in ("T26-0001", "T26-0002"):
            a_trial(code=code)
        for name in (
            "customers",
            "cement-lots",
            "aggregate-samples",
            "mixes",
            "history",
            "batches",
            "breaks",
        ):
            _run, plan = import_file(f"{name}.xlsx", sheets[name], ACTOR, template=name)
            assert plan.count("new") == EXPECTED[name], name
            links = current_session().query(ImportRow).filter_by(import_run_id=_run.id)
            assert sum(link.more + 1 for link in links) >= EXPECTED[name]
        assert current_session().query(SetResult).count() == 2 + 12
        for name in TEMPLATE_NAMES:
            assert look(f"{name}.xlsx", sheets[name], ACTOR, template=name).changes_nothing, name


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_the_shipped_template_is_the_one_that_the_schemas_make(in_app: Flask, name: str) -> None:
    shipped = (ROOT / "import_templates" / f"{name}.xlsx").read_bytes()
    assert content_of(shipped) == content_of(template_workbook(name)), "run make templates"


@pytest.fixture
def in_app(app: Flask) -> Iterator[Flask]:
    """The whole application with its translations."""
    with app.app_context():
        yield app


def content_of(content: bytes) -> list[Any]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    return [
        (
            sheet.title,
            sheet.sheet_state,
            [[cell.value for cell in row] for row in sheet.iter_rows()],
            sorted((str(rule.sqref), rule.formula1) for rule in sheet.data_validations.dataValidation),
        )
        for sheet in book.worksheets
    ]


def test_making_a_template_twice_gives_the_same_bytes(in_app: Flask) -> None:
    made = template_workbook("batches")
    assert made == template_workbook("batches")
    with zipfile.ZipFile(io.BytesIO(made)) as parts:  # and would at another time
        assert {part.date_time for part in parts.infolist()} == {(2026, 1, 1, 0, 0, 0)}
        told = re.findall(rb">(\d{4}-\d\d-[^<]*)<", parts.read("docProps/core.xml"))
    assert told == [b"2026-01-01T00:00:00Z"] * 2


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_a_template_speaks_three_languages_and_has_its_lists_and_examples(in_app: Flask, name: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(template_workbook(name)))
    assert book.sheetnames == ["Data", "Examples", "Notes", "_lists"]
    assert book["_lists"].sheet_state == "hidden"
    data = book["Data"]
    names = [cell.value for cell in data[5]]
    assert names == list(TEMPLATES[name].columns)
    heads = [[str(data.cell(row, column + 1).value) for column in range(len(names))] for row in (2, 3, 4)]
    assert heads[0] != heads[1] != heads[2]
    for column, (english, simplified) in enumerate(zip(*heads[:2], strict=True)):
        unit = list(TEMPLATES[name].columns.values())[column].unit
        assert unit in english
        assert unit in simplified
    assert data.max_row == 5
    assert book["Examples"].max_row >= 6
    notes = " ".join(str(cell.value) for row in book["Notes"].iter_rows() for cell in row if cell.value)
    assert "A blank means not known, or as it is; never 0." in notes
    assert "空白不等于零" in notes
    assert "空白不等於零" in notes


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_the_examples_are_what_the_schema_accepts(records: Flask, name: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(template_workbook(name)))
    del book["Data"]
    book["Examples"].title = "Data"
    made = io.BytesIO()
    book.save(made)
    plan = look("x.xlsx", made.getvalue(), ACTOR, template=name)
    unknown = ("names no record", "no specimen has this code", "belongs to the set")
    wrong = [item for item in plan.refusals() if not any(text in item.message for text in unknown)]
    assert wrong == []


def test_a_changed_revision_that_was_cast_is_refused_and_a_new_one_comes_in(laboratory: Flask) -> None:
    changed = filled("mixes", {"code": "C30-1", "revision": 1, "water_kg_m3": 160})
    assert look("m.xlsx", changed, ACTOR, template="mixes").count("changed") == 1
    a_batch("10", mix=current_session().query(MixDesign).filter_by(code="C30-1").one())
    current_session().expire_all()
    cast = look(
        "m.xlsx",
        filled("mixes", {"code": "C30-1", "revision": 2, "water_kg_m3": 160}),
        ACTOR,
        template="mixes",
    )
    assert "was cast" in cast.refusals()[0].message
    third = {"code": "C30-1", "revision": 3, "reason": "winter", "cement_kg_m3": 360, "water_kg_m3": 165}
    _run, plan = import_file("m.xlsx", filled("mixes", third), ACTOR, template="mixes")
    assert plan.count("new") == 1
    assert plan.rows[0].title == "C30-1/3"
    jump = look("m.xlsx", filled("mixes", {**third, "revision": 9}), ACTOR, template="mixes")
    assert "accepted: 4" in jump.refusals()[0].message


def test_breaks_are_judged_by_the_rule_and_a_difference_is_no_change(records: Flask) -> None:
    batch = a_batch("50")
    first = batch.sets[0]
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"
    rows = [
        {"specimen": specimen.code, "load_kn": load, "tested_at": now}
        for specimen, load in zip(first.specimens, (424, 401, 396), strict=True)
    ]
    part = look("b.xlsx", filled("breaks", *rows[:2]), ACTOR, template="breaks")
    assert "2 of 3" in part.refusals()[0].message
    _run, plan = import_file("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    assert plan.count("new") == 3
    result = current_session().query(SetResult).one()
    assert (result.strength_mpa, result.basis, result.state) == (Decimal("18.1"), "mean", "entered")
    assert current_session().query(Break).count() == 3
    assert look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks").changes_nothing
    rows[1]["load_kn"] = 402
    other = look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    (refusal,) = other.refusals()
    assert "401" in refusal.message
    assert refusal.value == "402"
    assert other.count("changed") == 0


def test_breaks_of_a_sheet_that_names_no_tester_have_none_and_the_preview_says_so(records: Flask) -> None:
    """Not who imports it: the sheet of a year holds others' work."""
    sets = a_batch("120", plan_ages="3").sets[:2]
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"
    rows = [
        {"specimen": specimen.code, "load_kn": 400, "tested_at": now}
        for found in sets
        for specimen in found.specimens
    ]
    rows[4]["tested_by"] = "李伟"  # once for its set
    seen = look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    (remark,) = seen.remarks
    assert "tester of 3 specimens" in remark
    run, _plan = import_file("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    assert run.remarks == remark
    breaks = current_session().query(Break).order_by(Break.id)
    assert [item.tested_by for item in breaks] == [None] * 3 + ["李伟"] * 3
    assert look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks").remarks == []


def test_breaks_of_another_press_are_refused_with_the_code_of_the_one_that_is_stored(records: Flask) -> None:
    first = a_batch("50", plan_ages="3").sets[0]
    for code in ("P-1", "P-2", "P-3"):
        SERVICES["presses"].add({"code": code, "name": code}, ACTOR)
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"

    def of(press: str) -> bytes:
        row = {"load_kn": 400, "tested_at": now, "press_id": press, "tested_by": "李伟"}
        return filled("breaks", *({**row, "specimen": specimen.code} for specimen in first.specimens))

    import_file("b.xlsx", of("P-2"), ACTOR, template="breaks")
    refusals = look("b.xlsx", of("P-3"), ACTOR, template="breaks").refusals()
    assert {(item.value, item.message.partition(";")[0]) for item in refusals} == {
        ("P-3", "was entered already as P-2")
    }


def test_breaks_of_a_press_are_taken_until_the_day_on_which_it_was_put_away(records: Flask) -> None:
    first = a_batch("50", plan_ages="3").sets[0]
    press = SERVICES["presses"].add({"code": "OLD", "name": "Press"}, ACTOR)
    with transaction(ACTOR):
        SERVICES["presses"].retire(press.id, ACTOR).retired_at = datetime.now(UTC) - timedelta(days=2)

    def of(days_ago: int) -> Any:
        at = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(days=days_ago, minutes=5):%Y-%m-%d %H:%M}"
        row = {"load_kn": 400, "tested_at": at, "press_id": "OLD", "tested_by": "李伟"}
        rows = ({**row, "specimen": specimen.code} for specimen in first.specimens)
        return look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")

    assert of(2).count("new") == 3
    refusal = of(0).refusals()[0]
    assert (refusal.column, refusal.value) == ("Press", "OLD")
    assert "was put away on" in refusal.message


def test_breaks_of_a_list_say_the_time_to_the_second_and_are_what_is_stored(records: Flask) -> None:
    first = a_batch("50", plan_ages="3").sets[0]
    tested = datetime.now(UTC).replace(microsecond=250_000)  # as a browser says it
    loads = ["424", "401", "396"]
    record_set(first.id, SetBreaksIn.read({"loads_kn": loads, "tested_at": tested.isoformat()}), ACTOR)

    def listed(at: datetime) -> Any:
        local = f"{at + timedelta(hours=8):%Y-%m-%d %H:%M:%S}"
        rows = [
            {"specimen": specimen.code, "load_kn": load, "tested_at": local}
            for specimen, load in zip(first.specimens, loads, strict=True)
        ]
        return look("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")

    assert listed(tested).changes_nothing
    assert len(listed(tested - timedelta(seconds=1)).refusals()) == 3


def test_breaks_may_be_named_by_batch_age_and_number(records: Flask) -> None:
    batch = a_batch("50")
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"
    rows = [
        {"batch": batch.code, "age_days": 3, "specimen_number": n, "load_kn": 400 + n, "tested_at": now}
        for n in (1, 2, 3)
    ]
    _run, plan = import_file("b.xlsx", filled("breaks", *rows), ACTOR, template="breaks")
    assert plan.count("new") == 3
    wrong = look("b.xlsx", filled("breaks", {**rows[0], "specimen_number": 9}), ACTOR, template="breaks")
    assert "no specimen 9" in wrong.refusals()[0].message


def test_history_of_a_new_age_with_another_recipe_grade_or_shape_is_refused(records: Flask) -> None:
    """A mix has one recipe: what a later file says otherwise is not dropped, and its sets are of the same shape."""
    mix = {"lab": "Plant", "mix_id": "A", "cement_kg_m3": 300, "water_kg_m3": 170, "grade_mpa": 30}
    cubes = {"shape": "cube", "width_mm": 100, "age_days": 7, "strength_mpa": 25}
    import_file("h.xlsx", filled("history", {**mix, **cubes}), ACTOR, template="history")
    later = {**mix, "age_days": 28, "strength_mpa": 45}
    for name, value, old in (("cement_kg_m3", 400, "300"), ("grade_mpa", 50, "30"), ("width_mm", 150, "100")):
        plan = look("h.xlsx", filled("history", {**later, name: value}), ACTOR, template="history")
        ((refusal, row),) = zip(plan.refusals(), plan.rows, strict=True)
        assert row.problems[0].field == name
        assert f"{old}; accepted" in refusal.message
        assert refusal.value == str(value)
    one_more = look(
        "h.xlsx", filled("history", {**mix, **cubes, "specimen_number": 2}), ACTOR, template="history"
    )
    assert "accepted: its 1 specimens" in one_more.refusals()[0].message
    _run, plan = import_file("h.xlsx", filled("history", later), ACTOR, template="history")
    assert plan.count("new") == 1
    shapes = {(item.shape, item.width_mm) for item in current_session().query(Specimen)}
    assert shapes == {("cube", Decimal(100))}


def test_history_that_leaves_out_a_number_comes_in_again_without_a_change(records: Flask) -> None:
    """Of three cubes the second was lost, and of another mix the first."""
    mix = {"lab": "Plant", "mix_id": "A", "age_days": 7, "cement_kg_m3": 300, "water_kg_m3": 170}
    rows = [
        {**mix, "mix_id": code, "specimen_number": number, "strength_mpa": 20 + number}
        for code, numbers in (("A", (1, 3)), ("B", (2, 3)))
        for number in numbers
    ]
    _run, plan = import_file("h.xlsx", filled("history", *rows), ACTOR, template="history")
    assert plan.count("new") == 4
    assert look("h.xlsx", filled("history", *rows), ACTOR, template="history").changes_nothing
    later = [*rows, {**mix, "age_days": 28, "strength_mpa": 38}]
    assert look("h.xlsx", filled("history", *later), ACTOR, template="history").count("new") == 1
    assert look("h.xlsx", export_template("history"), ACTOR, template="history").changes_nothing
    found = look("h.xlsx", filled("history", {**rows[1], "specimen_number": 2}), ACTOR, template="history")
    assert "accepted: its 2 specimens" in found.refusals()[0].message  # another cube that bore as much
    other = look(
        "h.xlsx", filled("history", rows[0], {**rows[1], "strength_mpa": 30}), ACTOR, template="history"
    )
    assert "stands otherwise in the history: 23" in other.refusals()[0].message


def test_age_of_a_history_that_was_retracted_is_refused_before_it_is_written(records: Flask) -> None:
    mix = {"lab": "Plant", "mix_id": "A", "age_days": 7, "cement_kg_m3": 300, "water_kg_m3": 170}
    content = filled("history", {**mix, "strength_mpa": 25})
    import_file("h.xlsx", content, ACTOR, template="history")
    retract(current_session().query(SpecimenSet).one().id, "of another mix", ACTOR)
    (refusal,) = look("h.xlsx", content, ACTOR, template="history").refusals()
    assert (refusal.column, refusal.value) == ("Age", "7")
    assert refusal.message == "H-Plant-A-07d-1: is Retracted; accepted: Released"


def test_history_of_a_laboratory_with_blanks_or_a_long_name_has_codes_that_are_read_again(
    records: Flask,
) -> None:
    long = "Chongqing Jiangbei Inspection Centre of Construction Engineering Quality, Hall "
    names = ("Plant 2 (old)", long + "1", long + "2")
    rows = [
        {
            "lab": lab,
            "mix_id": code,
            "age_days": 7,
            "strength_mpa": 25,
            "cement_kg_m3": 300,
            "water_kg_m3": 170,
        }
        for lab in names
        for code in ("C30 OLD", "C40" + "-long" * 7)
    ]
    _run, plan = import_file("h.xlsx", filled("history", *rows), ACTOR, template="history")
    assert plan.count("new") == 6
    codes = {batch.code for batch in current_session().query(Batch)}
    assert len(codes) == 6
    assert "H-Plant_2_old_-C30-OLD" in codes
    kind = TEMPLATES["batches"].columns["code"].kind
    assert {kind.parse(code) for code in codes} == codes
    trials = {trial.name.partition(": ")[2]: trial.code for trial in current_session().query(Trial)}
    assert set(trials) == set(names)
    assert len(set(trials.values())) == 3


def test_mix_that_was_there_is_changed_or_let_be_and_not_counted_as_added(records: Flask) -> None:
    mix = a_mix("A")
    masses = {"cement_kg_m3": 360, "water_kg_m3": 165}
    second = {"code": "A", "revision": 2, "reason": "winter", "name": "Winter", **masses}
    run, plan = import_file("m.xlsx", filled("mixes", second), ACTOR, template="mixes")
    assert (plan.count("new"), run.mixes_added) == (1, 0)
    assert [item[4] for item in came_from("mix-designs", mix.id)] == ["changed"]
    assert [item[4] for item in came_from("mix-revisions", mix.latest_revision_id)] == ["new"]
    row = {"lab": "own", "mix_id": "A", "age_days": 28, "strength_mpa": 45}
    run, plan = import_file("h.xlsx", filled("history", row), ACTOR, template="history")
    assert (run.specimens_added, run.mixes_added) == (1, 0)
    assert len(came_from("mix-designs", mix.id)) == 1


def test_history_of_a_mix_that_is_there_says_its_grade_or_none(records: Flask) -> None:
    a_mix("C30-A")
    row = {"lab": "own", "mix_id": "C30-A", "age_days": 28, "strength_mpa": 45}
    assert (
        look("h.xlsx", filled("history", {**row, "grade_mpa": 30}), ACTOR, template="history").count("new")
        == 1
    )
    (refusal,) = look(
        "h.xlsx", filled("history", {**row, "grade_mpa": 40}), ACTOR, template="history"
    ).refusals()
    assert "30; accepted" in refusal.message


def test_class_that_a_sheet_changes_takes_its_grade_along(records: Flask) -> None:
    """Verdicts are by the grade; one that was said otherwise than its class stays."""
    a_mix("A")
    a_mix("B", grade_mpa="32")
    a_mix(
        "C", strength_class="C30/37", grade_mpa="30"
    )  # as mixes have it that were made before the shape was asked
    rows = [
        {"code": code, "strength_class": name} for code, name in (("A", "C35"), ("B", "C35"), ("C", "C35/45"))
    ]
    _run, plan = import_file("m.xlsx", filled("mixes", *rows), ACTOR, template="mixes")
    assert [change.new for change in plan.rows[0].changes] == ["C35", "35"]
    grades = {mix.code: mix.grade_mpa for mix in current_session().query(MixDesign)}
    assert grades == {"A": Decimal(35), "B": Decimal(32), "C": Decimal(45)}


def test_what_a_sheet_cannot_say_is_refused_with_what_it_may(records: Flask) -> None:
    def refusals(template: str, *rows: dict[str, Any]) -> str:
        return str(
            [
                item.message
                for item in look("x.xlsx", filled(template, *rows), ACTOR, template=template).refusals()
            ]
        )

    SERVICES["customers"].retire(a_customer("K-1", name="One").id, ACTOR)
    assert refusals("customers", {"code": "K-1", "name": "One"}) == "[]"
    assert "is out of use" in refusals("customers", {"code": "K-1", "name": "Two"})
    batch = a_batch("50", plan_ages="3")
    assert "stored is 50" in refusals("batches", {"code": batch.code, "volume_m3": 60})
    SERVICES["cement-products"].add({"code": "PO425", "name": "P"}, ACTOR)
    a_mix("A")
    assert "on the page of the revision" in refusals("mixes", {"code": "A", "cement_product_id": "PO425"})
    assert "accepted: 1" in refusals(
        "mixes", {"code": "B", "revision": 2, "cement_kg_m3": 300, "water_kg_m3": 170}
    )
    cube = {
        "lab": "L",
        "mix_id": "H",
        "age_days": 7,
        "strength_mpa": 30,
        "cement_kg_m3": 300,
        "water_kg_m3": 170,
    }
    assert "repeats row 6 exactly" in refusals("history", cube, cube)
    assert "one for each mix" in refusals("history", cube, {**cube, "age_days": 28, "cement_kg_m3": 350})
    for code in ("P1", "P2"):
        SERVICES["presses"].add({"code": code, "name": code}, ACTOR)
    now = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=5):%Y-%m-%d %H:%M}"
    breaks = [
        {"specimen": specimen.code, "load_kn": 400, "tested_at": now, "press_id": press}
        for specimen, press in zip(batch.sets[0].specimens, ("P1", "P2", "P1"), strict=True)
    ]
    assert "differs within the set" in refusals("breaks", *breaks)
