"""Cement by GB 175-2023: which classes which types have."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.materials.schemas import CEMENT_TYPES as RECORDED
from lims.standards.cement import (
    CEMENT_TYPES,
    CLASSES,
    HIGH_CLASS_TYPES,
    LOW_CLASS_TYPES,
    class_checks,
    class_limits,
    final_set_max,
    lots,
    mortar_strength,
    oldest_usable,
    retest_due_on,
    retest_needed,
    setting_checks,
)
from lims.standards.errors import RuleInputError

D = Decimal


@pytest.mark.parametrize("cement_type", [*CEMENT_TYPES, None])
@pytest.mark.parametrize(("low_class", "at_3d"), [("32.5", "12.0"), ("32.5R", "17.0")])
def test_gb175_2023_keeps_32_5_for_slag_pozzolana_and_fly_ash_cement_alone(
    cement_type: str | None, low_class: str, at_3d: str
) -> None:
    if cement_type in LOW_CLASS_TYPES:
        found = class_checks(low_class, D(at_3d), D("32.4"), cement_type)
        assert [check.passed for check in found] == [True, False]
        assert [check.limit for check in found] == [D(at_3d), D("32.5")]
        return
    assert class_limits(low_class, cement_type) is None
    with pytest.raises(RuleInputError, match=r"P\.S\.A, P\.S\.B, P\.P, P\.F alone") as refusal:
        class_checks(low_class, D(20), None, cement_type)
    assert refusal.value.field == "strength_class"


@pytest.mark.parametrize("strength_class", [name for name in CLASSES if not name.startswith("32.5")])
def test_other_classes_need_no_type(strength_class: str) -> None:
    assert class_limits(strength_class) == class_limits(strength_class, "P.O") == CLASSES[strength_class]


@pytest.mark.parametrize("cement_type", CEMENT_TYPES)
def test_gb175_2023_has_62_5_for_portland_and_ordinary_portland_cement_alone(cement_type: str) -> None:
    if cement_type in HIGH_CLASS_TYPES:
        assert class_checks("62.5R", D(32), None, cement_type)[0].passed
        return
    with pytest.raises(RuleInputError) as refusal:
        class_checks("62.5R", D(32), None, cement_type)
    assert refusal.value.accepted.endswith("52.5, 52.5R")


def test_types_are_those_that_are_recorded_and_gb175_says_nothing_of_others() -> None:
    assert set(CEMENT_TYPES) <= set(RECORDED)
    for other in set(RECORDED) - set(CEMENT_TYPES):
        assert (class_limits("42.5", other), final_set_max(other)) == (None, None)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_lot_made_on_the_oldest_usable_day_needs_no_retest_and_one_of_the_day_before_does(
    use_on: date,
) -> None:
    made_on = oldest_usable(use_on)
    assert not retest_needed(made_on, use_on)
    assert retest_needed(made_on - timedelta(days=1), use_on)


@pytest.mark.parametrize(
    ("made_on", "due_on"),
    [
        (date(2026, 1, 15), date(2026, 4, 15)),
        (date(2026, 9, 15), date(2026, 12, 15)),
        (date(2026, 10, 1), date(2027, 1, 1)),
        (date(2025, 11, 30), date(2026, 2, 28)),
        (date(2023, 11, 30), date(2024, 2, 29)),
    ],
)
def test_lot_may_be_used_for_three_months_over_the_end_of_a_year_too(made_on: date, due_on: date) -> None:
    assert retest_due_on(made_on) == due_on
    assert not retest_needed(made_on, due_on)
    assert retest_needed(made_on, date.fromordinal(due_on.toordinal() + 1))


@pytest.mark.parametrize(
    ("values", "strength", "dropped"),
    [
        ("40 40 40 40 36 44", "40.0", ""),  # exactly 10 % on both sides
        ("40 40 40 40 40 46", "40.0", "46"),  # 46 of a mean of 41
        ("40 40 40 40 35.9 44.1", None, "35.9 44.1"),
        ("42 42 42 42 36.5 30", None, "30 36.5"),  # 36.5 is within 10 % of six, not of the other five
    ],
)
def test_mortar_drops_one_value_beyond_10_percent(values: str, strength: str | None, dropped: str) -> None:
    found = mortar_strength([D(value) for value in values.split()])
    assert list(found.dropped) == [D(value) for value in dropped.split()]
    assert found.strength_mpa == (None if strength is None else D(strength))


def test_setting_times_at_their_limits_pass_and_a_final_set_before_the_initial_one_is_refused() -> None:
    assert [check.passed for check in setting_checks(D(45), D(600))] == [True, True]
    assert [check.passed for check in setting_checks(D("44.9"), D("600.1"))] == [False, False]
    for kind in ("P.I", "P.II"):  # GB 175 gives Portland cement 390 min
        assert [check.passed for check in setting_checks(D(45), D(390), kind)] == [True, True]
        assert [check.passed for check in setting_checks(D(45), D("390.1"), kind)] == [True, False]
    assert setting_checks(D(45), D(600), "P.F")[1].passed
    assert setting_checks(D(60), D(60))
    with pytest.raises(RuleInputError) as refusal:
        setting_checks(D(60), D(59))
    assert refusal.value.field == "final_set_min"


def test_delivery_is_tested_in_lots_of_500_t_in_bulk_and_200_t_in_bags() -> None:
    asked = (("500", "bulk"), ("500.1", "bulk"), ("200", "bagged"), ("200.1", "bagged"))
    assert [lots(D(mass), delivery) for mass, delivery in asked] == [1, 2, 1, 2]
