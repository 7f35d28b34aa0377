"""Acceptance of lots and control of production."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lims.standards.acceptance import (
    LotVerdict,
    aci214_standard_of_control,
    aci214_within_test_deviation,
    aci318_acceptance,
    aci318_required_average,
    cusum,
    en206_continuous,
    en206_initial,
    fcr_reported,
    gbt50107_lot,
    gbt50107_sigma0,
)
from lims.standards.control_charts import LEAST_VALUES, individuals_chart, western_electric
from lims.standards.grades import require_grade
from lims.standards.inputs import Count, Given, Many, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import shown
from lims.standards.words import N_

GRADE = Number(name="grade_mpa", text=N_("Strength grade, MPa (30 for C30)"), above=0)
FC = Number(name="fc_mpa", text=N_("Specified strength f'c, MPa"), above=0, maximum=200)
FCK = Number(name="fck_mpa", text=N_("Characteristic strength fck, MPa"), above=0, maximum=200)
S = Number(
    name="s_mpa",
    text=N_("Standard deviation, MPa"),
    above=0,
    maximum=100,
    required=False,
    aliases=("sigma_mpa",),
)
EACH = Number(name="strength", above=0, maximum=300)
STRENGTHS = Many(name="strengths_mpa", text=N_("Strengths, MPa, in order"), each=EACH, least=1)


def _lot(verdict: LotVerdict) -> Answer:
    return {
        "method": verdict.method,
        "n": verdict.n,
        "mean_mpa": shown(verdict.mean_mpa),
        "minimum_mpa": shown(verdict.least_mpa),
        "s_mpa": None if verdict.s_mpa is None else shown(verdict.s_mpa),
        "s_computed_mpa": None if verdict.s_computed_mpa is None else shown(verdict.s_computed_mpa),
        "accepted": verdict.accepted,
        "checks": verdict.checks,
    }


def _gbt50107(given: Given) -> Answer:
    return _lot(
        gbt50107_lot(
            require_grade(given.number("grade_mpa")),
            given.numbers("strengths_mpa"),
            given.number_or_none("sigma0_mpa"),
        )
    )


def _sigma0(given: Given) -> Answer:
    used, computed = gbt50107_sigma0(given.numbers("strengths_mpa"))
    return {"sigma0_mpa": shown(used), "computed_mpa": shown(computed)}


def _aci318(given: Given) -> Answer:
    return _lot(aci318_acceptance(given.number("fc_mpa"), given.numbers("strengths_mpa")))


def _required(given: Given) -> Answer:
    found = aci318_required_average(
        given.number("fc_mpa"), given.number_or_none("s_mpa"), given.count_or_none("n")
    )
    return {
        "fcr_mpa": fcr_reported(found),
        "sample_factor": None if found.sample_factor is None else shown(found.sample_factor, 4),
        "candidates": [{"formula": name, "value": shown(value)} for name, value in found.candidates],
    }


def _aci214(given: Given) -> Answer:
    word = aci214_standard_of_control(
        given.number("s_mpa"), given.number_or_none("fc_mpa"), given.number_or_none("mean_mpa")
    )
    return {"standard_of_control": word}


def _within(given: Given) -> Answer:
    s = aci214_within_test_deviation(given.numbers("ranges_mpa"), given.count("specimens_per_test"))
    return {"s_mpa": shown(s)}


def _initial(given: Given) -> Answer:
    return _lot(en206_initial(given.number("fck_mpa"), given.numbers("strengths_mpa")))


def _continuous(given: Given) -> Answer:
    return _lot(
        en206_continuous(
            given.number("fck_mpa"),
            given.numbers("strengths_mpa"),
            given.number_or_none("s_mpa"),
            given.numbers_or_none("initial_strengths_mpa"),
        )
    )


def _cusum(given: Given) -> Answer:
    found = cusum(
        given.number("target_mpa"),
        given.number("s_mpa"),
        given.numbers("strengths_mpa"),
        given.number("h_multiple"),
    )
    return {
        "k_mpa": shown(found.k_mpa),
        "h_mpa": shown(found.h_mpa),
        "high_mpa": [shown(value) for value in found.high_mpa],
        "low_mpa": [shown(value) for value in found.low_mpa],
        "signal": found.signal,
        "signal_at": found.signal_at,
    }


def _individuals(given: Given) -> Answer:
    found = individuals_chart(given.numbers("strengths_mpa"))
    return {
        "mean_mpa": shown(found.centre),
        "s_mpa": shown(found.sigma),
        "lower_limit_mpa": shown(found.lower),
        "upper_limit_mpa": shown(found.upper),
        "mean_range_mpa": shown(found.mean_range),
        "upper_range_mpa": shown(found.upper_range),
    }


def _western_electric(given: Given) -> Answer:
    values = given.numbers("strengths_mpa")
    signals = western_electric(values, given.number("centre_mpa"), given.number("sigma_mpa"))
    return {"signals": [{"rule": item.rule, "at": item.at, "side": item.side} for item in signals]}


C30_ACCEPTED = ["38.9", "40.3", "35.2", "38.4", "43.1", "38.2", "36.9", "39.3", "37.4", "36.6"]
C30_REJECTED = ["21.3", "20.5", "19.6", "21.2", "21.3", "20.5", "19.6", "21.2", "20.5", "18.0"]
FIFTEEN = ["36", "37", "38", "36", "37", "38", "36", "37", "38", "36", "37", "38", "36", "37", "38"]
GB50107 = date(2010, 12, 1)

RULES = (
    Rule(
        id="gbt50107-2010/lot",
        code="GB/T 50107",
        edition="2010",
        effective=GB50107,
        clause="5.1, 5.2",
        subject=N_("Acceptance"),
        title=N_("Acceptance of a lot"),
        formula=N_(
            "σ0 known, three sets: m ≥ fk + 0.7 σ0, min ≥ fk − 0.7 σ0. n ≥ 10: m ≥ fk + λ1 S, min ≥ λ2 fk. "
            "n < 10: m ≥ λ3 fk, min ≥ 0.95 fk."
        ),
        provenance=(
            (N_("three methods and their factors"), "S"),
            (N_("least σ0 of 2.5 MPa"), "R"),
            (N_("m taken to 0.1 MPa, S and σ0 to 0.01 MPa"), "R"),
        ),
        sources=("GB/T 50107-2010 5.1.2, 5.1.3, 5.2.2",),
        fields=(
            GRADE,
            STRENGTHS,
            Number(
                name="sigma0_mpa", text=N_("Known deviation σ0, MPa"), above=0, maximum=50, required=False
            ),
        ),
        compute=_gbt50107,
        numbers=(
            ("λ1, n 10–14 / 15–19 / ≥ 20", "1.15 / 1.05 / 0.95"),
            ("λ2, n 10–14 / ≥ 15", "0.90 / 0.85"),
            ("λ3, < C60 / ≥ C60", "1.15 / 1.10"),
            (N_("least S"), "2.5 MPa"),
        ),
        vectors=(
            Vector(
                {"grade_mpa": "30", "strengths_mpa": C30_ACCEPTED, "sigma0_mpa": None},
                {
                    "method": "statistical-unknown",
                    "mean_mpa": "38.43",
                    "s_mpa": "2.5",
                    "s_computed_mpa": "2.199",
                    "accepted": True,
                },
                "C",
            ),
            Vector(
                {"grade_mpa": "30", "strengths_mpa": C30_REJECTED},
                {"method": "statistical-unknown", "mean_mpa": "20.37", "s_mpa": "2.5", "accepted": False},
                "S",
            ),
            Vector(
                {"grade_mpa": "30", "strengths_mpa": ["33", "32", "31"], "sigma0_mpa": "2.8"},
                {"method": "statistical-known", "accepted": True},
                "C",
            ),
            Vector(
                {"grade_mpa": "30", "strengths_mpa": ["34.5", "34.5", "34.5"]},
                {"method": "non-statistical", "accepted": True},
                "C",
            ),
            Vector(
                {"grade_mpa": "60", "strengths_mpa": ["65.8", "66", "66"]},
                {"method": "non-statistical", "accepted": False},
                "C",
            ),
            Vector(  # 65.967 is taken as 66.0, which is 1.10 fk
                {"grade_mpa": "60", "strengths_mpa": ["65.9", "66", "66"]},
                {"method": "non-statistical", "mean_mpa": "65.967", "accepted": True},
                "C",
            ),
        ),
    ),
    Rule(
        id="gbt50107-2010/sigma0",
        code="GB/T 50107",
        edition="2010",
        effective=GB50107,
        clause="5.1.2",
        subject=N_("Acceptance"),
        title=N_("σ0 from the sets of 60 to 90 days"),
        formula="σ0 = √((Σf² − n m²)/(n − 1)), n ≥ 45, σ0 ≥ 2.5 MPa",
        provenance=(
            (N_("at least 45 sets"), "S"),
            (N_("least σ0 of 2.5 MPa"), "R"),
            (N_("σ0 taken to 0.01 MPa"), "R"),
        ),
        sources=("GB/T 50107-2010 5.1.2",),
        fields=(STRENGTHS,),
        compute=_sigma0,
        vectors=(
            Vector(
                {"strengths_mpa": ["30", "40", "35"] * 15},
                {"sigma0_mpa": "4.13", "computed_mpa": "4.129"},
                "C",
            ),
        ),
    ),
    Rule(
        id="aci318/acceptance",
        code="ACI 318",
        edition="19",
        clause="26.12.3.1",
        subject=N_("Acceptance"),
        title=N_("Acceptance of strength tests"),
        formula=N_(
            "Each mean of three consecutive tests ≥ f'c; no test < f'c − 3.45 MPa (f'c ≤ 35) or 0.90 f'c."
        ),
        provenance=((N_("both conditions"), "S"),),
        sources=("ACI 318-19 26.12.3.1",),
        fields=(FC, STRENGTHS),
        compute=_aci318,
        vectors=(
            Vector({"fc_mpa": "30", "strengths_mpa": ["33", "28", "30"]}, {"accepted": True}, "C"),
            Vector({"fc_mpa": "30", "strengths_mpa": ["36", "26.5", "33"]}, {"accepted": False}, "C"),
        ),
    ),
    Rule(
        id="aci318/required-average",
        code="ACI 318",
        edition="19",
        clause="26.4.3",
        subject=N_("Acceptance"),
        title=N_("Required average strength f'cr"),
        formula="f'cr = max(f'c + 1.34 k s, f'c + 2.33 k s − 3.45) | f'c > 35: max(f'c + 1.34 k s, 0.9 f'c + 2.33 k s)",
        provenance=((N_("formulas and k"), "S"),),
        sources=("ACI 318-19 / ACI 301 4.2.3.3",),
        fields=(
            FC,
            S,
            Count(name="n", text=N_("Tests that s comes from"), minimum=1, maximum=100000, required=False),
        ),
        compute=_required,
        numbers=(
            ("k, n = 15 / 20 / 25 / 30", "1.16 / 1.08 / 1.03 / 1.00"),
            (N_("without data: < 21 / 21–35 / > 35 MPa"), "+7.0 / +8.3 / 1.10 f'c + 5.0"),
        ),
        vectors=(
            Vector({"fc_mpa": "30", "s_mpa": "3.5", "n": 30}, {"fcr_mpa": "34.7"}, "S"),
            Vector({"fc_mpa": "20"}, {"fcr_mpa": "27.0"}, "S"),
            Vector({"fc_mpa": "30"}, {"fcr_mpa": "38.3"}, "S"),
            Vector({"fc_mpa": "40"}, {"fcr_mpa": "49.0"}, "S"),
            Vector(
                {"fc_mpa": "40", "s_mpa": "4", "n": 20}, {"fcr_mpa": "46.1", "sample_factor": "1.08"}, "C"
            ),
        ),
    ),
    Rule(
        id="aci214/standard-of-control",
        code="ACI 214R",
        edition="11",
        clause="4",
        subject=N_("Acceptance"),
        title=N_("Standard of control"),
        formula=N_(
            "By the overall standard deviation; above f'c 34.5 MPa by the coefficient of variation, s as % of the mean."
        ),
        provenance=((N_("limits"), "S"), (N_("limits above 34.5 MPa"), "R")),
        sources=("ACI 214R-11",),
        fields=(
            Number(name="s_mpa", text=N_("Standard deviation, MPa"), minimum=0, maximum=100),
            Number(
                name="fc_mpa", text=N_("Specified strength f'c, MPa"), above=0, maximum=200, required=False
            ),
            Number(
                name="mean_mpa",
                text=N_("Mean strength, MPa (above f'c 34.5)"),
                above=0,
                maximum=300,
                required=False,
            ),
        ),
        compute=_aci214,
        numbers=(
            (N_("excellent"), "< 2.8 MPa | < 7 %"),
            (N_("very good"), "2.8–3.4 MPa | 7–9 %"),
            (N_("good"), "3.4–4.1 MPa | 9–11 %"),
            (N_("fair"), "4.1–4.8 MPa | 11–14 %"),
            (N_("poor"), "> 4.8 MPa | > 14 %"),
        ),
        vectors=(
            *(
                Vector({"s_mpa": s}, {"standard_of_control": word}, "S")
                for s, word in (
                    ("2.7", "excellent"),
                    ("3.0", "very good"),
                    ("4.0", "good"),
                    ("4.5", "fair"),
                    ("5", "poor"),
                )
            ),
            Vector(
                {"s_mpa": "5", "fc_mpa": "50", "mean_mpa": "60"}, {"standard_of_control": "very good"}, "C"
            ),
        ),
    ),
    Rule(
        id="aci214/within-test",
        code="ACI 214R",
        edition="11",
        clause="3",
        subject=N_("Acceptance"),
        title=N_("Within-test standard deviation"),
        formula="s = R̄ / d2",
        provenance=((N_("d2"), "R"),),
        sources=("ACI 214R",),
        fields=(
            Many(
                name="ranges_mpa",
                text=N_("Ranges of the tests, MPa"),
                each=Number(name="range", minimum=0, maximum=200),
            ),
            Count(name="specimens_per_test", text=N_("Specimens of a test"), minimum=2, maximum=3),
        ),
        compute=_within,
        numbers=(("d2 (2)", "1.128"), ("d2 (3)", "1.693")),
        vectors=(
            Vector({"ranges_mpa": ["1.128", "1.128"], "specimens_per_test": 2}, {"s_mpa": "1"}, "C"),
            Vector({"ranges_mpa": ["1.693"], "specimens_per_test": 3}, {"s_mpa": "1"}, "C"),
        ),
    ),
    Rule(
        id="en206/initial",
        code="EN 206",
        edition="2013+A2:2021",
        clause="8.2.1.3",
        subject=N_("Acceptance"),
        title=N_("Initial production"),
        formula=N_("mean of 3 ≥ fck + 4, each ≥ fck − 4"),
        provenance=((N_("both conditions"), "S"),),
        sources=("EN 206 8.2.1.3",),
        fields=(FCK, STRENGTHS),
        compute=_initial,
        vectors=(
            Vector({"fck_mpa": "30", "strengths_mpa": ["34", "34", "34"]}, {"accepted": True}, "C"),
            Vector({"fck_mpa": "30", "strengths_mpa": ["25.9", "40", "40"]}, {"accepted": False}, "C"),
        ),
    ),
    Rule(
        id="en206/continuous",
        code="EN 206",
        edition="2013+A2:2021",
        clause="8.2.1.3",
        subject=N_("Acceptance"),
        title=N_("Continuous production"),
        formula=N_("mean of n ≥ 15 results ≥ fck + 1.48 s, s ≥ 3, each ≥ fck − 4"),
        provenance=((N_("mean, n and s"), "S"), (N_("each result"), "R")),
        sources=("EN 206 8.2.1.3",),
        fields=(
            FCK,
            STRENGTHS,
            S,
            Many(
                name="initial_strengths_mpa",
                text=N_("Earlier results that s comes from, MPa"),
                each=EACH,
                required=False,
            ),
        ),
        compute=_continuous,
        vectors=(
            Vector(
                {"fck_mpa": "30", "strengths_mpa": FIFTEEN, "s_mpa": "4"},
                {"accepted": True, "s_mpa": "4", "mean_mpa": "37"},
                "C",
            ),
            Vector(
                {"fck_mpa": "30", "strengths_mpa": FIFTEEN, "s_mpa": "5"},
                {"accepted": False, "s_mpa": "5"},
                "C",
            ),
            Vector({"fck_mpa": "30", "strengths_mpa": FIFTEEN, "s_mpa": "1"}, {"s_mpa": "3"}, "C"),
        ),
    ),
    Rule(
        id="control/cusum",
        code=N_("Cumulative sums"),
        edition="1",
        subject=N_("Acceptance"),
        title=N_("Cumulative sums of strengths against their target"),
        formula="C⁺ = max(0, C⁺ + x − T − k), C⁻ = max(0, C⁻ + T − x − k); k = 0.5 s; h = 4 s | 5 s",
        provenance=((N_("k and h with their run lengths"), "S"),),
        sources=("ISO 7870-4",),
        fields=(
            Number(name="target_mpa", text=N_("Target mean, MPa"), above=0, maximum=300),
            # Of results up to 300 MPa, whatever was typed: the charts ask this rule.
            Number(name="s_mpa", text=N_("Standard deviation, MPa"), above=0, maximum=300),
            STRENGTHS,
            Number(
                name="h_multiple",
                text=N_("Decision interval, multiples of s"),
                options=(Decimal(4), Decimal(5)),
                default="5",
            ),
        ),
        compute=_cusum,
        configurable=("h_multiple",),
        numbers=(("h = 4 s", "ARL0 ≈ 168"), ("h = 5 s", "ARL0 ≈ 465")),
        vectors=(
            Vector(
                {"target_mpa": "30", "s_mpa": "2", "strengths_mpa": ["26", "26", "26"], "h_multiple": "4"},
                {"k_mpa": "1", "h_mpa": "8", "low_mpa": ["3", "6", "9"], "signal": "low", "signal_at": 3},
                "C",
            ),
        ),
    ),
    Rule(
        id="control/individuals",
        code="Shewhart",
        edition="1",
        subject=N_("Acceptance"),
        title=N_("Control chart of single values with moving range"),
        formula="CL = x̄, σ = R̄ / 1.128, x̄ ± 3 σ; UCL(R) = 3.267 R̄",
        provenance=((N_("three deviations, from the mean moving range"), "S"), (N_("d2 and D4"), "R")),
        sources=("ISO 7870-2",),
        fields=(
            Many(name="strengths_mpa", text=N_("Strengths, MPa, in order"), each=EACH, least=LEAST_VALUES),
        ),
        compute=_individuals,
        numbers=(("d2", "1.128"), ("D4", "3.267")),
        vectors=(
            Vector(
                {"strengths_mpa": ["30", "31.128", "30"]},
                {"s_mpa": "1", "mean_range_mpa": "1.128", "upper_range_mpa": "3.685"},
                "C",
            ),
        ),
    ),
    Rule(
        id="control/western-electric",
        code="Western Electric",
        edition="1956",
        subject=N_("Acceptance"),
        title=N_("Signals of a control chart"),
        formula="1: x > 3 σ; 2: 2/3 > 2 σ; 3: 4/5 > 1 σ; 4: 8/8 > CL",
        provenance=((N_("the four rules"), "R"),),
        sources=("Western Electric, Statistical Quality Control Handbook",),
        fields=(
            STRENGTHS,
            Number(name="centre_mpa", text=N_("Centre, MPa"), above=0, maximum=300),
            Number(name="sigma_mpa", text=N_("Standard deviation, MPa"), minimum=0, maximum=100),
        ),
        compute=_western_electric,
        vectors=(
            Vector(
                {"strengths_mpa": ["30", "33.1"], "centre_mpa": "30", "sigma_mpa": "1"},
                {"signals": [{"rule": 1, "at": 2, "side": "high"}]},
                "C",
            ),
            Vector(
                {"strengths_mpa": ["27.9", "30", "27.9"], "centre_mpa": "30", "sigma_mpa": "1"},
                {"signals": [{"rule": 2, "at": 3, "side": "low"}]},
                "C",
            ),
        ),
    ),
)
