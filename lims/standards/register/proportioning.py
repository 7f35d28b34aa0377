"""Mix proportions."""

from __future__ import annotations

from dataclasses import fields as fields_of
from datetime import date
from decimal import Decimal

from lims.standards.checks import all_passed
from lims.standards.errors import RuleInputError
from lims.standards.grades import require_grade
from lims.standards.inputs import Choice, Count, Given, Number, Record
from lims.standards.proportioning import (
    ADMIXTURE_LIMITS_PERCENT,
    BOLOMEY,
    CEMENT_KINDS,
    CEMENT_SURPLUS,
    HIGH_STRENGTH,
    STRUCTURES,
    Proportioning,
    proportion,
    target_strength,
)
from lims.standards.register.rule import Answer, Rule, Vector
from lims.standards.rounding import round_half_even, shown
from lims.standards.words import N_

JGJ55 = date(2011, 12, 1)
GRADE = Number(name="grade_mpa", text=N_("Strength grade, MPa (30 for C30)"), above=0)
DEVIATION = Number(
    name="deviation_mpa",
    text=N_("Standard deviation of the site, MPa"),
    above=0,
    maximum=50,
    required=False,
    aliases=("s_mpa", "sigma_mpa"),
)
DEVIATION_SETS = Count(
    name="deviation_sets", text=N_("Sets that it comes from"), minimum=1, maximum=100000, required=False
)
DENSITIES = ("cement", "fly_ash", "slag", "sand", "stone")


def _optional(name: str, text: str, **bounds: object) -> Number:
    return Number(name=name, text=text, required=False, **bounds)  # type: ignore[arg-type]


def _target(given: Given) -> Answer:
    target, s = target_strength(
        require_grade(given.number("grade_mpa")),
        given.number_or_none("deviation_mpa"),
        given.count_or_none("deviation_sets"),
    )
    return {"target_mpa": shown(target), "deviation_mpa": s}


def _proportion(given: Given) -> Answer:
    values = {item.name: given.get(item.name) for item in fields_of(Proportioning) if given.has(item.name)}
    densities = given.get("densities_kg_m3")
    if isinstance(densities, Given):
        values["densities_kg_m3"] = {
            name: densities.number(name) for name in DENSITIES if densities.has(name)
        }
    require_grade(given.number("grade_mpa"))
    found = proportion(Proportioning(**values))  # type: ignore[arg-type]
    return {
        "target_mpa": shown(found.target_mpa),
        "water_binder_ratio": found.water_binder_ratio,
        "water_kg_m3": found.water_kg_m3,
        "binder_kg_m3": found.binder_kg_m3,
        "cement_kg_m3": found.cement_kg_m3,
        "fly_ash_kg_m3": found.fly_ash_kg_m3,
        "slag_kg_m3": found.slag_kg_m3,
        "scm_kg_m3": found.fly_ash_kg_m3 + found.slag_kg_m3,
        "sand_ratio_percent": found.sand_ratio_percent,
        "sand_kg_m3": found.sand_kg_m3,
        "stone_kg_m3": found.stone_kg_m3,
        "density_kg_m3": found.density_kg_m3,
        "within_limits": all_passed(found.checks),
        "steps": found.steps,
        "checks": found.checks,
        "batch_kg_m3": found.batch_kg_m3,
    }


def _moisture(given: Given) -> Answer:
    free = given.number("aggregate_kg_m3") * given.number("free_water_percent") / 100
    tenth = Decimal("0.1")
    left = given.number("water_kg_m3") - free
    if left < 0:
        raise RuleInputError(
            "free_water_percent",
            given.number("free_water_percent"),
            N_("aggregates that bring less water than the mix needs"),
        )
    return {
        "aggregate_kg_m3": round_half_even(given.number("aggregate_kg_m3") + free, tenth),
        "water_kg_m3": round_half_even(left, tenth),
    }


WORKED = {
    "grade_mpa": "30",
    "aggregate": "crushed",
    "max_size_mm": "31.5",
    "slump_mm": "200",
    "cement_class": "42.5",
    "fly_ash_percent": "10",
    "fly_ash_factor": "0.95",
    "water_reduction_percent": "25",
    "water_binder_ratio": "0.40",
    "sand_ratio_percent": "43",
    "method": "mass",
    "density_kg_m3": "2400",
}

HIGH = {
    "grade_mpa": "60",
    "aggregate": "crushed",
    "max_size_mm": "20",
    "slump_mm": "200",
    "cement_class": "52.5",
    "fly_ash_percent": "10",
    "slag_percent": "20",
    "water_reduction_percent": "33",
    "water_binder_ratio": "0.32",
    "method": "mass",
    "density_kg_m3": "2450",
}

RULES = (
    Rule(
        id="jgj55-2011/target",
        code="JGJ 55",
        edition="2011",
        effective=JGJ55,
        clause="4.0.1",
        subject=N_("Mix proportions"),
        title=N_("Target strength of a mix"),
        formula="fcu,0 = fk + 1.645 σ | ≥ C60: 1.15 fk",
        provenance=((N_("formula, σ without history"), "S"), (N_("least σ with history"), "R")),
        sources=("JGJ 55-2011 4.0.1, 4.0.2",),
        fields=(GRADE, DEVIATION, DEVIATION_SETS),
        compute=_target,
        numbers=(
            (N_("σ without history: ≤ C20 / C25–C45 / C50–C55"), "4.0 / 5.0 / 6.0 MPa"),
            (N_("least σ: ≤ C30 / above"), "3.0 / 4.0 MPa"),
        ),
        vectors=(
            Vector({"grade_mpa": "30"}, {"target_mpa": "38.225"}, "C"),
            Vector({"grade_mpa": "60"}, {"target_mpa": "69"}, "C"),
            Vector(
                {"grade_mpa": "30", "deviation_mpa": "2.1", "deviation_sets": 30},
                {"target_mpa": "34.935", "deviation_mpa": "3.0"},
                "C",
            ),
        ),
    ),
    Rule(
        id="jgj55-2011/proportion",
        code="JGJ 55",
        edition="2011",
        effective=JGJ55,
        clause="3–5",
        subject=N_("Mix proportions"),
        title=N_("Mix proportions"),
        formula="W/B = αa fb / (fcu,0 + αa αb fb); fb = γf γs γc fce,g",
        provenance=(
            (N_("formulas, αa and αb, water, least binder, W/B 0.40 of the sand ratio"), "S"),
            (N_("rest of the sand ratio, γc of 32.5 and 52.5, densities, air, least σ"), "R"),
            (
                N_(
                    "W/B, binder and sand ratio from C60 on, most fly ash and slag, C15 without a least binder"
                ),
                "R",
            ),
        ),
        sources=("JGJ 55-2011",),
        fields=(
            GRADE,
            Choice(name="aggregate", text=N_("Coarse aggregate"), options=tuple(BOLOMEY)),
            Number(name="max_size_mm", text=N_("Largest size, mm"), above=0, maximum=100),
            Number(name="slump_mm", text=N_("Slump, mm"), minimum=10, maximum=260),
            Choice(
                name="cement_class", text=N_("Strength class of the cement"), options=tuple(CEMENT_SURPLUS)
            ),
            Choice(
                name="cement_kind", text=N_("Kind of cement"), options=CEMENT_KINDS, default=CEMENT_KINDS[0]
            ),
            Choice(name="structure", text=N_("Structure"), options=STRUCTURES, default="reinforced"),
            DEVIATION,
            DEVIATION_SETS,
            _optional("cement_strength_mpa", N_("Cement strength measured, MPa"), above=0, maximum=120),
            Number(
                name="fly_ash_percent", text=N_("Fly ash, % of binder"), minimum=0, maximum=40, default="0"
            ),
            Number(name="slag_percent", text=N_("Slag, % of binder"), minimum=0, maximum=50, default="0"),
            _optional("fly_ash_factor", N_("Factor γf of the fly ash"), above=0, maximum=1),
            _optional("slag_factor", N_("Factor γs of the slag"), above=0, maximum=Decimal("1.05")),
            Number(
                name="water_reduction_percent",
                text=N_("Water reduction by the admixture, %"),
                minimum=0,
                maximum=45,
                default="0",
            ),
            _optional(
                "water_binder_ratio",
                N_("Water/binder chosen"),
                minimum=Decimal("0.2"),
                maximum=Decimal("0.8"),
            ),
            _optional("sand_ratio_percent", N_("Sand ratio chosen, %"), minimum=20, maximum=60),
            Choice(name="method", text=N_("Method"), options=("mass", "volume"), default="mass"),
            Number(
                name="density_kg_m3",
                text=N_("Assumed density, kg/m³"),
                minimum=2000,
                maximum=2800,
                default="2400",
            ),
            Record(
                name="densities_kg_m3",
                text=N_("Densities for the volume method, kg/m³"),
                required=False,
                fields=tuple(_optional(name, name, minimum=500, maximum=6000) for name in DENSITIES),
            ),
            Number(name="air_percent", text=N_("Air, %"), minimum=0, maximum=15, default="1"),
            _optional("sand_moisture_percent", N_("Free water of the sand, %"), minimum=0, maximum=20),
            _optional("stone_moisture_percent", N_("Free water of the stone, %"), minimum=0, maximum=20),
        ),
        compute=_proportion,
        configurable=("density_kg_m3", "structure"),
        numbers=(
            (N_("αa, αb: crushed / gravel"), "0.53, 0.20 / 0.49, 0.13"),
            ("γc: 32.5 / 42.5 / 52.5", "1.12 / 1.16 / 1.10"),
            (
                N_("least binder at W/B 0.60 / 0.55 / 0.50 / ≤ 0.45, reinforced"),
                "280 / 300 / 320 / 330 kg/m³",
            ),
            *(
                (
                    name,
                    ", ".join(f"{a}–{b}" for a, b in (row.ratio, row.binder_kg_m3, row.sand_ratio_percent)),
                )
                for name, row in zip(
                    (
                        N_("W/B, binder in kg/m³, sand ratio in %: C60 to below C80"),
                        N_("W/B, binder in kg/m³, sand ratio in %: C80 to below C100"),
                        N_("W/B, binder in kg/m³, sand ratio in %: C100"),
                    ),
                    reversed(HIGH_STRENGTH),
                    strict=True,
                )
            ),
            *(
                (name, f"{kind}: {low[kind]} / {above[kind]} %")
                for name, (low, above) in zip(
                    (
                        N_("most fly ash at W/B ≤ 0.40 / above, reinforced"),
                        N_("most slag at W/B ≤ 0.40 / above, reinforced"),
                        N_("most fly ash and slag together at W/B ≤ 0.40 / above, reinforced"),
                        N_("most fly ash at W/B ≤ 0.40 / above, prestressed"),
                        N_("most slag at W/B ≤ 0.40 / above, prestressed"),
                        N_("most fly ash and slag together at W/B ≤ 0.40 / above, prestressed"),
                    ),
                    (row for limits in ADMIXTURE_LIMITS_PERCENT.values() for row in limits.values()),
                    strict=True,
                )
                for kind in CEMENT_KINDS
            ),
        ),
        vectors=(
            Vector(
                WORKED,
                {
                    "target_mpa": "38.225",
                    "water_kg_m3": "175",
                    "binder_kg_m3": "438",
                    "cement_kg_m3": "394",
                    "fly_ash_kg_m3": "44",
                    "sand_kg_m3": "768",
                    "stone_kg_m3": "1019",
                },
                "S",
            ),
            Vector(
                {name: value for name, value in WORKED.items() if name != "water_binder_ratio"},
                {"water_binder_ratio": "0.57"},
                "S",
            ),
            Vector(
                HIGH,
                {
                    "target_mpa": "69",
                    "water_binder_ratio": "0.32",
                    "water_kg_m3": "163",
                    "binder_kg_m3": "509",
                    "sand_ratio_percent": "38.5",
                    "within_limits": True,
                },
                "C",
            ),
            Vector(  # 232 kg/m³ are raised to 280, so that the ratio is no longer 0.60
                {**WORKED, "grade_mpa": "20", "slump_mm": "50", "water_binder_ratio": "0.60"},
                {"binder_kg_m3": "280", "water_kg_m3": "139", "water_binder_ratio": "0.496"},
                "C",
            ),
            Vector(
                {**WORKED, "sand_moisture_percent": "5", "stone_moisture_percent": "1"},
                {
                    "batch_kg_m3": {
                        "water": "127",
                        "cement": "394",
                        "fly_ash": "44",
                        "slag": "0",
                        "sand": "806",
                        "stone": "1029",
                    }
                },
                "C",
            ),
        ),
    ),
    Rule(
        id="mix/moisture",
        code=N_("Batching practice"),
        edition="1",
        subject=N_("Mix proportions"),
        title=N_("Moisture correction of a batch weight"),
        formula=N_("Wet weight = dry weight + its free water, which is taken off the mixing water."),
        provenance=((N_("rule"), "S"),),
        sources=("JGJ 55-2011",),
        fields=(
            Number(name="aggregate_kg_m3", text=N_("Aggregate, kg/m³"), above=0, maximum=3000),
            Number(name="free_water_percent", text=N_("Free water, %"), minimum=-5, maximum=20),
            Number(name="water_kg_m3", text=N_("Water, kg/m³"), above=0, maximum=500),
        ),
        compute=_moisture,
        vectors=(
            Vector(
                {"aggregate_kg_m3": "768", "free_water_percent": "5", "water_kg_m3": "175"},
                {"aggregate_kg_m3": "806.4", "water_kg_m3": "136.6"},
                "C",
            ),
        ),
    ),
)
