"""Mix proportions by JGJ 55-2011: high strength, admixtures, least binder."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.checks import Check
from lims.standards.errors import RuleInputError
from lims.standards.proportioning import (
    CEMENT_KINDS,
    Proportioning,
    Proportions,
    admixture_limits,
    high_strength,
    influence_factor,
    least_binder,
    proportion,
)

D = Decimal
C60 = Proportioning(
    D(60), "crushed", D(20), D(200), "52.5", water_reduction_percent=D(33), water_binder_ratio=D("0.32"),
    density_kg_m3=D(2450),
)  # fmt: skip
C20 = Proportioning(
    D(20), "crushed", D("31.5"), D(50), "42.5", water_reduction_percent=D(25), water_binder_ratio=D("0.60"),
    density_kg_m3=D(2400),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "share", "least", "most"),
    [
        ("slag", 30, "0.90", "1.05"),  # 1.00, and 0.05 more of S105
        ("slag", 45, "0.75", "0.925"),
        ("slag", 0, "1", "1"),
        ("fly_ash", 10, "0.85", "0.95"),
    ],
)
def test_jgj55_5_1_3_stated_factor_lies_within_the_table_and_of_slag_to_what_s105_has(
    name: str, share: int, least: str, most: str
) -> None:
    for stated in (least, most):
        assert influence_factor(name, D(share), D(stated)) == D(stated)
    for beyond in (D(least) - D("0.001"), D(most) + D("0.001")):
        with pytest.raises(RuleInputError):
            influence_factor(name, D(share), beyond)


def failed(found: Proportions) -> set[str]:
    return {check.name for check in found.checks if not check.passed}


@pytest.mark.parametrize(
    ("grade", "low", "high"),
    [
        (60, "0.28", "0.34"),
        (75, "0.28", "0.34"),
        (80, "0.26", "0.28"),
        (95, "0.26", "0.28"),
        (100, "0.24", "0.26"),
    ],
)
def test_jgj55_5_1_1_holds_below_c60_and_a_higher_grade_states_its_ratio(
    grade: int, low: str, high: str
) -> None:
    with pytest.raises(RuleInputError) as refusal:
        proportion(replace(C60, grade_mpa=D(grade), water_binder_ratio=None))
    assert refusal.value.field == "water_binder_ratio"
    assert f"{low} to {high}" in refusal.value.accepted
    assert high_strength(D("59.9")) is None


@pytest.mark.parametrize(
    ("grade", "reduction", "ratio", "sand", "outside"),
    [
        (60, 33, "0.32", None, set()),
        (60, 33, "0.34", "42", {"binder, kg/m^3"}),  # 163 / 0.34 = 479
        (60, 33, "0.35", None, {"water/binder", "binder, kg/m^3"}),
        (60, 33, "0.27", "43", {"water/binder", "binder, kg/m^3", "sand ratio, %"}),  # 604
        (80, 41, "0.27", "35", set()),  # 143 / 0.27 = 530
        (80, 41, "0.29", "34", {"water/binder", "binder, kg/m^3", "sand ratio, %"}),
        (100, 41, "0.25", None, set()),  # 572
        (100, 41, "0.27", None, {"water/binder", "binder, kg/m^3"}),
    ],
)
def test_jgj55_7_3_2_high_strength_mixes_are_held_against_their_row(
    grade: int, reduction: int, ratio: str, sand: str | None, outside: set[str]
) -> None:
    found = proportion(
        replace(
            C60,
            grade_mpa=D(grade),
            water_reduction_percent=D(reduction),
            water_binder_ratio=D(ratio),
            sand_ratio_percent=None if sand is None else D(sand),
        )
    )
    assert {name.rsplit(",", 1)[0] for name in failed(found)} == outside
    assert "5.1.1" not in {step.clause for step in found.steps}
    if sand is None:
        assert found.sand_ratio_percent == D("38.5")


@pytest.mark.parametrize(
    ("structure", "kind", "ratio", "ash", "slag", "compound"),
    [
        ("reinforced", "P.I/P.II", "0.40", 45, 65, 65),
        ("reinforced", "P.O", "0.40", 35, 55, 55),
        ("reinforced", "P.I/P.II", "0.41", 40, 55, 55),
        ("reinforced", "P.O", "0.41", 30, 45, 45),
        ("prestressed", "P.I/P.II", "0.40", 35, 55, 55),
        ("prestressed", "P.O", "0.40", 30, 45, 45),
        ("prestressed", "P.I/P.II", "0.41", 25, 45, 45),
        ("prestressed", "P.O", "0.41", 20, 35, 35),
    ],
)
def test_jgj55_3_0_5_most_fly_ash_slag_and_both(
    structure: str, kind: str, ratio: str, ash: int, slag: int, compound: int
) -> None:
    def checks(fly_ash: int, slag_percent: int) -> tuple[Check, ...]:
        return admixture_limits(D(ratio), structure, kind, D(fly_ash), D(slag_percent))

    assert [(check.limit, check.passed) for check in checks(ash, 0)] == [(ash, True)]
    assert [check.passed for check in checks(ash + 1, 0)] == [False]
    assert [(check.limit, check.passed) for check in checks(0, slag)] == [(slag, True)]
    assert [check.passed for check in checks(0, slag + 1)] == [False]
    both = compound - 10
    assert [check.passed for check in checks(10, both)] == [True, True, True]
    assert [check.passed for check in checks(11, both)][-1] is False
    assert checks(0, 0) == ()


def test_jgj55_3_0_5_is_a_check_of_the_mix_and_plain_concrete_has_none() -> None:
    much = replace(C20, water_binder_ratio=D("0.45"), fly_ash_percent=D(35))
    assert "fly ash, % of binder" in failed(proportion(much))
    assert "fly ash, % of binder" not in failed(proportion(replace(much, cement_kind="P.I/P.II")))
    assert "fly ash, % of binder" not in failed(proportion(replace(much, structure="plain")))
    with pytest.raises(RuleInputError, match=r"P\.O or P\.I/P\.II"):
        proportion(replace(much, cement_kind="P.C"))


def test_jgj55_3_0_4_the_ratio_of_a_binder_that_was_raised_is_that_of_the_masses() -> None:
    found = proportion(C20)
    assert (found.water_kg_m3, found.binder_kg_m3, found.water_binder_ratio) == (139, 280, D("0.496"))
    (shown,) = [step for step in found.steps if step.name == "water/binder of the masses"]
    assert (shown.formula, shown.value) == ("139 / 280", D("0.496"))
    lean = proportion(replace(C20, water_binder_ratio=D("0.45"), water_reduction_percent=D(0)))
    assert lean.water_binder_ratio == D("0.45")  # enough binder: as stated


@pytest.mark.parametrize(("grade", "binder"), [(10, 232), (15, 232), (20, 280)])
def test_jgj55_3_0_4_concretes_up_to_c15_need_no_least_binder(grade: int, binder: int) -> None:
    found = proportion(replace(C20, grade_mpa=D(grade)))
    assert found.binder_kg_m3 == binder
    assert least_binder(D("0.60"), "reinforced", D(grade)) == (0 if grade <= 15 else 280)


@given(
    st.sampled_from([*range(10, 60, 5)]),
    st.integers(min_value=10, max_value=240),
    st.integers(min_value=0, max_value=40),
    st.sampled_from(["plain", "reinforced", "prestressed"]),
    st.sampled_from(CEMENT_KINDS),
)
def test_the_ratio_of_a_mix_is_that_of_its_masses(
    grade: int, slump: int, ash: int, structure: str, kind: str
) -> None:
    found = proportion(
        Proportioning(
            D(grade), "crushed", D(20), D(slump), "42.5", structure, cement_kind=kind, fly_ash_percent=D(ash),
            water_reduction_percent=D(20), density_kg_m3=D(2400),
        )
    )  # fmt: skip
    # Binder is whole kilograms: half of one moves the ratio by less than a hundredth.
    assert abs(found.water_kg_m3 / found.binder_kg_m3 - found.water_binder_ratio) < D("0.005")
    assert "water/binder within the formula" not in failed(found)
