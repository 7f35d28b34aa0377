"""How many sets to cast."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lims.standards.aggregates import astm_fineness_modulus, fineness_modulus
from lims.standards.errors import RuleInputError
from lims.standards.sampling import (
    gb50204_sets_required,
    same_condition_due,
    sets_per_volume,
    shotcrete_sets_required,
)

D = Decimal


@pytest.mark.parametrize(("volume", "sets"), [("120", 3), ("50", 1), ("50.01", 2), ("0.5", 1), ("150", 3)])
def test_one_set_for_each_50_cubic_metres_or_part(volume: str, sets: int) -> None:
    found = sets_per_volume(D(volume))
    assert (found.sets, found.specimens) == (sets, 3 * sets)


@given(st.decimals(min_value=D("0.01"), max_value=D(5000), places=2))
def test_sets_cover_the_volume_and_not_one_more(volume: Decimal) -> None:
    sets = sets_per_volume(volume).sets
    assert 50 * (sets - 1) < volume <= 50 * sets


@pytest.mark.parametrize(
    ("volume", "sets", "in_parts"), [("1000", 10, 10), ("1000.01", 6, 11), ("1050", 6, 11), ("1850", 10, 19)]
)
def test_continuous_pour_by_gb50204_has_fewer_sets_above_1000_cubic_metres(
    volume: str, sets: int, in_parts: int
) -> None:
    assert gb50204_sets_required(D(volume), continuous=True) == sets
    assert gb50204_sets_required(D(volume)) == in_parts


@pytest.mark.parametrize("name", ["batches", "shifts", "floors"])
@pytest.mark.parametrize("count", [0, -1, True, 1.5, "2"])
def test_count_of_gb50204_that_is_no_whole_number_from_one_on_is_refused_by_name(
    name: str, count: object
) -> None:
    with pytest.raises(RuleInputError) as error:
        gb50204_sets_required(D(90), **{name: count})  # type: ignore[arg-type]
    assert (error.value.field, error.value.accepted) == (name, "a whole number of at least 1")


def test_gb50204_takes_the_largest_of_its_counts() -> None:
    assert gb50204_sets_required(D(90)) == 1
    assert gb50204_sets_required(D(250)) == 3
    assert gb50204_sets_required(D(90), batches=250) == 3
    assert gb50204_sets_required(D(90), shifts=4, floors=2) == 4


def test_shotcrete_and_same_condition() -> None:
    assert shotcrete_sets_required(D(30)) == 1
    assert shotcrete_sets_required(D(120)) == 3
    with pytest.raises(RuleInputError):
        shotcrete_sets_required(D(120), D(40))
    assert not same_condition_due(D(700), 13)
    assert same_condition_due(D(600), 14)
    assert same_condition_due(D(100), 60)


@pytest.mark.parametrize(
    ("retained", "modulus", "size_class", "zone"),
    [("25/50/100/125/100/75/25", "2.74", "medium", "II"), ("15/75/95/105/115/85/10", "2.86", "medium", "II")],
)
def test_fineness_modulus_of_sand_by_its_vectors(
    retained: str, modulus: str, size_class: str, zone: str
) -> None:
    found = fineness_modulus([D(mass) for mass in retained.split("/")])
    assert (str(found.reported), found.size_class, found.zone) == (modulus, size_class, zone)


def test_astm_modulus_differs_from_that_of_jgj() -> None:
    masses = [D(mass) for mass in ["20", "80", "180", "260", "240", "170", "50"]]
    assert astm_fineness_modulus(masses) == D("2.67")
    assert fineness_modulus(masses).reported == D("2.60")


@pytest.mark.parametrize("masses", [[D(1)] * 6, [D(0)] * 7, [D(-1)] + [D(1)] * 6, [D("NaN")] * 7])
def test_bad_sieving_is_refused(masses: list[Decimal]) -> None:
    with pytest.raises(RuleInputError) as error:
        fineness_modulus(masses)
    assert error.value.field == "retained_g"
