"""Parts of the forecast against calculations by hand: constants, bounds and formulas that no accuracy test would miss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lims.strength import student
from lims.strength.control import cumulative_sums
from lims.strength.history import AgeStrength, MixHistory, combine
from lims.strength.intervals import conformal_quantile, conformal_survival, fit_lab_t, lab_scale
from lims.strength.maturity import age_factor, corrected
from lims.strength.model import (
    FittedModel,
    Kind,
    _beats_the_mean,
    _combined,
    _Rule,
    cross_fit,
    fit,
    raw_features,
    select_rows,
    specimen_variance,
)
from tests.strength.test_model import HISTORY, NEW, a_mix, early

#: t of 4 degrees of freedom that 95 % lie below, from any table.
T_4 = 2.131847


@pytest.fixture(scope="module")
def model() -> FittedModel:
    return fit(HISTORY[:40], prior=())


def half_width(forecast: object, level: float = 0.9) -> float:
    low, high = forecast.intervals[level]  # type: ignore[attr-defined]
    return math.log(high / low) / 2


# --- history and curing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature", "standard"), [(None, True), (17.9, False), (18, True), (29, True), (29.1, False)]
)
def test_curing_is_standard_within_the_windows_of_the_codes(
    temperature: float | None, standard: bool
) -> None:
    assert MixHistory("L", "x", (), {}, temperature).standard is standard


@pytest.mark.parametrize(
    ("breaks", "plausible"),
    [
        (((3, 0.99), (28, 30)), False),
        (((3, 1.0), (28, 30)), True),
        (((2, 0.6), (28, 30)), True),
        (((7, 30), (28, 24.1)), True),
        (((7, 30), (28, 23.9)), False),
        (((28, 30), (7, 37.6)), False),
        (((28, 30), (90, 20)), True),
    ],
    ids=str,
)
def test_mix_is_learned_from_while_it_sets_and_grows(
    breaks: Sequence[tuple[float, float]], plausible: bool
) -> None:
    mix = MixHistory("L", "x", tuple(AgeStrength(float(a), float(s)) for a, s in breaks))
    assert mix.plausible is plausible


def test_set_beyond_15_percent_of_its_middle_one_is_its_middle_one() -> None:
    assert combine([20.0, 22.9, 20.0]) == pytest.approx(62.9 / 3)
    assert combine([20.0, 23.1, 20.0]) == 20.0
    assert combine([20.0, 16.9, 20.0]) == 20.0
    assert combine([10.0, 20.0]) == 15.0
    assert combine([19.0, 20.0, 21.0, 40.0]) == 20.5


def test_recipe_tells_masses_apart_from_a_tenth_of_a_kilogram_on() -> None:
    def of(cement: float) -> tuple[float, ...]:
        return MixHistory("L", "x", (), {"cement_kg_m3": cement}).recipe

    assert of(350.0) == of(350.04) != of(350.1)
    assert of(0.0) == ()


def test_break_below_half_a_megapascal_and_one_at_the_age_itself_are_no_basis() -> None:
    mix = MixHistory("L", "x", (AgeStrength(1.0, 0.49), AgeStrength(3.0, 0.5), AgeStrength(28.0, 30.0)))
    assert mix.ages_before(28.0) == (3.0,)
    assert mix.strength_at(1.0) is None
    assert mix.strength_at(3.0) is not None


def test_day_in_the_cold_counts_by_arrhenius() -> None:
    assert age_factor(10.0) == pytest.approx(math.exp(-33_500 / 8.314 * (1 / 283.15 - 1 / 293.15)))
    assert age_factor(35.0) > 1 > age_factor(5.0)


@pytest.mark.parametrize(
    ("temperature", "usual", "ages"),
    [
        (18.0, None, 7.0),
        (25.0, None, 7.0),
        (17.9, None, round(7 * age_factor(17.9), 3)),
        (25.1, None, round(7 * age_factor(25.1), 3)),
        (29.0, 27.0, 7.0),
        (29.1, 27.0, round(7 * age_factor(29.1), 3)),
        (15.5, 17.5, 7.0),
        (-5.0, None, round(7 * age_factor(-5.0), 3)),
        (-5.1, None, None),
    ],
)
def test_ages_are_moved_outside_the_usual_curing_and_left_out_in_frost(
    temperature: float, usual: float | None, ages: float | None
) -> None:
    moved, _word = corrected(MixHistory("L", "x", (AgeStrength(7.0, 20.0, 2),), {}, temperature), usual)
    assert moved.breaks == (() if ages is None else (AgeStrength(ages, 20.0, 2),))


# --- intervals ------------------------------------------------------------------------------------------------


def test_conformal_quantile_is_the_n_plus_first_part_of_the_residuals() -> None:
    z = np.array([-9.0, 1, -2, 3, -4, 5, -6, 7, -8])
    assert [conformal_quantile(z, level) for level in (0.1, 0.5, 0.9, 0.95)] == [1, 5, 9, 9]
    assert conformal_quantile(z, 0.55) == pytest.approx(5.5)
    assert conformal_survival(np.array([-1.0, 0.0, 1.0]), np.array([-2, 0, 0.5, 2])) == pytest.approx(
        [3.5 / 4, 2.5 / 4, 1.5 / 4, 0.5 / 4]
    )


def test_student_is_that_of_the_tables() -> None:
    assert student.quantile(0.95, 4.0) == pytest.approx(T_4, abs=1e-5)
    assert student.survival(T_4, 4.0) == pytest.approx(0.05, abs=1e-6)
    x = np.array([-1.5, 0.0, 2.0])
    assert student.log_density(x, 1.0) == pytest.approx(-np.log(np.pi * (1 + x**2)))
    by_hand = np.log(6 * math.sqrt(3) / (np.pi * (3 + x**2) ** 2))  # 3 degrees of freedom
    assert student.log_density(x, 3.0) == pytest.approx(by_hand)


def test_scale_of_a_laboratory_moves_from_all_to_its_own() -> None:
    assert lab_scale(4.0, 2.0, np.empty(0)) == (4.0, 2.0)
    nu, c = lab_scale(4.0, 2.0, np.array([1.0, 3.0]))
    assert (nu, c) == pytest.approx((6.0, 2 * math.sqrt((4 + 10 / 4) / 6)))
    spread = [np.array([s, -s, 0.5 * s]) for s in (1.0, 1.2, 0.8, 1.1)]
    assert fit_lab_t(spread) == fit_lab_t([*spread, np.empty(0)]) == (4.0, 1.0)
    _nu, of_five = fit_lab_t([*spread, spread[0]])
    assert of_five == pytest.approx(math.sqrt(0.75), abs=0.1)
    assert fit_lab_t([3 * z for z in [*spread, spread[0]]])[1] == pytest.approx(3 * of_five, rel=0.05)


def rule_of(mixes: int, lab: int = 0, laboratories: int = 1, without: int | None = None) -> _Rule:
    z = np.linspace(-1.0, 1.0, mixes) if mixes else np.empty(0)
    known = SimpleNamespace(
        labs=np.zeros(mixes, dtype=np.int64), z=z, nu=4.0, c=1.0, lab_names=["L"] * laboratories
    )
    return _Rule.of(known, lab, without)  # type: ignore[arg-type]


def test_laboratory_speaks_for_itself_from_thirty_mixes_on() -> None:
    assert [rule_of(n).name for n in (29, 30)] == ["student-t", "conformal"]
    assert rule_of(30, without=3).name == "student-t"
    assert rule_of(30, without=3).local == 29
    unknown = rule_of(30, lab=-1)
    assert (unknown.local, unknown.nu, unknown.c) == (0, 4.0, 0.5)
    assert rule_of(30, lab=-1, laboratories=5).c == 1.0
    assert rule_of(2, laboratories=1).c == lab_scale(4.0, 1.0, np.array([-1.0, 1.0]))[1]


@pytest.mark.parametrize("mixes", [3, 99])
def test_chance_of_what_lies_at_the_bound_of_an_interval_is_half_of_what_is_left(mixes: int) -> None:
    rule = rule_of(mixes)
    for level in (0.5, 0.9):
        assert rule.survival(rule.quantile(level)) == pytest.approx((1 - level) / 2, abs=0.011)
        assert rule.survival(-rule.quantile(level)) == pytest.approx((1 + level) / 2, abs=0.011)


def test_sums_of_a_watched_lot_are_those_of_a_calculation_by_hand() -> None:
    found = cumulative_sums([1.0, 3.0, -2.0, 0.7])
    assert found.high == pytest.approx((0.5, 3.0, 0.5, 0.7))
    assert found.low == pytest.approx((0.0, 0.0, 1.5, 0.3))
    assert found.alarm is None
    assert cumulative_sums([1.0] * 10).alarm is None  # 5 is not above 5
    assert cumulative_sums([1.0] * 12).alarm == (10, "high")
    assert cumulative_sums([-2.0] * 12).alarm == (3, "low")


# --- members and rows -----------------------------------------------------------------------------------------


def test_members_are_taken_by_their_median_with_their_disagreement() -> None:
    one = np.ones(1)
    mu, sd = _combined([(1 * one, 0.1 * one), (2 * one, 0.2 * one), (9 * one, 0.2 * one)])
    assert mu == pytest.approx([2.0])
    assert sd**2 == pytest.approx([0.09 / 3 + np.var([1, 2, 9])])


def test_scatter_of_a_set_is_a_share_and_a_tenth_of_a_megapascal_over_its_specimens() -> None:
    by_hand = (0.029**2 + (0.1 / 5) ** 2) / 3
    assert specimen_variance(AgeStrength(1.0, 5.0, 3)) == pytest.approx(by_hand)
    mix = MixHistory("L", "x", (AgeStrength(1.0, 2.0, 1), AgeStrength(3.0, 5.0, 3)))
    _raw, last, variance = raw_features([mix], (1.0, 3.0))
    assert (last[0], variance[0]) == pytest.approx((math.log(5), by_hand))


def test_what_a_row_is_held_against_holds_its_own_scatter() -> None:
    """A result known to within a factor of e^2 is not missed by what lies less far away."""
    raw, last, _variance = raw_features(HISTORY[:12], (3.0,))
    reached = np.array([math.log(mix.breaks[-1].strength_mpa) for mix in HISTORY[:12]])
    labs = np.zeros(12, dtype=np.int64)
    _mu, sd = cross_fit(raw, labs, reached, last, np.full(12, 4.0), [Kind(True, False, raw.shape[1])])
    assert (sd > 2).all()


def test_early_tests_are_held_against_the_mean_of_the_others() -> None:
    def beats(error: float) -> bool:
        reached = np.array([1.0, 2.0, 3.0, 9.0])
        known = SimpleNamespace(
            reached=reached, labs=np.array([0, 0, 0, 1]), leave_one_out=lambda: (reached + error, reached)
        )
        return _beats_the_mean(known)  # type: ignore[arg-type]

    # |1 - 2.5|, |2 - 2|, |3 - 1.5|, and |9 - 3.75| of a laboratory's only mix: 8.25 / 4
    assert beats(2.05)
    assert not beats(2.07)


def test_others_take_a_third_of_the_room_and_forty_each() -> None:
    def rows(lab: str, number: int) -> list[MixHistory]:
        return [MixHistory(lab, str(i), ()) for i in range(number)]

    own = rows("own", 900)
    few = select_rows([*own, *rows("A", 300), *rows("B", 300)], frozenset({"own"}))
    assert [sum(mix.lab == lab for mix in few) for lab in ("A", "B", "own")] == [40, 40, 420]
    others = [mix for i in range(20) for mix in rows(f"O{i}", 100)]
    many = select_rows([*own, *others], frozenset({"own"}))
    assert sum(mix.lab == "own" for mix in many) == 500 - 166


def test_prior_stands_aside_from_sixty_own_mixes_on() -> None:
    others = [a_mix(i, lab="public") for i in range(200, 230)]
    for own, more in ((59, 30), (60, 0)):
        rows, count = fit([a_mix(i) for i in range(own)], prior=others).usable((3.0,), 28.0)
        assert (count, len(rows) - count) == (own, more)


def test_ages_are_chosen_by_how_many_mixes_have_them() -> None:
    def of(pairs: int) -> tuple[float, ...] | None:
        known = [a_mix(i, ages=(3, 7, 28) if i < pairs else (7, 28)) for i in range(60)]
        return fit(known, prior=()).choose_ages((3.0, 7.0), 28.0)

    assert [of(pairs) for pairs in (11, 12, 49, 51, 60)] == [(7.0,), (7.0,), (7.0,), (3.0, 7.0), (3.0, 7.0)]
    # 14 d tells more than 7 d; that the laboratory itself has 7 d makes up for it once twice as many have.
    others = [a_mix(i, lab="public", ages=(14, 28)) for i in range(100, 112)]
    for own, chosen in ((12, 14.0), (24, 7.0)):
        found = fit([a_mix(i, ages=(7, 28)) for i in range(own)], prior=others)
        assert found.choose_ages((7.0, 14.0), 28.0) == (chosen,)


def test_stored_model_serves_until_a_tenth_more_mixes_have_come(model: FittedModel) -> None:
    model.submodel((3.0,), 28.0, frozenset())
    for number, kept in ((44, True), (45, False)):
        now = fit([*HISTORY[:40], *[a_mix(i) for i in range(300, 260 + number)]], prior=())
        now.adopt(model, 0.1)
        assert now.has((3.0,), 28.0) is kept


def test_stored_model_serves_until_a_tenth_of_its_results_have_moved_a_little(model: FittedModel) -> None:
    model.submodel((3.0,), 28.0, frozenset())

    def stronger(mix: MixHistory) -> MixHistory:
        return replace(mix, breaks=tuple(replace(b, strength_mpa=b.strength_mpa * 1.03) for b in mix.breaks))

    for number, kept in ((5, True), (6, False)):
        now = fit([*[stronger(mix) for mix in HISTORY[:number]], *HISTORY[number:40]], prior=())
        now.adopt(model, 0.1)
        assert now.has((3.0,), 28.0) is kept


# --- what is said ---------------------------------------------------------------------------------------------


def test_fewer_specimens_make_the_interval_wider_by_what_is_known_of_their_scatter(
    model: FittedModel,
) -> None:
    three = early(NEW[0], 3.0)
    one = replace(three, breaks=tuple(replace(b, count=1) for b in three.breaks))
    sub = model.submodel((3.0,), 28.0, frozenset())
    assert sub is not None
    assert sub.promised == pytest.approx(0.029**2 / 3, rel=0.05)
    raw, last, known = raw_features([three], (3.0,))
    bare = sub.predict(raw, np.zeros(1, dtype=np.int64), last, np.zeros(1))[1][0]
    said = [half_width(item) / bare for item in model.forecast([three, one])]
    quantile = _Rule.of(sub, 0).quantile(0.9)
    assert said == pytest.approx(
        [quantile * math.sqrt(bare**2 + n * known[0] + sub.promised) / bare for n in (1, 3)], rel=1e-4
    )


@pytest.mark.parametrize(
    ("fume_share", "outside"), [(0.0, 0.0), (0.0135, 0.45), (0.0165, 0.55), (0.06, 2.0), (0.24, 4.0)]
)
def test_each_deviation_outside_the_history_adds_a_quarter_up_to_four(
    model: FittedModel, fume_share: float, outside: float
) -> None:
    """The history has no silica fume; elsewhere it varies by 3 % of the binder."""
    masses = dict(NEW[0].composition)
    masses["silica_fume_kg_m3"] = fume_share * masses["cement_kg_m3"]
    masses["cement_kg_m3"] *= 1 - fume_share
    masses["fly_ash_kg_m3"] = 0.0
    masses["water_kg_m3"] = 0.5 * (masses["cement_kg_m3"] + masses["silica_fume_kg_m3"])
    mix = replace(early(NEW[0], 3.0), composition=masses)
    sub = model.submodel((3.0,), 28.0, frozenset())
    assert sub is not None
    raw, last, known = raw_features([mix], (3.0,))
    _mu, sd = sub.predict(raw, np.zeros(1, dtype=np.int64), last, known + sub.promised)
    (found,) = model.forecast([mix])
    usual = _Rule.of(sub, 0).quantile(0.9) * sd[0]
    assert half_width(found) == pytest.approx((1 + 0.25 * outside) * usual, rel=1e-4)
    assert ("outside what the history has seen" in found.note) is (outside > 0.5)


def test_break_between_two_ages_stands_for_the_nearer_one_and_costs_the_distance(model: FittedModel) -> None:
    mix = early(NEW[0], 3.0)
    moved_mpa = 20 * math.exp(model.level_at(3.0) - model.level_at(2.5))
    between, at = model.forecast(
        [replace(mix, breaks=(AgeStrength(age, mpa, 3),)) for age, mpa in ((2.5, 20.0), (3.0, moved_mpa))]
    )
    assert moved_mpa > 20
    assert between.strength_mpa == pytest.approx(at.strength_mpa)
    assert half_width(between) == pytest.approx((1 + math.log(3 / 2.5)) * half_width(at), rel=1e-5)
    assert between.early_ages == (2.5,)
    # Nearer than 1.6 times the age, or not at all.
    assert model.route((3.0 / 1.59,), 28.0) == ((3.0,), (3.0 / 1.59,))
    assert model.route((3.0 / 1.61,), 28.0) == ((), ())


def test_age_that_nobody_has_is_the_28_day_forecast_moved_and_wider(model: FittedModel) -> None:
    mix = early(NEW[0], 3.0)
    (at_28,), (at_60,) = model.forecast([mix]), model.forecast([mix], 60.0)
    assert at_60.strength_mpa == pytest.approx((at_28.strength_mpa or 0) * math.exp(model.level_at(60.0)))
    assert half_width(at_60) == pytest.approx((1 + 0.5 * math.log(60 / 28)) * half_width(at_28))
    young = fit([replace(m, breaks=m.breaks[:1]) for m in NEW[:20]] + HISTORY[:20], prior=())
    assert not young._takes_standard_age(28.0)
    assert young._takes_standard_age(7.0) is False
    others = [a_mix(i, lab="public", ages=(3, 7, 14, 28)) for i in range(200, 220)]
    assert fit(HISTORY[:20], prior=others)._takes_standard_age(14.0)


@pytest.mark.parametrize(("age", "share"), [(42.0, math.log(1.5) / math.log(2)), (56.0, 1.0), (365.0, 1.0)])
def test_result_at_28_d_is_carried_on_with_the_scatter_of_late_gains(
    model: FittedModel, age: float, share: float
) -> None:
    mix = MixHistory("L", "x", (AgeStrength(28.0, 20.0, 3),))
    gain = 0.25 * (1 - math.sqrt(28 / age))
    median = 20 * math.exp(gain)
    (found,) = model.forecast([replace(mix, grade_mpa=median)], age)
    scatter = (0.029**2 + (0.1 / 20) ** 2) / 3 + 0.029**2 / 3
    assert found.strength_mpa == pytest.approx(median)
    assert half_width(found) == pytest.approx(T_4 * math.sqrt((0.08 * share) ** 2 + scatter), rel=1e-5)
    assert found.p_grade == pytest.approx(0.5)
    (low,) = model.forecast([replace(mix, grade_mpa=found.intervals[0.9][0])], age)
    assert low.p_grade == pytest.approx(0.95)
    assert (found.local_mixes, found.history_mixes) == (40, 40)


def test_result_that_is_held_out_is_told_from_the_others(model: FittedModel) -> None:
    held = model.held_out((3.0,))
    assert held.keys() == {mix.key for mix in HISTORY[:40]}
    inside = 0
    for mix in HISTORY[:40]:
        found = held[mix.key]
        assert (found.local_mixes, found.history_mixes, found.early_ages) == (39, 39, (3.0,))
        assert found.strength_mpa is not None
        assert found.p_grade is not None
        assert (found.p_grade > 0.5) == (found.strength_mpa > 30) or abs(found.p_grade - 0.5) < 0.2
        reached = mix.strength_at(28.0)
        assert reached is not None
        inside += found.intervals[0.9][0] <= reached.strength_mpa <= found.intervals[0.9][1]
    assert 33 <= inside <= 39


def test_new_laboratory_is_told_so_until_it_has_a_mix_of_its_own(model: FittedModel) -> None:
    words = "no mixes of this laboratory in the history"
    elsewhere = replace(early(NEW[0], 3.0), lab="new")
    assert words in model.forecast([elsewhere])[0].note
    assert words not in model.forecast([early(NEW[0], 3.0)])[0].note
    known = fit([*HISTORY[:20], MixHistory("new", "x", (AgeStrength(3.0, 20.0),))], prior=())
    assert words not in known.forecast([elsewhere])[0].note


def test_steam_and_frost_are_learned_from_neither_in_a_history_nor_in_a_prior() -> None:
    odd = [replace(mix, curing_temperature_c=60.0) for mix in NEW[:3]]
    found = fit([*HISTORY[:3], *odd], prior=[*HISTORY[5:8], *odd])
    assert (len(found.history), len(found.prior)) == (3, 3)
