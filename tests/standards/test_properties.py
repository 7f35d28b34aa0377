"""Properties that hold whatever the numbers."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from hypothesis import assume, given
from hypothesis import strategies as st

from lims.standards.acceptance import cusum, gbt50107_lot
from lims.standards.aggregates import astm_fineness_modulus, fineness_modulus
from lims.standards.cement import mortar_strength
from lims.standards.growth import ec2_strength_ratio, two_age_strength
from lims.standards.maturity import equivalent_age, nurse_saul
from lims.standards.proportioning import Proportioning, proportion
from lims.standards.rounding import round_half_even
from lims.standards.specimens import SAMPLE_RULES, cube_set, mean_of_sample, set_of_three

loads = st.decimals(min_value=50, max_value=3000, places=1)
strengths = st.decimals(min_value=5, max_value=120, places=1)
places = st.sampled_from([Decimal(1), Decimal("0.1"), Decimal("0.01"), Decimal(10)])


@given(st.lists(loads, min_size=3, max_size=3), st.sampled_from([100, 150, 200]))
def test_order_of_specimens_does_not_matter(three: list[Decimal], edge: int) -> None:
    verdicts = {
        (v.strength_mpa, v.basis) for v in (cube_set(Decimal(edge), order) for order in permutations(three))
    }
    assert len(verdicts) == 1


@given(st.lists(loads, min_size=3, max_size=3), st.integers(min_value=1, max_value=6))
def test_scaling_loads_scales_strength_and_keeps_the_basis(three: list[Decimal], factor: int) -> None:
    once, scaled = (cube_set(Decimal(150), [load * f for load in three]) for f in (1, factor))
    assert once.basis == scaled.basis
    if once.strength_mpa is not None and scaled.strength_mpa is not None:
        assert abs(scaled.strength_mpa - factor * once.strength_mpa) <= Decimal("0.05") * (factor + 1)


@given(st.decimals(min_value=10, max_value=3000, places=2), st.sampled_from([100, 150, 200]))
def test_exactly_15_percent_is_within_and_a_hair_more_is_not(middle: Decimal, edge: int) -> None:
    low, high = middle * Decimal("0.85"), middle * Decimal("1.15")
    hair = Decimal("0.000001")
    size = Decimal(edge)
    assert cube_set(size, [low, middle, high]).basis == "mean"
    assert cube_set(size, [low - hair, middle, high]).basis == "middle"
    assert cube_set(size, [low, middle, high + hair]).basis == "middle"
    assert cube_set(size, [low - hair, middle, high + hair]).basis == "invalid"


@given(
    st.decimals(min_value=20, max_value=3000, places=2),
    st.sampled_from(sorted(SAMPLE_RULES)),
    st.sampled_from([100, 150]),
)
def test_a_sample_whose_range_is_15_percent_of_its_mean_counts_and_a_hair_more_does_not(
    mean: Decimal, shape: str, width: int
) -> None:
    low, high = mean * Decimal("0.925"), mean * Decimal("1.075")
    hair = Decimal("0.000001")
    assert mean_of_sample(shape, Decimal(width), [low, mean, high]).basis == "mean"
    assert mean_of_sample(shape, Decimal(width), [high, low]).basis == "mean"
    assert mean_of_sample(shape, Decimal(width), [low - hair, mean, high]).basis == "spread"
    assert mean_of_sample(shape, Decimal(width), [low, mean, high + hair]).strength_mpa is None


@given(st.lists(loads, min_size=1, max_size=6), st.sampled_from(sorted(SAMPLE_RULES)))
def test_a_sample_is_the_mean_whatever_the_order(some: list[Decimal], shape: str) -> None:
    found = mean_of_sample(shape, Decimal(150), some)
    assert found.strength_mpa == mean_of_sample(shape, Decimal(150), some[::-1]).strength_mpa
    if found.strength_mpa is not None:
        strengths_mpa = found.specimen_strengths_mpa
        assert (
            min(strengths_mpa) - Decimal("0.05") <= found.strength_mpa <= max(strengths_mpa) + Decimal("0.05")
        )


@given(st.lists(strengths, min_size=3, max_size=3))
def test_set_strength_lies_between_its_specimens(three: list[Decimal]) -> None:
    verdict = set_of_three(three)
    if verdict.strength_mpa is not None:
        assert min(three) - Decimal("0.05") <= verdict.strength_mpa <= max(three) + Decimal("0.05")


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=6), places)
def test_rounding_is_idempotent_and_moves_at_most_half_a_place(value: Decimal, to: Decimal) -> None:
    once = round_half_even(value, to)
    assert round_half_even(once, to) == once
    assert abs(once - value) <= to / 2


@given(st.lists(strengths, min_size=10, max_size=30), st.sampled_from([20, 30, 40]))
def test_a_stronger_lot_of_equal_spread_is_never_judged_worse(values: list[Decimal], grade: int) -> None:
    weak = gbt50107_lot(Decimal(grade), values)
    strong = gbt50107_lot(Decimal(grade), [value + 5 for value in values])
    assert strong.accepted or not weak.accepted


@given(st.lists(st.decimals(min_value=0, max_value=300, places=1), min_size=7, max_size=7))
def test_scaling_the_sample_changes_no_modulus(masses: list[Decimal]) -> None:
    assume(sum(masses[1:]) > 0)
    double = [2 * mass for mass in masses]
    assert fineness_modulus(masses).reported == fineness_modulus(double).reported
    assert abs(astm_fineness_modulus(masses) - astm_fineness_modulus(double)) < Decimal("1e-30")


@given(st.lists(strengths, min_size=6, max_size=6))
def test_mortar_drops_at_most_what_it_names_and_ignores_order(six: list[Decimal]) -> None:
    verdict, reverse = mortar_strength(six), mortar_strength(six[::-1])
    assert verdict.strength_mpa == reverse.strength_mpa
    assert all(value in six for value in verdict.dropped)
    assert (verdict.strength_mpa is None) == (len(verdict.dropped) > 1)


@given(st.integers(min_value=1, max_value=1000), st.sampled_from(["R", "N", "S"]))
def test_strength_ratio_grows_with_age_and_is_one_at_28_days(age: int, cement: str) -> None:
    assert ec2_strength_ratio(Decimal(28), cement) == 1
    assert ec2_strength_ratio(Decimal(age), cement) < ec2_strength_ratio(Decimal(age + 1), cement)


@given(strengths, strengths)
def test_two_age_law_returns_its_own_points(fa: Decimal, fb: Decimal) -> None:
    three, seven = Decimal(3), Decimal(7)
    assert two_age_strength(three, fa, seven, fb, three) == fa
    assert abs(two_age_strength(three, fa, seven, fb, seven) - fb) < Decimal("1e-30")


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(-5, 60)), min_size=1, max_size=8))
def test_maturity_adds_up_over_spells(spells: list[tuple[int, int]]) -> None:
    intervals = [(Decimal(hours), Decimal(temperature)) for hours, temperature in spells]
    datum, q = Decimal(-10), Decimal(5000)
    assert nurse_saul(intervals, datum) == sum(nurse_saul([spell], datum) for spell in intervals)
    parts = sum(equivalent_age([spell], q) for spell in intervals)
    assert abs(equivalent_age(intervals, q) - parts) < Decimal("1e-20")


@given(st.lists(strengths, min_size=1, max_size=40))
def test_cusum_signals_only_beyond_its_decision_interval(values: list[Decimal]) -> None:
    found = cusum(Decimal(30), Decimal(2), values, Decimal(4))
    beyond = [
        i
        for i, (high, low) in enumerate(zip(found.high_mpa, found.low_mpa, strict=True), 1)
        if max(high, low) > 8
    ]
    assert found.signal_at == (beyond[0] if beyond else None)


@given(
    st.sampled_from(range(15, 60, 5)),
    st.integers(min_value=10, max_value=240),
    st.sampled_from([("crushed", "20"), ("crushed", "31.5"), ("gravel", "40")]),
    st.integers(min_value=0, max_value=30),
)
def test_mass_method_adds_up_to_the_assumed_density(
    grade: int, slump: int, stone: tuple[str, str], ash: int
) -> None:
    kind, size = stone
    found = proportion(
        Proportioning(
            Decimal(grade),
            kind,
            Decimal(size),
            Decimal(slump),
            "42.5",
            fly_ash_percent=Decimal(ash),
            water_reduction_percent=Decimal(20),
            density_kg_m3=Decimal(2400),
        )
    )
    parts = (found.water_kg_m3, found.binder_kg_m3, found.sand_kg_m3, found.stone_kg_m3)
    assert sum(parts) == 2400
    assert found.cement_kg_m3 + found.fly_ash_kg_m3 + found.slag_kg_m3 == found.binder_kg_m3
    assert found.target_mpa > grade
