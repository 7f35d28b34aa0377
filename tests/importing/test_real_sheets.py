"""Sheets as laboratories have them: titles, merged heads, columns grouped by age, other units, Chinese heads."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from flask import Flask

from lims.base.database import current_session
from lims.base.problems import Refused
from lims.base.services import SERVICES
from lims.importing.columns import choice_key, in_all_languages
from lims.importing.former_labels import FORMER_LABELS
from lims.importing.imports import (
    TEMPLATES,
    Plan,
    compare,
    find_reading,
    import_file,
    look,
    prepare,
    remember,
)
from lims.importing.mapping import Reading, heads_of, own_reading, propose, proposed, settled, unit_in
from lims.importing.workbooks import Sheet, read_book
from lims.results.models import SetResult
from lims.standards.aggregates import SAND_SIEVES_MM
from tests.factories import ACTOR, a_batch
from tests.importing.workbooks import saved, sheet_of


def proposal(content: bytes, template: str, name: str = "x.xlsx", **more: Any) -> tuple[Reading, Plan]:
    book = read_book(name, content)
    assert own_reading(book, [TEMPLATES[template]]) is None
    reading = replace(propose(book, [TEMPLATES[template]]), **more)
    return reading, compare(prepare(name, book, reading), ACTOR)


def grouped_sheet() -> bytes:
    """A title, two rows of heads, groups of three cubes and an average at 7 and 28 days, a remark below."""
    book, sheet = sheet_of(
        [
            ["混凝土抗压强度试验台账"],
            ["编制：试验室", None, None, "2026-03"],
            [
                "配合比编号",
                "水泥(kg/m³)",
                "水",
                "7d抗压强度(MPa)",
                None,
                None,
                None,
                "28d抗压强度(MPa)",
                None,
                None,
                None,
            ],
            [None, None, None, "1", "2", "3", "平均", "1", "2", "3", "平均"],
            ["C30-1", 350, 175, 25.1, 26.2, 24.9, 25.4, 38.1, 39.2, 37.7, 38.3],
            ["C30-2", 360, 172, 27.5, 27.9, 28.0, 27.8, None, None, None, None],
        ],
        "台账",
    )
    sheet.merge_cells("A1:K1")
    sheet.merge_cells("D3:G3")
    sheet.merge_cells("H3:K3")
    for column in "ABC":
        sheet.merge_cells(f"{column}3:{column}4")
    return saved(book)


def test_columns_grouped_by_age_are_proposed_and_read(records: Flask) -> None:
    reading, plan = proposal(grouped_sheet(), "history", constants={"lab": "Plant"})
    assert (reading.sheet, reading.header_row) == ("台账", 4)
    groups = [(item.at, item.field, item.age_days, item.number) for item in reading.columns if item.age_days]
    assert groups == [
        ("D", "strength_mpa", 7, 1),
        ("E", "strength_mpa", 7, 2),
        ("F", "strength_mpa", 7, 3),
        ("H", "strength_mpa", 28, 1),
        ("I", "strength_mpa", 28, 2),
        ("J", "strength_mpa", 28, 3),
    ]
    assert {item.at: item.field for item in reading.columns if not item.age_days} == {
        "A": "mix_id",
        "B": "cement_kg_m3",
        "C": "water_kg_m3",
    }
    assert plan.refusals() == []
    assert plan.count("new") == 9  # a blank cube is no cube
    assert plan.rows[0].values["strength_mpa"] == Decimal("25.1")
    assert any("平均" in remark for remark in plan.remarks)


def test_a_refused_cube_of_a_group_names_its_own_cell(records: Flask) -> None:
    book = read_book("x.xlsx", grouped_sheet())
    book.sheets[0].rows[4][8] = "39,2"
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "Plant"})
    plan = compare(prepare("x.xlsx", book, reading), ACTOR)
    assert [(item.cell, item.value) for item in plan.refusals()] == [("I5", "39,2")]


def test_an_error_in_a_group_is_refused_and_no_cube_that_was_left_out(records: Flask) -> None:
    file = openpyxl.load_workbook(io.BytesIO(grouped_sheet()))
    file["台账"]["I5"].value, file["台账"]["I5"].data_type = "#DIV/0!", "e"
    book = read_book("x.xlsx", saved(file))
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "Plant"})
    (item,) = compare(prepare("x.xlsx", book, reading), ACTOR).refusals()
    assert item.cell == "I5"
    assert "error of the sheet" in item.message


def test_a_cube_whose_cell_holds_blanks_was_left_out(records: Flask) -> None:
    book = read_book("x.xlsx", grouped_sheet())
    book.sheets[0].rows[5][8] = "　 "
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "Plant"})
    plan = compare(prepare("x.xlsx", book, reading), ACTOR)
    assert (plan.count("new"), plan.refusals()) == (9, [])


def test_columns_under_one_merged_head_are_told_as_not_read(records: Flask) -> None:
    """Three cubes under one head, or two and their average: nobody says."""
    rows = [["配合比编号", "28d抗压强度", None, None], ["C30-1", 38.1, 39.2, 37.7]]
    book, sheet = sheet_of(rows)
    sheet.merge_cells("B1:D1")
    _reading, plan = proposal(saved(book), "history", constants={"lab": "Plant"})
    assert "Columns that are not read: C, D." in plan.remarks


def test_a_grouped_sheet_becomes_breaks_of_registered_batches(records: Flask) -> None:
    cast = datetime.now(UTC) - timedelta(days=7, hours=1)
    batch = a_batch("20", cast_at=cast.isoformat(), plan_ages="7,28")
    book, _sheet = sheet_of(
        [
            ["Batch", "7 days (lbf)", None, None, None],
            [None, "1", "2", "3", "Average"],
            [batch.code, 95000, 94000, 96000, 95000],
        ]
    )
    day = f"{datetime.now(UTC) + timedelta(hours=8) - timedelta(minutes=9):%Y-%m-%d %H:%M}"
    reading, plan = proposal(saved(book), "breaks", constants={"tested_at": day})
    assert [item.field for item in reading.columns if item.age_days] == ["load_kn"] * 3
    assert {item.unit for item in reading.columns if item.age_days} == {"lbf"}
    assert plan.refusals() == []
    assert [row.values["load_kn"] for row in plan.rows] == [
        Decimal("422.581"),
        Decimal("418.133"),
        Decimal("427.029"),
    ]
    assert any("lbf" in remark for remark in plan.remarks)


@pytest.mark.parametrize(
    ("heads", "cells", "expected"),
    [
        (
            ["Mix", "Cement (lb/yd3)", "Water (lb/yd³)", "Slump (in)"],
            ["A", 590, 295, 4],
            {"cement_kg_m3": "350.033", "water_kg_m3": "175.017", "slump_mm": "102"},
        ),
        (
            ["配合比编号", "水泥 kg/m³", "水", "砂", "石", "粉煤灰", "矿粉", "减水剂"],
            ["B", 300, 170, 760, 1050, 60, 40, 6.2],
            {
                "fine_aggregate_kg_m3": "760",
                "coarse_aggregate_kg_m3": "1050",
                "fly_ash_kg_m3": "60",
                "slag_kg_m3": "40",
            },
        ),
        (
            ["配合比編號", "水泥", "水", "細骨料", "粗骨料", "礦粉", "減水劑", "強度等級"],
            ["C", 300, 170, 760, 1050, 40, 6.2, "C30"],
            {"superplasticizer_kg_m3": "6.2", "strength_class": "C30"},
        ),
        (
            ["配比編號", "水泥", "水", "細粒料", "粗骨材", "爐石粉", "飛灰", "強塑劑", "坍度(mm)"],
            ["D", 300, 170, 760, 1050, 40, 60, 6.2, 180],
            {
                "fine_aggregate_kg_m3": "760",
                "coarse_aggregate_kg_m3": "1050",
                "slag_kg_m3": "40",
                "fly_ash_kg_m3": "60",
                "superplasticizer_kg_m3": "6.2",
                "slump_mm": "180",
            },
        ),
    ],
)
def test_mixes_under_other_heads_and_units(
    records: Flask, heads: list[str], cells: list[Any], expected: dict[str, str]
) -> None:
    book, _sheet = sheet_of([["Recipes of the plant"], [], heads, cells])
    reading, plan = proposal(saved(book), "mixes")
    assert reading.header_row == 3
    assert plan.refusals() == []
    values = plan.rows[0].values
    assert {name: str(values[name]) for name in expected} == expected


def test_psi_decimal_commas_and_days_of_a_text_file(records: Flask) -> None:
    text = "Mix;Age;Strength (psi);Cement\nA;7;3.500,5;350,5\n"
    reading, plan = proposal(text.encode(), "history", "h.csv", constants={"lab": "Plant"}, decimal_mark=",")
    assert plan.count("new") == 0  # a recipe without water
    assert plan.rows[0].values["strength_mpa"] == Decimal("24.1351")
    assert plan.rows[0].values["cement_kg_m3"] == Decimal("350.5")
    assert reading.delimiter == "semicolon"


def test_rounding_is_a_choice_and_told(records: Flask) -> None:
    book, _sheet = sheet_of([["Mix", "Cement", "Water"], ["A", 350.12345, 170]])
    _reading, plan = proposal(saved(book), "mixes")
    assert "decimal places" in plan.refusals()[0].message
    _reading, rounded = proposal(saved(book), "mixes", rounds=True)
    assert rounded.rows[0].values["cement_kg_m3"] == Decimal("350.123")
    assert any("rounded" in remark for remark in rounded.remarks)


def test_a_source_that_was_settled_once_is_read_the_same_way(records: Flask) -> None:
    book = read_book("x.xlsx", grouped_sheet())
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "Plant"})
    assert find_reading(book) is None
    remember("site-lab", book, reading, ACTOR)
    assert find_reading(book) == replace(reading)
    _run, plan = import_file("march.xlsx", grouped_sheet(), ACTOR, template="history", mapping="site-lab")
    assert plan.count("new") == 9
    assert current_session().query(SetResult).count() == 3
    _run, again = import_file("april.xlsx", grouped_sheet(), ACTOR, template="history")
    assert again.changes_nothing


def test_a_source_is_read_the_same_way_where_its_heads_moved_or_its_sheet_has_another_name(
    records: Flask,
) -> None:
    rows = [["混凝土强度台账"], [], ["Mix", "Age", "Strength"], ["A", 7, 30]]
    book = read_book("x.xlsx", saved(sheet_of(rows, "三月")[0]))
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "P"})
    remember("site-lab", book, reading, ACTOR)
    lower = sheet_of([["混凝土强度台账"], ["江北站"], [], *rows[2:]], "三月")[0]
    assert look("y.xlsx", saved(lower), ACTOR, template="history").count("new") == 1
    cover, sheet = sheet_of([["说明"]], "封面")
    sheet = cover.create_sheet("四月")
    for row in rows:
        sheet.append(row)
    plan = look("z.xlsx", saved(cover), ACTOR, template="history", mapping="site-lab")
    assert (plan.reading.sheet, plan.count("new")) == ("四月", 1)


def test_a_named_mapping_reads_no_sheet_with_other_heads(records: Flask) -> None:
    """With a column more, a load would be read as the strength beside it."""
    march = [["Mix", "Age", "Strength 2026-03"], ["A", 7, 30]]
    book = read_book("x.xlsx", saved(sheet_of(march)[0]))
    reading = replace(propose(book, [TEMPLATES["history"]]), constants={"lab": "P"})
    remember("site-lab", book, reading, ACTOR)

    def named(*rows: list[Any]) -> Plan:
        return look("y.xlsx", saved(sheet_of(list(rows))[0]), ACTOR, template="history", mapping="site-lab")

    assert named(["Mix", "Age", "Strength 2026-04"], ["B", 7, 30]).count("new") == 1
    with pytest.raises(Refused, match="column C is headed “load” here and was “strength”"):
        named(["Mix", "Age", "Load", "Strength 2026-04"], ["B", 7, 99, 30])
    with pytest.raises(Refused, match="column A is headed “april” here and was “mix”"):
        named(["April"], ["Mix", "Age", "Strength"], ["B", 7, 30])


def columns_of(template: str, *heads: str) -> list[tuple[str, str, str, int | None, int | None]]:
    content = saved(sheet_of([list(heads), ["A", *range(20, 19 + len(heads))]])[0])
    found = propose(read_book("x.xlsx", content), [TEMPLATES[template]]).columns
    return [(item.at, item.field, item.unit, item.age_days, item.number) for item in found]


def test_no_column_that_a_person_chose_is_dropped_for_another(records: Flask) -> None:
    """Of three cubes with a number and no age, the last would have been read alone."""
    book = read_book("x.xlsx", saved(sheet_of([["Mix", "Age", "1#", "2#", "3#"], ["A", 28, 38, 39, 40]])[0]))
    cubes = {f"field_{at}": "strength_mpa" for at in "CDE"}
    said = {"sheet": "Sheet", "header_row": "1", "field_A": "mix_id", "every_lab": "P", **cubes}
    numbers, aged = {"number_C": "1", "number_D": "2", "number_E": "3"}, {f"age_{at}": "28" for at in "CDE"}

    def wrong(**more: str) -> list[str]:
        with pytest.raises(Refused) as refusal:
            settled(book, TEMPLATES["history"], {**said, **more})
        return [problem.field for problem in refusal.value.problems]

    assert wrong(**numbers, field_B="age_days") == ["field_D", "field_E"]
    assert wrong(**numbers, **aged, field_B="age_days") == ["field_B"]
    assert wrong(**aged, number_D="1", number_E="2") == ["field_D"]  # the first without a number is number 1
    assert wrong(**{**aged, "age_E": ""}, **numbers) == ["field_E"]
    assert wrong(**{**numbers, **aged, "age_D": "28d"})[0] == "age_D"
    columns = settled(book, TEMPLATES["history"], {**said, **numbers, **aged}).columns
    assert [(item.at, item.age_days, item.number) for item in columns[1:]] == [
        ("C", 28, 1),
        ("D", 28, 2),
        ("E", 28, 3),
    ]


def test_number_of_a_specimen_beside_columns_of_ages_is_not_proposed(records: Flask) -> None:
    """A column of an age has a number of its own; a page that proposed both would refuse what it proposed."""
    assert columns_of("history", "配合比编号", "试件序号", "7d抗压强度", "28d抗压强度") == [
        ("A", "mix_id", "", None, None),
        ("C", "strength_mpa", "", 7, 1),
        ("D", "strength_mpa", "", 28, 1),
    ]


def test_two_columns_that_say_the_same_are_asked_about_and_none_is_dropped(records: Flask) -> None:
    """Two stones of a recipe: the first would have been all of it."""

    def of(heads: list[str], cells: list[Any], template: str = "mixes") -> bytes:
        return saved(sheet_of([heads, cells])[0])

    two = of(["配合比编号", "水泥", "水", "碎石5-10", "碎石10-20"], ["A", 350, 175, 420, 630])
    columns = propose(read_book("x.xlsx", two), [TEMPLATES["mixes"]]).columns
    assert [item.at for item in columns if item.field == "coarse_aggregate_kg_m3"] == ["D", "E"]
    for way in (look, import_file):
        with pytest.raises(Refused, match="Column E: Coarse aggregate: is read from column D already"):
            way("x.xlsx", two, ACTOR, template="mixes")
    # What holds no number is no second mass, and a head that says more clearly what it is has no rival.
    for heads, cells in (
        (["碎石5-10", "碎石10-20"], [420, None]),
        (["碎石产地", "碎石10-20"], ["龙河", 420]),
        (["碎石", "碎石10-20"], [420, 630]),
    ):
        content = of(["配合比编号", "水泥", "水", *heads], ["A", 350, 175, *cells])
        (row,) = look("x.xlsx", content, ACTOR, template="mixes").rows
        assert row.values["coarse_aggregate_kg_m3"] == 420
    prisms = columns_of("cement-lots", "批号", "3d抗压强度1", "3d抗压强度2", "3d抗压平均")
    assert [item[0] for item in prisms] == ["A", "B", "C"]


def test_a_column_in_a_unit_that_its_field_cannot_have_is_left_to_a_person(records: Flask) -> None:
    """Pounds of a batch are no kg/m³, and kilograms no kN."""
    assert columns_of("mixes", "Mix", "Cement (lb)", "水(kg)", "砂(kg/m3)") == [
        ("A", "code", "", None, None),
        ("D", "fine_aggregate_kg_m3", "kg/m³", None, None),
    ]
    assert [item[0] for item in columns_of("breaks", "试件编号", "荷载(kg)", "试验日期")] == ["A", "C"]
    # Nor are those that Chinese words name: 18 厘米 are no 18 mm, 250 公斤/平方厘米 no 250 MPa.
    assert columns_of("mixes", "配合比编号", "水泥(公斤)", "坍落度(厘米)", "水(千克/立方米)") == [
        ("A", "code", "", None, None),
        ("C", "slump_mm", "cm", None, None),
        ("D", "water_kg_m3", "kg/m³", None, None),
    ]
    assert columns_of("breaks", "试件编号", "抗压强度(公斤/平方厘米)")[1][2] == "kgf/cm²"
    assert [item[1] for item in columns_of("mixes", "Mix", "粉煤灰掺量(kg/m³)")] == ["code", "fly_ash_kg_m3"]
    assert columns_of("mixes", "Mix", "粉煤灰(%)", "Water, kg/m³", "水泥 kg/m³", "Fly ash, L/m3") == [
        ("A", "code", "", None, None),
        ("C", "water_kg_m3", "kg/m³", None, None),
        ("D", "cement_kg_m3", "kg/m³", None, None),
    ]
    assert columns_of("cement-lots", "Lot", "比表面积(cm2/g)", "Initial set, h") == [
        ("A", "code", "", None, None)
    ]
    assert [item[1] for item in columns_of("cement-lots", "Lot", "比表面积, m²/kg")] == [
        "code",
        "specific_surface_m2_kg",
    ]
    assert [item[1] for item in columns_of("history", "Mix", "Age (h)")] == ["mix_id"]
    assert [item[0] for item in columns_of("history", "Mix", "Dosage", "Tested ages")] == ["A", "C"]


@pytest.mark.parametrize(
    "head", ["Water/binder", "Water-cement ratio", "水泥与粉煤灰之比", "粉煤灰取代率", "粉煤灰掺量"]
)
def test_a_ratio_is_no_mass_of_the_material_that_it_names(records: Flask, head: str) -> None:
    """0.5 would be half a kilogram of water in a cubic metre."""
    assert [item[1] for item in columns_of("mixes", "Mix", head)] == ["code"]
    assert [item[1] for item in columns_of("aggregate-samples", "Sample", "0.15mm累计筛余")] == ["code"]


def test_a_flexural_or_tensile_strength_is_no_compressive_one(records: Flask) -> None:
    """A mill certificate has the flexural one first: 5.8 MPa would be the cement's strength at 3 days."""
    heads = ("3d抗折强度(MPa)", "3d抗压强度(MPa)", "28d抗折(MPa)", "28d抗压(MPa)")
    assert [item[:2] for item in columns_of("cement-lots", "批号", *heads)] == [
        ("A", "code"),
        ("C", "strength_3d_mpa"),
        ("E", "strength_28d_mpa"),
    ]
    assert [item[1] for item in columns_of("breaks", "试件编号", "劈裂抗拉强度", "28d抗折强度(MPa)")] == [
        "specimen"
    ]
    rows = [
        ["批号", "抗折强度(MPa)", None, "抗压强度(MPa)", None],
        [None, "3d", "28d", "3d", "28d"],
        ["L-1", 5.8, 8.4, 28, 49],
    ]
    book, sheet = sheet_of(rows)
    for merged in ("A1:A2", "B1:C1", "D1:E1"):
        sheet.merge_cells(merged)
    found = propose(read_book("x.xlsx", saved(book)), [TEMPLATES["cement-lots"]]).columns
    assert [(item.at, item.field) for item in found] == [
        ("A", "code"),
        ("D", "strength_3d_mpa"),
        ("E", "strength_28d_mpa"),
    ]


def test_the_strength_of_the_cement_is_no_specimen_of_the_concrete(records: Flask) -> None:
    heads = ("28d胶砂强度", "水泥28d强度", "28天强度", "水泥混凝土7d强度")
    assert [item[0] for item in columns_of("history", "配合比编号", *heads)] == ["A", "D", "E"]
    assert [item[1] for item in columns_of("breaks", "试件编号", "水泥强度")] == ["specimen"]


def test_a_strength_that_was_asked_for_is_no_strength_that_was_found(records: Flask) -> None:
    asked_for = ("设计强度", "強度等級", "28d推定强度", "Target strength, MPa")
    assert [item[:2] for item in columns_of("breaks", "试件编号", *asked_for, "实测强度")] == [
        ("A", "specimen"),
        ("F", "strength_mpa"),
    ]
    assert [item[0] for item in columns_of("breaks", "试件编号", "7d强度增长率", "7d强度")] == ["A", "C"]
    assert [item[0] for item in columns_of("cement-lots", "批号", "28d预测强度", "28d抗压强度")] == ["A", "C"]


def head_of(template: str, text: str, group: str = "") -> tuple[str, int | None] | None:
    """(field, age) that one head is read as, None where it is left to a person."""
    sheet = Sheet("x", [[None, group], ["_", text], ["A", "20"]])
    columns, _merit = proposed(sheet, TEMPLATES[template], 2)
    return next(((item.field, item.age_days) for item in columns if item.at == "B"), None)


def test_every_label_that_a_column_has_or_had_is_read_as_it(records: Flask) -> None:
    """粉煤灰批次 was the lot of the fly ash, and would be taken for the batch: it is called FA-1."""
    for template, made in TEMPLATES.items():
        for name, column in made.columns.items():
            for label in in_all_languages(column.label):
                assert head_of(template, label) == (name, None), label
    for template, columns in FORMER_LABELS.items():
        for name, labels in columns.items():
            for label in labels:
                assert head_of(template, label) == (name, None), label
    assert choice_key(TEMPLATES["customers"].columns["kind"].kind, "攪拌站") == "mixing_station"
    assert choice_key(TEMPLATES["mixes"].columns["kind"].kind, "噴射混凝土") == "shotcrete"


def test_the_lot_of_a_material_is_never_the_batch(records: Flask) -> None:
    heads = ("石粉批次", "Fly ash batch", "骨料批次", "飛灰批次", "Cement batch no.")
    assert [head_of("batches", head) for head in heads] == [None] * 5
    assert head_of("breaks", "粉煤灰批次") is None
    assert head_of("batches", "批次", group="粉煤灰") == ("fly_ash_lot_id", None)
    for head in ("批次", "水泥混凝土批次", "砂浆批次", "Batch no."):
        assert head_of("batches", head) == ("code", None)
    assert head_of("batches", "矿粉批号") == ("slag_lot_id", None)
    assert head_of("batches", "外加剂批号") == ("superplasticizer_lot_id", None)


def test_the_class_of_a_mix_is_read_and_that_of_its_cement_is_not(records: Flask) -> None:
    heads = (
        *("设计强度等级", "混凝土强度等级", "砼强度等级", "配合比强度等级", "Concrete grade", "Design grade"),
        *("Concrete strength class", "設計強度等級", "混凝土強度等級", "标号", "標號", "混凝土等级"),
        *("Design strength class", "C30强度等级"),
    )
    for head in heads:
        assert head_of("mixes", head) == ("strength_class", None), head
    for head in ("水泥强度等级", "水泥标号", "Cement grade", "粉煤灰等级", "水泥强度"):
        assert head_of("mixes", head) is None, head
    assert head_of("mixes", "标号", group="水泥") is None
    assert head_of("mixes", "Superplasticizer") == ("superplasticizer_kg_m3", None)
    assert head_of("mixes", "Superplasticiser (kg/m3)") == ("superplasticizer_kg_m3", None)


def test_what_is_told_of_an_age_and_is_no_strength_is_left_to_a_person(records: Flask) -> None:
    heads = (
        *(
            "28d试验日期",
            "28d test Date",
            "28d荷载",
            "28d荷載",
            "28d荷重",
            "28d max load",
            "28d质量",
            "28d質量",
        ),
        *("28d品質", "28d mass", "28d密度", "28d Density", "28d强度标准差", "28d標準差", "28d deviation"),
        *(
            "28d变异系数",
            "28d變異係數",
            "28d variation",
            "28d弹性模量",
            "28d modulus",
            "28d活性指数",
            "28d指數",
        ),
        *("28d activity index", "28d收缩", "28d收縮", "28d shrinkage", "28d碳化", "28d渗透", "28d滲透"),
        *("28d保证率", "28d保證率", "28d判定", "28d编号", "28d編號", "28d强度要求", "28d指标", "28d指標"),
        *(
            "28d抗压强度≥",
            "28d Strength Ratio",
            "28d strength, W/C",
            "28d强度通过率",
            "28d strength of cement",
        ),
    )
    assert [head for head in heads if head_of("history", head)] == []


def test_a_strength_that_was_found_is_one_whatever_else_its_head_says(records: Flask) -> None:
    heads = (
        *("28d compressive strength of cement concrete", "28d Portland cement concrete strength"),
        *(
            "达到设计强度的28d实测强度(MPa)",
            "28d actual strength, design C30",
            "≥28d抗压强度",
            "28-day strength",
        ),
    )
    for head in heads:
        assert head_of("history", head) == ("strength_mpa", 28), head
    assert head_of("history", "强度", group="28d荷载及强度") == ("strength_mpa", 28)
    assert head_of("breaks", "28d荷重") == ("load_kn", 28)


def test_what_stands_above_the_columns_says_what_they_are_no_strength_of(records: Flask) -> None:
    assert head_of("history", "28d", group="设计强度") is None
    assert head_of("history", "下限", group="28d预测(MPa)") is None

    def columns_under(second: str) -> list[tuple[str, int | None, int | None]]:
        rows = [
            ["配合比编号", "28d抗压强度(MPa)", None, second, None],
            [None, 1, 2, 1, 2],
            ["C30", 38, 39, 48, 49],
        ]
        book, sheet = sheet_of([[None if cell is None else str(cell) for cell in row] for row in rows])
        for merged in ("A1:A2", "B1:C1", "D1:E1"):
            sheet.merge_cells(merged)
        (read,) = read_book("x.xlsx", saved(book)).sheets
        found = proposed(read, TEMPLATES["history"], 2)[0]
        return [(item.at, item.age_days, item.number) for item in found if item.age_days]

    own = [("B", 28, 1), ("C", 28, 2)]
    assert columns_under("28d胶砂强度(MPa)") == own
    assert columns_under("28d同条件抗压强度(MPa)") == own  # one specimen has one strength
    assert columns_under("28d抗压强度(MPa)") == [*own, ("D", 28, 3), ("E", 28, 4)]


def test_the_title_of_a_sheet_is_no_group(records: Flask) -> None:
    """A cement works names itself over its concretes."""
    book, sheet = sheet_of(
        [["水泥有限公司混凝土设计强度台账", None, None], ["编号", "7d强度", "28d强度"], ["A", 25, 38]]
    )
    sheet.merge_cells("A1:C1")
    (read,) = read_book("x.xlsx", saved(book)).sheets
    assert [item.at for item in proposed(read, TEMPLATES["history"], 2)[0]] == ["A", "B", "C"]


def test_a_share_that_passes_or_stays_on_a_sieve_is_no_mass(records: Flask) -> None:
    for head in ("通过率4.75", "通過率4.75", "4.75 Passing", "2.36mm分计筛余率"):
        assert head_of("aggregate-samples", head) is None, head
    assert head_of("aggregate-samples", "4.75mm分计筛余量(g)") == ("retained_4_75_g", None)


@pytest.mark.parametrize(
    ("shares", "told"),
    [("5 10 20 25 20 15 5", True), ("4.9 10 20 25 20 15 5.6", True), ("25 50 100 125 100 75 25", False)],
)
def test_masses_on_sieves_that_look_like_per_cent_are_asked_about(
    records: Flask, shares: str, told: bool
) -> None:
    """筛余 without a unit may be either: the grading is the same, the mass of the sample is not."""
    SERVICES["aggregate-sources"].add({"code": "S", "name": "S"}, ACTOR)
    heads = [f"{sieve}mm筛余" for sieve in SAND_SIEVES_MM]
    sheet = [
        ["样品编号", "料源", "取样日期", *heads, "筛底"],
        ["S-1", "S", "2026-03-01", *map(float, shares.split())],
    ]
    plan = look("s.xlsx", saved(sheet_of(sheet)[0]), ACTOR, template="aggregate-samples")
    assert (plan.refusals(), plan.count("new")) == ([], 1)
    assert any("as per cent do" in remark for remark in plan.remarks) is told


def test_a_strength_of_the_certificate_is_that_of_its_age(records: Flask) -> None:
    heads = {
        "3d": ("3天强度", "3天抗压强度(MPa)", "强度3天", "3-day compressive strength"),
        "28d": ("28天强度(MPa)", "28-day strength", "28天抗壓強度", "Strength at 28 days"),
    }
    for age, texts in heads.items():
        for text in texts:
            assert head_of("cement-lots", text) == (f"strength_{age}_mpa", None), text
    for text in ("7d抗压强度", "13d强度", "28d强度比", "28d抗压强度≥", "28天强度标准差", "28天抗折强度"):
        assert head_of("cement-lots", text) is None, text


def test_a_column_in_the_unit_of_its_field_is_not_said_to_be_converted(records: Flask) -> None:
    book, _sheet = sheet_of([["Mix", "Cement (kg/m3)", "Water"], ["A", 350, 170]])
    assert proposal(saved(book), "mixes")[1].remarks == []


@pytest.mark.parametrize(
    "heads", [("7d荷载(kN)", "28d荷载(kN)"), ("7d①(kN)", "28d1(kN)"), ("7天", "28 days")]
)
def test_an_age_is_known_whatever_follows_it(records: Flask, heads: tuple[str, str]) -> None:
    found = columns_of("breaks", "批次", *heads)
    assert [(at, field, age) for at, field, _unit, age, _number in found] == [
        ("A", "batch", None),
        ("B", "load_kn", 7),
        ("C", "load_kn", 28),
    ]


def test_a_day_of_a_month_is_no_age(records: Flask) -> None:
    assert head_of("breaks", "3月5日荷载(kN)") == ("load_kn", None)
    assert head_of("history", "28日强度") == ("strength_mpa", 28)


def test_heads_and_their_units(records: Flask) -> None:
    assert unit_in("破坏荷载（kN）") == ("破坏荷载", "kN")
    assert unit_in("Slump, mm") == ("Slump", "mm")
    assert unit_in("w/c") == ("w/c", "")
    sheet = read_book("x.xlsx", grouped_sheet()).sheets[0]
    heads = heads_of(sheet, 4)
    assert [(head.at, head.text, head.group) for head in heads[:5]] == [
        ("A", "配合比编号", ""),
        ("B", "水泥(kg/m³)", ""),
        ("C", "水", ""),
        ("D", "1", "7d抗压强度(MPa)"),
        ("E", "2", "7d抗压强度(MPa)"),
    ]
