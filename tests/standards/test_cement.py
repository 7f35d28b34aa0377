"""Cement by GB 175-2023: which classes which types have."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lims.materials.schemas import CEMENT_TYPES as RECORDED
from lims.standards.cement import CEMENT_TYPES, CLASSES, LOW_CLASS_TYPES, class_checks, class_limits
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


def test_types_are_those_that_are_recorded() -> None:
    assert set(CEMENT_TYPES) <= set(RECORDED)
