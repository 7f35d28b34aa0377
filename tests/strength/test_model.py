"""The forecast: what it learns, what it refuses, and that its word is kept."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad

from lims.strength.control import cumulative_sums
from lims.strength.features import Scaler, composition_features, early_features
from lims.strength.history import AgeStrength, MixHistory, combine
from lims.strength.intervals import conformal_quantile, conformal_survival, fit_lab_t, lab_scale
from lims.strength.kernel import Hyper, cross_kernel, fit_hyper, own_variance
from lims.strength.maturity import age_factor, corrected
from lims.strength.model import MOST_ROWS, SubModel, _rising, fit, select_rows

RNG = np.random.default_rng(7)


def a_mix(i: int, lab: str = "L", ages: tuple[int, ...] = (3, 7, 28), scatter: float = 0.03) -> MixHistory:
    """A mix whose strength follows its water/binder ratio, with scatter."""
    chance = np.random.default_rng(i)
    ratio, binder = chance.uniform(0.35, 0.6), chance.uniform(300, 450)
    ash = binder * chance.choice([0.0, 0.15, 0.3])
    f28 = 120 / 7.5 ** (1.5 * ratio) * math.exp(chance.normal(0, scatter))
    share = {1: 0.25, 3: 0.5 - 0.2 * ash / binder, 7: 0.7 - 0.15 * ash / binder, 28: 1.0, 14: 0.87}
    breaks = tuple(
        AgeStrength(float(age), f28 * share[age] * math.exp(chance.normal(0, scatter)), 3) for age in ages
    )
    masses = {
        "cement_kg_m3": binder - ash,
        "fly_ash_kg_m3": ash,
        "water_kg_m3": ratio * binder,
        "coarse_aggregate_kg_m3": 1050.0,
        "fine_aggregate_kg_m3": 750.0,
    }
    return MixHistory(lab, f"M{i}", breaks, masses, grade_mpa=30.0)


def early(mix: MixHistory, *ages: float) -> MixHistory:
    return MixHistory(
        mix.lab,
        mix.mix_id,
        tuple(b for b in mix.breaks if b.age_days in ages),
        mix.composition,
        grade_mpa=mix.grade_mpa,
    )


HISTORY = [a_mix(i) for i in range(60)]
NEW = [a_mix(i) for i in range(100, 140)]


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]
    return fit(HISTORY, prior=())


def test_forecast_beats_the_early_strength_scaled_by_a_code_curve(model) -> None:  # type: ignore[no-untyped-def]
    said = model.forecast([early(mix, 3.0) for mix in NEW])
    actual = np.array([mix.strength_at(28.0).strength_mpa for mix in NEW])  # type: ignore[union-attr]
    error = np.abs(np.array([f.strength_mpa for f in said]) / actual - 1).mean()
    three = np.array([mix.strength_at(3.0).strength_mpa for mix in NEW])  # type: ignore[union-attr]
    by_code = np.abs(three / (3 / (4 + 0.85 * 3)) / actual - 1).mean()
    assert error < 0.06
    assert error < by_code / 2


@pytest.mark.parametrize("specimens", [1, 3], ids=["single specimens", "sets of three"])
def test_90_percent_intervals_hold_about_nine_times_in_ten(specimens: int) -> None:
    def counted(mix: MixHistory) -> MixHistory:
        breaks = tuple(AgeStrength(b.age_days, b.strength_mpa, specimens) for b in mix.breaks)
        return MixHistory(mix.lab, mix.mix_id, breaks, mix.composition)

    many = fit([counted(a_mix(i)) for i in range(180)], prior=())
    fresh = [counted(a_mix(i)) for i in range(1000, 1400)]
    inside = 0
    for mix, found in zip(fresh, many.forecast([early(mix, 3.0) for mix in fresh]), strict=True):
        low, high = found.intervals[0.9]
        inside += low <= mix.strength_at(28.0).strength_mpa <= high  # type: ignore[union-attr]
    assert 0.86 <= inside / len(fresh) <= 0.94


def test_more_and_later_breaks_make_the_interval_narrower(model) -> None:  # type: ignore[no-untyped-def]
    def width(*ages: float) -> float:
        (found,) = model.forecast([early(NEW[0], *ages)])
        low, high = found.intervals[0.9]
        return math.log(high / low)

    assert width() > 1.1 * width(3.0)
    assert width(7.0) < 1.05 * width(3.0)


def test_same_input_gives_the_same_answer_in_any_order_of_asking(model) -> None:  # type: ignore[no-untyped-def]
    asked = [early(mix, 3.0, 7.0) for mix in NEW[:10]]
    forward, backward = model.forecast(asked), model.forecast(asked[::-1])[::-1]
    assert [f.strength_mpa for f in forward] == pytest.approx([f.strength_mpa for f in backward], rel=1e-5)
    again = fit(HISTORY, prior=()).forecast(asked)
    assert [f.intervals for f in again] == [f.intervals for f in forward]


def test_stored_sub_model_gives_the_same_forecast(model) -> None:  # type: ignore[no-untyped-def]
    model.submodel((3.0,), 28.0, frozenset())
    stored = SubModel.from_dict(json.loads(model.to_json((3.0,))))
    fresh = fit(HISTORY, prior=())
    fresh.put(stored, 0.1)
    asked = [early(mix, 3.0) for mix in NEW[:5]]
    ours, theirs = model.forecast(asked), fresh.forecast(asked)
    assert [f.strength_mpa for f in ours] == pytest.approx([f.strength_mpa for f in theirs], rel=1e-5)


def test_stored_sub_model_is_outgrown_by_the_first_mix_of_a_new_laboratory(model) -> None:  # type: ignore[no-untyped-def]
    model.submodel((3.0,), 28.0, frozenset())
    stored = SubModel.from_dict(json.loads(model.to_json((3.0,))))
    assert fit([*HISTORY, a_mix(500)], prior=()).put(stored, 0.1)
    assert not fit([*HISTORY, a_mix(500, lab="just begun")], prior=()).put(stored, 0.1)


def with_28_d(mix: MixHistory, factor: float) -> MixHistory:
    """The mix with another 28-d result; 0: with none."""
    breaks = tuple(
        AgeStrength(b.age_days, b.strength_mpa * (factor if b.age_days == 28 else 1), b.count)
        for b in mix.breaks
        if factor or b.age_days != 28
    )
    return MixHistory(mix.lab, mix.mix_id, breaks, mix.composition, grade_mpa=mix.grade_mpa)


@pytest.mark.parametrize(
    ("factor", "kept"),
    [(1.0, True), (1.03, True), (0.85, False), (0.0, False)],
    ids=["as it was", "another batch", "put right", "taken back"],
)
def test_stored_sub_model_is_not_used_once_a_result_it_learned_from_is_put_right_or_taken_back(  # type: ignore[no-untyped-def]
    model, factor: float, kept: bool
) -> None:
    model.submodel((3.0,), 28.0, frozenset())
    now = fit([with_28_d(HISTORY[0], factor), *HISTORY[1:]], prior=())
    now.adopt(model, 0.1)
    assert now.has((3.0,), 28.0) is kept
    if kept:  # and what is held out is still found
        assert HISTORY[0].key in now.held_out((3.0,))


@pytest.mark.parametrize(
    ("age", "factor", "water", "kept"),
    [(3.0, 1.03, 1.0, True), (3.0, 1.25, 1.0, False), (3.0, 1.0, 1.15, False), (3.0, 1.0, 1.005, True)],
    ids=["another batch at 3 d", "3 d put right", "water put right", "water weighed again"],
)
def test_stored_sub_model_is_not_used_once_an_earlier_break_or_the_recipe_is_put_right(  # type: ignore[no-untyped-def]
    model, age: float, factor: float, water: float, kept: bool
) -> None:
    model.submodel((3.0, 7.0), 28.0, frozenset())
    was = HISTORY[0]
    breaks = tuple(
        AgeStrength(b.age_days, b.strength_mpa * (factor if b.age_days == age else 1), b.count)
        for b in was.breaks
    )
    masses = dict(was.composition, water_kg_m3=was.composition["water_kg_m3"] * water)
    now = fit([MixHistory(was.lab, was.mix_id, breaks, masses), *HISTORY[1:]], prior=())
    now.adopt(model, 0.1)
    assert now.has((3.0, 7.0), 28.0) is kept


def test_sub_model_of_more_rows_than_are_learned_from_is_kept_and_serves_every_forecast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is stored by its early ages alone, so a forecast must come from that one, not from another choice of rows."""
    monkeypatch.setattr("lims.strength.model.MOST_ROWS", 30)
    mixes = [a_mix(i, lab="own" if i % 2 else "other") for i in range(40)]
    first = fit(mixes, prior=(), labs=frozenset({"own"}))
    stored = first.submodel((3.0,), 28.0, frozenset())
    assert stored is not None
    again = fit([*mixes, early(a_mix(90), 3.0)], prior=(), labs=frozenset({"own"}))
    again.adopt(first, 0.1)
    for lab in ("own", "other"):
        again.forecast([early(a_mix(91, lab=lab), 3.0)])
    assert list(again._models.values()) == [stored]


def test_probability_of_a_low_grade_is_high_and_of_a_high_one_low(model) -> None:  # type: ignore[no-untyped-def]
    mix = early(NEW[0], 7.0)
    actual = NEW[0].strength_at(28.0).strength_mpa  # type: ignore[union-attr]
    chances = []
    for grade in (0.6 * actual, actual, 1.5 * actual):
        asked = MixHistory(mix.lab, mix.mix_id, mix.breaks, mix.composition, grade_mpa=grade)
        chances.append(model.forecast([asked])[0].p_grade)
    assert chances[0] > 0.95
    assert chances[2] < 0.05
    assert chances == sorted(chances, reverse=True)


def test_mix_without_breaks_and_composition_is_refused_with_the_reason(model) -> None:  # type: ignore[no-untyped-def]
    (found,) = model.forecast([MixHistory("L", "nothing", ())])
    assert found.strength_mpa is None
    assert "nothing to forecast from" in found.note


def test_composition_without_water_is_not_said_to_be_unknown(model) -> None:  # type: ignore[no-untyped-def]
    dry = {name: mass for name, mass in NEW[0].composition.items() if name != "water_kg_m3"}
    young = (AgeStrength(0.5, 3.0),)
    three = early(NEW[0], 3.0).breaks
    alone, with_young, with_three = model.forecast(
        [MixHistory("L", "dry", breaks, dry) for breaks in ((), young, three)]
    )
    assert alone.strength_mpa is with_young.strength_mpa is None
    assert alone.note == "no breaks, and water or binder unknown: nothing to forecast from"
    assert with_young.note.endswith("; water or binder unknown: nothing to forecast from")
    assert with_three.note == "water or binder unknown"


def test_break_of_every_day_takes_no_longer_than_those_of_the_ages_that_count() -> None:
    """Not a look at each of 20,000 sets of four ages."""
    model = fit(HISTORY, prior=())
    assert model.choose_ages(tuple(float(age) for age in range(1, 28)), 28.0) == (3.0, 7.0)
    assert len(model._usable) < 40


def test_break_at_an_age_the_history_lacks_is_moved_and_said_so(model) -> None:  # type: ignore[no-untyped-def]
    mix = MixHistory("L", "odd", (AgeStrength(4.0, 20.0),), NEW[0].composition)
    (found,) = model.forecast([mix])
    assert found.strength_mpa is not None
    assert "mean curve" in found.note


@pytest.mark.parametrize("history", [(), HISTORY], ids=["the prior that ships", "3, 7 and 28 d alone"])
def test_strength_never_falls_along_the_mean_curve(history: list[MixHistory]) -> None:
    """Nor where it leaves the ages of the history: at 18 h a mix has not more than at 24 h."""
    slow = MixHistory("L", "hardly set", (AgeStrength(2.0, 0.1), AgeStrength(28.0, 40.0)))
    curve = fit([*history, slow], prior=None if not history else ())
    levels = [curve.level_at(age) for age in np.geomspace(0.3, 3650, 400)]
    assert all(later > earlier - 1e-9 for earlier, later in pairwise(levels))
    assert max(later - earlier for earlier, later in pairwise(levels)) < 0.25
    assert curve.level_at(28.0) == 0
    assert curve.level_at(3.0) == pytest.approx(math.log(0.47), abs=0.03)


@given(st.lists(st.lists(st.floats(-3, 3), min_size=1, max_size=4), max_size=8))
@settings(max_examples=40, deadline=None)
def test_rising_means_are_the_nearest_that_do_not_fall(values: list[list[float]]) -> None:
    found = _rising(values)
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(found))
    assert math.fsum(f * len(v) for f, v in zip(found, values, strict=True)) == pytest.approx(
        math.fsum(map(math.fsum, values)), abs=1e-9
    )
    means = [math.fsum(v) / len(v) for v in values]
    if means == sorted(means):
        assert found == pytest.approx(means)


def test_later_age_than_the_history_has_rests_on_the_28_day_result_once_it_is_there(model) -> None:  # type: ignore[no-untyped-def]
    """Not on what the early breaks promise for 28 d, and not on nothing where there are none."""
    weak = MixHistory(
        "L", "weak", (*early(NEW[0], 3.0, 7.0).breaks, AgeStrength(28.0, 20.0, 3)), NEW[0].composition
    )
    alone = MixHistory("L", "alone", (AgeStrength(28.0, 20.0, 3),), grade_mpa=15.0)
    for found in model.forecast([weak, alone], 60.0):
        assert found.strength_mpa == pytest.approx(20 * math.exp(0.25 * (1 - math.sqrt(28 / 60))))
        low, high = found.intervals[0.9]
        assert 0.8 * found.strength_mpa < low < found.strength_mpa < high < 1.25 * found.strength_mpa
        assert found.early_ages == (28.0,)
    assert found.p_grade > 0.9


def test_mix_far_outside_the_history_is_widened_and_said_so(model) -> None:  # type: ignore[no-untyped-def]
    odd = dict(NEW[0].composition, water_kg_m3=90.0)
    (found,) = model.forecast([MixHistory("L", "odd", early(NEW[0], 3.0).breaks, odd)])
    (usual,) = model.forecast([early(NEW[0], 3.0)])
    assert "outside what the history has seen" in found.note
    assert math.log(found.intervals[0.9][1] / found.intervals[0.9][0]) > math.log(
        usual.intervals[0.9][1] / usual.intervals[0.9][0]
    )


def test_material_that_the_history_never_had_is_said_to_be_outside_it(model) -> None:  # type: ignore[no-untyped-def]
    fume = dict(NEW[0].composition, silica_fume_kg_m3=40.0)
    (found,) = model.forecast([MixHistory("L", "fume", early(NEW[0], 3.0).breaks, fume)])
    (usual,) = model.forecast([early(NEW[0], 3.0)])
    assert "outside what the history has seen" in found.note
    assert "outside" not in usual.note
    assert (
        found.intervals[0.9][1] / found.intervals[0.9][0] > usual.intervals[0.9][1] / usual.intervals[0.9][0]
    )


def test_rounded_masses_do_not_make_a_usual_dose_an_unusual_one() -> None:
    """At 1 % of the binder, to 0.1 kg, the doses of a history differ by hundredths of a per cent."""

    def dosed(mix: MixHistory, percent: float) -> MixHistory:
        binder = mix.composition["cement_kg_m3"] + mix.composition["fly_ash_kg_m3"]
        masses = dict(mix.composition, superplasticizer_kg_m3=round(binder * percent / 100, 1))
        return MixHistory(mix.lab, mix.mix_id, mix.breaks, masses)

    rounded = fit([dosed(mix, 1.0) for mix in HISTORY[:40]], prior=())
    usual, more, other = rounded.forecast([dosed(early(NEW[0], 3.0), dose) for dose in (1.0, 1.03, 1.3)])
    assert (usual.note, more.note) == ("", "")
    assert more.strength_mpa == pytest.approx(usual.strength_mpa, rel=0.005)
    assert "outside what the history has seen" in other.note


def test_composition_that_no_mix_of_the_history_tells_leaves_the_interval_as_it_is() -> None:
    bare = fit([MixHistory(mix.lab, mix.mix_id, mix.breaks) for mix in HISTORY], prior=())
    asked = early(NEW[0], 3.0)
    known, unknown = bare.forecast([asked, MixHistory(asked.lab, asked.mix_id, asked.breaks)])
    assert known.intervals[0.9] == pytest.approx(unknown.intervals[0.9])
    assert "outside" not in known.note


def test_first_forecast_of_a_laboratory_comes_from_the_shipped_prior() -> None:
    (found,) = fit(()).forecast([early(NEW[0], 3.0)])
    assert found.strength_mpa is not None
    assert found.local_mixes == 0
    assert found.history_mixes > 100
    assert "new laboratory" in found.note


def test_mix_of_the_prior_is_not_forecast_from_its_own_result() -> None:
    from lims.strength.prior import shipped_prior

    mix = next(m for m in shipped_prior() if m.strength_at(28.0) and m.strength_at(3.0) and m.composition)
    asked = MixHistory("new lab", "x", (mix.strength_at(3.0),), mix.composition)  # type: ignore[arg-type]
    left_out = fit((), asked=[asked])
    assert mix.recipe in {item.recipe for item in fit(()).prior}
    assert mix.recipe not in {item.recipe for item in left_out.prior}


def test_early_tests_without_information_are_said_to_be_no_better_than_the_mean() -> None:
    chance = np.random.default_rng(1)
    history = [
        MixHistory(
            "L",
            f"N{i}",
            (AgeStrength(7.0, float(chance.uniform(15, 35))), AgeStrength(28.0, float(chance.normal(40, 2)))),
        )
        for i in range(60)
    ]
    asked = MixHistory("L", "x", (AgeStrength(7.0, 20.0),))
    (found,) = fit(history, prior=()).forecast([asked])
    assert "no better than the running mean" in found.note
    assert found.strength_mpa == pytest.approx(40, abs=2)


@pytest.mark.parametrize(
    "breaks",
    [((3.0, 0.8), (28.0, 24.0)), ((7.0, 30.0), (28.0, 20.0))],
    ids=["not set at 3 d", "28 d far below 7 d"],
)
def test_implausible_mix_is_not_learned_from(breaks: tuple[tuple[float, float], ...]) -> None:
    mix = MixHistory("L", "bad", tuple(AgeStrength(a, s) for a, s in breaks))
    assert not mix.plausible
    assert mix.key not in {m.key for m in fit([*HISTORY, mix], prior=()).history}


def test_ten_thousand_mixes_of_one_laboratory_are_thinned_evenly() -> None:
    many = [MixHistory("L", str(i), ()) for i in range(10_000)]
    chosen = select_rows(many, frozenset({"L"}))
    assert len(chosen) == MOST_ROWS
    assert chosen == select_rows(many, frozenset({"L"}))
    mixed = many[:5000] + [MixHistory(f"S{i % 50}", str(i), ()) for i in range(5000)]
    picked = select_rows(mixed, frozenset({"S1"}))
    assert len(picked) <= MOST_ROWS
    assert sum(1 for mix in picked if mix.lab == "S1") == 100


@pytest.mark.parametrize(("labs", "each"), [(7, 100), (400, 2), (600, 5), (3000, 1)])
def test_hundreds_of_laboratories_leave_room_for_the_one_asked_about(labs: int, each: int) -> None:
    """And keep to the number of rows that a fit can take."""
    many = [MixHistory(f"S{i % labs}", str(i), ()) for i in range(labs * each)]
    own = [MixHistory("own", str(i), ()) for i in range(50)]
    assert {mix.mix_id for mix in select_rows(many + own, frozenset({"own"})) if mix.lab == "own"} == {
        mix.mix_id for mix in own
    }
    evenly = Counter(mix.lab for mix in select_rows(many, frozenset(mix.lab for mix in many)))
    assert evenly.total() == MOST_ROWS
    assert max(evenly.values()) - min(evenly.values()) <= 1


def test_analytic_gradient_of_the_marginal_likelihood_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    caught = {}

    def fake(objective, start, **_more):  # type: ignore[no-untyped-def]
        caught["f"] = objective
        raise StopIteration

    x, y = RNG.normal(size=(25, 3)), RNG.normal(size=25)
    labs = np.repeat([0, 1], [15, 10])
    monkeypatch.setattr("scipy.optimize.minimize", fake)
    with pytest.raises(StopIteration):
        fit_hyper(x, labs, y, np.full(25, 0.01), rbf=True)
    objective = caught["f"]
    for _point in range(3):
        theta = RNG.normal(size=9) * 0.5 - 0.5
        error = check_grad(lambda t: objective(t)[0], lambda t: objective(t)[1], theta)
        assert error < 1e-3


@given(st.lists(st.floats(0.3, 3), min_size=3, max_size=3), st.floats(0.2, 2))
@settings(max_examples=20)
def test_kernel_is_a_covariance(scales: list[float], ls: float) -> None:
    hyper = Hyper(a_l=0.4, s2=0.1, t0=0.2, t1=0.3, ls=ls, a_r=0.5, l=tuple(scales))
    x, labs = np.random.default_rng(3).normal(size=(12, 3)), np.repeat([0, 1, -1], 4)
    k = cross_kernel(hyper, x, labs, x, labs)
    assert np.allclose(k, k.T)
    known = labs >= 0
    assert np.linalg.eigvalsh(k[np.ix_(known, known)]).min() > -1e-9
    assert np.allclose(np.diag(k)[known], own_variance(hyper, x)[known])


def test_features_of_a_mix_are_those_of_a_calculation_by_hand() -> None:
    """Cement 240, slag 80, fly ash 60, silica fume 20: 400 kg of binder."""
    masses = [240.0, 80.0, 60.0, 20.0, math.nan, 40.0, 180.0, 4.8, 1100.0, 700.0]
    nothing_but_cement = [300.0, *[math.nan] * 5, 150.0, 60.0, math.nan, 800.0]
    unknown = [math.nan] * 10
    whole, bare, none = composition_features(np.array([masses, nothing_but_cement, unknown]))
    assert whole == pytest.approx(
        [math.log(0.45), 0.2, 0.15, 0.05, 0.0, 0.1, 1.2, math.log(400), 4.5, 700 / 1800]
    )
    # A binder that is not told beside the cement is none; 20 % of admixture is a typing error; sand alone tells no ratio.
    assert bare == pytest.approx(
        [math.log(0.5), 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, math.log(300), 800 / 300, math.nan], nan_ok=True
    )
    assert np.isnan(none).all()
    assert early_features(np.array([[4.0, 13.0, 31.0]]))[0] == pytest.approx(
        [math.log(31), math.log(18 / 9), math.log(36 / 18)]
    )


def test_scale_of_a_feature_is_that_of_the_mixes_that_tell_it() -> None:
    raw = np.zeros((4, 10))
    raw[:, 6] = [0.0, 1.0, 2.0, math.nan]
    scaler = Scaler.of(raw)
    said = np.zeros((3, 10))
    said[:, 6] = [1.5, 9.0, math.nan]
    assert scaler.apply(said)[:, 6] == pytest.approx([0.5, 1.0, 0.0])
    assert scaler.excess(said) == pytest.approx([0.0, 7.0, 0.0])
    far = np.zeros((100, 10))
    far[0, 6] = 50.0
    assert Scaler.of(far).apply(far)[0, 6] == 4.0


def test_combined_strength_of_a_set_ignores_one_slip_of_the_pen() -> None:
    assert combine([55.9, 56.3, 22.9]) == 55.9
    assert combine([30.0, 31.0]) == 30.5
    assert combine([30.0, 31.0, 32.0]) == 31.0


def test_conformal_quantile_and_survival_agree_with_the_residuals() -> None:
    z = np.linspace(-2, 2, 99)
    assert conformal_quantile(z, 0.9) == pytest.approx(1.8, abs=0.05)
    p = conformal_survival(z, np.array([-3.0, 0.0, 3.0]))
    assert p[0] > 0.99
    assert p[1] == pytest.approx(0.5, abs=0.02)
    assert 0 < p[2] < 0.01


def test_interval_beyond_what_the_residuals_can_say_goes_on_growing(model) -> None:  # type: ignore[no-untyped-def]
    (found,) = model.forecast([early(NEW[0], 3.0)], levels=(0.9, 0.98, 0.99, 0.999))
    widths = [math.log(high / low) for low, high in found.intervals.values()]
    assert widths == sorted(widths)
    assert widths[3] > 1.2 * widths[1]


def test_residuals_of_a_laboratory_set_its_scale() -> None:
    calm = lab_scale(4.0, 1.0, np.full(20, 0.2))
    wild = lab_scale(4.0, 1.0, np.full(20, 3.0))
    assert calm[1] < 1 < wild[1]
    nu, c = fit_lab_t([RNG.normal(size=30) * s for s in (0.5, 1, 1, 2, 1.5, 0.8)])
    assert nu > 1
    assert 0.3 < c < 3


def test_cold_breaks_count_for_younger_ones() -> None:
    assert age_factor(20.0) == pytest.approx(1)
    assert age_factor(10.0) == pytest.approx(0.615, abs=0.01)
    mix = MixHistory("L", "cold", (AgeStrength(7.0, 20.0),), {}, 10.0)
    moved, word = corrected(mix)
    assert moved.breaks[0].age_days == pytest.approx(4.3, abs=0.1)
    assert "10" in word
    first_minute, _word = corrected(MixHistory("L", "new", (AgeStrength(0.0004, 1.0),), {}, 10.0))
    assert first_minute.breaks[0].age_days > 0
    frozen, word = corrected(MixHistory("L", "ice", (AgeStrength(7.0, 2.0),), {}, -10.0))
    assert frozen.breaks == ()
    assert "not used" in word


def test_cusum_finds_a_shift_and_leaves_noise_alone() -> None:
    quiet = np.random.default_rng(5).normal(size=60)
    assert cumulative_sums(list(quiet)).alarm is None
    shifted = cumulative_sums([*quiet[:20], *(quiet[20:] - 2)])
    assert shifted.alarm is not None
    assert shifted.alarm[1] == "low"
    assert 20 <= shifted.alarm[0] <= 28


def test_break_that_no_age_of_the_history_is_near_is_said_not_to_be_used() -> None:
    young = (AgeStrength(0.5, 3.0),)
    model = fit(HISTORY, prior=())
    (known, bare) = model.forecast(
        [MixHistory("L", "a", young, NEW[0].composition), MixHistory("L", "b", young)]
    )
    assert known.strength_mpa is not None
    assert "breaks at 0.5 d are not used" in known.note
    assert bare.strength_mpa is None
    assert "breaks at 0.5 d are not used" in bare.note
    assert "neither breaks" not in bare.note
