"""Cement."""

from __future__ import annotations

from datetime import date

from lims.standards.cement import (
    CEMENT_TYPES,
    CLASSES,
    class_checks,
    lots,
    mortar_strength,
    retest_due_on,
    retest_needed,
    setting_checks,
    uniformity,
)
from lims.standards.checks import all_passed
from lims.standards.inputs import Choice, Day, Given, Many, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import shown
from lims.standards.words import N_

IN_FORCE = date(2024, 6, 1)


def _class(given: Given) -> Answer:
    checks = class_checks(
        given.word("strength_class"),
        given.number_or_none("strength_3d_mpa"),
        given.number_or_none("strength_28d_mpa"),
        given.word_or_none("cement_type"),
    )
    return {"accepted": all_passed(checks), "checks": checks}


def _setting(given: Given) -> Answer:
    checks = setting_checks(
        given.number("initial_set_min"), given.number("final_set_min"), given.word_or_none("cement_type")
    )
    return {"accepted": all_passed(checks), "checks": checks}


def _mortar(given: Given) -> Answer:
    found = mortar_strength(given.numbers("strengths_mpa"))
    return {
        "strength_mpa": found.strength_mpa,
        "dropped": found.dropped,
        "mean_of_six_mpa": shown(found.mean_of_six_mpa),
    }


def _lots(given: Given) -> Answer:
    return {"lots": lots(given.number("mass_t"), given.word("delivery"))}


def _retest(given: Given) -> Answer:
    made, use = given.day("made_on"), given.day("use_on")
    return {"retest_needed": retest_needed(made, use), "use_until": retest_due_on(made)}


def _uniformity(given: Given) -> Answer:
    s = uniformity(given.number("total_deviation_mpa"), given.number("testing_deviation_mpa"))
    return {"cement_deviation_mpa": shown(s)}


RULES = (
    Rule(
        id="gb175-2023/strength-class",
        code="GB 175",
        edition="2023",
        effective=IN_FORCE,
        clause="7.4.3",
        subject=N_("Cement"),
        title=N_("Strengths of a cement against its class"),
        formula=N_("Least strengths at 3 d and 28 d."),
        provenance=(
            (N_("class 42.5, no composite 32.5, date in force"), "S"),
            (N_("other classes"), "R"),
            (N_("32.5 and 32.5R of slag, pozzolana and fly-ash cement"), "R"),
            (N_("62.5 and 62.5R of Portland and ordinary Portland cement"), "R"),
        ),
        sources=("GB 175-2023",),
        fields=(
            Choice(name="strength_class", text=N_("Strength class"), options=tuple(CLASSES)),
            Number(
                name="strength_3d_mpa", text=N_("Strength at 3 d, MPa"), above=0, maximum=150, required=False
            ),
            Number(
                name="strength_28d_mpa",
                text=N_("Strength at 28 d, MPa"),
                above=0,
                maximum=150,
                required=False,
            ),
            Choice(
                name="cement_type",
                text=N_("Type of cement (for 32.5 and 62.5)"),
                options=CEMENT_TYPES,
                required=False,
            ),
        ),
        compute=_class,
        numbers=tuple((name, f"{a:f} / {b:f} MPa") for name, (a, b) in CLASSES.items()),
        vectors=(
            Vector(
                {"strength_class": "42.5", "strength_3d_mpa": "17.0", "strength_28d_mpa": "42.5"},
                {"accepted": True},
                "S",
            ),
            Vector({"strength_class": "42.5", "strength_28d_mpa": "42.4"}, {"accepted": False}, "S"),
            Vector({"strength_class": "52.5", "strength_3d_mpa": "22.0"}, {"accepted": True}, "C"),
            Vector(
                {"strength_class": "32.5R", "strength_28d_mpa": "32.5", "cement_type": "P.F"},
                {"accepted": True},
                "C",
            ),
        ),
    ),
    Rule(
        id="gb175-2023/setting",
        code="GB 175",
        edition="2023",
        effective=IN_FORCE,
        clause="7.4.1",
        subject=N_("Cement"),
        title=N_("Setting times of a cement"),
        formula=N_("Initial set ≥ 45 min, final set ≤ 600 min; P.I and P.II: ≤ 390 min."),
        provenance=((N_("limits of P.O"), "S"), (N_("limits of the other types, clause"), "R")),
        sources=("GB 175-2023",),
        fields=(
            Number(name="initial_set_min", text=N_("Initial set, min"), above=0, maximum=5000),
            Number(name="final_set_min", text=N_("Final set, min"), above=0, maximum=5000),
            Choice(
                name="cement_type",
                text=N_("Type of cement (for P.I and P.II)"),
                options=CEMENT_TYPES,
                required=False,
            ),
        ),
        compute=_setting,
        vectors=(
            Vector({"initial_set_min": "45", "final_set_min": "600"}, {"accepted": True}, "S"),
            Vector(
                {"initial_set_min": "45", "final_set_min": "391", "cement_type": "P.II"},
                {"accepted": False},
                "C",
            ),
            Vector({"initial_set_min": "44", "final_set_min": "300"}, {"accepted": False}, "S"),
        ),
    ),
    Rule(
        id="gbt17671/mortar",
        code="GB/T 17671",
        edition="2021",
        effective=date(2022, 7, 1),
        clause="10",
        subject=N_("Cement"),
        title=N_("Strength of mortar from six values"),
        formula=N_("Mean of six; one beyond ±10 % of it is dropped; a second one voids the test."),
        provenance=((N_("rule"), "R"),),
        sources=("GB/T 17671-2021",),
        fields=(
            Many(
                name="strengths_mpa",
                text=N_("Strengths, MPa"),
                each=Number(name="strength", above=0, maximum=200),
                least=6,
                most=6,
            ),
        ),
        compute=_mortar,
        numbers=((N_("largest deviation from the mean"), "10 %"),),
        vectors=(
            Vector(
                {"strengths_mpa": ["40.62", "40.00", "40.00", "33.12", "41.25", "43.75"]},
                {"strength_mpa": "41.1", "dropped": ["33.12"]},
                "C",
            ),
            Vector(
                {"strengths_mpa": ["40", "40", "40", "40", "30", "50"]},
                {"strength_mpa": None, "dropped": ["30", "50"]},
                "C",
            ),
            Vector(
                {"strengths_mpa": ["40", "41", "42", "43", "44", "45"]},
                {"strength_mpa": "42.5", "dropped": []},
                "C",
            ),
        ),
    ),
    Rule(
        id="gb50204-2015/cement-lots",
        code="GB 50204",
        edition="2015",
        effective=date(2015, 9, 1),
        clause="7.2.1",
        subject=N_("Cement"),
        title=N_("Lots of a cement delivery"),
        formula=N_("At most 500 t in bulk, 200 t in bags."),
        provenance=((N_("sizes"), "S"),),
        sources=("GB 50204-2015 7.2.1",),
        fields=(
            Number(name="mass_t", text=N_("Delivery, t"), above=0, maximum=1_000_000),
            Choice(name="delivery", text=N_("Delivered in"), options=("bulk", "bagged")),
        ),
        compute=_lots,
        vectors=(
            Vector({"mass_t": "500", "delivery": "bulk"}, {"lots": 1}, "S"),
            Vector({"mass_t": "201", "delivery": "bagged"}, {"lots": 2}, "S"),
        ),
    ),
    Rule(
        id="gb50204-2015/cement-retest",
        code="GB 50204",
        edition="2015",
        effective=date(2015, 9, 1),
        clause="7.2.1",
        subject=N_("Cement"),
        title=N_("Retest of cement older than three months"),
        formula=N_("A lot older than three months is tested again before use."),
        provenance=((N_("three months"), "S"),),
        sources=("GB 50204-2015 7.2.1", N_("source document")),
        fields=(Day(name="made_on", text=N_("Made on")), Day(name="use_on", text=N_("To be used on"))),
        compute=_retest,
        vectors=(
            Vector(
                {"made_on": "2026-01-31", "use_on": "2026-04-30"},
                {"retest_needed": False, "use_until": "2026-04-30"},
                "C",
            ),
            Vector({"made_on": "2026-01-31", "use_on": "2026-05-01"}, {"retest_needed": True}, "C"),
        ),
    ),
    Rule(
        id="astm-c917/uniformity",
        code="ASTM C917",
        edition="18",
        clause="8",
        subject=N_("Cement"),
        title=N_("Uniformity of a cement from one source"),
        formula="s_c = √(s_t² − s_e²)",
        provenance=((N_("formula"), "R"),),
        sources=("ASTM C917",),
        fields=(
            Number(name="total_deviation_mpa", text=N_("Total deviation s_t, MPa"), minimum=0, maximum=50),
            Number(
                name="testing_deviation_mpa", text=N_("Testing deviation s_e, MPa"), minimum=0, maximum=50
            ),
        ),
        compute=_uniformity,
        vectors=(
            Vector(
                {"total_deviation_mpa": "2.5", "testing_deviation_mpa": "1.5"},
                {"cement_deviation_mpa": "2"},
                "C",
            ),
        ),
    ),
)
