"""`lims rules` as people and scripts call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lims.cli import group


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["rules", *args], input=stdin, catch_exceptions=False)


def evaluate(rule: str, given: object) -> Result:
    text = given if isinstance(given, str) else json.dumps(given)
    return run("evaluate", rule, "--input", "-", stdin=text)


def test_check_runs_every_vector_and_says_how_many() -> None:
    found = run("check")
    assert found.exit_code == 0
    assert "56 rules" in found.output
    assert "0 missed" in found.output


def test_list_names_every_rule() -> None:
    output = run("list").output
    for name in ("gbt8170/round", "jgj55-2011/proportion", "gbt17671/mortar", "en206/continuous"):
        assert name in output


def test_show_tells_formula_numbers_and_provenance() -> None:
    output = run("show", "gbt50081-2019/cube-set").output
    assert "15 %" in output
    assert "recalled from general knowledge" in output
    assert "420" in output


@pytest.mark.parametrize(
    ("rule", "given", "expected"),
    [
        ("gbt8170/round", {"value": "28.175", "to": "0.01"}, {"value": "28.18"}),
        (
            "gbt50081-2019/cube-set",
            {"edge_mm": 100, "loads_kn": ["420", "450", "550"], "grade_mpa": "40"},
            {"strength_mpa": "42.8", "basis": "middle"},
        ),
        ("gb50204-2015/sets-required", {"volume_m3": "1050", "continuous": True}, {"sets": 6}),
        (
            "site/sets-per-volume",
            {"volume_m3": "120", "per_m3": "50", "specimens_per_set": 3},
            {"sets": 3, "specimens": 9},
        ),
        ("aci318/required-average", {"fc_mpa": "30", "s_mpa": "3.5", "n": 30}, {"fcr_mpa": "34.7"}),
        ("ec2/strength-ratio", {"age_days": "9", "cement_class": "N"}, {"ratio": "0.826167"}),
    ],
)
def test_evaluate_answers_in_json_with_decimals_as_text(
    rule: str, given: dict[str, object], expected: dict[str, object]
) -> None:
    found = evaluate(rule, given)
    assert found.exit_code == 0
    answer = json.loads(found.stdout)
    assert {name: answer[name] for name in expected} == expected


def test_evaluate_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"value": 0.35, "to": "0.1"}', encoding="utf-8")
    assert json.loads(run("evaluate", "gbt8170/round", "--input", str(file)).stdout) == {"value": "0.4"}


@pytest.mark.parametrize(
    ("rule", "given", "field"),
    [
        ("gbt50081-2019/cube-set", {"edge_mm": 150, "loads_kn": ["424", "401"]}, "loads_kn"),
        ("gbt50081-2019/cube-set", {"edge_mm": 150, "loads_kn": ["424", "401", "-1"]}, "loads_kn"),
        ("gbt50081-2019/cube-set", {"edge_mm": 150, "loads_kn": ["424", "401", "0"]}, "loads_kn"),
        ("gbt50081-2019/cube-set", {"edge_mm": 120, "loads_kn": ["424", "401", "396"]}, "edge_mm"),
        (
            "gbt50081-2019/cube-set",
            {"edge_mm": 100, "loads_kn": ["900", "901", "902"], "grade_mpa": 60},
            "size_factor",
        ),
        (
            "gbt50081-2019/cube-set",
            {"edge_mm": 150, "loads_kn": ["424", "401", "396"], "grade_mpa": 33},
            "grade_mpa",
        ),
        ("gbt50107-2010/lot", '{"grade_mpa": 30, "strengths_mpa": [30, NaN]}', "strengths_mpa[1]"),
        ("gbt50107-2010/lot", {"grade_mpa": 30, "strengths_mpa": ["35.1", "4500 psi"]}, "strengths_mpa[1]"),
        ("gbt50107-2010/lot", {"grade_mpa": 30, "strengths_mpa": ["35.1", "4500"]}, "strengths_mpa[1]"),
        ("gbt50107-2010/lot", {"grade_mpa": 30, "strengths_mpa": []}, "strengths_mpa"),
        (
            "age/tolerance",
            {
                "code": "gbt50081-2019",
                "age_days": 3,
                "cast_at": "2026-03-28T10:00:00",
                "tested_at": "2026-03-31T10:00:00Z",
            },
            "cast_at",
        ),
        ("gbt8170/round", '{"value": "1", "value": "2", "to": "1"}', "value"),
        ("gbt8170/round", {"value": "1e999999", "to": "1"}, "value"),
        ("aci318/required-average", {"fc_mpa": "30", "s_mpa": "3.5", "n": 14}, "n"),
        ("en206/initial", {"fck_mpa": "30", "strengths_mpa": ["34", "34"]}, "strengths_mpa"),
    ],
)
def test_bad_input_is_refused_with_exit_2_and_the_field(rule: str, given: object, field: str) -> None:
    found = evaluate(rule, given)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.startswith(field)
    assert "accepted" in found.stderr
    assert "Traceback" not in found.output


@pytest.mark.parametrize("text", ["", "nonsense", "[1, 2]", '"text"', "{", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    found = evaluate("gbt8170/round", text)
    assert found.exit_code == 2
    assert "--input" in found.stderr


def test_unknown_rule_and_missing_file_are_refused_with_a_hint() -> None:
    found = evaluate("gbt8170/rond", {})
    assert found.exit_code == 2
    assert "gbt8170/round" in found.stderr
    assert run("evaluate", "gbt8170/round", "--input", "nowhere.json").exit_code == 2
