"""Hardened concrete: specimens, sets, age, loading rate, curing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from lims.standards.checks import all_passed
from lims.standards.errors import RuleInputError
from lims.standards.grades import require_grade
from lims.standards.inputs import Choice, Count, Given, Instant, Many, Number
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import round_half_even, shown
from lims.standards.specimens import (
    AGE_TOLERANCE_HOURS,
    CUBE_SIZE_FACTORS,
    CYLINDER_SIZE_FACTORS,
    GB_LONG_AGE_DAYS,
    GB_LONG_AGE_HOURS,
    SAMPLE_RULES,
    age_tolerance,
    compressive_strength,
    cube_set,
    cylinder_length_factor,
    cylinder_set,
    loading_rate_limits,
    mean_of_cylinders,
    mean_of_sample,
    set_of_three,
    size_factor,
    standard_curing,
)
from lims.standards.words import N_

TENTH = Decimal("0.1")
GRADE = Number(name="grade_mpa", text=N_("Strength grade, MPa (30 for C30)"), required=False, above=0)
LOADS = Many(
    name="loads_kn",
    text=N_("Maximum loads, kN"),
    each=Number(name="load", above=0, maximum=20000),
    least=3,
    most=3,
)
STRENGTHS = Many(
    name="strengths_mpa", text=N_("Strengths, MPa"), each=Number(name="strength", above=0), least=3, most=3
)
CODES = ("gbt50081-2019", "astm-c39", "en12390-3")
AGE_CODES = tuple(AGE_TOLERANCE_HOURS)


def _grade(given: Given) -> Decimal | None:
    grade = given.number_or_none("grade_mpa")
    return None if grade is None else require_grade(grade)


#: Shapes whose area is width times depth.
SQUARE = frozenset({"cube", "core-cube"})


def _specimen(given: Given) -> Answer:
    shape = given.word("shape")
    depth = given.number_or_none("depth_mm")
    if depth is not None and shape not in SQUARE:  # a core's length, most likely: it would change nothing
        raise RuleInputError(
            "depth_mm",
            depth,
            N_(
                "nothing: the area of this shape follows from its width; a short core's length has a rule of its own"
            ),
        )
    strength = compressive_strength(given.number("load_kn"), shape, given.number("width_mm"), depth)
    factor = size_factor(
        shape, given.number("width_mm"), _grade(given), stated=given.number_or_none("size_factor")
    )
    return {
        "strength_mpa": round_half_even(strength * factor, TENTH),
        "size_factor": factor,
        "measured_mpa": shown(strength, 2),
    }


def _cube_set(given: Given) -> Answer:
    verdict = cube_set(
        given.number("edge_mm"), given.numbers("loads_kn"), _grade(given), given.number_or_none("size_factor")
    )
    return _verdict(verdict)


def _verdict(verdict: object) -> Answer:
    from lims.standards.specimens import SetVerdict

    assert isinstance(verdict, SetVerdict)
    answer: Answer = {
        "strength_mpa": verdict.strength_mpa,
        "basis": verdict.basis,
        "specimen_strengths_mpa": [shown(value, 2) for value in verdict.specimen_strengths_mpa],
    }
    if verdict.low_deviation is not None and verdict.high_deviation is not None:
        answer["low_deviation_percent"] = shown(100 * verdict.low_deviation, 2)
        answer["high_deviation_percent"] = shown(100 * verdict.high_deviation, 2)
    return answer


def _set_of_three(given: Given) -> Answer:
    return _verdict(set_of_three(given.numbers("strengths_mpa")))


def _cylinder_set(given: Given) -> Answer:
    return _verdict(cylinder_set(given.number("diameter_mm"), given.numbers("loads_kn")))


def _cylinders(given: Given) -> Answer:
    return _verdict(mean_of_cylinders(given.numbers("strengths_mpa"), given.number("diameter_mm")))


def _length(given: Given) -> Answer:
    return {
        "factor": shown(cylinder_length_factor(given.number("diameter_mm"), given.number("length_mm")), 4)
    }


def _age(given: Given) -> Answer:
    verdict = age_tolerance(
        given.word("code"), given.count("age_days"), given.instant("cast_at"), given.instant("tested_at")
    )
    hours = shown(verdict.age_hours, 4)
    return {
        "age_hours": hours,
        "within": verdict.within,
        "tolerance_hours": verdict.tolerance_hours,
        "due_from": verdict.due_from,
        "due_at": verdict.due_at,
        "due_until": verdict.due_until,
    }


def _rate(given: Given) -> Answer:
    low, high = loading_rate_limits(given.word("code"), _grade(given))
    rate = given.number_or_none("rate_mpa_s")
    return {"low_mpa_s": low, "high_mpa_s": high, "within": None if rate is None else low <= rate <= high}


def _curing(given: Given) -> Answer:
    checks = standard_curing(given.number("temperature_c"), given.number("relative_humidity_percent"))
    return {"standard": all_passed(checks), "checks": checks}


def _sample_rule(shape: str, title: str, width: Number, *cases: tuple[list[str], str | None, str]) -> Rule:
    """EN 206 on the specimens of one sample, of one shape. `cases`: loads of 150 mm, strength, basis."""

    def compute(given: Given) -> Answer:
        return _verdict(mean_of_sample(shape, given.number(width.name), given.numbers("loads_kn")))

    return Rule(
        id=SAMPLE_RULES[shape],
        code="EN 206",
        edition="2013+A2:2021",
        clause="8.2.1.2",
        subject=N_("Specimens"),
        title=title,
        formula=N_("The mean of the specimens of one sample; a range of more than 15 % of it: disregarded."),
        provenance=((N_("mean and range"), "R"), (N_("no factor between sizes"), "R")),
        sources=("EN 206", "EN 12390-3"),
        fields=(width, replace(LOADS, least=1, most=10)),
        compute=compute,
        judges="loads",
        numbers=((N_("largest range, of the mean"), "15 %"),),
        vectors=tuple(
            Vector({width.name: "150", "loads_kn": loads}, {"strength_mpa": strength, "basis": basis}, "C")
            for loads, strength, basis in cases
        ),
    )


RULES = (
    Rule(
        id="gbt50081-2019/specimen",
        code="GB/T 50081",
        edition="2019",
        effective=date(2019, 12, 1),
        clause="5.0.5",
        subject=N_("Specimens"),
        title=N_("Compressive strength of one specimen"),
        formula="f = 1000 F / A · k",
        provenance=(
            (N_("strength and factors below C60"), "S"),
            (N_("C60 and above need a factor found by test"), "R"),
            (N_("0.95 may be stated for 100 mm from C60 to C100 where no test was made"), "R"),
        ),
        sources=("GB/T 50081-2019 5.0.5, 5.0.6",),
        fields=(
            Number(name="load_kn", text=N_("Maximum load, kN"), above=0, maximum=20000),
            Choice(
                name="shape",
                text=N_("Shape"),
                options=("cube", "cylinder", "prism-half", "core", "core-cube"),
            ),
            Number(name="width_mm", text=N_("Edge or diameter, mm"), above=0, maximum=1000),
            Number(name="depth_mm", text=N_("Depth, mm"), above=0, maximum=1000, required=False),
            GRADE,
            Number(
                name="size_factor", text=N_("Size factor found by test"), above=0, maximum=2, required=False
            ),
        ),
        compute=_specimen,
        numbers=tuple((f"{edge:f} mm", f"{factor:f}") for edge, factor in CUBE_SIZE_FACTORS.items()),
        vectors=(
            Vector(
                {"load_kn": "424", "shape": "cube", "width_mm": "150", "grade_mpa": "30"},
                {"strength_mpa": "18.8", "size_factor": "1.00"},
                "C",
            ),
            Vector(  # cut from sprayed concrete
                {"load_kn": "300", "shape": "core-cube", "width_mm": "100"},
                {"strength_mpa": "28.5", "size_factor": "0.95"},
                "S",
            ),
        ),
    ),
    Rule(
        id="gbt50081-2019/cube-set",
        code="GB/T 50081",
        edition="2019",
        effective=date(2019, 12, 1),
        clause="5.0.5",
        subject=N_("Specimens"),
        title=N_("Strength of a set of three cubes"),
        formula=N_("Sorted a ≤ m ≤ b. Both within 15 % of m: the mean. One beyond: m. Both beyond: invalid."),
        provenance=(
            (N_("15 % rule and size factors"), "S"),
            (N_("C60 and above need a factor found by test"), "R"),
            (N_("0.95 may be stated for 100 mm from C60 to C100 where no test was made"), "R"),
        ),
        sources=("GB/T 50081-2019 5.0.5, 5.0.6",),
        fields=(
            Number(name="edge_mm", text=N_("Edge of the cube, mm"), above=0, maximum=1000),
            LOADS,
            GRADE,
            Number(
                name="size_factor", text=N_("Size factor found by test"), above=0, maximum=2, required=False
            ),
        ),
        compute=_cube_set,
        judges="loads",
        numbers=(
            (N_("largest deviation from the middle value"), "15 %"),
            ("100 mm", "0.95"),
            ("200 mm", "1.05"),
        ),
        vectors=tuple(
            Vector(
                {"edge_mm": edge, "loads_kn": loads, "grade_mpa": grade, "size_factor": stated},
                {"strength_mpa": strength, "basis": basis},
                origin,
            )
            for edge, loads, grade, stated, strength, basis, origin in (
                ("150", ["424", "401", "396"], "40", None, "18.1", "mean", "S"),
                ("150", ["542", "555", "537"], "40", None, "24.2", "mean", "S"),
                ("100", ["335", "352", "318"], "40", None, "31.8", "mean", "S"),
                ("100", ["431", "420", "413"], "40", None, "40.0", "mean", "S"),
                ("100", ["400", "450", "470"], "40", None, "41.8", "mean", "S"),
                ("100", ["420", "450", "550"], "40", None, "42.8", "middle", "C"),
                ("150", ["850", "1000", "1150"], "40", None, "44.4", "mean", "C"),
                ("150", ["849", "1000", "1151"], "40", None, None, "invalid", "C"),
                ("100", ["800", "810", "820"], "70", "0.95", "77.0", "mean", "C"),
            )
        ),
    ),
    Rule(
        id="gbt50081-2019/set-of-three",
        code="GB/T 50081",
        edition="2019",
        effective=date(2019, 12, 1),
        clause="5.0.5",
        subject=N_("Specimens"),
        title=N_("Strength of a set from three strengths"),
        formula=N_("Sorted a ≤ m ≤ b. Both within 15 % of m: the mean. One beyond: m. Both beyond: invalid."),
        provenance=((N_("15 % rule"), "S"),),
        sources=("GB/T 50081-2019 5.0.5",),
        fields=(STRENGTHS,),
        compute=_set_of_three,
        judges="strengths",
        numbers=((N_("largest deviation from the middle value"), "15 %"),),
        vectors=(
            Vector(
                {"strengths_mpa": ["25.5", "30.0", "34.5"]}, {"strength_mpa": "30.0", "basis": "mean"}, "C"
            ),
            Vector(
                {"strengths_mpa": ["25.4", "30.0", "34.5"]}, {"strength_mpa": "30.0", "basis": "middle"}, "C"
            ),
        ),
    ),
    Rule(
        id="gbt50081-2019/cylinder-set",
        code="GB/T 50081",
        edition="2019",
        effective=date(2019, 12, 1),
        subject=N_("Specimens"),
        title=N_("Strength of a set of three cylinders"),
        formula=N_("Sorted a ≤ m ≤ b. Both within 15 % of m: the mean. One beyond: m. Both beyond: invalid."),
        provenance=((N_("cylinders are judged as cubes are, and their size factors"), "R"),),
        sources=("GB/T 50081-2019",),
        fields=(
            Number(
                name="diameter_mm",
                text=N_("Diameter, mm"),
                options=tuple(CYLINDER_SIZE_FACTORS),
                default="150",
            ),
            LOADS,
        ),
        compute=_cylinder_set,
        judges="loads",
        numbers=(
            (N_("largest deviation from the middle value"), "15 %"),
            *((f"{diameter:f} mm", f"{factor:f}") for diameter, factor in CYLINDER_SIZE_FACTORS.items()),
        ),
        vectors=tuple(
            Vector(
                {"diameter_mm": diameter, "loads_kn": loads}, {"strength_mpa": strength, "basis": basis}, "C"
            )
            for diameter, loads, strength, basis in (
                ("150", ["520", "530", "540"], "30.0", "mean"),
                ("100", ["230", "236", "242"], "28.5", "mean"),
                ("150", ["530", "540", "640"], "30.6", "middle"),
                ("200", ["700", "1000", "1300"], None, "invalid"),
            )
        ),
    ),
    Rule(
        id="aci318/strength-test",
        code="ACI 318",
        edition="19",
        clause="26.12.1.1",
        subject=N_("Specimens"),
        title=N_("Strength test: the mean of cylinders of one sample at one age"),
        formula=N_("At least two 150 × 300 mm or three 100 × 200 mm cylinders; their mean."),
        provenance=((N_("rule"), "S"),),
        sources=("ACI 318", "ASTM C39"),
        fields=(
            Many(
                name="strengths_mpa",
                text=N_("Strengths, MPa"),
                each=Number(name="strength", above=0),
                least=2,
                most=10,
            ),
            Number(name="diameter_mm", text=N_("Diameter, mm"), above=0, maximum=500),
        ),
        compute=_cylinders,
        judges="strengths",
        vectors=(
            Vector(
                {"strengths_mpa": ["30.1", "31.1"], "diameter_mm": "150"},
                {"strength_mpa": "30.6", "basis": "mean"},
                "C",
            ),
        ),
    ),
    _sample_rule(
        "cube",
        N_("Test result: cubes of one sample"),
        Number(name="edge_mm", text=N_("Edge of the cube, mm"), above=0, maximum=1000),
        (["900", "920", "940"], "40.9", "mean"),
        (["925", "1000", "1075"], "44.4", "mean"),  # exactly 15 %
        (["924", "1000", "1075"], None, "spread"),
        (["850"], "37.8", "mean"),
    ),
    _sample_rule(
        "cylinder",
        N_("Test result: cylinders of one sample"),
        Number(name="diameter_mm", text=N_("Diameter, mm"), above=0, maximum=500),
        (["520", "530"], "29.7", "mean"),
        (["520", "610"], None, "spread"),
    ),
    Rule(
        id="astm-c39/length-factor",
        code="ASTM C39",
        edition="21",
        clause="9",
        subject=N_("Specimens"),
        title=N_("Correction of short cylinders"),
        formula=N_("By L/D, linear between; none from 1.8 on."),
        provenance=((N_("factors"), "R"),),
        sources=("ASTM C39",),
        fields=(
            Number(name="diameter_mm", text=N_("Diameter, mm"), above=0, maximum=500),
            Number(name="length_mm", text=N_("Length, mm"), above=0, maximum=1000),
        ),
        compute=_length,
        numbers=(("L/D 1.75", "0.98"), ("L/D 1.50", "0.96"), ("L/D 1.25", "0.93"), ("L/D 1.00", "0.87")),
        vectors=(
            Vector({"diameter_mm": "100", "length_mm": "150"}, {"factor": "0.96"}, "C"),
            Vector({"diameter_mm": "100", "length_mm": "112.5"}, {"factor": "0.9"}, "C"),
            Vector({"diameter_mm": "100", "length_mm": "180"}, {"factor": "1"}, "C"),
        ),
    ),
    Rule(
        id="age/tolerance",
        code="GB/T 50081, ASTM C39",
        edition="2019, 21",
        clause="4.4",
        subject=N_("Specimens"),
        title=N_("Age at test and its tolerance, in hours"),
        formula=N_("Elapsed time in UTC from casting to breaking against the nominal age."),
        provenance=((N_("GB/T 50081"), "R"), (N_("ASTM C39, 1 to 28 d"), "S"), (N_("ASTM C39, 90 d"), "R")),
        sources=("GB/T 50081-2019", "ASTM C39"),
        fields=(
            Choice(name="code", text=N_("Testing code"), options=AGE_CODES),
            Count(name="age_days", text=N_("Nominal age, d"), minimum=1, maximum=3650),
            Instant(name="cast_at", text=N_("Cast at, with zone")),
            Instant(name="tested_at", text=N_("Tested at, with zone")),
        ),
        compute=_age,
        numbers=(
            *(
                (f"{code} {age} d", f"±{hours:f} h")
                for code, ages in AGE_TOLERANCE_HOURS.items()
                for age, hours in ages.items()
            ),
            (f"gbt50081-2019 ≥ {GB_LONG_AGE_DAYS} d", f"±{GB_LONG_AGE_HOURS:f} h"),
        ),
        vectors=(
            Vector(
                {
                    "code": "gbt50081-2019",
                    "age_days": 3,
                    "cast_at": "2026-03-28T10:00:00+01:00",
                    "tested_at": "2026-03-31T11:30:00+02:00",
                },
                {"age_hours": "72.5", "within": True, "tolerance_hours": "2"},
                "C",
            ),
            Vector(
                {
                    "code": "gbt50081-2019",
                    "age_days": 3,
                    "cast_at": "2026-03-28T10:00:00+08:00",
                    "tested_at": "2026-03-31T12:00:01+08:00",
                },
                {"within": False},
                "C",
            ),
        ),
    ),
    Rule(
        id="loading/rate",
        code="GB/T 50081, ASTM C39, EN 12390-3",
        edition="2019, 21, 2019",
        clause="5.0.4",
        subject=N_("Specimens"),
        title=N_("Loading rate"),
        formula=N_("A rate outside the limits is a flag on the break, not a refusal."),
        provenance=((N_("GB/T 50081"), "S"), (N_("EN 12390-3"), "S"), (N_("ASTM C39"), "R")),
        sources=("GB/T 50081-2019 5.0.4", "ASTM C39", "EN 12390-3"),
        fields=(
            Choice(name="code", text=N_("Testing code"), options=CODES),
            GRADE,
            Number(name="rate_mpa_s", text=N_("Rate measured, MPa/s"), above=0, maximum=100, required=False),
        ),
        compute=_rate,
        numbers=(
            ("< C30", "0.3–0.5 MPa/s"),
            ("C30 – < C60", "0.5–0.8 MPa/s"),
            ("≥ C60", "0.8–1.0 MPa/s"),
            ("ASTM C39", "0.25 ± 0.05 MPa/s"),
            ("EN 12390-3", "0.6 ± 0.2 MPa/s"),
        ),
        vectors=(
            Vector(
                {"code": "gbt50081-2019", "grade_mpa": "30", "rate_mpa_s": "0.5"},
                {"low_mpa_s": "0.5", "high_mpa_s": "0.8", "within": True},
                "S",
            ),
            Vector(
                {"code": "gbt50081-2019", "grade_mpa": "25", "rate_mpa_s": "0.51"}, {"within": False}, "S"
            ),
            Vector(
                {"code": "gbt50081-2019", "grade_mpa": "60"}, {"low_mpa_s": "0.8", "high_mpa_s": "1.0"}, "S"
            ),
        ),
    ),
    Rule(
        id="gbt50081-2019/curing",
        code="GB/T 50081",
        edition="2019",
        effective=date(2019, 12, 1),
        clause="4.4",
        subject=N_("Specimens"),
        title=N_("Standard curing"),
        formula="20 ± 2 °C, RH ≥ 95 %",
        provenance=((N_("limits"), "S"),),
        sources=("GB/T 50081-2019",),
        fields=(
            Number(name="temperature_c", text=N_("Temperature, °C"), minimum=-50, maximum=100),
            Number(name="relative_humidity_percent", text=N_("Relative humidity, %"), minimum=0, maximum=100),
        ),
        compute=_curing,
        numbers=((N_("temperature"), "18–22 °C"), (N_("relative humidity"), "≥ 95 %")),
        vectors=(
            Vector({"temperature_c": "22", "relative_humidity_percent": "95"}, {"standard": True}, "C"),
            Vector({"temperature_c": "22.1", "relative_humidity_percent": "97"}, {"standard": False}, "C"),
        ),
    ),
)
