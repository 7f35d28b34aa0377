"""Every rule of the register: its vectors, its origin, its refusals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lims.standards.errors import RuleInputError
from lims.standards.register import REGISTER
from lims.standards.register.rule import PROVENANCE, Rule, Vector
from lims.standards.specimens import tolerance_hours

VECTORS = [
    pytest.param(rule, vector, id=f"{rule.id}-{number}")
    for rule in REGISTER.rules
    for number, vector in enumerate(rule.vectors, start=1)
]
RULES = [pytest.param(rule, id=rule.id) for rule in REGISTER.rules]
CONFIGURABLE = [
    pytest.param(rule, name, id=f"{rule.id}-{name}") for rule in REGISTER.rules for name in rule.configurable
]


@pytest.mark.parametrize(("rule", "vector"), VECTORS)
def test_vector_holds(rule: Rule, vector: Vector) -> None:
    answer = rule.evaluate(vector.given)
    assert {name: answer[name] for name in vector.expected} == dict(vector.expected)


@pytest.mark.parametrize("rule", RULES)
def test_rule_says_where_it_comes_from_and_has_a_vector(rule: Rule) -> None:
    assert rule.vectors
    assert rule.provenance
    assert all(mark in PROVENANCE for _what, mark in rule.provenance)
    assert rule.sources
    assert rule.title
    assert rule.formula


def test_every_subject_of_the_standards_is_in_the_register() -> None:
    assert {rule.subject for rule in REGISTER.rules} == {
        "Rounding",
        "Specimens",
        "Sampling",
        "Acceptance",
        "Strength with age",
        "Maturity",
        "Mix proportions",
        "Cement",
        "Aggregates",
        "Shotcrete",
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", ["NaN", "Infinity", "12 MPa", "1_000", "", True, 1.5, [], {}])
def test_bad_value_is_refused_with_the_name_of_its_field(rule: Rule, bad: object) -> None:
    given = dict(rule.vectors[0].given)
    for name in given:
        if isinstance(given[name], bool) and isinstance(bad, bool):
            continue
        with pytest.raises(RuleInputError) as refusal:
            rule.evaluate({**given, name: bad})
        assert refusal.value.field.startswith(name)


@pytest.mark.parametrize("rule", RULES)
def test_unknown_input_is_refused_and_a_missing_one_named(rule: Rule) -> None:
    given = dict(rule.vectors[0].given)
    with pytest.raises(RuleInputError, match="surprise"):
        rule.evaluate({**given, "surprise": 1})
    for field in rule.fields:
        if field.required and field.default is None:
            with pytest.raises(RuleInputError, match=field.name):
                rule.evaluate({name: value for name, value in given.items() if name != field.name})


@pytest.mark.parametrize("rule", RULES)
def test_answer_holds_no_float(rule: Rule) -> None:
    def look(value: object) -> None:
        assert not isinstance(value, float)
        if isinstance(value, dict):
            for item in value.values():
                look(item)
        elif isinstance(value, list):
            for item in value:
                look(item)

    for vector in rule.vectors:
        look(rule.evaluate(vector.given))


@pytest.mark.parametrize(("rule", "name"), CONFIGURABLE)
def test_configurable_input_has_a_default_and_a_laboratory_can_set_it(rule: Rule, name: str) -> None:
    field = next(field for field in rule.fields if field.name == name)
    assert field.default is not None
    given = {key: value for key, value in rule.vectors[0].given.items() if key != name}
    assert rule.evaluate(given, {name: field.default}) == rule.evaluate(given)
    with pytest.raises(RuleInputError, match=name):
        rule.evaluate(given, {name: "no value"})


def test_laboratory_setting_changes_the_answer_and_a_given_value_wins() -> None:
    rule = REGISTER.by_id["shotcrete/rebound"]
    given = {"sprayed_kg": "500", "rebound_kg": "75"}
    assert rule.evaluate(given)["accepted"] is True
    assert rule.evaluate(given, {"limit_percent": "10"})["accepted"] is False
    assert rule.evaluate({**given, "limit_percent": "15"}, {"limit_percent": "10"})["accepted"] is True


def test_numbers_of_a_vector_may_be_json_numbers_or_text() -> None:
    rule = REGISTER.by_id["gbt50081-2019/cube-set"]
    as_text = rule.evaluate({"edge_mm": "100", "loads_kn": ["420", "450", "550"]})
    as_numbers = rule.evaluate({"edge_mm": 100, "loads_kn": [Decimal("420.0"), 450, 550]})
    assert as_text == as_numbers


@pytest.mark.parametrize("shape", ["cylinder", "core", "prism-half"])
def test_depth_of_a_shape_that_has_none_is_refused_not_ignored(shape: str) -> None:
    """A core of 100 mm and 125 mm length would be told its strength as if it were 200 mm long."""
    rule = REGISTER.by_id["gbt50081-2019/specimen"]
    with pytest.raises(RuleInputError, match="depth_mm: 125 is not accepted; accepted: nothing"):
        rule.evaluate({"load_kn": "200", "shape": shape, "width_mm": "100", "depth_mm": "125"})
    assert rule.evaluate({"load_kn": "200", "shape": "cube", "width_mm": "100", "depth_mm": "125"})


def test_aggregate_that_brings_more_water_than_the_mix_needs_is_refused_not_told_a_water_below_zero() -> None:
    rule = REGISTER.by_id["mix/moisture"]
    given = {"aggregate_kg_m3": "1800", "water_kg_m3": "160"}
    with pytest.raises(RuleInputError, match="free_water_percent: 10 is not accepted"):
        rule.evaluate({**given, "free_water_percent": "10"})
    assert rule.evaluate({**given, "free_water_percent": "8"})["water_kg_m3"] == "16.0"


@pytest.mark.parametrize("f28", [["20", "40"], ["40", "20"]])
def test_power_law_through_early_strengths_that_hardly_differ_is_refused_by_their_name(
    f28: list[str],
) -> None:
    """Its slope is so steep that a prediction, or the coefficient itself, is no number that a decimal holds."""
    given = {
        "early_mpa": ["10", "10.0000001"],
        "f28_mpa": f28,
        "water_cement_ratios": ["0.5", "0.5"],
        "form": "power",
        "predict_from_mpa": "20",
    }
    with pytest.raises(RuleInputError, match=r"early_mpa: .* points that differ in the first quantity"):
        REGISTER.by_id["jgjt15/regression"].evaluate(given)
    apart = {**given, "early_mpa": ["10", "20"], "f28_mpa": ["20", "40"]}
    assert REGISTER.by_id["jgjt15/regression"].evaluate(apart)["f28_mpa"] == "40.0"


@pytest.mark.parametrize("code", ["gbt50081-2019", "astm-c39"])
def test_age_rule_names_every_tolerance_that_it_judges_by(code: str) -> None:
    named = dict(REGISTER.by_id["age/tolerance"].numbers)
    for age_days in range(1, 400):
        hours = tolerance_hours(code, age_days)
        told = named.get(f"{code} {age_days} d") or (named.get(f"{code} ≥ 84 d") if age_days >= 84 else None)
        assert told == (None if hours is None else f"±{hours:f} h"), age_days


@pytest.mark.parametrize(
    ("rule_id", "older", "newer"),
    [
        ("jgj52/fineness-modulus", "GB/T 14684-2011", "GB/T 14684-2022"),
        ("jgjt15/regression", "JGJ/T 15-2008", "JGJ/T 15-2021"),
    ],
)
def test_rule_that_goes_by_a_replaced_edition_says_which_and_that_the_newer_was_not_compared(
    rule_id: str, older: str, newer: str
) -> None:
    *_others, cited, told = REGISTER.by_id[rule_id].sources
    assert cited == older
    assert told == f"{older} was replaced by {newer}, with which the rule was not compared"
