"""GB/T 50081-2019 and its neighbours: every vector, both sides of each edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.errors import RuleInputError
from lims.standards.rounding import round_half_even
from lims.standards.specimens import (
    age_tolerance,
    compressive_strength,
    cube_set,
    cylinder_length_factor,
    loading_rate_limits,
    mean_of_cylinders,
    set_of_three,
    size_factor,
    tolerance_hours,
)

D = Decimal
strengths = st.decimals(min_value=D("0.5"), max_value=D(150), places=3)


@pytest.mark.parametrize(
    ("value", "to", "rounded"),
    [
        ("1.050", "0.1", "1.0"),
        ("0.35", "0.1", "0.4"),
        ("28.175", "0.01", "28.18"),
        ("28.165", "0.01", "28.16"),
        ("-2.5", "1", "-2"),
    ],
)
def test_gbt8170_rounds_half_to_even_in_decimals(value: str, to: str, rounded: str) -> None:
    assert str(round_half_even(D(value), D(to))) == rounded


@given(st.decimals(min_value=-1000, max_value=1000, places=6), st.sampled_from(["1", "0.1", "0.01", "0.001"]))
def test_rounding_is_idempotent_and_within_half_a_place(value: Decimal, to: str) -> None:
    once = round_half_even(value, D(to))
    assert round_half_even(once, D(to)) == once
    assert abs(once - value) <= D(to) / 2


@pytest.mark.parametrize(
    ("edge", "loads", "strength", "basis"),
    [
        (150, "424 401 396", "18.1", "mean"),
        (150, "542 555 537", "24.2", "mean"),
        (100, "335 352 318", "31.8", "mean"),
        (100, "431 420 413", "40.0", "mean"),
        (100, "400 450 470", "41.8", "mean"),
        (100, "420 450 550", "42.8", "middle"),
        (150, "300 450 600", None, "invalid"),
    ],
)
def test_set_of_three_cubes_by_its_vectors(edge: int, loads: str, strength: str | None, basis: str) -> None:
    verdict = cube_set(D(edge), [D(load) for load in loads.split()])
    assert verdict.basis == basis
    assert verdict.strength_mpa == (None if strength is None else D(strength))


def test_exactly_15_percent_is_within_and_a_hair_more_takes_the_middle_value() -> None:
    assert set_of_three([D("85"), D("100"), D("100")]).basis == "mean"
    assert set_of_three([D("84.999999"), D("100"), D("100")]).basis == "middle"
    assert set_of_three([D("100"), D("100"), D("115")]).basis == "mean"
    assert set_of_three([D("100"), D("100"), D("115.000001")]).basis == "middle"
    assert set_of_three([D("84.999"), D("100"), D("115.001")]).basis == "invalid"


def test_deviations_that_stand_beside_a_verdict_are_shares_of_the_middle_value() -> None:
    found = set_of_three([D(90), D(130), D(100)])
    assert (found.low_deviation, found.high_deviation) == (D("0.1"), D("0.3"))


@given(st.permutations([0, 1, 2]), strengths, strengths, strengths)
def test_order_of_specimens_does_not_matter(order: list[int], a: Decimal, b: Decimal, c: Decimal) -> None:
    values = [a, b, c]
    shuffled = set_of_three([values[i] for i in order])
    straight = set_of_three(values)
    assert (shuffled.strength_mpa, shuffled.basis) == (straight.strength_mpa, straight.basis)


@given(strengths, strengths, strengths, st.sampled_from([D(2), D("0.5"), D(10)]))
def test_scaling_the_loads_scales_the_strength_and_keeps_the_basis(
    a: Decimal, b: Decimal, c: Decimal, factor: Decimal
) -> None:
    one, other = set_of_three([a, b, c]), set_of_three([a * factor, b * factor, c * factor])
    assert one.basis == other.basis
    if one.strength_mpa is not None and other.strength_mpa is not None:
        assert abs(other.strength_mpa - one.strength_mpa * factor) <= D("0.05") * (factor + 1)


@given(strengths, strengths, strengths)
def test_no_float_enters_a_verdict(a: Decimal, b: Decimal, c: Decimal) -> None:
    verdict = set_of_three([a, b, c])
    assert all(isinstance(value, Decimal) for value in verdict.specimen_strengths_mpa)
    assert verdict.strength_mpa is None or isinstance(verdict.strength_mpa, Decimal)


@pytest.mark.parametrize("bad", [D(0), D(-1), D("NaN"), D("Infinity"), 424.0, True, "424"])
def test_bad_load_is_refused_by_name(bad: object) -> None:
    with pytest.raises(RuleInputError) as error:
        cube_set(D(150), [D(400), D(400), bad])  # type: ignore[list-item]
    assert error.value.field == "loads_kn"
    assert error.value.accepted


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_other_than_three_specimens_are_refused(count: int) -> None:
    with pytest.raises(RuleInputError, match="three"):
        cube_set(D(150), [D(400)] * count)


def test_100_mm_cube_of_c60_needs_a_factor_found_by_test() -> None:
    with pytest.raises(RuleInputError, match="found by test"):
        size_factor("cube", D(100), D(60))
    assert size_factor("cube", D(100), D("59.9")) == D("0.95")
    assert size_factor("cube", D(100), D(60), stated=D("0.93")) == D("0.93")
    assert size_factor("cube", D(150), D(80)) == 1


def test_cylinder_strength_uses_pi_and_length_factors_are_linear_between() -> None:
    assert round(compressive_strength(D(530), "cylinder", D(150)), 3) == D("29.992")
    assert cylinder_length_factor(D(100), D(200)) == 1
    assert cylinder_length_factor(D(100), D(175)) == D("0.98")
    assert cylinder_length_factor(D(100), D("137.5")) == D("0.945")
    with pytest.raises(RuleInputError, match="one diameter"):
        cylinder_length_factor(D(100), D(99))


def test_strength_test_of_cylinders_needs_two_large_or_three_small() -> None:
    assert mean_of_cylinders([D("30.0"), D("31.1")], D(150)).strength_mpa == D("30.6")
    with pytest.raises(RuleInputError, match="at least 3"):
        mean_of_cylinders([D(30), D(31)], D(100))


def test_age_is_elapsed_time_across_a_change_of_the_clock() -> None:
    cast = datetime.fromisoformat("2026-03-28T10:00:00+01:00")
    tested = datetime.fromisoformat("2026-03-31T11:30:00+02:00")
    verdict = age_tolerance("gbt50081-2019", 3, cast, tested)
    assert verdict.age_hours == D("72.5")
    assert verdict.within is True


@given(
    st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2027, 12, 1)),  # noqa: DTZ001 - zone added below
    st.integers(min_value=0, max_value=60 * 24 * 40),
    st.sampled_from(
        ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"]
    ),
)
def test_age_has_no_error_in_any_zone(cast: datetime, minutes: int, zone: str) -> None:
    start = cast.replace(tzinfo=UTC)
    end = start + timedelta(minutes=minutes)
    verdict = age_tolerance(
        "gbt50081-2019", 28, start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
    )
    assert abs(verdict.age_hours * 60 - minutes) < D("1e-20")


@pytest.mark.parametrize(
    ("age", "hours", "within"),
    [
        (3, "70", True),
        (3, "69.99", False),
        (7, "174", True),
        (28, "692", True),
        (28, "692.01", False),
        (56, "1368", True),
        (56, "1368.01", False),
        (90, "2208", True),
    ],
)
def test_age_tolerance_edges(age: int, hours: str, within: bool) -> None:
    cast = datetime(2026, 1, 1, tzinfo=UTC)
    verdict = age_tolerance("gbt50081-2019", age, cast, cast + timedelta(hours=float(hours)))
    assert verdict.within is within


@pytest.mark.parametrize(
    ("code", "age", "hours"),
    [
        ("gbt50081-2019", 60, "24"),
        ("gbt50081-2019", 83, None),
        ("gbt50081-2019", 84, "48"),
        ("gbt50081-2019", 3650, "48"),
        ("astm-c39", 60, None),
        ("astm-c39", 90, "48"),
        ("astm-c39", 180, None),
    ],
)
def test_age_has_a_tolerance_where_its_code_states_one(code: str, age: int, hours: str | None) -> None:
    assert tolerance_hours(code, age) == (None if hours is None else D(hours))


@pytest.mark.parametrize("age", [0, -3, 3651, 3.0, "3", True])
def test_age_that_is_no_whole_number_of_days_is_refused_by_name(age: object) -> None:
    with pytest.raises(RuleInputError) as error:
        tolerance_hours("gbt50081-2019", age)  # type: ignore[arg-type]
    assert error.value.field == "age_days"


def test_naive_time_and_a_test_before_casting_are_refused() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(RuleInputError, match="zone"):
        age_tolerance("gbt50081-2019", 3, now.replace(tzinfo=None), now)
    with pytest.raises(RuleInputError, match="after casting"):
        age_tolerance("gbt50081-2019", 3, now, now - timedelta(hours=1))


def test_loading_rate_follows_the_grade() -> None:
    assert loading_rate_limits("gbt50081-2019", D(25)) == (D("0.3"), D("0.5"))
    assert loading_rate_limits("gbt50081-2019", D(30)) == (D("0.5"), D("0.8"))
    assert loading_rate_limits("gbt50081-2019", D(60)) == (D("0.8"), D("1.0"))
    assert loading_rate_limits("en12390-3") == (D("0.4"), D("0.8"))
